"""What a path of `hub plugins check` names: the plugin of a distribution, or one plugin of a tree that holds several."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

from hub.core.errors import ConfigError, Problem
from hub.registry import GROUP, Plugin, Registry

PROJECT = "pyproject.toml"


@dataclass(frozen=True)
class Subject:
    """A plugin in its source tree: `root` holds the project, `package` the plugin's files, `tests` what proves it."""

    name: str
    module: str
    root: Path
    package: Path
    tests: Path

    @property
    def readme(self) -> Path:
        """The README beside the code, else that of the project."""
        own = self.package / "README.md"
        return own if own.is_file() else self.root / "README.md"

    @property
    def home(self) -> Path:
        """The folder from which the package is imported."""
        return self.package.parents[self.module.count(".") - 1]

    def test_files(self) -> list[Path]:
        """Return the plugin's test modules, and those against a real server that bear its name."""
        real = self.root / "tests" / "acceptance"
        return [*sorted(self.tests.rglob("test_*.py")), *self.acceptance()] if self.tests != real else self.acceptance()

    def acceptance(self) -> list[Path]:
        """Return the test modules that run against a real server: in a folder `acceptance`, or of the project by name."""
        own = {path for path in self.tests.rglob("test_*.py") if "acceptance" in path.relative_to(self.tests).parts}
        return sorted(own | set((self.root / "tests" / "acceptance").glob(f"test_{self.name}*.py")))


def subject_at(path: Path) -> Subject:
    """Return the plugin that a folder holds. Raises ConfigError with the way out if it holds none, or several."""
    folder = path.resolve()
    if not folder.is_dir():
        raise _wrong(path, "there is no such folder", "name the folder of a plugin, such as ./hubbub-echo")
    root = next((one for one in (folder, *folder.parents) if (one / PROJECT).is_file()), None)
    if root is None:
        raise _wrong(path, f"neither it nor a folder above it holds a {PROJECT}", "hub plugins new NAME writes one")
    points = _points(root)
    found = {name: module for name, module in points.items() if folder in (root, _package(root, module))}
    if not found:
        raise _wrong(path, "it is the folder of no plugin", f"plugins of {root / PROJECT}: {', '.join(points)}")
    if len(found) > 1:
        raise _wrong(path, "it holds several plugins", f"name the folder of one: {', '.join(found)}")
    ((name, module),) = found.items()
    return _subject(root, name, module)


def _subject(root: Path, name: str, module: str) -> Subject:
    package = _package(root, module)
    if package is None:
        where = f"project.entry-points.{GROUP}.{name}"
        raise ConfigError([Problem(str(root / PROJECT), where, f"there is no module {module}", "mend its dotted path")])
    own = root / "tests" / "plugins" / name
    return Subject(name, module, root, package, own if own.is_dir() else root / "tests")


def _points(root: Path) -> dict[str, str]:
    """Return the entry points of a project: name and module."""
    file = root / PROJECT
    try:
        project: Mapping[str, Any] = tomllib.loads(file.read_text("utf-8")).get("project", {})
    except ValueError as error:
        raise ConfigError([Problem(str(file), "", f"it cannot be read: {error}")]) from None
    points = project.get("entry-points", {}).get(GROUP, {})
    if not points:
        hint = f'add [project.entry-points."{GROUP}"] with NAME = "package.plugin"'
        raise ConfigError([Problem(str(file), f"project.entry-points.{GROUP}", "it has no plugin", hint)])
    return {name: str(value).partition(":")[0] for name, value in points.items()}


def _package(root: Path, module: str) -> Path | None:
    """Return the folder that holds an entry point's module, in the project or in its `src`; None if there is none."""
    parts = module.split(".")
    for home in (root, root / "src"):
        if home.joinpath(*parts[:-1], f"{parts[-1]}.py").is_file():
            return home.joinpath(*parts[:-1])
    return None


def _wrong(path: Path, message: str, hint: str) -> ConfigError:
    return ConfigError([Problem(str(path), "", message, hint)])


@contextmanager
def importable(subject: Subject) -> Iterator[None]:
    """Let the plugin's package, and the modules of its tests, be imported within the block."""
    before = sys.path[:]
    sys.path[:0] = dict.fromkeys((str(subject.home), str(subject.root)))
    try:
        yield
    finally:
        sys.path[:] = before


def load(subject: Subject) -> Plugin:
    """Import the plugin; one that does not load comes back with its reason."""
    return Registry([EntryPoint(subject.name, subject.module, GROUP)]).load(subject.name)
