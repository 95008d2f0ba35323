"""How people and accounts stand, over all authors behind them; it grows while the signals of a batch are decided."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple, TypeVar

import msgspec

from hub.core.exchange.answer import is_private
from hub.core.model import GONE, Author, Label, Signal
from hub.runtime import Hub
from hub.store import Connection
from hub.store.signals import Stats, fortnight_before, month_before

SPOKEN_WITHIN = timedelta(days=30)
MOST_THREADS = 20
CLOSED = "closed"
V = TypeVar("V")


class Last(NamedTuple):
    """Where and when somebody spoke last: never what was said."""

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
    last: Last | None = None
    mood: Mood | None = None
    open_conversation: str | None = None

    def hear(self, signal: Signal, labels: Sequence[Label], *, is_new: bool, late: bool) -> None:
        """Count a signal in. A private one is never the last word, since records of others' rules would link to it."""
        label = _sentiment(labels)
        if is_new:
            self.stats = self.stats.plus(label.score if label else None, late=late)
        if signal.state in GONE:
            return
        at = signal.published_at
        if label and (self.mood is None or at >= self.mood.at):
            self.mood = Mood(at, label.value)
        if not is_private(signal) and (self.last is None or at >= self.last.at):
            self.last = Last(at, signal.url, signal.network)

    def facts(self) -> dict[str, Any]:
        """As rules and mappings read it; what is not known is left out."""
        known = {
            "signals_30d": self.stats.signals,
            "sentiment_now": self.mood and self.mood.value,
            "sentiment_mean_30d": self.stats.mean,
            "sentiment_trend_30d": self.stats.trend,
            "followers": self.followers,
            "last_url": self.last and self.last.url,
            "last_network": self.last and self.last.network,
            "last_at": msgspec.to_builtins(self.last.at) if self.last else None,
            "open_conversation": self.open_conversation,
        }
        return {name: value for name, value in known.items() if value is not None}


def find_standings(
    hub: Hub, conn: Connection, groups: Mapping[str, Sequence[str]], met: Mapping[str, Author]
) -> dict[str, Standing]:
    """How each group of authors stands by what is stored; `met` are the newest faces of authors. The same few queries for all."""
    if not groups:
        return {}
    authors, now = _unique(groups.values()), hub.now()
    stats = hub.store.signals.stats(conn, authors, since=month_before(now), late=fortnight_before(now))
    faces = {**hub.store.signals.authors(conn, authors), **met}
    newest = hub.store.people.newest(conn, authors)
    labels = hub.store.signals.labels_of(conn, [one.key for said in newest.values() for one in said])
    tickets = find_open(hub, conn, groups, hub.store.outbox.ticket_urls)
    found: dict[str, Standing] = {}
    for key, mine in groups.items():
        _, url = tickets.get(key, (None, None))
        standing = Standing(open_conversation=url, followers=_followers(mine, faces))
        for signal in sorted(_said(mine, newest), key=lambda one: one.published_at):
            standing.hear(signal, labels.get(signal.key, ()), is_new=False, late=False)
        standing.stats = _sum(stats.get(author, Stats()) for author in mine)
        found[key] = standing
    return found


def _unique(groups: Iterable[Sequence[str]]) -> list[str]:
    return list(dict.fromkeys(author for mine in groups for author in mine))


def _said(authors: Sequence[str], newest: Mapping[str, Sequence[Signal]]) -> list[Signal]:
    return [signal for author in authors for signal in newest.get(author, ())]


def _followers(authors: Sequence[str], faces: Mapping[str, Author]) -> int | None:
    """The sum over accounts that tell it; who follows two of them counts twice."""
    known = [face.followers for author in authors if (face := faces.get(author)) and face.followers is not None]
    return sum(known) if known else None


def _sum(stats: Iterable[Stats]) -> Stats:
    return Stats(*(sum(column) for column in zip(*stats, strict=True)))


def _sentiment(labels: Sequence[Label]) -> Label | None:
    """A person's before a model's."""
    found = [label for label in labels if label.name == "sentiment"]
    return next((label for label in found if label.by == "person"), found[-1] if found else None)


def find_open(
    hub: Hub,
    conn: Connection,
    groups: Mapping[str, Sequence[str]],
    look_up: Callable[[Connection, Sequence[str]], Mapping[str, V]],
) -> dict[str, tuple[str, V]]:
    """The newest open conversation of each group of authors that `look_up` knows a ticket of, with what it knows."""
    spoken = hub.store.people.threads(conn, _unique(groups.values()), since=hub.now() - SPOKEN_WITHIN)
    recent = {key: _newest(one for author in mine for one in spoken.get(author, ())) for key, mine in groups.items()}
    threads = _unique(recent.values())
    tickets, states = look_up(conn, threads), hub.store.conversations.known(conn, threads)
    found: dict[str, tuple[str, V]] = {}
    for key, mine in recent.items():
        open_ = (one for one in mine if one in tickets and states.get(one, {}).get("state") != CLOSED)
        if thread := next(open_, None):
            found[key] = (thread, tickets[thread])
    return found


def _newest(recent: Iterable[Any]) -> list[str]:
    ordered = sorted(recent, key=lambda one: one.at, reverse=True)
    return list(dict.fromkeys(one.thread for one in ordered))[:MOST_THREADS]
