"""Fields of an object: as a describe gives them, and what they take."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_ZONED = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)")
Record = dict[str, Any]


class FieldProblem(Exception):
    """One row that Salesforce would refuse."""

    def __init__(self, code: str, message: str, *fields: str) -> None:
        self.item = {"statusCode": code, "message": message, "fields": list(fields)}


def field_of(short: Mapping[str, Any], defaults: Mapping[str, Any]) -> Record:
    """Return a field of schema.json as a describe gives it."""
    picks = [{"active": True, "value": value, "label": value} for value in short.get("picklist", ())]
    return {**defaults, "label": short["name"], "picklistValues": picks, **short}


def fit(field: Record, value: Any) -> None:
    """Hold a text to its field; raises FieldProblem."""
    name, length = field["name"], field["length"]
    if isinstance(value, str) and length and len(value) > length:
        raise FieldProblem("STRING_TOO_LONG", f"{name}: data value too large: {value[:20]} (max length={length})", name)
    picks = [pick["value"] for pick in field["picklistValues"]]
    if field["restrictedPicklist"] and value not in (*picks, "", None):
        raise FieldProblem(
            "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", f"bad value for restricted picklist: {value}", name
        )


def is_readable(kind: str, value: Any) -> bool:
    """Return True if JSON's value can be a field of this type."""
    if kind in {"double", "int", "currency", "percent", "boolean"}:
        wanted: Any = bool if kind == "boolean" else (int, float)
        return value is None or (isinstance(value, wanted) and isinstance(value, bool) == (kind == "boolean"))
    return value is None or (isinstance(value, str) and (kind != "datetime" or _ZONED.fullmatch(value) is not None))
