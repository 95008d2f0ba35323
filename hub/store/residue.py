"""What was deleted and still stands in the database's files: taken out of them, as far as a program may."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Sequence
from typing import Any, Literal

from sqlalchemy import Table

from hub.core.errors import StoreUnavailable
from hub.store.database import PRAGMAS, Database, unavailable

Scrubbed = Literal["clean", "busy", "large"]
"""How a scrub ended: nothing is left; others are in the way (try again); the file was too large to be rewritten."""
REWRITABLE = 512 * 1024 * 1024  # bytes of a file that may be rewritten while others wait for it: about 3 seconds
PATIENCE_MS = 500


def scrub(database: Database, tables: Sequence[Table], *, whole: bool) -> Scrubbed:
    """Take what was deleted out of the files too. Raises StoreUnavailable.

    SQLite zeroes freed space at once; what is left are the write-ahead log, which is emptied, and (`whole`) copies that the
    splitting of pages left behind: the file is rewritten, unless it is larger than REWRITABLE. PostgreSQL is asked to VACUUM
    these tables (`whole`); what it keeps besides (its own log, space that it uses again) it alone can remove.
    """
    if database.is_sqlite:
        with unavailable(), database.engine.connect() as conn:
            raw = conn.connection.dbapi_connection
            assert raw is not None
            with contextlib.closing(raw.cursor()) as cursor:
                return _scrub_file(cursor, whole=whole)
    if whole:
        with unavailable(), database.engine.connect() as conn:
            bare = conn.execution_options(isolation_level="AUTOCOMMIT")
            names = ", ".join(bare.dialect.identifier_preparer.format_table(table) for table in tables)
            bare.exec_driver_sql(f"VACUUM {names}")
    return "clean"


def _scrub_file(cursor: Any, *, whole: bool) -> Scrubbed:
    cursor.execute(f"PRAGMA busy_timeout={PATIENCE_MS}")
    try:
        is_whole = not whole or _rewrite(cursor)
        busy, *_ = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
            return "busy"
        raise StoreUnavailable(f"the database cannot take it now: {error}") from error
    finally:
        cursor.execute(f"PRAGMA {PRAGMAS[0]}")
    return "busy" if busy else "clean" if is_whole else "large"


def _rewrite(cursor: Any) -> bool:
    """Rewrite the file; False if it is too large for that, or the disk has no room for a second one."""
    (pages,), (size,) = (cursor.execute(f"PRAGMA {name}").fetchone() for name in ("page_count", "page_size"))
    if pages * size > REWRITABLE:
        return False
    try:
        cursor.execute("VACUUM")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_FULL:
            raise
        return False
    return True
