"""What people are told of alerts, and when: each once, again while it lasts, and when it is over. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import partial

from hub.flow.monitor.alerts import Alert
from hub.store.monitor.alerts import Book, Kept

LEASE = timedelta(minutes=3)
SOON, LATE = timedelta(minutes=1), timedelta(hours=1)


def meet(book: Book, found: Iterable[Alert], *, now: datetime, cooldown: timedelta) -> Book:
    """Return the book after a look: alerts that begin, last, begin again, or are over."""
    alerts = {alert.key: alert for alert in found}
    met = {key: _still(book.get(key), alert, now, cooldown) for key, alert in alerts.items()}
    for key, kept in book.items():
        if key not in met and (rest := _over(kept, now, cooldown)):
            met[key] = rest
    return met


def _still(kept: Kept | None, alert: Alert, now: datetime, cooldown: timedelta) -> Kept:
    if kept is None:
        return Kept(alert.key, alert.severity, alert.text, now, due_at=now)
    said = kept._replace(severity=alert.severity, text=alert.text)
    if kept.is_open:
        return said
    again = max(now, kept.told_at + cooldown) if kept.told_at else now
    return said._replace(is_open=True, since=now, due_at=again, failures=0)


def _over(kept: Kept, now: datetime, cooldown: timedelta) -> Kept | None:
    if kept.is_open and kept.is_known:
        return kept._replace(is_open=False, due_at=now, failures=0)
    if kept.is_known:
        return kept
    # No person was told of it: nothing is told now, and only the time of the last word is kept, for the cool-down.
    if kept.told_at is None or now >= kept.told_at + cooldown:
        return None
    return kept._replace(is_open=False, due_at=None)


def take(book: Book, *, now: datetime) -> tuple[Book, list[Kept]]:
    """Take what is to be told now; it is set aside for a while, so that no other process tells it too."""
    due = [kept for kept in book.values() if kept.due_at is not None and kept.due_at <= now]
    return {**book, **{kept.key: kept._replace(due_at=now + LEASE) for kept in due}}, due


def settle(book: Book, sent: Iterable[Kept], *, fine: bool, now: datetime, repeat: timedelta) -> Book:
    """Return the book after words were sent, or could not be; what has changed since is told next."""
    after = partial(_heard, now=now, repeat=repeat) if fine else partial(_unheard, now=now)
    changed = {kept.key: after(book.get(kept.key), kept) for kept in sent}
    return {**book, **{key: kept for key, kept in changed.items() if kept is not None}}


def _unheard(kept: Kept | None, sent: Kept, *, now: datetime) -> Kept | None:
    wait = min(SOON * 2 ** min(sent.failures, 10), LATE)
    return kept and kept._replace(failures=sent.failures + 1, due_at=now + wait)


def _heard(kept: Kept | None, sent: Kept, *, now: datetime, repeat: timedelta) -> Kept | None:
    current = kept or sent._replace(is_open=False)
    if sent.is_open:
        due_at = now + repeat if current.is_open else now
        return current._replace(is_known=True, told_at=now, due_at=due_at, failures=0)
    return current._replace(is_known=False, due_at=current.due_at if current.is_open else None, failures=0)
