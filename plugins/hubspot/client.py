"""The door to HubSpot: hubspot-api-client for authorisation, models and encoding, the hub's guard below it.

The api object is held for the life of a connection (each access of one of the client's properties builds a new one), its pool
is the guard (its own retries and its missing time-out play no part), and its answers are taken raw: its models turn every time
into an object that nobody reads, and hide that a 207 is a partial failure.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from hubspot import HubSpot
from hubspot.crm.objects import (
    ApiException,
    BatchInputSimplePublicObjectBatchInput,
    BatchInputSimplePublicObjectBatchInputUpsert,
    SimplePublicObjectBatchInput,
    SimplePublicObjectBatchInputUpsert,
)

from hub import ConnectorError, Context, Http, Unauthorised
from hub.sdk.http.adapters import PoolResponse, urllib3_pool
from plugins.hubspot.config import HubSpotOptions
from plugins.hubspot.translate import Input, error_of, type_id_of

# The dated API puts the version behind the name: /crm/objects/2026-03/contacts.
_LEGACY = {
    "objects": "/crm/v3/objects",
    "properties": "/crm/v3/properties",
    "associations": "/crm/v4/associations",
    "schemas": "/crm-object-schemas/v3/schemas",
    "account": "/account-info/v3/details",
}
_DATED = {
    "objects": "/crm/objects/{version}",
    "properties": "/crm/properties/{version}",
    "associations": "/crm/associations/{version}",
    "schemas": "/crm-object-schemas/{version}/schemas",
    "account": "/account-info/{version}/details",
}


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of HubSpot: header names are lower case, `body` is None where it is no JSON."""

    status: int
    headers: Mapping[str, str]
    body: Any


class HubSpotClient:
    """Calls of one account."""

    def __init__(self, options: HubSpotOptions, http: Http) -> None:
        self.options = options
        self.http = http
        door = HubSpot(
            access_token=options.token.get_secret_value(),
            host=options.base_url,
            api_factory=lambda package, name, config: _build_api(package, name, config, http),
        )
        self._api = door.crm.objects.batch_api.api_client

    def call(self, method: str, path: str, *, body: Any = None) -> Reply:
        """One call; any status is a Reply. Raises what the guard raises."""
        try:
            answer = self._api.call_api(
                path,
                method,
                header_params={"Accept": "application/json"},
                body=body,
                auth_settings=["oauth2"],
                _preload_content=False,
                _request_timeout=self.options.timeout,
            )
        except ApiException as refused:
            return _reply(refused.status, refused.headers, refused.body)
        return _reply(answer.status, answer.headers, answer.data)

    def ask(self, path: str, now: datetime, *, body: Any = None, zone: str | None = None) -> Any:
        """The JSON of a read (a POST where it has a body); raises the ConnectorError of any other answer than 2xx."""
        reply = self.call("GET" if body is None else "POST", path, body=body)
        if 200 <= reply.status < 300:
            return reply.body
        raise error_of(reply.status, reply.headers, reply.body, next_midnight(now, zone))

    def path(self, api: str, *segments: str) -> str:
        """A path of the version that the options name: `path("objects", "2-123", "batch/upsert")`; slashes stay."""
        version = self.options.api_version
        start = _LEGACY[api] if version.startswith("v") else _DATED[api].format(version=version)
        return "/".join([start, *(quote(segment, safe="/:") for segment in segments)])

    def upsert_body(self, inputs: Iterable[Input]) -> BatchInputSimplePublicObjectBatchInputUpsert:
        """A batch upsert's body; the configuration is handed in because each model would copy one for itself."""
        settings = self._api.configuration
        made = [
            SimplePublicObjectBatchInputUpsert(
                id=item.key,
                id_property=item.key_field,
                object_write_trace_id=item.trace,
                properties=dict(item.properties),
                local_vars_configuration=settings,
            )
            for item in inputs
        ]
        return BatchInputSimplePublicObjectBatchInputUpsert(inputs=made, local_vars_configuration=settings)

    def update_body(self, inputs: Iterable[Input]) -> BatchInputSimplePublicObjectBatchInput:
        """A batch update's body: records by their ids."""
        settings = self._api.configuration
        made = [
            SimplePublicObjectBatchInput(
                id=item.id,
                object_write_trace_id=item.trace,
                properties=dict(item.properties),
                local_vars_configuration=settings,
            )
            for item in inputs
        ]
        return BatchInputSimplePublicObjectBatchInput(inputs=made, local_vars_configuration=settings)


def next_midnight(now: datetime, zone: str | None) -> datetime:
    """The account's next midnight as UTC (UTC's own where the zone is unknown): daily limits start anew then."""
    try:
        place = ZoneInfo(zone or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        place = ZoneInfo("UTC")
    day = now.astimezone(place).date() + timedelta(days=1)
    return datetime.combine(day, time(), place).astimezone(UTC)


# ------------------------------------------------------------------------------------------------ account and links


def zone_of(options: HubSpotOptions, ctx: Context) -> str | None:
    """The account's time zone; what an earlier call learnt, never a call of its own (it may be over its limit)."""
    return options.time_zone or (ctx.state.get("account") or {}).get("timeZone")


def ask_account(client: HubSpotClient, ctx: Context) -> Mapping[str, Any]:
    """The account's own words about itself, kept for later; raises Unauthorised where it says nothing."""
    body = client.ask(client.path("account"), ctx.now())
    if not isinstance(body, Mapping) or not body.get("portalId"):
        raise Unauthorised("HubSpot did not say which account this token opens")
    ctx.state.set("account", {name: body.get(name) for name in ("portalId", "timeZone", "uiDomain", "accountType")})
    return body


def site_of(client: HubSpotClient, ctx: Context, object_: str) -> str | None:
    """The beginning of an object's record links; None where portal or object type id are unknown."""
    options = client.options
    account = {} if options.portal_id and options.app_url else _account(client, ctx)
    portal = options.portal_id or account.get("portalId")
    type_id = _type_id(client, ctx, options.type_of(object_))
    if not portal or not type_id:
        return None
    local = options.base_url if options.base_url.startswith("http://") else None
    site = options.app_url or local or f"https://{account.get('uiDomain') or 'app.hubspot.com'}"
    return f"{site.rstrip('/')}/contacts/{portal}/record/{type_id}"


def _account(client: HubSpotClient, ctx: Context) -> Mapping[str, Any]:
    """The account's portal id, zone and domain; asked once, empty where the token may not know."""
    known = ctx.state.get("account")
    if known is None:
        try:
            known = ask_account(client, ctx)
        except ConnectorError as error:
            ctx.log.warning("HubSpot did not describe the account, links are left out: %s", error)
            return {}
    return dict(known)


def _type_id(client: HubSpotClient, ctx: Context, type_: str) -> str | None:
    """The numeric type id that links want; a custom object's is asked for once."""
    known = ctx.state.get("type_ids") or {}
    if (found := type_id_of(type_, known)) is not None:
        return found
    try:
        body = client.ask(client.path("schemas", type_), ctx.now())
    except ConnectorError as error:
        ctx.log.warning("HubSpot did not tell the type id of %s, links are left out: %s", type_, error)
        return None
    known = {**known, type_: body.get("objectTypeId") if isinstance(body, Mapping) else None}
    ctx.state.set("type_ids", known)
    return type_id_of(type_, known)


class _ReadablePool:
    """The guard's pool; error bodies are made valid UTF-8, which the client decodes strictly."""

    def __init__(self, http: Http) -> None:
        self._pool = urllib3_pool(http)

    def request(self, method: str, url: str, **options: Any) -> PoolResponse:
        answer = self._pool.request(method, url, **options)
        return replace(answer, data=answer.data.decode("utf-8", "replace").encode())


def _build_api(package: Any, name: str, config: Mapping[str, Any], http: Http) -> Any:
    """An api object of the client whose pool is the guard."""
    settings = package.Configuration()
    settings.access_token, settings.host = config["access_token"], config["host"]
    client = package.ApiClient(configuration=settings)
    client.user_agent = "hubbub"
    client.rest_client.pool_manager = _ReadablePool(http)
    return getattr(package, name)(api_client=client)


def _reply(status: int, headers: Mapping[str, str] | None, data: bytes | str | None) -> Reply:
    try:
        body = json.loads(data) if data else None
    except (ValueError, RecursionError):
        body = None
    return Reply(status, {name.lower(): value for name, value in (headers or {}).items()}, body)
