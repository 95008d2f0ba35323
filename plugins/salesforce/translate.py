"""Salesforce's JSON and our values, both ways: records, answers, errors, describes. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from hub.core.erasure import changed_since
from hub.core.errors import (
    ConnectorError,
    QuotaExhausted,
    RateLimited,
    Rejected,
    Retryable,
    Unauthorised,
    Unavailable,
    Uncertain,
)
from hub.core.keys import digest
from hub.core.model import Delivery
from hub.sdk.connectors import FieldInfo, ObjectInfo, Usage
from hub.sdk.doc import Doc
from hub.sdk.records import Landed, RecordRow, Result
from hub.sdk.text import excerpt

PARK = timedelta(minutes=15)  # the allowance is a rolling day, so it comes back little by little
EXPIRED = "INVALID_SESSION_ID"
DUPLICATE = "DUPLICATE_VALUE"

_API_USAGE = re.compile(r"(?<![\w-])api-usage=(\d{1,12})/([1-9]\d{0,11})(?!\d)")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,79}")
_COLUMN = re.compile(r"No such column '(\w+)'")
_MISSING = re.compile(r"missing: \[([\w, ]+)\]")
_WAITING = frozenset((408, 425))  # a proxy gave up waiting: the same call may go again
_AGAIN = frozenset(
    {"SERVER_UNAVAILABLE", "UNKNOWN_EXCEPTION", "QUERY_TIMEOUT", "REQUEST_RUNNING_TOO_LONG", "INTERNAL_SERVER_ERROR"}
)
_COLLATERAL = frozenset({"PROCESSING_HALTED", "ALL_OR_NONE_OPERATION_ROLLED_BACK"})
_REFUSED = frozenset(
    {EXPIRED, "INVALID_AUTH_HEADER", "API_DISABLED_FOR_ORG", "API_CURRENTLY_DISABLED", "INVALID_LOGIN"}
)
_HINTS = {
    "DUPLICATE_EXTERNAL_ID": "more than one record has this key: the external-id field must be unique",
    DUPLICATE: "another record already holds a value that must be unique",
    "DUPLICATES_DETECTED": "a duplicate rule refused it: merge by hand, or set duplicate_rules = 'save'",
    "CANNOT_UPDATE_CONVERTED_LEAD": "the lead was converted: it takes no more changes",
    "ENTITY_IS_DELETED": "the record lies in the recycle bin: restore or purge it",
}
_MOOD = tuple(f"Social_{name}__c" for name in ("Sentiment", "Sentiment_Score", "Sentiment_30d", "Sentiment_Trend_30d"))
_LAST = (
    *("Social_Network__c", "Social_Last_Signal__c", "Social_Last_Url__c", "Social_Followers__c"),
    *("Social_Signals_30d__c", "Social_Conversation_Url__c", "Social_Hub_Url__c"),
)
ERASED = "deleted"
_NEUTRAL = ("LeadSource", "AccountSource", "OwnerId", "State__c")  # what they hold says nothing of a person
# What the mappings that ship write of a post or a person, and a tombstone must leave nothing of.
CONTENT = {
    "Social_Signal__c": (
        *("Text__c", "Title__c", "Url__c", "Native_Id__c", "Tags__c", "Hub_Url__c", "Topics__c", "Language__c"),
        *("Sentiment__c", "Sentiment_Score__c", "Intent__c", "Urgency__c", "Rating__c", "Rating_Best__c"),
        *("Likes__c", "Replies__c", "Shares__c"),
    ),
    "Social_Author__c": (
        *("Display_Name__c", "Handle__c", "Profile_Url__c", "Avatar_Url__c", "Bio__c", "Native_Id__c", "Followers__c"),
        *("Sentiment_30d__c", "Sentiment_Trend_30d__c", "Signals_30d__c"),
    ),
    "Lead": ("Description", "Social_Handle__c", "Social_Profile_Url__c", *_MOOD, *_LAST),
    "Contact": (*_MOOD, *_LAST),
    "Account": (*_MOOD, *_LAST),
}
# What they write too, where people may have written since, or which must not be empty.
THEIRS = {
    "Social_Author__c": ("Verified__c", "Is_Bot__c"),
    "Lead": ("FirstName", "LastName", "Company"),
    "Contact": ("FirstName", "LastName", "Email"),
}


# ------------------------------------------------------------------------------------------------------------- records


def is_name(name: str) -> bool:
    """Return True if this can be the API name of an object or a field (nothing else may enter a path or SOQL)."""
    return _NAME.fullmatch(name) is not None


def record(object_: str, key_field: str, row: RecordRow) -> dict[str, Any]:
    """Return a record of a collections upsert; the key goes by the body, so no character of it can reach the path."""
    return {**_nulls(row.fields), "attributes": {"type": object_}, key_field: row.key}


def change(object_: str, row: RecordRow) -> dict[str, Any]:
    """Return a record of a collections update, by its id; its key stays what it is, as a merge's winner may have another."""
    return {**_nulls(row.fields), "attributes": {"type": object_}, "Id": row.id}


def _nulls(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return an empty text as null: the same for text, and the only way to empty a time or a number."""
    return {name: None if value == "" else value for name, value in fields.items()}


def erasure(object_: str, id_: str, known: Iterable[str], blanks: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return a record that blanks what was written of a post or a person; the row itself stays, as Cases may hang on it.

    `known` are the object's writable fields, `blanks` what further fields hold when they are empty. A plain delete would keep
    the text in the recycle bin for 15 days.
    """
    fields = set(known)
    empty: dict[str, Any] = dict.fromkeys((name for name in CONTENT.get(object_, ()) if name in fields), None)
    if object_.endswith("__c"):
        empty |= dict.fromkeys(fields & {"State__c", "Name"}, ERASED)
    return {"attributes": {"type": object_}, "Id": id_, **empty, **(blanks or {})}


def blanks_of(row: RecordRow, described: ObjectInfo, held: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return what else was written, emptied, and the names of what people have changed since: that only they can empty.

    `held` is what the record holds of fields that people may have changed.
    """
    object_, fields = row.last.object, described.fields
    written: Mapping[str, str] = row.last.written or dict.fromkeys(THEIRS.get(object_, ()), "")
    names = [name for name in written if name in fields and name not in (*_NEUTRAL, row.key_field)]
    changed = changed_since(names, written, held)
    return {name: _blank_of(fields[name]) for name in names if name not in changed and fields[name].writable}, changed


def _blank_of(field_: FieldInfo) -> Any:
    """Return what a field holds when it is empty; one that must not be says that it was erased."""
    return False if field_.type == "boolean" else ERASED if field_.required else None


# -------------------------------------------------------------------------------------------------------------- errors


@dataclass(frozen=True, slots=True)
class Complaint:
    """One error of Salesforce: its code ("" if the body told none), message and field names."""

    code: str
    message: str
    fields: tuple[str, ...] = ()
    body: str = field(default="", compare=False)


def faults(content: Any) -> tuple[Complaint, ...]:
    """Return the errors in a body: a list from REST, one dict from OAuth, text or HTML from a proxy; never empty."""
    items = content if isinstance(content, list) else [content]
    found = tuple(_fault(item) for item in items if isinstance(item, dict))
    return found or (Complaint("", " ".join(str(content or "no reason given").split())[:200], body=excerpt(content)),)


def _fault(item: Mapping[str, Any]) -> Complaint:
    code = str(item.get("errorCode") or item.get("statusCode") or item.get("error") or "")
    message = str(item.get("message") or item.get("error_description") or code or "no reason given")
    named = item.get("fields")
    fields = tuple(str(name) for name in named) if isinstance(named, list) else ()
    if not fields and (found := _COLUMN.search(message) or _MISSING.search(message)):
        fields = tuple(name.strip() for name in found[1].split(","))
    return Complaint(code, message[:300], fields, excerpt(item))


def error_of(found: Sequence[Complaint], now: datetime, *, jitter: float = 0.5, status: int = 200) -> ConnectorError:
    """Return what the engine must do about these errors ("Status codes and error responses", REST API guide).

    `jitter` in [0, 1] spreads the retries of rows that fought for one lock; `status` is the answer's HTTP status.
    """
    fault = found[0]
    details: dict[str, Any] = {"status": status, "fields": list(fault.fields), "body": fault.body}
    message, code = f"{fault.code}: {fault.message}".removeprefix(": "), fault.code
    if code in {"REQUEST_LIMIT_EXCEEDED", "STORAGE_LIMIT_EXCEEDED"}:
        return _limit(code, message, now, details)
    if code in _REFUSED or status == 401:
        return Unauthorised(message, code=code, details=details)
    if code in _AGAIN or status in _WAITING or status >= 500:
        return Unavailable(message, code=code, details=details)
    if code in _COLLATERAL:
        return Retryable(message, code=code, details={**details, "collateral": True})
    if code == "UNABLE_TO_LOCK_ROW" or status == 429:
        return (Retryable if status == 200 else RateLimited)(
            message, retry_after=1 + 9 * jitter, code=code, details=details
        )
    return _rejection(fault, message, details)


def _limit(code: str, message: str, now: datetime, details: dict[str, Any]) -> ConnectorError:
    """Tell too many at once, which passes in seconds, from a spent day's allowance, which does not.

    Salesforce sends no Retry-After for either.
    """
    if "concurrent" in message.lower():
        return RateLimited(message, retry_after=20, code=code, details=details)
    return QuotaExhausted(message, until=now + PARK, code=code, details=details)


def _rejection(fault: Complaint, message: str, details: dict[str, Any]) -> Rejected:
    code = "DUPLICATE_EXTERNAL_ID" if details["status"] == 300 else fault.code
    hint = _HINTS.get(code, "")
    if "Foreign key external ID" in fault.message:
        hint = "the record it points to does not exist there"
    named = [name for name in fault.fields if name not in message]
    extra = "; ".join(filter(None, [", ".join(named), hint]))
    return Rejected(
        f"{message} ({extra})" if extra else message,
        field=fault.fields[0] if fault.fields else None,
        code=code,
        details=details | ({"hint": hint} if hint else {}),
    )


def result_of(row: RecordRow, said: Mapping[str, Any], now: datetime) -> Result:
    """Return what one result means for its row; HTTP 200 says nothing about a row."""
    is_done, id_ = said.get("success") is True, str(said.get("id") or row.id or "")
    if "success" not in said or (is_done and not id_):
        return Uncertain("the answer does not tell what became of this record", code="no_result")
    if not is_done:
        return error_of(faults(said.get("errors")), now, jitter=jitter_of(row.last))
    return Landed(id_, new=bool(said.get("created")))


def usage_of(headers: Mapping[str, str]) -> Usage | None:
    """Return the org's calls of the last 24 hours, by `Sforce-Limit-Info: api-usage=18/5000`; the window slides."""
    found = _API_USAGE.search(headers.get("sforce-limit-info", ""))
    return Usage(int(found[1]), int(found[2])) if found else None


def jitter_of(delivery: Delivery) -> float:
    """Return a number in [0, 1) that differs between rows and attempts, and is the same each time it is asked for."""
    return int.from_bytes(digest(delivery.key, str(delivery.attempt))[:8].encode("ascii")) % 997 / 997


# ------------------------------------------------------------------------------------------------------------ describe

_TYPES = {
    "textarea": "text",
    "double": "number",
    "currency": "number",
    "percent": "number",
    "int": "integer",
    "long": "integer",
    "boolean": "boolean",
    "date": "date",
    "datetime": "datetime",
    "url": "url",
    "picklist": "picklist",
    "multipicklist": "picklist",
    "reference": "reference",
}


def fields_of(describe: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return the fields of an sObject describe by API name."""
    return {str(one.get("name")): one for one in describe.get("fields") or () if isinstance(one, dict)}


def object_info(name: str, describes: Mapping[str, Mapping[str, Any]]) -> ObjectInfo:
    """Return the object as mappings see it, with a field `Parent__r.Key__c` for each way to a parent by external id."""
    fields = {field: field_info(one) for field, one in fields_of(describes[name]).items()}
    for one in fields_of(describes[name]).values():
        targets: list[str] = one.get("referenceTo") or []
        if len(targets) == 1 and targets[0] in describes and one.get("relationshipName"):
            for key in fields_of(describes[targets[0]]).values():
                if key.get("externalId"):
                    path = f"{one['relationshipName']}.{key['name']}"
                    fields[path] = FieldInfo(path, "reference", max_length=key.get("length") or None)
    return ObjectInfo(name, fields)


def field_info(one: Mapping[str, Any]) -> FieldInfo:
    """Return a described field. `values` are given for restricted picklists only: an open one takes any value."""
    kind = str(one.get("type"))
    picks = one.get("picklistValues") if one.get("restrictedPicklist") else ()
    return FieldInfo(
        str(one.get("name")),
        _TYPES.get(kind, "string"),
        max_length=int(one.get("length") or 0) or None,
        required=bool(one.get("createable")) and not one.get("nillable") and not one.get("defaultedOnCreate"),
        writable=bool(one.get("createable") or one.get("updateable")),
        unique=bool(one.get("unique")),
        values=tuple(
            pick.id("value") for pick in Doc({"picks": picks}).docs("picks") if pick.flag("active") is not False
        ),
    )


def refusals(name: str, key_field: str, describe: Mapping[str, Any] | None) -> list[str]:
    """Say why we could not upsert into this object; empty if we can."""
    if describe is None:
        return [f"{name}: missing, or hidden from this user"]
    field = fields_of(describe).get(key_field)
    wrong = [f"{name}: no right to {verb}" for verb in ("create", "update") if not describe.get(f"{verb}able")]
    if field is None:
        return [*wrong, f"{name}.{key_field}: missing, or hidden from this user"]
    if not field.get("externalId"):
        wrong.append(f"{name}.{key_field}: not an external id")
    if not field.get("unique"):
        wrong.append(f"{name}.{key_field}: must be unique")
    return wrong


def hints(name: str, key_field: str, describe: Mapping[str, Any]) -> list[str]:
    """Return what works and could be better: a key that ignores case, history that keeps deleted text."""
    found = []
    if not fields_of(describe).get(key_field, {}).get("caseSensitive"):
        found.append(f"{name}.{key_field} should be case-sensitive")
    children = {str(one.get("childSObject")) for one in describe.get("childRelationships") or ()}
    if f"{name.removesuffix('__c')}__History" in children:  # a custom object has it only if tracking is on
        found.append(f"{name} has field history: keep it off for text, a deleted post would stay in it")
    return found
