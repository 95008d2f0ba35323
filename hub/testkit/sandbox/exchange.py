"""What goes in and out of a handler: `Call` and `Answer`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from hub.testkit.sandbox.faults import GARBLES, PartialFailure


@dataclass(frozen=True, slots=True)
class Answer:
    """What a handler answers: dict, list and number become JSON, None an empty body, str and bytes stay."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def encode(self) -> tuple[bytes, str]:
        """Return the bytes and their content type (a `content-type` among the headers wins)."""
        if self.body is None:
            return b"", ""
        if isinstance(self.body, bytes):
            return self.body, "application/octet-stream"
        if isinstance(self.body, str):
            return self.body.encode("utf-8", "replace"), "text/plain; charset=utf-8"
        # ASCII escapes let lone surrogates through, as some vendors do: a client must stand that.
        return json.dumps(self.body).encode(), "application/json;charset=utf-8"


BAD_GATEWAY = Answer(502, "<h1>Bad Gateway</h1>", {"content-type": "text/html"})
"""What a proxy says after the work was done behind it."""


def garbled(answer: Answer, how: str) -> Answer:
    """Return the answer with its body spoilt; its status and headers stay as they are."""
    body, kind = answer.encode()
    return Answer(answer.status, GARBLES[how](body), {"content-type": kind or "text/plain", **answer.headers})


class Refused(Exception):
    """Ends a handler with this answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(f"answer {answer.status}")
        self.answer = answer


@dataclass(slots=True)
class Call:
    """One HTTP request as a handler sees it; header names are lower case, `args` are the path's decoded segments."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    body: bytes
    base_url: str = ""
    args: Mapping[str, str] = field(default_factory=dict)
    object: str = ""
    write: bool = False
    partial: PartialFailure | None = None

    @property
    def is_foreign(self) -> bool:
        """Return True if a browser sends this from another site's page."""
        origin = self.headers.get("origin")
        return origin is not None and origin != self.base_url

    def refuse_foreign(self) -> None:
        """Raise Refused (403) if another site's page sends this."""
        if self.is_foreign:
            message = "this sandbox takes orders from its own pages and from programs only"
            raise Refused(Answer(403, {"message": message}))

    def json(self) -> Any:
        """Return the body as JSON; raises Refused with a 400 if it is none."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            raise Refused(Answer(400, {"status": "error", "message": "the body is not JSON"})) from None

    def form(self) -> dict[str, str]:
        """Return the body as an urlencoded form, the last value of a repeated name."""
        return {name: values[-1] for name, values in parse_qs(self.body.decode("utf-8", "replace")).items()}

    def param(self, name: str, default: str = "") -> str:
        """Return a query parameter's first value."""
        return self.query.get(name, [default])[0]

    def fails(self, index: int, total: int) -> bool:
        """Return True if item `index` of `total` is to fail by a `partial` fault."""
        return self.partial is not None and self.partial.hits(index, total)
