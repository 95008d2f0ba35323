"""A file's requests: holes filled, pages followed, answers judged as the file says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import msgspec

from hub import ConnectorError, Context, HttpResponse, QuotaExhausted, RateLimited, Rejected, Unavailable
from hub.sdk.doc import Doc, steps_of
from hub.sdk.fields import filled, percent
from hub.sdk.http.api import Api, ApiAnswer
from hub.sdk.http.auth import Auth, Basic, Bearer
from hub.sdk.http.errors import ErrorTable
from hub.sdk.streams import ByNumber, ByTime, Order, Stream, StreamItem, StreamPage
from hub.sdk.text import parse_time
from plugins.http.config import HttpOptions
from plugins.http.tables import AuthTable, ItemsTable, MatchTable, span

_WAIT = "wait until"
_QUOTA_RESTS = timedelta(hours=1)


class LastPage(Rejected):
    """The answer that says, as an error, that there are no more pages."""


class Endpoint:
    """What a file says of an API, for one call of the engine."""

    def __init__(self, ctx: Context, options: HttpOptions) -> None:
        self._ctx = ctx
        self._options = options
        self._file = options.spec
        self._wait = datetime.min.replace(tzinfo=ctx.now().tzinfo)
        self._errors = ErrorTable(vendor=self._file.source.title, judge=self._judge)

    def stream(self, name: str, realm: str) -> Stream:
        """Return the file's list as a stream."""
        paging = self._file.paging
        return Stream(
            name,
            self.page,
            order_of(self._options),
            newest_first=self._file.items.order == "newest",
            shifts=paging is not None and paging.by in ("page", "offset"),
            most_pages=min(paging.most, 100) if paging else 1,
            realm=realm,
        )

    def page(self, since: Any, more: Any) -> StreamPage:
        """Ask for a page. Raises RateLimited if the API asked us to wait, and the wait is not over."""
        self._rest()
        paging = self._file.paging
        at = paging.first if more is None and paging and paging.by in ("page", "offset") else more
        try:
            answer = self._ask(self._filling(since, at), str(at) if at and paging and paging.by == "next" else None)
        except LastPage:
            return StreamPage()
        self._note(answer.doc)
        payloads = self._items(answer)
        items = [self.item(payload) for payload in payloads]
        kept = [one for one in items if is_kept(one.payload, self._file.items)]
        if lacking := sum(one.place is None or not one.external_id for one in kept):
            self._ctx.log.info("%s items have no %s or no %s", lacking, self._file.items.id, self._file.cursor.at)
        last = next((one.place for one in reversed(items) if one.place is not None), None)
        return StreamPage(kept, self._onward(answer.doc, items, at) if paging else None, last=last)

    def _items(self, answer: ApiAnswer) -> list[bytes]:
        """Return the items of an answer. Raises Unavailable if the file's path leads to none: that is not "nothing new"."""
        rules = self._file.items
        found, above = items_in(answer.content, rules.at), rules.at.rpartition(".")[0]
        if found is not None:
            return found
        if rules.may_miss and (not above or isinstance(answer.doc.get(above), dict)):
            return []
        place = repr(rules.at) if rules.at else "its top"
        raise Unavailable(f"{self._file.source.title}'s answer has no items at {place}", code="no_list")

    def item(self, payload: bytes) -> StreamItem:
        """Return an item with its id, revision and place."""
        doc = Doc(_json(payload))
        items, cursor = self._file.items, self._file.cursor
        place = doc.count(cursor.at) if cursor.as_ == "number" else doc.time(cursor.at)
        return StreamItem(payload, place, doc.id(items.id), doc.id(items.revision) if items.revision else "")

    def gone(self, ids: Sequence[str]) -> Iterator[str]:
        """Yield, of these items' ids, those that are gone; what cannot be told is left out."""
        recheck = self._file.recheck
        if recheck is None:
            return
        if "{ids}" in recheck.url:
            named = recheck.join.join(map(percent, ids))
            found = self._recheck(recheck.url.replace("{ids}", named), {})
            if not isinstance(found.doc.get(recheck.at) if recheck.at else found.data, list):
                raise Unavailable("the answer holds no list", code=str(found.status))
            there = {Doc(_json(one)).id(recheck.id) for one in items_in(found.content, recheck.at) or ()}
            yield from (one for one in ids if one not in there)
            return
        for one in ids:
            answer = self._recheck(recheck.url, {"id": one})
            if any(_says_gone(answer, mark) for mark in recheck.gone):
                yield one

    # ----------------------------------------------------------------------------------------------------- one request

    def _recheck(self, url: str, more: Mapping[str, str]) -> ApiAnswer:
        self._rest()
        marks = self._file.recheck.gone if self._file.recheck else ()
        gone = [int(one) for one in marks if one.isdigit()]
        address = filled(self._options.address(url), {**self._options.values, **more}, percent) or ""
        # An item that is gone may be `null`.
        answer = self._api(address, plain=True).call("GET", address, params=self._secret_param(), also=gone)
        self._note(answer.doc)
        return answer

    def _ask(self, filling: Mapping[str, str], onward: str | None) -> ApiAnswer:
        """Ask for a page, or for the address of the next one (which must be at the same host)."""
        request = self._file.request
        address = filled(self._options.address(request.url), filling, percent)
        if address is None:
            raise Rejected("a hole of the address is empty", code="hole")
        named = {name: filled(text, filling) for name, text in request.headers.items()}
        headers = {name: value for name, value in named.items() if value is not None}
        query = {name: value for name, text in request.query.items() if (value := filled(text, filling)) is not None}
        api, params = self._api(address), {} if onward else query | self._secret_param()
        if request.json is not None:
            return api.post(
                address, _filled_json(request.json, filling), params=params, headers=headers, effect="reads"
            )
        return api.get(onward or address, params, headers=headers)

    def _api(self, address: str, *, plain: bool = False) -> Api:
        parts = urlsplit(address)
        base = f"{parts.scheme}://{parts.netloc}"
        auth, timeout = self._auth(), self._options.timeout
        return Api(self._ctx, base, auth=auth, errors=self._errors, timeout=timeout, plain=plain)

    def _auth(self) -> Auth | None:
        """Return the secret where the file wants it; in a query it is a parameter."""
        rule, secret = self._file.request.auth, self._secret()
        if rule is None or not secret or rule.by == "query":
            return None
        if rule.by == "basic":
            return Basic(filled(rule.name, self._options.values) or "", secret)
        return Bearer(secret) if rule.by == "bearer" else Bearer(secret, scheme="", header=rule.name)

    def _secret_param(self) -> dict[str, str]:
        rule: AuthTable | None = self._file.request.auth
        secret = self._secret()
        return {rule.name: secret} if rule and rule.by == "query" and secret else {}

    def _secret(self) -> str:
        return self._options.secret.get_secret_value() if self._options.secret else ""

    def _filling(self, since: Any, at: Any) -> dict[str, str]:
        """Return what fills the holes of a request."""
        name = self._file.paging.by if self._file.paging else ""
        now = self._ctx.now()
        moving = {"since": self._written(since), "now": self._written(now), name: "" if at is None else str(at)}
        return self._options.values | moving

    def _written(self, place: Any) -> str:
        """Return a place of the cursor as the API writes it."""
        if isinstance(place, datetime):
            return str(int(place.timestamp())) if self._file.cursor.as_ == "seconds" else _iso(place)
        return "" if place is None else str(place)

    # ----------------------------------------------------------------------------------------------------------- answers

    def _onward(self, doc: Doc, items: Sequence[StreamItem], at: Any) -> Any:
        """Return what the next page is asked by, None after the last."""
        paging = self._file.paging
        if paging is None or not items or (paging.size and len(items) < paging.size):
            return None
        if paging.more and not doc.get(paging.more):
            return None
        match paging.by:
            case "page":
                pages = doc.count(paging.last) if paging.last else None
                return at + 1 if pages is None or at + 1 < paging.first + pages else None
            case "offset":
                return at + len(items)
            case "before":
                places = [number for one in items if (number := Doc(_json(one.payload)).count(paging.at)) is not None]
                return min(places, default=None)
            case _:
                return doc.id(paging.at) or None

    def _judge(self, error: ConnectorError, answer: HttpResponse) -> ConnectorError:
        """Return what the file says of an error."""
        doc = Doc(answer.json())
        code, details = error.code, error.details
        if self._file.paging and _fits(self._file.paging.end, answer.status, doc):
            return LastPage(code=code, details=details)
        if _fits(self._file.answer.throttled, answer.status, doc):
            wait = doc.count(self._file.answer.wait) if self._file.answer.wait else None
            return RateLimited(str(error), retry_after=wait, code=code, details=details)
        if _fits(self._file.answer.refused, answer.status, doc):
            return Rejected(str(error), code=code, details=details)
        return error

    def _note(self, doc: Doc) -> None:
        """Remember what a success tells of waiting and quota. Raises what an error in the clothes of a success means."""
        rules, now = self._file.answer, self._ctx.now()
        if _fits(rules.throttled, 200, doc):
            raise RateLimited(
                f"{self._file.source.title} asks us to slow down", retry_after=doc.count(rules.wait or "wait")
            )
        if _fits(rules.refused, 200, doc):
            raise Rejected(f"{self._file.source.title} refuses it")
        wait = timedelta(seconds=min(doc.count(rules.wait) or 0, 86400)) if rules.wait else timedelta(0)
        if rules.left and doc.count(rules.left) == 0:
            wait = max(wait, _QUOTA_RESTS)
        if wait:
            self._wait = now + wait
            self._ctx.state.set(_WAIT, self._wait.isoformat())

    def _rest(self) -> None:
        """Ask nothing before the time that the API named, in this poll or an earlier one."""
        now = self._ctx.now()
        until = max(self._wait, parse_time(self._ctx.state.get(_WAIT)) or self._wait)
        left = (until - now).total_seconds()
        if left >= _QUOTA_RESTS.total_seconds() - 1:
            raise QuotaExhausted(f"{self._file.source.title}: the quota is used up", until=until)
        if left > 0:
            raise RateLimited(f"{self._file.source.title} asked us to wait", retry_after=left, code="asked")


def order_of(options: HttpOptions) -> Order:
    """Return how the file's items are ordered."""
    cursor = options.spec.cursor
    backfill = options.backfill or cursor.backfill
    if cursor.as_ == "number":
        return ByNumber(int(cursor.overlap or 0), int(backfill) if backfill else None)
    return ByTime(span(cursor.overlap or "0"), span(backfill) if backfill else None)


def items_in(content: bytes, path: str) -> list[bytes] | None:
    """Return the items at a path of an answer, each the exact bytes; None if there is no list.

    An object there is a list of one, but not the answer itself: that may be an error in the clothes of a success.
    """
    raw: Any = content
    try:
        for step in steps_of(path) if path else ():
            held: Any = msgspec.json.decode(raw, type=dict[str, msgspec.Raw] | list[msgspec.Raw])
            raw = held[step] if isinstance(held, dict) else held[int(step)]
        is_one = bool(path) and bytes(raw).lstrip().startswith(b"{")
        found = [raw] if is_one else msgspec.json.decode(raw, type=list[msgspec.Raw])
    except (msgspec.DecodeError, RecursionError, LookupError, ValueError):
        return None
    return [bytes(one).strip() for one in found if bytes(one).strip() != b"null"]


def is_kept(payload: bytes, rules: ItemsTable) -> bool:
    """Return True if an item fits each rule of `only`."""
    doc = Doc(_json(payload))
    return all(_has(doc.get(rule.at), rule.is_) for rule in rules.only)


def _has(value: Any, wanted: Sequence[Any] | None) -> bool:
    if wanted is None:
        return value is not None
    return value in wanted or (value is None and "null" in wanted)


def _fits(rules: Sequence[MatchTable], status: int, doc: Doc) -> bool:
    """Return True if an answer is one of these: by its status, by a value of its body, or both."""
    return any(
        (rule.status or status) == status and (not rule.at or doc.get(rule.at) == rule.is_)
        for rule in rules
        if rule.status or rule.at
    )


def _says_gone(answer: ApiAnswer, mark: str) -> bool:
    if mark.isdigit():
        # A proxy in trouble says 404 too, on a page for people: only the API itself answers in JSON.
        return answer.status == int(mark) and answer.data is not None
    if mark == "null":
        return answer.content.strip() == b"null"
    return bool(answer.doc.get(mark))


def _filled_json(value: Any, filling: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return filled(value, filling)
    if isinstance(value, dict):
        named = ((name, _filled_json(one, filling)) for name, one in value.items())
        return {name: one for name, one in named if one is not None}
    return [_filled_json(one, filling) for one in value] if isinstance(value, list) else value


def _json(payload: bytes) -> Any:
    try:
        return msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _iso(at: datetime) -> str:
    return at.isoformat(timespec="seconds").replace("+00:00", "Z")
