"""What a connector declares about itself, and what a destination says of its objects: the engine reads it, and acts on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Compliance:
    """A network's duties: how soon a deletion must follow, how long content may be kept (None: no limit stated)."""

    delete_within: timedelta
    keep: timedelta | None = None
    terms: str = ""


@dataclass(frozen=True, slots=True)
class Upsert:
    """Sending the same record again changes nothing: resend after a doubt."""


@dataclass(frozen=True, slots=True)
class Native:
    """The vendor keeps our idempotency key for `window`: resend inside it, look up after it."""

    window: timedelta


@dataclass(frozen=True, slots=True)
class Lookup:
    """No key at the vendor, but what was written can be found by our mark, `lag` after the write at the latest."""

    lag: timedelta


@dataclass(frozen=True, slots=True)
class NoIdempotency:
    """It cannot be told: after a doubt a person decides."""


Idempotency = Upsert | Native | Lookup | NoIdempotency


@dataclass(frozen=True, slots=True)
class ReplyRules:
    """How a network takes answers: the longest text (as `measure` counts), and how long after a post it may be answered."""

    max_length: int
    window: timedelta | None = None


@dataclass(frozen=True, slots=True)
class FieldInfo:
    """A field of a destination's object.

    `type`: string, text, number, integer, boolean, date, datetime, url, picklist, reference. `values` are the only words that the
    field takes; empty if it takes others too.
    """

    name: str
    type: str = "string"
    max_length: int | None = None
    required: bool = False
    writable: bool = True
    unique: bool = False
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """An object of a destination; `open_fields` is True if any field name is taken."""

    name: str
    fields: Mapping[str, FieldInfo] = field(default_factory=dict)
    open_fields: bool = False
