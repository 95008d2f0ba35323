"""Who we are in RT, what is missing there, and what its refusals mean."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from hub import RateLimited, Rejected, Unauthorised, Unavailable, Uncertain
from hub.config.rulebook import default_mappings
from hub.sdk.http.errors import Effect
from hub.testkit.fakes import FakeHttp, answer, context
from plugins.requesttracker.client import RequestTrackerClient
from plugins.requesttracker.config import RequestTrackerOptions
from plugins.requesttracker.destination import RequestTrackerDestination
from tests.plugins.requesttracker.conftest import TOKEN, MakeStand, Stand

GIVEN = {"base_url": "https://rt.example.com/rt/", "token": "secret", "queue": "Social"}


def test_the_tokens_owner_is_who_we_are(stand: Stand) -> None:
    assert stand.destination.whoami(stand.ctx) == "hub"


@pytest.mark.parametrize("token", ["sandbox-token", "1-99-sandbox-token", "x-22-y", "1-22-"])
def test_a_token_that_names_no_user_is_unauthorised(make_stand: MakeStand, token: str) -> None:
    stand = make_stand(token=token)
    with pytest.raises(Unauthorised) as caught:
        stand.destination.whoami(stand.ctx)
    assert token not in str(caught.value)


def test_check_names_user_queue_and_version(stand: Stand) -> None:
    assert stand.destination.check(stand.ctx) == "hub in queue Social of RT 5.0.3 at 127.0.0.1"


@pytest.mark.parametrize(
    ("options", "missing"), [({"queue": "Sales"}, "SeeQueue"), ({"key_field": "No such field"}, "SeeCustomField")]
)
def test_check_says_what_is_missing(make_stand: MakeStand, options: dict[str, Any], missing: str) -> None:
    stand = make_stand(**options)
    with pytest.raises(Unauthorised, match=missing):
        stand.destination.check(stand.ctx)


def test_check_sees_that_we_may_make_no_tickets() -> None:
    queue = {"id": 3, "_hyperlinks": [{"ref": "self"}], "TicketCustomFields": [{"name": "Hubbub Key"}]}
    http = FakeHttp([answer(json={"Version": "5"}), answer(json={"id": 22, "Name": "hub"}), answer(json=queue)])
    destination = RequestTrackerDestination(RequestTrackerOptions(**{**GIVEN, "token": TOKEN}))
    with pytest.raises(Unauthorised, match="CreateTicket"):
        destination.check(context(http))


def test_the_default_mappings_write_fields_that_are_described(stand: Stand) -> None:
    known = stand.destination.describe(stand.ctx)["ticket"].fields
    mappings = default_mappings("mappings:requesttracker")
    assert set(mappings) == {"ticket", "comment"}
    assert {field for raw in mappings.values() for field in raw.fields} <= set(known)


def test_our_key_field_is_described_and_not_for_mappings(stand: Stand) -> None:
    field = stand.destination.describe(stand.ctx)["ticket"].fields["CustomFields.Hubbub Key"]
    assert (field.writable, field.unique) == (False, True)


@pytest.mark.parametrize(
    "url", ["rt.example.com", "ftp://rt.example.com", "https://", "https://a:b@rt.example.com", "https://x/?a=b"]
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ValidationError):
        RequestTrackerOptions(**{**GIVEN, "base_url": url})


@pytest.mark.parametrize("url", ["https://x/rt", "https://x/rt/", "https://x/rt/REST/2.0", "https://x/rt/REST/2.0/"])
def test_an_address_may_end_in_any_way(url: str) -> None:
    assert RequestTrackerOptions(**{**GIVEN, "base_url": url}).base_url == "https://x/rt"


@pytest.mark.parametrize("name", ["a' OR id > 0", "a}", "", " a"])
def test_a_field_that_would_break_a_search_is_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        RequestTrackerOptions(**{**GIVEN, "key_field": name})


def test_only_rts_own_host_is_reached() -> None:
    assert RequestTrackerDestination(RequestTrackerOptions(**GIVEN)).egress() == ("rt.example.com",)


@pytest.mark.parametrize(
    ("status", "effect", "kind"),
    [
        (302, "once", Rejected),
        (400, "once", Rejected),
        (401, "once", Unauthorised),
        (403, "once", Rejected),
        (404, "reads", Rejected),
        (429, "once", RateLimited),
        (500, "once", Uncertain),
        (500, "reads", Unavailable),
        (502, "once", Uncertain),
        (503, "once", Unavailable),
    ],
)
def test_a_status_means_what_the_engine_must_do(status: int, effect: Effect, kind: type) -> None:
    http = FakeHttp([answer(status, {"message": "Permission Denied"})])
    with pytest.raises(kind) as caught:
        RequestTrackerClient(RequestTrackerOptions(**GIVEN), context(http)).post("ticket", {}, effect=effect)
    assert type(caught.value) is kind


def test_a_refusal_carries_rts_own_words() -> None:
    http = FakeHttp([answer(400, {"message": "Name in use"})])
    with pytest.raises(Rejected, match=r"^Name in use$"):
        RequestTrackerClient(RequestTrackerOptions(**GIVEN), context(http)).get("rt")


def test_a_login_page_is_no_answer() -> None:
    http = FakeHttp([answer(content=b"<html>Login</html>")])
    with pytest.raises(Unavailable, match="base_url"):
        RequestTrackerClient(RequestTrackerOptions(**GIVEN), context(http)).get("rt")


def test_a_list_without_a_number_of_pages_ends_at_its_empty_page() -> None:
    pages = [
        {"items": [{"id": "1"}], "pages": None},
        {"items": [{"id": "2"}], "pages": None},
        {"items": [], "pages": None},
    ]
    http = FakeHttp([answer(json=page) for page in pages])
    client = RequestTrackerClient(RequestTrackerOptions(**GIVEN), context(http))
    assert [one.id("id") for one in client.items("tickets")] == ["1", "2"]
    assert [one.url.rpartition("=")[2] for one in http.requests] == ["1", "2", "3"]


def test_a_list_that_never_ends_is_a_doubt() -> None:
    http = FakeHttp(lambda *_: answer(json={"items": [{"id": "1"}], "pages": None}))
    with pytest.raises(Uncertain):
        list(RequestTrackerClient(RequestTrackerOptions(**GIVEN), context(http)).items("tickets"))
