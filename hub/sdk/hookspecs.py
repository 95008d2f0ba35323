"""The hooks. They only hand over classes; the work is done by the classes of `hub.sdk.connectors`.

Hooks are sync, pure and few. A hook implementation that raises or is a coroutine quarantines its plugin, nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pluggy

from hub.sdk.connectors import Destination, Enricher, Source

PROJECT = "hub"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def register_sources() -> Iterable[type[Source[Any]]]:
    """Return the source classes of this plugin."""
    return ()


@hookspec
def register_destinations() -> Iterable[type[Destination[Any]]]:
    """Return the destination classes of this plugin."""
    return ()


@hookspec
def register_enrichers() -> Iterable[type[Enricher[Any]]]:
    """Return the enricher classes of this plugin."""
    return ()
