"""Files that are there as a whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.config.durable import whole_file


def test_a_file_has_its_name_once_it_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "there"
    with whole_file(target) as out:
        out.write(b"word")
        assert not target.exists()
    assert [path.name for path in tmp_path.iterdir()] == ["there"]
    assert target.read_bytes() == b"word"


def test_an_error_leaves_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "there"
    target.write_bytes(b"old")
    with pytest.raises(ValueError, match="no"), whole_file(target) as out:
        out.write(b"new")
        raise ValueError("no")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("there", b"old")]
