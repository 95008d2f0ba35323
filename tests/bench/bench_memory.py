"""Memory of all processes of `hub up` without flair, idle and in a burst: `python -m tests.bench.bench_memory [POSTS]`."""

from __future__ import annotations

import sys
import threading
import time

from hub.runtime import open_hub
from hub.testkit.sandbox import SandboxOptions, serve
from plugins.webhook.sandbox import build
from tests.bench.running import bodies, burst, first_accepted, home, hub_up, memory, say, until

REST_S = 5.0
URL = "/crm/signals/batch/upsert"


class Watch(threading.Thread):
    """Looks at the memory twice a second and keeps the highest."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.pid = pid
        self.done = threading.Event()
        self.peak: dict[str, float] = {}

    def run(self) -> None:
        """Until done."""
        while not self.done.wait(0.5):
            self.peak = {name: max(value, self.peak.get(name, 0)) for name, value in memory(self.pid).items()}


def main(count: int = 5000) -> None:
    """Print idle and peak."""
    with serve(build(SandboxOptions())) as crm, home(crm.url, change=(URL, "/records")) as config, hub_up(config) as up:
        first_accepted(config)
        time.sleep(REST_S)
        idle, watch = memory(up.pid), Watch(up.pid)
        watch.start()
        burst(config, bodies(count))
        hub = open_hub(config)
        until(lambda: not {"new", "leased"} & hub.store.inbox.counts().keys(), "all rows")
        until(
            lambda: hub.store.outbox.counts().get("crm", {}).keys() <= {"delivered", "superseded"},
            "all delivered",
        )
        hub.close()
        watch.done.set()
        watch.join()
    say("memory", posts=count, idle=idle, peak=watch.peak)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
