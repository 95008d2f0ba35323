"""Topics agree with what a reader would say a text is about."""

from __future__ import annotations

import re
from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.core.spec import Topic
from hub.core.topics import compile_topics


def hits(keyword: str, text: str, *hashtags: str) -> bool:
    return compile_topics([Topic("topic", (keyword,))]).match(text, hashtags) == ("topic",)


@pytest.mark.parametrize(
    ("keyword", "text"),
    [
        ("acme", "ACME!"),
        ("acme", "Acme's late"),
        ("acme", "(acme)"),
        ("acme", "acmeのサービス"),
        ("acme", "ＡＣＭＥ"),
        ("acme", "\ud800 acme"),
        ("acme", "ac\u00adme"),
        ("acme pay", "Acme\n  Pay"),
        ("acme pay", "I love #AcmePay."),
        ("acme pay", "#acme_pay"),
        ("acmepay", "#AcmePay"),
        ("#acme", "so #Acme!"),
        ("#acme", "＃acme"),
        ("@acme", "hey @acme"),
        ("cafe", "Café"),
        ("café", "CAFE\u0301"),
        ("strasse", "Straße"),
        ("İstanbul", "istanbul"),
        ("lodz", "Łódź"),
        ("ёлка", "елка"),
        ("οδος", "ΟΔΌΣ"),
        ("東京", "今日東京へ"),
        ("신한", "신한은행"),
        ("ข่าว", "ข่าวสาร"),
        ("नमस्ते", "नमस्ते!"),
        ("🚀", "go🚀go"),
        ("❤️", "❤"),
        ("👍", "👍🏽"),
        ("c++", "we write C++."),
        *[("l'oréal", f"L{mark}Oréal a encore") for mark in "’‘‛ʼʻʹ′＇`´ˈ‵❛❜΄᾽᾿῾"],
        *[(f"l{mark}oréal", "L'Oréal a encore") for mark in "’ʼ′＇`´"],
        *[("acme-pay", f"acme{mark}pay est en panne") for mark in "‐‑‒–—―−－﹣⁃➖─⸗⹀゠\U00010ead"],
        ('the "new" acme', "the «new» acme"),
        ('the "new" acme', "the „new“ Acme™"),
        *[
            ("acme pay", f"Acme{space}Pay")
            for space in "\xa0\u2002\u2009\u200a\u202f\u205f\u3000\u2003\u1680\u2028\x85"
        ],
        *[
            ("acme pay", f"Acme{mark} Pay")
            for mark in "\u200b\u200c\u200d\u200e\u200f\u2060\ufeff\xad\ufe0f\u061c\u2069\u180e"
        ],
        *[("acme pay", f"Acme {mark} P{mark}ay") for mark in "\u200d\u200e\u2060\ufeff\xad"],
        ("acme", "ac\U000e0101me"),
        ("acme", "Acme™ is late"),
        ("acme", "Acme®, late"),
        ("パソコン", "新しいﾊﾟｿｺﾝです"),
        ("ﾊﾟｿｺﾝ", "新しいパソコンです"),
        ("グーグル", "ｸﾞｰｸﾞﾙで"),
        ("グーグル", "ク\u3099ーク\u3099ル"),
        ("straße", "STRASSE"),
        ("STRAẞE", "straße"),
        ("ıspanak", "ISPANAK"),
        ("diyarbakir", "DİYARBAKIR, Diyarbakır"),
        ("σιγμας", "ΣΙΓΜΑΣ"),
        ("office", "Oﬃce"),
        ("acme", "𝗔𝗰𝗺𝗲"),
        ("محمد", "مُحَمَّـــد"),
        ("احمد", "أحمد"),
        ("کتاب", "كتاب"),
        ("مى", "می\u200c"),
        ("acme 15", "Acme ١٥"),
        ("שלום", "שָׁלוֹם"),
        ("ශ්රී", "ශ්\u200dරී"),
        ("👩\u200d🚀", "an 👩\u200d🚀"),
    ],
)
def test_a_keyword_is_found(keyword: str, text: str) -> None:
    assert hits(keyword, text)


@pytest.mark.parametrize(
    ("keyword", "text"),
    [
        ("acme", "acmecorp"),
        ("acme", "pacme"),
        ("acme", "acme_x"),
        ("acme", "acme2"),
        ("acme", "acmé2"),
        ("acme pay", "acme, pay"),
        ("acme pay", "acmepay"),
        ("acme pay", "#acmepayment"),
        ("#acme", "acme"),
        ("#acme", "#acmepay"),
        ("k", "㎏"),
        ("가", "각"),
        ("नमस", "नमस्ते"),
        ("👩", "👩\u200d🚀"),
        ("🇩🇪", "🇦🇩🇪🇸"),
        ("", "anything"),
        ("\u0301", "e\u0301"),
        ("#", "# x"),
        ("s", "ß"),
    ],
)
def test_a_part_of_something_else_is_not_found(keyword: str, text: str) -> None:
    assert not hits(keyword, text)


def test_the_hashtags_of_a_signal_count() -> None:
    assert hits("acme", "no word of it", "acme")
    assert hits("acme pay", "", "x", "acmepay")
    assert not hits("late acme", "late", "acme")


def test_an_excluded_phrase_turns_a_topic_off_and_no_other() -> None:
    fruit = Topic("fruit", ("apple",), exclude=("apple watch",))
    index = compile_topics([fruit, Topic("gadgets", ("Apple Watch",))])
    assert index.match("an apple a day") == ("fruit",)
    assert index.match("apple or Apple Watch") == ("gadgets",)


def test_names_come_sorted_and_once() -> None:
    index = compile_topics([Topic("b", ("x", "y")), Topic("a", ("y",)), Topic("c", ("z",))])
    assert index.match("y x y x") == ("a", "b")


def test_no_topics_match_nothing() -> None:
    assert compile_topics([]).match("acme") == ()
    assert compile_topics([Topic("empty")]).match("acme") == ()


def test_the_version_changes_with_the_words_only() -> None:
    one = compile_topics([Topic("a", ("x",))])
    assert one.version == compile_topics([Topic("a", ("x",))]).version
    assert one.version != compile_topics([Topic("a", ("y",))]).version


def naive(keyword: str, text: str) -> bool:
    """The same for Latin texts, by a regular expression for each keyword."""
    plain, wanted = (re.sub("[\u0300-\u036f]", "", normalize("NFKD", part.casefold())) for part in (text, keyword))
    one_line = re.sub(r"\s+", " ", plain)
    wanted = re.sub(r"\s+", " ", wanted).strip()
    before = r"(?<!\w)" if wanted[:1].isalnum() else ""
    after = r"(?!\w)" if wanted[-1:].isalnum() else ""
    return bool(wanted) and bool(re.search(before + re.escape(wanted) + after, one_line))


WORDS = st.lists(st.sampled_from(["acme", "Pay", "é", "E", "ü1", "2", "ß", "ﬁ"]), min_size=1, max_size=3).map("".join)
KEYWORD = st.lists(WORDS, min_size=1, max_size=2).map(" ".join)
TEXT = st.lists(WORDS | st.sampled_from([" ", "\n ", ".", "-", "'", "🚀", "_", ", "]), max_size=12).map("".join)


@given(st.lists(KEYWORD, min_size=1, max_size=6, unique=True), TEXT)
def test_one_pass_agrees_with_a_search_for_each_keyword(keywords: list[str], text: str) -> None:
    index = compile_topics([Topic(keyword, (keyword,)) for keyword in keywords])
    # the folded ends of a ligature are no ends of a word; the naive search cannot see them
    assert index.match(text) == tuple(sorted(keyword for keyword in keywords if naive(keyword, text)))


@given(st.text(), st.lists(st.text(max_size=5), max_size=3), st.text(max_size=4))
def test_no_text_and_no_keyword_breaks_it(text: str, hashtags: list[str], keyword: str) -> None:
    compile_topics([Topic("topic", (keyword, text[:3]))]).match(text, hashtags)
