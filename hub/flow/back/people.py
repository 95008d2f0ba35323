"""Who is behind the authors of a batch, and which open conversation of that person a rule may join."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from hub.core.model import Author, Label, Person, Signal
from hub.core.pipeline import standings_read
from hub.flow.back.standing import Standing, find_open, find_standings
from hub.runtime import Hub
from hub.store import Connection
from hub.store.signals import fortnight_before
from hub.store.tables import OPEN_STATES
from hub.store.upkeep.erasure import STOPPABLE, Sent


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
        if person is None:
            return
        late = signal.published_at >= fortnight_before(hub.now())
        for key in (person.key, person.account_key):
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
    asked, is_joined = standings_read(hub.book), any(rule.join for rule in hub.book.rules.rules)
    keys = list(dict.fromkeys(one.key for one in people.values())) if is_joined or "person" in asked else []
    families = hub.store.people.families(conn, keys) if keys else {}
    opened = find_open(hub, conn, families, hub.store.outbox.opened) if is_joined else {}
    homes = {key: Home(thread, frozenset(tickets)) for key, (thread, tickets) in opened.items()}
    groups = families if "person" in asked else {}
    groups = groups | _staff(hub, conn, people.values()) if "account" in asked else groups
    return Linked(people, homes, find_standings(hub, conn, groups, met))


def _staff(hub: Hub, conn: Connection, people: Iterable[Person]) -> dict[str, list[str]]:
    """The authors behind whom each account of these people stands."""
    accounts = list(dict.fromkeys(one.account_key for one in people if one.account_key))
    staff = hub.store.people.of_accounts(conn, accounts)
    families = hub.store.people.families(conn, [key for keys in staff.values() for key in keys])
    return {account: [author for key in keys for author in families[key]] for account, keys in staff.items()}


def forget_people(hub: Hub, conn: Connection, author_keys: Sequence[str], rows: Sequence[Sent]) -> bool:
    """Forget who was behind erased authors, where nobody else is: here and in the ledger's `rows`, of all their kin.

    Records that are there are for the people who work with them; what was never sent is not sent any more. False where a
    row is being sent just now: roll back.
    """
    gone = frozenset(hub.store.people.forget(conn, author_keys, now=hub.now())) if author_keys else frozenset[str]()
    theirs = [row for row in rows if row.provides.startswith("person:") and row.record_key in gone]
    there = {(row.destination, row.object, row.record_key) for row in theirs if row.was_sent}
    unsent = [row for row in theirs if (row.destination, row.object, row.record_key) not in there]
    waiting = [row.id for row in unsent if row.state in STOPPABLE]
    if not hub.store.erasures.stop(conn, waiting, values={"state": "superseded"}, now=hub.now()):
        return False
    open_ = [row for row in theirs if row.state in OPEN_STATES and row.id not in waiting]
    hub.store.erasures.blank_ledger(conn, [row for row in theirs if row not in open_])
    return True


def adopt(hub: Hub, author_key: str, person_key: str) -> int:
    """Let records that an author has already be the linked person's, where mappings write those by person; returns how many.

    Else the person's first record would stand beside the author's.
    """
    mappings = ((name, one.spec) for (name, _), one in hub.book.mappings.items())
    places = {(name, spec.object) for name, spec in mappings if spec.keyed_by == "person"}
    return hub.store.references.adopt(author_key, person_key, places)
