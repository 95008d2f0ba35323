"""Items come in: polls, and documents from files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from msgspec.structs import replace

from hub.config.failpoint import reached
from hub.config.logs import LateLogger
from hub.core.errors import (
    ConfigError,
    ConnectorError,
    HubError,
    PartlyRefused,
    QuotaExhausted,
    TranslationError,
    Unauthorised,
    UnknownPlugin,
)
from hub.core.model import RawItem
from hub.core.retry import asked_for, parked_until
from hub.flow.bugs import tell
from hub.flow.calls import calling
from hub.flow.lease import kept
from hub.runtime import Hub
from hub.sdk.connectors import Destination, Page, PollingSource, Source, StreamingSource
from hub.store.cursors import Cursors
from hub.store.database import Also

log = LateLogger(__name__)
SHORTEST, LONGEST = timedelta(seconds=5), timedelta(hours=1)
FIRST_AFTER_BUG = timedelta(minutes=1)
PAGE = 500
T = TypeVar("T")


def realm_of(source: Source[Any], name: str, given: str | None = None) -> str:
    """Return the realm of what a connection brings: the one given, its option's, or its name if its ids are its sender's own."""
    realm = getattr(source.options, "realm", None) if given is None else given
    return realm if isinstance(realm, str) else (name if source.own_ids else "")


def has_own_ids(hub: Hub, name: str) -> bool:
    """Return True if a source is configured whose senders choose the ids; one of files reads for another plugin."""
    section = hub.settings.sources.get(name)
    if section is None:
        return False
    try:
        return hub.registry.source(str(section.options.get("as_plugin", section.plugin))).own_ids
    except UnknownPlugin:
        return False


def polling_sources(hub: Hub) -> list[str]:
    """Return the enabled sources that are polled."""
    return [name for name in hub.settings.sources if isinstance(usable_source(hub, name), PollingSource)]


def streaming_sources(hub: Hub) -> list[str]:
    """Return the enabled sources that are listened to."""
    return [name for name in hub.settings.sources if isinstance(usable_source(hub, name), StreamingSource)]


def usable_source(hub: Hub, name: str) -> Source[Any] | None:
    """Return an enabled source; None if it is off or cannot be had: told once, the others run on."""
    return usable(hub, f"sources.{name}", hub.source) if hub.settings.sources[name].enabled else None


def usable_destination(hub: Hub, name: str) -> Destination[Any] | None:
    """Return an enabled destination; None if it is off or cannot be had: told once, the others run on."""
    return usable(hub, f"destinations.{name}", hub.destination) if hub.settings.destinations[name].enabled else None


def usable(hub: Hub, place: str, find: Callable[[str], T]) -> T | None:
    """Return a connection by its place (`sources.NAME`), None if it cannot be had now: told once, and tried again in a while."""
    if place in hub.broken:
        return None
    try:
        found = find(place.partition(".")[2])
    except ConfigError as error:
        _tell_broken(hub, place, str(error))
        return None
    except BaseException as error:  # noqa: BLE001 - told; whatever a plugin does, everything else runs on
        bug = tell(hub, place.partition(".")[2], error, event="a connection is quarantined: `hub check` says more")
        hub.broken.put(place, str(bug))
        return None
    if hub.broken.heal(place):
        log.info("a connection can be had again", connection=place)
    return found


def _tell_broken(hub: Hub, place: str, why: str) -> None:
    if hub.broken.put(place, why):
        log.error("a connection is quarantined: `hub check` says more", connection=place, error=why)


def polled_source(hub: Hub, name: str) -> PollingSource[Any]:
    """Return a source that is polled. Raises UnknownPlugin, or ConnectorError if it is another kind of source."""
    source = hub.source(name)
    if not isinstance(source, PollingSource):
        raise ConnectorError(f"the source '{name}' is not polled: it calls us, or it is listened to")
    return source


def poll(hub: Hub, name: str, *, early: bool = False) -> int | None:
    """Ask a source for what is new, page by page; None if it is not due or another worker polls it.

    Each page and its cursor are committed together, so a kill between two pages loses nothing and repeats nothing.
    """
    source = polled_source(hub, name)
    leased = hub.store.cursors.claim(name, now=hub.now(), early=early)
    if leased is None:
        return None
    token, cursor = leased
    due_at, error, taken = hub.now() + interval_of(hub, name), None, 0
    try:
        with held(hub, name, token), calling(hub, f"sources.{name}") as came_back:
            for page in source.pull(hub.source_context(name), cursor):
                taken += take(hub, name, page, token)
                came_back()
    except HubError as failure:  # the network's trouble, or the database's
        if isinstance(failure, ConnectorError):
            hub.redact(name, failure)
        if isinstance(failure, Unauthorised):
            hub.doubt("sources", name)
        error = f"{type(failure).__name__}: {failure}"
        said = failure.in_our_words() if isinstance(failure, ConnectorError) else error
        if isinstance(failure, PartlyRefused):  # shown, while the others keep their pace; the source has logged it
            log.info("a part of a poll was refused", source=name, error=said)
        else:
            due_at = next_try(hub, name, failure)
            log.warning("a poll failed", source=name, error=said)
    except BaseException as failure:  # noqa: BLE001 - told, and tried again later
        due_at, error = after_bug(hub, name), f"bug: {tell(hub, name, failure, event='a plugin failed to poll')}"
    hub.store.cursors.release(name, token, due_at=due_at, now=hub.now(), error=error)
    return taken


def held(hub: Hub, name: str, token: str) -> AbstractContextManager[None]:
    """Keep a source's cursor while its holder polls or listens."""
    return kept(_Held(hub.store.cursors, name), token, hub.now)


class _Held:
    """A cursor's lease, renewable like a row's."""

    def __init__(self, cursors: Cursors, source: str) -> None:
        self.cursors = cursors
        self.source = source

    def renew(self, token: str, *, now: datetime) -> None:
        """Push the end of the lease out."""
        self.cursors.renew(self.source, token, now=now)


def take(hub: Hub, name: str, page: Page, token: str) -> int:
    """Store a page and its cursor in one transaction, then ring; return how many items were new.

    Raises LeaseLost if another worker polls the source by now.
    """
    with hub.store.database.write() as conn:
        hub.store.cursors.advance(conn, name, token, page.cursor, now=hub.now())
        reached("intake.cursor")
        taken = hub.store.inbox.add([_placed(hub, item) for item in page.items], conn=conn)
        reached("intake.recorded")
    reached("intake.taken")
    if taken:
        hub.bell.ring("process")
    return taken


def _placed(hub: Hub, item: RawItem) -> RawItem:
    """Return an item with its source as realm, if it has none and its ids are its sender's own."""
    if item.realm or not has_own_ids(hub, item.source):
        return item
    return replace(item, realm=item.source)


def import_document(hub: Hub, file: Path, source_name: str, *, also: Also | None = None) -> Iterator[int]:
    """Take a document's items in as if the source had given them; yields how many were new, page by page.

    `also` is called in the transaction of the first page.
    """
    reader, realm = _reader(hub, source_name)
    items = read_document(reader, file.read_bytes(), source_name=source_name, now=hub.now(), realm=realm)
    while part := list(islice(items, PAGE)):
        with hub.store.database.write() as conn:
            taken = hub.store.inbox.add(part, conn=conn)
            if also is not None:
                also(conn)
        also = None
        hub.bell.ring("process")
        yield taken


def _reader(hub: Hub, name: str) -> tuple[Source[Any], str]:
    """Return the source that reads what a source gives, with the realm of its items: one of files reads for another plugin."""
    source = hub.source(name)
    if "as_plugin" not in source.capabilities:
        return source, realm_of(source, name) if source.own_ids else source.item_realm
    reader = hub.reader(source.options.as_plugin, name)
    return reader, realm_of(reader, name, source.options.realm or None)


def read_document(
    source: Source[Any], document: bytes, *, source_name: str, now: datetime, realm: str = ""
) -> Iterator[RawItem]:
    """Yield a document's payloads as raw items of a source."""
    for payload in source.unpack(document, realm):
        yield raw_item(source, payload, source_name=source_name, now=now, realm=realm)


def raw_item(source: Source[Any], payload: bytes, *, source_name: str, now: datetime, realm: str = "") -> RawItem:
    """Return a payload as a raw item; its digest serves if the plugin cannot name it."""
    try:
        external_id, revision = source.identify(payload)
    except TranslationError:
        # One broken item must not end the document: it is kept, and `translate` says what is wrong with it.
        external_id, revision = "", ""
    return RawItem(
        source=source_name,
        plugin=source.name,
        payload=payload,
        received_at=now,
        external_id=external_id or sha256(payload).hexdigest(),
        realm=realm,
        revision=revision,
    )


def interval_of(hub: Hub, name: str) -> timedelta:
    """Return the pause between two polls of a source."""
    return hub.settings.sources[name].every or polled_source(hub, name).interval


def next_try(hub: Hub, name: str, failure: HubError) -> datetime:
    """Return when to poll again after a failure: doubling from five seconds to an hour, never before the network said."""
    if isinstance(failure, QuotaExhausted) and failure.until is not None:
        return parked_until(failure, hub.now())
    wait = _back_off(hub, name, SHORTEST)
    asked = timedelta(seconds=asked_for(getattr(failure, "retry_after", None)))
    return hub.now() + max(wait, asked)


def after_bug(hub: Hub, name: str) -> datetime:
    """Return when to try again after a plugin's bug: doubling from a minute to an hour. A restart tries at once."""
    return hub.now() + _back_off(hub, name, FIRST_AFTER_BUG)


def _back_off(hub: Hub, name: str, first: timedelta) -> timedelta:
    failures = next((row["failures"] for row in hub.store.cursors.list() if row["source"] == name), 0)
    return min(first * (1 << min(int(failures), 10)), LONGEST)
