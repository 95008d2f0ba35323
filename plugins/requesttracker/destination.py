"""Request Tracker as a destination: what becomes of each delivery, and what agents did since."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from functools import cache
from typing import Any
from urllib.parse import quote

import msgspec

from hub import (
    Change,
    ChangePage,
    ConnectorError,
    Context,
    Delivery,
    Destination,
    Lookup,
    ObjectInfo,
    Outcome,
    Rejected,
    RemoteRef,
    Unauthorised,
    Uncertain,
)
from hub.sdk.batches import one_by_one
from plugins.requesttracker import translate
from plugins.requesttracker.client import RequestTrackerClient
from plugins.requesttracker.config import RequestTrackerOptions
from plugins.requesttracker.translate import Place

MARKS = "requesttracker.marks"
USER = "requesttracker.user"
FOLLOW_UPS = 5
_TOKEN = re.compile(r"\d+-(\d+)-\w[\w-]*")


class RequestTrackerDestination(Destination[RequestTrackerOptions]):
    """One conversation, one ticket; further signals are correspondence, notes are comments. All one by one: RT has no keys.

    No `tombstone`: REST 2.0 cannot take words back out of RT (its README says what can).
    """

    name = "requesttracker"
    Options = RequestTrackerOptions
    idempotency = Lookup(timedelta(seconds=60))
    batch_size = 20
    mappings = "mappings:requesttracker"
    sandbox = "plugins.requesttracker.sandbox:build"
    capabilities = frozenset({"tickets", "comments", "note", "changes"})
    every = timedelta(seconds=60)

    def egress(self) -> tuple[str, ...]:
        """RT's host."""
        return (self.options.host,)

    def whoami(self, ctx: Context) -> str:
        """Our user's name there, kept for the poll. RT has no "who am I": the token's second number is its owner's id
        (RT docs, AuthTokens).
        """
        owner = _TOKEN.fullmatch(self.options.token.get_secret_value())
        user = self._client(ctx).named("user", owner[1]) if owner else None
        if user is None or not user.get("Name"):
            raise Unauthorised("the token names no user that we may see: is it a whole authentication token of RT?")
        name = str(user["Name"])
        ctx.state.set(USER, name)
        return name

    def calls_of(self, object_: str, operation: str, count: int) -> int:
        """Each is a call of its own."""
        return count

    def check(self, ctx: Context) -> str:
        """Who we are there; raises Unauthorised where the queue or the key field is not open to us, with the missing right."""
        client, options = self._client(ctx), self.options
        version = client.get("rt").get("Version")
        name = self.whoami(ctx)
        queue = client.named("queue", options.queue)
        if queue is None:
            raise Unauthorised(f"{name} sees no queue {options.queue!r}: it is missing, or the right SeeQueue is")
        if not any(isinstance(one, Mapping) and one.get("ref") == "create" for one in queue.get("_hyperlinks") or ()):
            raise Unauthorised(f"{name} may make no tickets in {options.queue!r}: the right CreateTicket is missing")
        if not any(one.get("name") == options.key_field for one in _custom(queue)):
            raise Unauthorised(
                f"{name} sees no custom field {options.key_field!r} there: is it applied (SeeCustomField)?"
            )
        return f"{name} in queue {options.queue} of RT {version} at {options.host}"

    def describe(self, ctx: Context) -> Mapping[str, ObjectInfo]:
        """The ticket with the queue's custom fields by name: their definitions are closed to most users."""
        queue = self._client(ctx).named("queue", self.options.queue) or {}
        names = [str(one.get("name")) for one in _custom(queue)]
        return {"ticket": translate.ticket_object(names, self.options.key_field)}

    def _client(self, ctx: Context) -> RequestTrackerClient:
        return RequestTrackerClient(self.options, ctx)

    # --------------------------------------------------------------------------------------------------------- writing

    def deliver(self, ctx: Context, batch: Sequence[Delivery]) -> list[Outcome]:
        """Write a batch, one by one and in order for each ticket."""
        if not batch:
            return []
        client = self._client(ctx)
        way = {"create": self._create, "comment": self._correspond, "note": self._note}.get(batch[0].operation)
        if way is None:
            error = Rejected(f"Request Tracker has no operation {batch[0].operation!r}", code="operation")
            return [Outcome.failed(delivery, error) for delivery in batch]
        return one_by_one(batch, lambda delivery: way(client, delivery), line=_line)

    def _create(self, client: RequestTrackerClient, delivery: Delivery) -> Outcome:
        if delivery.ref is not None:  # the conversation has its ticket: never a second one
            return Outcome.delivered(delivery, delivery.ref)
        body = translate.ticket_body(delivery, self.options.queue, self.options.key_field)
        id_ = self._open(client, delivery, body)
        self._prove(client, id_, delivery)
        return Outcome.delivered(delivery, self._ticket_ref(id_))

    def _open(self, client: RequestTrackerClient, delivery: Delivery, body: dict[str, Any]) -> str:
        """Make the author's user where there is none, then the ticket; gives its id."""
        _ensure_user(client, delivery)
        try:
            answer = client.post("ticket", body).json()
        except Rejected as error:
            if error.details.get("status") == 403 and body["Queue"] == self.options.queue:
                raise Unauthorised(str(error), code="403", details=error.details) from error
            raise
        id_ = answer.get("id") if isinstance(answer, Mapping) else None
        if not str(id_ or "").isdecimal():
            raise Uncertain("RT took the ticket and did not name it")
        return str(id_)

    def _prove(self, client: RequestTrackerClient, ticket_id: str, delivery: Delivery) -> None:
        """See once that our marks are kept: RT drops a custom field that we may not write in silence, and answers 201."""
        if client.ctx.state.get(MARKS) == "kept":
            return
        try:
            ticket = client.get(f"ticket/{ticket_id}")
            kept = translate.holds_key(ticket, self.options.key_field, delivery.record_key)
            kept = kept and self._marked(client, ticket_id, delivery.key)[1] is not None
        except ConnectorError:  # the ticket is there; the next one will tell
            return
        client.ctx.state.set(MARKS, "kept" if kept else "lost")
        if not kept:
            client.ctx.log.warning("RT keeps no marks: may we see and modify the field %r?", self.options.key_field)

    def _correspond(self, client: RequestTrackerClient, delivery: Delivery) -> Outcome:
        asked = _ticket_of(delivery)
        body = translate.message_body(delivery)
        ticket, goes_on = self._newest(client, asked)
        id_ = str(ticket.get("id"))
        if goes_on:
            ref = self._say(client, id_, "correspond", body)
        else:
            made = translate.follow_up_body(body, ticket, delivery, self.options.key_field)
            id_ = self._open(client, delivery, made)
            try:
                ref = self._part_ref(id_, self._marked(client, id_, delivery.key)[1])
            except ConnectorError:  # a failure to read must not say that nothing was written
                ref = self._part_ref(id_, None)
        moved = {} if id_ == asked else {"conversation": self._ticket_ref(id_)}
        return Outcome(delivery.id, ref=ref, moved=moved)

    def _note(self, client: RequestTrackerClient, delivery: Delivery) -> Outcome:
        """A comment is never mailed to requestors; it reopens nothing, so it stays with the ticket that it is about."""
        id_ = _ticket_of(delivery)
        return Outcome.delivered(delivery, self._say(client, id_, "comment", translate.message_body(delivery)))

    def _say(self, client: RequestTrackerClient, ticket_id: str, way: str, body: Mapping[str, Any]) -> RemoteRef:
        location = client.post(f"ticket/{ticket_id}/{way}", body).headers.get("location", "")
        transaction = location.rpartition("/")[2]
        if not transaction.isdecimal():
            raise Uncertain("RT took the message and did not name it")
        return self._part_ref(ticket_id, transaction)

    def _newest(self, client: RequestTrackerClient, ticket_id: str) -> tuple[Mapping[str, Any], bool]:
        """The ticket where a conversation stands now (merges and follow-ups are followed), and whether it takes messages."""
        days = self.options.reopen_days
        before = client.ctx.now() - timedelta(days=days or 36_500)
        for _ in range(FOLLOW_UPS):
            ticket = client.get(f"ticket/{ticket_id}")  # RT gives a merged ticket's winner
            if not translate.is_closed(ticket, self.options.closed, before=before):
                return ticket, True
            follow_up = self._find(client, translate.follow_up_key(str(ticket.get("id"))))
            if follow_up is None:
                return ticket, False
            ticket_id = follow_up
        raise Rejected("the chain of follow-up tickets is longer than we read")

    def _ticket_ref(self, id_: str) -> RemoteRef:
        return RemoteRef(id_, f"{self.options.base_url}/Ticket/Display.html?id={quote(id_)}")

    def _part_ref(self, ticket_id: str, transaction: str | None) -> RemoteRef:
        page = self._ticket_ref(ticket_id).url
        if transaction is None:  # made, but not to be read: the ticket stands for its first message
            return RemoteRef(f"ticket/{ticket_id}", page)
        return RemoteRef(translate.part_id(transaction), f"{page}#txn-{transaction}")

    # ---------------------------------------------------------------------------------------------------------- doubts

    def lookup(self, ctx: Context, delivery: Delivery) -> RemoteRef | None:
        """Find a ticket by its key field, a message by its content type's mark. Raises Uncertain where marks are not kept."""
        client = self._client(ctx)
        if delivery.operation == "create":
            ticket = self._find(client, delivery.record_key)
            found = self._ticket_ref(ticket) if ticket else None
        else:
            found = self._find_message(client, delivery)
        if found is None and ctx.state.get(MARKS) == "lost":
            raise Uncertain("RT keeps no marks of ours, so nobody can tell: see whether we may modify the key field")
        return found

    def _find_message(self, client: RequestTrackerClient, delivery: Delivery) -> RemoteRef | None:
        ticket: str | None = _ticket_of(delivery)
        for _ in range(FOLLOW_UPS):
            if ticket is None:
                return None
            winner, found = self._marked(client, ticket, delivery.key)
            if found is not None:
                return self._part_ref(winner, found)
            ticket = self._find(client, translate.follow_up_key(winner))
        raise Uncertain("the chain of follow-up tickets is longer than we read")

    def _find(self, client: RequestTrackerClient, key: str) -> str | None:
        """The oldest ticket with this key, or the one that it was merged into."""
        query = translate.key_query(self.options.key_field, key)
        found = list(client.items("tickets", query=query, fields="EffectiveId", orderby="id"))
        return translate.id_of(found[0].get("EffectiveId")) or None if found else None

    def _marked(self, client: RequestTrackerClient, ticket_id: str, key: str) -> tuple[str, str | None]:
        """The ticket (a merged one's winner), and its transaction whose message carries the key."""
        try:
            winner = str(client.get(f"ticket/{ticket_id}").get("id"))
        except Rejected as error:  # RT's lists are empty, not forbidden, where we may not look
            raise Uncertain(f"ticket {ticket_id} cannot be read: {error}", code=error.code) from error
        attachments = client.items(f"ticket/{winner}/attachments", fields="Headers,TransactionId", orderby="id")
        return winner, translate.marked_transaction(attachments, key)

    # --------------------------------------------------------------------------------------------------------- changes

    def changes(self, ctx: Context, cursor: Any) -> Iterator[ChangePage]:
        """What happened to our tickets since; RT calls nobody, so its transactions are asked for by id."""
        client, user = self._client(ctx), str(ctx.state.get(USER) or self.whoami(ctx))
        place = Place.read(cursor)
        if place is None:
            newest = self._transactions(client, user, 0, order="DESC")
            yield ChangePage((), Place(((ctx.now(), (max(newest, default=0),)),)).show())
            return
        who, after = cache(lambda name: client.named("user", name) or {}), place.after
        while found := self._transactions(client, user, after):
            new = [id_ for id_ in sorted(found) if id_ not in place.seen]
            read = (_read(client, who, change) for id_ in new if (change := translate.change_of(found[id_], user)))
            changes = tuple(change for change in read if change)
            after = max(found)
            if new:
                place = place.passed(new, ctx.now())
                yield ChangePage(changes, place.show())
        if (settled := place.passed((), ctx.now())).after != place.after:
            yield ChangePage((), settled.show())

    def _transactions(
        self, client: RequestTrackerClient, user: str, after: int, *, order: str = "ASC"
    ) -> dict[int, Mapping[str, Any]]:
        """The next transactions by id: the last one's id is the way to the next page, as RT tells no number of pages."""
        query = translate.changes_query(user, self.options.queue, after)
        answer = client.get(
            "transactions", query=query, fields=translate.COLUMNS, orderby="id", order=order, per_page=100
        )
        return {int(one["id"]): one for one in answer.get("items") or () if str(one.get("id")).isdecimal()}


Who = Callable[[str], Mapping[str, Any]]


def _read(client: RequestTrackerClient, who: Who, change: Change) -> Change | None:
    """A change with its words and names; None for a reply that no agent wrote (a customer's mail is no answer of ours)."""
    if change.ours:
        return change
    replace = msgspec.structs.replace
    if change.kind == "reply" and not who(change.actor_id).get("Privileged"):
        return None
    change = replace(change, actor=str(who(change.actor_id).get("RealName") or change.actor_id))
    if change.kind == "assignee":
        name = str(who(str(change.value)).get("Name") or change.value)
        return replace(change, value=None if name == "Nobody" else name)
    if change.kind in ("reply", "note"):
        attachments = client.items(f"{change.part_id}/attachments", fields="ContentType,Content,Filename", orderby="id")
        return replace(change, text=translate.words_of(attachments, spoken=change.kind == "reply"))
    return change


def _ensure_user(client: RequestTrackerClient, delivery: Delivery) -> None:
    """Make the requestor; one who is there already is left as he is. Raises Rejected where we may make none."""
    requestor = translate.requestor_of(delivery)
    if requestor is None:
        return
    try:
        client.post("user", requestor, doubtful=False)
    except Rejected as error:
        if client.named("user", requestor["Name"]) is None:
            hint = "give our user the right AdminUsers, or make a mapping without Requestor.Name"
            raise Rejected(f"RT makes no user {requestor['Name']}: {error} ({hint})", field="Requestor.Name") from error


def _line(delivery: Delivery) -> str:
    """None goes after an earlier one of its ticket that may come again."""
    parent = delivery.parents.get("conversation")
    return parent.id if parent else f"delivery {delivery.id}"


def _ticket_of(delivery: Delivery) -> str:
    """The id of the conversation's ticket; raises Rejected where the delivery came without."""
    parent = delivery.parents.get("conversation")
    if parent is None or not parent.id.isdecimal():
        raise Rejected("a message needs the ticket of its conversation", field="conversation")
    return parent.id


def _custom(queue: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    found = queue.get("TicketCustomFields")
    return [one for one in found if isinstance(one, Mapping)] if isinstance(found, list) else []
