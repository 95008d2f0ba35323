"""Destinations that are asked what people did there: each page of changes is committed with its cursor."""

from __future__ import annotations

from datetime import datetime

from hub.config.logs import LateLogger
from hub.core.errors import ConnectorError, HubError, Unauthorised
from hub.core.ledger import Lane
from hub.core.model import RawItem
from hub.flow.bugs import tell
from hub.flow.calls import calling
from hub.flow.converse.changes import change_items
from hub.flow.converse.selves import meet
from hub.flow.intake.poll import after_bug, held, next_try, usable_destination
from hub.runtime import Hub
from hub.sdk.connectors import ChangePage

log = LateLogger(__name__)


def watched_destinations(hub: Hub) -> list[str]:
    """Return the cursors of enabled destinations that are asked for changes: `destinations/NAME`."""
    return [str(Lane("changes", name)) for name in hub.settings.destinations if _can_tell(hub, name)]


def _can_tell(hub: Hub, name: str) -> bool:
    destination = usable_destination(hub, name)
    return destination is not None and "changes" in destination.capabilities


def poll_changes(hub: Hub, cursor_name: str, *, early: bool = False) -> int | None:
    """Ask a destination for changes, page by page; None if it is not due, or another worker asks. Return how many were new."""
    name = Lane.of_cursor(cursor_name).name
    destination, taken = hub.destination(name), 0
    leased = hub.store.cursors.claim(cursor_name, now=hub.now(), early=early)
    if leased is None:
        return None
    token, cursor = leased
    due_at, error = hub.now() + destination.every, None
    try:
        with held(hub, cursor_name, token), calling(hub, f"destinations.{name}") as came_back:
            meet(hub, name, destination)
            for page in destination.changes(hub.destination_context(name), cursor):
                taken += _take(hub, name, page, token)
                came_back()
    except HubError as failure:  # the vendor's trouble, or the database's
        due_at, error = _failed(hub, cursor_name, failure), f"{type(failure).__name__}: {failure}"
    except BaseException as failure:  # noqa: BLE001 - told, and tried again later
        due_at, error = (
            after_bug(hub, cursor_name),
            f"bug: {tell(hub, name, failure, event='a plugin failed to read changes')}",
        )
    hub.store.cursors.release(cursor_name, token, due_at=due_at, now=hub.now(), error=error)
    return taken


def _failed(hub: Hub, cursor_name: str, failure: HubError) -> datetime:
    said = str(failure)
    if isinstance(failure, ConnectorError):
        hub.redact(Lane.of_cursor(cursor_name).name, failure)
        said = failure.in_our_words()
    if isinstance(failure, Unauthorised):
        hub.doubt("destinations", Lane.of_cursor(cursor_name).name)
    log.warning("changes could not be read", destination=cursor_name, error=said)
    return next_try(hub, cursor_name, failure)


def _take(hub: Hub, name: str, page: ChangePage, token: str) -> int:
    """Store a page and its cursor in one transaction, then ring; return how many changes were new.

    Raises LeaseLost if another worker asks the destination by now.
    """
    like = RawItem(name, hub.destination(name).name, b"", hub.now(), "")
    with hub.store.database.write() as conn:
        hub.store.cursors.advance(conn, str(Lane("changes", name)), token, page.cursor, now=hub.now())
        taken = hub.store.inbox.add(change_items(page.changes, like=like), form="change", conn=conn)
    if taken:
        hub.bell.ring("process")
    return taken
