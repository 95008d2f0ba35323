"""Buttons of a reply that waits for a person's word."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hub.core.errors import Conflict
from hub.flow.decide.batch import process
from hub.store.ledger.outbox import Outbox
from tests.hub.web.browser import Browser
from tests.hubs import Made

NewHub = Callable[..., Made]


def with_waiting(new_hub: NewHub) -> Made:
    """A hub whose delivery 1 waits for approval."""
    made = new_hub()
    made.say({"id": "1", "text": "acme"})
    process(made.hub)
    with made.hub.store.database.write() as conn:
        conn.exec_driver_sql("UPDATE deliveries SET state = 'approval'")
    return made


def test_the_page_asks_for_a_word_and_offers_no_retry(new_hub: NewHub) -> None:
    page = Browser(with_waiting(new_hub)).get("/deliveries/1").text
    assert (">Approve<" in page, ">Refuse<" in page, ">Retry now<" in page) == (True, True, False)


def test_an_approved_reply_is_let_out(new_hub: NewHub) -> None:
    made = with_waiting(new_hub)
    answer = Browser(made).press("/deliveries/1", "/replies/1/approve")
    assert (answer.status_code, answer.headers["location"]) == (303, "/deliveries/1?said=approved")
    (entry,) = made.hub.store.audit.recent()
    assert (made.states(), entry["action"], entry["actor"]) == ({"pending": 1}, "approve", "console")


def test_a_refused_reply_keeps_the_note(new_hub: NewHub) -> None:
    made = with_waiting(new_hub)
    browser = Browser(made)
    assert browser.press("/deliveries/1", "/replies/1/refuse", note=" ").status_code == 400
    browser.press("/deliveries/1", "/replies/1/refuse", note="too rude")
    (entry,) = made.hub.store.audit.recent()
    assert (made.states(), entry["action"], entry["detail"]["note"]) == ({"discarded": 1}, "refuse", "too rude")


@pytest.mark.parametrize("word", ["approve", "refuse"])
def test_who_comes_second_changes_nothing(new_hub: NewHub, word: str) -> None:
    made = with_waiting(new_hub)
    browser = Browser(made)
    token = browser.get("/deliveries/1").text.split('name="token" value="')[1][:64]
    browser.post("/replies/1/approve", {"token": token})
    answer = browser.post(f"/replies/1/{word}", {"token": token, "note": "too late"})
    assert answer.headers["location"] == "/deliveries/1?said=unchanged"
    assert made.states() == {"pending": 1}


def test_a_refusal_that_is_overtaken_each_time_is_told_with_when_to_try_again(new_hub: NewHub) -> None:
    made = with_waiting(new_hub)
    browser = Browser(made)
    token = browser.get("/deliveries/1").text.split('name="token" value="')[1][:64]

    class Contended(Outbox):
        def discard(self, *given: object, **more: object) -> int:
            raise Conflict

    made.hub.store.outbox = Contended(made.hub.store.database)
    answer = browser.post("/replies/1/refuse", {"token": token, "note": "too rude"})
    assert (answer.status_code, answer.headers["retry-after"], made.states()) == (503, "5", {"approval": 1})
    assert "try again in a moment" in answer.text


@pytest.mark.parametrize("word", ["approve", "refuse"])
def test_a_reply_that_is_not_there_is_told(new_hub: NewHub, word: str) -> None:
    browser = Browser(with_waiting(new_hub))
    assert browser.press("/deliveries/1", f"/replies/99/{word}", note="x").status_code == 404


def test_a_form_survives_a_restart_of_the_process(new_hub: NewHub) -> None:
    made = with_waiting(new_hub)
    first = Browser(made)
    token = first.get("/deliveries/1").text.split('name="token" value="')[1][:64]
    first.app.serve(made.hub)
    assert first.post("/replies/1/approve", {"token": token}).status_code == 303
    assert Browser(made).post("/replies/1/approve", {"token": token}).status_code == 403
