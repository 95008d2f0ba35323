"""People and accounts behind authors: how they stand over all their authors, and which open conversation they may go on with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple, TypeVar

import msgspec

from hub.core.model import GONE, Author, Label, Person, Signal
from hub.core.signals import Stats, fortnight_before, is_private

SPOKEN_WITHIN = timedelta(days=30)
MOST_THREADS = 20
CLOSED = "closed"
V = TypeVar("V")


class Recent(NamedTuple):
    """A conversation that an author spoke in, with the time of the last word."""

    thread: str
    at: datetime


class LastWord(NamedTuple):
    """Time and place of an author's last word: never what was said."""

    at: datetime
    url: str | None
    network: str


class Mood(NamedTuple):
    """The sentiment of the last signal that has one."""

    at: datetime
    value: str


@dataclass
class Standing:
    """One person or account: counts of 30 days, followers (summed), the last public word, and an open ticket."""

    stats: Stats = field(default_factory=Stats)
    followers: int | None = None
    last: LastWord | None = None
    mood: Mood | None = None
    open_conversation: str | None = None

    def hear(self, signal: Signal, labels: Sequence[Label], *, is_new: bool, late: bool) -> None:
        """Count a signal in. A private one is never the last word, since records of others' rules would link to it."""
        label = sentiment_of(labels)
        if is_new:
            self.stats = self.stats.plus(label.score if label else None, late=late)
        if signal.state in GONE:
            return
        at = signal.published_at
        if label and (self.mood is None or at >= self.mood.at):
            self.mood = Mood(at, label.value)
        if not is_private(signal) and (self.last is None or at >= self.last.at):
            self.last = LastWord(at, signal.url, signal.network)

    def facts(self) -> dict[str, Any]:
        """Return what rules and mappings read; what is not known is left out."""
        known = {
            "signals_30d": self.stats.signals,
            "sentiment_now": self.mood and self.mood.value,
            "sentiment_mean_30d": self.stats.mean,
            "sentiment_trend_30d": self.stats.trend,
            "followers": self.followers,
            "last_url": self.last and self.last.url,
            "last_network": self.last and self.last.network,
            "last_at": self.last and msgspec.to_builtins(self.last.at),
            "open_conversation": self.open_conversation,
        }
        return {name: value for name, value in known.items() if value is not None}


class Home(NamedTuple):
    """A person's open conversation, and the destinations that have its ticket."""

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

    def copy(self) -> Linked:
        """Return a copy whose standings grow by themselves."""
        return replace(self, standings={key: replace(one) for key, one in self.standings.items()})

    def hear(self, signal: Signal, labels: Sequence[Label], *, is_new: bool, now: datetime) -> None:
        """Count a signal that is decided now into how its author's person and account stand."""
        person = self.people.get(signal.author_key or "")
        if person is None:
            return
        late = signal.published_at >= fortnight_before(now)
        for key in (person.key, person.account_key):
            if standing := self.standings.get(key or ""):
                standing.hear(signal, labels, is_new=is_new, late=late)

    def facts(self, author_key: str) -> dict[str, Any] | None:
        """Return what rules and mappings read of the person behind an author, None if no person is known."""
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
        """Return what they read of the account of that person, None if no account is known."""
        person = self.people.get(author_key)
        if person is None or person.account_key is None:
            return None
        name = person.company or person.company_domain
        known = {"key": person.account_key, "name": name, "domain": person.company_domain}
        return {**known, **self._standing(person.account_key)}

    def and_also(self, more: Linked) -> Linked:
        """Return both together; what is known here already stays."""
        return Linked(
            {**more.people, **self.people}, {**more.homes, **self.homes}, {**more.standings, **self.standings}
        )

    def home(self, author_key: str, thread: str) -> Home | None:
        """Return the conversation elsewhere that a signal of this author may join, None if there is none."""
        person = self.people.get(author_key)
        found = self.homes.get(person.key) if person else None
        return found if found and found.key != thread else None

    def _standing(self, key: str) -> dict[str, Any]:
        standing = self.standings.get(key)
        return standing.facts() if standing else {}


def sentiment_of(labels: Sequence[Label]) -> Label | None:
    """Return the label that says how a signal feels: a person's before a model's, the later before the earlier."""
    found = [label for label in labels if label.name == "sentiment"]
    return next((label for label in found if label.by == "person"), found[-1] if found else None)


def last_words(authors: Sequence[str], newest: Mapping[str, Sequence[Signal]]) -> list[Signal]:
    """Return the newest signals of a group of authors, the oldest first."""
    said = (signal for author in authors for signal in newest.get(author, ()))
    return sorted(said, key=lambda one: one.published_at)


def followers_of(authors: Sequence[str], faces: Mapping[str, Author]) -> int | None:
    """Return the sum over accounts that tell it; who follows two of them counts twice. None if none tells it."""
    known = [face.followers for author in authors if (face := faces.get(author)) and face.followers is not None]
    return sum(known) if known else None


def threads_of(authors: Sequence[str], spoken: Mapping[str, Sequence[Recent]]) -> list[str]:
    """Return the conversations that a group of authors spoke in last, the newest first."""
    recent = (one for author in authors for one in spoken.get(author, ()))
    ordered = sorted(recent, key=lambda one: one.at, reverse=True)
    return list(dict.fromkeys(one.thread for one in ordered))[:MOST_THREADS]


def newest_open(
    threads: Iterable[str], tickets: Mapping[str, V], values: Mapping[str, Mapping[str, Any]]
) -> tuple[str, V] | None:
    """Return the first conversation that has a ticket and is not closed, with its ticket; None if there is none.

    `values` holds the state that people gave conversations.
    """
    open_ = (one for one in threads if one in tickets and values.get(one, {}).get("state") != CLOSED)
    return next(((one, tickets[one]) for one in open_), None)
