"""Entry point of the lexicon plugin."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hub import Enricher, hookimpl
from plugins.lexicon.enricher import LexiconEnricher


@hookimpl
def register_enrichers() -> Iterable[type[Enricher[Any]]]:
    """Return the lexicon enricher."""
    return (LexiconEnricher,)
