"""Passwords as Argon2id hashes: 19 MiB and two rounds each (OWASP's first choice), at most two at once."""

from __future__ import annotations

import threading
from functools import cache
from typing import TYPE_CHECKING
from unicodedata import normalize

if TYPE_CHECKING:
    from pwdlib import PasswordHash

_ROOM = threading.BoundedSemaphore(2)  # a crowd at the log-in must not take all memory and both processors
_NO_PASSWORD = "no password is this text, since it is longer than one may be" * 8


def hash_password(password: str) -> str:
    """Return the hash of a password."""
    with _ROOM:
        return _hashes().hash(_plain(password))


def verify_password(password: str, kept: str | None) -> bool:
    """Return True if a password is the one of a hash; without a hash it takes as long, so that no name is told by time."""
    with _ROOM:
        right = _hashes().verify(_plain(password), kept or _dummy())
    return right and kept is not None


def _plain(password: str) -> str:
    """Return a password in one spelling: keyboards differ in how they send an accented letter (NIST SP 800-63B: NFKC)."""
    return normalize("NFKC", password)


@cache
def _dummy() -> str:
    return _hashes().hash(_NO_PASSWORD)


@cache
def _hashes() -> PasswordHash:
    from pwdlib import PasswordHash  # noqa: PLC0415 - a log-in needs it, and nothing else does
    from pwdlib.hashers.argon2 import Argon2Hasher  # noqa: PLC0415 - see above

    return PasswordHash([Argon2Hasher(time_cost=2, memory_cost=19_456, parallelism=1)])
