"""People behind authors: made, changed, linked on a ground, merged, and told which records in a CRM they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple, cast

from hub.core.access import Actor, NotAllowed, demand
from hub.core.errors import ConfigError, HubError
from hub.core.model import Basis, IdentityLink, Person, RemoteRef
from hub.flow.actions.doing import Doing, doing
from hub.flow.conflicts import begin_again
from hub.flow.decide.read import answering
from hub.flow.decide.restate import Kin, restate
from hub.flow.lanes import ring_outlets
from hub.flow.views.people import find
from hub.runtime import Hub
from hub.store import Connection
from hub.store.references import Reference

Restate = Callable[[Connection, Kin], list[str]]
"""Plan the records of a person and an account as they stand now; returns their destinations."""


class NoPlace(HubError):
    """No mapping writes this person, or its account, there."""


class Ground(NamedTuple):
    """Why an author is a person: a basis, where it can be looked at, and how sure it is (0 to 1)."""

    basis: str
    evidence: str
    confidence: float = 1.0


class RecordPlace(NamedTuple):
    """An object at a destination, as mappings keyed by person or account name it."""

    destination: str
    object: str


def add(hub: Hub, actor: Actor, name: str, **values: Any) -> Person:
    """Make a person; `values` are other fields of Person. Raises NoAccount if a company has no domain."""
    with doing(hub, actor, "people.add") as act:
        person = hub.store.people.add(name, now=hub.now(), conn=act.conn, **values)
        act.note("person", person.key, name=name, company_domain=person.company_domain)
    return person


def change(hub: Hub, actor: Actor, key: str, **values: Any) -> Person:
    """Change fields of a person. Raises UnknownPerson, and NoAccount if a company has no domain.

    Records of the account that it leaves are sent again at once, without what was known by this person.
    """
    demand(actor, "people.change")
    known = find(hub, actor, key)

    def part(act: Doing, again: Restate) -> list[str]:
        before = hub.store.people.get(known.key, conn=act.conn) or known
        person = hub.store.people.change(known.key, conn=act.conn, **values)
        told = _left(act, again, before.account_key, person.account_key)
        said = {field: getattr(person, field) for field in values}
        act.note("person changed", person.key, **said, corrected=told or None)
        return told

    _parted(hub, actor, "people.change", part)
    return find(hub, actor, known.key)


def link(hub: Hub, actor: Actor, author_key: str, key: str, *, ground: Ground) -> Person:
    """Say that an author is a person; records that it has already are the person's from now on.

    Raises UnknownPerson, and NotLinked if the ground is none, or the author is linked already.
    """
    demand(actor, "people.link")
    _demand_author(hub, actor, author_key)
    person, places = find(hub, actor, key), _by_person(hub)
    made = IdentityLink(
        author_key, person.key, cast(Basis, ground.basis), ground.evidence, actor.name, hub.now(), ground.confidence
    )
    with doing(hub, actor, "people.link") as act:
        hub.store.people.link(made, conn=act.conn)
        # Else the person's first record would stand beside the author's.
        adopted = hub.store.references.adopt(author_key, person.key, places, conn=act.conn)
        said = {"basis": ground.basis, "evidence": ground.evidence, "records": adopted or None}
        act.note("link", author_key, person=person.key, **said)
    return person


def unlink(hub: Hub, actor: Actor, author_key: str) -> None:
    """Revoke an author's link, which stays as history, and give its records back. Raises NotLinked if there is none.

    Records of the person and its account are sent again at once, without what was known by this author.
    """
    demand(actor, "people.unlink")
    _demand_author(hub, actor, author_key)

    def part(act: Doing, again: Restate) -> list[str]:
        person = hub.store.people.behind(act.conn, [author_key]).get(author_key)
        hub.store.people.unlink(author_key, now=hub.now(), conn=act.conn)
        if person is None:
            act.note("unlink", author_key)
            return []
        hub.store.references.part(act.conn, author_key, person.key)
        told = again(act.conn, Kin.of(person))
        act.note("unlink", author_key, person=person.key, corrected=told or None)
        return told

    _parted(hub, actor, "people.unlink", part)


def merge(hub: Hub, actor: Actor, loser: str, winner: str) -> tuple[str, str]:
    """Let one person take another's place; `unmerge` undoes it. Returns both keys. Raises UnknownPerson or NotLinked.

    Records of the account that the one brings no words to any more are sent again at once.
    """
    demand(actor, "people.merge")
    lost, won = find(hub, actor, loser), find(hub, actor, winner)

    def part(act: Doing, again: Restate) -> list[str]:
        hub.store.people.merge(lost.key, won.key, conn=act.conn)
        told = _left(act, again, lost.account_key, won.account_key)
        act.note("merge", lost.key, into=won.key, corrected=told or None)
        return told

    _parted(hub, actor, "people.merge", part)
    return lost.key, won.key


def unmerge(hub: Hub, actor: Actor, key: str) -> Person:
    """Undo a merge. Raises UnknownPerson, and NotLinked if the person is not merged.

    Records of the one whose place it had, and of its account, are sent again at once.
    """
    demand(actor, "people.unmerge")
    person = find(hub, actor, key)

    def part(act: Doing, again: Restate) -> list[str]:
        winner = hub.store.people.unmerge(person.key, conn=act.conn)
        other = hub.store.people.get(winner, conn=act.conn)
        told = again(act.conn, Kin.of(other)) if other else []
        act.note("unmerge", person.key, of=winner, corrected=told or None)
        return told

    _parted(hub, actor, "people.unmerge", part)
    return person


def ref(hub: Hub, actor: Actor, key: str, place: RecordPlace, *, remote: RemoteRef) -> Reference:
    """Say which record is a person, or its account: it is written from then on. Raises UnknownPerson or NoPlace."""
    person = find(hub, actor, key)
    one = _referred(hub, person, place)._replace(remote=remote)
    with doing(hub, actor, "people.ref") as act:
        hub.store.references.put(one, conn=act.conn)
        act.note("ref", one.key, **place._asdict(), remote_id=remote.id, person=person.key)
    return one


def unref(hub: Hub, actor: Actor, key: str, place: RecordPlace) -> Reference:
    """Forget which record is a person, or its account; the next signal makes one. Raises as `ref`, or NoReference."""
    one = _referred(hub, find(hub, actor, key), place)
    with doing(hub, actor, "people.unref") as act:
        hub.store.references.drop(one, conn=act.conn)
        act.note("unref", one.key, **place._asdict())
    return one


def _demand_author(hub: Hub, actor: Actor, key: str) -> None:
    """Raise NotAllowed if an actor who sees a part sees nothing by this author: one that is hidden is told as one that is not."""
    if not actor.sight.is_whole and not hub.store.signals.is_seen(actor.sight, author_key=key):
        raise NotAllowed(f"{actor.name} sees nothing by {key}")


def _left(act: Doing, again: Restate, old: str | None, new: str | None) -> list[str]:
    """Plan the records of an account that a person has left; returns their destinations."""
    return again(act.conn, Kin(account=old)) if old and old != new else []


def _parted(hub: Hub, actor: Actor, action: str, part: Callable[[Doing, Restate], list[str]]) -> None:
    """Take a link, a merge or a company away, with the records that tell of it, and ring for their destinations.

    It is begun again if one of the records was planned or sent in between. Rules that cannot be read stop no parting: records
    are right again with the next signal then.
    """
    try:
        lanes, _book = answering(hub), hub.book
        again: Restate = partial(_restate, hub, lanes)
    except ConfigError:
        again = _leave

    def step(_: int) -> list[str]:
        with doing(hub, actor, action) as act:
            return part(act, again)

    told = begin_again(step, tired="records of this person are being sent just now: try again in a moment")
    ring_outlets(hub, told)


def _restate(hub: Hub, lanes: Mapping[str, list[str]], conn: Connection, kin: Kin) -> list[str]:
    return restate(hub, conn, kin, lanes=lanes)


def _leave(_conn: Connection, _kin: Kin) -> list[str]:
    return []


def _by_person(hub: Hub) -> set[tuple[str, str]]:
    """Return where mappings write records by person: (destination, object)."""
    mappings = ((name, one.spec) for (name, _), one in hub.book.mappings.items())
    return {(name, spec.object) for name, spec in mappings if spec.keyed_by == "person"}


def _referred(hub: Hub, person: Person, place: RecordPlace) -> Reference:
    """Return where a record stands for a person or its account, as mappings have it. Raises NoPlace if none does."""
    if person.merged_into:
        raise NoPlace(f"{person.key} is merged into {person.merged_into}: its records are that one's")
    destination, object_ = place
    keys = {"person": person.key, "account": person.account_key}
    specs = [one.spec for (name, _), one in hub.book.mappings.items() if name == destination]
    kinds = list(dict.fromkeys(spec.keyed_by for spec in specs if spec.object == object_ and spec.keyed_by in keys))
    key = keys[kinds[0]] if len(kinds) == 1 else None
    if key is not None:
        return Reference(kinds[0], key, destination, object_, RemoteRef(""))
    if kinds:
        raise NoPlace(f"{person.display_name} has no company: `hub people set --domain`")
    objects = ", ".join(sorted({spec.object for spec in specs if spec.keyed_by in keys})) or "none"
    raise NoPlace(f"{destination} has no mapping by person or account for {object_} (there: {objects})")
