"""Jobs: each one stroke of the bell, one flow call; none takes its worker along."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import structlog

from hub.core.errors import ConfigError, Unavailable
from hub.queue.inprocess import InProcessBell
from hub.sdk.connectors import Page
from hub.sdk.http import guard
from hub.store import StoreUnavailable
from tests.hubs import Made
from tests.logs import captured
from workers import jobs

NewHub = Callable[..., Made]


@pytest.fixture
def made(new_hub: NewHub) -> Made:
    made = new_hub()
    jobs.use(made.hub)
    made.hub.store.cursors.declare(["lines"], now=made.clock())
    return made


@pytest.fixture
def logged() -> Iterator[list[structlog.typing.EventDict]]:
    with captured() as found:
        yield found


def test_processing_is_one_flow_call(made: Made) -> None:
    made.say({"id": "1", "text": "acme"})
    jobs.process("")
    assert (made.hub.store.inbox.counts(), made.bell.rung) == ({"done": 1}, [("deliver", "memo")])


def test_delivering_is_one_flow_call_for_its_connection(made: Made) -> None:
    made.say({"id": "1", "text": "acme"})
    jobs.process()
    jobs.deliver("memo")
    assert made.states() == {"delivered": 1}


def test_the_first_delivery_finds_its_http_open(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    real = guard.open_guard
    monkeypatch.setattr(guard, "open_guard", lambda *given, **more: opened.append("guard") or real(*given, **more))
    jobs.open_destinations()
    assert opened == ["guard"]
    made.say({"id": "1", "text": "acme"})
    jobs.process()
    jobs.deliver("memo")
    assert (made.states(), opened) == ({"delivered": 1}, ["guard"])


@pytest.mark.parametrize("error", [ConfigError("no such plugin"), ZeroDivisionError("a plugin's bug")])
def test_a_destination_that_cannot_be_had_is_told_and_stops_no_worker(
    made: Made, logged: list[structlog.typing.EventDict], monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def refuse(*_: object) -> None:
        raise error

    monkeypatch.setattr(made.hub.registry, "destination", refuse)
    jobs.open_destinations()
    assert [entry["step"] for entry in logged] == ["open memo"]


def test_polling_is_one_flow_call_for_its_source(made: Made) -> None:
    made.source.pages = [Page((), "p1")]
    jobs.poll("lines")
    assert made.hub.store.cursors.list()[0]["value"] == "p1"


def test_a_ring_during_the_work_is_not_lost(made: Made) -> None:
    made.say({"id": "1", "text": "acme"})
    jobs.process()
    assert ("deliver", "memo") in made.bell.rung
    made.memo.answer = lambda _: made.bell.ring("deliver", "memo")  # type: ignore[func-returns-value]  # None: delivered
    jobs.deliver("memo")
    assert (made.states(), ("deliver", "memo") in made.bell.rung) == ({"delivered": 1}, True)


class Deaf(InProcessBell):
    """Remembers what it heard, in order with what was claimed."""

    def __init__(self, order: list[str]) -> None:
        super().__init__()
        self.order = order

    def heard(self, step: str, connection: str = "") -> None:
        self.order.append("heard")


def test_the_lane_is_free_again_before_the_first_claim(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    made.hub.bell = Deaf(order)
    claim = made.hub.store.inbox.claim
    monkeypatch.setattr(made.hub.store.inbox, "claim", lambda **given: order.append("claimed") or claim(**given))
    jobs.process()
    assert order == ["heard", "claimed"]


@pytest.mark.parametrize(
    ("error", "level"),
    [
        (StoreUnavailable("the database is locked"), "warning"),
        (ConfigError([]), "warning"),
        (Unavailable("down"), "warning"),
        (ZeroDivisionError("oops"), "error"),
        (RecursionError(), "error"),
    ],
)
def test_a_job_that_fails_is_logged_and_not_fatal(
    made: Made, logged: list[structlog.typing.EventDict], error: Exception, level: str
) -> None:
    def fail(*_: object) -> None:
        raise error

    made.hub.store.connections.standing = fail  # type: ignore[method-assign]  # the first thing that a delivery asks
    jobs.deliver("memo")
    assert [entry["log_level"] for entry in logged] == [level]


def test_a_job_of_a_connection_that_is_no_longer_there_does_nothing(made: Made) -> None:
    jobs.deliver("gone")


def test_a_poll_of_a_source_that_is_no_longer_there_is_logged(
    made: Made, logged: list[structlog.typing.EventDict]
) -> None:
    jobs.poll("gone")
    assert "is not configured" in logged[0]["error"]
