"""Readiness: what it says of each trouble, and which of the two questions fails."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from time import monotonic
from typing import Any

import pytest

from hub.core.access import API
from hub.core.errors import ConfigError, StoreUnavailable
from hub.flow.monitor.life import lived
from hub.flow.views.readiness import Cause, Readiness, readiness
from hub.queue.bell import BellAway
from hub.web.readiness import KEPT_S, LATE, PATIENCE_S, KeptReadiness
from tests.hub.web.browser import Browser
from tests.hubs import Made

NewHub = Callable[..., Made]


def beat(made: Made, *roles: str) -> None:
    for role in roles:
        made.hub.store.connections.beat(f"{role}-1", role, now=made.clock(), detail=lived(made.clock()))


def refuse(error: Exception) -> Callable[..., Any]:
    def act(*_: object, **__: object) -> None:
        raise error

    return act


def full(made: Made, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(made.hub.store.figures, "probe", refuse(StoreUnavailable("... database or disk is full")))


def locked(made: Made, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(made.hub.store.figures, "probe", refuse(StoreUnavailable("... database is locked")))


def unreadable(made: Made, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(made.hub.store.connections, "beats", refuse(StoreUnavailable("no route to 10.0.0.7")))


def no_room(made: Made, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(made.hub.store.figures, "free_bytes", lambda: 1000)


def little_room(made: Made, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(made.hub.store.figures, "free_bytes", lambda: 1_000_000)


def no_worker(made: Made, _: pytest.MonkeyPatch) -> None:
    beat(made, "deliver")
    made.clock.pass_(minutes=2)
    beat(made, "scheduler")


def restarts(made: Made, _: pytest.MonkeyPatch) -> None:
    for number in range(9):
        made.clock.pass_(seconds=10)
        made.hub.store.connections.beat(
            f"process-{number + 5}", "process", now=made.clock(), detail=lived(made.clock())
        )
    beat(made, "deliver", "scheduler")


def no_bell(made: Made, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(made.bell, "check", refuse(BellAway("Error 111")))


def no_plugin(made: Made, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(made.hub.registry, "destination", refuse(ConfigError([])))


def broken_elsewhere(made: Made, _: pytest.MonkeyPatch) -> None:
    detail = lived(made.clock() - timedelta(minutes=1), broken={"enrichers.mood": "its model is not there"})
    made.hub.store.connections.beat("process-1", "process", now=made.clock(), detail=detail)


def waiting(made: Made, _: pytest.MonkeyPatch) -> None:
    made.say({"id": "1", "text": "acme"})
    made.clock.pass_(minutes=6)
    beat(made, "process", "deliver", "scheduler")


TROUBLES: dict[str, tuple[Callable[[Made, pytest.MonkeyPatch], None], str, str, tuple[int, int]]] = {
    "nothing": (lambda made, patch: None, "ok", "", (200, 200)),
    "a full disk": (full, "unavailable", "database", (503, 503)),
    "a locked database": (locked, "unavailable", "database", (503, 503)),
    "a database that cannot be read": (unreadable, "unavailable", "database", (503, 503)),
    "no room on the disk": (no_room, "unavailable", "disk", (503, 503)),
    "little room on the disk": (little_room, "degraded", "disk", (200, 200)),
    "no worker": (no_worker, "unavailable", "deliver", (503, 200)),
    "a worker that ends after each start": (restarts, "unavailable", "process", (503, 200)),
    "no bell": (no_bell, "degraded", "bell", (200, 200)),
    "a plugin that does not load": (no_plugin, "degraded", "plugin", (200, 200)),
    "one that does not load elsewhere": (broken_elsewhere, "degraded", "plugin", (200, 200)),
    "posts that wait": (waiting, "degraded", "waiting", (200, 200)),
}


@pytest.mark.parametrize("case", TROUBLES)
def test_readiness_tells_if_posts_are_stored_and_if_they_are_processed(
    new_hub: NewHub, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    make_trouble, status, cause, codes = TROUBLES[case]
    made = new_hub()
    beat(made, "process", "deliver", "scheduler")
    make_trouble(made, monkeypatch)
    browser = Browser(made)
    whole, accepting = browser.get("/readyz"), browser.get("/readyz?accept")
    said = whole.json()
    assert (said["status"], (whole.status_code, accepting.status_code)) == (status, codes)
    assert cause in {one["cause"] for one in said["causes"]} if cause else said["causes"] == []
    assert "10.0.0.7" not in whole.text
    assert browser.get("/healthz").status_code == 200


def test_a_hub_whose_parts_never_started_accepts_and_does_not_process(new_hub: NewHub) -> None:
    found = readiness(new_hub().hub, API)
    assert (found.accepts, found.processes) == (True, False)
    assert [one.cause for one in found.causes] == ["deliver", "process", "scheduler"]


def test_a_worker_for_all_is_enough(new_hub: NewHub) -> None:
    made = new_hub()
    beat(made, "all", "scheduler")
    assert readiness(made.hub, API).status == "ok"


def test_readiness_is_looked_up_once_in_a_while() -> None:
    asked: list[int] = []
    kept = KeptReadiness(lambda: Readiness((Cause("x", str(asked.append(1))),)))
    assert [kept() for _ in range(50)][-1].causes[0].cause == "x"
    assert len(asked) <= 1 + 1 / KEPT_S


def test_a_database_that_hangs_is_told_in_time_and_to_later_askers_at_once() -> None:
    from threading import Event

    go = Event()
    kept = KeptReadiness(lambda: Readiness() if go.wait(30) else LATE)
    begun = monotonic()
    found = [kept() for _ in range(20)]
    go.set()
    assert ({one.accepts for one in found}, monotonic() - begun < PATIENCE_S + 1) == ({False}, True)
