"""A backup's file: a zip of the tables' rows, the configuration's files, and a manifest that says what is in it.

The manifest is written last, and the file gets its name when it is whole: a backup that was cut off is none.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated
from zipfile import ZIP_DEFLATED, BadZipFile, ZipFile

import msgspec

from hub.config.durable import whole_file
from hub.config.private import private_opener
from hub.core.errors import HubError
from hub.store.copies import ColumnForm, Summing, TableSum

FORMAT = 1
MANIFEST = "manifest.json"


class NoBackup(HubError):
    """This is no whole backup of a hub."""


class FileThere(HubError):
    """There is a file of this name already: nothing is written over it."""


class NoFolder(HubError):
    """There is no folder to write the file into."""


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
    taken_at: Annotated[datetime, msgspec.Meta(tz=True)]
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
    """Open a backup to be written; it gets its name at the end, and an error leaves nothing.

    Raises FileThere, NoFolder, OSError.
    """
    _refuse_over(target)
    if not target.parent.is_dir():
        raise NoFolder(f"there is no folder {target.parent}: make it, or name one that is there")
    with whole_file(target, opener=private_opener) as raw:
        with ZipFile(raw, "w", ZIP_DEFLATED) as archive:
            yield archive
        _refuse_over(target)


def _refuse_over(target: Path) -> None:
    if target.exists():
        raise FileThere(f"{target} is there already: name another file, or a folder")


@contextmanager
def opened_archive(file: Path) -> Iterator[tuple[ZipFile, Manifest]]:
    """Open a backup, and read all of it once: what follows may rely on it.

    Raises NoBackup if it is none, is cut off, damaged, or of a newer program.
    """
    archive, manifest = _opened(file)
    with archive:
        yield archive, manifest


def _opened(file: Path) -> tuple[ZipFile, Manifest]:
    try:
        archive = ZipFile(file)
        manifest = _manifest(file, archive)
        for name in manifest.files:
            archive.read(file_file(name))
        for name, entry in manifest.tables.items():
            _check_table(archive, name, entry)
    except FileNotFoundError:
        raise NoBackup(f"{file}: there is no such file") from None
    except IsADirectoryError:
        raise NoBackup(f"{file} is a folder: name the backup's file in it") from None
    # KeyError: a part is not in it; RuntimeError: it is encrypted, or packed in a way that no backup is.
    except (BadZipFile, zlib.error, EOFError, KeyError, RuntimeError) as error:
        raise NoBackup(f"{file} is no whole backup of a hub: {' '.join(map(str, error.args))}") from None
    return archive, manifest


def _check_table(archive: ZipFile, name: str, entry: TableEntry) -> None:
    summing = Summing()
    with archive.open(table_file(name)) as lines:
        for line in lines:
            summing.add(line.rstrip(b"\n"))
    compare(name, entry, summing.result(), "is not what was written")


def compare(name: str, entry: TableEntry, found: TableSum, what: str) -> None:
    """Raise NoBackup if a table's rows are others than a backup says."""
    if found != TableSum(entry.rows, entry.sum):
        raise NoBackup(
            f"the table {name} of the backup {what} ({found.rows} of {entry.rows} rows): nothing was restored"
        )


def _manifest(file: Path, archive: ZipFile) -> Manifest:
    try:
        raw = archive.read(MANIFEST)
        if msgspec.json.decode(raw)["format"] > FORMAT:
            raise NoBackup(f"{file} was written by a newer Hubbub: install that version to restore it")
        return msgspec.json.decode(raw, type=Manifest)
    except (KeyError, TypeError, RecursionError, msgspec.DecodeError):
        raise NoBackup(f"{file} is no backup of a hub: it has no manifest") from None


def file_file(name: str) -> str:
    """Return the name of a configuration's file in the archive."""
    return f"files/{name}"


def table_file(name: str) -> str:
    """Return the name of a table's rows in the archive: JSON arrays, one a line."""
    return f"database/{name}.jsonl"
