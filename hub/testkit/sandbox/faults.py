"""Fault injection: what goes wrong, for which calls, how often.

A fault as JSON (POST a list of them to /_sandbox/faults):

    {"match": {"method": "POST", "path": "/batch/upsert$"},   optional; path: a regular expression, searched
     "times": 3,                     how many matching calls it hits; null: all
     "after": 0,                     how many matching calls it lets through first
     and one of (several may be combined where that has a sense)
     "latency_ms": 200               answer later
     "status": 429, "headers": {"Retry-After": "1"}, "body": {...}      this answer instead of the handler's
     "reset_before": true            the connection is reset, the handler never runs
     "reset_after": true             the handler commits, then the connection is reset without an answer
     "partial": 0.1 or [3, 7]        the share or the indexes of a batch's items that fail with the vendor's error
     "expired_token": true           the vendor's 401
     "rate_per_s": 5                 the vendor's 429 for calls above this rate
     "fails_after": true             the handler commits, then some proxy answers 502
     "garble": "cut"}                the handler runs, then its answer is spoilt: see `GARBLES`
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from math import floor
from time import monotonic
from typing import Any


def _over_lists(value: Any, change: Callable[[list[Any]], list[Any]]) -> Any:
    """Change every list of objects in a JSON value."""
    if isinstance(value, dict):
        return {name: _over_lists(item, change) for name, item in value.items()}
    if not isinstance(value, list):
        return value
    inner = [_over_lists(item, change) for item in value]
    return change(inner) if any(isinstance(item, dict) for item in inner) else inner


def _through(change: Callable[[list[Any]], list[Any]]) -> Callable[[bytes], bytes]:
    """Change the lists of a JSON body; a body that is no JSON stays."""

    def spoil(body: bytes) -> bytes:
        try:
            return json.dumps(_over_lists(json.loads(body), change)).encode()
        except ValueError:
            return body

    return spoil


GARBLES: Mapping[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "html": lambda _: b"<!doctype html><title>Sign in</title><p>502 Bad Gateway</p>",
    "cut": lambda body: body[: len(body) * 2 // 3],
    "list": lambda _: b"[]",
    "object": lambda _: b"{}",
    "null": lambda _: b"null",
    "short": _through(lambda items: items[:-1]),
    "reversed": _through(lambda items: items[::-1]),
    "hollow": _through(lambda _: []),
    "blank": _through(lambda items: [*items[:-1], {}]),
    "holes": _through(lambda items: [*items[:-1], None]),
}
"""What becomes of an answer's body.

The last five change each list of objects: one left out, the order, all left out, one empty, null."""


@dataclass(frozen=True, slots=True)
class PartialFailure:
    """Which items of a batch fail: a share (spread evenly, the same ones each time) or indexes."""

    share: float = 0.0
    indexes: frozenset[int] = frozenset()

    def hits(self, index: int, total: int) -> bool:
        """Return True if item `index` of `total` fails."""
        if self.indexes:
            return index in self.indexes
        # Where the running sum of the share passes a whole number; the epsilon makes up for 0.29 * 100 < 29.
        return index < total and floor((index + 1) * self.share + 1e-9) > floor(index * self.share + 1e-9)


@dataclass(slots=True)
class Fault:
    """One fault, see the module's text; `times` counts down as it hits."""

    match: Mapping[str, str] = field(default_factory=dict)
    times: int | None = None
    after: int = 0
    latency_ms: float = 0
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    reset_before: bool = False
    reset_after: bool = False
    partial: float | Sequence[int] | None = None
    expired_token: bool = False
    rate_per_s: float | None = None
    fails_after: bool = False
    garble: str = ""
    _recent: list[float] = field(default_factory=list, repr=False)

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> Fault:
        """Read a fault from JSON; raises ValueError for a name that does not exist or a bad pattern."""
        known = {item.name for item in fields(cls) if not item.name.startswith("_")}
        if unknown := set(data) - known:
            raise ValueError(f"unknown in a fault: {', '.join(sorted(unknown))}; known: {', '.join(sorted(known))}")
        try:
            re.compile(data.get("match", {}).get("path", ""))
        except re.error as error:
            raise ValueError(f"bad pattern: {error}") from None
        if (how := data.get("garble", "")) and how not in GARBLES:
            raise ValueError(f"unknown garble '{how}'; known: {', '.join(GARBLES)}")
        return cls(**data)

    def show(self) -> dict[str, Any]:
        """Return the fault as JSON, with the `times` that are left."""
        return {item.name: getattr(self, item.name) for item in fields(self) if not item.name.startswith("_")}

    def meets(self, method: str, path: str) -> bool:
        """Return True if it is about this call and not yet used up."""
        if self.times is not None and self.times <= 0:
            return False
        wanted = self.match.get("method", method)
        return wanted.upper() == method and re.search(self.match.get("path", ""), path) is not None

    def over_rate(self, now: float) -> bool:
        """Return True if this call comes faster than `rate_per_s` allows (a window of one second)."""
        if self.rate_per_s is None:
            return False
        self._recent[:] = [moment for moment in self._recent if moment > now - 1.0]
        if len(self._recent) >= self.rate_per_s:
            return True
        self._recent.append(now)
        return False


@dataclass(slots=True)
class FaultsOfCall:
    """What the faults together do to one call."""

    latency_ms: float = 0
    answer: Fault | None = None
    reset_before: bool = False
    reset_after: bool = False
    partial: PartialFailure | None = None
    expired_token: bool = False
    limited: bool = False
    fails_after: bool = False
    garble: str = ""


class Faults:
    """The list of faults of a sandbox, thread safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []

    def set(self, faults: Sequence[Fault | Mapping[str, Any]]) -> None:
        """Replace the list; raises ValueError if one is not understood."""
        read = [item if isinstance(item, Fault) else Fault.read(item) for item in faults]
        with self._lock:
            self._faults = read

    def show(self) -> list[dict[str, Any]]:
        """Return the list as JSON."""
        with self._lock:
            return [fault.show() for fault in self._faults]

    def draw(self, method: str, path: str) -> FaultsOfCall:
        """Return what happens to this call; counts it."""
        trouble = FaultsOfCall()
        with self._lock:
            for fault in self._faults:
                if fault.meets(method, path):
                    _strike(fault, trouble)
        return trouble


def _strike(fault: Fault, trouble: FaultsOfCall) -> None:
    """Add one matching fault to the trouble of a call and use it up by one."""
    if fault.after > 0:
        fault.after -= 1
        return
    if fault.rate_per_s is not None:
        trouble.limited = trouble.limited or fault.over_rate(monotonic())
        return
    if fault.times is not None:
        fault.times -= 1
    trouble.latency_ms += fault.latency_ms
    trouble.reset_before = trouble.reset_before or fault.reset_before
    trouble.reset_after = trouble.reset_after or fault.reset_after
    trouble.expired_token = trouble.expired_token or fault.expired_token
    if fault.status is not None and trouble.answer is None:
        trouble.answer = fault
    trouble.fails_after = trouble.fails_after or fault.fails_after
    trouble.garble = trouble.garble or fault.garble
    if fault.partial is not None:
        trouble.partial = _partial(fault.partial)


def _partial(wanted: float | Sequence[int]) -> PartialFailure:
    """Return a share or indexes as one value."""
    if isinstance(wanted, int | float):
        return PartialFailure(share=float(wanted))
    return PartialFailure(indexes=frozenset(wanted))
