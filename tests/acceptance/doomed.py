"""A worker that dies between the network's answer to a post and the ledger: `python -m tests.acceptance.doomed CONFIG SOURCE`."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from hub import Context, HttpResponse
from hub.config.settings import load_settings
from hub.flow.deliver.send import deliver
from hub.queue.inprocess import InProcessBell
from hub.registry import Registry
from hub.runtime import Hub
from hub.sdk.context import RelayHttp
from hub.store import open_store

_POSTS = ("com.atproto.repo.createRecord", "/api/v1/statuses")


class DoomedHttp(RelayHttp):
    """The guard, until a post is answered: then the process is killed, as by the kernel."""

    def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        timeout: float | None = None,
    ) -> HttpResponse:
        answer = super().send(method, url, headers=headers, content=content, timeout=timeout)
        if method == "POST" and url.endswith(_POSTS):
            print(f"posted: {answer.status}", flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
        return answer


class DoomedHub(Hub):
    """A hub whose sources speak through it."""

    def source_context(self, name: str) -> Context:
        lent = super().source_context(name)
        return replace(lent, http=DoomedHttp(lent.http))


def main(config: str, source: str) -> None:
    """Send what is due on the source's lane."""
    settings = load_settings(Path(config))
    hub = DoomedHub(settings, open_store(settings.database_url), InProcessBell(), Registry())
    print(f"sent: {deliver(hub, f'sources/{source}')}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
