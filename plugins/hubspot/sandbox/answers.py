"""Answers and refusals in HubSpot's form, and what a search finds."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

from hub.testkit.sandbox import Answer


def error(status: int, category: str, message: str) -> Answer:
    """Return a refusal in HubSpot's words."""
    return Answer(status, {"status": "error", "message": message, "correlationId": str(uuid4()), "category": category})


def invalid(name: str, code: str, message: str) -> str:
    """Return the message of a property that is refused."""
    reason = {"isValid": False, "message": message, "error": code, "name": name, "localizedErrorMessage": message}
    return f"Property values were not valid: {json.dumps([reason])}"


def item_error(message: str, context: Mapping[str, list[str]], category: str = "VALIDATION_ERROR") -> dict[str, Any]:
    """Return the error of one record in a multi-status."""
    return {"status": "error", "category": category, "message": message, "context": context, "errors": [], "links": {}}


def batch(now: str, results: Sequence[Any], errors: Sequence[Any]) -> Answer:
    """Return the answer of a batch: 207 if something failed."""
    body = {"status": "COMPLETE", "results": list(results), "startedAt": now, "completedAt": now}
    return Answer(207, {**body, "numErrors": len(errors), "errors": list(errors)}) if errors else Answer(200, body)


def matches(properties: Mapping[str, str], wanted: Mapping[str, Any]) -> bool:
    """Return True if all filters of any group hold, and the free text stands somewhere."""
    groups = [group["filters"] for group in wanted.get("filterGroups", [])]
    hit = not groups or any(all(holds(properties, one) for one in group) for group in groups)
    return hit and wanted.get("query", "").casefold() in " ".join(properties.values()).casefold()


def holds(properties: Mapping[str, str], one: Mapping[str, Any]) -> bool:
    """Return True if one filter holds: a value, or one of the values between semicolons."""
    held = properties.get(one["propertyName"])
    if one.get("operator") == "CONTAINS_TOKEN":
        return one.get("value") in (held or "").split(";")
    return held == one.get("value")
