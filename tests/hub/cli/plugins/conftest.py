"""What `hub plugins check` starts: pytest and mypy on this tree; the types of the hub itself are read once, into one cache."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.material import ROOT


@pytest.fixture(scope="session")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mypy")


@pytest.fixture
def tools(shared_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PYTHONPATH", "MYPYPATH"):
        monkeypatch.setenv(name, str(ROOT))
    monkeypatch.setenv("MYPY_CACHE_DIR", str(shared_cache))
