"""A backup put back into an empty place: files that are not there yet, then all rows, all or none; then nothing is sent yet."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import NamedTuple
from zipfile import ZipFile

from hub.config.durable import whole_file
from hub.config.failpoint import reached
from hub.config.settings import Settings, load_settings
from hub.core.errors import ConfigError, NewerDatabase, Problem
from hub.flow.backup.archive import Manifest, NoBackup, compare, file_file, table_file
from hub.flow.backup.files import CONFIG, WITHHELD, place_of
from hub.store import Connection, Store
from hub.store.audit import AuditEntry
from hub.store.database import HEAD
from hub.store.hold import Holding


class Backup(NamedTuple):
    """An opened backup."""

    file: Path
    archive: ZipFile
    manifest: Manifest


def restore_files(archive: ZipFile, manifest: Manifest, config: Path) -> tuple[list[Path], list[Path]]:
    """Write the configuration's files that are not there; returns those, and those that are there and differ.

    The configuration comes first, since it says where the others belong. Raises ConfigError if it cannot be used as it is.
    """
    names = sorted(manifest.files, key=lambda name: name != CONFIG)
    done: list[Path] = []
    differing: list[Path] = []
    settings = load_settings(config) if config.exists() else None
    for name in names:
        place = config if name == CONFIG else place_of(name, settings or load_settings(config))
        if place is None:
            raise NoBackup(f"the backup holds a file of a name that no backup has: {name}")
        content = archive.read(file_file(name))
        if not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            with whole_file(place) as out:
                out.write(content)
            done.append(place)
        elif place.read_bytes().removeprefix(b"\xef\xbb\xbf") != content:
            differing.append(place)
    return done, differing


def refuse_withheld(settings: Settings) -> None:
    """Raise ConfigError if the database's own password is one of the secrets that the backup left out."""
    if WITHHELD in settings.database_url:
        message = f"its password is in no backup: {WITHHELD} stands in its place"
        hint = "write it there (or keep it apart, by { env } or { file }), then restore again"
        raise ConfigError([Problem(str(settings.file), "database.url", message, hint)])


def restore_rows(store: Store, backup: Backup, *, held: Holding, entry: AuditEntry, now: datetime) -> None:
    """Fill an empty database, compare each table with what the backup says of it, and hold the hub: in one transaction.

    Raises NotEmpty, NoBackup if a table is not what was written, NewerDatabase if the backup is of a newer program.
    """
    manifest = backup.manifest
    if manifest.revision > HEAD:
        raise NewerDatabase(
            f"the backup is of Hubbub {manifest.version} (revision {manifest.revision}), this program knows {HEAD}: "
            "install that version, or a later one, and restore again"
        )
    if not store.copies.knows(manifest.revision):
        raise NoBackup(f"the backup is of revision '{manifest.revision}', which no Hubbub has: nothing was restored")
    with store.copies.filling(manifest.revision) as conn:
        _check_tables(store, conn, manifest)
        for name, table in manifest.tables.items():
            with backup.archive.open(table_file(name)) as lines:
                read = store.copies.add(conn, name, table.columns, (line.rstrip(b"\n") for line in lines))
            compare(name, table, read, "is not what was written")
            found = store.copies.sum_of(conn, name, table.columns)
            compare(name, table, found, "was not taken by the database as it is")
            reached("restore.table")
        store.copies.complete(conn)
        # In the same transaction: a hub that was restored is never seen without its hold.
        store.hold.begin(conn, held)
        # What was ended or used since the backup must not open the door again.
        store.sessions.end_everything(conn)
        store.one_time_links.drop_all(conn)
        store.audit.note_in(conn, entry, now=now)
        reached("restore.held")


def _check_tables(store: Store, conn: Connection, manifest: Manifest) -> None:
    """Raise NoBackup if a backup's tables are not those of its revision, or have other columns."""
    there = {name: {form.name for form in forms} for name, forms in store.copies.forms(conn).items()}
    for name in sorted(there.keys() - manifest.tables.keys()):
        raise NoBackup(f"the backup lacks the table {name}: nothing was restored")
    for name, entry in manifest.tables.items():
        columns = [form.name for form in entry.columns]
        if not set(columns) <= there.get(name, set()) or len(set(columns)) < len(columns):
            raise NoBackup(
                f"the table {name} of the backup is none of revision {manifest.revision}: nothing was restored"
            )


def absent_secrets(manifest: Manifest, folder: Path) -> Iterator[str]:
    """Yield the secrets that the configuration reads and that are not here."""
    for one in manifest.secrets:
        if one.env and one.env not in os.environ:
            yield f"{one.at}: the environment variable {one.env}"
        if one.file and not (folder / one.file).is_file():
            yield f"{one.at}: the file {one.file}"
