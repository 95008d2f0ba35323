"""People behind authors: links with their ground, merges that can be undone. Nothing is linked without a basis."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, get_args

import msgspec
from sqlalchemy import Column, Connection, Float, Index, Table, select, text, update

from hub.core.errors import HubError
from hub.core.keys import digest
from hub.core.model import Basis, IdentityLink, Person
from hub.store.database import Database, chunks
from hub.store.tables import Id, Json, Time, Words, metadata

BASES: tuple[str, ...] = get_args(Basis)
LONGEST_CHAIN = 20

people = Table(
    "people",
    metadata,
    Column("key", Words, primary_key=True),
    Column("merged_into", Words, index=True),
    Column("created_at", Time, nullable=False),
    Column("body", Json, nullable=False),
)
links = Table(
    "identity_links",
    metadata,
    Column("id", Id, primary_key=True),
    Column("author_key", Words, nullable=False),
    Column("person_key", Words, nullable=False, index=True),
    Column("basis", Words, nullable=False),
    Column("evidence", Words, nullable=False),
    Column("by", Words, nullable=False),
    Column("at", Time, nullable=False),
    Column("confidence", Float, nullable=False),
    Column("revoked_at", Time),
)
# An author is at most one person at a time; links that were revoked stay, as the history.
Index(
    "uq_links_active",
    links.c.author_key,
    unique=True,
    sqlite_where=text("revoked_at is null"),
    postgresql_where=text("revoked_at is null"),
)


class NotLinked(HubError):
    """This link or merge cannot be made."""


class People:
    """Queries over people and the links from authors to them."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def add(self, name: str, *, emails: Sequence[str] = (), owner: str | None = None, now: datetime) -> Person:
        """A new person."""
        key = f"person:{digest(name, now.isoformat())}"
        person = Person(key, name, tuple(emails), owner)
        row = {"key": key, "merged_into": None, "created_at": now, "body": person}
        with self.database.write() as conn:
            conn.execute(self.database.insert_new(people), [row])
        return person

    def get(self, key: str) -> Person | None:
        """A person by key (or an unambiguous beginning of it), as it stands: a merged one says into whom."""
        with self.database.read() as conn:
            rows = conn.execute(select(people).where(people.c.key.startswith(key, autoescape=True)).limit(2)).all()
        exact = [row for row in rows if row.key == key] or rows
        return _person(exact[0]) if len(exact) == 1 else None

    def recent(self, *, limit: int = 50) -> list[Person]:
        """People that are not merged into another, newest first."""
        query = select(people).where(people.c.merged_into.is_(None)).order_by(people.c.created_at.desc()).limit(limit)
        with self.database.read() as conn:
            return [_person(row) for row in conn.execute(query)]

    def link(self, link: IdentityLink) -> None:
        """Link an author to a person. Raises NotLinked without a ground or a person, or where it is linked already."""
        if reason := wrong_with(link):
            raise NotLinked(reason)
        with self.database.write() as conn:
            if conn.scalar(select(people.c.key).where(people.c.key == link.person_key)) is None:
                raise NotLinked(f"there is no person {link.person_key}")
            insert = self.database.insert_new(links).values(_link_row(link)).returning(links.c.id)
            if conn.scalar(insert) is None:
                raise NotLinked("this author is linked already: revoke that link first")

    def unlink(self, author_key: str, *, now: datetime) -> bool:
        """Revoke an author's link; False where there is none. The revoked link stays as history."""
        active = links.c.author_key == author_key, links.c.revoked_at.is_(None)
        with self.database.write() as conn:
            return conn.execute(update(links).where(*active).values(revoked_at=now)).rowcount == 1

    def merge(self, loser: str, winner: str) -> None:
        """Let one person take another's place; the links stay where they are, so that it can be undone.

        Raises NotLinked where it would end in a circle or one of them is not there.
        """
        with self.database.write() as conn:
            if winner == loser or _final(conn, winner) in (None, loser):
                raise NotLinked("a person cannot be merged into itself, or into one that is not there")
            alone = people.c.key == loser, people.c.merged_into.is_(None)
            if conn.execute(update(people).where(*alone).values(merged_into=winner)).rowcount != 1:
                raise NotLinked(f"there is no person {loser}, or it is merged already")

    def unmerge(self, loser: str) -> bool:
        """Undo a merge; False where there is none."""
        merged = people.c.key == loser, people.c.merged_into.is_not(None)
        with self.database.write() as conn:
            return conn.execute(update(people).where(*merged).values(merged_into=None)).rowcount == 1

    def links_of(self, *, author_key: str | None = None, person_key: str | None = None) -> list[IdentityLink]:
        """Links, revoked ones too, oldest first."""
        query = select(links).order_by(links.c.id)
        query = query if author_key is None else query.where(links.c.author_key == author_key)
        query = query if person_key is None else query.where(links.c.person_key == person_key)
        with self.database.read() as conn:
            return [_link(row) for row in conn.execute(query)]

    def behind(self, conn: Connection, author_keys: Sequence[str]) -> dict[str, Person]:
        """The person behind each linked author among the keys, merges followed."""
        found: dict[str, Person] = {}
        for part in chunks(author_keys):
            query = select(links.c.author_key, links.c.person_key)
            for author, person in conn.execute(query.where(links.c.author_key.in_(part), links.c.revoked_at.is_(None))):
                final = _final(conn, person)
                if final is not None:
                    found[author] = _person(conn.execute(select(people).where(people.c.key == final)).one())
        return found

    def authors_of(self, conn: Connection, person_key: str) -> list[str]:
        """The authors behind whom this person stands, also by people merged into it."""
        keys, waiting = [person_key], [person_key]
        while waiting:
            waiting = list(conn.scalars(select(people.c.key).where(people.c.merged_into.in_(waiting))))
            keys += waiting
        query = select(links.c.author_key).where(links.c.person_key.in_(keys), links.c.revoked_at.is_(None))
        return list(conn.scalars(query.order_by(links.c.id)))


def wrong_with(link: IdentityLink) -> str:
    """Why a link must not be made, "" where it may."""
    if link.basis not in BASES:
        return f"a link needs a basis: {', '.join(BASES)}"
    if not link.evidence.strip():
        return "a link needs evidence: where its ground can be looked at"
    if not link.by.strip():
        return "a link needs to say who makes it"
    return "" if 0 <= link.confidence <= 1 else "a confidence lies between 0 and 1"


def _final(conn: Connection, key: str) -> str | None:
    """Whom a person is now, merges followed; None where there is no such person."""
    for _ in range(LONGEST_CHAIN):
        row = conn.execute(select(people.c.merged_into).where(people.c.key == key)).first()
        if row is None:
            return None
        if row.merged_into is None:
            return key
        key = row.merged_into
    raise NotLinked(f"the merges of {key} run in a circle")


def _person(row: Any) -> Person:
    return msgspec.structs.replace(msgspec.convert(row.body, Person), merged_into=row.merged_into)


def _link_row(link: IdentityLink) -> dict[str, Any]:
    return msgspec.structs.asdict(link)


def _link(row: Any) -> IdentityLink:
    return IdentityLink(
        row.author_key, row.person_key, row.basis, row.evidence, row.by, row.at, row.confidence, row.revoked_at
    )
