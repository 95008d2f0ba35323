"""The JSON API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from hub.core.access import HUB
from hub.core.keys import signal_key
from hub.flow.views.explain import explain
from tests.hub.web.browser import Browser
from tests.hubs import Made

NewHub = Callable[..., Made]


def told(new_hub: NewHub, count: int) -> Browser:
    """A browser on a hub with signals about acme."""
    made = new_hub()
    made.say(*({"id": str(number), "text": f"acme {number}"} for number in range(count)))
    made.run()
    return Browser(made)


@pytest.mark.parametrize("noun", ["signals", "deliveries"])
@pytest.mark.parametrize(
    ("way", "start", "ids"), [("before", 99, [7, 6, 5, 4, 3, 2, 1]), ("after", 0, [1, 2, 3, 4, 5, 6, 7])]
)
def test_paging_gives_each_row_once(new_hub: NewHub, noun: str, way: str, start: int, ids: list[int]) -> None:
    browser = told(new_hub, 7)
    seen: list[int] = []
    place: int | None = start
    while place is not None:
        page = browser.json(f"/api/{noun}?limit=3&{way}={place}")
        seen += [one["id"] for one in page[noun]]
        place = page["next"]
    assert seen == ids


def test_a_signal_comes_with_labels_route_and_deliveries(new_hub: NewHub) -> None:
    (one,) = told(new_hub, 1).json("/api/signals")["signals"]
    assert (one["text"], one["matched"], one["topics"]) == ("acme 0", ["brand"], ["acme"])
    assert (one["sentiment"]["value"], one["author"]["handle"]) == ("neutral", "ana")
    assert [(each["destination"], each["state"]) for each in one["deliveries"]] == [("memo", "delivered")]


def test_one_signal_has_its_raw_item_and_attempts(new_hub: NewHub) -> None:
    one = told(new_hub, 1).json(f"/api/signals/{signal_key('lines', '0')}")
    assert msgspec.json.decode(one["raw"]["text"]) == {"id": "0", "text": "acme 0"}
    assert [each["outcome"] for each in one["deliveries"][0]["tries"]] == ["delivered"]
    assert one["explanation"]["matched"] == ["brand"]


def test_an_explanation_is_that_of_the_terminal(new_hub: NewHub) -> None:
    made = new_hub()
    made.say({"id": "1", "text": "acme"})
    made.run()
    key = signal_key("lines", "1")
    said = msgspec.json.decode(msgspec.json.encode(explain(made.hub, HUB, key)))
    assert Browser(made).json(f"/api/explain/{key[:12]}") == said


def test_the_status_counts_everything(new_hub: NewHub) -> None:
    made = new_hub()
    made.say({"id": "1", "text": "acme"}, {"id": "2", "text": "nothing"}, {"broken": 1})
    made.run()
    found = Browser(made).json("/api/status")
    assert found["signals"] == {"total": 2, "matched": 1, "networks": {"lines": 2}}
    assert (found["raw"], found["deliveries"]) == (
        {"waiting": 0, "failed": 1, "unlabelled": 0},
        {"memo": {"delivered": 1}},
    )


@pytest.mark.parametrize(
    ("path", "status", "piece"),
    [
        ("/api/signals?limit=0", 400, "limit: "),
        ("/api/signals?limit=201", 400, "limit: "),
        ("/api/signals?before=x", 400, "before: "),
        ("/api/signals?before=9223372036854775808", 400, "before: "),
        ("/api/signals?before=1&after=1", 400, "before or after"),
        ("/api/signals?colour=red", 400, "colour: this parameter is unknown"),
        ("/api/signals?q=%00", 400, "q: "),
        ("/api/signals/none", 404, "none"),
        ("/api/signals/lines:", 404, "more than one"),
        ("/api/explain/none", 404, "none"),
        ("/api/deliveries?state=lost", 400, "state: "),
        ("/api/deliveries/77", 404, "77"),
        ("/api/nothing", 404, "no such page"),
    ],
)
def test_what_is_wrong_is_said(new_hub: NewHub, path: str, status: int, piece: str) -> None:
    answer = told(new_hub, 2).get(path)
    body: dict[str, Any] = answer.json()
    assert (answer.status_code, list(body)) == (status, ["error"])
    assert piece in body["error"]


def test_rules_that_cannot_be_read_leave_the_rest_readable(new_hub: NewHub) -> None:
    made = new_hub()
    made.say({"id": "1", "text": "acme"})
    made.run()
    made.hub.__dict__.pop("book")
    (made.hub.settings.folder / "rules.toml").write_text('[[rule]]\nname = "x"\nwhen = ["nonsense("]\n')
    key = signal_key("lines", "1")
    one = Browser(made).json(f"/api/signals/{key}")
    assert (one["text"], one["explanation"]) == ("acme", None)
    assert "rules.toml" in one["unexplained"]
    assert Browser(made).get(f"/api/explain/{key}").status_code == 500
