"""Seconds from `hub up` to the first accepted post, and from kills to it: `python -m tests.bench.bench_start [ROUNDS]`.

From a prepared folder (the first start, which makes the database, is told apart). `killed` is kill -9 of every process and the
same command again; `web` is kill -9 of the web process alone, which the supervisor starts again.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from statistics import median

from tests.bench.running import first_accepted, home, hub_up, kill_all, say
from tests.chaos.stage import PARTS, command_of, descendants, is_part


def web_of(pid: int) -> int:
    """The web process below a supervisor."""
    return next(one for one in descendants(pid) if is_part(command_of(one), PARTS["web"]))


def start(config: Path) -> float:
    """A start, and a clean end."""
    with hub_up(config):
        return first_accepted(config)


def start_after_kill(config: Path) -> float:
    """A start after everything was killed."""
    with hub_up(config) as up:
        first_accepted(config)
        kill_all(up.pid)
        up.wait()
    return start(config)


def restart_of_web(config: Path) -> float:
    """The supervisor's restart of the web process."""
    with hub_up(config) as up:
        first_accepted(config)
        os.kill(web_of(up.pid), signal.SIGKILL)
        return first_accepted(config)


def main(rounds: int = 3) -> None:
    """Print medians."""
    with home() as config:
        new = start(config)
        kinds = {"start_s": start, "killed_s": start_after_kill, "web_s": restart_of_web}
        found = {name: round(median(one(config) for _ in range(rounds)), 2) for name, one in kinds.items()}
    say("start", rounds=rounds, first_s=round(new, 2), **found)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
