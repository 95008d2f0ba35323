"""Workers as processes: how they begin and end, and what is left when they are stopped within a job."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from time import sleep

import pytest
from redis import Redis

from hub.core.model import RawItem
from hub.queue.bell import RedisBell
from hub.queue.ear import EAR
from hub.queue.embedded import server_command, socket_path, socket_url
from hub.store import Store, open_store
from tests.hubs import NOON
from tests.servers import answers, is_alive, wait_for
from tests.workers.given import configure, started, wait_until_it_works

pytestmark = pytest.mark.kills

SLOW = """
import time
from datetime import timedelta
from pathlib import Path
from hub import Author, Compliance, Enricher, Signal, Source, Translated, hookimpl

class Slow(Source):
    name = "slow"
    network = "slow"
    compliance = Compliance(timedelta(hours=1))
    def translate(self, raw):
        text = raw.payload.decode()
        return Translated((Signal(f"slow:{text}", "slow", text, "post", text, None, raw.received_at, raw.received_at),))

class Sleeper(Enricher):
    name = "slow"
    labels = ("sentiment",)
    def enrich(self, signals):
        Path("began").touch()
        while not Path("go").exists():
            time.sleep(0.02)
        return [() for _ in signals]

@hookimpl
def register_sources():
    return (Slow,)

@hookimpl
def register_enrichers():
    return (Sleeper,)
"""


class Yard:
    """A folder with a configuration, its database, its Redis, and a plugin whose work waits until it may go on."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.redis = socket_url(folder)
        self.server: subprocess.Popen[bytes] | None = None
        more = '[sources.slow]\nplugin = "slow"\n[enrichers.slow]\nplugin = "slow"\n'
        self.config = configure(folder, url=f"sqlite:///{folder / 'hub.db'}", redis=self.redis, more=more)
        self.store: Store = open_store(f"sqlite:///{folder / 'hub.db'}")

    def start_redis(self) -> None:
        self.server = subprocess.Popen(server_command(self.folder), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        wait_for(lambda: answers(self.redis))

    def end_redis(self) -> None:
        if self.server is not None:
            self.server.kill()
            self.server.wait()

    def give_work(self) -> None:
        """A row comes in; waits until its job has begun."""
        self.store.inbox.add([RawItem("slow", "slow", b"one", NOON, "1")])
        RedisBell(self.redis).ring("process")
        wait_for((self.folder / "began").exists)

    def wait_for(self, worker: subprocess.Popen[str]) -> None:
        """Wait until a worker lives and, where it serves queues, is ready for its first job."""
        wait_until_it_works(self.store, worker)
        if any(role in worker.args for role in ("process", "deliver", "all")):  # type: ignore[operator]  # a list
            wait_for(self.is_idle)

    def is_idle(self) -> bool:
        """Whether a worker waits for strokes; it has taken its signals over by then."""
        with Redis.from_url(self.redis) as redis:
            return bool(redis.exists(EAR))

    def go_on(self) -> None:
        (self.folder / "go").touch()

    def said(self, role: str) -> str:
        return (self.folder / f"{role}.log").read_text()


@pytest.fixture
def yard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Yard]:
    info = tmp_path / "slowbox-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: slowbox\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[hub.plugins]\nslow = slowplugin\n")
    (tmp_path / "slowplugin.py").write_text(SLOW)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{Path.cwd()}")
    monkeypatch.chdir(tmp_path)
    made = Yard(tmp_path)
    made.start_redis()
    yield made
    made.end_redis()
    made.store.close()
    shutil.rmtree(socket_path(tmp_path).parent, ignore_errors=True)


@pytest.mark.parametrize("role", ["process", "deliver", "all", "schedule", "listen"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_idle_worker_ends_at_once_and_clean(yard: Yard, role: str, number: signal.Signals) -> None:
    with started(yard.config, role) as worker:
        yard.wait_for(worker)
        worker.send_signal(number)
        assert worker.wait(5) == 0
    assert "Traceback" not in yard.said(role)


def test_a_worker_that_is_stopped_within_a_job_finishes_it(yard: Yard) -> None:
    with started(yard.config, "process") as worker:
        yard.wait_for(worker)
        yard.give_work()
        worker.terminate()
        with pytest.raises(subprocess.TimeoutExpired):
            worker.wait(0.5)
        yard.go_on()
        assert worker.wait(10) == 0
    assert (yard.store.inbox.counts(), yard.store.signals.count()) == ({"done": 1}, 1)


def test_a_worker_that_is_killed_within_a_job_leaves_nothing_half_done(yard: Yard) -> None:
    with started(yard.config, "process") as worker:
        yard.wait_for(worker)
        yard.give_work()
        worker.kill()
        worker.wait()
    assert (yard.store.inbox.counts(), yard.store.signals.count()) == ({"leased": 1}, 0)
    assert yard.store.inbox.expire(now=NOON) == 1


def test_a_worker_that_loses_redis_within_a_job_finishes_it_and_works_on(yard: Yard) -> None:
    with started(yard.config, "process") as worker:
        yard.wait_for(worker)
        yard.give_work()
        yard.end_redis()
        yard.go_on()
        wait_for(lambda: yard.store.inbox.counts() == {"done": 1})
        yard.store.inbox.add([RawItem("slow", "slow", b"two", NOON, "2")])
        wait_for(lambda: yard.store.inbox.counts() == {"done": 2})
        assert worker.poll() is None
    assert yard.store.signals.count() == 2


def test_a_stop_while_redis_is_gone_does_not_break_the_job(yard: Yard) -> None:
    with started(yard.config, "process") as worker:
        yard.wait_for(worker)
        yard.give_work()
        yard.end_redis()
        worker.terminate()
        sleep(0.2)
        yard.go_on()
        worker.wait(30)
    assert (yard.store.inbox.counts(), yard.store.signals.count()) == ({"done": 1}, 1)


def test_a_worker_started_anew_takes_the_work_up(yard: Yard) -> None:
    yard.go_on()
    with started(yard.config, "process") as worker, started(yard.config, "schedule"):
        yard.wait_for(worker)
        yard.store.inbox.add([RawItem("slow", "slow", b"one", NOON, "1")])
        wait_for(lambda: yard.store.inbox.counts() == {"done": 1})


def test_an_idle_worker_is_not_deaf_for_long_after_redis_is_back(yard: Yard) -> None:
    yard.go_on()
    with started(yard.config, "process") as worker:
        yard.wait_for(worker)
        yard.end_redis()
        sleep(8)  # by itself RQ would now wait for another eight seconds
        yard.start_redis()
        yard.store.inbox.add([RawItem("slow", "slow", b"one", NOON, "1")])
        RedisBell(yard.redis).ring("process")
        wait_for(lambda: yard.store.inbox.counts() == {"done": 1}, seconds=4)


def test_a_worker_that_finds_no_redis_says_so_once_and_works_all_the_same(yard: Yard) -> None:
    yard.end_redis()
    yard.go_on()
    with started(yard.config, "process") as worker:
        wait_until_it_works(yard.store, worker)
        for number in range(3):
            yard.store.inbox.add([RawItem("slow", "slow", str(number).encode(), NOON, str(number))])
            wait_for(lambda count=number + 1: yard.store.inbox.counts() == {"done": count}, seconds=4)
        worker.terminate()
        assert worker.wait(5) == 0
    assert yard.said("process").count("Redis is away") == 1


@pytest.mark.parametrize("role", ["process", "schedule"])
def test_a_tied_worker_ends_with_whoever_holds_its_standard_input(yard: Yard, role: str) -> None:
    with started(yard.config, role, tied=True) as worker:
        yard.wait_for(worker)
        assert worker.stdin is not None
        worker.stdin.close()
        assert worker.wait(5) == 0
        assert not is_alive(worker.pid)


@pytest.mark.parametrize(
    ("role", "name", "text", "told"),
    [
        ("process", "config.toml", "[web]\nprot = 1\n", "did you mean 'port'?"),
        ("process", "rules.toml", '[[rule]]\nname = "r"\nwhen = ["signal.txt == 1"]\n', "did you mean signal.text?"),
        ("schedule", "rules.toml", '[[rule]]\nname = "r"\nwhen = ["signal.txt == 1"]\n', "did you mean signal.text?"),
    ],
)
def test_a_wrong_file_is_told_in_a_line_and_not_by_a_traceback(
    yard: Yard, role: str, name: str, text: str, told: str
) -> None:
    (yard.folder / name).write_text(text)
    with started(yard.config, role) as worker:
        assert worker.wait(30) == 2
    assert told in yard.said(role)
    assert "Traceback" not in yard.said(role)


def test_a_database_of_another_revision_is_refused(yard: Yard) -> None:
    (yard.folder / "config.toml").write_text(f'[database]\nurl = "sqlite:///{yard.folder / "other.db"}"\n')
    with started(yard.config, "deliver") as worker:
        assert worker.wait(30) == 4
    assert "hub db upgrade" in yard.said("deliver")


def test_the_rules_of_a_worker_are_kept_for_explanations(yard: Yard) -> None:
    with started(yard.config, "process") as worker:
        yard.wait_for(worker)
    from hub.core.route import compile_rules

    assert yard.store.connections.version(compile_rules([]).version) is not None
