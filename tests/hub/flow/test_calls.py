"""A plugin that does not come back from a call: it is told while it lasts, and no longer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import pytest

from hub.core.model import Label, Signal
from hub.flow.intake.poll import poll
from hub.flow.monitor.alerts import judge
from hub.flow.monitor.pulse import Pulse
from hub.flow.monitor.snapshot import look
from hub.flow.sweep import prepare
from hub.registry import Plugin
from hub.sdk.connectors import Page
from tests.hubs import Made, Mood

NewHub = Callable[..., Made]


def told(made: Made) -> list[str]:
    """The keys of the alerts that tell of a call, once this process has given a sign of life."""
    Pulse(made.hub, "all").beat()
    found = judge(look(made.hub, arrivals_known=True), made.hub.settings.alerts)
    return [one.key for one in found if "not come back from a call since" in one.text]


@pytest.mark.parametrize(("minutes", "keys"), [(14, []), (16, ["plugin:memo"])])
def test_a_delivery_that_does_not_come_back_is_told(new_hub: NewHub, minutes: int, keys: list[str]) -> None:
    made, said = new_hub(), list[list[str]]()

    def hang(_: object) -> None:
        made.clock.pass_(minutes=minutes)
        said.append(told(made))

    made.say({"id": "1", "text": "acme"})
    made.memo.answer = staticmethod(hang)  # type: ignore[assignment]  # a function in a class
    made.run()
    assert (said, told(made)) == ([keys], [])


def test_a_poll_that_does_not_come_back_is_told_and_one_with_many_pages_is_not(new_hub: NewHub) -> None:
    made, said = new_hub(), list[list[str]]()

    def pages() -> Iterator[Page]:
        for minutes in (10, 10, 16):
            made.clock.pass_(minutes=minutes)
            said.append(told(made))
            yield Page((), None)

    prepare(made.hub)
    made.source.pages = pages()  # type: ignore[assignment]  # as they come
    poll(made.hub, "lines", early=True)
    assert (said, told(made)) == ([[], [], ["plugin:lines"]], [])


def test_an_enricher_that_does_not_come_back_is_told(new_hub: NewHub) -> None:
    made, said = new_hub(), list[list[str]]()

    class Stuck(Mood):
        """A model that takes for ever."""

        def enrich(self, signals: Sequence[Signal]) -> list[tuple[Label, ...]]:
            made.clock.pass_(minutes=16)
            said.append(told(made))
            return super().enrich(signals)

    made.hub.registry._loaded["mood"] = Plugin("mood", "tests", "1", enrichers={"mood": Stuck})
    made.say({"id": "1", "text": "acme"})
    made.run()
    assert (said, told(made)) == ([["plugin:mood"]], [])
