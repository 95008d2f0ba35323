"""Routes: a method, a path pattern, and what a call of it counts as."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import unquote

from hub.sdk.context import READS

_MARK = "_sandbox_routes"
_SEGMENT = re.compile(r"\{(\w+)\}")

HandlerT = TypeVar("HandlerT", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Route:
    """One route. `write`: how its calls are counted; `contract`: whether the vendor's contract describes it."""

    method: str
    pattern: str
    handler: str
    object: str
    write: bool
    open: bool
    contract: bool
    regex: re.Pattern[str]


def route(
    method: str,
    pattern: str,
    *,
    object: str = "",  # noqa: A002 - the words of a route
    write: bool | None = None,
    open: bool = False,  # noqa: A002 - the words of a route
    contract: bool = True,
) -> Callable[[HandlerT], HandlerT]:
    """Mark a method of a Sandbox as the handler of `METHOD pattern`; several marks may stand on one method.

    `{name}` in the pattern is one path segment or a part of it ("/v{version}/x"), matched before percent-decoding, so an
    encoded slash stays inside. `object` is what calls are counted under and may name segments ("{objectType}"). `write`
    defaults to "not a GET"; say False for searches by POST. `open` needs no credentials. `contract=False`: the vendor's
    contract does not describe it.
    """

    def mark(handler: HandlerT) -> HandlerT:
        writes = method.upper() not in READS if write is None else write
        made = Route(method.upper(), pattern, handler.__name__, object, writes, open, contract, compile_path(pattern))
        marks: list[Route] = handler.__dict__.setdefault(_MARK, [])
        marks.append(made)
        return handler

    return mark


def compile_path(pattern: str) -> re.Pattern[str]:
    """Return a pattern with `{name}` segments as a regular expression over a whole, still encoded path."""
    parts = _SEGMENT.split(pattern)
    return re.compile(
        "".join(f"(?P<{part}>[^/]+?)" if index % 2 else re.escape(part) for index, part in enumerate(parts))
    )


def routes_of(cls: type) -> tuple[Route, ...]:
    """Return all routes of a class and its bases, patterns with fewer placeholders first."""
    found = {
        (item.method, item.pattern): item
        for base in reversed(cls.__mro__)
        for member in vars(base).values()
        for item in getattr(member, _MARK, ())
    }
    return tuple(sorted(found.values(), key=lambda item: (item.pattern.count("{"), -len(item.pattern))))


def find_route(routes: Iterable[Route], method: str, path: str) -> tuple[Route, Mapping[str, str]] | None:
    """Find the first route that fits, with its decoded segments."""
    for item in routes:
        if item.method == method and (match := item.regex.fullmatch(path)):
            return item, {name: unquote(value) for name, value in match.groupdict().items()}
    return None
