"""What a running hub was started with, and what has changed since: only a new start takes that up, so it is told."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import entry_points
from pathlib import Path

from hub.registry import GROUP

WHAT_TO_DO = "what runs goes on as it was: end it (Ctrl-C) and start it again to take this up"


class Surroundings:
    """The configuration's file and the installed plugins, as they were when the hub started.

    `folders` are those in which packages are installed: only if one of them has changed are the plugins listed again.
    """

    def __init__(self, file: Path, folders: Sequence[str] | None = None) -> None:
        self._file = file
        self._folders = [Path(one) for one in (sys.path if folders is None else folders) if one]
        self._text, self._stamps, self._plugins = self._read(), self._stamped(), _installed()

    def news(self) -> list[str]:
        """Return a line for each change since the last look."""
        return [f"{what}: {WHAT_TO_DO}" for what in (*self._of_the_file(), *self._of_the_plugins())]

    def _of_the_file(self) -> Iterator[str]:
        before, self._text = self._text, self._read()
        if self._text != before:
            yield f"{self._file} has changed" if self._text else f"{self._file} cannot be read any more"

    def _of_the_plugins(self) -> Iterator[str]:
        stamps = self._stamped()
        if stamps == self._stamps:
            return
        before, self._stamps, self._plugins = self._plugins, stamps, _installed()
        for name in sorted({*before, *self._plugins}):
            was, now = before.get(name), self._plugins.get(name)
            if was != now:
                yield _told(name, was, now)

    def _read(self) -> bytes:
        try:
            return self._file.read_bytes()
        except OSError:
            return b""

    def _stamped(self) -> Mapping[Path, int]:
        found = {}
        for folder in self._folders:
            try:
                found[folder] = folder.stat().st_mtime_ns
            except OSError:
                continue
        return found


def _installed() -> dict[str, str]:
    """Return the plugins by name, each with its distribution and version."""
    points = entry_points(group=GROUP)
    return {one.name: f"{one.dist.name} {one.dist.version}" if one.dist else one.value for one in points}


def _told(name: str, was: str | None, now: str | None) -> str:
    if was is None:
        return f"the plugin '{name}' was installed ({now})"
    return (
        f"the plugin '{name}' was removed ({was})" if now is None else f"the plugin '{name}' is {now} now, it was {was}"
    )
