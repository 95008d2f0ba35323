"""How much a listing holds."""

from __future__ import annotations

import pytest

from hub.cli import show


@pytest.mark.parametrize(
    ("limit", "as_json", "rows"),
    [(None, False, 50), (None, True, show.ALL), (0, False, show.ALL), (0, True, show.ALL), (7, False, 7), (7, True, 7)],
)
def test_a_program_gets_all_and_a_person_a_screenful(limit: int | None, as_json: bool, rows: int) -> None:
    assert show.how_many(limit, as_json=as_json) == rows
