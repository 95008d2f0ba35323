"""The bell: coalesced rings over a real embedded server, and silence where there is none."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from time import monotonic

import pytest
from redis import Redis
from rq import Queue
from rq.serializers import JSONSerializer

from hub.core.errors import ConfigError
from hub.queue.bell import COALESCE_S, BellAway, RedisBell
from hub.queue.ear import Ear
from hub.queue.inprocess import InProcessBell
from tests.servers import running_redis


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_redis(tmp_path_factory.mktemp("data")) as found:
        yield found


@pytest.fixture
def redis(url: str) -> Iterator[Redis]:
    with Redis.from_url(url) as client:
        client.flushall()
        yield client


def jobs(redis: Redis, step: str) -> list[tuple[str, list[str]]]:
    """The waiting jobs of a queue: function and arguments."""
    queue = Queue(step, connection=redis, serializer=JSONSerializer)
    return [(job.func_name, job.args) for job in queue.jobs]


@pytest.mark.parametrize(
    ("step", "connection"), [("process", ""), ("deliver", "crm"), ("deliver", "a:b c/d"), ("poll", "news")]
)
def test_a_ring_is_one_job_that_carries_the_connections_name_only(
    redis: Redis, url: str, step: str, connection: str
) -> None:
    RedisBell(url).ring(step, connection)
    assert jobs(redis, step) == [(f"workers.jobs.{step}", [connection])]


def test_two_rings_are_one_job(redis: Redis, url: str) -> None:
    RedisBell(url).ring("deliver", "crm")
    RedisBell(url).ring("deliver", "crm")
    assert len(jobs(redis, "deliver")) == 1


def test_each_lane_has_its_own_job(redis: Redis, url: str) -> None:
    bell = RedisBell(url)
    for connection in ("crm", "desk", "crm"):
        bell.ring("deliver", connection)
    assert [arguments for _, arguments in jobs(redis, "deliver")] == [["crm"], ["desk"]]


def test_a_ring_during_a_run_is_not_lost(redis: Redis, url: str) -> None:
    bell = RedisBell(url)
    bell.ring("process")
    Queue("process", connection=redis, serializer=JSONSerializer).pop_job_id()
    bell.heard("process")
    bell.ring("process")
    assert len(jobs(redis, "process")) == 1


def test_rings_of_many_processes_at_once_are_one_job(redis: Redis, url: str) -> None:
    together = threading.Barrier(8)

    def ring() -> None:
        bell = RedisBell(url)
        together.wait()
        bell.ring("process")

    threads = [threading.Thread(target=ring) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(jobs(redis, "process")) == 1


def test_a_lost_job_is_rung_for_again_after_a_while_and_leaves_nothing_behind(redis: Redis, url: str) -> None:
    RedisBell(url).ring("process")
    assert 0 < redis.ttl("bell:process") <= COALESCE_S
    (job,) = redis.keys("rq:job:*")
    assert 0 < redis.ttl(job) <= 30


def away(folder: Path) -> str:
    return f"unix://{folder / 'nobody.sock'}"


def test_without_redis_a_ring_is_quick_and_silent(tmp_path: Path) -> None:
    begun = monotonic()
    RedisBell(away(tmp_path)).ring("process")
    assert monotonic() - begun < 1.5


def test_without_redis_hearing_is_silent(tmp_path: Path) -> None:
    RedisBell(away(tmp_path)).heard("process")


def test_a_redis_that_does_not_answer_holds_a_ring_up_for_a_second_at_most() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        begun = monotonic()
        RedisBell(f"redis://127.0.0.1:{mute.getsockname()[1]}/0").ring("process")
        assert monotonic() - begun < 1.5


@contextmanager
def answering(said: bytes) -> Iterator[str]:
    """What answers everything with the same, as a web server on Redis' port does; yields its URL."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    caller, _ = server.accept()
                    with caller, suppress(OSError):
                        while caller.recv(65536):
                            caller.sendall(said)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"redis://127.0.0.1:{server.getsockname()[1]}/0"
        server.shutdown(socket.SHUT_RDWR)
    thread.join(5)


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b":many\r\n" * 9,
        b"*1\r\n" * 5000,
        b"$-1\r\n" * 9,
        b"*0\r\n" * 9,
        b"+\xff\r\n" * 9,
    ],
)
def test_what_is_no_redis_is_an_absent_one(said: bytes) -> None:
    with answering(said) as url:
        RedisBell(url).ring("process")
        RedisBell(url).heard("process")
        with closing(Ear(url, ["process"], longest_s=0.1)) as ear, pytest.raises(BellAway):
            ear.listen()


def test_a_redis_that_comes_back_is_heard_again(tmp_path: Path) -> None:
    with running_redis(tmp_path) as url:
        bell = RedisBell(url)
        bell.ring("process")
    bell.ring("process")
    with running_redis(tmp_path) as url, Redis.from_url(url) as client:
        bell.ring("process")
        assert len(jobs(client, "process")) == 1


@pytest.mark.parametrize("url", ["localhost:6379", "http://localhost", "redis://localhost:port"])
def test_a_wrong_url_is_an_error_of_the_configuration(url: str) -> None:
    with pytest.raises(ConfigError, match=r"redis\.url"):
        RedisBell(url)


def test_the_bell_in_process_remembers_each_lane_once_in_order() -> None:
    bell = InProcessBell()
    for lane in (("process", ""), ("deliver", "crm"), ("process", "")):
        bell.ring(*lane)
    assert bell.rung == [("process", ""), ("deliver", "crm")]


def test_the_bell_in_process_forgets_what_was_heard() -> None:
    bell = InProcessBell()
    bell.ring("deliver", "crm")
    bell.heard("deliver", "crm")
    bell.heard("deliver", "crm")
    assert bell.rung == []


def test_a_mark_that_a_clock_left_which_was_set_back_does_not_silence_its_lane(redis: Redis, url: str) -> None:
    redis.set("bell:process", 1, ex=864_000)
    RedisBell(url).ring("process")
    assert len(jobs(redis, "process")) == 1
    assert redis.ttl("bell:process") <= COALESCE_S
