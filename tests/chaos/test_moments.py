"""The worst moment: a sender is killed when the vendor has written and we have not yet noted it, or just before it writes."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from hub.core.model import RawItem
from hub.flow.decide.batch import process
from hub.flow.deliver.send import deliver
from hub.flow.sweep import sweep
from hub.queue.inprocess import InProcessBell
from hub.runtime import Hub, open_hub, system_clock
from hub.testkit.sandbox import Answer, Call, Sandbox, SandboxOptions
from hub.testkit.sandbox.app import Reset
from tests.chaos.posts import Post, posts
from tests.chaos.stage import Stage, Wanted, build, doubled, stage
from tests.material import ROOT

SENDER = """
import sys
from pathlib import Path
from hub.flow.deliver.send import deliver
from hub.queue.inprocess import InProcessBell
from hub.runtime import open_hub
deliver(open_hub(Path(sys.argv[1]), bell=InProcessBell()), sys.argv[2])
"""
LAG = timedelta(seconds=31)  # past the search lag of Zendesk's comments


@dataclass
class Gate:
    """Where one call of a look-alike stops: `method` and the end of its path, before or after it is carried out."""

    method: str
    path: str
    after: bool
    reached: threading.Event
    opened: threading.Event

    def meets(self, call: Call) -> bool:
        """Whether this is the call; only the first one stops."""
        return not self.reached.is_set() and call.method == self.method and self.path in call.path


def gated(name: str, gate: Gate) -> Callable[[SandboxOptions], Sandbox]:
    """A vendor's look-alike with a gate."""

    def make(options: SandboxOptions) -> Sandbox:
        plain = build(name)(options)

        class Gated(type(plain)):  # type: ignore[misc]  # the vendor's class is known at run time only
            def handle(self, call: Call) -> Answer:
                meets = gate.meets(call)
                if meets and not gate.after:
                    gate.reached.set()
                    gate.opened.wait(30)
                    raise Reset
                answer: Answer = super().handle(call)
                if meets:
                    gate.reached.set()
                    gate.opened.wait(30)
                return answer

        plain.__class__ = Gated
        return plain

    return make


@contextmanager
def opened(here: Stage) -> Iterator[Hub]:
    """A hub in this process."""
    hub = open_hub(here.config, bell=InProcessBell())
    try:
        yield hub
    finally:
        hub.close()


def take(hub: Hub, given: list[Post]) -> None:
    """Posts come in and are decided."""
    now = system_clock()
    raws = [RawItem(one.network, "webhook", one.body, now, sha256(one.body).hexdigest()) for one in given]
    hub.store.inbox.add(raws, form="body")
    process(hub, slice_s=20)


def finish(hub: Hub, destination: str) -> None:
    """Take back what the dead held, and send until nothing is due, by a clock that is past every lag."""
    hub.clock = lambda: system_clock() + LAG
    sweep(hub)
    while deliver(hub, destination, slice_s=20):
        pass
    hub.clock = system_clock


def kill_at(gate: Gate, here: Stage, destination: str) -> None:
    """Send in a process of its own, kill it at the gate, and let the look-alike go on."""
    sender = subprocess.Popen([sys.executable, "-c", SENDER, str(here.config), destination], cwd=ROOT)
    try:
        assert gate.reached.wait(30), here.story()
        assert here.held_by(sender.pid) > 0
    finally:
        sender.kill()
        sender.wait()
        gate.opened.set()


def reply_to(post: Post, *, number: int = 900) -> Post:
    """Another post that answers a post."""
    other = posts("mastodon", 1, first=number)[0]
    entity: dict[str, Any] = {**json.loads(other.body), "in_reply_to": post.native_id}
    return replace(other, body=json.dumps(entity).encode())


CASES = {
    "upsert": ("hubspot", "signal", "POST", "/batch/upsert"),
    "native": ("zendesk", "ticket", "POST", "/tickets"),
    "lookup": ("zendesk", "ticket", "PUT", "/tickets/"),
}


@pytest.mark.parametrize("after", [True, False], ids=["written", "unwritten"])
@pytest.mark.parametrize("kind", CASES)
def test_a_kill_at_the_vendors_commit_makes_each_record_once(
    kind: str, after: bool, own_database: str, tmp_path: Path
) -> None:
    destination, mapping, method, path = CASES[kind]
    gate = Gate(method, path, after, threading.Event(), threading.Event())
    wanted = Wanted({destination: mapping}, builders={destination: gated(destination, gate)}, database_url=own_database)
    with stage(tmp_path, wanted) as here, opened(here) as hub:
        first = [post for post in posts("mastodon", 3) if post.watched]
        take(hub, first)
        if kind == "lookup":
            finish(hub, destination)
            take(hub, [reply_to(first[0])])
        kill_at(gate, here, destination)
        before = sum(here.journals()[destination].values())
        finish(hub, destination)
        journal = here.journals()[destination]
        wrote = {"upsert": ("social_signal", 3), "native": ("ticket", 3), "lookup": ("comment", 1)}[kind]
        assert sum(object_ == wrote[0] for object_, _ in journal) == wrote[1]
        assert doubled(journal) == []
        assert before < sum(journal.values()) or after
        assert {state for states in hub.store.outbox.counts().values() for state in states} == {"delivered"}
