"""What a destination owes to each answer of the vendor's: the name by which the engine acts, and no call too many."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import pytest

from hub.core.errors import QuotaExhausted, RateLimited, Rejected, Retryable, Unauthorised, Uncertain
from hub.testkit.contracts.means.witness import spilt, strange_hosts
from hub.testkit.contracts.parts.delivering import DeliverySuite, meets, own, stands
from hub.testkit.contracts.stage import Sample, Stage

_REFUSING = (402, 404, 409, 410, 412, 413)
_FAILING = (408, 502, 504, 520)
_WAIT = 120
_MOST = 10  # records of a batch that meets a limit
_CALLS = 3  # a renewed credential, and another form of the call
_ELSEWHERE = "https://elsewhere.example/collect"
_REASON = "the text is banned"
_FOR_ALL: Mapping[str, tuple[Mapping[str, Any], tuple[type[Exception], ...]]] = {
    "429": ({"status": 429, "headers": {"Retry-After": "7"}}, (RateLimited, QuotaExhausted)),
    "refused credentials": ({"expired_token": True}, (Unauthorised,)),
}


class Names(DeliverySuite):
    """Answers, one by one."""

    @pytest.mark.parametrize("status", _REFUSING)
    def test_a_refusing_status_is_told_as_a_refusal(self, sample: Sample, status: int) -> None:
        """Nothing was written: never delivered, no doubt, and no reason to pause the connection."""
        with self.play(sample) as stage:
            error = self._met(stage, sample, status)
            assert error is not None, f"a {status} is told to be delivered, and nothing was written"
            fine = isinstance(error, Rejected | Retryable | QuotaExhausted)
            assert fine, f"a {status} is {error!r}: Rejected, or Retryable where the vendor asks to try again"

    @pytest.mark.parametrize("status", _FAILING)
    def test_a_failing_status_is_told_as_an_outage(self, sample: Sample, status: int) -> None:
        """Of the server or of a proxy before it: a dead letter would give up what lands in a minute."""
        with self.play(sample) as stage:
            error = self._met(stage, sample, status)
            assert isinstance(error, Retryable | Uncertain), f"a {status} is {error!r}: Unavailable, or Uncertain"

    def _met(self, stage: Stage, sample: Sample, status: int) -> Exception | None:
        """Return the error of a write that meets this status."""
        fault = {"match": sample.write, "status": status, "body": {"message": f"status {status}"}}
        stage.sandbox.faults.set([fault])
        (item,) = stage.deliveries(sample, 1)
        error = stage.send([item])[item.id].error
        assert stage.made(sample) == 0
        return error

    def test_the_pause_of_an_outage_is_kept(self, sample: Sample) -> None:
        """A 503 may say how long (RFC 9110, 10.2.3): asked before, it stays down longer."""
        with self.play(sample) as stage:
            stage.line.set_faults({"status": 503, "headers": {"Retry-After": str(_WAIT)}, "body": {"error": "down"}})
            for one in stage.send(stage.deliveries(sample, 1)).values():
                told = one.error.retry_after if isinstance(one.error, Retryable) else None
                assert isinstance(one.error, Uncertain) or told == pytest.approx(_WAIT, abs=5), (
                    f"a 503 asks for {_WAIT} s, the error says {told}: give it as retry_after"
                )

    @pytest.mark.parametrize("name", _FOR_ALL)
    def test_an_error_about_the_account_ends_the_batch(self, sample: Sample, name: str) -> None:
        """The others would meet the same: each further call prolongs a limit, and may lock an account."""
        fault, kinds = _FOR_ALL[name]
        with self.play(sample) as stage:
            size = stage.destination.batch_size_of(sample.object, sample.operation)
            batch = stage.deliveries(sample, min(size, _MOST))
            stage.sandbox.faults.set([{"match": sample.write, **fault}])
            sent = len(stage.line.requests)
            for one in stage.send(batch).values():
                assert isinstance(one.error, kinds), f"after {name} the others end in {one.error!r}"
            made = [one for one in stage.line.requests[sent:] if meets(sample, one.method, one.url)]
            assert len(made) <= _CALLS, (
                f"after {name} it made {len(made)} calls for {len(batch)} records: give all the error"
            )

    def test_a_refused_item_is_the_one_that_is_told(self, sample: Sample) -> None:
        """With its reason: what is told of another one is lost, and what was refused counts as delivered."""
        with self.play(sample) as stage:
            stage.sandbox.faults.set([{"match": sample.write, **sample.partial}])
            outcomes = stage.send(stage.deliveries(sample, 3))
            kept = stage.kept()
            for number, one in outcomes.items():
                lost = [leaf for leaf in own(sample, number) if not stands(leaf, kept)]
                if one.error is None:
                    assert not lost, (
                        f"record {number} is told to be delivered, and {lost} are not there: match results by key, not by place"
                    )
                else:
                    assert lost or not own(sample, number), (
                        f"record {number} is told to have failed ({one.error!r}), and it is there"
                    )
                    bare = str(type(one.error)())
                    assert str(one.error) != bare, (
                        f"record {number} failed and no reason is told: give the vendor's words"
                    )

    def test_the_vendors_reason_is_told(self, sample: Sample) -> None:
        """In the message or its details: a person must be able to mend the record."""
        with self.play(sample) as stage:
            fault = {"match": sample.write, "status": 422, "body": {"message": _REASON}}
            stage.sandbox.faults.set([fault])
            (item,) = stage.deliveries(sample, 1)
            error = stage.send([item])[item.id].error
            assert error is not None
            told = f"{error} {error.details}"
            assert _REASON in told, f"the vendor says {_REASON!r}, the error {told!r}"

    # --------------------------------------------------------------------------------------------------------- addresses

    def test_a_redirect_takes_no_credentials_elsewhere(self, sample: Sample) -> None:
        """A write that is sent on by another host's address is not sent on, and its token stays here."""
        if self.reaches_anywhere:
            return
        with self.play(sample) as stage:
            fault = {
                "match": sample.write,
                "status": 307,
                "headers": {"Location": _ELSEWHERE},
                "body": "<h1>Moved</h1>",
            }
            stage.sandbox.faults.set([fault])
            for one in stage.send(stage.deliveries(sample, 2)).values():
                assert one.error is not None, "a redirect is told to be delivered, and nothing is there"
            hosts = strange_hosts(stage.line.requests, stage.destination.egress())
            assert not hosts, f"it followed a redirect to {hosts} by itself"

    def test_no_secret_stands_in_an_address(self, sample: Sample) -> None:
        """Addresses are logged by every proxy on the way. `token_in_address` says that the vendor knows no other way."""
        if self.token_in_address:
            return
        with self.play(sample) as stage:
            stage.send(stage.deliveries(sample, 1))
            stage.destination.check(stage.ctx)
            told = [urlsplit(one.url).path for one in stage.line.requests if spilt(stage.secrets, one.url)]
            assert not told, f"a secret stands in the address of {told[0]}: send it in a header"
