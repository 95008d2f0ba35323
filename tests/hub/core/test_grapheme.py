"""Cutting a text never leaves half of what a reader sees as one character."""

from __future__ import annotations

from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.core.grammar.grapheme import cut, graphemes
from tests.hub.core.given import is_boundary

WHOLE = {
    "a family of joined emoji": "👩\u200d👩\u200d👧\u200d👦",
    "a skin tone": "👍🏽",
    "a flag": "🇩🇪",
    "a subdivision's flag": "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",
    "a letter with marks": "e\u0301\u0323",
    "a heart with its selector": "❤\ufe0f",
    "a Hangul syllable in jamo": "\u1112\u1161\u11ab",
    "a Hindi conjunct": "क्ष",
    "a line end": "\r\n",
    "a surrogate pair": "\ud83d\ude00",
}
PIECES = st.lists(st.sampled_from([*WHOLE.values(), "a", " ", "東", "é", "\n"]), max_size=12)


@pytest.mark.parametrize("grapheme", WHOLE.values(), ids=WHOLE.keys())
def test_a_grapheme_is_kept_whole_or_left_out(grapheme: str) -> None:
    for limit in range(1, len(grapheme) + 1):
        assert cut("x" + grapheme, limit) == "x"
    assert cut(f"x{grapheme}y", len(grapheme) + 1) == f"x{grapheme}"


def test_two_flags_are_cut_between_them() -> None:
    assert cut("🇩🇪🇫🇷", 3) == "🇩🇪"
    assert cut("🇩🇪🇫🇷", 2) == "🇩🇪"


def test_hangul_syllables_part_from_each_other() -> None:
    assert cut("안녕하세요", 2) == "안녕"


def test_a_heap_of_marks_longer_than_the_limit_is_cut_hard() -> None:
    assert cut("e" + "\u0301" * 50, 10) == "e" + "\u0301" * 9


@given(PIECES, st.integers(1, 60))
def test_a_cut_is_a_beginning_that_ends_between_graphemes(pieces: list[str], limit: int) -> None:
    text = "".join(pieces)
    short = cut(text, limit)
    assert text.startswith(short)
    assert len(short) <= limit
    assert is_boundary(text, len(short)) or not any(is_boundary(text, end) for end in range(1, limit + 1))


@given(st.text(), st.integers(1, 20))
def test_a_text_within_the_limit_stays_as_it_is(text: str, limit: int) -> None:
    assert cut(text, len(text) + limit) == text


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("abc", 3),
        ("e\u0301", 1),
        ("👨‍👩‍👧", 1),
        ("🇫🇷🇩🇪", 2),
        ("a" * 20_001, 20_001),
        ("e\u0301" * 10_001, 20_002),
    ],
)
def test_a_reader_sees_graphemes(text: str, count: int) -> None:
    assert graphemes(text) == count


@pytest.mark.parametrize("piece", ["🇩", "e\u0301", "\u0301", "👩\u200d", "क\u094d", "ᄀ", "🇩\u0301"])
def test_counting_and_cutting_take_no_longer_for_what_joins(piece: str) -> None:
    began = process_time()
    graphemes(piece * (20_000 // len(piece)))
    cut(piece * 100_000, 99_999)
    assert process_time() - began < 1
