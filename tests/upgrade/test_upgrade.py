"""Each release's databases are upgraded to this program: nothing is lost, all can be read, and the hub goes on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import create_engine, inspect, text

from hub.core.keys import apart
from hub.core.ledger import STATES
from hub.core.model import RawItem
from hub.flow.decide.batch import process
from hub.flow.deliver.send import deliver
from hub.queue.inprocess import InProcessBell
from hub.runtime import Hub, open_hub
from hub.store import Store, open_store
from tests.hub.cli.terminal import demo, run
from tests.hub.store.given import NOON
from tests.upgrade.conftest import FILLED
from tests.upgrade.schema import describe

READINGS = ("signals list", "deliveries list", "replies list", "people list", "audit", "alerts list", "cost")


def counts(url: str) -> dict[str, int]:
    engine = create_engine(url)
    with engine.connect() as conn:
        names = inspect(conn).get_table_names()
        found = {name: int(conn.scalar(text(f'SELECT count(*) FROM "{name}"')) or 0) for name in names}
    engine.dispose()
    return found


@pytest.fixture
def config(filled: str, tmp_path: Path) -> Iterator[Path]:
    """The demo's configuration on a release's database, with empty look-alikes behind it."""
    folder = tmp_path / "hub"
    folder.mkdir()
    with ExitStack() as stack:
        demo(stack, folder, lines=0)
        file = folder / "config.toml"
        file.write_text(f'{file.read_text("utf-8")}\n[database]\nurl = "{filled}"\n', "utf-8")
        assert run("-c", file, "db", "upgrade").code == 0
        yield file


@pytest.fixture
def hub(config: Path) -> Iterator[Hub]:
    opened = open_hub(config, bell=InProcessBell())
    yield opened
    opened.close()


def test_both_databases_of_a_release_are_here() -> None:
    releases = {path.name.split(".sqlite")[0].split(".postgresql")[0] for path in FILLED}
    assert len(FILLED) == 2 * len(releases) >= 2


def test_what_a_release_left_holds_every_table_and_every_state(filled: str) -> None:
    found = counts(filled)
    assert [name for name, rows in found.items() if not rows] == []
    store = open_store(filled)
    held = {state for counted in store.outbox.counts().values() for state in counted}
    store.close()
    assert held == set(STATES)


def test_the_upgraded_schema_is_the_programs(upgraded: Store, filled: str, request: pytest.FixtureRequest) -> None:
    fresh = "sqlite_url" if upgraded.database.is_sqlite else "shared_postgres_url"
    assert describe(filled) == describe(request.getfixturevalue(fresh))


def test_an_upgrade_loses_no_row(filled: str) -> None:
    before = counts(filled)
    store = open_store(filled)
    store.database.migrate()
    store.close()
    after = counts(filled)
    assert {name: rows for name, rows in after.items() if name in before} == {
        name: rows for name, rows in before.items() if name in after
    }


@pytest.mark.parametrize("words", READINGS)
def test_the_terminal_reads_what_a_release_wrote(config: Path, words: str) -> None:
    said = run("-c", config, *words.split(), "--json")
    assert (said.code, said.err) == (0, "")
    assert said.json


def test_every_signal_of_a_release_is_explained(config: Path) -> None:
    keys = [row["key"] for row in run("-c", config, "signals", "list", "--limit", 0, "--json").json]
    assert [key for key in keys if run("-c", config, "explain", key).code != 0] == []
    assert len(keys) > 20


def test_the_hub_goes_on_where_the_release_stopped(hub: Hub, config: Path) -> None:
    before = hub.store.outbox.counts()
    assert process(hub, slice_s=60) == 1
    assert run("-c", config, "deliveries", "retry", "--destination", "salesforce", "--state", "blocked").code == 0
    hub.store.connections.resume("salesforce", now=hub.now())
    while deliver(hub, "salesforce", slice_s=60):
        pass
    after = hub.store.outbox.counts()["salesforce"]
    # The blocked one takes a record back that this look-alike never had: a person is told, nothing else is held up.
    assert after == {"delivered": before["salesforce"]["delivered"] + before["salesforce"]["pending"], "dead": 1}


def test_the_sources_of_a_release_keep_the_realm_that_their_keys_were_made_in(upgraded: Store) -> None:
    with upgraded.database.read() as conn:
        kept = {row.source: row.realm for row in conn.execute(text("SELECT source, realm FROM realms"))}
        stored = conn.execute(text("SELECT source, body FROM signals")).all()
    unnamed = {source for source, body in stored if '"realm":' not in body}
    assert unnamed
    assert unnamed <= set(kept)
    assert set(kept.values()) == {""}


BEFORE = (
    # What files of `http` brought names its realm, unlike all else that the release stored.
    "UPDATE inbox SET connection = 'blog', plugin = 'http', realm = 'b.example' WHERE id = (SELECT min(id) FROM inbox)",
    """UPDATE signals SET source = 'shop', body = replace(replace(body, '"plugin":"mastodon"', '"plugin":"http"'), '"text":',
    '"realm":"b.example","text":') WHERE network = 'mastodon'""",
)


def test_a_source_of_a_file_keeps_one_name_space_for_authors_and_posts_if_it_was_there(filled: str) -> None:
    store = open_store(filled)
    with store.database.engine.begin() as conn:
        for statement in BEFORE:
            conn.exec_driver_sql(statement)
    store.database.migrate()
    names = ("blog", "shop", "later")
    store.inbox.add([RawItem(name, "http", b"1", NOON, f"new {name}", apart("b.example")) for name in names])
    with store.database.read() as read:
        rows = read.execute(text("SELECT connection, realm FROM inbox WHERE external_id LIKE 'new %'")).all()
    store.close()
    assert dict(map(tuple, rows)) == {"blog": "b.example", "shop": "b.example", "later": apart("b.example")}
