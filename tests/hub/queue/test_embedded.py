"""The embedded Redis: one private server a data folder, gone with its hub."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from hub.cli.running.up import GUARD
from hub.core.errors import ConfigError, HubError
from hub.queue.embedded import (
    LONGEST_SOCKET,
    AlreadyRunning,
    find_server,
    lock,
    server_command,
    socket_path,
    socket_url,
)
from tests.servers import answers, descendants_of, is_alive, running_redis, wait_for


def test_the_server_answers_on_a_private_socket_and_on_no_port(tmp_path: Path) -> None:
    with running_redis(tmp_path) as url, Redis.from_url(url) as redis:
        assert redis.config_get("port")["port"] == "0"
        assert stat.S_IMODE(socket_path(tmp_path).stat().st_mode) == 0o700


def test_the_server_keeps_nothing_on_disk(tmp_path: Path) -> None:
    with running_redis(tmp_path) as url, Redis.from_url(url) as redis:
        redis.set("a", "b")
        assert (redis.config_get("save")["save"], redis.config_get("appendonly")["appendonly"]) == ("", "no")
    assert list(tmp_path.iterdir()) == []


def test_a_stale_socket_is_taken_over(tmp_path: Path) -> None:
    server = subprocess.Popen(server_command(tmp_path), stdin=subprocess.DEVNULL)
    wait_for(lambda: answers(socket_url(tmp_path)))
    server.kill()
    server.wait()
    assert socket_path(tmp_path).exists()
    with running_redis(tmp_path) as url:
        assert answers(url)


def test_the_servers_program_is_found() -> None:
    assert os.access(find_server(), os.X_OK)


@pytest.mark.parametrize("depth", [1, 40])
def test_a_sockets_path_fits_however_long_the_data_folders_is(tmp_path: Path, depth: int) -> None:
    assert len(os.fsencode(socket_path(tmp_path.joinpath(*["a-long-name"] * depth)))) <= LONGEST_SOCKET


def test_a_sockets_path_fits_however_long_the_temporary_folders_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / ("long" * 30)))
    assert len(os.fsencode(socket_path(tmp_path))) <= LONGEST_SOCKET


def test_two_data_folders_have_two_sockets_and_one_has_one_by_every_name(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "a")
    assert socket_path(tmp_path / "a") != socket_path(tmp_path / "b")
    assert socket_path(tmp_path / "a") == socket_path(tmp_path / "b" / ".." / "link")


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """Where the private folder of `tmp_path` would be."""
    folder = socket_path(tmp_path).parent
    yield folder
    if folder.is_symlink() or folder.is_file():
        folder.unlink()
    elif folder.exists():
        folder.rmdir()


def test_the_private_folder_is_made_for_this_user_only(tmp_path: Path, place: Path) -> None:
    server_command(tmp_path)
    assert stat.S_IMODE(place.stat().st_mode) == 0o700


def test_a_folder_that_others_may_enter_is_refused(tmp_path: Path, place: Path) -> None:
    place.mkdir()
    place.chmod(0o755)
    with pytest.raises(HubError, match="not a private folder"):
        server_command(tmp_path)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder away")
def test_another_users_folder_is_refused(tmp_path: Path, place: Path) -> None:
    place.mkdir(mode=0o700)
    os.chown(place, 65534, 65534)
    with pytest.raises(HubError, match="not a private folder"):
        server_command(tmp_path)


@pytest.mark.parametrize("there", [True, False])
def test_a_link_is_refused_wherever_it_leads(tmp_path: Path, place: Path, there: bool) -> None:
    target = tmp_path / "elsewhere"
    if there:
        target.mkdir(mode=0o700)
    place.symlink_to(target)
    with pytest.raises(HubError, match="not a private folder"):
        server_command(tmp_path)


def test_a_file_in_its_place_is_refused(tmp_path: Path, place: Path) -> None:
    place.touch(mode=0o600)
    with pytest.raises(HubError, match="not a private folder"):
        server_command(tmp_path)


# ------------------------------------------------------------------------------------------------------------ the lock

HOLD = """
import sys, time
from pathlib import Path
from hub.queue.embedded import lock
held = lock(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(60)
"""


def test_a_second_hub_on_the_folder_is_refused(tmp_path: Path) -> None:
    with lock(tmp_path), pytest.raises(AlreadyRunning, match="another hub runs on"):
        lock(tmp_path)


def test_the_folder_is_free_when_its_hub_has_ended(tmp_path: Path) -> None:
    lock(tmp_path).close()
    lock(tmp_path).close()


def test_kill_9_frees_the_folder(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLD, tmp_path], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(AlreadyRunning):
            lock(tmp_path)
        other.kill()
    lock(tmp_path).close()


def test_a_data_folder_that_cannot_be_made_is_an_error_of_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    with pytest.raises(ConfigError, match=r"hub\.data"):
        lock(tmp_path / "data")


# ----------------------------------------------------------------------------------------------------------- the guard

PARENT = """
import subprocess, sys
guard = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE)
print(guard.pid, flush=True)
guard.wait()
"""


def guarded(data: Path) -> list[str]:
    return [sys.executable, "-S", "-E", "-c", GUARD, *server_command(data)]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_the_server_ends_soon_after_the_hub_however_that_ends(tmp_path: Path, number: signal.Signals) -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT, *guarded(tmp_path)], stdout=subprocess.PIPE) as parent:
        wait_for(lambda: answers(socket_url(tmp_path)))
        started = descendants_of(parent.pid)
        assert len(started) == 2  # the guard and the server
        parent.send_signal(number)
        assert wait_for(lambda: not any(map(is_alive, started))) < 2


def test_sigterm_ends_guard_and_server(tmp_path: Path) -> None:
    with subprocess.Popen(guarded(tmp_path), stdin=subprocess.PIPE) as guard:
        wait_for(lambda: answers(socket_url(tmp_path)))
        (server,) = descendants_of(guard.pid)
        guard.terminate()
        assert guard.wait(5) == 0
        assert not is_alive(server)


def test_sigterm_at_any_moment_of_the_start_leaves_no_server(tmp_path: Path) -> None:
    for moment in range(8):
        with subprocess.Popen(guarded(tmp_path), stdin=subprocess.PIPE, process_group=0) as guard:
            try:
                guard.wait(0.01 * moment)
            except subprocess.TimeoutExpired:
                guard.terminate()
            guard.wait(5)
        with pytest.raises(ProcessLookupError):
            os.killpg(guard.pid, 0)
