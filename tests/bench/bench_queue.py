"""Signals a second through the queue by one process worker: `python -m tests.bench.bench_queue [SIGNALS]`.

W1's posts stand in the inbox, one ring starts the worker; measured until every row is decided and committed (SQLite, FULL).
Once with rules alone, once with the lexicon's sentiment. Nothing is sent.
"""

from __future__ import annotations

import sys
import time
from hashlib import sha256
from pathlib import Path

from hub.core.model import RawItem
from hub.runtime import open_hub, system_clock
from tests.bench.running import bodies, first_accepted, home, hub_up, say, until

PLAIN = ('plugin = "lexicon"', 'plugin = "lexicon"\nenabled = false')
NO_SENDER = "\n[workers]\ndeliver = 0\n"


def through(config: Path, count: int) -> float:
    """Signals a second."""
    with hub_up(config):
        first_accepted(config)
        hub = open_hub(config, patience_s=30)
        now = system_clock()
        raws = [RawItem("w1", "webhook", body, now, sha256(body).hexdigest()) for body in bodies(count)]
        until(lambda: hub.store.inbox.counts() == {"done": 1}, "the probe")
        taken = hub.store.inbox.add(raws, form="body")
        begin = time.monotonic()
        hub.bell.ring("process")
        until(lambda: not {"new", "leased"} & hub.store.inbox.counts().keys(), "all rows")
        took = time.monotonic() - begin
        hub.close()
    return taken / took


def main(count: int = 10_000) -> None:
    """Print both rates."""
    with home(more=NO_SENDER, change=PLAIN) as config:
        plain = through(config, count)
    with home(more=NO_SENDER) as config:
        scored = through(config, count)
    say("queue", signals=count, per_s=round(plain), per_s_with_lexicon=round(scored))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
