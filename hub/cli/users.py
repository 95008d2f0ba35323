"""`hub users`: who logs in to page and API, what they may, and links at which they choose a password."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from hub.cli import show
from hub.cli.opened import me, opened
from hub.cli.signals import Json

app = typer.Typer(no_args_is_help=True, help="People who log in.")
Name = Annotated[str, typer.Argument(help="the name to log in by")]
RoleName = Annotated[str, typer.Option("--role", help="viewer, rep, analyst, agent, manager or admin")]
FullName = Annotated[str, typer.Option("--full-name", help="the name as others see it")]
Mail = Annotated[str | None, typer.Option(help="an address for notices")]
SourceNames = Annotated[
    list[str] | None,
    typer.Option("--source", help="a source that the person sees, in place of all; may be given several times"),
]
DraftsOnly = Annotated[bool, typer.Option("--drafts-only", help="replies are drafts: others send them")]
SecondFactor = Annotated[
    bool, typer.Option("--second-factor", help="take the second factor away too, for a person who has lost it")
]


@app.command("list")
def list_(context: typer.Context, *, as_json: Json = False) -> None:
    """List the users: role, what they see, when they were here last."""
    from hub.flow.views import users

    with opened(context.obj) as hub:
        found = users.page(hub, me())
    rows = [_row(one.user, one.sessions) for one in found]
    columns = ("name", "full_name", "role", "sources", "second_factor", "sessions", "seen_at", "state")
    show.rows(
        rows, {name: name for name in columns}, as_json=as_json, empty="no users: `hub users add NAME --role admin`"
    )


@app.command()
def add(
    context: typer.Context,
    name: Name,
    *,
    role: RoleName = "viewer",
    full_name: FullName = "",
    mail: Mail = None,
    source: SourceNames = None,
    drafts_only: DraftsOnly = False,
) -> None:
    """Make a user; prints the link at which the person chooses a password. The first user closes the page to all others."""
    from hub.flow.actions import users

    rights = users.Rights(role, tuple(source) if source else None, None, drafts_only)
    with opened(context.obj, makes=True) as hub:
        user, link = users.invite(hub, me(), users.NewUser(name, full_name, mail), rights)
    show.say(f"{user.full_name} ({user.name}, {user.role}) chooses a password here, once, within 7 days:")
    show.say(link)


@app.command("set")
def set_(
    context: typer.Context,
    name: Name,
    *,
    role: RoleName,
    source: SourceNames = None,
    drafts_only: DraftsOnly = False,
) -> None:
    """Set what a user may; without --source the person sees all of them. The person's sessions end."""
    from hub.flow.actions import users

    rights = users.Rights(role, tuple(source) if source else None, None, drafts_only)
    with opened(context.obj) as hub:
        user = users.change(hub, me(), name, rights)
    sees = ", ".join(sorted(user.sources)) if user.sources is not None else "all sources"
    show.say(f"{user.name} is {user.role} and sees {sees}")


@app.command()
def disable(context: typer.Context, name: Name) -> None:
    """Close an account: sessions end, keys and links open nothing."""
    from hub.flow.actions import users

    with opened(context.obj) as hub:
        user = users.disable(hub, me(), name)
    show.say(f"{user.name} is closed: `hub users enable {user.name}` opens it again")


@app.command()
def enable(context: typer.Context, name: Name) -> None:
    """Open an account again."""
    from hub.flow.actions import users

    with opened(context.obj) as hub:
        user = users.enable(hub, me(), name)
    show.say(f"{user.name} is open again")


@app.command()
def reset(context: typer.Context, name: Name, *, second_factor: SecondFactor = False) -> None:
    """Print a link at which a user chooses a new password, such as the last admin's; the old one works until then."""
    from hub.flow.actions import users

    with opened(context.obj) as hub:
        link = users.reset(hub, me(), name, second_factor=second_factor)
    show.say("a new password is chosen here, once, within a day:")
    show.say(link)


def _row(user: Any, sessions: int) -> dict[str, Any]:
    return {
        "name": user.name,
        "full_name": user.full_name,
        "role": user.role,
        "sources": "all" if user.sources is None else ", ".join(sorted(user.sources)),
        "second_factor": user.has_code,
        "sessions": sessions,
        "seen_at": user.seen_at,
        "state": "closed" if user.disabled_at else "open",
    }
