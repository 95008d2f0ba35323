"""The contract of all enrichers, kept by this one."""

from __future__ import annotations

from hub.testkit.contracts.enricher import EnricherContract
from plugins.language.enricher import LanguageEnricher


class TestLanguageContract(EnricherContract):
    """Texts without a language of their network, so that py3langid has to say it."""

    enricher = LanguageEnricher
