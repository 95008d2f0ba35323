"""What a plugin claims of the scale: `quality.toml` in its package.

    check = "done"
    push = { exempt = "the vendor pushes nothing" }

A rule that is left out is not done.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hub.cli.plugins.quality.scale import BY_ID, QualityRule, missing_for_next, rules_for, tier_of
from hub.core.errors import ConfigError, Problem

FILE = "quality.toml"
DONE = "done"
FROM_DOCUMENTATION = "from documentation"
"""How the reason of `recorded_items` begins if nothing that the real service sent was ever read."""


@dataclass(frozen=True)
class Claims:
    """The rules that are done, and those that are exempt with their reasons."""

    kinds: frozenset[str] = frozenset()
    done: frozenset[str] = frozenset()
    exempt: Mapping[str, str] = field(default_factory=dict)

    @property
    def rules(self) -> list[QualityRule]:
        """The rules that apply."""
        return rules_for(self.kinds)

    @property
    def settled(self) -> frozenset[str]:
        """The ids of both."""
        return self.done | frozenset(self.exempt)

    @property
    def tier(self) -> str:
        """The tier that is reached, "" if none is."""
        return tier_of(self.settled, self.kinds)

    def missing(self) -> tuple[str, list[QualityRule]]:
        """Return the next tier and what it still wants."""
        return missing_for_next(self.settled, self.kinds)

    @property
    def items(self) -> str:
        """Say what translating was tried on: "recorded", FROM_DOCUMENTATION, or "" if there is no vendor."""
        if not any(rule.id == "recorded_items" for rule in self.rules):
            return ""
        if "recorded_items" in self.done:
            return "recorded"
        reason = self.exempt.get("recorded_items", FROM_DOCUMENTATION)
        return FROM_DOCUMENTATION if reason.lower().startswith(FROM_DOCUMENTATION) else ""

    def of(self, rule: QualityRule) -> str:
        """Return "done", "exempt" or "not done"."""
        if rule.id in self.exempt:
            return "exempt"
        return DONE if rule.id in self.done else "not done"


def read_claims(file: Path, kinds: Iterable[str]) -> Claims:
    """Read a `quality.toml`; one that is absent claims nothing. Raises ConfigError with all that is wrong in it."""
    offered = frozenset(kinds)
    raw = _read(file)
    applying = {rule.id for rule in rules_for(offered)}
    problems = [
        problem for id_, value in raw.items() if (problem := _problem(file, id_, value, applies=id_ in applying))
    ]
    if problems:
        raise ConfigError(problems)
    exempt = {id_: value["exempt"].strip() for id_, value in raw.items() if value != DONE}
    return Claims(offered, frozenset(raw) - frozenset(exempt), exempt)


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:  # no TOML, no UTF-8
        raise ConfigError([Problem(str(file), "", f"it cannot be read: {error}")]) from None


def _problem(file: Path, id_: str, value: Any, *, applies: bool) -> Problem | None:
    if id_ not in BY_ID:
        near = get_close_matches(id_, BY_ID, n=1)
        hint = f"did you mean {near[0]}?" if near else f"rules are: {', '.join(BY_ID)}"
        return Problem(str(file), id_, "there is no such rule", hint)
    if not applies:
        kinds = " or ".join(f"a {kind}" for kind in sorted(BY_ID[id_].kinds))
        return Problem(str(file), id_, f"the rule is for {kinds}, and the plugin offers none", "take the line out")
    reason = value.get("exempt") if isinstance(value, dict) and set(value) == {"exempt"} else None
    if value == DONE or (isinstance(reason, str) and reason.strip()):
        return None
    return Problem(str(file), id_, "this is no claim", 'write "done", or { exempt = "the reason" }')


def claims_of(module: str, kinds: Iterable[str]) -> Claims:
    """Return the claims of a plugin that was loaded, by its entry point's module: the file lies beside it.

    Raises ConfigError as `read_claims` does.
    """
    spec = find_spec(module) if module else None
    origin = spec.origin if spec and spec.has_location else None
    return read_claims(Path(origin).parent / FILE, kinds) if origin else Claims(frozenset(kinds))
