"""A HubSpot account to write to: the sandbox, held to the contract where the shared material is at hand."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hub import Context, Delivery
from hub.sdk.http.guard import open_guard
from hub.testkit.fakes import FakeClock, context
from hub.testkit.sandbox import RunningSandbox, SandboxOptions, serve
from plugins.hubspot.config import HubSpotOptions
from plugins.hubspot.destination import HubSpotDestination
from plugins.hubspot.sandbox import build
from tests.material import ROOT


class Account:
    """A running sandbox with a destination and a context that reach it."""

    def __init__(self, running: RunningSandbox, clock: FakeClock) -> None:
        self.running, self.sandbox, self.clock = running, running.sandbox, clock
        self.guard = open_guard(allow_private=True)
        self.ctx: Context = context(self.guard, clock=clock)
        self.destination = self.open()

    def open(self, **options: Any) -> HubSpotDestination:
        """A destination with other options than the usual ones."""
        given = {"token": self.sandbox.options.token, "base_url": self.running.url, **options}
        return HubSpotDestination(HubSpotOptions.model_validate(given))

    def properties(self, object_: str, id_: str) -> dict[str, Any]:
        """What a record holds in the sandbox."""
        record = self.sandbox.store.get(object_, id_)
        assert record is not None
        return dict(record["properties"])

    def calls(self, object_: str, kind: str = "write") -> int:
        """How many HTTP calls an object had."""
        return int(self.sandbox.journal.counts()["calls_by_object"].get(object_, {}).get(kind, 0))

    def links(self) -> list[tuple[str, str]]:
        """All associations as (from id, to id)."""
        return [(link["from"][1], link["to"][1]) for _, link in self.sandbox.store.all("_associations")]


def contracts() -> Path | None:
    """The folder of contracts, None where there is none."""
    folder = Path(os.environ.get("HUBBUB_SHARED", ROOT.parent / "shared")) / "contracts"
    return folder if folder.exists() else None


@pytest.fixture
def open_account() -> Iterator[Callable[..., Account]]:
    """Opens accounts whose sandboxes have `extra` settings; afterwards no violation of the contract may stand."""
    accounts: list[Account] = []

    def open_one(**extra: Any) -> Account:
        clock = FakeClock()
        running = serve(build(SandboxOptions(contracts=contracts(), clock=clock, extra=extra)))
        accounts.append(Account(running, clock))
        return accounts[-1]

    yield open_one
    for account in accounts:
        account.guard.close()
        account.running.stop()
    assert [item for account in accounts for item in account.sandbox.violations] == []


@pytest.fixture
def account(open_account: Callable[..., Account]) -> Account:
    """An account with the usual settings."""
    return open_account()


def signals(number: int, **changes: Any) -> list[Delivery]:
    """Deliveries of social signals with the keys key-0, key-1, ..."""
    return [signal(index, **changes) for index in range(number)]


def signal(index: int, **changes: Any) -> Delivery:
    """One delivery of a social signal."""
    given: dict[str, Any] = {
        "id": index + 1,
        "destination": "crm",
        "object": "social_signal",
        "record_key": f"key-{index}",
        "operation": "upsert",
        "seq": 1,
        "key": f"idem-{index}",
        "fields": {"name": f"Signal {index}", "excerpt": f"text {index}", "sentiment": "negative"},
        "key_field": "hub_signal_key",
    }
    return Delivery(**{**given, **changes})
