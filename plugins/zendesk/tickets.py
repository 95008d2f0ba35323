"""Zendesk as a desk: tickets opened under a key, comments marked in their audits, closed tickets followed up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from hub import Delivery, Rejected, RemoteRef, Retryable, Uncertain
from hub.sdk.desk import Desk, DeskTicket, Spoken, follow_up_key, is_note
from hub.sdk.doc import Doc
from plugins.zendesk import translate
from plugins.zendesk.client import ZendeskClient
from plugins.zendesk.config import ZendeskOptions
from plugins.zendesk.users import Requesters, Users, user_of

WINDOW = timedelta(hours=2)
MARGIN = timedelta(minutes=10)  # a key about to be forgotten protects nothing
_ASLEEP = frozenset(("pending", "solved"))
_TWICE = "IdempotentRequestError"


class ZendeskDesk(Desk):
    """The tickets of an account, for the length of a call: each is read once."""

    def __init__(self, client: ZendeskClient, options: ZendeskOptions, pause: Callable[[float], None]) -> None:
        super().__init__(client.ctx)
        self._client, self._options = client, options
        self._requesters = Requesters(client, options, pause)
        self._users: Users = {}
        self._known: dict[str, Doc] = {}
        self.reopen = timedelta(days=options.reopen_days)

    def prepare(self, batch: Sequence[Delivery]) -> None:
        """Find or make the requesters, and read how the tickets stand, all by one call."""
        if not is_note(batch[0]):
            self._users = self._requesters.of(batch)
        self._look_at(one.parents["conversation"].id for one in batch if "conversation" in one.parents)

    def open(self, delivery: Delivery) -> str:
        """Open it under its idempotency key; past the window that may be forgotten, so the external id is asked first."""
        if delivery.first_sent_at and self.ctx.now() - delivery.first_sent_at >= WINDOW - MARGIN:
            found = self.find(delivery.record_key)
            if found is not None:
                return found
        body = translate.ticket_body(delivery, user_of(delivery, self._users))
        try:
            return _id_in(self._client.post("tickets", body, key=delivery.key))
        except Rejected as error:
            found = self.find(delivery.record_key) if error.code == _TWICE else None
            if found is None and (error.field or "").startswith("assignee"):
                return self._open_unassigned(body, delivery, error)
            if found is None:
                raise
            return found

    def _open_unassigned(self, body: dict[str, Any], delivery: Delivery, error: Rejected) -> str:
        """Open it for all agents: rather a ticket without the assignee of a rule than no ticket."""
        if not any(name.startswith("assignee") for name in body["ticket"]):
            raise error
        self.ctx.log.warning("Zendesk refuses the assignee of delivery %s, so it has none: %s", delivery.id, error)
        return _id_in(self._client.post("tickets", translate.without_assignee(body), key=delivery.key))

    def find(self, key: str) -> str | None:
        """Ask for the oldest ticket of this external id: a follow-up carries the id of the one it follows."""
        tickets = self._client.get("tickets", external_id=key).docs("tickets")
        same = [one.get("id") for one in tickets if one.get("external_id") == key and translate.is_id(one.get("id"))]
        return str(min(same)) if same else None

    def look(self, ticket_id: str) -> DeskTicket:
        """Return how it stood when it was read."""
        status = self._state(ticket_id).text("status")
        return DeskTicket(ticket_id, "closed" if status == "closed" else "solved" if status == "solved" else "open")

    def solved_at(self, ticket: DeskTicket) -> datetime | None:
        """Ask its metrics."""
        return self._client.get(f"tickets/{ticket.id}/metrics").time("ticket_metric.solved_at")

    def close(self, ticket: DeskTicket) -> bool:
        """Close it: only a closed ticket takes a follow-up (Zendesk docs, "Creating a follow-up for a closed ticket")."""
        try:
            self._client.put(f"tickets/{ticket.id}", {"ticket": {"status": "closed"}})
        except Rejected:  # an account may ask for fields first: rather reopened than lost
            return False
        return True

    def add(self, ticket: DeskTicket, delivery: Delivery) -> RemoteRef | None:
        """Add a comment; a public one opens a sleeping ticket, unless the mapping names a status."""
        state = self._state(ticket.id)
        update = self._update(delivery)["ticket"]
        if state.text("status") in _ASLEEP and not is_note(delivery):
            update.setdefault("status", "open")
        try:
            answer = self._client.put(f"tickets/{ticket.id}", {"ticket": update})
        except Rejected as error:
            if translate.CLOSED not in str(error):
                raise
            self._known.pop(ticket.id, None)  # it was closed since we looked
            return None
        self._known[ticket.id] = Doc({**state.data, "status": update.get("status", state.get("status"))})
        id_ = translate.comment_of(answer.doc("audit"))
        if id_ is None:
            raise Uncertain("Zendesk's answer holds no audit of the comment")
        return RemoteRef(id_, self.ref(ticket.id).url)

    def follow_up(self, ticket_id: str, delivery: Delivery) -> Spoken:
        """Open the closed ticket's follow-up with the comment. One only: its key is made of the ticket."""
        user = user_of(delivery, self._users)
        body = translate.follow_up_body(self._update(delivery), self._state(ticket_id), user)
        try:
            answer = self._client.post("tickets", body, key=follow_up_key(ticket_id))
        except Rejected as error:
            if error.code != _TWICE:
                raise
            raise Retryable("another comment has just opened the follow-up ticket", retry_after=5) from error
        made = _id_in(answer)
        self._known.pop(ticket_id, None)  # it has a follow-up now
        id_ = translate.comment_of(answer.doc("audit"))
        return Spoken(RemoteRef(id_ or made, self.ref(made).url), made)

    def next_of(self, ticket_id: str) -> str | None:
        """Return the ticket that a closed one was merged into, else its newest follow-up."""
        self._known.pop(ticket_id, None)
        ticket = self._state(ticket_id)
        if ticket.get("status") != "closed":
            return None
        if translate.is_merged(ticket) and (winner := translate.winner_of(ticket_id, self.comments(ticket_id))):
            return winner
        return translate.newest_follow_up(ticket)

    def marked(self, ticket_id: str, key: str) -> RemoteRef | None:
        """Look for the mark in the ticket's audits."""
        id_ = translate.marked_comment(self._client.pages(f"tickets/{ticket_id}/audits", "audits"), key)
        return RemoteRef(id_, self.ref(ticket_id).url) if id_ else None

    def ref(self, ticket_id: str) -> RemoteRef:
        """Return the ticket's reference."""
        return RemoteRef(ticket_id, f"{self._options.web}/agent/tickets/{ticket_id}")

    def comments(self, ticket_id: str) -> list[Doc]:
        """Return all comments of a ticket, oldest first."""
        found = self._client.pages(f"tickets/{ticket_id}/comments", "comments")
        return [one for one in found if one.id("id")]

    def _update(self, delivery: Delivery) -> dict[str, dict[str, object]]:
        if is_note(delivery):
            return translate.note_body(delivery)
        user = user_of(delivery, self._users)
        return translate.comment_body(delivery, user, public=self._options.public_comments)

    def _look_at(self, ticket_ids: Iterable[str]) -> None:
        ids = list(dict.fromkeys(id_ for id_ in ticket_ids if id_.isdecimal()))
        if ids:
            try:
                shown = self._client.get("tickets/show_many", ids=",".join(ids)).docs("tickets")
            except Rejected:  # about one of them: each is then asked for by itself
                return
            self._known |= {one.id("id"): one for one in shown}

    def _state(self, ticket_id: str) -> Doc:
        if ticket_id not in self._known:
            ticket = self._client.get(f"tickets/{ticket_id}").doc("ticket")
            if not ticket:
                raise Retryable("Zendesk's answer names no ticket")
            self._known[ticket_id] = ticket
        return self._known[ticket_id]


def _id_in(answer: Doc) -> str:
    if not (found := answer.id("ticket.id")):
        raise Uncertain("Zendesk's answer names no ticket")
    return found
