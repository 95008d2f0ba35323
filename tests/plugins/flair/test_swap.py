"""Another flair model in the embedded one's place: opened with the right sum, refused with a wrong one or a wrong kind."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from hub import Rejected, Signal
from plugins.flair.enricher import FlairEnricher

pytestmark = pytest.mark.model

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def make_model(path: Path, classes: tuple[str, ...], **options: Any) -> str:
    """Write a tiny untrained flair TextClassifier; returns its SHA-256."""
    from flair.data import Dictionary
    from flair.embeddings import DocumentPoolEmbeddings, HashEmbeddings
    from flair.models import TextClassifier

    names = Dictionary(add_unk=False)
    for name in classes:
        names.add_item(name)
    embedding = DocumentPoolEmbeddings([HashEmbeddings(num_embeddings=50, embedding_length=8)])
    TextClassifier(embedding, label_type="sentiment", label_dictionary=names, **options).save(path)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def enricher(path: Path, sha256: str) -> FlairEnricher:
    """An enricher for this file."""
    return FlairEnricher(FlairEnricher.Options(model=path, sha256=sha256))


def say(text: str, lang: str | None = None) -> Signal:
    """A signal with this text."""
    return Signal("k", "test", "1", "post", text, None, NOW, NOW, lang=lang)


def test_a_model_of_the_right_sum_is_loaded_and_labels(tmp_path: Path) -> None:
    path = tmp_path / "tiny.pt"
    sha256 = make_model(path, ("NEGATIVE", "POSITIVE"))
    ((label,),) = enricher(path, sha256).enrich([say("great service", "pl")])
    assert label.value in {"negative", "positive"}
    assert (label.model, label.version) == ("tiny", sha256[:12])
    assert label.confidence is not None
    assert label.confidence >= 0.5


def test_its_labels_do_not_depend_on_neighbours_either(tmp_path: Path) -> None:
    path = tmp_path / "tiny.pt"
    tiny = enricher(path, make_model(path, ("negative", "neutral", "positive")))
    signals = [say("great service"), say(""), say("a rather longer text about nothing at all"), say("bad")]
    assert tiny.enrich(signals) == [tiny.enrich([signal])[0] for signal in signals]


def test_the_same_model_with_another_sum_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "tiny.pt"
    make_model(path, ("negative", "positive"))
    with pytest.raises(Rejected, match="was not opened"):
        enricher(path, "0" * 64).load()


@pytest.mark.parametrize(
    ("classes", "options", "complaint"),
    [
        (("1 star", "5 stars"), {}, "its classes are 1 star, 5 stars"),
        (("negative", "neutral"), {}, "its classes are negative, neutral"),
        (("negative", "positive"), {"multi_label": True}, "several labels"),
    ],
)
def test_a_model_that_judges_something_else_is_refused(
    tmp_path: Path, classes: tuple[str, ...], options: dict[str, Any], complaint: str
) -> None:
    path = tmp_path / "tiny.pt"
    sha256 = make_model(path, classes, **options)
    with pytest.raises(Rejected, match=complaint):
        enricher(path, sha256).load()


def test_a_file_that_is_no_classifier_is_refused(tmp_path: Path) -> None:
    import torch

    path = tmp_path / "weights.pt"
    torch.save({"weights": torch.zeros(2)}, path)
    with pytest.raises(Rejected, match="no flair TextClassifier") as caught:
        enricher(path, hashlib.sha256(path.read_bytes()).hexdigest()).load()
    assert caught.value.field == "model"
