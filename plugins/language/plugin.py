"""Entry point of the language plugin."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hub import Enricher, hookimpl
from plugins.language.enricher import LanguageEnricher


@hookimpl
def register_enrichers() -> Iterable[type[Enricher[Any]]]:
    """Return the language enricher."""
    return (LanguageEnricher,)
