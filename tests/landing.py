"""A hub with real sources and the look-alikes of all three CRMs behind it, in one process and from a real configuration file."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from hub.config.settings import load_settings
from hub.flow.decide.batch import process
from hub.flow.deliver.send import deliver
from hub.flow.intake.poll import raw_item
from hub.queue.inprocess import InProcessBell
from hub.runtime import Hub, system_clock
from hub.store import open_store
from hub.testkit.sandbox import RunningSandbox, SandboxOptions, serve
from tests.databases import TEMPLATE, Databases, Postgres
from tests.material import shared
from tests.watched import WatchedRegistry

VENDORS = ("salesforce", "hubspot", "zendesk")
SECRETS = {name: f"tok-{name}-5up3r5ecret" for name in (*VENDORS, "masto", "sky", "tube")}
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)

CONFIG = """
[hub]
private_rules = ["everything"]
[database]
url = "{database}"
[sources.masto]
plugin = "mastodon"
enabled = {networks}
allow_private = {private}
options = {{ instance = "{instance}", token = {{ env = "MASTO_SECRET" }}, public = true }}
[sources.sky]
plugin = "bluesky"
enabled = {networks}
options = {{ handle = "brand.example", app_password = {{ env = "SKY_SECRET" }} }}
[sources.news]
plugin = "rss"
enabled = {networks}
options = {{ feeds = ["https://news.example/feed.xml"] }}
[sources.tube]
plugin = "youtube"
options = {{ api_key = {{ env = "TUBE_SECRET" }}, videos = ["acmeFilm001"] }}
[sources.door]
plugin = "webhook"
options = {{ scheme = "none" }}
[sources.lines]
plugin = "file"
options = {{ path = "{folder}/*.jsonl", as_plugin = "mastodon" }}
[enrichers.language]
plugin = "language"
[enrichers.sentiment]
plugin = "lexicon"
[destinations.salesforce]
plugin = "salesforce"
allow_private = {private}
options = {{ instance_url = "{salesforce}", access_token = {{ env = "SALESFORCE_SECRET" }} }}
[destinations.hubspot]
plugin = "hubspot"
allow_private = {private}
options = {{ base_url = "{hubspot}", token = {{ env = "HUBSPOT_SECRET" }} }}
[destinations.zendesk]
plugin = "zendesk"
allow_private = {private}
options = {{ subdomain = "sandbox", base_url = "{zendesk}", token = {{ env = "ZENDESK_SECRET" }}, job_pause = 0 }}
"""
RULES = """
[[rule]]
name = "everything"
when = ['signal.key != ""']
{deliver}
"""
TARGETS = (
    ("salesforce", "signal"),
    ("salesforce", "lead"),
    ("hubspot", "signal"),
    ("hubspot", "contact"),
    ("zendesk", "signal"),
    ("zendesk", "ticket"),
)
SOURCES = {"mastodon": "masto", "bluesky": "sky", "rss": "news", "webhook": "door", "youtube": "tube"}


@dataclass
class Landing:
    """A hub, the running look-alikes by vendor, and how many raw items went in."""

    hub: Hub
    vendors: Mapping[str, RunningSandbox]
    taken: int = field(default=0)

    def take(self, plugin: str, payloads: Iterable[bytes], realm: str = "") -> None:
        """Raw items come in as if the plugin's source had given them, with the ids that the plugin gives them."""
        source = self.hub.source(SOURCES[plugin])
        name = SOURCES[plugin]
        raws = [raw_item(source, payload, source_name=name, now=NOON, realm=realm) for payload in payloads]
        self.taken += self.hub.store.inbox.add(raws)

    def run(self) -> None:
        """Process and deliver until nothing is due."""
        while process(self.hub, slice_s=600):
            pass
        # What lands at one destination may write once more at another: a ticket's link on a lead.
        while sum(deliver(self.hub, name, slice_s=600) for name in self.hub.settings.destinations):
            pass

    def signals(self) -> list[dict[str, Any]]:
        """All signals, whole."""
        return self.hub.store.signals.recent(limit=100_000)

    def deliveries(self, **wanted: Any) -> list[dict[str, Any]]:
        """All deliveries."""
        return self.hub.store.outbox.recent(limit=100_000, **wanted)

    def states(self) -> dict[str, dict[str, int]]:
        """How many deliveries are in each state, by destination."""
        return {name: dict(counts) for name, counts in self.hub.store.outbox.counts().items()}

    def violations(self) -> list[Any]:
        """Calls that broke a vendor's contract, and bugs of the look-alikes."""
        return [one for vendor in self.vendors.values() for one in vendor.sandbox.violations]

    def made(self, vendor: str, object_: str, kind: str = "create") -> Counter[str]:
        """How often each key was made at a vendor."""
        entries = self.vendors[vendor].sandbox.journal.entries
        return Counter(one.key for one in entries if (one.object, one.kind) == (object_, kind))


@contextmanager
def sandboxes(**extra: Any) -> Iterator[dict[str, RunningSandbox]]:
    """The look-alikes of all vendors, holding each call to the vendor's contract."""
    with ExitStack() as stack:
        running = {}
        for vendor in VENDORS:
            options = SandboxOptions(token=SECRETS[vendor], contracts=shared("contracts"), extra=extra.get(vendor, {}))
            sandbox = import_module(f"plugins.{vendor}.sandbox").build(options)
            running[vendor] = stack.enter_context(serve(sandbox))
        yield running


def _nap(seconds: float) -> None:
    """Wait for a twentieth of the time between two tries."""
    time.sleep(seconds / 20)


@contextmanager
def landing(
    folder: Path,
    database_url: str,
    vendors: Mapping[str, RunningSandbox],
    *,
    targets: Iterable[tuple[str, str]] = TARGETS,
    private: bool = True,
    networks: bool = True,
    secrets: Mapping[str, str] = SECRETS,
    instance: str = "https://m.example",
) -> Iterator[Landing]:
    """A hub whose one rule matches everything, private signals too, and delivers it by all of `targets`."""
    wanted = ", ".join(f'{{ destination = "{name}", mapping = "{mapping}" }}' for name, mapping in targets)
    deliver_to = f"deliver = [{wanted}]" if wanted else 'labels = { seen = "yes" }'
    urls = {name: one.url for name, one in vendors.items()}
    config = folder / "config.toml"
    config.write_text(
        CONFIG.format(
            folder=folder,
            instance=instance,
            database=database_url,
            private=str(private).lower(),
            networks=str(networks).lower(),
            **urls,
        )
    )
    (folder / "rules.toml").write_text(RULES.format(deliver=deliver_to))
    (folder / "topics.toml").touch()
    for name, secret in secrets.items():
        os.environ[f"{name.upper()}_SECRET"] = secret
    settings = load_settings(config)
    store = open_store(settings.database_url)
    store.database.migrate()
    hub = Hub(settings, store, InProcessBell(), WatchedRegistry(), system_clock, jitter=lambda: 0.0, sleep=_nap)
    try:
        yield Landing(hub, vendors)
    finally:
        hub.close()


@contextmanager
def fresh_database(kind: str, folder: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """Make a migrated database of a kind, for fixtures that live longer than a test."""
    if kind == "sqlite":
        databases: Databases = request.getfixturevalue("databases")
        yield databases.sqlite(folder / "hub.db")
        return
    server: Postgres = request.getfixturevalue("postgresql")
    with server.fresh(template=TEMPLATE) as url:
        yield url
