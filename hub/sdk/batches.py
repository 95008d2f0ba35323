"""How a batch is taken apart: in runs that a vendor takes, in rounds without a repeat, or one by one. Pure."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import TypeVar

from hub.core.errors import (
    ConnectorError,
    QuotaExhausted,
    RateLimited,
    Rejected,
    Retryable,
    Unauthorised,
    Unavailable,
    Uncertain,
)
from hub.core.model import Delivery
from hub.sdk.connectors import Outcome

FOR_ALL = (Unauthorised, QuotaExhausted, RateLimited, Unavailable)
"""Errors about the account, not about one record: what was not sent yet would meet the same."""

T = TypeVar("T")


def chunks(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Give the items in runs of at most `size`."""
    return (items[start : start + size] for start in range(0, len(items), size))


def rounds(items: Sequence[T], place: Callable[[T], Hashable]) -> Iterator[list[T]]:
    """Give the items in parts in which no place stands twice, the earlier ones of a place first."""
    waiting = list(items)
    while waiting:
        part: dict[Hashable, T] = {}
        later: list[T] = []
        for one in waiting:
            if place(one) in part:
                later.append(one)
            else:
                part[place(one)] = one
        yield list(part.values())
        waiting = later


def one_by_one(
    batch: Sequence[Delivery], write: Callable[[Delivery], Outcome], *, line: Callable[[Delivery], str] | None = None
) -> list[Outcome]:
    """Write each by itself. Deliveries of one `line` keep their order: none goes after one that may come again.

    An error about the account ends the batch: it is given to all that were not sent. A bug is a doubt about the record that
    met it, and the others keep their outcomes.
    """
    outcomes: list[Outcome] = []
    stop: ConnectorError | None = None
    held: dict[str, ConnectorError] = {}
    for delivery in batch:
        name = line(delivery) if line else ""
        waits = stop or held.get(name)
        outcomes.append(Outcome.failed(delivery, waits) if waits else _written(delivery, write))
        error = outcomes[-1].error
        if isinstance(error, FOR_ALL):
            stop = error
        elif error is not None and line and name not in held and not isinstance(error, Rejected):
            seconds = error.retry_after if isinstance(error, Retryable) else None
            held[name] = Retryable(f"waits for an earlier one: {error}", retry_after=seconds or 60)
    return outcomes


def _written(delivery: Delivery, write: Callable[[Delivery], Outcome]) -> Outcome:
    try:
        return write(delivery)
    except ConnectorError as error:
        return Outcome.failed(delivery, error)
    except Exception as error:  # noqa: BLE001 - one record's bug must not cost the others their outcomes
        return Outcome.failed(delivery, bug(error))


def bug(error: Exception) -> Uncertain:
    """Return a connector's bug as a doubt (code "bug") about the record that met it: it may have been written before.

    The exception is its cause: the engine tells of it aloud.
    """
    found = Uncertain(f"a bug of the connector: {type(error).__name__}: {error}", code="bug")
    found.__cause__ = error
    return found
