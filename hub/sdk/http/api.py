"""A vendor's JSON API over the guard: who renews a credential, what a doubt is, what an error means, and page after page.

    api = Api(ctx, "https://api.example.com/v2", auth=Bearer(token), errors=ErrorTable(vendor="Example"))
    name = api.get("me").doc.need("name")
    id_ = api.post("notes", {"text": text}).named("note.id")

Make one for the length of a call of the engine; the `Auth` lives as long as the connector.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

import msgspec

from hub.core.errors import ConnectorError, Rejected, Unauthorised, Unavailable, Uncertain
from hub.sdk.connectors import Context, HttpResponse
from hub.sdk.context import READS
from hub.sdk.doc import Doc
from hub.sdk.http.auth import Auth
from hub.sdk.http.errors import Effect, ErrorTable

MOST_PAGES = 100
_EFFECTS: Mapping[str, Effect] = {
    # RFC 9110 section 9.2: what is safe, and what is idempotent besides.
    **dict.fromkeys(READS, "reads"),
    **dict.fromkeys(("PUT", "DELETE"), "again"),
}
_NEXT = re.compile(r'<([^<>]+)>\s*;[^<]*?\brel="?next\b')
Params = Mapping[str, Any]
Send = Callable[..., HttpResponse]
"""As `Http.send`: method, url, and by name headers, content, timeout."""


class ApiAnswer:
    """A success: status, headers (names in lower case), `content` as it came, and `data`, its JSON (None if it has none)."""

    __slots__ = ("content", "data", "headers", "status", "url", "vendor")

    def __init__(self, answer: HttpResponse, vendor: str = "the server") -> None:
        self.status, self.headers, self.url = answer.status, answer.headers, answer.url
        self.content = answer.content
        self.data: Any = answer.json()
        self.vendor = vendor

    @property
    def doc(self) -> Doc:
        """Return the JSON as a document, an empty one if there is none; a list is read by its numbers."""
        return Doc(self.data, f"{self.vendor}'s answer")

    def named(self, path: str) -> str:
        """Return the id of what was made. Raises Uncertain if the answer names none: it may be there all the same."""
        found = self.doc.id(path)
        if not found:
            raise Uncertain(f"{self.vendor} took it and did not name it ({path} is missing)", code="no_name")
        return found

    def need(self, path: str) -> str:
        """Return a text or an id that was asked for. Raises Unavailable if there is none: some proxy's page."""
        found = self.doc.id(path)
        if not found:
            raise Unavailable(f"{self.vendor}'s answer has no {path}", code="no_value")
        return found

    def listed(self, path: str = "") -> list[Any]:
        """Return the list there, or the list that the answer is. Raises Unavailable if there is none: that is no empty one."""
        found = self.doc.get(path) if path else self.data
        if not isinstance(found, list):
            raise Unavailable(f"{self.vendor}'s answer has no list{f' {path}' if path else ''}", code="no_list")
        return found


Follow = Callable[[ApiAnswer, Params], Params | str | None]
"""Gives the next page after an answer to these parameters: other parameters, an address, or None after the last."""


class Api:
    """One vendor for the length of a call of the engine.

    `base` is where paths start; `via` sends in place of the guard, through a vendor's client (see `adapters.Tap`). A `plain` one
    may answer in any words ("ok", `null`). Every error is named by the table, and told without secrets. A 401 renews the
    credential once, then it is Unauthorised; not before another call has succeeded is it renewed again, so that a lasting 401
    costs few calls.
    """

    def __init__(
        self,
        ctx: Context,
        base: str,
        *,
        auth: Auth | None = None,
        errors: ErrorTable | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        via: Send | None = None,
        plain: bool = False,
    ) -> None:
        self.ctx = ctx
        self.base = base
        self.errors = errors or ErrorTable()
        self._auth, self._renewed = auth, False
        self._headers = {"Accept": "application/json", **(headers or {})}
        self._timeout = timeout
        self._send = via or ctx.http.send
        self._plain = plain

    def get(self, path: str, params: Params | None = None, **more: Any) -> ApiAnswer:
        """Read. Raises Unavailable if the answer is no JSON object or list. `more` as for `call`."""
        return self.call("GET", path, params=params, **more)

    def post(self, path: str, body: Any = None, **more: Any) -> ApiAnswer:
        """Make, or do. After a doubt nothing is known, unless `effect` says otherwise. `more` as for `call`."""
        return self.call("POST", path, body=body, **more)

    def put(self, path: str, body: Any = None, **more: Any) -> ApiAnswer:
        """Put; doing it again changes nothing, unless `effect` says otherwise."""
        return self.call("PUT", path, body=body, **more)

    def patch(self, path: str, body: Any = None, **more: Any) -> ApiAnswer:
        """Change what is there."""
        return self.call("PATCH", path, body=body, **more)

    def delete(self, path: str, **more: Any) -> ApiAnswer:
        """Delete; what is not there (404, 410) is deleted already."""
        return self.call("DELETE", path, **{"also": (404, 410), **more})

    def call(
        self,
        method: str,
        path: str,
        *,
        params: Params | None = None,
        body: Any = None,
        form: Params | None = None,
        headers: Mapping[str, str] | None = None,
        effect: Effect | None = None,
        also: Container[int] = (),
    ) -> ApiAnswer:
        """Send one request: `body` as JSON, or `form` as a form. Statuses in `also` are answers too.

        A success is a JSON object or list; to a write it may also be empty. Anything else is some proxy's page, which proves
        nothing: Unavailable, of a write Uncertain.

        `effect` tells what a doubt is: of a call that "reads" it is Unavailable, as nothing is lost; else a lost answer is
        Uncertain, and after a call that counts "once" so is a 5xx other than 503.
        """
        effect = effect or _EFFECTS.get(method, "once")
        named, content = _content(body, form)
        call = _Call(method, self._url(path, params), {**self._headers, **named, **(headers or {})}, content, effect)
        proof = self._auth.headers(self.ctx) if self._auth else {}
        try:
            return self._try(call, proof, also)
        except Unauthorised as error:
            if not self._is_worn(error) or self._renewed or self._auth is None:
                raise
            # It did nothing there, so the same call may go again; a second refusal is the engine's.
            self._renewed = True
            if not self._auth.renew(self.ctx, proof):
                raise
            return self._try(call, self._auth.headers(self.ctx), also)

    def pages(
        self, path: str, follow: Follow, *, params: Params | None = None, most: int = MOST_PAGES, whole: bool = True
    ) -> Iterator[ApiAnswer]:
        """Read page after page, `most` at most; an address in an answer is followed to the same server only.

        Raises Uncertain if `whole` and there are more: what was not read cannot be called absent.
        """
        asked: Params = params or {}
        for _ in range(most):
            answer = self.get(path, asked)
            yield answer
            onward = follow(answer, asked)
            if onward is None:
                return
            path, asked = (onward, {}) if isinstance(onward, str) else (path, {**asked, **onward})
        if whole:
            raise Uncertain(f"{path.partition('?')[0]} has more pages than we read ({most})", code="pages")

    # ------------------------------------------------------------------------------------------------------- one request

    def _try(self, call: _Call, proof: Mapping[str, str], also: Container[int]) -> ApiAnswer:
        try:
            answer = self._send(
                call.method, call.url, headers={**call.headers, **proof}, content=call.content, timeout=self._timeout
            )
        except Uncertain as error:
            if call.effect != "reads":
                raise
            raise Unavailable(str(error), code=error.code, details=error.details) from error
        if answer.status not in also:
            refusal = self.errors.error_of(answer, self.ctx.now(), effect=call.effect)
            if refusal is not None:
                self.ctx.http.redact_error(refusal)
                raise refusal
        self._renewed = False
        found = ApiAnswer(answer, self.errors.vendor)
        if answer.status not in also and call.is_misfit(found, self._plain):
            kind = Unavailable if call.effect == "reads" else Uncertain
            text = f"{self.errors.vendor}'s answer is no JSON object or list: {self.errors.hint}"
            raise kind(text, code="no_json", details={"status": answer.status})
        return found

    def _is_worn(self, error: ConnectorError) -> bool:
        return error.details.get("status") == 401 or error.code in self.errors.expired

    def _url(self, path: str, params: Params | None) -> str:
        if path.startswith(("https://", "http://")):
            here, there = urlsplit(self.base), urlsplit(path)
            if (here.scheme, here.netloc) != (there.scheme, there.netloc):
                raise Rejected(f"{self.errors.vendor} names a page on another server", code="egress")
            url = path
        else:
            url = f"{self.base.rstrip('/')}/{path.lstrip('/')}" if path else self.base
        if not params:
            return url
        return f"{url}{'&' if '?' in url else '?'}{urlencode(params, doseq=True)}"


@dataclass(frozen=True, slots=True)
class _Call:
    method: str
    url: str
    headers: Mapping[str, str]
    content: bytes | None
    effect: Effect

    def is_misfit(self, answer: ApiAnswer, plain: bool) -> bool:
        """Return True if a success proves nothing: it is no JSON object or list, and not what this call may get."""
        if plain or isinstance(answer.data, dict | list) or self.method == "HEAD":
            return False
        return self.effect == "reads" or answer.content.strip() != b""


def _content(body: Any, form: Params | None) -> tuple[dict[str, str], bytes | None]:
    if form is not None:
        return {"Content-Type": "application/x-www-form-urlencoded"}, urlencode(form, doseq=True).encode("ascii")
    if body is None:
        return {}, None
    if isinstance(body, bytes):
        return {"Content-Type": "application/json"}, body
    return {"Content-Type": "application/json"}, msgspec.json.encode(body)


# ---------------------------------------------------------------------------------------------------------------- pages


def by_cursor(path: str, param: str, *, more: str = "") -> Follow:
    """Follow a cursor that stands at `path` of the answer and goes into `param`; `more` is the path of a flag that ends it."""

    def follow(answer: ApiAnswer, _: Params) -> Params | None:
        cursor = answer.doc.id(path)
        return {param: cursor} if cursor and (not more or answer.doc.get(more)) else None

    return follow


def by_number(items: str, *, param: str = "page", last: str = "") -> Follow:
    """Count pages from 1 until one has no `items`, or until the number at `last` (a path) is reached."""

    def follow(answer: ApiAnswer, asked: Params) -> Params | None:
        page, end = int(asked.get(param, 1)), answer.doc.count(last) if last else None
        if not answer.doc.get(items) or (end is not None and page >= end):
            return None
        return {param: page + 1}

    return follow


def by_url(path: str) -> Follow:
    """Follow the address of the next page at `path` of the answer."""
    return lambda answer, _: answer.doc.text(path)


def by_link(answer: ApiAnswer, _: Params) -> str | None:
    """Follow the header `Link` with `rel="next"` (RFC 8288)."""
    found = _NEXT.search(answer.headers.get("link", ""))
    return found[1] if found else None


__all__ = ["Api", "ApiAnswer", "Follow", "Send", "by_cursor", "by_link", "by_number", "by_url"]
