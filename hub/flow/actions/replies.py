"""Replies that wait for a person's word: approved or refused."""

from __future__ import annotations

from collections.abc import Sequence

from hub.core.access import Actor, demand
from hub.core.errors import HubError
from hub.flow.actions.doing import Doing, doing
from hub.flow.conflicts import begin_again
from hub.flow.converse.notes import TIRED, desks_of
from hub.flow.converse.replies import give_up
from hub.flow.lanes import ring_outlets
from hub.runtime import Hub


class NotWaiting(HubError):
    """No reply with this number waits for a word."""


def approve(hub: Hub, actor: Actor, ids: Sequence[int]) -> int:
    """Let replies out that wait for approval; returns how many. Raises NotWaiting if one of them does not wait."""
    with doing(hub, actor, "replies.approve") as act:
        lanes = _lanes(act, ids)
        done = hub.store.outbox.retry(list(lanes), now=hub.now(), conn=act.conn)
        for number, lane in lanes.items():
            act.note("approve", lane, ids=[number], count=1)
    ring_outlets(hub, lanes.values())
    return done


def refuse(hub: Hub, actor: Actor, ids: Sequence[int], *, note: str) -> int:
    """Refuse replies that wait for approval; their agents read the note. Returns how many.

    Raises NotWaiting as `approve`, and Overtaken if no note could be planned: nothing is changed then.
    """
    demand(actor, "replies.refuse")
    desks = desks_of(hub)

    def step(_: int) -> int:
        with doing(hub, actor, "replies.refuse") as act:
            lanes = _lanes(act, ids)
            done = give_up(hub, act.conn, list(lanes), note=note, desks=desks)
            for number, lane in lanes.items():
                act.note("refuse", lane, ids=[number], count=1, note=note)
        return done

    done = begin_again(step, tired=TIRED)
    ring_outlets(hub, hub.settings.destinations)
    return done


def _lanes(act: Doing, ids: Sequence[int]) -> dict[int, str]:
    """Return the lane of each reply. Raises NotWaiting if one of them does not wait for approval, or is not seen."""
    rows = act.hub.store.outbox.matching(["approval"], ids=ids, conn=act.conn, sight=act.actor.sight)
    found = {int(row["id"]): str(row["destination"]) for row in rows}
    if missing := [str(number) for number in ids if number not in found]:
        raise NotWaiting(
            f"{', '.join(missing)}: no reply with this number waits for approval; "
            "`hub deliveries list --state approval` shows those that do"
        )
    return found
