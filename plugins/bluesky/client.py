"""The door to Bluesky: its XRPC calls as plain requests, a session that is kept and renewed, errors named for the engine.

Posts in answers stay bytes: atproto's models reject a whole page for one record that they do not know,
and to import them costs 2 s and 60 MB. They serve for the records that we write (see `plugins.bluesky.reply`).
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import msgspec

from hub import Context, Rejected, Unauthorised, Unavailable, Uncertain
from hub.sdk.doc import Doc, load
from hub.sdk.http.api import Api, ApiAnswer
from hub.sdk.http.auth import Auth
from hub.sdk.http.errors import ErrorTable, Refusal
from plugins.bluesky.config import BlueskyOptions

PAGE = 100
POSTS_A_CALL = 25
_THREAD_DEPTH = 100
_MARGIN = timedelta(minutes=15)
Json = dict[str, Any]
_AT_URI = re.compile(r"at://(did:[a-z]+:[\w.:%-]+)/([A-Za-z][\w-]*(?:\.[\w-]+)+)/([\w.:~-]{1,512})")
_ReadT = TypeVar("_ReadT", bound=msgspec.Struct)
# What the server answers with status 400 if the trouble is the token, not the request.
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


def parts_of(uri: str) -> tuple[str, str, str] | None:
    """Return `(did, collection, rkey)` of a record's at-uri, None if it is none."""
    found = _AT_URI.fullmatch(uri)
    return (found[1], found[2], found[3]) if found else None


# ------------------------------------------------------------------------------------------------------------- session


@dataclass(frozen=True, slots=True)
class Session:
    """A log-in: `host` is the account's own PDS where the network named one."""

    handle: str
    did: str
    access: str
    refresh: str
    host: str = ""

    @classmethod
    def read(cls, kept: object) -> Session | None:
        """Return a kept session, in the form in which atproto exports them; None if it is none."""
        parts = kept.split(":::") if isinstance(kept, str) else []
        return cls(*parts[:5]) if len(parts) >= 4 and all(parts[:4]) and _ends(parts[2]) else None

    @classmethod
    def of(cls, doc: Doc, *, host: str = "") -> Session:
        """Return the session in an answer. Raises Unavailable if it holds none: some proxy's page."""
        handle, did, access, refresh = (doc.exact(name) or "" for name in ("handle", "did", "accessJwt", "refreshJwt"))
        if not (did and access and refresh):
            raise Unavailable("Bluesky's answer to the log-in holds no session")
        services = [one for one in doc.docs("didDoc.service") if (one.text("id") or "").endswith("#atproto_pds")]
        return cls(handle, did, access, refresh, (services[0].web("serviceEndpoint") if services else None) or host)

    def write(self) -> str:
        """Return the session as it is kept."""
        return ":::".join(filter(None, (self.handle, self.did, self.access, self.refresh, self.host)))

    def is_worn(self, now: datetime) -> bool:
        """Return True if the access token ends within 15 minutes."""
        ends = _ends(self.access)
        return ends is None or ends - now < _MARGIN


def _ends(token: str) -> datetime | None:
    """Read when a JWT ends, None if that cannot be read."""
    try:
        body = token.split(".")[1]
        claims = load(urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        return datetime.fromtimestamp(claims["exp"], UTC)
    except Exception:  # noqa: BLE001 - whatever was kept is no token
        return None


class SessionAuth(Auth):
    """The account's session, kept in the connection's memory.

    Bluesky takes 300 log-ins a day: it is renewed 15 minutes before it ends, and made again only if it was refused.
    """

    def __init__(self, options: BlueskyOptions) -> None:
        self._options = options
        self._memory = f"session {options.service} {options.handle}"  # another account takes up no old session
        self._session: Session | None = None
        self._fresh = False

    def headers(self, ctx: Context) -> Mapping[str, str]:
        """Return the access token's header."""
        return {"Authorization": f"Bearer {self.session(ctx).access}"}

    def renew(self, ctx: Context, spent: Mapping[str, str]) -> bool:
        """Log in again, unless this session is new."""
        if self._fresh:
            return False
        self._log_in(ctx)
        return True

    def session(self, ctx: Context) -> Session:
        """Take up the kept session, without a request unless it ends soon; log in if there is none."""
        if self._session is None:
            kept = Session.read(ctx.state.get(self._memory))
            self._session = kept if kept is None or not kept.is_worn(ctx.now()) else self._refreshed(ctx, kept)
        if self._session is None:
            return self._log_in(ctx)
        ctx.http.learn_secret(self._session.access, self._session.refresh)
        return self._session

    def _log_in(self, ctx: Context) -> Session:
        password = self._options.app_password.get_secret_value()
        api = Api(ctx, f"{self._options.service}/xrpc", errors=_ERRORS)
        body = {"identifier": self._options.handle, "password": password}
        # A log-in without an answer may simply be tried again.
        answer = api.post("com.atproto.server.createSession", body, effect="reads")
        self._fresh = True
        return self._keep(ctx, Session.of(answer.doc))

    def _refreshed(self, ctx: Context, kept: Session) -> Session | None:
        """Return the session renewed, None if it was refused."""
        api = Api(ctx, f"{kept.host or self._options.service}/xrpc", errors=_ERRORS)
        ctx.http.learn_secret(kept.refresh)
        headers = {"Authorization": f"Bearer {kept.refresh}"}
        try:
            answer = api.post("com.atproto.server.refreshSession", headers=headers, effect="reads")
        except (Unauthorised, Rejected):
            return None
        return self._keep(ctx, Session.of(answer.doc, host=kept.host))

    def _keep(self, ctx: Context, session: Session) -> Session:
        self._session = session
        ctx.http.learn_secret(session.access, session.refresh)
        ctx.state.set(self._memory, session.write())
        return session


def _read(body: Any) -> Refusal:
    doc = Doc(body)
    return Refusal(doc.text("error") or "", f"Bluesky: {doc.text('message', 'error') or 'it was refused'}")


_ERRORS = ErrorTable(
    vendor="Bluesky",
    read=_read,
    meanings={409: Unavailable, 413: Unavailable},
    expired=_TOKEN_ERRORS,
    waits=("retry-after", "ratelimit-reset"),
)


# --------------------------------------------------------------------------------------------------------------- calls


class BlueskyClient:
    """One account at its PDS, for one call of the engine."""

    def __init__(self, options: BlueskyOptions, ctx: Context) -> None:
        self._options = options
        self._ctx = ctx
        self._auth = SessionAuth(options)

    @property
    def did(self) -> str:
        """Our account's DID."""
        return self._auth.session(self._ctx).did

    def search(self, query: str, *, since: str, cursor: str | None = None) -> ListAnswer:
        """Return posts that match; `since` is an ISO time."""
        params = {"q": query, "sort": "latest", "since": since, "limit": PAGE, "cursor": cursor}
        return self._query("app.bsky.feed.searchPosts", params, ListAnswer)

    def notifications(self, reasons: tuple[str, ...], *, cursor: str | None = None) -> ListAnswer:
        """Return the account's notifications."""
        params = {"reasons": reasons, "limit": PAGE, "cursor": cursor}
        return self._query("app.bsky.notification.listNotifications", params, ListAnswer)

    def thread(self, uri: str) -> ThreadNode:
        """Return the post and its replies. Raises Rejected with code NotFound if it is gone."""
        params = {"uri": uri, "depth": _THREAD_DEPTH, "parentHeight": 0}
        return self._query("app.bsky.feed.getPostThread", params, ThreadAnswer).thread

    def posts(self, uris: Sequence[str]) -> list[Doc]:
        """Return the posts of these at-uris (at most 25) that are there and shown to us: not gone, blocked, nor suspended."""
        return self._get("app.bsky.feed.getPosts", {"uris": uris}, needs="posts").doc.docs("posts")

    def shown(self, uri: str) -> Doc | None:
        """Return the post of one at-uri as it is shown to us, None if it is not."""
        found = self.posts([uri]) if parts_of(uri) else []
        return next((view for view in found if view.get("uri") == uri), None)

    def record(self, uri: str) -> Doc | None:
        """Return what stands under an at-uri, for everybody the same, as `value` and `cid`; None if nothing stands there.

        Raises Rejected (code InvalidRequest) if the whole account is gone, suspended or deactivated.
        """
        did, collection, rkey = parts_of(uri) or ("", "", "")
        params = {"repo": did, "collection": collection, "rkey": rkey}
        try:
            return self._get("com.atproto.repo.getRecord", params, needs="value").doc
        except Rejected as error:
            if error.code == "RecordNotFound":
                return None
            raise

    def why_no_profile(self, did: str) -> str:
        """Return the code with which the network refuses a profile (AccountTakedown ...), "" if it is shown."""
        try:
            self._get("app.bsky.actor.getProfile", {"actor": did}, needs="did")
        except Rejected as error:
            return "NotFound" if "not found" in str(error) else error.code
        return ""

    def resolve(self, handle: str) -> str | None:
        """Return the DID behind a handle, None if there is none."""
        try:
            return self._get("com.atproto.identity.resolveHandle", {"handle": handle}, needs="did").doc.exact("did")
        except Rejected:
            return None

    def create(self, uri: str, record: Json) -> str:
        """Make the record of this at-uri in our own repository; its at-uri as the server gives it.

        Never overwrites: a server answers with some error where a record stands there already. Raises Uncertain if no
        answer came.
        """
        return self._write("createRecord", uri, record=record).named("uri")

    def put(self, uri: str, record: Json, *, over: str | None) -> None:
        """Write the record of this at-uri over the one with the CID `over` (None: over none).

        Raises Rejected with code InvalidSwap if it has changed since.
        """
        self._write("putRecord", uri, record=record, swapRecord=over).named("uri")

    def delete(self, uri: str) -> None:
        """Delete the record of this at-uri from our own repository; one that is not there is deleted already."""
        answer = self._write("deleteRecord", uri)
        if answer.content.strip() and not isinstance(answer.data, dict):  # older servers say nothing
            raise Uncertain("the answer to the deletion is not Bluesky's", code="no_json")

    def _write(self, method: str, uri: str, **more: Any) -> ApiAnswer:
        did, collection, rkey = parts_of(uri) or ("", "", "")
        body = {"repo": did, "collection": collection, "rkey": rkey, **more}
        return self._api.post(
            f"com.atproto.repo.{method}", body, effect="again"
        )  # the key is ours: a repeat adds nothing

    def _query(self, nsid: str, params: Json, form: type[_ReadT]) -> _ReadT:
        """Return an answer in which posts stay as they came."""
        try:
            return msgspec.json.decode(self._get(nsid, params).content, type=form)
        except (msgspec.DecodeError, RecursionError) as error:
            raise Unavailable(f"{nsid}: the answer is not what Bluesky's lexicon says: {error}") from error

    def _get(self, nsid: str, params: Json, *, needs: str = "") -> ApiAnswer:
        answer = self._api.get(nsid, {name: value for name, value in params.items() if value is not None})
        if needs and answer.doc.get(needs) is None:  # some proxy's "{}" does not mean that nothing is there
            raise Unavailable(f"{nsid}: the answer is not what Bluesky's lexicon says: it has no {needs}")
        return answer

    @property
    def _api(self) -> Api:
        host = self._auth.session(self._ctx).host or self._options.service
        return Api(self._ctx, f"{host}/xrpc", auth=self._auth, errors=_ERRORS)
