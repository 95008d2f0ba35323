"""Zendesk as a destination: which way each delivery goes, and what Zendesk tells us."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

from hub import (
    Change,
    Context,
    Delivery,
    Lookup,
    Native,
    ObjectInfo,
    Outcome,
    Rejected,
    RemoteRef,
    Request,
    Unauthorised,
    Upsert,
)
from hub.sdk.connectors import Idempotency
from hub.sdk.desk import DeskDestination
from hub.sdk.doc import Doc
from plugins.zendesk import inbound, translate
from plugins.zendesk.client import ZendeskClient, auth_of, one_ticket_only
from plugins.zendesk.config import ZendeskOptions
from plugins.zendesk.erasure import Eraser
from plugins.zendesk.records import ZendeskRecords
from plugins.zendesk.tickets import WINDOW, ZendeskDesk


class ZendeskDestination(DeskDestination[ZendeskOptions]):
    """Authors and signals by custom object jobs, tickets one by one under an Idempotency-Key, comments one by one in order.

    Back come agents' words and what becomes of tickets, by webhook; notes go to agents only; tombstones redact and delete.
    """

    name = "zendesk"
    Options = ZendeskOptions
    idempotency = Upsert()
    mappings = "mappings:zendesk"
    sandbox = "plugins.zendesk.sandbox:build"
    libraries = ("zenpy", "requests")
    capabilities = frozenset(
        {"records", "tickets", "comments", "inbound", "note", "tombstone", "requesters", "without_author"}
    )

    def __init__(self, options: ZendeskOptions, *, pause: Callable[[float], None] = time.sleep) -> None:
        super().__init__(options)
        self._auth = auth_of(options)
        self._pause = pause

    def egress(self) -> tuple[str, ...]:
        """Return the account's host, or the local server's."""
        return (self.options.host,)

    def is_throttled(self, status: int, headers: Mapping[str, str]) -> bool:
        """Return False for a 429 about one ticket: it holds up no other."""
        return status == 429 and not one_ticket_only(headers)

    def idempotency_of(self, object_: str, operation: str) -> Idempotency:
        """Return how a write is repeated safely.

        Tickets: Zendesk keeps the key for about 2 h. Comments and notes: the delivery key stands in the audits at once.
        """
        said = Lookup(timedelta(seconds=30))
        kinds: Mapping[str, Idempotency] = {"create": Native(WINDOW), "comment": said, "note": said}
        return kinds.get(operation, self.idempotency)

    def batch_size_of(self, object_: str, operation: str) -> int:
        """Return how much to claim.

        1,000 records are ten jobs; tickets and comments are single calls, so few at a time keep a lease short.
        """
        return 1000 if operation == "upsert" else self.batch_size

    def calls_of(self, object_: str, operation: str, count: int) -> int:
        """Count a job for 100 records; tickets, comments and notes one by one."""
        return -(-count // 100) if operation == "upsert" else count

    def check(self, ctx: Context) -> str:
        """Say who we are there. Raises Unauthorised for end users and for the anonymous user, Zendesk's answer to a bad token."""
        user = self._me(ctx)
        name, role = user.text("name"), user.id("role")
        if role not in ("agent", "admin"):
            raise Unauthorised(f"{name} is no agent: tickets and records need one", code=role)
        return f"{name} ({role}) at {self.options.subdomain}.zendesk.com"

    def whoami(self, ctx: Context) -> str:
        """Return our agent's id: what it does comes back by webhook too, and is no change."""
        return self._me(ctx).id("id")

    def describe(self, ctx: Context) -> Mapping[str, ObjectInfo]:
        """Return the ticket with its custom fields, and each custom object of the options that exists in the account."""
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

    # -------------------------------------------------------------------------------------------------------- there

    def desk(self, ctx: Context) -> ZendeskDesk:
        """Return the account's tickets, for the length of a call."""
        return ZendeskDesk(self._client(ctx), self.options, self._pause)

    def deliver(self, ctx: Context, batch: Sequence[Delivery]) -> list[Outcome]:
        """Write a batch; see the class for how each operation goes."""
        operation = batch[0].operation if batch else ""
        if operation == "upsert":
            return self._records(ctx).upsert(batch)
        if operation == "tombstone":
            return Eraser(self._client(ctx), self.options, self._pause).erase(batch)
        return super().deliver(ctx, batch)

    def lookup(self, ctx: Context, delivery: Delivery) -> RemoteRef | None:
        """Find a record or a ticket by external id, a comment by the delivery key in the ticket's audits."""
        if delivery.operation in ("create", "comment", "note"):
            return super().lookup(ctx, delivery)
        return self._records(ctx).find(delivery.object, [delivery.record_key]).get(delivery.record_key)

    # --------------------------------------------------------------------------------------------------- and back again

    def verify(self, request: Request) -> bool:
        """Return True if Zendesk signed this with our webhook's secret within five minutes; without a secret never."""
        secret = self.options.webhook_secret
        return secret is not None and inbound.is_genuine(request, secret.get_secret_value())

    def event_id(self, request: Request) -> str:
        """Return the invocation's id: a retry carries the same."""
        return request.headers.get(inbound.INVOCATION, "")

    def parse(self, body: bytes) -> Sequence[Change]:
        """Return what agents said and did; see `inbound.read`."""
        return inbound.read(body)

    def _client(self, ctx: Context) -> ZendeskClient:
        return ZendeskClient(self.options, ctx, self._auth)

    def _records(self, ctx: Context) -> ZendeskRecords:
        return ZendeskRecords(self._client(ctx), self.options, self._pause)

    def _me(self, ctx: Context) -> Doc:
        user = self._client(ctx).get("users/me").doc("user")
        if not user.id("id"):
            raise Unauthorised("Zendesk sees an anonymous user: the credentials are not valid there")
        return user
