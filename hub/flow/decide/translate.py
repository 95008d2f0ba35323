"""Raw rows to values: each is read by the plugin that it came from, and normalised."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha256
from typing import Any

from msgspec.structs import replace

from hub.config.logs import LateLogger
from hub.core.errors import ConfigError, TranslationError, UnknownPlugin
from hub.core.grammar.words import counted
from hub.core.model import Author, Ignored, Provenance, RawItem, Signal, Tombstone, Translated
from hub.core.normalise import clean_text, normalise, normalise_author
from hub.flow.bugs import tell
from hub.flow.converse.changes import HeardRows, hear
from hub.runtime import Hub
from hub.sdk.connectors import Source, WebhookSource
from hub.store.inbox import InboxRow, Settled

log = LateLogger(__name__)
LONGEST_NOTE = 500
WAITS, WAITS_AT_MOST = timedelta(minutes=1), timedelta(days=1)
"""How long a row whose plugin is not there waits at a time, and altogether."""
FROM_DESTINATIONS = frozenset({"event", "change"})


@dataclass
class ReadRows:
    """What the raw rows of a batch say: values in the order they came, and what is settled already."""

    signals: list[Signal] = field(default_factory=list)
    authors: list[Author] = field(default_factory=list)
    tombstones: list[Tombstone] = field(default_factory=list)
    parts: list[RawItem] = field(default_factory=list)
    settled: list[Settled] = field(default_factory=list)
    waiting: set[int] = field(default_factory=set)
    left_out: dict[int, str] = field(default_factory=dict)
    heard: HeardRows = field(default_factory=HeardRows)


def read_rows(hub: Hub, rows: Sequence[InboxRow]) -> ReadRows:
    """Translate claimed rows; what cannot be read is settled with its reason, and the batch goes on."""
    read = ReadRows(heard=hear(hub, [row for row in rows if row.form in FROM_DESTINATIONS]))
    for row in rows:
        if row.form in FROM_DESTINATIONS:
            continue
        try:
            _read_row(hub, row, read)
        except UnknownPlugin as error:
            read.settled.append(_without_plugin(hub, row, error))
        except (TranslationError, ConfigError) as error:
            read.settled.append(Settled(row.id, "failed", note(str(error))))
        except BaseException as error:  # noqa: BLE001 - told; a plugin's bug must not stop the batch
            bug = tell(hub, row.item.source, error, event="a plugin failed to translate", raw=row.id)
            read.settled.append(Settled(row.id, "failed", note(f"bug: {bug}")))
    return read


def _without_plugin(hub: Hub, row: InboxRow, error: UnknownPlugin) -> Settled:
    """Let a row wait for its plugin: it was installed after this process began, or is replaced now. After a day it failed."""
    place = f"plugins.{row.item.plugin}"
    if hub.broken.put(place, str(error)):
        log.error(
            "what came waits for a plugin that this process cannot have",
            plugin=row.item.plugin,
            source=row.item.source,
            error=str(error),
        )
    if hub.now() - row.item.received_at < WAITS_AT_MOST:
        return Settled(row.id, "new", note(str(error)), hub.now() + WAITS)
    return Settled(row.id, "failed", note(str(error)))


def note(reason: str) -> str:
    """Return a reason as it is stored and shown: it may quote what a stranger sent."""
    return clean_text(reason)[:LONGEST_NOTE]


def _read_row(hub: Hub, row: InboxRow, read: ReadRows) -> None:
    source = hub.reader(row.item.plugin, row.item.source)
    if row.form == "body" and isinstance(source, WebhookSource):
        parts = source.parse(row.item.payload)
        if len(parts) != 1 or parts[0] != row.item.payload:
            read.parts += split(row.item, parts)
            read.settled.append(Settled(row.id, "split", counted(len(parts), "item")))
            return
    said = translate(source, row.item, row.id)
    if isinstance(said, Ignored):
        read.settled.append(Settled(row.id, "ignored", note(said.reason)))
        return
    read.signals += said.signals
    read.authors += said.authors
    read.tombstones += said.tombstones
    if said.left_out:
        read.left_out[row.id] = note(said.left_out)
    if said.signals:
        read.waiting.add(row.id)
    else:
        read.settled.append(Settled(row.id, "done", read.left_out.get(row.id)))


def translate(source: Source[Any], raw: RawItem, raw_id: int = 0) -> Translated | Ignored:
    """Translate and normalise one raw item; its signals hold its provenance. Raises TranslationError."""
    said = source.translate(raw)
    if isinstance(said, Ignored):
        return said
    origin = Provenance(raw.source, raw.plugin, raw_id)
    signals = tuple(normalise(replace(signal, provenance=origin)) for signal in said.signals)
    return Translated(
        signals, tuple(normalise_author(author) for author in said.authors), said.tombstones, said.left_out
    )


def split(raw: RawItem, parts: Iterable[bytes]) -> list[RawItem]:
    """Return the items of a webhook's body as raw items of their own."""
    return [replace(raw, payload=part, external_id=sha256(part).hexdigest()) for part in parts]
