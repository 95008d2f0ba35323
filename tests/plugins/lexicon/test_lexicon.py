"""The lexicon enricher: VADER's score on English, nothing on any other language."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from hub import Label, Signal
from plugins.lexicon.enricher import LexiconEnricher
from plugins.lexicon.plugin import register_enrichers
from plugins.lexicon.translate import confidence_of, windows_of

NOW = datetime(2026, 1, 2, tzinfo=UTC)
LEXICON = LexiconEnricher(LexiconEnricher.Options())
ANALYZER = SentimentIntensityAnalyzer()


def say(text: str, lang: str | None = "en", **more: Any) -> Signal:
    """A signal with this text."""
    return Signal("k", "test", "1", "post", text, None, NOW, NOW, lang=lang, **more)


def label(signal: Signal) -> Label | None:
    """The signal's label, None where it gets none."""
    (labels,) = LEXICON.enrich([signal])
    return labels[0] if labels else None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("I love this, great service!", "positive"),
        ("Terrible. The worst support I ever had :(", "negative"),
        ("The parcel is at the station.", "neutral"),
        ("not good", "negative"),
        ("😍", "positive"),
    ],
)
def test_english_gets_a_value_by_vaders_own_thresholds(text: str, value: str) -> None:
    found = label(say(text))
    assert found is not None
    assert found.value == value
    assert found.score == ANALYZER.polarity_scores(text)["compound"]


@pytest.mark.parametrize("lang", ["de", "fr", "enm", "", None])
def test_what_is_not_known_to_be_english_gets_no_label(lang: str | None) -> None:
    assert label(say("super gut, great", lang)) is None


@pytest.mark.parametrize("lang", ["en", "EN", "en-GB", "en_US"])
def test_every_english_is_english(lang: str) -> None:
    assert label(say("great", lang)) is not None


@pytest.mark.parametrize("text", ["", " \n ", "@happy_travels", "https://example.com/love"])
def test_nothing_said_gets_no_label(text: str) -> None:
    assert label(say(text)) is None


def test_a_name_or_a_link_is_no_feeling() -> None:
    found = label(say("@love the parcel is at https://example.com/great-hate"))
    assert found is not None
    assert found.value == "neutral"


def test_the_label_names_its_model_and_version() -> None:
    found = label(say("great"))
    assert found is not None
    assert (found.name, found.model, found.by) == ("sentiment", "lexicon", "enricher")
    assert found.version.startswith("3.")


@pytest.mark.parametrize(("strength", "measured"), [(0.1, 0.33), (0.3, 0.38), (0.5, 0.52), (0.7, 0.65), (0.9, 0.90)])
def test_confidence_follows_the_measured_share_of_right_answers(strength: float, measured: float) -> None:
    assert confidence_of("positive", strength) == pytest.approx(measured, abs=0.04)
    assert confidence_of("negative", -strength) == pytest.approx(measured, abs=0.04)


@given(st.text(max_size=400))
def test_any_text_gets_a_score_and_a_confidence_in_range(text: str) -> None:
    found = label(say(text))
    if found is not None:
        assert found.score is not None and -1 <= found.score <= 1
        assert found.confidence is not None and 0 <= found.confidence <= 1


def test_a_long_text_is_the_mean_of_its_windows() -> None:
    text = "great " * 100 + "terrible " * 100 + "table " * 100
    found = label(say(text))
    assert found is not None
    parts = [ANALYZER.polarity_scores(word * 100)["compound"] for word in ("great ", "terrible ", "table ")]
    assert found.score == pytest.approx(sum(parts) / 3, abs=1e-4)


def test_the_number_of_windows_is_bounded() -> None:
    assert len(windows_of(say("great " * 100_000), 10)) == 10
    assert sum(map(len, windows_of(say("a" * 1_000_000), 10))) <= 20_000


def test_a_title_speaks_where_there_is_no_text() -> None:
    found = label(say("", title="Great service"))
    assert found is not None
    assert found.value == "positive"


def test_a_texts_label_does_not_depend_on_its_neighbours() -> None:
    signals = [say("great"), say(""), say("terrible"), say("great"), say("bien", "fr")]
    assert LEXICON.enrich(signals) == [LEXICON.enrich([signal])[0] for signal in signals]
    assert LEXICON.enrich([]) == []


def test_a_repeated_text_is_scored_once() -> None:
    fresh = LexiconEnricher(LexiconEnricher.Options())
    fresh.enrich([say("everybody shares this great post")] * 20)
    assert fresh._score is not None
    assert fresh._score.cache_info().misses == 1  # type: ignore[attr-defined]  # of functools.lru_cache


@pytest.mark.parametrize("wrong", [{"positive_from": 0}, {"negative_from": 0.1}, {"max_windows": 0}, {"colour": "red"}])
def test_wrong_options_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        LexiconEnricher.Options.model_validate(wrong)


def test_thresholds_can_be_moved() -> None:
    strict = LexiconEnricher(LexiconEnricher.Options(positive_from=0.9))
    ((found,),) = strict.enrich([say("great")])
    assert found.value == "neutral"


def test_the_plugin_registers_its_enricher() -> None:
    assert list(register_enrichers()) == [LexiconEnricher]
