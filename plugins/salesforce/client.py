"""The way into an org: simple-salesforce behind the guard, with an access token that is minted here and kept in memory.

simple-salesforce is given a session id, never credentials: its own renewal recurses without end on a lasting 401, forgets
the caller's headers and breaks on answers that are no list. It has no call for collections, so `restful` carries them.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode

import jwt
import requests
from simple_salesforce.api import Salesforce
from simple_salesforce.exceptions import SalesforceError
from simple_salesforce.format import format_soql

from hub import ConnectorError, Context, HttpResponse, RateLimited, Retryable, Unauthorised, Unavailable, Uncertain
from hub.sdk.batches import chunks
from hub.sdk.http.adapters import requests_session
from hub.sdk.http.errors import error_for, retry_after
from plugins.salesforce.config import SalesforceOptions
from plugins.salesforce.translate import EXPIRED, error_of, faults, is_name

COLLECTION = 200  # records of one collections request ("sObject Collections", REST API guide)
QUERIES = 5  # query requests inside one composite request
_JWT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_SAVE_DUPLICATES = {"Sforce-Duplicate-Rule-Header": "allowSave=true; includeRecordDetails=true; runAsCurrentUser=true"}


class Tokens:
    """The access token of a connection: minted when first needed, in this process's memory only."""

    def __init__(self, options: SalesforceOptions) -> None:
        self._options = options
        self._lock = threading.Lock()
        self._held = options.access_token.get_secret_value() if options.access_token else ""

    def current(self, ctx: Context) -> str:
        """The token in use."""
        with self._lock:
            if not self._held:
                self._held = self._mint(ctx)
            return self._held

    def renew(self, ctx: Context, spent: str) -> str:
        """A token in place of `spent`; threads that come with the same spent token share one new one."""
        if self._options.access_token:
            raise Unauthorised("the access token has expired, and nothing here may mint another", code=EXPIRED)
        with self._lock:
            if self._held in {"", spent}:
                self._held = self._mint(ctx)
            return self._held

    def _mint(self, ctx: Context) -> str:
        form = urlencode(self._grant(ctx)).encode("ascii")
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        url = f"{self._options.instance_url}/services/oauth2/token"
        try:
            answer = ctx.http.send("POST", url, headers=headers, content=form, timeout=self._options.timeout)
        except Uncertain as error:  # a token that nobody holds harms nobody: ask for another
            raise Unavailable(f"no answer from the token endpoint: {error}") from None
        return _token_of(answer, ctx.now())

    def _grant(self, ctx: Context) -> dict[str, str]:
        """The form of the flow that the options ask for ("OAuth 2.0 JWT Bearer Flow", "Client Credentials Flow")."""
        options = self._options
        if options.client_secret:
            secret = options.client_secret.get_secret_value()
            return {"grant_type": "client_credentials", "client_id": options.client_id or "", "client_secret": secret}
        claims = {
            "iss": options.client_id,
            "sub": options.username,
            "aud": options.audience or options.instance_url,
            "exp": int((ctx.now() + timedelta(minutes=3)).timestamp()),
        }
        try:
            return {"grant_type": _JWT, "assertion": jwt.encode(claims, self._private_key(), algorithm="RS256")}
        except (jwt.PyJWTError, ValueError, TypeError, OSError) as error:
            raise Unauthorised(f"the private key cannot sign: {type(error).__name__}") from None

    def _private_key(self) -> str:
        if self._options.private_key_file:
            return self._options.private_key_file.read_text("ascii")
        return self._options.private_key.get_secret_value() if self._options.private_key else ""


def _token_of(answer: HttpResponse, now: datetime) -> str:
    body = answer.json()
    token = body.get("access_token") if isinstance(body, dict) else None
    if answer.status == 200 and isinstance(token, str) and token:
        return token
    fault = faults(body if body is not None else answer.text)[0]
    message = f"no token: {fault.code} {fault.message}"
    if answer.status >= 500:
        raise Unavailable(message, code=fault.code)
    if answer.status == 429 or fault.code == "REQUEST_LIMIT_EXCEEDED" or "login rate exceeded" in fault.message:
        wait = retry_after(answer.headers, now)
        raise RateLimited(message, retry_after=60 if wait is None else wait, code=fault.code)
    raise Unauthorised(message, code=fault.code)


class Org:
    """One org for the length of one call of the engine.

    `usage` is the part of the day's API calls that is used up, in [0, 1], None before the first answer that tells; `calls`
    counts the calls made.
    """

    def __init__(self, options: SalesforceOptions, tokens: Tokens, ctx: Context) -> None:
        self._options = options
        self._tokens = tokens
        self._ctx = ctx
        plain = options.instance_url != options.tls_url
        self._session = requests_session(ctx.http, rewrite={options.tls_url: options.instance_url} if plain else None)
        self._session.hooks["response"].append(self._keep_headers)
        self._headers: Mapping[str, str] = {}
        self._renewed = False
        self.usage: float | None = None
        self.calls = 0

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """One REST call below `/services/data/vXX.X/`; the answer's JSON, None where there is none.

        A refused token is minted anew once in the life of this object, then Unauthorised is raised: a call never loops.
        """
        token = self._tokens.current(self._ctx)
        try:
            return self._send(token, method, path, body)
        except Unauthorised as error:
            if self._renewed or not _is_expired(error):
                raise
        self._renewed = True
        return self._send(self._tokens.renew(self._ctx, token), method, path, body)

    def _send(self, token: str, method: str, path: str, body: Any) -> Any:
        client = Salesforce(
            session_id=token, instance_url=self._options.tls_url, session=self._session, version=self._options.version
        )
        self.calls += 1
        more: dict[str, Any] = {} if body is None else {"json": body}
        headers = _SAVE_DUPLICATES if self._options.duplicate_rules == "save" else {}
        try:
            return client.restful(path, method=method, headers=headers, timeout=self._options.timeout, **more)
        except SalesforceError as error:
            raise self._error(error) from None
        except (requests.JSONDecodeError, TypeError):  # the library measures what it takes for a list or an object
            raise Unavailable("the answer is no JSON list or object") from None
        except requests.RequestException as error:
            raise Unavailable(f"{type(error).__name__} from the client") from None
        finally:
            self._note(client)

    def _error(self, error: SalesforceError) -> ConnectorError:
        meaning = error_of(faults(error.content), self._ctx.now(), status=error.status)
        # Salesforce itself sends no Retry-After, what stands before it may.
        if isinstance(meaning, RateLimited) and (wait := retry_after(self._headers, self._ctx.now())) is not None:
            meaning.retry_after = wait
        return meaning

    def _keep_headers(self, answer: requests.Response, *_: Any, **__: Any) -> None:
        self._headers = {name.lower(): value for name, value in answer.headers.items()}

    def _note(self, client: Salesforce) -> None:
        usage = client.api_usage.get("api-usage")
        if usage is not None and usage.total:
            self.usage = usage.used / usage.total

    def upsert(self, object_: str, key_field: str, records: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Up to 200 records of one object by external id, one call; one result each, in the order of the records."""
        return self._collection(f"composite/sobjects/{object_}/{key_field}", records)

    def update(self, records: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Up to 200 records by their `Id`, one call; one result each, in the order of the records."""
        return self._collection("composite/sobjects", records)

    def _collection(self, path: str, records: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        results = self.call("PATCH", path, {"allOrNone": False, "records": list(records)})
        items: list[Any] = results if isinstance(results, list) else []
        if len(items) != len(records) or not all(isinstance(one, dict) for one in items):
            raise Unavailable(f"the answer does not hold one result for each of {len(records)} records")
        return items

    def describe(self, object_: str) -> dict[str, Any] | None:
        """The object's describe, None where it is missing or hidden from this user."""
        try:
            found = self.call("GET", f"sobjects/{object_}/describe")
        except ConnectorError as error:
            if error.code == "NOT_FOUND":
                return None
            raise
        return found if isinstance(found, dict) else None

    def whoami(self) -> str:
        """Our user's id ("OpenID Connect user info"); "" where the token may not know it.

        A passing trouble is raised: the answer is kept, and unknown would be kept as well.
        """
        self.call("GET", "limits")  # renews a spent token; what follows goes beside the client
        headers = {"Authorization": f"Bearer {self._tokens.current(self._ctx)}"}
        url = f"{self._options.instance_url}/services/oauth2/userinfo"
        answer = self._ctx.http.send("GET", url, headers=headers, timeout=self._options.timeout)
        if isinstance(error := error_for(answer, self._ctx.now()), Retryable):
            raise error
        body = answer.json() if answer.status == 200 else None
        return str(body.get("user_id") or "") if isinstance(body, dict) else ""

    def query(self, soql: Sequence[str]) -> list[dict[str, Any]]:
        """The records of up to five queries, one call; raises the error of the first that failed."""
        found: list[dict[str, Any]] = []
        for body in self.pages(soql):
            if isinstance(body, ConnectorError):
                raise body
            found.extend(body.get("records") or ())
        return found

    def pages(self, soql: Sequence[str], resource: str = "query") -> list[dict[str, Any] | ConnectorError]:
        """The first page, or the error, of each of up to five queries, one call; `queryAll` finds deleted records too.

        SOQL goes in a body, since a URL of 16 KB is refused.
        """
        path = f"/services/data/v{self._options.version}/{resource}?q="
        parts = [{"method": "GET", "url": path + quote(one), "referenceId": f"q{i}"} for i, one in enumerate(soql)]
        answer = self.call("POST", "composite", {"compositeRequest": parts})
        answers = answer.get("compositeResponse") if isinstance(answer, dict) else None
        return [self._page(one) for one in answers or () if isinstance(one, dict)]

    def _page(self, one: Mapping[str, Any]) -> dict[str, Any] | ConnectorError:
        status, body = one.get("httpStatusCode", 500), one.get("body")
        if status == 200 and isinstance(body, dict):
            return body
        return error_of(faults(body), self._ctx.now(), status=status)

    def more(self, page: Mapping[str, Any]) -> dict[str, Any] | None:
        """The page after this one, None after the last."""
        where = str(page.get("nextRecordsUrl") or "").partition(f"/v{self._options.version}/")[2]
        found = self.call("GET", where) if where and page.get("done") is False else None
        return found if isinstance(found, dict) else None

    def find(self, object_: str, key_field: str, keys: Iterable[str]) -> dict[str, str]:
        """Record ids by key, of the keys that are there."""
        return {key: str(one["Id"]) for key, one in self.held(object_, key_field, keys).items()}

    def masters(self, object_: str, ids: Iterable[str]) -> dict[str, str]:
        """Where records went that were merged into others: the winner's id by theirs."""
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
        """Records with these fields by key, of the keys that are there; no keys, no call (an empty `IN ()` is malformed)."""
        columns = list(dict.fromkeys(("Id", key_field, *names)))
        if not all(map(is_name, (object_, *columns))):
            raise ValueError(f"no API names: {object_}, {columns}")
        select = f"SELECT {', '.join(columns)} FROM {object_} WHERE {key_field} "  # noqa: S608 - names are checked above, values quoted by format_soql
        soql = [format_soql(select + "IN {}", part) for part in chunks(list(keys), COLLECTION)]
        found: dict[str, dict[str, Any]] = {}
        for part in chunks(soql, QUERIES):
            for body in self.pages(part, resource):
                if isinstance(body, ConnectorError):
                    raise body
                found |= {str(one[key_field]): one for one in body.get("records") or ()}
        return found


def _is_expired(error: Unauthorised) -> bool:
    return error.code == EXPIRED or error.details.get("status") == 401
