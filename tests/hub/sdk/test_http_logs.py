"""A connection's log names the connection and holds no secret."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from hub.core.errors import Rejected
from hub.sdk.http.logs import ConnectionLog
from hub.sdk.http.redaction import Redactor

SECRET = "s3cret-part"


def written(caplog: pytest.LogCaptureFixture, *line: Any, **more: Any) -> logging.LogRecord:
    """The record of one line by a connection whose secret is known."""
    caplog.set_level(logging.DEBUG)
    ConnectionLog(logging.getLogger("hub.plugin.x"), "shop", Redactor([SECRET])).warning(*line, **more)
    return caplog.records[-1]


@pytest.mark.parametrize(
    "line",
    [
        (f"said {SECRET}",),
        ("said %s", SECRET),
        ("said %r and %d", [SECRET], 7),
        ("said %(told)s", {"told": SECRET}),
        ("said %d", SECRET),
        ("said %s", {"authorization": "Bearer abcdefgh"}),
        ("said Authorization: Bearer abcdefgh",),
        (ValueError(SECRET),),
    ],
)
def test_no_line_holds_a_secret(caplog: pytest.LogCaptureFixture, line: tuple[Any, ...]) -> None:
    told = written(caplog, *line).getMessage()
    assert "***" in told
    assert not any(one in told for one in (SECRET, "abcdefgh"))


@pytest.mark.parametrize("line", [("no: %s",), ("no: %(why)s",)])
def test_no_line_holds_what_a_vendor_answered(caplog: pytest.LogCaptureFixture, line: tuple[str]) -> None:
    error = Rejected("we do not know Eve Quist", code="404", details={"status": 404})
    told = written(caplog, *line, {"why": error} if "why" in line[0] else error).getMessage()
    assert told == "no: Rejected 404"
    assert written(caplog, "no: %s", Rejected("not JSON")).getMessage() == "no: Rejected: not JSON"


def test_a_line_names_its_connection_and_keeps_what_is_no_secret(caplog: pytest.LogCaptureFixture) -> None:
    record = written(caplog, "page %d of %s", 3, "all", extra={"page": 3, "token": "abcdefgh", "url": f"?x={SECRET}"})
    assert record.getMessage() == "page 3 of all"
    assert {name: record.__dict__[name] for name in ("connection", "page", "token", "url")} == {
        "connection": "shop",
        "page": 3,
        "token": "***",
        "url": "?x=***",
    }


def test_a_level_that_is_not_written_costs_nothing() -> None:
    logger = logging.getLogger("hub.plugin.quiet")
    logger.setLevel(logging.ERROR)
    ConnectionLog(logger, "shop", Redactor()).info("%s", _Loud())


class _Loud:
    """What must not be asked for its text."""

    def __str__(self) -> str:
        raise AssertionError("it was written")
