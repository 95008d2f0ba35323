"""Request Tracker as a desk: what it takes to open, mark, find and follow up a ticket there."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from hub import ConnectorError, Context, Delivery, Outcome, Rejected, RemoteRef, Unauthorised, Uncertain
from hub.sdk.desk import Desk, DeskTicket, Spoken, is_note
from hub.sdk.doc import Doc
from plugins.requesttracker import translate
from plugins.requesttracker.client import RequestTrackerClient, status_of
from plugins.requesttracker.config import RequestTrackerOptions

MARKS = "requesttracker.marks"


class RequestTrackerDesk(Desk):
    """Tickets, correspondence and comments of one RT. RT gives a merged ticket's winner under its old id."""

    def __init__(self, options: RequestTrackerOptions, ctx: Context) -> None:
        super().__init__(ctx)
        self._options, self._client = options, RequestTrackerClient(options, ctx)
        self._known: dict[str, Doc] = {}
        self.reopen = timedelta(days=options.reopen_days) if options.reopen_days else None

    def open(self, delivery: Delivery) -> str:
        """Make the requestor and the ticket; the first time, see that our marks are kept."""
        body = translate.ticket_body(delivery, self._options.queue, self._options.key_field)
        ticket_id = self._make(delivery, body)
        self._prove(ticket_id, delivery)
        return ticket_id

    def find(self, key: str) -> str | None:
        """Ask for the oldest ticket whose key field holds this, or the one that it was merged into."""
        query = translate.key_query(self._options.key_field, key)
        found = list(self._client.items("tickets", query=query, fields="EffectiveId", orderby="id"))
        return translate.id_of(found[0], "EffectiveId") or None if found else None

    def next_of(self, ticket_id: str) -> str | None:
        """Ask for the follow-up by its key."""
        return self.find(translate.follow_up_key(self._read(ticket_id).id("id")))

    def look(self, ticket_id: str) -> DeskTicket:
        """Read the ticket."""
        self._known.pop(ticket_id, None)
        ticket = self._read(ticket_id)
        return DeskTicket(ticket.id("id"), translate.state_of(ticket, self._options.closed))

    def solved_at(self, ticket: DeskTicket) -> datetime | None:
        """Return since when the ticket was not touched."""
        return translate.quiet_since(self._read(ticket.id))

    def add(self, ticket: DeskTicket, delivery: Delivery) -> RemoteRef | None:
        """Correspond, or comment: a comment is never mailed to requestors and reopens nothing."""
        way = "comment" if is_note(delivery) else "correspond"
        answer = self._client.post(f"ticket/{ticket.id}/{way}", translate.message_body(delivery))
        transaction = answer.headers.get("location", "").rpartition("/")[2]
        if not transaction.isdecimal():
            raise Uncertain("RT took the message and did not name it")
        return self._part_ref(ticket.id, transaction)

    def follow_up(self, ticket_id: str, delivery: Delivery) -> Spoken:
        """Open a ticket that refers to the closed one, with its subject and requestors."""
        message, closed = translate.message_body(delivery), self._read(ticket_id)
        made = self._make(delivery, translate.follow_up_body(message, closed, delivery, self._options.key_field))
        try:
            ref = self.marked(made, delivery.key)
        except ConnectorError:  # a failure to read must not say that nothing was written
            ref = None
        return Spoken(ref or self._part_ref(made, None), made)

    def marked(self, ticket_id: str, key: str) -> RemoteRef | None:
        """Look through the headers of all messages."""
        try:
            winner = self._read(ticket_id).id("id")
        except Rejected as error:  # RT's lists are empty, not forbidden, if we may not look
            raise Uncertain(f"ticket {ticket_id} cannot be read: {error}", code=error.code) from error
        attachments = self._client.items(f"ticket/{winner}/attachments", fields="Headers,TransactionId", orderby="id")
        found = translate.marked_transaction(attachments, key)
        return self._part_ref(winner, found) if found else None

    def ref(self, ticket_id: str) -> RemoteRef:
        """Return the ticket's reference."""
        return RemoteRef(ticket_id, f"{self._options.base_url}/Ticket/Display.html?id={quote(ticket_id)}")

    def _part_ref(self, ticket_id: str, transaction: str | None) -> RemoteRef:
        page = self.ref(ticket_id).url
        if transaction is None:  # made, but not to be read: the ticket stands for its first message
            return RemoteRef(f"ticket/{ticket_id}", page)
        return RemoteRef(translate.part_id(transaction), f"{page}#txn-{transaction}")

    def _read(self, ticket_id: str) -> Doc:
        if ticket_id not in self._known:
            ticket = self._client.get(f"ticket/{ticket_id}")
            self._known |= {ticket_id: ticket, ticket.id("id"): ticket}
        return self._known[ticket_id]

    def forget(self, delivery: Delivery) -> Outcome:
        """Take name, handle and address of the user who asked for an author's tickets. Raises Rejected for other tombstones."""
        if delivery.fields.get("operation") != "author":
            raise Rejected("RT's REST 2.0 takes no words back: delete the ticket by RT's shredder", code="operation")
        name = translate.user_name(delivery.record_key)
        if self._client.named("user", name):
            self._client.put(f"user/{quote(name, safe='')}", dict.fromkeys(("RealName", "Comments"), ""))
        return Outcome(delivery.id, left=("the user's old name in RT's transactions (RT's shredder removes it)",))

    # ------------------------------------------------------------------------------------------------------------ making

    def _make(self, delivery: Delivery, body: Mapping[str, Any]) -> str:
        """Make the author's user if there is none, then the ticket; gives its id."""
        self._ensure_user(delivery)
        try:
            return self._client.post("ticket", body).named("id")
        except Rejected as error:
            if status_of(error) == 403 and body["Queue"] == self._options.queue:
                raise Unauthorised(str(error), code="403", details=error.details) from error
            raise

    def _ensure_user(self, delivery: Delivery) -> None:
        """Make the requestor; one who is there already is left as he is. Raises Rejected if we may make none."""
        requestor = translate.requestor_of(delivery)
        if requestor is None:
            return
        try:
            self._client.post("user", requestor, effect="reads")
        except Rejected as error:
            there = self._client.named("user", requestor["Name"])
            if there and not there.text("RealName") and "RealName" in requestor:  # erased, and speaks again
                self._client.put(f"user/{quote(requestor['Name'], safe='')}", {"RealName": requestor["RealName"]})
            if not there:
                hint = "give our user the right AdminUsers, or make a mapping without Requestor.Name"
                text = f"RT makes no user {requestor['Name']}: {error} ({hint})"
                raise Rejected(text, field="Requestor.Name") from error

    def _prove(self, ticket_id: str, delivery: Delivery) -> None:
        """See once that our marks are kept: RT drops a custom field that we may not write in silence, and answers 201."""
        if self.ctx.state.get(MARKS) == "kept":
            return
        try:
            kept = translate.holds_key(self._read(ticket_id), self._options.key_field, delivery.record_key)
            kept = kept and self.marked(ticket_id, delivery.key) is not None
        except ConnectorError:  # the ticket is there; the next one will tell
            return
        self.ctx.state.set(MARKS, "kept" if kept else "lost")
        if not kept:
            self.ctx.log.warning("RT keeps no marks: may we see and modify the field %r?", self._options.key_field)
