"""Labels English signals with VADER's sentiment."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import ClassVar

from hub import Enricher, Label, Signal
from plugins.lexicon.client import Score, load_score, vader_version
from plugins.lexicon.config import LexiconOptions
from plugins.lexicon.translate import is_english, to_label, windows_of

# Reposts and templates repeat; a window is 100 words, so 1,024 of them stay under a megabyte.
_REMEMBERED = 1024


class LexiconEnricher(Enricher[LexiconOptions]):
    """VADER on what is known to be English; any other language gets no label."""

    name = "lexicon"
    Options = LexiconOptions
    labels: ClassVar[tuple[str, ...]] = ("sentiment",)
    _score: Score | None = None
    _version = ""

    def load(self) -> None:
        """Read the word lists; the second call does nothing."""
        if self._score is None:
            self._score = lru_cache(_REMEMBERED)(load_score())
            self._version = vader_version()

    def enrich(self, signals: Sequence[Signal]) -> list[tuple[Label, ...]]:
        """Give each signal one `sentiment` label, or none."""
        self.load()
        return [self._label(signal) for signal in signals]

    def _label(self, signal: Signal) -> tuple[Label, ...]:
        assert self._score is not None
        if not is_english(signal):
            return ()
        scores = [self._score(window) for window in windows_of(signal, self.options.max_windows)]
        if not scores:
            return ()
        mean = sum(scores) / len(scores)
        return (to_label(mean, self._value(mean), self._version),)

    def _value(self, score: float) -> str:
        if score >= self.options.positive_from:
            return "positive"
        return "negative" if score <= self.options.negative_from else "neutral"
