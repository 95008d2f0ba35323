"""What may be meant and seldom is: told by `hub check`, and no error."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from hub.config.settings import Settings, nearest
from hub.core.errors import Problem
from hub.core.grammar.facts import skeleton
from hub.core.grammar.fold import fold
from hub.core.grammar.sense import asked
from hub.core.pipeline import Rulebook, in_use
from hub.registry import Registry

_ONCE = "take one of the two out"
_PATTERN = re.compile(r"\.\*|\.\+|\\[bwds]|\(\?|^/.+/[a-z]*$|^\^|(?<=\w)\$$|\*$|^\*|\w\|\w|\[[^\]]+\]")
_LINKED = re.compile(r"\w\s+(AND|OR|NOT|NEAR)\s+\w|\s(\|\||&&)\s")


def remarks(settings: Settings, registry: Registry, book: Rulebook) -> Iterator[Problem]:
    """Yield what is taken as it is written and will surprise."""
    yield from _twice(settings, book)
    yield from _keywords(settings, book)
    yield from _provenance(settings, registry, book)
    yield from _absent_files(settings)
    yield from _failing_tests(book)


def _twice(settings: Settings, book: Rulebook) -> Iterator[Problem]:
    """Yield what stands in a list two times: languages, options such as feeds, keywords, conditions and targets."""
    lists: dict[tuple[str, str], list[Any]] = {
        (str(settings.file), "hub.languages"): list(settings.hub.languages),
        (str(settings.file), "web.proxies"): list(settings.web.proxies),
    }
    for table in ("sources", "destinations", "enrichers"):
        for name, section in getattr(settings, table).items():
            for option, value in section.options.items():
                if isinstance(value, list):
                    lists[str(settings.file), f"{table}.{name}.options.{option}"] = [_same(one) for one in value]
    rules, topics = (str(settings.folder / one) for one in (settings.files.rules, settings.files.topics))
    for topic in book.topics.topics:
        lists[topics, f'topic "{topic.name}" keywords'] = [fold(one) for one in topic.keywords]
        lists[topics, f'topic "{topic.name}" exclude'] = [fold(one) for one in topic.exclude]
    for rule in book.rules.rules:
        lists[rules, f'rule "{rule.name}" when'] = list(rule.when)
        lists[rules, f'rule "{rule.name}" deliver'] = [f"{one.destination}/{one.mapping}" for one in rule.deliver]
    for (file, at), values in lists.items():
        for value in dict.fromkeys(one for number, one in enumerate(values) if one in values[:number]):
            yield Problem(file, at, f"{_named(value)} stands here twice", _ONCE)


def _same(value: Any) -> Any:
    """Return a value in the form in which two are the same: a hashtag without its #, an address without its last slash."""
    return value.strip().lstrip("#").rstrip("/").lower() if isinstance(value, str) else value


def _named(value: Any) -> str:
    if isinstance(value, Mapping):  # a reference to a secret
        return " ".join(f"{name} {inner}" for name, inner in value.items())
    return f'"{value}"'


def _keywords(settings: Settings, book: Rulebook) -> Iterator[Problem]:
    """Yield keywords that look like a pattern or a search: they are found as they stand, and so nearly never."""
    file = str(settings.folder / settings.files.topics)
    for topic in book.topics.topics:
        for key, words in (("keywords", topic.keywords), ("exclude", topic.exclude)):
            for number, word in enumerate(words, 1):
                place = file, f'topic "{topic.name}" {key}[{number}]'
                if linked := _LINKED.search(word):
                    told = f'"{word}" is one phrase: {linked[1] or linked[2]} is a word of it'
                    yield Problem(*place, told, "write each word as a keyword of its own, or a condition in a rule")
                elif _PATTERN.search(word):
                    told = f'"{word}" is found as it stands: a keyword is no pattern'
                    yield Problem(*place, told, "write each word in full; a rule can ask signal.text.matches(...)")


def _provenance(settings: Settings, registry: Registry, book: Rulebook) -> Iterator[Problem]:
    """Yield the sources and plugins that conditions ask for and that are not there: only old posts can have them."""
    known = {"signal.provenance.source": list(settings.sources), "signal.provenance.plugin": list(registry.names)}
    tree, file = skeleton(), str(settings.folder / settings.files.rules)
    for rule in book.rules.rules:
        for number, source in enumerate(rule.when, 1):
            for one in asked(source, tree):
                names = known.get(one.path)
                if names is not None and one.operator in {"==", "in list"} and one.text not in names:
                    told = f'there is no {one.path.rpartition(".")[2]} "{one.text}": no new post has it'
                    yield Problem(
                        file,
                        f'rule "{rule.name}" when[{number}]',
                        told,
                        nearest(one.text, names) or "write one that is there",
                    )


def _absent_files(settings: Settings) -> Iterator[Problem]:
    """Yield the sources that read files of which none is there."""
    for name, section in settings.sources.items():
        path = section.options.get("path")
        if section.plugin != "file" or not isinstance(path, str) or not path.strip():
            continue
        pattern = str((settings.folder / path).expanduser())
        if not any(_found(pattern)):
            told = f"there is no file {path}: nothing is read until there is"
            yield Problem(
                str(settings.file), f"sources.{name}.options.path", told, "write the path of a file, or put it there"
            )


def _found(pattern: str) -> Iterator[str]:
    start = Path(pattern)
    if start.exists():
        return iter((pattern,))
    return map(str, Path(start.anchor).glob(str(start.relative_to(start.anchor))))


def _failing_tests(book: Rulebook) -> Iterator[Problem]:
    """Yield the mappings in use whose own tests fail."""
    for destination, name in sorted(in_use(book)):
        failed = [one.name for one in book.mappings[destination, name].run_tests() if not one.passed]
        if failed:
            told = f'its own test "{failed[0]}" fails'
            yield Problem(
                f"mappings/{destination}/{name}.toml", "test", told, "`hub mappings test` shows what it gives"
            )
