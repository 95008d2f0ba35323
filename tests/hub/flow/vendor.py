"""A vendor in memory, of each idempotency class, that fails as it is told, and a hub that is connected to it twice.

It keeps every record that it ever made, so that a doubled one is seen. `script` says how the next writes go, one word each.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

from sqlalchemy import text

from hub.config.settings import Settings
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
from hub.queue.inprocess import InProcessBell
from hub.registry import Plugin
from hub.runtime import Hub
from hub.sdk.connectors import Context, Idempotency, Lookup, Native, NoIdempotency, Outcome, Upsert
from hub.store import open_store
from hub.store.tables import metadata
from tests.hub.flow.back.desk import Desk, Talk
from tests.hubs import MAPPINGS, TOPICS, Clock, FakeRegistry, to_toml

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
FAULTS = ("ok", *ERRORS, "dropped before", "dropped after", "raised after", "killed before", "killed after", "bug")
LANES = ("desk", "sources/talk")
RULES = """
[[rule]]
name = "brand"
when = ['"acme" in topics']
deliver = [{ destination = "desk", mapping = "said" }, { destination = "desk", mapping = "ticket" }]
"""
Mark = tuple[str, str, str]


class Killed(BaseException):
    """The worker ended here: nothing after this is done."""


@dataclass
class There:
    """A record at the vendor."""

    id: str
    key: str
    mark: Mark
    fields: dict[str, Any]
    made_at: datetime


@dataclass
class Vendor:
    """What the vendor holds; `wrong` collects what should not have been asked of it."""

    kind: str
    clock: Clock
    script: deque[str] = field(default_factory=deque)
    there: list[There] = field(default_factory=list)
    made: Counter[Mark] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    asked: Callable[[str, Sequence[int]], None] = field(default=lambda lane, ids: None)
    dying: bool = False

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
        ref = write()
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
        known.fields = dict(fields)
        return RemoteRef(known.id, f"https://vendor.example/{known.id}")

    def find(self, key: str) -> RemoteRef | None:
        """A look-up by the mark that was written; a search lags, a key does not."""
        lag = LAG if self.kind == "lookup" else timedelta()
        found = next((one for one in self.there if one.key == key and self._age(one) >= lag), None)
        return RemoteRef(found.id) if found else None

    def by_id(self, id_: str) -> There | None:
        """A record by its id."""
        return next((one for one in self.there if one.id == id_), None)

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
                outcomes.append(Outcome.delivered(delivery, self._write(delivery)))
            except Dropped as error:
                return [*outcomes, Outcome.failed(delivery, error)]
            except ConnectorError as error:
                outcomes.append(Outcome.failed(delivery, error))
        return outcomes

    def lookup(self, ctx: Context, delivery: Delivery) -> RemoteRef | None:
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
        return vendor.step(lambda: vendor.put(known, one.key, mark, one.fields), known)

    def _remove(self, one: Delivery) -> RemoteRef:
        mark = (one.object, str(one.fields["operation"]), one.record_key)
        named = self.vendor.by_id(one.ref.id) if one.ref else None
        for there in [named] if named else [there for there in self.vendor.there if there.mark == mark]:
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
        known = vendor.known(vendor.kind, reply.key, mark)
        return vendor.step(lambda: vendor.put(known, reply.key, mark, {"text": reply.text}), known)

    def find_reply(self, ctx: Context, reply: Reply) -> RemoteRef | None:
        return self.vendor.find(reply.key)


@contextmanager
def opened(database_url: str, folder: Path, kind: str) -> Iterator[Hub]:
    """A hub whose posts come from a network that is answered, and whose records, tickets and notes go to a desk."""
    (folder / "rules.toml").write_text(RULES)
    (folder / "topics.toml").write_text(TOPICS)
    own = folder / "mappings" / "desk"
    own.mkdir(parents=True)
    for name, spec in MAPPINGS.items():
        (own / f"{name}.toml").write_text(to_toml(spec))
    clock = Clock()
    vendor = Vendor(kind, clock)
    shop = type("ShopOne", (Shop,), {"name": "desk", "vendor": vendor})
    street = type("StreetOne", (Street,), {"vendor": vendor, "reply_idempotency": CLASSES[kind]})
    plugins = [
        Plugin("talk", "tests", "1", sources={"talk": street}),
        Plugin("desk", "tests", "1", destinations={"desk": shop}),
    ]
    sections = {
        "sources": {"talk": {"plugin": "talk", "reply": "send"}},
        "destinations": {"desk": {"plugin": "desk"}},
        "workers": {"batch": 4},
        "file": folder / "config.toml",
    }
    store = open_store(database_url)
    store.database.migrate()
    hub = Hub(
        Settings.model_validate(sections), store, InProcessBell(), FakeRegistry(plugins), clock, jitter=lambda: 0.0
    )
    try:
        yield hub
    finally:
        hub.close()


def vendor_of(hub: Hub) -> Vendor:
    """The vendor that a hub is connected to."""
    shop = hub.destination("desk")
    assert isinstance(shop, Shop)
    return shop.vendor


def wipe(hub: Hub) -> Vendor:
    """Begin anew: an empty database, an empty vendor."""
    with hub.store.database.write() as conn:
        for table in reversed(metadata.sorted_tables):
            conn.execute(table.delete())
        conn.execute(text("DELETE FROM moves"))
    assert isinstance(hub.clock, Clock)
    fresh = Vendor(vendor_of(hub).kind, hub.clock)
    for connector in (hub.destination("desk"), hub.source("talk")):
        type(connector).vendor = fresh  # type: ignore[union-attr]  # both have one
    return fresh


def note_moves(hub: Hub) -> None:
    """Let the database itself write down each change of a delivery's state."""
    database = hub.store.database
    grows = "INTEGER PRIMARY KEY" if database.is_sqlite else "BIGSERIAL PRIMARY KEY"
    insert = "INSERT INTO moves (delivery_id, old, new) VALUES (OLD.id, OLD.state, NEW.state);"
    head = "CREATE TRIGGER moved AFTER UPDATE OF state ON deliveries FOR EACH ROW WHEN (OLD.state <> NEW.state)"
    made = [f"CREATE TABLE moves (id {grows}, delivery_id BIGINT, old TEXT, new TEXT)"]
    if database.is_sqlite:
        made += [f"{head} BEGIN {insert} END"]
    else:
        made += [f"CREATE FUNCTION moved() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {insert} RETURN NEW; END $$"]
        made += [f"{head} EXECUTE FUNCTION moved()"]
    with database.write() as conn:
        for statement in made:
            conn.execute(text(statement))
