"""Ratings on their scales, and the mood of a review."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from hub.core.model import Label, Rating
from hub.core.ratings import heard, mood_of, parse_rating, stars_of
from tests.hub.core.given import signal

GRUMPY = Label("sentiment", "negative", model="flair", score=-0.3, confidence=0.9)


@pytest.mark.parametrize(
    ("value", "rating"),
    [
        (4, Rating(4, 5, 1)),
        ("4", Rating(4, 5, 1)),
        ("4,5", Rating(4.5, 5, 1)),
        ("3/5", Rating(3, 5, 1)),
        ("8/10", Rating(8, 10, 0)),
        ("8 out of 10", Rating(8, 10, 0)),
        ("74 %", Rating(74, 100, 0)),
        ("★★★★☆", Rating(4, 5, 1)),
        ("⭐⭐", Rating(2, 5, 1)),
        ("FIVE", Rating(5, 5, 1)),
        ("4 stars", Rating(4, 5, 1)),
        (0, Rating(0, 5, 0)),
        ({"value": 9, "best": 10}, Rating(9, 10, 0)),
        ({"score": 4, "max": 5}, Rating(4, 5, 1)),
        *((text, Rating(4, 5, 1)) for text in ("FOUR_STARS", "Four stars", "4★", "★ 4", "4 ⭐️", "4 点", "●●●●○")),
        *((text, Rating(4, 5, 1)) for text in ("4 étoiles sur 5", "4 su 5", "4 из 5", "4 uit 5", "Rated 4 out of 5")),
        *((text, Rating(4.5, 5, 1)) for text in ("4½", "4 1/2", "Rating: 4.5/5")),
        ("★★★★★★★☆☆☆", Rating(7, 10, 0)),
        ({"@type": "Rating", "ratingValue": "3", "bestRating": "6", "worstRating": "1"}, Rating(3, 6, 1)),
    ],
)
def test_a_rating_keeps_its_scale(value: Any, rating: Rating) -> None:
    assert parse_rating(value) == rating


@pytest.mark.parametrize(
    "value", [None, "", "good", True, 6, -1, "7/5", "3/0", float("nan"), float("inf"), [], {}, {"value": {}}, 10**30]
)
def test_what_is_no_rating_is_none(value: Any) -> None:
    assert parse_rating(value) is None


@pytest.mark.parametrize(
    ("rating", "stars", "mood"),
    [
        (Rating(1), 1.0, "negative"),
        (Rating(2), 2.0, "negative"),
        (Rating(3), 3.0, "neutral"),
        (Rating(4), 4.0, "positive"),
        (Rating(8, 10, 0), 4.2, "positive"),
        (Rating(50, 100, 0), 3.0, "neutral"),
        (Rating(1, 1, 1), 3.0, "neutral"),
    ],
)
def test_stars_say_the_mood_whatever_their_scale(rating: Rating, stars: float, mood: str) -> None:
    assert (stars_of(rating), mood_of(rating).value) == (stars, mood)


def test_the_stars_of_a_review_outrank_what_a_model_reads_and_say_so() -> None:
    (mood,) = heard(signal(kind="review", rating=Rating(4)), [GRUMPY])
    assert (mood.value, mood.score, mood.model) == ("positive", 0.5, "rating")
    assert mood.version == "4 of 5; the text alone: negative -0.30"


def test_a_model_that_agrees_with_the_stars_keeps_its_word() -> None:
    assert heard(signal(kind="review", rating=Rating(1)), [GRUMPY]) == (GRUMPY,)


def test_stars_speak_where_no_model_does() -> None:
    assert [one.value for one in heard(signal(kind="review", rating=Rating(5)), [])] == ["positive"]


def test_a_persons_word_outranks_the_stars() -> None:
    corrected = replace(GRUMPY, by="person")
    assert heard(signal(kind="review", rating=Rating(5)), [corrected]) == (corrected,)


def test_a_boost_has_no_mood_of_its_own() -> None:
    german = Label("language", "de", model="langid")
    assert heard(signal(kind="repost"), [german, GRUMPY]) == (german,)
