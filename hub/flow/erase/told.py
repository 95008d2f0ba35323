"""What plugins tell of an erasure: asked before its transaction, since no plugin is called while one is open."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from hub.config.ctrl_c import is_persons
from hub.config.logs import LateLogger
from hub.core.erasure import TELLING, marks_of, names_of, words_of
from hub.core.errors import ConfigError, Conflict
from hub.core.model import RawItem, Signal, Tombstone, Translated
from hub.core.normalise import normalise
from hub.flow.bugs import tell
from hub.flow.converse.notes import desks_of
from hub.flow.erase.fall import Fall, can_stop, falling, look_up
from hub.runtime import Hub
from hub.sdk.connectors import Lookup, Native
from hub.store import Connection
from hub.store.erasures import Sent

log = LateLogger(__name__)
QUOTED = 30  # characters of a post that a vendor's answer may have cut
MOST_QUOTED = 500  # posts whose words are looked for in vendors' answers
WordsByKey = Mapping[str, tuple[str, ...]]
"""What a raw item says, by the key of each signal in it."""
RecordKind = tuple[str, str, str]
"""Destination, object and operation."""


@dataclass(frozen=True)
class ErasureAnswers:
    """What raw rows say, by id; of which kinds of records a destination can be asked; and the destinations that take notes.

    `naming` are raw rows that name an author who asked to be erased, also those of others: likes, mentions;
    `quoting` are deliveries of which a vendor's answer does so, or quotes the author: it holds one of `quotable`.
    `requesters` are the destinations that keep a user for each author of a ticket, who can be made nameless.
    `unable` says of each configured destination why it cannot be asked to take something back, "" if it can.
    """

    words: Mapping[int, WordsByKey] = field(default_factory=dict)
    findable: Mapping[RecordKind, bool] = field(default_factory=dict)
    desks: frozenset[str] = frozenset()
    requesters: frozenset[str] = frozenset()
    unable: Mapping[str, str] = field(default_factory=dict)
    naming: Sequence[int] = ()
    quoting: Sequence[int] = ()
    quotable: Sequence[str] = ()

    def with_batch(self, signals: Iterable[Signal]) -> ErasureAnswers:
        """Return the same with the words of a batch's own raw rows, which are stored in the same transaction."""
        words: dict[int, dict[str, tuple[str, ...]]] = {}
        for one in signals:
            if one.provenance:
                words.setdefault(one.provenance.raw_id, {})[one.key] = words_of(one)
        return replace(self, words={**words, **self.words})

    def ever_said(self, hub: Hub, conn: Connection, fall: Fall, key: str) -> tuple[str, ...]:
        """Return what a signal says and what it said before it was edited: a ticket keeps the words that opened it.

        Raises Conflict if it said more since its plugin was asked.
        """
        words = [*fall.words(key)]
        for raw_id in hub.store.erasures.rows_of(conn, key):
            if raw_id not in self.words:
                raise Conflict
            words += self.words[raw_id].get(key, ())
        return tuple(dict.fromkeys(words))

    def can_be_found(self, row: Sent) -> bool:
        """Return True if the destination can be asked for the record. Raises Conflict if that was not asked."""
        kind = _kind(row)
        if kind not in self.findable:
            raise Conflict
        return self.findable[kind]


def ask_plugins(
    hub: Hub, tombstones: Sequence[Tombstone], *, everything: bool = False, beside: Iterable[str] = ()
) -> ErasureAnswers:
    """Ask plugins all that `take_back` needs to know of what falls; `everything`: also what it did not need so far.

    Earlier forms of a post are read only if something may quote them: a ticket that opens without them, a call that could
    not be read, the ground of a link. `beside` are signals that the same transaction stores: they may fall too.
    """
    if not tombstones:
        return ErasureAnswers()
    plain = ErasureAnswers(
        desks=desks_of(hub),
        requesters=frozenset(name for name in hub.settings.destinations if _keeps_requesters(hub, name)),
        unable={name: _why_unable(hub, name) for name in hub.settings.destinations},
    )
    with hub.store.database.read() as conn:
        if not everything and not _is_known(hub, conn, [stone.key for stone in tombstones]):
            return plain
        stones = falling(hub.store, conn, tombstones)
        fall = look_up(hub, conn, stones)
        own = [row for row in fall.rows if fall.takes(row)]
        quoted = list(fall.said if _may_be_quoted(hub, conn, fall) else _waiting(hub, conn, own))
        # What is not stored yet may stand in raw rows of others: those that quote it.
        quoted = list({*stones.by_key, *beside}) if everything else quoted
        raws = {id_: raw for key in quoted for id_, raw in hub.store.erasures.seen(conn, key).items()}
        asked = [stone.key for stone in tombstones if stone.reason == "erasure"]
        authors = hub.store.signals.authors(conn, asked).values()
        naming = sorted({id_ for one in authors for id_ in hub.store.mentions.naming(conn, one)})
        marks = [mark for one in authors for mark in marks_of(one)]
        quoting = hub.store.mentions.quoting(conn, quotable := _quotable(fall, asked, marks))
    kinds = {_kind(row) for row in own if row.state == "review" and row.was_sent}
    words = {id_: _read(hub, raw) for id_, raw in raws.items()}
    return replace(
        plain,
        words=words,
        naming=naming,
        quoting=quoting,
        quotable=quotable,
        findable={kind: _can_look_up(hub, kind) for kind in kinds},
    )


def _quotable(fall: Fall, asked: Sequence[str], marks: Sequence[str]) -> list[str]:
    """Return what shows that a vendor's answer quotes an author who asked to be erased."""
    faces = [face for key, face in fall.faces.items() if key in asked]
    said = [one[:QUOTED] for key in list(fall.said)[:MOST_QUOTED] for one in fall.words(key)] if faces else []
    names = [name for face in faces for name in names_of(face)]
    return [*marks, *(one for one in (*names, *said) if len(one) >= TELLING)]


def _is_known(hub: Hub, conn: Connection, keys: Sequence[str]) -> bool:
    """Return True if any of these posts, or of these authors' posts, is stored: most that a network deletes are not."""
    return bool(hub.store.erasures.fresh(conn, keys) or hub.store.erasures.of_authors(conn, keys))


def _may_be_quoted(hub: Hub, conn: Connection, fall: Fall) -> bool:
    if not fall.said:
        return False
    writers = sorted({one.author_key for one in fall.said.values() if one.author_key})
    return hub.store.unread.has_bodies(conn) or hub.store.people.were_linked(conn, writers)


def _waiting(hub: Hub, conn: Connection, own: Iterable[Sent]) -> dict[str, None]:
    """Return the signals whose tickets are opened for others, without their words."""
    tickets = (row for row in own if row.operation == "create" and can_stop(row))
    return {row.signal_key or "": None for row in tickets if hub.store.erasures.awaited(conn, row)}


def _read(hub: Hub, raw: RawItem) -> WordsByKey:
    try:
        said = hub.reader(raw.plugin, raw.source).translate(raw)
    except BaseException as error:  # a broken form said nothing that could be on the ticket
        if is_persons(error):
            raise
        log.info("an earlier form of a post cannot be read", source=raw.source, error=type(error).__name__)
        return {}
    signals = said.signals if isinstance(said, Translated) else ()
    return {one.key: words_of(normalise(one)) for one in signals}


def _why_unable(hub: Hub, name: str) -> str:
    plugin = hub.settings.destinations[name].plugin
    try:
        able = "tombstone" in hub.registry.destination(plugin).capabilities
    except ConfigError:  # its plugin is broken now: the row waits like any other
        return ""
    return "" if able else f"cannot be taken back there: {plugin} cannot delete. Do it by hand"


def _keeps_requesters(hub: Hub, name: str) -> bool:
    try:
        return "requesters" in hub.registry.destination(hub.settings.destinations[name].plugin).capabilities
    except ConfigError:  # told when the destination is used
        return False


def _can_look_up(hub: Hub, kind: RecordKind) -> bool:
    name, object_, operation = kind
    try:
        return isinstance(hub.destination(name).idempotency_of(object_, operation), Lookup | Native)
    except ConfigError:  # told when the destination is used
        return False
    except BaseException as error:  # noqa: BLE001 - told; a destination's bug must not keep a post from being erased
        tell(hub, name, error, event="a plugin failed to tell its idempotency", object=object_)
        return False


def _kind(row: Sent) -> RecordKind:
    return row.destination, row.object, row.operation
