"""`python -m tests.chaos.errand CONFIG SECONDS JOB...`: the workers' own jobs once, by a clock that is ahead.

A job is sweep, process, poll:NAME or deliver:NAME.
"""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path

from hub.flow.sweep import prepare, sweep
from hub.queue.inprocess import InProcessBell
from hub.runtime import open_hub, system_clock
from workers import jobs


def main(config: str, ahead: str, *wanted: str) -> None:
    """Run the jobs in their order."""
    hub = open_hub(Path(config), bell=InProcessBell())
    hub.clock = lambda: system_clock() + timedelta(seconds=float(ahead))
    jobs.use(hub)
    prepare(hub)
    for job in wanted:
        name, _, connection = job.partition(":")
        if name == "sweep":
            sweep(hub)
        else:
            getattr(jobs, name)(*filter(None, [connection]))
    hub.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
