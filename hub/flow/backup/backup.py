"""A backup, made while the hub runs: every table as it is at one moment, and the configuration's files without secrets."""

from __future__ import annotations

from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple
from zipfile import ZipFile, ZipInfo

import msgspec

from hub.config.failpoint import reached
from hub.config.settings import Settings
from hub.core.errors import WrongRevision
from hub.flow.backup import files
from hub.flow.backup.archive import FORMAT, MANIFEST, Manifest, TableEntry, file_file, table_file, written
from hub.store import Connection, Store
from hub.store.copies import Summing


class _Files(NamedTuple):
    names: list[str]
    withheld: list[str]
    config: str


def back_up(settings: Settings, store: Store, target: Path, *, now: datetime) -> tuple[Path, Manifest]:
    """Write a backup to a file, or into a folder under a name of the time; returns where and what.

    The database may be of an older revision. Raises FileThere, OSError if the file cannot be written, WrongRevision if there is
    no schema yet.
    """
    file = target / f"hubbub-{now:%Y%m%dT%H%M%SZ}.zip" if target.is_dir() else target
    revision = store.database.revision()
    if revision is None:
        raise WrongRevision("there is nothing to back up: the database is empty")
    with written(file) as archive:
        kept = _write_files(settings, archive)
        with store.copies.reading() as conn:
            tables = _write_tables(store, conn, archive)
        manifest = Manifest(
            FORMAT,
            version("hubbub"),
            revision,
            store.database.engine.dialect.name,
            now,
            tables,
            files=kept.names,
            secrets=files.secrets_of(kept.config),
            withheld=kept.withheld,
        )
        archive.writestr(_entry(MANIFEST), msgspec.json.format(msgspec.json.encode(manifest), indent=1))
        reached("backup.manifest")
    return file, manifest


def _write_tables(store: Store, conn: Connection, archive: ZipFile) -> dict[str, TableEntry]:
    tables = {}
    for name, forms in store.copies.forms(conn).items():
        summing = Summing()
        with archive.open(_entry(table_file(name)), "w", force_zip64=True) as out:
            for line in store.copies.lines(conn, name, forms):
                out.write(line + b"\n")
                summing.add(line)
        tables[name] = TableEntry(forms, *summing.result())
        reached("backup.table")
    return tables


def _write_files(settings: Settings, archive: ZipFile) -> _Files:
    withheld: list[str] = []
    config = ""
    found = files.named_files(settings)
    for name, path in found.items():
        text = path.read_text("utf-8-sig")
        if name == files.CONFIG:
            text, withheld = files.without_secrets(text)
            config = text
        archive.writestr(_entry(file_file(name)), text)
    return _Files(list(found), withheld, config)


def _entry(name: str) -> ZipInfo:
    """Return an entry that is packed, and that only its owner may read once it is unpacked."""
    entry = ZipInfo(name)
    entry.compress_type = 8
    entry.external_attr = 0o600 << 16
    return entry
