"""What is gone is taken back: from every destination that had it, each with a receipt, and from the hub itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from functools import cache
from time import monotonic
from typing import Any

from msgspec.structs import replace

from hub.config.logs import LateLogger
from hub.core.erasure import REMOVED, gone_note, is_of_people, is_own, quoting, told_of, unnamed, without, written_of
from hub.core.keys import digest
from hub.core.ledger import MAYBE_THERE, Need
from hub.core.model import Planned, Record, Tombstone
from hub.flow.conflicts import begin_again
from hub.flow.converse.notes import plan_note
from hub.flow.erase.fall import Fall, can_stop, falling, look_up
from hub.flow.erase.people import forget_people
from hub.flow.erase.retention import forget_quotes
from hub.flow.erase.told import ErasureAnswers, ask_plugins
from hub.flow.lanes import ring_outlets
from hub.runtime import Hub
from hub.store import Connection
from hub.store.database import Also
from hub.store.erasures import Sent
from hub.store.ledger.outbox import GONE
from hub.store.signals import ERASED

log = LateLogger(__name__)
SLICE = 200
MOST = 10_000  # erasures that are closed at a time


def take_back(hub: Hub, conn: Connection, tombstones: Iterable[Tombstone], told: ErasureAnswers) -> list[str]:
    """Take back what tombstones name, in the caller's transaction (which took its turn, see `Threads.take_turns`).

    Returns the destinations that have something to do. Raises Conflict if one of the rows is being sent, or if more came in
    since plugins were asked (`told`).
    """
    now, store = hub.now(), hub.store
    stones = falling(store, conn, tombstones)
    if not stones.by_key:
        return []
    store.signals.bury(conn, stones.by_key.values())
    fall = look_up(hub, conn, stones)
    if not fall.said and not fall.people:
        return []
    own = [row for row in fall.rows if fall.takes(row)]
    kept = _stop(hub, conn, fall, own, told=told)
    _plan_tombstones(fall, [row for row in fall.rows if fall.takes(row) or fall.is_of_the_alone(row)], told)
    _plan_requesters(hub, conn, fall, told)
    shared = [row for row in fall.rows if not (fall.takes(row) or fall.is_of_the_alone(row))]
    _correct(hub, conn, fall, shared)
    _plan(hub, conn, fall.planned, now=now)
    _tell(hub, conn, fall, told)
    store.erasures.blank_ledger(conn, [row for row in own if row.id not in kept])
    store.erasures.discount([row.id for row in own if row.operation == "upsert"], conn=conn)
    words = cache(lambda: [word for key in fall.said for word in told.ever_said(hub, conn, fall, key)])
    forget_quotes(hub, conn, said=fall.said, people=fall.people, words=words)
    store.erasures.blank_raw(conn, told.naming)
    store.erasures.blank_errors(conn, told.quoting)
    if told.quotable:
        store.mentions.forget(conn, told.quotable, keys={*fall.said, *fall.people})
    forget_people(hub, conn, sorted(fall.people), fall.rows)
    _blank(hub, conn, fall)
    store.erasures.untell(conn, fall.relatives, fall.traces)
    store.erasures.forget_authors(conn, sorted(fall.people))
    store.rechecks.drop(conn, sorted(fall.said))
    fallen = [stone for key, stone in stones.by_key.items() if key in fall.said or key in fall.people]
    store.erasures.open(conn, fallen, now=now)
    return list(dict.fromkeys(item.record.destination for item in fall.planned if item.state == "pending"))


# -------------------------------------------------------------------------------------------------------- destinations


def _stop(hub: Hub, conn: Connection, fall: Fall, own: Sequence[Sent], *, told: ErasureAnswers) -> set[int]:
    """Give up what was not sent yet; a ticket that others wait for opens without the words: those are returned.

    Raises Conflict if one of them is being sent since they were read.
    """
    tickets, others, kept = list[int](), list[int](), set[int]()
    doubts = [row.id for row in own if _is_doubt(hub, row, told)]
    for row in own:
        if row.id in doubts or not can_stop(row):
            continue
        if row.operation != "create":
            others.append(row.id)
        elif heir := hub.store.erasures.awaited(conn, row):
            bare = without(row.fields, told.ever_said(hub, conn, fall, row.signal_key or ""), instead=REMOVED)
            hub.store.erasures.hand_over(conn, row, heir, bare)
            kept.add(row.id)
        else:
            tickets.append(row.id)
    store, now = hub.store.erasures, hub.now()
    store.look_again(conn, doubts, now=now)
    store.stop(conn, others, "superseded", now=now)
    store.stop(conn, tickets, "discarded", now=now, stable=GONE)
    return kept


def _is_doubt(hub: Hub, row: Sent, told: ErasureAnswers) -> bool:
    """Return True if the engine must find out first if a row is there: one that a person lets go on after a doubt goes on.

    A doubt that was left to a person is looked into again if the hub itself can: an erasure does not wait for one.
    """
    if row.operation == "upsert" or row.destination not in hub.settings.destinations:
        return False
    return row.was_let_go or (row.state == "review" and row.was_sent and told.can_be_found(row))


def _plan_tombstones(fall: Fall, rows: Sequence[Sent], told: ErasureAnswers) -> None:
    """Plan a tombstone for each record that is, or may be, at a destination."""
    last: dict[tuple[str, str, str, str], Sent] = {}
    written: dict[tuple[str, str, str, str], list[Sent]] = {}
    for row in rows:
        target = (row.destination, row.object, row.record_key, row.operation)
        if _may_be_there(row):
            last[target] = row
        if row.was_sent and row.operation == "upsert":
            written.setdefault(target, []).append(row)
    for target, row in reversed(last.items()):
        reason = _cannot_take_back(row.destination, told)
        names = written_of((one.fields, one.once) for one in written.get(target, ()))
        record = replace(_tombstone(row), written=names)
        # The receipt is found by a signal that falls, or by the author.
        cause = row.signal_key if row.signal_key in fall.reasons else next(iter(fall.people), row.signal_key)
        item = Planned(record, cause or row.record_key, row.rule or "")
        fall.planned.append(item._replace(state="dead", error={"message": reason}) if reason else item)


def _may_be_there(row: Sent) -> bool:
    """Return True if a record may be there: an upsert finds it by key after any attempt; anything else, unless it was denied."""
    if row.state == "review" and not row.was_sent:
        return False
    is_there = row.state in MAYBE_THERE or row.was_let_go or row.remote_id is not None
    return is_there or (row.was_sent and row.operation == "upsert")


def _tombstone(row: Sent) -> Record:
    return Record(
        destination=row.destination,
        object=row.object,
        key=row.record_key,
        operation="tombstone",
        fields={"operation": row.operation},
        mapping=row.mapping,
        mapping_version=row.mapping_version,
        # Once for each form that was sent: an author who speaks again after an erasure has a record that can be erased again.
        stable=f"{ERASED}:{row.operation}:{row.seq}",
        key_field=row.key_field,
        provides=row.provides,
        needs=row.needs,
    )


def _plan_requesters(hub: Hub, conn: Connection, fall: Fall, told: ErasureAnswers) -> None:
    """Plan a tombstone for each user that a desk made of an erased author: also where only the author's tickets were opened."""
    authors = sorted(fall.people & fall.reasons.keys())
    for one in hub.store.erasures.ticketed(conn, authors) if told.requesters and authors else ():
        if one.destination in told.requesters:
            record = Record(
                destination=one.destination,
                object="requester",
                key=one.author,
                operation="tombstone",
                fields={"operation": "author"},
                mapping="",
                mapping_version="",
                stable=f"{ERASED}:author:{one.last}",
                provides=str(Need("author", "requester", one.author)),
                needs=one.open,
            )
            fall.planned.append(Planned(record, one.author, ""))


def _cannot_take_back(name: str, told: ErasureAnswers) -> str:
    """Return why a destination cannot be asked to take something back, "" if it can."""
    gone = f"cannot be taken back there: the destination '{name}' is not configured any more"
    return told.unable.get(name, gone)


def _correct(hub: Hub, conn: Connection, fall: Fall, shared: Sequence[Sent]) -> None:
    """Empty what records of authors and conversations hold of the words; they stay. Raises Conflict if a row is being sent."""
    records = {(row.destination, row.object, row.record_key): row for row in shared}
    for last in records.values():
        words = [one for row in shared if row.record_key == last.record_key for one in fall.words(row.signal_key)]
        rows = hub.store.erasures.record(conn, last)
        there: dict[str, Any] = {}
        for row in rows:
            there |= row.fields if row.was_sent else {}
        traces = fall.traces if is_of_people(last.provides) else frozenset[str]()
        empty, newest = quoting(there, words, traces=traces), rows[-1]
        bare = {row.id: without(row.fields, words, traces=traces) for row in rows}
        if Need.read(last.provides).kind == "account" and last.record_key in fall.left_accounts:
            # All that is known of the account was known by its people.
            known = told_of({name: value for row in rows for name, value in row.fields.items()}, newest.once)
            empty |= {name: "" for name in known if name in there}
            bare = {
                id_: {name: "" if name in known else one for name, one in held.items()} for id_, held in bare.items()
            }
        if empty and newest.state == "pending" and not newest.was_sent:
            bare[newest.id] = empty | bare[newest.id]
        elif empty:
            record = replace(_tombstone(newest), operation=newest.operation, fields=empty)
            record = replace(record, stable=f"{ERASED}:{digest(newest.record_key, str(newest.seq))}")
            # Told by a signal that falls, or its receipt would not be found.
            cause = last.signal_key if last.signal_key in fall.reasons else next(iter(fall.said), last.signal_key)
            fall.planned.append(Planned(record, cause or "", last.rule or ""))
        changed = [row._replace(fields=bare[row.id]) for row in rows if bare[row.id] != row.fields]
        hub.store.erasures.rewrite(conn, changed)


def _plan(hub: Hub, conn: Connection, planned: Sequence[Planned], *, now: datetime) -> None:
    """Plan one kind at a time: a ticket and a comment may have the same key, and each is taken back by itself.

    Raises Conflict as `Outbox.plan`.
    """
    kinds = dict.fromkeys(str(item.record.fields.get("operation", "")) for item in planned)
    groups = [[one for one in planned if str(one.record.fields.get("operation", "")) == kind] for kind in kinds]
    for group in groups:
        hub.store.outbox.plan(conn, group, now=now)


def _tell(hub: Hub, conn: Connection, fall: Fall, told: ErasureAnswers) -> None:
    """Plan notes that tell agents on the ticket why its text is gone."""
    for item in fall.planned:
        record = item.record
        tickets = [name for name in (record.provides, *record.needs) if Need.read(name).kind == "conversation"]
        if record.operation == "tombstone" and record.fields["operation"] in ("create", "comment") and tickets:
            reason = fall.reasons.get(item.signal_key, "user_deleted")
            text = gone_note(item.signal_key.partition(":")[0], reason)
            fields = {"ticket": tickets[0], "destination": record.destination}
            about = (item.signal_key, item.signal_key)
            plan_note(hub, conn, fields, text=text, about=about, desks=told.desks)


# ---------------------------------------------------------------------------------------------------- the hub's own copy


def _blank(hub: Hub, conn: Connection, fall: Fall) -> None:
    # Of a post that is gone a person decides about an answer that waits; of an author who is erased nothing waits.
    theirs = [key for key, one in fall.said.items() if one.author_key in fall.people]
    waiting = hub.store.erasures.waiting_answers(conn, theirs)
    hub.store.erasures.stop(conn, waiting, "discarded", now=hub.now(), error={"note": "its author was erased"})
    # An agent may have quoted the post in an answer, or named its author.
    answers = hub.store.erasures.answers(conn, list(fall.said))
    bare = {
        id_: unnamed(without(fields, fall.words(key), instead=REMOVED), fall.names(key)) for id_, key, fields in answers
    }
    hub.store.erasures.redact(conn, {id_: bare[id_] for id_, _, fields in answers if bare[id_] != fields})
    hub.store.erasures.blank_errors(conn, list(bare))
    expired = {key: one for key, one in fall.said.items() if fall.reasons[key] == "expired"}
    deleted = {key: one for key, one in fall.said.items() if key not in expired}
    hub.store.erasures.blank(conn, deleted, state="deleted")
    hub.store.erasures.blank(conn, expired, state="expired")


def finish(hub: Hub, *, slice_s: float = 1.0) -> int:
    """Close erasures whose last receipt is in, as many as a time slice holds. Return how many.

    What answers have said since is redacted, and what was deleted is taken out of the database's files. If readers are in the
    way of that, none is closed: the next sweep tries again.
    """
    end, ended = monotonic() + slice_s, list[str]()
    with hub.store.database.read() as conn:
        keys = hub.store.erasures.settled(conn, limit=MOST)
    for at in range(0, len(keys), SLICE):
        if ended and (monotonic() > end or hub.stopping.is_set()):
            break
        part = keys[at : at + SLICE]
        with hub.store.database.write() as conn:
            hub.store.erasures.blank_ledger(conn, _gone(hub, conn, part))
        ended += part
    if not ended or (left := hub.store.erasures.scrub(ended)) == "busy":
        return 0
    if left == "large":
        log.warning(
            "erased words may stand in unused space of the database's file: it is too large to be rewritten now"
        )
    for at in range(0, len(ended), SLICE):
        with hub.store.database.write() as conn:
            hub.store.erasures.finish(conn, ended[at : at + SLICE], now=hub.now())
    return len(ended)


def _gone(hub: Hub, conn: Connection, keys: Sequence[str]) -> list[Sent]:
    rows = hub.store.erasures.sent(conn, keys, keys)
    # An author may have spoken since: what that caused stays.
    causes = hub.store.signals.tombstoned(conn, sorted({row.signal_key for row in rows if row.signal_key}))
    rows = [row for row in rows if row.signal_key is None or row.signal_key in causes]
    people = [row.record_key for row in rows if Need.read(row.provides).kind == "person"]
    gone = {*keys, *hub.store.people.forgotten(conn, people)}
    return [row for row in rows if row.record_key in gone or is_own(row.provides, row.operation)]


# ------------------------------------------------------------------------------------------------------------- requests


def erase(hub: Hub, tombstones: Sequence[Tombstone], *, also: Also | None = None) -> list[str]:
    """Take back what these tombstones name, in transactions of its own, and ring; returns the destinations asked.

    `also` is called in the first transaction. Raises Overtaken if the rows were being sent each time that it tried; what was
    taken back until then stays so.
    """
    if not tombstones:
        return []
    reached: dict[str, None] = {}
    parts = list(_slices(hub, tombstones, also=also))
    reached.update(dict.fromkeys(name for part in parts for name in _erase(hub, part)))
    # What is much was begun by the slices, in whose first transaction the caller had its word.
    reached.update(dict.fromkeys(_erase(hub, tombstones, also=None if parts else also)))
    return list(reached)


def lighten(hub: Hub, tombstones: Sequence[Tombstone]) -> None:
    """Take back the most of it if it is much: others who want to write would else wait too long for one transaction."""
    for part in _slices(hub, tombstones):
        _erase(hub, part)


def _slices(hub: Hub, tombstones: Sequence[Tombstone], *, also: Also | None = None) -> Iterator[list[Tombstone]]:
    """Yield the signals that fall with these tombstones, some at a time; none if they are few."""
    stones = {stone.key: stone for stone in tombstones}
    if not stones:
        return
    with hub.store.database.read() as conn:
        theirs = hub.store.erasures.of_authors(conn, list(stones))
        falling = stones | {key: replace(stones[author], key=key) for key, author in theirs.items()}
        keys = hub.store.erasures.fresh(conn, list(falling)) if len(falling) > SLICE else []
    if len(keys) > SLICE:
        with hub.store.database.write() as conn:
            hub.store.signals.bury(conn, (stones[author] for author in dict.fromkeys(theirs.values())))
            if also is not None:
                also(conn)
        yield from ([falling[key] for key in keys[at : at + SLICE]] for at in range(0, len(keys), SLICE))


def _erase(hub: Hub, tombstones: Sequence[Tombstone], *, also: Also | None = None) -> list[str]:
    def step(overtaken: int) -> list[str]:
        told = ask_plugins(hub, tombstones, everything=overtaken > 0)
        return take_back_alone(hub, tombstones, told, also=also)

    reached = begin_again(step, tired="what is to be erased is being sent just now: try again in a moment")
    ring_outlets(hub, reached)
    return reached


def take_back_alone(
    hub: Hub, tombstones: Sequence[Tombstone], told: ErasureAnswers, *, also: Also | None = None
) -> list[str]:
    """Try `take_back` once, in a transaction of its own. Raises Conflict as it does: nothing is changed then."""
    with hub.store.database.write() as conn:
        hub.store.threads.take_turns(conn, alone=True)
        if also is not None:
            also(conn)
        return take_back(hub, conn, tombstones, told)
