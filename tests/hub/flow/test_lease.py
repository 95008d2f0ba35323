"""Keeping a lease while its holder works."""

from __future__ import annotations

import threading
from datetime import datetime

import pytest

from hub.flow import lease
from hub.store import StoreUnavailable
from tests.hubs import NOON
from tests.servers import wait_for


class Noun:
    """Remembers renewals; the first ones may fail."""

    def __init__(self, *failures: Exception) -> None:
        self.renewed: list[tuple[str, datetime]] = []
        self.failures = list(failures)

    def renew(self, token: str, *, now: datetime) -> None:
        if self.failures:
            raise self.failures.pop()
        self.renewed.append((token, now))


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "RENEW_S", 0.01)


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "lease"]


def test_short_work_renews_nothing_and_leaves_no_thread() -> None:
    noun = Noun()
    with lease.kept(noun, "t", lambda: NOON):
        assert threads() == ["lease"]
    assert (noun.renewed, threads()) == ([], [])


def test_long_work_renews_its_lease_with_the_time_of_then(quick: None) -> None:
    noun = Noun()
    with lease.kept(noun, "t", lambda: NOON):
        wait_for(lambda: len(noun.renewed) >= 2)
    assert set(noun.renewed) == {("t", NOON)}


def test_a_renewal_that_fails_is_tried_again(quick: None) -> None:
    noun = Noun(StoreUnavailable("locked"), StoreUnavailable("locked"))
    with lease.kept(noun, "t", lambda: NOON):
        wait_for(lambda: noun.renewed)


def test_work_that_fails_ends_the_renewals(quick: None) -> None:
    noun = Noun()
    with pytest.raises(ZeroDivisionError), lease.kept(noun, "t", lambda: NOON):
        raise ZeroDivisionError
    assert threads() == []


def test_renewals_come_well_before_a_lease_ends() -> None:
    from hub.store.connections import LEASE as CURSOR
    from hub.store.inbox import LEASE as INBOX
    from hub.store.ledger.deliveries import LEASE as DELIVERY

    assert min(CURSOR, DELIVERY, INBOX).total_seconds() >= 2.5 * lease.RENEW_S
