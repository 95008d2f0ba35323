"""Our own user at a destination: asked for by those who speak with it anyway; a batch of raw rows only reads it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from hub.config.logs import LateLogger
from hub.core.errors import ConnectorError
from hub.flow.bugs import tell
from hub.runtime import Hub
from hub.sdk.connectors import Destination, State

log = LateLogger(__name__)
SELF, TRIED = "self", "self_tried"
AGAIN = timedelta(minutes=1)
"""The pause after a try that failed."""
TELLING = frozenset({"inbound", "changes"})


def known_self(hub: Hub, name: str) -> str | None:
    """Return our own user's id at a destination, "" if it has none, None if it was not learnt yet. Nothing is asked."""
    if type(hub.destination(name)).whoami is Destination.whoami:
        return ""
    known = _memory(hub, name).get(SELF)
    return None if known is None else str(known)


def learn_self(hub: Hub, name: str) -> str:
    """Ask a destination who we are there, and keep it; `hub check` does so too, since credentials may be another's by now."""
    ctx = hub.destination_context(name)
    known: Any = hub.destination(name).whoami(ctx)
    if known is None:
        raise TypeError("whoami gives None, no str")
    ctx.state.set(SELF, str(known))
    return str(known)


def wants_self(hub: Hub, name: str, destination: Destination[Any] | None) -> bool:
    """Return True if a destination tells of changes, and is to be asked now who we are there; None: it cannot be had."""
    if destination is None or not destination.capabilities & TELLING or known_self(hub, name) is not None:
        return False
    tried = _memory(hub, name).get(TRIED)
    return tried is None or not datetime.fromisoformat(tried) <= hub.now() < datetime.fromisoformat(tried) + AGAIN


def meet(hub: Hub, name: str, destination: Destination[Any] | None) -> None:
    """Learn who we are at a destination if that is wanted; called by those who are about to speak with it. Never raises."""
    if not wants_self(hub, name, destination) or hub.store.hold.get():
        return
    try:
        learn_self(hub, name)
    except ConnectorError as error:
        hub.redact(name, error)
        log.warning("our own user there is unknown: changes wait", destination=name, error=error.in_our_words())
    except BaseException as error:  # noqa: BLE001 - told, and asked again later
        tell(hub, name, error, event="a plugin failed to say who we are")
    else:
        hub.bell.ring("process")
        return
    _memory(hub, name).set(TRIED, hub.now().isoformat())


def _memory(hub: Hub, name: str) -> State:
    return hub.store.connections.memory(name)
