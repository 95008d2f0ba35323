"""A backup's file: a zip of the tables' rows, the configuration's files, and a manifest that says what is in it.

The manifest is written last, and the file gets its name when it is whole: a backup that was cut off is none.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from zipfile import ZIP_DEFLATED, BadZipFile, ZipFile

import msgspec

from hub.config.durable import whole_file
from hub.config.private import private_opener
from hub.core.errors import HubError
from hub.store.copies import ColumnForm

FORMAT = 1
MANIFEST = "manifest.json"


class NoBackup(HubError):
    """This is no whole backup of a hub."""


class FileThere(HubError):
    """There is a file of this name already: nothing is written over it."""


class TableEntry(msgspec.Struct, frozen=True):
    """A table: its columns, how many rows, and their sum."""

    columns: Sequence[ColumnForm]
    rows: int
    sum: str


class SecretPlace(msgspec.Struct, frozen=True, omit_defaults=True):
    """A secret that the configuration reads from elsewhere: it is not in the backup. `at` is its place in the file."""

    at: str
    env: str = ""
    file: str = ""


class Manifest(msgspec.Struct, frozen=True):
    """What a backup holds; `withheld` are places in the configuration whose value was taken out, being a secret."""

    format: int
    version: str
    revision: str
    database: str
    taken_at: datetime
    tables: Mapping[str, TableEntry]
    files: Sequence[str]
    secrets: Sequence[SecretPlace] = ()
    withheld: Sequence[str] = ()

    @property
    def rows(self) -> int:
        """Return how many rows there are in all tables."""
        return sum(one.rows for one in self.tables.values())


@contextmanager
def written(target: Path) -> Iterator[ZipFile]:
    """Open a backup to be written; it gets its name at the end, and an error leaves nothing. Raises FileThere, OSError."""
    if target.exists():
        raise FileThere(f"{target} is there already: name another file, or a folder")
    with whole_file(target, opener=private_opener) as raw, ZipFile(raw, "w", ZIP_DEFLATED) as archive:
        yield archive


@contextmanager
def opened_archive(file: Path) -> Iterator[tuple[ZipFile, Manifest]]:
    """Open a backup that was written. Raises NoBackup if it is none, is cut off, damaged, or of a newer program."""
    try:
        with ZipFile(file) as archive:
            yield archive, _manifest(file, archive)
    except FileNotFoundError:
        raise NoBackup(f"{file}: there is no such file") from None
    except IsADirectoryError:
        raise NoBackup(f"{file} is a folder: name the backup's file in it") from None
    except (BadZipFile, zlib.error, EOFError) as error:
        raise NoBackup(f"{file} is no whole backup of a hub: {error}") from None


def _manifest(file: Path, archive: ZipFile) -> Manifest:
    try:
        raw = archive.read(MANIFEST)
        if msgspec.json.decode(raw)["format"] > FORMAT:
            raise NoBackup(f"{file} was written by a newer Hubbub: install that version to restore it")
        return msgspec.json.decode(raw, type=Manifest)
    except (KeyError, TypeError, msgspec.DecodeError):
        raise NoBackup(f"{file} is no backup of a hub: it has no manifest") from None


def table_file(name: str) -> str:
    """Return the name of a table's rows in the archive: JSON arrays, one a line."""
    return f"database/{name}.jsonl"
