"""What a batch leaves behind for later: where texts stand, which posts are watched, and threads joined for good."""

from __future__ import annotations

from collections.abc import Sequence

from hub.core.decide.decision import Decision
from hub.core.errors import ConfigError, Conflict
from hub.core.model import Signal
from hub.runtime import Hub
from hub.sdk.connectors import Source
from hub.store import Connection


def dutiful_sources(hub: Hub, signals: Sequence[Signal], decision: Decision) -> frozenset[str]:
    """Return those sources of a batch whose posts have to be looked at again."""
    told = (*signals, *(item.signal for item in decision.judged))
    return frozenset(name for name in {one.provenance.source for one in told if one.provenance} if has_duty(hub, name))


def note_sightings(
    hub: Hub, conn: Connection, signals: Sequence[Signal], decision: Decision, *, dutiful: frozenset[str]
) -> None:
    """Remember each raw row that holds a signal's text and is not its own, and what is under a duty of its network."""
    judged = [item.signal for item in decision.judged]
    own = {one.key: one.provenance.raw_id for one in judged if one.provenance} | dict(decision.refreshed)
    held = [(key, one.provenance.raw_id) for one in signals if one.provenance for key in (one.key, one.quotes) if key]
    others = [(key, raw_id) for key, raw_id in held if own.get(key) != raw_id]
    moved = [item.signal.key for item in decision.revised] + list(decision.refreshed)
    # A post that quotes what is gone, or that reads it once more, brings its text along.
    gone = hub.store.signals.tombstoned(conn, sorted({key for key, _ in others})) if others else frozenset[str]()
    hub.store.erasures.blank_raw(conn, [*decision.late, *(raw_id for key, raw_id in others if key in gone)])
    hub.store.erasures.sighted(conn, others, moved)
    seen = {one.key: one.provenance.source for one in judged if one.provenance}
    seen |= {one.key: one.provenance.source for one in signals if one.provenance and one.key in decision.refreshed}
    hub.store.watch.add(conn, {key: name for key, name in seen.items() if name in dutiful}, now=hub.now())


def has_duty(hub: Hub, name: str) -> bool:
    """Return True if a source's posts have to be looked at again: it can recheck them, or may keep them for a time only."""
    if name not in hub.settings.sources:
        return False
    try:
        source = hub.source(name)
    except ConfigError:  # told where the source is used
        return False
    return isinstance(source, Source) and (source.recheck_size > 0 or source.compliance.keep is not None)


def weave(hub: Hub, conn: Connection, decision: Decision) -> None:
    """Join threads for good. Raises Conflict if what belongs to them, or what is gone, was stored since they were read."""
    threads, store = decision.threads, hub.store
    judged = [item.signal for item in decision.judged]
    named = {key for one in judged for key in (one.key, one.author_key) if key}
    named |= {*decision.refreshed, *(one.key for one in decision.authors)}
    if store.signals.tombstoned(conn, sorted(named)):
        raise Conflict
    store.threads.remember(conn, threads.aliases)
    store.threads.join(conn, threads.moves, decision.dropped, now=hub.now())
    homes = [one.conversation_key or one.key for one in judged]
    chosen = [home for home, one in zip(homes, judged, strict=True) if home != one.key]
    if (threads.others or chosen) and store.threads.overlooked(conn, threads.others, chosen):
        raise Conflict
