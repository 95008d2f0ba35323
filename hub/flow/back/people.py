"""Who is behind the authors of a batch, and which open conversation of that person a rule may join."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, NamedTuple

from hub.core.model import Person
from hub.runtime import Hub
from hub.store import Connection

JOINED_WITHIN = timedelta(days=30)
CLOSED = "closed"


class Home(NamedTuple):
    """A person's open conversation, and the destinations where it has its ticket."""

    key: str
    opened: frozenset[str]


@dataclass(frozen=True)
class Linked:
    """People by author, and each person's newest open conversation that has a ticket."""

    people: Mapping[str, Person] = field(default_factory=dict)
    homes: Mapping[str, Home] = field(default_factory=dict)

    def facts(self, author_key: str) -> dict[str, Any] | None:
        """What rules and mappings read of the person behind an author, None where nobody is known."""
        person = self.people.get(author_key)
        if person is None:
            return None
        return {
            "key": person.key,
            "display_name": person.display_name,
            "emails": list(person.emails),
            "owner": person.owner,
        }

    def home(self, author_key: str, thread: str) -> Home | None:
        """The conversation elsewhere that a signal of this author may join, None where there is none."""
        person = self.people.get(author_key)
        found = self.homes.get(person.key) if person else None
        return found if found and found.key != thread else None


def find_linked(hub: Hub, conn: Connection, author_keys: Sequence[str]) -> Linked:
    """The people behind these authors; their conversations only where a rule asks to join them."""
    people = hub.store.people.behind(conn, author_keys)
    if not people or not any(rule.join for rule in hub.book.rules.rules):
        return Linked(people)
    homes = {key: home for key in {one.key for one in people.values()} if (home := _home(hub, conn, key))}
    return Linked(people, homes)


def _home(hub: Hub, conn: Connection, person_key: str) -> Home | None:
    authors = hub.store.people.authors_of(conn, person_key)
    threads = hub.store.signals.threads_of(conn, authors, since=hub.now() - JOINED_WITHIN)
    opened = hub.store.outbox.opened(conn, threads)
    states = hub.store.conversations.known(conn, threads)
    for thread in threads:
        if opened.get(thread) and states.get(thread, {}).get("state") != CLOSED:
            return Home(thread, frozenset(opened[thread]))
    return None
