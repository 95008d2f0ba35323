"""The watch makes its rounds beside the scheduler's sweep: counts, looks, judges, opens valves, tells people."""

from __future__ import annotations

import threading
from contextlib import suppress
from functools import partial
from time import monotonic

from hub.config.logs import LateLogger
from hub.core.errors import Conflict, HubError
from hub.flow.monitor.alerts import judge
from hub.flow.monitor.held import open_valves
from hub.flow.monitor.life import broken
from hub.flow.monitor.notices import meet, settle, take
from hub.flow.monitor.notify import message, tell
from hub.flow.monitor.snapshot import look, recent_beats, why_unheard
from hub.runtime import Hub
from hub.store.monitor.alerts import Book, Kept

log = LateLogger(__name__)
EVERY_S = 20.0
GLANCE_S = 2.0
MOST_READS = 50


def start(hub: Hub, stop: threading.Event) -> threading.Thread:
    """Make rounds in a thread of their own: neither a slow count nor a slow mail server delays the sweep."""
    thread = threading.Thread(target=make_rounds, args=(hub, stop), name="watch", daemon=True)
    thread.start()
    return thread


def make_rounds(hub: Hub, stop: threading.Event) -> None:
    """Make rounds until `stop` is set. What could not be done now is done next time."""
    while not stop.is_set():
        try:
            make_round(hub)
        except HubError as error:
            log.warning("the watch could not look now", error=str(error))
        except Exception:
            log.exception("the watch stumbled")
        _rest(hub, stop)


def _rest(hub: Hub, stop: threading.Event) -> None:
    """Wait until the next round is due, or something changes that is told at once."""
    was, end = urgent(hub), monotonic() + EVERY_S
    while not stop.wait(GLANCE_S) and monotonic() < end:
        if urgent(hub) != was:
            return


def urgent(hub: Hub) -> tuple[bool, frozenset[str]]:
    """Return what is told at once: True if the bell is away, and what a process cannot have, by place."""
    absent = frozenset[str]()
    with suppress(HubError):  # the next round tells that the database is away
        absent = frozenset(broken(recent_beats(hub), hub.now()))
    return bool(why_unheard(hub)), absent


def make_round(hub: Hub) -> None:
    """Make one round."""
    open_valves(hub)
    observe(hub, arrivals_known=count_arrivals(hub))
    if hub.settings.alerts.urls:
        tell_due(hub)


def count_arrivals(hub: Hub) -> bool:
    """Count what came in; False if the count is still behind."""
    for _ in range(MOST_READS):
        with suppress(Conflict):  # another scheduler counted these: go on behind them
            if hub.store.figures.note_arrivals():
                return True
    return False


def observe(hub: Hub, *, arrivals_known: bool) -> None:
    """Judge the hub's snapshot, keep what is wrong, and log what begins and what is over."""
    found = judge(look(hub, arrivals_known=arrivals_known), hub.settings.alerts)

    def step(book: Book) -> Book:
        met = meet(book, found, now=hub.now(), cooldown=hub.settings.alerts.cooldown)
        # Silences cannot be judged now: those that are open stay open.
        return met if arrivals_known else {**met, **{key: book[key] for key in book if key.startswith("silent:")}}

    old, new = hub.store.alerts.change(step)
    were, are = ({key for key, kept in book.items() if kept.is_open} for book in (old, new))
    told = {one.key: one.text.removesuffix(one.quoted).rstrip(": ") for one in found}
    for key in sorted(are - were):
        log.warning("alert", key=key, severity=new[key].severity, text=told.get(key, ""))
    for key in sorted(were - are):
        log.info("alert over", key=key)


def tell_due(hub: Hub) -> bool:
    """Tell people what is due; False if no address took it."""
    due: list[Kept] = []

    def set_aside(book: Book) -> Book:
        taken, due[:] = take(book, now=hub.now())
        return taken

    hub.store.alerts.change(set_aside)
    if not due:
        return True
    fine = was_told(hub, due)
    repeat = hub.settings.alerts.repeat
    hub.store.alerts.change(partial(settle, sent=due, fine=fine, now=hub.now(), repeat=repeat))
    return fine


def was_told(hub: Hub, due: list[Kept]) -> bool:
    """Return True if at least one address took the message; the others are named in the log."""
    try:
        taken = tell(hub.settings, *message(hub, due))
    except HubError as error:
        log.warning("alerts were not sent", error=str(error))
        return False
    for kind in (kind for kind, fine in taken if not fine):
        log.warning("an alert was not taken", address=kind)
    return any(fine for _, fine in taken)
