"""What people write (rules, topics, mappings) and what the steps say about their work (traces): frozen values.

The first half is read from TOML, so unknown fields are refused; `route`, `topics` and `mapping` compile it. The second half
is what `route` and `pipeline` hand back, JSON both ways.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from hub.core.keys import digest

Operation = Literal["upsert", "create", "comment"]
KeyedBy = Literal["signal", "author", "person", "account", "conversation"]
Verdict = Literal["true", "false", "absent", "error"]


class Written(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """The base of what people write: a misspelt field is refused."""


class TraceValue(msgspec.Struct, frozen=True, omit_defaults=True):
    """The base of what the steps tell."""


# ------------------------------------------------------------------------------------------------------ read from TOML


class Topic(Written, frozen=True):
    """A named set of keywords; one with spaces is a phrase, `#tag` means the hashtag only.

    A topic is off for a text that holds any of `exclude`.
    """

    name: str
    keywords: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()


class DeliverTo(Written, frozen=True):
    """A destination's name in the configuration, and one of its mappings."""

    destination: str
    mapping: str


class Rule(Written, frozen=True):
    """When all conditions of `when` (CEL) hold: deliver, label, assign. A rule without conditions always holds.

    `join = "person"`: if the author is linked to a person who has an open conversation elsewhere, what this rule makes of
    the conversation joins that one (one ticket for two channels).
    """

    name: str
    when: tuple[str, ...] = ()
    deliver: tuple[DeliverTo, ...] = ()
    labels: Mapping[str, str] = {}
    assign: str | None = None
    join: Literal["person"] | None = None
    enabled: bool = True


class FieldSpec(Written, frozen=True, rename={"from_": "from"}):
    """How one field gets its value: exactly one of `from`, `value` and `template`; the rest shapes it.

    `limit` counts characters (code points). `volatile`: a change of this field alone never causes a write, unless its number
    crosses one of `steps`. `once`: written only when the record is made.
    """

    from_: str | None = None
    value: Any | UnsetType = UNSET
    template: str | None = None
    table: Mapping[str, Any] | None = None
    default: Any = None
    required: bool = False
    limit: int | None = None
    html: bool = False
    volatile: bool = False
    steps: tuple[float, ...] = ()
    once: bool = False


class MappingTest(Written, frozen=True):
    """A case that a mapping file carries: `expect` names the fields to look at, or `expect_error` a part of the failure."""

    name: str
    given: Mapping[str, Any] = {}
    expect: Mapping[str, Any] = {}
    expect_error: str | None = None


class MappingSpec(Written, frozen=True):
    """A mapping file: which object, under which key, and its fields (dotted names nest).

    `keyed_by`: a person is who was linked to the author, an account the company that this person belongs to; without one there
    is no record.
    """

    object: str
    fields: dict[str, FieldSpec]
    operation: Operation = "upsert"
    keyed_by: KeyedBy = "signal"
    key_field: str = ""
    requires: tuple[str, ...] = ()
    then: str | None = None
    test: tuple[MappingTest, ...] = ()


# --------------------------------------------------------------------------------------------------------------- traces


class ConditionTrace(TraceValue, frozen=True):
    """One condition: its source, what came out, and the values it read (dotted path -> value; long texts are cut).

    `absent`: it needed a value that is null. `error`: it failed otherwise, and `note` says how.
    """

    source: str
    verdict: Verdict
    read: Mapping[str, Any]
    note: str = ""


class RuleTrace(TraceValue, frozen=True):
    """One rule with its version (a digest of what it says), and each of its conditions."""

    rule: str
    version: str
    matched: bool
    conditions: tuple[ConditionTrace, ...] = ()


class RecordNote(TraceValue, frozen=True):
    """A record that a rule asked for; `made` is false if it was not made, and `note` says why."""

    destination: str
    object: str
    key: str
    operation: str
    mapping: str
    mapping_version: str
    rule: str
    note: str = ""
    made: bool = True


def version_of(written: Any) -> str:
    """Return a digest over the canonical JSON of values that people wrote: the same words give the same version."""
    return digest(msgspec.json.encode(msgspec.to_builtins(written), order="sorted").decode())
