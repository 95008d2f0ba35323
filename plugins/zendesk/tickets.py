"""Tickets and what is said in them: opened once, words in order, and never lost behind a closed door."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from hub import Delivery, Outcome, Rejected, RemoteRef, Retryable, Uncertain
from hub.sdk.text import parse_time
from plugins.zendesk import translate
from plugins.zendesk.client import ZendeskClient
from plugins.zendesk.config import ZendeskOptions

WINDOW = timedelta(hours=2)
MARGIN = timedelta(minutes=10)  # a key about to be forgotten protects nothing
STEPS = 5  # how far a conversation is followed from ticket to ticket

_ASLEEP = frozenset(("pending", "solved"))


@dataclass(frozen=True, slots=True)
class Remark:
    """A comment on its way: our mark, the update that adds it, its author there; a note wakes nobody up."""

    key: str
    update: Mapping[str, Any]
    user: int | None = None
    note: bool = False


class Tickets:
    """The tickets of an account, for the length of a call: each is read once."""

    def __init__(self, client: ZendeskClient, options: ZendeskOptions) -> None:
        self._client = client
        self._options = options
        self._known: dict[str, Mapping[str, Any]] = {}

    # --------------------------------------------------------------------------------------------------------- opening

    def open(self, delivery: Delivery, user: int | None) -> RemoteRef:
        """Open a conversation's ticket under its idempotency key, or give the one that is there."""
        if delivery.ref is not None:  # the conversation has its ticket: never a second one
            return delivery.ref
        # Past the window the key may be forgotten, so the external id is asked first.
        if delivery.first_sent_at and self._client.ctx.now() - delivery.first_sent_at >= WINDOW - MARGIN:
            found = self.find(delivery.record_key)
            if found is not None:
                return found
        body = translate.ticket_body(delivery, user)
        try:
            answer = self._client.post("tickets", body, key=delivery.key)
        except Rejected as error:
            found = self.find(delivery.record_key) if error.code == "IdempotentRequestError" else None
            if found is None:
                raise
            return found
        return self._ref_in(answer)

    def find(self, key: str) -> RemoteRef | None:
        """The oldest ticket of this external id: a follow-up carries the id of the one it follows."""
        answer = self._client.get("tickets", external_id=key)
        tickets = [one for one in answer.get("tickets") or () if isinstance(one, Mapping)]
        same = [one["id"] for one in tickets if one.get("external_id") == key and translate.is_id(one.get("id"))]
        return self.ref(str(min(same))) if same else None

    def ref(self, ticket_id: str) -> RemoteRef:
        """A ticket's reference, with the page that an agent sees."""
        return RemoteRef(ticket_id, self._page(ticket_id))

    def _ref_in(self, answer: Mapping[str, Any]) -> RemoteRef:
        ticket = answer.get("ticket")
        if not isinstance(ticket, Mapping) or not ticket.get("id"):
            raise Uncertain("Zendesk's answer names no ticket")
        return self.ref(str(ticket["id"]))

    def _page(self, ticket_id: str) -> str:
        return f"{self._options.web}/agent/tickets/{ticket_id}"

    # -------------------------------------------------------------------------------------------------------- speaking

    def look_at(self, ticket_ids: Iterable[str]) -> None:
        """Read how tickets stand, all by one call, before something is said in them."""
        ids = list(dict.fromkeys(id_ for id_ in ticket_ids if id_.isdecimal()))
        if ids:
            try:
                shown = self._client.get("tickets/show_many", ids=",".join(ids)).get("tickets") or ()
            except Rejected:  # about one of them: each is then asked for by itself
                return
            self._known |= {str(one["id"]): one for one in shown if isinstance(one, Mapping) and one.get("id")}

    def say(self, delivery: Delivery, remark: Remark) -> Outcome:
        """Add a remark where the conversation goes on; the outcome tells where that is, if it is not where it was."""
        start = ticket_of(delivery)
        ref, ticket_id = self._say(start, remark)
        moved = {} if ticket_id == start else {"conversation": self.ref(ticket_id)}
        return Outcome(delivery.id, ref=ref, moved=moved)

    def _say(self, ticket_id: str, remark: Remark) -> tuple[RemoteRef, str]:
        for step in range(STEPS):
            # An earlier attempt may have said it further on.
            if step and (found := self._marked(ticket_id, remark.key)):
                return found, ticket_id
            if (said := self._try(ticket_id, remark)) is not None:
                return said, ticket_id
            further = self.next_of(ticket_id)
            if further is None and remark.note:
                raise Rejected("the ticket is closed and nothing follows it: a note opens no ticket", code="closed")
            if further is None:
                return self._follow_up(ticket_id, remark)
            ticket_id = further
        raise Rejected("the chain of follow-up tickets is longer than we go", code="closed")

    def _try(self, ticket_id: str, remark: Remark) -> RemoteRef | None:
        """Say it in this ticket; None where it is closed, or was solved too long ago (then it is closed now)."""
        state = self._state(ticket_id)
        status = state.get("status")
        if status == "closed" or (status == "solved" and not remark.note and self._is_past(ticket_id)):
            return None
        ticket = dict(remark.update["ticket"])
        if status in _ASLEEP and not remark.note:
            ticket.setdefault("status", "open")
        try:
            answer = self._client.put(f"tickets/{ticket_id}", {"ticket": ticket})
        except Rejected as error:
            if translate.CLOSED not in str(error):
                raise
            self._known.pop(ticket_id, None)  # it was closed since we looked
            return None
        self._known[ticket_id] = {**state, "status": ticket.get("status", status)}
        return RemoteRef(_comment_in(answer), self._page(ticket_id))

    def _is_past(self, ticket_id: str) -> bool:
        """Close a ticket that was solved too long ago to be reopened; False where that is not so, or it cannot be closed.

        Only a closed ticket takes a follow-up (Zendesk docs, "Creating a follow-up for a closed ticket").
        """
        if not self._is_old(ticket_id):
            return False
        try:
            self._client.put(f"tickets/{ticket_id}", {"ticket": {"status": "closed"}})
        except Rejected:  # an account may ask for fields first: rather reopened than lost
            return False
        return True

    def _follow_up(self, ticket_id: str, remark: Remark) -> tuple[RemoteRef, str]:
        """Open the closed ticket's follow-up with the remark. One only: its key is made of the ticket."""
        body = translate.follow_up_body(remark.update, self._state(ticket_id), remark.user)
        try:
            answer = self._client.post("tickets", body, key=translate.follow_up_key(ticket_id))
        except Rejected as error:
            if error.code != "IdempotentRequestError":
                raise
            raise Retryable("another comment has just opened the follow-up ticket", retry_after=5) from error
        page = self._ref_in(answer)
        self._known.pop(ticket_id, None)  # it has a follow-up now
        audit = answer.get("audit")
        id_ = translate.comment_of(audit) if isinstance(audit, Mapping) else None
        return RemoteRef(id_ or page.id, page.url), page.id

    # --------------------------------------------------------------------------------------------------------- looking

    def find_remark(self, ticket_id: str, key: str) -> RemoteRef | None:
        """The comment that carries our mark, in this ticket or where it went on; raises Uncertain at the chain's end."""
        for _ in range(STEPS):
            if found := self._marked(ticket_id, key):
                return found
            further = self.next_of(ticket_id)
            if further is None:
                return None
            ticket_id = further
        raise Uncertain("the chain of follow-up tickets is longer than we read")

    def next_of(self, ticket_id: str) -> str | None:
        """Where a closed ticket's conversation goes on: the ticket that it was merged into, else its newest follow-up."""
        ticket = self._state(ticket_id, fresh=True)
        if ticket.get("status") != "closed":
            return None
        if translate.is_merged(ticket) and (winner := translate.winner_of(ticket_id, self.comments(ticket_id))):
            return winner
        return translate.newest_follow_up(ticket)

    def comments(self, ticket_id: str) -> list[Mapping[str, Any]]:
        """All comments of a ticket, oldest first."""
        found = self._client.pages(f"tickets/{ticket_id}/comments", "comments")
        return [one for one in found if isinstance(one, Mapping) and one.get("id")]

    def _marked(self, ticket_id: str, key: str) -> RemoteRef | None:
        id_ = translate.marked_comment(self._client.pages(f"tickets/{ticket_id}/audits", "audits"), key)
        return RemoteRef(id_, self._page(ticket_id)) if id_ else None

    def _state(self, ticket_id: str, *, fresh: bool = False) -> Mapping[str, Any]:
        if fresh or ticket_id not in self._known:
            ticket = self._client.get(f"tickets/{ticket_id}").get("ticket")
            if not isinstance(ticket, Mapping):
                raise Retryable("Zendesk's answer names no ticket")
            self._known[ticket_id] = ticket
        return self._known[ticket_id]

    def _is_old(self, ticket_id: str) -> bool:
        """Whether a solved ticket was solved longer ago than it may be reopened; unknown is not old."""
        metric = self._client.get(f"tickets/{ticket_id}/metrics").get("ticket_metric")
        solved = parse_time(metric.get("solved_at")) if isinstance(metric, Mapping) else None
        return solved is not None and self._client.ctx.now() - solved > timedelta(days=self._options.reopen_days)


def ticket_of(delivery: Delivery) -> str:
    """The id of the conversation's ticket; raises Rejected where the delivery came without."""
    parent = delivery.parents.get("conversation")
    if parent is None or not parent.id.isdecimal():
        raise Rejected("a comment needs the ticket of its conversation", field="conversation")
    return parent.id


def line_of(delivery: Delivery) -> str:
    """What a comment may not overtake another in."""
    parent = delivery.parents.get("conversation")
    return parent.id if parent else ""


def _comment_in(answer: Mapping[str, Any]) -> str:
    audit = answer.get("audit")
    id_ = translate.comment_of(audit) if isinstance(audit, Mapping) else None
    if id_ is None:
        raise Uncertain("Zendesk's answer holds no audit of the comment")
    return id_
