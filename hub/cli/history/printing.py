"""What runs over history and costs look like: examples, tables, a summary."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from hub.cli import show
from hub.core.grammar.words import counted

if TYPE_CHECKING:
    from hub.flow.views.history import Amount, Cost, Past, Report, Share

KINDS = {"new": "green", "changed": "yellow", "gone": "red"}
CUT = 60


def print_run(past: Past, *, full: bool, as_json: bool) -> None:
    """Print a finished run, for people or for programs."""
    found = past.report
    if as_json and full:
        show.lines([found])  # and what follows line by line: there may be more than memory holds
        show.lines(past.differences())
    elif as_json:
        show.print_json({**msgspec.to_builtins(found), "examples": list(past.differences())})
    else:
        for one in past.differences():
            _print_difference(one, full=full)
        _print_report(found)


def _print_difference(one: dict[str, Any], *, full: bool) -> None:
    what = f"{one['destination']}/{one['object']} {one['operation']} {one['record']}"
    why = f"by {one['rule'] or 'no rule'} for {one['signal']}"
    show.say(f"{show.paint(one['kind'].ljust(8), KINDS[one['kind']])}{show.safe(what)}  {show.safe(why)}")
    for name, value in one.get("fields", {}).items():
        was = "" if value["was"] is None else f"{_value(value['was'], full=full)} -> "
        show.say(f"        {show.safe(name)}: {was}{_value(value['now'], full=full)}")


def _value(value: Any, *, full: bool) -> str:
    text = "nothing" if value is None else show.safe(msgspec.json.encode(value).decode())
    return text if full or len(text) <= CUT else f"{text[:CUT]}…"


def _print_report(found: Report) -> None:
    lines = [msgspec.to_builtins(line) for line in found.records]
    names = ("destination", "object", "operation", "new", "changed", "gone", "same", "kept", "deleted", "newer")
    columns = {name: "no longer made" if name == "gone" else name for name in names}
    show.say("")
    show.rows([_without_zeros(line) for line in lines], columns, as_json=False, empty="no records")
    show.say(f"\n{_summary(found)}")
    for reason, count in found.unread.items():
        show.say(f"{show.paint('note', 'yellow')} {count} taken as stored: {show.safe(reason)}")
    for one in found.failures:
        where = f"{one.destination}/{one.mapping} by {one.rule}: {one.field}: {one.reason}"
        show.say(f"{show.paint('note', 'yellow')} {one.count} cannot be made: {show.safe(where)} (as for {one.signal})")
    show.say("")
    print_cost(found.cost)


def _summary(found: Report) -> str:
    told = [f"{counted(found.signals, 'signal')}, {found.otherwise:,} decided otherwise"]
    if found.left_out:
        told.append(f"{found.left_out} left out, since they are gone")
    if found.planned is not None:
        told.append(f"{counted(found.planned, 'delivery')} planned")
    elif not found.differs:
        told.append("nothing differs")
    return "; ".join(told)


def _without_zeros(line: dict[str, Any]) -> dict[str, Any]:
    return {name: value or None if isinstance(value, int) else value for name, value in line.items()}


def print_cost(found: Cost) -> None:
    """Print tables of what destinations, sources and rules take."""
    rows = [
        _cost_row(kind, share, found.currency)
        for kind, shares in (
            ("destination", found.destinations),
            ("source", found.sources),
            ("rule", found.rules),
            ("all", (found.total,)),
        )
        for share in shares
    ]
    columns = {name: name for name in ("of", "name", "records", "calls", "items", "money", "a month", "month's money")}
    show.rows(rows, columns, as_json=False, empty="nothing was called", spare=("items",))
    if found.total.month is None:
        show.say("less than a day of history: no forecast", "dim")
    else:
        were = (
            f"the last {found.days:g} days were" if found.basis == "hub" else f"the posts of {found.days:g} days were"
        )
        show.say(f"a month as {were}; calls in full batches to one record a call", "dim")


def _cost_row(kind: str, share: Share, currency: str) -> dict[str, Any]:
    now, month = share.now, share.month
    row = {"of": kind, "name": share.name if kind != "all" else None, "records": _number(now.records)}
    row |= {"calls": _number(now.calls), "items": _number(now.items), "money": _money(now, currency)}
    if month is not None:
        most = share.at_most or month
        row["a month"] = _range(_number(month.calls) or "0", _number(most.calls) or "0") + " calls"
        row["month's money"] = _range(_money(month, currency) or "", _money(most, currency) or "")
    return row


def _range(least: str, most: str) -> str:
    return least if least == most or not most else f"{least} to {most}"


def _number(value: float) -> str | None:
    """Return a number as people read it: whole, or with two digits if it is small."""
    return f"{value:.0f}" if value >= 10 or value == int(value) != 0 else f"{value:.2g}" if value else None


def _money(amount: Amount, currency: str) -> str | None:
    """Return money with two decimals, with more if nothing would be left of it."""
    if amount.money is None:
        return None
    return (
        f"{amount.money:.2f} {currency}"
        if amount.money >= 0.01 or not amount.money
        else f"{amount.money:.1g} {currency}"
    )
