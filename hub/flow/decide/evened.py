"""Records that are written again though no rule asks: with a ticket's link, and with the figures that other records show."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from hub.config.logs import LateLogger
from hub.core.decide.decision import Decision
from hub.core.decide.judgement import facts_then
from hub.core.errors import Overtaken
from hub.core.grammar.facts import merge, skeleton
from hub.core.ledger import OPEN
from hub.core.mapping import CompiledMapping
from hub.core.model import Planned, Record
from hub.core.pipeline import Rulebook
from hub.flow.conflicts import begin_again
from hub.runtime import Hub
from hub.store import Connection
from hub.store.erasures import Sent
from hub.store.history import History
from hub.store.ledger.outbox import GONE, RowTarget

log = LateLogger(__name__)

LINKS = ("conversation.url",)
FIGURES = ("stats.", "author.followers", "30d", "person.followers", "account.followers")
_KINDS = ("author", "person", "account")


def link_tickets(hub: Hub, opened: Mapping[str, str]) -> list[str]:
    """Plan the records that show a conversation's place once more, since it has a ticket now; returns their destinations.

    `opened` are the tickets' links by the signal that opened them. A record that is being sent just now stays as it is until it
    is written again: a link is no reason to hold up what is settled.
    """
    if not any(mapping.reading(LINKS) for mapping in hub.book.mappings.values()):
        return []

    def step(_: int) -> list[str]:
        with hub.store.database.write() as conn:
            rows = hub.store.erasures.sent(conn, list(opened))
            planned = [item for row in _latest(hub, conn, rows) if (item := _linked(hub.book, row, opened))]
            if planned:
                hub.store.outbox.plan(conn, planned, now=hub.now())
        return list(dict.fromkeys(item.record.destination for item in planned))

    try:
        return begin_again(step, tired="the records with a ticket's link are being written just now")
    except Overtaken as error:
        log.info("a ticket's link waits for the next write", reason=str(error))
        return []


def _latest(hub: Hub, conn: Connection, rows: Iterable[Sent]) -> list[Sent]:
    """Return the rows that say what their record holds now: later ones, of other signals, know better."""
    upserts = [row for row in rows if row.operation == "upsert"]
    newest = {one.id for one in History(hub.store.database).latest(conn, [row.record_key for row in upserts]).values()}
    return [row for row in upserts if row.id in newest]


def _linked(book: Rulebook, row: Sent, opened: Mapping[str, str]) -> Planned | None:
    mapping = book.mappings.get((row.destination, row.mapping))
    url = opened.get(row.signal_key or "")
    if mapping is None or url is None or not (names := mapping.reading(LINKS)):
        return None
    known = {"conversation": {"url": url}, "person": {"open_conversation": url}, "account": {"open_conversation": url}}
    fields = {**row.fields, **mapping.only(names, merge(known, skeleton()))}
    return _again(row, fields, mapping.once) if fields != row.fields else None


def levelled(book: Rulebook, planned: Sequence[Planned], facts: Mapping[str, Mapping[str, Any]]) -> list[Planned]:
    """Return the records of a batch, those of one author, person or account with the figures that were known last."""
    return [_levelled(book, item, facts.get(item.record.key)) for item in planned]


def _levelled(book: Rulebook, item: Planned, facts: Mapping[str, Any] | None) -> Planned:
    mapping = book.mappings.get((item.record.destination, item.record.mapping))
    if facts is None or mapping is None or not (names := _figures(mapping)):
        return item
    return item._replace(record=replace(item.record, fields={**item.record.fields, **mapping.only(names, facts)}))


def even_figures(
    hub: Hub,
    conn: Connection,
    planned: Iterable[Planned],
    facts: Mapping[str, Mapping[str, Any]],
    *,
    written: Iterable[RowTarget],
) -> list[str]:
    """Plan the other records of an author whose record is written: the same figures everywhere. Returns destinations.

    `planned` are the records of the batch, `written` those of them that have changed.
    """
    told = {key for _, _, key, _ in written} & facts.keys()
    rows = _others(hub, conn, told, planned) if told else []
    items = [item for row in rows if (item := _evened(hub.book, row, facts[row.record_key]))]
    if items:
        hub.store.outbox.plan(conn, items, now=hub.now())
    return list(dict.fromkeys(item.record.destination for item in items))


def _others(hub: Hub, conn: Connection, keys: Collection[str], planned: Iterable[Planned]) -> list[Sent]:
    """Return what the other records of these authors hold that show figures, and are neither under way nor erased."""
    now = {(one.record.destination, one.record.object, one.record.key) for one in planned}
    latest = History(hub.store.database).latest(conn, sorted(keys))
    ids = [
        row.id
        for of, row in latest.items()
        if of.operation == "upsert"
        and (of.destination, of.object, of.record_key) not in now
        and row.state not in OPEN
        and row.stable != GONE
        and (mapping := hub.book.mappings.get((of.destination, row.mapping)))
        and _figures(mapping)
    ]
    return hub.store.erasures.rows(conn, ids)


def facts_by_key(hub: Hub, decision: Decision) -> dict[str, dict[str, Any]]:
    """Return the newest facts of each author, person and account that a batch heard of; none if no mapping shows figures."""
    found: dict[str, dict[str, Any]] = {}
    if not any(_figures(mapping) for mapping in hub.book.mappings.values()):
        return found
    for one in decision.judged:
        if one.signal.kind != "repost" and one.matched:
            known = facts_then(one.signal, one.trace, f"{hub.settings.public_url}/signals/{one.signal.key}")
            found |= {key: known for kind in _KINDS if (key := known[kind]["key"])}
    return found


def _evened(book: Rulebook, row: Sent, facts: Mapping[str, Any]) -> Planned | None:
    mapping = book.mappings[row.destination, row.mapping]
    fields = {**row.fields, **mapping.only(_figures(mapping), facts)}
    return _again(row, fields, mapping.once) if fields != row.fields else None


def _figures(mapping: CompiledMapping) -> list[str]:
    return [name for name in mapping.reading(FIGURES) if mapping.spec.fields[name].volatile]


def _again(row: Sent, fields: Mapping[str, Any], once: Sequence[str]) -> Planned:
    record = Record(
        destination=row.destination,
        object=row.object,
        key=row.record_key,
        operation=row.operation,
        fields=fields,
        mapping=row.mapping,
        mapping_version=row.mapping_version,
        stable="",
        key_field=row.key_field,
        once=tuple(once),
        provides=row.provides,
        needs=row.needs,
    )
    return Planned(record, row.signal_key or "", row.rule or "", forced=True)
