"""HubSpot's destination under the contract of all destinations."""

from __future__ import annotations

import hmac
import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import pytest

from hub import Request
from hub.core.model import RemoteRef
from hub.testkit.contracts import ReturnsContract, Sample, Stage
from hub.testkit.contracts.returns import Told
from hub.testkit.fakes import FakeClock
from hub.testkit.sandbox import SandboxOptions
from plugins.hubspot.destination import HubSpotDestination
from tests.plugins.hubspot.conftest import contracts, signal

HERE, SECRET = "https://hub.example/in/crm", "the-secret-of-our-app"
EVENT = {
    "eventId": 100,
    "subscriptionId": 7,
    "occurredAt": 1795341600000,
    "objectId": 12345678901,
    "changeSource": "CRM_UI",
    "sourceId": "userId:7",
}


def told(name: str, changes: tuple[tuple[str, Any], ...], **event: Any) -> Told:
    return Told(name, json.dumps([{**EVENT, **event}]).encode(), changes)


WRITE = {"method": "POST", "path": "/batch/upsert$"}


class TestHubSpotContract(ReturnsContract):
    """Signals with an author, authors and contacts."""

    destination = HubSpotDestination
    secrets = frozenset({"client_secret"})
    told = (
        told(
            "a status",
            (("status", "customer"),),
            subscriptionType="contact.propertyChange",
            propertyName="lifecyclestage",
            propertyValue="customer",
        ),
        told("a deletion", (("deleted", None),), subscriptionType="contact.deletion", eventId=101),
        told(
            "a merge",
            (("merged", "5"), ("merged", "5")),
            subscriptionType="contact.merge",
            eventId=102,
            primaryObjectId=5,
            mergedObjectIds=[6, 7],
            objectId=5,
        ),
    )
    samples = (
        Sample(
            "social_author", "upsert", lambda n: {"name": f"Author {n}", "followers": n}, "hub_author_key", write=WRITE
        ),
        Sample("social_signal", "upsert", lambda n: {"excerpt": f"text {n}"}, "hub_signal_key", write=WRITE),
        Sample("contacts", "upsert", lambda n: {"firstname": f"Contact {n}"}, "hub_contact_key", write=WRITE),
    )

    @classmethod
    def options(cls, url: str) -> Mapping[str, Any]:
        """A connection to the sandbox."""
        return {"token": "sandbox-token", "base_url": url, "client_secret": SECRET, "app_id": "42"}

    def sign(self, body: bytes, at: datetime, key: str | None = None) -> Request:
        """As version 3 of the signature says."""
        stamp = str(int(at.timestamp() * 1000))
        said = b"POST" + HERE.encode() + body + stamp.encode()
        mac = hmac.new((SECRET if key is None else key).encode(), said, "sha256").digest()
        headers = {"x-hubspot-request-timestamp": stamp, "x-hubspot-signature-v3": b64encode(mac).decode()}
        return Request("POST", HERE, headers, body, at)

    @classmethod
    def sandbox_options(cls, clock: FakeClock) -> SandboxOptions:
        """Requests and answers are held to HubSpot's own document where it is at hand."""
        return SandboxOptions(contracts=contracts(), clock=clock)

    def prepare(self, stage: Stage, sample: Sample) -> Mapping[str, RemoteRef]:
        """Signals hang on an author."""
        if sample.object != "social_signal":
            return {}
        author = signal(
            900, object="social_author", record_key="author", key_field="hub_author_key", fields={"name": "Anna"}
        )
        (made,) = stage.destination.deliver(stage.ctx, [author])
        assert made.ref is not None
        return {"author": made.ref}

    def words(self, sample: Sample, number: int) -> Sequence[str]:
        """Contacts belong to the people who work with them: a tombstone of one is refused."""
        return () if sample.object == "contacts" else super().words(sample, number)

    def kept(self, stage: Stage) -> str:
        """The recycling bin can be read for 90 days."""
        return super().kept(stage) + json.dumps(stage.sandbox.store.all("_archived"), ensure_ascii=False)


@pytest.mark.parametrize(
    ("object_", "operation", "count", "calls"),
    [
        ("social_signal", "upsert", 1000, 11),
        ("social_author", "upsert", 1000, 10),
        ("social_signal", "tombstone", 101, 2),
    ],
)
def test_calls_are_counted_before_they_are_made(object_: str, operation: str, count: int, calls: int) -> None:
    made = HubSpotDestination(HubSpotDestination.Options.model_validate({"token": "x"}))
    assert made.calls_of(object_, operation, count) == calls
