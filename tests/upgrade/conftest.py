"""Databases that earlier releases filled, as they left them."""

from __future__ import annotations

import lzma
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from hub.store import Store, open_store
from tests.databases import Postgres

HERE = Path(__file__).parent
FILLED = sorted(HERE.glob("*.xz"))
KINDS = {".sqlite.xz": (), ".sql.xz": (pytest.mark.postgresql,)}


@pytest.fixture(
    params=[
        pytest.param(path, id=path.name.removesuffix(".xz"), marks=KINDS["".join(path.suffixes[-2:])])
        for path in FILLED
    ]
)
def filled(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Restore what a release wrote into a database of its own; yields the URL."""
    path: Path = request.param
    content = lzma.decompress(path.read_bytes())
    if path.name.endswith(".sqlite.xz"):
        (tmp_path / "filled.db").write_bytes(content)
        yield f"sqlite:///{tmp_path / 'filled.db'}"
        return
    server: Postgres = request.getfixturevalue("postgresql")
    with server.fresh() as url:
        parts = make_url(url)
        with psycopg.connect(host=server.folder, user="hub", dbname=parts.database) as conn:
            conn.execute(content)
        yield url


@pytest.fixture
def upgraded(filled: str) -> Iterator[Store]:
    """The same after `hub db upgrade`."""
    store = open_store(filled)
    store.database.migrate()
    yield store
    store.close()
