"""Tests that a suite leaves out by itself: a skip would look like something to mend."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

Test = TypeVar("Test", bound=Callable[..., None])


def asks(*capabilities: str) -> Callable[[Test], Test]:
    """Mark a test of connectors that have one of these capabilities."""

    def mark(test: Test) -> Test:
        test.asks = frozenset(capabilities)  # type: ignore[attr-defined]  # read by `leave_out`
        return test

    return mark


def needs(*names: str) -> Callable[[Test], Test]:
    """Mark a test that plays what an author may give: it runs once all of these methods are overridden."""

    def mark(test: Test) -> Test:
        test.needs = names  # type: ignore[attr-defined]  # read by `leave_out`
        return test

    return mark


def leave_out(cls: type, base: type, capabilities: frozenset[str]) -> None:
    """Set those tests of `cls` to None that it has no capability for, or whose methods are still those of `base`."""
    for name in (one for one in dir(cls) if one.startswith("test_")):
        test = getattr(cls, name)
        asked, needed = getattr(test, "asks", None), getattr(test, "needs", ())
        lacks = asked is not None and not asked & capabilities
        if lacks or any(_function(cls, one) is _function(base, one) for one in needed):
            setattr(cls, name, None)


def _function(cls: type, name: str) -> Any:
    found = getattr(cls, name)
    return getattr(found, "__func__", found)
