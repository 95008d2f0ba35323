"""What people do at destinations: each change is handled once, in the transaction that closes its row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha256
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace

from hub.config.logs import LateLogger
from hub.core.changes import (
    Directions,
    Gone,
    Merged,
    Nothing,
    PublicAnswer,
    Update,
    echo_of,
    is_reopening,
    read_change,
    reply_text,
)
from hub.core.errors import ConfigError, Conflict, TranslationError
from hub.core.grammar.words import counted
from hub.core.keys import digest, signal_key
from hub.core.ledger import Need
from hub.core.model import Change, Planned, RawItem, Record, RemoteRef, Reply, Unread
from hub.core.normalise import clean_text
from hub.core.notes import WAITS, unanswered_note
from hub.core.replies import choose_answered
from hub.core.signals import is_private
from hub.flow.bugs import tell
from hub.flow.converse.notes import desks_of, follow_up, plan_note
from hub.flow.converse.replies import answering_source, lane_of, make_reply, refusal
from hub.flow.converse.selves import known_self
from hub.runtime import Hub
from hub.store import Connection
from hub.store.conversations import SignalForReply
from hub.store.inbox import InboxRow, Settled
from hub.store.merges import winners_of
from hub.store.schema import json_text

log = LateLogger(__name__)
AGAIN = timedelta(seconds=30)
LONGEST_NOTE = 500
_change = msgspec.json.Decoder(Change)


@dataclass
class HeardRows:
    """The rows of a batch that came from destinations: changes to handle, changes that events hold, and what is settled.

    `broken` are parts of events that could not be read, each an event of its own.
    `selves` is our own user's id at each destination, "" if it has none, None if it is unknown now.
    """

    changes: list[tuple[InboxRow, Change]] = field(default_factory=list)
    parts: list[RawItem] = field(default_factory=list)
    broken: list[RawItem] = field(default_factory=list)
    settled: list[Settled] = field(default_factory=list)
    selves: dict[str, str | None] = field(default_factory=dict)


class ChangeContext(NamedTuple):
    """A change with all that is needed to handle it."""

    name: str
    change: Change
    row: InboxRow
    targets: tuple[str, ...]
    weighed: Weighed


class ReplyVerdict(NamedTuple):
    """How a reply begins, and why if it is not simply sent; `reply` is what its source looked at."""

    reply: Reply | None
    state: str
    error: dict[str, Any] | None = None


@dataclass(frozen=True)
class Weighed:
    """What plugins say of the replies among changes, asked before the transaction that handles those.

    `verdicts` are by raw row, `desks` the destinations that take notes.
    """

    verdicts: Mapping[int, ReplyVerdict] = field(default_factory=dict)
    desks: frozenset[str] = frozenset()


class Unweighed(Conflict):
    """A reply is not the one that its source looked at: what came before it changed that."""


def hear(hub: Hub, rows: Sequence[InboxRow]) -> HeardRows:
    """Read claimed rows of destinations; an event becomes its changes, and what cannot be read is settled with its reason."""
    heard = HeardRows()
    for row in rows:
        try:
            _hear_row(hub, row, heard)
        except (TranslationError, ConfigError, msgspec.DecodeError) as error:
            heard.settled.append(Settled(row.id, "failed", clean_text(str(error))[:LONGEST_NOTE]))
        except BaseException as error:  # noqa: BLE001 - told; a plugin's bug must not stop the batch
            bug = tell(hub, row.item.source, error, event="a plugin failed to parse", raw=row.id)
            heard.settled.append(Settled(row.id, "failed", clean_text(f"bug: {bug}")[:LONGEST_NOTE]))
    return heard


def _hear_row(hub: Hub, row: InboxRow, heard: HeardRows) -> None:
    name = row.item.source
    if row.form == "event":
        _hear_event(hub, row, heard)
        return
    if name not in heard.selves:
        heard.selves[name] = known_self(hub, name)
        if heard.selves[name] is None:
            log.info("changes wait until our own user there is known", destination=name)
    if heard.selves[name] is None:
        heard.settled.append(Settled(row.id, "new", "waits: our own user there is unknown", hub.now() + AGAIN))
    else:
        heard.changes.append((row, _change.decode(row.item.payload)))


def _hear_event(hub: Hub, row: InboxRow, heard: HeardRows) -> None:
    """Take an event apart; a part of it that cannot be read becomes an event of its own, which fails by itself."""
    found = hub.destination(row.item.source).parse(row.item.payload)
    changes = [one for one in found if isinstance(one, Change)]
    unread = [one for one in found if isinstance(one, Unread)]
    heard.parts += change_items(changes, like=row.item)
    if any(one.payload == row.item.payload for one in unread):
        raise TranslationError(unread[0].reason)  # it cannot be taken apart any further
    heard.broken += [
        replace(row.item, payload=one.payload, external_id=sha256(one.payload).hexdigest(), realm="", revision="")
        for one in unread
    ]
    rest = f", {counted(len(unread), 'part')} not read" if unread else ""
    heard.settled.append(Settled(row.id, "split", f"{counted(len(changes), 'change')}{rest}"))


def change_items(changes: Iterable[Change], *, like: RawItem) -> list[RawItem]:
    """Return changes as items of the inbox, told apart by their own ids."""
    return [
        replace(like, payload=json_text(one).encode(), external_id=one.event_id, realm="", revision="")
        for one in changes
    ]


def weigh(hub: Hub, heard: HeardRows) -> Weighed:
    """Ask the sources whether the replies among the changes may be sent."""
    if not heard.changes:
        return Weighed()
    answers = [(row, change) for row, change in heard.changes if change.kind == "reply"]
    asked = _read_answers(hub, answers) if answers else {}
    return Weighed({id_: _verdict(hub, said, reply) for id_, (said, reply) in asked.items()}, desks_of(hub))


def _read_answers(
    hub: Hub, answers: Sequence[tuple[InboxRow, Change]]
) -> dict[int, tuple[SignalForReply, Reply | None]]:
    """Read which post each agent answers, by raw row, with the reply as its source gets it."""
    found: dict[int, tuple[SignalForReply, Reply | None]] = {}
    with hub.store.database.read() as conn:
        for row, change in answers:
            targets = _reply_targets(hub, conn, row.item.source, change)
            if targets and (said := _answered(hub, conn, row.item.source, targets)):
                found[row.id] = said, make_reply(hub, conn, _fields_of(said, change))
    return found


def handle(hub: Hub, conn: Connection, heard: HeardRows, weighed: Weighed) -> list[Settled]:
    """Handle changes in their order in the caller's transaction; return what followed for each row.

    A reply that is not the one that was weighed waits for the next batch, and so do later changes of its destination.
    """
    settled, waiting = list(heard.settled), set[str]()
    hub.store.inbox.add(heard.broken, form="event", conn=conn)
    if any(change.kind == "merged" for _, change in heard.changes):
        hub.store.conversations.take_turns_at_merges(conn)
    for row, change in heard.changes:
        name, later = row.item.source, Settled(row.id, "new", "waits: what came before it is handled first", hub.now())
        if name in waiting:
            settled.append(later)
            continue
        try:
            self_id = heard.selves.get(name) or ""
            settled.append(Settled(row.id, *_handle_one(hub, conn, row, change, self_id=self_id, weighed=weighed)))
        except Unweighed:
            waiting.add(name)
            settled.append(later)
    return settled


def _handle_one(
    hub: Hub, conn: Connection, row: InboxRow, change: Change, *, self_id: str, weighed: Weighed
) -> tuple[str, str]:
    name, known = row.item.source, hub.store.conversations
    part = bool(change.part_id) and known.has_part(conn, name, change.part_id)
    effect = read_change(change, _directions(hub, name))
    if (echo := echo_of(change, self_id=self_id, is_known_part=part)) and not is_reopening(effect):
        return "ignored", echo
    is_reply = isinstance(effect, PublicAnswer)
    targets = _reply_targets(hub, conn, name, change) if is_reply else _targets_of(hub, conn, name, change)
    if isinstance(effect, Merged):
        # Also one of others' records: what was merged into it may be the hub's, and be told of later.
        effect = Merged(known.merge(conn, name, change.object, loser=change.remote_id, winner=effect.winner))
    if not targets:
        return "ignored", "it is no record of the hub's"
    if isinstance(effect, Nothing):
        return "ignored", effect.reason
    return "done", _follow(hub, conn, ChangeContext(name, change, row, targets, weighed), effect)


def _targets_of(hub: Hub, conn: Connection, name: str, change: Change) -> tuple[str, ...]:
    return tuple(hub.store.conversations.targets(conn, name, change.object, change.remote_id))


def _reply_targets(hub: Hub, conn: Connection, name: str, change: Change) -> tuple[str, ...]:
    """Return what the record stands for that a reply was written at."""
    targets = _targets_of(hub, conn, name, change)
    if targets:
        return targets
    # Said at a ticket that was merged before we heard of it: its author waits for it all the same.
    known, winners = hub.store.conversations, winners_of(conn, name, change.object, [change.remote_id])
    return tuple(one for winner in winners.values() for one in known.targets(conn, name, change.object, winner))


def _follow(hub: Hub, conn: Connection, found: ChangeContext, effect: PublicAnswer | Update | Merged | Gone) -> str:
    """Do what a change asks for; return what was done, for the row."""
    match effect:
        case PublicAnswer():
            return _answer(hub, conn, found)
        case Update(what, value):
            return _update(hub, conn, found, {what: value})
        case Merged(winner):
            new, old = RemoteRef(winner), found.change.remote_id
            moved = hub.store.conversations.move(conn, found.name, old=old, new=new, where=found.targets)
            return f"{moved} references point to {winner} now"
        case Gone():
            hub.store.conversations.forget(conn, found.name, found.targets)
            return "it counts as not there"


def _directions(hub: Hub, name: str) -> Directions:
    inbound = hub.settings.destinations[name].inbound
    return Directions(inbound.status, inbound.assignee, inbound.tags)


def _update(hub: Hub, conn: Connection, found: ChangeContext, values: Mapping[str, Any]) -> str:
    at = min(found.change.at or found.row.item.received_at, hub.now())
    by = f"{found.name}: {found.change.actor or found.change.actor_id or 'unknown'}"
    keys = _conversations(found.targets)
    changed = [key for key in keys if hub.store.conversations.put(conn, key, values, at=at, by=by)]
    return (
        f"{', '.join(values)} of {counted(len(changed), 'conversation')}"
        if changed
        else "nothing newer than what is known"
    )


def _conversations(targets: Iterable[str]) -> list[str]:
    """Return the keys of the conversations among what a record stands for."""
    return [one.key for one in map(Need.read, targets) if one.kind == "conversation"]


# ------------------------------------------------------------------------------------------------------------- replies


def _answer(hub: Hub, conn: Connection, found: ChangeContext) -> str:
    """Plan the reply, or its refusal, and the note that tells of it. Raises Unweighed if it is not what the source looked at."""
    change, weighed = found.change, found.weighed
    said = _answered(hub, conn, found.name, found.targets)
    told = map(Need.read, found.targets)
    ticket = next((str(one) for one in told if one.kind == "conversation"), found.targets[0])
    plugin = hub.settings.destinations[found.name].plugin
    record_key = signal_key(plugin, change.part_id or change.event_id, realm=found.name)
    fields: dict[str, Any] = {"destination": found.name, "part_id": change.part_id, "ticket": ticket}
    if said is None:
        reason = "there is no post to answer"
        about = (record_key, "")
        plan_note(hub, conn, fields, text=unanswered_note(reason), about=about, desks=weighed.desks)
        return reason
    fields |= _fields_of(said, change)
    verdict = weighed.verdicts.get(found.row.id)
    if verdict is None or verdict.reply != make_reply(hub, conn, fields):
        raise Unweighed
    record = _record(hub, conn, said, fields=fields, record_key=record_key)
    hub.store.outbox.plan(conn, [Planned(record, said.signal.key, "", verdict.state, verdict.error)], now=hub.now())
    ids = hub.store.conversations.ids_of(conn, record.destination, [record_key])
    follow_up(hub, conn, ids, desks=weighed.desks)
    return f"a reply to {said.signal.key}" + (f": {verdict.error['message']}" if verdict.error else "")


def _fields_of(said: SignalForReply, change: Change) -> dict[str, Any]:
    """Return what a reply is made of."""
    return {"signal": said.signal.key, "text": reply_text(change), "agent": change.actor}


def _answered(hub: Hub, conn: Connection, name: str, targets: Sequence[str]) -> SignalForReply | None:
    """Read the signal that the agent answers: of those that the record shows, else of its conversations."""
    store, allowed = hub.store.conversations, frozenset(hub.settings.hub.private_rules)
    said = store.shown(conn, name, targets)
    said = said or [one for key in _conversations(targets) for one in store.members(conn, key)]
    # Who looks at the record has not seen a private post that no rule let out.
    seen = {one.signal.key: one for one in said if not is_private(one.signal) or allowed & set(one.matched)}
    chosen = choose_answered(one.signal for one in seen.values())
    return seen[chosen.key] if chosen else None


def _verdict(hub: Hub, said: SignalForReply, reply: Reply | None) -> ReplyVerdict:
    """Ask the source whether a reply may be sent."""
    source, reason = answering_source(hub, said.source)
    refused = reason if source is None or reply is None else refusal(hub, source, reply)
    if refused:
        return ReplyVerdict(reply, "dead", {"class": "Rejected", "code": "reply_rules", "message": refused})
    waits = hub.settings.sources[said.source].reply == "approve"
    return ReplyVerdict(reply, "approval", {"message": WAITS}) if waits else ReplyVerdict(reply, "pending")


def _record(hub: Hub, conn: Connection, said: SignalForReply, *, fields: Mapping[str, Any], record_key: str) -> Record:
    lane, signal = lane_of(said.signal, said.source), said.signal
    thread = signal.conversation_key or signal.key
    before = hub.store.conversations.last_reply(
        conn, lane, [signal.key, *(one.signal.key for one in hub.store.conversations.members(conn, thread))]
    )
    provides = str(Need("reply", digest(thread), record_key))
    return Record(
        destination=lane,
        object="reply",
        key=record_key,
        operation="reply",
        fields=fields,
        mapping="reply",
        mapping_version="",
        stable=digest(str(fields["text"])),
        provides=provides,
        needs=(before,) if before and before != provides else (),
    )
