"""Buttons: what they do, and that nobody else can press them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from hub.core.errors import Rejected
from tests.hub.web.browser import ORIGIN, Browser
from tests.hubs import Made

NewHub = Callable[..., Made]


def with_a_dead_delivery(new_hub: NewHub) -> Made:
    """A hub whose delivery 1 was refused; from now on the destination takes everything."""
    made = new_hub()
    made.memo.answer = staticmethod(lambda _: Rejected("no"))  # type: ignore[assignment]  # a function in a class
    made.say({"id": "1", "text": "acme"})
    made.run()
    made.memo.answer = None
    assert made.states() == {"dead": 1}
    return made


def token_of(browser: Browser) -> str:
    """The token of the forms on a delivery's page."""
    return browser.get("/deliveries/1").text.split('name="token" value="')[1][:64]


def test_retry_makes_a_dead_delivery_land(new_hub: NewHub) -> None:
    made = with_a_dead_delivery(new_hub)
    answer = Browser(made).press("/deliveries/1", "/deliveries/1/retry")
    assert (answer.status_code, answer.headers["location"]) == (303, "/deliveries/1?said=again")
    assert ("deliver", "memo") in made.bell.rung
    made.run()
    assert made.states() == {"delivered": 1}


def test_retry_ends_the_pause_of_its_connection(new_hub: NewHub) -> None:
    made = with_a_dead_delivery(new_hub)
    made.hub.store.connections.pause("memo", reason="x", until=made.clock() + timedelta(hours=1), now=made.clock())
    Browser(made).press("/deliveries/1", "/deliveries/1/retry")
    assert made.hub.store.connections.paused(now=made.clock()) == {}


def test_discard_keeps_the_note(new_hub: NewHub) -> None:
    made = with_a_dead_delivery(new_hub)
    browser = Browser(made)
    browser.press("/deliveries/1", "/deliveries/1/discard", note="a test post <b>")
    assert made.states() == {"discarded": 1}
    assert "a test post &lt;b&gt;" in browser.get("/deliveries/1").text


def test_discard_wants_a_note(new_hub: NewHub) -> None:
    made = with_a_dead_delivery(new_hub)
    answer = Browser(made).press("/deliveries/1", "/deliveries/1/discard", note="  ")
    assert (answer.status_code, made.states()) == (400, {"dead": 1})


def test_a_delivery_that_landed_meanwhile_is_left_alone(new_hub: NewHub) -> None:
    made = with_a_dead_delivery(new_hub)
    browser = Browser(made)
    token = token_of(browser)
    assert browser.post("/deliveries/1/retry", {"token": token}).headers["location"].endswith("again")
    made.run()
    assert browser.post("/deliveries/1/retry", {"token": token}).headers["location"].endswith("unchanged")
    assert made.states() == {"delivered": 1}


@pytest.mark.parametrize(
    ("action", "left"), [("/failed/1/retry", {"failed": 1, "new": 1}), ("/failed/retry", {"new": 2})]
)
def test_failed_raw_items_are_taken_up_again(new_hub: NewHub, action: str, left: dict[str, int]) -> None:
    made = new_hub()
    made.say({"broken": 1}, {"broken": 2})
    made.run()
    assert Browser(made).press("/failed", action).status_code == 303
    assert made.hub.store.inbox.counts() == left
    assert ("process", "") in made.bell.rung


def test_a_form_without_its_token_is_refused(new_hub: NewHub) -> None:
    made = with_a_dead_delivery(new_hub)
    browser = Browser(made)
    browser.get("/deliveries/1")
    for fields in ({}, {"token": ""}, {"token": "0" * 64}):
        assert browser.post("/deliveries/1/retry", fields).status_code == 403
    assert made.states() == {"dead": 1}


def test_a_token_is_good_for_its_browser_only(new_hub: NewHub) -> None:
    made = with_a_dead_delivery(new_hub)
    browser = Browser(made)
    other = Browser(made)
    other.app = browser.app
    token = token_of(browser)
    other.get("/deliveries/1")
    assert other.post("/deliveries/1/retry", {"token": token}).status_code == 403
    assert browser.post("/deliveries/1/retry", {"token": token}).status_code == 303


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "", None, "http://127.0.0.1:8601", "file://127.0.0.1:8600"]
)
def test_a_form_of_another_origin_is_refused(new_hub: NewHub, origin: str | None) -> None:
    made = with_a_dead_delivery(new_hub)
    browser = Browser(made)
    token = token_of(browser)
    assert browser.post("/deliveries/1/retry", {"token": token}, origin=origin).status_code == 403
    assert browser.post("/deliveries/1/retry", {"token": token}, origin=ORIGIN).status_code == 303


def test_the_cookie_stays_with_our_own_pages(new_hub: NewHub) -> None:
    said = Browser(new_hub()).get("/failed").headers["set-cookie"].lower()
    assert "samesite=strict" in said
    assert "httponly" in said


def test_buttons_do_not_work_by_link(new_hub: NewHub) -> None:
    assert Browser(new_hub()).get("/failed/retry").status_code == 400
    assert Browser(new_hub()).get("/deliveries/1/retry").status_code == 405
