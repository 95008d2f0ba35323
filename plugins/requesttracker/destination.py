"""Request Tracker as a destination: who we are there, and what agents did since."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from functools import cache
from typing import Any

import msgspec

from hub import Change, ChangePage, Context, Delivery, Lookup, ObjectInfo, Outcome, RemoteRef, Unauthorised, Uncertain
from hub.sdk.batches import one_by_one
from hub.sdk.desk import DeskDestination
from hub.sdk.doc import Doc
from plugins.requesttracker import translate
from plugins.requesttracker.client import RequestTrackerClient
from plugins.requesttracker.config import RequestTrackerOptions
from plugins.requesttracker.tickets import MARKS, RequestTrackerDesk
from plugins.requesttracker.translate import Looks

USER = "requesttracker.user"
_TOKEN = re.compile(r"\d+-(\d+)-\w[\w-]*")


class RequestTrackerDestination(DeskDestination[RequestTrackerOptions]):
    """One conversation, one ticket; further signals are correspondence, notes are comments. All one by one: RT has no keys.

    No `tombstone` of what was said: REST 2.0 cannot take words back out of RT (its README says what can). An erased author's
    user becomes nameless.
    """

    name = "requesttracker"
    Options = RequestTrackerOptions
    idempotency = Lookup(timedelta(seconds=60))
    mappings = "mappings:requesttracker"
    sandbox = "plugins.requesttracker.sandbox:build"
    capabilities = frozenset({"tickets", "comments", "note", "changes", "requesters"})
    every = timedelta(seconds=60)

    def egress(self) -> tuple[str, ...]:
        """Return RT's host."""
        return (self.options.host,)

    def whoami(self, ctx: Context) -> str:
        """Return our user's name there, kept for the poll.

        RT has no "who am I": the token's second number is its owner's id (RT docs, AuthTokens).
        """
        owner = _TOKEN.fullmatch(self.options.token.get_secret_value())
        name = self._client(ctx).named("user", owner[1]).id("Name") if owner else ""
        if not name:
            raise Unauthorised("the token names no user that we may see: is it a whole authentication token of RT?")
        ctx.state.set(USER, name)
        return name

    def check(self, ctx: Context) -> str:
        """Say who we are there. Raises Unauthorised if queue or key field are not open to us, with the missing right."""
        client, options = self._client(ctx), self.options
        version = client.get("rt").id("Version")
        name = self.whoami(ctx)
        queue = client.named("queue", options.queue)
        if not queue:
            raise Unauthorised(f"{name} sees no queue {options.queue!r}: it is missing, or the right SeeQueue is")
        if not any(one.text("ref") == "create" for one in queue.docs("_hyperlinks")):
            raise Unauthorised(f"{name} may make no tickets in {options.queue!r}: the right CreateTicket is missing")
        if options.key_field not in translate.field_names(queue):
            raise Unauthorised(
                f"{name} sees no custom field {options.key_field!r} there: is it applied (SeeCustomField)?"
            )
        return f"{name} in queue {options.queue} of RT {version} at {options.host}"

    def describe(self, ctx: Context) -> Mapping[str, ObjectInfo]:
        """Return the ticket with the queue's custom fields by name: their definitions are closed to most users."""
        queue = self._client(ctx).named("queue", self.options.queue)
        return {"ticket": translate.ticket_object(translate.field_names(queue), self.options.key_field)}

    def desk(self, ctx: Context) -> RequestTrackerDesk:
        """Open RT's tickets, for the length of a call."""
        return RequestTrackerDesk(self.options, ctx)

    def deliver(self, ctx: Context, batch: Sequence[Delivery]) -> list[Outcome]:
        """Write to the desk; see `DeskDestination`. A tombstone of an author takes the name of the user who asked for tickets."""
        if batch and batch[0].operation == "tombstone":
            return one_by_one(batch, lambda one: self.desk(ctx).forget(one))
        return super().deliver(ctx, batch)

    def lookup(self, ctx: Context, delivery: Delivery) -> RemoteRef | None:
        """Find a ticket by its key field, a message by its content type's mark. Raises Uncertain if marks are not kept."""
        found = super().lookup(ctx, delivery)
        if found is None and ctx.state.get(MARKS) == "lost":
            raise Uncertain("RT keeps no marks of ours, so we cannot tell: may we modify the key field?")
        return found

    def changes(self, ctx: Context, cursor: Any) -> Iterator[ChangePage]:
        """Give what happened to our tickets since: RT calls no hub, so its transactions are asked for by id."""
        client, user = self._client(ctx), str(ctx.state.get(USER) or self.whoami(ctx))
        place = Looks.read(cursor)
        if place is None:
            newest = self._transactions(client, user, 0, order="DESC")
            yield ChangePage((), Looks(((ctx.now(), (max(newest, default=0),)),)).show())
            return
        who, after = cache(lambda name: client.named("user", name)), place.after
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

    def _client(self, ctx: Context) -> RequestTrackerClient:
        return RequestTrackerClient(self.options, ctx)

    def _transactions(
        self, client: RequestTrackerClient, user: str, after: int, *, order: str = "ASC"
    ) -> dict[int, Doc]:
        """Return the next transactions by id: the last one's id is the way to the next page, as RT tells no number of pages."""
        query = translate.changes_query(user, self.options.queue, after)
        answer = client.get(
            "transactions", query=query, fields=translate.COLUMNS, orderby="id", order=order, per_page=100
        )
        return {int(one.id("id")): one for one in answer.docs("items") if one.id("id").isdecimal()}


def _read(client: RequestTrackerClient, who: Callable[[str], Doc], change: Change) -> Change | None:
    """Return a change with its words and names; None for a reply that no agent wrote (a customer's mail is no answer of ours)."""
    if change.ours:
        return change
    replace = msgspec.structs.replace
    if change.kind == "reply" and not who(change.actor_id).get("Privileged"):
        return None
    change = replace(change, actor=who(change.actor_id).text("RealName") or change.actor_id)
    if change.kind == "assignee":
        name = who(str(change.value)).text("Name") or str(change.value)
        return replace(change, value=None if name == "Nobody" else name)
    if change.kind in ("reply", "note"):
        attachments = client.items(f"{change.part_id}/attachments", fields="ContentType,Content,Filename", orderby="id")
        return replace(change, text=translate.words_of(attachments, spoken=change.kind == "reply"))
    return change
