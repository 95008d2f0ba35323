"""What an HTTP answer means to the engine: statuses, Retry-After, and one table a vendor for what it means by its own words."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

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
from hub.sdk.connectors import HttpResponse
from hub.sdk.context import READS
from hub.sdk.http.usage import resets_in
from hub.sdk.rates import next_midnight
from hub.sdk.refusals import Refusal, refusal_of
from hub.sdk.text import excerpt, parse_time

Effect = Literal["reads", "again", "once"]
"""What a call does there: nothing ("reads"), something that a repeat does not spoil ("again"), something that counts ("once")."""

_REQUEST_IDS = ("x-request-id", "request-id", "x-zendesk-request-id", "x-hubspot-correlation-id")


def unanswered(method: str, text: str, *, code: str) -> ConnectorError:
    """Return the error for a request that got no answer: a read may be asked again, a write may have been done."""
    kind = Unavailable if method in READS else Uncertain
    return kind(text, code=code)


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Return the seconds to wait by `Retry-After` (RFC 9110 10.2.3: seconds or a date; fractions too), None without it.

    A date is read against `now`, else against the answer's own `Date` header; never negative.
    """
    value = headers.get("retry-after", "").strip()
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        return _until(value, now or _date(headers))
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _until(value: str, now: datetime | None) -> float | None:
    at = parse_time(value)
    return None if at is None or now is None else max(0.0, (at - now).total_seconds())


def _date(headers: Mapping[str, str]) -> datetime | None:
    found = parse_time(headers.get("date", ""))
    return found.astimezone(UTC) if found else None


def error_for(response: HttpResponse, now: datetime | None = None) -> ConnectorError | None:
    """Return the generic meaning of a status, None below 400.

    401 Unauthorised; 429 RateLimited and 503 Unavailable with their Retry-After; 408, 425 and other 5xx Unavailable;
    any other 4xx Rejected. `code` is the status, `details` hold it, the beginning of the body, and the name that the server
    gave to the request, for its support.
    """
    status = response.status
    if status < 400:
        return None
    message = f"HTTP {status} from {_host(response.url)}"
    details: dict[str, Any] = {"status": status, "body": excerpt(response.content[:10_000].decode("utf-8", "replace"))}
    if request_id := next((response.headers[name] for name in _REQUEST_IDS if response.headers.get(name)), None):
        details["request_id"] = request_id[:200]
    if status == 401:
        return Unauthorised(message, code="401", details=details)
    if status == 429 or status in (408, 425) or status >= 500:
        kind: type[Retryable] = RateLimited if status == 429 else Unavailable
        return kind(message, retry_after=retry_after(response.headers, now), code=str(status), details=details)
    return Rejected(message, code=str(status), details=details)


def _host(url: str) -> str:
    """Return host and path without the query, which may hold tokens."""
    return url.partition("?")[0].partition("://")[2] or "the server"


# ----------------------------------------------------------------------------------------------------- a vendor's table


def wait_of(headers: Mapping[str, str], now: datetime, names: Iterable[str] = ("retry-after",)) -> float | None:
    """Return the seconds to wait by the first of these headers that tells: seconds, a date, or a time since 1970."""
    for name in names:
        found = retry_after(headers, now) if name == "retry-after" else resets_in(headers.get(name, ""), now)
        if found is not None:
            return found
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorTable:
    """How a vendor says no, as named errors.

    `vendor` and `hint` (what to look at if an answer comes from somewhere else) stand in messages. `read` takes a body apart;
    `meanings` gives an error's class by the vendor's code, or by status; `expired` are codes that mean a worn credential, as
    401 does; `waits` are the headers that tell how long to wait, the first that is there counts. `midnights`
    maps codes of a day's quota to the time zone at whose midnight it is filled again, which is the wait if no header tells.
    `judge` has the last word on its kind: it gets the error and the answer and returns the error or another. A wait that the
    answer names stays, whatever it returns. Without a row: 401 is Unauthorised, 429 RateLimited, 408, 425 and 5xx
    Unavailable, a redirect and any other 4xx Rejected.
    """

    vendor: str = "the server"
    hint: str = "is the address right?"
    read: Callable[[Any], Refusal] = refusal_of
    meanings: Mapping[int | str, type[ConnectorError]] = field(default_factory=dict)
    expired: frozenset[str] = frozenset()
    waits: tuple[str, ...] = ("retry-after",)
    midnights: Mapping[str, str] = field(default_factory=dict)
    judge: Callable[[ConnectorError, HttpResponse], ConnectorError] | None = None

    def error_of(self, answer: HttpResponse, now: datetime, *, effect: Effect = "reads") -> ConnectorError | None:
        """Return what an answer means, None if it is a success.

        A 5xx other than 503 after a call that counts "once" is Uncertain: it may have been done before something broke.
        """
        if answer.status < 300:
            return None
        said = self.read(answer.json())
        found = self._named(answer, said, now)
        if self.judge is not None:
            found = self.judge(found, answer)
            # A judge that reads bodies only would guess: what stands before the vendor may have its own Retry-After.
            wait = wait_of(answer.headers, now, self.waits) if isinstance(found, Retryable) else None
            if isinstance(found, Retryable) and wait is not None:
                found.retry_after = wait
        if effect == "once" and answer.status >= 500 and answer.status != 503 and isinstance(found, Unavailable):
            return Uncertain(str(found), code=found.code, details=found.details)
        return found

    def _named(self, answer: HttpResponse, said: Refusal, now: datetime) -> ConnectorError:
        generic = error_for(answer, now)
        if generic is None:  # a POST that followed a redirect would become a GET
            text = f"{self.vendor} sent us elsewhere (HTTP {answer.status}): {self.hint}"
            return Rejected(text, code=str(answer.status), details={"status": answer.status})
        kind = self.meanings.get(said.code) or (Unauthorised if said.code in self.expired else None)
        kind = kind or self.meanings.get(answer.status, type(generic))
        text, code = said.message or str(generic), said.code or generic.code
        return error_of_kind(
            kind,
            text,
            code=code,
            details=generic.details,
            field=said.field,
            wait=self._wait(answer.headers, said.code, now),
            now=now,
        )

    def _wait(self, headers: Mapping[str, str], code: str, now: datetime) -> float | None:
        told = wait_of(headers, now, self.waits)
        if told is None and code in self.midnights:
            return (next_midnight(now, self.midnights[code]) - now).total_seconds()
        return told


def error_of_kind(
    kind: type[ConnectorError],
    text: str,
    *,
    code: str,
    details: dict[str, Any],
    now: datetime,
    field: str | None = None,
    wait: float | None = None,
) -> ConnectorError:
    """Return an error of this class with what it can hold: `field` if it is Rejected, `wait` seconds if it tells of a wait."""
    if issubclass(kind, Retryable):
        return kind(text, retry_after=wait, code=code, details=details)
    if issubclass(kind, QuotaExhausted):
        return kind(text, until=None if wait is None else now + timedelta(seconds=wait), code=code, details=details)
    if issubclass(kind, Rejected):
        return kind(text, field=field, code=code, details=details)
    return kind(text, code=code, details=details)


__all__ = ["Effect", "ErrorTable", "Refusal", "error_for", "error_of_kind", "refusal_of", "retry_after", "wait_of"]
