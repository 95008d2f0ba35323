"""Lines of files, read on from where the last look ended, through growth, rotation and truncation."""

from __future__ import annotations

import glob
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from stat import S_ISREG
from typing import BinaryIO

import msgspec

# A line that is longer is cut into several items: they fail in translate, where a person sees them.
LONGEST_LINE = 16 * 1024 * 1024
_BATCH_BYTES = 8 * 1024 * 1024
_HEAD = 256


class Place(msgspec.Struct, frozen=True, omit_defaults=True):
    """How far a file has been read: `offset` in bytes; `head` is the digest of its first `head_size` bytes.

    The head tells a file from another that has got its inode or its name. `done`: read whole, not looked at again.
    """

    inode: int
    offset: int = 0
    head_size: int = 0
    head: str = ""
    done: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """A file on the disk, and the place from which to read on."""

    path: Path
    place: Place


def find(pattern: str, places: dict[str, Place]) -> list[Found]:
    """Return the regular files of a pattern, the longest unchanged first, each with its place; `places` is by path.

    A known file that was renamed (rotated) is found by its inode among its old neighbours, also outside the pattern, so
    that its last lines are not lost.
    """
    paths = {Path(name) for name in glob.iglob(str(Path(pattern).expanduser()), recursive=True)}  # noqa: PTH207 - takes absolute patterns
    known = {place.inode: place for place in places.values()}
    found: dict[tuple[int, int], Found] = {}
    for path in sorted(paths | _neighbours(places), key=_age):
        identity = _identity(path)
        if identity is None or identity in found:
            continue
        place = known.get(identity[0])
        # A neighbour of which nothing was read could be any file that got a free inode.
        if place is not None and (path in paths or place.offset) and _is_same(path, place):
            found[identity] = Found(path, place)
        elif path in paths:
            found[identity] = Found(path, Place(identity[0]))
    return list(found.values())


def _neighbours(places: dict[str, Place]) -> set[Path]:
    """Return the files beside those that are known."""
    folders = {Path(name).parent for name in places}
    return {path for folder in folders if folder.is_dir() for path in folder.iterdir()}


def read_lines(found: Found, *, whole: bool, most: int) -> Iterator[tuple[list[bytes], Place]]:
    """Yield batches of at most `most` lines without their ends, blank ones left out, each with the place behind it.

    A last line without its end is left for later unless `whole` says that nothing more will come.
    """
    if found.place.done:
        return
    with found.path.open("rb") as file:
        offset, is_end = found.place.offset, False
        while not is_end:
            file.seek(offset)
            lines, offset, is_end = _batch(file, whole=whole, most=most)
            place = _place(file, found.place.inode, offset, done=whole and is_end and offset > 0)
            if lines or place != found.place:
                yield lines, place


def _batch(file: BinaryIO, *, whole: bool, most: int) -> tuple[list[bytes], int, bool]:
    """Return the lines from here on, the offset behind the last complete one, and whether the file ends there."""
    lines: list[bytes] = []
    start = offset = file.tell()
    while len(lines) < most and offset - start < _BATCH_BYTES:
        line = file.readline(LONGEST_LINE)
        if not line or not (whole or line.endswith(b"\n") or len(line) == LONGEST_LINE):
            return lines, offset, True
        text = line.removeprefix(b"\xef\xbb\xbf") if offset == 0 else line
        offset += len(line)
        if text.strip():
            lines.append(text.rstrip(b"\r\n"))
    return lines, offset, False


def _place(file: BinaryIO, inode: int, offset: int, *, done: bool) -> Place:
    file.seek(0)
    head = file.read(min(offset, _HEAD))
    return Place(inode, offset, len(head), _digest(head), done)


def _is_same(path: Path, place: Place) -> bool:
    """Return True if the file still begins as it did and is no shorter than what was read: else it is a new one."""
    try:
        with path.open("rb") as file:
            return path.stat().st_size >= place.offset and _digest(file.read(place.head_size)) == place.head
    except OSError:
        return False


def _digest(head: bytes) -> str:
    return sha256(head).hexdigest()[:16] if head else ""


def _identity(path: Path) -> tuple[int, int] | None:
    """Return inode and device of a regular file, None for anything else; a device's number may change when the system starts."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return (stat.st_ino, stat.st_dev) if S_ISREG(stat.st_mode) else None


def _age(path: Path) -> tuple[int, str]:
    try:
        return path.stat().st_mtime_ns, str(path)
    except OSError:
        return 0, str(path)
