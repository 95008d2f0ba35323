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

import pytest

from hub.core.errors import Rejected, Retryable, Unauthorised
from hub.testkit.contracts.means.witness import spilt
from hub.testkit.contracts.parts.doubts import Doubts
from hub.testkit.contracts.parts.landing import Lands
from hub.testkit.contracts.stage import Sample, Stage

__all__ = ["DestinationContract", "Sample", "Stage"]


class DestinationContract(Lands, Doubts):
    """Subclass it with `destination`, `samples` and `options`; override `prepare` if samples need parents.

    `takes_plain_success`: True if any 2xx is all the proof there is; `results_in_order`: True if the vendor promises
    the results of a batch in the order of its items, and names no key in them; `reaches_anywhere`: True if "*" is meant.
    """

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
            stage.sandbox.faults.set([{"expired_token": True}])
            with pytest.raises(Unauthorised) as caught:
                stage.destination.check(stage.ctx)
            stage.assert_no_secrets(caught.value)
            assert len(stage.sandbox.journal.calls) <= self.calls_when_refused, "it asks again and again"

    @pytest.mark.parametrize("status", [500, 503])
    def test_check_tells_an_outage(self, status: int) -> None:
        """As what it is: not as wrong credentials, and not as all is well."""
        with self.play() as stage:
            stage.sandbox.faults.set([{"status": status, "body": "<h1>Bad Gateway</h1>"}])
            with pytest.raises((Retryable, Rejected)):
                stage.destination.check(stage.ctx)
