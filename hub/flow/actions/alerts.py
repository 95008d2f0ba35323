"""Alerts: who would hear of them."""

from __future__ import annotations

from hub.core.access import Actor
from hub.flow.actions.doing import doing
from hub.flow.monitor.notify import tell
from hub.runtime import Hub


def test(hub: Hub, actor: Actor) -> list[tuple[str, bool]]:
    """Send a test message to each of `alerts.urls`: its kind (mailto, slack, ...), and if it was taken.

    Raises ConfigError if a secret cannot be read, NotTold if nothing could be tried.
    """
    with doing(hub, actor, "alerts.test") as act:
        act.note("test alerts", "alerts", count=len(hub.settings.alerts.urls))
    return tell(hub.settings, "Hubbub: a test", f"Alerts of {hub.settings.public_url} arrive here.")
