"""Topics: one pass over a text for all keywords, whatever their number.

Case, accents and ways of writing do not matter (see `hub.core.grammar.fold`). A keyword ends where a word ends in scripts that
space their words; Chinese, Japanese, Korean, Thai and the like have no such ends. `#AcmePay` says
"acmepay" and "acme pay".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import accumulate
from unicodedata import category

from ahocorasick_rs import AhoCorasick

from hub.core.grammar.fold import JOINER, char_lengths, fold, fold_line, one_line
from hub.core.keys import digest
from hub.core.spec import Topic, version_of

_BREAK = "\x00"  # between text and hashtags: no text holds it
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u2e80-\u312f\u3130-\u318f\u31a0-\u31bf\u31f0-\u31ff\u3400-\u9fff"
    "\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\uff66-\uffdc\U0001b000-\U0001b16f\U00020000-\U0003ffff]"
)  # Thai, Lao, Burmese, Khmer, kana, bopomofo, Han; Hangul too: its particles follow the word without a space


@lru_cache(maxsize=4096)
def _is_word(char: str) -> bool:
    """Return True if the character is part of a word in a script that puts spaces between words."""
    return (char.isalnum() or char == "_" or category(char)[0] == "M") and not _UNSPACED.match(char)


class TopicIndex:
    """Compiled topics; `version` is a digest, `topics` what was written."""

    def __init__(self, topics: Sequence[Topic]) -> None:
        self.topics = tuple(topics)
        self.version = digest(*map(version_of, topics))
        owners: dict[str, list[tuple[str, bool]]] = {}
        for topic in topics:
            for excludes, keywords in ((False, topic.keywords), (True, topic.exclude)):
                for pattern in {pattern for keyword in keywords for pattern in _patterns(keyword)}:
                    owners.setdefault(pattern, []).append((topic.name, excludes))
        self._owners = tuple(tuple(names) for names in owners.values())
        self._automaton = AhoCorasick(list(owners)) if owners else None

    def match(self, text: str, hashtags: Sequence[str] = ()) -> tuple[str, ...]:
        """Return the sorted names of the topics that the text (or one of the hashtags, without #) is about."""
        if self._automaton is None:
            return ()
        if hashtags:
            text = f"{text} {_BREAK} #{' #'.join(hashtags)}"
        line = one_line(text)
        folded = fold_line(line)
        # overlapping: "acme" must be heard beside "acme pay", whichever is written first
        hits = self._automaton.find_matches_as_indexes(folded, overlapping=True)
        return self._judge(hits, folded, line) if hits else ()

    def _judge(self, hits: list[tuple[int, int, int]], folded: str, line: str) -> tuple[str, ...]:
        starts = None if line.isascii() else _char_starts(line)
        wanted: set[str] = set()
        excluded: set[str] = set()
        for pattern, start, end in hits:
            if _stands_alone(folded, start, end) and (starts is None or (start in starts and end in starts)):
                for name, excludes in self._owners[pattern]:
                    (excluded if excludes else wanted).add(name)
        return tuple(sorted(wanted - excluded))


def compile_topics(topics: Sequence[Topic]) -> TopicIndex:
    """Compile topics into one automaton. Keywords of nothing but accents or spaces match nothing."""
    return TopicIndex(topics)


def _patterns(keyword: str) -> Iterator[str]:
    """Yield the folded keyword; for a phrase also its hashtags, `#acmepay` and `#acme_pay`."""
    folded = fold(keyword).strip()
    if not folded or folded == "#":
        return
    yield folded
    if " " in folded and not folded.startswith("#"):
        yield "#" + folded.replace(" ", "")
        yield "#" + folded.replace(" ", "_")


def _char_starts(line: str) -> frozenset[int] | None:
    """Return the starts of original characters in folded text: no hit may end inside one. None if each folds to one at most."""
    lengths = char_lengths(line)
    return None if lengths is None else frozenset(accumulate(lengths, initial=0))


def _stands_alone(folded: str, start: int, end: int) -> bool:
    """Return True if no word, joined emoji or flag goes on across an end of the hit."""
    return not (_runs_on(folded, start) or _runs_on(folded, end))


def _runs_on(folded: str, place: int) -> bool:
    if not 0 < place < len(folded):
        return False
    before, after = folded[place - 1], folded[place]
    if (_is_word(before) and _is_word(after)) or JOINER in (before, after):
        return True
    return _is_flag_half(before) and _is_flag_half(after) and _flag_halves(folded, place) % 2 == 1


def _is_flag_half(char: str) -> bool:
    return "\U0001f1e6" <= char <= "\U0001f1ff"


def _flag_halves(folded: str, place: int) -> int:
    start = place
    while start > 0 and _is_flag_half(folded[start - 1]):
        start -= 1
    return place - start
