"""Webhooks of HubSpot: the signature, and what the events say."""

from __future__ import annotations

import json
from base64 import b64decode
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hubspot.utils.signature import Signature
from hypothesis import given
from hypothesis import strategies as st

from hub import Change, Request, TranslationError, Unread
from plugins.hubspot.config import HubSpotOptions
from plugins.hubspot.destination import HubSpotDestination
from plugins.hubspot.inbound import changes_of, decoded, is_genuine

# The vector was computed apart from this code; HubSpot, "Validating requests".
SECRET = "test_secret"
BODY = b64decode("eyJpZCI6IjEiLCJ0ZXh0IjoiY2Fmw6kg8J+YgCJ9")
URL = "https://hub.example.com/hooks/hubspot?a=b:c"
STAMP = "1795341600000"
V3 = "beUmnyNhx8tBZZUg0Avetspa5aNE7tVjQLH47byEJJA="
NOW = datetime.fromtimestamp(1795341600, UTC)


def request(**changes: Any) -> Request:
    """The vector's request; `signature`, `stamp`, `url`, `body`, `method` and `at` may differ."""
    headers = {
        "x-hubspot-signature-v3": changes.get("signature", V3),
        "x-hubspot-request-timestamp": changes.get("stamp", STAMP),
    }
    return Request(
        changes.get("method", "POST"),
        changes.get("url", URL),
        {name: value for name, value in headers.items() if value is not None},
        changes.get("body", BODY),
        changes.get("at", NOW),
    )


def opened(**options: Any) -> HubSpotDestination:
    return HubSpotDestination(HubSpotOptions.model_validate({"token": "t", **options}))


def test_the_golden_vector_is_genuine() -> None:
    assert opened(client_secret=SECRET).verify(request())


def test_without_the_apps_secret_nothing_is_genuine() -> None:
    assert not opened().verify(request())
    assert not is_genuine(request(), "")


@pytest.mark.parametrize(
    "changes",
    [
        {"body": BODY + b" "},
        {"body": json.dumps(json.loads(BODY)).encode()},
        {"method": "PUT"},
        {"url": "http://127.0.0.1:8600/hooks/hubspot?a=b:c"},
        {"url": URL.partition("?")[0]},
        {"signature": V3[:-2]},
        {"signature": ""},
        {"signature": "é"},
        {"signature": None},
        {"stamp": None},
        {"stamp": "1795341600001"},
        {"stamp": "-1795341600000"},
        {"stamp": "1795341600000.0"},
        {"stamp": "²"},
        {"stamp": "9" * 40},
    ],
    ids=str,
)
def test_anything_that_differs_is_refused(changes: dict[str, Any]) -> None:
    """Signed are the raw body and the public URL, not what a parser or a proxy made of them."""
    assert not is_genuine(request(**changes), SECRET)


@pytest.mark.parametrize("minutes", [-10, -5.01, 5.01, 10, 24 * 60])
def test_a_stale_and_a_future_time_are_refused(minutes: float) -> None:
    """A defect of the vendor's own helper: it takes a time of tomorrow, and raises for a stale one."""
    assert not is_genuine(request(at=NOW + timedelta(minutes=minutes)), SECRET)


@pytest.mark.parametrize("minutes", [-5, -4.9, 0, 4.9, 5])
def test_a_time_within_five_minutes_is_taken(minutes: float) -> None:
    assert is_genuine(request(at=NOW + timedelta(minutes=minutes)), SECRET)


def test_a_proxy_that_escapes_the_query_does_not_break_the_signature() -> None:
    """Read `a=b%3Ac` for `a=b:c`: HubSpot signs it so."""
    assert is_genuine(request(url="https://hub.example.com/hooks/hubspot?a=b%3Ac"), SECRET)
    assert is_genuine(request(url="https://hub.example.com/hooks%2fhubspot?a=b%3ac"), SECRET)


def test_twelve_escapes_are_read_and_no_other() -> None:
    assert decoded("/x?a=%3A%2F%3F%40%21%24%27%28%29%2A%2C%3B") == "/x?a=:/?@!$'()*,;"
    assert decoded("/x%20y?a=%26%3D%25%2B%C3%A9") == "/x%20y?a=%26%3D%25%2B%C3%A9"


@given(st.text(st.characters(codec="utf-8"), max_size=40), st.sampled_from(["/in/crm", "/in/crm?x=1", "/in/a%20b"]))
def test_the_vendors_own_helper_signs_alike(text: str, path: str) -> None:
    url = f"https://hub.example{path}"
    signature = Signature.get_signature(SECRET, text, "v3", url, "POST", STAMP)
    assert is_genuine(request(body=text.encode(), url=url, signature=signature), SECRET)


@given(st.binary(max_size=60), st.text(max_size=30), st.text(max_size=30))
def test_no_headers_raise_anything(body: bytes, signature: str, stamp: str) -> None:
    assert not is_genuine(request(body=body, signature=signature, stamp=stamp), SECRET)


# ---------------------------------------------------------------------------------------------------------- the events

EVENT = {
    "eventId": 100,
    "subscriptionId": 7,
    "portalId": 1,
    "appId": 42,
    "occurredAt": 1795341600000,
    "subscriptionType": "contact.propertyChange",
    "attemptNumber": 0,
    "objectId": 12345678901,
    "propertyName": "lifecyclestage",
    "propertyValue": "customer",
    "changeSource": "CRM_UI",
    "sourceId": "userId:7",
}


def said(*events: Any, **options: Any) -> list[Change]:
    return list(opened(**options).parse(json.dumps(list(events)).encode()))


def test_a_status_that_a_person_set_names_record_person_and_time() -> None:
    (change,) = said(EVENT)
    assert (change.kind, change.object, change.remote_id, change.value) == (
        "status",
        "contacts",
        "12345678901",
        "customer",
    )
    assert (change.actor_id, change.at) == ("7", NOW)


@pytest.mark.parametrize(
    ("name", "kind", "value"),
    [
        ("lifecyclestage", "status", "x"),
        ("hs_lead_status", "status", "x"),
        ("hs_pipeline_stage", "status", "x"),
        ("hubspot_owner_id", "assignee", "x"),
        ("jobtitle", "field", {"jobtitle": "x"}),
    ],
)
def test_each_property_has_its_meaning(name: str, kind: str, value: Any) -> None:
    (change,) = said({**EVENT, "propertyName": name, "propertyValue": "x"})
    assert (change.kind, change.value) == (kind, value)


@pytest.mark.parametrize("what", ["contact.deletion", "contact.privacyDeletion", "company.deletion"])
def test_a_deletion_is_told(what: str) -> None:
    (change,) = said({**EVENT, "subscriptionType": what})
    assert (change.kind, change.remote_id) == ("deleted", "12345678901")


def test_a_merge_names_the_winner_for_each_record_that_went_into_it() -> None:
    merge = {"subscriptionType": "contact.merge", "primaryObjectId": 5, "mergedObjectIds": [6, 7], "objectId": 5}
    assert [(one.kind, one.remote_id, one.value) for one in said({**EVENT, **merge})] == [
        ("merged", "6", "5"),
        ("merged", "7", "5"),
    ]


def test_a_winner_with_a_new_id_is_remapped_too() -> None:
    merge = {"subscriptionType": "company.merge", "primaryObjectId": 5, "mergedObjectIds": [6], "newObjectId": 9}
    changes = said({**EVENT, **merge})
    assert {(one.remote_id, one.value) for one in changes} == {("6", "9"), ("5", "9")}
    assert len({one.event_id for one in changes}) == 2


def test_what_our_own_app_changed_names_the_app() -> None:
    (change,) = said({**EVENT, "changeSource": "INTEGRATION", "sourceId": "42"})
    assert change.actor_id == opened(app_id="42").whoami(None)  # type: ignore[arg-type]  # it needs no context


def test_an_event_has_one_id_whatever_the_attempt() -> None:
    first, second = said(EVENT, {**EVENT, "attemptNumber": 3})
    assert first.event_id == second.event_id


@pytest.mark.parametrize(
    "other",
    [
        {"eventId": 101},
        {"subscriptionId": 8},
        {"objectId": 2},
        {"occurredAt": 1795341600001},
        {"propertyValue": "lead"},
    ],
    ids=str,
)
def test_an_event_id_that_is_used_twice_does_not_hide_an_event(other: dict[str, Any]) -> None:
    """HubSpot does not promise that `eventId` is unique."""
    first, second = said(EVENT, {**EVENT, **other})
    assert first.event_id != second.event_id


def test_a_custom_object_is_known_by_our_name_for_it() -> None:
    event = {**EVENT, "subscriptionType": "object.propertyChange", "objectTypeId": "2-123"}
    assert said(event, object_types={"social_signal": "2-123"})[0].object == "social_signal"
    assert said(event)[0].object == "2-123"


def test_creations_and_associations_say_nothing() -> None:
    assert (
        said({**EVENT, "subscriptionType": "contact.creation"}, {"subscriptionType": "contact.associationChange"}) == []
    )


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"{}",
        b"[1]",
        b"[{}]",
        b'[{"subscriptionType": 5}]',
        b'[{"subscriptionType": "contact.deletion"}]',
        b'[{"subscriptionType": "contact.deletion", "objectId": true}]',
        b'[{"subscriptionType": "contact.propertyChange", "objectId": 1}]',
        b'[{"subscriptionType": "contact.merge", "objectId": 1}]',
        b'[{"subscriptionType": "contact.merge", "mergedObjectIds": [1]}]',
        b"[" * 100_000,
        b"\xff\xfe",
    ],
    ids=lambda body: repr(body[:50]),
)
def test_a_body_of_another_form_is_a_translation_error(body: bytes) -> None:
    with pytest.raises(TranslationError):
        changes_of(body, {})


def test_one_broken_event_takes_no_other_with_it() -> None:
    fine = [{**EVENT, "eventId": number, "objectId": number} for number in range(1, 100)]
    broken = {"subscriptionType": "contact.deletion", "note": "ünread"}
    found = changes_of(json.dumps([*fine[:40], broken, *fine[40:]]).encode(), {})
    (unread,) = (one for one in found if isinstance(one, Unread))
    assert len(found) == 100
    assert (json.loads(unread.payload), unread.reason) == ([broken], "an event without its record's id")
    with pytest.raises(TranslationError, match="without its record's id"):
        changes_of(unread.payload, {})


ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
KINDS = st.sampled_from(["contact.propertyChange", "contact.deletion", "object.merge", "x", ""])


@given(
    st.fixed_dictionaries(
        {"subscriptionType": KINDS},
        optional=dict.fromkeys([*sorted(set(EVENT) - {"subscriptionType"}), "mergedObjectIds"], ODD),
    )
)
def test_no_event_raises_anything_but_a_translation_error(event: dict[str, Any]) -> None:
    try:
        changes = changes_of(json.dumps([event]).encode(), {})
    except TranslationError:
        return
    assert all(change.remote_id and change.event_id for change in changes)
