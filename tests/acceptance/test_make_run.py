"""The demo as `make run` starts it: processes, Redis, flair and three look-alikes, in a folder of its own."""

from __future__ import annotations

import json
import os
import re
import signal
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

import pytest

from hub.store import Store, open_store

DEADLINE_S = 150.0
END_S = 20.0
VENDORS = ("salesforce", "hubspot", "zendesk")
SETTLED = {"delivered", "superseded"}
READ = {"done", "duplicate", "ignored"}
ITEMS = 307
LIKES_AND_FOLLOWS = 8


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
            return {"raw": dict(store.inbox.counts()), "sent": dict(sent)}
        except Exception:  # noqa: BLE001 - its tables are being made
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

    def answers(self) -> bool:
        """Whether the page's process and all look-alikes answer."""
        urls = [f"http://127.0.0.1:{self.first + index}/_sandbox/counts" for index in range(3)]
        try:
            return all(urllib.request.urlopen(url, timeout=2).status == 200 for url in [*urls, self.page])
        except OSError:
            return False

    @property
    def page(self) -> str:
        return f"http://127.0.0.1:{self.first + 3}/healthz"

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
        self.seen |= {process.pid, *descendants(process.pid)}
        return self.seen

    def left(self) -> list[str]:
        """What of the remembered processes still lives."""
        return [f"{pid} {command_of(pid)}" for pid in sorted(self.seen) if lives(pid)]

    def story(self) -> str:
        return f"{self.counts()} {(self.folder / 'log').read_text('utf-8', 'replace')[-3000:]}"


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


def state_of(pid: int) -> tuple[str, int]:
    """A process's state letter and its parent; ("", 0) where there is none."""
    try:
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return "", 0
    return words[0], int(words[1])


def lives(pid: int) -> bool:
    return state_of(pid)[0] not in ("", "Z", "X")


def command_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")[:120]
    except OSError:
        return ""


def descendants(pid: int) -> set[int]:
    """All that a process started, and what that started."""
    parents = {int(one.name): state_of(int(one.name))[1] for one in Path("/proc").iterdir() if one.name.isdigit()}
    found = {pid}
    while more := {one for one, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {pid}


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
    demo = Demo(folder, free_ports(4))
    demo.run("init", "--demo")
    text = demo.config.read_text("utf-8").replace("port = 8600", f"port = {demo.first + 3}")
    for index, port in enumerate((8701, 8702, 8703)):
        text = text.replace(str(port), str(demo.first + index))
    if not flair:
        text = re.sub(r'plugin = "flair".*\noptions = .*', 'plugin = "lexicon"', text)
    demo.config.write_text(text, "utf-8")
    return demo


@dataclass
class Ran:
    """A first start, to its end by Ctrl-C, and a second one."""

    demo: Demo
    counts: dict[str, Any]
    again: dict[str, Any]
    written: tuple[Any, Any]
    codes: list[int] = field(default_factory=list)
    left: list[list[str]] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    demo = make_demo(tmp_path_factory.mktemp("run"), flair=True)
    made = Ran(demo, {}, {}, (None, None))
    with demo.up() as process:
        made.seconds["first start"] = wait(demo.is_settled, demo.story)
        made.counts, first = demo.counts(), demo.written()
        finish(made, process)
    before = demo.polled()
    with demo.up() as process:
        made.seconds["second start"] = wait(demo.answers, demo.story, 30)
        wait(lambda: all(due != before[name] for name, due in demo.polled().items()), demo.story)
        wait(demo.is_settled, demo.story)
        made.again, made.written = demo.counts(), (first, demo.written())
        finish(made, process)
    return made


def finish(made: Ran, process: subprocess.Popen[bytes]) -> None:
    """Ctrl-C, and who is left then."""
    made.demo.look(process)
    os.kill(process.pid, signal.SIGINT)
    made.codes.append(process.wait(END_S))
    made.left.append(made.demo.left())


def test_every_post_is_read_and_every_record_lands(ran: Ran) -> None:
    assert sum(ran.counts["raw"].values()) == ITEMS
    assert ran.counts["raw"]["ignored"] == LIKES_AND_FOLLOWS
    assert set(ran.counts["raw"]) <= READ
    assert set(ran.counts["sent"]) == {"delivered"}


def test_every_destination_gets_what_the_rules_ask_for(ran: Ran) -> None:
    found = json.loads(ran.demo.run("deliveries", "list", "--limit", "0", "--json"))
    made = {(one["destination"], one["object"]) for one in found}
    assert made >= {
        ("salesforce", "Lead"),
        ("salesforce", "Social_Signal__c"),
        ("hubspot", "contacts"),
        ("zendesk", "ticket"),
    }
    rules = {one["rule"] for one in found}
    assert rules >= {
        "brand mention",
        "complaint",
        "outage",
        "purchase intent",
        "praise from a big account",
        "question put to us",
    }


def test_signals_are_labelled_in_every_language_of_the_sample(ran: Ran) -> None:
    found = json.loads(ran.demo.run("signals", "list", "--limit", "0", "--json"))
    judged = {one["lang"] for one in found if any(label["name"] == "sentiment" for label in one["labels"])}
    assert judged >= {"en", "de", "fr", "es", "it", "pt", "nl", "ar"}


def test_a_conversation_is_one_ticket_with_comments(ran: Ran) -> None:
    found = json.loads(ran.demo.run("deliveries", "list", "--limit", "0", "--json", "--object", "ticket"))
    homes = {
        one["key"]: one.get("conversation_key", one["key"])
        for one in json.loads(ran.demo.run("signals", "list", "--limit", "0", "--json"))
    }
    tickets = Counter(homes[one["signal"]] for one in found if one["operation"] == "create")
    comments = Counter(homes[one["signal"]] for one in found if one["operation"] == "comment")
    assert set(tickets.values()) == {1}
    assert comments
    assert set(comments) <= set(tickets)


def test_a_second_start_delivers_nothing_anew(ran: Ran) -> None:
    assert ran.again == ran.counts
    assert ran.written[0] == ran.written[1]
    assert sum(ran.written[0]["zendesk"].values()) > 0


def test_ctrl_c_ends_all_children(ran: Ran) -> None:
    assert ran.codes == [0, 0]
    assert ran.left == [[], []]
    assert len(ran.demo.seen) > 10


def test_the_log_of_a_good_run_holds_no_error(ran: Ran) -> None:
    log = (ran.demo.folder / "log").read_text("utf-8", "replace")
    assert not re.findall(r"Traceback|Fatal Python error|\berror\b.*exception", log), log[-3000:]


def test_kill_9_of_the_supervisor_ends_the_children_and_loses_and_repeats_nothing(tmp_path: Path) -> None:
    demo = make_demo(tmp_path, flair=False)
    with demo.up() as process:
        wait(lambda: "delivered" in demo.counts()["sent"], demo.story)
        demo.look(process)
        process.kill()
        process.wait()
        wait(lambda: not demo.left(), lambda: str(demo.left()), END_S)
    with demo.up():
        wait(lambda: demo.is_settled() or demo.hurry(), demo.story)
        made = demo.written()["zendesk"]
        wanted = json.loads(demo.run("deliveries", "list", "--limit", "0", "--json", "--object", "ticket"))
    asked = Counter(one["operation"] for one in wanted)
    assert (made["ticket", "ticket"], made["comment", "comment"]) == (asked["create"], asked["comment"])
