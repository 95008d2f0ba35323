"""`hub up` at a pseudo-terminal, as the person who started it sees it."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic

import pytest

from tests.hub.cli.test_up import CONFIG
from tests.hubs import no_rules
from tests.servers import clean_environment, descendants_of, free_port, is_alive, wait_for

pytestmark = pytest.mark.servers
Start = Callable[..., "Terminal"]
CTRL_C = b"\x03"


class Terminal:
    """A window of some columns, and `hub up` in it."""

    def __init__(self, folder: Path, *, term: str = "xterm", columns: int = 100) -> None:
        (folder / "config.toml").write_text(CONFIG.format(port=free_port()))
        no_rules(folder)
        command = [sys.executable, "-m", "hub.cli", "-c", str(folder / "config.toml"), "up"]
        env = clean_environment() | {"TERM": term, "NO_COLOR": "1"}
        for size in ("COLUMNS", "LINES"):  # of the terminal that the tests run in
            env.pop(size, None)
        self.pid, self.window = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
            os.execve(command[0], command, env)
        self.seen = ""

    def read(self) -> str:
        """Everything that was shown until now, moves of the cursor included."""
        while select.select([self.window], [], [], 0.05)[0]:
            try:
                found = os.read(self.window, 65_536)
            except OSError:  # it has ended
                break
            if not found:
                break
            self.seen += found.decode()
        return self.seen

    def shows(self, words: str, *, seconds: float = 60) -> None:
        wait_for(lambda: words in self.read(), seconds=seconds)

    def press(self, key: bytes) -> None:
        os.write(self.window, key)

    def ends(self, *, seconds: float = 20) -> int:
        end = monotonic() + seconds
        while monotonic() < end:
            self.read()
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status)
        raise AssertionError(self.seen)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    made: list[Terminal] = []

    def begin(**how: object) -> Terminal:
        made.append(Terminal(tmp_path, **how))  # type: ignore[arg-type]  # as above
        return made[-1]

    yield begin
    for one in made:
        for pid in [one.pid, *descendants_of(one.pid)]:
            if is_alive(pid):
                os.kill(pid, signal.SIGKILL)


def test_a_start_is_one_status_then_one_line_and_ctrl_c_ends_it(start: Start) -> None:
    hub = start()
    hub.shows("hub: ready. The page: http://127.0.0.1:")
    assert "{" not in hub.seen
    assert "WARNING" not in hub.seen
    assert (
        len([line for line in hub.seen.split("\n") if line.strip()]) == 7
    )  # the first admin's link, where people go, ready
    hub.press(CTRL_C)
    assert hub.ends() == 0
    assert hub.read().rstrip().endswith("hub: stopped")


def test_a_part_that_is_killed_is_told_of_in_one_line(start: Start) -> None:
    hub = start()
    hub.shows("hub: ready")
    victim = next(pid for pid in descendants_of(hub.pid) if "deliver" in Path(f"/proc/{pid}/cmdline").read_text())
    os.kill(victim, signal.SIGKILL)
    hub.shows("hub: deliver ended (by SIGKILL) and is started again: what it held is taken up, nothing is lost.")


def test_an_end_that_takes_longer_says_what_it_waits_for_and_a_second_ctrl_c_ends_at_once(start: Start) -> None:
    hub = start(columns=200)
    hub.shows("hub: ready")
    parts = descendants_of(hub.pid)
    stuck = next(
        pid for pid in parts if "workers\0process" in re.sub(" ", "\0", Path(f"/proc/{pid}/cmdline").read_text())
    )
    os.kill(stuck, signal.SIGSTOP)
    hub.press(CTRL_C)
    hub.shows("stopping: waiting for process, ")
    hub.shows("Ctrl-C again ends at once; nothing is lost or sent twice by that.")
    hub.press(CTRL_C)
    assert hub.ends(seconds=5) == 1
    assert "hub: ended at once: what was under way is taken up at the next start" in hub.read()
    wait_for(lambda: not any(map(is_alive, parts)), seconds=3)


def test_a_terminal_that_is_closed_ends_everything_cleanly(start: Start) -> None:
    hub = start()
    hub.shows("hub: ready")
    parts = descendants_of(hub.pid)
    os.close(hub.window)
    _, status = os.waitpid(hub.pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert not any(map(is_alive, parts))


@pytest.mark.parametrize(("term", "columns"), [("dumb", 100), ("xterm", 30)])
def test_a_poor_terminal_and_a_narrow_one_are_spoken_to_too(start: Start, term: str, columns: int) -> None:
    hub = start(term=term, columns=columns)
    hub.shows("hub: ready")
    assert ("\x1b" in hub.seen) is (term != "dumb")
    moved = re.findall("\r\x1b\\[K([^\r\n]*)", hub.seen)
    assert [one for one in moved if not one.startswith("hub: ") and len(one) >= columns] == []
