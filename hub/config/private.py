"""Folders and files that only this user may read: what the hub keeps are strangers' words and customers' names."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

from hub.config.logs import LateLogger

log = LateLogger(__name__)
OTHERS = stat.S_IRWXG | stat.S_IRWXO


def make_private_folder(folder: Path) -> None:
    """Make a folder that only this user may enter (0700); one that is there and ours is closed to others.

    Folders above it are made as usual. Raises OSError if it cannot be made.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    close_to_others(folder)


def close_to_others(path: Path) -> None:
    """Take the rights of group and others from a path that is ours; what cannot be changed is left to `hub check` to tell."""
    with contextlib.suppress(OSError):
        found = path.stat()
        if found.st_uid == os.getuid() and found.st_mode & OTHERS:
            path.chmod(stat.S_IMODE(found.st_mode) & ~OTHERS)
            if stat.S_ISDIR(found.st_mode):
                log.warning("a folder was open to other users of this machine; it is closed now", folder=str(path))


def private_opener(path: str, flags: int) -> int:
    """Open a file for `open(..., opener=private_opener)`: a new one is this user's only (0600)."""
    return os.open(path, flags, 0o600)


def open_to_others(folder: Path) -> list[Path]:
    """Return the folder and what lies in it, as far as group or others have a right to it; none if it is not there."""
    if not folder.is_dir() or not folder.stat().st_mode & OTHERS:
        return []  # behind a closed door the rights of what lies there say nothing
    inner = [path for path in sorted(folder.iterdir()) if path.lstat().st_mode & OTHERS and not path.is_symlink()]
    return [folder, *inner]
