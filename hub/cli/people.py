"""`hub people`: who is behind an author, on what ground, and merges that can be undone. `hub audit`: who changed what."""

from __future__ import annotations

import getpass
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from hub.cli import show
from hub.cli.opened import opened
from hub.cli.signals import Json

if TYPE_CHECKING:
    from hub.core.model import Person
    from hub.runtime import Hub
    from hub.store.references import Reference

app = typer.Typer(no_args_is_help=True, help="People behind authors.")
Key = Annotated[str, typer.Argument(help="a person's key, or the beginning of it")]
Limit = Annotated[int | None, typer.Option(min=0, help="0: all; unset: 50, with --json all")]
AuthorKey = Annotated[str, typer.Argument(help="an author's key")]
Email = Annotated[list[str] | None, typer.Option("--email", help="an address; may be given several times")]
Owner = Annotated[str | None, typer.Option(help="who looks after this person")]
Company = Annotated[str | None, typer.Option(help="the name of the company this person speaks for")]
Domain = Annotated[
    str | None, typer.Option(help="its domain, such as example.com: people of one domain are one account")
]
Destination = Annotated[str, typer.Argument(help="a destination's name in the configuration")]
Object = Annotated[str, typer.Argument(help="an object there, as mappings keyed by person or account name it")]


@app.command("list")
def list_(context: typer.Context, *, limit: Limit = None, as_json: Json = False) -> None:
    """The people that the hub knows."""
    with opened(context.obj) as hub:
        found = hub.store.people.recent(limit=show.how_many(limit, as_json=as_json))
    rows = [msgspec.to_builtins(person) | {"key": person.key} for person in found]
    columns = {"key": "key", "display_name": "name", "emails": "emails", "owner": "owner", "company_domain": "company"}
    show.rows(rows, columns, as_json=as_json)


@app.command("show")
def show_(context: typer.Context, key: Key, *, as_json: Json = False) -> None:
    """A person with all links, revoked ones too, and with its and its account's records at destinations."""
    with opened(context.obj) as hub:
        person = known(hub, key)
        links = [msgspec.to_builtins(link) for link in hub.store.people.links_of(person_key=person.key)]
        keys = [one for one in (person.key, person.account_key) if one]
        records = [_record(one) for one in hub.store.references.of(keys)]
    if as_json:
        account = {"account": person.account_key, "links": links, "records": records}
        show.print_json(msgspec.to_builtins(person) | account)
        return
    into = f", merged into {person.merged_into}" if person.merged_into else ""
    of = f", of {person.company or person.company_domain}" if person.company_domain else ""
    show.say(f"{person.display_name}{of} ({person.key}{into})", "bold")
    if records:
        show.rows(records, {name: name for name in records[0]}, as_json=False)
    columns = ("author_key", "basis", "evidence", "confidence", "by", "at", "revoked_at")
    show.rows(links, {name: name for name in columns}, as_json=False, empty="no links")


@app.command()
def add(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="how you call this person")],
    *,
    email: Email = None,
    owner: Owner = None,
    company: Company = None,
    domain: Domain = None,
) -> None:
    """Make a person; prints the key."""
    with opened(context.obj) as hub:
        values = {"emails": email or (), "owner": owner, "company": company, "company_domain": domain}
        person = hub.store.people.add(name, now=hub.now(), **values)
        said = {"company_domain": person.company_domain} if person.company_domain else {}
        note(hub, "person", person.key, {"name": name, **said})
    show.say(person.key)


@app.command("set")
def set_(
    context: typer.Context,
    key: Key,
    *,
    name: Annotated[str | None, typer.Option(help="how you call this person")] = None,
    email: Email = None,
    owner: Owner = None,
    company: Company = None,
    domain: Domain = None,
) -> None:
    """Change what is given and leave the rest; "" takes a value out."""
    given = {"display_name": name, "emails": email, "owner": owner, "company": company, "company_domain": domain}
    values = {field: value for field, value in given.items() if value is not None}
    if "emails" in values:
        values["emails"] = [address for address in email or () if address]
    if domain == "":
        values.setdefault("company", "")
    with opened(context.obj) as hub:
        person = hub.store.people.change(known(hub, key).key, **values)
        note(hub, "person changed", person.key, {field: getattr(person, field) for field in values})
    show.say(f"{person.key} is changed")


@app.command()
def ref(
    context: typer.Context,
    person: Key,
    destination: Destination,
    object_: Object,
    *,
    remote_id: Annotated[str, typer.Argument(help="the record's id there")],
    url: Annotated[str | None, typer.Option(help="where people look at it")] = None,
) -> None:
    """Say which record in a CRM is this person, or its account: it is written from then on, and no second one is made."""
    from hub.core.model import RemoteRef

    with opened(context.obj) as hub:
        who = known(hub, person)
        one = referred(hub, who, destination, object_)
        hub.store.references.put(one._replace(remote=RemoteRef(remote_id, url)))
        detail = {"destination": destination, "object": object_, "remote_id": remote_id, "person": who.key}
        note(hub, "ref", one.key, detail)
    show.say(f"{one.key} is {object_} {remote_id} of {destination}")


@app.command()
def unref(context: typer.Context, person: Key, destination: Destination, object_: Object) -> None:
    """Forget which record there is this person, or its account; the next signal makes one."""
    with opened(context.obj) as hub:
        one = referred(hub, known(hub, person), destination, object_)
        if not hub.store.references.drop(one):
            show.fail(f"{one.key} has no {object_} of {destination}")
            raise typer.Exit(1)
        note(hub, "unref", one.key, {"destination": destination, "object": object_})
    show.say(f"{one.key} has no {object_} of {destination} any more")


@app.command()
def link(
    context: typer.Context,
    author: AuthorKey,
    person: Key,
    *,
    basis: Annotated[
        str, typer.Option(help="opt_in, given_by_person, public_self_link, order_reference, agent_decision")
    ],
    evidence: Annotated[str, typer.Option(help="where the ground can be looked at")],
    confidence: Annotated[float, typer.Option(min=0, max=1)] = 1.0,
) -> None:
    """Say that an author is this person, and on what ground; without one it is refused."""
    from hub.core.model import IdentityLink
    from hub.flow.erase.people import adopt

    with opened(context.obj) as hub:
        key = known(hub, person).key
        made = IdentityLink(author, key, basis, evidence, getpass.getuser(), hub.now(), confidence)  # type: ignore[arg-type]  # checked below
        hub.store.people.link(made)
        adopted = adopt(hub, author, key)
        detail = {"person": key, "basis": basis, "evidence": evidence}
        note(hub, "link", author, {**detail, "records": adopted} if adopted else detail)
    show.say(f"{author} is {key}")


@app.command()
def unlink(context: typer.Context, author: AuthorKey) -> None:
    """Revoke an author's link; it stays as history."""
    with opened(context.obj) as hub:
        with hub.store.database.read() as conn:
            person = hub.store.people.behind(conn, [author]).get(author)
        if not hub.store.people.unlink(author, now=hub.now()):
            show.fail(f"{author} is linked to nobody")
            raise typer.Exit(1)
        if person:
            hub.store.references.part(author, person.key)
        note(hub, "unlink", author)
    show.say(f"{author} is nobody's now")


@app.command()
def merge(context: typer.Context, loser: Key, into: Key) -> None:
    """Let one person take another's place; `hub people unmerge` undoes it."""
    with opened(context.obj) as hub:
        lost, won = known(hub, loser).key, known(hub, into).key
        hub.store.people.merge(lost, won)
        note(hub, "merge", lost, {"into": won})
    show.say(f"{lost} is {won} now")


@app.command()
def unmerge(context: typer.Context, key: Key) -> None:
    """Undo a merge."""
    with opened(context.obj) as hub:
        person = known(hub, key)
        if not hub.store.people.unmerge(person.key):
            show.fail(f"{person.key} is not merged")
            raise typer.Exit(1)
        note(hub, "unmerge", person.key)
    show.say(f"{person.key} stands alone again")


def audit(context: typer.Context, *, limit: Limit = None, as_json: Json = False) -> None:
    """Who changed what, newest first."""
    with opened(context.obj) as hub:
        found = hub.store.audit.recent(limit=show.how_many(limit, as_json=as_json))
    columns = ("at", "actor", "action", "subject", "detail")
    show.rows(found, {name: name for name in columns}, as_json=as_json, empty="nothing was changed yet")


def known(hub: Hub, key: str) -> Person:
    """A person by key or its beginning; ends the command where there is none, or several."""
    person = hub.store.people.get(key)
    if person is None:
        show.fail(f"{key} names no person, or several: `hub people list` shows all")
        raise typer.Exit(1)
    return person


def referred(hub: Hub, person: Person, destination: str, object_: str) -> Reference:
    """Where a record stands for a person or its account, as mappings have it; ends the command where none does."""
    from hub.core.model import RemoteRef
    from hub.store.references import Reference

    if person.merged_into:
        show.fail(f"{person.key} is merged into {person.merged_into}: its records are that one's")
        raise typer.Exit(1)
    keys = {"person": person.key, "account": person.account_key}
    specs = [one.spec for (name, _), one in hub.book.mappings.items() if name == destination]
    kinds = list(dict.fromkeys(spec.keyed_by for spec in specs if spec.object == object_ and spec.keyed_by in keys))
    key = keys[kinds[0]] if len(kinds) == 1 else None
    if key is None:
        objects = sorted({spec.object for spec in specs if spec.keyed_by in keys})
        named = f"{person.display_name} has no company: `hub people set --domain`" if kinds else ""
        show.fail(
            named or f"{destination} has no mapping by person or account for {object_} (there: {', '.join(objects)})"
        )
        raise typer.Exit(1)
    return Reference(kinds[0], key, destination, object_, RemoteRef(""))


def _record(one: Reference) -> dict[str, str | None]:
    place = {"of": one.kind, "destination": one.destination, "object": one.object}
    return place | {"remote_id": one.remote.id, "url": one.remote.url}


def note(hub: Hub, action: str, subject: str, detail: Mapping[str, object] | None = None) -> None:
    """An entry in the audit log, by whoever is at the terminal."""
    from hub.store.audit import Entry

    hub.store.audit.note(Entry(action, subject, getpass.getuser(), detail), now=hub.now())
