"""The way into Zendesk: zenpy behind the sdk's `Api`, with its defects kept out.

zenpy 2.0.57 sleeps in its thread on 429, takes no header for one call, sends a datetime as a date and has no endpoints for custom
objects. So calls go through its `_call_api` with our headers and bodies, and an answer that is no success never reaches it.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from hub.core.errors import ConnectorError, Rejected, Retryable, Unauthorised, Unavailable, Uncertain
from hub.sdk.connectors import Context, HttpResponse
from hub.sdk.doc import Doc
from hub.sdk.http.adapters import Tap, requests_session
from hub.sdk.http.api import Api, ApiAnswer, Send, by_cursor
from hub.sdk.http.auth import Auth, Basic, Bearer, ClientCredentials, TokenEndpoint
from hub.sdk.http.errors import ErrorTable
from plugins.zendesk import translate
from plugins.zendesk.config import ZendeskOptions

_ENDED = frozenset({"completed", "failed", "killed"})
_SCOPE = ("scope", "invalid_token", "unauthorized")


def judge(error: ConnectorError, answer: HttpResponse) -> ConnectorError:
    """Tell a missing scope from a missing right, and one ticket's limit from the account's (which would pause everything)."""
    told = f"{error.code} {error}".lower()
    if answer.status == 403 and any(word in told for word in _SCOPE):
        return Unauthorised(str(error), code=error.code, details=error.details)
    if answer.status == 429 and isinstance(error, Retryable) and one_ticket_only(answer.headers):
        return Retryable(str(error), retry_after=error.retry_after, code=error.code, details=error.details)
    return error


# Zendesk docs, "Status codes", "Rate limits", "OAuth scopes".
ERRORS = ErrorTable(
    vendor="Zendesk", hint="is the subdomain right?", read=translate.refusal, meanings={409: Retryable}, judge=judge
)


def one_ticket_only(headers: Mapping[str, str]) -> bool:
    """Return True if a 429 is about one ticket (30 updates in 10 minutes), not about the account."""
    return "remaining=0" in headers.get("zendesk-ratelimit-per-ticket-updates", "").replace(" ", "")


def auth_of(options: ZendeskOptions) -> Auth:
    """Return our credentials: a token, an email with its API token, or a client to mint them ("Create token for grant type")."""
    if options.api_token is not None:
        return Basic(f"{options.email}/token", options.api_token.get_secret_value())
    if options.token is not None:
        return Bearer(options.token.get_secret_value())
    secret = options.client_secret.get_secret_value() if options.client_secret else ""
    endpoint = TokenEndpoint(url=f"{options.web}/oauth/tokens", as_json=True, timeout=options.timeout)
    return ClientCredentials(endpoint, options.client_id or "", secret, scope=options.scope)


def zenpy_way(options: ZendeskOptions, ctx: Context) -> Send:
    """Send through zenpy; neither it nor its session is thread-safe, so each call of the engine has its own."""
    from zenpy import Zenpy  # noqa: PLC0415 - imported when first needed

    # At DEBUG zenpy formats every body into its log line: people's words have no place there.
    logging.getLogger("zenpy.lib.api").setLevel(logging.INFO)
    tap = Tap(ctx.http)
    session = requests_session(tap, rewrite={options.origin: options.web} if options.base_url else None)
    zenpy = Zenpy(subdomain=options.subdomain, session=session, anonymous=True, disable_cache=True)

    def send(
        method: str, url: str, *, headers: Mapping[str, str], content: bytes | None, timeout: float | None
    ) -> HttpResponse:
        way, call = getattr(session, method.lower()), zenpy.tickets._call_api  # noqa: SLF001 - only it takes headers
        return tap.take(lambda: call(way, url, headers=dict(headers), data=content, timeout=timeout))

    return send


class ZendeskClient:
    """One account for the length of a call."""

    def __init__(self, options: ZendeskOptions, ctx: Context, auth: Auth) -> None:
        self.ctx = ctx
        way, base = zenpy_way(options, ctx), f"{options.origin}/api/v2"
        self._api = Api(ctx, base, auth=auth, errors=ERRORS, timeout=options.timeout, via=way)

    def get(self, path: str, **params: str) -> Doc:
        """Read `/api/v2/<path>`; the answer is a JSON object or an error."""
        return _object(self._api.get(path, params), Unavailable)

    def post(self, path: str, body: Mapping[str, Any], *, key: str = "") -> Doc:
        """Write; `key` becomes the Idempotency-Key of this call alone. All that we post may be posted again."""
        headers = {"Idempotency-Key": key} if key else {}
        return _object(self._api.post(path, body, headers=headers, effect="again"), Uncertain)

    def put(self, path: str, body: Mapping[str, Any]) -> Doc:
        """Update; a comment that comes with it counts once."""
        return _object(self._api.put(path, body, effect="once"), Uncertain)

    def delete(self, path: str) -> None:
        """Delete; what is not there is deleted already."""
        self._api.delete(path, also=(404,))

    def pages(self, path: str, name: str) -> Iterator[Doc]:
        """Give all items of a list, by cursor. Raises Uncertain after 100 pages: what was not read cannot be called absent."""
        follow = by_cursor("meta.after_cursor", "page[after]", more="meta.has_more")
        for page in self._api.pages(path, follow, params={"page[size]": "100"}):
            yield from page.doc.docs(name)


def _object(answer: ApiAnswer, kind: type[Unavailable | Uncertain]) -> Doc:
    if not isinstance(answer.data, dict):
        raise kind("Zendesk's answer is no JSON object", code="no_json")
    return answer.doc


class Jobs:
    """Bulk work: bodies in, finished jobs out, never more than the allowed number open at once.

    A job that does not end within `job_wait` seconds, or whose state cannot be read, leaves its items Uncertain (with the job's
    id): all that we do by jobs are upserts, so sending again is safe.
    """

    def __init__(self, client: ZendeskClient, options: ZendeskOptions, pause: Callable[[float], None]) -> None:
        self._client, self._options, self._pause = client, options, pause
        self._open: dict[str, int] = {}
        self._ended: dict[int, Doc | ConnectorError] = {}
        self._asked_to_wait = 0.0

    def run(self, path: str, bodies: Sequence[Mapping[str, Any]]) -> list[Doc | ConnectorError]:
        """Return one finished job, or the error that kept it from being one, for each body, in order."""
        waiting = deque(range(len(bodies)))
        self._ended = {}
        while waiting or self._open:
            while waiting and len(self._open) < self._options.open_jobs:
                self._submit(path, bodies, waiting)
            if self._open and not self._await_one():
                self._give_up(waiting)
        return [self._ended[index] for index in range(len(bodies))]

    def _submit(self, path: str, bodies: Sequence[Mapping[str, Any]], waiting: deque[int]) -> None:
        index = waiting.popleft()
        try:
            self._note(index, self._client.post(path, bodies[index]).doc("job_status"))
        except (Rejected, Uncertain) as error:
            self._ended[index] = error
        except ConnectorError as error:  # about the account: what was not sent yet would meet the same
            self._ended.update(dict.fromkeys((index, *waiting), error))
            waiting.clear()

    def _note(self, index: int, job: Doc) -> None:
        if not job.id("id"):
            raise Uncertain("Zendesk took the job and did not name it")
        if job.text("status") in _ENDED:
            self._end(index, job)
        else:
            self._open[job.id("id")] = index

    def _await_one(self) -> bool:
        """Wait until at least one job ends; False if patience ends first."""
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

    def _states(self) -> list[Doc]:
        self._asked_to_wait = 0.0
        try:
            return self._client.get("job_statuses/show_many", ids=",".join(self._open)).docs("job_statuses")
        except Retryable as error:  # no news: the next look tells
            self._asked_to_wait = error.retry_after or 0.0
        except ConnectorError as error:
            self._doubt(error)
        return []

    def _look(self, job: Doc) -> bool:
        if job.text("status") not in _ENDED or job.id("id") not in self._open:
            return False
        if "results" not in job.data and job.text("status") == "completed":  # the list may leave them out
            try:
                job = self._client.get(f"job_statuses/{job.id('id')}").doc("job_status") or job
            except ConnectorError:
                return False
        self._end(self._open.pop(job.id("id")), job)
        return True

    def _end(self, index: int, job: Doc) -> None:
        details, message = {"job": job.id("id")}, f"Zendesk's job failed: {job.text('message') or 'no reason given'}"
        done = job.text("status") == "completed"
        self._ended[index] = job if done else Retryable(message, code="JobFailed", details=details)

    def _give_up(self, waiting: deque[int]) -> None:
        self._doubt(None)
        self._ended.update(dict.fromkeys(waiting, Retryable("earlier jobs of this account do not end")))
        waiting.clear()

    def _doubt(self, cause: ConnectorError | None) -> None:
        for job, index in self._open.items():
            self._ended[index] = Uncertain(
                f"we cannot tell how job {job} ended: {cause or 'too slow'}", details={"job": job}
            )
        self._open.clear()
