"""People behind authors: listings, and one with links and records."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace

from hub.core.access import Actor, demand
from hub.core.errors import HubError
from hub.core.model import Person
from hub.core.reading.mask import as_seen, mask_address, mask_name, names_of
from hub.runtime import Hub
from hub.store.references import Reference


class UnknownPerson(HubError):
    """No person has this key, or several have one that begins so."""


class KnownPerson(NamedTuple):
    """A person with all links, revoked ones too, and with its and its account's records at destinations."""

    person: Person
    links: list[dict[str, Any]]
    records: list[dict[str, str | None]]


def recent(hub: Hub, actor: Actor, *, limit: int) -> list[Person]:
    """Return people that are not merged into another, newest first."""
    demand(actor, "people.see")
    return [_shown(actor, one) for one in hub.store.people.recent(limit=limit, sight=actor.sight)]


def find(hub: Hub, actor: Actor, key: str) -> Person:
    """Return a person by key or an unambiguous beginning of it. Raises UnknownPerson if there is none, or several."""
    return _shown(actor, _find(hub, actor, key))


def _find(hub: Hub, actor: Actor, key: str) -> Person:
    demand(actor, "people.see")
    person = hub.store.people.get(key, sight=actor.sight)
    if person is None:
        raise UnknownPerson(f"{key} names no person, or several: `hub people list` shows all")
    return person


def one(hub: Hub, actor: Actor, key: str) -> KnownPerson:
    """Return a person by key or its beginning, with links and records. Raises UnknownPerson."""
    person = _find(hub, actor, key)
    links = hub.store.people.links_of(person_key=person.key, sight=actor.sight)
    names = names_of(msgspec.to_builtins(person))
    shown = [as_seen(actor.sight, msgspec.to_builtins(link), names) for link in links]
    found = hub.store.references.of([one for one in (person.key, person.account_key) if one])
    return KnownPerson(_shown(actor, person), shown, [as_seen(actor.sight, _record(one)) for one in found])


def _shown(actor: Actor, person: Person) -> Person:
    """Return a person as the actor sees it."""
    if actor.sight.names:
        return person
    emails = tuple(mask_address(one) for one in person.emails)
    return replace(person, display_name=mask_name(person.display_name), emails=emails)


def _record(one: Reference) -> dict[str, str | None]:
    place: dict[str, str | None] = {"of": one.kind, "destination": one.destination, "object": one.object}
    return place | {"remote_id": one.remote.id, "url": one.remote.url}
