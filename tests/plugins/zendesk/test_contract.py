"""Zendesk's destination keeps the contract of all destinations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hub import Delivery, Destination, RemoteRef
from hub.sdk.testing.contracts import DestinationContract
from hub.sdk.testing.fakes import FakeClock
from hub.sdk.testing.stage import Sample, Stage
from plugins.zendesk.destination import ZendeskDestination

REFUSED = {"error": "RecordInvalid", "details": {"comment": [{"description": "Comment: is refused"}]}}
ONE_REFUSED = {"after": 1, "times": 1, "status": 422, "body": REFUSED}


def author(number: int) -> dict[str, Any]:
    return {"name": f"Ann {number}", "handle": f"ann{number}", "followers": number}


def signal(number: int) -> dict[str, Any]:
    return {"name": f"Ann on Mastodon: {number}", "text": f"it broke {number} times"}


def ticket(number: int) -> dict[str, Any]:
    requester = {"external_id": f"mastodon:u{number}", "name": f"Ann {number}"}
    return {
        "subject": f"Ticket {number}",
        "comment": {"body": f"it broke {number}"},
        "tags": "a b",
        "requester": requester,
    }


def comment(number: int) -> dict[str, Any]:
    return {"comment": {"body": f"still broken {number}"}, "requester": {"external_id": "mastodon:u1", "name": "Ann"}}


class TestZendeskContract(DestinationContract):
    destination = ZendeskDestination
    samples = (
        Sample("social_author", "upsert", author, write={"path": "/jobs$"}),
        Sample("social_signal", "upsert", signal, write={"path": "/jobs$"}),
        Sample(
            "ticket",
            "create",
            ticket,
            write={"method": "POST", "path": "/tickets$"},
            partial=ONE_REFUSED,
            marks=frozenset({"ticket"}),
        ),
        Sample(
            "ticket", "comment", comment, write={"method": "PUT"}, partial=ONE_REFUSED, marks=frozenset({"comment"})
        ),
    )

    @classmethod
    def options(cls, url: str) -> dict[str, Any]:
        return {"subdomain": "acme", "token": "sandbox-token", "base_url": url}

    def make(self, options: Any, clock: FakeClock) -> Destination[Any]:
        return ZendeskDestination(options, pause=clock.sleep)

    def prepare(self, stage: Stage, sample: Sample) -> Mapping[str, RemoteRef]:
        if sample.operation != "comment":
            return {}
        opened = Delivery(900, "zendesk", "ticket", "mastodon:root", "create", 1, "open", ticket(1))
        (outcome,) = stage.destination.deliver(stage.ctx, [opened])
        assert outcome.ref
        return {"conversation": outcome.ref}
