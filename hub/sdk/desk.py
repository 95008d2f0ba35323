"""A conversation is a ticket: opened once, looked up after a doubt, spoken in, followed up when it is closed, noted in private.

A helpdesk's connector says in a `Desk` how its vendor does each single thing; what is done when, and what becomes of a message
whose ticket was merged or closed, stands here, once for all of them. Its destination is a `DeskDestination`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from hub.core.errors import Rejected, Uncertain
from hub.core.keys import digest
from hub.core.model import Delivery, RemoteRef
from hub.sdk.batches import one_by_one
from hub.sdk.connectors import Context, Destination, OptionsT, Outcome

STEPS = 10  # follow-ups and merges of one conversation that are walked
TicketState = Literal["open", "solved", "closed"]
"""An open ticket takes messages, a solved one is opened again by one, a closed one takes none."""


@dataclass(frozen=True, slots=True)
class DeskTicket:
    """How a ticket stands; `id` is the winner's if it was merged and the vendor says so at once."""

    id: str
    state: TicketState


@dataclass(frozen=True, slots=True)
class Spoken:
    """A message that stands at the desk: its own reference, and the id of its ticket."""

    ref: RemoteRef
    ticket: str


class Desk(ABC):
    """One helpdesk, for the length of a call. A delivery with operation "note" is for agents only.

    What a subclass writes must bear our marks: a ticket `delivery.record_key`, a message `delivery.key`, a follow-up
    `follow_up_key` of the ticket that it follows. `reopen` is how long a solved ticket is opened again by a message (None:
    always); after that a follow-up goes on.
    """

    reopen: timedelta | None = None

    def __init__(self, ctx: Context) -> None:
        self.ctx = ctx

    # ------------------------------------------------------------------------------------------------- what a vendor does

    @abstractmethod
    def open(self, delivery: Delivery) -> str:
        """Make the ticket with its first message and return its id. Raises Uncertain if no answer names it."""

    @abstractmethod
    def find(self, key: str) -> str | None:
        """Return the oldest ticket that bears this key (the winner if it was merged), None if there is none."""

    @abstractmethod
    def look(self, ticket_id: str) -> DeskTicket:
        """Return how a ticket stands now."""

    @abstractmethod
    def add(self, ticket: DeskTicket, delivery: Delivery) -> RemoteRef | None:
        """Add a message to this ticket, opening it again if need be; None if it was closed since we looked."""

    @abstractmethod
    def marked(self, ticket_id: str, key: str) -> RemoteRef | None:
        """Return the message of this ticket that bears a delivery's key. Raises Uncertain if the ticket cannot be read."""

    @abstractmethod
    def follow_up(self, ticket_id: str, delivery: Delivery) -> Spoken:
        """Open the ticket that goes on where a closed one ended, with the message as its first."""

    @abstractmethod
    def ref(self, ticket_id: str) -> RemoteRef:
        """Return a ticket's reference, with the page that an agent sees."""

    def prepare(self, batch: Sequence[Delivery]) -> None:  # noqa: B027 - many desks have nothing to prepare
        """Read or make what a batch needs in few calls (requesters, how tickets stand), before it is written one by one."""

    def next_of(self, ticket_id: str) -> str | None:
        """Return the ticket where a closed one's conversation goes on, None if there is none yet."""
        return self.find(follow_up_key(ticket_id))

    def solved_at(self, ticket: DeskTicket) -> datetime | None:
        """Return since when a ticket is solved, None if that is not known: then it is opened again."""
        return None

    def close(self, ticket: DeskTicket) -> bool:
        """Close a ticket that was solved too long ago, if the vendor wants that before a follow-up; False if it cannot be."""
        return True

    def is_id(self, text: str) -> bool:
        """Return True if this can be a ticket's id there; it goes into addresses."""
        return text.isdecimal()

    # ----------------------------------------------------------------------------------------------- what is done when

    def create(self, delivery: Delivery) -> Outcome:
        """Open a conversation's ticket; if it has one, there is never a second."""
        ref = delivery.ref or self.ref(self.open(delivery))
        return Outcome.delivered(delivery, ref)

    def say(self, delivery: Delivery) -> Outcome:
        """Add a message or note to the ticket where the conversation goes on; the outcome names that ticket if it is another."""
        start = self.ticket_of(delivery)
        spoken = self._say(start, delivery)
        moved = {} if spoken.ticket == start else {"conversation": self.ref(spoken.ticket)}
        return Outcome(delivery.id, ref=spoken.ref, moved=moved)

    def seek(self, delivery: Delivery) -> RemoteRef | None:
        """Find what an earlier attempt may have written. Raises Uncertain if the chain of follow-ups has no end in sight."""
        if delivery.operation == "create":
            found = self.find(delivery.record_key)
            return self.ref(found) if found else None
        ticket_id: str | None = self.ticket_of(delivery)
        for _ in range(STEPS):
            if ticket_id is None:
                return None
            if said := self.marked(ticket_id, delivery.key):
                return said
            ticket_id = self.next_of(ticket_id)
        raise Uncertain("the chain of follow-up tickets is longer than we read")

    def ticket_of(self, delivery: Delivery) -> str:
        """Return the ticket of the delivery's conversation. Raises Rejected if it came without."""
        parent = delivery.parents.get("conversation")
        if parent is None or not self.is_id(parent.id):
            raise Rejected("a message needs the ticket of its conversation", field="conversation")
        return parent.id

    def _say(self, ticket_id: str, delivery: Delivery) -> Spoken:
        for step in range(STEPS):
            # An earlier attempt may have said it further on.
            if step and (found := self.marked(ticket_id, delivery.key)):
                return Spoken(found, ticket_id)
            ticket = self.look(ticket_id)
            if self._takes(ticket, delivery) and (said := self.add(ticket, delivery)):
                return Spoken(said, ticket.id)
            further = self.next_of(ticket.id)
            if further is None:
                return self._go_on(ticket.id, delivery)
            ticket_id = further
        raise Rejected("the chain of follow-up tickets is longer than we go", code="closed")

    def _takes(self, ticket: DeskTicket, delivery: Delivery) -> bool:
        """Return True if the message goes into this ticket: a note opens nothing again, so a solved one takes it."""
        if ticket.state != "solved" or is_note(delivery):
            return ticket.state != "closed"
        at = self.solved_at(ticket) if self.reopen is not None else None
        is_old = at is not None and self.reopen is not None and self.ctx.now() - at > self.reopen
        return not (is_old and self.close(ticket))

    def _go_on(self, ticket_id: str, delivery: Delivery) -> Spoken:
        if is_note(delivery):
            raise Rejected("the ticket is closed and nothing follows it: a note opens no ticket", code="closed")
        return self.follow_up(ticket_id, delivery)


class DeskDestination(Destination[OptionsT]):
    """A helpdesk as a destination: operations "create", "comment" and "note", one by one and in order for each ticket."""

    batch_size = 20  # single calls: few at a time keep a lease short
    capabilities = frozenset({"tickets", "comments", "note"})

    @abstractmethod
    def desk(self, ctx: Context) -> Desk:
        """Return the helpdesk for the length of a call."""

    def calls_of(self, object_: str, operation: str, count: int) -> int:
        """Return as many calls as records."""
        return count

    def deliver(self, ctx: Context, batch: Sequence[Delivery]) -> list[Outcome]:
        """Write a batch; no message goes after an earlier one of its ticket that may come again."""
        if not batch:
            return []
        desk = self.desk(ctx)
        ways: dict[str, Callable[[Delivery], Outcome]] = {"create": desk.create, "comment": desk.say, "note": desk.say}
        way = ways.get(batch[0].operation)
        if way is None:
            error = Rejected(f"{self.name} has no operation {batch[0].operation!r}", code="operation")
            return [Outcome.failed(delivery, error) for delivery in batch]
        desk.prepare(batch)
        return one_by_one(batch, way, line=line_of)

    def lookup(self, ctx: Context, delivery: Delivery) -> RemoteRef | None:
        """Find a ticket by its conversation's key, a message by the delivery's."""
        return self.desk(ctx).seek(delivery)


def is_note(delivery: Delivery) -> bool:
    """Return True if this is for agents only."""
    return delivery.operation == "note"


def line_of(delivery: Delivery) -> str:
    """Return what a delivery may not overtake another in: its ticket, else itself."""
    parent = delivery.parents.get("conversation")
    return parent.id if parent else f"delivery {delivery.id}"


def follow_up_key(ticket_id: str) -> str:
    """Return the key of a closed ticket's follow-up: of the ticket, not of the message, so there is one only."""
    return digest("follow-up", ticket_id)


__all__ = [
    "STEPS",
    "Desk",
    "DeskDestination",
    "DeskTicket",
    "Spoken",
    "TicketState",
    "follow_up_key",
    "is_note",
    "line_of",
]
