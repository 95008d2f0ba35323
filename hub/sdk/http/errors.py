"""What an HTTP answer means to the engine: the generic reading of statuses and of Retry-After."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime

from hub.core.errors import ConnectorError, RateLimited, Rejected, Retryable, Unauthorised, Unavailable
from hub.sdk.connectors import HttpResponse
from hub.sdk.text import parse_time

_SNIPPET = 300


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
    any other 4xx Rejected. `code` is the status, `details` hold it and the beginning of the body.
    """
    status = response.status
    if status < 400:
        return None
    message = f"HTTP {status} from {_host(response.url)}"
    details = {"status": status, "body": response.content[: _SNIPPET * 4].decode("utf-8", "replace")[:_SNIPPET]}
    if status == 401:
        return Unauthorised(message, code="401", details=details)
    if status == 429 or status in (408, 425) or status >= 500:
        kind: type[Retryable] = RateLimited if status == 429 else Unavailable
        return kind(message, retry_after=retry_after(response.headers, now), code=str(status), details=details)
    return Rejected(message, code=str(status), details=details)


def _host(url: str) -> str:
    """Host and path without the query, which may hold tokens."""
    return url.partition("?")[0].partition("://")[2] or "the server"
