"""A connection's connector, made of its section of the configuration; whatever its plugin's code does then stops nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, TypeVar

import msgspec

from hub.config.ctrl_c import is_persons
from hub.config.references import SecretReference
from hub.config.rulebook import default_mappings, own_mappings
from hub.config.secrets import read_options, secret_values
from hub.config.settings import ConnectionSection, Settings
from hub.core.errors import ConfigError, ConnectorError, Problem, UnknownPlugin
from hub.core.spec import MappingSpec, Rule
from hub.registry import Registry
from hub.sdk.connectors import Connector, Options, Source
from hub.sdk.declared import misdeclared
from hub.sdk.http.redaction import Redactor

C = TypeVar("C", bound=Connector[Any])
T = TypeVar("T")
_LABEL = re.compile(r"\blabels\.(\w+)")


class FailsToStart(UnknownPlugin):
    """A plugin's own code raised while a connection was made."""


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
    options = options_of(settings, table, name, cls)
    return started(partial(construct, cls, options), settings, f"{table}.{name}", *secret_values(options))


def construct(cls: type[C], options: Options) -> C:
    """Make a connector. Raises TypeError if the engine cannot use what it declares about itself."""
    made = cls(options)
    if wrong := "; ".join(misdeclared(made)):
        raise TypeError(wrong)
    return made


def options_of(settings: Settings, table: str, name: str, cls: type[Connector[Any]]) -> Options:
    """Read a connection's options, with its secrets. Raises ConfigError if they are wrong."""
    section: ConnectionSection = getattr(settings, table)[name]
    at = f"{table}.{name}.options"
    raw = dict(section.options)
    for shared in cls.inherits:
        raw.setdefault(shared, getattr(settings.hub, shared))
    read = partial(read_options, cls.Options, raw, folder=settings.folder, file=str(settings.file), at=at)
    return started(read, settings, at)


def has_files(section: ConnectionSection) -> bool:
    """Return True if a secret of a connection stands in a file, its proxy's too: it may change while the hub runs."""
    members = (one for value in section.options.values() for one in (value if isinstance(value, list) else [value]))
    is_in_file = isinstance(section.proxy, SecretReference) and bool(section.proxy.file)
    return is_in_file or any(isinstance(one, Mapping) and set(one) == {"file"} for one in members)


def started(start: Callable[[], T], settings: Settings, at: str, *secrets: str) -> T:
    """Return what a plugin's own code makes; whatever else it raises counts as a plugin that cannot be had."""
    try:
        return start()
    except ConfigError:
        raise
    except BaseException as error:  # told by each that asks for the connection
        if is_persons(error):
            raise
        bug = ConnectorError(f"its plugin fails to start: {type(error).__name__}: {error}")
        Redactor(secrets).redact_error(bug)
        raise FailsToStart([Problem(str(settings.file), at, str(bug), "this is a bug of the plugin")]) from None


def plain_source(registry: Registry, plugin: str) -> Source[Any]:
    """Make a source of a plugin for translating only: options without a default are left unset, since translate is pure."""
    cls = registry.source(plugin)
    missing = {name: None for name, field_ in cls.Options.model_fields.items() if field_.is_required()}
    return cls(cls.Options.model_construct(**missing))


# ------------------------------------------------------------------------------------------- without a plugin


class Absent:
    """What a book is made without: the plugins that cannot be had, and the destinations whose mappings are not known either.

    `last` returns the mappings that a destination had last; `labels` are those that the book was compiled with.
    """

    def __init__(self, last: Callable[[str], dict[str, MappingSpec]]) -> None:
        self.last = last
        self.plugins: dict[str, str] = {}
        self.destinations: set[str] = set()
        self.labels: tuple[str, ...] = ()
        self.labels_unknown = False


def why_absent(registry: Registry, plugin: str) -> str:
    """Return why a plugin cannot be had, "" if it can."""
    try:
        return registry.load(plugin).reason
    except UnknownPlugin as error:
        return str(error)


def labels_named(rules: Iterable[Rule], specs: Mapping[str, Mapping[str, MappingSpec]]) -> tuple[str, ...]:
    """Return the names of labels that rules and mappings speak of: what an enricher that cannot be had gives is not known."""
    text = msgspec.json.encode([list(rules), dict(specs)]).decode()
    return tuple(dict.fromkeys(_LABEL.findall(text)))


def enricher_labels(
    settings: Settings, registry: Registry, found: list[Problem], *, absent: Absent | None = None
) -> tuple[str, ...]:
    """Return the label names that the configured enrichers may give."""
    names: list[str] = []
    for section in settings.enrichers.values():
        missing: list[Problem] = []
        cls = collect(missing, partial(registry.enricher, section.plugin))
        if absent is None:
            found += missing
        elif missing:
            absent.plugins[section.plugin], absent.labels_unknown = str(missing[0]), True
        names += cls.labels if cls else ()
    return tuple(dict.fromkeys(names))


def mapping_specs(
    settings: Settings, registry: Registry, name: str, found: list[Problem], *, absent: Absent | None = None
) -> dict[str, MappingSpec]:
    """Return a destination's mappings by name: those it ships, then the user's own for its plugin and for its name."""
    plugin, missing = settings.destinations[name].plugin, list[Problem]()
    cls = collect(missing, partial(registry.destination, plugin))
    if cls is None and absent is None:
        found += missing
        return {}
    shipped = cls.mappings if cls else registry.folder_of(plugin)
    specs = dict(collect(found, partial(default_mappings, shipped)) or {})
    if cls is None and absent is not None:
        absent.plugins[plugin] = str(missing[0])
        absent.destinations.add(name)
        specs = specs or absent.last(name)
    own = settings.folder / settings.files.mappings
    for folder in dict.fromkeys((own / plugin, own / name)):
        specs.update(own_mappings(folder, found))
    return specs


def collect(found: list[Problem], attempt: Callable[[], T]) -> T | None:
    """Return what is made; None if that raises a ConfigError, whose problems are added to `found`."""
    try:
        return attempt()
    except ConfigError as error:
        found += error.problems
        return None
