"""How good the embedded model is, measured through the enricher."""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from datetime import UTC, datetime

import pytest
from sklearn.metrics import f1_score  # type: ignore[import-untyped]  # scikit-learn ships no types

from hub import Signal
from plugins.flair.enricher import FlairEnricher
from plugins.flair.translate import CLASSES
from tests.material import shared

NOW = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.mark.bench
def test_the_mean_score_over_eight_languages_is_the_one_of_the_model_card(embedded: FlairEnricher) -> None:
    with gzip.open(shared("data/sentiment/umsab_dev.jsonl.gz"), "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    signals = [Signal("k", "test", "1", "post", row["text"], None, NOW, NOW, lang=row["lang"]) for row in rows]
    pairs = defaultdict(list)
    for row, labels in zip(rows, embedded.enrich(signals), strict=True):
        pairs[row["lang"]].append((row["label"], labels[0].value if labels else "none"))
    scores = {
        lang: f1_score(*zip(*found, strict=True), labels=CLASSES, average="macro") for lang, found in pairs.items()
    }
    assert len(scores) == 8
    assert 100 * sum(scores.values()) / 8 == pytest.approx(63.6, abs=1)
