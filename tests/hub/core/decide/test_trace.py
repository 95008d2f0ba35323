"""Traces: what was stored is read again, and what is erased is gone from the value."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from hub.core.decide.trace import (
    Trace,
    decode_trace,
    encode_trace,
    forget_last_word,
    forget_person,
    forget_post,
    mark_of,
)
from hub.core.model import Author, Label

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
TEXTS = st.lists(TEXT, max_size=3).map(tuple)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | FLOATS | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
FACTS = st.dictionaries(TEXT, JSON, max_size=4)
LABELS = st.builds(Label, TEXT, TEXT, TEXT, st.none() | FLOATS, st.none() | FLOATS)
TRACES = st.builds(
    Trace,
    rules=TEXT,
    topics=TEXT,
    matched=TEXTS,
    about=TEXTS,
    stats=st.dictionaries(TEXT, st.none() | FLOATS | st.integers(0, 2**53), max_size=3),
    size=st.integers(0, 2**53),
    opened=TEXTS,
    author=st.none() | st.builds(Author, TEXT, TEXT, TEXT, followers=st.none() | st.integers(0, 2**53)),
    labels=st.lists(LABELS, max_size=3).map(tuple),
    unsure_below=FLOATS,
    notes=TEXTS,
    conversation=FACTS,
    person=st.none() | FACTS,
    joins=TEXT,
    joins_opened=TEXTS,
    account=st.none() | FACTS,
)
WHOLE = Trace(
    "r1",
    "t1",
    ("angry",),
    ("acme",),
    {"signals_30d": 3},
    2,
    ("desk",),
    Author("lines:ana", "lines", "ana", handle="ana"),
    (Label("sentiment", "negative", "mood", -1.0),),
    0.6,
    ("memo/note: text: ana said so",),
    {"assignee": "kim", "url": "https://desk.example/1"},
    {
        "key": "person:1",
        "display_name": "Ana",
        "last_url": "https://x.example/1",
        "last_at": "2026-01-02",
        "owner": "bo",
    },
    account={"key": "account:1", "last_url": "https://x.example/2", "last_network": "lines"},
)
STORED = (
    b'{"rules":"r1","topics":"t1","matched":["angry"],"about":["acme"],"stats":{"signals_30d":3},"size":2,"opened":["desk"],'
    b'"author":{"key":"lines:ana","network":"lines","native_id":"ana","handle":"ana"},'
    b'"labels":[{"name":"sentiment","value":"negative","model":"mood","score":-1.0}],"unsure_below":0.6,'
    b'"notes":["memo/note: text: ana said so"],"conversation":{"assignee":"kim","url":"https://desk.example/1"},'
    b'"person":{"key":"person:1","display_name":"Ana","last_url":"https://x.example/1","last_at":"2026-01-02","owner":"bo"},'
    b'"account":{"key":"account:1","last_url":"https://x.example/2","last_network":"lines"}}'
).decode()
"""As it was written before 0.2.0."""


@given(TRACES)
def test_what_is_encoded_is_decoded_again(trace: Trace) -> None:
    assert decode_trace(encode_trace(trace)) == trace


def test_traces_of_the_first_release_are_read_and_written_alike() -> None:
    assert (decode_trace(STORED), encode_trace(WHOLE)) == (WHOLE, STORED)


@pytest.mark.parametrize("more", ['{"rules":"r","topics":"t"}', '{"rules":"r","topics":"t","a":1,"b":{"c":[]}}'])
def test_names_that_are_missing_or_unknown_do_no_harm(more: str) -> None:
    assert decode_trace(more) == Trace("r", "t")


def test_half_a_surrogate_is_stored_mended() -> None:
    told = Trace(notes=("a\ud83d",), conversation={"tags": ["\udc00"]})
    assert decode_trace(encode_trace(told)) == Trace(notes=("a\ufffd",), conversation={"tags": ["\ufffd"]})


@given(TRACES)
def test_of_an_erased_post_only_versions_matches_and_size_stay(trace: Trace) -> None:
    kept = msgspec.to_builtins(decode_trace(encode_trace(forget_post(trace))))
    assert kept.keys() <= {"rules", "topics", "matched", "about", "size"}
    assert (kept.get("rules", ""), kept.get("size", 0)) == (trace.rules, trace.size)


@pytest.mark.parametrize(
    ("keys", "person"), [(["person:1"], {"key": "person:1"}), (["person:2"], WHOLE.person), ([], WHOLE.person)]
)
def test_of_a_forgotten_person_the_key_stays(keys: list[str], person: Any) -> None:
    assert forget_person(WHOLE, keys) == replace(WHOLE, person=person)


def test_a_trace_without_a_person_has_none_to_forget() -> None:
    assert forget_person(Trace(), ["person:1"]) == Trace()


@pytest.mark.parametrize(
    ("gone", "stays"),
    [
        ({"https://x.example/1"}, {"person": {"key": "person:1", "display_name": "Ana", "owner": "bo"}}),
        ({"2026-01-02"}, {"person": {"key": "person:1", "display_name": "Ana", "owner": "bo"}}),
        ({"https://x.example/2"}, {"account": {"key": "account:1"}}),
        ({"https://x.example/12"}, {}),
        (set(), {}),
    ],
)
def test_a_last_word_that_is_gone_goes_with_its_link_and_time(gone: set[str], stays: dict[str, Any]) -> None:
    assert forget_last_word(WHOLE, frozenset(gone)) == replace(WHOLE, **stays)


@pytest.mark.parametrize("name", ["person", "last_at", "account"])
def test_a_trace_is_found_by_the_mark_of_what_it_holds(name: str) -> None:
    assert mark_of(name) in encode_trace(WHOLE)
    assert mark_of(name) not in encode_trace(forget_post(WHOLE))
