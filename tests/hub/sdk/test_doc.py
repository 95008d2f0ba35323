"""Hostile JSON by dotted path: nothing raises but `need`, and a wrong type is as good as nothing."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.core.errors import TranslationError
from hub.sdk.doc import DEEPEST, Doc, load, steps_of

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)
DOC = Doc({"a": {"b": [{"c": " x "}, 7, "y"]}, "n": 3, "0": "zero", "t": "2026-01-02T03:04:05Z", "yes": True}, "a post")


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("a.b.0.c", "x"),
        ("a.b.2", "y"),
        ("0", "zero"),
        ("a.b.1", None),
        ("a.b.3", None),
        ("a.b.-1", None),
        ("a.b.c", None),
        ("a.b.999999999", None),
        ("a.b.²", None),
        ("a", None),
        ("n", None),
        ("yes", None),
        ("n.b", None),
        ("missing.far.away", None),
    ],
)
def test_a_text_is_found_by_its_path_or_is_none(path: str, found: str | None) -> None:
    assert DOC.text(path) == found


def test_the_first_path_that_has_a_value_counts() -> None:
    doc = Doc({"name": " ", "title": "Ann", "url": "ftp://x", "uri": "https://x", "at": "soon", "on": 1_700_000_000})
    assert doc.text("name", "title") == "Ann"
    assert doc.web("url", "uri") == "https://x"
    assert doc.time("at", "on") == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)


def test_what_is_needed_and_missing_is_named() -> None:
    assert DOC.need("a.b.0.c") == "x"
    with pytest.raises(TranslationError, match=r"a post has no account\.uri or account\.url"):
        DOC.need("account.uri", "account.url")


@pytest.mark.parametrize(
    ("value", "count", "id_", "flag"),
    [
        (0, 0, "0", None),
        (-1, None, "-1", None),
        (2**63, None, "", None),
        (True, None, "", True),
        (1.5, None, "", None),
        ("7", None, "7", None),
        ([1], None, "", None),
        (None, None, "", None),
    ],
)
def test_counts_ids_and_flags_take_their_own_types_only(value: Any, count: Any, id_: str, flag: Any) -> None:
    doc = Doc({"v": value})
    assert (doc.count("v"), doc.id("v"), doc.flag("v")) == (count, id_, flag)


def test_html_is_made_safe_and_plain() -> None:
    doc = Doc({"content": '<p onclick="x()">Hi <b>you</b><script>alert(1)</script></p>', "none": "", "number": 7})
    assert doc.html("content") == "<p>Hi <b>you</b></p>"
    assert doc.plain("content") == "Hi you"
    assert (doc.html("none"), doc.html("number"), doc.plain("number")) == (None, None, "")


def test_lists_keep_what_is_of_the_wanted_type() -> None:
    doc = Doc({"tags": ["a", 1, "\0", " b ", None], "people": [{"id": 1}, "x", {"id": 2}], "no": {"id": 3}})
    assert doc.strings("tags") == ["a", "b"]
    assert [one.id("id") for one in doc.docs("people")] == ["1", "2"]
    assert (doc.docs("no"), doc.strings("no")) == ([], [])


def test_a_part_is_a_document_of_its_own_and_an_empty_one_is_false() -> None:
    assert DOC.doc("a").text("b.2") == "y"
    assert not DOC.doc("n")
    assert "a.b" in DOC
    assert "a.c" not in DOC


def test_an_exact_text_keeps_its_blanks() -> None:
    assert Doc({"text": " a\x00 "}).exact("text") == " a\x00 "
    assert Doc({"text": ""}).exact("text") is None


@pytest.mark.parametrize("path", ["", "a..b", ".a", "a.", ".".join("a" * (DEEPEST + 1))])
def test_a_path_that_leads_nowhere_is_refused_when_it_is_written(path: str) -> None:
    with pytest.raises(ValueError, match="must have one to 8"):
        steps_of(path)


@pytest.mark.parametrize("payload", [b"", b"{", b"[]", b"7", b'"a"', b"null", b"[" * 100_000, b'{"a":"\xff"}'])
def test_what_is_no_object_is_a_translation_error(payload: bytes) -> None:
    with pytest.raises(TranslationError, match="a post is no JSON"):
        Doc.read(payload, "a post")


@pytest.mark.parametrize(
    ("payload", "found"),
    [
        (b'{"t": "a\\ud800b"}', "a\ufffdb"),
        (b'{"t": "\\uD83D\\uDE00 \\udc00"}', "\U0001f600 \ufffd"),
        (b'{"t": "x", "n": NaN, "i": 1e400}', "x"),
        (b'\xef\xbb\xbf{"t": "x"}', "x"),
    ],
)
def test_json_as_senders_write_it_is_read(payload: bytes, found: str) -> None:
    doc = Doc.read(payload)
    assert doc.text("t") == found
    json.dumps(doc.data, ensure_ascii=False).encode()


@given(JSON, st.text(max_size=12))
def test_no_value_under_any_path_raises(value: Any, name: str) -> None:
    doc = Doc({name.replace(".", ""): value, "v": value})
    for path in ("v", "v.0", "v.0.a", "v.a.0"):
        for read in (doc.text, doc.exact, doc.id, doc.web, doc.html, doc.plain, doc.time, doc.count, doc.flag):
            read(path)
        assert isinstance(doc.docs(path), list)
        assert all(doc.strings(path))


@given(JSON)
def test_a_value_is_loaded_as_it_was_written(value: Any) -> None:
    payload = json.dumps(value).encode()
    assert json.dumps(load(payload)) == json.dumps(json.loads(payload))
