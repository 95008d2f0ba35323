"""Fill a database as a hub of this version does: the demo, with deliveries in each state, people, an erasure and receipts.

Run once for each release, with the release's own code; what it wrote is kept beside it and never made again:

    python -m tests.upgrade.fill sqlite:////tmp/filled/hub.db
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hub.books import book_versions
from hub.core.ledger import STATES
from hub.core.model import Planned
from hub.core.threads import Move
from hub.flow.decide.batch import process
from hub.flow.deliver.send import deliver
from hub.flow.intake.poll import poll, polling_sources
from hub.flow.monitor.schedule import make_round
from hub.queue.inprocess import InProcessBell
from hub.runtime import Hub, open_hub
from hub.store.ledger.deliveries import Settlement
from hub.testkit.sandbox import RunningSandbox
from tests.hub.cli.terminal import demo, run, settle
from tests.hub.store.given import record

TROUBLES: Mapping[str, list[dict[str, Any]]] = {
    "salesforce": [{"status": 401}],
    "hubspot": [{"status": 400, "body": {"status": "error", "message": "no"}}],
    "zendesk": [{"status": 429, "headers": {"Retry-After": "3600"}}],
}
UNREAD = b'{"id": "900001", "uri": "https://m.example/unread/1"}\n'
"""A post that has come in and was not looked at yet."""


def fill(folder: Path, url: str) -> None:
    """Run the demo in `folder` on an empty database, then leave it in the middle of its work."""
    with ExitStack() as stack:
        config, vendors = folder / "config.toml", demo(stack, folder, lines=8)
        later = _put_off(folder / "demo" / "posts")
        config.write_text(f'{config.read_text("utf-8")}\n[database]\nurl = "{url}"\n', "utf-8")
        settle(config)
        _correct(config)
        hub = open_hub(config, bell=InProcessBell())
        try:
            _go_on(hub, later, vendors)
            _hold(hub)
            _remember(hub)
            make_round(hub)
        finally:
            hub.close()


def _correct(config: Path) -> None:
    """Do what people do: make a person, link an author with a reason, erase a signal."""

    def told(*words: object) -> Any:
        said = run("-c", config, *words)
        assert said.code == 0, said.err + said.out
        return said

    signals = told("signals", "list", "--limit", 0, "--json").json
    ada = told("people", "add", "Ada", "--email", "ada@example.com").out.strip()
    told("people", "link", signals[0]["author_key"], ada, "--basis", "order_reference", "--evidence", "order 4711")
    bob = told("people", "add", "Bob").out.strip()
    told("people", "merge", bob, ada)
    told("erase", signals[1]["key"], "--yes")


def _put_off(posts: Path) -> dict[Path, bytes]:
    """Take the second half out of each file of posts; returns the files in which it comes later."""
    later = {}
    for file in posts.glob("*.jsonl"):
        lines = file.read_bytes().splitlines(keepends=True)
        half = (len(lines) + 1) // 2
        file.write_bytes(b"".join(lines[:half]))
        later[file.with_stem(f"{file.stem}-later")] = b"".join(lines[half:])
    return later


def _go_on(hub: Hub, later: Mapping[Path, bytes], vendors: Mapping[str, RunningSandbox]) -> None:
    """Hear the other half: some of it sent, some held up by vendors in trouble, the last not even looked at."""
    for file, content in later.items():
        file.write_bytes(content)
        _hear(hub)
        if process(hub, slice_s=60):
            for name, faults in TROUBLES.items():
                vendors[name].sandbox.faults.set(faults)
                deliver(hub, name, slice_s=60)
    (next(iter(later)).parent / "mastodon-unread.jsonl").write_bytes(UNREAD)
    _hear(hub)


def _hear(hub: Hub) -> None:
    for name in polling_sources(hub):
        poll(hub, name, early=True)


def _hold(hub: Hub) -> None:
    """Plan a delivery for each state that there is, and take it there by the ledger's own way."""
    for state in STATES:
        one = record(f"held:{state}", destination=f"held-{state}")
        first = state if state == "approval" else "pending"
        with hub.store.database.write() as conn:
            hub.store.outbox.plan(conn, [Planned(one, one.key, "rule", first)], now=hub.now())
        if state == first:
            continue
        claim = hub.store.deliveries.claim(one.destination, size=lambda *_: 1, now=hub.now())
        assert claim is not None
        if state != "leased":
            error = {"class": "Unavailable", "message": "down"}
            ended = [
                Settlement(row.id, state, due_at=hub.now() + timedelta(hours=1), error=error)
                for row in claim.deliveries
            ]
            hub.store.deliveries.settle(claim, ended, now=hub.now())


def _remember(hub: Hub) -> None:
    """Write what helpdesk and CRM tell of conversations and merges, and what a worker tells of itself."""
    store, now = hub.store, hub.now()
    signal = next(row for row in store.signals.recent() if row["conversation_key"] and row["raw_id"])
    thread, moved = signal["conversation_key"], Move("mastodon:conversation:old", signal["conversation_key"])
    with store.database.write() as conn:
        store.conversations.put(
            conn, thread, {"state": "open", "assignee": "ada", "tags": ["urgent"]}, at=now, by="zendesk"
        )
        store.conversations.merge(conn, "zendesk", "ticket", loser="7001", winner="7002")
        store.threads.join(conn, [moved], [], now=now)
        store.erasures.sighted(conn, [(signal["key"], signal["raw_id"])], [])
        store.rechecks.add(conn, {signal["key"]: signal["source"]}, now=now)
    store.connections.remember_versions(book_versions(hub.book), now=now)
    store.connections.beat("worker-1", "deliver", now=now)


if __name__ == "__main__":
    with TemporaryDirectory() as here:
        fill(Path(here), sys.argv[1])
