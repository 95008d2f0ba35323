"""The embedded model, opened once for all tests of this folder: importing flair takes ten seconds."""

from __future__ import annotations

import pytest

from plugins.flair.enricher import FlairEnricher


@pytest.fixture(scope="session")
def embedded() -> FlairEnricher:
    """A loaded enricher with the default options."""
    enricher = FlairEnricher(FlairEnricher.Options())
    enricher.load()
    return enricher
