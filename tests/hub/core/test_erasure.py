"""Erasure: what of a payload are a post's own words, and what is left without them."""

from __future__ import annotations

from time import process_time

import pytest

from hub.core.erasure import changed_since, is_of_people, is_quoting, quoting, written_of


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
