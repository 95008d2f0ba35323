"""What an HTTP answer means to the engine: the generic reading of statuses and of Retry-After."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from hub.core.errors import ConnectorError, RateLimited, Rejected, Retryable, Unauthorised, Unavailable
from hub.sdk.connectors import HttpResponse
from hub.sdk.text import excerpt, parse_time

_REQUEST_IDS = ("x-request-id", "request-id", "x-zendesk-request-id", "x-hubspot-correlation-id")


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Seconds to wait by `Retry-After` (RFC 9110 10.2.3: seconds or a date; fractions are met too), None without it.

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
    """The generic meaning of a status, None below 400.

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
    """Host and path without the query, which may hold tokens."""
    return url.partition("?")[0].partition("://")[2] or "the server"
