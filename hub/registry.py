"""Entry points to connector classes. A plugin that does not load, or that has a wrong hook, is quarantined, never fatal.

Only what is asked for by name is imported; first-party plugins come through the same door as those of others.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from typing import Any, TypeVar

import pluggy

from hub.config.logs import LateLogger
from hub.core.errors import Problem, UnknownPlugin
from hub.sdk import hookspecs
from hub.sdk.connectors import Connector, Destination, Enricher, Source
from hub.sdk.version import refusal

GROUP = "hub.plugins"
C = TypeVar("C", bound=Connector[Any])
log = LateLogger(__name__)


@dataclass(frozen=True)
class Plugin:
    """A plugin as `hub plugins list` shows it.

    `module` is its entry point, `api` the version of the plugin API that it names, `reason` says why it is quarantined.
    """

    name: str
    distribution: str
    version: str
    module: str = ""
    api: str = ""
    sources: Mapping[str, type[Source[Any]]] = field(default_factory=dict)
    destinations: Mapping[str, type[Destination[Any]]] = field(default_factory=dict)
    enrichers: Mapping[str, type[Enricher[Any]]] = field(default_factory=dict)
    reason: str = ""

    @property
    def kinds(self) -> tuple[str, ...]:
        """Return what the plugin offers: source, destination, enricher."""
        offers = {"source": self.sources, "destination": self.destinations, "enricher": self.enrichers}
        return tuple(kind for kind, classes in offers.items() if classes)


class Registry:
    """The installed plugins, each loaded when first asked for."""

    def __init__(self, found: Iterable[EntryPoint] | None = None) -> None:
        points = entry_points(group=GROUP) if found is None else found
        self._points: dict[str, list[EntryPoint]] = {}
        for point in points:
            self._points.setdefault(point.name, []).append(point)
        self._loaded: dict[str, Plugin] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """All installed plugins' names, loaded or not."""
        return tuple(sorted(self._points))

    def load(self, name: str) -> Plugin:
        """Load a plugin by name; a broken one comes back with its reason. Raises UnknownPlugin if no package provides it."""
        if name not in self._points:
            known = ", ".join(self.names) or "none is installed"
            hint = f"pip install the package that does, or take out what names it; known: {known}"
            raise UnknownPlugin([Problem("plugins", name, "no installed package provides this plugin", hint)])
        if name not in self._loaded:
            self._loaded[name] = _load(self._points[name])
        return self._loaded[name]

    def source(self, name: str) -> type[Source[Any]]:
        """Return a source class by its plugin's name. Raises UnknownPlugin with the reason if it cannot be had."""
        return self._class(name, "source", lambda plugin: plugin.sources)

    def destination(self, name: str) -> type[Destination[Any]]:
        """Return a destination class by its plugin's name. Raises UnknownPlugin with the reason if it cannot be had."""
        return self._class(name, "destination", lambda plugin: plugin.destinations)

    def enricher(self, name: str) -> type[Enricher[Any]]:
        """Return an enricher class by its plugin's name. Raises UnknownPlugin with the reason if it cannot be had."""
        return self._class(name, "enricher", lambda plugin: plugin.enrichers)

    def _class(self, name: str, kind: str, offers: Callable[[Plugin], Mapping[str, type[C]]]) -> type[C]:
        plugin = self.load(name)
        if plugin.reason:
            raise UnknownPlugin([Problem("plugins", name, f"the plugin is quarantined: {plugin.reason}")])
        classes = offers(plugin)
        if name not in classes:
            has = ", ".join(plugin.kinds) or "nothing"
            hint = f"its name must be '{name}', not {', '.join(map(repr, classes))}" if classes else f"it offers: {has}"
            raise UnknownPlugin([Problem("plugins", name, f"the plugin offers no {kind}", hint)])
        return classes[name]


def _load(points: list[EntryPoint]) -> Plugin:
    point = points[0]
    dist = point.dist
    plugin = Plugin(point.name, dist.name if dist else "?", dist.version if dist else "?", point.module)
    if len(points) > 1:
        owners = ", ".join(sorted(one.dist.name if one.dist else "?" for one in points))
        return _quarantined(plugin, f"several distributions provide it: {owners}; uninstall one")
    try:
        return _register(plugin, point.load())
    except ModuleNotFoundError as error:
        return _quarantined(plugin, _missing(point, error))
    except KeyboardInterrupt:  # this is the person at the terminal, not the plugin
        raise
    except BaseException as error:  # noqa: BLE001 - whatever a plugin does (sys.exit() too), everything else runs on
        return _quarantined(plugin, f"{type(error).__name__}: {error}")


def _register(plugin: Plugin, module: object) -> Plugin:
    api = getattr(module, "api", None)
    if api is not None and (why := refusal(api)):
        return _quarantined(plugin, why)
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    manager.register(module, plugin.name)
    manager.check_pending()
    callers = manager.get_hookcallers(module) or []
    if not callers:
        return _quarantined(plugin, "it implements no hook: is @hookimpl missing?")
    classes: dict[str, dict[str, type[Any]]] = {
        "register_sources": {},
        "register_destinations": {},
        "register_enrichers": {},
    }
    for caller in callers:
        if caller.name not in classes:
            return _quarantined(plugin, f"there is no hook {caller.name}; there are: {', '.join(classes)}")
        for implementation in caller.get_hookimpls():
            if inspect.iscoroutinefunction(implementation.function):
                return _quarantined(plugin, f"the hook {caller.name} is async; hooks are sync")
            found: Any = implementation.function()
            classes[caller.name].update(_named(found, caller.name))
    sources, destinations, enrichers = classes.values()
    return replace(plugin, api=api or "", sources=sources, destinations=destinations, enrichers=enrichers)


def _named(found: Iterable[type[Any]], hook: str) -> dict[str, type[Any]]:
    wanted = {"register_sources": Source, "register_destinations": Destination, "register_enrichers": Enricher}[hook]
    if not isinstance(found, Iterable):
        raise TypeError(f"{hook} returned {found!r}, which is no list of classes")
    named = {}
    for cls in found:
        if not (isinstance(cls, type) and issubclass(cls, wanted)):
            raise TypeError(f"{hook} returned {cls!r}, which is no {wanted.__name__} class")
        if inspect.isabstract(cls):
            missing = ", ".join(sorted(getattr(cls, "__abstractmethods__", ())))
            raise TypeError(f"{cls.__name__} lacks {missing}")
        if absent := next((one for one in cls.libraries if find_spec(one) is None), None):
            raise ModuleNotFoundError(f"No module named {absent!r}", name=absent)
        named[cls.name] = cls
    return named


def _missing(point: EntryPoint, error: ModuleNotFoundError) -> str:
    """Name the extra to install: the distribution's own requirements tell."""
    dist = point.dist
    extra = f"[{point.name}]" if dist and point.name in (dist.metadata.get_all("Provides-Extra") or []) else ""
    name = dist.name if dist else point.name
    return f"plugin '{point.name}' needs '{error.name}': pip install '{name}{extra}'"


def _quarantined(plugin: Plugin, reason: str) -> Plugin:
    log.warning("plugin quarantined", plugin=plugin.name, reason=reason)
    return replace(plugin, reason=reason)
