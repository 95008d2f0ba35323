"""The menu: the pages that one who asks may open."""

from __future__ import annotations

from typing import NamedTuple

from hub.core.access import Actor, may


class MenuItem(NamedTuple):
    """A page in the menu: the section it stands for, its address, and what it is called."""

    section: str
    path: str
    title: str


PAGES = (
    ("signals.see", MenuItem("signals", "/", "Signals")),
    ("deliveries.see", MenuItem("deliveries", "/deliveries", "Deliveries")),
    ("raws.see", MenuItem("failed", "/failed", "Failed")),
    ("users.see", MenuItem("admin", "/admin/users", "Admin")),
)


def menu_of(actor: Actor) -> tuple[MenuItem, ...]:
    """Return the items that an actor may open."""
    return tuple(item for action, item in PAGES if may(actor, action))
