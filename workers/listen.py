"""Stream listeners: one thread a streaming source; a lost connection is taken up again at the cursor."""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import dataclass

from hub.config.logs import LateLogger
from hub.core.errors import ConnectorError, HubError
from hub.core.retry import asked_for
from hub.flow.bugs import tell
from hub.flow.intake.poll import held, streaming_sources, take
from hub.runtime import Hub
from hub.sdk.connectors import StreamingSource

log = LateLogger(__name__)
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 300.0
LOOK_S = 10.0  # between two looks for sources that could not be had before


def run(hub: Hub, stop: threading.Event) -> None:
    """Listen until `stop` is set; a source that can be had only later is listened to from then on."""
    threads: dict[str, threading.Thread] = {}
    while not stop.is_set():
        names = [name for name in streaming_sources(hub) if name not in threads]
        with suppress(HubError):
            hub.store.cursors.declare(names, now=hub.now())
            for name in names:
                threads[name] = threading.Thread(target=_listen, args=(hub, name, stop), name=name, daemon=True)
                threads[name].start()
        stop.wait(LOOK_S)
    for thread in threads.values():
        thread.join(timeout=5)


def _listen(hub: Hub, name: str, stop: threading.Event) -> None:
    """Follow a stream again and again: at once after one that gave something, else after a doubling pause."""
    pause = FIRST_PAUSE_S
    while not stop.is_set():
        followed = _Followed(hub, name)
        try:
            _follow(hub, name, stop, followed)
        except BaseException as error:  # noqa: BLE001 - told; a plugin's exit would end this thread without a word
            followed.fail(error)
        pause = FIRST_PAUSE_S if followed.came else min(pause * 2, LONGEST_PAUSE_S)
        stop.wait(max(pause, min(followed.asked, LONGEST_PAUSE_S)))


@dataclass
class _Followed:
    """How following a stream went: what came, how it failed, and the pause that the network asked for."""

    hub: Hub
    name: str
    came: bool = False
    error: str | None = None
    asked: float = 0.0

    def fail(self, error: BaseException) -> None:
        """Tell of a loss, or of a plugin's bug."""
        if isinstance(error, HubError):
            if isinstance(error, ConnectorError):
                self.hub.redact(self.name, error)
            self.error = f"{type(error).__name__}: {error}"
            said = error.in_our_words() if isinstance(error, ConnectorError) else self.error
            self.asked = asked_for(getattr(error, "retry_after", None))
            log.warning("a stream was lost", source=self.name, error=said)
        else:
            self.error = f"bug: {tell(self.hub, self.name, error, event='a plugin failed to listen')}"


def _follow(hub: Hub, name: str, stop: threading.Event, followed: _Followed) -> None:
    """Follow a stream to its end, page by page; its lease keeps other listeners out."""
    source = hub.source(name)
    assert isinstance(source, StreamingSource)
    leased = hub.store.cursors.claim(name, now=hub.now(), early=True)
    if leased is None:
        return
    token, cursor = leased
    try:
        with held(hub, name, token):
            for page in source.stream(hub.source_context(name), cursor):
                take(hub, name, page, token)
                followed.came = True
                if stop.is_set():
                    return
    except BaseException as error:  # noqa: BLE001 - told below, and the cursor says why it stands
        followed.fail(error)
    finally:
        hub.store.cursors.release(name, token, due_at=hub.now(), now=hub.now(), error=followed.error)
