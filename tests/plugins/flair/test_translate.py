"""What the model reads, where a long text is cut, and what becomes of probabilities."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub import Signal
from plugins.flair.translate import cut, is_familiar, text_of, to_label

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def say(text: str, **more: Any) -> Signal:
    """A signal with this text."""
    return Signal("k", "test", "1", "post", text, None, NOW, NOW, **more)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("thanks @anna.", "thanks @user."),
        ("@anna@example.social merci", "@user merci"),
        ("@anna.bsky.social, hi", "@user, hi"),
        ("already @user and http", "already @user and http"),
        ("write to anna@example.com", "write to anna@example.com"),
        ("see https://example.com/@anna?x=1 now", "see http now"),
        ("see www.example.com now", "see http now"),
        ("two\n\n  lines\tand\u00a0a space", "two lines and a space"),
        ("half\ud800pair", "half?pair"),
        ("@", "@"),
    ],
)
def test_a_text_is_read_as_in_training(text: str, read: str) -> None:
    assert text_of(say(text)) == read


@pytest.mark.parametrize("text", ["", "  \n", "@anna", "@anna @bob https://example.com"])
def test_nothing_said_is_nothing_to_read(text: str) -> None:
    assert text_of(say(text)) == ""


def test_masking_can_be_left_to_another_model() -> None:
    assert text_of(say("thanks  @anna"), mask=False) == "thanks @anna"


def test_a_title_speaks_where_there_is_no_text() -> None:
    assert text_of(say(" ", title="Great service")) == "Great service"


@pytest.mark.parametrize(
    ("text", "familiar"),
    [
        ("good", True),
        ("خدمة جيدة", True),
        ("सेवा", True),
        ("😡 12", True),
        ("Ужасный сервис", False),
        ("とても良い", False),
        ("iPhone とても良いです", False),
        ("бренд is a great brand", True),
    ],
)
def test_a_foreign_script_is_seen(text: str, familiar: bool) -> None:
    assert is_familiar(text) is familiar


@given(st.lists(st.integers(1, 9), min_size=1, max_size=200), st.integers(3, 20))
def test_windows_cover_all_pieces_in_order_and_fit(lengths: list[int], room: int) -> None:
    words = [number for number, length in enumerate(lengths) for _ in range(length)]
    windows = cut(words, room)
    assert (windows[0].start, windows[-1].stop) == (0, len(words))
    assert all(left.stop == right.start for left, right in pairwise(windows))
    assert all(0 < part.stop - part.start <= room for part in windows)


@given(st.lists(st.integers(1, 5), min_size=1, max_size=200))
def test_a_word_that_fits_is_never_cut(lengths: list[int]) -> None:
    words = [number for number, length in enumerate(lengths) for _ in range(length)]
    assert all(words[part.start] != words[part.start - 1] for part in cut(words, 12)[1:])


@pytest.mark.parametrize(("pieces", "sizes"), [(126, [126]), (127, [64, 63]), (300, [100, 100, 100])])
def test_windows_are_of_like_size(pieces: int, sizes: list[int]) -> None:
    assert [part.stop - part.start for part in cut(range(pieces), 126)] == sizes


def test_one_endless_word_is_cut_anyway() -> None:
    assert [part.stop - part.start for part in cut([0] * 300, 126)] == [126, 126, 48]


def test_no_pieces_are_one_empty_window() -> None:
    assert cut([], 126) == [slice(0, 0)]


def test_the_label_is_the_most_probable_class() -> None:
    label = to_label({"negative": 0.7, "neutral": 0.2, "positive": 0.1}, "m", "v")
    assert (label.value, label.score, label.confidence) == ("negative", -0.6, 0.7)
    assert (label.name, label.model, label.version, label.by) == ("sentiment", "m", "v", "enricher")


def test_a_model_of_two_classes_is_enough() -> None:
    label = to_label({"NEGATIVE".lower(): 0.25, "positive": 0.75}, "m", "v")
    assert (label.value, label.score, label.confidence) == ("positive", 0.5, 0.75)
