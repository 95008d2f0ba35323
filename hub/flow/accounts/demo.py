"""The people of the demo: one for each role, without passwords, on this machine alone."""

from __future__ import annotations

from hub.config.settings import Settings, is_loopback
from hub.core.access import Role
from hub.core.accounts import User
from hub.core.errors import Conflict
from hub.runtime import Hub

PEOPLE: tuple[tuple[str, str, Role], ...] = (
    ("ines", "Ines Ito", "admin"),
    ("max", "Max Marek", "manager"),
    ("bea", "Bea Berg", "agent"),
    ("tom", "Tom Toth", "analyst"),
    ("remi", "Rémi Roux", "rep"),
    ("vera", "Vera Vogt", "viewer"),
)
FIRST = "ines"
"""Who one is at first: the admin sees all there is."""


def is_demo(settings: Settings) -> bool:
    """Return True if all at the machine may be anybody: the demo's configuration says so, and no others reach the hub."""
    return settings.demo.people and is_loopback(settings.web.host) and not settings.is_reached_from_beyond


def people_of(hub: Hub) -> list[User]:
    """Return the people of the demo in their order, made if need be; none if the hub is no demo."""
    if not is_demo(hub.settings):
        return []
    found = [hub.store.users.named(name) or _make(hub, name, full_name, role) for name, full_name, role in PEOPLE]
    return [one for one in found if one is not None and not one.has_password and one.disabled_at is None]


def _make(hub: Hub, name: str, full_name: str, role: Role) -> User | None:
    try:
        with hub.store.database.write() as conn:
            return hub.store.users.add(conn, User(0, name, full_name, role, hub.now()))
    except Conflict:  # another process was faster
        return hub.store.users.named(name)
