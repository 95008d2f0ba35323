"""Which rules, topics and mappings are active: each activation names their versions, whose contents are kept for good."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import msgspec
from sqlalchemy import Connection, func, insert, select, text, update

from hub.store.database import Database
from hub.store.schema import activations, versions

ACTIVATIONS_LOCK = 0x48554246  # any number that no other program on this database uses


class BookVersions(msgspec.Struct, frozen=True):
    """The hashes of rules, topics and mappings (by DESTINATION/NAME), and the labels that conditions may name.

    `files` is the digest of the files that they were read from: a comment changes it, and nothing else. `absent` are the plugins
    that could not be had then: what they bring is missing, or is what it was before.
    """

    rules: str
    topics: str
    mappings: Mapping[str, str] = {}
    labels: tuple[str, ...] = ()
    files: str = ""
    absent: tuple[str, ...] = ()

    def says_the_same(self, other: BookVersions) -> bool:
        """Return True if both decide alike, whatever else stands in their files."""
        return msgspec.structs.replace(self, files="") == msgspec.structs.replace(other, files="")

    def changes(self, old: BookVersions | None) -> list[str]:
        """Return what differs from older versions: rules, topics, labels, mappings by name."""
        if old is None:
            return ["rules", "topics", *sorted(f"mapping {name}" for name in self.mappings)]
        found = [name for name in ("rules", "topics", "labels") if getattr(old, name) != getattr(self, name)]
        names = sorted({*old.mappings, *self.mappings})
        return found + [f"mapping {name}" for name in names if old.mappings.get(name) != self.mappings.get(name)]


class Activation(msgspec.Struct, frozen=True):
    """What was activated, when, and by which actor."""

    id: int
    at: datetime
    actor: str
    book: BookVersions


class Activations:
    """Activations, the last of which is in force."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def newest(self) -> int | None:
        """Return the number of the activation that is in force; None if there is none."""
        with self.database.read() as conn:
            found: int | None = conn.scalar(select(func.max(activations.c.id)))
        return found

    def current(self) -> Activation | None:
        """Return the activation that is in force; None if there is none."""
        with self.database.read() as conn:
            row = conn.execute(select(activations).order_by(activations.c.id.desc()).limit(1)).first()
        return None if row is None else Activation(row.id, row.at, row.actor, msgspec.convert(row.book, BookVersions))

    def take_turns(self, conn: Connection) -> None:
        """Lock out other activations for the rest of the transaction: the files that were read last are in force."""
        if not self.database.is_sqlite:  # SQLite has one writer anyway
            conn.execute(text("SELECT pg_advisory_xact_lock(:this)"), {"this": ACTIVATIONS_LOCK})

    def add(self, conn: Connection, book: BookVersions, *, actor: str, now: datetime) -> int:
        """Let these versions be in force from now on, in the caller's transaction; returns the activation's number."""
        made = insert(activations).values(at=now, actor=actor, book=book).returning(activations.c.id)
        return int(conn.execute(made).scalar_one())

    def renew(self, conn: Connection, number: int, book: BookVersions) -> None:
        """Note that an activation has the same content in other files."""
        conn.execute(update(activations).where(activations.c.id == number).values(book=book))

    def contents(self, book: BookVersions) -> dict[str, str]:
        """Return the contents of these versions by hash, as JSON."""
        wanted = {book.rules, book.topics, *book.mappings.values()}
        with self.database.read() as conn:
            rows = conn.execute(select(versions.c.hash, versions.c.content).where(versions.c.hash.in_(sorted(wanted))))
            return {row.hash: row.content for row in rows}

    def mappings(self, book: BookVersions, prefix: str) -> dict[str, str]:
        """Return the contents of those mappings whose DESTINATION/NAME begins so, as JSON."""
        contents = self.contents(book)
        return {
            name: contents[one] for name, one in book.mappings.items() if name.startswith(prefix) and one in contents
        }
