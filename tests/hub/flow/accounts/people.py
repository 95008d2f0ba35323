"""People who log in, for tests: made quickly, with a password that is hashed once."""

from __future__ import annotations

from functools import cache

from hub.core.access import Role
from hub.core.accounts import User
from hub.flow.accounts.entrance import Browser
from hub.flow.accounts.passwords import hash_password
from hub.runtime import Hub
from hub.store.accounts.users import Proofs

PASSWORD = "seven green wrens sing"
HERE = Browser("192.0.2.7", "Firefox")


@cache
def hashed(password: str = PASSWORD) -> str:
    """The hash of a password: to make one takes longer than most tests."""
    return hash_password(password)


def make_user(hub: Hub, name: str = "bea", role: Role = "agent", **more: object) -> User:
    """Make a user who has chosen PASSWORD."""
    user = User(0, name, name.title(), role, hub.now(), **more)  # type: ignore[arg-type]  # passed through
    with hub.store.database.write() as conn:
        return hub.store.users.add(conn, user, Proofs(password=hashed()))
