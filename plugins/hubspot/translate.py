"""HubSpot's JSON: inputs made from deliveries, answers and errors read back. Pure."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from hub import (
    ConnectorError,
    Delivery,
    FieldInfo,
    ObjectInfo,
    QuotaExhausted,
    RateLimited,
    Rejected,
    Unauthorised,
    Unavailable,
)
from hub.sdk.text import excerpt, parse_time

STRING_LIMIT = 65_536  # characters of a text property: HubSpot, "property field types"

_TYPE_ID = re.compile(r"\d+-\d+")
_STANDARD = {"contacts": "0-1", "companies": "0-2", "deals": "0-3", "tickets": "0-5", "tasks": "0-27", "notes": "0-46"}
_RECORD_URL = re.compile(r"/record/([^/?#]+)/[^/?#]+")
# 423 locked, 477 account is being moved, 521 to 524 the edge: HubSpot, "error handling".
_PASSING = frozenset((408, 409, 423, 425, 477))
_PASSING_CATEGORIES = ("RATE_LIMIT", "CONFLICT", "INTERNAL", "UNAVAILABLE", "TIMEOUT", "LOCKED", "SERVER_ERROR")
_NO_RIGHT = re.compile(r"MISSING_SCOPES|scopes|permission", re.IGNORECASE)
_TYPES = {"string": "string", "number": "number", "bool": "boolean", "date": "datetime", "datetime": "datetime"}


# ------------------------------------------------------------------------------------------------------------- inputs


@dataclass(frozen=True, slots=True)
class Input:
    """One record of a batch: the deliveries that it settles (several where they share a key), its key and properties.

    `once` names properties that only fill what is empty; with an `id` the record is written by that, not by its key.
    """

    deliveries: tuple[Delivery, ...]
    key: str
    key_field: str
    properties: Mapping[str, str]
    once: frozenset[str] = frozenset()
    id: str | None = None

    @property
    def trace(self) -> str:
        """`objectWriteTraceId`: what HubSpot gives back with the record or its error, whatever their order."""
        return str(self.deliveries[-1].id)


def inputs_of(batch: Sequence[Delivery]) -> tuple[list[Input], dict[int, ConnectorError]]:
    """One input a key (the last delivery of a key wins), and the errors of deliveries that cannot be written.

    HubSpot refuses a whole batch in which one key stands twice.
    """
    inputs: dict[tuple[str, str], Input] = {}
    errors: dict[int, ConnectorError] = {}
    for delivery in sorted(batch, key=lambda item: (item.seq, item.id)):
        try:
            made = _input_of(delivery)
        except ConnectorError as error:
            errors[delivery.id] = error
            continue
        place = (made.key_field, made.key)
        earlier = inputs.pop(place).deliveries if place in inputs else ()
        inputs[place] = replace(made, deliveries=(*earlier, delivery))
    return list(inputs.values()), errors


def _input_of(delivery: Delivery) -> Input:
    if not delivery.key_field:
        raise Rejected("the mapping names no key_field: HubSpot finds records by a unique property")
    properties = {
        name: text
        for name, value in delivery.fields.items()
        if name != delivery.key_field and (text := property_text(name, value)) is not None
    }
    return Input((delivery,), delivery.record_key, delivery.key_field, properties, frozenset(delivery.once))


def known_of(inputs: Sequence[Input]) -> tuple[list[Input], list[Input]]:
    """Inputs whose record HubSpot has named to us, with its id, and the others."""
    named = [replace(item, id=item.deliveries[-1].ref.id) for item in inputs if item.deliveries[-1].ref]
    return named, [item for item in inputs if item.deliveries[-1].ref is None]


def filling(item: Input, held: Mapping[str, Any]) -> Input:
    """The input without what somebody has filled in already."""
    kept = {name: text for name, text in item.properties.items() if name not in item.once or not held.get(name)}
    return replace(item, properties=kept)


def property_text(name: str, value: Any) -> str | None:
    """A value as HubSpot takes it: always text, lists joined by ";"; None where there is nothing to write.

    Raises Rejected for values without such a form (a nested object).
    """
    match value:
        case None:
            return None
        case bool():
            return "true" if value else "false"
        case str():
            return value.encode("utf-8", "replace").decode()
        case int():
            return str(value)
        case float():
            return format(Decimal(repr(value)), "f") if math.isfinite(value) else None
        case list() | tuple():
            parts = [property_text(name, item) for item in value]
            return ";".join(part for part in parts if part is not None)
    raise Rejected(f"a HubSpot property holds text, {name} is {type(value).__name__}", field=name)


# ------------------------------------------------------------------------------------------------------------ answers


@dataclass(frozen=True, slots=True)
class Written:
    """A record that HubSpot wrote: its id, and whether it is new."""

    id: str
    new: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """What a batch's answer says, by trace id."""

    written: Mapping[str, Written] = field(default_factory=dict)
    errors: Mapping[str, ConnectorError] = field(default_factory=dict)


def answer_of(body: Any, inputs: Sequence[Input]) -> Answer:
    """Read a 200 or 207: each input is found by its trace id (else by its key), never by its place.

    An input that the answer says nothing about is Unavailable: an upsert may be sent again.
    """
    body = body if isinstance(body, Mapping) else {}
    names = _names(inputs)
    written = dict(_written(body, inputs, names))
    errors: dict[str, ConnectorError] = {}
    for error in _list(body, "errors"):
        errors.update(dict.fromkeys(_named(error, names, by_id=_by_id(inputs)), item_error(error)))
    errors.update(missing_of(body, inputs))
    for item in inputs:
        if item.trace not in written and item.trace not in errors:
            errors[item.trace] = Unavailable("HubSpot's answer says nothing about this record", code="no_result")
    return Answer(written, {trace: error for trace, error in errors.items() if trace not in written})


def _written(
    body: Mapping[str, Any], inputs: Sequence[Input], names: Mapping[str, str]
) -> Iterator[tuple[str, Written]]:
    fields = {item.key_field for item in inputs}
    ids = {item.id: item.trace for item in inputs if item.id}
    for result in _list(body, "results"):
        properties = result.get("properties")
        keys = [properties.get(name) for name in fields] if isinstance(properties, Mapping) else []
        called = (_text(name) for name in (result.get("objectWriteTraceId"), *keys))
        found = next((names[name] for name in called if name in names), ids.get(_text(result.get("id"))))
        if found is not None and result.get("id"):
            yield found, Written(str(result["id"]), result.get("new") is True)


def _names(inputs: Sequence[Input]) -> dict[str, str]:
    """Traces by what an answer may call an input."""
    return {item.trace: item.trace for item in inputs} | {item.key: item.trace for item in inputs if not item.id}


def _by_id(inputs: Sequence[Input]) -> bool:
    return any(item.id for item in inputs)


def missing_of(body: Any, inputs: Sequence[Input]) -> dict[str, ConnectorError]:
    """The inputs written by id whose record is no longer there, as the errors of a 207 name them."""
    ids = {item.id: item.trace for item in inputs if item.id}
    found: dict[str, ConnectorError] = {}
    for error in _list(body, "errors"):
        context = error.get("context")
        named = _many(context.get("ids")) if isinstance(context, Mapping) else []
        found.update({ids[_text(id_)]: item_error(error) for id_ in named if _text(id_) in ids})
    return found


def culprits_of(body: Any, inputs: Sequence[Input]) -> dict[str, ConnectorError]:
    """The inputs that a refused batch names (by trace id or key) in its errors' context, with their errors."""
    names = _names(inputs)
    found: dict[str, ConnectorError] = {}
    for error in _list(body, "errors"):
        # What each detail lacks stands once at the top.
        above = {name: _text(body.get(name)) for name in ("category", "correlationId")}
        found.update(dict.fromkeys(_named(error, names, by_id=_by_id(inputs)), item_error({**above, **error})))
    return found


def _named(error: Mapping[str, Any], names: Mapping[str, str], *, by_id: bool) -> list[str]:
    """The trace ids that an error's context points at, by themselves or by keys."""
    context = error.get("context")
    context = context if isinstance(context, Mapping) else {}
    # By id, "ids" are those of records, whose numbers may be traces of other deliveries: `missing_of` reads them.
    values = [value for name, listed in context.items() if not (by_id and name == "ids") for value in _many(listed)]
    return list(dict.fromkeys(names[_text(value)] for value in values if _text(value) in names))


def failed_links(body: Any) -> dict[str, ConnectorError]:
    """The associations that a batch could not make, by the id of the record that they start from."""
    failed: dict[str, ConnectorError] = {}
    for error in _list(body, "errors"):
        context = error.get("context")
        for id_ in _many(context.get("fromObjectId")) if isinstance(context, Mapping) else []:
            failed[_text(id_)] = item_error(error)
    return failed


def ids_by_key(body: Any, key_field: str) -> dict[str, str]:
    """The record ids of a batch read, by the value of the unique property."""
    results = _list(body, "results")
    pairs = ((result.get("properties"), result.get("id")) for result in results)
    return {_text(held.get(key_field)): _text(id_) for held, id_ in pairs if isinstance(held, Mapping) and _text(id_)}


def held_by_key(body: Any, key_field: str) -> dict[str, Mapping[str, Any]]:
    """What the records of a batch read hold, by the value of the unique property."""
    found = (result.get("properties") for result in _list(body, "results"))
    return {_text(held.get(key_field)): held for held in found if isinstance(held, Mapping)}


def first_id(body: Any) -> str | None:
    """The id of a search's first hit."""
    return next((_text(result.get("id")) or None for result in _list(body, "results")), None)


# ------------------------------------------------------------------------------------------------------------- errors


def item_error(item: Mapping[str, Any]) -> ConnectorError:
    """What the error of one record means: passing troubles may be retried, anything else is refused for good."""
    category = _text(item.get("category")) or _text(item.get("code")) or "UNKNOWN"
    correlation = _text(item.get("correlationId"))
    message, details = _message(item), {"category": category, "body": excerpt(item)}
    details |= {"correlation_id": correlation} if correlation else {}
    if any(word in category for word in _PASSING_CATEGORIES):
        return Unavailable(message, code=category, details=details)
    return Rejected(message, field=field_of(item), code=category, details=details)


def error_of(status: int, headers: Mapping[str, str], body: Any, midnight: datetime) -> ConnectorError:
    """What a refused call means; `midnight` is the account's next one, when its daily limit starts anew.

    Header names are lower case. HubSpot, "error handling" and "usage guidelines".
    """
    body = body if isinstance(body, Mapping) else {}
    category = _text(body.get("category")) or _text(body.get("errorType")) or str(status)
    message = f"{status} {_message(body)}"
    correlation = _text(body.get("correlationId")) or headers.get("x-hubspot-correlation-id", "")
    details = {"status": status, "category": category, "correlation_id": correlation, "body": excerpt(body)}
    wait = _seconds(headers)
    if status == 401:
        return Unauthorised(message, code=category, details=details)
    if status == 403 and _NO_RIGHT.search(json.dumps([body])):
        return Unauthorised(f"{message}{_scopes(body)}", code=category, details=details)
    if status == 429:
        return _limit_error(body, message, midnight, wait)
    if status in _PASSING or status >= 500 or status < 400:  # a 204 of some proxy says nothing of the records
        at_least = 2.0 if status == 423 and wait is None else wait
        return Unavailable(message, retry_after=at_least, code=category, details=details)
    return Rejected(message, field=field_of(body), code=category, details=details)


def _limit_error(body: Mapping[str, Any], message: str, midnight: datetime, wait: float | None) -> ConnectorError:
    """A daily limit parks until midnight; a rolling one (ten seconds or one) waits for its window."""
    policy = _text(body.get("policyName"))
    correlation = _text(body.get("correlationId"))
    details = {"status": 429, "policy": policy, "correlation_id": correlation, "body": excerpt(body)}
    if policy.startswith("DAILY"):
        return QuotaExhausted(message, until=midnight, code=policy, details=details)
    window = 10.0 if policy.startswith("TEN") else 1.0
    return RateLimited(message, retry_after=window if wait is None else wait, code=policy or "429", details=details)


def field_of(error: Mapping[str, Any]) -> str | None:
    """The property at fault: named in a context, in `in`, or in the JSON that HubSpot writes into its message."""
    for item in (error, *_list(error, "errors")):
        context = item.get("context")
        named = _many(context.get("propertyName")) if isinstance(context, Mapping) else []
        if named or _text(item.get("in")):
            return _text(named[0]) if named else _text(item.get("in"))
    return next((_text(item["name"]) for item in _in_message(error) if _text(item.get("name"))), None)


def _message(error: Mapping[str, Any]) -> str:
    """The vendor's words in one line, with the reasons that hide in a list within the message."""
    reasons = "; ".join(_text(item.get("message")) for item in _in_message(error) if item.get("message"))
    text = reasons or _text(error.get("message")) or "HubSpot gave no reason"
    return text if len(text) <= 500 else text[:499] + "…"


def _in_message(error: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The list in `Property values were not valid: [{...}]`."""
    head, bracket, tail = _text(error.get("message")).partition("[")
    if not (head and bracket):
        return []
    try:
        found = json.loads(bracket + tail)
    except (ValueError, RecursionError):
        return []
    return [item for item in found if isinstance(item, Mapping)]


def _scopes(body: Mapping[str, Any]) -> str:
    contexts = [item["context"] for item in _list(body, "errors") if isinstance(item.get("context"), Mapping)]
    wanted = [_text(name) for context in contexts for name in _many(context.get("requiredScopes"))]
    return f" (one of these scopes: {', '.join(wanted[:10])})" if wanted else ""


def _seconds(headers: Mapping[str, str]) -> float | None:
    """`Retry-After` in seconds; a date is read against the answer's own."""
    value = headers.get("retry-after", "")
    until, now = parse_time(value), parse_time(headers.get("date", ""))
    try:
        seconds = float(value)
    except ValueError:
        return max(0.0, (until - now).total_seconds()) if until and now else None
    return max(0.0, seconds) if math.isfinite(seconds) else None


# ----------------------------------------------------------------------------------------------------- what is there


def object_info(name: str, body: Any) -> ObjectInfo:
    """An object from the answer of the properties API."""
    fields = (_field_info(item) for item in _list(body, "results") if _text(item.get("name")))
    return ObjectInfo(name, {item.name: item for item in fields})


def _field_info(item: Mapping[str, Any]) -> FieldInfo:
    kind = _text(item.get("type"))
    type_ = "picklist" if kind == "enumeration" else _TYPES.get(kind, "string")
    if type_ == "string" and item.get("fieldType") == "textarea":
        type_ = "text"
    rights = item.get("modificationMetadata")
    fixed = isinstance(rights, Mapping) and rights.get("readOnlyValue") is True
    return FieldInfo(
        _text(item["name"]),
        type_,
        max_length=STRING_LIMIT if type_ in {"string", "text"} else None,
        writable=not fixed and item.get("calculated") is not True,
        unique=item.get("hasUniqueValue") is True,
        values=tuple(_text(option.get("value")) for option in _list(item, "options")),
    )


def type_id_of(type_: str, known: Mapping[str, Any]) -> str | None:
    """The object type id that links want ("0-1", "2-123") for what an account calls the object."""
    return type_ if _TYPE_ID.fullmatch(type_) else _STANDARD.get(type_) or _text(known.get(type_)) or None


def type_in_url(url: str | None) -> str | None:
    """The object type id in the link of a record that we wrote."""
    match = _RECORD_URL.search(url or "")
    return match[1] if match else None


def _list(body: Any, name: str) -> list[Mapping[str, Any]]:
    found = body.get(name) if isinstance(body, Mapping) else None
    return [item for item in found if isinstance(item, Mapping)] if isinstance(found, list) else []


def _many(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else str(value) if isinstance(value, int) else ""
