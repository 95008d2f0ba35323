"""Secrets that the hub makes: shown once, kept as digests. They are long, so that a plain SHA-256 is enough."""

from __future__ import annotations

import secrets
from hashlib import sha256

KEY_PREFIX = "hub_"
SHOWN = 8
"""How many characters of a key lists show."""


def new_token() -> str:
    """Return 32 random bytes as 43 characters that an address can hold."""
    return secrets.token_urlsafe(32)


def new_key() -> str:
    """Return a new API key: `hub_` and 43 characters."""
    return KEY_PREFIX + new_token()


def new_recovery_code() -> str:
    """Return a recovery code: 80 random bits, as four groups of four that can be read aloud."""
    text = "".join(secrets.choice("ABCDEFGHJKMNPQRSTVWXYZ0123456789") for _ in range(16))
    return "-".join(text[start : start + 4] for start in range(0, 16, 4))


def digest_of(secret: str) -> str:
    """Return what is kept of a secret."""
    return sha256(secret.encode("utf-8", "replace")).hexdigest()


def recovery_digest(code: str) -> str:
    """Return what is kept of a recovery code, however it is typed."""
    plain = "".join(letter for letter in code.upper() if letter.isalnum())
    return digest_of(plain.translate(str.maketrans("OIL", "011")))
