"""Stream listeners: one thread a streaming source; a lost connection is taken up again where the cursor stands."""

from __future__ import annotations

import threading

import structlog

from hub.core.errors import ConnectorError, HubError
from hub.flow.intake import take
from hub.runtime import Hub
from hub.sdk.connectors import StreamingSource

log = structlog.get_logger(__name__)
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 300.0


def streaming_sources(hub: Hub) -> list[str]:
    """The enabled sources that are listened to."""
    enabled = (name for name, section in hub.settings.sources.items() if section.enabled)
    return [name for name in enabled if isinstance(hub.source(name), StreamingSource)]


def run(hub: Hub, stop: threading.Event) -> None:
    """Listen until `stop` is set."""
    names = streaming_sources(hub)
    hub.store.cursors.declare(names, now=hub.now())
    threads = [threading.Thread(target=_listen, args=(hub, name, stop), name=name, daemon=True) for name in names]
    for thread in threads:
        thread.start()
    stop.wait()
    for thread in threads:
        thread.join(timeout=5)


def _listen(hub: Hub, name: str, stop: threading.Event) -> None:
    pause = FIRST_PAUSE_S
    while not stop.is_set():
        try:
            if _follow(hub, name, stop):
                pause = FIRST_PAUSE_S
        except (ConnectorError, HubError) as error:
            log.warning("a stream was lost", source=name, error=str(error))
        except Exception:
            log.exception("a plugin failed to listen", source=name)
        stop.wait(pause)
        pause = min(pause * 2, LONGEST_PAUSE_S)


def _follow(hub: Hub, name: str, stop: threading.Event) -> bool:
    """Follow a stream to its end; whether anything came."""
    source = hub.source(name)
    assert isinstance(source, StreamingSource)
    leased = hub.store.cursors.claim(name, now=hub.now(), early=True)
    if leased is None:
        return False
    token, cursor = leased
    came = False
    try:
        for page in source.stream(hub.source_context(name), cursor):
            take(hub, name, page, token)
            came = True
            if stop.is_set():
                break
    finally:
        hub.store.cursors.release(name, token, due_at=hub.now(), now=hub.now())
    return came
