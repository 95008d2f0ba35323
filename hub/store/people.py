"""People behind authors: links with their ground, merges that can be undone. Nothing is linked without a basis."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from datetime import datetime
from typing import Any, get_args

import msgspec
from msgspec.structs import replace
from sqlalchemy import ColumnElement, Connection, exists, func, not_, or_, select, text, update

from hub.core.access import EVERYTHING, Sight
from hub.core.decide.trace import decode_trace, encode_trace, forget_person, mark_of
from hub.core.errors import HubError
from hub.core.keys import account_key, digest
from hub.core.model import GONE, Basis, IdentityLink, Person, Signal
from hub.core.persons import Recent
from hub.store.audit import REMOVED, Audit
from hub.store.database import Database, among, chunks, is_empty
from hub.store.references import give_back, inherit
from hub.store.schema import links, people
from hub.store.schema import signals as S
from hub.store.sight import seen_author

BASES: tuple[str, ...] = get_args(Basis)
LONGEST_CHAIN = 20
PEOPLE_LOCK = 0x48554245  # any number that no other program on this database uses
_SAID = ("name", "display_name", "emails", "owner", "company", "company_domain")
NEWEST = 5  # signals of each author that are looked at: the latest of them may be private
_DOMAIN = re.compile(r"(?=.{4,253}\Z)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{1,62}")
_signal = msgspec.json.Decoder(Signal)


_ACTIVE = links.c.revoked_at.is_(None)


class NotLinked(HubError):
    """This link or merge cannot be made."""


class NoAccount(HubError):
    """A person's company cannot be told by this."""


class People:
    """Queries over people and the links from authors to them."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def add(self, name: str, *, now: datetime, conn: Connection | None = None, **values: Any) -> Person:
        """Make a person; `values` are other fields of Person. Raises NoAccount if a company has no domain."""
        person = _told(Person(f"person:{digest(name, now.isoformat())}", name), values)
        row = {"key": person.key, "merged_into": None, "created_at": now, "body": person, "account": person.account_key}
        with self.database.within(conn) as within:
            within.execute(self.database.insert_new(people), [row])
        return person

    def change(self, key: str, *, conn: Connection | None = None, **values: Any) -> Person:
        """Change fields of a person that is there. Raises NoAccount if a company has no domain."""
        with self.database.within(conn) as within:
            held = within.execute(select(people.c.body).where(people.c.key == key).with_for_update()).one()
            person = _told(msgspec.convert(held.body, Person), values)
            new = {"body": person, "account": person.account_key}
            within.execute(update(people).where(people.c.key == key).values(new))
        return person

    def get(self, key: str, *, conn: Connection | None = None, sight: Sight = EVERYTHING) -> Person | None:
        """Return a person by key (or an unambiguous beginning of it), as stored: a merged one names its winner."""
        named = people.c.key.startswith(key, autoescape=True)
        query = select(people).where(named, *_seen(sight)).order_by(people.c.key).limit(2)
        with self.database.read() if conn is None else nullcontext(conn) as within:
            rows = within.execute(query).all()
        exact = [row for row in rows if row.key == key] or rows
        return _person(exact[0]) if len(exact) == 1 else None

    def recent(self, *, limit: int = 50, sight: Sight = EVERYTHING) -> list[Person]:
        """Return people that are not merged into another, newest first."""
        living = select(people).where(people.c.merged_into.is_(None), *_seen(sight))
        query = living.order_by(people.c.created_at.desc()).limit(limit)
        with self.database.read() as conn:
            return [_person(row) for row in conn.execute(query)]

    def link(self, link: IdentityLink, *, conn: Connection | None = None) -> None:
        """Link an author to a person. Raises NotLinked without a ground or a person, or if it is linked already."""
        if reason := wrong_with(link):
            raise NotLinked(reason)
        with self.database.within(conn) as within:
            if within.scalar(select(people.c.key).where(people.c.key == link.person_key)) is None:
                raise NotLinked(f"there is no person {link.person_key}")
            insert = self.database.insert_new(links).values(msgspec.structs.asdict(link)).returning(links.c.id)
            if within.scalar(insert) is None:
                raise NotLinked("this author is linked already: revoke that link first")

    def unlink(self, author_key: str, *, now: datetime, conn: Connection | None = None) -> None:
        """Revoke an author's link; the revoked link stays as history. Raises NotLinked if there is none."""
        active = links.c.author_key == author_key, _ACTIVE
        with self.database.within(conn) as within:
            if within.execute(update(links).where(*active).values(revoked_at=now)).rowcount != 1:
                raise NotLinked(f"{author_key} is linked to no person: `hub people show` lists a person's links")

    def merge(self, loser: str, winner: str, *, conn: Connection | None = None) -> None:
        """Merge a person into another, also in CRMs that have no record of the other yet.

        The links stay, so that it can be undone. Raises NotLinked if it would end in a circle or one of
        them is not there.
        """
        with self.database.within(conn) as within:
            self._take_turns(within)
            final = _final(within, winner)
            if winner == loser or final in (None, loser):
                raise NotLinked("a person cannot be merged into itself, or into one that is not there")
            alone = people.c.key == loser, people.c.merged_into.is_(None)
            if within.execute(update(people).where(*alone).values(merged_into=winner)).rowcount != 1:
                raise NotLinked(f"there is no person {loser}, or it is merged already")
            inherit(self.database, within, loser, final or winner)

    def unmerge(self, loser: str, *, conn: Connection | None = None) -> str:
        """Undo a merge; return the winner's key. Raises NotLinked if the person is not merged."""
        with self.database.within(conn) as within:
            self._take_turns(within)
            winner = _final(within, loser)
            if winner is None or winner == loser:
                raise NotLinked(f"{loser} is not merged into another")
            give_back(within, ("person", loser), winner)
            within.execute(update(people).where(people.c.key == loser).values(merged_into=None))
        return winner

    def _take_turns(self, conn: Connection) -> None:
        """Lock out other merges of people for the rest of the transaction: two at once could close a circle."""
        if not self.database.is_sqlite:  # SQLite has one writer anyway
            conn.execute(text("SELECT pg_advisory_xact_lock(:this)"), {"this": PEOPLE_LOCK})

    def links_of(
        self, *, author_key: str | None = None, person_key: str | None = None, sight: Sight = EVERYTHING
    ) -> list[IdentityLink]:
        """Return links, revoked ones too, oldest first."""
        query = select(links).where(*seen_author(sight, links.c.author_key)).order_by(links.c.id)
        query = query if author_key is None else query.where(links.c.author_key == author_key)
        query = query if person_key is None else query.where(links.c.person_key == person_key)
        with self.database.read() as conn:
            return [_link(row) for row in conn.execute(query)]

    def behind(self, conn: Connection, author_keys: Sequence[str]) -> dict[str, Person]:
        """Return the person behind each linked author among the keys, merges followed."""
        if is_empty(conn, links):
            return {}
        heads: dict[str, str] = {}
        for part in chunks(author_keys):
            query = select(links.c.author_key, links.c.person_key)
            heads |= {row[0]: row[1] for row in conn.execute(query.where(among(links.c.author_key, part), _ACTIVE))}
        known = _chains(conn, heads.values())
        found = {author: _end_of(known, person) for author, person in heads.items()}
        return {author: _person(row) for author, row in found.items() if row is not None}

    def families(self, conn: Connection, person_keys: Sequence[str]) -> dict[str, list[str]]:
        """Return the authors linked to each of these people, also to people merged into them; a few queries for all."""
        heads = _heads(conn, person_keys)
        found: dict[str, list[str]] = {key: [] for key in person_keys}
        for part in chunks(list(heads)):
            linked = select(links.c.author_key, links.c.person_key).where(among(links.c.person_key, part))
            for author, person in conn.execute(linked.where(_ACTIVE).order_by(links.c.id)):
                found[heads[person]].append(author)
        return found

    def were_linked(self, conn: Connection, author_keys: Sequence[str]) -> bool:
        """Return True if one of these authors is, or once was, linked to a person."""
        if is_empty(conn, links):
            return False
        queries = (select(links.c.id).where(among(links.c.author_key, part)).limit(1) for part in chunks(author_keys))
        return any(conn.execute(query).first() is not None for query in queries)

    def forget_ground(
        self, conn: Connection, author_keys: Sequence[str], *, is_theirs: Callable[[str], bool] = lambda _: True
    ) -> None:
        """Redact the evidence of these authors' links that is theirs, in the audit log too; that they were linked stays."""
        for part in chunks(author_keys):
            for row in conn.execute(select(links.c.id, links.c.evidence).where(among(links.c.author_key, part))).all():
                if is_theirs(row.evidence):
                    conn.execute(update(links).where(links.c.id == row.id).values(evidence=REMOVED))
            Audit(self.database).redact(conn, part, names=("evidence",), is_theirs=is_theirs)

    def alone(self, conn: Connection, author_keys: Sequence[str]) -> frozenset[str]:
        """Return the people who have no author but these, and all who were merged into them: they are forgotten with these."""
        if is_empty(conn, links):
            return frozenset()
        heads: set[str] = set()
        for part in chunks(author_keys):
            heads.update(conn.scalars(select(links.c.person_key).where(among(links.c.author_key, part), _ACTIVE)))
        families = self.families(conn, sorted(_chains(conn, heads)))
        gone = set(author_keys)
        return frozenset(_heads(conn, [key for key, linked in families.items() if gone.issuperset(linked)]))

    def forget(self, conn: Connection, author_keys: Sequence[str], *, now: datetime) -> list[str]:
        """Revoke the links of erased authors, without their ground; return the people who have no linked author left.

        Those lose their names and all else that was said of them, and so do the people merged into them.
        """
        self.forget_ground(conn, author_keys)
        held: set[str] = set()
        for part in chunks(author_keys):
            theirs = among(links.c.author_key, part), _ACTIVE
            held.update(conn.scalars(select(links.c.person_key).where(*theirs)))
            conn.execute(update(links).where(*theirs).values(revoked_at=now))
        known = _chains(conn, held)
        alone = [key for key, linked in self.families(conn, sorted(known)).items() if not linked]
        gone = sorted(_heads(conn, alone))
        for part in chunks(gone):
            for key in part:
                bare = {"body": Person(key, REMOVED), "account": None}
                conn.execute(update(people).where(people.c.key == key).values(bare))
            Audit(self.database).redact(conn, part, names=_SAID)
            conn.execute(update(links).where(among(links.c.person_key, part)).values(evidence=REMOVED))
            once = list(conn.scalars(select(links.c.author_key).where(among(links.c.person_key, part))))
            Audit(self.database).redact(conn, once, names=("evidence",))
            _untell(conn, part)
        return gone

    def forgotten(self, conn: Connection, keys: Sequence[str]) -> list[str]:
        """Return those of these people who were forgotten."""
        rows = (row for part in chunks(keys) for row in conn.execute(select(people).where(among(people.c.key, part))))
        return [row.key for row in rows if _person(row).display_name == REMOVED]

    def of_accounts(self, conn: Connection, account_keys: Sequence[str]) -> dict[str, list[str]]:
        """Return the people of each account, without those who were merged into another."""
        found: dict[str, list[str]] = {}
        for part in chunks(account_keys):
            query = select(people.c.account, people.c.key).where(among(people.c.account, part))
            for account, person in conn.execute(query.where(people.c.merged_into.is_(None)).order_by(people.c.key)):
                found.setdefault(account, []).append(person)
        return found

    def newest(self, conn: Connection, author_keys: Sequence[str]) -> dict[str, list[Signal]]:
        """Return the few newest signals of each author that are not gone, the newest first."""
        found: dict[str, list[Signal]] = {}
        order = S.c.published_at.desc(), S.c.id.desc()
        place = func.row_number().over(partition_by=S.c.author_key, order_by=order).label("place")
        for part in chunks(author_keys):
            # Numbered without the bodies, which are long: of those only the few are read.
            inner = select(S.c.id, place).where(among(S.c.author_key, part), S.c.state.not_in(GONE)).subquery()
            query = select(S.c.author_key, S.c.body).join(inner, inner.c.id == S.c.id).where(inner.c.place <= NEWEST)
            for row in conn.execute(query.order_by(*order)):
                found.setdefault(row.author_key, []).append(_signal.decode(row.body))
        return found

    def threads(self, conn: Connection, author_keys: Sequence[str], *, since: datetime) -> dict[str, list[Recent]]:
        """Return the conversations that each of these authors spoke in since then."""
        found: dict[str, list[Recent]] = {}
        newest = func.max(S.c.published_at, type_=S.c.published_at.type).label("newest")
        for part in chunks(author_keys):
            query = select(S.c.author_key, S.c.conversation_key, newest)
            query = query.where(among(S.c.author_key, part), S.c.published_at >= since)
            for row in conn.execute(query.group_by(S.c.author_key, S.c.conversation_key).order_by(newest.desc())):
                found.setdefault(row.author_key, []).append(Recent(row.conversation_key, row.newest))
        return found


def _seen(sight: Sight) -> list[ColumnElement[bool]]:
    """Return the condition that a person said something that is seen by one of its accounts, or has none; none if all are."""
    said = list(seen_author(sight, links.c.author_key))
    mine = links.c.person_key == people.c.key
    return [or_(exists().where(mine, *said), not_(exists().where(mine)))] if said else []


def _told(person: Person, values: dict[str, Any]) -> Person:
    """Return the person with other values; a domain in its plain form, and a company only with one."""
    told = replace(person, **values)
    domain = plain_domain(told.company_domain or "")
    if told.company_domain and not domain:
        raise NoAccount(f"{told.company_domain} is no domain, such as example.com")
    if told.company and not domain:
        raise NoAccount("a company is known by its domain: give that too, such as example.com")
    words = {"owner": told.owner or None, "company": told.company or None}
    account = account_key(domain) if domain else None
    return replace(told, company_domain=domain, account_key=account, emails=tuple(told.emails), **words)


def plain_domain(text: str) -> str | None:
    """Return the domain in a text as typed (a URL, capitals, `www.`), None if there is none."""
    typed = text.strip().casefold()
    host = re.split(r"[/?#:]", typed.partition("://")[2] or typed)[0].removeprefix("www.").rstrip(".")
    try:
        plain = host.encode("idna").decode("ascii") if host else ""
    except UnicodeError:
        return None
    return plain if _DOMAIN.fullmatch(plain) else None


def wrong_with(link: IdentityLink) -> str:
    """Return why a link must not be made, "" if it may."""
    if link.basis not in BASES:
        return f"a link needs a basis: {', '.join(BASES)}"
    if not link.evidence.strip():
        return "a link needs evidence: where its ground can be looked at"
    if not link.by.strip():
        return "a link needs to say who makes it"
    return "" if 0 <= link.confidence <= 1 else "a confidence lies between 0 and 1"


def _heads(conn: Connection, keys: Iterable[str]) -> dict[str, str]:
    """Return these people and all who were merged into them, each with the one of these that it is now."""
    heads = {key: key for key in keys}
    waiting = list(heads)
    while waiting:
        query = select(people.c.key, people.c.merged_into)
        rows = [row for part in chunks(waiting) for row in conn.execute(query.where(among(people.c.merged_into, part)))]
        waiting = [row.key for row in rows if row.key not in heads]
        heads = {row.key: heads[row.merged_into] for row in rows} | heads
    return heads


def _untell(conn: Connection, person_keys: Sequence[str]) -> None:
    """Erase these people from what was kept when signals were decided, also of authors unlinked since."""
    theirs = select(links.c.author_key).where(links.c.person_key.in_(person_keys))
    told = S.c.author_key.in_(theirs), S.c.trace.contains(mark_of("person"), autoescape=True)
    for row in conn.execute(select(S.c.id, S.c.trace).where(*told)).all():
        trace = decode_trace(row.trace)
        bare = forget_person(trace, person_keys)
        if bare != trace:
            conn.execute(update(S).where(S.c.id == row.id).values(trace=encode_trace(bare)))


def _chains(conn: Connection, keys: Iterable[str]) -> dict[str, Any]:
    """Return the rows of these people and of their merge winners; as many queries as the longest chain has links."""
    known: dict[str, Any] = {}
    waiting, asked = set(keys), set[str]()
    while waiting:
        for part in chunks(sorted(waiting)):
            known |= {row.key: row for row in conn.execute(select(people).where(among(people.c.key, part)))}
        asked |= waiting
        waiting = {row.merged_into for row in known.values() if row.merged_into} - asked
    return known


def _end_of(known: Mapping[str, Any], key: str) -> Any:
    """Return the row at the end of a person's merges, from rows that hold the whole chain."""
    for _ in range(LONGEST_CHAIN):
        row = known.get(key)
        if row is None or row.merged_into is None:
            return row
        key = row.merged_into
    raise NotLinked(f"the merges of {key} run in a circle")


def _final(conn: Connection, key: str) -> str | None:
    """Return the key of the person at the end of the merges; None if there is no such person."""
    row = _end_of(_chains(conn, [key]), key)
    return None if row is None else row.key


def _person(row: Any) -> Person:
    return msgspec.structs.replace(msgspec.convert(row.body, Person), merged_into=row.merged_into)


def _link(row: Any) -> IdentityLink:
    return IdentityLink(*row[1:])
