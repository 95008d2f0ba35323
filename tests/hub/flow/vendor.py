"""A vendor in memory, of each idempotency class, that fails as it is told.

It keeps every record that it ever made, so that a doubled one is seen. `script` says how the next calls go, one word each;
`moods` how all calls of a lane go until further notice.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ClassVar

from hub.core.errors import (
    ConnectorError,
    QuotaExhausted,
    RateLimited,
    Rejected,
    Retryable,
    Unauthorised,
    Unavailable,
    Uncertain,
)
from hub.core.model import Delivery, RawItem, RemoteRef, Reply
from hub.sdk.connectors import Context, Idempotency, Lookup, Native, NoIdempotency, Outcome, Upsert
from tests.hub.flow.desk import Desk, Talk
from tests.hubs import Clock

WINDOW, LAG = timedelta(hours=2), timedelta(seconds=40)
CLASSES: Mapping[str, Idempotency] = {
    "upsert": Upsert(),
    "native": Native(WINDOW),
    "lookup": Lookup(LAG),
    "none": NoIdempotency(),
}
ERRORS: Mapping[str, Callable[[], ConnectorError]] = {
    "unavailable": lambda: Unavailable("down"),
    "busy": lambda: Retryable("busy"),
    "limited": lambda: RateLimited("slow down", retry_after=7),
    "quota": lambda: QuotaExhausted("used up"),
    "denied": lambda: Unauthorised("who are you?"),
    "refused": lambda: Rejected("no such field"),
}
KILLED, CUT = ("killed before", "killed after"), ("dropped before", "dropped after", "raised after")
FAULTS = ("ok", *ERRORS, *CUT, *CUT, *KILLED, "bug", "meanwhile", "late")
MOODS: Mapping[str, Callable[[], ConnectorError]] = {
    "down": lambda: Unavailable("nobody is there"),
    "locked": lambda: Unauthorised("authorise again"),
}
LANES = ("desk", "sources/talk")
Mark = tuple[str, str, str]


class Killed(KeyboardInterrupt):
    """The worker ended here: nothing after this is done, as after Ctrl-C, which is no bug of a plugin."""


@dataclass
class There:
    """A record at the vendor; `winner` is what it was merged into."""

    id: str
    key: str
    mark: Mark
    fields: dict[str, Any]
    made_at: datetime
    winner: There | None = None

    @property
    def now(self) -> There:
        """The record that stands for it by now."""
        return self.winner.now if self.winner else self


@dataclass
class Vendor:
    """What the vendor holds; `wrong` collects what should not have been asked of it, `answers` how calls went (None: well).

    `meanwhile` is what others do in the middle of a call, where the script says so, `late` what they do before its answer comes.
    """

    kind: str
    clock: Clock
    script: deque[str] = field(default_factory=deque)
    moods: dict[str, str] = field(default_factory=dict)
    there: list[There] = field(default_factory=list)
    made: Counter[Mark] = field(default_factory=Counter)
    newest: Counter[Mark] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    answers: list[BaseException | None] = field(default_factory=list)
    asked: Callable[[str, Sequence[int]], None] = field(default=lambda lane, ids: None)
    meanwhile: Callable[[], object] = field(default=lambda: None)
    late: Callable[[], object] = field(default=lambda: None)
    dying: bool = False

    @contextmanager
    def called(self, lane: str) -> Iterator[None]:
        """A call, and how it went; in a bad mood it is answered like all others."""
        try:
            self._answer_in_mood(lane)
            yield
        except Exception as error:
            self.answers.append(error)
            raise
        self.answers.append(None)

    def _answer_in_mood(self, lane: str) -> None:
        error = MOODS[self.moods[lane]]() if lane in self.moods else None
        if error:
            raise error

    def step(self, write: Callable[[], RemoteRef], known: There | None) -> RemoteRef:
        """One write, as the script says; what is known by its key is answered, never refused."""
        fault = self.script.popleft() if self.script else "ok"
        if fault in ERRORS and not (known and fault == "refused"):
            error = ERRORS[fault]()
            raise error
        if fault == "bug" and not known:
            raise ValueError(fault)
        if fault == "killed before":
            raise Killed
        if fault == "dropped before":
            raise Uncertain("no answer")
        if fault == "meanwhile":
            self.meanwhile()
        ref = write()
        if fault == "late":
            self.late()
        if fault == "killed after":
            raise Killed
        if fault == "dropped after":
            raise Uncertain("no answer")
        if fault == "raised after":
            raise Dropped("the connection broke")
        return ref

    def known(self, kind: str, key: str, mark: Mark) -> There | None:
        """What the vendor takes for the same thing."""
        if kind == "upsert":
            return next((one for one in self.there if one.mark == mark), None)
        if kind == "native":
            return next((one for one in self.there if one.key == key and self._age(one) < WINDOW), None)
        return None

    def put(self, known: There | None, key: str, mark: Mark, fields: Mapping[str, Any]) -> RemoteRef:
        """Write a record anew, or over what is there."""
        if known is None:
            self.made[mark] += 1
            known = There(f"r{sum(self.made.values())}", key, mark, {}, self.clock())
            self.there.append(known)
        if mark[1] == "upsert" or known.winner is None:  # who opens a ticket again writes nothing into another
            known.now.fields = dict(fields)
        return RemoteRef(known.now.id, f"https://vendor.example/{known.now.id}")

    def find(self, key: str) -> RemoteRef | None:
        """A look-up by the mark that was written; a search lags, a key does not."""
        if self.script and self.script[0] in (*ERRORS, "killed before"):
            fault = self.script.popleft()
            raise ERRORS[fault]() if fault in ERRORS else Killed
        lag = LAG if self.kind == "lookup" else timedelta()
        found = next((one for one in self.there if one.key == key and self._age(one) >= lag), None)
        return RemoteRef(found.id) if found else None

    def by_id(self, id_: str) -> There | None:
        """A record by its id, or what it was merged into."""
        return next((one.now for one in self.there if one.id == id_), None)

    def remove(self, record: There) -> list[There]:
        """Delete a record, with all that was merged into it; returns what is gone."""
        gone = [one for one in self.there if one.now is record]
        self.there = [one for one in self.there if one.now is not record]
        return gone

    def _age(self, one: There) -> timedelta:
        return self.clock() - one.made_at


class Dropped(Uncertain):
    """The rest of the batch was not answered either."""


class Shop(Desk):
    """A destination whose records are at the vendor."""

    capabilities = frozenset({"note", "inbound", "tombstone"})
    batch_size = 3
    vendor: ClassVar[Vendor]

    def idempotency_of(self, object_: str, operation: str) -> Idempotency:
        return Upsert() if operation == "tombstone" else CLASSES[self.vendor.kind]

    def deliver(self, ctx: Context, batch: Sequence[Delivery]) -> list[Outcome]:
        self.vendor.asked("desk", [one.id for one in batch])
        outcomes: list[Outcome] = []
        for delivery in batch:
            try:
                with self.vendor.called("desk"):
                    outcomes.append(Outcome(delivery.id, ref=self._write(delivery), moved=self._moved(delivery)))
            except Dropped as error:
                return [*outcomes, Outcome.failed(delivery, error)]
            except ConnectorError as error:
                outcomes.append(Outcome.failed(delivery, error))
        return outcomes

    def lookup(self, ctx: Context, delivery: Delivery) -> RemoteRef | None:
        with self.vendor.called("desk"):
            return self.vendor.find(delivery.key)

    def _write(self, one: Delivery) -> RemoteRef:
        vendor, mark = self.vendor, (one.object, one.operation, one.record_key)
        if one.operation == "tombstone":
            return vendor.step(lambda: self._remove(one), None)
        parent = one.parents.get("conversation")
        if one.operation in ("comment", "note") and (parent is None or vendor.by_id(parent.id) is None):
            raise Rejected("there is no such ticket", code="gone")
        writer = one.parents.get("author")
        if one.object == "said" and (writer is None or vendor.by_id(writer.id) is None):
            raise Rejected("there is no such person", code="gone")
        known = vendor.by_id(one.ref.id) if one.ref else vendor.known(vendor.kind, one.key, mark)
        return vendor.step(lambda: self._put(one, known, mark), known)

    def _put(self, one: Delivery, known: There | None, mark: Mark) -> RemoteRef:
        if one.seq < self.vendor.newest[mark]:
            self.vendor.wrong.append(f"an older payload is written over a newer one: {one}")
        self.vendor.newest[mark] = one.seq
        return self.vendor.put(known, one.key, mark, one.fields)

    def _moved(self, one: Delivery) -> dict[str, RemoteRef]:
        """Where the parents are by now, if they were merged."""
        found = {kind: self.vendor.by_id(ref.id) for kind, ref in one.parents.items()}
        return {
            kind: RemoteRef(there.id) for kind, there in found.items() if there and there.id != one.parents[kind].id
        }

    def _remove(self, one: Delivery) -> RemoteRef:
        mark = (one.object, str(one.fields["operation"]), one.record_key)
        named = self.vendor.by_id(one.ref.id) if one.ref else None
        for there in self.vendor.there:
            if there.mark == mark and (named is None or there.now is named):
                there.fields = {}
        return RemoteRef(named.id if named else "none")


class Street(Talk):
    """A network whose replies are at the vendor."""

    vendor: ClassVar[Vendor]

    def translate(self, raw: RawItem) -> Any:
        if self.vendor.dying:
            raise Killed
        return super().translate(raw)

    def reply(self, ctx: Context, reply: Reply) -> RemoteRef:
        vendor, mark = self.vendor, ("reply", "reply", reply.key)
        vendor.asked("sources/talk", [])
        with vendor.called("sources/talk"):
            known = vendor.known(vendor.kind, reply.key, mark)
            return vendor.step(lambda: vendor.put(known, reply.key, mark, {"text": reply.text}), known)

    def find_reply(self, ctx: Context, reply: Reply) -> RemoteRef | None:
        with self.vendor.called("sources/talk"):
            return self.vendor.find(reply.key)
