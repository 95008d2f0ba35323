"""What a vendor's refusal says: its code, its words, the field at fault. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hub.sdk.doc import Doc


@dataclass(frozen=True, slots=True)
class Refusal:
    """What the body of a refusal says: the vendor's code, its words, the field at fault; empty if it says nothing."""

    code: str = ""
    message: str = ""
    field: str | None = None


# Google names its reasons in "details" and "errors", and its words are HTML; what stands in "code" is the status again.
_GOOGLE = ("error.details.0.reason", "error.errors.0.reason")
_CODES = (*_GOOGLE, "code", "error.code", "error.type", "errors.0.code", "errorCode", "0.errorCode", "error")
_MESSAGES = (
    *("message", "error.message", "error_description", "errors.0.message", "errors.0.detail", "0.message"),
    *("detail", "description", "title", "error", "errors.0"),
)
_FIELDS = ("field", "errors.0.field", "error.param", "param", "0.fields.0")


def refusal_of(body: Any) -> Refusal:
    """Return what an error body says, by the names that most vendors use."""
    doc = Doc(body)
    code = next((found for path in _CODES if (found := doc.id(path))), "")
    is_googles = any(doc.id(path) for path in _GOOGLE)
    message = doc.plain("error.message") if is_googles else doc.text(*_MESSAGES)
    return Refusal(code, (message or "")[:300], doc.text(*_FIELDS))
