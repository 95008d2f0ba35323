"""The scheduler: a plain loop. Every second what is due is rung for, every ten seconds lost leases are taken back."""

from __future__ import annotations

import os
import threading
from time import monotonic

import structlog

from hub.core.errors import HubError
from hub.flow.sweep import prepare, ring_due, sweep
from hub.runtime import Hub

log = structlog.get_logger(__name__)
TICK_S = 1.0
SWEEP_S = 10.0


def run(hub: Hub, stop: threading.Event) -> None:
    """Until `stop` is set. What cannot be done now (a locked database) is tried again at the next tick."""
    prepare(hub)
    last = -SWEEP_S
    while not stop.is_set():
        try:
            if monotonic() - last >= SWEEP_S:
                sweep(hub)
                last = monotonic()
                hub.store.connections.beat(f"scheduler-{os.getpid()}", "scheduler", now=hub.now())
            else:
                ring_due(hub)
        except HubError as error:
            log.warning("the sweep could not be done now", error=str(error))
        stop.wait(TICK_S)
