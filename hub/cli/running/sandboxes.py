"""Which plugins ship a look-alike of their vendor, and what builds it."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.metadata import entry_points
from importlib.util import find_spec
from typing import Any, cast

from hub.core.errors import ConfigError, Problem
from hub.registry import GROUP, Plugin, Registry


def builder(name: str) -> Callable[[Any], Any]:
    """Return what makes a plugin's look-alike. Raises ConfigError if there is none.

    It is `build` beside its entry point, for which no vendor's library must be imported (they take seconds); else what a
    class of the plugin names.
    """
    for point in entry_points(group=GROUP, name=name):
        beside = f"{point.module.rpartition('.')[0]}.sandbox"
        if not beside.startswith(".") and find_spec(beside) and hasattr(import_module(beside), "build"):
            return cast(Callable[[Any], Any], import_module(beside).build)
    plugin = Registry().load(name)
    found = _sandboxes(plugin)
    if not found:
        why = f"the plugin is quarantined: {plugin.reason}" if plugin.reason else "this plugin ships no sandbox"
        raise ConfigError([Problem("sandbox", name, why)])
    module, _, function = found[0].partition(":")
    return cast(Callable[[Any], Any], getattr(import_module(module), function))


def with_sandbox() -> list[str]:
    """Return the names of all installed plugins that ship one."""
    registry = Registry()
    return [name for name in registry.names if _sandboxes(registry.load(name))]


def _sandboxes(plugin: Plugin) -> list[str]:
    """Return what a plugin's classes name as their look-alikes; a destination's comes first."""
    named = [cls.sandbox for cls in plugin.destinations.values()] + [cls.sandbox for cls in plugin.sources.values()]
    return [where for where in named if where]
