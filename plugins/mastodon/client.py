"""Mastodon.py as the door to an instance, with every answer kept as the bytes that came.

The library knows paths, parameters and authorisation; its own parsing (dates, casts) is left aside, because a raw item must
be what the network sent. A hook of its session keeps each answer.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import msgspec
import requests
from mastodon import Mastodon
from mastodon.errors import MastodonError

from hub import ConnectorError, Context, HttpResponse, RateLimited, Rejected, Unauthorised, Unavailable, Uncertain
from hub.sdk.http.adapters import requests_session, unwrapped
from hub.sdk.http.errors import error_for, retry_after
from hub.sdk.text import parse_time
from plugins.mastodon.config import MastodonOptions

PAGE_SIZE = 40

Json = dict[str, Any]
_HINT = " (the token needs write:statuses)"
_ID = re.compile(r"\w[\w.~-]*")  # of whatever kind of server; it becomes part of a path


class _Head(msgspec.Struct):
    """What of an entity places it in its stream; conversations are ordered by their last status."""

    id: str | int | None = None
    last_status: _Head | None = None


def place_of(item: bytes) -> str:
    """The id by which the item's stream is ordered and paged, "" where it has none. An opaque string: ids may be ULIDs."""
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

    def unseen(self, since: str, seen: Collection[str]) -> list[bytes]:
        """The items newer than `since` that this fetch has not seen: a server may ignore the position it was given."""
        fresh = []
        for item in self.items:
            place = place_of(item)
            if since and place == since:
                break
            if place not in seen:
                fresh.append(item)
        return fresh


class _Api(Mastodon):
    """The library without its look at the instance before each timeline, which would double the requests of a poll."""

    def timeline_is_available(self, *_: Any, **__: Any) -> bool:
        """Let the timeline itself say whether it is open."""
        return True


class Instance:
    """An instance as one account sees it, for the length of one pull. Calls raise ConnectorErrors only."""

    def __init__(self, ctx: Context, options: MastodonOptions) -> None:
        self._now = ctx.now
        self._own_id = ""
        self._answers: list[HttpResponse] = []
        self._types = list(options.notification_types)
        session = requests_session(ctx.http)
        session.hooks["response"].append(self._keep)
        self._api = _Api(
            api_base_url=options.instance,
            session=session,
            ratelimit_method="throw",
            version_check_mode="none",
            request_timeout=options.timeout,
        )
        # Given to the constructor, a token that is also the name of a file would be read as that file.
        self._api.access_token = options.token.get_secret_value() if options.token else None

    def page(self, stream: str, *, min_id: str | None = None, max_id: str | None = None) -> Slice:
        """The items just newer than `min_id`, or just older than `max_id`, or the newest ones."""
        paging: dict[str, Any] = {"min_id": min_id, "max_id": max_id, "limit": PAGE_SIZE}
        answer = self._ask(self._call(stream, paging))
        try:
            items = tuple(bytes(raw) for raw in msgspec.json.decode(answer.content, type=list[msgspec.Raw]))
        except (msgspec.DecodeError, RecursionError) as error:
            raise Unavailable(f"the answer for {stream} is no JSON list", code=str(answer.status)) from error
        if not items:
            return Slice()
        links = _links(answer.headers.get("link", ""))
        return Slice(items, links.get("prev") or place_of(items[0]), links.get("next") or place_of(items[-1]))

    def account(self) -> str:
        """The handle of the account that the token belongs to."""
        return self._named(self._api.account_verify_credentials, "acct")

    def title(self) -> str:
        """The name that the instance gives itself."""
        return self._named(self._api.instance_v1, "title")

    def _named(self, call: Callable[[], object], field: str) -> str:
        found = self._object(call)
        if field not in found:  # some proxy's page is no sign that all is well
            raise Unavailable(f"the answer has no {field}")
        return str(found[field] or "")

    # ------------------------------------------------------------------------------------------------- single statuses

    def status(self, id_: str) -> Json | None:
        """The status with this local id, None where the instance has none, or shows it to us no more."""
        return self._find(lambda: self._api.status(id_)) if _ID.fullmatch(id_) else None

    def raw_status(self, id_: str) -> bytes | None:
        """The same as the bytes that came."""
        return self._answers[-1].content if self.status(id_) is not None else None

    def is_gone(self, id_: str) -> bool:
        """Whether the API itself says that it has no such status; some proxy's page for people does not count."""
        return self.status(id_) is None and isinstance(self._answers[-1].json(), dict)

    def statuses(self, ids: Sequence[str]) -> list[Json]:
        """Those of these local ids that are there (Mastodon 4.3); raises Rejected where the server knows no such call."""
        return self._list(lambda: self._api.statuses(list(ids)))

    def resolve(self, uri: str) -> Json | None:
        """The status with this `uri`, which the instance fetches where it does not have it."""
        # With its default for `exclude_unreviewed` the library asks for the server's version, and may do so without end.
        search = partial(self._api.search_v2, uri, result_type="statuses", exclude_unreviewed=False)
        try:
            found = self._object(search)
        except Unauthorised as error:
            if error.code != "403":
                raise
            raise Rejected("the token may not look up addresses (it needs read:search)", code="403") from error
        return next((one for one in _dicts(found.get("statuses")) if one.get("uri") == uri), None)

    def account_named(self, id_or_name: str) -> Json | None:
        """An account of this instance by its id (digits) or its name, None where there is none."""
        if id_or_name.isdigit():
            return self._find(lambda: self._api.account(id_or_name))
        return self._find(lambda: self._api.account_lookup(id_or_name))

    def own_id(self) -> str:
        """The local id of the account that the token belongs to; asked once."""
        if not self._own_id:
            self._own_id = str(self._object(self._api.account_verify_credentials).get("id") or "")
        return self._own_id

    def own_statuses(self, *, max_id: str | None = None) -> list[Json]:
        """What our account wrote, newest first, replies and direct ones too, without boosts."""
        id_, paging = self.own_id(), {"limit": PAGE_SIZE, "max_id": max_id}
        return self._list(lambda: self._api.account_statuses(id_, exclude_reblogs=True, **paging))

    def longest_status(self) -> int | None:
        """The characters that a status may have here, None where the server does not say."""
        for ask in (self._api.instance_v2, self._api.instance_v1):
            about = self._find(ask) or {}
            configured = (about.get("configuration") or {}).get("statuses") or {}
            if isinstance(most := configured.get("max_characters") or about.get("max_toot_chars"), int):
                return most
        return None

    def post(self, text: str, *, key: str, **more: Any) -> Json:
        """Post a status under an idempotency key; the status as it now is.

        `more` goes to the API by its names: in_reply_to_id, visibility, language. Raises Rejected with the server's reason,
        Uncertain where the answer does not tell whether it was done.
        """
        try:
            answer = self._ask(lambda: self._api.status_post(text, idempotency_key=key, **more))
        except ConnectorError as error:
            raise _refusal(error, self._answers[-1] if self._answers else None) from error
        found = answer.json()
        if not isinstance(found, dict) or not found.get("uri"):
            raise Uncertain("the answer to the post names no status", code=str(answer.status))
        return found

    def _find(self, call: Callable[[], object]) -> Json | None:
        try:
            return self._object(call)
        except Rejected as error:
            if error.code in {"404", "410"}:
                return None
            raise

    def _object(self, call: Callable[[], object]) -> Json:
        answer = self._ask(call)
        if not isinstance(found := answer.json(), dict):
            raise Unavailable("the answer is no JSON object", code=str(answer.status))
        return found

    def _list(self, call: Callable[[], object]) -> list[Json]:
        answer = self._ask(call)
        if not isinstance(found := answer.json(), list):
            raise Unavailable("the answer is no JSON list", code=str(answer.status))
        return _dicts(found)

    def _call(self, stream: str, paging: dict[str, Any]) -> Callable[[], object]:
        name, _, tag = stream.partition(":")
        calls: dict[str, Callable[[], object]] = {
            "tag": lambda: self._api.timeline_hashtag(quote(tag, safe=""), **paging),
            "public": lambda: self._api.timeline_public(**paging),
            "local": lambda: self._api.timeline_local(**paging),
            "notifications": lambda: self._api.notifications(types=self._types, **paging),
            "conversations": lambda: self._api.conversations(**paging),
        }
        return calls[name]

    def _keep(self, response: requests.Response, *_: Any, **__: Any) -> requests.Response:
        """Keep the answer; in place of a list the library gets an empty one, since to parse it would cost 4 ms a status."""
        headers = {name.lower(): value for name, value in response.headers.items()}
        self._answers.append(HttpResponse(response.status_code, headers, response.content, response.url))
        response.headers.pop("deprecation", None)  # the library would warn, and a warning has no reader here
        if response.status_code != 200 or not response.content.lstrip().startswith(b"["):
            return response
        stub = requests.Response()
        stub.status_code, stub.raw = 200, io.BytesIO(b"[]")
        return stub

    def _ask(self, call: Callable[[], object]) -> HttpResponse:
        """Make the call for its answer's sake: what the library makes of the answer does not matter."""
        self._answers.clear()
        failure: Exception | None = None
        try:
            with unwrapped():
                call()
        except (MastodonError, ValueError, TypeError, LookupError, AttributeError) as error:
            failure = error
        if not self._answers:
            raise Unavailable(f"no answer: {failure}"[:300]) from failure
        answer = self._answers[-1]  # after redirects there are several
        if meaning := _meaning(answer, self._now()):
            raise meaning
        return answer


def _meaning(answer: HttpResponse, now: datetime) -> ConnectorError | None:
    """The generic reading, but for what Mastodon does its own way: 403 for a lacking scope, its reset header."""
    error = error_for(answer, now)
    if answer.status == 403 and error:
        return Unauthorised(str(error), code=error.code, details=error.details)
    if answer.status == 429 and error:
        wait = retry_after(answer.headers, now)
        wait = _reset(answer, now) if wait is None else wait
        return RateLimited(str(error), retry_after=wait, code="429", details=error.details)
    return error


def _refusal(error: ConnectorError, answer: HttpResponse | None) -> ConnectorError:
    """What a failed post means: what the agent should read, and whether it may have been done all the same."""
    status, said = (answer.status, _said(answer)) if answer else (0, "")
    if status >= 500:
        return Uncertain(f"the answer to the post was {status}", code=str(status), details=error.details)
    if status == 401 or (
        status == 422 and "authenticated user" in said
    ):  # so says snac, and Mastodon of an app's token
        return Unauthorised(f"{error}: {said}", code=str(status), details=error.details)
    if status in {404, 410}:
        return Rejected("the post is gone", code="gone", details=error.details)
    # A token that may only read is no reason to stop reading; one whose account is locked out is.
    if isinstance(error, Rejected) or (status == 403 and "login" not in said):
        reason = f"the instance refused it: {said or error}"
        return Rejected(reason + _HINT * ("scope" in said), code=str(status), details=error.details)
    return error


def _said(answer: HttpResponse) -> str:
    """The server's own words, "" where it has none."""
    body = answer.json()
    return str(body.get("error") or "")[:500] if isinstance(body, dict) else ""


def _dicts(found: object) -> list[Json]:
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _reset(answer: HttpResponse, now: datetime) -> float | None:
    """Seconds until `X-RateLimit-Reset`: an ISO time at Mastodon, seconds since 1970 at GoToSocial; by the server's clock."""
    at = parse_time(answer.headers.get("x-ratelimit-reset", ""))
    server = parse_time(answer.headers.get("date", "")) or now
    return None if at is None else max(1.0, (at - server).total_seconds())


def _links(header: str) -> dict[str, str]:
    """The positions in a Link header: `prev` leads to newer items, `next` to older. Only ids are read, no URL is followed."""
    found = {}
    for link in requests.utils.parse_header_links(header) if header else ():
        query = parse_qs(urlsplit(link.get("url", "")).query)
        for rel, names in (("prev", ("min_id", "since_id")), ("next", ("max_id",))):
            values = [query[name][0] for name in names if name in query]
            if link.get("rel") == rel and values:
                found[rel] = values[0]
    return found
