"""Zendesk as a destination: what becomes of each delivery."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from hub import (
    ConnectorError,
    Context,
    Delivery,
    Destination,
    Lookup,
    Native,
    ObjectInfo,
    Outcome,
    QuotaExhausted,
    RateLimited,
    Rejected,
    RemoteRef,
    Retryable,
    Unauthorised,
    Unavailable,
    Uncertain,
    Upsert,
)
from hub.sdk.connectors import Idempotency
from plugins.zendesk import translate
from plugins.zendesk.client import Credentials, Jobs, ZendeskClient
from plugins.zendesk.config import ZendeskOptions
from plugins.zendesk.translate import Made, Row

WINDOW = timedelta(hours=2)
MARGIN = timedelta(minutes=10)  # a key about to be forgotten protects nothing
BULK_USERS = "zendesk.bulk_users_refused_at"
ASK_AGAIN = timedelta(days=7)
FOLLOW_UPS = 5


class ZendeskDestination(Destination[ZendeskOptions]):
    """Authors and signals by custom object jobs, tickets one by one under an Idempotency-Key, comments one by one in order."""

    name = "zendesk"
    Options = ZendeskOptions
    idempotency = Upsert()
    batch_size = 20
    mappings = "mappings:zendesk"
    sandbox = "plugins.zendesk.sandbox:build"
    capabilities = frozenset({"records", "tickets", "comments"})

    def __init__(self, options: ZendeskOptions, *, pause: Callable[[float], None] = time.sleep) -> None:
        super().__init__(options)
        self._credentials = Credentials(options)
        self._pause = pause

    def egress(self) -> tuple[str, ...]:
        """The account's host, or the local server's."""
        return (self.options.host,)

    def idempotency_of(self, object_: str, operation: str) -> Idempotency:
        """Tickets: Zendesk keeps the key for about 2 h. Comments: the delivery key stands in the ticket's audits at once."""
        kinds: Mapping[str, Idempotency] = {"create": Native(WINDOW), "comment": Lookup(timedelta(seconds=30))}
        return kinds.get(operation, self.idempotency)

    def batch_size_of(self, object_: str, operation: str) -> int:
        """1,000 records are ten jobs; tickets and comments are single calls, so few at a time keep a lease short."""
        return 1000 if operation == "upsert" else self.batch_size

    def check(self, ctx: Context) -> str:
        """Who we are there; raises Unauthorised for the anonymous user that Zendesk answers to a bad token, and for end users."""
        user = self._client(ctx).get("users/me").get("user") or {}
        if not user.get("id"):
            raise Unauthorised("Zendesk sees an anonymous user: the credentials are not valid there")
        if user.get("role") not in ("agent", "admin"):
            raise Unauthorised(
                f"{user.get('name')} is no agent: tickets and records need one", code=str(user.get("role"))
            )
        return f"{user.get('name')} ({user['role']}) at {self.options.subdomain}.zendesk.com"

    def describe(self, ctx: Context) -> Mapping[str, ObjectInfo]:
        """The ticket with its custom fields, and each custom object of the options that exists in the account."""
        client = self._client(ctx)
        found = {"ticket": translate.ticket_object(client.pages("ticket_fields", "ticket_fields"))}
        for name, key in self.options.objects.items():
            try:
                answer = client.get(f"custom_objects/{key}/fields", include_standard_fields="true")
            except Rejected as error:
                if error.details.get("status") != 404:
                    raise
                continue
            found[name] = translate.custom_object(name, answer, self.options.author_field)
        return found

    def deliver(self, ctx: Context, batch: Sequence[Delivery]) -> list[Outcome]:
        """Write a batch; see the class for how each operation goes."""
        if not batch:
            return []
        ways = {"upsert": self._upsert, "create": self._create, "comment": self._comment}
        way = ways.get(batch[0].operation)
        if way is None:
            error = Rejected(f"Zendesk has no operation {batch[0].operation!r}", code="operation")
            return [Outcome.failed(delivery, error) for delivery in batch]
        return way(self._client(ctx), batch)

    def lookup(self, ctx: Context, delivery: Delivery) -> RemoteRef | None:
        """Find a record by external id, a ticket by external id, a comment by the delivery key in the ticket's audits."""
        client = self._client(ctx)
        if delivery.operation == "create":
            return self._find_ticket(client, delivery)
        if delivery.operation == "comment":
            return self._find_comment(client, delivery, _ticket_of(delivery))
        return self._read_back(client, delivery.object, [delivery.record_key]).get(delivery.record_key)

    def _client(self, ctx: Context) -> ZendeskClient:
        return ZendeskClient(self.options, ctx, self._credentials)

    # --------------------------------------------------------------------------------------------------------- records

    def _upsert(self, client: ZendeskClient, batch: Sequence[Delivery]) -> list[Outcome]:
        rows = translate.rows_of(batch, self.options.author_field)
        object_ = batch[0].object
        made = self._run(client, object_, [list(chunk) for chunk in translate.chunks(rows)])
        unnamed = [key for key, one in made.items() if one.error is None and one.id is None]
        refs = {key: RemoteRef(one.id) for key, one in made.items() if one.id is not None}
        if unnamed:
            try:
                refs |= self._read_back(client, object_, unnamed)
            except ConnectorError as error:
                made |= {key: Made(error=Uncertain(f"written, but not to be read back: {error}")) for key in unnamed}
        return [_outcome(one, made.get(row.key), refs.get(row.key)) for row in rows for one in row.deliveries]

    def _run(self, client: ZendeskClient, object_: str, parts: list[list[Row]]) -> dict[str, Made]:
        """Write the parts by jobs. A part that is refused as a whole is halved, so that one bad record fails alone."""
        path = f"custom_objects/{self.options.objects.get(object_, object_)}/jobs"
        jobs = Jobs(client, self.options, self._pause).run(path, [translate.upsert_job(part) for part in parts])
        made: dict[str, Made] = {}
        halves: list[list[Row]] = []
        for part, job in zip(parts, jobs, strict=True):
            if isinstance(job, Rejected) and len(part) > 1 and job.details.get("status") in (400, 413, 422):
                halves += [part[: len(part) // 2], part[len(part) // 2 :]]
            elif isinstance(job, ConnectorError):
                made |= {row.key: Made(error=job) for row in part}
            else:
                made |= translate.results_of(job, [row.key for row in part])
        return made | (self._run(client, object_, halves) if halves else {})

    def _read_back(self, client: ZendeskClient, object_: str, keys: Sequence[str]) -> dict[str, RemoteRef]:
        path = f"custom_objects/{self.options.objects.get(object_, object_)}/records"
        found: dict[str, RemoteRef] = {}
        for part in translate.chunks(keys):
            answer = client.get(path, **{"filter[external_ids]": ",".join(part), "page[size]": "100"})
            records = [one for one in answer.get("custom_object_records") or () if isinstance(one, Mapping)]
            found |= {str(one.get("external_id")): RemoteRef(str(one["id"])) for one in records if one.get("id")}
        return found

    # --------------------------------------------------------------------------------------------------------- tickets

    def _create(self, client: ZendeskClient, batch: Sequence[Delivery]) -> list[Outcome]:
        users = self._users(client, batch)
        return _one_by_one(batch, lambda delivery: self._open(client, delivery, users))

    def _open(self, client: ZendeskClient, delivery: Delivery, users: Users) -> RemoteRef:
        if delivery.ref is not None:  # the conversation has its ticket: never a second one
            return delivery.ref
        # Past the window the key may be forgotten, so the external id is asked first.
        if delivery.first_sent_at and client.ctx.now() - delivery.first_sent_at >= WINDOW - MARGIN:
            found = self._find_ticket(client, delivery)
            if found is not None:
                return found
        body = translate.ticket_body(delivery, _user_of(delivery, users))
        try:
            answer = client.post("tickets", body, key=delivery.key)
        except Rejected as error:
            found = self._find_ticket(client, delivery) if error.code == "IdempotentRequestError" else None
            if found is None:
                raise
            return found
        return self._ticket_ref(answer)

    def _find_ticket(self, client: ZendeskClient, delivery: Delivery) -> RemoteRef | None:
        """The oldest ticket of this external id: a follow-up carries the id of the one it follows."""
        answer = client.get("tickets", external_id=delivery.record_key)
        tickets = [one for one in answer.get("tickets") or () if isinstance(one, Mapping)]
        same = [one["id"] for one in tickets if one.get("external_id") == delivery.record_key and _is_id(one.get("id"))]
        return self._ticket_ref({"ticket": {"id": min(same)}}) if same else None

    def _ticket_ref(self, answer: Mapping[str, Any]) -> RemoteRef:
        ticket = answer.get("ticket")
        if not isinstance(ticket, Mapping) or not ticket.get("id"):
            raise Uncertain("Zendesk's answer names no ticket")
        return RemoteRef(str(ticket["id"]), self._page(str(ticket["id"])))

    def _page(self, ticket_id: str) -> str:
        return f"{self.options.web}/agent/tickets/{ticket_id}"

    # -------------------------------------------------------------------------------------------------------- comments

    def _comment(self, client: ZendeskClient, batch: Sequence[Delivery]) -> list[Outcome]:
        users = self._users(client, batch)

        def add(delivery: Delivery) -> RemoteRef:
            user = _user_of(delivery, users)
            body = translate.comment_body(delivery, user, public=self.options.public_comments)
            return self._add(client, _ticket_of(delivery), Remark(delivery.key, body, user))

        return _one_by_one(batch, add, line=_line_of)

    def _add(self, client: ZendeskClient, ticket_id: str, remark: Remark, *, depth: int = 0) -> RemoteRef:
        try:
            answer = client.put(f"tickets/{ticket_id}", remark.body)
        except Rejected as error:
            if translate.CLOSED not in str(error) or depth >= FOLLOW_UPS:
                raise
            return self._follow_up(client, ticket_id, remark, depth=depth + 1)
        audit = answer.get("audit")
        id_ = translate.comment_of(audit) if isinstance(audit, Mapping) else None
        if id_ is None:
            raise Uncertain("Zendesk's answer holds no audit of the comment")
        return RemoteRef(id_, self._page(ticket_id))

    def _follow_up(self, client: ZendeskClient, ticket_id: str, remark: Remark, *, depth: int) -> RemoteRef:
        """Go on in the closed ticket's follow-up; open it where there is none yet. One only: its key is made of the ticket."""
        closed = _ticket(client, ticket_id)
        if newest := _newest_follow_up(closed):
            # An earlier attempt may have opened it with these very words.
            found = self._marked(client, newest, remark.key)
            return found or self._add(client, newest, remark, depth=depth)
        body = translate.follow_up_body(remark.body, closed, remark.user)
        try:
            answer = client.post("tickets", body, key=translate.follow_up_key(ticket_id))
        except Rejected as error:
            if error.code != "IdempotentRequestError":
                raise
            raise Retryable("another comment has just opened the follow-up ticket", retry_after=5) from error
        page = self._ticket_ref(answer)
        audit = answer.get("audit")
        id_ = translate.comment_of(audit) if isinstance(audit, Mapping) else None
        return RemoteRef(id_ or page.id, page.url)

    def _find_comment(self, client: ZendeskClient, delivery: Delivery, ticket_id: str) -> RemoteRef | None:
        for _ in range(FOLLOW_UPS):
            if found := self._marked(client, ticket_id, delivery.key):
                return found
            newest = _newest_follow_up(_ticket(client, ticket_id))
            if newest is None:
                return None
            ticket_id = newest
        raise Uncertain("the chain of follow-up tickets is longer than we read")

    def _marked(self, client: ZendeskClient, ticket_id: str, key: str) -> RemoteRef | None:
        id_ = translate.marked_comment(client.pages(f"tickets/{ticket_id}/audits", "audits"), key)
        return RemoteRef(id_, self._page(ticket_id)) if id_ else None

    # ----------------------------------------------------------------------------------------------------------- users

    def _users(self, client: ZendeskClient, batch: Sequence[Delivery]) -> Users:
        """The id of each requester by external id, or the error that kept it from having one.

        Those who exist are only read: a user may be updated 5 times a minute, and an agent may have corrected the name.
        """
        wanted = {user["external_id"]: user for user in map(translate.requester_of, batch) if user is not None}
        users: Users = dict(_known_users(client, list(wanted)))
        missing = [key for key in wanted if key not in users]
        if len(missing) > 1 and self._make_many(client, [wanted[key] for key in missing]):
            users |= _known_users(client, missing)
        for key in missing:
            if key not in users:
                users[key] = _make_user(client, wanted[key])
        return users

    def _make_many(self, client: ZendeskClient, users: list[dict[str, Any]]) -> bool:
        """Try the bulk import of users, which most accounts have not enabled: a 403 is remembered for a week."""
        refused = client.ctx.state.get(BULK_USERS)
        if refused and client.ctx.now() < datetime.fromisoformat(refused) + ASK_AGAIN:
            return False
        bodies = [{"users": list(part)} for part in translate.chunks(users)]
        for answer in Jobs(client, self.options, self._pause).run("users/create_or_update_many", bodies):
            if isinstance(answer, Rejected) and answer.details.get("status") == 403:
                client.ctx.state.set(BULK_USERS, client.ctx.now().isoformat())
                return False
            if isinstance(answer, _FOR_ALL):
                raise answer
        return True


# ------------------------------------------------------------------------------------------------------------- details

Users = dict[str, int | ConnectorError]
_FOR_ALL = (Unauthorised, QuotaExhausted, RateLimited, Unavailable)  # about the account, not about one record


@dataclass(frozen=True, slots=True)
class Remark:
    """A comment on its way: our mark, the update that adds it, and its author there."""

    key: str
    body: dict[str, Any]
    user: int | None


def _one_by_one(
    batch: Sequence[Delivery], write: Callable[[Delivery], RemoteRef], *, line: Callable[[Delivery], str] | None = None
) -> list[Outcome]:
    """Write each by itself. Deliveries of one `line` keep their order: none goes after one that may come again.

    An error about the account ends the batch: it is given to all that were not sent.
    """
    outcomes: list[Outcome] = []
    stop: ConnectorError | None = None
    held: dict[str, ConnectorError] = {}
    for delivery in batch:
        name = line(delivery) if line else ""
        try:
            if (waits := stop or held.get(name)) is not None:
                raise waits
            outcomes.append(Outcome.delivered(delivery, write(delivery)))
        except ConnectorError as error:
            outcomes.append(Outcome.failed(delivery, error))
            if isinstance(error, _FOR_ALL) and not error.details.get("ticket_only"):
                stop = error
            elif line and name not in held and not isinstance(error, Rejected):
                seconds = error.retry_after if isinstance(error, Retryable) else None
                held[name] = Retryable(f"waits for an earlier comment: {error}", retry_after=seconds or 60)
    return outcomes


def _outcome(delivery: Delivery, made: Made | None, ref: RemoteRef | None) -> Outcome:
    if made is not None and made.error is not None:
        return Outcome.failed(delivery, made.error)
    if ref is None:
        return Outcome.failed(delivery, Uncertain("the job ended and says nothing of this record"))
    return Outcome.delivered(delivery, ref)


def _ticket_of(delivery: Delivery) -> str:
    """The id of the conversation's ticket; raises Rejected where the delivery came without."""
    parent = delivery.parents.get("conversation")
    if parent is None or not parent.id.isdecimal():
        raise Rejected("a comment needs the ticket of its conversation", field="conversation")
    return parent.id


def _line_of(delivery: Delivery) -> str:
    """What a comment may not overtake another in."""
    parent = delivery.parents.get("conversation")
    return parent.id if parent else ""


def _user_of(delivery: Delivery, users: Users) -> int | None:
    """The requester's id, None where the mapping names none; raises the error that kept it from having one."""
    requester = translate.requester_of(delivery)
    found = users[requester["external_id"]] if requester else None
    if isinstance(found, ConnectorError):
        raise found
    return found


def _known_users(client: ZendeskClient, keys: Sequence[str]) -> dict[str, int]:
    known: dict[str, int] = {}
    for part in translate.chunks(keys):
        answer = client.get("users/show_many", external_ids=",".join(part))
        users = [one for one in answer.get("users") or () if isinstance(one, Mapping)]
        known |= {
            str(one["external_id"]).lower(): int(one["id"]) for one in users if one.get("external_id") and one.get("id")
        }
    return known


def _make_user(client: ZendeskClient, user: dict[str, Any]) -> int | ConnectorError:
    """Create or update one user; a Rejected or a doubt is about this one, anything else is raised."""
    try:
        answer = client.post("users/create_or_update", {"user": user}).get("user")
    except (Rejected, Uncertain) as error:
        # Sending it again does no harm, so a doubt is no doubt for the ticket that was not yet sent.
        return error if isinstance(error, Rejected) else Retryable(f"user not yet there: {error}")
    if not isinstance(answer, Mapping) or not _is_id(answer.get("id")):
        return Retryable("Zendesk's answer names no user")
    id_: int = answer["id"]
    return id_


def _ticket(client: ZendeskClient, ticket_id: str) -> Mapping[str, Any]:
    ticket = client.get(f"tickets/{ticket_id}").get("ticket")
    if not isinstance(ticket, Mapping):
        raise Retryable("Zendesk's answer names no ticket")
    return ticket


def _newest_follow_up(ticket: Mapping[str, Any]) -> str | None:
    ids = [id_ for id_ in ticket.get("followup_ids") or () if _is_id(id_)]
    return str(max(ids)) if ids else None


def _is_id(value: Any) -> bool:
    """Whether this can be the id of a user or a ticket: a whole number."""
    return isinstance(value, int) and value > 0
