"""Zendesk's JSON and our values: pure, and unmoved by hostile input."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub import ConnectorError, Rejected, Retryable
from hub.sdk.doc import Doc
from hub.sdk.records import Landed
from plugins.zendesk import translate
from tests.plugins.zendesk.conftest import delivery

WORDS = [
    "error",
    "errors",
    "details",
    "description",
    "id",
    "index",
    "status",
    "success",
    "external_id",
    "events",
    "metadata",
]
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=8)
    | st.sampled_from(["a", "b"]),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(WORDS) | st.text(max_size=4), inner, max_size=5)
    ),
    max_leaves=20,
)


@given(JSON)
def test_an_error_body_of_any_shape_is_read(body: Any) -> None:
    said = translate.refusal(body)
    assert isinstance(said.code, str)
    assert isinstance(said.message, str)


@given(st.dictionaries(st.sampled_from(["results", "id", "status"]), JSON))
def test_job_results_of_any_shape_name_only_our_keys(job: dict[str, Any]) -> None:
    assert set(translate.results_of(Doc(job), ["a", "b"])) <= {"a", "b"}


@given(st.lists(JSON))
def test_audits_of_any_shape_hold_no_mark_of_ours(audits: list[Any]) -> None:
    assert translate.marked_comment(map(Doc, audits), "delivery1") is None


@given(st.lists(JSON))
def test_fields_of_any_shape_are_described(fields: list[Any]) -> None:
    assert "subject" in translate.ticket_object(map(Doc, fields)).fields
    assert translate.custom_object("x", Doc({"custom_object_fields": fields}), "author").name == "x"


@given(st.text() | st.lists(st.text()))
def test_tags_are_words_without_spaces_each_once(value: Any) -> None:
    tags = translate.tags_of(value)
    assert len(set(tags)) == len(tags)
    assert not [tag for tag in tags if not tag or " " in tag or "," in tag]


@pytest.mark.parametrize(
    ("value", "tags"),
    [
        ("Mastodon  very-bad\nde", ["mastodon", "very-bad", "de"]),
        ("a,b a", ["a", "b"]),
        (["own brand", "Überlang"], ["own_brand", "überlang"]),
        ("!! ok!", ["ok"]),
        ("", []),
    ],
)
def test_tags_come_from_words_or_lists(value: Any, tags: list[str]) -> None:
    assert translate.tags_of(value) == tags


@pytest.mark.parametrize(
    ("results", "failed"),
    [
        ([{"id": "1"}, {"id": "2"}], {}),
        ([{"id": 2, "index": 1}, {"id": 1, "index": 0}], {}),
        ([{"external_id": "b", "error": "X"}, {"external_id": "a", "id": "1"}], {"b": Rejected}),
        ([{"id": "1"}, {"index": 1, "success": False}], {"b": Rejected}),
        ([{"index": 1, "error": "X"}, {"id": "1"}], {"b": Rejected}),
        ([{"id": "1", "status": "Failed"}, {"id": "2"}], {"a": Rejected}),
        ([{"id": "1"}, {"errors": [{"code": "RecordInvalid", "title": "no"}]}], {"b": Rejected}),
        ([{"id": "1"}, {"error": "DatabaseConflict", "description": "again"}], {"b": Retryable}),
    ],
)
def test_each_item_of_a_completed_job_is_judged_by_itself(results: list[Any], failed: dict[str, type]) -> None:
    made = translate.results_of(Doc({"results": results}), ["a", "b"])
    ids = {"a": "1", "b": "2"}
    assert {key: type(one) for key, one in made.items() if isinstance(one, ConnectorError)} == failed
    landed = {key: one.id for key, one in made.items() if isinstance(one, Landed)}
    assert landed == {key: ids[key] for key in ids.keys() - failed.keys()}


def test_an_item_that_the_results_leave_out_is_absent() -> None:
    assert set(translate.results_of(Doc({"results": [{"id": "1", "index": 0}]}), ["a", "b"])) == {"a"}
    assert translate.results_of(Doc({"results": [{"id": "1"}]}), ["a", "b"]) == {}
    assert translate.results_of(Doc({"results": None}), ["a"]) == {}


def test_the_requester_has_a_lower_case_key_and_always_a_name() -> None:
    made = translate.requester_of(delivery(1, "create", fields={"requester": {"external_id": "X:AbC", "name": "  "}}))
    assert made == {"external_id": "x:abc", "name": "x:abc"}
    assert translate.requester_of(delivery(1, "create", fields={"requester": {"name": "Ann"}})) is None


def test_a_comment_given_as_text_is_its_body() -> None:
    body = translate.comment_body(delivery(1, "comment", fields={"comment": "words"}), 9, public=True)
    assert body["ticket"]["comment"] == {"body": "words", "public": True, "author_id": 9}


def test_a_comment_may_change_the_status_but_not_the_subject() -> None:
    fields = {"comment": "words", "status": "open", "subject": "new", "custom_fields": {"5": True}}
    ticket = translate.comment_body(delivery(1, "comment", fields=fields), None, public=False)["ticket"]
    assert set(ticket) == {"comment", "status", "metadata", "custom_fields"}
    assert ticket["custom_fields"] == [{"id": 5, "value": True}]
