"""The composition root: one Hub out of a configuration file, and what it lends to plugins."""

from __future__ import annotations

import contextlib
import logging
import math
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from hub.config.logs import LateLogger, set_up_logging
from hub.config.private import close_to_others
from hub.config.references import read_address
from hub.config.secrets import passwords, secret_values
from hub.config.settings import ConnectionSection, Settings, load_settings, unaddressed
from hub.core.errors import ConfigError, ConnectorError, Problem, UnknownPlugin
from hub.core.ledger import Lane
from hub.core.spec import MappingSpec
from hub.queue.bell import Bell, RedisBell
from hub.queue.embedded import socket_url
from hub.queue.pace import LocalPaces, Paces, RedisPaces
from hub.registry import Quarantine, Registry
from hub.sdk.connectors import Connector, Context, Destination, Enricher, Source
from hub.sdk.http.redaction import Redactor
from hub.store import NewerDatabase, Store, StoreUnavailable, WrongRevision, open_store
from hub.wiring import (
    Absent,
    FailsToStart,
    construct,
    has_files,
    make_connector,
    options_of,
    plain_source,
    started,
)

if TYPE_CHECKING:
    from hub.core.pipeline import Rulebook
    from hub.sdk.http import Guard
    from hub.store.activations import BookVersions

log = LateLogger(__name__)
REREAD_S = 10.0  # between two looks into a secret's file
GRACE_S = 20.0  # from the supervisor's end to a hard one
C = TypeVar("C", bound=Connector[Any])
T = TypeVar("T")
Clock = Callable[[], datetime]


def system_clock() -> datetime:
    """Return the time now, aware UTC: the only place that asks the machine."""
    return datetime.now(UTC)  # noqa: TID251 - this is the clock


def _seconds() -> float:
    return system_clock().timestamp()


@dataclass
class Hub:
    """Everything that a step needs, made once in a process. `jitter` gives numbers in [-1, 1]; `sleep` waits, in seconds.

    `sizes` holds how many records an outlet takes at once, by its name, then (object, operation), as its plugin said.
    `broken` holds why connections cannot be had now, by place (`destinations.NAME`), `absent` the plugins without which the book
    was made, `renewed` the connections (table, name) whose secrets have changed and of which nothing has been freed yet,
    `calls` since when plugins are called, by place, `tried_completing` the activation, the plugins that could be had again and
    the files' digest of the last try with them.
    """

    settings: Settings
    store: Store
    bell: Bell
    registry: Registry
    clock: Clock = system_clock
    jitter: Callable[[], float] = field(default=lambda: random.uniform(-1, 1))  # noqa: S311 - spreads retries, guards nothing
    sleep: Callable[[float], None] = time.sleep
    stopping: threading.Event = field(default_factory=threading.Event)
    loaded: set[str] = field(default_factory=set)
    broken: Quarantine = field(default_factory=Quarantine)
    absent: frozenset[str] = frozenset()
    paces: Paces = field(default_factory=LocalPaces)
    sizes: dict[str, dict[tuple[str, str], int]] = field(default_factory=dict)
    looked_ahead_at: datetime | None = None
    activation: int | None = None
    refused_activation: int | None = None
    calls: dict[str, datetime] = field(default_factory=dict)
    tried_completing: tuple[int | None, frozenset[str], str] | None = None
    _guards: dict[str, Guard] = field(default_factory=dict)
    _made: dict[tuple[str, str], Connector[Any]] = field(default_factory=dict)
    renewed: set[tuple[str, str]] = field(default_factory=set)
    _read_at: dict[tuple[str, str], float] = field(default_factory=dict)
    _proxies: dict[str, str] = field(default_factory=dict)

    def now(self) -> datetime:
        """Return the time now, aware UTC."""
        return self.clock()

    @cached_property
    def book(self) -> Rulebook:
        """The rules, topics and mappings that are active, compiled; as long as none were activated, those of the files.

        Destinations whose plugin cannot be had keep the mappings that they had last, so that what is for them waits.
        Raises ConfigError with all that is wrong in them.
        """
        active = self.store.activations.current()
        self.activation = active.id if active else None
        if active is None:
            book, absent = self.read_files()
            self.absent = frozenset(absent.plugins)
            return book
        self.absent = frozenset(active.book.absent)
        return self._load_book(active.book)

    def _load_book(self, active: BookVersions) -> Rulebook:
        from hub.books import load_book  # noqa: PLC0415 - the evaluator and its like: a command that only lists needs none

        return load_book(self.settings, active, self.store.activations.contents(active))

    def read_files(self) -> tuple[Rulebook, Absent]:
        """Read the files, and note without which plugins that had to be done. Raises ConfigError with all that is wrong."""
        from hub.books import read_book  # noqa: PLC0415 - see above

        absent = Absent(self._last_mappings)
        return read_book(self.settings, self.registry, absent=absent), absent

    def _last_mappings(self, destination: str) -> dict[str, MappingSpec]:
        """Return the mappings that a destination has by what is active, else had when it had some last."""
        active, prefix = self.store.activations.current(), f"{destination}/"
        found = self.store.activations.mappings(active.book, prefix) if active else {}
        found = found or self.store.connections.last_versions("mapping", prefix)
        return {name.partition("/")[2]: msgspec.json.decode(text, type=MappingSpec) for name, text in found.items()}

    def take_up(self) -> bool:
        """Take up what was activated since the book was loaded; True if something was. Call it between two pieces of work.

        What this process cannot compile is told once, and what it has stays.
        """
        if "book" not in self.__dict__:
            return False
        newest = self.store.activations.newest()
        if newest is None or newest in (self.activation, self.refused_activation):
            return False
        active = self.store.activations.current()
        assert active is not None
        try:
            self.book = self._load_book(active.book)
        except ConfigError as error:
            self.refused_activation = active.id
            log.error("what was activated cannot be used here: what was active before stays", error=str(error))  # noqa: TRY400 - it says why
            return False
        self.activation, self.absent = active.id, frozenset(active.book.absent)
        log.info("rules, topics and mappings were activated", activation=active.id, rules=self.book.rules.version[:8])
        return True

    def source(self, name: str) -> Source[Any]:
        """Return a configured source by its name."""
        return self._connector("sources", name, self.settings.sources, self.registry.source)

    def destination(self, name: str) -> Destination[Any]:
        """Return a configured destination by its name."""
        return self._connector("destinations", name, self.settings.destinations, self.registry.destination)

    def enricher(self, name: str) -> Enricher[Any]:
        """Return a configured enricher by its name; its models are loaded when it first works."""
        return self._connector("enrichers", name, self.settings.enrichers, self.registry.enricher)

    def reader(self, plugin: str, source: str = "") -> Source[Any]:
        """Return the source that translates raw items of a plugin: the configured one, else one with default options."""
        section = self.settings.sources.get(source)
        if section is not None and section.plugin == plugin:
            return self.source(source)
        return plain_source(self.registry, plugin)

    def context(self, name: str, connector: Connector[Any], section: ConnectionSection) -> Context:
        """Return what a connector is lent for a call: its guarded HTTP, memory, clock and log."""
        guard = self._guard(place_of(name, connector), connector, section)
        return Context(
            connection=name,
            http=guard,
            now=self.clock,
            state=self.store.connections.memory(place_of(name, connector)),
            log=guard.log(logging.getLogger(f"hub.plugin.{section.plugin}"), name),
            public_url=self.settings.public_url,
        )

    def source_context(self, name: str) -> Context:
        """Return the context of a source."""
        return self.context(name, self.source(name), self.settings.sources[name])

    def destination_context(self, name: str) -> Context:
        """Return the context of a destination."""
        return self.context(name, self.destination(name), self.settings.destinations[name])

    def too_early(self, name: str) -> float:
        """Return the seconds until an outlet's pace lets a request out: 0.0 if a request may leave or waits but a moment.

        An outlet is a destination, or `sources/NAME`: a source that answers.
        """
        connector: Connector[Any]
        section: ConnectionSection
        lane = Lane.of_outlet(name)
        if lane.work == "reply":
            connector, section = self.source(lane.name), self.settings.sources[lane.name]
        else:
            connector, section = self.destination(name), self.settings.destinations[name]
        return self._guard(name, connector, section).too_early()

    def redact(self, name: str, error: ConnectorError) -> None:
        """Redact a connection's secrets in an error, in place, before it is stored or logged."""
        bare = name.rpartition("/")[2]
        for place, guard in list(self._guards.items()):
            if place.rpartition("/")[2] == bare:
                guard.redact_error(error)
        # A process that only translates or enriches opens no guard.
        for (_, made), connector in list(self._made.items()):
            if made == bare:
                Redactor(secret_values(connector.options)).redact_error(error)

    def reread(self, table: str, name: str) -> bool:
        """Read a connection's secrets from their files again; True if they have changed: it is made again with the new ones.

        Files that cannot be read now, or hold nothing that will do, leave it as it is.
        """
        made = self._made.get((table, name))
        if made is None or (table, name) not in self._read_at:
            return False
        self._read_at[table, name] = time.monotonic() + REREAD_S
        try:
            options = options_of(self.settings, table, name, type(made))
            is_same = dict(options) == dict(made.options)  # whole, they would differ by what an object keeps for itself
            if is_same and not self._has_new_proxy(place_of(name, made), getattr(self.settings, table)[name]):
                return False
            if not is_same:
                self._made[table, name] = started(
                    partial(construct, type(made), options), self.settings, name, *secret_values(options)
                )
        except ConfigError as error:
            log.warning("secrets could not be read again", connection=name, error=str(error))
            return False
        guard = self._guards.pop(place_of(name, made), None)
        if guard is not None:
            guard.close()
        self.renewed.add((table, name))
        log.info("a connection has new secrets", connection=name)
        return True

    def is_doubtful(self, table: str, name: str) -> bool:
        """Return True if a connection's secrets are to be read again when it is used next."""
        return self._read_at.get((table, name), math.inf) <= time.monotonic()

    def settled(self, place: tuple[str, str]) -> Connector[Any] | None:
        """Return a connection as it was made last; None if it was not yet, or its secrets are to be read again first."""
        return self._made.get(place) if self._read_at.get(place, math.inf) > time.monotonic() else None

    def made(self, table: str, name: str) -> Connector[Any] | None:
        """Return a connection as it was made last, None if it was not yet; nothing is read and nothing made."""
        return self._made.get((table, name))

    def doubt(self, table: str, name: str) -> None:
        """Read a connection's secrets again when it is used next: they were refused."""
        if (table, name) in self._read_at:
            self._read_at[table, name] = 0.0

    def close(self) -> None:
        """Close connections to vendors and to the database."""
        for guard in self._guards.values():
            guard.close()
        self.store.close()

    def _guard(self, place: str, connector: Connector[Any], section: ConnectionSection) -> Guard:
        from hub.sdk.http import open_guard  # noqa: PLC0415 - a command that only looks asks for no page

        if place not in self._guards:
            proxy = self._proxies[place] = self._proxy(place, section)
            guard = self._guards[place] = open_guard(
                connector.egress(),
                allow_private=section.allow_private,
                timeout=section.timeout.total_seconds(),
                proxy=proxy or None,
                secrets=(*secret_values(connector.options), *passwords(proxy)),
                sleep=self.sleep,
            )
            limits = (section.rate,) if section.rate else connector.limits
            guard.pace = self.paces.open(place, limits=limits, usage=connector.usage, throttled=connector.is_throttled)
        return self._guards[place]

    def _proxy(self, place: str, section: ConnectionSection) -> str:
        """Read the address of a connection's proxy. Raises ConfigError."""
        told = Problem(str(self.settings.file), f"the proxy of {place}", "")
        return read_address(section.proxy, told, self.settings.folder)

    def _has_new_proxy(self, place: str, section: ConnectionSection) -> bool:
        return place in self._guards and self._proxy(place, section) != self._proxies.get(place)

    def _connector(
        self, table: str, name: str, sections: Mapping[str, ConnectionSection], find: Callable[[str], type[C]]
    ) -> C:
        made = self._made.get((table, name))
        if made is not None and self.is_doubtful(table, name) and self.reread(table, name):
            made = self._made[table, name]
        if made is None:
            if name not in sections:
                known = ", ".join(sections) or "none"
                raise UnknownPlugin(
                    [Problem(str(self.settings.file), f"{table}.{name}", "is not configured", f"known: {known}")]
                )
            try:
                made = self._made[(table, name)] = make_connector(self.settings, table, name, find)
            except FailsToStart:
                self.registry.forget(sections[name].plugin)
                raise
            if has_files(sections[name]):
                self._read_at[table, name] = time.monotonic() + REREAD_S
        return made  # type: ignore[return-value]  # the key's table tells the class


def place_of(name: str, connector: Connector[Any]) -> str:
    """Return the name that a connection's guard and memory are kept under: a source and a destination may have the same name."""
    return str(Lane("reply", name)) if isinstance(connector, Source) else name


def find_config(given: Path | None = None) -> Path:
    """Return the path of the configuration file: the one given, HUBBUB_CONFIG, or ./config.toml."""
    return given or Path(os.environ.get("HUBBUB_CONFIG") or "config.toml")


def open_hub(
    file: Path | None = None, *, bell: Bell | None = None, migrate: bool = False, patience_s: float = 0.0
) -> Hub:
    """Open a Hub of a configuration file; `migrate` brings the database to this program's revision first.

    Raises ConfigError, or WrongRevision if the database needs `hub db upgrade` (and did not get it within `patience_s`:
    beside `hub up` another process is at it).
    """
    settings = load_settings(find_config(file))
    if missing := unaddressed(settings):
        raise ConfigError(missing)
    # A caller with a bell of its own works alone.
    paces = LocalPaces(_seconds) if bell else RedisPaces(redis_url(settings), _seconds)
    bell = bell or RedisBell(redis_url(settings))
    if settings.data != settings.folder:
        close_to_others(settings.data)
    store = open_store(settings.database_url)
    try:
        if migrate:
            store.database.migrate()
        await_revision(store, patience_s)
    except BaseException:
        store.close()
        raise
    return Hub(settings, store, bell, Registry(owners=settings.plugins), paces=paces)


def await_revision(store: Store, patience_s: float) -> None:
    """Wait until the database has this program's revision; raises WrongRevision or StoreUnavailable in the end."""
    end = time.monotonic() + patience_s
    while True:
        try:
            return store.database.check_revision()
        except (WrongRevision, StoreUnavailable):
            if time.monotonic() >= end:
                raise
        time.sleep(0.05)


def refuse_newer_database(settings: Settings) -> None:
    """Raise NewerDatabase if a newer program has upgraded the database: no start of a part would help.

    One that is not there yet, or cannot be reached now, is left to the parts, which wait for it.
    """
    if is_absent(settings):
        return
    store = open_store(settings.database_url)
    try:
        store.database.check_revision()
    except NewerDatabase:
        raise
    except (WrongRevision, StoreUnavailable):
        return
    finally:
        store.close()


def is_absent(settings: Settings) -> bool:
    """Return True if this is SQLite and its file is not there: what only looks must not make an empty one."""
    scheme, _, place = settings.database_url.partition(":///")
    return scheme.startswith("sqlite") and place not in ("", ":memory:") and not Path(place.partition("?")[0]).exists()


def redis_url(settings: Settings) -> str:
    """Return the URL of the Redis to use: the configured one, else the embedded one's socket."""
    return settings.redis_url or socket_url(settings.data)


def tie_to_parent() -> None:
    """End when standard input ends: the supervisor holds the other end, so its kill -9 ends this process too."""

    def watch() -> None:
        # Not through sys.stdin: Python aborts if a daemon thread holds its lock at the end.
        with contextlib.suppress(OSError):
            while os.read(0, 64):
                pass
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(GRACE_S)
        os._exit(1)

    threading.Thread(target=watch, name="parent", daemon=True).start()


__all__ = [
    "Hub",
    "find_config",
    "make_connector",
    "open_hub",
    "plain_source",
    "redis_url",
    "set_up_logging",
    "tie_to_parent",
]
