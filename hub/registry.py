"""Entry points to connector classes. A plugin that does not load, or that has a wrong hook, is quarantined, never fatal.

Only what is asked for by name is imported; first-party plugins come through the same door as those of others. What is
quarantined is tried again now and then, so that what was repaired is taken up without a restart.
"""

from __future__ import annotations

import importlib
import inspect
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib.util import find_spec
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar

import pluggy

from hub.config.ctrl_c import is_persons
from hub.config.logs import LateLogger
from hub.core.errors import Problem, UnknownPlugin
from hub.sdk import hookspecs
from hub.sdk.connectors import Connector, Destination, Enricher, Source
from hub.sdk.declared import misdeclared_class
from hub.sdk.version import refusal

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "hub.plugins"
FIRST_PARTY = "hubbub"
AGAIN_S = 30.0
"""How long what cannot be had is left alone before it is tried again."""

_ENTRY = re.compile(r"[\w.]+\s*(:\s*[\w.]+\s*)?(\[.*\]\s*)?")
C = TypeVar("C", bound=Connector[Any])
log = LateLogger(__name__)


@dataclass(frozen=True)
class Plugin:
    """A plugin as `hub plugins list` shows it.

    `module` is its entry point, `api` the version of the plugin API that it names, `reason` says why it is quarantined.
    `mappings` are the folders of mappings that its destinations name, also of a plugin that is quarantined for want of a library.
    `others` are further distributions that provide a plugin of this name and are not used.
    """

    name: str
    distribution: str
    version: str
    module: str = ""
    api: str = ""
    sources: Mapping[str, type[Source[Any]]] = field(default_factory=dict)
    destinations: Mapping[str, type[Destination[Any]]] = field(default_factory=dict)
    enrichers: Mapping[str, type[Enricher[Any]]] = field(default_factory=dict)
    mappings: Mapping[str, str] = field(default_factory=dict)
    others: tuple[str, ...] = ()
    reason: str = ""

    @property
    def kinds(self) -> tuple[str, ...]:
        """Return what the plugin offers: source, destination, enricher."""
        offers = {"source": self.sources, "destination": self.destinations, "enricher": self.enrichers}
        return tuple(kind for kind, classes in offers.items() if classes)


class Quarantine(dict[str, str]):
    """Why connections and plugins cannot be had, by place; a place is in it for a while after each try, and is tried again then.

    What is listed was found broken at the last try.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._until: dict[str, float] = {}

    def __setitem__(self, place: str, reason: str) -> None:
        """Quarantine a place from now on."""
        super().__setitem__(place, reason)
        self._until[place] = self._clock() + AGAIN_S

    def __contains__(self, place: object) -> bool:
        """Return True if a place is to be left alone now."""
        return super().__contains__(place) and self._clock() < self._until[str(place)]

    def put(self, place: str, reason: str) -> bool:
        """Quarantine a place; True if that, or the reason, is new: then it is told."""
        is_new = self.get(place) != reason
        self[place] = reason
        return is_new

    def heal(self, place: str) -> bool:
        """Take a place out; True if it was in it."""
        return self.pop(place, None) is not None


class Registry:
    """The installed plugins, each loaded when first asked for.

    `owners` names the distribution that provides a plugin, for names that several provide: without it the first-party one does.
    """

    def __init__(
        self,
        found: Iterable[EntryPoint] | None = None,
        *,
        owners: Mapping[str, str] | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._given = found
        self._loaded: dict[str, Plugin] = {}
        self._owners = owners or {}
        self._clock = clock
        self._again: dict[str, float] = {}

    @cached_property
    def _points(self) -> dict[str, list[EntryPoint]]:
        return _by_name(installed() if self._given is None else self._given)

    @property
    def names(self) -> tuple[str, ...]:
        """All installed plugins' names, loaded or not."""
        return tuple(sorted(self._points))

    def provider(self, name: str) -> tuple[str, str]:
        """Return the distribution that provides a plugin and its version, without loading it; ("", "") if there is none."""
        point = next((point for point in self._points.get(name, ()) if point.dist), None)
        return (_owner(point), _version(point)) if point else ("", "")

    def providers(self, name: str) -> tuple[str, ...]:
        """Return all distributions that provide a plugin, without loading it."""
        return tuple(sorted({_owner(point) for point in self._points.get(name, ())}))

    def load(self, name: str) -> Plugin:
        """Load a plugin by name; a broken one comes back with its reason. Raises UnknownPlugin if no package provides it."""
        if name not in self._points and self._is_due(name) and self._given is None:
            self._look_again()
        if name not in self._points:
            known = ", ".join(self.names) or "none is installed"
            hint = f"pip install the package that does, or take out what names it; known: {known}"
            raise UnknownPlugin([Problem("plugins", name, "no installed package provides this plugin", hint)])
        before = self._loaded.get(name)
        if before is None or (before.reason and self._points[name] and self._is_due(name)):
            self._again[name] = self._clock() + AGAIN_S
            plugin = self._loaded[name] = _load(self._points[name], self._owners.get(name, ""))
            if plugin.reason and (before is None or before.reason != plugin.reason):
                log.warning("plugin quarantined", plugin=name, reason=plugin.reason)
            if plugin.others and before is None:
                log.warning(
                    "a plugin's name is provided twice", plugin=name, used=plugin.distribution, unused=plugin.others
                )
        return self._loaded[name]

    def folder_of(self, name: str) -> str:
        """Return the folder of mappings that a destination names, also of a plugin that cannot be had; "" if it is not known."""
        return self._loaded[name].mappings.get(name, "") if name in self._loaded else ""

    def forget(self, name: str) -> None:
        """Forget a plugin that loads and does not start, so that its code is read again at the next try."""
        self._loaded.pop(name, None)
        for point in self._points.get(name, []):
            _forget_modules(point, set())

    def _is_due(self, name: str) -> bool:
        return self._clock() >= self._again.get(name, 0.0)

    def _look_again(self) -> None:
        """Look what is installed by now; what was not there may be."""
        importlib.invalidate_caches()
        found = _by_name(installed())
        self._again |= dict.fromkeys(set(self._again) - set(found), self._clock() + AGAIN_S)
        self._points |= {name: points for name, points in found.items() if name not in self._points}

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


def installed() -> Iterable[EntryPoint]:
    """Return what the installed packages offer; each package's list is read."""
    from importlib.metadata import entry_points  # noqa: PLC0415 - it brings the mail parser: a list asks for no plugin

    return entry_points(group=GROUP)


def _by_name(points: Iterable[EntryPoint]) -> dict[str, list[EntryPoint]]:
    found: dict[str, list[EntryPoint]] = {}
    for point in points:
        found.setdefault(point.name, []).append(point)
    return found


def _owner(point: EntryPoint) -> str:
    """Return the name of the distribution that an entry point is of; "?" if its metadata is not there, or names none."""
    return (point.dist and point.dist.name) or "?"


def _version(point: EntryPoint) -> str:
    return (point.dist and point.dist.version) or "?"


def _module(point: EntryPoint) -> str:
    """Return the module that an entry point names; `point.module` raises for what is no such name."""
    return re.split(r"[:\[]", point.value)[0].strip()


def _plain(distribution: str) -> str:
    """Return a distribution's name as pip compares it: capitals, dashes, dots and underscores tell no two apart."""
    return re.sub(r"[-_.]+", "-", distribution).lower()


def _load(points: list[EntryPoint], owner: str = "") -> Plugin:
    known = {_plain(_owner(one)): one for one in reversed(points)}
    point = known.get(_plain(owner) or FIRST_PARTY, points[0])
    others = tuple(sorted({_owner(one) for one in known.values()} - {_owner(point)}))
    plugin = Plugin(point.name, _owner(point), _version(point), _module(point), others=others)
    names = ", ".join(sorted((plugin.distribution, *others)))
    if owner and _plain(owner) not in known:
        return _quarantined(plugin, f"[plugins] names '{owner}', which does not provide it; it is in: {names}")
    if others and _plain(_owner(point)) not in (_plain(owner), FIRST_PARTY):
        way_out = f'name one of them: [plugins] {point.name} = "{_owner(point)}"'
        return _quarantined(plugin, f"several distributions provide it: {names}; {way_out}")
    if not _ENTRY.fullmatch(point.value):
        return _quarantined(plugin, f"its entry point is {point.value!r}, and must be MODULE or MODULE:NAME")
    folders: dict[str, str] = {}
    before = set(sys.modules)
    importlib.invalidate_caches()
    try:
        loaded = _register(plugin, point.load(), folders)
    except ModuleNotFoundError as error:
        loaded = _quarantined(plugin, _missing(point, error))
    except BaseException as error:  # whatever a plugin does (sys.exit() too), everything else runs on
        if is_persons(error):
            raise
        loaded = _quarantined(plugin, f"{type(error).__name__}: {error}")
    if loaded.reason:
        _forget_modules(point, before)
    return replace(loaded, mappings=folders)


def _forget_modules(point: EntryPoint, before: set[str]) -> None:
    """Forget the plugin's own modules that a failed load has imported: the next try reads them as they are then."""
    module = _module(point)
    package = module.rpartition(".")[0] or module
    for name in set(sys.modules) - before:
        if name == package or name.startswith(f"{package}."):
            del sys.modules[name]


def _register(plugin: Plugin, module: object, folders: dict[str, str]) -> Plugin:
    """Return the plugin with its classes; the folders of its destinations' mappings are noted before they are checked."""
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
            found = tuple(found) if isinstance(found, Iterable) else found  # a generator gives its classes once
            if caller.name == "register_destinations" and isinstance(found, tuple):
                folders.update(
                    {one.name: one.mappings for one in found if hasattr(one, "name") and hasattr(one, "mappings")}
                )
            classes[caller.name].update(_named(found, caller.name))
    sources, destinations, enrichers = classes.values()
    if strange := sorted({name for found in classes.values() for name in found} - {plugin.name}):
        names = ", ".join(f"'{name}'" for name in strange)
        return _quarantined(
            plugin, f"a class of it is named {names}: its name must be '{plugin.name}', as its entry point's is"
        )
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
        if wrong := next(misdeclared_class(cls), ""):
            raise TypeError(wrong)
        if absent := next((one for one in cls.libraries if find_spec(one) is None), None):
            raise ModuleNotFoundError(f"No module named {absent!r}", name=absent)
        named[cls.name] = cls
    return named


def _missing(point: EntryPoint, error: ModuleNotFoundError) -> str:
    """Name the extra to install: the distribution's own requirements tell."""
    if f"{_module(point)}.".startswith(f"{error.name}."):
        return f"its entry point names the module '{_module(point)}', which {_owner(point)} does not bring"
    dist = point.dist
    extra = f"[{point.name}]" if dist and point.name in (dist.metadata.get_all("Provides-Extra") or []) else ""
    name = dist.name if dist else point.name
    return f"plugin '{point.name}' needs '{error.name}': pip install '{name}{extra}'"


def _quarantined(plugin: Plugin, reason: str) -> Plugin:
    return replace(plugin, reason=reason)
