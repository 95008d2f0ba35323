"""HubSpot as a destination: batches of upserts, an outcome for each record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any
from urllib.parse import urlsplit

from hub import (
    ConnectorError,
    Context,
    Delivery,
    Destination,
    Limit,
    ObjectInfo,
    Outcome,
    Rejected,
    RemoteRef,
    Request,
    Unavailable,
    Uncertain,
    Upsert,
    Usage,
)
from hub.sdk.batches import chunks, rounds
from hub.sdk.http.usage import count, usage_of
from plugins.hubspot import erasure, inbound, translate
from plugins.hubspot.client import HubSpotClient, Reply, ask_account, next_midnight, site_of, zone_of
from plugins.hubspot.config import HubSpotOptions
from plugins.hubspot.translate import Answer, Input, Written

BATCH = 100  # records of one call: HubSpot, "batch upsert"
BATCHES = 10  # batches of one delivery: their associations go in one call (HubSpot takes 2,000)
SPLITS = 30  # calls that may be spent to find what is wrong with a refused batch
OBJECTS = ("social_author", "social_signal", "contacts", "companies")
PEOPLES = frozenset({"contacts", "companies"})  # people merge and delete these: what is known is written by its id
GONE = "OBJECT_NOT_FOUND"
PATIENCE = 3  # attempts that wait for the index of merged records


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
    """Writes social authors and signals, contacts and companies; each is found by a unique property with the hub's key."""

    name = "hubspot"
    Options = HubSpotOptions
    idempotency = Upsert()
    batch_size = BATCH * BATCHES
    limits = (Limit(100, 10),)  # the smallest plan's: HubSpot, "Usage guidelines"
    mappings = "mappings:hubspot"
    sandbox = "plugins.hubspot.sandbox:build"
    capabilities = frozenset({"records", "tombstone", "inbound", "without_author"})

    def __init__(self, options: HubSpotOptions) -> None:
        super().__init__(options)
        self._held: HubSpotClient | None = None

    def usage(self, headers: Mapping[str, str]) -> Usage | None:
        """The window of ten seconds, or the day's where more of it is used."""
        return tighter(headers)

    def egress(self) -> tuple[str, ...]:
        """The API's host."""
        return (urlsplit(self.options.base_url).hostname or "",)

    def calls_of(self, object_: str, operation: str, count: int) -> int:
        """100 records a call, and one call for the associations of each delivery."""
        joins = self.options.associate and operation == "upsert" and object_ != self.options.author_object
        joined = -(-count // self.batch_size) if joins else 0
        return -(-count // BATCH) + joined

    def check(self, ctx: Context) -> str:
        """Which account the token opens."""
        account = ask_account(self._client(ctx), ctx)
        return f"account {account.get('portalId')} ({account.get('accountType')}, {account.get('timeZone')})"

    def describe(self, ctx: Context) -> Mapping[str, ObjectInfo]:
        """Contacts, companies, and the custom objects that exist in the account."""
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
            for part in chunks(deliveries, BATCH):
                outcomes += self._archive(ctx, object_, part)
        return outcomes

    def lookup(self, ctx: Context, delivery: Delivery) -> RemoteRef | None:
        """Find a record by its key: by the unique property, not by the search, whose index lags."""
        found = self._ids(ctx, delivery.object, [delivery]).get(delivery.record_key)
        return None if found is None else _ref(found, site_of(self._client(ctx), ctx, delivery.object))

    # ------------------------------------------------------------------------------------------------------- inbound

    def whoami(self, ctx: Context) -> str:
        """Our app's id, which events name as the source of what it changed."""
        return self.options.app_id or ""

    def verify(self, request: Request) -> bool:
        """Signature v3 with the app's secret."""
        secret = self.options.client_secret
        return secret is not None and inbound.is_genuine(request, secret.get_secret_value())

    def parse(self, body: bytes) -> Sequence[inbound.Told]:
        """The changes in a list of webhook events."""
        return inbound.changes_of(body, self.options.names)

    # ------------------------------------------------------------------------------------------------------- upserts

    def _upsert(self, ctx: Context, object_: str, deliveries: Sequence[Delivery]) -> list[Outcome]:
        inputs, refused = translate.inputs_of(deliveries)
        known, fresh = translate.known_of(inputs) if object_ in PEOPLES else ([], inputs)
        work = _Work(ctx, self._client(ctx), object_)
        # Two authors may have become one contact, and HubSpot refuses a batch in which a record stands twice.
        for apart in rounds(known, lambda item: item.id):
            for part in chunks(apart, BATCH):
                self._update(work, part)
        for part in chunks(fresh, BATCH):
            work.splits = SPLITS
            self._send_part(work, self._fill(work, part))
        self._associate(work, inputs)
        site = site_of(self._client(ctx), ctx, object_) if work.written else None
        outcomes = [_outcome(work, item, delivery, site) for item in inputs for delivery in item.deliveries]
        return outcomes + [Outcome.failed(item, refused[item.id]) for item in deliveries if item.id in refused]

    def _send(self, work: _Work, inputs: Sequence[Input]) -> None:
        """Send inputs and note what became of each; a refused batch is taken apart."""
        try:
            reply = self._post(work, inputs)
        except ConnectorError as error:
            work.fail(inputs, error)
            return
        if reply.status in {200, 201, 207}:
            self._take(work, reply, inputs)
        elif reply.status == 400 or (reply.status == 404 and inputs[0].id):
            self._take_apart(work, reply, inputs)
        else:
            work.fail(inputs, self._error(work.ctx, reply))

    def _post(self, work: _Work, inputs: Sequence[Input]) -> Reply:
        """The call: by id where that is known, else by key."""
        client = work.client
        verb, body = ("update", client.update_body) if inputs[0].id else ("upsert", client.upsert_body)
        path = client.path("objects", self.options.type_of(work.object), f"batch/{verb}")
        return client.call("POST", path, body=body(inputs))

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

    # ------------------------------------------------------------------------------------------ what belongs to people

    def _fill(self, work: _Work, part: Sequence[Input]) -> Sequence[Input]:
        """What is written once fills only what is empty, where somebody had made the record before us."""
        asked = [item for item in part if item.once]
        if not asked:
            return part
        names = sorted({name for item in asked for name in item.once})
        held: dict[str, Mapping[str, Any]] = {}
        try:
            for key_field in {item.key_field for item in asked}:
                keys = [item.key for item in asked if item.key_field == key_field]
                body = self._read(work.ctx, work.object, key_field, keys, properties=names)
                held.update(translate.held_by_key(body, key_field))
        except ConnectorError as error:
            work.fail(part, error)
            return ()
        return [translate.filling(item, held.get(item.key, {})) for item in part]

    def _update(self, work: _Work, inputs: Sequence[Input]) -> None:
        """Write known records by their ids; one that is gone went into another, or was deleted."""
        work.splits = SPLITS
        self._send(work, inputs)
        for item in inputs:
            error = work.errors.get(item.trace)
            if isinstance(error, Rejected) and error.code == GONE:
                del work.errors[item.trace]
                self._follow(work, item)

    def _follow(self, work: _Work, item: Input) -> None:
        """Write to the winner of a merge; what a person deleted is made anew under its key."""
        try:
            self._send(work, [replace(item, id=self._winner(work, item))])
        except ConnectorError as error:
            work.fail([item], error)

    def _winner(self, work: _Work, item: Input) -> str | None:
        """Where a record went: HubSpot forwards the ids of merged contacts, else a search knows them; None: deleted."""
        client, type_ = work.client, self.options.type_of(work.object)
        path = client.path("objects", type_, item.id or "")
        reply = client.call("GET", path)
        if reply.status == 200 and isinstance(reply.body, Mapping):
            return str(reply.body.get("id") or item.id)
        if reply.status != 404:
            raise self._error(work.ctx, reply)
        merged = {"propertyName": "hs_merged_object_ids", "operator": "CONTAINS_TOKEN", "value": item.id}
        wanted = {"filterGroups": [{"filters": [merged]}], "properties": ["hs_merged_object_ids"], "limit": 1}
        if found := translate.first_id(
            client.ask(client.path("objects", type_, "search"), work.ctx.now(), body=wanted)
        ):
            return found
        if client.call("GET", f"{path}?archived=true").status == 200 or item.deliveries[-1].attempt > PATIENCE:
            return None
        raise Unavailable("the record is gone, and the search knows no winner yet", retry_after=30, code=GONE)

    # -------------------------------------------------------------------------------------------------- associations

    def _associate(self, work: _Work, inputs: Sequence[Input]) -> None:
        """Associate new records with their authors, one call for each kind of author record.

        "New" is also what no earlier delivery has confirmed: a crash between upsert and association must not leave a gap; and
        people's records always are: a person has several authors, and each delivery may name another.
        The default association may be made again and again.
        """
        if not self.options.associate:
            return
        wanted: dict[str, list[tuple[Input, str]]] = {}
        for item in inputs:
            delivery = item.deliveries[-1]
            parent = delivery.parents.get("author")
            record = work.written.get(item.trace)
            is_new = record is not None and (record.new or delivery.ref is None or work.object in PEOPLES)
            if parent is not None and is_new:
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
        if object_ in PEOPLES:
            error = Rejected("this record belongs to the people who work with it: delete it in HubSpot", code="contact")
            return [Outcome.failed(item, error) for item in deliveries]
        client = self._client(ctx)
        known = self._ids(ctx, object_, [item for item in deliveries if item.ref is None])
        ids = {item.id: item.ref.id if item.ref else known.get(item.record_key) for item in deliveries}
        gone = sorted({id_ for id_ in ids.values() if id_ is not None})
        if gone:
            self._empty(ctx, object_, gone)
            path = client.path("objects", self.options.type_of(object_), "batch/archive")
            client.ask(path, ctx.now(), body={"inputs": [{"id": id_} for id_ in gone]}, zone=zone_of(self.options, ctx))
        return [Outcome.delivered(item, item.ref) for item in deliveries]

    def _empty(self, ctx: Context, object_: str, ids: Sequence[str]) -> None:
        """Take the words out of records; those that are gone already, or lack a property, are archived as they are."""
        body, client = erasure.blanks(object_, ids), self._client(ctx)
        if body["inputs"]:
            path = client.path("objects", self.options.type_of(object_), "batch/update")
            try:
                client.ask(path, ctx.now(), body=body, zone=zone_of(self.options, ctx))
            except Rejected as error:
                ctx.log.warning("records of %s are archived with their words: %s", object_, error)

    def _ids(self, ctx: Context, object_: str, deliveries: Sequence[Delivery]) -> dict[str, str]:
        """The ids of records by key; keys that do not exist are left out."""
        found = {}
        by_field = sorted(deliveries, key=lambda item: item.key_field)
        for key_field, group in groupby(by_field, lambda item: item.key_field):
            body = self._read(ctx, object_, key_field, [item.record_key for item in group])
            found.update(translate.ids_by_key(body, key_field))
        return found

    def _read(
        self, ctx: Context, object_: str, key_field: str, keys: Sequence[str], *, properties: Sequence[str] = ()
    ) -> Any:
        """A batch read of at most 100 records by key."""
        client = self._client(ctx)
        body = {
            "idProperty": key_field,
            "properties": [key_field, *properties],
            "propertiesWithHistory": [],
            "inputs": [{"id": key} for key in keys],
        }
        path = client.path("objects", self.options.type_of(object_), "batch/read")
        return client.ask(path, ctx.now(), body=body, zone=zone_of(self.options, ctx))

    # -------------------------------------------------------------------------------------------- account and links

    def _client(self, ctx: Context) -> HubSpotClient:
        """The client of this connection, held as long as the engine lends the same guard."""
        if self._held is None or self._held.http is not ctx.http:
            self._held = HubSpotClient(self.options, ctx.http)
        return self._held

    def _error(self, ctx: Context, reply: Reply) -> ConnectorError:
        return translate.error_of(
            reply.status, reply.headers, reply.body, next_midnight(ctx.now(), zone_of(self.options, ctx))
        )


def _ref(id_: str, site: str | None) -> RemoteRef:
    return RemoteRef(id_, f"{site}/{id_}" if site else None)


def _outcome(work: _Work, item: Input, delivery: Delivery, site: str | None) -> Outcome:
    if (error := work.errors.get(item.trace)) is not None:
        return Outcome.failed(delivery, error)
    return Outcome.delivered(delivery, _ref(work.written[item.trace].id, site))


def tighter(headers: Mapping[str, str]) -> Usage | None:
    """What the `X-HubSpot-RateLimit-*` headers tell: the rolling window, or the day where more of it is used."""
    told = {
        name: headers.get(f"x-hubspot-ratelimit-{name}") for name in ("max", "remaining", "daily", "daily-remaining")
    }
    span = count(headers.get("x-hubspot-ratelimit-interval-milliseconds"))
    window = usage_of(told["max"], told["remaining"], resets_in=(span or 10_000) / 1000)
    day = usage_of(told["daily"], told["daily-remaining"])
    if window is None or day is None:
        return window or day
    return day if day.left * window.limit < window.left * day.limit else window
