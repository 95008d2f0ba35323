"""Records that are written again though no rule asks: with a ticket's link, and with the figures that other records show."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import structlog
from msgspec.structs import replace

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

log = structlog.get_logger(__name__)

LINKS = ("conversation.url",)
FIGURES = ("stats.", "author.followers", "30d", "person.followers", "account.followers")
_KINDS = ("author", "person", "account")
Place = tuple[str, str, str]


def link_tickets(hub: Hub, opened: Mapping[str, str]) -> list[str]:
    """Plan anew the records that show where a conversation is, now that it has a ticket; returns their destinations.

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
    found = {(row.destination, row.object, row.record_key): row for row in upserts}
    return [row for row in found.values() if hub.store.erasures.record(conn, row)[-1].id == row.id]


def _linked(book: Rulebook, row: Sent, opened: Mapping[str, str]) -> Planned | None:
    mapping = book.mappings.get((row.destination, row.mapping))
    url = opened.get(row.signal_key or "")
    if mapping is None or url is None or not (names := mapping.reading(LINKS)):
        return None
    known = {"conversation": {"url": url}, "person": {"open_conversation": url}, "account": {"open_conversation": url}}
    fields = {**row.fields, **mapping.only(names, merge(known, skeleton()))}
    return _again(row, fields, mapping.once) if fields != row.fields else None


def levelled(hub: Hub, decision: Decision) -> Sequence[Planned]:
    """Return the records of a batch, those of one author, person or account with the figures that were known last."""
    told = _facts_by_key(hub, decision) if len(decision.judged) > 1 else {}
    return (
        [_levelled(hub.book, item, told.get(item.record.key)) for item in decision.planned]
        if told
        else decision.planned
    )


def _levelled(book: Rulebook, item: Planned, facts: Mapping[str, Any] | None) -> Planned:
    mapping = book.mappings.get((item.record.destination, item.record.mapping))
    if facts is None or mapping is None or not (names := _figures(mapping)):
        return item
    return item._replace(record=replace(item.record, fields={**item.record.fields, **mapping.only(names, facts)}))


def even_figures(hub: Hub, conn: Connection, decision: Decision, written: Iterable[Sequence[str]]) -> list[str]:
    """Plan anew the other records of those whose record is written: the same figures everywhere. Returns destinations."""
    book, told = hub.book, {place[2] for place in written}
    facts = {key: known for key, known in _facts_by_key(hub, decision).items() if key in told}
    if not facts:
        return []
    planned_now = {(one.record.destination, one.record.object, one.record.key) for one in decision.planned}
    kin = [key for key in facts if key.startswith(("person:", "account:"))]
    rows = hub.store.erasures.sent(conn, [], [key for key in facts if key not in kin], kin=kin)
    others = [row for row in _latest(hub, conn, rows) if _place(row) not in planned_now and row.state not in OPEN]
    items = [item for row in others if (item := _evened(book, row, facts[row.record_key]))]
    if items:
        hub.store.outbox.plan(conn, items, now=hub.now())
    return list(dict.fromkeys(item.record.destination for item in items))


def _facts_by_key(hub: Hub, decision: Decision) -> dict[str, dict[str, Any]]:
    """Return the newest facts of each author, person and account that a batch heard of."""
    found: dict[str, dict[str, Any]] = {}
    for one in decision.judged:
        if one.signal.kind != "repost" and one.matched:
            known = facts_then(one.signal, one.trace, f"{hub.settings.public_url}/signals/{one.signal.key}")
            found |= {key: known for kind in _KINDS if (key := known[kind]["key"])}
    return found


def _evened(book: Rulebook, row: Sent, facts: Mapping[str, Any]) -> Planned | None:
    mapping = book.mappings.get((row.destination, row.mapping))
    if mapping is None:
        return None
    names = _figures(mapping)
    fields = {**row.fields, **mapping.only(names, facts)}
    return _again(row, fields, mapping.once) if names and fields != row.fields else None


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


def _place(row: Sent) -> Place:
    return row.destination, row.object, row.record_key
