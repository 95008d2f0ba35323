"""The way into Request Tracker: REST 2.0 over the hub's guard, a few lines, no client library.

RT answers in JSON; its links (`_url`, `next_page`) are made of RT's own idea of its address and are never followed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

import msgspec

from hub import ConnectorError, Context, HttpResponse, Rejected, Unauthorised, Unavailable, Uncertain
from hub.sdk.http.errors import error_for
from plugins.requesttracker.config import RequestTrackerOptions

PAGES = 100
_PER_PAGE = 100


def error_of(answer: HttpResponse, now: datetime, *, doubtful: bool = False) -> ConnectorError:
    """What an answer that is no success means; RT's own words are in `message` (RT docs, "RT::REST2").

    A 5xx other than 503 on a `doubtful` write is Uncertain: RT commits a ticket before its scrips and mails run.
    """
    status, generic = answer.status, error_for(answer, now)
    if generic is None:  # a redirect, to https or to a login page: a POST that follows it becomes a GET
        return Rejected(f"RT sent us elsewhere (HTTP {status}): is base_url right?", code=str(status))
    body = answer.json()
    text = str(body.get("message") or generic).strip()[:300] if isinstance(body, Mapping) else str(generic)
    if isinstance(generic, Unauthorised | Rejected):
        return type(generic)(text, code=str(status), details=generic.details)
    if doubtful and status >= 500 and status != 503:
        return Uncertain(text, code=str(status), details=generic.details)
    return generic


class RequestTrackerClient:
    """One RT for the length of a call."""

    def __init__(self, options: RequestTrackerOptions, ctx: Context) -> None:
        self._options = options
        self.ctx = ctx

    def get(self, path: str, **params: str | int) -> dict[str, Any]:
        """Read `/REST/2.0/<path>`: a JSON object."""
        body = self._send("GET", path + ("?" + urlencode(params) if params else "")).json()
        if not isinstance(body, dict):
            raise Unavailable(f"RT's answer to {path} is no JSON object: is base_url right?")
        return body

    def post(self, path: str, body: Mapping[str, Any], *, doubtful: bool = True) -> HttpResponse:
        """Write; `doubtful` is False where writing twice does no harm."""
        try:
            return self._send("POST", path, msgspec.json.encode(body), doubtful=doubtful)
        except Uncertain as error:
            if doubtful:
                raise
            raise Unavailable(str(error), code=error.code, details=error.details) from error

    def named(self, kind: str, name: str) -> dict[str, Any] | None:
        """A queue or a user by name or id, None where there is none that we may see."""
        try:
            return self.get(f"{kind}/{quote(name, safe='')}")
        except Rejected as error:
            if error.details.get("status") not in (403, 404):
                raise
            return None

    def items(self, path: str, **params: str) -> Iterator[Mapping[str, Any]]:
        """All items of a list. RT tells no number of pages to a user who may not see all, so the empty page ends it.

        Raises Uncertain after 100 pages: what was not read cannot be called absent.
        """
        for page in range(1, PAGES + 1):
            answer = self.get(path, **params, per_page=_PER_PAGE, page=page)
            found = answer.get("items")
            yield from (one for one in found if isinstance(one, Mapping)) if isinstance(found, list) else ()
            pages = answer.get("pages")
            if not found or (isinstance(pages, int | float) and page >= pages):
                return
        raise Uncertain(f"{path} has more pages than we read")

    def _send(self, method: str, path: str, content: bytes | None = None, *, doubtful: bool = False) -> HttpResponse:
        headers = {"Authorization": f"token {self._options.token.get_secret_value()}", "Accept": "application/json"}
        if content is not None:  # RT answers 415 to a write without it, even where there is nothing to say
            headers["Content-Type"] = "application/json"
        url = f"{self._options.base_url}/REST/2.0/{path}"
        answer = self.ctx.http.send(method, url, headers=headers, content=content, timeout=self._options.timeout)
        if answer.status >= 300:
            raise error_of(answer, self.ctx.now(), doubtful=doubtful)
        return answer
