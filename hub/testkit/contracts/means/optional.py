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
    """Set those tests of `cls` to None that it has no capability for, or whose methods are still those of `base`.

    What was left out of a class above and is now possible comes back: a suite may stand on another one.
    """
    mark = f"left_out_by_{base.__name__}"
    above: frozenset[str] = getattr(cls, mark, frozenset())
    left = set()
    for name in (one for one in dir(cls) if one.startswith("test_")):
        test = _original(cls, name) if name in above else getattr(cls, name)
        asked, needed = getattr(test, "asks", None), getattr(test, "needs", ())
        lacks = asked is not None and not asked & capabilities
        if lacks or any(_function(cls, one) is _function(base, one) for one in needed):
            left.add(name)
            setattr(cls, name, None)
        elif name in above and name not in vars(cls):
            setattr(cls, name, test)
    setattr(cls, mark, frozenset(left))


def _original(cls: type, name: str) -> Any:
    """Return the test as the suite has it, below which it was left out."""
    return next(found for one in cls.__mro__ if (found := vars(one).get(name)) is not None)


def _function(cls: type, name: str) -> Any:
    found = getattr(cls, name)
    return getattr(found, "__func__", found)
