"""Each process is killed again and again while rows are open; in the end everything landed, and nothing twice.

HUBBUB_CHAOS_MOMENTS says how many kills a run has (5; the figures of a release are taken with 25).
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest

from tests.chaos.posts import Post, posts
from tests.chaos.stage import PARTS, Stage, Wanted, doubled, listed, send_all, stage, stopped, wait

MOMENTS = int(os.environ.get("HUBBUB_CHAOS_MOMENTS", "5"))
SLOW = {"latency_ms": 25}
SENDERS, PAUSE_S, PART = 2, 0.15, 2
MOST_OPEN = 200
HOLDERS = {"process", "deliver"}


class Crowd:
    """Senders that post a little at a time, while not too much is open, until they are told to stop; all of it was accepted."""

    def __init__(self, here: Stage) -> None:
        self._here = here
        self._numbers = count()
        self._lock = threading.Lock()
        self._enough = threading.Event()
        self.accepted: list[Post] = []

    @contextmanager
    def posting(self) -> Iterator[None]:
        """Post while the block runs, then let each sender finish."""
        threads = [threading.Thread(target=self._send, daemon=True) for _ in range(SENDERS)]
        for thread in threads:
            thread.start()
        yield
        self._enough.set()
        for thread in threads:
            thread.join(60)
            assert not thread.is_alive(), "a post was never accepted"

    def _send(self) -> None:
        while not self._enough.wait(PAUSE_S):
            if self._here.open_rows() > MOST_OPEN:
                continue
            with self._lock:
                first = next(self._numbers) * PART
            part = posts(("mastodon", "bluesky")[first // PART % 2], PART, first=first)
            send_all(self._here.port, part)
            with self._lock:
                self.accepted += part


def kill(here: Stage, part: str) -> int:
    """Kill a living part at the first moment at which rows are open (those that work: rows that they hold); how many."""
    pid = wait_for(here, part)
    end = time.monotonic() + 30
    while time.monotonic() < end:
        found = stopped(pid, lambda: here.held_by(pid) if part in HOLDERS else here.open_rows())
        if found:
            return found
        time.sleep(0.01)
    raise AssertionError(f"{part} had no open rows for 30 s")


def wait_for(here: Stage, part: str) -> int:
    """The process id of a part, once it is there (and the door, once it answers)."""
    wait(lambda: here.part(part) is not None, why=f"a {part}")
    if part == "web":
        wait(here.answers, why="the door")
    pid = here.part(part)
    assert pid is not None
    return pid


def replaced(here: Stage, part: str, pid: int | None) -> bool:
    """Whether another process has taken a part over."""
    return here.part(part) not in {None, pid}


@pytest.mark.timeout(60 + 20 * MOMENTS)
@pytest.mark.parametrize("part", PARTS)
def test_a_kill_loses_nothing_and_doubles_nothing(
    part: str, own_database: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = random.Random(f"{part} {own_database.partition(':')[0]}")
    wanted = Wanted(
        {"salesforce": "signal", "hubspot": "signal", "zendesk": ""}, tickets=True, database_url=own_database
    )
    with stage(tmp_path, wanted) as here, here.up():
        for running in here.sandboxes.values():
            running.sandbox.faults.set([SLOW])
        crowd, killed = Crowd(here), []
        with crowd.posting():
            for _ in range(MOMENTS):
                time.sleep(rng.uniform(0.05, 0.6))
                pid = wait_for(here, part)
                killed.append(kill(here, part))
                wait(lambda gone=pid: replaced(here, part, gone), why=f"another {part}")  # type: ignore[misc]  # bound now
        recovery = wait(here.settled, why=here.story, within=60)
        with capsys.disabled():
            print(f"\n{part}: {len(crowd.accepted)} posts, open at the kills {killed}, settled after {recovery:.1f} s")
        check(here, crowd.accepted)


def check(here: Stage, accepted: list[Post]) -> None:
    """Each accepted post that is watched is one record at each destination, and one ticket where one was due."""
    watched = {post.key for post in accepted if post.watched}
    tickets = {post.key for post in accepted if post.watched and post.native_id.endswith("7")}
    states = {row["state"] for row in listed(here)}
    journals = here.journals()
    assert states <= {"delivered", "superseded"}
    assert here.store.inbox.counts().keys() <= {"done", "duplicate"}
    for name, object_, due in (
        ("salesforce", "Social_Signal__c", watched),
        ("hubspot", "social_signal", watched),
        ("zendesk", "ticket", tickets),
    ):
        assert {key for kind, key in journals[name] if kind == object_} == due, name
        assert doubled(journals[name]) == [], name
