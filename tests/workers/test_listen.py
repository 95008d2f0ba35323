"""Listeners: a stream that is lost is taken up where its cursor stands, and nobody listens twice."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, ClassVar

import pytest
from pydantic import SecretStr

from hub.core.errors import RateLimited, Unavailable
from hub.core.model import Ignored, RawItem, Translated
from hub.flow import lease
from hub.flow.intake.poll import streaming_sources
from hub.flow.monitor.snapshot import roles_due
from hub.flow.sweep import ring_due
from hub.registry import Plugin
from hub.sdk.connectors import Compliance, Context, Options, Page, StreamingSource
from hub.store.connections import LEASE
from tests.hubs import NOON, Made
from tests.logs import captured
from tests.servers import wait_for
from workers import listen

NewHub = Callable[..., Made]
Part = Page | BaseException | Callable[[], None]


class River(StreamingSource[Options]):
    """Each connection gives its parts, then waits until it is let go."""

    name = "lines"
    network = "lines"
    compliance = Compliance(timedelta(hours=1))
    connections: ClassVar[list[list[Part]]] = []
    cursors: ClassVar[list[Any]] = []
    let_go: ClassVar[threading.Event] = threading.Event()

    def stream(self, ctx: Context, cursor: Any) -> Iterable[Page]:
        cls = type(self)
        cls.cursors.append(cursor)
        for part in cls.connections.pop(0) if cls.connections else []:
            if isinstance(part, Page):
                yield part
            elif isinstance(part, BaseException):
                raise part
            else:
                part()
        if not cls.connections:
            cls.let_go.wait(10)

    def translate(self, raw: RawItem) -> Translated | Ignored:
        return Ignored("not looked at")


def page(cursor: object, *numbers: int) -> Page:
    return Page(tuple(RawItem("lines", "lines", b"%d" % one, NOON, str(one)) for one in numbers), cursor)


@pytest.fixture
def made(new_hub: NewHub, monkeypatch: pytest.MonkeyPatch) -> Made:
    monkeypatch.setattr(listen, "FIRST_PAUSE_S", 0.01)
    made = new_hub()
    fresh = {"connections": [], "cursors": [], "let_go": threading.Event()}
    river = type("RiverOne", (River,), fresh)
    made.hub.registry._loaded["lines"] = Plugin("lines", "tests", "1", sources={"lines": river})
    return made


def river(made: Made) -> type[River]:
    return made.hub.registry.source("lines")  # type: ignore[return-value]  # put there above


@contextmanager
def listening(made: Made, *connections: list[Part]) -> Iterator[None]:
    river(made).connections[:] = connections
    stop = threading.Event()
    thread = threading.Thread(target=listen.run, args=(made.hub, stop))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        river(made).let_go.set()
        thread.join(10)
    assert not thread.is_alive()


def cursor(made: Made) -> dict[str, Any]:
    return next(iter(made.hub.store.cursors.list()), {})


def test_what_comes_is_stored_with_its_cursor_and_rung_for(made: Made) -> None:
    with listening(made, [page("p1", 1, 2), page("p2", 3)]):
        wait_for(lambda: cursor(made).get("value") == "p2")
    assert (made.hub.store.inbox.counts(), made.bell.rung) == ({"new": 3}, [("process", "")])


def test_a_stream_is_work_for_a_listener(made: Made) -> None:
    assert roles_due(made.hub) == {"listen"}


def test_a_lost_stream_is_taken_up_where_the_cursor_stands(made: Made) -> None:
    with listening(made, [page("p1", 1), Unavailable("lost")], [page("p2", 2), Unavailable("lost")], [page("p3", 3)]):
        wait_for(lambda: cursor(made).get("value") == "p3")
    assert (river(made).cursors, made.hub.store.inbox.counts()) == ([None, "p1", "p2"], {"new": 3})


@pytest.mark.parametrize("bug", [KeyError("bug"), SystemExit(1), GeneratorExit()], ids=repr)
def test_a_plugins_bug_is_survived(made: Made, bug: BaseException) -> None:
    with listening(made, [page("p1", 1), bug], [page("p2", 2)]):
        wait_for(lambda: cursor(made).get("value") == "p2")


def test_the_error_and_the_number_of_failures_are_kept(made: Made) -> None:
    seen: list[tuple[object, object]] = []

    def look() -> None:
        seen.append((cursor(made)["error"], cursor(made)["failures"]))

    with listening(made, [Unavailable("one")], [look, Unavailable("two")], [look, page("p1", 1)]):
        wait_for(lambda: cursor(made).get("value") == "p1")
    assert seen == [("Unavailable: one", 1), ("Unavailable: two", 2)]


def pauses(made: Made, *connections: list[Part]) -> list[float]:
    """The pauses after each connection."""

    class Stop(threading.Event):
        waited: ClassVar[list[float]] = []

        def wait(self, timeout: float | None = None) -> bool:
            self.waited.append(timeout or 0)
            if len(self.waited) == len(connections):
                self.set()
            return self.is_set()

    Stop.waited = []
    river(made).connections[:] = connections
    river(made).let_go.set()
    made.hub.store.cursors.declare(["lines"], now=NOON)
    listen._listen(made.hub, "lines", Stop())
    return Stop.waited


def test_a_stream_that_cannot_be_had_is_asked_for_less_and_less_often(made: Made) -> None:
    found = pauses(made, *([Unavailable()] for _ in range(18)))
    assert found[:4] == [0.02, 0.04, 0.08, 0.16]
    assert found[-1] == listen.LONGEST_PAUSE_S


def test_a_stream_that_gave_something_before_it_was_lost_is_taken_up_at_once(made: Made) -> None:
    found = pauses(made, [Unavailable()], [Unavailable()], [page("p1", 1), Unavailable("lost")], [Unavailable()])
    assert found == [0.02, 0.04, 0.01, 0.02]


@pytest.mark.parametrize(("asked", "waited"), [(30, 30), (1e9, listen.LONGEST_PAUSE_S), (None, 0.02)])
def test_a_pause_that_the_network_asks_for_is_kept(made: Made, asked: float | None, waited: float) -> None:
    assert pauses(made, [RateLimited(retry_after=asked)]) == [waited]


class Keyed(Options):
    """Options with a secret."""

    token: SecretStr


@pytest.mark.parametrize("error", [Unavailable("bad token hush-hush-1234"), KeyError("hush-hush-1234")])
def test_the_error_that_is_kept_tells_no_secret(made: Made, error: Exception) -> None:
    keyed = type("KeyedRiver", (river(made),), {"Options": Keyed})
    made.hub._made["sources", "lines"] = keyed(Keyed(token=SecretStr("hush-hush-1234")))
    with captured() as logs:
        pauses(made, [error])
    assert "hush" not in f"{cursor(made)['error']} {logs}"


def test_a_quiet_stream_keeps_its_lease(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "RENEW_S", 0.01)

    def quiet() -> None:
        made.clock.pass_(seconds=LEASE.total_seconds() - 1)
        wait_for(lambda: cursor(made)["lease_until"] == made.clock() + LEASE)
        made.clock.pass_(seconds=LEASE.total_seconds() - 1)
        assert made.hub.store.cursors.claim("lines", now=made.clock(), early=True) is None

    with listening(made, [quiet, page("p1", 1)]):
        wait_for(lambda: cursor(made).get("value") == "p1")


def test_a_stream_that_somebody_else_follows_is_left_to_them(made: Made) -> None:
    made.hub.store.cursors.declare(["lines"], now=NOON)
    made.hub.store.cursors.claim("lines", now=made.clock())
    assert pauses(made, [page("p1", 1)], []) == [0.02, 0.04]
    assert river(made).cursors == []


def test_a_stream_is_never_rung_for_as_a_poll(made: Made) -> None:
    made.hub.store.cursors.declare(["lines"], now=NOON)
    ring_due(made.hub)
    assert made.bell.rung == []


def test_a_source_whose_plugin_is_broken_is_left_out(made: Made) -> None:
    made.hub.registry._loaded["lines"] = Plugin("lines", "tests", "1", reason="it needs 'liner'")
    assert streaming_sources(made.hub) == []
