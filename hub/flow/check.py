"""Is the configuration right, and does each connection work? All errors at once, then each connection tried."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from hub.books import read_book
from hub.config.private import open_to_others
from hub.config.references import read_address
from hub.config.settings import InboundSection, Settings, unaddressed
from hub.config.values import is_web
from hub.core.errors import ConfigError, ConnectorError, Problem, QuotaExhausted, Retryable
from hub.core.ledger import Lane
from hub.core.mapping import CompiledMapping
from hub.core.pipeline import in_use
from hub.core.retry import asked_for
from hub.flow.bugs import tell
from hub.flow.converse.selves import learn_self
from hub.flow.fit import ambiguous, misplaced, strays, unheard, unused
from hub.flow.remarks import remarks
from hub.flow.samples import value_misfits
from hub.queue.bell import BellAway
from hub.registry import Registry
from hub.runtime import Hub, make_connector
from hub.sdk.connectors import Destination, ObjectInfo, WebhookSource
from hub.wiring import collect


@dataclass(frozen=True)
class Tried:
    """A connection that was tried: what it said, or what is wrong."""

    connection: str
    fine: bool
    message: str


def problems_of(settings: Settings, registry: Registry) -> list[Problem]:
    """Return everything that is wrong in the files, without touching the network or the database."""
    found = [*misplaced(settings, registry)]
    finders: dict[str, Any] = {
        "sources": registry.source,
        "destinations": registry.destination,
        "enrichers": registry.enricher,
    }
    for table, find in finders.items():
        for name in getattr(settings, table):
            collect(found, partial(make_connector, settings, table, name, find))
    collect(found, partial(read_book, settings, registry))
    found += ways_back(settings, registry)
    found += [*unread(settings, registry), *unproxied(settings)]
    found += unaddressed(settings)
    # The rulebook asks for the same plugins, and knows no place in the file.
    placed = {one.message for one in found}
    return [one for one in dict.fromkeys(found) if f"{one.path}: {one.message}" not in placed]


def notes_of(settings: Settings, registry: Registry) -> list[Problem]:
    """Return what is no error and will surprise: what has no effect, files that no part reads. Nothing if there are errors."""
    try:
        book = read_book(settings, registry)
    except ConfigError:
        return [*strays(settings, registry), *readable_by_others(settings)]
    return [
        *strays(settings, registry),
        *unused(settings, book),
        *unheard(settings, book),
        *ambiguous(book),
        *remarks(settings, registry, book),
        *readable_by_others(settings),
    ]


def readable_by_others(settings: Settings) -> Iterator[Problem]:
    """Yield the data folder and what lies in it, as far as other users of this machine may read it."""
    for path in open_to_others(settings.data):
        rights = stat.S_IMODE(path.stat().st_mode)
        mended = "700" if path.is_dir() else "600"
        message = f"other users of this machine have rights to it ({rights:o})"
        yield Problem(str(path), "", message, f"chmod {mended} {path} (the next start does so, if it is the hub's own)")


def unproxied(settings: Settings) -> Iterator[Problem]:
    """Yield the proxies whose address stands in a secret that cannot be read, or that holds none."""
    for table in ("sources", "destinations", "enrichers"):
        for name, section in getattr(settings, table).items():
            place = Problem(str(settings.file), f"{table}.{name}.proxy", "")
            found: list[Problem] = []
            address = collect(found, partial(read_address, section.proxy, place, settings.folder))
            yield from found
            if address and not is_web(address):
                message = "what this leads to is no address of a plain forward proxy"
                yield Problem(place.file, place.path, message, "such as http://proxy.example.com:3128")


def unread(settings: Settings, registry: Registry) -> Iterator[Problem]:
    """Yield the sources that read for a plugin that is none, or that itself reads for another."""
    for name, section in settings.sources.items():
        if not isinstance(reader := section.options.get("as_plugin"), str) or not reader:
            continue
        place = str(settings.file), f"sources.{name}.options.as_plugin"
        found: list[Problem] = []
        cls = collect(found, partial(registry.source, reader))
        yield from (Problem(*place, f"{one.path}: {one.message}", one.hint) for one in found)
        if cls and "as_plugin" in cls.capabilities:
            yield Problem(*place, f"{reader} itself reads for another plugin", "name the plugin that knows the lines")


def ways_back(settings: Settings, registry: Registry) -> Iterator[Problem]:
    """Yield what flows back to no place: two connections behind one door, directions that nothing follows."""
    for name, section in settings.destinations.items():
        try:
            able = registry.destination(section.plugin).capabilities
        except ConfigError:  # told above
            continue
        at = f"destinations.{name}"
        if "inbound" in able and name in settings.sources and _is_called(settings, registry, name):
            message = f"a webhook source has the same name: /in/{name} is the source's"
            yield Problem(str(settings.file), at, message, "give one of them another name")
        if section.inbound != InboundSection() and not able & {"inbound", "changes"}:
            message = f"'{section.plugin}' tells of no changes: nothing flows back"
            yield Problem(str(settings.file), f"{at}.inbound", message, "take the table out")


def _is_called(settings: Settings, registry: Registry, name: str) -> bool:
    try:
        return issubclass(registry.source(settings.sources[name].plugin), WebhookSource)
    except ConfigError:  # told above
        return False


def try_connections(hub: Hub, works: Callable[[Lane], None] = lambda _: None) -> Iterator[Tried]:
    """Try Redis, then each enabled source and destination; a destination's mappings are held against its fields.

    `works` is called with the lane of each outlet whose connection is fine.
    """
    yield from _console(hub.settings)
    yield _try_bell(hub)
    for table in ("sources", "destinations"):
        for name in getattr(hub.settings, table):
            hub.doubt(table, name)
    for name in (name for name, section in hub.settings.sources.items() if section.enabled):
        tried = _try(hub, name, partial(_check_source, hub, name))
        yield tried
        if tried.fine:
            works(Lane("reply", name))
    for name in (name for name, section in hub.settings.enrichers.items() if section.enabled):
        yield _try(hub, name, partial(_check_enricher, hub, name))
    for name in (name for name, section in hub.settings.destinations.items() if section.enabled):
        tried = _try(hub, name, partial(_check_destination, hub, name))
        yield tried
        if tried.fine:
            works(Lane("deliver", name))
            yield from _try_mappings(hub, name, hub.destination(name))


CONSOLE = {
    "all": "open to all who reach the hub (web.console): put a proxy that asks for a password before it",
    "machine": "the page and the API answer this machine only; others get /in, /healthz and /readyz",
    "none": (
        'closed: public_url says that a proxy passes on what the world asks. Write web.console = "local" if the proxy passes on '
        '/in, /healthz and /readyz only, or "open" if it asks for a password'
    ),
}


def _console(settings: Settings) -> Iterator[Tried]:
    """Yield who may see the page and the API, if others than this machine reach the hub."""
    if settings.is_reached_from_beyond or settings.web.console == "open":
        yield Tried("web.console", True, CONSOLE[settings.console_for])


def _try_bell(hub: Hub) -> Tried:
    """Tell if workers would hear a ring; the private Redis is away as long as `hub up` does not run."""
    try:
        hub.bell.check()
    except BellAway as error:
        if not hub.settings.redis.url:
            return Tried("redis", fine=True, message="the private Redis is not running: `hub up` starts it")
        return Tried("redis", fine=False, message=f"{error}: workers only look now and then while it is away")
    return Tried("redis", fine=True, message="it takes rings")


def _check_source(hub: Hub, name: str) -> str:
    return hub.source(name).check(hub.source_context(name))


def _check_enricher(hub: Hub, name: str) -> str:
    return hub.enricher(name).check(hub.context(name, hub.enricher(name), hub.settings.enrichers[name]))


def _check_destination(hub: Hub, name: str) -> str:
    destination, ctx = hub.destination(name), hub.destination_context(name)
    said = destination.check(ctx)
    if destination.capabilities & {"inbound", "changes"}:
        learn_self(hub, name)
    return said


def _try(hub: Hub, name: str, attempt: Callable[[], str]) -> Tried:
    try:
        return Tried(name, fine=True, message=attempt())
    except ConnectorError as error:
        hub.redact(name, error)
        return Tried(name, fine=False, message=f"{type(error).__name__}: {error}{_again(error, hub.now())}")
    except BaseException as error:  # noqa: BLE001 - a plugin's bug is told like any other failure
        return Tried(name, fine=False, message=f"bug: {tell(hub, name, error, event='a plugin failed its check')}")


def _again(error: ConnectorError, now: datetime) -> str:
    """Say from when on the vendor answers again, if it has told."""
    at = error.until if isinstance(error, QuotaExhausted) else None
    if isinstance(error, Retryable) and (wait := asked_for(error.retry_after)):
        at = now + timedelta(seconds=wait)
    return f" (asked again from {at.astimezone(UTC):%Y-%m-%d %H:%M} UTC on)" if at else ""


def _try_mappings(hub: Hub, name: str, destination: Destination[Any]) -> Iterator[Tried]:
    book = read_book(hub.settings, hub.registry)  # the files are checked, not what is active
    used = sorted(mapping for destination, mapping in in_use(book) if destination == name)
    if not used:
        return
    try:
        objects = destination.describe(hub.destination_context(name))
    except ConnectorError as error:
        hub.redact(name, error)
        yield Tried(name, fine=False, message=f"its fields cannot be read: {error}")
        return
    except BaseException as error:  # noqa: BLE001 - a plugin's bug is told like any other failure
        bug = tell(hub, name, error, event="a plugin failed to describe its fields")
        yield Tried(name, fine=False, message=f"its fields cannot be read: bug: {bug}")
        return
    for mapping in used:
        for message in misfits(book.mappings[(name, mapping)], objects):
            yield Tried(f"{name}/{mapping}", fine=False, message=message)


def misfits(mapping: CompiledMapping, objects: Any) -> Iterator[str]:
    """Yield what in a mapping does not fit the destination's object: unknown or read-only fields, required ones left out.

    And values that a field does not take: a wrong type, too many characters, a word that is no choice there.
    """
    spec = mapping.spec
    info: ObjectInfo | None = objects.get(spec.object) or objects.get("*")
    if info is None:
        yield f"the destination has no object '{spec.object}'; it has: {', '.join(sorted(objects)) or 'none'}"
        return
    if info.open_fields:
        return
    # A destination may describe a nested field whole ("Author__r.Key__c") or only its head ("tags").
    named = {*spec.fields, *([spec.key_field] if spec.key_field else [])}
    for field in sorted(named):
        known = info.fields.get(field) or info.fields.get(field.split(".")[0])
        if known is None:
            yield f"'{spec.object}' has no field '{field}': make it there, or take it out of the mapping"
        elif not known.writable:
            yield f"'{spec.object}.{field}' cannot be written"
    written = named | {field.split(".")[0] for field in named}
    for field, known in info.fields.items():
        if known.required and field not in written:
            yield f"'{spec.object}.{field}' is required there and the mapping does not fill it"
    yield from value_misfits(mapping, info)
