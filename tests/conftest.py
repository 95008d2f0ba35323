"""What tests share: both databases, a hub on fakes, and the rule that nothing is skipped where the material is there."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from time import monotonic

import pytest
import structlog
from hypothesis import HealthCheck, settings

from hub.store import Store
from tests.databases import TEMPLATE, Databases, Postgres
from tests.house.measures import ROOT
from tests.hubs import Made, make_hub
from tests.logs import root_kept
from tests.postgres import find_programs, postgres

# How quick an example is says nothing of the program on a machine that others use too.
settings.register_profile("hubbub", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("hubbub")


def pytest_runtest_setup() -> None:
    """Begin each test with Python's own answer to Ctrl-C: parts that ran in this process answer it otherwise."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def unlogged() -> Iterator[None]:
    """Logging may be set up in the test: the next one gets it back as it was."""
    with root_kept():
        yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Databases]:
    """The migrated SQLite file and the engines of this session."""
    made = Databases(tmp_path_factory.mktemp("databases"))
    yield made
    made.close()


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Postgres]:
    """The session's PostgreSQL server."""
    programs = find_programs()
    if programs is None:
        pytest.skip("PostgreSQL's programs (initdb, postgres) are not installed")
    with postgres(programs) as folder:
        yield Postgres(folder)


@pytest.fixture(scope="session")
def shared_postgres_url(postgresql: Postgres) -> Iterator[str]:
    """One migrated PostgreSQL database for all tests of the session."""
    with postgresql.fresh(template=TEMPLATE) as url:
        yield url


@pytest.fixture
def postgres_url(postgresql: Postgres, shared_postgres_url: str) -> Iterator[str]:
    """The session's migrated PostgreSQL database; emptied after the test."""
    yield shared_postgres_url
    postgresql.empty(shared_postgres_url)


@pytest.fixture
def sqlite_url(databases: Databases, tmp_path: Path) -> str:
    """A migrated SQLite file, `hub.db` in the test's folder."""
    return databases.sqlite(tmp_path / "hub.db")


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """A migrated, empty database of each kind."""
    url: str = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def own_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database of each kind that nothing was done to, for tests that migrate, change the schema or start processes."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'hub.db'}"
        return
    server: Postgres = request.getfixturevalue("postgresql")
    with server.fresh() as url:
        yield url


@pytest.fixture
def store(database_url: str, databases: Databases) -> Iterator[Store]:
    """A migrated store on each database."""
    opened = databases.open(database_url)
    yield opened
    opened.close()


@pytest.fixture
def sqlite_store(sqlite_url: str, databases: Databases) -> Iterator[Store]:
    """A migrated store on SQLite."""
    opened = databases.open(sqlite_url)
    yield opened
    opened.close()


@pytest.fixture
def new_hub(database_url: str, databases: Databases, tmp_path: Path) -> Iterator[Callable[..., Made]]:
    """Makes hubs on each database with fake connectors and a settable clock; see `tests.hubs`."""
    made: list[Made] = []

    def make(**wanted: object) -> Made:
        made.append(make_hub(databases.open(database_url), tmp_path, **wanted))  # type: ignore[arg-type]  # passed through
        return made[-1]

    yield make
    for one in made:
        one.hub.close()


NETWORKS = frozenset(
    f"tests/acceptance/test_{name}.py"
    for name in ("answers", "bluesky", "bluesky_manners", "mastodon", "mention_to_ticket")
)
"""Test files that share the real servers of two networks."""
BEGUN = monotonic()
OVER = "the time is over; `make check` runs all"
SLOW = {"acceptance": "servers", "chaos": "kills", "browser": "browser"}
"""Folders of tests that `make check` leaves out, and the marker of each."""


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Generator[None, None, None]:
    """Mark the slow kinds, and begin with what takes longest."""
    for item in items:
        if not item.path.is_relative_to(ROOT):
            continue
        kind = SLOW.get(item.path.relative_to(ROOT).parts[1])
        if kind:
            item.add_marker(kind)
        if _needs_postgresql(item):
            item.add_marker("postgresql")
    yield
    items.sort(key=lambda item: not any(map(item.get_closest_marker, SLOW.values())))


def _needs_postgresql(item: pytest.Item) -> bool:
    given = getattr(getattr(item, "callspec", None), "params", {}).values()
    return "postgresql" in given or "postgresql" in getattr(item, "fixturenames", ())


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """Give each file to one worker, and all files that share a real server to the same one."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            return "networks" if file in NETWORKS else file

    return ByFile(config, log)  # type: ignore[arg-type]  # xdist's own producer of log lines


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--max-seconds`, for `make quick`."""
    parser.addoption("--max-seconds", type=float, default=0.0, help="run no further test after so many seconds")


def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Stop where the time that was given is over."""
    most = item.config.getoption("--max-seconds")
    if most and nextitem is not None and monotonic() - BEGUN > most:
        item.session.shouldstop = OVER


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail the run for a skipped test if HUBBUB_NO_SKIPS is set; time that is over is no failure."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = len(reporter.stats.get("skipped", [])) if reporter else 0
    if session.shouldstop == OVER and not session.testsfailed:
        session.exitstatus = pytest.ExitCode.OK
    if os.environ.get("HUBBUB_NO_SKIPS") and skipped and session.exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
