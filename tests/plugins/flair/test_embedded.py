"""The embedded model: its labels, and that a text's label never depends on its neighbours."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from hub import Label, Signal
from plugins.flair.client import open_judge, read_trusted
from plugins.flair.config import EMBEDDED_SHA256
from plugins.flair.enricher import FlairEnricher
from plugins.flair.translate import CLASSES

pytestmark = pytest.mark.model

NOW = datetime(2026, 1, 2, tzinfo=UTC)
STARTS = {
    "en": ("The driver was", "Your new app is", "My parcel is", "Support was", "The hotel room was"),
    "fr": ("Le livreur était", "Votre application est", "Mon colis est", "Le support était", "La chambre était"),
}
ENDS = {
    "en": ("great!", "terrible.", "here", "late again :(", "okay, I guess"),
    "fr": ("super !", "nul.", "là", "en retard", "correct"),
}
FIFTY = [f"{start} {end}" for lang in STARTS for start in STARTS[lang] for end in ENDS[lang]]


def say(text: str, lang: str | None = None, **more: Any) -> Signal:
    """A signal with this text."""
    return Signal("k", "test", "1", "post", text, None, NOW, NOW, lang=lang, **more)


def label(enricher: FlairEnricher, text: str, lang: str | None = None) -> Label | None:
    """The text's label, None where it gets none."""
    (labels,) = enricher.enrich([say(text, lang)])
    return labels[0] if labels else None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("livraison en retard, j'attends toujours une réponse", "negative"),
        ("Great service, thank you so much @anna!", "positive"),
        ("Der Kundendienst war eine Katastrophe, nie wieder.", "negative"),
        ("Muchas gracias, todo perfecto", "positive"),
        ("The store opens at nine on Monday.", "neutral"),
    ],
)
def test_a_plain_sentence_gets_its_sentiment(embedded: FlairEnricher, text: str, value: str) -> None:
    found = label(embedded, text)
    assert found is not None
    assert found.value == value


def test_a_label_names_the_model_and_its_sum(embedded: FlairEnricher) -> None:
    found = label(embedded, "Great service")
    assert found is not None
    assert (found.name, found.model, found.version) == ("sentiment", "sentiment-e5s-l12-int8", EMBEDDED_SHA256[:12])


def test_a_text_gets_the_same_label_whatever_its_neighbours(embedded: FlairEnricher) -> None:
    together = embedded.enrich([say(text) for text in FIFTY])
    backwards = embedded.enrich([say(text) for text in reversed(FIFTY)])
    assert together == [embedded.enrich([say(text)])[0] for text in FIFTY]
    assert together == backwards[::-1]


def test_two_texts_in_one_run_would_move_each_others_scores(embedded: FlairEnricher) -> None:
    from plugins.flair.embeddings import OnnxDocumentEmbeddings

    inner = OnnxDocumentEmbeddings.from_params(opened_state()["document_embeddings"])
    rows = [next(iter(inner.windows(text, 1))) for text in ("Great service!", "Terrible, I hate it :(")]
    width = max(map(len, rows)) + 2
    ids = [[0, *row, 2] + [1] * (width - len(row) - 2) for row in rows]
    mask = [[int(piece != 1) for piece in row] for row in ids]
    both = inner.session.run(None, {"input_ids": ids, "attention_mask": mask})[0]
    assert abs(both[0] - inner.vector(rows[0])).max() > 1e-4


def opened_state() -> dict[str, Any]:
    """The embedded file as flair's own loader sees it."""
    from io import BytesIO

    import torch

    file = read_trusted(FlairEnricher.Options())
    state: dict[str, Any] = torch.load(BytesIO(file.data), map_location="cpu", weights_only=False)
    state["document_embeddings"].pop("__cls__", None)
    return state


def test_the_short_way_gives_what_flairs_predict_gives(embedded: FlairEnricher) -> None:
    from flair.data import Sentence
    from flair.models import TextClassifier

    state = opened_state()
    state["document_embeddings"]["__cls__"] = "OnnxDocumentEmbeddings"
    classifier = TextClassifier.load(state)
    judge = open_judge(read_trusted(FlairEnricher.Options()), FlairEnricher.Options())
    sentences = [Sentence(text) for text in FIFTY]
    classifier.predict(sentences, mini_batch_size=8, return_probabilities_for_all_classes=True)
    assert len(FIFTY) == 50
    for text, sentence in zip(FIFTY, sentences, strict=True):
        assert judge(text) == pytest.approx(
            {one.value: one.score for one in sentence.get_labels("sentiment")}, abs=1e-6
        )


def test_probabilities_are_of_three_classes_and_sum_to_one() -> None:
    judge = open_judge(read_trusted(FlairEnricher.Options()), FlairEnricher.Options())
    found = judge("Great service")
    assert found is not None
    assert tuple(found) == CLASSES
    assert sum(found.values()) == pytest.approx(1)


def test_a_long_text_is_the_mean_of_its_windows(embedded: FlairEnricher) -> None:
    praise, scorn = "good " * 126, "bad " * 126  # 126 pieces each: exactly two windows
    parts = [label(embedded, text) for text in (praise, scorn)]
    whole = label(embedded, praise + scorn)
    assert whole is not None
    assert whole.score == pytest.approx(sum(part.score or 0 for part in parts if part) / 2, abs=1e-3)


def test_only_the_start_of_an_endless_text_is_read(embedded: FlairEnricher) -> None:
    page = "this was rather good " * 2_000
    assert label(embedded, page) == label(embedded, page + "awful " * 10_000)


def test_a_text_is_read_in_at_most_as_many_windows_as_asked() -> None:
    from plugins.flair.embeddings import OnnxDocumentEmbeddings

    inner = OnnxDocumentEmbeddings.from_params(opened_state()["document_embeddings"])
    assert [len(inner.windows("good " * 1_000, limit)) for limit in (1, 3, 100)] == [1, 3, 8]


@pytest.mark.parametrize(
    "text", ["", " \n", "@anna", "https://example.com", "とても良いサービスです", "Ужасный сервис"]
)
def test_what_cannot_be_judged_gets_no_label(embedded: FlairEnricher, text: str) -> None:
    assert label(embedded, text) is None


@pytest.mark.parametrize(
    ("lang", "labelled"), [("en", True), ("pt-BR", True), (None, True), ("pl", False), ("ja", False), ("esu", False)]
)
def test_only_languages_of_the_model_are_labelled(embedded: FlairEnricher, lang: str | None, labelled: bool) -> None:
    assert (label(embedded, "super ok", lang) is not None) is labelled


def test_no_signals_give_no_labels(embedded: FlairEnricher) -> None:
    assert embedded.enrich([]) == []


def test_lines_of_text_and_language_can_be_labelled(embedded: FlairEnricher) -> None:
    lines = ['{"text": "Great service", "lang": "en"}', '{"text": "", "lang": "en"}']
    labels = embedded.enrich([say(row["text"], row["lang"]) for row in map(json.loads, lines)])
    assert [[one.value for one in found] for found in labels] == [["positive"], []]
