"""SOQL in its simplest form: fields of one object, conditions joined by AND, an order."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

_QUERY = re.compile(
    r"\s*select\s+(?P<fields>[\w\s,]+?)\s+from\s+(?P<object>\w+)(?:\s+where\s+(?P<where>.+?))?"
    r"(?:\s+order\s+by\s+(?P<order>[\w\s,]+?))?\s*",
    re.IGNORECASE | re.DOTALL,
)
_CONDITION = re.compile(
    r"(?P<field>\w+)\s*(?:(?P<sign>>=|=)\s*(?P<plain>true|false|\d{4}-[\d:TZ.+-]+|'(?:[^'\\]|\\.)*')"
    r"|in\s*\((?P<many>(?:\s*'(?:[^'\\]|\\.)*'\s*,?)+)\))",
    re.IGNORECASE | re.DOTALL,
)
_LITERAL = re.compile(r"'((?:[^'\\]|\\.)*)'")


@dataclass(frozen=True, slots=True)
class SoqlCondition:
    """A field and the values that it may have; with `since`, a time before which it must not lie."""

    field: str
    values: frozenset[str]
    since: str = ""

    def holds(self, record: Mapping[str, Any]) -> bool:
        """Return True if a record (with its Id) fulfils it."""
        held = record.get(self.field)
        if self.since:
            return str(held or "")[:19] >= self.since[:19]
        return ("true" if held is True else "false" if held in (False, None) else str(held)) in self.values


@dataclass(frozen=True, slots=True)
class Query:
    """A query that was understood."""

    object: str
    names: tuple[str, ...]
    where: tuple[SoqlCondition, ...] = ()
    order: tuple[str, ...] = ()

    @property
    def fields(self) -> set[str]:
        """All fields that it names."""
        return {*self.names, *(one.field for one in self.where), *self.order}

    def run(self, records: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """Return the records (with their Ids) that fulfil all conditions, in order."""
        found = [one for one in records if all(condition.holds(one) for condition in self.where)]
        return sorted(found, key=lambda one: [str(one.get(name) or "") for name in self.order])


def read(text: str) -> Query | None:
    """Read a query, None if it is beyond this look-alike."""
    if (found := _QUERY.fullmatch(text)) is None:
        return None
    where: list[SoqlCondition] = []
    rest = found["where"] or ""
    while rest:
        if (one := _CONDITION.match(rest)) is None:
            return None
        where.append(_condition(one))
        rest = rest[one.end() :].strip()
        if rest and not rest.lower().startswith("and "):
            return None
        rest = rest[4:].strip()
    return Query(found["object"], _names(found["fields"]), tuple(where), _names(found["order"] or ""))


def _condition(found: re.Match[str]) -> SoqlCondition:
    plain = found["plain"] or ""
    if found["sign"] == ">=":
        return SoqlCondition(found["field"], frozenset(), since=plain)
    quoted = [re.sub(r"\\(.)", r"\1", one) for one in _LITERAL.findall(found["many"] or plain)]
    return SoqlCondition(found["field"], frozenset(quoted or [plain.lower()]))


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())
