"""What is known before a batch is decided: a few short transactions that read, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from hub.core.decide.batch import Known, Sifted, barred
from hub.core.dedupe import KnownSignal
from hub.core.errors import ConfigError
from hub.core.ledger import Lane
from hub.core.model import Author, Signal
from hub.core.replies import Ours
from hub.core.signals import fortnight_before, month_before
from hub.core.threads import BatchThreads, Rivals, keys_of, thread_of
from hub.flow.decide.linked import find_linked
from hub.flow.intake.poll import has_own_ids
from hub.runtime import Hub
from hub.store import Connection, Store


def read_known(hub: Hub, signals: Sequence[Signal], authors: Sequence[Author]) -> Known:
    """Read what the database knows of the signals, their conversations and authors: one short transaction."""
    lanes = answering(hub)
    with hub.store.database.read() as conn:
        return known_in(hub, conn, signals, authors, lanes=lanes)


def known_in(
    hub: Hub, conn: Connection, signals: Sequence[Signal], authors: Sequence[Author], *, lanes: Mapping[str, list[str]]
) -> Known:
    """Read the same in the caller's transaction; `lanes` are those of `answering`, which may load plugins."""
    store, now = hub.store, hub.now()
    keys = list(dict.fromkeys(signal.key for signal in signals))
    reposted = [signal.quotes for signal in signals if signal.kind == "repost" and signal.quotes]
    people = list(dict.fromkeys(signal.author_key for signal in signals if signal.author_key))
    met = {author.key: author for author in authors}
    threads = read_threads(store, conn, signals)
    stones = store.signals.gone_since(conn, [*keys, *people, *met, *reposted])
    named = keys_of(threads, signals)
    sizes, opened = store.signals.sizes(conn, named), threads.fold(store.outbox.opened(conn, named))
    threads.live.update(sizes)
    stored = store.signals.known(conn, keys)
    private = private_sources(hub, signals, stored)
    return Known(
        pages=f"{hub.settings.public_url}/signals/",
        signals=stored,
        private=private,
        owned=_read_owned(store, conn, signals, private),
        tombstoned=read_barred(store, conn, signals, stones) if stones else frozenset(),
        threads=threads,
        sizes=sizes,
        opened=opened,
        tickets=threads.fold_flat(store.outbox.ticket_urls(conn, named)) if opened else {},
        values=store.conversations.known(conn, named),
        stats=store.signals.stats(conn, people, since=month_before(now), late=fortnight_before(now)),
        authors=store.signals.authors(conn, people) | met,
        met=authors,
        ours=_read_ours(store, conn, signals, lanes),
        linked=find_linked(hub, conn, people, met),
    )


def read_barred(
    store: Store, conn: Connection, signals: Iterable[Signal], stones: Mapping[str, datetime]
) -> frozenset[str]:
    """Return what must not come back, of these signals and of what is gone."""
    return barred(signals, stones, store.signals.authors(conn, list(stones)))


def private_sources(hub: Hub, signals: Sequence[Signal], stored: Mapping[str, KnownSignal]) -> frozenset[str]:
    """Return those of the sources at hand whose senders choose the ids."""
    names = {one.provenance.source for one in signals if one.provenance} | {one.source for one in stored.values()}
    return frozenset(name for name in names if has_own_ids(hub, name))


def _read_owned(store: Store, conn: Connection, signals: Sequence[Signal], private: frozenset[str]) -> frozenset[str]:
    """Read which authors are another source's, though a sender names them: only keys outside of its own realm can be."""
    said = {one.author_key: one.provenance.source for one in signals if one.author_key and one.provenance}
    own = {one.author_key for one in signals if one.provenance and one.realm == one.provenance.source}
    asked = {key: source for key, source in said.items() if source in private and key not in own}
    return store.signals.of_others(conn, asked) if asked else frozenset()


def read_rivals(hub: Hub, known: Known, sifted: Sifted) -> Known:
    """Read what joins of conversations need: tickets that were not sent yet, and the signals that asked for them."""
    store, now = hub.store, hub.now()
    joined = list(dict.fromkeys(key for move in sifted.threads.moves for key in move))
    destinations = list(dict.fromkeys(name for key in joined for name in known.opened.get(key, ())))
    openers = list(dict.fromkeys(opener for key in joined for opener in known.opened.get(key, {}).values()))
    if not openers:
        return known
    with store.database.read() as conn:
        pairs = [(key, name) for key in joined for name in destinations]
        unsent = {pair: key for pair in pairs if (key := store.threads.unsent(conn, *pair))}
        signals = store.threads.of(conn, openers)
        people = sorted({one.author_key for one in signals.values() if one.author_key} - known.authors.keys())
        authors = {**store.signals.authors(conn, people), **known.authors}
        stats = store.signals.stats(conn, people, since=month_before(now), late=fortnight_before(now))
        linked = known.linked.and_also(find_linked(hub, conn, people, authors))
    return replace(
        known, rivals=Rivals(unsent, signals), authors=authors, stats={**stats, **known.stats}, linked=linked
    )


def read_threads(store: Store, conn: Connection, signals: Sequence[Signal]) -> BatchThreads:
    """Read what is known of the conversations that these signals may belong to."""
    told = {alias: signal.key for signal in signals for alias in signal.aliases}
    parents = _unique(signal.parent_alias for signal in signals)
    # What a signal names as its conversation, or its parent, may be another name of a post too.
    roots = (name for one in signals for name in (one.in_reply_to, thread_of(one)) if name != one.key)
    names = store.threads.named(conn, _unique((*told, *parents, *roots)))
    # Of two posts that claim one alias the first keeps it: what a stranger sends later must not redirect a thread.
    fresh = {alias: key for alias, key in told.items() if alias not in names}
    names |= fresh
    own = (key for one in signals for key in (one.key, one.in_reply_to, thread_of(one)))
    wanted = _unique((*names.values(), *own))
    known = store.signals.conversations(conn, wanted)
    threads = _unique((*known.values(), *wanted, *told, *parents))
    return BatchThreads(known, store.threads.joined(conn, threads), names, set(), [], fresh)


def _read_ours(store: Store, conn: Connection, signals: Sequence[Signal], lanes: Mapping[str, list[str]]) -> Ours:
    """Read what of these signals may be our own posts; asks only for networks that the hub answers on."""
    posted = dict[str, frozenset[str]]()
    ours = [signal for signal in signals if signal.network in lanes]
    for network in dict.fromkeys(signal.network for signal in ours):
        ids = [signal.native_id for signal in ours if signal.network == network]
        posted[network] = store.conversations.our_posts(conn, lanes[network], ids)
    asked = [lane for network in posted for lane in lanes[network]]
    flying = store.conversations.in_flight(conn, asked) if asked else []
    answered = [str(one.get("signal")) for one in flying]
    return Ours(posted, flying, store.threads.of(conn, answered) if answered else {})


def answering(hub: Hub) -> dict[str, list[str]]:
    """Return the lanes of replies by network, of those sources that answer."""
    found: dict[str, list[str]] = {}
    for name, section in hub.settings.sources.items():
        if section.enabled and section.reply != "off":
            try:
                source = hub.source(name)
            except ConfigError:  # told when the source is used
                continue
            if source.reply_rules is not None:
                found.setdefault(source.network, []).append(str(Lane("reply", name)))
    return found


def _unique(keys: Iterable[str | None]) -> list[str]:
    return list(dict.fromkeys(key for key in keys if key))
