"""Has the hub seen this already? A signal is compared with what is known under its key."""

from __future__ import annotations

from datetime import datetime

import msgspec

from hub.core.model import GONE, Signal


class KnownSignal(msgspec.Struct, frozen=True):
    """What the hub keeps of the signal with this key: enough to compare, its raw row (0: none), and its source."""

    content_hash: str
    state: str
    revision: str = ""
    updated_at: datetime | None = None
    observed_at: datetime | None = None
    raw_id: int = 0
    source: str = ""
    plugin: str = ""


class New(msgspec.Struct, frozen=True):
    """Never seen."""


class Revision(msgspec.Struct, frozen=True):
    """A newer form of a known signal; `changed` holds "content", "state" or both."""

    changed: tuple[str, ...]


class Duplicate(msgspec.Struct, frozen=True):
    """Nothing to do, and why; `foreign` if the signal is another source's, which this one may not change."""

    reason: str
    foreign: bool = False


Novelty = New | Revision | Duplicate


def compare(
    new: Signal, known: KnownSignal | None, *, tombstoned: bool = False, private: frozenset[str] = frozenset()
) -> Novelty:
    """Compare a normalised signal with what is known; `tombstoned` says that its key has a tombstone.

    `private` names the sources whose senders choose ids and networks: what one of them brought, no other may change.
    A post that is gone comes back only by a later edit time, never by a late crawl. A copy without an edit time is older
    than one with it. If both have the same or none, the one that came in first is older (its worker may be slow or lost).
    """
    if tombstoned:
        return Duplicate("tombstoned")
    if known is None:
        return New()
    if _is_foreign(new, known, private):  # first: the raw item of a repeat would take the place of the other source's
        return Duplicate(f"the post is of another source: '{known.source}'", foreign=True)
    if reason := _nothing_new(new, known):
        return Duplicate(reason)
    changes = (("content", new.content_hash != known.content_hash), ("state", new.state != known.state))
    return Revision(tuple(name for name, is_so in changes if is_so))


def _is_foreign(new: Signal, known: KnownSignal, private: frozenset[str]) -> bool:
    """Return True if a signal would change what another source brought, and may not: it speaks for no network, or for another.

    Two sources of one network bring the same posts, and each tells of edits.
    """
    by = new.provenance
    if by is None or not known.source or by.source == known.source:
        return False
    return known.plugin not in ("", by.plugin) or {by.source, known.source} <= private


def _nothing_new(new: Signal, known: KnownSignal) -> str:
    """Return why a copy of a known signal says nothing new; empty if it does."""
    if new.state == known.state and new.content_hash == known.content_hash:
        return "same content"
    if new.state == known.state and new.revision and new.revision == known.revision:
        # Views of one revision may differ in what is no content, such as a picture's address.
        return "same revision"
    if known.state in GONE and new.state not in GONE and not _is_newer(new.updated_at, known.updated_at):
        return f"already {known.state}"
    if new.state not in GONE and _is_older(new.updated_at, known.updated_at):
        return "older revision"
    if new.state not in GONE and new.updated_at == known.updated_at and _is_older(new.observed_at, known.observed_at):
        return "older copy"
    return ""


def _is_newer(new: datetime | None, known: datetime | None) -> bool:
    return new is not None and known is not None and new > known


def _is_older(new: datetime | None, known: datetime | None) -> bool:
    return known is not None and (new is None or new < known)
