"""What is an alert and what is not: tables of cases, without a database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hub.config.settings import AlertsSection
from hub.flow.monitor.alerts import Held, Let, Pause, Poll, RefusedCalls, Snapshot, judge
from hub.sdk.rates import Usage
from hub.store.monitor.figures import Dead

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
LONG_AGO, JUST_NOW = NOON - timedelta(hours=1), NOON - timedelta(seconds=30)
PAUSED = Pause("crm", "paused", "HTTP 401", LONG_AGO)
OPEN = Pause("crm", "open", "5 batches in a row failed", LONG_AGO)

WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "blocked deliveries": ({"blocked": {"crm": 3}, "pauses": (PAUSED,)}, "blocked:crm"),
    "a source without rights": ({"polls": {"news": Poll(1, "Unauthorised: HTTP 401")}}, "blocked:sources/news"),
    "an open breaker": ({"pauses": (OPEN,)}, "breaker:crm"),
    "a breaker that probes": ({"pauses": (Pause("crm", "half-open", "x", LONG_AGO),)}, "breaker:crm"),
    "dead letters, and none before": ({"dead": {"crm": Dead(5, 5, 0)}}, "dead:crm"),
    "three times the usual dead letters": ({"dead": {"crm": Dead(30, 30, 240)}}, "dead:crm"),
    "a day's quota above 80 %": ({"usages": {"crm": Usage(81, 100)}}, "quota:crm"),
    "a quota that resets in an hour": ({"usages": {"crm": Usage(81, 100, 3600.0)}}, "quota:crm"),
    "five failed polls": ({"polls": {"news": Poll(5, "Unavailable: HTTP 503")}}, "poll:news"),
    "a plugin's third bug": ({"polls": {"news": Poll(3, "bug: KeyError: 'x'")}}, "poll:news"),
    "changes that cannot be read": (
        {"polls": {"destinations/crm": Poll(5, "Unavailable: x")}},
        "poll:destinations/crm",
    ),
    "changes without rights": ({"polls": {"destinations/crm": Poll(1, "Unauthorised: x")}}, "blocked:destinations/crm"),
    "waiting for the dead": ({"held": {"crm": Held(2, LONG_AGO, 7)}}, "held:crm"),
    "an opened valve": ({"let": {"crm": Let(2, 1)}}, "valve:crm"),
    "a bell that is away": ({"bell": "Error 111 connecting to 127.0.0.1:6379"}, "bell"),
    "a plugin that cannot be had": ({"broken": {"destinations.crm": "needs 'zenpy'"}}, "plugin:crm"),
    "a plugin of two connections of one name": ({"broken": {"destinations.x": "1", "sources.x": "2"}}, "plugin:x"),
    "a part that starts again and again": ({"restarting": frozenset({"deliver"})}, "restart:deliver"),
    "posts that wait long": ({"waiting_since": LONG_AGO}, "waiting:process"),
    "an hour of calls with a wrong signature": (
        {"refused": {"shop": RefusedCalls(401, 3, LONG_AGO - timedelta(minutes=1), JUST_NOW)}},
        "refused:shop",
    ),
    "a stream and no listener": (
        {"due": frozenset({"listen"}), "beats": {"listen": LONG_AGO, "all": JUST_NOW}},
        "worker:listen",
    ),
    "work and no worker": ({"due": frozenset({"deliver"}), "beats": {"deliver": LONG_AGO}}, "worker:deliver"),
}


@pytest.mark.parametrize("case", WRONG)
def test_this_is_one_alert(case: str) -> None:
    given, key = WRONG[case]
    assert [alert.key for alert in judge(Snapshot(NOON, **given), AlertsSection())] == [key]


FINE: dict[str, dict[str, Any]] = {
    "nothing": {},
    "a pause of the pace": {"pauses": (Pause("crm", "paused", "its pace", JUST_NOW),)},
    "four dead letters": {"dead": {"crm": Dead(4, 4, 0)}},
    "as many dead letters as ever": {"dead": {"crm": Dead(10, 10, 240)}},
    "a quota at 80 %": {"usages": {"crm": Usage(80, 100)}},
    "a window of some seconds": {"usages": {"crm": Usage(99, 100, 10.0)}},
    "a vendor that tells no limit": {"usages": {"crm": Usage(5, 0)}},
    "posts that wait a moment": {"waiting_since": JUST_NOW},
    "a plugin's second bug": {"polls": {"news": Poll(2, "bug: KeyError: 'x'")}},
    "a few failed polls": {"polls": {"news": Poll(4, "Unavailable: HTTP 503")}},
    "a short wait": {"held": {"crm": Held(2, JUST_NOW, 7)}},
    "an idle hub without workers": {"beats": {"deliver": LONG_AGO}},
    "one worker for all": {"due": frozenset({"deliver"}), "beats": {"deliver": LONG_AGO, "all": JUST_NOW}},
    "a worker at work": {"due": frozenset({"deliver"}), "beats": {"deliver": JUST_NOW}},
}


@pytest.mark.parametrize("case", FINE)
def test_this_is_no_alert(case: str) -> None:
    assert judge(Snapshot(NOON, **FINE[case]), AlertsSection()) == []


def test_the_reason_of_a_blocked_connection_is_told() -> None:
    (alert,) = judge(Snapshot(NOON, blocked={"crm": 3}, pauses=(PAUSED,)), AlertsSection())
    assert (alert.severity, alert.text) == ("critical", "crm is blocked, 3 deliveries wait: HTTP 401")


def test_bounds_move_with_the_configuration() -> None:
    snapshot = Snapshot(NOON, dead={"crm": Dead(2, 2, 0)}, usages={"crm": Usage(51, 100)})
    found = judge(snapshot, AlertsSection(quota=0.5, dead_letters=2))
    assert [alert.key for alert in found] == ["dead:crm", "quota:crm"]
