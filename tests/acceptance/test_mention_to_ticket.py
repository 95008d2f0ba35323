"""The main job on real networks: a mention is heard, judged by the embedded model, and lands as a ticket."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from hub.core.access import HUB
from hub.flow.decide.batch import process
from hub.flow.deliver.send import deliver
from hub.flow.intake.poll import poll, polling_sources
from hub.flow.views.explain import explain
from hub.queue.inprocess import InProcessBell
from hub.runtime import Hub, open_hub
from hub.testkit.sandbox import SandboxOptions, serve
from plugins.zendesk.sandbox import build
from tests.acceptance.bluesky_network import BlueskyNetwork
from tests.acceptance.servers import until
from tests.acceptance.snac_network import SnacNetwork
from tests.watched import WatchedRegistry

CONFIG = """
[sources.ears]
plugin = "{plugin}"
allow_private = true
{proxy}
options = {options}
[enrichers.language]
plugin = "language"
[enrichers.sentiment]
plugin = "flair"
[destinations.desk]
plugin = "zendesk"
allow_private = true
options = {{ subdomain = "sandbox", base_url = "{desk}", token = {{ env = "DESK_TOKEN" }}, job_pause = 0.05 }}
"""
RULES = """
[[rule]]
name = "complaints about us"
when = ['signal.kind in ["mention", "post"]', 'labels.sentiment.value == "negative"']
deliver = [{ destination = "desk", mapping = "ticket" }]
"""


@contextmanager
def listening(
    folder: Path, monkeypatch: pytest.MonkeyPatch, plugin: str, options: dict[str, Any], *, proxy: str = ""
) -> Iterator[tuple[Hub, Any]]:
    """A hub with one real source and the Zendesk sandbox; secrets come from the environment."""
    secrets = {name: value for name, value in options.items() if name in {"token", "app_password"}}
    for name, value in {**secrets, "desk": "sandbox"}.items():
        monkeypatch.setenv(f"{name.upper()}_TOKEN" if name == "desk" else f"EARS_{name.upper()}", value)
    shown = [
        f"{name} = {msgspec.json.encode(value).decode()}" for name, value in options.items() if name not in secrets
    ]
    shown += [f'{name} = {{ env = "EARS_{name.upper()}" }}' for name in secrets]
    with serve(build(SandboxOptions(token="sandbox"))) as desk:
        config = folder / "config.toml"
        inner = "{ " + ", ".join(shown) + " }"
        line = f'proxy = "{proxy}"' if proxy else ""
        config.write_text(CONFIG.format(plugin=plugin, options=inner, desk=desk.url, proxy=line))
        (folder / "rules.toml").write_text(RULES)
        (folder / "topics.toml").touch()
        hub = open_hub(config, bell=InProcessBell(), migrate=True)
        hub.registry = WatchedRegistry()
        hub.store.cursors.declare(polling_sources(hub), now=hub.now())
        try:
            yield hub, desk.sandbox
        finally:
            hub.close()


def ticket_of(hub: Hub, desk: Any, mark: str) -> dict[str, Any] | None:
    """Poll, process, deliver; the ticket that holds the mark, once it is there."""
    poll(hub, "ears", early=True)
    process(hub)
    deliver(hub, "desk")
    return next((record for record in tickets(desk) if mark in msgspec.json.encode(record).decode()), None)


def tickets(desk: Any) -> list[dict[str, Any]]:
    """What the desk holds."""
    return [record for _, record in desk.store.all("ticket")]


def judged(hub: Hub, mark: str) -> Any:
    """The explanation of the signal that holds the mark."""
    rows = [row for row in hub.store.signals.recent(limit=100) if mark in row["signal"].text]
    assert len(rows) == 1
    return explain(hub, HUB, rows[0]["key"])


def test_a_mention_on_bluesky_becomes_a_ticket(
    bluesky_network: BlueskyNetwork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, mark = bluesky_network, f"zz{uuid4().hex[:8]}"
    options = {"service": network.pds, "handle": network.brand.handle, "app_password": network.brand.app_password}
    with listening(tmp_path, monkeypatch, "bluesky", options) as (hub, desk):
        network.post(network.customer, f"@{network.brand.handle} this is awful, my parcel is lost again! {mark}")
        until(lambda: ticket_of(hub, desk, mark), seconds=60, what="ticket", pause=1)
        check(hub, desk, mark)


def test_a_mention_on_snac_becomes_a_ticket(
    snac_network: SnacNetwork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, mark = snac_network, f"zz{uuid4().hex[:8]}"
    options = {"instance": network.brand.instance, "token": network.brand.token, "notifications": True}
    with listening(tmp_path, monkeypatch, "mastodon", options, proxy=network.proxy) as (hub, desk):
        network.post(network.customer, f"@brand this is awful, my parcel is lost again! {mark}")
        until(lambda: ticket_of(hub, desk, mark), seconds=60, what="ticket", pause=1)
        check(hub, desk, mark)


def check(hub: Hub, desk: Any, mark: str) -> None:
    """One ticket, by the embedded model's word, delivered and explained."""
    found = judged(hub, mark)
    mood = next(label for label in found.labels if label["name"] == "sentiment")
    assert mood["value"] == "negative"
    assert mood["model"].startswith("sentiment-")
    assert found.matched == ("complaints about us",)
    assert [one["state"] for one in found.deliveries if one["object"] == "ticket"] == ["delivered"]
    poll(hub, "ears", early=True)
    process(hub)
    deliver(hub, "desk")
    assert sum(mark in msgspec.json.encode(one).decode() for one in tickets(desk)) == 1
