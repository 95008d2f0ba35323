"""A hub for one command."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hub.runtime import Hub, find_config, open_hub, set_up_logging


@contextmanager
def opened(file: Path | None, *, level: str = "WARNING") -> Iterator[Hub]:
    """The hub of a configuration, closed at the end."""
    set_up_logging(level=level)
    hub = open_hub(find_config(file))
    try:
        yield hub
    finally:
        hub.close()
