"""Plugins under watch: no method of theirs may be called by a thread that has a transaction open."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Iterator
from functools import cache, wraps
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, event

from hub.registry import Plugin, Registry
from hub.sdk.connectors import Connector

C = TypeVar("C", bound=Connector[Any])
_thread = threading.local()


class CalledInTransaction(KeyboardInterrupt):
    """A plugin was called while a transaction was open. No handler for a plugin's bugs catches Ctrl-C: the tests end."""


class WatchedRegistry(Registry):
    """The installed plugins, each of them under watch: none is loaded while a transaction is open, either."""

    def load(self, name: str) -> Plugin:
        if name in self._points and name not in self._loaded:
            _refuse(type(self), name)
        return super().load(name)

    def _class(self, *asked: Any) -> Any:
        return watched(super()._class(*asked))


@cache
def watched(cls: type[C]) -> type[C]:
    """Return a subclass whose methods fail if they are called while a transaction is open in the same thread.

    Its methods are what the plugin API calls: those of the sdk's classes, and the constructor.
    """
    api = [base for base in cls.__mro__ if base.__module__.startswith("hub.sdk.")]
    names = {name for base in api for name, _ in inspect.getmembers(base, inspect.isfunction)}
    called = sorted(name for name in names if not name.startswith("_") or name == "__init__")
    return type(cls)(cls.__name__, (cls,), {"__module__": cls.__module__} | {one: _guarded(cls, one) for one in called})


def _guarded(cls: type[Any], name: str) -> Callable[..., Any]:
    @wraps(getattr(cls, name))
    def method(self: Any, *given: Any, **more: Any) -> Any:
        _refuse(cls, name)
        # Found anew at each call: a test may have put another function in its place.
        found = getattr(super(watched(cls), self), name)(*given, **more)
        return _stepwise(found, cls, name) if inspect.isgenerator(found) else found

    return method


def _stepwise(steps: Iterator[Any], cls: type[Any], name: str) -> Iterator[Any]:
    while True:
        _refuse(cls, name)
        try:
            step = next(steps)
        except StopIteration:
            return
        yield step


def _refuse(cls: type[Any], name: str) -> None:
    if _open():
        raise CalledInTransaction(f"{cls.__name__}.{name} was called while a transaction was open")


def _open() -> set[int]:
    """Return the connections of this thread that have a transaction open."""
    if not hasattr(_thread, "open"):
        _thread.open = set()
    found: set[int] = _thread.open
    return found


@event.listens_for(Engine, "begin")
def _begins(conn: Connection) -> None:
    _open().add(id(conn))


@event.listens_for(Engine, "commit")
@event.listens_for(Engine, "rollback")
def _ends(conn: Connection) -> None:
    _open().discard(id(conn))
