"""The program as a whole: help, exit codes, where `-c` may stand, no traceback for a user's mistake."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from importlib.metadata import version
from pathlib import Path
from sqlite3 import connect

import pytest

from hub.cli.main import command, shared_first
from tests.hub.cli.conftest import Cli


def all_commands() -> Iterator[str]:
    """Each command as it is typed, those of groups by both words."""
    for name, found in command().commands.items():
        yield from [f"{name} {inner}" for inner in getattr(found, "commands", {})] or [name]


@pytest.mark.parametrize("words", list(all_commands()))
def test_each_command_explains_itself(cli: Cli, words: str) -> None:
    said = cli(*words.split(), "--help")
    assert said.code == 0
    assert "Usage: hub" in said.out


def test_help_documents_the_exit_codes(cli: Cli) -> None:
    said = cli("--help")
    assert said.code == 0
    assert [line for code in "01234" for line in said.out.splitlines() if line.strip().startswith(f"{code} ")]


MISTAKES = {
    "no such command": (["sing"], 2),
    "no such option": (["signals", "list", "--loud"], 2),
    "no configuration": (["up"], 2),
    "nothing to look at": (["signals", "list"], 2),
    "no such plugin": (["translate", "nobody"], 2),
    "a plugin without a source": (["translate", "zendesk"], 2),
    "no such file": (["translate", "mastodon", "absent.jsonl"], 2),
    "no such moment": (["translate", "mastodon", "--received-at", "yesterday"], 2),
    "an unknown role": (["worker", "sleep"], 2),
    "no mapping file": (["mappings", "test", "absent.toml"], 2),
    "no facts": (["rules", "test", "absent.jsonl"], 2),
    "a negative limit": (["deliveries", "list", "--limit", "-1"], 2),
    "nothing named": (["deliveries", "retry"], 2),
    "no sandbox of a feed": (["sandbox", "rss"], 2),
    "no sandbox of nobody": (["sandbox", "nobody"], 2),
}


@pytest.mark.parametrize(("words", "code"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_ends_with_a_message_and_its_code(cli: Cli, words: list[str], code: int) -> None:
    said = cli(*words)
    assert said.code == code
    assert said.err.strip()
    assert "Traceback" not in said.err


def test_a_folder_without_a_configuration_says_how_to_get_one(cli: Cli) -> None:
    assert "hub init" in cli("signals", "list").err


@pytest.mark.parametrize("command", ["signals list", "deliveries list", "explain x", "poll news", "deliveries retry 1"])
def test_a_folder_without_a_database_says_what_makes_one(cli: Cli, tmp_path: Path, command: str) -> None:
    (tmp_path / "config.toml").write_text('[sources.news]\nplugin = "rss"\noptions = { feeds = ["https://a.example"] }')
    said = cli(*command.split())
    assert (said.code, "hub up" in said.err) == (4, True)
    assert not (tmp_path / "data").exists()


def test_a_database_of_another_revision_is_told_with_its_cure(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "config.toml").touch()
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "hubbub.db").touch()
    said = cli("signals", "list")
    assert (said.code, "hub db upgrade" in said.err) == (4, True)


@pytest.fixture
def newer(cli: Cli, tmp_path: Path) -> Path:
    """The configuration of a hub whose database a later release has upgraded."""
    (tmp_path / "config.toml").write_text("[web]\nport = 0\n")
    cli("db", "upgrade")
    with closing(connect(tmp_path / "data" / "hubbub.db")) as database, database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    return tmp_path / "config.toml"


@pytest.mark.parametrize("command", [["signals", "list"], ["db", "upgrade"], ["up"]])
def test_a_newer_database_ends_with_4_and_is_never_told_to_upgrade(newer: Path, cli: Cli, command: list[str]) -> None:
    said = cli("-c", newer, *command)
    assert (said.code, "Install that version again" in said.err, "db upgrade" in said.err) == (4, True, False)


@pytest.mark.parametrize("part", ["web", "web --migrate", "worker process", "worker deliver", "scheduler", "listen"])
def test_a_part_before_a_newer_database_ends_with_4_and_says_so_in_a_line(newer: Path, part: str) -> None:
    command = [sys.executable, "-m", "hub.cli", "-c", str(newer), *part.split()]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, "Install that version again" in done.stderr) == (4, True)
    assert done.stderr.count("\n") == 1


def test_the_version_is_told_without_a_configuration(cli: Cli) -> None:
    said = cli("--version")
    assert (said.code, said.out.strip()) == (0, f"hubbub {version('hubbub')}")


def test_db_upgrade_makes_the_database_and_may_run_again(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "config.toml").touch()
    assert [cli("db", "upgrade").code for _ in range(2)] == [0, 0]
    said = cli("signals", "list")
    assert (said.code, said.out.strip()) == (0, "no signals yet")


@pytest.mark.parametrize(
    ("given", "moved"),
    [
        ("-c a.toml up", "-c a.toml up"),
        ("up -c a.toml", "-c a.toml up"),
        ("signals list --json --config a.toml", "--config a.toml signals list --json"),
        ("up --config=a.toml", "--config=a.toml up"),
        ("up --log json --log-level=debug", "--log json --log-level=debug up"),
        ("translate rss -- -c", "translate rss -- -c"),
        ("up -c", "up -c"),
    ],
)
def test_the_configuration_may_be_named_before_or_after_the_command(given: str, moved: str) -> None:
    assert shared_first(given.split()) == moved.split()


def test_the_environment_names_the_configuration(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "other.toml").write_text("[web]\nport = 8611\n")
    monkeypatch.setenv("HUBBUB_CONFIG", "other.toml")
    assert cli("config", "show").json["web"]["port"] == 8611


def test_help_imports_neither_the_database_nor_any_plugin() -> None:
    code = (
        "import sys; from hub.cli.main import command; command(); "
        "heavy = {'sqlalchemy', 'alembic', 'redis', 'rq', 'httpx', 'cel', 'torch', 'fastapi', 'jinja2'} & set(sys.modules); "
        "sys.exit(str(heavy) if heavy or any(name.startswith('plugins.') for name in sys.modules) else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_reader_who_has_enough_hears_no_complaint(tmp_path: Path) -> None:
    line = '{"uri": "https://a.example/1", "created_at": "2026-11-01T00:00:00Z", "account": {"uri": "https://a.example/u"}}\n'
    (tmp_path / "many.jsonl").write_text(line * 3000)
    command = f"'{sys.executable}' -m hub.cli translate mastodon {tmp_path}/many.jsonl | head -1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert (done.stderr, done.stdout.count("\n")) == ("", 1)


@pytest.mark.parametrize(("command", "said"), [("mappings test", "[[test]] cases"), ("sandbox", "those of [sandbox]")])
def test_help_shows_brackets_as_they_are_written(cli: Cli, command: str, said: str) -> None:
    assert said in " ".join(cli(*command.split(), "--help").out.split())


@pytest.mark.parametrize("columns", ["60", "80", "200"])
@pytest.mark.parametrize("group", ["", "signals", "people", "plugins"])
def test_a_list_of_commands_cuts_no_sentence(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, group: str, columns: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    said = cli(*group.split(), "--help")
    assert (said.code, "..." in said.out.partition("Commands:")[2]) == (0, False)
    assert max(map(len, said.out.splitlines())) <= int(columns)
