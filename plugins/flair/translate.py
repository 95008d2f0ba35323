"""A signal as the model reads it, the cuts in a long text, and probabilities as a label. Pure."""

from __future__ import annotations

import math
import re
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence

from hub import Label, Signal

CLASSES = ("negative", "neutral", "positive")

_LINK = re.compile(r"(?:https?://|\bwww\.)\S+")
# `@name`, `@name.bsky.social` and `@name@example.social`, but neither `name@example.com` nor the full stop after a name.
_NAME = re.compile(r"(?<![\w@])@\w+(?:[.-]\w+)*(?:@\w+(?:[.-]\w+)*)?")
_FAMILIAR = re.compile(
    r"[A-Za-z\u00aa-\u024f\u1e00-\u1eff\u0600-\u06ff\u0750-\u077f\ufb50-\ufdff\ufe70-\ufefc\u0904-\u097f]"
)
_MASKS = frozenset(("@user", "http"))


def text_of(signal: Signal, *, mask: bool = True) -> str:
    """Return the text (else the title) as in training: names are `@user`, links `http`, white space is collapsed.

    "" if nothing is left that a person said.
    """
    text = signal.text if signal.text.strip() else signal.title or ""
    text = text.encode("utf-8", "replace").decode()  # a lone surrogate ends the tokenizer
    if mask:
        text = _NAME.sub("@user", _LINK.sub("http", text))
    words = text.split()
    return "" if _MASKS.issuperset(words) else " ".join(words)


def is_familiar(text: str) -> bool:
    """Return True if most letters are Latin, Arabic or Devanagari: the scripts of the embedded model's languages."""
    letters = sum(map(str.isalpha, text))
    return letters == 0 or 2 * len(_FAMILIAR.findall(text)) >= letters


def cut(words: Sequence[int | None], room: int) -> list[slice]:
    """Cut pieces into windows of like size, `words` being each piece's word: between words unless one word is too long."""
    total = len(words)
    if total <= room:
        return [slice(0, total)]
    ends = [i for i in range(1, total) if words[i] != words[i - 1]] + [total]
    size = total / math.ceil(total / room)
    windows, start = [], 0
    while start < total:
        end = _end_of(ends, start, size=size, room=room)
        windows.append(slice(start, end))
        start = end
    return windows


def _end_of(ends: Sequence[int], start: int, *, size: float, room: int) -> int:
    """Return the first word's end that fills the window, else the last one that fits, else the room's end."""
    wanted = ends[min(bisect_left(ends, start + size), len(ends) - 1)]
    if wanted - start <= room:
        return wanted
    last = bisect_right(ends, start + room) - 1
    return ends[last] if last >= 0 and ends[last] > start else start + room


def to_label(probabilities: Mapping[str, float], model: str, version: str) -> Label:
    """Return the most probable class; score is P(positive) - P(negative), confidence the class's probability."""
    value = max(CLASSES, key=lambda name: probabilities.get(name, 0.0))
    score = probabilities.get("positive", 0.0) - probabilities.get("negative", 0.0)
    confidence = min(1.0, probabilities[value])
    return Label("sentiment", value, model, score=round(score, 4), confidence=round(confidence, 4), version=version)
