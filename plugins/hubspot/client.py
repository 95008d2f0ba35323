"""The way into HubSpot: hubspot-api-client behind the sdk's `Api`, the hub's guard below both.

The client is held for the life of a connection (each access of one of its properties builds a new one). Its pool is the guard,
so that its own retries and its missing time-out play no part, and answers are taken raw: its models turn every time into an
object that we do not read, and hide that a 207 is a partial failure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import msgspec

from hub import ConnectorError, Context, Http, HttpResponse, QuotaExhausted, Retryable, Unauthorised, Unavailable
from hub.sdk.doc import Doc
from hub.sdk.http.adapters import Tap, urllib3_pool
from hub.sdk.http.api import Api, ApiAnswer, Send
from hub.sdk.http.auth import Bearer
from hub.sdk.http.errors import Effect, ErrorTable, error_of_kind
from hub.sdk.rates import next_midnight
from plugins.hubspot import translate
from plugins.hubspot.config import HubSpotOptions

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
# HubSpot, "error handling": 409 is about a record, 423 locked and 477 (the account is being moved) about the account.
_MEANINGS: Mapping[int | str, type[ConnectorError]] = {409: Retryable, 423: Unavailable, 477: Unavailable}


class HubSpotClient:
    """Calls of one account, for the length of a call of the engine; `zone` is the account's, as far as it is known."""

    def __init__(self, options: HubSpotOptions, ctx: Context, way: Send | None = None) -> None:
        self.options = options
        self.ctx = ctx
        self.refusals: dict[ConnectorError, Any] = {}
        errors = ErrorTable(
            vendor="HubSpot", hint="is base_url right?", read=translate.refusal, meanings=_MEANINGS, judge=self._judge
        )
        token = Bearer(options.token.get_secret_value())
        way = way or hubspot_way(options, ctx.http)
        self._api = Api(ctx, options.base_url, auth=token, errors=errors, timeout=options.timeout, via=way)

    def get(self, path: str, **more: Any) -> ApiAnswer:
        """Read."""
        return self._api.get(path, **more)

    def post(self, path: str, body: Any, *, effect: Effect = "again") -> ApiAnswer:
        """Write what may be written again, or search ("reads")."""
        return self._api.post(path, body, effect=effect)

    def path(self, api: str, *segments: str) -> str:
        """Return a path of the version that the options name: `path("objects", "2-123", "batch/upsert")`; slashes stay."""
        version = self.options.api_version
        start = _LEGACY[api] if version.startswith("v") else _DATED[api].format(version=version)
        return "/".join([start, *(quote(segment, safe="/:") for segment in segments)])

    def _judge(self, error: ConnectorError, answer: HttpResponse) -> ConnectorError:
        """Tell limits and missing rights apart, and keep the whole refusal: it may name the records at fault."""
        doc = Doc(answer.json())
        found = self._judged(error, answer.status, doc)
        found.details["correlation_id"] = doc.id("correlationId") or answer.headers.get("x-hubspot-correlation-id", "")
        self.refusals[found] = doc.data
        return found

    def _judged(self, error: ConnectorError, status: int, doc: Doc) -> ConnectorError:
        """Tell a daily limit, which parks until midnight, from a rolling one, which waits for its window ("usage guidelines")."""
        now, policy = self.ctx.now(), doc.id("policyName")
        wait = error.retry_after if isinstance(error, Retryable) else None
        if status == 429 and policy.startswith("DAILY"):
            until = next_midnight(now, zone_of(self.options, self.ctx))
            return QuotaExhausted(str(error), until=until, code=policy, details=error.details)
        if status in (423, 429) and wait is None:
            wait = 2.0 if status == 423 else 10.0 if policy.startswith("TEN") else 1.0
            return error_of_kind(type(error), str(error), code=error.code, details=error.details, wait=wait, now=now)
        if status == 403 and translate.lacks_right(doc):
            text = f"{error}{translate.scopes_in(doc)}"
            return Unauthorised(text, code=error.code, details=error.details)
        return error


def hubspot_way(options: HubSpotOptions, http: Http) -> Send:
    """Send through HubSpot's client; may be used by many threads."""
    from hubspot import HubSpot  # noqa: PLC0415 - imported when first needed

    tap = Tap(http)
    pool = urllib3_pool(tap)

    def build(package: Any, name: str, config: Mapping[str, Any]) -> Any:
        settings = package.Configuration()
        settings.host = config["host"]
        client = package.ApiClient(configuration=settings)
        client.user_agent, client.rest_client.pool_manager = "hubbub", pool
        return getattr(package, name)(api_client=client)

    door = HubSpot(access_token="unused", host=options.base_url, api_factory=build)  # noqa: S106 - `Api` brings its own
    client = door.crm.objects.batch_api.api_client

    def send(
        method: str, url: str, *, headers: Mapping[str, str], content: bytes | None, timeout: float | None
    ) -> HttpResponse:
        path, body = url.removeprefix(options.base_url), msgspec.json.decode(content) if content else None
        more = {"header_params": dict(headers), "_preload_content": False, "_request_timeout": timeout}
        return tap.take(lambda: client.call_api(path, method, body=body, **more))

    return send


# ------------------------------------------------------------------------------------------------ account and links


def zone_of(options: HubSpotOptions, ctx: Context) -> str | None:
    """Return the account's time zone; what an earlier call learnt, never a call of its own (it may be over its limit)."""
    return options.time_zone or (ctx.state.get("account") or {}).get("timeZone")


def ask_account(client: HubSpotClient) -> Mapping[str, Any]:
    """Return the account's own words about itself, kept for later. Raises Unauthorised if it says nothing."""
    doc = client.get(client.path("account")).doc
    if not doc.id("portalId"):
        raise Unauthorised("HubSpot did not say which account this token opens")
    account = {name: doc.get(name) for name in ("portalId", "timeZone", "uiDomain", "accountType")}
    client.ctx.state.set("account", account)
    return account


def site_of(client: HubSpotClient, object_: str) -> str | None:
    """Return the beginning of an object's record links; None if portal or object type id are unknown."""
    options = client.options
    account = {} if options.portal_id and options.app_url else _account(client)
    portal = options.portal_id or account.get("portalId")
    type_id = _type_id(client, options.type_of(object_))
    if not portal or not type_id:
        return None
    local = options.base_url if options.base_url.startswith("http://") else None
    site = options.app_url or local or f"https://{account.get('uiDomain') or 'app.hubspot.com'}"
    return f"{site.rstrip('/')}/contacts/{portal}/record/{type_id}"


def _account(client: HubSpotClient) -> Mapping[str, Any]:
    """Return the account's portal id, zone and domain; asked once, empty if the token may not know."""
    known = client.ctx.state.get("account")
    if known is None:
        try:
            known = ask_account(client)
        except ConnectorError as error:
            client.ctx.log.warning("HubSpot did not describe the account, links are left out: %s", error)
            return {}
    return dict(known)


def _type_id(client: HubSpotClient, type_: str) -> str | None:
    """Return the numeric type id that links want; a custom object's is asked for once."""
    ctx = client.ctx
    known = ctx.state.get("type_ids") or {}
    if (found := translate.type_id_of(type_, known)) is not None:
        return found
    try:
        id_ = client.get(client.path("schemas", type_)).doc.text("objectTypeId")
    except ConnectorError as error:
        ctx.log.warning("HubSpot did not tell the type id of %s, links are left out: %s", type_, error)
        return None
    ctx.state.set("type_ids", {**known, type_: id_})
    return id_
