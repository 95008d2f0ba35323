"""`hub people`: who is behind an author, on what ground, and merges that can be undone. `hub audit`: who changed what."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from hub.cli import show
from hub.cli.opened import opened
from hub.cli.signals import Json

if TYPE_CHECKING:
    from hub.core.model import Person
    from hub.runtime import Hub

app = typer.Typer(no_args_is_help=True, help="People behind authors.")
Key = Annotated[str, typer.Argument(help="a person's key, or the beginning of it")]
Limit = Annotated[int | None, typer.Option(min=0, help="0: all; unset: 50, with --json all")]
AuthorKey = Annotated[str, typer.Argument(help="an author's key")]


@app.command("list")
def list_(context: typer.Context, *, limit: Limit = None, as_json: Json = False) -> None:
    """The people that the hub knows."""
    with opened(context.obj) as hub:
        found = hub.store.people.recent(limit=show.how_many(limit, as_json=as_json))
    rows = [msgspec.to_builtins(person) | {"key": person.key} for person in found]
    show.rows(rows, {"key": "key", "display_name": "name", "emails": "emails", "owner": "owner"}, as_json=as_json)


@app.command("show")
def show_(context: typer.Context, key: Key, *, as_json: Json = False) -> None:
    """A person with all links, revoked ones too."""
    with opened(context.obj) as hub:
        person = known(hub, key)
        links = [msgspec.to_builtins(link) for link in hub.store.people.links_of(person_key=person.key)]
    if as_json:
        show.print_json(msgspec.to_builtins(person) | {"links": links})
        return
    into = f", merged into {person.merged_into}" if person.merged_into else ""
    show.say(f"{person.display_name} ({person.key}{into})", "bold")
    columns = ("author_key", "basis", "evidence", "confidence", "by", "at", "revoked_at")
    show.rows(links, {name: name for name in columns}, as_json=False, empty="no links")


@app.command()
def add(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="how you call this person")],
    *,
    email: Annotated[list[str] | None, typer.Option(help="an address; may be given several times")] = None,
    owner: Annotated[str | None, typer.Option(help="who looks after this person")] = None,
) -> None:
    """Make a person; prints the key."""
    with opened(context.obj) as hub:
        person = hub.store.people.add(name, emails=email or (), owner=owner, now=hub.now())
        note(hub, "person", person.key, {"name": name})
    show.say(person.key)


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

    with opened(context.obj) as hub:
        key = known(hub, person).key
        made = IdentityLink(author, key, basis, evidence, getpass.getuser(), hub.now(), confidence)  # type: ignore[arg-type]  # checked below
        hub.store.people.link(made)
        note(hub, "link", author, {"person": key, "basis": basis, "evidence": evidence})
    show.say(f"{author} is {key}")


@app.command()
def unlink(context: typer.Context, author: AuthorKey) -> None:
    """Revoke an author's link; it stays as history."""
    with opened(context.obj) as hub:
        if not hub.store.people.unlink(author, now=hub.now()):
            show.fail(f"{author} is linked to nobody")
            raise typer.Exit(1)
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


def note(hub: Hub, action: str, subject: str, detail: dict[str, object] | None = None) -> None:
    """An entry in the audit log, by whoever is at the terminal."""
    from hub.store.audit import Entry

    hub.store.audit.note(Entry(action, subject, getpass.getuser(), detail), now=hub.now())
