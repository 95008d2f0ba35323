"""VADER behind one question: the compound score of a short English text."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version

from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

Score = Callable[[str], float]


def load_score() -> Score:
    """A function from text to compound score in [-1, 1]; reads the word lists (15 ms)."""
    analyzer = SentimentIntensityAnalyzer()

    def score(text: str) -> float:
        return float(analyzer.polarity_scores(text)["compound"])

    return score


def vader_version() -> str:
    """The installed version of vaderSentiment."""
    return version("vaderSentiment")
