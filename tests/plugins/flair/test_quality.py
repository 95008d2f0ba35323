"""How good the embedded model is, measured through what `hub label` does with each line."""

from __future__ import annotations

import gzip
from collections import defaultdict
from datetime import UTC, datetime

import pytest
from sklearn.metrics import f1_score  # type: ignore[import-untyped]  # scikit-learn ships no types

from hub.flow.decide.label import label_lines
from plugins.flair.enricher import FlairEnricher
from plugins.flair.translate import CLASSES
from tests.material import shared

pytestmark = pytest.mark.model

NOW = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.mark.bench
def test_the_mean_score_over_eight_languages_is_the_one_of_the_model_card(embedded: FlairEnricher) -> None:
    with gzip.open(shared("data/sentiment/umsab_dev.jsonl.gz"), "rt", encoding="utf-8") as lines:
        given = [line.encode() for line in lines]
    pairs = defaultdict(list)
    for _, row in label_lines(given, [embedded], now=NOW):
        assert isinstance(row, dict), row
        pairs[row["lang"]].append((row["label"], next((one["value"] for one in row["labels"]), "none")))
    scores = {
        lang: f1_score(*zip(*found, strict=True), labels=CLASSES, average="macro") for lang, found in pairs.items()
    }
    assert len(scores) == 8
    assert 100 * sum(scores.values()) / 8 == pytest.approx(63.6, abs=1)
