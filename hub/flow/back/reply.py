"""Public replies: each is a row of the ledger whose outlet is the source that its signal came from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import structlog

from hub.core.erasure import REMOVED
from hub.core.errors import ConfigError, ConnectorError, Rejected
from hub.core.keys import digest
from hub.core.ledger import OPEN, Lane, Need
from hub.core.model import Delivery, Planned, Record, RemoteRef, Reply, Signal
from hub.core.notes import OFF, reply_note
from hub.core.replies import may_reply
from hub.flow.bugs import tell
from hub.runtime import Hub
from hub.sdk.connectors import Context, Destination, Idempotency, ObjectInfo, Options, Outcome, Source
from hub.store import Connection
from hub.store.deliveries import Claim, Settlement

log = structlog.get_logger(__name__)
LONGEST_REASON = 500


class ReplyOutlet(Destination[Options]):
    """A source as the ledger sees it: what it is given are replies, and it posts them."""

    name = "reply"
    batch_size = 1  # one reply at a time: a lease is short, and a killed worker leaves a single doubt

    def __init__(self, hub: Hub, source: Source[Any]) -> None:
        super().__init__(Options())
        self.hub = hub
        self.source = source

    def idempotency_of(self, object_: str, operation: str) -> Idempotency:
        """As the source has it."""
        return self.source.reply_idempotency

    def describe(self, ctx: Context) -> Mapping[str, ObjectInfo]:
        """Mappings write no replies."""
        return {}

    def deliver(self, ctx: Context, batch: Sequence[Delivery]) -> list[Outcome]:
        """Post each reply, if it still may be."""
        return [self._post(ctx, delivery) for delivery in batch]

    def lookup(self, ctx: Context, delivery: Delivery) -> RemoteRef | None:
        """Find what an earlier attempt may have posted."""
        return self.source.find_reply(ctx, self._reply(delivery))

    def _post(self, ctx: Context, delivery: Delivery) -> Outcome:
        try:
            reply = self._reply(delivery)
            # A repeat under the network's own key must stay the same, whatever the rules say by now.
            if delivery.attempt == 1 and (reason := refusal(self.hub, self.source, reply)):
                raise Rejected(reason, code="reply_rules")
            return Outcome.delivered(delivery, self.source.reply(ctx, reply))
        except ConnectorError as error:
            return Outcome.failed(delivery, error)

    def _reply(self, delivery: Delivery) -> Reply:
        with self.hub.store.database.read() as conn:
            reply = make_reply(self.hub, conn, delivery.fields)
        if reply is None:
            raise Rejected("the signal that it answers is gone", code="reply_rules")
        sent = delivery.first_sent_at if delivery.attempt > 1 else None
        return Reply(delivery.key, reply.text, reply.to, reply.author, reply.raw, reply.agent, delivery.attempt, sent)


def close_claim(hub: Hub, claim: Claim, settlements: Sequence[Settlement]) -> bool:
    """Settle a claim; agents are told of their replies in the same transaction. False where the lease was lost."""
    if claim.operation != "reply":
        return hub.store.deliveries.settle(claim, settlements, now=hub.now())

    ids, desks = [one.id for one in settlements], desks_of(hub)

    def also(conn: Connection) -> None:
        follow_up(hub, conn, ids, desks=desks)

    done = hub.store.deliveries.settle(claim, settlements, now=hub.now(), also=also)
    ring_outlets(hub, hub.settings.destinations)
    return done


def open_outlet(hub: Hub, name: str) -> Destination[Any]:
    """What the ledger sends to: a destination, or a source that answers."""
    lane = Lane.of_outlet(name)
    return ReplyOutlet(hub, hub.source(lane.name)) if lane.work == "reply" else hub.destination(name)


def outlet_context(hub: Hub, name: str) -> Context:
    """What such an outlet is lent."""
    lane = Lane.of_outlet(name)
    return hub.source_context(lane.name) if lane.work == "reply" else hub.destination_context(name)


def outlet_works(hub: Hub, name: str) -> bool:
    """Whether an outlet is configured, switched on, and, for a source, allowed to answer."""
    lane = Lane.of_outlet(name)
    if lane.work == "reply":
        return not why_off(hub, lane.name)
    section = hub.settings.destinations.get(name)
    return section is not None and section.enabled


def why_off(hub: Hub, name: str) -> str:
    """Why a source does not answer by its configuration, "" where it may."""
    section = hub.settings.sources.get(name)
    if section is None:
        return f"the source '{name}' is not configured any more"
    if not section.enabled:
        return f"the source '{name}' is switched off"
    return f"replies through '{name}' are switched off" if section.reply == "off" else ""


def outlets(hub: Hub) -> list[str]:
    """All names that the ledger may send to."""
    return [*hub.settings.destinations, *(str(Lane("reply", name)) for name in hub.settings.sources)]


def make_reply(hub: Hub, conn: Connection, fields: Mapping[str, Any]) -> Reply | None:
    """A reply by the fields of its row, without its key; None where its signal is not stored any more."""
    found = hub.store.conversations.answered(conn, str(fields["signal"]))
    if found is None:
        return None
    signal, author, raw = found
    return Reply("", str(fields["text"]), signal, author, raw, str(fields.get("agent") or ""))


def refusal(hub: Hub, source: Source[Any], reply: Reply) -> str | None:
    """Why a reply may not be sent; None where it may. What a plugin raises here is a reason too."""
    try:
        length = source.measure(source.compose(reply))
    except ConnectorError as error:
        return str(error)
    except Exception as error:  # noqa: BLE001 - told, and the agent reads that it was not posted
        return f"bug: {tell(hub, source.name, error, event='a plugin failed to compose')}"
    return may_reply(reply.to, source.reply_rules, now=hub.now(), length=length)


def lane_of(signal: Signal, source: str) -> str:
    """The lane of replies to a signal."""
    return str(Lane("reply", source or (signal.provenance.source if signal.provenance else "")))


def answering_source(hub: Hub, name: str) -> tuple[Source[Any] | None, str]:
    """The source that posts replies, or None and why there is none."""
    if reason := why_off(hub, name):
        return None, reason
    try:
        source = hub.source(name)
    except ConfigError as error:
        return None, f"the source '{name}' cannot be had: {error}"
    return (source, "") if source.reply_rules is not None else (None, f"'{name}' cannot answer")


# ------------------------------------------------------------------------------------------------------------- stranded


def hold_stranded(hub: Hub, lane: str) -> int:
    """Let the replies of a lane that is off stand as blocked, and tell their agents once; returns how many.

    They stay due: when the source is on again they leave, unless the network takes no answer to so old a post.
    """
    reason = why_off(hub, Lane.of_outlet(lane).name)
    with hub.store.database.read() as conn:
        if all(_is_told(row["error"], reason) for row in hub.store.conversations.stranded(conn, lane)):
            return 0
    desks = desks_of(hub)
    with hub.store.database.write() as conn:
        rows = hub.store.conversations.stranded(conn, lane, locked=True)
        ids = [row["id"] for row in rows if not _is_told(row["error"], reason)]
        hub.store.conversations.hold(conn, ids, {"code": OFF, "message": reason})
        follow_up(hub, conn, ids, desks=desks)
    if ids:
        log.warning("replies wait for a source that is off", lane=lane, replies=len(ids), reason=reason)
        ring_outlets(hub, hub.settings.destinations)
    return len(ids)


def _is_told(error: object, reason: str) -> bool:
    return isinstance(error, dict) and (error.get("code"), error.get("message")) == (OFF, reason)


# --------------------------------------------------------------------------------------------------------------- notes


def follow_up(hub: Hub, conn: Connection, ids: Iterable[int], *, desks: frozenset[str]) -> None:
    """Tell the agents what became of these replies, in the transaction that says so: a kill loses no news.

    Of those that have ended and whose post is gone no text is kept: an agent may have quoted it, and nobody can tell any more.
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
    """Plan a private note on the ticket where the agent wrote; a newer one replaces one that was not sent yet.

    `desks` are the destinations that take notes (see `desks_of`): elsewhere none is planned.
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
    plan_surely(hub, conn, Planned(note, signal_key or "", ""))


def plan_surely(hub: Hub, conn: Connection, item: Planned) -> None:
    """Plan one row; where the row that it replaces is being sent just now, it comes after it."""
    for _ in range(3):
        if hub.store.outbox.plan(conn, [item], now=hub.now()):
            return


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


def ring_outlets(hub: Hub, names: Iterable[str]) -> None:
    """Ring for each outlet once."""
    for name in dict.fromkeys(names):
        hub.bell.ring("deliver", name)


def discard(hub: Hub, ids: Sequence[int], *, note: str) -> int:
    """Give deliveries up for good; agents are told of refused replies in the same transaction. Returns how many."""
    desks = desks_of(hub)

    def also(conn: Connection) -> None:
        follow_up(hub, conn, ids, desks=desks)

    count = hub.store.outbox.discard(ids, note=note, now=hub.now(), also=also)
    ring_outlets(hub, hub.settings.destinations)
    return count
