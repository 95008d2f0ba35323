"""The contract of all enrichers, kept by this one."""

from __future__ import annotations

import pytest

from hub.testkit.contracts.enricher import EnricherContract
from plugins.flair.enricher import FlairEnricher


@pytest.mark.model
class TestFlairContract(EnricherContract):
    """The embedded model; no tolerance, because each text has its own run."""

    enricher = FlairEnricher
