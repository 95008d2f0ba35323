"""The admin's pages: users, all keys, the audit log."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body, Path, Query, Request, Response
from fastapi.responses import RedirectResponse

from hub.core.access import ROLES
from hub.core.accounts import BadAccount
from hub.flow.actions import keys
from hub.flow.actions import users as act
from hub.flow.actions.users import NewUser, Rights
from hub.flow.views import audit, connectors, users
from hub.web.asker import actor
from hub.web.console.render import Renderer
from hub.web.query import NO_CONTROLS, AuditQuery, Number
from hub.web.serving import Serving

Form = Annotated[bytes, Body(media_type="application/x-www-form-urlencoded")]
Name = Annotated[str, Path(max_length=64, pattern=NO_CONTROLS)]
SAID = {
    "changed": "The rights are changed. The person's sessions have ended, so that they hold at once.",
    "disabled": "The account is closed: sessions are ended, keys and links open nothing.",
    "enabled": "The account is open again.",
    "revoked": "The key is revoked.",
}


def make_admin(serving: Serving, renderer: Renderer) -> APIRouter:
    """Make the routes of the admin's pages."""
    routes = APIRouter(prefix="/admin", include_in_schema=False, default_response_class=Response)
    add_users(routes, serving, renderer)
    add_user(routes, serving, renderer)
    add_rest(routes, serving, renderer)
    return routes


def add_users(routes: APIRouter, serving: Serving, renderer: Renderer) -> None:
    """Add the list of users and invitations."""

    def page(request: Request, *, status: int = 200, **more: Any) -> Response:
        listed = users.page(serving.hub, actor(request))
        return renderer.show(
            request, "users.html", {"rows": listed, **_choices(serving, request), **more}, status=status
        )

    @routes.get("/users")
    def show(request: Request, said: str = "") -> Response:
        """Show all users."""
        return page(request, said=SAID.get(said, ""))

    @routes.post("/users")
    def invite(request: Request, form: Form = b"") -> Response:
        """Make a user, and show the link for the person once."""
        fields = serving.forms.read_all(request, form)
        named = dict(fields)
        who = NewUser(named.get("name", ""), named.get("full_name", ""), named.get("mail", "").strip() or None)
        try:
            user, link = act.invite(serving.hub, actor(request), who, rights_of(fields))
        except BadAccount as error:
            return page(request, status=422, error=str(error), fields=named)
        return renderer.show(request, "link.html", {"user": user, "link": link, "purpose": "invite"})


def add_user(routes: APIRouter, serving: Serving, renderer: Renderer) -> None:
    """Add one user and what is done to it."""

    @routes.get("/users/{name}")
    def show(request: Request, name: Name) -> Response:
        """Show one user."""
        values = {"user": users.find(serving.hub, actor(request), name), **_choices(serving, request)}
        return renderer.show(request, "user.html", values)

    @routes.post("/users/{name}")
    def change(request: Request, name: Name, form: Form = b"") -> Response:
        """Change what a user may."""
        act.change(serving.hub, actor(request), name, rights_of(serving.forms.read_all(request, form)))
        return _back("users", "changed")

    @routes.post("/users/{name}/disable")
    def disable(request: Request, name: Name, form: Form = b"") -> Response:
        """Close an account."""
        serving.forms.read(request, form)
        act.disable(serving.hub, actor(request), name)
        return _back("users", "disabled")

    @routes.post("/users/{name}/enable")
    def enable(request: Request, name: Name, form: Form = b"") -> Response:
        """Open an account again."""
        serving.forms.read(request, form)
        act.enable(serving.hub, actor(request), name)
        return _back("users", "enabled")

    @routes.post("/users/{name}/reset")
    def reset(request: Request, name: Name, form: Form = b"") -> Response:
        """Make a link at which the person chooses a new password, and show it once."""
        fields = serving.forms.read(request, form)
        link = act.reset(serving.hub, actor(request), name, second_factor="second_factor" in fields)
        user = users.find(serving.hub, actor(request), name)
        return renderer.show(request, "link.html", {"user": user, "link": link, "purpose": "reset"})


def add_rest(routes: APIRouter, serving: Serving, renderer: Renderer) -> None:
    """Add all keys, and the audit log."""

    @routes.get("/keys")
    def show_keys(request: Request, said: str = "") -> Response:
        """Show all keys."""
        rows = users.keys(serving.hub, actor(request), all_=True)
        return renderer.show(request, "keys.html", {"rows": rows, "said": SAID.get(said, "")})

    @routes.post("/keys/{number}/revoke")
    def revoke(request: Request, number: Number, form: Form = b"") -> Response:
        """Revoke a key of any user."""
        serving.forms.read(request, form)
        keys.revoke_any(serving.hub, actor(request), number)
        return _back("keys", "revoked")

    @routes.get("/audit")
    def show_audit(request: Request, query: Annotated[AuditQuery, Query()]) -> Response:
        """Show who did what."""
        wanted = query.model_dump(include={"action", "by", "subject", "before", "limit"})
        rows = audit.page(serving.hub, actor(request), **wanted)
        more = rows[-1]["id"] if len(rows) == query.limit else None
        return renderer.show(request, "audit.html", {"rows": rows, "query": query, "more": more})


def rights_of(fields: list[tuple[str, str]]) -> Rights:
    """Return the rights that a form says; without "all sources" those that are ticked."""
    named = dict(fields)
    ticked = tuple(value for name, value in fields if name == "source")
    sources = None if "all_sources" in named else ticked
    return Rights(named.get("role", ""), sources, None, "drafts_only" in named)


def _choices(serving: Serving, request: Request) -> dict[str, Any]:
    return {"roles": ROLES, "sources": connectors.sources(serving.hub, actor(request))}


def _back(page: str, said: str) -> Response:
    return RedirectResponse(f"/admin/{page}?said={said}", 303)
