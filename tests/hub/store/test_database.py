"""The database itself: refused, locked, full, of another revision."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Column, Connection, Integer, event, insert, select, text, update
from sqlalchemy.exc import IntegrityError

from hub.core.errors import ConfigError, NewerDatabase
from hub.store import Store, StoreUnavailable, WrongRevision, open_store
from hub.store.database import NAP_S, among, chunks, holder_is_gone, lease_token, open_database
from hub.store.schema import deliveries, inbox, needs, signals, storable
from tests.hub.store.given import NOON, judged, plan, raw, record, signal

Limited = Callable[[str], Store]


@pytest.fixture
def limited(tmp_path: Path) -> Iterator[Limited]:
    """Opens the SQLite store of the test once more, with a pragma on each of its connections."""
    opened: list[Store] = []

    def make(pragma: str) -> Store:
        store = open_store(f"sqlite:///{tmp_path / 'hub.db'}")
        event.listen(store.database.engine, "connect", lambda dbapi, _: dbapi.execute(f"PRAGMA {pragma}"))
        opened.append(store)
        return store

    first = open_store(f"sqlite:///{tmp_path / 'hub.db'}")
    first.database.migrate()
    opened.append(first)
    yield make
    for store in opened:
        store.close()


@pytest.fixture
def locked(tmp_path: Path, limited: Limited) -> Iterator[None]:
    """Another process writes, and does not end."""
    other = sqlite3.connect(tmp_path / "hub.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    yield
    other.close()


@pytest.mark.parametrize(
    ("pragma", "value"), [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1), ("busy_timeout", 10_000)]
)
def test_a_commit_in_sqlite_is_durable_and_locks_out_no_reader(tmp_path: Path, pragma: str, value: object) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'hub.db'}")
    found = []
    for transaction in (store.database.write, store.database.read):
        with transaction() as conn:
            found.append(conn.exec_driver_sql(f"PRAGMA {pragma}").scalar())
    store.close()
    assert found == [value, value]


def test_only_what_is_borrowed_does_not_wait_for_the_disk(store: Store) -> None:
    def waits(conn: Connection) -> str:
        query = "PRAGMA synchronous" if store.database.is_sqlite else "SHOW synchronous_commit"
        return {"1": "no", "2": "yes", "off": "no", "on": "yes"}[str(conn.exec_driver_sql(query).scalar_one())]

    for _ in range(2):  # the same pooled connection, again
        with store.database.borrow() as conn:
            assert waits(conn) == "no"
        with store.database.write() as conn:
            assert waits(conn) == "yes"


def test_what_is_borrowed_is_there_for_others_at_once_and_undone_by_a_failure(store: Store) -> None:
    store.inbox.add([raw()])
    token, rows = store.inbox.claim(limit=10, now=NOON)
    assert (len(rows), store.inbox.claim(limit=10, now=NOON)[1]) == (1, [])
    store.inbox.release(token)
    with pytest.raises(RuntimeError), store.database.borrow() as conn:
        conn.execute(update(inbox).values(state="leased"))
        raise RuntimeError
    assert store.inbox.counts() == {"new": 1}


def test_a_database_that_another_process_has_locked_is_unavailable(limited: Limited, locked: None) -> None:
    with pytest.raises(StoreUnavailable, match="database is locked"):
        limited("busy_timeout=50").inbox.add([raw()])


@pytest.mark.parametrize("looks", [1, 40])
def test_a_writer_that_waits_looks_every_few_milliseconds(
    tmp_path: Path, limited: Limited, monkeypatch: pytest.MonkeyPatch, looks: int
) -> None:
    store, naps = limited("busy_timeout=10000"), list[float]()
    other = sqlite3.connect(tmp_path / "hub.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    def nap(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) == looks:
            other.execute("COMMIT")

    monkeypatch.setattr("hub.store.database.time.sleep", nap)
    assert store.inbox.add([raw()]) == 1
    assert naps == [NAP_S] * looks
    other.close()


def test_a_locked_database_can_still_be_read(limited: Limited, locked: None) -> None:
    assert limited("busy_timeout=50").inbox.counts() == {}


def test_a_full_disk_is_unavailable_and_leaves_nothing_half_written(limited: Limited) -> None:
    store = limited("max_page_count=1")  # SQLite raises it to what the file has
    with pytest.raises(StoreUnavailable, match="full"):
        store.inbox.add(raw(number, payload=os.urandom(3000)) for number in range(200))
    assert store.inbox.counts() == {}


def test_after_a_full_disk_the_store_goes_on(limited: Limited) -> None:
    with pytest.raises(StoreUnavailable):
        limited("max_page_count=1").inbox.add(raw(number, payload=os.urandom(3000)) for number in range(200))
    assert limited("max_page_count=100000").inbox.add([raw()]) == 1


def test_a_transaction_that_fails_leaves_nothing(store: Store) -> None:
    with pytest.raises(ZeroDivisionError), store.database.write() as conn:
        store.inbox.add([raw()], conn=conn)
        raise ZeroDivisionError
    assert store.inbox.counts() == {}


def test_two_writers_on_sqlite_wait_for_each_other(limited: Limited) -> None:
    stores = [limited("busy_timeout=10000") for _ in range(3)]
    threads = [
        threading.Thread(target=lambda n=n: [stores[n].inbox.add([raw(f"{n}-{i}")]) for i in range(30)])
        for n in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert stores[0].inbox.counts() == {"new": 90}


@pytest.mark.parametrize("column", [signals.c.key, signals.c.conversation_key, deliveries.c.id], ids=str)
def test_many_keys_are_looked_up_in_the_columns_index(store: Store, column: Column[Any]) -> None:
    keys = [1, 2] if isinstance(column.type, Integer) else ["a", "b"]
    with store.database.read() as conn:
        query = select(column).where(among(column, keys)).compile(conn)
        if store.database.is_sqlite:
            (plan, *_) = conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}", ("[]",)).all()
        else:
            conn.execute(text("SET LOCAL enable_seqscan = off"))  # it would read the whole of an empty table
            plan = conn.exec_driver_sql(f"EXPLAIN {query}", query.params).all()
    assert any(word in str(plan) for word in ("SEARCH", "Index Cond"))


@pytest.mark.parametrize(
    "keys", [[], ["a"], ["a", "b\x00", "\ud800"], [f"k{number}" for number in range(2000)]], ids=len
)
def test_many_keys_find_what_they_name_and_nothing_else(store: Store, keys: list[str]) -> None:
    with store.database.write() as conn:
        wanted = ["a", "b\x00", "\ud800", "k7", "z"]
        store.signals.add(conn, [judged(signal(key)) for key in wanted])
        found = set(conn.scalars(select(signals.c.key).where(among(signals.c.key, keys))))
    assert found == {storable(key) for key in wanted if key in keys}


def test_a_mistake_in_a_query_is_a_bug_and_no_outage(store: Store) -> None:
    with pytest.raises(IntegrityError), store.database.write() as conn:
        conn.execute(insert(needs), [{"delivery_id": 99, "need": "x"}])


def test_a_postgresql_that_is_away_is_unavailable(tmp_path: Path) -> None:
    store = open_store(f"postgresql://hub@/hub?host={tmp_path}")
    for attempt in (store.database.migrate, store.database.check_revision, store.inbox.counts):
        with pytest.raises(StoreUnavailable):
            attempt()
    store.close()


def test_postgresql_compiles_no_query(postgres_store: Store) -> None:
    with postgres_store.database.write() as conn:
        conn.rollback()
    with postgres_store.database.read() as conn:
        assert conn.scalar(text("SHOW jit")) == "off"


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    (tmp_path / "hub.db").write_bytes(b"no database at all " * 100)
    store = open_store(f"sqlite:///{tmp_path / 'hub.db'}")
    with pytest.raises(StoreUnavailable, match=r"hub\.db is not a database: put it away"):
        store.database.check_revision()
    store.close()


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    with pytest.raises(StoreUnavailable, match="folder cannot be made"):
        open_store(f"sqlite:///{tmp_path / 'data' / 'hub.db'}")


@pytest.mark.parametrize(
    "url", ["", "hub.db", "mysql://me:secret@db/hub", "nonsense://x", "postgresql://u:secret@h:port/x"]
)
def test_a_url_of_another_kind_is_an_error_of_the_configuration_without_the_password(url: str) -> None:
    with pytest.raises(ConfigError, match=r"database\.url") as caught:
        open_database(url)
    assert "secret" not in str(caught.value)


# ---------------------------------------------------------------------------------------------------------- migrations


def test_migrating_twice_changes_nothing(store: Store) -> None:
    plan(store, record("a"))
    store.database.migrate()
    store.database.check_revision()
    assert len(store.outbox.recent()) == 1


def test_many_that_migrate_at_once_do_no_harm(own_database: str) -> None:
    stores = [open_store(own_database) for _ in range(4)]
    failed: list[Exception] = []

    def work(store: Store) -> None:
        try:
            store.database.migrate()
        except Exception as error:  # noqa: BLE001 - told below
            failed.append(error)

    threads = [threading.Thread(target=work, args=(store,)) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stores[0].database.check_revision()
    for store in stores:
        store.close()
    assert failed == []


def test_an_empty_database_has_the_wrong_revision(own_database: str) -> None:
    store = open_store(own_database)
    with pytest.raises(WrongRevision, match=r"revision None.*hub db upgrade"):
        store.database.check_revision()
    store.close()


def test_a_newer_database_is_refused_not_changed(store: Store) -> None:
    with store.database.write() as conn:
        conn.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for attempt in (store.database.migrate, store.database.check_revision):
        with pytest.raises(NewerDatabase, match=r"9999.*Install that version again.*hub restore"):
            attempt()


def test_foreign_keys_are_on_again_after_a_migration(store: Store) -> None:
    with pytest.raises(IntegrityError), store.database.write() as conn:
        conn.execute(insert(needs), [{"delivery_id": 1, "need": "x"}])


def test_a_tables_rebuild_in_a_migration_keeps_its_children(limited: Limited, monkeypatch: pytest.MonkeyPatch) -> None:
    store = limited("busy_timeout=1000")
    plan(store, record("a", needs=("author:person:x",)))
    monkeypatch.setattr("hub.store.database.HEAD", "9999")
    monkeypatch.setattr("hub.store.migrations.run.upgrade", rebuild)
    store.database.migrate()
    with store.database.read() as conn:
        assert conn.scalars(select(needs.c.need)).all() == ["author:person:x"]
        assert conn.scalar(text("PRAGMA foreign_keys")) == 1


def rebuild(conn: Any) -> None:
    """What Alembic does where SQLite cannot alter a table: copy, drop, rename."""
    from alembic.migration import MigrationContext
    from alembic.operations import Operations

    with Operations(MigrationContext.configure(conn)).batch_alter_table(deliveries.name, recreate="always") as batch:
        batch.drop_column("remote_url")


def test_foreign_keys_are_on_again_after_a_migration_that_failed(
    limited: Limited, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = limited("busy_timeout=1000")

    def fail(conn: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("hub.store.database.HEAD", "9999")
    monkeypatch.setattr("hub.store.migrations.run.upgrade", fail)
    with pytest.raises(ZeroDivisionError):
        store.database.migrate()
    with store.database.read() as conn:
        assert conn.scalar(text("PRAGMA foreign_keys")) == 1


# -------------------------------------------------------------------------------------------------------------- leases


def test_a_lease_names_its_process_and_is_never_given_twice() -> None:
    assert lease_token() != lease_token()
    assert lease_token().split("-")[1] == str(os.getpid())


def test_a_living_holder_is_not_gone_and_a_dead_one_is() -> None:
    host, pid, rest = lease_token().split("-")
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    assert (holder_is_gone(f"{host}-{pid}-{rest}"), holder_is_gone(f"{host}-{child}-{rest}")) == (False, True)
    assert not holder_is_gone(f"{host}-1-{rest}")


def test_another_machines_holder_is_never_judged() -> None:
    assert not holder_is_gone(f"00000000-{2**22 + 1}-ab")


def test_keys_are_taken_in_parts_that_a_statement_can_take() -> None:
    assert [len(part) for part in chunks(list(range(1200)))] == [500, 500, 200]


def test_times_come_back_aware_and_exact(store: Store) -> None:
    exact = NOON.replace(microsecond=123457)
    store.connections.beat("p", "process", now=exact)
    (beat,) = store.connections.beats(since=datetime.min.replace(tzinfo=NOON.tzinfo))
    assert beat["at"] == exact
