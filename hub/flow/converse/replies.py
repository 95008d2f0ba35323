"""Public replies: each is a row of the ledger whose outlet is the source that its signal came from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hub.config.logs import LateLogger
from hub.core.errors import ConfigError, ConnectorError
from hub.core.ledger import Lane
from hub.core.model import Reply, Signal
from hub.core.notes import OFF
from hub.core.replies import may_reply
from hub.flow.bugs import tell
from hub.flow.conflicts import begin_again
from hub.flow.converse.notes import TIRED, desks_of, follow_up
from hub.flow.lanes import ring_outlets, why_off
from hub.runtime import Hub
from hub.sdk.connectors import Source
from hub.store import Connection

log = LateLogger(__name__)


def make_reply(hub: Hub, conn: Connection, fields: Mapping[str, Any]) -> Reply | None:
    """Make a reply by the fields of its row, without its key; None if its signal is not stored any more."""
    found = hub.store.conversations.answered(conn, str(fields["signal"]))
    if found is None:
        return None
    signal, author, raw = found
    return Reply("", str(fields["text"]), signal, author, raw, str(fields.get("agent") or ""))


def refusal(hub: Hub, source: Source[Any], reply: Reply) -> str | None:
    """Return why a reply may not be sent; None if it may. What a plugin raises here is a reason too."""
    try:
        length = _measured(source, reply)
    except ConnectorError as error:
        return str(error)
    except BaseException as error:  # noqa: BLE001 - told, and the agent reads that it was not posted
        return f"bug: {tell(hub, source.name, error, event='a plugin failed to compose')}"
    return may_reply(reply.to, source.reply_rules, now=hub.now(), length=length)


def _measured(source: Source[Any], reply: Reply) -> int:
    """Return the length of the composed text. Raises TypeError if the plugin gives no number."""
    length: Any = source.measure(source.compose(reply))
    if not isinstance(length, int):
        raise TypeError(f"measure gives a {type(length).__name__}, no int")
    return length


def lane_of(signal: Signal, source: str) -> str:
    """Return the lane of replies to a signal."""
    return str(Lane("reply", source or (signal.provenance.source if signal.provenance else "")))


def answering_source(hub: Hub, name: str) -> tuple[Source[Any] | None, str]:
    """Return the source that posts replies, or None and why there is none."""
    if reason := why_off(hub, name):
        return None, reason
    try:
        source = hub.source(name)
    except ConfigError as error:
        return None, f"the source '{name}' cannot be had: {error}"
    return (source, "") if source.reply_rules is not None else (None, f"'{name}' cannot answer")


# ------------------------------------------------------------------------------------------------------------- stranded


def hold_stranded(hub: Hub, lane: str) -> int:
    """Let the replies of a lane that is off stand as blocked, and tell their agents once; return how many.

    They stay due: when the source is on again they leave, unless the network takes no answer to so old a post. Raises
    Overtaken if no note could be planned: nothing is changed then.
    """
    reason = why_off(hub, Lane.of_outlet(lane).name)
    with hub.store.database.read() as conn:
        if all(_is_told(row["error"], reason) for row in hub.store.conversations.stranded(conn, lane)):
            return 0
    desks = desks_of(hub)
    ids = begin_again(lambda _: _hold(hub, lane, reason, desks), tired=TIRED)
    if ids:
        log.warning("replies wait for a source that is off", lane=lane, replies=len(ids), reason=reason)
        ring_outlets(hub, hub.settings.destinations)
    return len(ids)


def _hold(hub: Hub, lane: str, reason: str, desks: frozenset[str]) -> list[int]:
    with hub.store.database.write() as conn:
        rows = hub.store.conversations.stranded(conn, lane, locked=True)
        ids = [row["id"] for row in rows if not _is_told(row["error"], reason)]
        hub.store.conversations.hold(conn, ids, {"code": OFF, "message": reason})
        follow_up(hub, conn, ids, desks=desks)
    return ids


def _is_told(error: object, reason: str) -> bool:
    return isinstance(error, dict) and (error.get("code"), error.get("message")) == (OFF, reason)


# --------------------------------------------------------------------------------------------------------------- notes


def give_up(hub: Hub, conn: Connection, ids: Sequence[int], *, note: str, desks: frozenset[str]) -> int:
    """Give deliveries up for good; agents are told of refused replies in the same transaction. Returns how many.

    `desks` are the destinations that take notes (see `desks_of`). The caller rings for them after its commit. Raises Conflict
    as `follow_up`.
    """
    count = hub.store.outbox.discard(ids, note=note, now=hub.now(), conn=conn)
    follow_up(hub, conn, ids, desks=desks)
    return count
