"""The door to Bluesky: atproto's client over the connection's own HTTP, its session kept, its errors named for the engine.

Answers of queries stay bytes: atproto's models reject a whole page for one record that they do not know.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

import msgspec
from atproto import Client, SessionEvent, models
from atproto import exceptions as atproto_errors
from atproto_client.request import Request, Response

from hub import ConnectorError, Context, RateLimited, Rejected, Unauthorised, Unavailable, Uncertain
from hub.sdk.http.adapters import httpx_transport
from hub.sdk.http.errors import retry_after
from plugins.bluesky.config import BlueskyOptions

PAGE = 100
POSTS_A_CALL = 25
_THREAD_DEPTH = 100
Json = dict[str, Any]
_AT_URI = re.compile(r"at://(did:[a-z]+:[\w.:%-]+)/([A-Za-z][\w-]*(?:\.[\w-]+)+)/([\w.:~-]{1,512})")
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


class PostsAnswer(msgspec.Struct):
    """app.bsky.feed.getPosts: views of those that are there and shown to us."""

    posts: list[Json]


class RecordAnswer(msgspec.Struct):
    """com.atproto.repo.getRecord."""

    uri: str
    value: Json


class DidAnswer(msgspec.Struct):
    """com.atproto.identity.resolveHandle, and what is read of a profile."""

    did: str


class WrittenAnswer(msgspec.Struct):
    """com.atproto.repo.createRecord."""

    uri: str
    cid: str


def parts_of(uri: str) -> tuple[str, str, str] | None:
    """`(did, collection, rkey)` of a record's at-uri, None where it is none."""
    found = _AT_URI.fullmatch(uri)
    return (found[1], found[2], found[3]) if found else None


class _BytesRequest(Request):  # type: ignore[misc]  # atproto ships no types
    """Calls answer with their exact bytes, but for those that atproto makes for its own session."""

    def get(self, *args: Any, **kwargs: Any) -> Response:
        """Send a query; `content` of the answer is its body."""
        answer = self._send_request("GET", *args, **kwargs)
        return Response(True, answer.status_code, answer.content, dict(answer.headers))

    def post(self, *args: Any, exact: bool = False, **kwargs: Any) -> Response:
        """Send a procedure; with `exact` the `content` of the answer is its body."""
        if not exact:
            return super().post(*args, **kwargs)
        answer = self._send_request("POST", *args, **kwargs)
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
        self._did = ""

    @property
    def did(self) -> str:
        """Our account's DID."""
        self._open()
        return self._did

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

    def posts(self, uris: Sequence[str]) -> list[Json]:
        """The posts of these at-uris (at most 25) that are there and shown to us: neither gone, nor blocked, nor suspended."""
        params = models.AppBskyFeedGetPosts.Params(uris=list(uris))
        return self._query("app.bsky.feed.getPosts", params, PostsAnswer).posts

    def record(self, uri: str) -> Json | None:
        """What stands under an at-uri, for everybody the same; None where nothing stands there.

        Raises Rejected (code InvalidRequest) where the whole account is gone, suspended or deactivated.
        """
        did, collection, rkey = parts_of(uri) or ("", "", "")
        params = models.ComAtprotoRepoGetRecord.Params(repo=did, collection=collection, rkey=rkey)
        try:
            return self._query("com.atproto.repo.getRecord", params, RecordAnswer).value
        except Rejected as error:
            if error.code == "RecordNotFound":
                return None
            raise

    def why_no_profile(self, did: str) -> str:
        """The code with which the network refuses a profile (AccountTakedown, AccountDeactivated ...), "" where it is shown."""
        params = models.AppBskyActorGetProfile.Params(actor=did)
        try:
            self._query("app.bsky.actor.getProfile", params, DidAnswer)
        except Rejected as error:
            return "NotFound" if "not found" in str(error) else error.code
        return ""

    def resolve(self, handle: str) -> str | None:
        """The DID behind a handle, None where there is none."""
        params = models.ComAtprotoIdentityResolveHandle.Params(handle=handle)
        try:
            return self._query("com.atproto.identity.resolveHandle", params, DidAnswer).did
        except Rejected:
            return None

    def create(self, uri: str, record: Json) -> str:
        """Make the record of this at-uri in our own repository; its at-uri as the server gives it.

        Never overwrites: a server answers with some error where a record stands there already. Raises Uncertain where no
        answer came.
        """
        did, collection, rkey = parts_of(uri) or ("", "", "")
        body = msgspec.json.encode({"repo": did, "collection": collection, "rkey": rkey, "record": record})
        nsid, headers = "com.atproto.repo.createRecord", {"Content-Type": "application/json"}
        write = partial(self._invoke, "invoke_procedure", nsid, content=body, headers=headers, exact=True)
        return self._twice(nsid, write, WrittenAnswer).uri

    def _query(self, nsid: str, params: Any, answer: type[_ReadT]) -> _ReadT:
        def read() -> bytes:
            try:
                return self._invoke("invoke_query", nsid, params=params)
            except Uncertain as error:  # the session was to be renewed on the way; nothing else was asked
                raise Unavailable(str(error), code=error.code) from error

        return self._twice(nsid, read, answer)

    def _twice(self, nsid: str, ask: Callable[[], bytes], answer: type[_ReadT]) -> _ReadT:
        """Ask once, and once more with a new session where this one was refused."""
        self._open()
        try:
            content = ask()
        except Unauthorised:
            if self._fresh:
                raise
            self._log_in()
            content = ask()
        try:
            return msgspec.json.decode(content, type=answer)
        except (msgspec.DecodeError, RecursionError, TypeError) as error:
            raise Unavailable(f"{nsid}: the answer is not what Bluesky's lexicon says: {error}") from error

    def _invoke(self, kind: str, nsid: str, **options: Any) -> bytes:
        content: bytes = self._call(lambda: getattr(self._client, kind)(nsid, **options).content)
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
        try:
            self._call(lambda: self._client.login(self._options.handle, password, fetch_bsky_profile=False))
        except Uncertain as error:  # a log-in without an answer may simply be tried again
            raise Unavailable(str(error), code=error.code) from error

    def _new_client(self) -> Any:
        client = Client(self._options.service, _BytesRequest(transport=httpx_transport(self._ctx.http), timeout=None))
        client.on_session_change(self._keep)
        return client

    def _keep(self, event: SessionEvent, session: Any) -> None:
        self._did = str(session.did)
        if event is not SessionEvent.IMPORT:
            self._ctx.state.set(self._memory, session.export())

    def _call(self, ask: Callable[[], Any]) -> Any:
        try:
            return ask()
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
    # By our clock: atproto reads a date by the machine's.
    wait = retry_after({str(name).lower(): value for name, value in error.response.headers.items()}, now)
    if wait is not None:
        return wait
    return max(0.0, (error.reset_at - now).total_seconds()) if error.reset_at else None
