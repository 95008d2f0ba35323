"""Redis in every kind of trouble while posts come in: they land all the same, none lost and none twice; and it is told."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from hub.queue.embedded import server_command, socket_path, socket_url
from tests.chaos.posts import Post, posts
from tests.chaos.stage import Stage, Wanted, doubled, send_all, stage, wait
from tests.servers import answers

pytestmark = pytest.mark.kills
LANDS_WITHIN_S = 20.0
TOLD_WITHIN_S = 15.0
EACH = 40


class Server:
    """A Redis of our own, on the socket of a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = socket_url(folder)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.process = subprocess.Popen(
            server_command(self.folder), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
        wait(lambda: answers(self.url), why="Redis")

    def signal(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def end(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def tell(self, *command: str) -> None:
        with Redis.from_url(self.url) as redis:
            redis.execute_command(*command)


def refuse_all(server: Server) -> None:
    server.tell("CONFIG", "SET", "requirepass", "another")
    with Redis.from_url(server.url, password="another") as redis:
        redis.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")


def let_in(server: Server) -> None:
    with Redis.from_url(server.url, password="another") as redis:
        redis.execute_command("CONFIG", "SET", "requirepass", "")


TROUBLES: dict[str, tuple[Callable[[Server], object], Callable[[Server], object]]] = {
    "killed": (Server.end, Server.start),
    "silent": (lambda server: server.signal(signal.SIGSTOP), lambda server: server.signal(signal.SIGCONT)),
    "full": (
        lambda server: server.tell("CONFIG", "SET", "maxmemory", "1"),
        lambda server: server.tell("CONFIG", "SET", "maxmemory", "0"),
    ),
    "a replica": (
        lambda server: server.tell("REPLICAOF", "127.0.0.1", "1"),
        lambda server: server.tell("REPLICAOF", "NO", "ONE"),
    ),
    "behind another password": (refuse_all, let_in),
}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    folder = tmp_path / "redis"
    folder.mkdir()
    made = Server(folder)
    made.start()
    yield made
    made.end()
    shutil.rmtree(socket_path(folder).parent, ignore_errors=True)


def ready(here: Stage) -> dict[str, Any]:
    with closing(HTTPConnection("127.0.0.1", here.port, timeout=5)) as connection:
        connection.request("GET", "/readyz")
        found: dict[str, Any] = json.loads(connection.getresponse().read())
        return found


def is_told(here: Stage) -> bool:
    """Whether the alert stands, and readiness says that the bell is away and that posts are processed."""
    told = any(one.key == "bell" and one.is_open for one in here.store.alerts.all())
    said = ready(here)
    return (
        told
        and said["status"] == "degraded"
        and said["processes"]
        and "bell" in {one["cause"] for one in said["causes"]}
    )


def is_over(here: Stage) -> bool:
    return ready(here)["status"] == "ok" and not any(
        one.key == "bell" and one.is_open for one in here.store.alerts.all()
    )


def land(here: Stage, part: list[Post]) -> float:
    """Post, and wait until all of it is settled; return the seconds from the last answer of the door."""
    send_all(here.port, part)
    return wait(here.settled, why=here.story, within=LANDS_WITHIN_S)


@pytest.mark.parametrize("trouble", TROUBLES)
def test_posts_land_without_redis_and_it_is_told(server: Server, tmp_path: Path, trouble: str) -> None:
    begin, end = TROUBLES[trouble]
    wanted = Wanted(mappings={"hubspot": "signal"}, extra=f'[redis]\nurl = "{server.url}"\n')
    given = [posts("mastodon", EACH, first=number * EACH) for number in range(3)]
    with stage(tmp_path, wanted) as here, here.up():
        before = land(here, given[0])
        begin(server)
        during = land(here, given[1])
        told = wait(lambda: is_told(here), why=here.story, within=TOLD_WITHIN_S)
        end(server)
        over = wait(lambda: is_over(here), why=here.story, within=TOLD_WITHIN_S)
        after = land(here, given[2])
        made = here.journals()["hubspot"]
    seconds = {"before": before, "during": during, "told": told, "over": over, "after": after}
    print(f"\nredis {trouble}: " + ", ".join(f"{name} {value:.1f} s" for name, value in seconds.items()))
    assert doubled(made) == []
    assert sum(kind == "social_signal" for kind, _ in made) == sum(one.watched for part in given for one in part)


def test_a_hub_that_finds_no_redis_at_its_start_works(server: Server, tmp_path: Path) -> None:
    server.end()
    wanted = Wanted(mappings={"hubspot": "signal"}, extra=f'[redis]\nurl = "{server.url}"\n')
    with stage(tmp_path, wanted) as here, here.up():
        land(here, posts("mastodon", EACH))
        wait(lambda: is_told(here), why=here.story, within=TOLD_WITHIN_S)
        server.start()
        wait(lambda: is_over(here), why=here.story, within=TOLD_WITHIN_S)


def test_the_private_redis_is_started_again_and_posts_land_all_the_same(tmp_path: Path) -> None:
    with stage(tmp_path, Wanted(mappings={"hubspot": "signal"})) as here, here.up():
        wait(lambda: here.part("redis") is not None, why="redis")
        pid = here.part("redis")
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        land(here, posts("mastodon", EACH))
        wait(lambda: here.part("redis") not in (None, pid), why="another Redis")
        wait(lambda: ready(here)["status"] == "ok", why=here.story, within=TOLD_WITHIN_S)
        made = here.journals()["hubspot"]
    assert doubled(made) == []
