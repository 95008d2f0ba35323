"""What a destination owes on bad days: a name for every failure, proof before "delivered", and no doubt that doubles."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import msgspec
import pytest

from hub.core.errors import (
    ConnectorError,
    QuotaExhausted,
    RateLimited,
    Rejected,
    Retryable,
    Unauthorised,
    Uncertain,
)
from hub.sdk.connectors import Destination, Lookup, Native, Outcome
from hub.testkit.contracts.means.reader import seconds_between
from hub.testkit.contracts.parts.delivering import DeliverySuite
from hub.testkit.contracts.stage import HastyHttp, Sample, Stage

Fault = Mapping[str, Any]
_STALL = 0.4
_WAIT = 120
_PATIENCE = 60  # seconds that a delivery may wait inside

ODD: Mapping[str, Fault] = {
    "200 without a body": {"status": 200},
    "200 with a page for people": {"status": 200, "body": "<!doctype html><title>Sign in</title>"},
    "200 with a list": {"status": 200, "body": []},
    "200 with an object": {"status": 200, "body": {}},
    "200 with null": {"status": 200, "body": "null", "headers": {"content-type": "application/json"}},
    "200 with a number": {"status": 200, "body": 7},
    "200 with other lists": {"status": 200, "body": {"results": [], "errors": [], "id": None}},
    "204": {"status": 204},
    "302 to a page for people": {"status": 302, "headers": {"Location": "/login"}, "body": "<h1>Moved</h1>"},
}
"""Answers of the 200s and 300s that prove nothing."""

GARBLES = ("empty", "html", "cut", "list", "object", "null", "short", "reversed", "blank", "holes")
MIDDLES: Mapping[str, tuple[Fault, tuple[type[ConnectorError], ...]]] = {
    "429": ({"status": 429, "headers": {"Retry-After": "7"}}, (RateLimited, QuotaExhausted)),
    "503": ({"status": 503}, (Retryable, Uncertain)),
    "refused credentials": ({"expired_token": True}, (Unauthorised,)),
    "a reset before": ({"reset_before": True}, (Retryable, Uncertain)),
    "a reset after": ({"reset_after": True}, (Retryable, Uncertain)),
    "200 without a body": ({"status": 200}, (Retryable, Uncertain)),
    "400": ({"status": 400, "body": {"error": "bad"}}, (Rejected, Retryable, Uncertain)),
}

BLIND: tuple[Fault, ...] = (
    {"status": 500},
    {"status": 503, "body": "<p>"},
    {"status": 200, "body": "<p>"},
    {"status": 200},
    {"status": 403},
    {"status": 429},
    {"expired_token": True},
    {"reset_before": True},
    {"garble": "cut"},
    {"garble": "null"},
)
"""What keeps a look-up from looking."""


class Doubts(DeliverySuite):
    """Bad days."""

    def test_a_partial_failure_hits_only_its_item(self, sample: Sample) -> None:
        """The others land, and are not told that they failed."""
        with self.play(sample) as stage:
            stage.sandbox.faults.set([{"match": sample.write, **sample.partial}])
            outcomes = stage.send(stage.deliveries(sample, 3))
            failed = [one.error for one in outcomes.values() if one.error]
            assert len(failed) == 1, f"one of three is bad, and {len(failed)} are told to have failed: {failed}"
            assert isinstance(failed[0], self.partial_errors), f"{failed[0]!r} is none of {self.partial_errors}"
            assert stage.made(sample) == 2
            assert all(one.ref for one in outcomes.values() if not one.error) or sample.operation in ("comment", "note")

    @pytest.mark.parametrize("name", MIDDLES)
    def test_what_landed_before_a_failure_keeps_its_outcome(self, sample: Sample, name: str) -> None:
        """The first call lands, then it happens: its records are delivered, with their references; the others are not."""
        fault, kinds = MIDDLES[name]
        with self.play(sample) as stage:
            stage.sandbox.faults.set([{"match": sample.write, "after": 1, **fault}])
            batch = stage.deliveries(sample, 3)
            outcomes = stage.send(batch)
            landed = [one for one in outcomes.values() if one.error is None]
            failed = [one.error for one in outcomes.values() if one.error]
            assert all(isinstance(error, kinds) for error in failed), f"after {name} the others end in {failed}"
            doubtful = sum(isinstance(error, Uncertain | Retryable) for error in failed)
            made = stage.made(sample)
            assert len(landed) <= made, f"{len(landed)} are told to be delivered, the vendor has {made}"
            assert made <= len(landed) + (doubtful if "reset after" in name else 0), (
                f"the vendor has {made} records, and only {len(landed)} are told to be delivered: those that landed before "
                f"{name} are sent again, or given up. Keep the outcomes that you have"
            )
            stage.sandbox.faults.set([])
            self._assert_settled(stage, sample, outcomes)

    def _assert_settled(self, stage: Stage, sample: Sample, outcomes: Mapping[int, Outcome]) -> None:
        """Check that the engine's way out of what failed ends with one record each."""
        for item in stage.deliveries(sample, 3):
            if error := outcomes[item.id].error:
                again = stage.resolve(item, error)
                assert again.error is None, f"on a good day after {error!r} it ends in {again.error!r}"
        assert stage.made(sample) == 3, f"after all is settled the vendor has {stage.made(sample)} records of 3"

    # ----------------------------------------------------------------------------------------------------- no proof

    @pytest.mark.parametrize("name", ODD)
    def test_an_odd_answer_is_no_proof(self, sample: Sample, name: str) -> None:
        """A proxy answered, nothing was written: never delivered. In doubt, or to be tried again where that harms nothing."""
        is_elsewhere = name.startswith("302")  # a redirect of a write is not followed: nothing was done
        if self.takes_plain_success and not is_elsewhere:
            return
        with self.play(sample) as stage:
            stage.sandbox.faults.set([{"match": sample.write, **ODD[name]}])
            outcomes = [stage.send([item])[item.id] for item in stage.deliveries(sample, 2)]
            assert stage.made(sample) == 0
            for one in outcomes:
                assert one.error is not None, f"{name}: told to be delivered, and nothing is there. It is Uncertain"
                if not is_elsewhere:
                    self._assert_open(sample, one.error, name)

    def _assert_open(self, sample: Sample, error: ConnectorError, name: str) -> None:
        """Check that it may have been done: neither a dead letter, nor a paused connection."""
        fine = isinstance(error, Uncertain) or (isinstance(error, Retryable) and self.may_repeat(sample))
        assert fine, f"after {name} it is {error!r}: it may have been written, so Uncertain"

    @pytest.mark.parametrize("how", GARBLES)
    def test_an_answer_that_cannot_be_read_leaves_a_doubt_and_no_second_record(self, sample: Sample, how: str) -> None:
        """It was written, and the answer is spoilt: short, empty, cut, in another order."""
        if how == "reversed" and self.results_in_order:
            return
        with self.play(sample) as stage:
            stage.sandbox.faults.set([{"match": sample.write, "garble": how}])
            batch = stage.deliveries(sample, 3)
            outcomes = stage.send(batch)
            failed = [one.error for one in outcomes.values() if one.error]
            unsent = [error for error in failed if isinstance(error, Retryable)][: 3 - stage.made(sample)]
            for error in failed:
                if not any(error is one for one in unsent):
                    self._assert_open(sample, error, f"a garbled answer ({how})")
            stage.sandbox.faults.set([])
            stage.restart()
            settled = {item.id: stage.resolve(item, outcomes[item.id].error) for item in batch}
            errors = [one.error for one in settled.values() if one.error]
            assert not errors, f"later it ends in {errors[0]!r}"
            assert not _mixed(outcomes, settled), (
                f"an answer ({how}) gave one record's reference to another: match by key"
            )
            assert stage.made(sample) == 3, f"after all is settled the vendor has {stage.made(sample)} records of 3"

    @pytest.mark.parametrize("how", GARBLES)
    def test_no_garbled_answer_lets_a_bug_out(self, sample: Sample, how: str) -> None:
        """Whatever call it answers: a description, a job, a search."""
        with self.play(sample) as stage:
            stage.sandbox.faults.set([{"garble": how}])
            stage.send(stage.deliveries(sample, 2))
            for call in (stage.destination.check, stage.destination.describe):
                try:
                    call(stage.ctx)
                except ConnectorError as error:
                    stage.assert_no_secrets(error)
                except Exception as error:
                    raise AssertionError(f"{call.__name__} lets a bug out ({type(error).__name__}: {error})") from error

    # --------------------------------------------------------------------------------------------------------- refused

    def test_too_many_requests_are_told_as_such(self, sample: Sample) -> None:
        """RateLimited or QuotaExhausted, with few calls."""
        self.assert_failure(sample, {"rate_per_s": 0}, (RateLimited, QuotaExhausted))

    @pytest.mark.parametrize("form", ["seconds", "date"])
    def test_retry_after_is_kept(self, sample: Sample, form: str) -> None:
        """In both of its forms (RFC 9110, 10.2.3), and not slept through."""
        with self.play(sample) as stage:
            now = stage.clock.at.replace(microsecond=0)
            after = str(_WAIT) if form == "seconds" else format_datetime(now + timedelta(seconds=_WAIT), usegmt=True)
            headers = {"Retry-After": after, "Date": format_datetime(now, usegmt=True)}
            # On the way, not in the sandbox: its server dates its answers by the machine's clock.
            stage.line.set_faults({"status": 429, "headers": headers, "body": {"error": "slow down"}})
            began = stage.clock.at
            for one in stage.send(stage.deliveries(sample, 2)).values():
                assert isinstance(one.error, RateLimited | QuotaExhausted), f"a 429 is {one.error!r}"
                assert _asked(one.error, began) == pytest.approx(_WAIT, abs=5), (
                    f"the vendor asks for {_WAIT} s, the error says {_asked(one.error, began)}"
                )
            assert (stage.clock.at - began).total_seconds() < _PATIENCE, (
                "it sleeps through the pause: raise, the engine waits"
            )

    @pytest.mark.parametrize("body", [None, "<h1>Bad Gateway</h1>", {"error": "x"}, [1]], ids=repr)
    @pytest.mark.parametrize("status", [500, 503])
    def test_a_failing_server_may_be_asked_again(self, sample: Sample, status: int, body: Any) -> None:
        """Retryable; a write that no repeat can spoil or that may have been done may also be Uncertain."""
        allowed = (Retryable,) if self.may_repeat(sample) else (Retryable, Uncertain)
        self.assert_failure(sample, {"status": status, "body": body}, allowed)

    def test_expired_credentials_are_unauthorised(self, sample: Sample) -> None:
        """With few calls: no endless renewing."""
        self.assert_failure(sample, {"expired_token": True}, (Unauthorised,))

    @pytest.mark.parametrize("status", [400, 422])
    def test_a_refused_record_is_a_dead_letter_with_its_reason(self, sample: Sample, status: int) -> None:
        """Rejected: sent again it would be refused again."""
        with self.play(sample) as stage:
            stage.sandbox.faults.set(
                [{"match": sample.write, "status": status, "body": {"message": "the text is banned"}}]
            )
            (item,) = stage.deliveries(sample, 1)
            error = stage.send([item])[item.id].error
            assert isinstance(error, Rejected), f"a {status} is {error!r}, not Rejected: it would be sent for days"
            assert str(error), "no reason is told"
            assert stage.made(sample) == 0

    def test_a_forbidden_write_is_not_delivered(self, sample: Sample) -> None:
        """By whatever name: the rights of a token, or a plan's."""
        with self.play(sample) as stage:
            stage.sandbox.faults.set([{"match": sample.write, "status": 403, "body": {"message": "forbidden"}}])
            (item,) = stage.deliveries(sample, 1)
            error = stage.send([item])[item.id].error
            assert error is not None, "a 403 is told to be delivered"
            assert not isinstance(error, Uncertain), "a 403 is no doubt: nothing was written"

    # ---------------------------------------------------------------------------------------------------------- doubts

    def test_a_reset_after_the_write_is_uncertain_and_ends_with_one_record(self, sample: Sample) -> None:
        """The record is there and no answer came: no second one, whatever the engine does next, in whatever process."""
        with self.play(sample) as stage:
            stage.sandbox.faults.set([{"match": sample.write, "times": 1, "reset_after": True}])
            item = stage.deliveries(sample, 1)[0]
            error = stage.send([item])[item.id].error
            assert isinstance(error, Uncertain), f"{error!r} is not Uncertain"
            stage.restart()
            again = stage.resolve(item, error)
            assert again.error is None, f"the way out of the doubt ends in {again.error!r}"
            assert stage.made(sample) == 1, f"after the doubt the vendor has {stage.made(sample)} records of 1"

    def test_a_failing_answer_after_the_write_ends_with_one_record(self, sample: Sample) -> None:
        """It was written, and some proxy answers 502: what cannot be sent twice is in doubt, not to be tried again."""
        with self.play(sample) as stage:
            stage.sandbox.faults.set([{"match": sample.write, "times": 1, "fails_after": True}])
            item = stage.deliveries(sample, 1)[0]
            error = stage.send([item])[item.id].error
            assert isinstance(error, Uncertain | Retryable), f"a 502 is {error!r}"
            stage.restart()
            again = stage.resolve(item, error)
            assert again.error is None, f"after it all ends in {again.error!r}"
            assert stage.made(sample) == 1, (
                f"after a 502 the vendor has {stage.made(sample)} records of 1: {type(error).__name__} is sent again at once. "
                "Where a repeat makes a second record, a 5xx is Uncertain"
            )

    def test_a_stalled_server_does_not_hold_us(self, sample: Sample) -> None:
        """The time-out is kept through the vendor's client, and nothing is sent again in silence."""
        with self.play(sample) as stage:
            stage.sandbox.faults.set([{"match": sample.write, "latency_ms": 1000 * _STALL * 4}])
            hasty = HastyHttp(stage.guard, _STALL, most=self.calls_when_refused)
            began = time.monotonic()
            outcomes = stage.send(stage.deliveries(sample, 1), over=hasty)
            assert time.monotonic() - began < _STALL * 10, "the time-out is not kept"
            for one in outcomes.values():
                assert one.error is not None, "no answer came, and it is told to be delivered"
                self._assert_open(sample, one.error, "no answer in time")
            assert hasty.calls <= self.calls_when_refused, "it asks again and again"

    @pytest.mark.parametrize("fault", BLIND, ids=str)
    def test_a_lookup_that_cannot_look_finds_no_answer(self, sample: Sample, fault: Fault) -> None:
        """An error, never None: "not there" sends it again, and the vendor has two."""
        if self.destination.lookup is Destination.lookup or not isinstance(self.made_by(sample), Lookup | Native):
            return
        with self.play(sample) as stage:
            (item,) = stage.deliveries(sample, 1)
            stage.send([item])
            stage.clock.advance(3600)
            again = msgspec.structs.replace(item, attempt=2, first_sent_at=stage.clock.at)
            stage.sandbox.faults.set([fault])
            try:
                found = stage.destination.lookup(stage.ctx, again)
            except ConnectorError as error:
                stage.assert_no_secrets(error)
                return
            except Exception as error:
                raise AssertionError(f"lookup lets a bug out ({type(error).__name__}: {error})") from error
            assert found is not None, f"under {dict(fault)} lookup says that it is not there: raise what befell it"

    def assert_failure(self, sample: Sample, fault: Fault, kinds: tuple[type[ConnectorError], ...]) -> None:
        """Check that under a lasting fault every item fails with one of `kinds`, few calls are made, nothing is written."""
        with self.play(sample) as stage:
            stage.sandbox.faults.set([fault])
            began = stage.clock.at
            for one in stage.send(stage.deliveries(sample, 3)).values():
                assert isinstance(one.error, kinds), f"under {dict(fault)} it is {one.error!r}, none of {kinds}"
            assert len(stage.sandbox.journal.calls) <= self.calls_when_refused * 3, "it asks again and again"
            assert stage.made(sample) == 0
            assert (stage.clock.at - began).total_seconds() < _PATIENCE, "it sleeps: raise, and the engine waits"


def _mixed(before: Mapping[int, Outcome], after: Mapping[int, Outcome]) -> bool:
    """Return True if an item was given the reference that belongs to another."""
    owners = {one.ref.id: id_ for id_, one in after.items() if one.ref}
    if len(owners) < len(after):
        return False  # they share one, as the comments of a ticket may
    return any(one.ref and owners.get(one.ref.id, id_) != id_ for id_, one in before.items())


def _asked(error: RateLimited | QuotaExhausted, now: Any) -> float | None:
    """Return the seconds that an error asks to wait."""
    if isinstance(error, RateLimited):
        return error.retry_after
    return seconds_between(error.until, now) if error.until else None
