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
_STAR = r"(?:stars?|sterne?n?|étoiles?|estrellas?|estrelas?|stelle|stella|sterren|звезды?|звёзд|점|点|つ星)"
_OF = re.compile(
    rf"\A(?:[^\W\d]+:?\s+){{0,2}}({_NUMBER})\s*{_STAR}?\s*(?:/|of|out of|von|sur|de|di|van|su|av|af|uit|z|из|od|sobre)\s*"
    rf"({_NUMBER})(?:\s*{_STAR})?\Z",
    re.IGNORECASE,
)
_PERCENT = re.compile(rf"\A({_NUMBER})\s*%\Z")
_PLAIN = re.compile(rf"\A(-?{_NUMBER})(?:\s*{_STAR})?\Z", re.IGNORECASE)
_HALVED = re.compile(r"\A(\d{1,6}) ?(?:½| 1/2)\Z")
_FULL, _HALF, _EMPTY = "★⭐🌟●", "⯨½", "☆✩○"
_ONE_SIGN = re.compile(r"\A[★⭐🌟]\s*|\s*[★⭐🌟]\Z")
_WORDS = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5}
_WORD = re.compile(rf"\A({'|'.join(_WORDS)})(?:[ _]stars?)?\Z", re.IGNORECASE)
_VALUES = ("value", "ratingValue", "rating_value", "rating", "stars", "starRating", "average", "score", "points")
_BESTS = ("best", "bestRating", "max", "maximum", "scale", "outOf")
_WORSTS = ("worst", "worstRating", "min", "minimum")


def parse_rating(value: Any, best: Any = None, worst: Any = None) -> Rating | None:
    """Return a rating with its scale; None if the value is none, or lies outside the scale.

    Takes numbers, "4", "4,5", "4½", "3/5", "8 of 10", "74 %", "★★★★☆", "4★", "FOUR", and objects with `value` (or
    `ratingValue`) and `best`, `worst` as schema.org has them. Without a scale it is one to five.
    """
    if isinstance(value, Mapping):
        return _of_object(value, best, worst)
    top, bottom = _number(best), _number(worst)
    if isinstance(value, str):
        value = _bare(value)
        if found := _OF.match(value):
            value, top = found[1], _number(found[2])
        elif found := _PERCENT.match(value):
            value, top, bottom = found[1], 100.0, 0.0
        elif top is None and _is_drawn(value) and len(value) > 5:
            top = float(len(value) if any(char in _EMPTY for char in value) else 10)
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
    inner = next((value[name] for name in _VALUES if name in value), None)
    top = next((value[name] for name in _BESTS if name in value), best)
    bottom = next((value[name] for name in _WORSTS if name in value), worst)
    return None if isinstance(inner, Mapping) else parse_rating(inner, top, bottom)


def _bare(text: str) -> str:
    """Return a rating's text without the one star that stands beside its number."""
    text = text.strip().replace("\ufe0f", "")
    return _ONE_SIGN.sub("", text, count=1) if any(map(str.isdecimal, text)) else text


def _is_drawn(text: str) -> bool:
    return bool(text) and all(char in _FULL + _HALF + _EMPTY for char in text)


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        return float(value) if abs(value) < 1e6 else None  # NaN is not less, too
    if not isinstance(value, str):
        return None
    return _read(_bare(value))


def _read(text: str) -> float | None:
    """Return the number that a text without its scale names."""
    if _is_drawn(text):
        return float(sum(char in _FULL for char in text)) + 0.5 * any(char in _HALF for char in text)
    if found := _WORD.match(text):
        return float(_WORDS[found[1].lower()])
    if found := _HALVED.match(text):
        return int(found[1]) + 0.5
    found = _PLAIN.match(text)
    return float(found[1].replace(",", ".")) if found else None
