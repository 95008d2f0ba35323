"""The contract of a destination, played against its own sandbox over real HTTP.

class TestHubSpotContract(DestinationContract):
    destination = HubSpotDestination
    samples = (
        Sample("social_signal", "upsert", lambda n: {"text": f"post {n}"}, key_field="hub_signal_key"),
    )

    @classmethod
    def options(cls, url: str) -> dict[str, Any]:
        return {"token": "sandbox-token", "base_url": url}
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from hub.core.errors import ConnectorError, Rejected, Retryable, Unauthorised
from hub.testkit.contracts.means.optional import leave_out
from hub.testkit.contracts.means.witness import spilt
from hub.testkit.contracts.parts.doubts import Doubts
from hub.testkit.contracts.parts.erasing import Erases
from hub.testkit.contracts.parts.keeping import Keeps
from hub.testkit.contracts.parts.landing import Lands
from hub.testkit.contracts.parts.naming import Names
from hub.testkit.contracts.stage import Sample, Stage

NO_ACCOUNT: tuple[Mapping[str, Any], ...] = (
    {"status": 403, "body": {"error": "forbidden"}},
    {"status": 404, "body": {"error": "not found"}},
    {"status": 200, "body": "<!doctype html><title>Sign in</title>"},
    {"status": 200},
    {"status": 200, "body": {}},
)
"""Answers that name no account."""

__all__ = ["DestinationContract", "Sample", "Stage"]


class DestinationContract(Lands, Keeps, Doubts, Names, Erases):
    """Subclass it with `destination`, `samples` and `options`; override `prepare` if samples need parents.

    `words`: what a tombstone must take, a record's sentences unless overridden.
    `takes_plain_success`: True if any 2xx is all the proof there is; `results_in_order`: True if the vendor promises
    the results of a batch in the order of its items, and names no key in them; `reaches_anywhere`: True if "*" is meant;
    `token_in_address`: True if the vendor takes its token nowhere but in the URL; `own_keys`: True if records are
    found by a digest of the connector's own, in place of `record_key`.
    """

    def __init_subclass__(cls, **more: Any) -> None:
        """Leave out the tests of what the destination has no capability for."""
        super().__init_subclass__(**more)
        if getattr(cls, "destination", None) is not None:
            leave_out(cls, DestinationContract, cls.abilities())

    @classmethod
    def abilities(cls) -> frozenset[str]:
        """Return what the destination can, as the tests ask for it."""
        return cls.destination.capabilities

    def test_check_says_who_we_are(self) -> None:
        """In a few words; it writes nothing."""
        with self.play() as stage:
            said = stage.destination.check(stage.ctx)
            assert said, "check says nothing"
            assert not spilt(stage.secrets, said), "check tells a secret"
            assert not stage.sandbox.journal.entries, "check writes"

    def test_check_of_expired_credentials_is_unauthorised(self) -> None:
        """With few calls, and without the credentials in the message."""
        with self.play() as stage:
            stage.destination.check(stage.ctx)  # what was fine a minute ago is asked again
            before = len(stage.sandbox.journal.calls)
            stage.sandbox.faults.set([{"expired_token": True}])
            with pytest.raises(Unauthorised) as caught:
                stage.destination.check(stage.ctx)
            stage.assert_no_secrets(caught.value)
            assert len(stage.sandbox.journal.calls) - before <= self.calls_when_refused, "it asks again and again"

    @pytest.mark.parametrize("fault", NO_ACCOUNT, ids=str)
    def test_check_takes_nothing_else_for_an_account(self, fault: Mapping[str, Any]) -> None:
        """A refusal, a page of some proxy, an empty answer: none of them says who we are."""
        if self.takes_plain_success and fault.get("status") == 200:
            return
        with self.play() as stage:
            stage.sandbox.faults.set([fault])
            with pytest.raises(ConnectorError):
                told = stage.destination.check(stage.ctx)
                pytest.fail(
                    f"under {dict(fault)} check says {told!r}: read who we are in the answer, and raise without it"
                )

    @pytest.mark.parametrize("status", [500, 503])
    def test_check_tells_an_outage(self, status: int) -> None:
        """As what it is: not as wrong credentials, and not as all is well."""
        with self.play() as stage:
            stage.sandbox.faults.set([{"status": status, "body": "<h1>Bad Gateway</h1>"}])
            with pytest.raises((Retryable, Rejected)):
                stage.destination.check(stage.ctx)
