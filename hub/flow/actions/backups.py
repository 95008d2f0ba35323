"""Backups: made while the hub runs, put back into an empty place, and the word that lets a restored hub send."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from hub.config.settings import Settings, load_settings
from hub.core.access import Actor, demand
from hub.flow.actions.doing import doing
from hub.flow.backup import restoration
from hub.flow.backup.archive import Manifest, opened_archive
from hub.flow.backup.backup import back_up
from hub.flow.erase.register import reapply
from hub.flow.lanes import outlets, ring_outlets
from hub.queue.embedded import lock
from hub.runtime import Hub, is_absent, open_hub, system_clock
from hub.store import open_store
from hub.store.audit import AuditEntry
from hub.store.database import HEAD
from hub.store.hold import Holding

__all__ = ["Manifest", "Restored", "keep_before_upgrade", "make", "restore", "resume"]


class Restored(NamedTuple):
    """What was put back: the files that were written, those that were there and differ, secrets that are not here, erasures."""

    manifest: Manifest
    written: list[Path]
    differing: list[Path]
    absent_secrets: list[str]
    erased: int


class Resumed(NamedTuple):
    """What lets the hub send again found: how many erasures were done again, how many deliveries are in doubt."""

    erased: int
    doubtful: int


def make(hub: Hub, actor: Actor, target: Path) -> tuple[Path, Manifest]:
    """Write a backup to a file, or into a folder; returns where and what. The entry is written once the file is whole.

    Raises FileThere, OSError.
    """
    demand(actor, "backups.make")
    file, manifest = back_up(hub.settings, hub.store, target, now=hub.now())
    with doing(hub, actor, "backups.make") as act:
        act.note("backup", str(file), rows=manifest.rows, taken_at=manifest.taken_at.isoformat())
    return file, manifest


def keep_before_upgrade(config: Path, folder: Path | None = None) -> Path | None:
    """Back up a database that is about to be upgraded, into a folder (else beside the configuration); None if there is none."""
    settings = load_settings(config)
    if is_absent(settings):
        return None
    store = open_store(settings.database_url)
    try:
        found = store.database.revision()
        if found is None or found >= HEAD:
            return None
        return back_up(settings, store, folder or _beside(settings), now=system_clock())[0]
    finally:
        store.close()


def _beside(settings: Settings, *, may_write: Callable[[Path, int], bool] = os.access) -> Path:
    """Return the configuration's folder, or the data folder if that one is read-only, as it is for a service."""
    return settings.folder if may_write(settings.folder, os.W_OK) else settings.data


def restore(config: Path, file: Path, actor: Actor) -> Restored:
    """Put a backup back: files that are not there, all rows into an empty database, erasures since then; nothing is sent.

    Raises NoBackup, NotEmpty, AlreadyRunning, ConfigError, NewerDatabase: the database is as it was then.
    """
    demand(actor, "backups.restore")
    with opened_archive(file) as (archive, manifest):
        written, differing = restoration.restore_files(archive, manifest, config)
        settings = load_settings(config)
        restoration.refuse_withheld(settings)
        with lock(settings.data):
            _restore_rows(settings, actor, restoration.Backup(file, archive, manifest))
            erased = _erase_again(config)
    absent = list(restoration.absent_secrets(manifest, settings.folder))
    return Restored(manifest, written, differing, absent, erased)


def _restore_rows(settings: Settings, actor: Actor, backup: restoration.Backup) -> None:
    now, taken_at = system_clock(), backup.manifest.taken_at
    held = Holding(now, f"restored from {backup.file.name} of {_minute(taken_at)}: `hub resume` lets it send", taken_at)
    entry = AuditEntry("restore", backup.file.name, actor.name, {"taken_at": taken_at.isoformat()})
    store = open_store(settings.database_url)
    try:
        restoration.restore_rows(store, backup, held=held, entry=entry, now=now)
    finally:
        store.close()


def _minute(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M} UTC"


def _erase_again(config: Path) -> int:
    hub = open_hub(config)
    try:
        return len(reapply(hub))
    finally:
        hub.close()


def resume(hub: Hub, actor: Actor) -> Resumed | None:
    """Let a held hub send again; None if it is not held.

    Erasures that the restored database does not know are done first. What waited when the backup was made is in doubt: it is
    looked up, or recognised by its key, before it is sent. Raises RegisterUnavailable: nothing is changed then.
    """
    demand(actor, "backups.resume")
    if hub.store.hold.get() is None:
        return None
    erased = len(reapply(hub))
    with doing(hub, actor, "backups.resume") as act:
        held = hub.store.hold.get()
        doubtful = hub.store.hold.end(act.conn, held, now=hub.now()) if held else 0
        act.note("resume sending", "hub", erased=erased or None, doubtful=doubtful or None)
    ring_outlets(hub, outlets(hub))
    return Resumed(erased, doubtful)
