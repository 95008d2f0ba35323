"""What `hub deliveries retry` and `discard` do to many at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli import show

if TYPE_CHECKING:
    from hub.flow.watch.letters import Letters
    from hub.runtime import Hub

State = Annotated[
    str | None, typer.Option(help="all of a state: dead, retry, parked, blocked, review; unset: all but review")
]
DestinationName = Annotated[str | None, typer.Option("--destination", help="of this destination only")]
ObjectName = Annotated[str | None, typer.Option("--object", help="Lead, ticket, ... only")]
Rule = Annotated[str | None, typer.Option(help="that this rule asked for only")]
ErrorCode = Annotated[str | None, typer.Option(help="with this error's code, field or class only")]
Since = Annotated[str | None, typer.Option(help='ended since: "2h", "7d", or an ISO 8601 time')]
All = Annotated[bool, typer.Option("--all", help="all of them")]
Dry = Annotated[bool, typer.Option("--dry", help="only say how many of which kind that would be")]
COLUMNS = {"count": "count", "destination": "destination", "object": "object", "state": "state", "error": "error"}


def wanted_letters(hub: Hub, **given: Any) -> Letters:
    """The filter that the options describe; ends the command where a destination is unknown."""
    from hub.flow.back.reply import outlets
    from hub.flow.watch.letters import Letters

    destination = given.get("destination")
    if destination is not None and destination not in outlets(hub):
        known = ", ".join(outlets(hub)) or "none"
        raise typer.BadParameter(f"there is no destination '{destination}'; configured: {known}")
    since = given.pop("since", None)
    return Letters(**given, since=None if since is None else moment(since, hub.now()))


def refuse_nothing(ids: Sequence[int] | None, all_: bool, given: Mapping[str, Any]) -> None:
    """End the command where it does not say which deliveries it means."""
    filters = any(value is not None for value in given.values())
    if not ids and not filters and not all_:
        raise typer.BadParameter("name deliveries, or a filter such as --state or --destination, or --all")
    if ids and (filters or all_):
        raise typer.BadParameter("name deliveries, or a filter: not both")


def moment(text: str, now: datetime) -> datetime:
    """A time: a span before now, or ISO 8601 (UTC where it names no zone)."""
    from hub.config.settings import duration

    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        try:
            span: timedelta = duration(text)
            return now - span
        except (ValueError, OverflowError):
            raise typer.BadParameter('--since wants a span such as "2h" or "7d", or ISO 8601') from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def show_kinds(rows: Sequence[Mapping[str, Any]]) -> None:
    """How many deliveries of which kind something would be done to."""
    from hub.flow.watch.letters import groups

    show.rows(groups(rows), COLUMNS, as_json=False, empty="no delivery is like this")
