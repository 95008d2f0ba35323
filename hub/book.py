"""Rules, topics and mappings as one book: read from files, or from the versions that are active; compiled and held together."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any, TypeVar

import msgspec

from hub.config.rulebook import default_mappings, files_digest, own_mappings, read_rules, read_topics
from hub.config.settings import Settings
from hub.core.errors import ConfigError, Problem, UnknownPlugin
from hub.core.grammar.facts import did_you_mean
from hub.core.mapping import CompiledMapping, compile_mapping
from hub.core.pipeline import Rulebook, check_rulebook
from hub.core.route import RuleSet, compile_rules, unknown_topics
from hub.core.spec import MappingSpec, Rule, Topic
from hub.core.topics import compile_topics
from hub.registry import Registry
from hub.store.activations import BookVersions

_LABEL = re.compile(r"\blabels\.(\w+)")
T = TypeVar("T")


class Absent:
    """What a book is made without: the plugins that cannot be had, and the destinations whose mappings are not known either.

    `last` returns the mappings that a destination had last.
    """

    def __init__(self, last: Callable[[str], dict[str, MappingSpec]]) -> None:
        self.last = last
        self.plugins: dict[str, str] = {}
        self.destinations: set[str] = set()
        self.labels_unknown = False


def why_absent(registry: Registry, plugin: str) -> str:
    """Return why a plugin cannot be had, "" if it can."""
    try:
        return registry.load(plugin).reason
    except UnknownPlugin as error:
        return str(error)


def read_book(settings: Settings, registry: Registry, *, absent: Absent | None = None) -> Rulebook:
    """Compile rules, topics and mappings. Raises ConfigError with all problems of all files.

    With `absent` a plugin that cannot be had is noted there and is no problem: the rest must go on.
    """
    found: list[Problem] = []
    rules_file, topics_file = settings.folder / settings.files.rules, settings.folder / settings.files.topics
    specs = {name: mapping_specs(settings, registry, name, found, absent=absent) for name in settings.destinations}
    read = _collect(found, lambda: read_rules(rules_file)) or ()
    labels = enricher_labels(settings, registry, found, absent=absent)
    if absent is not None and absent.labels_unknown:
        labels += labels_named(read, specs)
    rules = _collect(found, lambda: compile_rules(read, file=str(rules_file), labels=labels))
    topics = _collect(found, lambda: compile_topics(read_topics(topics_file)))
    mappings = _compile_mappings(specs, found, labels=labels)
    if found or rules is None or topics is None:
        raise ConfigError(found)
    found += unknown_topics(rules.rules, [one.name for one in topics.topics], file=str(rules_file))
    found += _unknown_private(settings, rules)
    if found:
        raise ConfigError(found)
    private = frozenset(settings.hub.private_rules)
    unknown = frozenset(absent.destinations) if absent is not None else frozenset[str]()
    book = Rulebook(rules, topics, mappings, private, settings.hub.uncertain_below, unknown)
    if unfit := check_rulebook(book, file=str(rules_file)):
        raise ConfigError(unfit)
    return book


def load_book(settings: Settings, active: BookVersions, contents: Mapping[str, str]) -> Rulebook:
    """Compile versions that the database keeps. Raises ConfigError if this program cannot use them, or one is not there."""
    absent = {active.rules, active.topics, *active.mappings.values()} - set(contents)
    if absent:
        message = f"versions that are active are not in the database: {', '.join(sorted(absent))[:200]}"
        raise ConfigError([Problem("the active rules", "", message, "`hub reload` activates the files")])
    rules = msgspec.json.decode(contents[active.rules], type=tuple[Rule, ...])
    topics = msgspec.json.decode(contents[active.topics], type=tuple[Topic, ...])
    mappings = {}
    for path, version in active.mappings.items():
        destination, _, name = path.partition("/")
        spec = msgspec.json.decode(contents[version], type=MappingSpec)
        mappings[destination, name] = compile_mapping(spec, name=name, file=f"{path} (active)", labels=active.labels)
    compiled = compile_rules(rules, file="the active rules", labels=active.labels)
    private, below = frozenset(settings.hub.private_rules), settings.hub.uncertain_below
    return Rulebook(compiled, compile_topics(topics), mappings, private, below, frozenset(active.without))


def versions_of(settings: Settings, registry: Registry, book: Rulebook, absent: Absent) -> BookVersions:
    """Return the versions of a book that was read from files, made without what is `absent`."""
    mappings = {"/".join(name): one.version for name, one in book.mappings.items()}
    labels = enricher_labels(settings, registry, [], absent=absent)
    if absent.labels_unknown:
        specs: dict[str, dict[str, MappingSpec]] = {}
        for (destination, name), one in book.mappings.items():
            specs.setdefault(destination, {})[name] = one.spec
        labels += labels_named(book.rules.rules, specs)
    without = {"absent": tuple(sorted(absent.plugins)), "without": tuple(sorted(absent.destinations))}
    return BookVersions(book.rules.version, book.topics.version, mappings, labels, files_digest(settings), **without)


def _unknown_private(settings: Settings, rules: RuleSet) -> Iterator[Problem]:
    for name in settings.hub.private_rules:
        if name not in rules.by_name:
            hint = did_you_mean(name, rules.by_name) if rules.by_name else "there is no rule"
            yield Problem(str(settings.file), "hub.private_rules", f'there is no rule "{name}"', hint)


def enricher_labels(
    settings: Settings, registry: Registry, found: list[Problem], *, absent: Absent | None = None
) -> tuple[str, ...]:
    """Return the label names that the configured enrichers may give."""
    names: list[str] = []
    for section in settings.enrichers.values():
        missing: list[Problem] = []
        cls = _collect(missing, partial(registry.enricher, section.plugin))
        if absent is None:
            found += missing
        elif missing:
            absent.plugins[section.plugin], absent.labels_unknown = str(missing[0]), True
        names += cls.labels if cls else ()
    return tuple(dict.fromkeys(names))


def labels_named(rules: Iterable[Rule], specs: Mapping[str, Mapping[str, MappingSpec]]) -> tuple[str, ...]:
    """Return the names of labels that rules and mappings speak of: what an enricher that cannot be had gives is not known."""
    text = msgspec.json.encode([list(rules), dict(specs)]).decode()
    return tuple(dict.fromkeys(_LABEL.findall(text)))


def book_versions(book: Rulebook) -> list[tuple[str, str, str, str]]:
    """Return hash, kind, name and content of all that is active, for the store to keep."""

    def text(value: Any) -> str:
        return msgspec.json.encode(value).decode()

    entries = [(book.rules.version, "rules", "rules", text(book.rules.rules))]
    entries.append((book.topics.version, "topics", "topics", text(book.topics.topics)))
    entries += [(one.version, "mapping", "/".join(name), text(one.spec)) for name, one in book.mappings.items()]
    return entries


def _compile_mappings(
    specs: Mapping[str, Mapping[str, MappingSpec]], found: list[Problem], *, labels: tuple[str, ...]
) -> dict[tuple[str, str], CompiledMapping]:
    compiled: dict[tuple[str, str], CompiledMapping] = {}
    for name, own in specs.items():
        for mapping, spec in own.items():
            file = f"mappings/{name}/{mapping}.toml"
            make = partial(compile_mapping, spec, name=mapping, file=file, labels=labels)
            one = _collect(found, make)
            if one is not None:
                compiled[(name, mapping)] = one
    return compiled


def mapping_specs(
    settings: Settings, registry: Registry, name: str, found: list[Problem], *, absent: Absent | None = None
) -> dict[str, MappingSpec]:
    """Return a destination's mappings by name: those it ships, then the user's own for its plugin and for its name."""
    plugin, missing = settings.destinations[name].plugin, list[Problem]()
    cls = _collect(missing, partial(registry.destination, plugin))
    if cls is None and absent is None:
        found += missing
        return {}
    shipped = cls.mappings if cls else registry.folder_of(plugin)
    specs = dict(_collect(found, partial(default_mappings, shipped)) or {})
    if cls is None and absent is not None:
        absent.plugins[plugin] = str(missing[0])
        absent.destinations.add(name)
        specs = specs or absent.last(name)
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
