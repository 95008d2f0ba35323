"""VADER with its idle checks left out scores as VADER does."""

from __future__ import annotations

import gzip
import json

from hypothesis import given
from hypothesis import strategies as st
from vaderSentiment.vaderSentiment import BOOSTER_DICT, NEGATE, SPECIAL_CASES, SentimentIntensityAnalyzer

from plugins.lexicon.client import Analyzer
from tests.material import shared

VADER, OURS = SentimentIntensityAnalyzer(), Analyzer()
WORDS = [
    *NEGATE,
    *BOOSTER_DICT,
    *SPECIAL_CASES,
    "never",
    "so",
    "this",
    "without",
    "doubt",
    "but",
    "at",
    "least",
    "good",
    "bad",
    "GREAT!!",
]


@given(st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join), st.sampled_from(["", ",", "!", "?!", "'"]))
def test_any_mix_of_its_words_scores_the_same(text: str, mark: str) -> None:
    said = text.replace(" ", f"{mark} ", 1)
    assert OURS.compound(said) == VADER.polarity_scores(said)["compound"]


@given(st.lists(st.sampled_from([*VADER.emojis, *WORDS, "\u2019", " "]), max_size=8).map("".join))
def test_emoji_between_words_score_the_same(text: str) -> None:
    assert OURS.compound(text) == VADER.polarity_scores(text)["compound"]


def test_two_thousand_tweets_score_the_same() -> None:
    with gzip.open(shared("data/sentiment/semeval_en_dev.jsonl.gz"), "rt", encoding="utf-8") as lines:
        texts = [json.loads(line)["text"] for line in lines]
    assert len(texts) > 1900
    assert [OURS.compound(text) for text in texts] == [VADER.polarity_scores(text)["compound"] for text in texts]
