"""Each sender has a name space of its own, and changes only what it brought itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from hub.config.settings import Settings
from hub.core.keys import author_key, signal_key
from hub.core.model import RawItem
from hub.flow.decide.batch import process
from hub.flow.intake.poll import import_document, realm_of
from hub.queue.inprocess import InProcessBell
from hub.runtime import Hub
from hub.store import Store
from hub.store.schema import realms
from tests.hubs import TOPICS, Clock
from tests.watched import WatchedRegistry

OPEN: dict[str, Any] = {"scheme": "none"}
SOURCES = {
    "shop": {"plugin": "webhook", "options": OPEN},
    "forum": {"plugin": "webhook", "options": OPEN},
    "plain": {"plugin": "webhook", "options": {**OPEN, "realm": ""}},
    "other": {"plugin": "webhook", "options": {**OPEN, "realm": ""}},
    "folder": {"plugin": "file", "options": {"path": "*.jsonl", "as_plugin": "webhook"}},
    "masto": {"plugin": "mastodon", "options": {"instance": "https://mastodon.example", "public": True}},
}


class Town:
    """A hub that several senders speak to."""

    def __init__(self, store: Store, folder: Path, **sources: Any) -> None:
        (folder / "rules.toml").write_text("rule = []\n")
        (folder / "topics.toml").write_text(TOPICS)
        settings = Settings.model_validate({"sources": sources or SOURCES, "file": folder / "config.toml"})
        self.folder = folder
        self.hub = Hub(settings, store, InProcessBell(), WatchedRegistry(), Clock())

    def say(self, source: str, **said: Any) -> None:
        """A sender posts, and it is processed."""
        connector = self.hub.source(source)
        payload, external = json.dumps(said).encode(), f"{len(self.posts())}-{said}"
        raw = RawItem(source, connector.name, payload, self.hub.now(), external, realm_of(connector, source))
        self.hub.clock.pass_(minutes=1)  # type: ignore[attr-defined]  # a clock set by hand
        self.hub.store.inbox.add([raw])
        process(self.hub, slice_s=30)

    def posts(self) -> dict[str, str]:
        """All posts: key to text."""
        return {row["key"]: row["signal"].text for row in self.hub.store.signals.recent()}

    def author(self, key: str) -> Any:
        """An author as the hub knows them."""
        with self.hub.store.database.read() as conn:
            return self.hub.store.signals.authors(conn, [key])[key]


@pytest.fixture
def new_town(store: Store, tmp_path: Path) -> Iterator[Callable[..., Town]]:
    """Makes hubs on each database."""
    yield lambda **sources: Town(store, tmp_path, **sources)


NewTown = Callable[..., Town]


def test_two_senders_that_count_alike_have_two_posts(new_town: NewTown) -> None:
    town = new_town()
    town.say("shop", id="1", text="acme of the shop")
    town.say("forum", id="1", text="acme of the forum")
    assert sorted(town.posts().values()) == ["acme of the forum", "acme of the shop"]
    assert set(town.posts()) == {signal_key("webhook", "1", "shop"), signal_key("webhook", "1", "forum")}


def test_a_sender_still_edits_its_own_post(new_town: NewTown) -> None:
    town = new_town()
    town.say("shop", id="1", text="acme")
    town.say("shop", id="1", text="acme, edited")
    assert list(town.posts().values()) == ["acme, edited"]


def test_a_sender_that_names_another_network_replaces_no_post_of_it(new_town: NewTown) -> None:
    town = new_town()
    town.say("plain", id="9", network="mastodon", text="acme is fine", author={"id": "5", "name": "Ana"})
    town.say("other", id="9", network="mastodon", text="acme is a fraud", author={"id": "5", "name": "Eve"})
    assert town.posts() == {signal_key("mastodon", "9"): "acme is fine"}
    assert town.author(author_key("mastodon", "5")).display_name == "Ana"


def test_what_was_not_taken_is_told_on_its_raw_item(new_town: NewTown) -> None:
    town = new_town()
    town.say("plain", id="9", text="acme is fine")
    town.say("other", id="9", text="acme is a fraud")
    assert town.hub.store.inbox.counts() == {"done": 1, "duplicate": 1}


def test_a_repeat_by_another_source_takes_no_raw_item_away_and_changes_no_author(new_town: NewTown) -> None:
    town = new_town()
    town.say("plain", id="9", text="acme is fine", author={"id": "5", "name": "Ana"})
    town.say("other", id="9", text="acme is fine", author={"id": "6", "name": "Eve"})
    (row,) = town.hub.store.signals.recent()
    with town.hub.store.database.read() as conn:
        held = conn.execute(text("SELECT connection FROM inbox WHERE id = :id"), {"id": row["raw_id"]}).scalar()
        assert held == "plain"
        assert town.hub.store.signals.authors(conn, [author_key("webhook", "6")]) == {}


def test_a_new_post_does_not_change_the_face_of_another_sources_author(new_town: NewTown) -> None:
    town = new_town()
    town.say("plain", id="9", network="mastodon", text="acme is fine", author={"id": "5", "name": "Ana"})
    town.say("other", id="10", network="mastodon", text="acme is a fraud", author={"id": "5", "name": "Eve"})
    assert len(town.posts()) == 2
    assert town.author(author_key("mastodon", "5")).display_name == "Ana"


def test_a_sender_whose_source_has_the_name_of_a_site_changes_nothing_of_it(new_town: NewTown) -> None:
    site = {
        "plugin": "http",
        "options": {"file": "stackexchange", "given": {"site": "stackoverflow", "tagged": "acme"}},
    }
    town = new_town(site=site, stackoverflow={"plugin": "webhook", "options": OPEN})
    question = {
        "question_id": 1,
        "title": "acme?",
        "body": "<p>fine</p>",
        "owner": {"user_id": 5, "display_name": "Ana"},
    }
    raw = RawItem(
        "site", "http", json.dumps(question).encode(), town.hub.now(), "1", town.hub.source("site").item_realm
    )
    town.hub.store.inbox.add([raw])
    process(town.hub, slice_s=30)
    before = town.posts()
    said = {"network": "stackexchange", "id": "stackoverflow/1", "text": "acme is a fraud"}
    town.say("stackoverflow", **said, author={"id": "5", "name": "Eve"})
    town.say("stackoverflow", **{**said, "id": "2"}, author={"id": "5", "name": "Eve"})
    assert town.posts().items() > before.items()
    (author,) = {row["signal"].author_key for row in town.hub.store.signals.recent() if row["source"] == "site"}
    assert town.author(author).display_name == "Ana"


def test_a_sender_renames_its_own_author(new_town: NewTown) -> None:
    town = new_town()
    town.say("plain", id="9", text="acme is fine", author={"id": "5", "name": "Ana"})
    town.say("plain", id="10", text="acme is good", author={"id": "5", "name": "Anna"})
    assert town.author(author_key("webhook", "5")).display_name == "Anna"


def test_another_plugins_post_is_not_replaced_even_if_its_source_is_configured_no_more(new_town: NewTown) -> None:
    town = new_town()
    town.say("plain", id="9", text="acme is fine")
    town.hub.settings = town.hub.settings.model_copy(
        update={"sources": {name: one for name, one in town.hub.settings.sources.items() if name != "plain"}}
    )
    town.say("other", id="9", text="acme is fine, and its new name says so")
    assert list(town.posts().values()) == ["acme is fine, and its new name says so"]


def test_an_imported_file_is_of_the_source_it_is_imported_for(new_town: NewTown) -> None:
    town = new_town()
    file = town.folder / "dump.jsonl"
    file.write_text('{"id": "1", "text": "acme of a file"}\n')
    assert sum(import_document(town.hub, file, "shop")) == 1
    process(town.hub, slice_s=30)
    town.say("shop", id="1", text="acme of a file")
    assert set(town.posts()) == {signal_key("webhook", "1", "shop")}


def test_a_folder_read_for_a_sender_is_a_name_space_of_its_own(new_town: NewTown) -> None:
    town = new_town()
    (town.folder / "a.jsonl").write_text('{"id": "1", "text": "acme of a folder"}\n')
    assert sum(import_document(town.hub, town.folder / "a.jsonl", "folder")) == 1
    process(town.hub, slice_s=30)
    assert set(town.posts()) == {signal_key("webhook", "1", "folder")}


def test_a_source_that_was_there_before_keeps_its_keys(new_town: NewTown) -> None:
    town = new_town()
    with town.hub.store.database.write() as conn:
        conn.execute(realms.insert(), {"source": "shop", "realm": ""})
    town.say("shop", id="1", text="acme")
    town.say("forum", id="1", text="acme")
    assert set(town.posts()) == {signal_key("webhook", "1"), signal_key("webhook", "1", "forum")}


@pytest.mark.parametrize(("name", "realm"), [("shop", "shop"), ("plain", ""), ("masto", "")])
def test_the_realm_of_a_source_is_its_name_if_its_ids_are_its_senders_own(
    new_town: NewTown, name: str, realm: str
) -> None:
    assert realm_of(new_town().hub.source(name), name) == realm


def test_what_was_left_out_of_a_message_stands_on_its_raw_item(new_town: NewTown) -> None:
    town = new_town()
    town.say("shop", id="1", attachments=["https://cdn.example/cat.jpg", {"data": "aGVsbG8="}])
    (row,) = town.hub.store.signals.recent()
    assert [one.url for one in row["signal"].media] == ["https://cdn.example/cat.jpg"]
    assert town.hub.store.inbox.counts() == {"done": 1}
    with town.hub.store.database.read() as conn:
        assert conn.execute(text("SELECT note FROM inbox")).scalar() == (
            "1 of its attachments have no web address and were left out"
        )
