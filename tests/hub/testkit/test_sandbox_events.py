"""What a look-alike sends of its own accord: in order, composed anew for each attempt, over before it closes."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from hub.testkit.fakes import FakeClock
from hub.testkit.sandbox import Answer, Attempt, Call, Event, Sandbox, SandboxOptions, Teller, route, serve


class Door(Sandbox):
    """Takes what is told, refuses the first of each kind."""

    @route("POST", "/in", open=True)
    def take(self, call: Call) -> Answer:
        """Keep it."""
        self.journal.record("create", "told", call.body.decode())
        return Answer(503 if call.body.endswith(b"1") else 200, b"thanks", {"X-Answer": "1"})


def composed(name: str) -> Callable[[int], tuple[Mapping[str, str], bytes]]:
    return lambda number: ({"Content-Type": "text/plain"}, f"{name}{number}".encode())


def until_taken(attempt: Attempt) -> float | None:
    return None if attempt.status == 200 or attempt.number == 3 else 2.0


def test_events_keep_their_order_and_each_attempt_is_composed_anew() -> None:
    waited: list[float] = []
    teller = Teller(FakeClock(), waited.append)
    with serve(Door(SandboxOptions())) as running:
        for name in ("a", "b"):
            teller.send(Event("test", f"{running.url}/in", composed(name), until_taken))
        assert teller.wait()
        told = [one["id"] for one in running.sandbox.journal.show("told")["entries"]]
    teller.stop()
    assert (told, waited) == (["a1", "a2", "b1", "b2"], [2.0, 2.0])
    last = teller.attempts[-1]
    assert (last.status, last.content, last.headers["x-answer"]) == (200, b"thanks", "1")


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/in", "http://127.0.0.1:port/in", "http:///in"])
def test_no_answer_is_status_0_and_ends_with_the_last_attempt(url: str) -> None:
    teller = Teller(FakeClock(), lambda _: None)
    teller.send(Event("test", url, composed("a"), until_taken))
    assert teller.wait()
    teller.stop()
    assert [(one.number, one.status) for one in teller.attempts] == [(1, 0), (2, 0), (3, 0)]


def test_a_sandbox_that_closes_has_told_everything() -> None:
    with serve(Door(SandboxOptions())) as running:
        sandbox = Door(SandboxOptions())
        sandbox.teller.pause = lambda _: None
        sandbox.teller.send(Event("test", f"{running.url}/in", composed("a"), until_taken))
        sandbox.close()
        assert [one.status for one in sandbox.teller.attempts] == [503, 200]
