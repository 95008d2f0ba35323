"""What requests are answered with: one hub, its counters and its forms. Another hub may take its place between two requests."""

from __future__ import annotations

from functools import partial
from typing import Any

from hub.core.access import API, Actor, Sight
from hub.core.accounts import User
from hub.flow.accounts.demo import is_demo, people_of
from hub.flow.accounts.entrance import has_users
from hub.flow.accounts.provider import Provider
from hub.flow.views import health
from hub.flow.views.readiness import readiness
from hub.runtime import Hub
from hub.web.caller import LOOPBACK, Networks, Scope, is_local
from hub.web.cookies import Cookies
from hub.web.counters import Counters
from hub.web.forms import Forms
from hub.web.readiness import KeptReadiness

MOST_SIGHTS = 64


class Serving:
    """Hold the hub that is served. Routes ask for it with each request, so an application need not be made for each hub."""

    hub: Hub
    forms: Forms
    cookies: Cookies
    proxies: Networks
    provider: Provider
    readiness: KeptReadiness

    def __init__(self, hub: Hub) -> None:
        self.serve(hub)

    def serve(self, hub: Hub) -> None:
        """Serve this hub from now on."""
        if "provider" in self.__dict__:
            self.provider.close()
        self.hub = hub
        self._totals: dict[Sight, Counters] = {}
        self._slow = Counters(partial(health.slow_figures, hub, API))
        self.cookies = Cookies(hub.settings.public_url)
        self.forms = Forms(hub.settings.public_url, self.cookies)
        self.proxies = Networks((*LOOPBACK, *hub.settings.web.proxies))
        self.readiness = KeptReadiness(partial(readiness, hub, API))
        self.provider = Provider(hub)
        self._has_users = False
        self._people: tuple[User, ...] = ()

    def people(self, scope: Scope) -> tuple[User, ...]:
        """Return the people of the demo for a caller at this machine, none for all others."""
        if not is_demo(self.hub.settings) or not is_local(scope, bound=self.hub.settings.web.host):
            return ()
        self._people = self._people or tuple(people_of(self.hub))
        return self._people

    def counters(self, actor: Actor) -> dict[str, Any]:
        """Return the totals that an actor sees; those of one sight are counted once for all that have it."""
        kept = self._totals.get(actor.sight)
        if kept is None:
            if len(self._totals) >= MOST_SIGHTS:
                self._totals.clear()
            counting = Actor("counters", "hub", "admin", actor.sight)
            kept = self._totals[actor.sight] = Counters(partial(health.totals, self.hub, counting))
        return kept()

    def count_again(self) -> None:
        """Let all totals be counted again: what a person changed is seen at once."""
        self._totals.clear()

    def slow(self) -> dict[str, Any]:
        """Return figures for which whole tables are read: they are of the whole hub."""
        return self._slow()

    def has_users(self) -> bool:
        """Return True if the hub is behind a log-in; asked of the database until it is once."""
        self._has_users = self._has_users or has_users(self.hub)
        return self._has_users
