"""What `hub up` says, in its three voices."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import pytest

from hub.cli.running.voice import CalmVoice, JsonVoice, TextVoice, Voice, choose
from hub.config.logs import Wanted

PAGE = "http://127.0.0.1:8600"
INFO = {"timestamp": "2026-11-30T12:00:01Z", "level": "info", "event": "it rains", "rows": 3}
Calm = Callable[..., tuple[CalmVoice, io.StringIO]]


@pytest.fixture
def calm(monkeypatch: pytest.MonkeyPatch) -> Calm:
    def make(term: str = "xterm", columns: int = 80, **env: str) -> tuple[CalmVoice, io.StringIO]:
        for name, value in {"TERM": term, "COLUMNS": str(columns), **env}.items():
            monkeypatch.setenv(name, value)
        stream = io.StringIO()
        return CalmVoice(stream, PAGE), stream

    monkeypatch.delenv("NO_COLOR", raising=False)
    return make


def event(name: str, level: str = "info", **values: Any) -> str:
    return json.dumps({"level": level, "event": name, **values})


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (json.dumps(INFO), {**INFO, "part": "web"}),
        ("Fatal Python error", {"level": "error", "event": "Fatal Python error", "part": "web"}),
        ('{"no": "event"}', {"level": "error", "event": '{"no": "event"}', "part": "web"}),
        ("{broken", {"level": "error", "event": "{broken", "part": "web"}),
    ],
)
def test_to_a_pipe_each_line_is_one_object_whoever_wrote_it(line: str, said: dict[str, Any]) -> None:
    stream = io.StringIO()
    JsonVoice(stream).hear("web", line)
    found = json.loads(stream.getvalue())
    assert found.pop("timestamp")
    assert found == {name: value for name, value in said.items() if name != "timestamp"}


def test_what_redis_warns_of_is_no_error_of_ours() -> None:
    stream = io.StringIO()
    JsonVoice(stream).hear("redis", "WARNING Memory overcommit must be enabled!")
    assert json.loads(stream.getvalue())["level"] == "info"


def test_the_supervisors_own_lines_are_objects_too() -> None:
    stream = io.StringIO()
    JsonVoice(stream).say("web ended", level="warning")
    found = json.loads(stream.getvalue())
    assert (found["event"], found["level"], found["part"]) == ("web ended", "warning", "hub")


def test_text_names_the_part() -> None:
    stream = io.StringIO()
    TextVoice(stream).hear("process", json.dumps(INFO))
    assert stream.getvalue() == "process    12:00:01 it rains (rows=3)\n"


@pytest.mark.parametrize(
    ("form", "terminal", "kind"),
    [
        ("auto", True, CalmVoice),
        ("auto", False, JsonVoice),
        ("json", True, JsonVoice),
        ("text", True, TextVoice),
        ("text", False, TextVoice),
    ],
)
def test_a_terminal_is_spoken_to_calmly_and_a_program_in_json(form: Any, terminal: bool, kind: type[Voice]) -> None:
    class Stream(io.StringIO):
        def isatty(self) -> bool:
            return terminal

    assert type(choose(Wanted("info", form), PAGE, Stream())) is kind


START = [
    ("progress", {"rows": 0, "rows_held": 0, "due": 0, "held": 0, "over": False}, "starting: 7 s"),
    ("an enricher is being opened", {"enricher": "mood"}, "opening the model of 'mood' (up to a minute): 7 s"),
    (
        "progress",
        {"rows": 130, "rows_held": 200, "due": 0, "held": 0, "told": 30, "over": False},
        "opening the model of 'mood' (up to a minute), 300 items wait for it: 7 s",
    ),
    ("an enricher is open", {"enricher": "mood"}, "reading: 0 of 300 items, 0 records sent, 7 s"),
    ("a batch was read", {"rows": 200, "items": 200, "signals": 190}, "reading: 200 of 300 items, 0 records sent, 7 s"),
    ("a batch was sent", {"delivered": 40, "dead": 1}, "reading: 200 of 300 items, 40 records sent, 7 s"),
    (
        "progress",
        {"rows": 0, "rows_held": 0, "due": 5, "held": 1, "over": False},
        "sending: 40 records sent, 6 to go, 7 s",
    ),
    ("progress", {"rows": 0, "rows_held": 0, "due": 0, "held": 0, "over": False}, "almost ready: 7 s"),
]


def test_a_start_shows_what_is_done_and_how_far_it_is(calm: Calm) -> None:
    voice, stream = calm()
    voice.look(10.0)
    shown = []
    for name, values, _ in START:
        voice.hear("x", event(name, **values))
        voice.look(17.0)
        shown.append(stream.getvalue().rpartition("\x1b[2m")[2].removesuffix("\x1b[0m"))
    assert shown == [line for _, _, line in START]


def test_when_all_is_ready_one_line_stays_and_then_it_is_quiet(calm: Calm) -> None:
    voice, stream = calm()
    voice.look(1.0)
    voice.hear("process", event("a batch was read", rows=400, items=307, signals=299))
    voice.hear("deliver", event("a batch was sent", delivered=1106))
    voice.hear("scheduler", event("progress", rows=0, rows_held=0, due=0, held=0, over=True))
    before = len(stream.getvalue())
    for _ in range(1000):
        voice.hear("deliver", event("a batch was sent", delivered=1))
    voice.look(99.0)
    assert f"hub: ready: 299 signals from 307 items, 1,106 records sent. The page: {PAGE}" in stream.getvalue()
    assert len(stream.getvalue()) == before


@pytest.mark.parametrize(
    ("level", "values", "is_said"),
    [
        ("info", {}, False),
        ("error", {}, True),
        ("warning", {"event": "alert"}, True),
        ("warning", {"state": "retry"}, False),
        ("warning", {"state": "dead"}, True),
    ],
)
def test_only_what_needs_a_person_is_said(calm: Calm, level: str, values: dict[str, Any], is_said: bool) -> None:
    voice, stream = calm()
    voice.hear("deliver", event(values.pop("event", "it rains"), level, **values))
    assert ("hub: deliver: " in stream.getvalue()) is is_said


def test_the_same_is_said_once_a_minute(calm: Calm) -> None:
    voice, stream = calm()
    for now in (1.0, 2.0, 60.9, 61.0, 62.0):
        voice.look(now)
        voice.hear("web", event("it rains", "error", connection="crm"))
    assert stream.getvalue().count("it rains") == 2


def test_an_exception_is_one_line(calm: Calm) -> None:
    voice, stream = calm(NO_COLOR="1")
    voice.hear("web", event("it failed", "error", step="poll", exception="Traceback ...\n  File\nValueError: wrong"))
    assert "hub: web: it failed (step poll; ValueError: wrong)\n" in stream.getvalue()


def test_what_redis_says_is_kept_back_until_it_ends(calm: Calm) -> None:
    voice, stream = calm()
    for number in range(9):
        voice.hear("redis", f"WARNING {number}")
    assert "WARNING" not in stream.getvalue()
    assert voice.last_words("redis") == [f"WARNING {number}" for number in range(3, 9)]
    assert voice.last_words("redis") == []


@pytest.mark.parametrize(("env", "coloured"), [({}, True), ({"NO_COLOR": ""}, True), ({"NO_COLOR": "1"}, False)])
def test_colours_are_left_out_where_they_are_not_wanted(calm: Calm, env: dict[str, str], coloured: bool) -> None:
    voice, stream = calm(**env)
    voice.look(1.0)
    assert ("\x1b[2m" in stream.getvalue()) is coloured


def test_a_terminal_that_cannot_move_gets_a_line_a_stage(calm: Calm) -> None:
    voice, stream = calm("dumb")
    for second in range(5):
        voice.look(float(second))
    voice.hear("process", event("an enricher is being opened", enricher="mood"))
    for second in range(5, 9):
        voice.look(float(second))
    assert "\x1b" not in stream.getvalue()
    assert [line.partition(":")[0] for line in stream.getvalue().splitlines()] == [
        "starting",
        "opening the model of 'mood' (up to a minute)",
    ]


@pytest.mark.parametrize("columns", [20, 40, 80])
def test_a_status_never_wraps(calm: Calm, columns: int) -> None:
    voice, stream = calm(columns=columns, NO_COLOR="1")
    voice.hear("process", event("an enricher is being opened", enricher="a-name-that-is-long"))
    voice.look(1.0)
    assert max(len(line) for line in stream.getvalue().split("\r\x1b[K")) < columns


def test_a_reader_that_has_gone_stops_nothing() -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    JsonVoice(Gone()).say("x")


def test_what_an_end_waits_for_is_said_now_and_then_to_a_program() -> None:
    stream = io.StringIO()
    voice = JsonVoice(stream)
    for now in (1.0, 2.0, 5.9, 6.0, 7.0):
        voice.wait_for("waiting for process", now)
    voice.wait_for("", 8.0)
    assert len(stream.getvalue().splitlines()) == 2


def test_what_a_line_holds_cannot_move_the_terminal(calm: Calm) -> None:
    voice, stream = calm(NO_COLOR="1")
    voice.hear("web", event("a\x1b[2Jb", "error"))
    assert "hub: web: a [2Jb\n" in stream.getvalue()
