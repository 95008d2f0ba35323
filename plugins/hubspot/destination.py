"""HubSpot as a destination: batches of upserts, an outcome for each record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from urllib.parse import urlsplit

from hub import (
    Context,
    Delivery,
    Destination,
    Http,
    Limit,
    ObjectInfo,
    Outcome,
    Rejected,
    RemoteRef,
    Request,
    Upsert,
    Usage,
)
from hub.sdk.batches import chunks
from hub.sdk.http.api import Send
from hub.sdk.http.usage import count, usage_of
from plugins.hubspot import inbound, translate
from plugins.hubspot.client import HubSpotClient, ask_account, hubspot_way, site_of
from plugins.hubspot.config import HubSpotOptions
from plugins.hubspot.records import BATCH, HubSpotRecords, ref_of

BATCHES = 10  # batches of one delivery: their associations go in one call (HubSpot takes 2,000)
OBJECTS = ("social_author", "social_signal", "contacts", "companies")


class HubSpotDestination(Destination[HubSpotOptions]):
    """Writes social authors and signals, contacts and companies; each is found by a unique property with the hub's key."""

    name = "hubspot"
    Options = HubSpotOptions
    idempotency = Upsert()
    batch_size = BATCH * BATCHES
    limits = (Limit(100, 10),)  # the smallest plan's: HubSpot, "Usage guidelines"
    mappings = "mappings:hubspot"
    sandbox = "plugins.hubspot.sandbox:build"
    libraries = ("hubspot",)
    capabilities = frozenset({"records", "tombstone", "inbound", "without_author"})

    def __init__(self, options: HubSpotOptions) -> None:
        super().__init__(options)
        self._held: tuple[Http, Send] | None = None

    def usage(self, headers: Mapping[str, str]) -> Usage | None:
        """Return the window of ten seconds, or the day's if more of that is used."""
        return tighter(headers)

    def egress(self) -> tuple[str, ...]:
        """Return the API's host."""
        return (urlsplit(self.options.base_url).hostname or "",)

    def calls_of(self, object_: str, operation: str, count: int) -> int:
        """Count 100 records a call, and one call for the associations of each delivery."""
        joins = self.options.associate and operation == "upsert" and object_ != self.options.author_object
        joined = -(-count // self.batch_size) if joins else 0
        return -(-count // BATCH) + joined

    def check(self, ctx: Context) -> str:
        """Say which account the token opens."""
        account = ask_account(self._client(ctx))
        return f"account {account.get('portalId')} ({account.get('accountType')}, {account.get('timeZone')})"

    def describe(self, ctx: Context) -> Mapping[str, ObjectInfo]:
        """Return contacts, companies, and the custom objects that exist in the account."""
        client, found = self._client(ctx), {}
        for name in dict.fromkeys((*OBJECTS, *self.options.object_types)):
            try:
                answer = client.get(client.path("properties", self.options.type_of(name)))
            except Rejected as error:
                # 404, or 400 "Unable to infer object type from": a plan without custom objects, or none made yet.
                ctx.log.info("HubSpot has no object %s: %s", name, error)
                continue
            found[name] = translate.object_info(name, answer.doc)
        return found

    def deliver(self, ctx: Context, batch: Sequence[Delivery]) -> list[Outcome]:
        """Upsert (operation `upsert`) or archive (`tombstone`) records, 100 a call."""
        outcomes: list[Outcome] = []
        ordered = sorted(batch, key=lambda item: (item.object, item.operation))
        for (object_, operation), group in groupby(ordered, key=lambda item: (item.object, item.operation)):
            deliveries, records = list(group), HubSpotRecords(self._client(ctx), object_)
            if operation == "upsert":
                outcomes += records.upsert(deliveries)
            elif operation == "tombstone":
                outcomes += [one for part in chunks(deliveries, BATCH) for one in records.archive(part)]
            else:
                error = Rejected(f"HubSpot records are upserted, there is no operation {operation!r}", code="operation")
                outcomes += [Outcome.failed(item, error) for item in deliveries]
        return outcomes

    def lookup(self, ctx: Context, delivery: Delivery) -> RemoteRef | None:
        """Find a record by its key: by the unique property, not by the search, whose index lags."""
        client = self._client(ctx)
        found = HubSpotRecords(client, delivery.object).find([delivery]).get(delivery.record_key)
        return None if found is None else ref_of(found, site_of(client, delivery.object))

    # ------------------------------------------------------------------------------------------------------- inbound

    def whoami(self, ctx: Context) -> str:
        """Return our app's id, which events name as the source of what it changed."""
        return self.options.app_id or ""

    def verify(self, request: Request) -> bool:
        """Check signature v3 with the app's secret."""
        secret = self.options.client_secret
        return secret is not None and inbound.is_genuine(request, secret.get_secret_value())

    def parse(self, body: bytes) -> Sequence[inbound.Told]:
        """Return the changes in a list of webhook events."""
        return inbound.changes_of(body, self.options.names)

    def _client(self, ctx: Context) -> HubSpotClient:
        """Return the way in, held as long as the engine lends the same guard."""
        if self._held is None or self._held[0] is not ctx.http:
            self._held = ctx.http, hubspot_way(self.options, ctx.http)
        return HubSpotClient(self.options, ctx, self._held[1])


def tighter(headers: Mapping[str, str]) -> Usage | None:
    """Return what the `X-HubSpot-RateLimit-*` headers tell: the rolling window, or the day if more of that is used."""
    told = {
        name: headers.get(f"x-hubspot-ratelimit-{name}") for name in ("max", "remaining", "daily", "daily-remaining")
    }
    span = count(headers.get("x-hubspot-ratelimit-interval-milliseconds"))
    window = usage_of(told["max"], told["remaining"], resets_in=(span or 10_000) / 1000)
    day = usage_of(told["daily"], told["daily-remaining"])
    if window is None or day is None:
        return window or day
    return day if day.left * window.limit < window.left * day.limit else window
