"""Everything that real services said, through the whole hub into all three CRMs, each call held to the vendor's contract."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.landing import Landing, fresh_database, landing, sandboxes
from tests.plugins.bluesky.test_recordings import FILES, posts
from tests.plugins.mastodon.test_recordings import notifications, statuses
from tests.plugins.rss.test_documents import SOURCE, documents
from tests.plugins.youtube.test_recordings import comments

pytestmark = pytest.mark.long

# Objects by vendor, with the journal's word for a new one.
ONE_PER_SIGNAL = (
    ("salesforce", "Social_Signal__c", "create"),
    ("hubspot", "social_signal", "create"),
    ("zendesk", "social_signal", "create"),
)
ONE_PER_AUTHOR = (
    ("salesforce", "Social_Author__c", "create"),
    ("salesforce", "Lead", "create"),
    ("hubspot", "social_author", "create"),
    ("hubspot", "contacts", "create"),
    ("zendesk", "social_author", "create"),
)


def bluesky() -> Iterator[bytes]:
    """The posts, each document a network of its own: in the next one a placeholder stands for another post."""
    for file in FILES:
        for name, item in posts(file):
            yield re.sub(r"\b(user|record|cids)\(", lambda found: f"{found[0]}{name}-", json.dumps(item)).encode()  # noqa: B023 - called at once


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def landed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Landing]:
    """All recordings, landed."""
    folder = tmp_path_factory.mktemp("recordings")
    with (
        fresh_database(request.param, folder, request) as url,
        sandboxes() as vendors,
        landing(folder, url, vendors) as hub,
    ):
        hub.take("mastodon", (json.dumps(entity).encode() for entity in [*statuses(), *notifications()]))
        hub.take("bluesky", bluesky())
        hub.take("youtube", (json.dumps(comment).encode() for comment in comments()))
        for name, document in documents().items():
            hub.take("rss", SOURCE.unpack(document), f"https://feeds.example/{name}")
        hub.run()
        print(f"\n{request.param}: {hub.taken} items, {hub.hub.store.inbox.counts()}, {len(hub.signals())} signals")
        print(hub.states())
        yield hub


def said(landed: Landing) -> list[Mapping[str, Any]]:
    """The signals that are their authors' own words: boosts are counted at what they boost, and make no record."""
    return [row for row in landed.signals() if row["kind"] != "repost"]


def test_every_recorded_item_is_settled_and_none_failed(landed: Landing) -> None:
    assert landed.taken > 700
    assert set(landed.hub.store.inbox.counts()) <= {"done", "duplicate", "ignored"}


def test_signals_of_each_network_came_out(landed: Landing) -> None:
    networks = Counter(row["network"] for row in landed.signals())
    assert networks["mastodon"] >= 50
    assert networks["bluesky"] >= 50
    assert networks["rss"] >= 400
    assert networks["youtube"] >= 10


def test_every_signal_matched(landed: Landing) -> None:
    assert all(row["matched"] for row in landed.signals())


def test_every_delivery_arrived_or_was_replaced_before_it_was_sent(landed: Landing) -> None:
    stuck = landed.hub.store.outbox.counts()
    wrong = [row for row in landed.deliveries() if row["state"] not in {"delivered", "superseded"}]
    assert not wrong, (stuck, [(row["destination"], row["object"], row["error"]) for row in wrong[:5]])


def test_no_mapping_failed(landed: Landing) -> None:
    assert not Counter(note for row in said(landed) for note in row["trace"].notes)


@pytest.mark.parametrize(("vendor", "object_", "kind"), ONE_PER_SIGNAL)
def test_every_signal_is_one_record_at_each_vendor(landed: Landing, vendor: str, object_: str, kind: str) -> None:
    made = landed.made(vendor, object_, kind)
    assert made == dict.fromkeys((row["key"] for row in said(landed)), 1)


@pytest.mark.parametrize(("vendor", "object_", "kind"), ONE_PER_AUTHOR)
def test_every_author_is_one_record_at_each_vendor(landed: Landing, vendor: str, object_: str, kind: str) -> None:
    made = landed.made(vendor, object_, kind)
    assert made == dict.fromkeys((row["author_key"] for row in said(landed)), 1)


def test_every_signal_opened_a_ticket_or_is_a_comment_of_one(landed: Landing) -> None:
    tickets, comments = landed.made("zendesk", "ticket", "ticket"), landed.made("zendesk", "comment", "comment")
    assert set(tickets) == {row["conversation_key"] for row in said(landed)}
    assert set(tickets.values()) == set(comments.values()) == {1}
    assert len(tickets) + len(comments) == len(said(landed))


def test_no_call_broke_a_contract(landed: Landing) -> None:
    assert landed.violations() == []


def test_a_second_hearing_of_everything_writes_nothing_new(landed: Landing) -> None:
    before = {name: len(one.sandbox.journal.entries) for name, one in landed.vendors.items()}
    landed.take("mastodon", (json.dumps(entity).encode() + b" " for entity in statuses()))
    for name, document in documents().items():
        landed.take("rss", (payload + b" " for payload in SOURCE.unpack(document)), f"https://feeds.example/{name}")
    landed.run()
    made = [
        (name, entry.kind, entry.object, entry.key)
        for name, one in landed.vendors.items()
        for entry in one.sandbox.journal.entries[before[name] :]
        if entry.kind in {"create", "ticket", "comment"}
    ]
    assert made == []
