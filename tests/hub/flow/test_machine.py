"""The whole engine under random work: posts, answers, failures, kills, people. Nothing is lost, and nothing is doubled.

HUBBUB_MACHINE_EXAMPLES says how many histories are tried, by chance then; without it a few, always the same ones.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from sqlalchemy import text

from hub.core.delivery import check_transition
from hub.core.keys import signal_key
from hub.core.model import Change, RawItem
from hub.flow.back.reply import discard
from hub.flow.deliver import deliver, deliver_batch
from hub.flow.process import process, process_batch
from hub.flow.sweep import sweep
from hub.runtime import Hub
from tests.hub.flow.vendor import CLASSES, FAULTS, LANES, Killed, Mark, There, note_moves, opened, wipe
from tests.hubs import NOON, Clock

EXAMPLES = os.environ.get("HUBBUB_MACHINE_EXAMPLES", "")
FEW = {"sqlite": 25, "postgresql": 12}
PEOPLE = ("ana", "bo", "cy")
ENDED = frozenset({"delivered", "superseded", "discarded", "dead"})
TOLD = {
    "delivered": "Posted on",
    "dead": "Not posted on",
    "discarded": "Not posted on",
    "review": ("It may", "Not posted"),
}
SPANS = (1, 6, 31, 45, 301, 1801, 3600, 3 * 3600, 11 * 3600)
NUMBERS = st.integers(0, 30)


@dataclass
class Post:
    """What somebody said, as it is now."""

    id: str
    by: str
    text: str
    parent: str
    versions: int = 1
    is_gone: bool = False


class Engine(RuleBasedStateMachine):
    """One history of a hub; `allowed` counts by record what a person asked for again."""

    hub: Hub

    def __init__(self) -> None:
        super().__init__()
        self.vendor = wipe(self.hub)
        self.vendor.asked = self._look
        assert isinstance(self.hub.clock, Clock)
        self.clock = self.hub.clock
        self.clock.time = NOON
        self.posts: list[Post] = []
        self.raws: list[RawItem] = []
        self.events: list[RawItem] = []
        self.answers: dict[str, str] = {}
        self.allowed = Counter[Mark]()
        self.seen = 0

    # ------------------------------------------------------------------------------------------------------ networks

    @rule(
        who=st.sampled_from(PEOPLE), parent=st.none() | NUMBERS, is_watched=st.sampled_from((True, True, True, False))
    )
    def post(self, who: str, parent: int | None, is_watched: bool) -> None:
        above = self.posts[parent % len(self.posts)].id if parent is not None and self.posts else ""
        name = f"p{len(self.posts)}x"
        said = f"acme {name}" if is_watched else f"others {name}"
        self.posts.append(Post(name, who, said, above))
        self._say(self.posts[-1])

    @precondition(lambda self: self.posts)
    @rule(what=st.sampled_from(("item", "crawl", "edit", "edit", "delete")), number=NUMBERS)
    def come_again(self, what: str, number: int) -> None:
        post = self.posts[number % len(self.posts)]
        if what == "item":
            self.hub.store.inbox.add([self.raws[number % len(self.raws)]])
        elif what == "delete":
            post.is_gone = True
            self._take({"id": post.id, "gone": True})
        else:
            post.versions += what == "edit"
            edited = f" edit {post.versions}" if post.versions > 1 else ""
            post.text = post.text.partition(" edit")[0] + edited
            self._say(post)

    def _say(self, post: Post) -> None:
        self._take({"id": post.id, "by": post.by, "text": post.text} | ({"re": post.parent} if post.parent else {}))

    def _take(self, said: dict[str, Any]) -> None:
        self.clock.pass_(seconds=1)
        self.raws.append(RawItem("talk", "talk", msgspec.json.encode(said), self.clock(), f"raw-{len(self.raws)}"))
        self.hub.store.inbox.add([self.raws[-1]])

    # ------------------------------------------------------------------------------------------------------- workers

    @rule(dies=st.sampled_from((False, False, False, True)))
    def work(self, dies: bool) -> None:
        self.vendor.dying = dies
        try:
            process_batch(self.hub)
        except Killed:
            pass
        finally:
            self.vendor.dying = False

    @rule(lane=st.sampled_from(LANES), script=st.lists(st.sampled_from(FAULTS), max_size=4))
    def send(self, lane: str, script: Sequence[str]) -> None:
        self.vendor.script.extend(script)
        try:
            deliver_batch(self.hub, lane)
        except Killed:
            pass
        finally:
            self.vendor.script.clear()

    @rule(lane=st.sampled_from(LANES))
    def send_in_peace(self, lane: str) -> None:
        process(self.hub)
        deliver(self.hub, lane)

    @rule(seconds=st.sampled_from(SPANS))
    def wait(self, seconds: int) -> None:
        self.clock.pass_(seconds=seconds)
        sweep(self.hub)

    # -------------------------------------------------------------------------------------------------------- people

    @rule(what=st.sampled_from(("retry", "retry", "discard", "desk", "sources/talk")), number=NUMBERS)
    def decide(self, what: str, number: int) -> None:
        if what == "retry":
            self._retry(self._rows("dead", "review", "retry", "blocked", "parked", "uncertain"), number)
        elif what == "discard":
            self._discard(self._rows("dead", "review"), number)
        else:
            self.hub.store.connections.resume(what, now=self.clock())

    def _retry(self, rows: Sequence[dict[str, Any]], number: int | None = None) -> None:
        if rows:
            chosen = rows if number is None else [rows[number % len(rows)]]
            self._allow([row for row in chosen if row["state"] == "review"])
            self.hub.store.outbox.retry([row["id"] for row in chosen], now=self.clock())

    def _discard(self, rows: Sequence[dict[str, Any]], number: int) -> None:
        if rows:
            self._allow([rows[number % len(rows)]])
            discard(self.hub, [rows[number % len(rows)]["id"]], note="not worth it")

    @rule(what=st.sampled_from(("answer", "answer", "delete", "again")), number=NUMBERS)
    def happen_at_the_desk(self, what: str, number: int) -> None:
        ticket = self._ticket(number)
        if what == "again" and self.events:
            self.hub.store.inbox.add([self.events[number % len(self.events)]], form="event")
        elif what == "answer" and ticket:
            part = f"c{len(self.events)}"
            self.answers[part] = ticket.mark[2]
            self._tell("reply", ticket, text=f"answer {part}", actor="Kim", actor_id="kim", part_id=part)
        elif what == "delete" and ticket:
            self.vendor.there.remove(ticket)
            self.allowed[ticket.mark] += 1
            self._tell("deleted", ticket)

    def _tell(self, kind: str, ticket: There, **values: Any) -> None:
        told = {"kind": kind, "object": "ticket", "remote_id": ticket.id, "event_id": f"e{len(self.events)}", **values}
        body = msgspec.json.encode([msgspec.convert(told, Change)])
        self.events.append(RawItem("desk", "desk", body, self.clock(), f"call-{len(self.events)}"))
        self.hub.store.inbox.add([self.events[-1]], form="event")

    def _ticket(self, number: int) -> There | None:
        """A ticket that the hub knows of."""
        known = {row["remote_id"] for row in self._rows("delivered") if row["operation"] == "create"}
        found = [one for one in self.vendor.there if one.mark[1] == "create" and one.id in known]
        return found[number % len(found)] if found else None

    def _allow(self, rows: Sequence[dict[str, Any]]) -> None:
        for row in rows:
            self.allowed[self._mark(row)] += 1

    # ---------------------------------------------------------------------------------------------------- what holds

    def _look(self, lane: str, ids: Sequence[int]) -> None:
        """At a call: the connection may be used, and no row is early."""
        standing = self.hub.store.connections.standing(lane)
        if standing.state != "half-open" and standing.until is not None and self.clock() < standing.until:
            self.vendor.wrong.append(f"{lane} is called while it is {standing.state}")
        if standing.state == "half-open" and len(ids) > 1:
            self.vendor.wrong.append(f"a probe of {len(ids)} records")
        with self.hub.store.database.read() as conn:
            early = text("SELECT count(*) FROM deliveries WHERE state = 'leased' AND due_at > :now")
            if conn.scalar(early, {"now": int(self.clock().timestamp() * 1_000_000)}):
                self.vendor.wrong.append("a row is sent before its time")

    @invariant()
    def all_is_well(self) -> None:
        self._the_vendor_is_asked_rightly()
        self._nothing_is_doubled_unless_a_person_asked()
        self._states_follow_each_other_as_they_may()
        self._agents_read_what_became_of_their_replies()

    def _the_vendor_is_asked_rightly(self) -> None:
        assert self.vendor.wrong == []

    def _nothing_is_doubled_unless_a_person_asked(self) -> None:
        twice = {mark: made for mark, made in self.vendor.made.items() if made > 1 + self.allowed[mark]}
        assert twice == {}

    def _states_follow_each_other_as_they_may(self) -> None:
        with self.hub.store.database.read() as conn:
            moves = conn.execute(text("SELECT id, old, new FROM moves WHERE id > :seen"), {"seen": self.seen}).all()
        self.seen = max((row.id for row in moves), default=self.seen)
        for row in moves:
            check_transition(row.old, row.new)

    def _agents_read_what_became_of_their_replies(self) -> None:
        notes = {row["record_key"]: row for row in self._rows() if row["operation"] == "note"}
        for row in self._rows(*TOLD):
            if row["operation"] == "reply":
                note = self.hub.store.outbox.get(notes[row["record_key"]]["id"])
                assert note and note["fields"]["text"].startswith(TOLD[row["state"]]), (row, note)

    def teardown(self) -> None:
        self._settle()
        self._nothing_vanished()
        self._retry(self._rows("dead", "review"))
        self.hub.store.inbox.retry(None, now=self.clock())
        self._settle()
        self._nothing_vanished()
        self._everything_is_right()

    def _settle(self) -> None:
        """In peace, until nothing moves any more."""
        self.vendor.script.clear()
        busy = 1
        while busy:
            self.clock.pass_(hours=25)
            sweep(self.hub)
            busy = process(self.hub, slice_s=60) + sum(deliver(self.hub, lane, slice_s=60) for lane in LANES)
        self._states_follow_each_other_as_they_may()
        self._nothing_is_doubled_unless_a_person_asked()
        self._the_vendor_is_asked_rightly()

    def _nothing_vanished(self) -> None:
        """Every raw row is decided, every row of the ledger has ended or says what it waits for, and its attempts are told."""
        assert self.hub.store.inbox.counts().keys() <= {
            "done",
            "duplicate",
            "ignored",
            "split",
            "erased",
            "quarantined",
        }
        rows = self._rows()
        stuck = {row["id"] for row in rows if row["state"] in ("dead", "review")}
        for row in rows:
            whole = self.hub.store.outbox.get(row["id"])
            assert whole is not None
            assert all(one["finished_at"] and one["outcome"] for one in whole["tries"]), whole
            if row["state"] not in ENDED | {"review"}:
                assert stuck, f"it waits for nothing: {whole}"

    def _everything_is_right(self) -> None:
        """What was said last stands at the vendor, what is gone does not, and each answer was posted or refused aloud."""
        rows = self._rows()
        latest = {self._mark(row): row for row in rows}
        for post in self.posts:
            key = signal_key("lines", post.id)
            if post.text.startswith("acme") and not post.is_gone:
                assert ("said", "upsert", key) in latest
            held = [row for row in rows if key in (row["record_key"], row["signal_key"]) and row["state"] not in ENDED]
            for mark, row in latest.items():
                if row["record_key"] == key and row["object"] == "said" and row["operation"] == "upsert" and not held:
                    self._stands(post, mark, row)
            if post.is_gone and not held:
                self._is_gone(post)
        for part in self.answers:
            mine = signal_key("desk", part, realm="desk")
            assert any(row["record_key"] == mine for row in rows), f"the answer {part} vanished"

    def _stands(self, post: Post, mark: Mark, row: dict[str, Any]) -> None:
        if post.is_gone or row["state"] != "delivered" or self.allowed[mark]:
            return
        (there,) = [one for one in self.vendor.there if one.mark == mark]
        assert there.fields == {"text": post.text}

    def _is_gone(self, post: Post) -> None:
        left = [one for one in self.vendor.there if post.id in str(one.fields.get("text", "")).split()]
        dead = [row for row in self._rows("dead") if row["operation"] == "tombstone"]
        assert dead or not [one for one in left if not self.allowed[one.mark]], left

    def _rows(self, *states: str) -> list[dict[str, Any]]:
        """The ledger's rows, oldest first."""
        rows = reversed(self.hub.store.outbox.recent(limit=2000))
        return [row for row in rows if not states or row["state"] in states]

    @staticmethod
    def _mark(row: dict[str, Any]) -> Mark:
        return (row["object"], row["operation"], row["record_key"])


@pytest.mark.timeout(0 if EXAMPLES else 120)
@pytest.mark.parametrize("kind", CLASSES)
def test_nothing_is_lost_and_nothing_is_doubled(kind: str, database_url: str, tmp_path: Path) -> None:
    with opened(database_url, tmp_path, kind) as hub:
        note_moves(hub)
        machine = type("EngineOne", (Engine,), {"hub": hub})
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=int(EXAMPLES or FEW[database_url.partition(":")[0].partition("+")[0]]),
                stateful_step_count=40,
                deadline=None,
                derandomize=not EXAMPLES,
                database=None,
                phases=(Phase.generate,),
                suppress_health_check=list(HealthCheck),
            ),
        )
