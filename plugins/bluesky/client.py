"""The door to Bluesky: atproto's client over the connection's own HTTP, its session kept, its errors named for the engine.

Answers of queries stay bytes: atproto's models reject a whole page for one record that they do not know.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

import msgspec
from atproto import Client, SessionEvent, models
from atproto import exceptions as atproto_errors
from atproto_client.request import Request, Response

from hub import ConnectorError, Context, RateLimited, Rejected, Unauthorised, Unavailable, Uncertain
from hub.sdk.http.adapters import httpx_transport
from plugins.bluesky.config import BlueskyOptions

PAGE = 100
_THREAD_DEPTH = 100
_ReadT = TypeVar("_ReadT", bound=msgspec.Struct)
_REFUSED = (atproto_errors.UnauthorizedError, atproto_errors.LoginRequiredError, atproto_errors.InvalidTokenError)
# What the server answers with status 400 where the token is the trouble, not the request.
_TOKEN_ERRORS = frozenset(("ExpiredToken", "InvalidToken", "AuthMissing", "AuthenticationRequired"))


class ListAnswer(msgspec.Struct):
    """A page of posts or notifications, each as it came, newest first, and where to go on."""

    posts: list[msgspec.Raw] | None = None
    notifications: list[msgspec.Raw] | None = None
    cursor: str | None = None

    def __post_init__(self) -> None:
        if self.posts is None and self.notifications is None:
            raise ValueError("it holds no list")  # some proxy's "{}" is not "nothing new"


class ThreadNode(msgspec.Struct):
    """A node of a thread; one that is gone or blocked has an empty post."""

    post: msgspec.Raw = msgspec.Raw()
    replies: list[msgspec.Raw] | None = None


class ThreadAnswer(msgspec.Struct):
    """app.bsky.feed.getPostThread."""

    thread: ThreadNode


class _BytesRequest(Request):  # type: ignore[misc]  # atproto ships no types
    """Queries answer with their exact bytes."""

    def get(self, *args: Any, **kwargs: Any) -> Response:
        """Send a query; `content` of the answer is its body."""
        answer = self._send_request("GET", *args, **kwargs)
        return Response(True, answer.status_code, answer.content, dict(answer.headers))


class BlueskyClient:
    """One account at one PDS, for one call of the engine.

    The session lives in the connection's memory, since Bluesky takes 300 log-ins a day: it is renewed 15 minutes before it
    ends, and made anew only where it was refused.
    """

    def __init__(self, options: BlueskyOptions, ctx: Context) -> None:
        self._options = options
        self._ctx = ctx
        self._memory = f"session {options.service} {options.handle}"  # another account takes up no old session
        self._client: Any = None
        self._fresh = False

    def search(self, query: str, *, since: str, cursor: str | None = None) -> ListAnswer:
        """Posts that match; `since` is an ISO time."""
        params = models.AppBskyFeedSearchPosts.Params(q=query, sort="latest", since=since, limit=PAGE, cursor=cursor)
        return self._query("app.bsky.feed.searchPosts", params, ListAnswer)

    def notifications(self, reasons: tuple[str, ...], *, cursor: str | None = None) -> ListAnswer:
        """The account's notifications."""
        params = models.AppBskyNotificationListNotifications.Params(reasons=list(reasons), limit=PAGE, cursor=cursor)
        return self._query("app.bsky.notification.listNotifications", params, ListAnswer)

    def thread(self, uri: str) -> ThreadNode:
        """The post and its replies; raises Rejected with code NotFound where it is gone."""
        params = models.AppBskyFeedGetPostThread.Params(uri=uri, depth=_THREAD_DEPTH, parent_height=0)
        return self._query("app.bsky.feed.getPostThread", params, ThreadAnswer).thread

    def _query(self, nsid: str, params: Any, answer: type[_ReadT]) -> _ReadT:
        """Ask once, and once more with a new session where this one was refused."""
        self._open()
        try:
            content = self._ask(nsid, params)
        except Unauthorised:
            if self._fresh:
                raise
            self._log_in()
            content = self._ask(nsid, params)
        try:
            return msgspec.json.decode(content, type=answer)
        except (msgspec.DecodeError, RecursionError, TypeError) as error:
            raise Unavailable(f"{nsid}: the answer is not what Bluesky's lexicon says: {error}") from error

    def _ask(self, nsid: str, params: Any) -> bytes:
        content: bytes = self._call(lambda: self._client.invoke_query(nsid, params=params).content)
        return content

    def _open(self) -> None:
        """Take up the kept session, without a request; log in where there is none."""
        if self._client is not None:
            return
        try:
            self._client = self._new_client()
            self._client.login(session_string=self._ctx.state.get(self._memory), fetch_bsky_profile=False)
        except (ValueError, TypeError, AttributeError):  # nothing is kept, or no session string
            self._log_in()

    def _log_in(self) -> None:
        self._client, self._fresh = self._new_client(), True
        password = self._options.app_password.get_secret_value()
        self._call(lambda: self._client.login(self._options.handle, password, fetch_bsky_profile=False))

    def _new_client(self) -> Any:
        client = Client(self._options.service, _BytesRequest(transport=httpx_transport(self._ctx.http), timeout=None))
        client.on_session_change(self._keep)
        return client

    def _keep(self, event: SessionEvent, session: Any) -> None:
        if event is not SessionEvent.IMPORT:
            self._ctx.state.set(self._memory, session.export())

    def _call(self, ask: Callable[[], Any]) -> Any:
        try:
            return ask()
        except Uncertain as error:  # a log-in without an answer may simply be tried again
            raise Unavailable(str(error), code=error.code) from error
        except atproto_errors.AtProtocolError as error:
            raise _name_error(error, self._ctx.now()) from error
        except ValueError as error:  # a session answer that is no JSON: some proxy's page
            raise Unavailable(f"the answer is no JSON: {error}") from error


def _name_error(error: Exception, now: datetime) -> ConnectorError:
    """What the engine must do about an error of atproto; the server's own code and message where it gave them."""
    response = getattr(error, "response", None)
    status = response.status_code if response else 0
    code = str(getattr(response.content, "error", "") or status) if response else ""
    message = f"Bluesky: {error}" if str(error) else f"Bluesky: {type(error).__name__}"
    if isinstance(error, atproto_errors.RateLimitExceededError):
        return RateLimited(message, retry_after=_retry_after(error, now), code=code)
    if isinstance(error, _REFUSED) or code in _TOKEN_ERRORS:
        return Unauthorised(message, code=code)
    if 400 <= status < 500 and status not in (408, 409, 413, 425):
        return Rejected(message, code=code)
    return Unavailable(message, code=code)


def _retry_after(error: Any, now: datetime) -> float | None:
    """Seconds by Retry-After, else by `ratelimit-reset` (Bluesky sends the latter)."""
    if error.retry_after is not None:
        return float(error.retry_after)
    return max(0.0, (error.reset_at - now).total_seconds()) if error.reset_at else None
