"""What the ledger sends to: a destination, or a source that posts replies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hub.core.errors import ConnectorError, Rejected
from hub.core.ledger import Lane
from hub.core.model import Delivery, RemoteRef, Reply
from hub.flow.conflicts import begin_again
from hub.flow.converse.notes import TIRED, desks_of, follow_up
from hub.flow.converse.replies import make_reply, refusal
from hub.flow.intake.poll import usable_destination, usable_source
from hub.flow.lanes import ring_outlets
from hub.runtime import Hub
from hub.sdk.connectors import Context, Destination, Idempotency, ObjectInfo, Options, Outcome, Source
from hub.store import Connection
from hub.store.ledger.deliveries import Claim, Settlement


class ReplyOutlet(Destination[Options]):
    """A source as the ledger sees it: what it is given are replies, and it posts them."""

    name = "reply"
    batch_size = 1  # one reply at a time: a lease is short, and a killed worker leaves a single doubt

    def __init__(self, hub: Hub, source: Source[Any]) -> None:
        super().__init__(Options())
        self.hub = hub
        self.source = source

    def idempotency_of(self, object_: str, operation: str) -> Idempotency:
        """Return the source's own class."""
        return self.source.reply_idempotency

    def describe(self, ctx: Context) -> Mapping[str, ObjectInfo]:
        """Return nothing: mappings write no replies."""
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


def close_claim(hub: Hub, claim: Claim, settlements: Sequence[Settlement]) -> None:
    """Settle a claim; agents are told of their replies in the same transaction. Raises LeaseLost.

    If a note's plan is overtaken both are written again, and nothing is sent again. Raises Overtaken after the last try: the
    lease runs out then, and the replies are in doubt.
    """
    if claim.operation != "reply":
        hub.store.deliveries.settle(claim, settlements, now=hub.now())
        return
    ids, desks = [one.id for one in settlements], desks_of(hub)

    def also(conn: Connection) -> None:
        follow_up(hub, conn, ids, desks=desks)

    begin_again(lambda _: hub.store.deliveries.settle(claim, settlements, now=hub.now(), also=also), tired=TIRED)
    ring_outlets(hub, hub.settings.destinations)


def open_outlet(hub: Hub, name: str) -> Destination[Any] | None:
    """Return what the ledger sends to: a destination, or a source that answers; None if it cannot be had now."""
    lane = Lane.of_outlet(name)
    if lane.work != "reply":
        return usable_destination(hub, name)
    source = usable_source(hub, lane.name)
    return None if source is None else ReplyOutlet(hub, source)


def outlet_context(hub: Hub, name: str) -> Context:
    """Return the context that such an outlet is lent."""
    lane = Lane.of_outlet(name)
    return hub.source_context(lane.name) if lane.work == "reply" else hub.destination_context(name)
