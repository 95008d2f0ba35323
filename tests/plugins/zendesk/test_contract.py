"""Zendesk's destination keeps the contract of all destinations."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from hub import Delivery, Destination, RemoteRef, Request
from hub.testkit.contracts import DestinationContract
from hub.testkit.contracts.returns import ReturnsContract, Said
from hub.testkit.contracts.stage import Sample, Stage
from hub.testkit.fakes import FakeClock
from plugins.zendesk.destination import ZendeskDestination
from tests.plugins.zendesk import told

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


class TestZendeskContract(ReturnsContract, DestinationContract):
    destination = ZendeskDestination
    told = told.BODIES
    note_write = {"method": "PUT"}  # noqa: RUF012 - the contract declares it
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
        return {"subdomain": "acme", "token": "sandbox-token", "base_url": url, "webhook_secret": told.SECRET}

    def make(self, options: Any, clock: FakeClock) -> Destination[Any]:
        return ZendeskDestination(options, pause=clock.sleep)

    def prepare(self, stage: Stage, sample: Sample) -> Mapping[str, RemoteRef]:
        return {"conversation": self.ticket(stage)} if sample.operation == "comment" else {}

    def sign(self, body: bytes, at: datetime, key: str | None = None) -> Request:
        return told.sign(body, at, secret=told.SECRET if key is None else key)

    def ticket(self, stage: Stage, number: int = 1) -> RemoteRef:
        key, fields = f"mastodon:root{number}", ticket(number)
        opened = Delivery(900 + number, "zendesk", "ticket", key, "create", 1, f"open{number}", fields)
        (outcome,) = stage.destination.deliver(stage.ctx, [opened])
        assert outcome.ref
        return outcome.ref

    def said(self, stage: Stage, ticket: RemoteRef) -> Sequence[Said]:
        comments = [one for _, one in stage.sandbox.store.all("comment") if str(one["ticket_id"]) == ticket.id]
        return [Said(one["body"], one["public"]) for one in comments]

    def words(self, sample: Sample, number: int) -> Sequence[str]:
        if sample.object == "social_author":
            return (f"Ann {number}", f"ann{number}")
        return (f"it broke {number}",) if sample.operation != "comment" else (f"still broken {number}",)

    def kept(self, stage: Stage) -> str:
        store = stage.sandbox.store
        hidden = [store.all(name) for name in ("_audit", "_deleted")]
        return super().kept(stage) + json.dumps(hidden, ensure_ascii=False)
