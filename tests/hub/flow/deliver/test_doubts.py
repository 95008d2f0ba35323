"""Doubts that last over several attempts: what may have been done is never simply sent again. On both databases."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from hub.core.model import RawItem
from hub.flow.decide.batch import process
from hub.flow.deliver.send import deliver
from hub.runtime import Hub
from hub.store import Store
from tests.hub.flow.trial import opened, vendor_of
from tests.hub.flow.vendor import LAG, WINDOW, Vendor
from tests.hubs import Clock


@contextmanager
def doubted(store: Store, folder: Path, kind: str) -> Iterator[tuple[Hub, Vendor, Clock]]:
    """A hub whose vendor has written the author's record, and dropped the connection then."""
    with opened(store, folder, kind) as hub:
        vendor, clock = vendor_of(hub), hub.clock
        assert isinstance(clock, Clock)
        said = msgspec.json.encode({"id": "1", "text": "acme"})
        hub.store.inbox.add([RawItem("talk", "talk", said, clock(), "raw-1")])
        process(hub)
        yield hub, vendor, clock


def person(hub: Hub) -> str:
    """The state of the author's delivery."""
    (row,) = [row for row in hub.store.outbox.recent() if row["object"] == "person"]
    return str(row["state"])


def attempt(hub: Hub, vendor: Vendor, *script: str) -> None:
    """One round of deliveries that goes as told."""
    vendor.script.extend(script)
    deliver(hub, "desk")
    vendor.script.clear()


@pytest.mark.parametrize("errors", [("busy",), ("unavailable",), ("limited",), ("quota",), ("denied",), ("busy",) * 2])
def test_a_doubt_outlasts_the_errors_of_later_attempts(store: Store, tmp_path: Path, errors: Sequence[str]) -> None:
    with doubted(store, tmp_path, "native") as (hub, vendor, clock):
        attempt(hub, vendor, "dropped after", *errors)
        assert person(hub) == "uncertain"
        clock.pass_(seconds=WINDOW.total_seconds() + 3600)
        attempt(hub, vendor)
        assert (person(hub), vendor.made.total()) == ("delivered", 3)


def test_a_search_is_given_its_lag_after_each_time_that_something_was_sent(store: Store, tmp_path: Path) -> None:
    with doubted(store, tmp_path, "lookup") as (hub, vendor, clock):
        attempt(hub, vendor, "dropped before")
        clock.pass_(seconds=LAG.total_seconds())
        attempt(hub, vendor, "dropped after")
        for _ in range(8):
            clock.pass_(seconds=6)
            attempt(hub, vendor)
        assert (person(hub), vendor.made.total()) == ("delivered", 3)


@pytest.mark.parametrize(
    ("errors", "wait"), [(("quota",), 3601), (("busy",), 6), (("limited",), 60), (("denied",), 301), (("refused",), 60)]
)
def test_a_search_is_given_its_lag_after_a_sending_that_followed_an_error(
    store: Store, tmp_path: Path, errors: Sequence[str], wait: int
) -> None:
    with doubted(store, tmp_path, "lookup") as (hub, vendor, clock):
        attempt(hub, vendor, *errors)
        clock.pass_(seconds=wait)
        hub.store.outbox.retry([row["id"] for row in hub.store.outbox.recent(state="dead")], now=clock())
        attempt(hub, vendor, "dropped after", "dropped after")
        for _ in range(60):
            clock.pass_(seconds=6)
            attempt(hub, vendor)
        assert (person(hub), vendor.made.total()) == ("delivered", 3)
