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

import time
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.resources import files
from typing import Any, ClassVar

import pytest

from hub.core.errors import ConnectorError, QuotaExhausted, RateLimited, Rejected, Retryable, Unauthorised, Uncertain
from hub.core.model import RemoteRef
from hub.sdk.connectors import Connector, Destination, Upsert
from hub.testkit.contracts.manners import ConnectorContract
from hub.testkit.contracts.stage import HastyHttp, Sample, Stage
from hub.testkit.fakes import FakeClock
from hub.testkit.sandbox import SandboxOptions, serve

_STALL = 0.4


class DestinationContract(ConnectorContract):
    """Subclass it with `destination`, `samples` and `options`; override `prepare` where samples need parents."""

    destination: ClassVar[type[Destination[Any]]]
    samples: ClassVar[Sequence[Sample]]
    calls_when_refused: ClassVar[int] = 8
    partial_errors: ClassVar[tuple[type[ConnectorError], ...]] = (Rejected, Retryable)

    @classmethod
    def options(cls, url: str) -> Mapping[str, Any]:
        """Options of a connection to the sandbox at `url`."""
        raise TypeError(f"a destination's contract needs options for {url}")

    @classmethod
    def sandbox_options(cls, clock: FakeClock) -> SandboxOptions:
        """What the sandbox is built with; its token is "sandbox-token", its clock the destination's."""
        return SandboxOptions(clock=clock)

    @classmethod
    def connector(cls) -> type[Connector[Any]]:
        """The destination."""
        return cls.destination

    @classmethod
    def given_options(cls) -> dict[str, Any]:
        """Options for a server that is not asked."""
        return dict(cls.options("http://127.0.0.1:9"))

    def make(self, options: Any, clock: FakeClock) -> Destination[Any]:
        """The destination; override where it takes a `pause` or the like, and give it `clock.sleep`."""
        del clock
        return self.destination(options)

    def prepare(self, stage: Stage, sample: Sample) -> Mapping[str, RemoteRef]:
        """Make what the sample's records hang on (a ticket for comments) and give the references by kind."""
        del stage, sample
        return {}

    @contextmanager
    def play(self, sample: Sample | None = None) -> Iterator[Stage]:
        """A stage with a fresh sandbox on a free port; what `prepare` made is not in its journal."""
        module, _, name = self.destination.sandbox.partition(":")
        clock = FakeClock()
        with serve(getattr(import_module(module), name)(self.sandbox_options(clock))) as running:
            options = self.destination.Options.model_validate(dict(self.options(running.url)))
            stage = Stage(self.make(options, clock), running.sandbox, clock)
            try:
                if sample is not None:
                    stage.parents = self.prepare(stage, sample)
                    running.sandbox.journal.clear()
                yield stage
            finally:
                stage.guard.close()

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Each test that asks for a sample runs with each of them."""
        if "sample" in metafunc.fixturenames:
            metafunc.parametrize("sample", self.samples, ids=[sample.name for sample in self.samples])

    # ------------------------------------------------------------------------------------------------------ the account

    def test_check_says_who_we_are(self) -> None:
        """In a few words."""
        with self.play() as stage:
            said = stage.destination.check(stage.ctx)
        assert said
        assert not any(secret in said for secret in stage.secrets)

    def test_check_of_expired_credentials_is_unauthorised(self) -> None:
        """With few calls, and without the credentials in the message."""
        with self.play() as stage:
            stage.sandbox.faults.set([{"expired_token": True}])
            with pytest.raises(Unauthorised) as caught:
                stage.destination.check(stage.ctx)
            stage.assert_no_secrets(caught.value)
            assert len(stage.sandbox.journal.calls) <= self.calls_when_refused

    def test_describe_knows_the_objects_of_the_default_mappings(self) -> None:
        """So that a mapping can be checked against the account."""
        package, _, folder = self.destination.mappings.partition(":")
        names = [path for path in files(package).joinpath(folder).iterdir() if path.name.endswith(".toml")]
        wanted = {tomllib.loads(path.read_text("utf-8"))["object"] for path in names}
        with self.play() as stage:
            found = stage.destination.describe(stage.ctx)
        assert wanted
        assert "*" in found or wanted <= set(found), f"{wanted - set(found)} are not described"

    def test_an_empty_batch_is_no_work(self) -> None:
        """No outcome, no call."""
        with self.play() as stage:
            assert stage.destination.deliver(stage.ctx, []) == []
            assert stage.sandbox.journal.calls == []

    # ------------------------------------------------------------------------------------------------------ good days

    def test_each_item_gets_one_outcome_and_one_record(self, sample: Sample) -> None:
        """With a reference each, and nothing that the vendor's look-alike has to complain of."""
        with self.play(sample) as stage:
            outcomes = stage.send(stage.deliveries(sample, 3))
            assert [one.error for one in outcomes.values()] == [None] * 3
            if sample.operation != "comment":
                assert len({one.ref.id for one in outcomes.values() if one.ref}) == 3
            assert stage.made(sample) == 3
            assert stage.sandbox.violations == []

    def test_a_redelivery_under_the_same_key_leaves_one_record(self, sample: Sample) -> None:
        """The engine may ask twice; the vendor must not have two."""
        with self.play(sample) as stage:
            batch = stage.deliveries(sample, 3)
            first = stage.send(batch)
            for item in batch:
                again = stage.resolve(item, None)
                before = first[item.id].ref
                assert again.error is None
                assert before is None or (again.ref is not None and again.ref.id == before.id)
            assert stage.made(sample) == 3

    def test_a_full_batch_is_written(self, sample: Sample) -> None:
        """As many at once as the destination says it takes (up to 250 here)."""
        with self.play(sample) as stage:
            count = min(250, stage.destination.batch_size_of(sample.object, sample.operation))
            outcomes = stage.send(stage.deliveries(sample, count))
            assert [one.error for one in outcomes.values() if one.error] == []
            assert stage.made(sample) == count

    # ------------------------------------------------------------------------------------------------------- bad days

    def test_a_partial_failure_hits_only_its_item(self, sample: Sample) -> None:
        """The others land, and are not told that they failed."""
        with self.play(sample) as stage:
            stage.sandbox.faults.set([{"match": sample.write, **sample.partial}])
            outcomes = stage.send(stage.deliveries(sample, 3))
            failed = [one.error for one in outcomes.values() if one.error]
            assert len(failed) == 1
            assert isinstance(failed[0], self.partial_errors)
            assert stage.made(sample) == 2

    def test_too_many_requests_are_told_as_such(self, sample: Sample) -> None:
        """RateLimited or QuotaExhausted, with few calls."""
        self.assert_failure(sample, {"rate_per_s": 0}, (RateLimited, QuotaExhausted))

    @pytest.mark.parametrize("body", [None, "<h1>Bad Gateway</h1>", {"error": "x"}, [1]], ids=repr)
    @pytest.mark.parametrize("status", [500, 503])
    def test_a_failing_server_may_be_asked_again(self, sample: Sample, status: int, body: Any) -> None:
        """Retryable; a write that no repeat can spoil or that may have been done may also be Uncertain."""
        kind = self.made_by(sample)
        allowed = (Retryable,) if isinstance(kind, Upsert) else (Retryable, Uncertain)
        self.assert_failure(sample, {"status": status, "body": body}, allowed)

    def test_expired_credentials_are_unauthorised(self, sample: Sample) -> None:
        """With few calls: no endless renewing."""
        self.assert_failure(sample, {"expired_token": True}, (Unauthorised,))

    def test_a_reset_after_the_write_is_uncertain_and_ends_with_one_record(self, sample: Sample) -> None:
        """The record is there and no answer came: no second one, whatever the engine does next."""
        with self.play(sample) as stage:
            stage.sandbox.faults.set([{"match": sample.write, "times": 1, "reset_after": True}])
            item = stage.deliveries(sample, 1)[0]
            error = stage.send([item])[item.id].error
            assert isinstance(error, Uncertain), f"{error!r} is not Uncertain"
            again = stage.resolve(item, error)
            assert again.error is None
            assert stage.made(sample) == 1

    def test_a_stalled_server_does_not_hold_us(self, sample: Sample) -> None:
        """The time-out is kept through the vendor's client, and nothing is sent again in silence."""
        with self.play(sample) as stage:
            stage.sandbox.faults.set([{"match": sample.write, "latency_ms": 1000 * _STALL * 4}])
            hasty = HastyHttp(stage.guard, _STALL)
            began = time.monotonic()
            outcomes = stage.send(stage.deliveries(sample, 1), over=hasty)
            assert time.monotonic() - began < _STALL * 10
            assert all(isinstance(one.error, Uncertain | Retryable) for one in outcomes.values())
            assert hasty.calls <= self.calls_when_refused

    def assert_failure(self, sample: Sample, fault: Mapping[str, Any], kinds: tuple[type[ConnectorError], ...]) -> None:
        """Under a lasting fault every item fails with one of `kinds`, few calls are made, nothing is written."""
        with self.play(sample) as stage:
            stage.sandbox.faults.set([fault])
            for one in stage.send(stage.deliveries(sample, 3)).values():
                assert isinstance(one.error, kinds), f"{one.error!r} is none of {kinds}"
            assert len(stage.sandbox.journal.calls) <= self.calls_when_refused * 3
            assert stage.made(sample) == 0

    def made_by(self, sample: Sample) -> Any:
        """The idempotency class of the sample's writes."""
        options = self.destination.Options.model_validate(self.given_options())
        return self.destination(options).idempotency_of(sample.object, sample.operation)
