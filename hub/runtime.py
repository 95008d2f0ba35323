"""The composition root: one Hub out of a configuration file, and what it lends to plugins."""

from __future__ import annotations

import contextlib
import logging
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property, partial
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import structlog

from hub.config.private import close_to_others
from hub.config.rulebook import default_mappings, own_mappings, read_rules, read_topics
from hub.config.secrets import read_options, secret_values
from hub.config.settings import ConnectionSection, Settings, load_settings, unaddressed
from hub.config.traces import where_of
from hub.core.errors import ConfigError, ConnectorError, Problem, UnknownPlugin
from hub.core.grammar.facts import did_you_mean
from hub.core.ledger import Lane
from hub.core.mapping import CompiledMapping, compile_mapping
from hub.core.pipeline import Rulebook, check_rulebook
from hub.core.route import RuleSet, compile_rules, unknown_topics
from hub.core.spec import MappingSpec
from hub.core.topics import compile_topics
from hub.queue.bell import Bell, RedisBell
from hub.queue.embedded import socket_url
from hub.queue.pace import LocalPaces, Paces, RedisPaces
from hub.registry import Registry
from hub.sdk.connectors import Connector, Context, Destination, Enricher, Source
from hub.sdk.http import Guard, open_guard
from hub.sdk.http.redaction import Redactor
from hub.store import NewerDatabase, Store, StoreUnavailable, WrongRevision, open_store

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
    broken: dict[str, str] = field(default_factory=dict)
    paces: Paces = field(default_factory=LocalPaces)
    sizes: dict[str, dict[tuple[str, str], int]] = field(default_factory=dict)
    looked_ahead_at: datetime | None = None
    _guards: dict[str, Guard] = field(default_factory=dict)
    _made: dict[tuple[str, str], Connector[Any]] = field(default_factory=dict)

    def now(self) -> datetime:
        """Return the time now, aware UTC."""
        return self.clock()

    @cached_property
    def book(self) -> Rulebook:
        """The rules, topics and mappings, compiled; raises ConfigError with all that is wrong in them."""
        return read_book(self.settings, self.registry)

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
        return Context(
            connection=name,
            http=self._guard(place_of(name, connector), connector, section),
            now=self.clock,
            state=self.store.connections.memory(place_of(name, connector)),
            log=logging.LoggerAdapter(logging.getLogger(f"hub.plugin.{section.plugin}"), {"connection": name}),
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

    def close(self) -> None:
        """Close connections to vendors and to the database."""
        for guard in self._guards.values():
            guard.close()
        self.store.close()

    def _guard(self, place: str, connector: Connector[Any], section: ConnectionSection) -> Guard:
        if place not in self._guards:
            guard = self._guards[place] = open_guard(
                connector.egress(),
                allow_private=section.allow_private,
                timeout=section.timeout.total_seconds(),
                proxy=section.proxy or None,
                secrets=tuple(secret_values(connector.options)),
                sleep=self.sleep,
            )
            limits = (section.rate,) if section.rate else connector.limits
            guard.pace = self.paces.open(place, limits=limits, usage=connector.usage, throttled=connector.is_throttled)
        return self._guards[place]

    def _connector(
        self, table: str, name: str, sections: Mapping[str, ConnectionSection], find: Callable[[str], type[C]]
    ) -> C:
        made = self._made.get((table, name))
        if made is None:
            if name not in sections:
                known = ", ".join(sections) or "none"
                raise UnknownPlugin(
                    [Problem(str(self.settings.file), f"{table}.{name}", "is not configured", f"known: {known}")]
                )
            made = self._made[(table, name)] = make_connector(self.settings, table, name, find)
        return made  # type: ignore[return-value]  # the key's table tells the class


def place_of(name: str, connector: Connector[Any]) -> str:
    """Return the name that a connection's guard and memory are kept under: a source and a destination may have the same name."""
    return str(Lane("reply", name)) if isinstance(connector, Source) else name


def make_connector(settings: Settings, table: str, name: str, find: Callable[[str], type[C]]) -> C:
    """Construct a connection's connector with its checked options. Raises ConfigError if they are wrong."""
    section: ConnectionSection = getattr(settings, table)[name]
    try:
        cls = find(section.plugin)
    except UnknownPlugin as error:
        place = (str(settings.file), f"{table}.{name}.plugin")
        raise UnknownPlugin(
            [Problem(*place, f"{one.path}: {one.message}", one.hint) for one in error.problems]
        ) from error
    at = f"{table}.{name}.options"
    raw = dict(section.options)
    for shared in cls.inherits:
        raw.setdefault(shared, getattr(settings.hub, shared))
    return cls(read_options(cls.Options, raw, folder=settings.folder, file=str(settings.file), at=at))


def plain_source(registry: Registry, plugin: str) -> Source[Any]:
    """Make a source of a plugin for translating only: options without a default are left unset, since translate is pure."""
    cls = registry.source(plugin)
    missing = {name: None for name, field_ in cls.Options.model_fields.items() if field_.is_required()}
    return cls(cls.Options.model_construct(**missing))


def read_book(settings: Settings, registry: Registry) -> Rulebook:
    """Compile rules, topics and mappings. Raises ConfigError with all problems of all files."""
    found: list[Problem] = []
    rules_file, topics_file = settings.folder / settings.files.rules, settings.folder / settings.files.topics
    labels = enricher_labels(settings, registry, found)
    rules = _collect(found, lambda: compile_rules(read_rules(rules_file), file=str(rules_file), labels=labels))
    topics = _collect(found, lambda: compile_topics(read_topics(topics_file)))
    mappings = _read_mappings(settings, registry, found, labels=labels)
    if found or rules is None or topics is None:
        raise ConfigError(found)
    found += unknown_topics(rules.rules, [one.name for one in topics.topics], file=str(rules_file))
    found += _unknown_private(settings, rules)
    if found:
        raise ConfigError(found)
    private = frozenset(settings.hub.private_rules)
    book = Rulebook(rules, topics, mappings, private, settings.hub.uncertain_below)
    if unfit := check_rulebook(book, file=str(rules_file)):
        raise ConfigError(unfit)
    return book


def _unknown_private(settings: Settings, rules: RuleSet) -> Iterator[Problem]:
    for name in settings.hub.private_rules:
        if name not in rules.by_name:
            hint = did_you_mean(name, rules.by_name) if rules.by_name else "there is no rule"
            yield Problem(str(settings.file), "hub.private_rules", f'there is no rule "{name}"', hint)


def enricher_labels(settings: Settings, registry: Registry, found: list[Problem]) -> tuple[str, ...]:
    """Return the label names that the configured enrichers may give."""
    names: list[str] = []
    for section in settings.enrichers.values():
        cls = _collect(found, partial(registry.enricher, section.plugin))
        names += cls.labels if cls else ()
    return tuple(dict.fromkeys(names))


def book_versions(book: Rulebook) -> list[tuple[str, str, str, str]]:
    """Return hash, kind, name and content of all that is active, for the store to keep."""

    def text(value: Any) -> str:
        return msgspec.json.encode(value).decode()

    entries = [(book.rules.version, "rules", "rules", text(book.rules.rules))]
    entries.append((book.topics.version, "topics", "topics", text(book.topics.topics)))
    entries += [(one.version, "mapping", "/".join(name), text(one.spec)) for name, one in book.mappings.items()]
    return entries


def _read_mappings(
    settings: Settings, registry: Registry, found: list[Problem], *, labels: tuple[str, ...]
) -> dict[tuple[str, str], CompiledMapping]:
    compiled: dict[tuple[str, str], CompiledMapping] = {}
    for name in settings.destinations:
        for mapping, spec in mapping_specs(settings, registry, name, found).items():
            file = f"mappings/{name}/{mapping}.toml"
            make = partial(compile_mapping, spec, name=mapping, file=file, labels=labels)
            one = _collect(found, make)
            if one is not None:
                compiled[(name, mapping)] = one
    return compiled


def mapping_specs(settings: Settings, registry: Registry, name: str, found: list[Problem]) -> dict[str, MappingSpec]:
    """Return a destination's mappings by name: those it ships, then the user's own for its plugin and for its name."""
    plugin = settings.destinations[name].plugin
    cls = _collect(found, partial(registry.destination, plugin))
    if cls is None:
        return {}
    specs = dict(_collect(found, partial(default_mappings, cls.mappings)) or {})
    own = settings.folder / settings.files.mappings
    for folder in dict.fromkeys((own / plugin, own / name)):
        specs.update(_collect(found, partial(own_mappings, folder)) or {})
    return specs


def _collect(found: list[Problem], attempt: Callable[[], T]) -> T | None:
    try:
        return attempt()
    except ConfigError as error:
        found += error.problems
        return None


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
    return Hub(settings, store, bell, Registry(), paces=paces)


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
    return settings.redis.url or socket_url(settings.data)


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


def set_up_logging(*, level: str = "INFO") -> None:
    """Set up structured logs on stderr: pretty on a terminal, JSON otherwise."""
    terminal = sys.stderr.isatty()
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.ExceptionRenderer(where_of),
    ]
    last = structlog.dev.ConsoleRenderer() if terminal else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processor=last, foreign_pre_chain=shared))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # A log that cannot be written would print the exception at hand, which is not redacted.
    logging.raiseExceptions = False
    for noisy in ("rq.worker", "httpx", "httpcore", "urllib3", "alembic"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


__all__ = ["Hub", "find_config", "open_hub", "read_book", "redis_url", "set_up_logging", "tie_to_parent"]
