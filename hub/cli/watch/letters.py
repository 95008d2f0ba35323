"""What `hub deliveries retry` and `discard` do to many at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from hub.cli import show
from hub.cli.opened import me, opened

if TYPE_CHECKING:
    from hub.flow.views.deliveries import Letters
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


Rows = list[dict[str, Any]]


class Filters(NamedTuple):
    """What deliveries have in common, as the options say it; None is any."""

    state: str | None
    destination: str | None
    object: str | None
    rule: str | None
    error: str | None
    since: str | None


class Asked(NamedTuple):
    """Which deliveries a command line means; `dry`: they are only to be counted."""

    ids: Sequence[int] | None
    filters: Filters
    all: bool
    dry: bool


def carry_out(file: Path, asked: Asked, find: Callable[..., Rows], act: Callable[..., int]) -> int | None:
    """Find the deliveries and act on them; returns on how many, None if they were only counted.

    `find` is of `hub.flow.views.deliveries`, `act` of `hub.flow.actions.deliveries`. Ends the command if nothing, or too much, is
    asked for.
    """
    refuse_nothing(asked)
    with opened(file) as hub:
        wanted = wanted_letters(hub, asked.filters)
        if not asked.dry:
            return act(hub, me(), wanted, ids=asked.ids)
        rows = find(hub, me(), wanted, ids=asked.ids)
    show_kinds(rows)
    return None


def wanted_letters(hub: Hub, filters: Filters) -> Letters:
    """Return the filter that the options describe; ends the command if a destination is unknown."""
    from hub.flow.views.connectors import outlets
    from hub.flow.views.deliveries import Letters

    if filters.destination is not None and filters.destination not in outlets(hub, me()):
        known = ", ".join(outlets(hub, me())) or "none"
        raise typer.BadParameter(f"there is no destination '{filters.destination}'; configured: {known}")
    return Letters(*filters[:-1], None if filters.since is None else moment(filters.since, hub.now()))


def refuse_nothing(asked: Asked) -> None:
    """End the command if it does not say which deliveries it means."""
    filters = any(value is not None for value in asked.filters)
    if not asked.ids and not filters and not asked.all:
        raise typer.BadParameter("name deliveries, or a filter such as --state or --destination, or --all")
    if asked.ids and (filters or asked.all):
        raise typer.BadParameter("name deliveries, or a filter: not both")


def moment(text: str, now: datetime) -> datetime:
    """Return what `--since` means: a span before now, or ISO 8601 (UTC if it names no zone)."""
    from hub.flow.views import files

    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        try:
            return files.since(text, now)
        except (ValueError, OverflowError):
            raise typer.BadParameter('--since wants a span such as "2h" or "7d", or ISO 8601') from None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)


def show_kinds(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print how many deliveries of which kind something would be done to."""
    from hub.flow.views.deliveries import groups

    show.rows(groups(rows), COLUMNS, as_json=False, empty="no delivery is like this")
