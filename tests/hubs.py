"""A hub on fakes: a source of one's own lines, a destination that remembers, a clock that is set by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, ClassVar

import msgspec

from hub.config.settings import Settings
from hub.core.access import HUB
from hub.core.errors import ConnectorError, TranslationError
from hub.core.keys import author_key, signal_key
from hub.core.model import (
    Author,
    Counts,
    Delivery,
    Ignored,
    Label,
    Rating,
    RawItem,
    RemoteRef,
    Signal,
    Tombstone,
    Translated,
)
from hub.core.spec import FieldSpec, MappingSpec
from hub.flow.actions.rules import activate
from hub.queue.inprocess import InProcessBell
from hub.registry import Plugin
from hub.runtime import Hub
from hub.sdk.connectors import (
    Compliance,
    Context,
    Destination,
    Enricher,
    Idempotency,
    ObjectInfo,
    Options,
    Outcome,
    Page,
    PollingSource,
    Upsert,
)
from hub.store import Store
from tests.watched import WatchedRegistry

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


class LineSource(PollingSource[Options]):
    """Raw items are JSON: id, text, by, and what else a Signal may have; `gone`, `like` and `broken` are special."""

    name = "lines"
    network = "lines"
    compliance = Compliance(timedelta(hours=24))
    pages: ClassVar[list[Page | Exception]] = []

    def pull(self, ctx: Context, cursor: Any) -> Iterable[Page]:
        for page in type(self).pages:
            if isinstance(page, Exception):
                raise page
            yield page

    def translate(self, raw: RawItem) -> Translated | Ignored:
        said = msgspec.json.decode(raw.payload)
        if "broken" in said:
            raise TranslationError("it is broken")
        if "bug" in said:
            raise KeyError("bug")
        if "like" in said:
            return Ignored("a like")
        key = signal_key("lines", said["id"])
        if "gone" in said:
            return Translated(tombstones=(Tombstone(key, "user_deleted", raw.received_at),))
        by = author_key("lines", said.get("by", "ana"))
        parent = said.get("re")
        signal = Signal(
            key=key,
            network="lines",
            native_id=said["id"],
            kind=said.get("kind", "reply" if parent else "post"),
            quotes=signal_key("lines", said["of"]) if "of" in said else None,
            rating=Rating(said["stars"]) if "stars" in said else None,
            counts=Counts(shares=said.get("shares")),
            text=said["text"],
            author_key=by,
            published_at=raw.received_at - timedelta(minutes=said.get("ago", 0)),
            observed_at=raw.received_at,
            lang=said.get("lang", "en"),
            in_reply_to=signal_key("lines", parent) if parent else None,
            visibility=said.get("visibility", "public"),
            url=said.get("url"),
        )
        handle = said.get("by", "ana")
        named = {"handle": handle, "display_name": said.get("named"), "followers": said.get("followers")}
        return Translated((signal,), (Author(by, "lines", handle, **named),))


class Mood(Enricher[Options]):
    """Texts with "love" are positive, texts with "hate" negative; "stumble" makes it fail."""

    name = "mood"
    labels = ("sentiment",)

    def enrich(self, signals: Sequence[Signal]) -> list[tuple[Label, ...]]:
        return [self._label(signal.text) for signal in signals]

    def _label(self, text: str) -> tuple[Label, ...]:
        if "stumble" in text:
            raise ValueError(text)
        score = ("love" in text) - ("hate" in text)
        return (Label("sentiment", ("neutral", "positive", "negative")[score], "mood", float(score), 0.9, "1"),)


Answer = Callable[[Delivery], RemoteRef | ConnectorError | None]


class Memo(Destination[Options]):
    """Remembers each delivery; `answer` may return an error, `raises` fails a whole batch."""

    name = "memo"
    idempotency: ClassVar[Idempotency] = Upsert()
    batch_size = 100
    got: ClassVar[list[list[Delivery]]] = []
    found: ClassVar[dict[str, RemoteRef]] = {}
    answer: ClassVar[Answer | None] = None
    raises: ClassVar[Exception | None] = None

    def describe(self, ctx: Context) -> Mapping[str, ObjectInfo]:
        return {"*": ObjectInfo("*", open_fields=True)}

    def idempotency_of(self, object_: str, operation: str) -> Idempotency:
        return type(self).idempotency

    def deliver(self, ctx: Context, batch: Sequence[Delivery]) -> list[Outcome]:
        type(self).got.append(list(batch))
        raises = type(self).raises
        if raises is not None:
            raise raises
        return [self._one(delivery) for delivery in batch]

    def lookup(self, ctx: Context, delivery: Delivery) -> RemoteRef | None:
        return type(self).found.get(delivery.key)

    def _one(self, delivery: Delivery) -> Outcome:
        said = type(self).answer(delivery) if type(self).answer else None  # type: ignore[misc]  # a function in a class
        if isinstance(said, ConnectorError):
            return Outcome.failed(delivery, said)
        return Outcome.delivered(delivery, said or RemoteRef(f"r-{delivery.record_key[-6:]}"))


@dataclass
class Clock:
    """A clock that stands still until told."""

    time: datetime = NOON

    def __call__(self) -> datetime:
        return self.time

    def pass_(self, **span: float) -> None:
        self.time += timedelta(**span)


@dataclass
class Made:
    """A hub with the classes of its fakes."""

    hub: Hub
    clock: Clock
    bell: InProcessBell
    source: type[LineSource]
    memo: type[Memo]
    taken: int = field(default=0)

    def say(self, *items: Mapping[str, Any], source: str = "lines") -> None:
        """Raw items come in by a source."""
        raws = []
        for item in items:
            payload = msgspec.json.encode(item)
            self.taken += 1
            raws.append(RawItem(source, "lines", payload, self.clock(), sha256(payload).hexdigest()))
        self.hub.store.inbox.add(raws)

    def run(self) -> None:
        """Process and deliver until nothing is due."""
        from hub.flow.decide.batch import process
        from hub.flow.deliver.send import deliver

        process(self.hub, slice_s=30)
        while deliver(self.hub, "memo", slice_s=30):
            pass

    def states(self) -> dict[str, int]:
        """How many deliveries are in each state."""
        return dict(self.hub.store.outbox.counts().get("memo", {}))


MAPPINGS: dict[str, MappingSpec] = {
    "note": MappingSpec(
        "note", {"text": FieldSpec(from_="signal.text"), "mood": FieldSpec(from_="labels.sentiment.value")}
    ),
    "person": MappingSpec("person", {"handle": FieldSpec(from_="author.handle")}, keyed_by="author"),
    "said": MappingSpec("said", {"text": FieldSpec(from_="signal.text")}, requires=("person",)),
    "ticket": MappingSpec(
        "ticket", {"text": FieldSpec(from_="signal.text")}, operation="create", keyed_by="conversation", then="comment"
    ),
    "comment": MappingSpec("comment", {"text": FieldSpec(from_="signal.text")}, operation="comment"),
    "quoting": MappingSpec(
        "person",
        {"handle": FieldSpec(from_="author.handle"), "last": FieldSpec(from_="signal.text")},
        keyed_by="author",
    ),
}


def no_rules(folder: Path) -> None:
    """Write files of rules and topics that hold none, as a hub without rules has them."""
    for name in ("rules.toml", "topics.toml"):
        (folder / name).touch()


RULES = '[[rule]]\nname = "brand"\nwhen = [\'"acme" in topics\']\ndeliver = [{{ destination = "memo", mapping = "{mapping}" }}]\n'
TOPICS = '[[topic]]\nname = "acme"\nkeywords = ["acme"]\n'


class FakeRegistry(WatchedRegistry):
    """Plugins without entry points."""

    def __init__(self, plugins: Iterable[Plugin]) -> None:
        super().__init__([])
        self._points = {plugin.name: [] for plugin in plugins}
        self._loaded = {plugin.name: plugin for plugin in plugins}


def make_hub(
    opened: Store,
    folder: Path,
    *,
    mapping: str = "note",
    rules: str = "",
    idempotency: Idempotency | None = None,
    batch: int = 100,
) -> Made:
    """Make a hub on an open store, whose one rule delivers what speaks of acme by `mapping`."""
    (folder / "rules.toml").write_text(rules or RULES.format(mapping=mapping))
    (folder / "topics.toml").write_text(TOPICS)
    own = folder / "mappings" / "memo"
    own.mkdir(parents=True, exist_ok=True)
    for name, spec in MAPPINGS.items():
        (own / f"{name}.toml").write_text(to_toml(spec))
    source = type("Lines", (LineSource,), {"pages": []})
    fakes = {"got": [], "found": {}, "idempotency": idempotency or Upsert(), "batch_size": batch}
    memo = type("MemoOne", (Memo,), fakes)
    plugins = [
        Plugin("lines", "tests", "1", sources={"lines": source}),
        Plugin("memo", "tests", "1", destinations={"memo": memo}),
        Plugin("mood", "tests", "1", enrichers={"mood": Mood}),
    ]
    settings = Settings.model_validate(
        {
            "sources": {"lines": {"plugin": "lines"}},
            "destinations": {"memo": {"plugin": "memo"}},
            "enrichers": {"mood": {"plugin": "mood"}},
            "file": folder / "config.toml",
        }
    )
    clock, bell = Clock(), InProcessBell()
    hub = Hub(settings, opened, bell, FakeRegistry(plugins), clock, jitter=lambda: 0.0)
    return Made(hub, clock, bell, source, memo)


def raw_of(store: Store, key: str) -> bytes:
    """The raw item that a signal was made of."""
    row = store.signals.get(key)
    assert row is not None
    return store.inbox.get([row["raw_id"]])[row["raw_id"]].payload


def to_toml(spec: MappingSpec) -> str:
    """A mapping as its file."""
    head = [f'object = "{spec.object}"', f'operation = "{spec.operation}"', f'keyed_by = "{spec.keyed_by}"']
    head += [f"requires = {list(spec.requires)}"] if spec.requires else []
    head += [f'then = "{spec.then}"'] if spec.then else []
    fields = [f'[fields.{name}]\nfrom = "{field_.from_}"' for name, field_ in spec.fields.items()]
    return "\n".join(head + fields) + "\n"


def change_rules(made: Made, text: str) -> None:
    """Another rules file, activated."""
    (made.hub.settings.folder / "rules.toml").write_text(text)
    (made.hub.settings.folder / "topics.toml").touch()
    activate(made.hub, HUB)
