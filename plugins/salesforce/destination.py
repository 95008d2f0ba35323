"""Salesforce as a destination: upserts by external id, 200 records a call, one outcome a record."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import groupby
from typing import Any, ClassVar

from hub import (
    Change,
    ChangePage,
    ConnectorError,
    Context,
    Delivery,
    Destination,
    ObjectInfo,
    Outcome,
    Rejected,
    RemoteRef,
    Request,
    Unread,
    Upsert,
    Usage,
)
from hub.sdk.batches import chunks
from hub.sdk.records import outcomes_of, rows_of, told_left
from plugins.salesforce import inbound
from plugins.salesforce.client import COLLECTION, QUERIES, Org, auth_of
from plugins.salesforce.config import SalesforceOptions
from plugins.salesforce.records import SalesforceRecords, parked_until
from plugins.salesforce.translate import hints, is_name, object_info, refusals, usage_of

USER = "user_id"


class SalesforceDestination(Destination[SalesforceOptions]):
    """Records in a Salesforce org, each found again by its external id."""

    name = "salesforce"
    Options = SalesforceOptions
    egress_hosts = ("*.my.salesforce.com",)
    idempotency = Upsert()
    batch_size = COLLECTION
    mappings = "mappings:salesforce"
    sandbox = "plugins.salesforce.sandbox:build"
    capabilities: ClassVar[frozenset[str]] = frozenset({"tombstone", "inbound", "changes"})
    every = timedelta(minutes=2)
    libraries = ("simple_salesforce", "requests")

    def __init__(self, options: SalesforceOptions) -> None:
        super().__init__(options)
        self._auth = auth_of(options)

    def egress(self) -> tuple[str, ...]:
        """Return the org's own host and no other: the token endpoint is on My Domain too."""
        return (self.options.host,)

    def usage(self, headers: Mapping[str, str]) -> Usage | None:
        """Return the org's calls of the last 24 hours."""
        return usage_of(headers)

    def check(self, ctx: Context) -> str:
        """Sign in, read the organisation, look at each object's external id. Raises Rejected with all that is wrong."""
        org = self._org(ctx)
        who = org.query(["SELECT Id, Name FROM Organization"])
        wrong: list[str] = []
        notes: list[str] = []
        for name, key_field in self.options.objects.items():
            described = org.describe(name)
            wrong += refusals(name, key_field, described)
            notes += hints(name, key_field, described) if described else []
        if wrong:
            raise Rejected("; ".join(wrong), details={"problems": wrong})
        here = f"{who[0].get('Name')} ({who[0].get('Id')})" if who else self.options.host
        return "; ".join([f"{here} as {self.options.username or 'the integration user'}", *notes])

    def describe(self, ctx: Context) -> Mapping[str, ObjectInfo]:
        """Return the objects of the options that exist there and are visible to us."""
        org = self._org(ctx)
        found = {name: org.describe(name) for name in self.options.objects}
        describes = {name: one for name, one in found.items() if one is not None}
        return {name: object_info(name, describes) for name in describes}

    def deliver(self, ctx: Context, batch: Sequence[Delivery]) -> list[Outcome]:
        """Upsert (or erase, operation `tombstone`): one call for 200 records, and one more where keys raced."""
        refused = {one.id: refusal for one in batch if (refusal := _refusal(one))}
        outcomes = [Outcome.failed(one, refused[one.id]) for one in batch if one.id in refused]
        ordered = sorted((one for one in batch if one.id not in refused), key=_kind)
        for (object_, operation, _), group in groupby(ordered, key=_kind):
            records, rows = SalesforceRecords(self._org(ctx), self.options, ctx, object_), rows_of(group)
            left: Mapping[str, tuple[str, ...]] = {}
            if operation == "tombstone":
                results, left = records.erase(rows)
            else:
                results = records.upsert(rows)
            made = outcomes_of(rows, results, lambda row, made: self._ref(row.last.object, made.id or row.id))
            outcomes += told_left(rows, made, left)
        return outcomes

    def lookup(self, ctx: Context, delivery: Delivery) -> RemoteRef | None:
        """Return the record that holds the delivery's key."""
        if _refusal(delivery):
            return None
        found = self._org(ctx).find(delivery.object, delivery.key_field, [delivery.record_key])
        return self._ref(delivery.object, found[delivery.record_key]) if delivery.record_key in found else None

    # ------------------------------------------------------------------------------------------------- what comes back

    def whoami(self, ctx: Context) -> str:
        """Return the integration user's id; kept for the poll, which asks once."""
        known = self._org(ctx).whoami()
        ctx.state.set(USER, known)
        return known

    def verify(self, request: Request) -> bool:
        """Return True for an Outbound Message of our organisation, with the secret."""
        secret, organization = self.options.inbound_secret, self.options.organization_id
        if secret is None or organization is None:
            return False
        return inbound.is_genuine(request, organization, secret.get_secret_value())

    def acknowledge(self, request: Request) -> tuple[str, bytes]:
        """Return `Ack`, which is true once the message is stored; Salesforce sends anything else again for a day."""
        return "text/xml; charset=utf-8", inbound.ACK

    def parse(self, body: bytes) -> Sequence[Change | Unread]:
        """Return the changes of all notifications in a message."""
        return inbound.changes_of(body)

    def changes(self, ctx: Context, cursor: Any) -> Iterable[ChangePage]:
        """Ask for status, owner, deletion and merges since the cursor, one call for five objects; nothing while parked."""
        stamps = inbound.stamps_of(cursor, self.options.objects, ctx.now())
        if cursor is None:
            yield ChangePage((), stamps)
        if cursor is None or not self.options.poll or parked_until(ctx):
            return
        kept, org = ctx.state.get(USER), self._org(ctx)
        user = self.whoami(ctx) if kept is None else str(kept)
        for names in chunks(list(self.options.objects), QUERIES):
            firsts = org.pages([inbound.poll_of(name, stamps[name]) for name in names], "queryAll")
            for name, first in zip(names, firsts, strict=False):
                for page in _all_pages(ctx, org, name, first):
                    rows = inbound.rows_of(page)
                    stamps = {**stamps, name: inbound.latest(rows, stamps[name])}
                    found = tuple(one for row in rows for one in inbound.polled(name, row, user))
                    yield ChangePage(found, stamps)

    def _org(self, ctx: Context) -> Org:
        return Org(self.options, self._auth, ctx)

    def _ref(self, object_: str, id_: str | None) -> RemoteRef | None:
        return RemoteRef(id_, f"{self.options.instance_url}/lightning/r/{object_}/{id_}/view") if id_ else None


def _all_pages(ctx: Context, org: Org, name: str, first: dict[str, Any] | ConnectorError) -> Iterator[dict[str, Any]]:
    """Return the pages of one query; an object that the org lacks has none."""
    if isinstance(first, Rejected):
        ctx.log.warning("Salesforce does not let us poll %s: %s", name, first)
        return
    if isinstance(first, ConnectorError):
        raise first
    page: dict[str, Any] | None = first
    while page is not None:
        yield page
        page = org.more(page)


def _kind(one: Delivery) -> tuple[str, str, str]:
    return one.object, one.operation, one.key_field


def _refusal(one: Delivery) -> Rejected | None:
    """Say why this kind of write is not sent at all."""
    if one.operation not in {"upsert", "tombstone"}:
        return Rejected(f"operation {one.operation!r} is not supported: records are written by upsert")
    if not is_name(one.object) or not is_name(one.key_field):
        return Rejected(
            f"the mapping's object {one.object!r} or key_field {one.key_field!r} is no API name", field="key_field"
        )
    return None
