"""A backup and its restore: every row of every table, on both databases, also from one to the other."""

from __future__ import annotations

import re
import stat
import subprocess
import sys
import threading
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import msgspec
import pytest
from sqlalchemy import create_engine, inspect, text

from hub.config.durable import whole_file
from hub.config.settings import Settings
from hub.core.access import at_terminal
from hub.core.errors import ConfigError, HubError, NewerDatabase
from hub.core.keys import signal_key
from hub.flow.accounts import entrance
from hub.flow.actions import backups, erasures, keys, people, users
from hub.flow.backup.archive import FileThere, NoBackup, written
from hub.flow.backup.files import WITHHELD, without_secrets
from hub.queue.embedded import AlreadyRunning, lock
from hub.store.copies import NotEmpty, Summing
from hub.store.database import HEAD
from tests.databases import Databases, Postgres, migrate
from tests.hub.flow.accounts.people import HERE, make_user
from tests.hubs import Made, make_hub
from tests.servers import clean_environment

ANN = at_terminal("ann")
PAIR = (
    "INSERT INTO people (key, created_at, body) VALUES (:key, 1, '{}')",
    "INSERT INTO retired_conversations (key, now) VALUES (:key, 'x')",
)
Rows = dict[str, list[Any]]
CONFIG = """
[database]
url = "{url}"
[sources.lines]
plugin = "file"
options = {{ path = "x", as_plugin = "rss" }}
[destinations.desk]
plugin = "webhook"
options = {{ url = "https://desk.example/in?token=PLAIN-TOKEN", secret = {{ env = "DESK_SECRET" }} }}
"""


def contents(url: str) -> Rows:
    """Every row of every table, as the database holds it."""
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as conn:
        names = sorted(set(inspect(conn).get_table_names()) - {"alembic_version"})
        found = {name: sorted(map(_plain, conn.execute(text(f'SELECT * FROM "{name}"')).mappings())) for name in names}
    engine.dispose()
    return found


def _plain(row: Any) -> str:
    values = {key: int(value) if isinstance(value, bool) else value for key, value in row.items()}
    return repr(
        {key: bytes(value) if isinstance(value, memoryview) else value for key, value in sorted(values.items())}
    )


def without_marks(rows: Rows) -> Rows:
    """The same without the hold and the entries of backup and restore."""
    kept = {**rows, "memories": [row for row in rows["memories"] if "'connection': 'hub'" not in row]}
    kept["audit"] = [
        row for row in rows["audit"] if not any(f"'action': '{word}'" in row for word in ("backup", "restore"))
    ]
    return kept


def fill(made: Made) -> None:
    """All that a hub does in a while: people, what lands, what dies, what is forgotten, bytes, texts of all scripts."""
    made.say(*({"id": str(number), "text": f"acme {number} \u00e9\u4e16\U0001f600 love"} for number in range(30)))
    made.say({"broken": 1}, {"id": "gone", "text": "acme"})
    made.run()
    people.add(made.hub, ANN, "Ada")
    erasures.erase(made.hub, ANN, signal_key("lines", "gone"))
    made.run()
    made.hub.store.cursors.declare(["lines"], now=made.clock())
    made.hub.store.connections.beat("process-1", "process", now=made.clock())


@pytest.fixture
def other_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[str], str]]:
    """Makes an empty database of a kind."""
    open_ones: list[Any] = []

    def make(kind: str) -> str:
        if kind == "sqlite":
            return f"sqlite:///{tmp_path / 'new' / 'data' / 'other.db'}"
        server: Postgres = request.getfixturevalue("postgresql")
        open_ones.append(server.fresh())
        return str(open_ones[-1].__enter__())

    yield make
    for one in open_ones:
        one.__exit__(None, None, None)


class Place:
    """An empty folder in which a backup is put back."""

    def __init__(self, folder: Path, url: str) -> None:
        self.config = folder / "config.toml"
        self.url = url
        folder.mkdir(exist_ok=True)
        self.config.write_text(CONFIG.format(url=url))

    def restore(self, file: Path) -> backups.Restored:
        return backups.restore(self.config, file, ANN)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    folder = tmp_path / "new"
    return Place(folder, f"sqlite:///{folder / 'data' / 'hubbub.db'}")


@pytest.fixture
def made(database_url: str, databases: Databases, tmp_path: Path) -> Iterator[Made]:
    made = make_hub(databases.open(database_url), tmp_path)
    (tmp_path / "config.toml").write_text(CONFIG.format(url=database_url))
    yield made
    made.hub.close()


@pytest.fixture
def backup(made: Made, tmp_path: Path) -> Path:
    fill(made)
    return backups.make(made.hub, ANN, tmp_path / "kept.zip")[0]


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_restore_has_every_row_of_every_table(
    made: Made, backup: Path, database_url: str, other_database: Callable[[str], str], tmp_path: Path, kind: str
) -> None:
    new = Place(tmp_path / "new", other_database(kind))
    new.restore(backup)
    before, after = contents(database_url), contents(new.url)
    assert sum(map(len, before.values())) > 150
    assert without_marks(after) == without_marks(before)


def test_users_and_keys_come_back_and_no_session_and_no_link_do(made: Made, place: Place, tmp_path: Path) -> None:
    bea = make_user(made.hub)
    entrance.enter(made.hub, bea, HERE, by="test")
    keys.make(made.hub, bea.actor("console"), "nightly", ["export"])
    users.reset(made.hub, ANN, "bea")
    place.restore(backups.make(made.hub, ANN, tmp_path / "kept.zip")[0])
    found = contents(place.url)
    assert {name: len(found[name]) for name in ("users", "api_keys", "sessions", "one_time_links")} == {
        "users": 1,
        "api_keys": 1,
        "sessions": 0,
        "one_time_links": 0,
    }


def test_a_restored_postgresql_goes_on_behind_the_ids_that_it_has(
    made: Made, backup: Path, other_database: Callable[[str], str], tmp_path: Path, databases: Databases
) -> None:
    new = Place(tmp_path / "new", other_database("postgresql"))
    new.restore(backup)
    again = make_hub(databases.open(new.url), tmp_path)
    again.say({"id": "next", "text": "acme"})
    again.run()
    assert again.hub.store.inbox.counts()["done"] > 30
    again.hub.close()


def test_a_backup_is_of_one_moment_while_the_hub_writes(made: Made, place: Place, tmp_path: Path) -> None:
    fill(made)
    stop, count = threading.Event(), iter(range(1000, 100_000))

    def write() -> None:
        for number in count:
            if stop.is_set():
                break
            with made.hub.store.database.write() as conn:
                for statement in PAIR:  # their tables are far apart in the order in which they are read
                    conn.execute(text(statement), {"key": f"pair-{number}"})

    writer = threading.Thread(target=write)
    writer.start()
    try:
        files = [backups.make(made.hub, ANN, tmp_path / f"{number}.zip")[0] for number in range(3)]
    finally:
        stop.set()
        writer.join()
    place.restore(files[-1])
    found = contents(place.url)
    pairs = [sum("pair-" in row for row in found[name]) for name in ("people", "retired_conversations")]
    assert pairs[0] == pairs[1] > 0


def test_the_database_is_not_blocked_while_it_is_backed_up(made: Made, tmp_path: Path) -> None:
    fill(made)
    with made.hub.store.copies.reading() as conn:
        before = len(list(made.hub.store.copies.lines(conn, "people", made.hub.store.copies.forms(conn)["people"])))
        people.add(made.hub, ANN, "Twin")
        after = len(list(made.hub.store.copies.lines(conn, "people", made.hub.store.copies.forms(conn)["people"])))
    assert before == after


def test_it_has_a_name_of_the_time_in_a_folder_and_is_its_owners_only(made: Made, tmp_path: Path) -> None:
    (tmp_path / "backups").mkdir()
    file, _ = backups.make(made.hub, ANN, tmp_path / "backups")
    assert file.name == "hubbub-20261122T120000Z.zip"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_two_at_once_do_not_write_into_one_another(made: Made, tmp_path: Path) -> None:
    with whole_file(tmp_path / "kept.zip") as out:
        out.write(b"the first")
        with pytest.raises(OSError, match="another process writes it"):
            backups.make(made.hub, ANN, tmp_path / "kept.zip")
    assert [path.read_bytes() for path in tmp_path.glob("kept.zip*")] == [b"the first"]


def test_a_file_that_came_while_it_was_looked_for_is_not_written_over(made: Made, tmp_path: Path) -> None:
    with pytest.raises(FileThere), written(tmp_path / "kept.zip"):
        (tmp_path / "kept.zip").write_bytes(b"another's")
    assert [path.read_bytes() for path in tmp_path.glob("kept.zip*")] == [b"another's"]


def test_nothing_is_written_over(made: Made, tmp_path: Path) -> None:
    (tmp_path / "there.zip").write_text("mine")
    with pytest.raises(FileThere):
        backups.make(made.hub, ANN, tmp_path / "there.zip")
    assert (tmp_path / "there.zip").read_text() == "mine"


def test_no_secret_is_in_it_and_those_that_are_needed_are_named(backup: Path) -> None:
    with ZipFile(backup) as archive:
        manifest = msgspec.json.decode(archive.read("manifest.json"))
        config = archive.read("files/config.toml").decode()
    assert ("PLAIN-TOKEN" in config, f"token={WITHHELD}" in config) == (False, True)
    assert manifest["withheld"] == ["destinations.desk.options.url"]
    assert manifest["secrets"] == [{"at": "destinations.desk.options.secret", "env": "DESK_SECRET"}]


def test_rules_topics_and_mappings_are_in_it_and_come_back(backup: Path, tmp_path: Path) -> None:
    new = tmp_path / "bare"
    new.mkdir()
    file = changed(backup, "files/config.toml", lambda _: b'[files]\nrules = "my/own.toml"\n[hub]\ndata = "kept"\n')
    done = backups.restore(new / "config.toml", file, ANN)
    assert (new / "kept" / "hubbub.db").is_file()
    for old, place in {"rules.toml": "my/own.toml", "topics.toml": "topics.toml"}.items():
        assert (new / place).read_bytes() == (tmp_path / old).read_bytes()
    assert (new / "mappings" / "memo" / "note.toml").is_file()
    assert done.absent_secrets == ["destinations.desk.options.secret: the environment variable DESK_SECRET"]


def test_a_database_whose_password_is_in_no_backup_is_asked_for(backup: Path, tmp_path: Path) -> None:
    url = f'[database]\nurl = "postgresql://hub:{WITHHELD}@db.example/hub"\n'.encode()
    with pytest.raises(ConfigError, match=r"database\.url: its password is in no backup"):
        backups.restore(tmp_path / "bare" / "config.toml", changed(backup, "files/config.toml", lambda _: url), ANN)


def test_files_that_are_there_are_kept_and_told(backup: Path, place: Place) -> None:
    rules = place.config.parent / "rules.toml"
    rules.write_text("# mine\n")
    done = place.restore(backup)
    assert rules.read_text() == "# mine\n"
    assert set(done.differing) == {rules, place.config}


def test_a_database_with_rows_is_refused_and_stays_as_it_is(backup: Path, place: Place) -> None:
    place.restore(backup)
    before = contents(place.url)
    with pytest.raises(NotEmpty, match="not empty"):
        place.restore(backup)
    assert contents(place.url) == before


def test_tables_without_a_row_are_as_good_as_none(backup: Path, place: Place) -> None:
    migrate(place.url)
    assert place.restore(backup).manifest.rows > 100


def test_a_running_hub_is_refused(backup: Path, place: Place) -> None:
    with lock(place.config.parent / "data"), pytest.raises(AlreadyRunning):
        place.restore(backup)


def changed(backup: Path, name: str, change: Callable[[bytes], bytes]) -> Path:
    """The same backup, one file of it changed."""
    new = backup.with_name("changed.zip")
    with ZipFile(backup) as old, ZipFile(new, "w") as out:
        for one in old.namelist():
            out.writestr(one, change(old.read(one)) if one == name else old.read(one))
    return new


def _manifest(**values: Any) -> Callable[[bytes], bytes]:
    return lambda raw: msgspec.json.encode({**msgspec.json.decode(raw), **values})


def _signed(change: Callable[[bytes], bytes]) -> Callable[[dict[str, bytes]], dict[str, bytes]]:
    """A change of the people's rows that the manifest bears out."""

    def run(files: dict[str, bytes]) -> dict[str, bytes]:
        rows, manifest, summing = change(files[PEOPLE]), msgspec.json.decode(files["manifest.json"]), Summing()
        for line in rows.splitlines():
            summing.add(line)
        manifest["tables"]["people"] |= summing.result()._asdict()
        return {**files, PEOPLE: rows, "manifest.json": msgspec.json.encode(manifest)}

    return run


def _table(**tables: Any) -> Callable[[dict[str, bytes]], dict[str, bytes]]:
    """Other tables in the manifest, with the people's rows; None: the table is not in it."""

    def run(files: dict[str, bytes]) -> dict[str, bytes]:
        manifest = msgspec.json.decode(files["manifest.json"])
        changed = {
            **manifest["tables"],
            **{name: manifest["tables"]["people"] | values for name, values in tables.items()},
        }
        added = {f"database/{name}.jsonl": files[PEOPLE] for name in tables}
        return {**files, **added, "manifest.json": msgspec.json.encode({**manifest, "tables": changed})}

    return run


def _without(name: str) -> Callable[[dict[str, bytes]], dict[str, bytes]]:
    return lambda files: {one: content for one, content in files.items() if one != name}


def _unlisted(files: dict[str, bytes]) -> dict[str, bytes]:
    manifest = msgspec.json.decode(files["manifest.json"])
    del manifest["tables"]["signals"]
    return {**files, "manifest.json": msgspec.json.encode(manifest)}


PEOPLE = "database/people.jsonl"
ALTERED: dict[str, tuple[Callable[[dict[str, bytes]], dict[str, bytes]], str]] = {
    "a table is gone": (_without(PEOPLE), "no whole backup .*people"),
    "a table is gone from the manifest": (_unlisted, "lacks the table signals"),
    "a file is gone": (_without("files/config.toml"), "no whole backup .*config.toml"),
    "a file leads out of the folder": (
        lambda files: _also({**files, "files/mappings/../../x.toml": b""}, files=["mappings/../../x.toml"]),
        "no backup has",
    ),
    "a table that no hub has": (_table(strange={}), "strange .* none of revision"),
    "a column that no hub has": (_table(people={"columns": [{"name": "x"}]}), "people .* none of revision"),
    "a row is no list": (_signed(lambda raw: b"7\n" + raw), "people .* no hub writes"),
    "a row is too short": (_signed(lambda raw: b"[1]\n" + raw), "people .* no hub writes"),
    "a row is no JSON": (_signed(lambda raw: b"{oops\n" + raw), "people .* no hub writes"),
    "a row is there twice": (_signed(lambda raw: raw + raw), "people .* no hub writes"),
    "a revision between two": (lambda files: _also(files, revision="0000"), "which no Hubbub has"),
    "no revision": (lambda files: _also(files, revision=""), "which no Hubbub has"),
    "a step instead of a revision": (lambda files: _also(files, revision="+1"), "which no Hubbub has"),
    "a manifest nested too deeply": (lambda files: {**files, "manifest.json": b"[" * 100_000}, "no manifest"),
    "a time without a zone": (lambda files: _also(files, taken_at="2026-01-01T00:00:00"), "no manifest"),
}


def _also(files: dict[str, bytes], /, **values: Any) -> dict[str, bytes]:
    return {**files, "manifest.json": _manifest(**values)(files["manifest.json"])}


@pytest.mark.parametrize("what", ALTERED)
def test_what_was_altered_is_told_and_nothing_is_restored(backup: Path, place: Place, what: str) -> None:
    alter, said = ALTERED[what]
    with ZipFile(backup) as old:
        files = alter({name: old.read(name) for name in old.namelist()})
    with ZipFile(backup.with_name("altered.zip"), "w") as out:
        for name, content in files.items():
            out.writestr(name, content)
    with pytest.raises(HubError, match=said):
        place.restore(backup.with_name("altered.zip"))
    assert not (place.config.parent / "data" / "hubbub.db").exists() or not any(contents(place.url).values())


@pytest.mark.parametrize(("at", "mark"), [(6, 1), (8, 99)])
def test_a_backup_that_was_packed_otherwise_is_told(backup: Path, place: Place, at: int, mark: int) -> None:
    """Marked as encrypted, and as of a compression that is unknown."""
    raw = bytearray(backup.read_bytes())
    for sign, further in ((b"PK\x03\x04", 0), (b"PK\x01\x02", 2)):
        for found in re.finditer(sign, raw):
            raw[found.start() + at + further] = mark
    backup.write_bytes(raw)
    with pytest.raises(NoBackup, match="no whole backup"):
        place.restore(backup)


DAMAGE: dict[str, tuple[str, Callable[[bytes], bytes], type[HubError], str]] = {
    "a row is missing": ("database/signals.jsonl", lambda raw: raw.partition(b"\n")[2], NoBackup, "signals"),
    "a row has changed": ("database/people.jsonl", lambda raw: raw.replace(b"Ada", b"Bob"), NoBackup, "people"),
    "it is of a later form": ("manifest.json", _manifest(format=99), NoBackup, "newer Hubbub"),
    "it is of a later revision": ("manifest.json", _manifest(revision="9999"), NewerDatabase, "install that version"),
}


@pytest.mark.parametrize("what", DAMAGE)
def test_what_is_damaged_is_refused_and_nothing_is_restored(backup: Path, place: Place, what: str) -> None:
    name, change, kind, said = DAMAGE[what]
    with pytest.raises(kind, match=said):
        place.restore(changed(backup, name, change))
    assert not (place.config.parent / "data" / "hubbub.db").exists() or not any(contents(place.url).values())


@pytest.mark.parametrize("content", [b"", b"nonsense", None])
def test_what_is_no_backup_is_told(tmp_path: Path, place: Place, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "x.zip").write_bytes(content)
    with pytest.raises(NoBackup):
        place.restore(tmp_path / "x.zip")


def test_a_backup_that_was_cut_off_is_none(backup: Path, place: Place) -> None:
    backup.write_bytes(backup.read_bytes()[:-2000])
    with pytest.raises(NoBackup, match="no whole backup"):
        place.restore(backup)


def hub(folder: Path, *arguments: object, die_at: str = "") -> subprocess.CompletedProcess[str]:
    """`hub ARGUMENTS` as a process of its own, which may be killed at a place."""
    environment = {**clean_environment(), **({"HUBBUB_FAILPOINT": die_at} if die_at else {})}
    command = [sys.executable, "-m", "hub.cli", "-c", str(folder / "config.toml"), *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("die_at", ["backup.table:5", "backup.manifest"])
def test_a_backup_that_is_killed_leaves_no_backup_and_the_next_one_is_whole(
    made: Made, tmp_path: Path, place: Place, die_at: str
) -> None:
    fill(made)
    kept = tmp_path / "kept.zip"
    assert hub(tmp_path, "backup", kept, die_at=die_at).returncode == -9
    assert not kept.exists()
    assert hub(tmp_path, "backup", kept).returncode == 0
    assert [path.name for path in tmp_path.glob("*.part")] == []
    assert place.restore(kept).manifest.rows > 100


@pytest.mark.parametrize("die_at", ["restore.table:1", "restore.table:12", "restore.held"])
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_restore_that_is_killed_leaves_an_empty_database_and_may_be_done_again(
    backup: Path, other_database: Callable[[str], str], tmp_path: Path, die_at: str, kind: str
) -> None:
    new = Place(tmp_path / "new", other_database(kind))
    assert hub(new.config.parent, "restore", backup, die_at=die_at).returncode == -9
    assert not any(contents(new.url).values())
    said = hub(new.config.parent, "restore", backup)
    assert (said.returncode, said.stderr) == (0, "")


ACCOUNTS = ("sessions", "api_keys", "one_time_links", "log_in_failures", "users")


def test_a_release_before_is_backed_up_as_it_is_and_restored_into_this_program(
    made: Made, tmp_path: Path, place: Place, database_url: str
) -> None:
    fill(made)
    with made.hub.store.database.write() as conn:
        for table in ("activations", "calls", "realms", *ACCOUNTS):
            conn.execute(text(f"DROP TABLE {table}"))
        conn.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    file = backups.keep_before_upgrade(tmp_path / "config.toml")
    assert file is not None
    made.hub.store.database.migrate()
    place.restore(file)
    assert without_marks(contents(place.url)) == without_marks(contents(database_url))
    assert backups.keep_before_upgrade(tmp_path / "config.toml") is None
    assert HEAD > "0001"


def test_a_backup_before_an_upgrade_goes_into_the_data_folder_where_the_configuration_is_read_only(
    tmp_path: Path,
) -> None:
    settings = Settings(file=tmp_path / "config.toml")
    assert backups._beside(settings, may_write=lambda *_: True) == tmp_path
    assert backups._beside(settings, may_write=lambda *_: False) == tmp_path / "data"


SPELLINGS = {
    "escapes": r'token = "p\"a\\zz"',
    "no escapes": r"password = 'pa\zz'",
    "a character by its number": r'url = "postgresql://hub:p\u0061zz@db/hub"',
    "three quotes": 'url = """postgresql://hub:pazz@db/hub"""',
    "two lines": 'key = """\npa\nzz"""',
    "two lines without escapes": "key = '''pa\nzz'''",
    "behind what looks like a comment": 'list = [{ name = "it\'s # one", token = "pazz" }]',
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_secret_is_withheld_however_it_is_written(spelling: str) -> None:
    text, withheld = without_secrets(SPELLINGS[spelling])
    assert (len(withheld), WITHHELD in str(tomllib.loads(text)), "zz" in text) == (1, True, False)
