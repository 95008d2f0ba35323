"""What is shown of the hub's connections."""

from __future__ import annotations

from collections.abc import Callable

from hub.core.access import HUB
from hub.flow.views.health import health
from tests.hubs import Made


def test_a_connection_whose_plugin_was_removed_is_shown_to_fail(new_hub: Callable[..., Made]) -> None:
    made = new_hub()
    assert health(made.hub, HUB)["failing"] == []
    del made.hub.registry._points["lines"]
    (shown,) = health(made.hub, HUB)["failing"]
    assert (shown["source"], shown["due_at"]) == ("lines", None)
    assert shown["error"] == "no installed package provides its plugin 'lines'"
