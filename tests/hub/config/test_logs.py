"""Logs: levels, forms, one line an event."""

from __future__ import annotations

import json
import logging
import subprocess
import sys

import pytest
import structlog

from hub.config.logs import LateLogger, Wanted, as_text, asked, set_up_logging
from hub.core.errors import ConfigError


def said(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    out, err = capsys.readouterr()
    assert out == ""
    return [json.loads(line) for line in err.splitlines()]


def test_each_event_is_one_json_object_whatever_is_in_it(unlogged: None, capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging()
    structlog.get_logger("a").warning("it rains", where="here\nthere")
    assert [(one["event"], one["level"], one["where"]) for one in said(capsys)] == [
        ("it rains", "warning", "here\nthere")
    ]


def test_a_plugin_and_a_library_write_the_same_form(unlogged: None, capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging()
    log = logging.LoggerAdapter(logging.getLogger("hub.plugin.x"), {"connection": "shop"})
    log.warning("%s of %s", 1, 2)
    (line,) = said(capsys)
    assert {name: line[name] for name in ("event", "connection", "logger")} == {
        "event": "1 of 2",
        "connection": "shop",
        "logger": "hub.plugin.x",
    }


def test_an_exception_stays_on_its_line(unlogged: None, capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging()
    try:
        int("wrong")
    except ValueError:
        structlog.get_logger("a").exception("a job failed")
        logging.getLogger("b").exception("another failed")
    assert ["ValueError" in str(one["exception"]) for one in said(capsys)] == [True, True]


@pytest.mark.parametrize(
    ("level", "heard"),
    [
        ("debug", ["debug", "info", "warning", "error"]),
        ("info", ["info", "warning", "error"]),
        ("warning", ["warning", "error"]),
        ("error", ["error"]),
    ],
)
def test_a_level_says_from_which_on_lines_are_written(
    unlogged: None, capsys: pytest.CaptureFixture[str], level: str, heard: list[str]
) -> None:
    set_up_logging(level=level)
    for one in ("debug", "info", "warning", "error"):
        getattr(structlog.get_logger("a"), one)("x")
    assert [one["level"] for one in said(capsys)] == heard


def test_a_late_logger_writes_to_standard_error_even_if_it_is_the_first(capfd: pytest.CaptureFixture[str]) -> None:
    code = "from hub.config.logs import *; set_up_logging(level='warning'); LateLogger('a').warning('it rains', rows=3)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, json.loads(done.stderr)["rows"]) == ("", 3)


def test_a_late_logger_is_heard_by_tests(unlogged: None) -> None:
    with structlog.testing.capture_logs() as found:
        LateLogger("a").info("x")
    assert found == [{"event": "x", "log_level": "info"}]


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        ({"event": "x", "level": "info", "timestamp": "2026-11-30T12:03:04.1Z"}, "12:03:04 x"),
        (
            {"event": "x", "level": "error", "timestamp": "2026-11-30T12:03:04.1Z", "rows": 3},
            "12:03:04 error: x (rows=3)",
        ),
        (
            {"event": "x\x1b[2J", "level": "info", "timestamp": "2026-11-30T12:03:04.1Z", "exception": "a\nb"},
            "12:03:04 x [2J\n    a\n    b",
        ),
    ],
)
def test_a_person_reads_time_level_event_and_values(entry: dict[str, object], text: str) -> None:
    assert as_text(entry) == text


@pytest.mark.parametrize(
    ("level", "form", "found"),
    [("", "", Wanted("error", "text")), ("DEBUG", "", Wanted("debug", "text")), ("", "json", Wanted("error", "json"))],
)
def test_the_command_line_outranks_the_configuration(
    monkeypatch: pytest.MonkeyPatch, level: str, form: str, found: Wanted
) -> None:
    monkeypatch.setenv("HUBBUB_LOG_LEVEL", level)
    monkeypatch.setenv("HUBBUB_LOG", form)
    assert asked(Wanted("error", "text")) == found


def test_an_unknown_word_in_the_environment_is_told_with_those_that_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUBBUB_LOG_LEVEL", "loud")
    with pytest.raises(ConfigError, match=r"HUBBUB_LOG_LEVEL.*'loud' is unknown.*debug, info, warning, error"):
        asked(Wanted())
