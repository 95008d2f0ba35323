"""The language enricher: the network's word first, else py3langid, and silence rather than a guess."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from hub import Label, Rejected, Signal
from plugins.language.client import choose
from plugins.language.enricher import LanguageEnricher
from plugins.language.plugin import register_enrichers
from plugins.language.translate import ISO_639_1, letters_in, network_language, words_of
from tests.material import ROOT, shared

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def say(text: str, lang: str | None = None, **more: Any) -> Signal:
    """A signal with this text."""
    return Signal("k", "test", "1", "post", text, None, NOW, NOW, lang=lang, **more)


def enricher(**options: Any) -> LanguageEnricher:
    """A loaded enricher."""
    made = LanguageEnricher(LanguageEnricher.Options.model_validate(options))
    made.load()
    return made


@pytest.fixture(scope="module")
def detector() -> LanguageEnricher:
    """An enricher with the default options."""
    return enricher()


def code(made: LanguageEnricher, signal: Signal) -> str | None:
    """The language that the enricher gives, None where it gives none."""
    (labels,) = made.enrich([signal])
    return labels[0].value if labels else None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Where is my parcel? I have been waiting for two weeks.", "en"),
        ("Mein Paket ist seit zwei Wochen nicht angekommen.", "de"),
        ("Ma commande n'est toujours pas arrivée, merci de répondre.", "fr"),
        ("El pedido llegó roto y nadie me contesta.", "es"),
        ("De bestelling is nog steeds niet aangekomen.", "nl"),
        ("الخدمة ممتازة وشكرا لكم", "ar"),
        ("सेवा बहुत अच्छी है", "hi"),
    ],
)
def test_a_plain_sentence_gets_its_language(detector: LanguageEnricher, text: str, expected: str) -> None:
    assert code(detector, say(text)) == expected


def test_the_networks_own_field_wins_over_the_text(detector: LanguageEnricher) -> None:
    (labels,) = detector.enrich([say("Where is my parcel? Nobody answers.", lang="fr")])
    assert labels == (Label("language", "fr", "network"),)


def test_a_detected_language_names_model_version_and_confidence(detector: LanguageEnricher) -> None:
    ((label,),) = detector.enrich([say("Where is my parcel? Nobody answers my mails.")])
    assert (label.name, label.model) == ("language", "py3langid")
    assert label.version
    assert label.confidence is not None
    assert 0.7 <= label.confidence <= 1


@pytest.mark.parametrize(
    ("told", "meant"),
    [
        ("en", "en"),
        ("en-GB", "en"),
        ("pt_BR", "pt"),
        ("zh-Hant", "zh"),
        ("EN", "en"),
        ("deu", "de"),
        ("fil", "tl"),
        ("iw", "he"),
        ("und", None),
        ("qme", None),
        ("zxx", None),
        ("xx", None),
        ("", None),
        ("-", None),
        (None, None),
    ],
)
def test_a_network_code_becomes_iso_639_1_or_nothing(told: str | None, meant: str | None) -> None:
    assert network_language(say("x", lang=told)) == meant


def test_a_code_that_says_nothing_leaves_the_text_to_decide(detector: LanguageEnricher) -> None:
    assert code(detector, say("Where is my parcel? Nobody answers.", lang="und")) == "en"


def test_a_network_that_is_not_trusted_is_not_asked() -> None:
    doubter = enricher(trust_network=False)
    assert code(doubter, say("Where is my parcel? Nobody answers.", lang="fr")) == "en"


@pytest.mark.parametrize(
    "text",
    ["", "   ", "ok", "lol 😂😂😂", "12345 67890 12345", "@anna @bob", "https://example.com/un-deux-trois", "!!!"],
)
def test_too_little_text_gets_no_label(detector: LanguageEnricher, text: str) -> None:
    assert code(detector, say(text)) is None


@pytest.mark.parametrize(
    "text",
    [
        "Zamówienie przyszło uszkodzone i nikt nie odpowiada na maile",
        "Заказ до сих пор не пришёл, никто не отвечает",
        "注文した商品がまだ届いていません。返事もありません。",
        "Tilauksen toimitus on myöhässä eikä kukaan vastaa",
    ],
)
def test_a_foreign_language_gets_no_label(detector: LanguageEnricher, text: str) -> None:
    assert code(detector, say(text)) is None


def test_only_configured_languages_are_given() -> None:
    pair = enricher(languages=["fr", "pl"])
    assert code(pair, say("Zamówienie przyszło uszkodzone i nikt nie odpowiada")) == "pl"
    assert code(pair, say("Mein Paket ist seit zwei Wochen nicht angekommen.")) is None


def test_names_links_and_marks_are_not_words() -> None:
    assert words_of(say("RT @anna@example.social look https://example.com/x #Wetter")) == "look Wetter"


def test_a_title_speaks_where_there_is_no_text(detector: LanguageEnricher) -> None:
    assert code(detector, say(" ", title="Ma commande n'est toujours pas arrivée")) == "fr"


def test_letters_of_rarer_scripts_weigh_more() -> None:
    assert [letters_in(text) for text in ("hello 123", "été", "مرحبا", "你好")] == [5, 5, 10, 6]


def test_an_endless_text_costs_no_more_than_a_page(detector: LanguageEnricher) -> None:
    assert len(words_of(say("parcel " * 1_000_000))) <= 1000
    assert code(detector, say("Where is my parcel? " * 100_000)) == "en"


def test_a_lone_surrogate_does_no_harm(detector: LanguageEnricher) -> None:
    assert code(detector, say("Where is my parcel?\ud800 Nobody answers.")) == "en"


def test_a_texts_label_does_not_depend_on_its_neighbours(detector: LanguageEnricher) -> None:
    signals = [say("Where is my parcel?"), say(""), say("El pedido llegó roto y nadie contesta.")]
    assert detector.enrich(signals) == [detector.enrich([signal])[0] for signal in signals]
    assert detector.enrich([]) == []


def test_confidence_is_the_share_among_the_configured_languages() -> None:
    assert choose([("de", 0.75), ("nl", 0.0), ("fr", 0.25)], ["de", "fr"]) == ("de", 0.75)
    assert choose([("nl", 0.6), ("de", 0.4)], ["de", "fr"]) is None
    assert choose([("nl", 0.5), ("de", 0.375), ("fr", 0.125)], ["de", "fr"]) == ("de", 0.75)
    assert choose([("nl", 0.5), ("de", 0.0)], ["de"]) is None


def test_a_language_that_the_model_lacks_is_refused_by_name() -> None:
    with pytest.raises(Rejected, match="aa, ie") as caught:
        enricher(languages=["de", "aa", "ie"])
    assert caught.value.field == "languages"


@pytest.mark.parametrize("wrong", [{"languages": []}, {"languages": ["deu"]}, {"min_confidence": 2}, {"colour": "red"}])
def test_wrong_options_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        LanguageEnricher.Options.model_validate(wrong)


def test_the_list_of_codes_is_whole() -> None:
    assert len(ISO_639_1) == 183


def test_importing_the_plugin_leaves_the_model_unloaded() -> None:
    program = "import sys, plugins.language.plugin; print('py3langid' in sys.modules, 'numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_the_plugin_registers_its_enricher() -> None:
    assert list(register_enrichers()) == [LanguageEnricher]


def test_real_tweets_are_labelled_right_or_not_at_all(detector: LanguageEnricher) -> None:
    with gzip.open(shared("data/sentiment/umsab_dev.jsonl.gz"), "rt", encoding="utf-8") as lines:
        rows = [
            row for row in map(json.loads, lines) if row["lang"] != "hi"
        ]  # its Hindi is mostly Latin-script, mixed with English
    found = [(code(detector, say(row["text"])), row["lang"]) for row in rows]
    labelled = [(got, wanted) for got, wanted in found if got]
    assert len(labelled) >= 0.93 * len(found)
    assert sum(got == wanted for got, wanted in labelled) >= 0.99 * len(labelled)
