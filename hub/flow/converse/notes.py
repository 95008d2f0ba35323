"""Private notes: agents read on the ticket what became of what they wrote."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from hub.core.erasure import REMOVED
from hub.core.errors import ConfigError
from hub.core.keys import digest
from hub.core.ledger import OPEN, Need
from hub.core.model import Planned, Record
from hub.core.notes import reply_note
from hub.runtime import Hub
from hub.store import Connection

LONGEST_REASON = 500
TIRED = "notes for agents are being sent just now: try again in a moment"
"""What is said if each try to plan a note was overtaken."""


def follow_up(hub: Hub, conn: Connection, ids: Iterable[int], *, desks: frozenset[str]) -> None:
    """Tell the agents what became of these replies, in the transaction that says so: a kill loses no news.

    Of those that have ended and whose post is gone no text is kept: an agent may have quoted it, and that can no longer be seen.
    Raises Conflict as `plan_note`: the caller begins the transaction again (`begin_again`), or the news would be lost.
    """
    rows = hub.store.conversations.replies(conn, ids)
    _plan_notes(hub, conn, rows, desks)
    ended = [row for row in rows if row["state"] not in OPEN]
    gone = hub.store.signals.tombstoned(conn, sorted({row["signal_key"] for row in ended}))
    said = {row["id"]: {**row["fields"], "text": REMOVED} for row in ended if row["signal_key"] in gone}
    hub.store.erasures.redact(conn, said)


def _plan_notes(hub: Hub, conn: Connection, rows: Iterable[Mapping[str, Any]], desks: frozenset[str]) -> None:
    for row in rows:
        page = f"{hub.settings.public_url}/deliveries/{row['id']}"
        network = str(row["fields"].get("signal", "")).partition(":")[0]
        text = reply_note(network, state=row["state"], error=row["error"], links=(row["remote_url"], page))
        if text:
            about = (row["record_key"], row["signal_key"])
            plan_note(hub, conn, row["fields"], text=text, about=about, desks=desks)


def plan_note(
    hub: Hub,
    conn: Connection,
    fields: Mapping[str, Any],
    *,
    text: str,
    about: tuple[str, str | None],
    desks: frozenset[str],
) -> None:
    """Plan a private note on the agent's ticket; a newer one replaces one that was not sent yet.

    `desks` are the destinations that take notes (see `desks_of`): elsewhere none is planned. Raises Conflict if an earlier note
    is leased between the look and the writing: begun again, the note comes after it.
    """
    ticket, destination = str(fields.get("ticket") or ""), str(fields["destination"])
    target = Need.read(ticket) if ticket else None
    if target is None or target.kind != "conversation" or destination not in desks:
        return
    record_key, signal_key = about
    note = Record(
        destination=destination,
        object=target.object,
        key=record_key,
        operation="note",
        fields={"text": text[: LONGEST_REASON * 2]},
        mapping="note",
        mapping_version="",
        stable=digest(text),
        provides=str(Need("note", target.object, record_key)),
        needs=(ticket,),
    )
    hub.store.outbox.plan(conn, [Planned(note, signal_key or "", "")], now=hub.now())


def desks_of(hub: Hub) -> frozenset[str]:
    """Return the destinations that can tell their agents something; asked before a transaction, since it may load plugins."""
    return frozenset(
        name for name, section in hub.settings.destinations.items() if section.enabled and _notes(hub, name)
    )


def _notes(hub: Hub, name: str) -> bool:
    try:
        return "note" in hub.destination(name).capabilities
    except ConfigError:
        return False
