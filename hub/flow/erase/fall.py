"""What falls with tombstones: signals, authors, what they said, and the rows of the ledger that tell of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from msgspec.structs import replace

from hub.core.erasure import is_own, names_of, traces_of, words_of
from hub.core.ledger import AWAITING_PERSON, IDLE, Need
from hub.core.model import Author, Planned, Signal, Tombstone, TombstoneReason
from hub.runtime import Hub
from hub.store import Connection, Store
from hub.store.erasures import Sent


@dataclass
class Fall:
    """What falls with tombstones: each signal and author with its reason, what the signals said, and the ledger's rows.

    `traces` are the links and times of the signals; they also stand in records of the people behind their authors, and in what
    was kept when other signals of these people's authors (`relatives`) were decided. `alone` are the people who have no author
    but erased ones, `left_accounts` the accounts that have no people but those. `faces` are the
    erased authors, as far as they are stored.
    """

    reasons: dict[str, TombstoneReason]
    people: frozenset[str]
    alone: frozenset[str]
    left_accounts: frozenset[str]
    faces: Mapping[str, Author]
    said: Mapping[str, Signal]
    rows: Sequence[Sent] = ()
    relatives: Sequence[str] = ()
    traces: frozenset[str] = frozenset()
    planned: list[Planned] = field(default_factory=list)

    def words(self, key: str | None) -> tuple[str, ...]:
        """Return what a signal said."""
        signal = self.said.get(key or "")
        return words_of(signal) if signal else ()

    def names(self, key: str) -> tuple[str, ...]:
        """Return what people call the author of a signal, if the author is erased."""
        signal = self.said.get(key)
        face = self.faces.get(signal.author_key or "") if signal else None
        return names_of(face) if face else ()

    def why(self, row: Sent) -> TombstoneReason:
        """Return the reason for which a row is taken back."""
        return self.reasons.get(row.signal_key or "") or self.reasons[row.record_key]

    def is_of_the_erased(self, row: Sent) -> bool:
        """Return True if a record stands for an erased author."""
        return Need.read(row.provides).kind == "author" and row.record_key in self.people

    def is_of_the_alone(self, row: Sent) -> bool:
        """Return True if a record stands for a person who is forgotten with the author."""
        return Need.read(row.provides).kind == "person" and row.record_key in self.alone

    def takes(self, row: Sent) -> bool:
        """Return True if the whole record goes, and not only what it quotes."""
        return self.is_of_the_erased(row) or is_own(row.provides, row.operation)


class Stones(NamedTuple):
    """Tombstones by key, with those of all that falls with them; `writers` are the erased authors who have signals."""

    by_key: dict[str, Tombstone]
    writers: frozenset[str]


def falling(store: Store, conn: Connection, tombstones: Iterable[Tombstone]) -> Stones:
    """Add the signals of erased authors, and the reposts of what is gone.

    An author who was erased by the same tombstone, or a later one, may have spoken since: that does not fall.
    """
    stones = {stone.key: stone for stone in tombstones}
    buried = store.signals.gone_since(conn, list(stones))
    repeats = {key: at for key, at in buried.items() if at >= stones[key].at}
    theirs = store.erasures.of_authors(conn, _accounts(stones), until=repeats)
    stones |= {key: replace(stones[author], key=key) for key, author in theirs.items() if key not in stones}
    repeated = store.erasures.reposts(conn, list(stones))
    stones |= {key: replace(stones[first], key=key) for key, first in repeated.items() if key not in stones}
    for author in store.erasures.returned(conn, repeats):
        del stones[author]
    return Stones(stones, frozenset(theirs.values()) & stones.keys())


def _accounts(stones: Mapping[str, Tombstone]) -> list[str]:
    """Return the keys that may be an author's: a network that tells of a post's end says nothing of an account of that id."""
    return [key for key, stone in stones.items() if stone.reason in ("account_deleted", "erasure")]


def look_up(hub: Hub, conn: Connection, stones: Stones) -> Fall:
    """Read all that falls."""
    keys = list(stones.by_key)
    said = hub.store.erasures.stored(conn, keys)
    accounts = _accounts(stones.by_key)
    faces = hub.store.signals.authors(conn, accounts)
    people = stones.writers.union(faces, hub.store.people.behind(conn, accounts))
    kin, relatives = _kin(hub, conn, {one.author_key for one in said.values() if one.author_key} | people)
    rows = hub.store.erasures.sent(conn, list(said), sorted(people), kin=kin)
    pages = f"{hub.settings.public_url}/signals"
    traces = frozenset[str]().union(*(traces_of(one, f"{pages}/{key}") for key, one in said.items()))
    alone = hub.store.people.alone(conn, sorted(people))
    companies = sorted({row.record_key for row in rows if Need.read(row.provides).kind == "account"}) if alone else []
    staff = hub.store.people.of_accounts(conn, companies)
    left = frozenset(key for key, mine in staff.items() if alone.issuperset(mine))
    reasons = {key: stone.reason for key, stone in stones.by_key.items()}
    return Fall(reasons, people, alone, left, faces, said, rows, relatives, traces)


def _kin(hub: Hub, conn: Connection, writers: Iterable[str]) -> tuple[list[str], list[str]]:
    """Return the people and accounts behind these authors, and all authors who are linked to those."""
    behind = hub.store.people.behind(conn, sorted(writers)).values()
    accounts = sorted({one.account_key for one in behind if one.account_key})
    staff = [key for keys in hub.store.people.of_accounts(conn, accounts).values() for key in keys]
    persons = list(dict.fromkeys([*(one.key for one in behind), *staff]))
    families = hub.store.people.families(conn, persons) if persons else {}
    return [*persons, *accounts], [author for mine in families.values() for author in mine]


def can_stop(row: Sent) -> bool:
    """Return True if nothing of a row is under way, and nothing may be there that its key would not find."""
    left_to_a_person = row.state in AWAITING_PERSON and (row.operation == "upsert" or not row.was_sent)
    return row.state in IDLE or left_to_a_person
