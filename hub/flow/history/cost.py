"""What deliveries and items cost: calls by vendor, money by a table of prices, and the same for a month to come."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec

from hub.core.errors import ConfigError
from hub.flow.history.compare import SENT, Group
from hub.flow.history.replay import Run
from hub.runtime import Hub
from hub.store.history import CallBatch, History

MONTH = timedelta(days=30)
SHORTEST = timedelta(days=1)
"""A shorter span says nothing about a month."""


class Amount(msgspec.Struct, frozen=True):
    """Records and the calls that carry them, items taken in, and money; None: no price is known, or no time to judge by."""

    records: float = 0
    calls: float = 0
    items: float = 0
    money: float | None = None

    def times(self, factor: float) -> Amount:
        """Multiply all of it by a number."""
        return Amount(
            round(self.records * factor, 3),
            round(self.calls * factor, 3),
            round(self.items * factor, 3),
            None if self.money is None else round(self.money * factor, 6),
        )


class Share(msgspec.Struct, frozen=True):
    """What one destination, source or rule takes: now, and in a month (None: the span is too short).

    `at_most` is the month with one record a call: a quiet hub does not fill its batches.
    """

    name: str
    now: Amount
    month: Amount | None = None
    at_most: Amount | None = None


class Cost(msgspec.Struct, frozen=True):
    """Money and calls by destination, source and rule, over `days` (what the forecast is made from), and all together.

    `basis` says whose days these are: "hub", how long it has run, or "posts", from the first to the last that were said.
    """

    currency: str
    days: float
    destinations: tuple[Share, ...]
    sources: tuple[Share, ...]
    rules: tuple[Share, ...]
    total: Share
    basis: str = "hub"


@dataclass(frozen=True, slots=True)
class Bill:
    """Records of one kind by the rule that asked and the source, and the calls that they share in."""

    group: Group
    records: float
    calls: float


@dataclass(frozen=True, slots=True)
class _Bills:
    """The parts of a cost: what is sent, what a month is made from (with full batches and at most), items by source."""

    now: tuple[Bill, ...]
    usual: tuple[Bill, ...]
    most: tuple[Bill, ...]
    items: Mapping[str, int]


def calls_of(hub: Hub, destination: str, object_: str, operation: str, *, count: int) -> int:
    """Return how many calls a destination needs for so many records at once, by its own word or in full batches.

    A destination that is no longer there, and a source that answers, take one record a call.
    """
    if count <= 0 or destination not in hub.settings.destinations:
        return max(count, 0)
    try:
        made = hub.destination(destination)
    except ConfigError:  # what is sent can be counted without a secret
        return count
    return made.calls_of(object_, operation, count)


def cost_of_run(hub: Hub, run: Run) -> Cost:
    """Return what sending the differences of a run costs, and a month of living with its rules and mappings."""
    differing: Counter[Group] = Counter()
    for (group, kind), count in run.comparison.counts.items():
        if kind in SENT:
            differing[group] += count
    usual = Counter({Group(*row[:5]): row[5] for row in run.wishes.writes()})
    bills = _Bills(
        tuple(_in_batches(hub, differing)),
        tuple(_in_batches(hub, usual)),
        tuple(Bill(group, count, count) for group, count in usual.items()),
        History(hub.store.database).items(run.scope),
    )
    start = max((one for one in (run.scope.since, run.span.first) if one is not None), default=None)
    # What is in the store was paid for: a run takes nothing in, only a month does.
    return _cost(hub, bills, _days(start, hub.now()), takes_items=False)


def cost_of_past(hub: Hub, since: datetime | None) -> Cost:
    """Return the cost of what was really sent and taken since then (None: ever), by the attempts and the raw items."""
    history = History(hub.store.database)
    bills = tuple(_of_batch(hub, one) for one in history.called(since))
    start = max((one for one in (since, history.began()) if one is not None), default=None)
    days, basis = _days(start, hub.now()), "hub"
    if days < SHORTEST / timedelta(days=1) and since is None:
        # On its first day a hub has taken in what was said over weeks: that is the pace to judge by.
        days, basis = max(history.days_of_posts(), days), "posts"
    return _cost(hub, _Bills(bills, bills, (), history.taken(since)), days, takes_items=True, basis=basis)


def _days(start: datetime | None, end: datetime) -> float:
    return 0.0 if start is None else max((end - start) / timedelta(days=1), 0.0)


def _in_batches(hub: Hub, counts: Mapping[Group, int]) -> Iterable[Bill]:
    """Share the calls of a kind among its records, whichever rule asked: they go out together."""
    kinds: Counter[tuple[str, str, str]] = Counter()
    for group, count in counts.items():
        kinds[group.destination, group.object, group.operation] += count
    for group, count in counts.items():
        kind = (group.destination, group.object, group.operation)
        yield Bill(group, count, calls_of(hub, *kind, count=kinds[kind]) * count / kinds[kind])


def _of_batch(hub: Hub, one: CallBatch) -> Bill:
    calls = calls_of(hub, one.destination, one.object, one.operation, count=one.size)
    group = Group(one.destination, one.object, one.operation, one.source or "", one.rule or "")
    return Bill(group, one.records, calls * one.records / one.size)


def _cost(hub: Hub, bills: _Bills, days: float, *, takes_items: bool, basis: str = "hub") -> Cost:
    prices = hub.settings.prices
    factor = MONTH / timedelta(days=days) if days >= SHORTEST / timedelta(days=1) else None

    def shares(name: str) -> tuple[Share, ...]:
        items = bills.items if name in ("source", "all") else {}
        now = _sum(bills.now, name, prices.destinations, _priced(items, prices.sources) if takes_items else {})
        month = _sum(bills.usual, name, prices.destinations, _priced(items, prices.sources))
        most = _sum(bills.most, name, prices.destinations, _priced(items, prices.sources)) if bills.most else {}
        return tuple(
            Share(
                one,
                now.get(one, Amount()),
                month.get(one, Amount()).times(factor) if factor else None,
                most[one].times(factor) if factor and one in most else None,
            )
            for one in sorted({*now, *month})
        )

    total = next(iter(shares("all")), Share("all", Amount()))
    parts = shares("destination"), shares("source"), shares("rule")
    return Cost(prices.currency, round(days, 3), *parts, total, basis)


def _priced(items: Mapping[str, int], prices: Mapping[str, float]) -> dict[str, Amount]:
    return {
        name: Amount(items=count, money=count * prices[name] if name in prices else None)
        for name, count in items.items()
    }


def _sum(
    bills: Iterable[Bill], name: str, prices: Mapping[str, float], items: Mapping[str, Amount]
) -> dict[str, Amount]:
    """Sum amounts by destination, source or rule, or all in one; money is None if nothing of it has a price."""
    found: dict[str, list[Amount]] = defaultdict(list)
    for source, amount in items.items():
        found["all" if name == "all" else source].append(amount)
    for bill in bills:
        price = prices.get(bill.group.destination)
        money = None if price is None else price * bill.calls
        place = "all" if name == "all" else getattr(bill.group, name)
        found[place].append(Amount(bill.records, bill.calls, money=money))
    return {place: _together(amounts) for place, amounts in found.items()}


def _together(amounts: list[Amount]) -> Amount:
    money: list[Any] = [one.money for one in amounts if one.money is not None]
    return Amount(
        round(sum(one.records for one in amounts), 3),
        round(sum(one.calls for one in amounts), 3),
        sum(one.items for one in amounts),
        round(sum(money), 6) if money else None,
    )
