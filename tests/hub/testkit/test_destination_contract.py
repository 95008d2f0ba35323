"""The contract of destinations passes a well-made one and catches each kind of careless one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from hub import Delivery, RemoteRef
from hub.testkit.contracts import DestinationContract, Sample, Stage
from tests.hub.testkit import careless_keeping, careless_shelf, shelf
from tests.hub.testkit.trial import assert_caught

TICKET = {"method": "POST", "path": "/tickets$"}
CARELESS = [*careless_shelf.CARELESS, *careless_keeping.CARELESS]
ONE_REFUSED = {"after": 1, "times": 1, "status": 422, "body": {"error": "refused"}}


def said(number: int) -> dict[str, Any]:
    return {"text": f"it broke {number} times"}


class TestShelf(DestinationContract):
    """The whole suite over a good destination."""

    destination = shelf.ShelfDestination
    samples = (
        Sample("record", "upsert", lambda n: {"title": f"Title {n}", "stars": n, **said(n)}),
        Sample("ticket", "create", said, write=TICKET, partial=ONE_REFUSED, marks=frozenset({"ticket"})),
        Sample(
            "ticket",
            "comment",
            said,
            write={"path": "/comments$"},
            partial=ONE_REFUSED,
            marks=frozenset({"comment"}),
        ),
        Sample("event", "create", said, partial=ONE_REFUSED, marks=frozenset({"event"})),
    )

    @classmethod
    def options(cls, url: str) -> Mapping[str, Any]:
        return {"url": url}

    @classmethod
    def readme(cls) -> Path:
        return Path(shelf.__file__)

    def prepare(self, stage: Stage, sample: Sample) -> Mapping[str, RemoteRef]:
        return {"conversation": self.ticket(stage)} if sample.operation == "comment" else {}

    def ticket(self, stage: Stage) -> RemoteRef:
        opened = Delivery(900, "shelf", "ticket", "mastodon:root", "create", 1, "open", said(900))
        (outcome,) = stage.destination.deliver(stage.ctx, [opened])
        assert outcome.ref
        return outcome.ref


@pytest.mark.long
@pytest.mark.parametrize(("cls", "test"), CARELESS, ids=[f"{cls.__name__} {test}" for cls, test in CARELESS])
def test_a_careless_destination_is_caught(cls: type[shelf.ShelfDestination], test: str) -> None:
    assert_caught(type(cls.__name__, (TestShelf,), {"destination": cls}), test)
