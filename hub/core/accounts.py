"""Users, what they may see and do, and the scopes of their keys. No secret is part of these values."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Literal, get_args

import msgspec

from hub.core.access import Actor, Door, Role, Sight
from hub.core.errors import HubError

IDLE = timedelta(hours=12)
"""A session ends when it was not used for so long."""
LONGEST = timedelta(days=14)
"""A session ends after so long, however much it is used."""
CODE_WITHIN = timedelta(minutes=10)
"""A log-in that waits for its second factor ends then."""
SHORTEST_PASSWORD, LONGEST_PASSWORD = 12, 256
_NAME = re.compile(r"[\w][\w.@+-]{0,63}")

Purpose = Literal["first", "invite", "reset"]
LIVES: Mapping[str, timedelta] = {
    "first": timedelta(minutes=30),
    "invite": timedelta(days=7),
    "reset": timedelta(hours=24),
}
"""How long a one-time link lives, by its purpose."""

KeyScope = Literal[
    "signals:read", "people:read", "replies:draft", "deliveries:write", "rules:test", "export", "metrics:read", "admin"
]
KEY_SCOPES: tuple[KeyScope, ...] = get_args(KeyScope)


class BadAccount(HubError):
    """A name, a password or a right of an account that cannot be; the message says what to write."""


class User(msgspec.Struct, frozen=True):
    """A person who logs in. `sources` and `brands` are what is seen, None: all. `name` is what is typed, and never changes.

    `has_code`: a second factor is set up; `recovery_left`: how many recovery codes are left.
    """

    id: int
    name: str
    full_name: str
    role: Role
    created_at: datetime
    mail: str | None = None
    sources: frozenset[str] | None = None
    brands: frozenset[str] | None = None
    drafts_only: bool = False
    has_password: bool = False
    has_code: bool = False
    recovery_left: int = 0
    issuer: str | None = None
    choices: Mapping[str, Any] = {}
    seen_at: datetime | None = None
    disabled_at: datetime | None = None

    @property
    def sight(self) -> Sight:
        """What the person may see."""
        return Sight(self.sources, self.brands).for_role(self.role)

    def actor(self, door: Door, scopes: frozenset[str] | None = None) -> Actor:
        """Return the person as one that does something, through a door; `scopes` are those of a key."""
        return Actor(self.name, door, self.role, self.sight, self.id, scopes, self.drafts_only)


class OpenSession(msgspec.Struct, frozen=True):
    """A log-in of a browser. `form_token` is what its forms carry."""

    id: int
    user: User
    form_token: str
    waits_for_code: bool
    made_at: datetime
    seen_at: datetime
    until: datetime
    address: str = ""
    browser: str = ""
    provider_session: str | None = None

    def is_over(self, now: datetime) -> bool:
        """Return True if it ended by itself, or its user may not come in any more."""
        return now >= min(self.until, self.seen_at + IDLE) or self.user.disabled_at is not None


class ApiKey(msgspec.Struct, frozen=True):
    """A program's key: what it may do within its owner's sight. `prefix` is all that is known of its text."""

    id: int
    user: User
    name: str
    prefix: str
    scopes: tuple[str, ...]
    made_at: datetime
    until: datetime | None = None
    used_at: datetime | None = None


def fold_name(name: str) -> str:
    """Return a user's name in its one spelling. Raises BadAccount if it is none."""
    folded = unicodedata.normalize("NFKC", name).strip().casefold()
    if not _NAME.fullmatch(folded):
        raise BadAccount(
            f"{name!r} is no user name: up to 64 letters, digits and . _ @ + -, the first a letter or a digit"
        )
    return folded


def check_password(password: str, *, name: str) -> None:
    """Raise BadAccount if a password is too short, too long, or is the name."""
    if len(password) < SHORTEST_PASSWORD:
        raise BadAccount(f"a password has at least {SHORTEST_PASSWORD} characters: a sentence is easy to remember")
    if len(password) > LONGEST_PASSWORD:
        raise BadAccount(f"a password has at most {LONGEST_PASSWORD} characters")
    if len(set(password)) < 5 or password.casefold().strip() in {name, f"{name}{name}"}:
        raise BadAccount("this password is too easy to guess: choose one of more, and other, characters")
