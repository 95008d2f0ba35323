"""Buttons for all deliveries of a state at once."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hub.core.errors import Rejected
from tests.hub.web.browser import Browser
from tests.hubs import Made

NewHub = Callable[..., Made]
DEAD = "/deliveries?state=dead&destination=memo"


def with_dead(new_hub: NewHub) -> Made:
    """A hub with three dead letters; from now on the destination takes everything."""
    made = new_hub()
    made.memo.answer = staticmethod(lambda _: Rejected("no"))  # type: ignore[assignment]  # a function in a class
    made.say(*({"id": str(n), "text": f"acme {n}"} for n in range(3)))
    made.run()
    made.memo.answer = None
    return made


def test_all_dead_letters_are_retried(new_hub: NewHub) -> None:
    made = with_dead(new_hub)
    browser = Browser(made)
    answer = browser.press(DEAD, "/deliveries/retry", state="dead", destination="memo")
    assert answer.headers["location"] == "/deliveries?destination=memo&said=retried&count=3"
    assert "3 due again, under the same keys" in browser.get(answer.headers["location"]).text
    made.run()
    assert made.states() == {"delivered": 3}


def test_all_dead_letters_are_discarded_with_a_note(new_hub: NewHub) -> None:
    made = with_dead(new_hub)
    Browser(made).press(DEAD, "/deliveries/discard", state="dead", note="a test")
    assert made.states() == {"discarded": 3}
    (entry,) = made.hub.store.audit.recent(action="discard")
    assert (entry["actor"], entry["detail"]) == ("console", {"state": "dead", "count": 3, "note": "a test"})


@pytest.mark.parametrize(
    ("action", "fields"),
    [
        ("retry", {}),
        ("retry", {"state": "nonsense"}),
        ("retry", {"state": "dead", "destination": "x" * 65}),
        ("discard", {"state": "dead"}),
        ("discard", {"state": "dead", "note": " "}),
    ],
)
def test_half_a_wish_is_refused(new_hub: NewHub, action: str, fields: dict[str, str]) -> None:
    made = with_dead(new_hub)
    assert Browser(made).press(DEAD, f"/deliveries/{action}", **fields).status_code == 400
    assert made.states() == {"dead": 3}


@pytest.mark.parametrize("action", ["retry", "discard"])
def test_nobody_else_can_press_them(new_hub: NewHub, action: str) -> None:
    made = with_dead(new_hub)
    fields = {"state": "dead", "note": "x"}
    assert Browser(made).post(f"/deliveries/{action}", fields).status_code == 403
    assert made.states() == {"dead": 3}


@pytest.mark.parametrize(("state", "shown"), [("dead", 2), ("delivered", 0), ("", 0)])
def test_the_buttons_stand_where_they_mean_something(new_hub: NewHub, state: str, shown: int) -> None:
    page = Browser(with_dead(new_hub)).get(f"/deliveries?state={state}").text
    assert page.count('method="post"') == shown


def test_what_waits_for_approval_is_not_let_go_in_bulk(new_hub: NewHub) -> None:
    made = with_dead(new_hub)
    with made.hub.store.database.write() as conn:
        conn.exec_driver_sql("UPDATE deliveries SET state = 'review'")
    page = Browser(made).get("/deliveries?state=review").text
    assert ("/deliveries/retry" in page, "/deliveries/discard" in page) == (False, True)
