"""What strangers can make the server say again and again is a line a minute."""

from __future__ import annotations

import logging

import pytest

from hub.web.complaints import Complaints, OnceAMinute
from tests.logs import captured


@pytest.fixture
def now() -> list[float]:
    """The time, as these tests set it."""
    return [0.0]


@pytest.fixture
def complaints(now: list[float]) -> Complaints:
    return Complaints(lambda: now[0])


def test_a_kind_is_a_line_a_minute_and_the_next_one_counts_those_between(
    complaints: Complaints, now: list[float]
) -> None:
    with captured() as lines:
        for now[0] in (0.0, 1.0, 59.0, 60.0):
            complaints.tell("too many connections")
    assert [(line["event"], line.get("times_before")) for line in lines] == [
        ("too many connections", None),
        ("too many connections", 2),
    ]


def test_another_kind_has_its_own_line(complaints: Complaints) -> None:
    assert [complaints.passes(kind) for kind in ("a", "b", "a", "b")] == [0, 0, None, None]


@pytest.mark.parametrize(("level", "told"), [(logging.WARNING, [True, False]), (logging.INFO, [True, True])])
def test_a_library_repeats_no_warning_within_a_minute(complaints: Complaints, level: int, told: list[bool]) -> None:
    record = logging.LogRecord("uvicorn.error", level, "", 0, "Invalid HTTP request received.", (), None)
    assert [OnceAMinute(complaints).filter(record) for _ in told] == told
