"""Entry point of the flair plugin; importing it does not import flair."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hub import Enricher, hookimpl
from plugins.flair.enricher import FlairEnricher


@hookimpl
def register_enrichers() -> Iterable[type[Enricher[Any]]]:
    """Return the sentiment enricher."""
    return (FlairEnricher,)
