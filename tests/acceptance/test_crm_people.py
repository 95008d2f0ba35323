"""People work on what the hub wrote into a CRM: the whole way out, back, and out again, over real HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pytest
from sqlalchemy import select

from hub.config.settings import Settings
from hub.core.model import RawItem
from hub.flow.decide.batch import process
from hub.flow.deliver.send import deliver
from hub.flow.intake.changes import poll_changes
from hub.queue.inprocess import InProcessBell
from hub.registry import Plugin
from hub.runtime import Hub
from hub.store import open_store
from hub.store.schema import refs
from hub.testkit.sandbox import RunningSandbox, SandboxOptions, serve
from plugins.hubspot.destination import HubSpotDestination
from plugins.hubspot.sandbox import build as build_account
from plugins.salesforce.destination import SalesforceDestination
from plugins.salesforce.sandbox import build as build_org
from plugins.salesforce.sandbox.outbound import ORGANIZATION
from tests.acceptance.door import knock
from tests.hubs import Clock, FakeRegistry, LineSource

RULES = """
[[rule]]
name = "everybody"
deliver = [{ destination = "hubspot", mapping = "contact" }, { destination = "salesforce", mapping = "lead" }]
"""
PLUGINS = [
    Plugin("lines", "tests", "1", sources={"lines": LineSource}),
    Plugin("hubspot", "tests", "1", destinations={"hubspot": HubSpotDestination}),
    Plugin("salesforce", "tests", "1", destinations={"salesforce": SalesforceDestination}),
]


class World:
    """A hub between a source of lines and two CRMs, with one clock for all."""

    rules = RULES

    def __init__(self, folder: Path, account: RunningSandbox, org: RunningSandbox, clock: Clock) -> None:
        self.account: Any = account.sandbox
        self.org: Any = org.sandbox
        self.clock, self.count = clock, 0
        (folder / "rules.toml").write_text(self.rules)
        (folder / "topics.toml").write_text("")
        (folder / "secret").write_text("sandbox-token")
        settings = Settings.model_validate({**sections(account.url, org.url), "file": folder / "config.toml"})
        store = open_store(f"sqlite:///{folder / 'hub.db'}")
        store.database.migrate()
        store.cursors.declare(["destinations/salesforce"], now=clock())
        self.hub = Hub(settings, store, InProcessBell(), FakeRegistry(PLUGINS), clock, jitter=lambda: 0.0)

    def say(self, by: str, text: str = "hello", **more: Any) -> None:
        """Somebody posts, and it lands everywhere."""
        self.count += 1
        self.clock.pass_(minutes=1)
        said = {"id": str(self.count), "text": text, "by": by, "url": f"https://lines.example/{self.count}", **more}
        payload = msgspec.json.encode(said)
        self.hub.store.inbox.add([RawItem("lines", "lines", payload, self.clock(), str(self.count))])
        self.run()

    def run(self) -> None:
        """Process and deliver until nothing is due."""
        process(self.hub, slice_s=30)
        for name in ("hubspot", "salesforce"):
            while deliver(self.hub, name, slice_s=30):
                pass
        assert {state for states in self.hub.store.outbox.counts().values() for state in states} <= {"delivered"}

    def poll(self) -> None:
        """Ask Salesforce what people did, and act on it."""
        self.clock.pass_(minutes=3)
        assert poll_changes(self.hub, "destinations/salesforce", early=True) is not None
        process(self.hub, slice_s=30)

    def knock(self) -> int:
        """HubSpot calls with what it has to tell; the answer's status."""
        webhooks = self.account.webhooks
        body = json.dumps(webhooks.take()).encode()
        headers = webhooks.sign(f"{self.hub.settings.public_url}/in/hubspot", body)
        status, _ = knock(self.hub, "/in/hubspot", headers, body)
        process(self.hub, slice_s=30)
        return status

    def remotes(self) -> set[str]:
        """The ids of records that the hub refers to."""
        with self.hub.store.database.read() as conn:
            return set(conn.scalars(select(refs.c.remote_id)))

    def contact(self, handle: str) -> tuple[str, dict[str, Any]]:
        """A contact by the handle that the hub wrote."""
        return next(
            (id_, one["properties"])
            for id_, one in self.account.store.all("contacts")
            if one["properties"].get("hub_handle") == handle
        )

    def lead(self, handle: str) -> tuple[str, dict[str, Any]]:
        """A lead by the handle that the hub wrote."""
        return next((id_, one) for id_, one in self.org.store.all("Lead") if one["Social_Handle__c"] == handle)


def sections(account: str, org: str) -> dict[str, Any]:
    secret = {"file": "secret"}
    hubspot = {"token": secret, "base_url": account, "client_secret": secret, "app_id": "1"}
    salesforce = {"instance_url": org, "access_token": secret, "organization_id": ORGANIZATION}
    private = {"allow_private": ["127.0.0.1"]}
    return {
        "sources": {"lines": {"plugin": "lines"}},
        "destinations": {
            "hubspot": {"plugin": "hubspot", "options": hubspot, **private},
            "salesforce": {"plugin": "salesforce", "options": salesforce, **private},
        },
    }


W = TypeVar("W", bound=World)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with opened(World, tmp_path) as made:
        yield made


@contextmanager
def opened(kind: type[W], folder: Path) -> Iterator[W]:
    """A world with its two CRMs."""
    clock = Clock()
    with (
        serve(build_account(SandboxOptions(clock=clock))) as account,
        serve(build_org(SandboxOptions(clock=clock))) as org,
    ):
        made = kind(folder, account, org, clock)
        yield made
        made.hub.close()


def test_nothing_that_people_typed_is_overwritten_by_what_is_said_later(world: World) -> None:
    world.say("bo")
    id_, contact = world.contact("bo")
    world.account.edit_by_hand("contacts", id_, {"firstname": "Bo", "jobtitle": "Baker"})
    lead_id, _ = world.lead("bo")
    world.org.edit_by_hand("Lead", lead_id, {"LastName": "Example", "Company": "Bakery", "LeadSource": "Web"})
    world.say("bo", "hello again")
    _, now = world.contact("bo")
    _, lead = world.lead("bo")
    assert (now["firstname"], now["jobtitle"]) == ("Bo", "Baker")
    assert now["hub_link"] != contact["hub_link"]
    assert [lead[name] for name in ("LastName", "Company", "LeadSource")] == ["Example", "Bakery", "Web"]


def merge_contacts(world: World) -> tuple[str, Callable[[], int]]:
    (loser, _), (winner, _) = world.contact("bo"), world.contact("cy")
    world.account.merge_by_hand("contacts", winner, loser)
    return winner, lambda: world.account.store.count("contacts")


def merge_leads(world: World) -> tuple[str, Callable[[], int]]:
    (loser, _), (winner, _) = world.lead("bo"), world.lead("cy")
    world.org.merge_by_hand("Lead", winner, loser)
    return winner, lambda: world.org.store.count("Lead")


@pytest.mark.parametrize("is_told", [True, False])
def test_after_a_merge_both_authors_write_to_the_winner_told_or_not(world: World, is_told: bool) -> None:
    world.poll()
    world.say("bo")
    world.say("cy")
    contact, contacts = merge_contacts(world)
    lead, leads = merge_leads(world)
    if is_told:
        assert world.knock() == 200
        world.poll()
        assert world.remotes() >= {contact, lead}
        assert len(world.remotes()) == 4  # two authors share a contact and a lead, and have a record each
    world.say("bo", "hello again")
    assert (contacts(), leads()) == (1, 1)
    assert (world.contact("bo")[0], world.lead("bo")[0]) == (contact, lead)


def test_what_people_deleted_is_made_anew_and_whole_once_the_hub_was_told(world: World) -> None:
    world.poll()
    world.say("bo")
    world.account.delete_by_hand("contacts", world.contact("bo")[0])
    world.org.delete_by_hand("Lead", world.lead("bo")[0])
    assert world.knock() == 200
    world.poll()
    world.say("bo", "hello again")
    assert world.contact("bo")[1]["lastname"] == "bo"
    assert (world.lead("bo")[1]["LastName"], world.lead("bo")[1]["Company"]) == ("bo", "Not provided")


def test_a_call_with_a_wrong_signature_is_refused(world: World) -> None:
    headers = world.account.webhooks.sign("http://elsewhere/in/hubspot", b"[]")
    assert knock(world.hub, "/in/hubspot", headers, b"[]")[0] == 401


def test_the_hubs_own_writes_come_back_as_nothing(world: World) -> None:
    world.poll()
    world.say("bo")
    assert world.knock() == 200
    world.poll()
    rows = world.hub.store.inbox.counts()
    assert set(rows) <= {"done", "ignored", "split"}
    assert world.hub.store.outbox.counts() == {"hubspot": {"delivered": 1}, "salesforce": {"delivered": 2}}
