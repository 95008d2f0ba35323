"""Salesforce as a destination: upserts by external id, 200 records a call, one outcome a record."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
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
    QuotaExhausted,
    Rejected,
    RemoteRef,
    Request,
    Retryable,
    Unavailable,
    Unread,
    Upsert,
    Usage,
)
from hub.sdk.batches import chunks, rounds
from plugins.salesforce import inbound
from plugins.salesforce.client import COLLECTION, QUERIES, Org, Tokens
from plugins.salesforce.config import SalesforceOptions
from plugins.salesforce.translate import (
    DUPLICATE,
    PARK,
    Row,
    change,
    erasure,
    error_of,
    faults,
    filling,
    gather,
    hints,
    is_name,
    jitter_of,
    object_info,
    poisons,
    record,
    refusals,
)

PARKED, USER = "parked_until", "user_id"
_API_USAGE = re.compile(r"(?<![\w-])api-usage=(\d{1,12})/([1-9]\d{0,11})(?!\d)")
GONE = frozenset({"ENTITY_IS_DELETED", "INVALID_CROSS_REFERENCE_KEY"})
HOPS = 3  # merges of merges that are followed
NOTICE = 180.0  # seconds in which a poll tells the hub of a deletion
PATIENCE = 2  # attempts that wait for that
SPLITS = 32  # calls of one batch after which a search for bad records ends
Result = Mapping[str, Any] | ConnectorError
Results = list[tuple[Row, Result]]


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

    def __init__(self, options: SalesforceOptions) -> None:
        super().__init__(options)
        self._tokens = Tokens(options)

    def egress(self) -> tuple[str, ...]:
        """The org's own host and no other: the token endpoint is on My Domain too."""
        return (self.options.host,)

    def usage(self, headers: Mapping[str, str]) -> Usage | None:
        """The org's calls of the last 24 hours, by `Sforce-Limit-Info: api-usage=18/5000`; the window slides."""
        found = _API_USAGE.search(headers.get("sforce-limit-info", ""))
        return Usage(int(found[1]), int(found[2])) if found else None

    def check(self, ctx: Context) -> str:
        """Sign in, read the organisation, look at each object's external id; raises Rejected with all that is wrong."""
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
        """The objects of the options that exist there and are visible to us."""
        org = self._org(ctx)
        found = {name: org.describe(name) for name in self.options.objects}
        describes = {name: one for name, one in found.items() if one is not None}
        return {name: object_info(name, describes) for name in describes}

    def deliver(self, ctx: Context, batch: Sequence[Delivery]) -> list[Outcome]:
        """Upsert (or erase, operation `tombstone`): one call for 200 records, and one more where keys raced."""
        org = self._org(ctx)
        outcomes: list[Outcome] = []
        for group in _groups(batch):
            refusal = _refusal(group[0])
            if refusal:
                outcomes += [Outcome.failed(one, refusal) for one in group]
                continue
            for rows in chunks(gather(group), COLLECTION):
                outcomes += [
                    out for row, result in self._write(ctx, org, rows) for out in self._settle(ctx, row, result)
                ]
        return outcomes

    def lookup(self, ctx: Context, delivery: Delivery) -> RemoteRef | None:
        """The record that holds the delivery's key."""
        if _refusal(delivery):
            return None
        found = self._org(ctx).find(delivery.object, delivery.key_field, [delivery.record_key])
        return self._ref(delivery.object, found[delivery.record_key]) if delivery.record_key in found else None

    # ------------------------------------------------------------------------------------------------- what comes back

    def whoami(self, ctx: Context) -> str:
        """The integration user's id; kept for the poll, which asks once."""
        known = self._org(ctx).whoami()
        ctx.state.set(USER, known)
        return known

    def verify(self, request: Request) -> bool:
        """An Outbound Message of our organisation, with the secret."""
        secret, organization = self.options.inbound_secret, self.options.organization_id
        if secret is None or organization is None:
            return False
        return inbound.is_genuine(request, organization, secret.get_secret_value())

    def acknowledge(self, request: Request) -> tuple[str, bytes]:
        """`Ack` is true once the message is stored; Salesforce sends anything else again for a day."""
        return "text/xml; charset=utf-8", inbound.ACK

    def parse(self, body: bytes) -> Sequence[Change | Unread]:
        """The changes of all notifications in a message."""
        return inbound.changes_of(body)

    def changes(self, ctx: Context, cursor: Any) -> Iterable[ChangePage]:
        """Status, owner, deletion and merges since the cursor, one call for five objects; nothing while parked."""
        stamps = inbound.stamps_of(cursor, self.options.objects, ctx.now())
        if cursor is None:
            yield ChangePage((), stamps)
        if cursor is None or not self.options.poll or self._parked_until(ctx):
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
        return Org(self.options, self._tokens, ctx)

    def _write(self, ctx: Context, org: Org, rows: Sequence[Row]) -> Results:
        """One chunk of one object and operation; an error of the request counts for the rows of this chunk only."""
        try:
            self._mind_quota(ctx)
            results = self._erase(org, rows) if _operation(rows) == "tombstone" else self._upsert(ctx, org, rows)
        except ConnectorError as error:
            results = [(row, error) for row in rows]
        self._note_quota(ctx, org, results)
        return results

    def _upsert(self, ctx: Context, org: Org, rows: Sequence[Row]) -> Results:
        """Records of our own objects by key; those of people by id once it is known, as a key does not follow a merge."""
        first = rows[0].deliveries[0]
        known = [] if first.object.endswith("__c") else [row for row in rows if row.id]
        fresh = [row for row in rows if row not in known]
        return [*self._update(ctx, org, known), *self._insert(org, _filled(org, fresh))]

    def _insert(self, org: Org, rows: Sequence[Row]) -> Results:
        """Two workers that upsert one new key race: the loser's second try finds the record and updates it."""
        results = self._put(org, rows)
        raced = [row for row, result in results if _code(result) == DUPLICATE]
        if not raced:
            return results
        again = {row.key: (row, result) for row, result in self._put(org, raced)}
        return [again.get(row.key, (row, result)) for row, result in results]

    def _update(self, ctx: Context, org: Org, rows: Sequence[Row]) -> Results:
        """By id; what is gone went into another record, or was deleted and is made anew.

        No id stands twice in one call: two authors may have become one person there.
        """
        done: Results = []
        for _ in range(HOPS):
            results = [result for part in rounds(rows, lambda row: row.id) for result in self._put(org, part)]
            gone = [row for row, result in results if _code(result) in GONE]
            done += [(row, result) for row, result in results if _code(result) not in GONE]
            if not gone:
                return done
            winners = org.masters(gone[0].deliveries[0].object, [row.id or "" for row in gone])
            rows = [replace(row, id=winners[row.id or ""]) for row in gone if row.id in winners]
            done += self._renew(org, [row for row in gone if row.id not in winners])
        return [*done, *((row, Unavailable("the record was merged again and again")) for row in rows)]

    def _renew(self, org: Org, rows: Sequence[Row]) -> Results:
        """Records that people deleted: a poll tells the hub so, which then sends them whole; do not wait for ever."""
        soon = Retryable("the record was deleted there, the hub is about to notice", retry_after=NOTICE, code="gone")
        waits = [row for row in rows if self.options.poll and row.deliveries[-1].attempt <= PATIENCE]
        rest = [replace(row, id=None) for row in rows if row not in waits]
        return [*((row, soon) for row in waits), *(self._insert(org, rest) if rest else ())]

    def _put(self, org: Org, rows: Sequence[Row]) -> Results:
        """One call, or more where one bad record hides among good ones: then the halves go by themselves."""
        if not rows:
            return []
        first = rows[0].deliveries[0]
        try:
            if rows[0].id and not first.object.endswith("__c"):
                return list(zip(rows, org.update([change(first.object, row) for row in rows]), strict=True))
            records = [record(first.object, first.key_field, row) for row in rows]
            return list(zip(rows, org.upsert(first.object, first.key_field, records), strict=True))
        except ConnectorError as error:
            if not poisons(error) or len(rows) == 1 or org.calls >= SPLITS:
                return [(row, error) for row in rows]
        half = len(rows) // 2
        return self._put(org, rows[:half]) + self._put(org, rows[half:])

    def _erase(self, org: Org, rows: Sequence[Row]) -> Results:
        """Blank the content of records by id: an upsert by key would make a record where there was none."""
        first = rows[0].deliveries[0]
        ids = {row.key: one.ref.id for row in rows for one in row.deliveries if one.ref}
        ids |= org.find(first.object, first.key_field, [row.key for row in rows if row.key not in ids])
        known = _writable(org, first.object)
        there = [row for row in rows if row.key in ids]
        done = org.update([erasure(first.object, ids[row.key], known) for row in there]) if there else []
        gone: Results = [(row, {"success": True}) for row in rows if row.key not in ids]
        return [*zip(there, done, strict=True), *gone]

    def _settle(self, ctx: Context, row: Row, result: Result) -> Iterator[Outcome]:
        """What one result means for each delivery of its row; HTTP 200 says nothing about a row."""
        for one in row.deliveries:
            if isinstance(result, ConnectorError):
                yield Outcome.failed(one, result)
            elif "success" not in result:
                yield Outcome.failed(one, Unavailable("the answer does not tell what became of this record"))
            elif result.get("success") is not True:
                yield Outcome.failed(one, error_of(faults(result.get("errors")), ctx.now(), jitter=jitter_of(one)))
            else:
                ref = self._ref(one.object, str(result["id"])) if result.get("id") else one.ref
                yield Outcome(one.id, ref=ref, response={"created": bool(result.get("created"))})

    def _ref(self, object_: str, id_: str) -> RemoteRef:
        return RemoteRef(id_, f"{self.options.instance_url}/lightning/r/{object_}/{id_}/view")

    def _mind_quota(self, ctx: Context) -> None:
        """Send nothing while the org's allowance is spent; every worker reads the same memory."""
        if at := self._parked_until(ctx):
            raise QuotaExhausted("the org's API calls of the day are nearly used up", until=at)

    def _parked_until(self, ctx: Context) -> datetime | None:
        until = ctx.state.get(PARKED)
        return at if until and (at := datetime.fromisoformat(until)) > ctx.now() else None

    def _note_quota(self, ctx: Context, org: Org, results: Results) -> None:
        """Leave the rest of the day's calls to the org's people: the next batch waits."""
        spent = [one.until for _, one in results if isinstance(one, QuotaExhausted) and one.code and one.until]
        if org.usage is not None and org.usage > self.options.park_above:
            spent.append(ctx.now() + PARK)
        if spent:
            ctx.state.set(PARKED, max(spent).isoformat())


def _all_pages(ctx: Context, org: Org, name: str, first: dict[str, Any] | ConnectorError) -> Iterator[dict[str, Any]]:
    """The pages of one query; an object that the org lacks has none."""
    if isinstance(first, Rejected):
        ctx.log.warning("Salesforce does not let us poll %s: %s", name, first)
        return
    if isinstance(first, ConnectorError):
        raise first
    page: dict[str, Any] | None = first
    while page is not None:
        yield page
        page = org.more(page)


def _filled(org: Org, rows: Sequence[Row]) -> list[Row]:
    """Rows whose `once` fields fill only what is empty, where somebody had made the record before us; one call more."""
    asked = [row for row in rows if row.once]
    if not asked:
        return list(rows)
    first = asked[0].deliveries[0]
    names = sorted({name for row in asked for name in row.once})
    held = org.held(first.object, first.key_field, [row.key for row in asked], names=names)
    return [filling(row, held.get(row.key, {})) for row in rows]


def _groups(batch: Sequence[Delivery]) -> list[list[Delivery]]:
    groups: dict[tuple[str, str, str], list[Delivery]] = {}
    for one in batch:
        groups.setdefault((one.object, one.operation, one.key_field), []).append(one)
    return list(groups.values())


def _refusal(one: Delivery) -> Rejected | None:
    """Why this kind of write is not sent at all."""
    if one.operation not in {"upsert", "tombstone"}:
        return Rejected(f"operation {one.operation!r} is not supported: records are written by upsert")
    if not is_name(one.object) or not is_name(one.key_field):
        return Rejected(
            f"the mapping's object {one.object!r} or key_field {one.key_field!r} is no API name", field="key_field"
        )
    return None


def _operation(rows: Sequence[Row]) -> str:
    return rows[0].deliveries[0].operation


def _code(result: Result) -> str:
    if isinstance(result, ConnectorError) or result.get("success") is True:
        return ""
    return faults(result.get("errors"))[0].code


def _writable(org: Org, object_: str) -> list[str]:
    described = object_info(object_, {object_: org.describe(object_) or {}})
    return [name for name, field in described.fields.items() if field.writable]
