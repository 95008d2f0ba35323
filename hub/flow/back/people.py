"""Who is behind the authors of a batch, and which open conversation of that person a rule may join."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, NamedTuple

from hub.core.model import Author, Label, Person, Signal
from hub.core.pipeline import standings_read
from hub.flow.back.standing import CLOSED, Standing, find_standings
from hub.runtime import Hub
from hub.store import Connection
from hub.store.signals import fortnight_before

JOINED_WITHIN = timedelta(days=30)


class Home(NamedTuple):
    """A person's open conversation, and the destinations where it has its ticket."""

    key: str
    opened: frozenset[str]


@dataclass(frozen=True)
class Linked:
    """People by author, each person's newest open conversation that has a ticket, and how people and accounts stand.

    `standings`, by the key of a person or account, holds those only that a rule or mapping reads.
    """

    people: Mapping[str, Person] = field(default_factory=dict)
    homes: Mapping[str, Home] = field(default_factory=dict)
    standings: Mapping[str, Standing] = field(default_factory=dict)

    def hear(self, hub: Hub, signal: Signal, labels: Sequence[Label], *, is_new: bool) -> None:
        """Count a signal that is decided now into how its author's person and account stand."""
        person = self.people.get(signal.author_key or "")
        late = signal.published_at >= fortnight_before(hub.now())
        for key in (person.key, person.account_key) if person else ():
            if standing := self.standings.get(key or ""):
                standing.hear(signal, labels, is_new=is_new, late=late)

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
            **self._standing(person.key),
        }

    def account(self, author_key: str) -> dict[str, Any] | None:
        """What they read of the account of that person, None where none is known."""
        person = self.people.get(author_key)
        if person is None or person.account_key is None:
            return None
        name = person.company or person.company_domain
        known = {"key": person.account_key, "name": name, "domain": person.company_domain}
        return {**known, **self._standing(person.account_key)}

    def and_also(self, more: Linked) -> Linked:
        """With those of others; what is known of somebody already has counted this batch's signals, and stays."""
        return Linked(
            {**more.people, **self.people}, {**more.homes, **self.homes}, {**more.standings, **self.standings}
        )

    def _standing(self, key: str) -> dict[str, Any]:
        standing = self.standings.get(key)
        return standing.facts() if standing else {}

    def home(self, author_key: str, thread: str) -> Home | None:
        """The conversation elsewhere that a signal of this author may join, None where there is none."""
        person = self.people.get(author_key)
        found = self.homes.get(person.key) if person else None
        return found if found and found.key != thread else None


def find_linked(hub: Hub, conn: Connection, author_keys: Sequence[str], met: Mapping[str, Author]) -> Linked:
    """The people behind these authors (`met` are their newest faces); conversations and standings only where somebody asks."""
    people = hub.store.people.behind(conn, author_keys)
    if not people:
        return Linked()
    keys = list(dict.fromkeys(one.key for one in people.values()))
    is_joined = any(rule.join for rule in hub.book.rules.rules)
    homes = {key: home for key in keys if (home := _home(hub, conn, key))} if is_joined else {}
    return Linked(people, homes, find_standings(hub, conn, _groups(hub, conn, people.values()), met))


def _groups(hub: Hub, conn: Connection, people: Iterable[Person]) -> dict[str, list[str]]:
    """The authors of each person and account whose standing is asked for."""
    asked, found, known = standings_read(hub.book), dict[str, list[str]](), list(people)
    if "person" in asked:
        found |= hub.store.people.families(conn, list(dict.fromkeys(one.key for one in known)))
    accounts = list(dict.fromkeys(one.account_key for one in known if one.account_key)) if "account" in asked else []
    if accounts:
        staff = hub.store.people.of_accounts(conn, accounts)
        families = hub.store.people.families(conn, [key for keys in staff.values() for key in keys])
        found |= {account: [author for key in keys for author in families[key]] for account, keys in staff.items()}
    return found


def adopt(hub: Hub, author_key: str, person_key: str) -> int:
    """Let records that an author has already be the linked person's, where mappings write those by person; returns how many.

    Else the person's first record would stand beside the author's.
    """
    mappings = ((name, one.spec) for (name, _), one in hub.book.mappings.items())
    places = {(name, spec.object) for name, spec in mappings if spec.keyed_by == "person"}
    return hub.store.references.adopt(author_key, person_key, places)


def _home(hub: Hub, conn: Connection, person_key: str) -> Home | None:
    authors = hub.store.people.authors_of(conn, person_key)
    threads = hub.store.signals.threads_of(conn, authors, since=hub.now() - JOINED_WITHIN)
    opened = hub.store.outbox.opened(conn, threads)
    states = hub.store.conversations.known(conn, threads)
    for thread in threads:
        if opened.get(thread) and states.get(thread, {}).get("state") != CLOSED:
            return Home(thread, frozenset(opened[thread]))
    return None
