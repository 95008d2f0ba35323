"""Rules, topics and mappings as one book: read from files, or made of the versions that are active, and its own versions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

import msgspec

from hub.config.rulebook import files_digest, read_rules, read_topics, written_mappings
from hub.config.settings import Settings
from hub.core.errors import ConfigError, Problem
from hub.core.grammar.facts import did_you_mean
from hub.core.mapping import CompiledMapping, compile_mapping
from hub.core.pipeline import Rulebook, check_rulebook, missing_target
from hub.core.route import RuleSet, compile_rules, unknown_topics
from hub.core.spec import MappingSpec, Rule, Topic
from hub.core.topics import compile_topics
from hub.registry import Registry
from hub.store.activations import BookVersions
from hub.wiring import Absent, collect, enricher_labels, labels_named, mapping_specs, why_absent

T = TypeVar("T")


def read_book(settings: Settings, registry: Registry, *, absent: Absent | None = None) -> Rulebook:
    """Compile rules, topics and mappings. Raises ConfigError with all problems of all files.

    With `absent` a plugin that cannot be had is noted there and is no problem: the rest must go on.
    """
    found: list[Problem] = []
    rules_file, topics_file = settings.folder / settings.files.rules, settings.folder / settings.files.topics
    specs = {name: mapping_specs(settings, registry, name, found, absent=absent) for name in settings.destinations}
    read = collect(found, lambda: read_rules(rules_file)) or ()
    labels = enricher_labels(settings, registry, found, absent=absent)
    if absent is not None and absent.labels_unknown:
        labels += labels_named(read, specs)
    if absent is not None:
        absent.labels = tuple(dict.fromkeys(labels))
    rules = collect(found, lambda: compile_rules(read, file=str(rules_file), labels=labels))
    topics = collect(found, lambda: compile_topics(read_topics(topics_file)))
    mappings = _compile_mappings(specs, found, labels=labels)
    # All at once: what is wrong in one condition hides no other mistake.
    broken = {one.path for one in found}
    if topics is not None:
        names = [one.name for one in topics.topics]
        found += (
            one for one in unknown_topics(read, names, file=str(rules_file), but=broken) if one.path not in broken
        )
    if rules is not None:
        found += _unknown_private(settings, rules)
    if found or rules is None or topics is None:
        raise ConfigError([*found, *_nowhere(settings, registry, read, specs)])
    private = frozenset(settings.hub.private_rules)
    unknown = frozenset(absent.destinations) if absent is not None else frozenset[str]()
    book = Rulebook(rules, topics, mappings, private, settings.hub.uncertain_below, unknown)
    if unfit := check_rulebook(book, file=str(rules_file)):
        raise ConfigError(unfit)
    return book


def _nowhere(
    settings: Settings, registry: Registry, rules: Sequence[Rule], specs: Mapping[str, Mapping[str, MappingSpec]]
) -> Iterator[Problem]:
    """Yield the rules that deliver to what is not there, in a book that cannot be made; what may be there is left out."""
    there = {name: {*own, *written_mappings(settings, name)} for name, own in specs.items()}
    for name, section in settings.destinations.items():
        if why_absent(registry, section.plugin) or collect([], partial(registry.destination, section.plugin)) is None:
            del there[name]
    unknown = {name for name in settings.destinations if name not in there}
    for rule in rules:
        for target in rule.deliver:
            if target.destination not in unknown and target.mapping not in there.get(target.destination, ()):
                places = [(destination, name) for destination, names in there.items() for name in names]
                told = missing_target(target, places)
                yield Problem(str(settings.folder / settings.files.rules), f'rule "{rule.name}" deliver', *told)


def load_book(settings: Settings, active: BookVersions, contents: Mapping[str, str]) -> Rulebook:
    """Compile versions from their contents, by hash. Raises ConfigError if this program cannot use them, or one is not there."""
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
    known = {destination for destination, _ in mappings}
    lacking = (name for name, one in settings.destinations.items() if one.plugin in active.absent)
    unknown = frozenset(name for name in lacking if name not in known)
    return Rulebook(compiled, compile_topics(topics), mappings, private, below, unknown)


def versions_of(settings: Settings, book: Rulebook, absent: Absent) -> BookVersions:
    """Return the versions of a book that was read from files, without the plugins that could not be had."""
    mappings = {"/".join(name): one.version for name, one in book.mappings.items()}
    lacking = tuple(sorted(absent.plugins))
    return BookVersions(
        book.rules.version, book.topics.version, mappings, absent.labels, files_digest(settings), lacking
    )


def _unknown_private(settings: Settings, rules: RuleSet) -> Iterator[Problem]:
    for name in settings.hub.private_rules:
        if name not in rules.by_name:
            hint = did_you_mean(name, rules.by_name) if rules.by_name else "there is no rule"
            yield Problem(str(settings.file), "hub.private_rules", f'there is no rule "{name}"', hint)


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
            one = collect(found, make)
            if one is not None:
                compiled[(name, mapping)] = one
    return compiled
