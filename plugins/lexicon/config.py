"""Options of the lexicon enricher."""

from __future__ import annotations

from pydantic import Field

from hub import Options


class LexiconOptions(Options):
    """From `positive_from` on a compound score is positive, from `negative_from` down negative (VADER's own: 0.05, -0.05)."""

    positive_from: float = Field(default=0.05, gt=0, le=1, description="From this score on: positive")
    negative_from: float = Field(default=-0.05, ge=-1, lt=0, description="From this score down: negative")
    max_windows: int = Field(default=10, ge=1, description="How many windows of 100 words are read of a long text")
