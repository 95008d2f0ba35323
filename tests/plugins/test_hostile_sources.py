"""What hostile senders write, in each network's own form, through the whole hub: read as safe text or refused with a reason."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest

from hub.core.model import RawItem
from hub.flow.decide.batch import process
from hub.flow.intake.poll import poll, polling_sources
from hub.testkit.contracts.hostile import PAYLOADS
from hub.testkit.sandbox import RunningSandbox
from tests.databases import Databases
from tests.landing import NOON, Landing, fresh_database, landing, sandboxes
from tests.plugins.hostile_items import ITEMS, alone, together

pytestmark = pytest.mark.long

SETTLED = {"done", "duplicate", "ignored", "failed", "split"}
UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
MOST = 100_000


@pytest.fixture(scope="module")
def vendors() -> Iterator[dict[str, RunningSandbox]]:
    with sandboxes(zendesk={"updates_per_ticket": MOST}) as running:  # all items are of one conversation
        yield running


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def heard(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, vendors: dict[str, RunningSandbox]
) -> Iterator[Landing]:
    """All items with one hostile field, processed; nothing is delivered. Those of Mastodon come once more from a file."""
    folder = tmp_path_factory.mktemp("hostile")
    with fresh_database(request.param, folder, request) as url, landing(folder, url, vendors, targets=()) as hub:
        for plugin in ITEMS:
            hub.take(plugin, [*alone(plugin), *together(plugin), *(payload for _, payload in PAYLOADS)])
        (folder / "mastodon.jsonl").write_bytes(b"\n".join([*together("mastodon"), *(one for _, one in PAYLOADS)]))
        hub.hub.store.cursors.declare(polling_sources(hub.hub), now=NOON)
        hub.taken += poll(hub.hub, "lines", early=True) or 0
        while process(hub.hub, slice_s=600):
            pass
        print(f"\n{request.param}: {hub.taken} items, {hub.hub.store.inbox.counts()}")
        yield hub


@pytest.fixture(scope="module")
def landed(
    tmp_path_factory: pytest.TempPathFactory, databases: Databases, vendors: dict[str, RunningSandbox]
) -> Iterator[Landing]:
    """Items that are hostile all over, delivered to all vendors."""
    folder = tmp_path_factory.mktemp("landed")
    for one in vendors.values():
        one.sandbox.reset()
    with landing(folder, databases.sqlite(folder / "hub.db"), vendors) as hub:
        for plugin in ITEMS:
            hub.take(plugin, together(plugin))
        hub.run()
        print(f"\n{hub.taken} items, {len(hub.signals())} signals, {hub.states()}")
        yield hub


def strings(value: Any) -> Iterator[str]:
    """Every text in a value."""
    if isinstance(value, str):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ():
        yield from strings(inner)


def said(hub: Landing) -> Iterator[tuple[str, Any]]:
    """Everything that is stored of signals and their authors, by the key of the signal."""
    for row in hub.signals():
        yield row["key"], msgspec.to_builtins(row["signal"])
        yield row["key"], msgspec.to_builtins(row["author"])


class Tags(HTMLParser):
    """The tags of a document, and the attributes that could load or run something."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.bad: list[tuple[str, str | None]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        schemes = ("https://", "http://", "mailto:")
        self.bad += [
            (name, value)
            for name, value in attrs
            if name not in {"href", "title", "rel"} or (name == "href" and not str(value).lower().startswith(schemes))
        ]


def test_every_item_is_settled(heard: Landing) -> None:
    counts = heard.hub.store.inbox.counts()
    assert set(counts) <= SETTLED
    assert counts["done"] > 2_000
    assert counts["failed"] > 200


def test_every_refusal_has_a_reason_of_its_plugin_and_none_is_a_bug(heard: Landing) -> None:
    reasons = Counter(row["note"] for row in heard.hub.store.inbox.failed(limit=MOST))
    assert all(reasons)
    assert [reason for reason in reasons if reason.startswith("bug")] == []


def test_every_reason_is_safe_to_show(heard: Landing) -> None:
    notes = [row["note"] for row in heard.hub.store.inbox.failed(limit=MOST)]
    assert [note for note in notes if UNSAFE.search(note) or len(note) > 500] == []


def test_no_stored_text_holds_controls_overrides_or_half_pairs(heard: Landing) -> None:
    wrong = [(key, text[:80]) for key, value in said(heard) for text in strings(value) if UNSAFE.search(text)]
    assert wrong == []


def test_every_address_leads_into_the_web_or_is_none(heard: Landing) -> None:
    for key, value in said(heard):
        media = (value or {}).get("media", ())
        found = [(value or {}).get(name) for name in ("url", "avatar_url")] + [one["url"] for one in media]
        for url in filter(None, found):
            assert urlsplit(url).scheme in {"http", "https"}, (key, url[:80])
            assert not re.search(r"\s", url), (key, url[:80])


def test_stored_html_loads_and_runs_nothing(heard: Landing) -> None:
    for row in heard.signals():
        tags = Tags(row["signal"].html or "")
        assert not tags.tags & {"script", "iframe", "object", "img", "svg", "style", "form", "base", "meta"}, row["key"]
        assert tags.bad == [], row["key"]


def test_every_time_can_be_written_and_is_not_in_the_future(heard: Landing) -> None:
    for row in heard.signals():
        signal = row["signal"]
        for time in filter(None, (signal.published_at, signal.updated_at, signal.claimed_at, row["published_at"])):
            assert datetime.fromisoformat(time.astimezone(UTC).isoformat()) == time, row["key"]
        assert signal.published_at <= signal.observed_at, row["key"]


def test_every_key_and_name_is_short_enough_to_store(heard: Landing) -> None:
    for row in heard.signals():
        signal = row["signal"]
        assert max(map(len, (signal.key, signal.author_key or "", signal.conversation_key or ""))) <= 64, signal.key
        assert len(signal.native_id) <= 8_000
        assert len(signal.text) <= 100_000


def test_every_count_is_a_number_that_everybody_can_read(heard: Landing) -> None:
    for row in heard.signals():
        counts = msgspec.structs.astuple(row["signal"].counts)
        followers = row["author"].followers if row["author"] else None
        assert all(0 <= count < 2**53 for count in (*counts, followers) if count is not None), row["key"]


def test_what_failed_is_taken_up_again_and_fails_alone(heard: Landing) -> None:
    failed = heard.hub.store.inbox.counts()["failed"]
    assert heard.hub.store.inbox.retry(None, now=heard.hub.now()) == failed
    while process(heard.hub, slice_s=600):
        pass
    assert heard.hub.store.inbox.counts()["failed"] == failed


def test_hostile_bodies_of_a_webhook_are_split_kept_or_refused(
    database_url: str, tmp_path: Path, vendors: dict[str, RunningSandbox]
) -> None:
    bodies = [*alone("webhook"), b"[" + b",".join(together("webhook")) + b"]", *(payload for _, payload in PAYLOADS)]
    with landing(tmp_path, database_url, vendors, targets=()) as hub:
        raws = [RawItem("door", "webhook", body, NOON, str(place)) for place, body in enumerate(bodies)]
        hub.hub.store.inbox.add(raws, form="body")
        while process(hub.hub, slice_s=600):
            pass
        assert set(hub.hub.store.inbox.counts()) <= SETTLED
        assert not [row for row in hub.hub.store.inbox.failed(limit=MOST) if row["note"].startswith("bug")]


def test_hostile_signals_land_or_end_as_dead_letters_with_field_and_reason(landed: Landing) -> None:
    ended = Counter(row["state"] for row in landed.deliveries())
    assert set(ended) <= {"delivered", "superseded", "dead"}
    dead = landed.deliveries(state="dead")
    assert all(row["error"].get("field") and row["error"].get("message") for row in dead)
    assert ended["dead"] < ended["delivered"] / 100, [row["error"] for row in dead[:5]]


def test_no_mapping_failed(landed: Landing) -> None:
    known = [row for row in landed.signals() if row["author_key"] and row["kind"] != "repost"]
    assert Counter(note for row in known for note in row["trace"].notes) == Counter()


def test_hostile_signals_break_no_vendors_contract(landed: Landing) -> None:
    assert landed.violations() == []


def test_no_vendor_holds_controls_overrides_or_half_pairs(landed: Landing) -> None:
    for name, vendor in landed.vendors.items():
        for entry in vendor.sandbox.journal.entries:
            wrong = [text[:80] for text in strings(entry.fields) if UNSAFE.search(text)]
            assert wrong == [], (name, entry.object)
