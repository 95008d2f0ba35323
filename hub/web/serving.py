"""What requests are answered with: one hub, its counters and its forms. Another hub may take its place between two requests."""

from __future__ import annotations

from functools import partial

from hub.core.access import API, CONSOLE, Actor
from hub.flow.views import health
from hub.flow.views.readiness import readiness
from hub.runtime import Hub
from hub.web.counters import Counters
from hub.web.forms import Forms
from hub.web.readiness import KeptReadiness


class Serving:
    """Hold the hub that is served. Routes ask for it with each request, so an application need not be made for each hub.

    `console` and `api` are who asks by the page and by the API: the doors know no users.
    """

    hub: Hub
    counters: Counters
    slow: Counters
    forms: Forms
    readiness: KeptReadiness
    console: Actor = CONSOLE
    api: Actor = API

    def __init__(self, hub: Hub) -> None:
        self.serve(hub)

    def serve(self, hub: Hub) -> None:
        """Serve this hub from now on; forms that were handed out before are refused."""
        self.hub = hub
        self.counters = Counters(partial(health.totals, hub, self.console))
        self.slow = Counters(partial(health.slow_figures, hub, self.console))
        self.forms = Forms(hub.settings.public_url)
        self.readiness = KeptReadiness(partial(readiness, hub, self.api))
