"""An instance as one account sees it: plain requests for what is read, Mastodon.py for what the account does.

What is read is kept as the bytes that came: a raw item must be what the network sent, and the library's own parsing (dates,
casts) costs 4 ms a status. What it knows of writing (parameters, idempotency keys) is used; it is imported for the first write.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import msgspec

from hub import ConnectorError, Context, HttpResponse, RateLimited, Rejected, Unauthorised, Unavailable, Uncertain
from hub.sdk.doc import Doc
from hub.sdk.http.adapters import Tap, requests_session, unwrapped
from hub.sdk.http.api import Api, ApiAnswer
from hub.sdk.http.auth import Bearer
from hub.sdk.http.errors import ErrorTable, Refusal, retry_after
from hub.sdk.text import parse_time
from plugins.mastodon.config import MastodonOptions

PAGE_SIZE = 40

Json = dict[str, Any]
_ID = re.compile(r"\w[\w.~-]*")  # of whatever kind of server; it becomes part of a path
_LINK = re.compile(r'<([^<>]+)>\s*;[^<]*?\brel="?(prev|next)\b')
_GONE = (404, 410)


class _Head(msgspec.Struct):
    """What of an entity places it in its stream; conversations are ordered by their last status."""

    id: str | int | None = None
    last_status: _Head | None = None


def place_of(item: bytes) -> str:
    """Return the id by which the item's stream is ordered and paged, "" if it has none; opaque, since ids may be ULIDs."""
    try:
        head = msgspec.json.decode(item, type=_Head)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return ""
    found = head.last_status.id if head.last_status else head.id
    return "" if found is None else str(found)


@dataclass(frozen=True, slots=True)
class Slice:
    """A page of a stream, newest first, each item the exact bytes; `newest` and `oldest` are where to go on from."""

    items: tuple[bytes, ...] = ()
    newest: str = ""
    oldest: str = ""

    def newer_than(self, since: str) -> list[bytes]:
        """Return the items before the one at `since`, newest first: a server may ignore the position that it was given (snac)."""
        places = [place_of(item) for item in self.items]
        return list(self.items[: places.index(since)] if since in places else self.items)


class Instance:
    """An instance as one account sees it, for the length of one call of the engine. Calls raise ConnectorErrors only."""

    def __init__(self, ctx: Context, options: MastodonOptions) -> None:
        self._ctx = ctx
        self._options = options
        self._own_id = ""
        token = options.token.get_secret_value() if options.token else ""
        self._errors = ErrorTable(vendor="the instance", read=_read, meanings={403: Unauthorised}, judge=self._judge)
        self._api = Api(
            ctx,
            f"{options.instance}/api",
            auth=Bearer(token) if token else None,
            errors=self._errors,
            timeout=options.timeout,
        )

    def page(self, stream: str, *, min_id: str | None = None, max_id: str | None = None) -> Slice:
        """Return the items just newer than `min_id`, or just older than `max_id`, or the newest ones."""
        path, params = self._place(stream)
        paging = {"min_id": min_id, "max_id": max_id, "limit": PAGE_SIZE}
        answer = self._api.get(path, params | {name: value for name, value in paging.items() if value is not None})
        try:
            items = tuple(bytes(raw) for raw in msgspec.json.decode(answer.content, type=list[msgspec.Raw]))
        except msgspec.DecodeError as error:
            raise Unavailable(f"the answer for {stream} is no JSON list", code=str(answer.status)) from error
        links = _links(answer.headers.get("link", ""))
        if not items:
            return Slice()
        return Slice(items, links.get("prev") or place_of(items[0]), links.get("next") or place_of(items[-1]))

    def _place(self, stream: str) -> tuple[str, dict[str, Any]]:
        """Return the path of a stream and what is asked besides."""
        name, _, tag = stream.partition(":")
        if name == "tag":
            return f"v1/timelines/tag/{quote(tag, safe='')}", {}
        if name == "notifications":
            return "v1/notifications", {"types[]": self._options.notification_types}
        if name == "conversations":
            return "v1/conversations", {}
        return "v1/timelines/public", {"local": "true"} if name == "local" else {}

    def account(self) -> str:
        """Return the handle of the account that the token belongs to."""
        return self._api.get("v1/accounts/verify_credentials").need("acct")

    def title(self) -> str:
        """Return the name that the instance gives itself, its address if it gives none."""
        about = self._api.get("v1/instance")
        return about.doc.text("title") or about.need("uri")

    # ------------------------------------------------------------------------------------------------- single statuses

    def status(self, id_: str) -> Json | None:
        """Return the status with this local id, None if the instance has none, or shows it to us no more."""
        return self._object(self._status(id_)) if _ID.fullmatch(id_) else None

    def raw_status(self, id_: str) -> bytes | None:
        """Return the same as the bytes that came."""
        answer = self._status(id_) if _ID.fullmatch(id_) else None
        return answer.content if answer and self._object(answer) is not None else None

    def is_gone(self, id_: str) -> bool:
        """Return True if the API itself says that it has no such status; some proxy's page for people does not count."""
        answer = self._status(id_)
        return answer.status in _GONE and isinstance(answer.data, dict)

    def _status(self, id_: str) -> ApiAnswer:
        return self._api.call("GET", f"v1/statuses/{id_}", also=_GONE)

    def statuses(self, ids: Sequence[str]) -> list[Json]:
        """Return those of these local ids that are there (Mastodon 4.3). Raises Rejected if the server knows no such call."""
        return _list(self._api.get("v1/statuses", {"id[]": list(ids)}))

    def resolve(self, uri: str) -> Json | None:
        """Return the status with this `uri`, which the instance fetches if it does not have it."""
        try:
            answer = self._api.get("v2/search", {"q": uri, "type": "statuses", "resolve": "true"})
        except Unauthorised as error:
            if error.code != "403":
                raise
            raise Rejected("the token may not look up addresses (it needs read:search)", code="403") from error
        found = [one.data for one in answer.doc.docs("statuses")]
        return next((one for one in found if one.get("uri") == uri), None)

    def account_named(self, id_or_name: str) -> Json | None:
        """Return an account of this instance by its id (digits) or its name, None if there is none."""
        if id_or_name.isdigit():
            return self._object(self._api.call("GET", f"v1/accounts/{id_or_name}", also=_GONE))
        return self._object(self._api.call("GET", "v1/accounts/lookup", params={"acct": id_or_name}, also=_GONE))

    def own_id(self) -> str:
        """Return the local id of the account that the token belongs to; asked once."""
        if not self._own_id:
            self._own_id = self._api.get("v1/accounts/verify_credentials").doc.id("id")
        return self._own_id

    def own_statuses(self, *, max_id: str | None = None) -> list[Json]:
        """Return what our account wrote, newest first, replies and direct ones too, without boosts."""
        paging = {"exclude_reblogs": "true", "limit": PAGE_SIZE} | ({"max_id": max_id} if max_id else {})
        return _list(self._api.get(f"v1/accounts/{self.own_id()}/statuses", paging))

    def longest_status(self) -> int | None:
        """Return the characters that a status may have here, None if the server does not say."""
        for path in ("v2/instance", "v1/instance"):
            about = Doc(self._object(self._api.call("GET", path, also=_GONE)) or {})
            most = about.count("configuration.statuses.max_characters") or about.count("max_toot_chars")
            if most:
                return most
        return None

    def _object(self, answer: ApiAnswer) -> Json | None:
        """Return the object in an answer, None if there is nothing."""
        if answer.status in _GONE:
            return None
        if not isinstance(answer.data, dict):
            raise Unavailable("the answer is no JSON object", code=str(answer.status))
        return answer.data

    # ------------------------------------------------------------------------------------------- what the account does

    def post(self, text: str, *, key: str, **more: Any) -> Json:
        """Post a status under an idempotency key; the status as it now is.

        `more` goes to the API by its names: in_reply_to_id, visibility, language. Raises Rejected with the server's reason,
        Uncertain if the answer does not tell whether it was done.
        """
        answer = self.write(lambda library: library.status_post(text, idempotency_key=key, **more))
        found = answer.json()
        if not isinstance(found, dict) or not found.get("uri"):
            raise Uncertain("the answer to the post names no status", code=str(answer.status))
        return found

    def write(self, call: Callable[[Any], object], *, scope: str = "write:statuses") -> HttpResponse:
        """Do something by Mastodon.py, which needs `scope`. Raises Rejected with the server's reason, Uncertain after a doubt."""
        from mastodon.errors import MastodonError  # noqa: PLC0415 - with the library

        tap = Tap(self._ctx.http)
        library = self._library(tap)

        def done() -> None:
            with unwrapped():
                call(library)

        answer = tap.take(done, ignore=(MastodonError, ValueError, TypeError, LookupError, AttributeError))
        error = self._errors.error_of(answer, self._ctx.now())
        if error is not None:
            raise _refusal(error, answer, scope)
        if not isinstance(answer.json(), dict):  # each of these calls answers with an object: this is some proxy's page
            raise Uncertain("the answer is not the instance's", code=str(answer.status))
        return answer

    def _library(self, tap: Tap) -> Any:
        from mastodon import Mastodon  # noqa: PLC0415 - for those who write only: it takes a while

        library = Mastodon(
            api_base_url=self._options.instance,
            session=requests_session(tap),
            ratelimit_method="throw",
            version_check_mode="none",
            request_timeout=self._options.timeout,
        )
        # Given to the constructor, a token that is also the name of a file would be read as that file.
        library.access_token = self._options.token.get_secret_value() if self._options.token else None
        return library

    # ----------------------------------------------------------------------------------------------------------- errors

    def _judge(self, error: ConnectorError, answer: HttpResponse) -> ConnectorError:
        """Tell the server's own words, and how long to wait by its own header."""
        if said := _said(answer):
            error.args = (f"HTTP {answer.status}: {said}",)
        if isinstance(error, RateLimited) and retry_after(answer.headers) is None:
            error.retry_after = self._reset(answer)
        return error

    def _reset(self, answer: HttpResponse) -> float | None:
        """Return seconds until `X-RateLimit-Reset`, by the server's clock.

        It is an ISO time at Mastodon, seconds since 1970 at GoToSocial.
        """
        at = parse_time(answer.headers.get("x-ratelimit-reset", ""))
        server = parse_time(answer.headers.get("date", "")) or self._ctx.now()
        return None if at is None else max(1.0, (at - server).total_seconds())


def _read(_: Any) -> Refusal:
    """Return an empty refusal: Mastodon has no codes, an error is its status."""
    return Refusal()


def _refusal(error: ConnectorError, answer: HttpResponse, scope: str) -> ConnectorError:
    """Return what a failed write means: what the agent should read, and whether it may have been done all the same."""
    status, said = answer.status, _said(answer)
    code, details = str(status), error.details
    if status >= 500:
        return Uncertain(f"the answer was {status}", code=code, details=details)
    # So says snac, and Mastodon of an app's token.
    if status == 401 or (status == 422 and "authenticated user" in said):
        return Unauthorised(str(error), code=code, details=details)
    if status in _GONE:
        return Rejected("the post is gone", code="gone", details=details)
    # A token that may only read is no reason to stop reading; one whose account is locked out is.
    if isinstance(error, Rejected) or (status == 403 and "login" not in said):
        hint = f" (the token needs {scope})" if "scope" in said else ""
        return Rejected(f"the instance refused it: {said or error}{hint}", code=code, details=details)
    return error


def _said(answer: HttpResponse) -> str:
    """Return the server's own words, "" if it has none."""
    return (Doc(answer.json()).text("error") or "")[:500]


def _list(answer: ApiAnswer) -> list[Json]:
    if not isinstance(answer.data, list):
        raise Unavailable("the answer is no JSON list", code=str(answer.status))
    return [one for one in answer.data if isinstance(one, dict)]


def _links(header: str) -> dict[str, str]:
    """Return the positions in a Link header: `prev` leads to newer items, `next` to older. No URL is followed."""
    found = {}
    for url, rel in _LINK.findall(header):
        query = parse_qs(urlsplit(url).query)
        names = ("min_id", "since_id") if rel == "prev" else ("max_id",)
        values = [query[name][0] for name in names if name in query]
        if values:
            found[rel] = values[0]
    return found
