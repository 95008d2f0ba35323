"""HubSpot as a destination: batches of upserts, an outcome for each record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any
from urllib.parse import urlsplit

from hub import (
    ConnectorError,
    Context,
    Delivery,
    Destination,
    ObjectInfo,
    Outcome,
    Rejected,
    RemoteRef,
    Unauthorised,
    Unavailable,
    Uncertain,
    Upsert,
)
from plugins.hubspot import translate
from plugins.hubspot.client import HubSpotClient, Reply, next_midnight
from plugins.hubspot.config import HubSpotOptions
from plugins.hubspot.translate import Answer, Input, Written

BATCH = 100  # records of one call: HubSpot, "batch upsert"
BATCHES = 10  # batches of one delivery: their associations go in one call (HubSpot takes 2,000)
SPLITS = 30  # calls that may be spent to find what is wrong with a refused batch
OBJECTS = ("social_author", "social_signal", "contacts")


@dataclass(slots=True)
class _Work:
    """A batch on its way: what is needed for every call, and what has come of it."""

    ctx: Context
    client: HubSpotClient
    object: str
    written: dict[str, Written] = field(default_factory=dict)
    errors: dict[str, ConnectorError] = field(default_factory=dict)
    splits: int = SPLITS

    def take(self, answer: Answer) -> None:
        """Add what an answer says."""
        self.written.update(answer.written)
        self.errors.update(answer.errors)

    def fail(self, inputs: Sequence[Input], error: ConnectorError) -> None:
        """The same error for all of these."""
        self.errors.update({item.trace: error for item in inputs})


class HubSpotDestination(Destination[HubSpotOptions]):
    """Writes social authors, social signals and contacts; each is found by a unique property that holds the hub's key."""

    name = "hubspot"
    Options = HubSpotOptions
    idempotency = Upsert()
    batch_size = BATCH * BATCHES
    mappings = "mappings:hubspot"
    sandbox = "plugins.hubspot.sandbox:build"
    capabilities = frozenset({"records"})

    def __init__(self, options: HubSpotOptions) -> None:
        super().__init__(options)
        self._held: HubSpotClient | None = None

    def egress(self) -> tuple[str, ...]:
        """The API's host."""
        return (urlsplit(self.options.base_url).hostname or "",)

    def check(self, ctx: Context) -> str:
        """Which account the token opens."""
        account = self._ask_account(ctx)
        return f"account {account.get('portalId')} ({account.get('accountType')}, {account.get('timeZone')})"

    def describe(self, ctx: Context) -> Mapping[str, ObjectInfo]:
        """Contacts, and the custom objects that exist in the account."""
        found = {}
        for name in dict.fromkeys((*OBJECTS, *self.options.object_types)):
            try:
                found[name] = self._describe(ctx, name)
            except Rejected as error:
                # 404, or 400 "Unable to infer object type from": a plan without custom objects, or none made yet.
                ctx.log.info("HubSpot has no object %s: %s", name, error)
        return found

    def _describe(self, ctx: Context, name: str) -> ObjectInfo:
        client = self._client(ctx)
        return translate.object_info(name, client.ask(client.path("properties", self.options.type_of(name)), ctx.now()))

    def deliver(self, ctx: Context, batch: Sequence[Delivery]) -> list[Outcome]:
        """Upsert (operation `upsert`) or archive (`tombstone`) records, 100 a call."""
        outcomes: list[Outcome] = []
        ordered = sorted(batch, key=lambda item: (item.object, item.operation))
        for (object_, operation), group in groupby(ordered, key=lambda item: (item.object, item.operation)):
            deliveries = list(group)
            if operation not in {"upsert", "tombstone"}:
                error = Rejected(f"HubSpot records are upserted, there is no operation {operation!r}", code="operation")
                outcomes += [Outcome.failed(item, error) for item in deliveries]
                continue
            if operation == "upsert":
                outcomes += self._upsert(ctx, object_, deliveries)
                continue
            for start in range(0, len(deliveries), BATCH):
                outcomes += self._archive(ctx, object_, deliveries[start : start + BATCH])
        return outcomes

    def lookup(self, ctx: Context, delivery: Delivery) -> RemoteRef | None:
        """Find a record by its key: by the unique property, not by the search, whose index lags."""
        found = self._ids(ctx, delivery.object, [delivery]).get(delivery.record_key)
        return None if found is None else _ref(found, self._site(ctx, delivery.object))

    # ------------------------------------------------------------------------------------------------------- upserts

    def _upsert(self, ctx: Context, object_: str, deliveries: Sequence[Delivery]) -> list[Outcome]:
        inputs, refused = translate.inputs_of(deliveries)
        work = _Work(ctx, self._client(ctx), object_)
        for start in range(0, len(inputs), BATCH):
            work.splits = SPLITS
            self._send(work, inputs[start : start + BATCH])
        self._associate(work, inputs)
        site = self._site(ctx, object_) if work.written else None
        outcomes = [_outcome(work, item, delivery, site) for item in inputs for delivery in item.deliveries]
        return outcomes + [Outcome.failed(item, refused[item.id]) for item in deliveries if item.id in refused]

    def _send(self, work: _Work, inputs: Sequence[Input]) -> None:
        """Send inputs and note what became of each; a refused batch is taken apart."""
        try:
            path = work.client.path("objects", self.options.type_of(work.object), "batch/upsert")
            reply = work.client.call("POST", path, body=work.client.upsert_body(inputs))
        except ConnectorError as error:
            work.fail(inputs, error)
            return
        if reply.status in {200, 201, 207}:
            self._take(work, reply, inputs)
        elif reply.status == 400:
            self._take_apart(work, reply, inputs)
        else:
            work.fail(inputs, self._error(work.ctx, reply))

    def _take(self, work: _Work, reply: Reply, inputs: Sequence[Input]) -> None:
        """Read a good answer; one that is no JSON leaves it open what was written."""
        if not isinstance(reply.body, Mapping):
            work.fail(inputs, Uncertain(f"HubSpot answered {reply.status} without readable JSON"))
            return
        work.take(translate.answer_of(reply.body, inputs))

    def _take_apart(self, work: _Work, reply: Reply, inputs: Sequence[Input]) -> None:
        """Keep one bad record from failing all: set aside those that the answer names, else halve the batch.

        One culprit in 100 costs 14 calls; what is not settled within `SPLITS` calls is left for the next attempt.
        """
        culprits = translate.culprits_of(reply.body, inputs)
        work.errors.update(culprits)
        rest = [item for item in inputs if item.trace not in culprits]
        if len(inputs) == 1 and rest:
            work.fail(rest, self._error(work.ctx, reply))
        elif rest:
            middle = len(rest) if culprits else (len(rest) + 1) // 2
            for part in (rest[:middle], rest[middle:]):
                self._send_part(work, part)

    def _send_part(self, work: _Work, part: Sequence[Input]) -> None:
        if not part:
            return
        if work.splits <= 0:
            work.fail(part, Unavailable("the batch was refused and not yet taken apart", code="batch_refused"))
            return
        work.splits -= 1
        self._send(work, part)

    # -------------------------------------------------------------------------------------------------- associations

    def _associate(self, work: _Work, inputs: Sequence[Input]) -> None:
        """Associate new records with their authors, one call for each kind of author record.

        "New" is also what no earlier delivery has confirmed: a crash between upsert and association must not leave a gap.
        The default association may be made again and again.
        """
        if not self.options.associate:
            return
        wanted: dict[str, list[tuple[Input, str]]] = {}
        for item in inputs:
            delivery = item.deliveries[-1]
            parent = delivery.parents.get("author")
            record = work.written.get(item.trace)
            if parent is not None and record is not None and (record.new or delivery.ref is None):
                type_ = translate.type_in_url(parent.url) or self.options.type_of(self.options.author_object)
                wanted.setdefault(type_, []).append((item, parent.id))
        for type_, pairs in wanted.items():
            self._link(work, type_, pairs)

    def _link(self, work: _Work, type_: str, pairs: Sequence[tuple[Input, str]]) -> None:
        """One batch call; a record without its association is not delivered."""
        client = work.client
        path = client.path("associations", self.options.type_of(work.object), type_, "batch/associate/default")
        links = [{"from": {"id": work.written[item.trace].id}, "to": {"id": parent}} for item, parent in pairs]
        try:
            reply = client.call("POST", path, body={"inputs": links})
        except ConnectorError as error:
            work.fail([item for item, _ in pairs], error)
            return
        failed = translate.failed_links(reply.body) if reply.status in {200, 201, 207} else None
        for item, _ in pairs:
            refused = self._error(work.ctx, reply) if failed is None else failed.get(work.written[item.trace].id)
            if refused is not None:
                work.fail([item], refused)

    # ------------------------------------------------------------------------------------------------------ deletion

    def _archive(self, ctx: Context, object_: str, deliveries: Sequence[Delivery]) -> list[Outcome]:
        """Move records to the recycling bin (204 also where they are there already)."""
        if object_ == "contacts":
            error = Rejected("a contact belongs to the people who work with it: delete it in HubSpot", code="contact")
            return [Outcome.failed(item, error) for item in deliveries]
        client = self._client(ctx)
        known = self._ids(ctx, object_, [item for item in deliveries if item.ref is None])
        ids = {item.id: item.ref.id if item.ref else known.get(item.record_key) for item in deliveries}
        gone = sorted({id_ for id_ in ids.values() if id_ is not None})
        if gone:
            path = client.path("objects", self.options.type_of(object_), "batch/archive")
            client.ask(path, ctx.now(), body={"inputs": [{"id": id_} for id_ in gone]}, zone=self._zone(ctx))
        return [Outcome.delivered(item, item.ref) for item in deliveries]

    def _ids(self, ctx: Context, object_: str, deliveries: Sequence[Delivery]) -> dict[str, str]:
        """The ids of records by key; keys that do not exist are left out."""
        client, found = self._client(ctx), {}
        for key_field, group in groupby(
            sorted(deliveries, key=lambda item: item.key_field), lambda item: item.key_field
        ):
            body = {
                "idProperty": key_field,
                "properties": [key_field],
                "propertiesWithHistory": [],
                "inputs": [{"id": item.record_key} for item in group],
            }
            path = client.path("objects", self.options.type_of(object_), "batch/read")
            found.update(translate.ids_by_key(client.ask(path, ctx.now(), body=body, zone=self._zone(ctx)), key_field))
        return found

    # -------------------------------------------------------------------------------------------- account and links

    def _client(self, ctx: Context) -> HubSpotClient:
        """The client of this connection, held as long as the engine lends the same guard."""
        if self._held is None or self._held.http is not ctx.http:
            self._held = HubSpotClient(self.options, ctx.http)
        return self._held

    def _error(self, ctx: Context, reply: Reply) -> ConnectorError:
        return translate.error_of(reply.status, reply.headers, reply.body, next_midnight(ctx.now(), self._zone(ctx)))

    def _zone(self, ctx: Context) -> str | None:
        """The account's time zone; what an earlier call learnt, never a call of its own (it may be over its limit)."""
        return self.options.time_zone or (ctx.state.get("account") or {}).get("timeZone")

    def _ask_account(self, ctx: Context) -> Mapping[str, Any]:
        client = self._client(ctx)
        body = client.ask(client.path("account"), ctx.now())
        if not isinstance(body, Mapping) or not body.get("portalId"):
            raise Unauthorised("HubSpot did not say which account this token opens")
        ctx.state.set("account", {name: body.get(name) for name in ("portalId", "timeZone", "uiDomain", "accountType")})
        return body

    def _account(self, ctx: Context) -> Mapping[str, Any]:
        """The account's portal id, zone and domain; asked once, empty where the token may not know."""
        known = ctx.state.get("account")
        if known is None:
            try:
                known = self._ask_account(ctx)
            except ConnectorError as error:
                ctx.log.warning("HubSpot did not describe the account, links are left out: %s", error)
                return {}
        return dict(known)

    def _site(self, ctx: Context, object_: str) -> str | None:
        """The beginning of an object's record links; None where portal or object type id are unknown."""
        options = self.options
        account = {} if options.portal_id and options.app_url else self._account(ctx)
        portal = options.portal_id or account.get("portalId")
        type_id = self._type_id(ctx, options.type_of(object_))
        if not portal or not type_id:
            return None
        local = options.base_url if options.base_url.startswith("http://") else None
        site = options.app_url or local or f"https://{account.get('uiDomain') or 'app.hubspot.com'}"
        return f"{site.rstrip('/')}/contacts/{portal}/record/{type_id}"

    def _type_id(self, ctx: Context, type_: str) -> str | None:
        """The numeric type id that links want; a custom object's is asked for once."""
        known = ctx.state.get("type_ids") or {}
        if (found := translate.type_id_of(type_, known)) is not None:
            return found
        client = self._client(ctx)
        try:
            body = client.ask(client.path("schemas", type_), ctx.now())
        except ConnectorError as error:
            ctx.log.warning("HubSpot did not tell the type id of %s, links are left out: %s", type_, error)
            return None
        known = {**known, type_: body.get("objectTypeId") if isinstance(body, Mapping) else None}
        ctx.state.set("type_ids", known)
        return translate.type_id_of(type_, known)


def _ref(id_: str, site: str | None) -> RemoteRef:
    return RemoteRef(id_, f"{site}/{id_}" if site else None)


def _outcome(work: _Work, item: Input, delivery: Delivery, site: str | None) -> Outcome:
    if (error := work.errors.get(item.trace)) is not None:
        return Outcome.failed(delivery, error)
    return Outcome.delivered(delivery, _ref(work.written[item.trace].id, site))
