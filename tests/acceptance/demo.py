"""The demo as `make run` starts it, in a folder and on ports of its own: for tests that look at it from outside."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.exc import SQLAlchemyError

from hub.core.errors import HubError
from hub.store import Store, open_store
from hub.store.schema import EPOCH, cursors, inbox
from tests.servers import descendants_of, is_alive

DEADLINE_S = 150.0
END_S = 20.0
VENDORS = ("salesforce", "hubspot", "zendesk", "mastodon")
PORTS = (8701, 8702, 8703, 8704)
SETTLED = {"delivered", "superseded"}
READ = {"done", "duplicate", "ignored"}
ITEMS = 307


@dataclass
class Demo:
    """A folder with the demo, on ports of its own."""

    folder: Path
    first: int
    seen: set[int] = field(default_factory=set)

    @property
    def config(self) -> Path:
        return self.folder / "config.toml"

    @property
    def store(self) -> Store:
        return open_store(f"sqlite:///{self.folder / 'data' / 'hubbub.db'}")

    @contextmanager
    def up(self) -> Iterator[subprocess.Popen[bytes]]:
        """`hub up` in the folder; whatever happens, it is ended."""
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen([hub(), "up"], cwd=self.folder, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    def run(self, *words: str) -> str:
        done = subprocess.run([hub(), *words], cwd=self.folder, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def counts(self) -> dict[str, Any]:
        """What came in and what went out, by state; nothing where there is no database yet."""
        if not (self.folder / "data" / "hubbub.db").exists():
            return {"raw": {}, "sent": {}}
        store = self.store
        try:
            sent = Counter[str]()
            for states in store.outbox.counts().values():
                sent.update(states)
            return {"raw": heard(store), "sent": dict(sent)}
        except (HubError, SQLAlchemyError):  # its tables are being made
            return {"raw": {}, "sent": {}}
        finally:
            store.close()

    def is_settled(self) -> bool:
        """Whether all files were read, every item was decided, and every record landed."""
        now = self.counts()
        whole = sum(now["raw"].values()) == ITEMS and set(now["raw"]) <= READ
        return whole and bool(now["sent"]) and set(now["sent"]) <= SETTLED

    def hurry(self) -> bool:
        """What failed because the look-alikes died too waits for minutes: a person may make it due at once."""
        self.run("deliveries", "retry", "--state", "retry")
        time.sleep(1)
        return False

    def polled(self) -> dict[str, Any]:
        """When each source is due again: a poll moves it."""
        store = self.store
        found = {row["source"]: row["due_at"] for row in store.cursors.list()}
        store.close()
        return found

    def let_time_pass(self) -> None:
        """Make each source due, as it is once the pause between two polls is over."""
        store = self.store
        with store.database.write() as conn:
            conn.execute(update(cursors).values(due_at=EPOCH))
        store.close()

    def answers(self) -> bool:
        """Whether the page's process and all look-alikes answer."""
        urls = [f"http://127.0.0.1:{self.first + index}/_sandbox/counts" for index in range(len(PORTS))]
        try:
            return all(urllib.request.urlopen(url, timeout=2).status == 200 for url in [*urls, self.page])
        except OSError:
            return False

    @property
    def page(self) -> str:
        return f"{self.hub}/healthz"

    @property
    def hub(self) -> str:
        """Where the hub is."""
        return f"http://127.0.0.1:{self.first + len(PORTS)}"

    def at(self, vendor: str) -> str:
        """Where a look-alike is."""
        return f"http://127.0.0.1:{self.first + VENDORS.index(vendor)}"

    def written(self) -> dict[str, Counter[tuple[str, str]]]:
        """How often each look-alike was written to, by kind of write and object, since it began."""
        found = {}
        for index, vendor in enumerate(VENDORS):
            with urllib.request.urlopen(
                f"http://127.0.0.1:{self.first + index}/_sandbox/journal", timeout=10
            ) as answer:
                entries = json.load(answer)
            found[vendor] = Counter((one["kind"], one["object"]) for one in entries["entries"])
        return found

    def look(self, process: subprocess.Popen[bytes]) -> set[int]:
        """The supervisor and all that it started, remembered for the end."""
        self.seen |= {process.pid, *descendants_of(process.pid)}
        return self.seen

    def left(self) -> list[str]:
        """What of the remembered processes still lives."""
        return [f"{pid} {command_of(pid)}" for pid in sorted(self.seen) if is_alive(pid)]

    def story(self) -> str:
        return f"{self.counts()} {(self.folder / 'log').read_text('utf-8', 'replace')[-3000:]}"


def heard(store: Store) -> dict[str, int]:
    """What came from sources, by state; what the look-alikes tell of their own is left out."""
    query = select(inbox.c.state, func.count()).where(inbox.c.form.not_in(("event", "change"))).group_by(inbox.c.state)
    with store.database.read() as conn:
        return {row[0]: row[1] for row in conn.execute(query)}


def hub() -> str:
    """The program beside this interpreter."""
    return str(Path(sys.executable).parent / "hub")


def wait(until: Callable[[], bool], why: Callable[[], str], seconds: float = DEADLINE_S) -> float:
    """Wait for something, to a deadline; how long it took."""
    start = time.monotonic()
    while not until():
        assert time.monotonic() - start < seconds, why()
        time.sleep(0.1)
    return time.monotonic() - start


def command_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")[:120]
    except OSError:
        return ""


def free_ports(count: int) -> int:
    """The first of so many ports in a row that are free now."""
    for first in range(20000 + os.getpid() % 5000, 60000, count):
        sockets = [socket.socket() for _ in range(count)]
        try:
            for index, one in enumerate(sockets):
                one.bind(("127.0.0.1", first + index))
        except OSError:
            continue
        finally:
            for one in sockets:
                one.close()
        return first
    raise AssertionError("no ports are free")


def make_demo(folder: Path, *, flair: bool) -> Demo:
    demo = Demo(folder, free_ports(len(PORTS) + 1))
    demo.run("init", "--demo")
    text = demo.config.read_text("utf-8")
    for index, port in enumerate((*PORTS, 8600)):
        text = text.replace(str(port), str(demo.first + index))
    if not flair:
        text = re.sub(r'plugin = "flair".*\noptions = .*', 'plugin = "lexicon"', text)
    demo.config.write_text(text, "utf-8")
    return demo
