"""The form of a source's file: its tables, key by key."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Literal

import msgspec

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_SPAN = re.compile(r"(\d{1,6})([smhd])")


class FileTable(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A table of the file; a key that it does not know is an error."""


class SourceTable(FileTable, frozen=True):
    """What a class would declare: names, pace and duties."""

    network: str
    title: str
    every: str = "5m"
    rate: str = ""
    delete_within: str = "24h"
    keep: str = ""
    terms: str = ""
    attribution: str = ""
    realm: str = ""
    experimental: bool = False


class OptionTable(FileTable, frozen=True):
    """A value that each connection gives: `type` has one fixed pattern."""

    type: Literal["text", "name", "digits", "host", "secret"] = "text"
    default: str | None = None
    required: bool = True
    help: str = ""


class AuthTable(FileTable, frozen=True):
    """Where the secret goes: a header, a query parameter, a bearer token, or the password of basic authentication."""

    by: Literal["header", "query", "bearer", "basic"]
    secret: str
    name: str = ""


class RequestTable(FileTable, frozen=True):
    """How a page is asked for; with `json` it is a POST that only reads."""

    url: str
    query: dict[str, str] = {}
    headers: dict[str, str] = {}
    json: Any = None
    auth: AuthTable | None = None


class MatchTable(FileTable, frozen=True, rename={"is_": "is"}):
    """An answer that means something: by its status, by the value at a path of its body, or both."""

    status: int = 0
    at: str = ""
    is_: Any = None


class AnswerTable(FileTable, frozen=True):
    """What an answer tells besides: seconds to wait, quota left, and which answers mean "later" or "never"."""

    wait: str = ""
    left: str = ""
    throttled: tuple[MatchTable, ...] = ()
    refused: tuple[MatchTable, ...] = ()


class OnlyTable(FileTable, frozen=True, rename={"is_": "is"}):
    """Keeps items whose value at a path is one of these ("null": none), or is there at all."""

    at: str
    is_: tuple[Any, ...] | None = None


class ItemsTable(FileTable, frozen=True):
    """The place of the items in an answer, what tells them apart, and in which order they come.

    With `may_miss` an answer that holds what the path leads through, and not its end, has no items.
    """

    id: str
    at: str = ""
    revision: str = ""
    order: Literal["oldest", "newest"] = "oldest"
    only: tuple[OnlyTable, ...] = ()
    may_miss: bool = False


class PagingTable(FileTable, frozen=True):
    """How the next page is asked for, and how the last one is known."""

    by: Literal["page", "offset", "before", "token", "next"]
    at: str = ""
    first: int = 1
    size: int = 0
    most: int = 100
    more: str = ""
    last: str = ""
    end: tuple[MatchTable, ...] = ()


class CursorTable(FileTable, frozen=True, rename={"as_": "as"}):
    """What orders the items, how much is read twice, and how far the first poll looks back."""

    at: str
    as_: Literal["time", "seconds", "number"] = "time"
    overlap: str = "0"
    backfill: str = ""


class RecheckTable(FileTable, frozen=True):
    """How posts are asked for again: one by `{id}`, or several by `{ids}`, of which those that are missing are gone."""

    url: str
    size: int = 20
    join: str = ","
    at: str = ""
    id: str = ""
    gone: tuple[str, ...] = ("404",)


class SourceFile(FileTable, frozen=True):
    """A whole file."""

    source: SourceTable
    request: RequestTable
    items: ItemsTable
    cursor: CursorTable
    fields: dict[str, Any]
    options: dict[str, OptionTable] = {}
    answer: AnswerTable = AnswerTable()
    paging: PagingTable | None = None
    recheck: RecheckTable | None = None


def span(text: str) -> timedelta:
    """Return the time in text such as "90s", "5m", "24h", "7d". Raises ValueError."""
    found = _SPAN.fullmatch(text)
    if text == "0" or found:
        return timedelta(seconds=int(found[1]) * _SECONDS[found[2]] if found else 0)
    raise ValueError(f'{text!r} is no span of time: write "90s", "5m", "24h" or "7d"')


def is_span(text: str) -> bool:
    """Return True if text is a span of time."""
    return text == "0" or _SPAN.fullmatch(text) is not None


def known_keys() -> Iterator[str]:
    """Return the keys of all tables."""
    for table in FileTable.__subclasses__():
        yield from (field.encode_name for field in msgspec.structs.fields(table))
