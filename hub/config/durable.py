"""Files that a crash or a power cut leaves either as a whole or not at all."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO


@contextmanager
def whole_file(target: Path, *, opener: Callable[[str, int], int] | None = None) -> Iterator[BinaryIO]:
    """Open a file to be written; it gets its name once the disk has all of it, and an error leaves nothing.

    Raises OSError, also if another process writes it now: two would write into one another's.
    """
    part = target.with_name(f"{target.name}.part")
    with _alone(part, opener) as out:
        try:
            yield out
            out.flush()
            os.fsync(out.fileno())
            part.rename(target)
        except BaseException:
            with suppress(OSError):
                part.unlink()
            raise
    keep_names(target.parent)


def _alone(part: Path, opener: Callable[[str, int], int] | None) -> BinaryIO:
    """Open an unfinished file and hold it, whether or not one that was cut off left it. Raises OSError."""
    while True:
        # Not emptied as it is opened: it may be another's.
        flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC
        out = os.fdopen(opener(str(part), flags) if opener else os.open(part, flags, 0o666), "wb")
        try:
            fcntl.flock(out, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_same(out, part):
                out.truncate(0)
                return out
        except BlockingIOError:
            out.close()
            raise OSError(errno.EBUSY, "another process writes it", str(part)) from None
        out.close()  # the one before has just given it its name, or taken it away


def _is_same(out: BinaryIO, part: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(out.fileno()), part.stat())
    except FileNotFoundError:
        return False


def keep_names(folder: Path) -> None:
    """Wait until the disk has a folder's entries: a power cut would take the name of a new file away."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
