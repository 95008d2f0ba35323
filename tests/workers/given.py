"""Workers as processes of their own, on the file source and a destination that fails to be reached."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hub.store import Store, open_store
from tests.hubs import no_rules
from tests.servers import clean_environment, wait_for

CONFIG = '[database]\nurl = "{url}"\n[redis]\nurl = "{redis}"\n'


def configure(folder: Path, *, url: str, redis: str, more: str = "") -> Path:
    """A configuration file, its database migrated."""
    file = folder / "config.toml"
    file.write_text(CONFIG.format(url=url, redis=redis) + more)
    no_rules(folder)
    store = open_store(url)
    store.database.migrate()
    store.close()
    return file


@contextmanager
def started(config: Path, role: str, *, tied: bool = False) -> Iterator[subprocess.Popen[str]]:
    """A worker process of a role; its words are in the file `ROLE.log` beside the configuration."""
    command = [sys.executable, "-m", "workers", role, "-c", str(config), *(["--tied"] if tied else [])]
    with (config.parent / f"{role}.log").open("a") as log:
        worker = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=log, env=clean_environment(), text=True)
    try:
        yield worker
    finally:
        worker.kill()
        worker.wait(10)
        assert worker.stdin is not None
        worker.stdin.close()


def beating(store: Store, worker: subprocess.Popen[str]) -> bool:
    """Whether a worker has told that it lives."""
    from datetime import UTC, datetime

    beats = store.connections.beats(since=datetime(2020, 1, 1, tzinfo=UTC))
    return any(beat["name"].endswith(f"-{worker.pid}") for beat in beats)


def wait_until_it_works(store: Store, worker: subprocess.Popen[str]) -> None:
    """Wait until a worker lives; fails where it ended instead."""
    wait_for(lambda: worker.poll() is not None or beating(store, worker), seconds=60)
    assert worker.poll() is None
