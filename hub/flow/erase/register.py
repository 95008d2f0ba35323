"""The register of erasures: a file beside the database, which a restore leaves as it is and applies again.

A line holds a hashed key and a time, nothing else: `{"key": "mastodon:...", "at": "2026-11-22T12:00:00Z"}`.
"""

from __future__ import annotations

import fcntl
import os
from datetime import datetime
from pathlib import Path

import msgspec

from hub.config.durable import keep_names
from hub.config.logs import LateLogger
from hub.core.errors import HubError
from hub.core.model import Tombstone
from hub.flow.erase.erase import erase
from hub.runtime import Hub

log = LateLogger(__name__)


class RegisterUnavailable(HubError):
    """The register of erasures cannot be read or written."""


class Erased(msgspec.Struct, frozen=True):
    """An erasure that was asked for: the key of a signal or an author, and the time of it."""

    key: str
    at: datetime


_entry = msgspec.json.Decoder(Erased)


def note(hub: Hub, key: str, at: datetime, *others: str) -> None:
    """Append an erasure, and what falls with it (`others`), and wait until the disk has it.

    It is called before anything is erased: what was asked for is done after a restore too. Raises RegisterUnavailable.
    """
    file = hub.settings.erasures
    lines = b"".join(msgspec.json.encode(Erased(one, at)) + b"\n" for one in dict.fromkeys((key, *others)))
    try:
        is_new = not file.exists()
        file.parent.mkdir(parents=True, exist_ok=True)
        _append(file, lines)
        if is_new:
            keep_names(file.parent)
    except OSError as error:
        raise RegisterUnavailable(
            f"nothing was erased, since the register of erasures cannot be written: {file}: {error.strerror or error}. "
            "Let the hub's user write it, or name another file in hub.erasures"
        ) from None


def read(hub: Hub) -> list[Erased]:
    """Return all erasures, oldest first; a line that a crash has cut is left out. Raises RegisterUnavailable."""
    file = hub.settings.erasures
    try:
        lines = file.read_bytes().splitlines()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise RegisterUnavailable(
            f"the register of erasures cannot be read: {file}: {error.strerror or error}"
        ) from None
    found = [one for number, line in enumerate(lines, 1) if (one := _read_line(file, number, line))]
    return sorted(found, key=lambda one: one.at)


def reapply(hub: Hub) -> list[Erased]:
    """Erase again all that the database knows nothing of, as `hub erase` does.

    Returns what was erased again. A key that the database never had is kept as a tombstone: sources may be read once more
    from a time before the erasure. Raises what `erase` raises; called again it goes on.
    """
    latest = {one.key: one for one in read(hub)}
    with hub.store.database.read() as conn:
        known = hub.store.signals.gone_since(conn, list(latest))
    missing = [one for one in latest.values() if one.key not in known or known[one.key] < one.at]
    erase(hub, [Tombstone(one.key, "erasure", one.at) for one in missing])
    if missing:
        log.warning("erasures were applied again", erasures=len(missing))
    return missing


def _append(file: Path, lines: bytes) -> None:
    """Write lines at the end of the file, alone, and wait for the disk."""
    handle = os.open(file, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        size = os.fstat(handle).st_size
        # A crash may have cut the last line: what follows must not become a part of it.
        is_cut = size > 0 and os.pread(handle, 1, size - 1) != b"\n"
        _write(handle, b"\n" + lines if is_cut else lines)
        os.fsync(handle)
    finally:
        os.close(handle)


def _write(handle: int, data: bytes) -> None:
    while data:
        data = data[os.write(handle, data) :]


def _read_line(file: Path, number: int, line: bytes) -> Erased | None:
    if not line.strip():
        return None
    try:
        return _entry.decode(line)
    except msgspec.DecodeError:
        log.warning("a line of the register of erasures cannot be read", file=str(file), line=number)
        return None
