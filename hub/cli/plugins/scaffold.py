"""A new plugin as a distribution of its own, written from templates: it passes its tests, ruff and mypy as it is written."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, entry_points, version
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from hub.core.errors import ConfigError, Problem
from hub.registry import GROUP
from hub.sdk.version import API_VERSION

KINDS = {"source": "Source", "destination": "Destination", "enricher": "Enricher"}
"""What can be begun, and the name at the end of its class."""

_NAME = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")
_LONGEST = 24
_SUFFIX = ".jinja"
_ABOUT = {
    "source": "Reads {title} for Hubbub.",
    "destination": "Writes what Hubbub hears into {title}.",
    "enricher": "{title}: a judge of texts for Hubbub.",
}


@dataclass(frozen=True)
class Plan:
    """What is written where: `name` is the plugin's name in the configuration."""

    name: str
    kind: str
    parent: Path

    @property
    def root(self) -> Path:
        """The distribution's folder."""
        return self.parent / self.distribution

    @property
    def distribution(self) -> str:
        """The distribution's name."""
        return f"hubbub-{self.name.replace('_', '-')}"

    @property
    def package(self) -> str:
        """The package's name."""
        return f"hubbub_{self.name}"

    def values(self) -> dict[str, Any]:
        """Return what the templates fill in."""
        title = self.name.replace("_", " ").title()
        return {
            "name": self.name,
            "upper": self.name.upper(),
            "host": f"{self.name.replace('_', '-')}.example",
            "title": title,
            "cls": title.replace(" ", ""),
            "kind": self.kind,
            "base": KINDS[self.kind],
            "about": _ABOUT[self.kind].format(title=title),
            "distribution": self.distribution,
            "package": self.package,
            "api": API_VERSION.partition(".")[0],
            "hub_version": _hub_version(),
        }


def plan(name: str, kind: str, parent: Path) -> Plan:
    """Return the plan of a new plugin. Raises ConfigError with the way out if the name or the place will not do."""
    made = Plan(name, kind, parent)
    problem = _name_problem(name) or _place_problem(made)
    if problem:
        raise ConfigError([problem])
    return made


def _name_problem(name: str) -> Problem | None:
    if not _NAME.fullmatch(name) or len(name) > _LONGEST or keyword.iskeyword(name):
        hint = f"small letters, digits and single _ between them, at most {_LONGEST}, such as town_square"
        return Problem("hub plugins new", "NAME", f"{name!r} is no name for a plugin", hint)
    for point in entry_points(group=GROUP, name=name):
        owner = point.dist.name if point.dist else "an installed package"
        return Problem("hub plugins new", "NAME", f"{owner} already has a plugin '{name}'", "choose another name")
    return None


def _place_problem(made: Plan) -> Problem | None:
    if not made.parent.is_dir():
        return Problem(str(made.parent), "", "there is no such folder", "make it, or name another with --into")
    if made.root.exists():
        return Problem(str(made.root), "", "it is there already", "choose another name, or another place with --into")
    return None


def write(made: Plan) -> list[Path]:
    """Write the distribution; returns the files, as paths from its folder."""
    written = []
    for name, text in sorted(rendered(made)):
        path = made.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        written.append(Path(name))
    return written


def rendered(made: Plan) -> Iterator[tuple[str, str]]:
    """Yield name and text of each file."""
    from jinja2 import Environment, StrictUndefined

    # Python and TOML are full of braces: what is filled in stands in @{...}. Nothing here is HTML.
    marks = {"variable_start_string": "@{", "variable_end_string": "}", "block_start_string": "@%"}
    marks |= {"block_end_string": "%@", "comment_start_string": "@#", "comment_end_string": "#@"}
    environment = Environment(**marks, undefined=StrictUndefined, keep_trailing_newline=True)  # type: ignore[arg-type]  # noqa: S701 - the marks are strings, and no HTML is made
    values = made.values()
    for part in ("every", made.kind):
        home = files("hub.cli.plugins").joinpath("templates", part)
        for name, template in _templates(home):
            place = name.removesuffix(_SUFFIX).replace("package/", f"{made.package}/", 1)
            yield place.replace("gitignore", ".gitignore"), environment.from_string(template).render(values)


def _templates(folder: Traversable, prefix: str = "") -> Iterator[tuple[str, str]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _templates(entry, f"{prefix}{entry.name}/")
        elif entry.name.endswith(_SUFFIX):
            yield f"{prefix}{entry.name}", entry.read_text("utf-8")


def _hub_version() -> str:
    """Return the installed hub's major and minor version, which a new plugin asks for at least."""
    try:
        return ".".join(version("hubbub").split(".")[:2])
    except PackageNotFoundError:  # a source tree that was never installed
        return "0"
