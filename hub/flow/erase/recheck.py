"""Posts are looked at again: are they still there, and may they be kept any longer?"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from time import monotonic
from typing import Any, NamedTuple

from hub.config.logs import LateLogger
from hub.core.decide.decision import Decision
from hub.core.errors import ConfigError, ConnectorError, HubError
from hub.core.ledger import Lane
from hub.core.model import Signal, Tombstone
from hub.flow.bugs import tell
from hub.flow.erase.erase import erase
from hub.flow.intake.poll import after_bug, held, next_try
from hub.runtime import Hub
from hub.sdk.connectors import Source

log = LateLogger(__name__)
SLICE_S = 5.0
PAGE = 500
SHORTEST = timedelta(minutes=1)


class Checked(NamedTuple):
    """How many posts were looked for, how many of them are gone, how many may not be kept any longer; True if some wait."""

    asked: int = 0
    gone: int = 0
    expired: int = 0
    is_cut: bool = False


def recheck_lanes(hub: Hub) -> list[str]:
    """Return the names under which the enabled sources' rechecks are scheduled."""
    sources = hub.settings.sources
    return [str(Lane("recheck", name)) for name, section in sources.items() if section.enabled and has_duty(hub, name)]


def recheck_due(hub: Hub, lane: str, *, slice_s: float = SLICE_S) -> Checked | None:
    """Recheck a source's posts that are due, at once again if some are left; None if another does, or none is due."""
    name = Lane.of_cursor(lane).name
    pause, age = _pace(hub, name)
    leased = hub.store.cursors.claim(lane, now=hub.now())
    if leased is None:
        return None
    token, done, error = leased[0], Checked(), None
    due_at = hub.now() + pause
    try:
        with held(hub, lane, token):
            done = recheck(hub, name, before=hub.now() - age, slice_s=slice_s)
        due_at = hub.now() if done.is_cut else due_at
    except HubError as failure:  # the network's trouble, or the database's
        if isinstance(failure, ConnectorError):
            hub.redact(name, failure)
        due_at, error = next_try(hub, lane, failure), f"{type(failure).__name__}: {failure}"
        log.warning("posts could not be looked for", source=name, error=type(failure).__name__)
    except BaseException as failure:  # noqa: BLE001 - told, and tried again later
        due_at, error = after_bug(hub, lane), f"bug: {tell(hub, name, failure, event='a plugin failed to recheck')}"
    hub.store.cursors.release(lane, token, due_at=due_at, now=hub.now(), error=error)
    return done


def recheck_pause(hub: Hub, name: str) -> timedelta:
    """Return the pause between two rechecks of a source."""
    return _pace(hub, name)[0]


def _pace(hub: Hub, name: str) -> tuple[timedelta, timedelta]:
    """Return the pause between two rechecks, and the age of the last look at which a post is due again.

    A post is looked for at the latest when half of the time has passed in which a deletion must follow.
    """
    if (every := hub.settings.sources[name].recheck_every) is not None:
        return every, every / 2
    within = hub.source(name).compliance.delete_within
    pause = max(within / 24, SHORTEST)
    return pause, within / 2 - pause


def recheck(
    hub: Hub, name: str, *, before: datetime, since: datetime | None = None, slice_s: float | None = None
) -> Checked:
    """Look for posts that were not looked for since `before`, the longest unchecked first; what is gone is taken back.

    `since` leaves out posts that came before. Raises the source's ConnectorError; what was done until then is kept.
    """
    source, end = hub.source(name), monotonic() + (slice_s or float("inf"))
    asked, gone, expired, waiting = 0, 0, expire(hub, name), source.recheck_size > 0
    while waiting and monotonic() < end and not hub.stopping.is_set():
        keys = hub.store.rechecks.unchecked(name, before=before, limit=source.recheck_size, since=since)
        if not keys:
            waiting = False
            break
        found = _ask(hub, name, source, keys)
        erase(hub, found)
        with hub.store.database.write() as conn:
            hub.store.rechecks.checked(conn, keys, now=hub.now())
        asked, gone = asked + len(keys), gone + len(found)
    if gone or expired:
        log.info("posts are gone", source=name, gone=gone, expired=expired)
    return Checked(asked, gone, expired, waiting)


def _ask(hub: Hub, name: str, source: Source[Any], keys: Sequence[str]) -> list[Tombstone]:
    """Return the tombstones of those that are gone; a source's word counts for what it was asked only."""
    with hub.store.database.read() as conn:
        signals = hub.store.threads.of(conn, keys)
    found = source.recheck(hub.source_context(name), [signals[key] for key in keys if key in signals])
    return [stone for stone in found if stone.key in keys]


def expire(hub: Hub, name: str) -> int:
    """Take back what a source's terms forbid to keep any longer; return how many posts."""
    keep = hub.source(name).compliance.keep
    if keep is None:
        return 0
    done = 0
    while keys := hub.store.rechecks.expired(name, before=hub.now() - keep, limit=PAGE):
        erase(hub, [Tombstone(key, "expired", hub.now()) for key in keys])
        with hub.store.database.write() as conn:
            hub.store.rechecks.drop(conn, keys)
        done += len(keys)
    return done


def dutiful_sources(hub: Hub, signals: Sequence[Signal], decision: Decision) -> frozenset[str]:
    """Return those sources of a batch whose posts have to be looked at again."""
    told = (*signals, *(item.signal for item in decision.judged))
    return frozenset(name for name in {one.provenance.source for one in told if one.provenance} if has_duty(hub, name))


def has_duty(hub: Hub, name: str) -> bool:
    """Return True if a source's posts have to be looked at again: it can recheck them, or may keep them for a time only."""
    if name not in hub.settings.sources:
        return False
    try:
        source = hub.source(name)
    except ConfigError:  # told when the source is used
        return False
    return isinstance(source, Source) and (source.recheck_size > 0 or source.compliance.keep is not None)
