"""The scheduler: a plain loop. Every second lost leases are taken back, and what is due is rung for."""

from __future__ import annotations

import threading
from time import monotonic

import structlog

from hub.core.errors import HubError
from hub.flow.monitor.progress import Progress
from hub.flow.monitor.pulse import BEAT_S, Pulse
from hub.flow.monitor.schedule import start
from hub.flow.sweep import prepare, sweep
from hub.runtime import Hub

log = structlog.get_logger(__name__)
TICK_S = 1.0
CALM_S = 5.0  # for a round of the watch that is under way


def run(hub: Hub, stop: threading.Event) -> None:
    """Run until `stop` is set. What cannot be done now (a locked database) is tried again at the next tick."""
    prepare(hub)
    watch, progress = start(hub, stop), Progress(hub)
    pulse, last = Pulse(hub, "scheduler"), -BEAT_S
    while not stop.is_set():
        try:
            is_new = hub.take_up()
            sweep(hub)
            progress.tell()
            if is_new or monotonic() - last >= BEAT_S:
                last = monotonic()
                pulse.beat()
        except HubError as error:
            log.warning("the sweep could not be done now", error=str(error))
        stop.wait(TICK_S)
    pulse.close()
    watch.join(CALM_S)
