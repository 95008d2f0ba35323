"""What the hub keeps is for its own user only."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.config.private import make_private_folder, open_to_others
from hub.config.settings import Settings
from hub.flow.check import readable_by_others
from hub.queue.embedded import lock
from hub.store import open_store


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def generous() -> Iterator[None]:
    """A umask that gives all rights to all."""
    old = os.umask(0)
    yield
    os.umask(old)


@pytest.mark.parametrize("there", [False, True])
def test_the_data_folder_is_closed_to_others_also_one_that_was_there(
    tmp_path: Path, generous: None, there: bool
) -> None:
    data = tmp_path / "deep" / "data"
    if there:
        data.mkdir(parents=True, mode=0o755)
    lock(data).close()
    assert (mode(data), mode(data / "hub.lock")) == (0o700, 0o600)


@pytest.mark.parametrize("there", [False, True])
def test_the_database_and_what_sqlite_puts_beside_it_are_closed_to_others(
    tmp_path: Path, generous: None, there: bool
) -> None:
    file = tmp_path / "data" / "hub.db"
    if there:
        file.parent.mkdir()
        file.touch(0o644)
    store = open_store(f"sqlite:///{file}")
    store.database.migrate()
    found = {path.name: mode(path) for path in file.parent.iterdir()}
    store.close()
    assert found == dict.fromkeys(("hub.db", "hub.db-wal", "hub.db-shm"), 0o600)


def test_a_folder_that_was_open_is_told_once_when_it_is_closed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tmp_path.chmod(0o755)
    for _ in range(2):
        make_private_folder(tmp_path)
    assert caplog.text.count("a folder was open to other users of this machine; it is closed now") == 1


def test_a_folder_that_is_made_for_the_database_is_closed_to_others(tmp_path: Path, generous: None) -> None:
    open_store(f"sqlite:///{tmp_path / 'new' / 'hub.db'}").close()
    assert mode(tmp_path / "new") == 0o700


def test_what_others_may_read_is_told_and_what_lies_behind_a_closed_door_is_not(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir(mode=0o750)
    data.chmod(0o750)
    (data / "open").touch()
    (data / "open").chmod(0o644)
    (data / "closed").touch(0o600)
    assert open_to_others(data) == [data, data / "open"]
    make_private_folder(data)
    assert open_to_others(data) == []


def test_a_check_names_what_others_may_read_and_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data").chmod(0o755)
    (found,) = readable_by_others(Settings(file=tmp_path / "config.toml"))
    assert (found.file, "(755)" in found.message, "chmod 700" in found.hint) == (str(tmp_path / "data"), True, True)
