"""Labels signals with their language."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from hub import Enricher, Label, Signal
from plugins.language.client import Rank, choose, load_rank, py3langid_version
from plugins.language.config import LanguageOptions
from plugins.language.translate import letters_in, network_language, words_of


class LanguageEnricher(Enricher[LanguageOptions]):
    """The network's own field where it has one, else py3langid; no label rather than a guess."""

    name = "language"
    Options = LanguageOptions
    labels: ClassVar[tuple[str, ...]] = ("language",)
    inherits: ClassVar[tuple[str, ...]] = ("languages",)
    _rank: Rank | None = None
    _version = ""

    def load(self) -> None:
        """Read py3langid's model; the second call does nothing."""
        if self._rank is None:
            self._rank = load_rank(self.options.languages)
            self._version = py3langid_version()

    def enrich(self, signals: Sequence[Signal]) -> list[tuple[Label, ...]]:
        """Give each signal one `language` label, or none."""
        self.load()
        return [self._label(signal) for signal in signals]

    def _label(self, signal: Signal) -> tuple[Label, ...]:
        told = network_language(signal) if self.options.trust_network else None
        return (Label("language", told, "network"),) if told else self._detect(words_of(signal))

    def _detect(self, text: str) -> tuple[Label, ...]:
        assert self._rank is not None
        if letters_in(text) < self.options.min_letters:
            return ()
        found = choose(self._rank(text), self.options.languages)
        if found is None or found[1] < self.options.min_confidence:
            return ()
        code, confidence = found
        return (Label("language", code, "py3langid", confidence=round(confidence, 4), version=self._version),)
