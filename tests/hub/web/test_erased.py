"""The page of a signal that is gone."""

from __future__ import annotations

from collections.abc import Callable

from hub.core.keys import signal_key
from tests.hub.web.browser import Browser
from tests.hubs import Made

NewHub = Callable[..., Made]
PAGE = f"/signals/{signal_key('lines', '1')}"


def gone(made: Made) -> Made:
    made.say({"id": "1", "text": "acme broke my teapot"})
    made.run()
    made.say({"id": "1", "gone": True})
    made.run()
    return made


def test_the_page_says_that_it_is_gone_and_shows_the_receipts(new_hub: NewHub) -> None:
    made = new_hub()
    made.memo.capabilities = frozenset({"tombstone"})
    answer = Browser(gone(made)).get(PAGE)
    assert (answer.status_code, "teapot" in answer.text) == (200, False)
    for piece in ("Erased", "user deleted", "receipts are awaited", "tombstone"):
        assert piece in answer.text


def test_the_page_says_what_is_kept_of_the_reasons(new_hub: NewHub) -> None:
    said = Browser(gone(new_hub())).get(PAGE).text
    assert "Kept is which rules matched: brand" in said
    assert "There were no rules" not in said


def test_a_receipt_tells_why_a_destination_could_not(new_hub: NewHub) -> None:
    assert "cannot be taken back there" in Browser(gone(new_hub())).get(PAGE).text


def test_a_live_signal_shows_no_receipts(new_hub: NewHub) -> None:
    made = new_hub()
    made.say({"id": "1", "text": "acme"})
    made.run()
    assert "erased-title" not in Browser(made).get(PAGE).text
