"""`hub up` as a person runs it: real processes that are killed, refused and stopped."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from sqlite3 import connect

import pytest

from hub.cli.running.supervisor import PATIENCE, Child, Spawned, told
from hub.cli.running.up import check_ports, greeting, plan
from hub.config.settings import Settings, load_settings
from hub.core.errors import ConfigError
from hub.queue.embedded import socket_path
from tests.hubs import no_rules
from tests.servers import answers as redis_answers
from tests.servers import clean_environment, descendants_of, free_port, is_alive, wait_for

CONFIG = "[web]\nport = {port}\n"
WRONG_RULES = '[[rule]]\nname = "r"\nwhen = ["signal.txt == 1"]\n'


class Up:
    """A folder with a configuration, and `hub up` in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "config.toml"
        self.port = free_port()
        self.config.write_text(CONFIG.format(port=self.port))
        no_rules(folder)
        self.log = folder / "log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "hub.cli", "-c", str(self.config), "up"]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=clean_environment(), process_group=0
            )
        return self.process

    def serve(self) -> subprocess.Popen[bytes]:
        """Start, and wait until web, both workers, the scheduler and Redis are there."""
        process = self.start()
        wait_for(lambda: process.poll() is not None or (self.answers() and len(self.beating()) == 3), seconds=60)
        assert process.poll() is None, self.log.read_text()
        return process

    def ask(self, path: str) -> str:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=2)
        try:
            connection.request("GET", path)
            return connection.getresponse().read().decode()
        except (OSError, HTTPException):
            return ""
        finally:
            connection.close()

    def answers(self) -> bool:
        return "ok" in self.ask("/healthz")

    def beating(self) -> list[str]:
        """The roles that have told that they live."""
        said = self.ask("/readyz")
        return [role for role in ("process", "deliver", "scheduler") if f'"{role}-' in said]

    def part(self, words: str) -> int:
        """The process of a part, by its command line."""
        assert self.process is not None
        return next(pid for pid in descendants_of(self.process.pid) if words in command_of(pid))

    def said(self) -> str:
        return self.log.read_text("utf-8", "replace")


def command_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except (FileNotFoundError, ProcessLookupError):
        return ""


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    made = Up(tmp_path)
    yield made
    if made.process is not None:
        left = descendants_of(made.process.pid)
        made.process.kill()
        made.process.wait(10)
        for pid in filter(is_alive, left):
            os.kill(pid, signal.SIGKILL)
    shutil.rmtree(socket_path(tmp_path / "data").parent, ignore_errors=True)


@pytest.mark.servers
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_stop_ends_all_parts_within_seconds_and_is_clean(up: Up, number: signal.Signals) -> None:
    process = up.serve()
    parts = descendants_of(process.pid)
    process.send_signal(number)
    assert process.wait(10) == 0, up.said()
    assert not any(map(is_alive, parts))
    assert "Traceback" not in up.said()
    assert "Fatal" not in up.said()


@pytest.mark.servers
def test_kill_9_of_the_supervisor_leaves_no_process(up: Up) -> None:
    process = up.serve()
    parts = descendants_of(process.pid)
    assert len(parts) >= 6  # web, process, deliver, scheduler, the guard, Redis
    process.kill()
    process.wait()
    assert wait_for(lambda: not any(map(is_alive, parts))) < 5


@pytest.mark.servers
@pytest.mark.parametrize("words", ["hub.web", "workers process", "workers schedule", "--unixsocket"])
def test_a_part_that_is_killed_starts_again(up: Up, words: str) -> None:
    up.serve()
    first = up.part(words)
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: not is_alive(first))
    wait_for(
        lambda: any(words in command_of(pid) for pid in descendants_of(up.process.pid)) and up.part(words) != first
    )  # type: ignore[union-attr]  # it runs
    wait_for(lambda: up.answers() and redis_answers(f"unix://{socket_path(up.folder / 'data')}"))


@pytest.mark.servers
def test_a_killed_guard_leaves_no_second_redis(up: Up) -> None:
    up.serve()
    guard = up.part("-I -S -c")
    (redis,) = descendants_of(guard)
    os.kill(guard, signal.SIGKILL)
    wait_for(lambda: not is_alive(redis))
    wait_for(lambda: redis_answers(f"unix://{socket_path(up.folder / 'data')}"))


@pytest.mark.servers
def test_a_second_signal_kills_at_once_and_leaves_nothing(up: Up) -> None:
    process = up.serve()
    parts = descendants_of(process.pid)
    os.kill(up.part("workers process"), signal.SIGSTOP)
    process.send_signal(signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(1)
    process.send_signal(signal.SIGINT)
    assert process.wait(5) == 1
    wait_for(lambda: not any(map(is_alive, parts)), seconds=3)


@pytest.mark.servers
def test_a_second_hub_on_the_folder_ends_with_3_and_harms_nothing(up: Up) -> None:
    up.serve()
    second = Up(up.folder)
    second.log = up.folder / "second"
    assert second.start().wait(30) == 3
    assert "another hub runs on" in second.said()
    second.process = None
    up.config.write_text(CONFIG.format(port=up.port))
    assert up.answers()


@pytest.mark.servers
def test_a_port_in_use_is_told_before_anything_starts(up: Up) -> None:
    with socket.create_server(("127.0.0.1", up.port)):
        assert up.start().wait(30) == 2
    assert f"web.port: 127.0.0.1:{up.port} cannot be had: Address already in use" in up.said()
    assert "the page" not in up.said()


@pytest.mark.servers
def test_a_configuration_that_cannot_be_read_ends_with_2(up: Up) -> None:
    up.config.write_text("[web]\nprot = 1\n")
    assert up.start().wait(30) == 2
    assert "did you mean 'port'?" in up.said()


@pytest.mark.servers
def test_a_part_that_starts_again_beside_wrong_rules_runs_what_is_active(up: Up) -> None:
    process = up.serve()
    (up.folder / "rules.toml").write_text('[[rule]]\nname = "r"\nwhen = ["signal.txt == 1"]\n')
    os.kill(up.part("workers process"), signal.SIGKILL)
    wait_for(lambda: "what is active runs" in up.said(), seconds=60)
    assert "did you mean signal.text?" in up.said()
    wait_for(lambda: up.part("workers process") is not None, seconds=60)
    process.terminate()
    assert process.wait(20) == 0


@pytest.mark.servers
def test_a_part_that_cannot_run_is_told_of_once_and_the_rest_runs_on(up: Up) -> None:
    process = up.serve()
    os.kill(up.part("hub.web"), signal.SIGKILL)
    with taken(up.port):
        wait_for(lambda: "web cannot run" in up.said(), seconds=60)
        assert up.said().count("web cannot run") == 1
        process.terminate()
        assert process.wait(20) == 0


@contextmanager
def taken(port: int) -> Iterator[None]:
    """Another program has the port, as soon as it is free."""
    sockets: list[socket.socket] = []

    def bind() -> bool:
        with suppress(OSError):
            sockets.append(socket.create_server(("127.0.0.1", port)))
        return bool(sockets)

    wait_for(bind)
    yield
    sockets[0].close()


@pytest.mark.servers
def test_a_first_start_with_errors_in_the_rules_ends_with_2_and_names_them(up: Up) -> None:
    (up.folder / "rules.toml").write_text(WRONG_RULES)
    assert up.start().wait(60) == 2
    (told,) = map(json.loads, up.said().splitlines())
    assert (told["part"], "did you mean signal.text?" in told["event"]) == ("hub", True)


@pytest.mark.servers
def test_a_later_start_with_errors_in_the_rules_runs_what_was_active_and_says_so(up: Up) -> None:
    process = up.serve()
    process.terminate()
    process.wait(20)
    (up.folder / "rules.toml").write_text(WRONG_RULES)
    up.serve()
    told = [one["event"] for one in map(json.loads, up.said().splitlines()) if one["level"] == "warning"]
    assert "NOT ACTIVATED, since the files have errors:" in told
    assert "did you mean signal.text?" in up.said()


@pytest.mark.servers
def test_reload_is_followed_by_all_running_parts(up: Up) -> None:
    up.serve()
    (up.folder / "rules.toml").write_text('[[rule]]\nname = "all"\n')
    said = subprocess.run(
        [sys.executable, "-m", "hub.cli", "-c", str(up.config), "reload"],
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (said.returncode, "activation 2: rules" in said.stdout) == (0, True), said
    assert [role for role in ("process-", "scheduler-") if f"{role}" not in said.stdout] == []


@pytest.mark.servers
def test_to_a_file_every_line_of_every_part_is_one_json_object(up: Up) -> None:
    process = up.serve()
    process.terminate()
    assert process.wait(20) == 0
    entries = [json.loads(line) for line in up.said().splitlines()]
    assert {"hub", "redis"} <= {one["part"] for one in entries}
    assert all(one["event"] and one["level"] and one["timestamp"] for one in entries)
    assert entries[-1]["event"] == "stopped"


@pytest.mark.servers
def test_a_full_disk_is_told_before_anything_starts(up: Up) -> None:
    def little() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))

    command = [sys.executable, "-m", "hub.cli", "-c", str(up.config), "up"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, preexec_fn=little, timeout=30)
    assert done.returncode == 4
    assert "the disk of" in done.stderr
    assert "make room there" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.servers
def test_a_data_folder_that_cannot_be_written_is_told_in_a_line(up: Up) -> None:
    (up.folder / "data").touch()
    assert up.start().wait(30) == 2
    assert "hub.data: " in up.said()
    assert "name a folder that this user may write" in up.said()
    assert up.said().count("\n") == 1


@pytest.mark.servers
def test_a_database_that_is_upgraded_under_it_ends_it_with_4_instead_of_endless_starts(up: Up) -> None:
    process = up.serve()
    with closing(connect(up.folder / "data" / "hubbub.db")) as database, database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    for words in ("hub.web", "workers process"):
        os.kill(up.part(words), signal.SIGKILL)
    assert process.wait(60) == 4
    assert "giving up: the database is at revision 9999" in up.said()


# ------------------------------------------------------------------------------------------------------- without processes


def settings(tmp_path: Path, text: str) -> Settings:
    (tmp_path / "config.toml").write_text(text)
    return load_settings(tmp_path / "config.toml")


def test_five_lines_say_where_people_go(tmp_path: Path) -> None:
    text = '[sandbox]\nport = 9000\nplugins = ["hubspot", "zendesk", "mastodon", "absent"]\n'
    lines = greeting(settings(tmp_path, text))
    assert len(lines) == 5
    said = ("hubspot http://127.0.0.1:9000,", "the agent's desk http://127.0.0.1:9001/agent/tickets,")
    said += ("the town http://127.0.0.1:9002/town,", "absent http://127.0.0.1:9003")
    assert [word for word in said if word not in lines[2]] == []


def test_each_port_that_cannot_be_had_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
        web, first = one.getsockname()[1], two.getsockname()[1]
        text = f'[web]\nport = {web}\n[sandbox]\nport = {first}\nplugins = ["zendesk"]\n'
        with pytest.raises(ConfigError) as caught:
            check_ports(settings(tmp_path, text))
    assert [problem.path for problem in caught.value.problems] == ["web.port", "sandbox.port (zendesk)"]


def test_a_host_that_is_not_this_machines_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"web\.port: 192\.0\.2\.1:\d+ cannot be had"):
        check_ports(settings(tmp_path, f'[web]\nhost = "192.0.2.1"\nport = {free_port()}\n'))


def test_free_ports_are_let_be(tmp_path: Path) -> None:
    check_ports(settings(tmp_path, CONFIG.format(port=free_port())))


def test_the_web_ends_first_then_workers_then_redis_then_sandboxes(tmp_path: Path) -> None:
    ranks = {child.name: child.rank for child in plan(settings(tmp_path, '[sandbox]\nplugins = ["zendesk"]\n'))}
    assert ranks["web"] < ranks["process"] == ranks["deliver"] == ranks["scheduler"] < ranks["redis"] < ranks["sandbox"]


def test_numbers_of_workers_are_obeyed(tmp_path: Path) -> None:
    wanted = '[workers]\nprocess = 2\ndeliver = 0\n[redis]\nurl = "redis://127.0.0.1/0"\n'
    names = [child.name for child in plan(settings(tmp_path, wanted))]
    assert names == ["web", "process-1", "process-2", "scheduler"]


class Ended:
    """A process that has ended."""

    pid = 2**22 + 1  # over Linux's largest

    def poll(self) -> int:
        return 7

    def send_signal(self, number: int) -> None:
        """Nobody hears it."""


def ended(child: Child, *, after: float) -> Child:
    child.process, child.started = Ended(), 100.0
    assert child.look(100.0 + after) == 7
    return child


@pytest.fixture
def child() -> Child:
    return Child("web", Spawned(["true"]), rank=0)


def test_the_pause_between_starts_doubles_to_its_limit(child: Child) -> None:
    pauses = [ended(child, after=0.1).pause for _ in range(8)]
    assert pauses == [0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0]


def test_a_child_that_ran_a_while_starts_again_at_once(child: Child) -> None:
    for _ in range(5):
        ended(child, after=0.1)
    assert (ended(child, after=60).pause, child.failures) == (0.1, 0)


def test_a_child_that_ends_too_often_is_told_of_in_other_words(child: Child) -> None:
    lines = [told(ended(child, after=0.1), 7) for _ in range(PATIENCE)]
    again = "web ended (exit code 7) and is started again: what it held is taken up, nothing is lost."
    assert lines[:-1] == [again] * (PATIENCE - 1)
    assert lines[-1].startswith("web cannot run: it ended 5 times just after its start, exit code 7.")
