"""Erasure: what of a payload are a post's own words, and what is left without them."""

from __future__ import annotations

import json
from time import process_time
from urllib.parse import quote

import pytest

from hub.core.erasure import (
    Traits,
    changed_since,
    has_said,
    is_of_people,
    is_quoting,
    quoting,
    spellings,
    written_of,
)
from hub.core.model import Author


def test_a_link_goes_as_a_whole_and_others_that_begin_alike_stay() -> None:
    fields = {"Last": "https://m.example/1", "Other": "https://m.example/12", "At": {"Last": "2026-01-02T03:04:05Z"}}
    traces = frozenset({"https://m.example/1", "2026-01-02T03:04:05Z"})
    assert quoting(fields, (), traces=traces) == {"Last": "", "At": {"Last": ""}}


WORDS = ('acme lost "my" heirloom', "ok")
PAGE_OF_IT = "https://x.example/post/1"


@pytest.mark.parametrize(
    ("body", "holds"),
    [
        (rb'{"text": "see: acme lost \"my\" heirloom!"}', True),
        (rb'[{"value": "acme lost \u0022my\u0022 heir"}, {', True),
        (rb'{"value": "lost \"my\" heirloo"}', True),
        (b"<d>acme lost &quot;my&quot;\n heirloom</d>", True),
        (b'acme lost "my" heirloom', True),
        (b'{"value": "ok"}', True),
        (b"<v> ok </v>", True),
        (b'{"ok": "okay", "note": "is it ok so"}', False),
        (b'{"text": "acme found my heirloom"}', False),
        (b'{"link": "https://x.example/post/1"}', True),
        (rb'{"link": "https:\/\/x.example\/post\/1?a=b"}', True),
        (b'{"link": "https://x.example/post/12"}', False),
        (b"see lines:abc", True),
        (rb'"\ud83d \udc00 \x', False),
        (b"\xff\xfe\x00", False),
        (b"", False),
    ],
)
def test_a_call_that_nobody_could_read_is_known_to_quote_a_post(body: bytes, *, holds: bool) -> None:
    assert is_quoting(body, WORDS, {PAGE_OF_IT, "lines:abc"}) is holds


@pytest.mark.parametrize("part", [b'"', b"\\", b'"\\', b"<", b">", b'" ', b"&#"])
def test_a_hostile_call_is_looked_through_in_no_time(part: bytes) -> None:
    began = process_time()
    is_quoting(part * 200_000, WORDS, {PAGE_OF_IT})
    assert process_time() - began < 5


@pytest.mark.parametrize(
    ("provides", "is_peoples"),
    [
        ("author:A:k", True),
        ("person:A:k", True),
        ("account:A:k", True),
        ("conversation:A:k", False),
        ("signal:A:k", False),
    ],
)
def test_records_of_people_are_known_by_what_they_provide(provides: str, is_peoples: bool) -> None:
    assert is_of_people(provides) is is_peoples


WRITTEN = written_of([({"name": "Ann Lee ", "mood": "bad", "size": 3}, ["name", "size"]), ({"name": "Bo"}, ["name"])])


@pytest.mark.parametrize(
    ("held", "changed"),
    [
        ({"name": "Ann Lee ", "mood": "bad", "size": 3}, ()),
        ({"name": "Ann Lee", "size": "3"}, ()),
        ({"name": "Mrs Lee", "mood": "good", "size": 3}, ("name",)),
        ({"name": "", "size": None}, ()),
        ({}, ()),
    ],
)
def test_a_field_is_peoples_once_it_holds_other_words_than_were_first_written(
    held: dict[str, object], changed: tuple[str, ...]
) -> None:
    assert changed_since(WRITTEN, WRITTEN, held) == changed


SPELT = "Jürgen & Söhne/Müß"


@pytest.mark.parametrize(
    "told",
    [
        SPELT,
        SPELT.upper().replace("SS", "ß"),
        json.dumps(SPELT),
        json.dumps(json.dumps(SPELT)),
        json.dumps(SPELT).replace("/", "\\/"),
        SPELT.replace("&", "&amp;"),
        "J&#252;rgen &amp; S&#xf6;hne/M&uuml;&szlig;",
        quote(SPELT, safe=""),
        quote(SPELT).lower(),
    ],
)
def test_what_a_vendor_quotes_is_found_however_it_is_escaped(told: str) -> None:
    assert has_said(f"no: {told}!", [SPELT])
    assert not has_said(f"no: {told}!", ["Jürgen & Sohn"])


def test_a_word_is_looked_for_in_each_spelling_of_payloads() -> None:
    found = spellings("https://n.example/@Jü?a&b")
    for one in (r"https:\/\/n.example\/@J\u00fc?a&b", r"J\u00FC?a\u0026b", "@jü?a&amp;b", "/@J%C3%BC%3Fa%26b"):
        assert any(one in spelling for spelling in found), one
    assert spellings("plain") == ("plain",)


@pytest.mark.parametrize(
    ("body", "is_alone", "holds"),
    [
        ('{"by": {"id": 77, "name": "Eva Q"}}', False, False),
        ('{"by": {"id": 77, "name": "Eva Quist"}}', False, True),
        ('{"by": {"id": "77", "name": "EVA QUIST"}}', False, True),
        ("<by><id>77</id><name>Eva Quist</name></by>", False, True),
        ('{"name": "Eva Quist", "likes": 770}', True, False),
        ('{"Eva Quist": 1, "id": 77}', False, False),
    ],
)
def test_two_whole_values_tell_an_author(body: str, *, is_alone: bool, holds: bool) -> None:
    author = Author("lines:x", "lines", "77", display_name="Eva Quist")
    assert Traits.of(author).are_in(body.encode(), is_alone=is_alone) is holds


@pytest.mark.parametrize("is_alone", [True, False])
def test_the_only_value_tells_an_author_where_nothing_else_was_read(*, is_alone: bool) -> None:
    author = Author("lines:x", "lines", "Eva", display_name="Eva", handle="@eva")
    assert Traits.of(author).are_in(b'{"by": "Eva"}', is_alone=is_alone) is is_alone
