"""`hub people`: who is behind an author, on what ground, and merges that can be undone. `hub audit`: who changed what."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer

from hub.cli import show
from hub.cli.opened import me, opened
from hub.cli.signals import Json

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
    """List the people that the hub knows."""
    from hub.flow.views import people

    with opened(context.obj) as hub:
        found = people.recent(hub, me(), limit=show.how_many(limit, as_json=as_json))
    rows = [msgspec.to_builtins(person) | {"key": person.key} for person in found]
    columns = {"key": "key", "display_name": "name", "emails": "emails", "owner": "owner", "company_domain": "company"}
    show.rows(rows, columns, as_json=as_json)


@app.command("show")
def show_(context: typer.Context, key: Key, *, as_json: Json = False) -> None:
    """Show a person with all links, revoked ones too, and with its and its account's records at destinations."""
    from hub.flow.views import people

    with opened(context.obj) as hub:
        person, links, records = people.one(hub, me(), key)
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
    from hub.flow.actions import people

    values = {"emails": email or (), "owner": owner, "company": company, "company_domain": domain}
    with opened(context.obj) as hub:
        person = people.add(hub, me(), name, **values)
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
    from hub.flow.actions import people

    given = {"display_name": name, "emails": email, "owner": owner, "company": company, "company_domain": domain}
    values = {field: value for field, value in given.items() if value is not None}
    if "emails" in values:
        values["emails"] = [address for address in email or () if address]
    if domain == "":
        values.setdefault("company", "")
    with opened(context.obj) as hub:
        person = people.change(hub, me(), key, **values)
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
    from hub.flow.actions import people

    place = people.RecordPlace(destination, object_)
    with opened(context.obj) as hub:
        one = people.ref(hub, me(), person, place, remote=RemoteRef(remote_id, url))
    show.say(f"{one.key} is {object_} {remote_id} of {destination}")


@app.command()
def unref(context: typer.Context, person: Key, destination: Destination, object_: Object) -> None:
    """Forget which record there is this person, or its account; the next signal makes one."""
    from hub.flow.actions import people

    with opened(context.obj) as hub:
        one = people.unref(hub, me(), person, people.RecordPlace(destination, object_))
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
    from hub.flow.actions import people

    with opened(context.obj) as hub:
        known = people.link(hub, me(), author, person, ground=people.Ground(basis, evidence, confidence))
    show.say(f"{author} is {known.key}")


@app.command()
def unlink(context: typer.Context, author: AuthorKey) -> None:
    """Revoke an author's link; it stays as history."""
    from hub.flow.actions import people

    with opened(context.obj) as hub:
        people.unlink(hub, me(), author)
    show.say(f"{author} is linked to no person now")


@app.command()
def merge(context: typer.Context, loser: Key, into: Key) -> None:
    """Let one person take another's place; `hub people unmerge` undoes it."""
    from hub.flow.actions import people

    with opened(context.obj) as hub:
        lost, won = people.merge(hub, me(), loser, into)
    show.say(f"{lost} is {won} now")


@app.command()
def unmerge(context: typer.Context, key: Key) -> None:
    """Undo a merge."""
    from hub.flow.actions import people

    with opened(context.obj) as hub:
        person = people.unmerge(hub, me(), key)
    show.say(f"{person.key} stands alone again")


def audit(context: typer.Context, *, limit: Limit = None, as_json: Json = False) -> None:
    """List who changed what, newest first."""
    from hub.flow.views import audit as log

    with opened(context.obj) as hub:
        found = log.recent(hub, me(), limit=show.how_many(limit, as_json=as_json))
    columns = ("at", "actor", "action", "subject", "detail")
    show.rows(found, {name: name for name in columns}, as_json=as_json, empty="nothing was changed yet")
