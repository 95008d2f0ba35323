"""HubSpot's JSON: inputs made from deliveries, answers and errors read back. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from hub import ConnectorError, Delivery, FieldInfo, ObjectInfo, Rejected, TranslationError, Unavailable
from hub.sdk.doc import Doc, load
from hub.sdk.records import Landed, RecordRow, Result, rows_of
from hub.sdk.refusals import Refusal
from hub.sdk.text import excerpt

STRING_LIMIT = 65_536  # characters of a text property: HubSpot, "property field types"

_TYPE_ID = re.compile(r"\d+-\d+")
_STANDARD = {"contacts": "0-1", "companies": "0-2", "deals": "0-3", "tickets": "0-5", "tasks": "0-27", "notes": "0-46"}
_RECORD_URL = re.compile(r"/record/([^/?#]+)/[^/?#]+")
_PASSING_CATEGORIES = ("RATE_LIMIT", "CONFLICT", "INTERNAL", "UNAVAILABLE", "TIMEOUT", "LOCKED", "SERVER_ERROR")
_NO_RIGHT = re.compile(r"MISSING_SCOPES|scopes|permission", re.IGNORECASE)
_TYPES = {"string": "string", "number": "number", "bool": "boolean", "date": "date", "datetime": "datetime"}


# --------------------------------------------------------------------------------------------------------------- rows


def rows_and_refusals(batch: Iterable[Delivery]) -> tuple[list[RecordRow], dict[int, ConnectorError]]:
    """Return one row a key, its fields as HubSpot takes them, and the errors of deliveries that cannot be written.

    HubSpot refuses a whole batch in which one key stands twice.
    """
    sendable: list[Delivery] = []
    errors: dict[int, ConnectorError] = {}
    for delivery in batch:
        try:
            sendable.append(_sendable(delivery))
        except ConnectorError as error:
            errors[delivery.id] = error
    return rows_of(sendable), errors


def _sendable(delivery: Delivery) -> Delivery:
    """Return the delivery with its fields as text; what is unknown is left out, so that it wipes nothing."""
    if not delivery.key_field:
        raise Rejected("the mapping names no key_field: HubSpot finds records by a unique property")
    properties = {
        name: text
        for name, value in delivery.fields.items()
        if name != delivery.key_field and (text := property_text(name, value)) is not None
    }
    return msgspec.structs.replace(delivery, fields=properties)


def inputs_of(rows: Sequence[RecordRow]) -> dict[str, Any]:
    """Return the body of a batch: rows with an id by that, else by their unique property.

    `objectWriteTraceId` comes back with the record or its error, whatever their order.
    """
    named = [{"id": row.id} if row.id else {"id": row.key, "idProperty": row.key_field} for row in rows]
    said = [{"objectWriteTraceId": row.trace, "properties": dict(row.fields)} for row in rows]
    return {"inputs": [one | other for one, other in zip(named, said, strict=True)]}


def read_body(key_field: str, keys: Sequence[str], names: Sequence[str]) -> dict[str, Any]:
    """Return the body of a batch read by a unique property."""
    inputs = [{"id": key} for key in keys]
    return {
        "idProperty": key_field,
        "properties": [key_field, *names],
        "propertiesWithHistory": [],
        "inputs": inputs,
    }


def merged_into(id_: str) -> dict[str, Any]:
    """Return the search for the record that another was merged into."""
    merged = {"propertyName": "hs_merged_object_ids", "operator": "CONTAINS_TOKEN", "value": id_}
    return {"filterGroups": [{"filters": [merged]}], "properties": ["hs_merged_object_ids"], "limit": 1}


def property_text(name: str, value: Any) -> str | None:
    """Return a value as HubSpot takes it: always text, lists joined by ";"; None if there is nothing to write.

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


def results_of(body: Doc, rows: Sequence[RecordRow]) -> dict[str, Result]:
    """Read a 200 or 207: each row is found by its trace (else by its key or id), never by its place."""
    found: dict[str, Result] = dict(culprits_of(body.data, rows))
    names, ids = _names(rows), {row.id: row.trace for row in rows if row.id}
    fields = {row.key_field for row in rows}
    for result in body.docs("results"):
        properties = result.doc("properties").data
        called = (result.id("objectWriteTraceId"), *(_text(properties.get(name)) for name in fields))
        trace = next((names[name] for name in called if name in names), ids.get(result.id("id")))
        if trace is not None and result.id("id"):
            found[trace] = Landed(result.id("id"), new=result.flag("new") is True)
    return found


def _names(rows: Sequence[RecordRow]) -> dict[str, str]:
    """Return traces by what an answer may call a row."""
    return {row.trace: row.trace for row in rows} | {row.key: row.trace for row in rows if not row.id}


def culprits_of(body: Any, rows: Sequence[RecordRow]) -> dict[str, ConnectorError]:
    """Return the rows that an answer names in its errors' context, by trace, key or id, with their errors."""
    doc, names = Doc(body), _names(rows)
    ids = {row.id: row.trace for row in rows if row.id}
    # What each detail lacks stands once at the top.
    above = {name: doc.id(name) for name in ("category", "correlationId")}
    found: dict[str, ConnectorError] = {}
    for error in doc.docs("errors"):
        meaning = item_error(Doc({**above, **error.data}))
        for name in error.doc("context").data:
            # By id, "ids" are those of records, whose numbers may be traces of other deliveries.
            known = ids if ids and name == "ids" else names
            found |= {known[value]: meaning for value in _listed(error, f"context.{name}") if value in known}
    return found


def failed_links(body: Doc) -> dict[str, ConnectorError]:
    """Return the associations that a batch could not make, by the id of the record that they start from."""
    errors = body.docs("errors")
    return {id_: item_error(error) for error in errors for id_ in _listed(error, "context.fromObjectId")}


def ids_by_key(body: Doc, key_field: str) -> dict[str, str]:
    """Return the record ids of a batch read, by the value of the unique property."""
    pairs = ((_text(one.doc("properties").data.get(key_field)), one.id("id")) for one in body.docs("results"))
    return {key: id_ for key, id_ in pairs if id_}


def held_by_key(body: Doc, key_field: str) -> dict[str, Mapping[str, Any]]:
    """Return what the records of a batch read hold, by the value of the unique property."""
    found = (one.doc("properties").data for one in body.docs("results"))
    return {_text(held.get(key_field)): held for held in found}


# ------------------------------------------------------------------------------------------------------------- errors


def item_error(item: Doc) -> ConnectorError:
    """Return what the error of one record means: passing troubles may be retried, anything else is refused for good."""
    said = refusal(item.data)
    category = item.id("category") or item.id("code") or "UNKNOWN"
    details = {"category": category, "body": excerpt(item.data)}
    details |= {"correlation_id": item.id("correlationId")} if item.id("correlationId") else {}
    if any(word in category for word in _PASSING_CATEGORIES):
        return Unavailable(said.message, code=category, details=details)
    return Rejected(said.message, field=said.field, code=category, details=details)


def refusal(body: Any) -> Refusal:
    """Read an error body: its category, the reasons that hide in a list within the message, the property at fault.

    That is named in a context, in `in`, or in the JSON that HubSpot writes into its message.
    """
    doc = Doc(body)
    inner = _in_message(doc)
    reasons = "; ".join(one.id("message") for one in inner if one.id("message"))
    text = reasons or doc.text("message") or "HubSpot gave no reason"
    text = text if len(text) <= 500 else text[:499] + "…"
    category = doc.id("category") or doc.id("policyName") or doc.id("errorType")
    return Refusal(
        category, text, _field_of(doc) or next((one.text("name") for one in inner if one.text("name")), None)
    )


def _field_of(doc: Doc) -> str | None:
    for item in (doc, *doc.docs("errors")):
        if named := [*_listed(item, "context.propertyName"), *filter(None, [item.id("in")])]:
            return named[0]
    return None


def _in_message(doc: Doc) -> list[Doc]:
    """Return the list in `Property values were not valid: [{...}]`."""
    head, bracket, tail = doc.id("message").partition("[")
    if not (head and bracket):
        return []
    try:
        return Doc({"found": load((bracket + tail).encode())}).docs("found")
    except TranslationError:
        return []


def lacks_right(doc: Doc) -> bool:
    """Return True if a 403 speaks of a right that our token lacks."""
    return _NO_RIGHT.search(excerpt(doc.data, 100_000)) is not None


def scopes_in(doc: Doc) -> str:
    """Return the scopes that a refusal names, as words for a person."""
    wanted = [name for error in doc.docs("errors") for name in _listed(error, "context.requiredScopes")]
    return f" (one of these scopes: {', '.join(wanted[:10])})" if wanted else ""


def _listed(doc: Doc, path: str) -> list[str]:
    """Return the names in a list, or the one name that stands in its place."""
    steps = path.split(".")
    value = doc.doc(steps[0]).data.get(steps[1])
    values = value if isinstance(value, list) else [value]
    return [text for one in values if (text := _text(one))]


def _text(value: Any) -> str:
    return Doc({"value": value}).id("value")


# ----------------------------------------------------------------------------------------------------- what is there


def object_info(name: str, body: Doc) -> ObjectInfo:
    """Return an object from the answer of the properties API."""
    fields = (_field_info(item) for item in body.docs("results") if item.id("name"))
    return ObjectInfo(name, {item.name: item for item in fields})


def _field_info(item: Doc) -> FieldInfo:
    kind = item.id("type")
    type_ = "picklist" if kind == "enumeration" else _TYPES.get(kind, "string")
    if type_ == "string" and item.get("fieldType") == "textarea":
        type_ = "text"
    return FieldInfo(
        item.id("name"),
        type_,
        max_length=STRING_LIMIT if type_ in {"string", "text"} else None,
        writable=not item.flag("modificationMetadata.readOnlyValue") and not item.flag("calculated"),
        unique=item.flag("hasUniqueValue") is True,
        values=tuple(option.id("value") for option in item.docs("options")),
    )


def type_id_of(type_: str, known: Mapping[str, Any]) -> str | None:
    """Return the object type id that links want ("0-1", "2-123") for what an account calls the object."""
    return type_ if _TYPE_ID.fullmatch(type_) else _STANDARD.get(type_) or _text(known.get(type_)) or None


def type_in_url(url: str | None) -> str | None:
    """Return the object type id in the link of a record that we wrote."""
    match = _RECORD_URL.search(url or "")
    return match[1] if match else None
