"""How the API answers: JSON, pages, and 404 with a reason."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from fastapi import HTTPException, Path, Response

from hub.web.query import NO_CONTROLS, Paged

Key = Annotated[str, Path(max_length=96, pattern=NO_CONTROLS)]


def answer(value: Any) -> Response:
    """Return a value as JSON."""
    return Response(msgspec.json.encode(value), media_type="application/json")


def found(value: Any, missing: str) -> Response:
    """Return a value as JSON; 404 with the reason if there is none."""
    if value is None:
        raise HTTPException(404, missing)
    return answer(value)


def page(name: str, rows: Sequence[dict[str, Any]], query: Paged) -> Response:
    """Return a page and where it goes on: `next` is the value of `before` (or `after`) for the next request."""
    more = rows[-1]["id"] if len(rows) == query.limit else None
    return answer({name: rows, "next": more})
