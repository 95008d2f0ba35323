"""VADER behind one question: the compound score of a short English text."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from importlib.metadata import version

from vaderSentiment.vaderSentiment import BOOSTER_DICT, NEGATE, SPECIAL_CASES, SentimentIntensityAnalyzer, SentiText

Score = Callable[[str], float]
# The words that its check of negations looks for; "so" and "this" count beside "never", and by a slip also without it.
_NEGATING = (*NEGATE, "never", "without", "so", "this")
_IDIOMATIC = tuple(phrase.split()[-1] for phrase in (*SPECIAL_CASES, *BOOSTER_DICT) if " " in phrase)


class Analyzer(SentimentIntensityAnalyzer):  # type: ignore[misc]  # the library has no types
    """VADER that leaves out the checks which cannot find anything: the same scores in a third of the time.

    VADER lower-cases the whole text again for each of three words before each of its sentiment words, looks every character
    up among its emoji, and weighs each word at length, though all but the few of its lexicon weigh nothing.
    """

    negations = True
    idioms = True

    def compound(self, text: str) -> float:
        """Return the compound score in [-1, 1]."""
        spoken = _BEYOND_ASCII.sub(self._say, text).strip()
        lowered = spoken.lower()
        self.negations = _NEGATIONS.search(lowered) is not None
        self.idioms = _IDIOMS.search(lowered) is not None
        whole = SentiText(spoken)
        valences = self._weigh(whole)
        if "but" in lowered:
            valences = self._but_check(whole.words_and_emoticons, valences)
        return float(self.score_valence(valences, spoken)["compound"])

    def _say(self, found: re.Match[str]) -> str:
        """Put an emoji in words, set off from what stands before it; leave another character as it is."""
        words = self.emojis.get(found[0])
        if words is None:
            return found[0]
        start = found.start()
        return str(words) if start == 0 or found.string[start - 1] == " " else f" {words}"

    def _weigh(self, whole: SentiText) -> list[float]:
        valences: list[float] = []
        words = whole.words_and_emoticons
        for at, word in enumerate(words):
            lowered = word.lower()
            kind_of = lowered == "kind" and words[at + 1 : at + 2] and words[at + 1].lower() == "of"
            if lowered not in self.lexicon or lowered in BOOSTER_DICT or kind_of:
                valences.append(0)
            else:
                valences = self.sentiment_valence(0, whole, word, at, valences)
        return valences

    def _negation_check(self, valence: float, words: list[str], start_i: int, i: int) -> float:
        return float(super()._negation_check(valence, words, start_i, i)) if self.negations else valence

    def _special_idioms_check(self, valence: float, words: list[str], i: int) -> float:
        return float(super()._special_idioms_check(valence, words, i)) if self.idioms else valence


def _any_of(words: Iterable[str]) -> str:
    return r"(?<!\w)(?:" + "|".join(sorted(map(re.escape, set(words)), key=len, reverse=True)) + r")(?!\w)"


_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]")  # its emoji are among these
_NEGATIONS = re.compile(_any_of(_NEGATING) + "|n't")
_IDIOMS = re.compile(_any_of(_IDIOMATIC))


def load_score() -> Score:
    """Return a function from text to compound score in [-1, 1]; reads the word lists (15 ms)."""
    return Analyzer().compound


def vader_version() -> str:
    """Return the installed version of vaderSentiment."""
    return version("vaderSentiment")
