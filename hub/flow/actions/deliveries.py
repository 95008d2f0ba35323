"""Deliveries, one or many at once: retried under their keys, or given up with a note."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hub.core.access import Actor, demand
from hub.flow.actions.doing import Doing, doing
from hub.flow.conflicts import begin_again
from hub.flow.converse.notes import TIRED, desks_of
from hub.flow.converse.replies import give_up
from hub.flow.lanes import outlets, ring_outlets
from hub.flow.views.deliveries import Letters, Rows, discardable_states, matching, retryable_states
from hub.runtime import Hub
from hub.store.database import chunks

__all__ = ["Letters", "discard", "retry"]


def retry(hub: Hub, actor: Actor, wanted: Letters, *, ids: Sequence[int] | None = None) -> int:
    """Make deliveries due again under the same keys, and end their connections' pauses; returns how many.

    A reply that waits for approval is let out, which is audited as `approve`. Raises NotAllowed.
    """
    with doing(hub, actor, "deliveries.retry") as act:
        rows = matching(hub, wanted, ids, of=retryable_states(wanted, ids), sight=actor.sight, conn=act.conn)
        _demand_word(actor, rows, "replies.approve")
        done = sum(
            hub.store.outbox.retry(part, now=hub.now(), conn=act.conn) for part in chunks([row["id"] for row in rows])
        )
        # Who sees a part ends the pause only of what is seen to wait.
        asked = {wanted.destination} if actor.sight.is_whole else set()
        touched = asked | {row["destination"] for row in rows}
        names = [name for name in outlets(hub) if name in touched]
        resumed = [name for name in names if hub.store.connections.resume(name, now=hub.now(), conn=act.conn)]
        _note(act, wanted, rows, words=("retry", "approve"), named=bool(ids), resumed=resumed or None)
    ring_outlets(hub, names)
    return done


def discard(hub: Hub, actor: Actor, wanted: Letters, *, note: str, ids: Sequence[int] | None = None) -> int:
    """Give deliveries up for good, with a note; the agents of replies are told. Returns how many.

    A reply that waits for approval is refused, which is audited as `refuse`. Raises NotAllowed, and Overtaken if
    no note for the agents could be planned: nothing is changed then.
    """
    demand(actor, "deliveries.discard")
    desks = desks_of(hub)

    def step(_: int) -> int:
        with doing(hub, actor, "deliveries.discard") as act:
            rows = matching(hub, wanted, ids, of=discardable_states(wanted, ids), sight=actor.sight, conn=act.conn)
            _demand_word(actor, rows, "replies.refuse")
            parts = chunks([row["id"] for row in rows])
            done = sum(give_up(hub, act.conn, part, note=note, desks=desks) for part in parts)
            _note(act, wanted, rows, words=("discard", "refuse"), named=bool(ids), note=note)
        return done

    done = begin_again(step, tired=TIRED)
    ring_outlets(hub, hub.settings.destinations)
    return done


def _demand_word(actor: Actor, rows: Iterable[dict[str, object]], action: str) -> None:
    """Raise NotAllowed if replies wait for a word that this actor may not give."""
    if any(row["state"] == "approval" for row in rows):
        demand(actor, action)


def _note(act: Doing, wanted: Letters, rows: Rows, *, words: tuple[str, str], named: bool, **detail: object) -> None:
    """Add an entry for the deliveries and one for the replies among them, with what was asked for (`named`: by ids)."""
    replies = [row for row in rows if row["state"] == "approval"]
    others = [row for row in rows if row["state"] != "approval"]
    for word, group in zip(words, (others, replies), strict=True):
        if group or (detail.get("resumed") and word == words[0]):
            subject = wanted.destination or _place(group)
            ids = [row["id"] for row in group] if named else None
            said = {**wanted.named, "count": len(group), "ids": ids}
            act.note(word, subject, **said, **detail)


def _place(rows: Rows) -> str:
    places = {str(row["destination"]) for row in rows}
    return places.pop() if len(places) == 1 else "deliveries"
