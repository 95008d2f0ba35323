"""What happens to a hub in `test_machine.py`: posts, workers that die, a vendor in all its moods, people at both ends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, TypeVar

import msgspec
from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from sqlalchemy import text

from hub.core.access import HUB
from hub.core.errors import Unavailable, Uncertain
from hub.core.keys import idempotency_key
from hub.core.ledger import RETRYABLE
from hub.core.model import Change, RawItem
from hub.flow.actions.deliveries import Letters, discard
from hub.flow.conflicts import TRIES
from hub.flow.converse.selves import meet
from hub.flow.decide.batch import process, process_batch
from hub.flow.deliver.send import deliver_batch
from hub.flow.intake.poll import usable_destination
from hub.flow.sweep import sweep
from hub.runtime import Hub
from tests.hub.flow.contended import contend
from tests.hub.flow.trial import let_replies, wipe
from tests.hub.flow.vendor import FAULTS, LANES, Killed, Mark, There
from tests.hubs import NOON, Clock

PEOPLE = ("ana", "bo", "cy")
SPANS = (1, 6, 31, 45, 301, 1801, 3600, 3 * 3600, 11 * 3600)
NUMBERS = range(31)
YES_OR_NO = (True, False)
ACTS: dict[str, tuple[int, dict[str, Sequence[Any]]]] = {}
M = TypeVar("M", bound=Callable[..., None])


def act(times: int, **values: Sequence[Any]) -> Callable[[M], M]:
    """Something that may happen, so many times as often as what happens once, with one of each of these values."""

    def note_it(method: M) -> M:
        ACTS[method.__name__] = times, values
        return method

    return note_it


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
    """One history of a hub.

    `allowed` counts by record what a person asked for again; `unasked` are replies that nobody let out yet; `silent` counts by
    lane the batches in a row that found nobody there; `merged` are records that are others by now, as the hub was told.
    """

    hub: Hub

    def __init__(self) -> None:
        super().__init__()
        self.vendor = wipe(self.hub)
        contend(self.hub.store, 0)
        self.vendor.asked = self.look
        self.vendor.meanwhile = lambda: process_batch(self.hub)
        self.vendor.late = self._lose_the_lease
        assert isinstance(self.hub.clock, Clock)
        self.clock = self.hub.clock
        self.clock.time = NOON
        self.policy = "send"
        self.posts: list[Post] = []
        self.raws: list[RawItem] = []
        self.events: list[RawItem] = []
        self.answers: dict[str, There] = {}
        self.allowed = Counter[Mark]()
        self.silent = Counter[str]()
        self.unasked: set[int] = set()
        self.merged: dict[str, str] = {}
        self.seed = self.steps = 0

    def look(self, lane: str, ids: Sequence[int]) -> None:
        """Called in the middle of each call to the vendor."""

    # ------------------------------------------------------------------------------------------------------ networks

    @act(4, who=PEOPLE, parent=(None, *NUMBERS), is_watched=(True, True, True, False))
    def post(self, who: str, parent: int | None, is_watched: bool) -> None:
        above = self.posts[parent % len(self.posts)].id if parent is not None and self.posts else ""
        name = f"p{len(self.posts)}x"
        said = f"acme {name}" if is_watched else f"others {name}"
        self.posts.append(Post(name, who, said, above))
        self._say(self.posts[-1])

    @act(4, what=("item", "crawl", "edit", "edit", "delete"), number=NUMBERS)
    def come_again(self, what: str, number: int) -> None:
        if not self.posts:
            return
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

    @act(4, dies=(False, False, False, True))
    def work(self, dies: bool) -> None:
        self.vendor.dying = dies
        try:
            process_batch(self.hub)
        except Killed:
            pass
        finally:
            self.vendor.dying = False

    @act(8, lane=LANES, is_new=YES_OR_NO, first=FAULTS, second=FAULTS, third=FAULTS)
    def send(self, lane: str, *, is_new: bool, **script: str) -> None:
        if is_new:
            process(self.hub, slice_s=60)
        self.vendor.script.extend(script.values())
        try:
            self.send_batch(lane)
        except Killed:
            pass
        finally:
            self.vendor.script.clear()

    @act(3, plans=range(1, TRIES), only=("", "note", "note"))
    def be_overtaken(self, plans: int, only: str) -> None:
        """So many of the next plans (of notes only) are overtaken, fewer than a step begins again."""
        contend(self.hub.store, plans, only=only)

    @act(3, lane=LANES)
    def send_in_peace(self, lane: str) -> None:
        process(self.hub, slice_s=60)
        self.send_all(lane)

    @act(4, seconds=SPANS)
    def wait(self, seconds: int) -> None:
        self.clock.pass_(seconds=seconds)
        sweep(self.hub)

    def send_all(self, lane: str) -> int:
        """Send until nothing is due; returns how many rows were worked on."""
        done = 0
        if lane in self.hub.settings.destinations:
            meet(self.hub, lane, usable_destination(self.hub, lane))
        while sent := self.send_batch(lane):
            done += sent
        return done

    def send_batch(self, lane: str) -> int:
        """Send one batch, and note whether anybody was there."""
        self.vendor.answers.clear()
        done = deliver_batch(self.hub, lane)
        if answers := self.vendor.answers:
            nobody = all(isinstance(one, Unavailable | Uncertain) for one in answers)
            self.silent[lane] = self.silent[lane] + 1 if nobody else 0
        return done

    def _lose_the_lease(self) -> None:
        """In the middle of a call the worker is taken for dead, and another goes on."""
        heard = list(self.vendor.answers)
        self.clock.pass_(seconds=31)
        sweep(self.hub)
        for lane in LANES:
            self.send_batch(lane)
        self.vendor.answers = heard

    # ---------------------------------------------------------------------------------------------------- the vendor

    @act(1, lane=LANES, batches=range(1, 9))
    def go_down(self, lane: str, batches: int) -> None:
        self.vendor.moods[lane] = "down"
        for _ in range(batches):
            self.clock.pass_(seconds=31)
            self.send_batch(lane)

    @act(1, lane=LANES)
    def lock(self, lane: str) -> None:
        self.vendor.moods[lane] = "locked"
        self.send_batch(lane)

    @act(4, lane=LANES, is_told=YES_OR_NO)
    def be_well(self, lane: str, is_told: bool) -> None:
        self.vendor.moods.pop(lane, None)
        if is_told:
            self._resume(lane)

    def _resume(self, lane: str) -> None:
        self.hub.store.connections.resume(lane, now=self.clock())
        self.silent[lane] = 0

    # -------------------------------------------------------------------------------------------------------- people

    @act(4, what=("retry", "retry", "discard", *LANES), number=NUMBERS)
    def decide(self, what: str, number: int) -> None:
        if what == "retry":
            self.retry(self.rows(*(RETRYABLE - {"pending"})), number)
        elif what == "discard":
            self._discard(self.rows("dead", "review", "approval"), number)
        else:
            self._resume(what)

    @act(2, policy=("send", "approve"))
    def let_replies(self, policy: str) -> None:
        self.policy = policy
        let_replies(self.hub, policy)

    def retry(self, rows: Sequence[dict[str, Any]], number: int | None = None) -> None:
        """A person lets rows go on: all of them, or one."""
        if rows:
            chosen = rows if number is None else [rows[number % len(rows)]]
            ids = {row["id"] for row in chosen}
            doubtful = [row for row in chosen if row["state"] == "review" and row["id"] not in self.unasked]
            self._allow([row for row in doubtful if self.vendor.kind != "upsert"])
            self.hub.store.outbox.retry(sorted(ids), now=self.clock())
            self.unasked -= ids

    def _discard(self, rows: Sequence[dict[str, Any]], number: int) -> None:
        if rows:
            row = rows[number % len(rows)]
            self._allow([row] if row["operation"] in ("create", "upsert") else [])
            discard(self.hub, HUB, Letters(), ids=[row["id"]], note="not worth it")

    def _allow(self, rows: Sequence[dict[str, Any]]) -> None:
        self.allowed.update(self.mark(row) for row in rows)

    # ---------------------------------------------------------------------------------------------------- at the desk

    @act(5, what=("answer", "answer", "delete", "again"), number=NUMBERS)
    def happen_at_the_desk(self, what: str, number: int) -> None:
        tickets = [one for one in self._standing("ticket") if one.id in self.known()]
        if what == "again" and self.events:
            self.hub.store.inbox.add([self.events[number % len(self.events)]], form="event")
        elif what == "answer" and tickets:
            ticket, part = tickets[number % len(tickets)], f"c{len(self.events)}"
            self.answers[part] = ticket
            self._tell("reply", ticket, text=f"answer {part}", actor="Kim", actor_id="kim", part_id=part)
        elif what == "delete" and tickets:
            ticket = tickets[number % len(tickets)]
            self.allowed.update(one.mark for one in self.vendor.remove(ticket))
            self._tell("deleted", ticket)

    @act(2, object_=("ticket", "ticket", "person"), loser=NUMBERS, winner=NUMBERS)
    def merge(self, object_: str, loser: int, winner: int) -> None:
        here = self._standing(object_)
        if len(here) > 1:
            old = here.pop(loser % len(here))
            old.winner = here[winner % len(here)]
            if old.id in self.known():
                self.merged[old.id] = old.winner.id
            self._tell("merged", old, value=old.winner.id)

    def _tell(self, kind: str, about: There, **values: Any) -> None:
        told = {
            "kind": kind,
            "object": about.mark[0],
            "remote_id": about.id,
            "event_id": f"e{len(self.events)}",
            **values,
        }
        body = msgspec.json.encode([msgspec.convert(told, Change)])
        self.events.append(RawItem("desk", "desk", body, self.clock(), f"call-{len(self.events)}"))
        self.hub.store.inbox.add([self.events[-1]], form="event")

    def _standing(self, object_: str) -> list[There]:
        """The vendor's tickets, or people, that were not merged into another."""
        return [
            one
            for one in self.vendor.there
            if one.mark[0] == object_ and one.mark[1] in ("create", "upsert") and one.winner is None
        ]

    def known(self) -> set[str]:
        """The ids that the hub writes to."""
        with self.hub.store.database.read() as conn:
            return set(conn.scalars(text("SELECT remote_id FROM refs WHERE destination = 'desk'")))

    def rows(self, *states: str) -> list[dict[str, Any]]:
        """The ledger's rows, oldest first."""
        rows = reversed(self.hub.store.outbox.recent(limit=2000))
        return [row for row in rows if not states or row["state"] in states]

    @staticmethod
    def mark(row: dict[str, Any]) -> Mark:
        """What the vendor knows a row's record by; a network sees nothing of a reply's row but its key."""
        lane, object_, key, operation = (row[name] for name in ("destination", "object", "record_key", "operation"))
        is_reply = operation == "reply"
        return (
            object_,
            operation,
            idempotency_key(lane, object_, key, operation=operation, seq=0) if is_reply else key,
        )

    # ----------------------------------------------------------------------------------------------------- the history

    @initialize(seed=st.integers(0, 2**64 - 1))
    def begin(self, seed: int) -> None:
        self.seed = seed
        for number in range(seed % 4):
            self.post(PEOPLE[number], 0 if number == 2 else None, is_watched=True)
        self.send_in_peace("desk")

    @rule(chance=st.integers(0, 9))
    def happen(self, chance: int) -> None:
        """The next act, by the seed; rarely nothing, so that a failure can be made smaller by hand or by Hypothesis.

        Rules would do in its place, but of rules Hypothesis leaves out some in each history, and most histories that it
        makes are others with a part repeated: little would happen in them.
        """
        self.steps += 1
        if chance:
            random = Random(f"{self.seed}-{self.steps}-{chance}")
            (name,) = random.choices(list(ACTS), [times for times, _ in ACTS.values()])
            values = {key: random.choice(of) for key, of in ACTS[name][1].items()}
            note(f"{name} {values}")
            getattr(self, name)(**values)
