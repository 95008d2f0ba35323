"""The way into Request Tracker: REST 2.0 over the sdk's `Api`, no client library.

RT answers in JSON; its links (`_url`, `next_page`) are made of RT's own idea of its address and are never followed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from hub import Context, Rejected, Unavailable
from hub.sdk.doc import Doc
from hub.sdk.http.api import Api, ApiAnswer, by_number
from hub.sdk.http.auth import Bearer
from hub.sdk.http.errors import Effect, ErrorTable
from plugins.requesttracker.config import RequestTrackerOptions

# RT's own words are in `message` (RT docs, "RT::REST2"); it commits a ticket before its scrips and mails run, so that a 5xx
# after a write is a doubt.
ERRORS = ErrorTable(vendor="RT", hint="is base_url right?")


class RequestTrackerClient:
    """One RT for the length of a call."""

    def __init__(self, options: RequestTrackerOptions, ctx: Context) -> None:
        self.ctx = ctx
        token = Bearer(options.token.get_secret_value(), scheme="token")
        # RT answers 415 to a write without a content type, even if there is nothing to say.
        self._api = Api(ctx, f"{options.base_url}/REST/2.0", auth=token, errors=ERRORS, timeout=options.timeout)

    def get(self, path: str, **params: str | int) -> Doc:
        """Read `/REST/2.0/<path>`: a JSON object."""
        doc = self._api.get(path, params).doc
        if not isinstance(doc.data, dict):
            raise Unavailable(f"RT's answer to {path} is no JSON object: is base_url right?")
        return doc

    def post(self, path: str, body: Mapping[str, Any], *, effect: Effect = "once") -> ApiAnswer:
        """Write; a doubt about a call that "reads" (a user more or less) does no harm."""
        return self._api.post(path, body, effect=effect)

    def put(self, path: str, body: Mapping[str, Any]) -> ApiAnswer:
        """Change what is there; doing it again does no harm."""
        return self._api.call("PUT", path, body=body, effect="again")

    def named(self, kind: str, name: str) -> Doc:
        """Return a queue or a user by name or id, an empty document if there is none that we may see."""
        answer = self._api.get(f"{kind}/{quote(name, safe='')}", also=(403, 404))
        return answer.doc if answer.status == 200 else Doc({})

    def items(self, path: str, **params: str) -> Iterator[Doc]:
        """Give all items of a list. RT tells no number of pages to a user who may not see all, so the empty page ends it.

        Raises Uncertain after 100 pages: what was not read cannot be called absent.
        """
        for page in self._api.pages(
            path, by_number("items", last="pages"), params={**params, "per_page": 100, "page": 1}
        ):
            yield from page.doc.docs("items")


def status_of(error: Rejected) -> Any:
    """Return the status of the answer that was refused."""
    return error.details.get("status")
