"""The people behind the authors of a batch, their standings, and which open conversation of theirs a rule may join."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from hub.core.model import Author, Person
from hub.core.persons import (
    SPOKEN_WITHIN,
    Home,
    Linked,
    Standing,
    followers_of,
    last_words,
    newest_open,
    threads_of,
)
from hub.core.pipeline import standings_read
from hub.core.signals import Stats, fortnight_before, month_before, together
from hub.runtime import Hub
from hub.store import Connection

V = TypeVar("V")


def find_linked(hub: Hub, conn: Connection, author_keys: Sequence[str], met: Mapping[str, Author]) -> Linked:
    """Read the people behind these authors (`met` are their newest faces); conversations and standings only if a rule asks."""
    people = hub.store.people.behind(conn, author_keys)
    if not people:
        return Linked()
    asked, is_joined = standings_read(hub.book), any(rule.join for rule in hub.book.rules.rules)
    keys = list(dict.fromkeys(one.key for one in people.values())) if is_joined or "person" in asked else []
    families = hub.store.people.families(conn, keys) if keys else {}
    opened = _find_open(hub, conn, families, hub.store.outbox.opened) if is_joined else {}
    homes = {key: Home(thread, frozenset(tickets)) for key, (thread, tickets) in opened.items()}
    groups = families if "person" in asked else {}
    groups = groups | _staff(hub, conn, people.values()) if "account" in asked else groups
    return Linked(people, homes, _find_standings(hub, conn, groups, met))


def _staff(hub: Hub, conn: Connection, people: Iterable[Person]) -> dict[str, list[str]]:
    """Read the authors linked to the people of each account."""
    accounts = list(dict.fromkeys(one.account_key for one in people if one.account_key))
    staff = hub.store.people.of_accounts(conn, accounts)
    families = hub.store.people.families(conn, [key for keys in staff.values() for key in keys])
    return {account: [author for key in keys for author in families[key]] for account, keys in staff.items()}


def _find_standings(
    hub: Hub, conn: Connection, groups: Mapping[str, Sequence[str]], met: Mapping[str, Author]
) -> dict[str, Standing]:
    """Read the standing of each group of authors; `met` are the newest faces of authors. The same few queries for all."""
    if not groups:
        return {}
    authors, now = _unique(groups.values()), hub.now()
    stats = hub.store.signals.stats(conn, authors, since=month_before(now), late=fortnight_before(now))
    faces = {**hub.store.signals.authors(conn, authors), **met}
    newest = hub.store.people.newest(conn, authors)
    labels = hub.store.signals.labels_of(conn, [one.key for said in newest.values() for one in said])
    tickets = _find_open(hub, conn, groups, hub.store.outbox.ticket_urls)
    found: dict[str, Standing] = {}
    for key, mine in groups.items():
        _, url = tickets.get(key, (None, None))
        standing = Standing(open_conversation=url, followers=followers_of(mine, faces))
        for signal in last_words(mine, newest):
            standing.hear(signal, labels.get(signal.key, ()), is_new=False, late=False)
        standing.stats = together(stats.get(author, Stats()) for author in mine)
        found[key] = standing
    return found


def _find_open(
    hub: Hub,
    conn: Connection,
    groups: Mapping[str, Sequence[str]],
    look_up: Callable[[Connection, Sequence[str]], Mapping[str, V]],
) -> dict[str, tuple[str, V]]:
    """Read the newest open conversation of each group of authors that `look_up` knows a ticket of, with what it knows."""
    spoken = hub.store.people.threads(conn, _unique(groups.values()), since=hub.now() - SPOKEN_WITHIN)
    recent = {key: threads_of(mine, spoken) for key, mine in groups.items()}
    threads = _unique(recent.values())
    tickets, values = look_up(conn, threads), hub.store.conversations.known(conn, threads)
    found = {key: newest_open(mine, tickets, values) for key, mine in recent.items()}
    return {key: one for key, one in found.items() if one is not None}


def _unique(groups: Iterable[Sequence[str]]) -> list[str]:
    return list(dict.fromkeys(one for mine in groups for one in mine))
