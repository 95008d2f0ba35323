"""Counters are shared, and counting costs a small part of the time."""

from __future__ import annotations

import threading
from typing import Any

from hub.web.counters import Counters


def test_a_count_is_kept_for_a_while() -> None:
    counted: list[int] = []
    counters = Counters(lambda: {"n": counted.append(1)})
    counters()
    counters()
    assert len(counted) == 1
    counters(fresh=True)
    assert len(counted) == 2


def test_while_one_counts_the_others_take_the_old_value() -> None:
    begun, gate = threading.Event(), threading.Event()

    def count() -> dict[str, Any]:
        if begun.is_set():
            gate.wait(10)
        return {"n": begun.is_set()}

    counters = Counters(count)
    assert counters() == {"n": False}
    begun.set()
    slow = threading.Thread(target=counters, kwargs={"fresh": True})
    slow.start()
    assert counters() == {"n": False}
    gate.set()
    slow.join()
    assert counters() == {"n": True}
