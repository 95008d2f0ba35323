"""RT's JSON read, and hostile JSON survived."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub import RemoteRef
from hub.sdk.doc import Doc
from plugins.requesttracker import translate
from plugins.requesttracker.translate import Looks
from tests.plugins.requesttracker.conftest import delivery

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ROW = {
    "id": "70",
    "Type": "Correspond",
    "ObjectType": "RT::Ticket",
    "ObjectId": "3",
    "Creator": {"type": "user", "id": "agent1"},
    "Created": "2026-11-23T06:26:46Z",
}
HEADERS = 'MIME-Version: 1.0\nContent-Type: text/plain; charset="utf-8"; hubbub-key="{}"\nContent-Length: 9'
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(sorted(ROW)), inner, max_size=6),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("row", "kind", "value"),
    [
        ({}, "reply", None),
        ({"Type": "Comment"}, "note", None),
        ({"Type": "Status", "NewValue": "stalled"}, "status", "stalled"),
        ({"Type": "Status", "NewValue": "deleted"}, "deleted", None),
        ({"Type": "Set", "Field": "Owner", "NewValue": "43"}, "assignee", "43"),
        ({"Type": "AddLink", "Field": "MergedInto", "NewValue": "fsck.com-rt://x/ticket/4"}, "merged", "4"),
    ],
)
def test_a_transaction_is_a_change(row: dict[str, Any], kind: str, value: object) -> None:
    change = translate.change_of(Doc({**ROW, **row}), "hub")
    assert (change.kind, change.value, change.remote_id) == (kind, value, "3")
    assert change.at == datetime(2026, 11, 23, 6, 26, 46, tzinfo=UTC)


@pytest.mark.parametrize(
    "row",
    [
        {"Type": "Create"},
        {"Type": "EmailRecord"},
        {"Type": "Set", "Field": "Priority"},
        {"Type": "SetWatcher", "Field": "Owner", "NewValue": "43"},
        {"Type": "AddLink", "Field": "MergedInto", "NewValue": "fsck.com-rt://x/ticket/3"},
        {"Type": "AddLink", "Field": "RefersTo", "NewValue": "fsck.com-rt://x/ticket/4"},
        {"Type": "Status", "NewValue": ""},
        {"ObjectType": "RT::Asset"},
        {"ObjectId": ""},
        {"id": None},
    ],
)
def test_a_transaction_may_be_nothing_to_us(row: dict[str, Any]) -> None:
    assert translate.change_of(Doc({**ROW, **row}), "hub") is None


@given(st.dictionaries(st.sampled_from(sorted(ROW)), JSON))
def test_no_transaction_breaks_the_reading(row: dict[str, Any]) -> None:
    change = translate.change_of(Doc({**ROW, **row}), "hub")
    assert change is None or msgspec.json.decode(msgspec.json.encode(change), type=type(change)) == change


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("Hello\n\n-- \nAgnes\nAcme", "Hello"),
        ("Hello\n\nOn Mon Nov 23, Ann wrote:\n\n> it broke\n> twice\n", "Hello"),
        ("Am Montag schrieb Ann:\n> kaputt\n\nDas tut uns leid.", "Das tut uns leid."),
        ("On this page you find:\n- the form", "On this page you find:\n- the form"),
        ("a -- b\n---\nc", "a -- b\n---\nc"),
        ("> only a quote", ""),
    ],
)
def test_a_reply_is_what_the_agent_said(said: str, meant: str) -> None:
    assert translate.words_of([Doc({"ContentType": "text/plain", "Content": said})], spoken=True) == meant


def test_a_note_keeps_its_quotes() -> None:
    assert translate.words_of([Doc({"ContentType": "text/plain", "Content": "> a\nb"})], spoken=False) == "> a\nb"


def test_words_are_the_first_text_part_that_is_no_file() -> None:
    parts = [
        {"ContentType": "multipart/mixed", "Content": ""},
        {"ContentType": "text/plain", "Content": "a file", "Filename": "a.txt"},
        {"ContentType": "text/html", "Content": "<b>hi</b> there", "Filename": ""},
    ]
    assert translate.words_of(map(Doc, parts), spoken=True) == "hi there"


@given(st.text(), st.sampled_from(["text/plain", "text/html"]))
def test_no_message_breaks_the_reading(content: str, kind: str) -> None:
    assert isinstance(translate.words_of([Doc({"ContentType": kind, "Content": content})], spoken=True), str)


def test_a_mark_is_read_from_the_headers_of_its_message() -> None:
    found = [
        {"Headers": HEADERS.format("abc"), "TransactionId": "57"},
        {"Headers": HEADERS.format("abcd"), "TransactionId": {"type": "transaction", "id": "58"}},
    ]
    assert translate.marked_transaction(map(Doc, found), "abcd") == "58"
    assert translate.marked_transaction(map(Doc, found), "ab") is None


def test_a_mark_stands_in_the_content_type_where_no_customer_sees_it() -> None:
    body = translate.message_body(delivery(2, "comment"))
    assert body == {"Content": "word 2", "ContentType": 'text/plain; hubbub-key="deliveryc"'}


def test_a_requestor_is_named_without_what_rt_takes_for_a_group() -> None:
    body = translate.ticket_body(delivery(1), "Social", "Hubbub Key")
    assert body["Requestor"] == "mastodon-ann"


@pytest.mark.parametrize("fields", [{}, {"Requestor": "ann"}, {"Requestor": {}}, {"Requestor": {"RealName": "Ann"}}])
def test_a_mapping_may_name_no_requestor(fields: dict[str, Any]) -> None:
    given_ = delivery(2, "comment", fields={"Content": "x", **fields}, parents={"conversation": RemoteRef("1")})
    assert translate.requestor_of(given_) is None


@pytest.mark.parametrize(
    ("ticket", "state", "since"),
    [
        ({"Status": "open", "Resolved": "2020-01-01T00:00:00Z"}, "open", 2020),
        (
            {"Status": "resolved", "Resolved": "2020-01-01T00:00:00Z", "LastUpdated": "2021-01-02T00:00:00Z"},
            "solved",
            2021,
        ),
        ({"Status": "resolved", "Resolved": "2022-01-01T00:00:00Z", "LastUpdated": "never"}, "solved", 2022),
        ({"Status": "resolved"}, "solved", None),
        ({"Status": "rejected"}, "open", None),
        ({"Status": "deleted"}, "closed", None),
    ],
)
def test_a_ticket_is_solved_by_its_state_and_quiet_since_the_last_touch(
    ticket: dict[str, Any], state: str, since: int | None
) -> None:
    at = translate.quiet_since(Doc(ticket))
    assert translate.state_of(Doc(ticket), ("resolved",)) == state
    assert (at.year if at else None) == since


def test_a_query_quotes_names() -> None:
    query = translate.changes_query("o'hub\\", "A'B", 7)
    assert query.startswith(
        "(TicketCreator = 'o\\'hub\\\\' OR TicketQueue = 'A\\'B') AND id > 7 AND (Type = 'Correspond' OR "
    )


@given(st.lists(st.tuples(st.integers(1, 9_999), st.integers(0, 400)), min_size=1, max_size=20))
def test_a_place_survives_its_json_and_never_asks_past_what_may_come_late(steps: list[tuple[int, int]]) -> None:
    place, now = Looks(((NOW, (0,)),)), NOW
    for id_, seconds in steps:
        now += timedelta(seconds=seconds)
        place = place.passed((id_,), now)
        young = [one for at, ids in place.looks[1:] for one in ids if at >= now - translate.OVERLAP]
        assert id_ in young
        assert Looks.read(msgspec.json.decode(msgspec.json.encode(place.show()))) == place


def test_custom_fields_are_described_by_name() -> None:
    found = translate.ticket_object(["Network", "Key"], "Key").fields
    assert found["CustomFields.Network"].writable
    assert not found["CustomFields.Key"].writable
