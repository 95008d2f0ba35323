"""Files that a crash or a power cut leaves either as a whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO


@contextmanager
def whole_file(target: Path, *, opener: Callable[[str, int], int] | None = None) -> Iterator[BinaryIO]:
    """Open a file to be written; it gets its name once the disk has all of it, and an error leaves nothing. Raises OSError."""
    part = target.with_name(f"{target.name}.part")
    try:
        with open(part, "wb", opener=opener) as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
        part.rename(target)
        keep_names(target.parent)
    except BaseException:
        with suppress(OSError):
            part.unlink()
        raise


def keep_names(folder: Path) -> None:
    """Wait until the disk has a folder's entries: a power cut would take the name of a new file away."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
