"""What a destination owes to the author of a post that is gone: after a tombstone no word of it is left, and of others all."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
import pytest

from hub.core.errors import ConnectorError, QuotaExhausted, RateLimited, Retryable, Unauthorised, Uncertain
from hub.core.keys import idempotency_key
from hub.core.model import Delivery
from hub.sdk.connectors import Outcome
from hub.testkit.contracts.means.optional import asks
from hub.testkit.contracts.parts.delivering import DeliverySuite, own
from hub.testkit.contracts.stage import Sample, Stage

_REFUSALS: Mapping[str, tuple[Mapping[str, Any], tuple[type[ConnectorError], ...]]] = {
    "403": ({"status": 403, "body": {"error": "forbidden"}}, (ConnectorError,)),
    "429": ({"status": 429, "headers": {"Retry-After": "7"}}, (RateLimited, QuotaExhausted)),
    "refused credentials": ({"expired_token": True}, (Unauthorised,)),
}


class Erases(DeliverySuite):
    """Tombstones."""

    def words(self, sample: Sample, number: int) -> Sequence[str]:
        """Return what was written of record `number` and must be nowhere after its tombstone; none if it cannot be erased.

        Its sentences unless you say otherwise; the records' words differ.
        """
        return own(sample, number)

    def kept(self, stage: Stage) -> str:
        """Return all that a reader can find in the sandbox, histories too: its collections that do not begin with "_"."""
        store = stage.sandbox.store
        return json.dumps([store.all(name) for name in store.names() if not name.startswith("_")], ensure_ascii=False)

    @asks("tombstone")
    def test_after_a_tombstone_no_word_is_left(self, sample: Sample) -> None:
        """Not in records, not in comments, not in histories; what others said stays."""
        with self._erasing(sample) as (stage, tombstones):
            if not tombstones:
                return
            written = {number: self._left(stage, sample, number) for number in (1, 2)}
            outcome = stage.send(tombstones[:1])[tombstones[0].id]
            assert outcome.error is None, f"a tombstone ends in {outcome.error!r}"
            assert written == {number: list(self.words(sample, number)) for number in (1, 2)}
            left = self._left(stage, sample, 1)
            assert left == [], (
                f"after the tombstone {left} can still be read: empty or delete all that was written of it"
            )
            assert self._left(stage, sample, 2) == written[2], "the tombstone of one record took the words of another"

    @asks("tombstone")
    def test_each_tombstone_of_a_batch_is_done(self, sample: Sample) -> None:
        """None is left out, and none is told of another's end."""
        with self._erasing(sample) as (stage, tombstones):
            if not tombstones:
                return
            errors = [one.error for one in stage.send(tombstones).values() if one.error]
            assert not errors, f"two tombstones at once end in {errors[0]!r}"
            left = [word for number in (1, 2) for word in self._left(stage, sample, number)]
            assert left == [], f"after two tombstones at once {left} can still be read"

    @asks("tombstone")
    def test_a_tombstone_that_is_sent_again_is_delivered(self, sample: Sample) -> None:
        """What is gone is gone."""
        with self._erasing(sample) as (stage, tombstones):
            for tombstone in tombstones[:1]:
                stage.send([tombstone])
                error = stage.resolve(tombstone, None).error
                assert error is None, f"a tombstone that is sent again ends in {error!r}: what is gone is delivered"

    @asks("tombstone")
    def test_a_tombstone_that_met_a_broken_server_is_done_later(self, sample: Sample) -> None:
        """It is no doubt that cannot be settled, and nothing is taken for done."""
        with self._erasing(sample) as (stage, tombstones):
            for tombstone in tombstones[:1]:
                stage.sandbox.faults.set([{"status": 503}])
                error = stage.send([tombstone])[tombstone.id].error
                assert isinstance(error, Retryable | Uncertain), f"a tombstone that met a 503 is {error!r}"
                stage.sandbox.faults.set([])
                assert stage.resolve(tombstone, error).error is None
                assert self._left(stage, sample, 1) == []

    @asks("tombstone")
    @pytest.mark.parametrize("name", _REFUSALS)
    def test_a_tombstone_that_was_refused_is_not_done(self, sample: Sample, name: str) -> None:
        """A receipt would say that the post is gone, and it stands there."""
        fault, kinds = _REFUSALS[name]
        with self._erasing(sample) as (stage, tombstones):
            for tombstone in tombstones[:1]:
                stage.sandbox.faults.set([fault])
                error = stage.send([tombstone])[tombstone.id].error
                assert isinstance(error, kinds), f"a tombstone that met {name} is {error!r}"
                stage.sandbox.faults.set([])
                assert stage.resolve(tombstone, Retryable()).error is None
                assert self._left(stage, sample, 1) == []

    @asks("tombstone")
    def test_a_tombstone_makes_no_record(self, sample: Sample) -> None:
        """What is gone is emptied in its place; no new record says so, and none other is touched."""
        with self._erasing(sample) as (stage, tombstones):
            before = stage.made(sample)
            for tombstone in tombstones[:1]:
                stage.send([tombstone])
                (never,) = stage.deliveries(sample, 1, first=9)
                stage.send([_tombstone(never, Outcome.delivered(never))])  # in doubt once, and it was never there
            assert stage.made(sample) == before, "a tombstone made a record"

    @contextmanager
    def _erasing(self, sample: Sample) -> Iterator[tuple[Stage, list[Delivery]]]:
        """Give a stage with records 1 and 2 of a sample, and their tombstones; no tombstone if nothing can be erased."""
        with self.play(sample) as stage:
            batch = stage.deliveries(sample, 2)
            outcomes = stage.send(batch)
            can = bool(self.words(sample, 1))
            yield stage, [_tombstone(one, outcomes[one.id]) for one in batch] if can else []

    def _left(self, stage: Stage, sample: Sample, number: int) -> list[str]:
        """Return the words of a record that a reader can still find."""
        kept = self.kept(stage)
        return [word for word in self.words(sample, number) if word in kept]


def _tombstone(made: Delivery, outcome: Outcome) -> Delivery:
    """Return what the engine plans once the post is gone: the same record, by its own reference."""
    assert outcome.error is None, f"the record to erase was not written: {outcome.error}"
    key = idempotency_key(made.destination, made.object, made.record_key, operation="tombstone", seq=1)
    fields = {"operation": made.operation}
    return msgspec.structs.replace(
        made, id=made.id + 1000, operation="tombstone", key=key, fields=fields, ref=outcome.ref
    )
