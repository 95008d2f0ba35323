"""The feed source: each feed asked when it is due, new and changed entries given once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from msgspec import structs

from hub import (
    Compliance,
    ConnectorError,
    Context,
    HttpResponse,
    Page,
    PartlyRefused,
    PollingSource,
    RateLimited,
    RawItem,
    Rejected,
    Translated,
    Unavailable,
)
from hub.core.grammar.words import counted
from hub.core.keys import digest
from hub.sdk.http.errors import error_for
from hub.sdk.http.redaction import Redactor, address_secrets
from plugins.rss.client import Document, Fetched, canonical, fetch, read
from plugins.rss.config import RssOptions
from plugins.rss.translate import NETWORK, content_of, decode, native_id_of, published_of, translate

PAGE_SIZE = 500
_LONGEST_PAUSE = timedelta(days=1)
_LONGEST_BACKOFF = timedelta(hours=6)
_MOVED_FOR = timedelta(days=1)
_MAX_AGE = re.compile(r"(?:^|[,\s])max-age\s*=\s*\"?([0-9]{1,9})")


class Memory(msgspec.Struct, omit_defaults=True):
    """What the cursor keeps of a feed. `seen` maps an entry to `[digest of its content, minute when it was last given]`.

    `url` is where the feed has moved to, `until` (ISO) when its old address is tried again, "" never; `gone` that it
    answered 410; `next` (ISO) when it is due; `error` why its last fetch failed. `owners` maps an entry's own id to the link of
    the entry that bears it, and whether others have borne it too.
    """

    etag: str = ""
    modified: str = ""
    url: str = ""
    until: str = ""
    next: str = ""
    ttl: float = 0.0
    fails: int = 0
    gone: bool = False
    error: str = ""
    owners: dict[str, tuple[str, bool]] | None = None
    seen: dict[str, tuple[str, int]] | None = None

    def address(self, feed: str, now: datetime) -> str:
        """Return the address to ask."""
        return self.url if self.url and (not self.until or _iso(now) < self.until) else feed

    def conditions(self) -> dict[str, str]:
        """Return the headers that ask for a document newer than the one that was read."""
        found = {"If-None-Match": self.etag, "If-Modified-Since": self.modified}
        return {name: value for name, value in found.items() if value}


class Owners:
    """Which entry an id belongs to, where several bear it at one fetch and one at the next: each keeps its name for good."""

    def __init__(self, known: dict[str, tuple[str, bool]] | None) -> None:
        self._known = known or {}
        self.found: dict[str, tuple[str, bool]] = {}

    def named(self, document: dict[str, Any]) -> dict[str, Any]:
        """Return an entry's document with `id_reused` as all fetches together say.

        The first to bear an id keeps it; where several came at once none does, and later ones are told apart by their links.
        """
        entry = document["entry"]
        if not entry.get("id"):
            return document
        mark, link, shared = digest(str(entry["id"]))[:12], digest(str(entry.get("link")))[:8], "id_reused" in document
        owner, was_shared = self._known.get(mark, ("" if shared else link, shared))
        shared = shared or was_shared
        owner = owner if shared else link  # an address may change while the id is its own
        self.found[mark] = (owner, shared)
        rest = {name: value for name, value in document.items() if name != "id_reused"}
        return rest | ({"id_reused": True} if shared and owner != link else {})


@dataclass(frozen=True, slots=True)
class Item:
    """A payload with what tells it from others."""

    payload: bytes
    native_id: str
    content: str
    published: datetime | None

    @classmethod
    def of(cls, payload: bytes, owners: Owners) -> Item:
        """Read the payload that the client made, named as in earlier fetches."""
        document = owners.named(decode(payload))
        content = digest(content_of(document))[:10]
        return cls(canonical(document), native_id_of(document), content, published_of(document))

    @property
    def mark(self) -> str:
        """A short name for the memory."""
        return digest(self.native_id)[:12]


HIDDEN = "secret:"


class RssSource(PollingSource[RssOptions]):
    """Reads feeds. The realm of all that a feed says is its address as configured, even after it has moved.

    The cursor maps each address to its `Memory`.
    """

    name = "rss"
    network = NETWORK
    Options = RssOptions
    interval = timedelta(seconds=60)
    egress_hosts = ("*",)
    whole_documents = True
    compliance = Compliance(
        delete_within=timedelta(days=7),
        terms="Feeds are published for readers; keep to the site's copyright. A feed does not announce deletions.",
    )

    def check(self, ctx: Context) -> str:
        """Ask for every feed once; raises where one does not answer with a feed."""
        entries = 0
        for feed in self.options.feeds:
            response = fetch(ctx, feed, timeout=self.options.timeout).response
            if error := error_for(response, ctx.now()):
                raise error
            document = read(response.content, response.headers)
            if not document.is_readable:
                raise Rejected(f"{self._shown(feed)} is no feed", code="no_feed")
            entries += len(document.payloads)
        return f"{counted(len(self.options.feeds), 'feed')} with {counted(entries, 'entry')}"

    def unpack(self, document: bytes, realm: str = "") -> Iterator[bytes]:
        """Return the entries of a feed document, newest first as feeds have them."""
        yield from read(document).payloads

    def identify(self, payload: bytes) -> tuple[str, str]:
        """Return the entry's native id; feeds have no revisions."""
        return native_id_of(decode(payload)), ""

    def translate(self, raw: RawItem) -> Translated:
        """See `plugins.rss.translate`."""
        return translate(raw)

    def pull(self, ctx: Context, cursor: Any) -> Iterable[Page]:
        """Return the new and changed entries of the feeds that are due.

        A feed that fails is asked ever more seldom and stops no other; PartlyRefused tells of it at the end. Where all fail
        the first one's error is raised.
        """
        known = cursor if isinstance(cursor, dict) else {}
        addresses = {self._shown(feed): feed for feed in self.options.feeds}
        memories = {feed: _remember(known.get(feed)) for feed in addresses}
        # A visit further away than any pause was planned by a clock that ran ahead.
        now, never = _iso(ctx.now()), _iso(ctx.now() + 2 * max(_LONGEST_PAUSE, self._pause))
        due = [feed for feed, memory in memories.items() if not memory.gone and not now < memory.next < never]
        errors: list[ConnectorError] = []
        for feed in due:
            memory = structs.replace(memories[feed])
            try:
                items = self._visit(ctx, addresses[feed], memory)
            except ConnectorError as error:
                if self.options.is_secret(addresses[feed]):
                    Redactor(address_secrets(addresses[feed])).redact_error(error)
                ctx.log.warning("feed %s: %s", feed, error)
                memories[feed] = _backed_off(memories[feed], error, ctx.now(), self._pause)
                errors.append(error)
                continue
            raws = [self._raw(ctx, feed, item) for item in items]
            *early, last = _batches(raws)
            yield from (Page(batch, _cursor(memories)) for batch in early)
            memories[feed] = memory
            if last:
                yield Page(last, _cursor(memories))
        if due:
            yield Page((), _cursor(memories))
        failing = {feed: memory.error for feed, memory in memories.items() if memory.fails}
        if errors and len(failing) == len(memories):
            raise errors[0]
        if failing:
            told = "; ".join(f"{feed}: {error}" for feed, error in failing.items())
            raise PartlyRefused(f"{len(failing)} of {len(memories)} feeds fail: {told}", code="feeds")

    def _shown(self, feed: str) -> str:
        """Return what stands for a feed's address in cursors, keys and messages: a digest for one that is a secret."""
        return f"{HIDDEN}{digest(feed)[:16]}" if self.options.is_secret(feed) else feed

    @property
    def _pause(self) -> timedelta:
        return timedelta(minutes=self.options.pause_minutes)

    def _raw(self, ctx: Context, feed: str, item: Item) -> RawItem:
        return RawItem(ctx.connection, self.name, item.payload, ctx.now(), item.native_id, realm=feed)

    def _visit(self, ctx: Context, feed: str, memory: Memory) -> list[Item]:
        """Ask for the feed, bring `memory` up to date, and give what is worth giving. Raises ConnectorErrors."""
        now = ctx.now()
        address, conditions = memory.address(feed, now), memory.conditions()
        feed = self._shown(feed)
        fetched = fetch(ctx, address, conditions=conditions, timeout=self.options.timeout)
        response = fetched.response
        if response.status == 410 and not memory.until:
            ctx.log.warning("feed %s is gone for good (410) and is not asked any more", feed)
            memory.gone = True
            return []
        if error := error_for(response, now):
            raise error
        document = _document(response)
        memory.ttl = document.ttl or memory.ttl
        memory.next = _iso(now + _pause(response, memory, self._pause))
        if response.status == 304:
            memory.fails, memory.error = 0, ""
            return []
        if not document.is_readable:
            raise Unavailable(f"the answer (HTTP {response.status}) is no feed", code="no_feed")
        memory.fails, memory.error = 0, ""
        if not feed.startswith(HIDDEN):  # where a secret address leads to may hold the secret too
            _note_move(ctx, feed, memory, fetched)
        memory.etag = response.headers.get("etag", "")
        memory.modified = response.headers.get("last-modified", "")
        return self._choose(memory, document, now)

    def _choose(self, memory: Memory, document: Document, now: datetime) -> list[Item]:
        """Return new entries, and changed ones unless they were given less than a pause ago; oldest first.

        A feed that writes an advertisement into every summary would else give each entry at each fetch.
        """
        first, old, minute = memory.seen is None, memory.seen or {}, int(now.timestamp() // 60)
        chosen: list[Item] = []
        seen: dict[str, tuple[str, int]] = {}
        owners = Owners(memory.owners)
        for item in [Item.of(payload, owners) for payload in document.payloads]:
            before = old.get(item.mark)
            if item.mark in seen:
                continue
            if before is None or self._is_update(item, before, minute):
                chosen.append(item)
                before = (item.content, minute)
            seen[item.mark] = before
        memory.seen, memory.owners = seen, owners.found
        chosen = self._recent(chosen, now) if first else chosen
        chosen.reverse()  # feeds stand newest first: so entries of one moment keep their order
        return sorted(chosen, key=lambda item: item.published or now)

    def _is_update(self, item: Item, before: tuple[str, int], minute: int) -> bool:
        changed = self.options.updates and item.content != before[0]
        return changed and minute - before[1] >= self.options.update_pause_minutes

    def _recent(self, items: list[Item], now: datetime) -> list[Item]:
        """Return what of a first fetch is inside the back-fill window; an entry without a date may be new."""
        oldest = now - timedelta(days=self.options.backfill_days)
        inside = [item for item in items if (item.published or now) >= oldest]
        inside.sort(key=lambda item: item.published or now, reverse=True)
        kept = {item.mark for item in inside[: self.options.backfill_items]}
        return [item for item in items if item.mark in kept]


def _document(response: HttpResponse) -> Document:
    return read(response.content, response.headers) if response.content else Document()


def _note_move(ctx: Context, feed: str, memory: Memory, fetched: Fetched) -> None:
    """Remember a new address: for good after 301 or 308, for a day where the kind of the redirect is not known."""
    if fetched.moved is None or fetched.moved == memory.url:
        return
    ctx.log.warning(
        "feed %s has moved to %s%s", feed, fetched.moved, "" if fetched.for_good else ", perhaps for a while"
    )
    memory.url = fetched.moved
    memory.until = "" if fetched.for_good else _iso(ctx.now() + _MOVED_FOR)


def _pause(response: HttpResponse, memory: Memory, shortest: timedelta) -> timedelta:
    """Return what the feed (`ttl`, minutes) and the answer (`Cache-Control: max-age`) ask for, between our pause and a day."""
    found = _MAX_AGE.search(response.headers.get("cache-control", "").lower())
    asked = max(timedelta(minutes=memory.ttl), timedelta(seconds=int(found[1]) if found else 0))
    return max(shortest, min(asked, _LONGEST_PAUSE))


def _backed_off(memory: Memory, error: ConnectorError, now: datetime, pause: timedelta) -> Memory:
    """Wait twice as long with each failure, or as `Retry-After` says; a stored address that fails is forgotten."""
    wait = min(pause * 2 ** min(memory.fails, 10), max(_LONGEST_BACKOFF, pause))
    asked = getattr(error, "retry_after", None) or 0.0
    wait = max(wait, min(timedelta(seconds=asked), _LONGEST_PAUSE))
    url = memory.url if isinstance(error, RateLimited) else ""
    return structs.replace(
        memory,
        next=_iso(now + wait),
        fails=memory.fails + 1,
        error=str(error)[:200],
        url=url,
        until=memory.until if url else "",
    )


def _batches(raws: list[RawItem]) -> list[tuple[RawItem, ...]]:
    """Cut into batches: at least one, which may be empty."""
    return [tuple(raws[start : start + PAGE_SIZE]) for start in range(0, max(len(raws), 1), PAGE_SIZE)]


def _cursor(memories: dict[str, Memory]) -> dict[str, Any]:
    return {feed: msgspec.to_builtins(memory) for feed, memory in memories.items()}


def _remember(value: object) -> Memory:
    """Return a feed's memory; a cursor that cannot be read begins again."""
    try:
        return msgspec.convert(value or {}, Memory)
    except msgspec.ValidationError:
        return Memory()


def _iso(at: datetime) -> str:
    """Write a time in UTC to the second, so that such strings sort as their times do."""
    return at.astimezone(UTC).isoformat(timespec="seconds")
