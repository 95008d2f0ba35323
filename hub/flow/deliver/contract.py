"""What a plugin answers, read as a stranger's: what is not as its contract says is a bug, and costs no other record anything."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from hub.core.errors import QuotaExhausted, Rejected, Retryable, Unauthorised, Uncertain
from hub.core.model import RemoteRef
from hub.sdk.connectors import Outcome

MEANT = (Retryable, QuotaExhausted, Unauthorised, Rejected, Uncertain)
"""Errors that say what the engine must do; any other says nothing."""


class Misfit(Exception):
    """A plugin answered with something else than its contract says."""


class Outcomes:
    """The outcomes that a plugin gives for these deliveries; `misfit` is the last that is none of theirs."""

    def __init__(self, ids: Iterable[int]) -> None:
        self.given: dict[int, Outcome] = {}
        self.misfit: Misfit | None = None
        self._asked = frozenset(ids)

    def take(self, one: Any) -> None:
        """Take one in. Two that differ say nothing of their delivery: neither counts."""
        if not isinstance(one, Outcome):
            self.misfit = Misfit(f"an outcome is a {type(one).__name__}, no Outcome")
        elif not isinstance(one.delivery_id, int) or one.delivery_id not in self._asked:
            self.misfit = Misfit("an outcome names a delivery that is not in the batch")
        elif self.given.setdefault(one.delivery_id, one) != one:
            two = Misfit("there are two outcomes for one delivery, and they differ")
            self.given[one.delivery_id] = Outcome(one.delivery_id, error=two)  # type: ignore[arg-type]  # told as the bug it is


def misfit_of(outcome: Outcome) -> BaseException | None:
    """Return what is wrong with an outcome, None if the engine can use it."""
    error: Any = outcome.error
    if error is not None and not isinstance(error, MEANT):
        return error if isinstance(error, BaseException) else Misfit(f"an error is a {_kind(error)}")
    return misfit_of_ref(outcome.ref) or _misfit_of_rest(outcome)


def misfit_of_ref(ref: Any) -> Misfit | None:
    """Return what is wrong with a reference (or None), None if it may be stored."""
    if ref is None:
        return None
    if not isinstance(ref, RemoteRef):
        return Misfit(f"a reference is a {_kind(ref)}, no RemoteRef")
    id_: Any = ref.id
    url: Any = ref.url
    if isinstance(id_, str) and isinstance(url, str | None):
        return None
    return Misfit(f"a reference has a {_kind(id_)} as id and a {_kind(url)} as url; both are str")


def _misfit_of_rest(outcome: Outcome) -> Misfit | None:
    left: Any = outcome.left
    moved: Any = outcome.moved
    if not isinstance(left, tuple | list) or not all(isinstance(one, str) for one in left):
        return Misfit("what is left is no tuple of str")
    if not isinstance(moved, Mapping) or not all(isinstance(one, RemoteRef) for one in moved.values()):
        return Misfit("what has moved is no mapping of kinds to RemoteRefs")
    return next((wrong for one in moved.values() if (wrong := misfit_of_ref(one))), None)


def _kind(value: object) -> str:
    return type(value).__name__
