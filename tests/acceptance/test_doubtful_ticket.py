"""A helpdesk takes a ticket and loses the answer; the post is erased before anybody knows: nothing of it may stay there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from sqlalchemy import update

from hub.core.access import HUB
from hub.core.keys import signal_key
from hub.core.model import RawItem, Tombstone
from hub.flow.decide.batch import process
from hub.flow.deliver.send import deliver, deliver_batch
from hub.flow.erase.erase import erase, finish
from hub.flow.erase.forgotten import NEVER_THERE, NO_READER
from hub.flow.views.erasures import receipts
from hub.queue.inprocess import InProcessBell
from hub.runtime import Hub, open_hub, system_clock
from hub.store.schema import deliveries
from hub.testkit.sandbox import SandboxOptions, serve
from plugins.zendesk.sandbox import build
from tests.watched import WatchedRegistry

CONFIG = """
[sources.ears]
plugin = "webhook"
options = {{ scheme = "none" }}
[destinations.desk]
plugin = "zendesk"
allow_private = true
[destinations.desk.options]
subdomain = "sandbox"
base_url = "{desk}"
token = {{ env = "DESK_TOKEN" }}
delete_tickets_to_erase = true
"""
RULES = '[[rule]]\nname = "all"\ndeliver = [{ destination = "desk", mapping = "ticket" }]\n'
TEXT = "the heirloom kettle burst on Sunday"
POST = json.dumps({"id": "1", "text": TEXT, "author": {"id": "ann", "name": "Ann"}}).encode()
KEY = signal_key("webhook", "1", "ears")


class Shop(NamedTuple):
    hub: Hub
    desk: Any

    def forget(self) -> None:
        """The post is erased, and the desk is told as far as it can be by now, and a minute later."""
        erase(self.hub, [Tombstone(KEY, "erasure", self.hub.now())])
        deliver(self.hub, "desk")
        self.hub.clock = lambda: system_clock() + timedelta(minutes=1)
        deliver(self.hub, "desk")

    def state(self, operation: str) -> str:
        (row,) = self.hub.store.outbox.recent(operation=operation)
        return str(row["state"])

    def held(self) -> str:
        """All that the desk holds, as text; what it remembers of our keys for two hours nobody can read."""
        names = set(self.desk.store.names()) - {"_keys"}
        return json.dumps({name: self.desk.store.all(name) for name in names})


@contextmanager
def shop(folder: Path, monkeypatch: pytest.MonkeyPatch, **fault: bool) -> Iterator[Shop]:
    """A shop with a ticket of which nobody knows whether it is there."""
    monkeypatch.setenv("DESK_TOKEN", "sandbox")
    with serve(build(SandboxOptions(token="sandbox"))) as desk:
        (folder / "config.toml").write_text(CONFIG.format(desk=desk.url))
        (folder / "rules.toml").write_text(RULES)
        (folder / "topics.toml").touch()
        hub = open_hub(folder / "config.toml", bell=InProcessBell(), migrate=True)
        hub.registry = WatchedRegistry()
        hub.store.inbox.add([RawItem("ears", "webhook", POST, hub.now(), "1", realm="ears")], form="body")
        process(hub)
        faults = [{"match": {"method": "POST", "path": "/tickets"}, "times": 1, **fault}]
        httpx.post(f"{desk.url}/_sandbox/faults", json=faults, trust_env=False).raise_for_status()
        deliver_batch(hub, "desk")
        here = Shop(hub, desk.sandbox)
        assert here.state("create") == "uncertain"
        try:
            yield here
        finally:
            hub.close()


def test_a_ticket_whose_answer_was_lost_is_found_and_emptied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with shop(tmp_path, monkeypatch, reset_after=True) as here:
        assert TEXT in here.held()
        here.forget()
        assert TEXT not in here.held()
        assert (here.state("create"), here.state("tombstone")) == ("delivered", "delivered")
        assert [one["state"] for one in receipts(here.hub, HUB, KEY)] == ["delivered"]
        assert finish(here.hub) == 1


def test_so_is_one_that_a_person_has_let_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with shop(tmp_path, monkeypatch, reset_after=True) as here:
        with here.hub.store.database.write() as conn:
            conn.execute(update(deliveries).where(deliveries.c.state == "uncertain").values(state="review"))
        assert here.hub.store.outbox.retry(None, now=here.hub.now()) == 1
        here.forget()
        assert TEXT not in here.held()
        assert here.state("tombstone") == "delivered"
        assert (
            here.desk.store.all("ticket") == []
        )  # its subject began with the words, and a ticket's history keeps them


def test_the_note_about_a_ticket_that_went_with_its_post_is_no_dead_letter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with shop(tmp_path, monkeypatch, reset_after=True) as here:
        here.forget()
        (note,) = here.hub.store.outbox.recent(operation="note")
        assert (note["state"], note["error"]) == ("discarded", {"message": NO_READER})


def test_one_that_never_came_there_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with shop(tmp_path, monkeypatch, reset_before=True) as here:
        here.forget()
        assert (here.state("create"), here.desk.store.all("ticket")) == ("discarded", [])
        assert TEXT not in here.held()
        (receipt,) = receipts(here.hub, HUB, KEY)
        assert (receipt["state"], receipt["error"]) == ("discarded", {"message": NEVER_THERE})
