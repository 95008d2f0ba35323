"""A hub with a desk (tickets, notes, events, changes) and a network that can be answered, both fakes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

import msgspec

from hub.config.settings import Settings
from hub.core.errors import ConnectorError, TranslationError
from hub.core.model import Change, RawItem, RemoteRef, Reply, Signal, Translated
from hub.queue.inprocess import InProcessBell
from hub.registry import Plugin
from hub.runtime import Hub
from hub.sdk.connectors import ChangePage, Context, Idempotency, NoIdempotency, ReplyRules, Request
from hub.store import Store
from tests.hubs import MAPPINGS, RULES, TOPICS, Clock, FakeRegistry, LineSource, Memo, to_toml

OURS = "user-hub"
POST = {"id": "1", "text": "acme is down"}


class Talk(LineSource):
    """A network that can be answered: `posted` is what it got, `says` may raise, `there` is what a look-up finds."""

    name = "talk"
    network = "lines"
    reply_rules: ClassVar[ReplyRules | None] = ReplyRules(max_length=40, window=timedelta(days=7))
    posted: ClassVar[list[Reply]] = []
    says: ClassVar[Callable[[Reply], None] | None] = None
    there: ClassVar[dict[str, RemoteRef]] = {}

    def translate(self, raw: RawItem) -> Any:
        said = super().translate(raw)
        extra = {name: value for name, value in msgspec.json.decode(raw.payload).items() if name in {"can_reply", "at"}}
        if not isinstance(said, Translated) or not extra:
            return said
        published = raw.received_at + timedelta(seconds=extra.pop("at", 0))
        changed = (msgspec.structs.replace(one, published_at=published, **extra) for one in said.signals)
        return Translated(tuple(changed), said.authors)

    def compose(self, reply: Reply) -> str:
        return f"@{reply.author.handle if reply.author else '?'} {reply.text}"

    def reply(self, ctx: Context, reply: Reply) -> RemoteRef:
        type(self).posted.append(reply)
        if type(self).says is not None:
            type(self).says(reply)  # type: ignore[misc]  # a function in a class
        return self._ref(reply)

    def find_reply(self, ctx: Context, reply: Reply) -> RemoteRef | None:
        return type(self).there.get(reply.key)

    def _ref(self, reply: Reply) -> RemoteRef:
        number = f"post-{len(type(self).posted)}"
        return RemoteRef(number, f"https://talk.example/{number}")


def raising(error: Exception) -> Callable[[Reply], None]:
    """Something that a network says to each reply: this error."""

    def says(_: Reply) -> None:
        raise error

    return says


class Desk(Memo):
    """A desk: what it was given is in `got`; `parse` reads a JSON list of changes."""

    capabilities = frozenset({"note", "inbound", "changes"})
    self_id: ClassVar[str | ConnectorError] = OURS
    pages: ClassVar[list[ChangePage | Exception]] = []
    asked: ClassVar[list[Any]] = []

    def whoami(self, ctx: Context) -> str:
        if isinstance(type(self).self_id, ConnectorError):
            raise type(self).self_id  # type: ignore[misc]  # checked above
        return str(type(self).self_id)

    def verify(self, request: Request) -> bool:
        return request.headers.get("x-key") == "right"

    def event_id(self, request: Request) -> str:
        return request.headers.get("x-event", "")

    def acknowledge(self, request: Request) -> tuple[str, bytes]:
        return "text/xml", b"<ok/>"

    def parse(self, body: bytes) -> Sequence[Change]:
        try:
            return msgspec.json.decode(body, type=list[Change])
        except msgspec.DecodeError as error:
            raise TranslationError(str(error)) from None

    def changes(self, ctx: Context, cursor: Any) -> Iterable[ChangePage]:
        type(self).asked.append(cursor)
        for page in type(self).pages:
            if isinstance(page, Exception):
                raise page
            yield page


@dataclass
class Stage:
    """A hub with the classes of its fakes."""

    hub: Hub
    clock: Clock
    bell: InProcessBell
    talk: type[Talk]
    desk: type[Desk]
    count: int = field(default=0)

    def say(self, *items: Mapping[str, Any]) -> None:
        """Posts come in, and land."""
        raws = []
        for item in items:
            self.count += 1
            raws.append(RawItem("talk", "talk", msgspec.json.encode(item), self.clock(), f"raw-{self.count}"))
        self.hub.store.inbox.add(raws)
        self.run()

    def change(self, kind: str, **values: Any) -> None:
        """Something happens at the desk, and is handled as far as nothing is sent."""
        from hub.flow.decide.batch import process

        self.count += 1
        told: dict[str, Any] = {"object": "ticket", "remote_id": self.ticket, "event_id": f"event-{self.count}"}
        self.tell(msgspec.convert({"kind": kind, **told, **values}, Change))
        process(self.hub, slice_s=30)

    def tell(self, *changes: Change, event: str = "") -> None:
        """The desk calls with changes."""
        self.count += 1
        body = msgspec.json.encode(changes)
        item = RawItem("desk", "desk", body, self.clock(), event or f"call-{self.count}")
        self.hub.store.inbox.add([item], form="event")

    def answer(self, text: str = "we look into it", **values: Any) -> None:
        """An agent answers in public, and everything runs."""
        self.count += 1
        self.change(
            "reply", **{"text": text, "actor": "Kim", "actor_id": "user-kim", "part_id": f"c{self.count}", **values}
        )
        self.run()

    def run(self) -> None:
        """Process and deliver until nothing is due."""
        from hub.flow.decide.batch import process
        from hub.flow.deliver.send import deliver

        busy = 1
        while busy:
            busy = process(self.hub, slice_s=30)
            for name in ("desk", "sources/talk"):
                busy += deliver(self.hub, name, slice_s=30)

    @property
    def ticket(self) -> str:
        """The id of the first ticket at the desk."""
        (row, *_) = [one for one in self.rows() if one["operation"] == "create"]
        return str(row["remote_id"])

    def rows(self, operation: str = "") -> list[dict[str, Any]]:
        """The ledger's rows, oldest first."""
        found = reversed(self.hub.store.outbox.recent(limit=1000))
        return [row for row in found if not operation or row["operation"] == operation]

    def notes(self) -> list[str]:
        """What agents were told, in order."""
        sent = (one for batch in self.desk.got for one in batch)
        return [str(one.fields["text"]) for one in sent if one.operation == "note"]

    def conversation(self) -> dict[str, Any]:
        """State, assignee and tags of the first conversation, as far as they are set."""
        key = next(row["record_key"] for row in self.rows("create"))
        row = self.hub.store.conversations.get(key) or {}
        return {name: row[name] for name in ("state", "assignee", "tags") if row.get(name)}

    def heard(self) -> list[tuple[str, str]]:
        """What became of changes: state and note of each row, in order."""
        from sqlalchemy import text

        query = text("SELECT state, note FROM inbox WHERE form = 'change' ORDER BY id")
        with self.hub.store.database.read() as conn:
            return [(row[0], row[1]) for row in conn.execute(query)]

    def signal(self, key: str) -> Signal:
        """A stored signal."""
        row = self.hub.store.signals.get(key)
        assert row is not None
        found: Signal = row["signal"]
        return found


def make_stage(
    opened: Store,
    folder: Path,
    *,
    reply: str = "send",
    idempotency: Idempotency | None = None,
    rules: str = "",
    private_rules: Sequence[str] = (),
    inbound: Mapping[str, Any] | None = None,
) -> Stage:
    """Make a hub on an open store, whose rule "brand" makes a ticket at the desk of each conversation about acme."""
    (folder / "rules.toml").write_text((rules or RULES.format(mapping="ticket")).replace('"memo"', '"desk"'))
    (folder / "topics.toml").write_text(TOPICS)
    own = folder / "mappings" / "desk"
    own.mkdir(parents=True, exist_ok=True)
    for name, spec in MAPPINGS.items():
        (own / f"{name}.toml").write_text(to_toml(spec))
    ways: dict[str, Any] = {
        "posted": [],
        "there": {},
        "says": None,
        "reply_idempotency": idempotency or NoIdempotency(),
    }
    talk = type("TalkOne", (Talk,), ways)
    desk = type(
        "DeskOne", (Desk,), {"name": "desk", "got": [], "found": {}, "pages": [], "asked": [], "batch_size": 10}
    )
    plugins = [
        Plugin("talk", "tests", "1", sources={"talk": talk}),
        Plugin("desk", "tests", "1", destinations={"desk": desk}),
    ]
    directions = {"status": {"solved": "closed", "new": "open"}, "assignee": True, "tags": True}
    settings = Settings.model_validate(
        {
            "hub": {"private_rules": list(private_rules)},
            "sources": {"talk": {"plugin": "talk", "reply": reply}},
            "destinations": {"desk": {"plugin": "desk", "inbound": directions if inbound is None else inbound}},
            "file": folder / "config.toml",
        }
    )
    clock, bell = Clock(), InProcessBell()
    hub = Hub(settings, opened, bell, FakeRegistry(plugins), clock, jitter=lambda: 0.0)
    return Stage(hub, clock, bell, talk, desk)
