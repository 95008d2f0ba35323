"""The heartbeat of a process."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from time import sleep

from hub.flow.monitor.life import read_beat
from hub.flow.monitor.pulse import Pulse
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
