"""A witness of what a connector does beside its answer: what it logs, prints, opens, sleeps, and on what it depends."""

from __future__ import annotations

import io
import json
import logging
import os
import random
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from datetime import date
from types import FrameType, ModuleType
from typing import Any, TypeVar
from unittest.mock import patch
from urllib.parse import quote, quote_plus, urlsplit

from hub.sdk.connectors import Connector, Http, HttpResponse
from hub.sdk.context import RelayHttp
from hub.testkit.fakes import FakeClock, SentRequest

T = TypeVar("T")
_GUARD = "hub.sdk.http.guard"
_CLOCKS = frozenset(("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "sleep"))
_TODAY = frozenset(("now", "utcnow", "today"))
# These read clocks and files for reasons of their own: a lazy import, a log record, a zone's table.
_APART = ("importlib", "_frozen_importlib", "logging", "structlog", "linecache", "zoneinfo", "warnings", "tracemalloc")
_LEAST_SECRET = 4
_THREAD = "a call under contract"
_A_LOCK, _LONG = 1.0, 20.0  # seconds: one call may wait for the other by a lock


@dataclass
class Witness:
    """What was seen: `lines` logged, what was `printed`, hosts `dialled` past the guard, seconds `slept`."""

    lines: list[str] = field(default_factory=list)
    printed: io.StringIO = field(default_factory=io.StringIO)
    dialled: list[str] = field(default_factory=list)
    slept: float = 0.0

    def told(self) -> str:
        """Return all that was logged and printed."""
        return "\n".join([*self.lines, self.printed.getvalue()])


class _Ear(logging.Handler):
    """Keeps each log line as a file would show it, its traceback too."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__(logging.DEBUG)
        self._lines = lines
        self.setFormatter(logging.Formatter("%(levelname)s %(name)s %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(self.format(record))


@contextmanager
def watching(clock: FakeClock) -> Iterator[Witness]:
    """Watch this thread: `time.sleep` moves the clock instead, log lines are kept, connections past the guard noted."""
    seen = Witness()
    root, ear, level = logging.getLogger(), _Ear(seen.lines), logging.getLogger().level
    root.addHandler(ear)
    root.setLevel(logging.DEBUG)
    try:
        with (
            patch.object(time, "sleep", _sleeper(seen, clock)),
            patch.object(socket.socket, "connect", _dialler(seen)),
            redirect_stdout(seen.printed),
            redirect_stderr(seen.printed),
        ):
            yield seen
    finally:
        root.removeHandler(ear)
        root.setLevel(level)


def _sleeper(seen: Witness, clock: FakeClock) -> Callable[[float], None]:
    real, watched = time.sleep, threading.get_ident()

    def sleep(seconds: float) -> None:
        if not _is_ours(watched):
            real(seconds)
            return
        seen.slept += seconds
        clock.advance(seconds)

    return sleep


def _dialler(seen: Witness) -> Callable[[socket.socket, Any], None]:
    real, watched = socket.socket.connect, threading.get_ident()

    def connect(self: socket.socket, address: Any) -> None:
        if _is_ours(watched) and not _is_guarded(sys._getframe()):  # noqa: SLF001 - the stack says who dials
            seen.dialled.append(str(address))
        real(self, address)

    return connect


def _is_ours(watched: int) -> bool:
    """Return True in the thread that is watched and in those of `within`; a look-alike has threads of its own."""
    return threading.get_ident() == watched or threading.current_thread().name == _THREAD


def _is_guarded(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_globals.get("__name__") == _GUARD:
            return True
        frame = frame.f_back
    return False


# --------------------------------------------------------------------------------------------------------------- purity


def impurities(call: Callable[[], object]) -> list[str]:
    """Call it, and give what it asked of the world: clocks, dice, files, the network. Its exceptions pass."""
    found: list[str] = []

    def look(frame: FrameType, event: str, function: Any) -> None:
        if event == "c_call" and (name := _worldly(function)) and not _is_apart(frame):
            found.append(f"{name}() in {frame.f_globals.get('__name__')}:{frame.f_lineno}")

    before = sys.getprofile()
    sys.setprofile(look)
    try:
        call()
    finally:
        sys.setprofile(before)
    return list(dict.fromkeys(found))


def calls_of(call: Callable[[], object]) -> set[str]:
    """Return the names of the built-in functions that a call reaches."""
    found: set[str] = set()

    def look(_: FrameType, event: str, function: Any) -> None:
        if event == "c_call":
            found.add(function.__name__)

    before = sys.getprofile()
    sys.setprofile(look)
    try:
        call()
    finally:
        sys.setprofile(before)
    return found


def _worldly(function: Any) -> str:
    """Return the name of a built-in that asks the world something, "" for any other."""
    name, owner = str(function.__name__), getattr(function, "__self__", None)
    if isinstance(owner, type):
        return f"{owner.__name__}.{name}" if issubclass(owner, date) and name in _TODAY else ""
    if isinstance(owner, random.Random):
        return f"random.{name}"
    if isinstance(owner, socket.socket):
        return f"socket.{name}"
    module = owner.__name__ if isinstance(owner, ModuleType) else str(function.__module__ or "")
    worldly = {"time": _CLOCKS, "posix": {"urandom", "open", "getpid"}, "_io": {"open"}, "io": {"open"}}
    if module == "_socket" or name in worldly.get(module, ()):
        return f"{module.strip('_')}.{name}"
    return ""


def _is_apart(frame: FrameType) -> bool:
    seen: FrameType | None = frame
    for _ in range(4):
        if seen is None:
            return False
        if str(seen.f_globals.get("__name__", "")).partition(".")[0] in _APART:
            return True
        seen = seen.f_back
    return False


@contextmanager
def in_zone(name: str) -> Iterator[None]:
    """Let the machine stand in another time zone."""
    try:
        with patch.dict(os.environ, {"TZ": name}):
            _set_zone()
            yield
    finally:
        _set_zone()


def _set_zone() -> None:
    if hasattr(time, "tzset"):  # not on Windows
        time.tzset()


def within(seconds: float, call: Callable[[], T]) -> T:
    """Return what a call gives; raises AssertionError if it takes longer (it is left behind in its thread)."""
    done: list[T] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            done.append(call())
        except BaseException as error:  # noqa: BLE001 - handed to the caller below
            failed.append(error)

    thread = threading.Thread(target=run, daemon=True, name=_THREAD)
    thread.start()
    thread.join(seconds)
    if failed:
        raise failed[0]
    assert done, f"it did not end within {seconds:g} s: a worker of the engine would be lost to it"
    return done[0]


class Beside(RelayHttp):
    """An HTTP that starts `call` in a thread of its own at its first request, and goes on once that is done, or waits for us."""

    def __init__(self, http: Http, call: Callable[[], object]) -> None:
        super().__init__(http)
        self._failed: list[BaseException] = []
        self._thread = threading.Thread(target=self._run, args=(call,), daemon=True, name=_THREAD)
        self._begun = False

    def _run(self, call: Callable[[], object]) -> None:
        try:
            call()
        except BaseException as error:  # noqa: BLE001 - raised by `join`
            self._failed.append(error)

    def send(self, method: str, url: str, **more: Any) -> HttpResponse:
        """Send, after the other call."""
        if not self._begun:
            self._begun = True
            self._thread.start()
            self._thread.join(_A_LOCK)
        return super().send(method, url, **more)

    def join(self) -> None:
        """Wait for the other call; raises what it raised."""
        if self._begun:
            self._thread.join(_LONG)
            assert not self._thread.is_alive(), "two calls at once never end"
        if self._failed:
            raise self._failed[0]


# -------------------------------------------------------------------------------------------------------------- secrets


def secrets_of(options: Any) -> list[str]:
    """Return the values of the options that are secrets."""
    values = [getattr(value, "get_secret_value", None) for _, value in options]
    return [secret for get in values if get is not None and len(secret := str(get())) >= _LEAST_SECRET]


def spilt(secrets: Iterable[str], *told: object) -> list[str]:
    """Return the secrets that stand in what was told, as they are or as URLs and JSON write them."""
    texts = [one if isinstance(one, str) else _text(one) for one in told]
    return [secret for secret in secrets if any(form in text for form in _forms(secret) for text in texts)]


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else repr(value)


def _forms(secret: str) -> set[str]:
    return {secret, quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1]}


# --------------------------------------------------------------------------------------------------------------- egress


def strange_hosts(requests: Iterable[SentRequest], declared: Iterable[str]) -> list[str]:
    """Return the hosts that were asked and are not declared."""
    patterns = [host.lower() for host in declared]
    asked = {(urlsplit(one.url).hostname or "", urlsplit(one.url).port) for one in requests}
    return sorted(host for host, port in asked if not any(_fits(host, port, pattern) for pattern in patterns))


def _fits(host: str, port: int | None, pattern: str) -> bool:
    if pattern in ("*", host, f"{host}:{port}"):
        return True
    return pattern.startswith("*.") and host.endswith(pattern[1:])


def misnamed_hosts(connector: Connector[Any]) -> list[str]:
    """Return the declared hosts that are none: with a scheme, a path, a blank, or empty."""
    return [host for host in connector.egress() if not host or _is_no_host(host)]


def _is_no_host(host: str) -> bool:
    """Return True for an address, and for a wildcard over half the web ("*.com")."""
    return any(mark in host for mark in ("/", " ", "@", "?")) or (host.startswith("*.") and host.count(".") < 2)
