"""`hub backup`, `hub restore`, `hub resume`, and the backup that an upgrade begins with."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from shutil import copytree
from sqlite3 import connect

import pytest

from tests.hub.cli.conftest import Cli
from tests.hub.cli.terminal import World


@pytest.fixture
def backup(world: World, cli: Cli, tmp_path: Path) -> Path:
    """A backup of a hub in which the demo has run."""
    said = cli("-c", world.folder / "config.toml", "backup", tmp_path / "kept.zip")
    assert (said.code, "wrote" in said.out, "not in it, keep them elsewhere" in said.out) == (0, True, True), said.err
    return tmp_path / "kept.zip"


@pytest.fixture
def restored(backup: Path, cli: Cli, tmp_path: Path) -> Path:
    """The configuration of a hub that was restored into an empty folder."""
    config = tmp_path / "new" / "config.toml"
    config.parent.mkdir()
    said = cli("-c", config, "restore", backup)
    assert said.code == 0, said.err
    assert [word for word in ("wrote", "nothing is sent yet", "hub resume") if word not in said.out] == []
    return config


def test_an_empty_folder_becomes_the_same_hub(restored: Path, world: World, cli: Cli) -> None:
    for words in ("signals list --limit 0", "deliveries list --limit 0", "people list"):
        old, new = (cli("-c", file, *words.split(), "--json").json for file in (world.folder / "config.toml", restored))
        assert old == new
    assert (restored.parent / "demo" / "rules.toml").read_bytes() == (world.folder / "demo" / "rules.toml").read_bytes()


def test_resume_lets_it_send_and_is_audited(restored: Path, cli: Cli) -> None:
    assert "the hub sends again" in cli("-c", restored, "resume").out
    assert "nothing was held" in cli("-c", restored, "resume").out
    assert [row["action"] for row in cli("-c", restored, "audit", "--json").json[:2]] == ["resume sending", "restore"]


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["restore", "absent.zip"], 1, "there is no such file"),
        (["backup", "absent/"], 1, "there is no folder absent: make it"),
        (["restore", "."], 1, "is a folder"),
        (["backup", "no/such/folder/x.zip"], 1, "there is no folder no/such/folder: make it"),
    ],
)
def test_what_cannot_be_done_is_told_in_a_line(
    restored: Path, cli: Cli, words: list[str], code: int, told: str
) -> None:
    said = cli("-c", restored, *words)
    assert (said.code, told in said.err, "Traceback" in said.err) == (code, True, False)


@pytest.fixture
def old(world: World, tmp_path: Path) -> Path:
    """The configuration of a hub whose database is at the first revision."""
    copytree(world.folder, tmp_path / "old")
    with closing(connect(tmp_path / "old" / "data" / "hubbub.db")) as database:
        database.executescript(
            "DROP TABLE activations; DROP TABLE calls; DROP TABLE realms; DROP TABLE sessions; DROP TABLE api_keys; "
            "DROP TABLE one_time_links; DROP TABLE log_in_failures; DROP TABLE users; "
            "UPDATE alembic_version SET version_num = '0001';"
        )
    return tmp_path / "old" / "config.toml"


def test_an_upgrade_begins_with_a_backup_to_go_back_to(old: Path, cli: Cli) -> None:
    said = cli("-c", old, "db", "upgrade")
    (kept,) = old.parent.glob("hubbub-*.zip")
    assert (said.code, str(kept) in said.out) == (0, True)
    assert "the way back" not in cli("-c", old, "db", "upgrade").out
    assert len(list(old.parent.glob("hubbub-*.zip"))) == 1


def test_an_upgrade_without_a_backup_is_had_by_name(old: Path, cli: Cli) -> None:
    assert cli("-c", old, "db", "upgrade", "--no-backup").code == 0
    assert list(old.parent.glob("hubbub-*.zip")) == []
