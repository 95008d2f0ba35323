"""What a connector makes of the statuses that a vendor may answer: tried by `check`, without a network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hub.core.errors import ConnectorError, QuotaExhausted, RateLimited, Rejected, Retryable, Unauthorised
from hub.sdk.connectors import Connector

EXPECTED: Mapping[int, tuple[type[ConnectorError], ...]] = {
    401: (Unauthorised,),
    403: (Unauthorised, Rejected, QuotaExhausted),
    429: (RateLimited, QuotaExhausted),
    500: (Retryable,),
    503: (Retryable,),
}
"""What each status may mean to the engine, if the vendor says no more than that."""


def unmapped(cls: type[Connector[Any]], options: Mapping[str, Any]) -> list[str]:
    """Return what `check` did wrong with each status, in words."""
    return [complaint for status in EXPECTED if (complaint := _complaint(cls, options, status))]


def _complaint(cls: type[Connector[Any]], options: Mapping[str, Any], status: int) -> str:
    from hub.testkit.fakes import FakeHttp, answer, context

    http = FakeHttp(lambda *_: answer(status, {"error": "tried"}, headers={"retry-after": "7"}))
    wanted = " or ".join(kind.__name__ for kind in EXPECTED[status])
    try:
        said = cls(cls.Options.model_validate(dict(options))).check(context(http))
    except EXPECTED[status]:
        return ""
    except Exception as error:  # noqa: BLE001 - any other exception is what this looks for
        return f"`check` answers {status} with {type(error).__name__} ({error}), not {wanted}"
    return f"`check` takes {status} for well ({said!r})" if http.requests else ""
