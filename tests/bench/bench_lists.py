"""CPU seconds of commands that only look: `python -m tests.bench.bench_lists [ROUNDS]`, beside a bare Python.

The database holds what `tests.hub.cli.terminal.make_world` makes: the demo, run to its end.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from tests.bench.running import say
from tests.hub.cli.terminal import make_world

COMMANDS = {
    "python": ["-c", "pass"],
    "signals": ["-m", "hub.cli", "signals", "list"],
    "deliveries": ["-m", "hub.cli", "deliveries", "list"],
    "people": ["-m", "hub.cli", "people", "list"],
    "audit": ["-m", "hub.cli", "audit"],
    "alerts": ["-m", "hub.cli", "alerts", "list"],
    "help": ["-m", "hub.cli", "--help"],
}


def measure(arguments: list[str], folder: Path) -> float:
    """CPU seconds (user and system) of one run."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    run = [sys.executable, *arguments]
    with subprocess.Popen(run, cwd=folder, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
        _, _, used = os.wait4(child.pid, 0)
        child.returncode = 0
    return used.ru_utime + used.ru_stime


def main(rounds: int = 5) -> None:
    """Print medians."""
    with tempfile.TemporaryDirectory() as folder, make_world(Path(folder)) as world:
        for name, arguments in COMMANDS.items():
            measure(arguments, world.folder)  # compiles what is new
            found = [measure(arguments, world.folder) for _ in range(rounds)]
            say("list", command=name, rounds=rounds, cpu_s=round(median(found), 3))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
