"""Paths that people write."""

from __future__ import annotations

from pathlib import Path


def written_path(path: Path) -> Path:
    """Return a path with `~` as the home of its user. Raises ValueError, with the way out, if no file can be meant."""
    text = str(path)
    if path == Path() or not text.strip():  # Path("") is the folder itself: never meant
        raise ValueError("write a path")
    if not text.isprintable():
        raise ValueError("this path holds a sign that is not seen: write it again")
    if "${" in text or text.startswith("$"):
        raise ValueError("variables are not filled in here: write the path itself")
    try:
        return path.expanduser()
    except RuntimeError:
        raise ValueError(f"this machine has no user {path.parts[0].removeprefix('~')}: write the whole path") from None


__all__ = ["written_path"]
