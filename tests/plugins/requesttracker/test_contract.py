"""Request Tracker's destination keeps the contract of all destinations."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from hub import Delivery, RemoteRef
from hub.testkit.contracts import DestinationContract
from hub.testkit.contracts.returns import ReturnsContract, Said
from hub.testkit.contracts.stage import Sample, Stage
from plugins.requesttracker.destination import RequestTrackerDestination
from tests.plugins.requesttracker.conftest import TOKEN

REFUSED = {"after": 1, "times": 1, "status": 400, "body": {"message": "Permission Denied"}}


def ticket(number: int) -> dict[str, Any]:
    return {
        "Subject": f"Ticket {number}",
        "Content": f"it broke {number}",
        "Requestor": {"Name": f"mastodon:u{number}"},
    }


def comment(number: int) -> dict[str, Any]:
    return {"Content": f"still broken {number}", "Requestor": {"Name": "mastodon:u1", "RealName": "Ann"}}


def sample(operation: str, fields: Callable[[int], dict[str, Any]], *, path: str, mark: str) -> Sample:
    write = {"method": "POST", "path": path}
    return Sample("ticket", operation, fields, write=write, partial=REFUSED, marks=frozenset({mark}))


class TestRequestTrackerContract(ReturnsContract, DestinationContract):
    """Notes too. RT calls nobody and takes nothing back: those parts are left out by themselves."""

    note_write: ClassVar = {"method": "POST", "path": "/comment$"}
    destination = RequestTrackerDestination
    samples = (
        sample("create", ticket, path="/ticket$", mark="ticket"),
        sample("comment", comment, path="/correspond$", mark="comment"),
        sample("note", lambda number: {"text": f"Posted {number}"}, path="/comment$", mark="comment"),
    )

    @classmethod
    def options(cls, url: str) -> dict[str, Any]:
        return {"base_url": url, "token": TOKEN, "queue": "Social"}

    def prepare(self, stage: Stage, sample: Sample) -> Mapping[str, RemoteRef]:
        return {} if sample.operation == "create" else {"conversation": self.ticket(stage)}

    def ticket(self, stage: Stage, number: int = 1) -> RemoteRef:
        key, fields = f"mastodon:root{number}", ticket(number)
        opened = Delivery(900 + number, "desk", "ticket", key, "create", 1, f"opened{number}", fields)
        (outcome,) = stage.destination.deliver(stage.ctx, [opened])
        assert outcome.ref
        return outcome.ref

    def said(self, stage: Stage, ticket: RemoteRef) -> Sequence[Said]:
        store = stage.sandbox.store
        rows = [row for _, row in store.all("_attachment") if row["Ticket"] == ticket.id]
        types = [(store.get("_transaction", row["TransactionId"]) or {}).get("Type") for row in rows]
        return [Said(row["Content"], type_ != "Comment") for row, type_ in zip(rows, types, strict=True)]
