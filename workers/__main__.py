"""`python -m workers ROLE -c FILE`: process, deliver, schedule or listen, as `hub up` and `hub worker` start them."""

from __future__ import annotations

import argparse
import contextlib
import gc
import signal
import sys
import threading
from pathlib import Path

from hub.core.errors import HubError
from hub.flow.begin import begin
from hub.flow.monitor.pulse import Pulse
from hub.queue.ear import Ear
from hub.runtime import Hub, open_hub, redis_url, set_up_logging, tie_to_parent
from workers import jobs, listen, schedule
from workers.consume import LISTEN_S, Consumer

YOUNG_OBJECTS = 50_000
PATIENCE_S = 60.0
ROLES = {"process": ("process", "poll"), "deliver": ("deliver",), "all": ("process", "deliver", "poll")}


def main(arguments: list[str] | None = None) -> int:
    """Run one role until SIGTERM or SIGINT; 0 is a clean end."""
    parser = argparse.ArgumentParser(prog="python -m workers", description=__doc__)
    parser.add_argument("role", choices=[*ROLES, "schedule", "listen"])
    parser.add_argument("-c", "--config", type=Path)
    parser.add_argument("--tied", action="store_true", help="end when standard input ends (the supervisor is gone)")
    given = parser.parse_args(arguments)
    set_up_logging()
    if given.tied:
        tie_to_parent()
    try:
        with contextlib.closing(open_hub(given.config, patience_s=PATIENCE_S if given.tied else 0.0)) as hub:
            return work(hub, given.role)
    except HubError as error:
        print(f"hub: {error}", file=sys.stderr)  # noqa: T201 - a person started this
        return error.exit_code


def work(hub: Hub, role: str) -> int:
    """Run a role on an open hub."""
    if role in ROLES:
        return consume(hub, role)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    if role == "schedule":
        schedule.run(hub, stop)
        return 0
    with contextlib.closing(beating(hub, role)):
        listen.run(hub, stop)
    return 0


def consume(hub: Hub, role: str) -> int:
    """Serve the role's lanes."""
    # A batch makes tens of thousands of objects that live until its end: by default the collector looks at them all the time.
    gc.set_threshold(YOUNG_OBJECTS, 20, 20)
    jobs.use(hub)
    if role != "deliver":
        # Compiled before the first job: errors show at the start.
        begin(hub)
    if role != "process":
        jobs.open_destinations()
    ear = Ear(redis_url(hub.settings), ROLES[role], longest_s=LISTEN_S)
    with contextlib.closing(ear), contextlib.closing(beating(hub, role)):
        Consumer(hub, ROLES[role], ear).run()
    return 0


def beating(hub: Hub, role: str) -> Pulse:
    """Start to give signs of life."""
    pulse = Pulse(hub, role)
    pulse.start()
    return pulse


if __name__ == "__main__":
    sys.exit(main())
