"""A check that a person asks for: what works again is no longer paused, and what waited for it goes at once."""

from __future__ import annotations

from collections.abc import Callable

from hub.core.access import HUB
from hub.core.errors import Unauthorised
from hub.flow.actions.connections import check
from tests.hubs import Made

NewHub = Callable[..., Made]


def with_blocked(new_hub: NewHub) -> Made:
    """A hub whose destination refused its credentials, and takes everything again."""
    made = new_hub()
    made.memo.raises = Unauthorised("the token has expired")
    made.say({"id": "1", "text": "acme"})
    made.run()
    made.memo.raises = None
    assert made.states() == {"blocked": 1}
    return made


def test_what_was_blocked_is_sent_as_soon_as_its_connection_works(new_hub: NewHub) -> None:
    made = with_blocked(new_hub)
    made.run()
    assert made.states() == {"blocked": 1}
    assert all(one.fine for one in check(made.hub, HUB))
    assert ("deliver", "memo") in made.bell.rung
    made.run()
    assert made.states() == {"delivered": 1}


def test_a_pause_that_ends_stands_in_the_audit_log(new_hub: NewHub) -> None:
    made = with_blocked(new_hub)
    list(check(made.hub, HUB))
    (entry,) = made.hub.store.audit.recent()
    assert (entry["action"], entry["subject"], entry["detail"]) == ("resume", "memo", {"freed": 1})


def test_what_was_fine_already_leaves_no_entry(new_hub: NewHub) -> None:
    made = new_hub()
    list(check(made.hub, HUB))
    assert made.hub.store.audit.recent() == []
