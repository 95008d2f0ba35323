"""Records of people and accounts told again once a link, a merge or a company is gone: from what is stored, without a plugin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from hub.core.decide.batch import Fresh, Sifted
from hub.core.decide.decision import decide
from hub.core.decide.restate import restated
from hub.core.keys import digest
from hub.core.ledger import OPEN
from hub.core.model import Person, Planned, Record, Signal
from hub.core.persons import last_words
from hub.core.pipeline import topics_of
from hub.flow.decide.read import known_in
from hub.runtime import Hub
from hub.store import Connection
from hub.store.erasures import Sent

Place = tuple[str, str, str]
"""Destination, object and key of a record."""
MOST_SIGNALS = 50
"""So many of the newest signals are decided again: the last of them that makes a record says what is in it."""
OF_RULES = "rule:"


class Kin(NamedTuple):
    """A person, an account or both, by their keys, whose records are told again."""

    person: str | None = None
    account: str | None = None

    @classmethod
    def of(cls, person: Person) -> Kin:
        """Return a person and its account."""
        return cls(person.key, person.account_key)


def restate(hub: Hub, conn: Connection, kin: Kin, *, lanes: Mapping[str, list[str]]) -> list[str]:
    """Plan the records of a person and an account as they stand now, where a destination has them; returns the destinations.

    Nothing new is made. `lanes` are those of `answering`. Raises Conflict if one of the records is being planned or sent.
    """
    keys = [key for key in kin if key]
    rows = {_place(row): row for row in hub.store.erasures.sent(conn, [], kin=keys) if row.operation == "upsert"}
    # What is another's record by now, or was never made, must not be made here.
    there = {(one.destination, one.object, one.key) for one in hub.store.references.of(keys, conn=conn)}
    rows = {place: row for place, row in rows.items() if place in there or row.state in OPEN}
    if not rows:
        return []
    again = _decided(hub, conn, kin, lanes)
    planned = [item for place, row in rows.items() if (item := _restated(hub, row, again.get(place)))]
    hub.store.outbox.plan(conn, planned, now=hub.now())
    return list(dict.fromkeys(item.record.destination for item in planned))


def _decided(hub: Hub, conn: Connection, kin: Kin, lanes: Mapping[str, list[str]]) -> dict[Place, Planned]:
    """Return what the newest signals of all who are linked to the person, or speak for its account, make now."""
    signals = _spoken(hub, conn, kin)[-MOST_SIGNALS:]
    found = hub.store.signals.labels_of(conn, [one.key for one in signals])
    labels = [[one for one in found.get(said.key, ()) if not one.model.startswith(OF_RULES)] for said in signals]
    known, book = known_in(hub, conn, signals, [], lanes=lanes), hub.book
    fresh = [Fresh(one, is_new=False, topics=topics_of(one, book)) for one in signals]
    sifted = Sifted(fresh, {}, {}, known.threads, known.opened, known.sizes)
    made = decide(known, sifted, labels, book=book, now=hub.now()).planned
    return {(one.record.destination, one.record.object, one.record.key): one for one in made}


def _spoken(hub: Hub, conn: Connection, kin: Kin) -> list[Signal]:
    accounts, alone = [kin.account] if kin.account else [], [kin.person] if kin.person else []
    staff = [key for keys in hub.store.people.of_accounts(conn, accounts).values() for key in keys]
    families = hub.store.people.families(conn, list(dict.fromkeys([*alone, *staff])))
    authors = list(dict.fromkeys(author for mine in families.values() for author in mine))
    return last_words(authors, hub.store.people.newest(conn, authors))


def _restated(hub: Hub, row: Sent, item: Planned | None) -> Planned | None:
    """Return the record of a row as it is now; None if nothing changes, or its mapping is no more."""
    mapping = hub.book.mappings.get((row.destination, row.mapping))
    if mapping is None:
        return None
    fields = restated(row.fields, item.record.fields if item else None, mapping)
    if fields == row.fields:
        return None
    record = item.record if item else _record(row, mapping.once)
    # A change that weighs nothing by the mapping is written all the same, so the digest is one of its own.
    record = replace(record, fields=fields, stable=digest(record.stable, str(row.id)))
    return Planned(record, item.signal_key if item else row.signal_key or "", item.rule if item else row.rule or "")


def _record(row: Sent, once: Sequence[str]) -> Record:
    return Record(
        destination=row.destination,
        object=row.object,
        key=row.record_key,
        operation="upsert",
        fields={},
        mapping=row.mapping,
        mapping_version=row.mapping_version,
        stable="",
        key_field=row.key_field,
        once=tuple(once),
        provides=row.provides,
        needs=row.needs,
    )


def _place(row: Sent) -> Place:
    return row.destination, row.object, row.record_key
