"""What the provers look at: a plugin's classes, its README, its source, and the contract suites of its tests."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

from hub.cli.plugins.description import classes_of
from hub.cli.plugins.subject import Subject
from hub.registry import Plugin
from hub.sdk.connectors import Connector

_HEADING = re.compile(r"^#{2,6} +(.+?) *$", re.MULTILINE)
_CELLS = re.compile(r"^\| *((?:`\w+`(?:, )?)+) *\|", re.MULTILINE)
_SUITE = re.compile(r"^class \w+\([^)]*Contract\b", re.MULTILINE)


@dataclass(frozen=True)
class Evidence:
    """A plugin in its source tree, loaded."""

    subject: Subject
    plugin: Plugin

    @property
    def classes(self) -> list[tuple[str, type[Connector[Any]]]]:
        """Kind and class of each connector."""
        return list(classes_of(self.plugin))

    @property
    def kinds(self) -> tuple[str, ...]:
        """Return what the plugin offers."""
        return self.plugin.kinds

    @cached_property
    def readme(self) -> str:
        """The README's text, "" if there is none."""
        file = self.subject.readme
        return file.read_text("utf-8") if file.is_file() else ""

    def sections(self) -> dict[str, str]:
        """Return the README's sections below the title: heading in lower case and text."""
        parts = _HEADING.split(self.readme)
        return {title.lower(): text for title, text in zip(parts[1::2], parts[2::2], strict=True)}

    def section(self, *words: str) -> str | None:
        """Return the text of the first section whose heading has one of the words, None if there is none."""
        return next((text for title, text in self.sections().items() if any(word in title for word in words)), None)

    def tabled(self) -> set[str]:
        """Return the names in the first column of the README's tables."""
        return {name for cell in _CELLS.findall(self.readme) for name in re.findall(r"`(\w+)`", cell)}

    @cached_property
    def source(self) -> str:
        """The text of all Python files of the package but its look-alike."""
        files = (path for path in sorted(self.subject.package.rglob("*.py")) if not self._is_sandbox(path))
        return "\n".join(path.read_text("utf-8") for path in files)

    def _is_sandbox(self, path: Path) -> bool:
        return path.relative_to(self.subject.package).parts[0].startswith("sandbox")

    @cached_property
    def suites(self) -> tuple[type[Any], ...]:
        """The contract suites that the tests subclass. Raises ImportError if a module of them cannot be imported."""
        return tuple(_suites(self.subject))

    def suites_of(self, cls: type[Connector[Any]]) -> list[type[Any]]:
        """Return the suites that test a class."""
        return [suite for suite in self.suites if _tested(suite) is cls]


def _tested(suite: type[Any]) -> type[Any] | None:
    named = suite.connector() if hasattr(suite, "connector") else getattr(suite, "source", None)
    return named if isinstance(named, type) else None


def _suites(subject: Subject) -> Iterator[type[Any]]:
    for file in subject.test_files():
        if _SUITE.search(file.read_text("utf-8")):
            yield from _suites_in(file)


def _suites_in(file: Path) -> Iterator[type[Any]]:
    """Yield the classes of a test module that stand on a contract suite."""
    name = f"proven_{abs(hash(str(file)))}_{file.stem}"
    spec = spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{file} is no Python module")
    module = module_from_spec(spec)
    sys.modules[name] = module  # dataclasses of the module look themselves up here
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise ImportError(f"{file} cannot be imported: {type(error).__name__}: {error}") from error
    finally:
        sys.modules.pop(name, None)
    for value in vars(module).values():
        if isinstance(value, type) and value.__module__ == name and _is_suite(value):
            yield value


def _is_suite(value: type[Any]) -> bool:
    return any(base.__module__.startswith("hub.testkit.contracts") for base in value.__mro__[1:])
