"""The contract of all enrichers, kept by this one."""

from __future__ import annotations

from hub import Signal
from hub.testkit.contracts.enricher import EnricherContract, signal_of
from plugins.lexicon.enricher import LexiconEnricher


class TestLexiconContract(EnricherContract):
    """Every text is called English: no other is read."""

    enricher = LexiconEnricher

    def signals(self) -> list[Signal]:
        """The texts as English signals."""
        return [signal_of(text, lang="en") for text in self.texts]
