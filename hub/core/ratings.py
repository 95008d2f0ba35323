"""Ratings: read from what networks write, put on one scale, and what they say of the mood of a review."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from hub.core.model import Label, Rating, Signal

MODEL = "rating"
"""The name of the model whose label is a review's own rating."""
GOOD, BAD = 0.65, 0.35  # shares of the scale: four and five of five stars are good, one and two bad
_NUMBER = r"\d{1,6}(?:[.,]\d{1,6})?"
_OF = re.compile(
    rf"\A({_NUMBER})\s*(?:/|of|out of|von|sur|de|di|van|stars? (?:of|out of))\s*({_NUMBER})(?:\s*\w*)?\Z", re.IGNORECASE
)
_PERCENT = re.compile(rf"\A({_NUMBER})\s*%\Z")
_PLAIN = re.compile(rf"\A(-?{_NUMBER})(?:\s*(?:stars?|sterne?|étoiles?|estrellas?|stelle?))?\Z", re.IGNORECASE)
_FULL, _HALF, _EMPTY = "★⭐🌟", "⯨½", "☆✩"
_WORDS = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5}


def parse_rating(value: Any, best: Any = None, worst: Any = None) -> Rating | None:
    """Return a rating with its scale; None if the value is none, or lies outside the scale.

    Takes numbers, "4", "4,5", "3/5", "8 of 10", "74 %", "★★★★☆", "FOUR", and objects with `value` (or `ratingValue`) and
    `best`, `worst` as schema.org has them. Without a scale it is one to five.
    """
    if isinstance(value, Mapping):
        return _of_object(value, best, worst)
    top, bottom = _number(best), _number(worst)
    if isinstance(value, str) and (found := _OF.match(value.strip())):
        value, top = found[1], _number(found[2])
    elif isinstance(value, str) and (found := _PERCENT.match(value.strip())):
        value, top, bottom = found[1], 100.0, 0.0
    number = _number(value)
    top = 5.0 if top is None else top
    bottom = (0.0 if top > 5 else 1.0) if bottom is None else bottom
    if number is None or not bottom < top:
        return None
    bottom = min(bottom, 0.0) if number == 0 else bottom  # scales of five begin at nought in some places
    return Rating(number, top, bottom) if bottom <= number <= top else None


def share_of(rating: Rating) -> float:
    """Return where on its scale a rating lies: 0 is the worst, 1 the best."""
    span = rating.best - rating.worst
    return min(1.0, max(0.0, (rating.value - rating.worst) / span)) if span > 0 else 0.5


def stars_of(rating: Rating) -> float:
    """Return a rating on the scale from one to five, whatever its own."""
    return round(1 + 4 * share_of(rating), 1)


def mood_of(rating: Rating, was: Label | None = None) -> Label:
    """Return the sentiment that a rating says; its version tells the rating, and what a model made of the text."""
    share = share_of(rating)
    word = "positive" if share >= GOOD else "negative" if share <= BAD else "neutral"
    version = f"{rating.value:g} of {rating.best:g}"
    if was is not None:
        version += f"; the text alone: {was.value}" + (f" {was.score:.2f}" if was.score is not None else "")
    return Label("sentiment", word, model=MODEL, score=round(2 * share - 1, 4), confidence=1.0, version=version)


def heard(signal: Signal, labels: Sequence[Label]) -> tuple[Label, ...]:
    """Return the labels that count for a signal.

    The stars of a review outrank what a model reads in its text, where the two say otherwise; a person's label outranks both.
    A boost repeats another's words, so they say nothing of the mood of the one who boosts.
    """
    if signal.kind == "repost":
        return tuple(label for label in labels if label.name == "language" or label.by == "person")
    said = [label for label in labels if label.name == "sentiment"]
    if signal.rating is None or any(label.by == "person" or label.model == MODEL for label in said):
        return tuple(labels)
    was = said[-1] if said else None
    mood = mood_of(signal.rating, was)
    if was is not None and was.value == mood.value:
        return tuple(labels)
    return (*(label for label in labels if label.name != "sentiment"), mood)


def _of_object(value: Mapping[str, Any], best: Any, worst: Any) -> Rating | None:
    inner = next(
        (value[name] for name in ("value", "ratingValue", "rating", "stars", "average") if name in value), None
    )
    top = next((value[name] for name in ("best", "bestRating", "max", "scale") if name in value), best)
    bottom = next((value[name] for name in ("worst", "worstRating", "min") if name in value), worst)
    return None if isinstance(inner, Mapping) else parse_rating(inner, top, bottom)


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        return float(value) if abs(value) < 1e6 else None  # NaN is not less, too
    if not isinstance(value, str):
        return None
    text = value.strip().replace("\ufe0f", "")
    if text and all(char in _FULL + _HALF + _EMPTY for char in text):
        return float(sum(char in _FULL for char in text)) + 0.5 * any(char in _HALF for char in text)
    if text.lower() in _WORDS:
        return float(_WORDS[text.lower()])
    found = _PLAIN.match(text)
    return float(found[1].replace(",", ".")) if found else None
