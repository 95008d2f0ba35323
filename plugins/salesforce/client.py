"""The way into an org: simple-salesforce behind the sdk's `Api`, which mints and renews the access token.

simple-salesforce is given neither credentials nor token: its own renewal recurses without end on a lasting 401, forgets
the caller's headers and breaks on answers that are no list. It has no call for collections, so `restful` carries them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from hub import ConnectorError, Context, HttpResponse, Uncertain
from hub.sdk.batches import chunks
from hub.sdk.http.adapters import Tap, requests_session
from hub.sdk.http.api import Api, Send
from hub.sdk.http.auth import Auth, Bearer, ClientCredentials, JwtBearer, TokenEndpoint
from hub.sdk.http.errors import Effect, ErrorTable
from plugins.salesforce.config import SalesforceOptions
from plugins.salesforce.translate import EXPIRED, error_of, faults, is_name, usage_of

COLLECTION = 200  # records of one collections request ("sObject Collections", REST API guide)
QUERIES = 5  # query requests inside one composite request
_SAVE_DUPLICATES = {"Sforce-Duplicate-Rule-Header": "allowSave=true; includeRecordDetails=true; runAsCurrentUser=true"}


def auth_of(options: SalesforceOptions) -> Auth:
    """Return the flow that the options ask for ("OAuth 2.0 JWT Bearer Flow", "Client Credentials Flow"), or a fixed token."""
    if options.access_token:
        return Bearer(options.access_token.get_secret_value())
    busy = ("login rate exceeded", "REQUEST_LIMIT_EXCEEDED")
    endpoint = TokenEndpoint(url=f"{options.instance_url}/services/oauth2/token", busy=busy, timeout=options.timeout)
    if options.client_secret:
        return ClientCredentials(endpoint, options.client_id or "", options.client_secret.get_secret_value())
    claims = {"iss": options.client_id, "sub": options.username, "aud": options.audience or options.instance_url}
    return JwtBearer(endpoint, options.read_key, claims)


def salesforce_way(options: SalesforceOptions, ctx: Context) -> Send:
    """Send through simple-salesforce; its session is not thread-safe, so each call of the engine has its own."""
    from simple_salesforce.api import Salesforce  # noqa: PLC0415 - imported when first needed

    tap = Tap(ctx.http)
    plain = options.instance_url != options.tls_url
    session = requests_session(tap, rewrite={options.tls_url: options.instance_url} if plain else None)
    door: Any = {"session_id": "unused", "instance_url": options.tls_url, "object_pairs_hook": None}
    client = Salesforce(session=session, version=options.version, **door)

    def send(
        method: str, url: str, *, headers: Mapping[str, str], content: bytes | None, timeout: float | None
    ) -> HttpResponse:
        path, more = url.partition(f"/v{options.version}/")[2], {"data": content, "timeout": timeout}
        call: Any = client.restful
        # What it raises over answers that are no JSON is ignored.
        return tap.take(
            lambda: call(path, method=method, headers=dict(headers), **more), ignore=(ValueError, TypeError)
        )

    return send


class Org:
    """One org for the length of one call of the engine.

    `usage` is the part of the day's API calls that is used up, in [0, 1], None before the first answer that tells.
    """

    def __init__(self, options: SalesforceOptions, auth: Auth, ctx: Context) -> None:
        self._options, self._auth, self._ctx = options, auth, ctx
        errors = ErrorTable(
            vendor="Salesforce",
            hint="is instance_url the org's My Domain?",
            expired=frozenset({EXPIRED}),
            judge=self._judge,
        )
        self._api = Api(
            ctx,
            f"{options.instance_url}/services/data/v{options.version}",
            auth=auth,
            errors=errors,
            headers=_SAVE_DUPLICATES if options.duplicate_rules == "save" else {},
            timeout=options.timeout,
            via=salesforce_way(options, ctx),
        )
        self.usage: float | None = None

    def call(self, method: str, path: str, body: Any = None, *, effect: Effect = "again") -> Any:
        """Make one REST call below `/services/data/vXX.X/`; return the answer's JSON, None if there is none."""
        answer = self._api.call(method, path, body=body, effect="reads" if method == "GET" else effect)
        usage = usage_of(answer.headers)
        self.usage = usage.used / usage.limit if usage else self.usage
        return answer.data

    def _judge(self, error: ConnectorError, answer: HttpResponse) -> ConnectorError:
        if 300 < answer.status < 400:
            return error
        body = answer.json()
        return error_of(faults(answer.text if body is None else body), self._ctx.now(), status=answer.status)

    def upsert(self, object_: str, key_field: str, records: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Upsert up to 200 records of one object by external id, one call; one result each, in the order of the records."""
        return self._collection(f"composite/sobjects/{object_}/{key_field}", records)

    def update(self, records: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Update up to 200 records by their `Id`, one call; one result each, in the order of the records."""
        return self._collection("composite/sobjects", records)

    def _collection(self, path: str, records: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        results = self.call("PATCH", path, {"allOrNone": False, "records": list(records)})
        items: list[Any] = results if isinstance(results, list) else []
        if len(items) != len(records) or not all(isinstance(one, dict) for one in items):
            raise Uncertain(f"the answer does not hold one result for each of {len(records)} records")
        return items

    def describe(self, object_: str) -> dict[str, Any] | None:
        """Return the object's describe, None if it is missing or hidden from this user."""
        try:
            found = self.call("GET", f"sobjects/{object_}/describe")
        except ConnectorError as error:
            if error.code == "NOT_FOUND":
                return None
            raise
        return found if isinstance(found, dict) else None

    def whoami(self) -> str:
        """Return our user's id ("OpenID Connect user info"); "" if the token may not know it.

        A passing trouble is raised: the answer is kept, and unknown would be kept as well.
        """
        self.call("GET", "limits")  # renews a spent token; what follows goes beside the client
        aside = Api(self._ctx, self._options.instance_url, auth=self._auth, timeout=self._options.timeout)
        answer = aside.get("services/oauth2/userinfo", also=(400, 401, 403, 404))
        return answer.doc.id("user_id") if answer.status == 200 else ""

    def query(self, soql: Sequence[str]) -> list[dict[str, Any]]:
        """Return the records of up to five queries, one call. Raises the error of the first that failed."""
        found: list[dict[str, Any]] = []
        for body in self.pages(soql):
            if isinstance(body, ConnectorError):
                raise body
            found.extend(body.get("records") or ())
        return found

    def pages(self, soql: Sequence[str], resource: str = "query") -> list[dict[str, Any] | ConnectorError]:
        """Return the first page, or the error, of each of up to five queries, one call; `queryAll` finds deleted records too.

        SOQL goes in a body, since a URL of 16 KB is refused.
        """
        path = f"/services/data/v{self._options.version}/{resource}?q="
        parts = [{"method": "GET", "url": path + quote(one), "referenceId": f"q{i}"} for i, one in enumerate(soql)]
        answer = self.call("POST", "composite", {"compositeRequest": parts}, effect="reads")
        answers = answer.get("compositeResponse") if isinstance(answer, dict) else None
        return [self._page(one) for one in answers or () if isinstance(one, dict)]

    def _page(self, one: Mapping[str, Any]) -> dict[str, Any] | ConnectorError:
        status, body = one.get("httpStatusCode", 500), one.get("body")
        if status == 200 and isinstance(body, dict):
            return body
        return error_of(faults(body), self._ctx.now(), status=status)

    def more(self, page: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return the page after this one, None after the last."""
        where = str(page.get("nextRecordsUrl") or "").partition(f"/v{self._options.version}/")[2]
        found = self.call("GET", where) if where and page.get("done") is False else None
        return found if isinstance(found, dict) else None

    def find(self, object_: str, key_field: str, keys: Iterable[str]) -> dict[str, str]:
        """Return record ids by key, of the keys that are there."""
        return {key: str(one["Id"]) for key, one in self.held(object_, key_field, keys).items()}

    def masters(self, object_: str, ids: Iterable[str]) -> dict[str, str]:
        """Tell which records were merged into others: the winner's id by theirs."""
        gone = self.held(object_, "Id", ids, names=("MasterRecordId",), resource="queryAll")
        return {id_: str(one["MasterRecordId"]) for id_, one in gone.items() if one.get("MasterRecordId")}

    def held(
        self,
        object_: str,
        key_field: str,
        keys: Iterable[str],
        *,
        names: Iterable[str] = (),
        resource: str = "query",
    ) -> dict[str, dict[str, Any]]:
        """Return records with these fields by key, of keys that are there; no keys, no call (an empty `IN ()` is malformed)."""
        columns = list(dict.fromkeys(("Id", key_field, *names)))
        if not all(map(is_name, (object_, *columns))):
            raise ValueError(f"no API names: {object_}, {columns}")
        from simple_salesforce.format import format_soql  # noqa: PLC0415 - imported when first needed

        select = f"SELECT {', '.join(columns)} FROM {object_} WHERE {key_field} "  # noqa: S608 - names are checked above, values quoted by format_soql
        soql = [format_soql(select + "IN {}", part) for part in chunks(list(keys), COLLECTION)]
        found: dict[str, dict[str, Any]] = {}
        for part in chunks(soql, QUERIES):
            for body in self.pages(part, resource):
                if isinstance(body, ConnectorError):
                    raise body
                found |= {str(one[key_field]): one for one in body.get("records") or ()}
        return found
