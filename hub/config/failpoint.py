"""Places in the code that can be made to end the process, so that a test sees what a kill there leaves behind.

HUBBUB_FAILPOINT names one of `PLACES`, and after a colon which passage there is the last ("deliver.sent:2"; the first without
it). If it is not set, a place costs one comparison.
"""

from __future__ import annotations

import os
import signal

PLACES = (
    "deliver.leased",  # rows are claimed, nothing was sent
    "deliver.sending",  # doubts are resolved, the request is about to leave
    "deliver.sent",  # the vendor has answered, nothing of it is written
    "deliver.recorded",  # the outcome is written and not committed
    "deliver.settled",  # it is committed, no bell was rung
    "process.leased",  # raw rows are claimed
    "process.decided",  # what they become is known, nothing is written
    "process.recorded",  # all of it is written and not committed
    "intake.cursor",  # a cursor has moved and its raw rows are not written
    "intake.recorded",  # both are written and not committed
    "intake.taken",  # both are committed, no bell was rung
    "backup.table",  # a table is written to a backup, others are not
    "backup.manifest",  # all is written, and the backup has no name yet
    "restore.table",  # a table is filled, others are not
    "restore.held",  # all are, nothing is committed
)
_place, _, _number = os.environ.get("HUBBUB_FAILPOINT", "").partition(":")
_passages = [0]


def reached(place: str) -> None:
    """End this process by SIGKILL, as a power cut would, if it was started to die here."""
    if place == _place:
        _passages[0] += 1
        if _passages[0] == int(_number or 1):
            os.kill(os.getpid(), signal.SIGKILL)
