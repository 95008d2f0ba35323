"""Raw rows to signals and deliveries: translate, normalise, dedupe, enrich, route, map, in batches."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from time import monotonic
from typing import Any

import structlog
from msgspec.structs import replace

from hub.config.failpoint import reached
from hub.core.errors import ConfigError, HubError, TranslationError
from hub.core.model import Author, Ignored, Provenance, RawItem, Signal, Tombstone, Translated
from hub.core.normalise import clean_text, normalise, normalise_author
from hub.flow.back.changes import Heard, handle, hear
from hub.flow.back.gone.erase import lighten, take_back
from hub.flow.back.reply import outlets, ring_outlets
from hub.flow.back.upkeep import note_sightings, weave
from hub.flow.decide import Decision, decide_batch
from hub.flow.lease import kept
from hub.runtime import Hub
from hub.sdk.connectors import Source, WebhookSource
from hub.store.inbox import InboxRow, Settled

log = structlog.get_logger(__name__)
TRIES = 5
LONGEST_NOTE = 500
FROM_DESTINATIONS = frozenset({"event", "change"})
HEARD = frozenset({"split", "done", "ignored"})


@dataclass
class Read:
    """What the raw rows of a batch say: values in the order they came, and what is settled already."""

    signals: list[Signal] = field(default_factory=list)
    authors: list[Author] = field(default_factory=list)
    tombstones: list[Tombstone] = field(default_factory=list)
    parts: list[RawItem] = field(default_factory=list)
    settled: list[Settled] = field(default_factory=list)
    waiting: set[int] = field(default_factory=set)
    heard: Heard = field(default_factory=Heard)


def process(hub: Hub, *, slice_s: float = 5.0) -> int:
    """Work on due raw rows until nothing is due or the time slice ends; returns how many rows were settled."""
    end = monotonic() + slice_s
    done = 0
    while monotonic() < end and not hub.stopping.is_set():
        worked = process_batch(hub)
        if not worked:
            return done
        done += worked
    hub.bell.ring("process")
    return done


def process_batch(hub: Hub, *, most: int | None = None) -> int:
    """Claim one batch, work on it, commit it; returns how many rows it held.

    Where the work itself fails, the rows go one by one, so that only the one at fault is marked and the others go on.
    """
    token, rows = hub.store.inbox.claim(limit=most or hub.settings.workers.batch, now=hub.now())
    if not rows:
        return 0
    reached("process.leased")
    try:
        return _work(hub, token, rows)
    except HubError:  # the database is away, a file is wrong: no row is at fault
        raise
    except Exception as error:
        log.exception("a batch failed", rows=len(rows))
        if len(rows) == 1:
            fault = Settled(rows[0].id, "failed", _note(f"bug: {type(error).__name__}: {error}"))
            commit(hub, token, Read(settled=[fault]), Decision())
            return 1
        hub.store.inbox.release(token)
        return sum(process_batch(hub, most=1) for _ in rows)


def _work(hub: Hub, token: str, rows: Sequence[InboxRow]) -> int:
    with kept(hub.store.inbox, token, hub.now):
        read = read_rows(hub, rows)
        lighten(hub, read.tombstones)
        for _ in range(TRIES):
            decision = decide_batch(hub, read.signals, read.authors)
            reached("process.decided")
            if commit(hub, token, read, decision):
                for destination in {*decision.destinations, *decision.reached}:
                    hub.bell.ring("deliver", destination)
                if read.heard.changes:
                    ring_outlets(hub, outlets(hub))
                return len(rows)
    hub.store.inbox.release(token)
    raise HubError(f"a batch of {len(rows)} rows was overtaken {TRIES} times: is another hub at work on this database?")


def commit(hub: Hub, token: str, read: Read, decision: Decision) -> bool:
    """Write all that a batch changes in one transaction; False where somebody else was faster (nothing is written then)."""
    now = hub.now()
    try:
        with hub.store.database.write() as conn:
            hub.store.threads.take_turns(conn, alone=bool(read.tombstones) or decision.threads.is_woven)
            heard = handle(hub, conn, read.heard)
            settled = [*read.settled, *decision.settle(read.waiting), *heard]
            _unless(hub.store.inbox.settle(conn, token, settled))
            # Nobody reads it again, and what a desk tells quotes posts that may have to be forgotten one day.
            hub.store.inbox.empty(conn, [one.id for one in heard if one.state in HEARD])
            hub.store.inbox.add(read.parts, conn=conn)
            hub.store.inbox.add(read.heard.parts, form="change", conn=conn)
            hub.store.conversations.assign(conn, decision.assigned, now=now)
            note_sightings(hub, conn, read.signals, decision)
            _unless(hub.store.signals.add(conn, decision.new) == len(decision.new))
            hub.store.signals.revise(conn, decision.revised)
            hub.store.signals.refresh(conn, decision.refreshed)
            hub.store.signals.meet(conn, decision.authors, now=now)
            _unless(weave(hub, conn, decision))
            _unless(hub.store.outbox.plan(conn, decision.planned, now=now))
            asked = take_back(hub, conn, read.tombstones)
            _unless(asked is not None)
            decision.reached = asked or []
            reached("process.recorded")
    except Overtaken:
        log.info("a batch was overtaken", rows=len(read.settled) + len(read.waiting))
        return False
    return True


class Overtaken(HubError):
    """Somebody else wrote the same meanwhile: roll back and decide anew."""


def _unless(fine: bool) -> None:
    if not fine:
        raise Overtaken


def read_rows(hub: Hub, rows: Sequence[InboxRow]) -> Read:
    """Translate claimed rows; what cannot be read is settled with its reason, and the batch goes on."""
    read = Read(heard=hear(hub, [row for row in rows if row.form in FROM_DESTINATIONS]))
    for row in rows:
        if row.form in FROM_DESTINATIONS:
            continue
        try:
            _read_row(hub, row, read)
        except (TranslationError, ConfigError) as error:
            read.settled.append(Settled(row.id, "failed", _note(str(error))))
        except Exception as error:  # a plugin's bug must not stop the batch
            log.exception("a plugin failed to translate", plugin=row.item.plugin, raw=row.id)
            read.settled.append(Settled(row.id, "failed", _note(f"bug: {type(error).__name__}: {error}")))
    return read


def _note(reason: str) -> str:
    """A reason as it is stored and shown: it may quote what a stranger sent."""
    return clean_text(reason)[:LONGEST_NOTE]


def _read_row(hub: Hub, row: InboxRow, read: Read) -> None:
    source = hub.reader(row.item.plugin, row.item.source)
    if row.form == "body" and isinstance(source, WebhookSource):
        parts = source.parse(row.item.payload)
        if len(parts) != 1 or parts[0] != row.item.payload:
            read.parts += split(row.item, parts)
            read.settled.append(Settled(row.id, "split", f"{len(parts)} items"))
            return
    said = translate(source, row.item, row.id)
    if isinstance(said, Ignored):
        read.settled.append(Settled(row.id, "ignored", _note(said.reason)))
        return
    read.signals += said.signals
    read.authors += said.authors
    read.tombstones += said.tombstones
    if said.signals:
        read.waiting.add(row.id)
    else:
        read.settled.append(Settled(row.id, "done"))


def translate(source: Source[Any], raw: RawItem, raw_id: int = 0) -> Translated | Ignored:
    """Translate and normalise one raw item; its signals know where they came from. Raises TranslationError."""
    said = source.translate(raw)
    if isinstance(said, Ignored):
        return said
    origin = Provenance(raw.source, raw.plugin, raw_id)
    signals = tuple(normalise(replace(signal, provenance=origin)) for signal in said.signals)
    return Translated(signals, tuple(normalise_author(author) for author in said.authors), said.tombstones)


def split(raw: RawItem, parts: Iterable[bytes]) -> list[RawItem]:
    """The items of a webhook's body as raw items of their own."""
    return [replace(raw, payload=part, external_id=sha256(part).hexdigest()) for part in parts]
