"""Real material of the shared folder, found by HUBBUB_SHARED (default: ../shared beside the repository)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent


def shared(relative: str) -> Path:
    """The path of a piece of shared material; the test is skipped, with the reason, where it is absent."""
    folder = Path(os.environ.get("HUBBUB_SHARED", ROOT.parent / "shared"))
    path = folder / relative
    if not path.exists():
        pytest.skip(f"shared material is absent: {relative} (set HUBBUB_SHARED)")
    return path


def objects_in(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every object in a JSON value, outer ones first."""
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from objects_in(inner)
