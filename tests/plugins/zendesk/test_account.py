"""Options, check() and describe()."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from hub import Unauthorised
from hub.testkit.fakes import FakeHttp, answer, context
from plugins.zendesk.config import ZendeskOptions
from plugins.zendesk.destination import ZendeskDestination
from tests.plugins.zendesk.conftest import MakeStand, Stand

TOKEN = {"subdomain": "acme", "token": "t"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"subdomain": "acme"}, "give one of"),
        ({**TOKEN, "client_id": "a", "client_secret": "b"}, "give one of"),
        ({"subdomain": "acme", "client_id": "a"}, "client_id goes with"),
        ({"subdomain": "acme", "email": "a@example.com"}, "email with api_token"),
        ({**TOKEN, "subdomain": "acme.zendesk.com"}, "subdomain"),
        ({**TOKEN, "subdomain": "evil.example/"}, "subdomain"),
        ({**TOKEN, "open_jobs": 31}, "open_jobs"),
        ({**TOKEN, "objects": {"social_author": "../users"}}, "key of a custom object"),
        ({**TOKEN, "base_url": "http://127.0.0.1:1/path"}, "origin"),
        ({**TOKEN, "nonsense": 1}, "nonsense"),
    ],
)
def test_wrong_options_are_refused_with_a_word_of_help(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        ZendeskOptions(**options)


def test_only_the_accounts_host_may_be_reached() -> None:
    assert ZendeskDestination(ZendeskOptions(**TOKEN)).egress() == ("acme.zendesk.com",)
    local = ZendeskOptions(**TOKEN, base_url="http://127.0.0.1:8703")
    assert ZendeskDestination(local).egress() == ("127.0.0.1",)


def test_check_says_who_we_are(stand: Stand) -> None:
    assert stand.destination.check(stand.ctx) == "Hubbub (admin) at acme.zendesk.com"


def test_check_with_client_credentials_says_the_same(make_stand: MakeStand) -> None:
    stand = make_stand(token=None, client_id="hub", client_secret="sandbox-token")
    assert "Hubbub" in stand.destination.check(stand.ctx)


@pytest.mark.parametrize(
    "user",
    [
        {"id": None, "name": "Anonymous user", "email": "invalid@example.com", "role": "end-user"},
        {"id": 5, "name": "Customer", "role": "end-user"},
        {},
        None,
    ],
)
def test_the_anonymous_user_and_end_users_are_unauthorised(user: Any) -> None:
    http = FakeHttp([answer(200, {"user": user})])
    with pytest.raises(Unauthorised):
        ZendeskDestination(ZendeskOptions(**TOKEN)).check(context(http))


def test_a_wrong_token_is_unauthorised(make_stand: MakeStand) -> None:
    stand = make_stand(token="wrong")
    with pytest.raises(Unauthorised):
        stand.destination.check(stand.ctx)


def test_describe_tells_objects_and_fields_as_they_are(stand: Stand) -> None:
    found = stand.destination.describe(stand.ctx)
    ticket, signal = found["ticket"].fields, found["social_signal"].fields
    assert set(found) == {"ticket", "social_author", "social_signal"}
    assert ticket["priority"].values == ("low", "normal", "high", "urgent")
    assert {"subject", "comment.body", "requester.external_id", "custom_fields.360001"} <= set(ticket)
    assert (signal["text"].type, signal["sentiment_score"].type) == ("text", "number")
    assert [signal[name].writable for name in ("name", "author", "external_id")] == [True, False, False]


def test_describe_leaves_out_an_object_that_the_account_lacks(make_stand: MakeStand) -> None:
    stand = make_stand(objects={"social_author": "social_author", "social_signal": "no_such"})
    assert set(stand.destination.describe(stand.ctx)) == {"ticket", "social_author"}
