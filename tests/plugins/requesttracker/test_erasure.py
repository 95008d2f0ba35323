"""An erased author's user in RT: name and address go; what was said RT's interface cannot take back."""

from __future__ import annotations

import json
from typing import Any

from hub import Delivery, Outcome, Rejected
from tests.plugins.requesttracker.conftest import Stand, delivery

REQUESTOR = {
    "Name": "mastodon:abc",
    "RealName": "Ann Lee (ann@example.social)",
    "Comments": "https://example.social/@ann",
}
FIELDS: dict[str, Any] = {"Subject": "lost", "Content": "my parcel", "Requestor": REQUESTOR}


def tombstone(operation: str = "author") -> Delivery:
    fields = {"operation": operation}
    return delivery(9, "tombstone", object="requester", record_key="mastodon:abc", fields=fields, parents={})


def user(stand: Stand) -> dict[str, Any]:
    found = stand.sandbox.store.find("user", "Name", "mastodon-abc")
    return found[1] if found else {}


def send(stand: Stand, one: Delivery) -> Outcome:
    (outcome,) = stand.deliver(one)
    return outcome


def test_name_and_address_of_the_user_go_and_the_receipt_says_what_is_left(stand: Stand) -> None:
    stand.deliver(delivery(1, "create", fields=FIELDS))
    assert user(stand)["RealName"] == REQUESTOR["RealName"]
    outcome = send(stand, tombstone())
    assert (outcome.error, user(stand)["RealName"], user(stand)["Comments"]) == (None, "", "")
    assert "shredder" in outcome.left[0]
    assert "Ann Lee" not in json.dumps(stand.sandbox.store.all("user"))


def test_an_author_who_returns_has_a_name_again(stand: Stand) -> None:
    stand.deliver(delivery(1, "create", fields=FIELDS))
    send(stand, tombstone())
    stand.deliver(delivery(2, "create", fields=FIELDS, record_key="mastodon:other"))
    assert user(stand)["RealName"] == REQUESTOR["RealName"]


def test_an_author_of_whom_no_user_was_made_is_done(stand: Stand) -> None:
    assert send(stand, tombstone()).error is None


def test_a_tombstone_of_what_was_said_is_refused(stand: Stand) -> None:
    assert isinstance(send(stand, tombstone("create")).error, Rejected)
