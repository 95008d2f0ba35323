"""Keys: short, ASCII, safe if case is ignored.

Real native ids are URLs, differ by case only, or hold "/", ".." and "+", which break vendors' clients; so a key is a hash
with the network's name before it, and the readable native id travels beside it.
"""

from __future__ import annotations

from hashlib import sha256

_SEPARATOR = "\x1f"
_AUTHOR = "\x1eauthor"  # begins as no realm does
_APART = "authors apart|"
_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
# Two characters at a time: eight times as fast as base64.b32encode, and a batch makes thousands of keys.
_PAIRS = tuple(first + second for first in _ALPHABET for second in _ALPHABET)
_SHIFTS = tuple(range(150, -1, -10))


def digest(*parts: str) -> str:
    """Return 32 lower-case base32 characters of SHA-256 over the parts (lone surrogates are replaced first)."""
    joined = _SEPARATOR.join(parts).encode("utf-8", "replace")
    bits = int.from_bytes(sha256(joined).digest()[:20], "big")
    return "".join([_PAIRS[bits >> shift & 1023] for shift in _SHIFTS])


def signal_key(network: str, native_id: str, realm: str = "") -> str:
    """Return `network:` and the digest of realm and native id; realm is what the native id is unique within."""
    return f"{network}:{digest(realm, native_id)}"


def author_key(network: str, native_id: str, realm: str = "") -> str:
    """Return the key by the network's immutable author id (a DID, a number, an actor's URI), never the handle."""
    return signal_key(network, native_id, realm)


def own_author_key(network: str, native_id: str, realm: str, *, by_name: bool = False) -> str:
    """Return the key of an author in a realm whose sender counts authors and posts each by itself: number 5 may be both.

    Without a realm it is `author_key`: the keys of databases of 0.2.0 stay.
    """
    return apart_author_key(network, native_id, realm, by_name=by_name) if realm else author_key(network, native_id)


def apart_author_key(network: str, native_id: str, realm: str, *, by_name: bool = False) -> str:
    """Return the key of an author where authors and posts have a name space each; `by_name` has one too: a visitor named 5."""
    return f"{network}:{digest(_AUTHOR + ' name' * by_name, realm, native_id)}"


def marked_author_key(network: str, native_id: str, realm: str, *, by_name: bool = False) -> str:
    """Return the same in a realm that `apart` marks: no sender of a webhook source of the realm's name makes this key."""
    return apart_author_key(network, native_id, apart(realm), by_name=by_name)


def apart(realm: str) -> str:
    """Return the realm of a raw item whose authors and posts have a name space each; sources of 0.2.0 have one for both."""
    return _APART + realm


def together(realm: str) -> tuple[str, bool]:
    """Return the realm itself, and True if it was marked by `apart`."""
    return realm.removeprefix(_APART), realm.startswith(_APART)


def account_key(domain: str) -> str:
    """Return `account:` and the digest of a company's domain: people of one domain are of one account."""
    return f"account:{digest(domain.casefold())}"


def idempotency_key(destination: str, object_: str, record_key: str, *, operation: str, seq: int) -> str:
    """Return the idempotency key of a delivery, the same for every attempt of it."""
    return digest(destination, object_, record_key, operation, str(seq))
