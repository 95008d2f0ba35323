"""The way into Zendesk: zenpy over the hub's guard, with its defects kept out.

zenpy 2.0.57 sleeps in its thread on 429, takes no header for one call, sends a datetime as a date and has no endpoints for custom
objects. So every answer that is no success becomes our error before zenpy sees it, and calls go through its `_call_api`.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from threading import Lock
from typing import Any

import msgspec
from zenpy import Zenpy

from hub.core.errors import ConnectorError, Rejected, Retryable, Unauthorised, Unavailable, Uncertain
from hub.sdk.connectors import Context, Http, HttpResponse
from hub.sdk.http.adapters import requests_session
from hub.sdk.http.errors import error_for
from plugins.zendesk import translate
from plugins.zendesk.config import ZendeskOptions

PAGES = 100
_ENDED = frozenset({"completed", "failed", "killed"})
_SCOPE = ("scope", "invalid_token", "unauthorized")

# At DEBUG zenpy formats every body into its log line: people's words have no place there.
logging.getLogger("zenpy.lib.api").setLevel(logging.INFO)


def error_of(answer: HttpResponse, method: str, now: datetime) -> ConnectorError:
    """What an answer that is no success means (Zendesk docs, "Status codes", "Rate limits", "OAuth scopes").

    A 5xx other than 503 on PUT is Uncertain: the comment may have been written. Everything else that we write is idempotent.
    """
    status = answer.status
    generic = error_for(answer, now)
    if generic is None:  # a redirect: a wrong subdomain answers so, and a POST that follows it becomes a GET
        return Rejected(f"Zendesk sent us elsewhere (HTTP {status}): is the subdomain right?", code=str(status))
    said = translate.refusal(answer.json())
    text, code, details = said.message or str(generic), said.code or str(status), generic.details
    if status == 401 or (status == 403 and any(word in f"{said.code} {text}".lower() for word in _SCOPE)):
        return Unauthorised(text, code=code, details=details)
    if status == 409:
        return Retryable(text, code=code, details=details)
    if isinstance(generic, Retryable):
        if method == "PUT" and status >= 500 and status != 503:
            return Uncertain(text, code=code, details=details)
        # RateLimited would make the engine pause the whole connection.
        kind = Retryable if one_ticket_only(answer.headers) else type(generic)
        return kind(text, retry_after=generic.retry_after, code=code, details=details)
    return Rejected(text, field=said.field, code=code, details=details)


def one_ticket_only(headers: Mapping[str, str]) -> bool:
    """Whether a 429 is about one ticket (30 updates in 10 minutes), not about the account."""
    return "remaining=0" in headers.get("zendesk-ratelimit-per-ticket-updates", "").replace(" ", "")


class Door(Http):
    """The guard, with each answer that is no success raised as the error that it means."""

    def __init__(self, http: Http, now: Callable[[], datetime]) -> None:
        self._http = http
        self._now = now

    def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        timeout: float | None = None,
    ) -> HttpResponse:
        """Send by the guard; raises what `error_of` makes of any status from 300 on."""
        answer = self._http.send(method, url, headers=headers, content=content, timeout=timeout)
        if answer.status >= 300:
            raise error_of(answer, method, self._now())
        return answer


class Credentials:
    """Who we are there: what the options hold, or an access token by client credentials, kept in memory until it wears out."""

    def __init__(self, options: ZendeskOptions) -> None:
        self._options = options
        self._lock = Lock()
        self._token = ""
        self._until: datetime | None = None

    @property
    def renewable(self) -> bool:
        """Whether a new token can be had without a person."""
        return self._options.client_secret is not None

    def for_zenpy(self, ctx: Context) -> dict[str, str]:
        """The arguments that zenpy takes; fetches a token where none is held."""
        options = self._options
        if options.api_token is not None:
            return {"email": options.email or "", "token": options.api_token.get_secret_value()}
        if options.token is not None:
            return {"oauth_token": options.token.get_secret_value()}
        return {"oauth_token": self.token(ctx)}

    def token(self, ctx: Context, *, worn: str = "") -> str:
        """The access token, a new one where there is none, it has run out, or it is the `worn` one."""
        with self._lock:
            stale = self._until is not None and ctx.now() >= self._until
            if not self._token or stale or self._token == worn:
                self._fetch(ctx)
            return self._token

    def _fetch(self, ctx: Context) -> None:
        """Ask for a token (Zendesk docs, "Create token for grant type"); raises Unauthorised where the client is refused."""
        options, secret = self._options, self._options.client_secret
        wanted = {
            "grant_type": "client_credentials",
            "client_id": options.client_id,
            "client_secret": secret.get_secret_value() if secret else "",
            "scope": options.scope,
        }
        try:
            answer = Door(ctx.http, ctx.now).send(
                "POST",
                f"{options.web}/oauth/tokens",
                headers={"Content-Type": "application/json", "Accept": "application/json"},
                content=msgspec.json.encode(wanted),
                timeout=options.timeout,
            )
        except (Rejected, Uncertain) as error:  # a token more or less does no harm, so a doubt is a mere failure
            kind = Unauthorised if isinstance(error, Rejected) else Unavailable
            raise kind(f"no access token: {error}", code=error.code) from error
        body = answer.json()
        if not isinstance(body, dict) or not body.get("access_token"):
            raise Unauthorised("Zendesk's answer holds no access token")
        self._token = str(body["access_token"])
        lasts = body.get("expires_in")
        self._until = ctx.now() + timedelta(seconds=max(0, lasts - 60)) if isinstance(lasts, int) else None


class ZendeskClient:
    """One account for the length of a call; zenpy and its session are not thread-safe, so none is shared."""

    def __init__(self, options: ZendeskOptions, ctx: Context, credentials: Credentials) -> None:
        self._options = options
        self.ctx = ctx
        self._credentials = credentials
        rewrite = {options.origin: options.web} if options.base_url else None
        self._session = requests_session(Door(ctx.http, ctx.now), rewrite=rewrite)
        self._session.trust_env = False  # a .netrc would replace our Authorization
        self._known = credentials.for_zenpy(ctx)
        zenpy = Zenpy(
            subdomain=options.subdomain,
            session=self._session,
            timeout=options.timeout,
            disable_cache=True,
            **self._known,
        )
        self._api = zenpy.tickets

    def get(self, path: str, **params: str) -> dict[str, Any]:
        """Read `/api/v2/<path>`; the answer is a JSON object or an error."""
        return self._call("GET", path, params=params)

    def post(self, path: str, body: Mapping[str, Any], *, key: str = "") -> dict[str, Any]:
        """Write; `key` becomes the Idempotency-Key of this call alone."""
        return self._call("POST", path, json=body, headers={"Idempotency-Key": key} if key else None)

    def put(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Update."""
        return self._call("PUT", path, json=body)

    def delete(self, path: str) -> None:
        """Delete; what is not there is deleted already."""
        try:
            self._call("DELETE", path)
        except Rejected as error:
            if error.details.get("status") != 404:
                raise

    def pages(self, path: str, name: str) -> Iterator[Any]:
        """All items of a list, by cursor. The next page is asked for here: zenpy would follow an absolute link to any host.

        Raises Uncertain after 100 pages: what was not read cannot be called absent.
        """
        after: dict[str, str] = {}
        for _ in range(PAGES):
            answer = self.get(path, **{"page[size]": "100"}, **after)
            yield from answer.get(name) or ()
            meta = answer.get("meta")
            if not isinstance(meta, Mapping) or not meta.get("has_more") or not meta.get("after_cursor"):
                return
            after = {"page[after]": str(meta["after_cursor"])}
        raise Uncertain(f"{path} has more pages than we read")

    def _call(self, method: str, path: str, **kwargs: Any) -> dict[str, Any]:
        try:
            return self._send(method, path, kwargs)
        except Unauthorised:
            if not self._credentials.renewable:
                raise
        # A 401 did nothing there, so the same call may go again with a new token; a second 401 is the engine's.
        token = self._credentials.token(self.ctx, worn=self._known.get("oauth_token", ""))
        self._known = {"oauth_token": token}
        self._session.headers["Authorization"] = f"Bearer {token}"
        return self._send(method, path, kwargs)

    def _send(self, method: str, path: str, kwargs: Mapping[str, Any]) -> dict[str, Any]:
        url = f"{self._options.origin}/api/v2/{path}"
        send = getattr(self._session, method.lower())
        answer = self._api._call_api(send, url, timeout=self._options.timeout, **kwargs)  # noqa: SLF001 - only it takes headers
        try:
            body = answer.json()
        except ValueError:
            body = None
        if isinstance(body, dict):
            return body
        if method == "DELETE" and answer.status_code == 204:
            return {}
        kind = Unavailable if method == "GET" else Uncertain
        raise kind(f"{method} {path} was answered without a JSON object")


class Jobs:
    """Bulk work: bodies in, finished jobs out, never more than the allowed number open at once.

    A job that does not end within `job_wait` seconds, or whose state cannot be read, leaves its items Uncertain (with the job's
    id): all that we do by jobs are upserts, so sending again is safe.
    """

    def __init__(self, client: ZendeskClient, options: ZendeskOptions, pause: Callable[[float], None]) -> None:
        self._client = client
        self._options = options
        self._pause = pause
        self._open: dict[str, int] = {}
        self._ended: dict[int, dict[str, Any] | ConnectorError] = {}
        self._asked_to_wait = 0.0

    def run(self, path: str, bodies: Sequence[Mapping[str, Any]]) -> list[dict[str, Any] | ConnectorError]:
        """One finished job, or the error that kept it from being one, for each body, in order."""
        waiting = deque(range(len(bodies)))
        while waiting or self._open:
            while waiting and len(self._open) < self._options.open_jobs:
                self._submit(path, bodies, waiting)
            if self._open and not self._await_one():
                self._give_up(waiting)
        return [self._ended[index] for index in range(len(bodies))]

    def _submit(self, path: str, bodies: Sequence[Mapping[str, Any]], waiting: deque[int]) -> None:
        index = waiting.popleft()
        try:
            self._note(index, self._client.post(path, bodies[index]).get("job_status"))
        except (Rejected, Uncertain) as error:
            self._ended[index] = error
        except ConnectorError as error:  # about the account: what was not sent yet would meet the same
            self._ended.update(dict.fromkeys((index, *waiting), error))
            waiting.clear()

    def _note(self, index: int, job: Any) -> None:
        if not isinstance(job, dict) or not job.get("id"):
            raise Uncertain("Zendesk took the job and did not name it")
        if job.get("status") in _ENDED:
            self._end(index, job)
        else:
            self._open[str(job["id"])] = index

    def _await_one(self) -> bool:
        """Wait until at least one job ends; False where patience ends first."""
        waited, pause = 0.0, self._options.job_pause
        while self._open and waited < self._options.job_wait:
            pause = max(pause, min(self._asked_to_wait, self._options.job_wait - waited))
            self._pause(pause)
            waited += max(pause, 0.1)
            ended = sum(self._look(job) for job in self._states())
            if ended:
                return True
            pause = min(pause * 1.5, 10.0)
        return not self._open

    def _states(self) -> list[Any]:
        self._asked_to_wait = 0.0
        try:
            answer = self._client.get("job_statuses/show_many", ids=",".join(self._open))
        except Retryable as error:  # no news: the next look tells
            self._asked_to_wait = error.retry_after or 0.0
            return []
        except ConnectorError as error:
            self._doubt(error)
            return []
        return list(answer.get("job_statuses") or ())

    def _look(self, job: Any) -> bool:
        if not isinstance(job, dict) or job.get("status") not in _ENDED or str(job.get("id")) not in self._open:
            return False
        if "results" not in job and job["status"] == "completed":  # the list may leave them out
            try:
                job = self._client.get(f"job_statuses/{job['id']}").get("job_status") or job
            except ConnectorError:
                return False
        self._end(self._open.pop(str(job["id"])), job)
        return True

    def _end(self, index: int, job: dict[str, Any]) -> None:
        details = {"job": str(job["id"])}
        message = f"Zendesk's job failed: {job.get('message') or 'no reason given'}"
        done = job["status"] == "completed"
        self._ended[index] = job if done else Retryable(message, code="JobFailed", details=details)

    def _give_up(self, waiting: deque[int]) -> None:
        self._doubt(None)
        self._ended.update(dict.fromkeys(waiting, Retryable("earlier jobs of this account do not end")))
        waiting.clear()

    def _doubt(self, cause: ConnectorError | None) -> None:
        for job, index in self._open.items():
            self._ended[index] = Uncertain(
                f"nobody knows how job {job} ended: {cause or 'too slow'}", details={"job": job}
            )
        self._open.clear()
