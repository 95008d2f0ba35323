"""The whole engine under random work: posts, answers, failures, kills, people. Nothing is lost, and nothing is doubled.

HUBBUB_MACHINE_EXAMPLES says how many histories are tried, by chance then; without it a few, always the same ones.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import invariant, run_state_machine_as_test
from sqlalchemy import bindparam, text

from hub.core.keys import signal_key
from hub.core.ledger import AWAITING_PERSON, IN_DEAD_END, OPEN, check_transition
from hub.core.notes import WAITS
from hub.core.retry import FAILURES, SCHEDULE
from hub.flow.decide.batch import process
from hub.flow.sweep import sweep
from hub.store import open_store
from tests.hub.flow.engine import Engine, Post
from tests.hub.flow.trial import note_moves, opened
from tests.hub.flow.vendor import CLASSES, LANES, Mark

pytestmark = pytest.mark.long

EXAMPLES = os.environ.get("HUBBUB_MACHINE_EXAMPLES", "")
FEW = {"sqlite": 25, "postgresql": 12}
ENDED = frozenset({"delivered", "superseded", "discarded", "dead"})
DECIDED = frozenset({"done", "duplicate", "ignored", "split", "erased", "quarantined"})
FREE = frozenset({"Unauthorised", "QuotaExhausted", "RateLimited"})
TOLD = {"delivered": "Posted on", "dead": "Not posted on", "discarded": "Not posted on", "review": "In doubt: it may"}
EARLY = text("SELECT count(*) FROM deliveries WHERE state = 'leased' AND due_at > :now")
JUMPS = text(
    "SELECT count(*) FROM deliveries one JOIN deliveries other ON other.record_key = one.record_key"
    " AND other.destination = one.destination AND other.object = one.object AND other.operation = one.operation"
    " AND other.seq < one.seq WHERE one.id IN :ids AND other.state IN :open"
).bindparams(bindparam("ids", expanding=True), bindparam("open", expanding=True))
ORPHANS = text(
    "SELECT count(*) FROM delivery_needs need JOIN deliveries one ON one.id = need.delivery_id JOIN deliveries parent"
    " ON parent.destination = one.destination AND parent.provides = need.need WHERE one.id IN :ids AND parent.state IN :open"
    " AND NOT EXISTS (SELECT 1 FROM refs WHERE refs.destination = one.destination AND refs.provides = need.need)"
).bindparams(bindparam("ids", expanding=True), bindparam("open", expanding=True))


class Watched(Engine):
    """What must hold at each call, after each step, and in the end."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = 0
        self.counted = 0

    # --------------------------------------------------------------------------------------------------- at each call

    def look(self, lane: str, ids: Sequence[int]) -> None:
        """The connection may be used, no row is early, and each comes after what it must come after."""
        standing = self.hub.store.connections.standing(lane)
        if standing.state != "half-open" and standing.until is not None and self.clock() < standing.until:
            self.vendor.wrong.append(f"{lane} is called while it is {standing.state}")
        if standing.state == "half-open" and len(ids) > 1:
            self.vendor.wrong.append(f"a probe of {len(ids)} records")
        with self.hub.store.database.read() as conn:
            if conn.scalar(EARLY, {"now": int(self.clock().timestamp() * 1_000_000)}):
                self.vendor.wrong.append("a row is sent before its time")
            for what, query in (("an earlier payload", JUMPS), ("a parent", ORPHANS)):
                if ids and conn.scalar(query, {"ids": list(ids), "open": sorted(OPEN)}):
                    self.vendor.wrong.append(f"a row is sent although {what} is on its way")

    # ------------------------------------------------------------------------------------------------ after each step

    @invariant()
    def all_is_well(self) -> None:
        self._what_always_holds()
        self._agents_read_what_became_of_their_replies()
        self._who_is_never_there_is_left_alone()

    def _what_always_holds(self) -> None:
        assert self.vendor.wrong == []
        twice = {mark: made for mark, made in self.vendor.made.items() if made > 1 + self.allowed[mark]}
        assert twice == {}, "doubled"
        self._states_follow_each_other_as_they_may()

    def _states_follow_each_other_as_they_may(self) -> None:
        with self.hub.store.database.read() as conn:
            moves = conn.execute(text("SELECT id, old, new FROM moves WHERE id > :seen"), {"seen": self.seen}).all()
        self.seen = max((row.id for row in moves), default=self.seen)
        for row in moves:
            check_transition(row.old, row.new)

    def _agents_read_what_became_of_their_replies(self) -> None:
        rows = self.rows()
        replies = [row for row in rows if row["operation"] == "reply"]
        notes = {row["record_key"]: row for row in rows if row["operation"] == "note"}
        self._replies_wait_where_a_person_is_to_decide(replies)
        for row in replies:
            if row["state"] in TOLD:
                said = "Not posted on Lines yet" if row["id"] in self.unasked else TOLD[row["state"]]
                said = TOLD["discarded"] if row["state"] == "discarded" else said
                note = self.hub.store.outbox.get(notes[row["record_key"]]["id"])
                assert note and note["fields"]["text"].startswith(said), (row, note)

    def _replies_wait_where_a_person_is_to_decide(self, replies: Sequence[dict[str, Any]]) -> None:
        fresh = [row for row in replies if row["id"] > self.counted and row["state"] != "dead"]
        self.counted = max((row["id"] for row in replies), default=self.counted)
        if self.policy == "approve":
            assert all((row["state"], row["error"]) == ("approval", {"message": WAITS}) for row in fresh)
            self.unasked.update(row["id"] for row in fresh)
        for row in replies:
            if row["id"] in self.unasked:
                assert row["state"] in ("approval", "discarded", "superseded"), row
                assert row["attempts"] == 0, row

    def _who_is_never_there_is_left_alone(self) -> None:
        for lane in LANES:
            if self.silent[lane] >= FAILURES:
                assert self.hub.store.connections.standing(lane).state != "ok", f"{lane} is down, and asked on and on"

    # --------------------------------------------------------------------------------------------------- in the end

    def teardown(self) -> None:
        self._settle()
        self._nothing_vanished()
        self.retry(self.rows(*IN_DEAD_END))
        self.hub.store.inbox.retry(None, now=self.clock())
        self._settle()
        self._nothing_vanished()
        self._everything_is_right()

    def _settle(self) -> None:
        """In peace, until nothing moves any more."""
        self.vendor.script.clear()
        self.vendor.moods.clear()
        busy = 1
        while busy:
            self.clock.pass_(hours=25)
            sweep(self.hub)
            busy = process(self.hub, slice_s=60) + sum(self.send_all(lane) for lane in LANES)
        self._what_always_holds()

    def _nothing_vanished(self) -> None:
        """Every raw row is decided, every row of the ledger has ended or says what it waits for, and its attempts are told."""
        assert self.hub.store.inbox.counts().keys() <= DECIDED
        rows = self.rows()
        stuck = {row["id"] for row in rows if row["state"] in IN_DEAD_END}
        for row in rows:
            whole = self.hub.store.outbox.get(row["id"])
            assert whole is not None
            assert all(one["finished_at"] and one["outcome"] for one in whole["tries"]), whole
            burnt = [one for one in whole["tries"] if (one["error"] or {}).get("class") not in FREE]
            assert row["attempts"] <= min(len(burnt), len(SCHEDULE)), f"an attempt was burnt that was none: {whole}"
            if row["state"] not in ENDED | AWAITING_PERSON:
                assert stuck, f"it waits for nothing: {whole}"

    def _everything_is_right(self) -> None:
        """What was said last stands at the vendor, what is gone does not, and each answer was posted or refused aloud."""
        rows = self.rows()
        latest = {self.mark(row): row for row in rows}
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
        for part, ticket in self.answers.items():
            mine = signal_key("desk", part, realm="desk")
            # What is told of a ticket after it is gone is not understood any more.
            told = any(row["record_key"] == mine for row in rows)
            assert told or ticket.now not in self.vendor.there, f"the answer {part} vanished"
        self._what_was_delivered_is_there(rows)

    def _what_was_delivered_is_there(self, rows: Sequence[dict[str, Any]]) -> None:
        """Each record that the ledger calls delivered was made; what people merged is known by its winner alone."""
        for row in rows:
            if row["state"] == "delivered" and row["operation"] in ("upsert", "create", "comment", "note"):
                assert self.vendor.made[self.mark(row)], f"it was never made: {row}"
        assert not self.known() & self.merged.keys()

    def _stands(self, post: Post, mark: Mark, row: dict[str, Any]) -> None:
        if post.is_gone or row["state"] != "delivered" or self.allowed[mark]:
            return
        (there,) = [one for one in self.vendor.there if one.mark == mark]
        assert there.fields == {"text": post.text}

    def _is_gone(self, post: Post) -> None:
        left = [one for one in self.vendor.there if post.id in str(one.fields.get("text", "")).split()]
        refused = [row for row in self.rows("dead", "discarded") if row["operation"] == "tombstone"]
        assert refused or not [one for one in left if not self.allowed[one.mark]], left


@pytest.mark.timeout(0 if EXAMPLES else 300)
@pytest.mark.parametrize("kind", CLASSES)
def test_nothing_is_lost_and_nothing_is_doubled(kind: str, own_database: str, tmp_path: Path) -> None:
    store = open_store(own_database)
    store.database.migrate()
    with opened(store, tmp_path, kind) as hub:
        note_moves(hub)
        machine = type("EngineOne", (Watched,), {"hub": hub})
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=int(EXAMPLES or FEW[own_database.partition(":")[0].partition("+")[0]]),
                stateful_step_count=40,
                deadline=None,
                derandomize=not EXAMPLES,
                database=None,
                phases=(Phase.generate,),
                suppress_health_check=list(HealthCheck),
            ),
        )
