"""One who may write to Redis rings the bell, and nothing else: jobs, callbacks, commands and keys of a stranger."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from rq import Callback, Queue, Repeat, Retry
from rq.command import send_kill_horse_command, send_shutdown_command
from rq.job import Job
from rq.registry import StartedJobRegistry
from rq.serializers import JSONSerializer

from hub.core.model import RawItem
from hub.queue.bell import STEPS, RedisBell
from hub.queue.ear import read_stroke
from hub.store import Store, open_store
from tests.hubs import NOON
from tests.servers import running_redis, wait_for
from tests.workers.given import configure, started, wait_until_it_works


class Evil:
    """Runs a command where it is unpickled."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return os.system, (self.command,)


def job(name: object = "workers.jobs.process", *arguments: object, instance: object = None, **named: object) -> bytes:
    return json.dumps([name, instance, list(arguments), named]).encode()


def test_a_stroke_is_the_name_of_a_lane() -> None:
    stroke = read_stroke("deliver", zlib.compress(job("workers.jobs.deliver", "crm")))
    assert stroke is not None
    assert (stroke.step, stroke.connection) == ("deliver", "crm")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x80\x04N.",
        zlib.compress(b"not JSON"),
        zlib.compress(pickle.dumps(("workers.jobs.process", None, ("",), {}))),
        zlib.compress(job("os.system", "true")),
        zlib.compress(job("workers.jobs.deliver", "")),
        zlib.compress(job("workers.jobs.use", "")),
        zlib.compress(job("workers.jobs.process")),
        zlib.compress(job("workers.jobs.process", "", "")),
        zlib.compress(job("workers.jobs.process", ["x"])),
        zlib.compress(job("workers.jobs.process", "", slice_s=1e9)),
        zlib.compress(job("process", "", instance="hub")),
        zlib.compress(job(["workers.jobs.process"], "")),
        zlib.compress(job("workers.jobs.process", "x" * 10_000_000)),
        zlib.compress(b"[" * 1_000_000),
    ],
    ids=range(15),
)
def test_what_is_none_is_refused(data: bytes) -> None:
    assert read_stroke("process", data) is None


class Yard:
    """A worker of all steps at work, its Redis, its database, and a file that a stranger's code would make."""

    def __init__(self, folder: Path, url: str, store: Store, worker: subprocess.Popen[str]) -> None:
        self.sign = folder / "sign"
        self.redis = Redis.from_url(url)
        self.url = url
        self.store = store
        self.worker = worker

    def queue(self, step: str = "process") -> Queue:
        return Queue(step, connection=self.redis, serializer=JSONSerializer)

    def put(self, step: str, fields: dict[str, Any], id_: str = "stranger") -> None:
        """Lay a job by hand."""
        self.redis.hset(f"rq:job:{id_}", mapping={"status": "queued", "origin": step, **fields})
        self.redis.rpush(f"rq:queue:{step}", id_)

    def still_works(self) -> bool:
        """Whether a row that comes in now is worked on, by the same process."""
        self.store.inbox.add([RawItem("lines", "absent", os.urandom(8), NOON, os.urandom(8).hex())])
        RedisBell(self.url).ring("process")
        wait_for(lambda: not self.store.inbox.due(now=NOON))
        return self.worker.poll() is None


@pytest.fixture(scope="module")
def yard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Yard]:
    folder = tmp_path_factory.mktemp("yard")
    url = f"sqlite:///{folder / 'hub.db'}"
    with running_redis(folder) as redis:
        config = configure(folder, url=url, redis=redis)
        store = open_store(url)
        with started(config, "all") as worker:
            wait_until_it_works(store, worker)
            yield Yard(folder, redis, store, worker)
        store.close()


def named_functions(yard: Yard) -> None:
    for step in STEPS:
        yard.queue(step).enqueue("os.system", f"touch {yard.sign}")
        yard.queue(step).enqueue("subprocess.check_output", ["touch", str(yard.sign)])


def callbacks(yard: Yard) -> None:
    touch = Callback("os.system", timeout=5)
    yard.queue().enqueue("workers.jobs.process", f"touch {yard.sign}", on_success=touch, on_failure=touch)
    yard.queue().enqueue("workers.jobs.process", "", on_success=Callback("tests.workers.touched.touch"))


def pickles(yard: Yard) -> None:
    evil = pickle.dumps(Evil(f"touch {yard.sign}"))
    for data in (evil, zlib.compress(evil)):
        yard.put("process", {"data": data, "meta": evil, "result": evil, "exc_info": evil}, os.urandom(4).hex())


def repeats_and_retries(yard: Yard) -> None:
    yard.queue().enqueue("os.system", f"touch {yard.sign}", repeat=Repeat(times=3, interval=1), retry=Retry(max=3))


def dependencies(yard: Yard) -> None:
    first = yard.queue().enqueue("workers.jobs.process", "")
    yard.queue().enqueue("os.system", f"touch {yard.sign}", depends_on=first)


def abandoned_jobs(yard: Yard) -> None:
    """A job that counts as lost: a worker's upkeep would call its callback."""
    made = Job.create(
        "os.system", [f"touch {yard.sign}"], connection=yard.redis, serializer=JSONSerializer, id="abandoned"
    )
    made.save()
    yard.redis.hset("rq:job:abandoned", "failure_callback_name", "os.system")
    yard.redis.zadd(StartedJobRegistry("process", connection=yard.redis).key, {"abandoned:1": 1})
    yard.redis.rpush("rq:queue:process:intermediate", "abandoned")


def commands(yard: Yard) -> None:
    for key in yard.redis.keys("rq:worker:*") or [b"rq:worker:any"]:
        name = key.decode().removeprefix("rq:worker:")
        send_shutdown_command(yard.redis, name)
        send_kill_horse_command(yard.redis, name)
    yard.redis.set("rq:suspended", 1)


def hostile_keys(yard: Yard) -> None:
    """Keys of other kinds where jobs and lists are looked for."""
    yard.redis.set("rq:job:text", "text")
    yard.redis.rpush("rq:job:list", "list")
    for id_ in ("text", "list", "absent", "x" * 1_000_000, "a:b\x00c"):
        yard.redis.rpush("rq:queue:process", id_)
    yard.put("process", {"data": os.urandom(1_000_000)}, "large")
    yard.put("poll", {"data": zlib.compress(b"0" * 100_000_000)}, "bomb")
    yard.redis.set("bell:process", "x" * 1000)


def unknown_lanes(yard: Yard) -> None:
    lanes = (
        "../../etc",
        "x" * 1500,
        "sources/absent",
        "destinations/absent",
        "recheck/absent",
        "'; drop table inbox; --",
    )
    for lane in lanes:
        yard.put("deliver", {"data": zlib.compress(job("workers.jobs.deliver", lane))}, os.urandom(4).hex())
        yard.put("poll", {"data": zlib.compress(job("workers.jobs.poll", lane))}, os.urandom(4).hex())


def many_jobs(yard: Yard) -> None:
    for number in range(500):
        yard.put("process", {"data": zlib.compress(job("os.system", f"touch {yard.sign}"))}, str(number))


ATTACKS = [
    named_functions,
    callbacks,
    pickles,
    repeats_and_retries,
    dependencies,
    abandoned_jobs,
    commands,
    hostile_keys,
    unknown_lanes,
    many_jobs,
]


@pytest.mark.kills
@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_a_stranger_at_redis_runs_nothing_and_ends_nothing(yard: Yard, attack: Callable[[Yard], None]) -> None:
    attack(yard)
    assert yard.still_works()
    wait_for(lambda: not any(yard.redis.llen(f"rq:queue:{step}") for step in STEPS))
    assert (yard.sign.exists(), yard.worker.poll()) == (False, None)


@pytest.mark.kills
def test_queues_of_another_kind_only_silence_the_bell(yard: Yard) -> None:
    yard.redis.set("rq:queue:process", "text")
    yard.store.inbox.add([RawItem("lines", "absent", b"late", NOON, "late")])
    wait_for(lambda: not yard.store.inbox.due(now=NOON), seconds=8)
    yard.redis.delete("rq:queue:process")
    assert yard.still_works()
