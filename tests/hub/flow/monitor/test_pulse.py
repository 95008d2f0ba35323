"""The heartbeat of a process."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from time import monotonic, sleep

import pytest

from hub.flow.monitor.life import read_beat
from hub.flow.monitor.pulse import Pulse
from hub.flow.monitor.schedule import urgent
from tests.hubs import NOON, Made


class Slow(Pulse):
    """A heartbeat that takes its time."""

    began: threading.Event

    def beat(self) -> None:
        """Beat in a moment."""
        self.began.set()
        sleep(0.2)
        super().beat()


def test_a_calm_end_is_its_last_word_also_while_it_beats(new_hub: Callable[..., Made]) -> None:
    made = new_hub()
    pulse = Slow(made.hub, "web")
    pulse.began = threading.Event()
    pulse.start()
    assert pulse.began.wait(5)
    pulse.close()
    for thread in threading.enumerate():
        if thread.name == "heartbeat":
            thread.join(5)
    (row,) = made.hub.store.connections.beats(since=NOON - timedelta(minutes=1))
    assert read_beat(row).has_ended


@pytest.mark.parametrize("is_healed", [False, True], ids=["broken", "healed"])
def test_what_a_process_cannot_have_is_told_within_moments(new_hub: Callable[..., Made], is_healed: bool) -> None:
    made = new_hub()
    if is_healed:
        made.hub.broken.put("enrichers.language", "no room for its files")
    pulse = Pulse(made.hub, "process")
    pulse.start()
    await_(lambda: made.hub.store.connections.beats(since=NOON) != [])
    was = urgent(made.hub)
    made.hub.broken.heal("enrichers.language") if is_healed else made.hub.broken.put("enrichers.language", "no room")
    await_(lambda: urgent(made.hub) != was)
    pulse.close()


def await_(holds: Callable[[], bool]) -> None:
    """Wait a few seconds at most, far less than it is to the next beat."""
    end = monotonic() + 6
    while not holds():
        assert monotonic() < end
        sleep(0.05)
