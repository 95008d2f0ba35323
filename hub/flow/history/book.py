"""The rules, topics and mappings that a dry run tries: those of the configuration, some of them from other files."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from hub.config.rulebook import own_mappings, read_rules, read_topics
from hub.core.errors import ConfigError, Problem
from hub.core.mapping import CompiledMapping, compile_mapping
from hub.core.pipeline import Rulebook, check_rulebook
from hub.core.route import compile_rules
from hub.core.spec import MappingSpec
from hub.core.topics import compile_topics
from hub.runtime import Hub
from hub.wiring import collect, enricher_labels, mapping_specs


def candidate(
    hub: Hub, *, rules: Path | None = None, topics: Path | None = None, mappings: Path | None = None
) -> Rulebook:
    """Return the book with some of its files replaced; None leaves the configuration's own.

    `mappings` is a folder as `files.mappings` is (DESTINATION/NAME.toml); its mappings are laid over the configuration's own.
    Raises ConfigError with all problems of all files.
    """
    found = _absent(rules, topics, mappings)
    settings, registry = hub.settings, hub.registry
    rules_file = rules or settings.folder / settings.files.rules
    topics_file = topics or settings.folder / settings.files.topics
    labels = enricher_labels(settings, registry, found)
    ruleset = collect(found, lambda: compile_rules(read_rules(rules_file), file=str(rules_file), labels=labels))
    index = collect(found, lambda: compile_topics(read_topics(topics_file)))
    compiled = _mappings(hub, mappings, labels, found)
    if found or ruleset is None or index is None:
        raise ConfigError(found)
    book = Rulebook(ruleset, index, compiled, frozenset(settings.hub.private_rules), settings.hub.uncertain_below)
    if unfit := check_rulebook(book, file=str(rules_file)):
        raise ConfigError(unfit)
    return book


def _absent(rules: Path | None, topics: Path | None, mappings: Path | None) -> list[Problem]:
    """Return what was named and is not there: an absent rules file would else count as an empty one."""
    files = [
        Problem(str(file), "", "there is no such file")
        for file in (rules, topics)
        if file is not None and not file.is_file()
    ]
    if mappings is not None and not mappings.is_dir():
        files.append(Problem(str(mappings), "", "there is no such folder", "a folder with DESTINATION/NAME.toml"))
    return files


def _mappings(
    hub: Hub, folder: Path | None, labels: tuple[str, ...], found: list[Problem]
) -> dict[tuple[str, str], CompiledMapping]:
    compiled: dict[tuple[str, str], CompiledMapping] = {}
    laid = 0
    for name in hub.settings.destinations:
        specs = mapping_specs(hub.settings, hub.registry, name, found)
        files = {mapping: f"mappings/{name}/{mapping}.toml" for mapping in specs}
        for place, more in _laid_over(hub, folder, name, found):
            specs.update(more)
            files.update({mapping: str(place / f"{mapping}.toml") for mapping in more})
            laid += len(more)
        for mapping, spec in specs.items():
            make = partial(compile_mapping, spec, name=mapping, file=files[mapping], labels=labels)
            one = collect(found, make)
            if one is not None:
                compiled[name, mapping] = one
    if folder is not None and folder.is_dir() and not laid and not found:
        known = ", ".join(hub.settings.destinations) or "none is configured"
        found.append(Problem(str(folder), "", "holds no mapping", f"DESTINATION/NAME.toml; destinations: {known}"))
    return compiled


def _laid_over(
    hub: Hub, folder: Path | None, name: str, found: list[Problem]
) -> Iterator[tuple[Path, dict[str, MappingSpec]]]:
    """Yield the mappings of a folder for one destination: those of its plugin, then its own."""
    if folder is not None:
        for place in dict.fromkeys((folder / hub.settings.destinations[name].plugin, folder / name)):
            yield place, own_mappings(place, found)
