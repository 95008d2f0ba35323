"""VADER behind one question: the compound score of a short English text."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from importlib.metadata import version

from vaderSentiment.vaderSentiment import BOOSTER_DICT, NEGATE, SPECIAL_CASES, SentimentIntensityAnalyzer

Score = Callable[[str], float]
# The words that its check of negations looks for; "so" and "this" count beside "never", and by a slip also without it.
_NEGATING = (*NEGATE, "never", "without", "so", "this")
_IDIOMATIC = tuple(phrase.split()[-1] for phrase in (*SPECIAL_CASES, *BOOSTER_DICT) if " " in phrase)


class Analyzer(SentimentIntensityAnalyzer):  # type: ignore[misc]  # the library has no types
    """VADER that leaves out the checks which cannot find anything: the same scores in half the time.

    VADER lower-cases the whole text again for each of three words before each of its sentiment words.
    """

    negations = True
    idioms = True

    def compound(self, text: str) -> float:
        """The compound score in [-1, 1]."""
        lowered = text.lower()
        self.negations = _NEGATIONS.search(lowered) is not None
        self.idioms = _IDIOMS.search(lowered) is not None
        return float(self.polarity_scores(text)["compound"])

    def _negation_check(self, valence: float, words: list[str], start_i: int, i: int) -> float:
        return float(super()._negation_check(valence, words, start_i, i)) if self.negations else valence

    def _special_idioms_check(self, valence: float, words: list[str], i: int) -> float:
        return float(super()._special_idioms_check(valence, words, i)) if self.idioms else valence


def _any_of(words: Iterable[str]) -> str:
    return r"(?<!\w)(?:" + "|".join(sorted(map(re.escape, set(words)), key=len, reverse=True)) + r")(?!\w)"


_NEGATIONS = re.compile(_any_of(_NEGATING) + "|n't")
_IDIOMS = re.compile(_any_of(_IDIOMATIC))


def load_score() -> Score:
    """A function from text to compound score in [-1, 1]; reads the word lists (15 ms)."""
    return Analyzer().compound


def vader_version() -> str:
    """The installed version of vaderSentiment."""
    return version("vaderSentiment")
