"""What a destination owes to each record: it stands as it was sent, alone, by the vendor's own name, whatever runs beside."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import pytest

from hub.core.errors import ConnectorError, Rejected
from hub.core.model import Delivery
from hub.sdk.connectors import Outcome
from hub.testkit.contracts.means.witness import Beside, impurities, spilt
from hub.testkit.contracts.parts.delivering import DeliverySuite, own, stands, with_texts
from hub.testkit.contracts.stage import Sample, Stage
from hub.testkit.fakes import FaultyHttp, SentRequest

_FAMILY = "👩‍👩‍👧"
_FAMILIES = re.compile("[👩👧\u200d]+")
_CLOCKS = ("time.time", "datetime.now", "datetime.utcnow", "date.today", "datetime.today")
_NONE_SUCH = "no_such_operation"
_NOUGHTS = (0, "0", "0.0", "false")
_SPOKEN = ("comment", "note")


class Keeps(DeliverySuite):
    """Records, one by one."""

    # -------------------------------------------------------------------------------------------------- as it was sent

    def test_what_a_delivery_does_not_name_is_not_emptied(self, sample: Sample) -> None:
        """A field without a value in this delivery belongs to people, or to another mapping: send no null in its place."""
        if sample.operation != "upsert":
            return
        with self.play(sample) as stage:
            described = stage.destination.describe(stage.ctx).get(sample.object)
            fields = dict(sample.fields(7))
            kept = dict(list(fields.items())[:1])
            (one,) = stage.deliveries(sample, 1)
            first = stage.send([one])[one.id]
            sent = len(stage.line.requests)
            if stage.send([stage.later(one, kept, ref=first.ref)])[one.id + 500].error is not None:
                return  # the vendor wants the others too
            absent = ({*fields, *(described.fields if described else ())}) - set(kept)
            emptied = {
                name for name, value in _told(stage.line.requests[sent:]) if name in absent and value in (None, "")
            }
            assert not emptied, (
                f"{sorted(emptied)} were not in the delivery and were sent empty: what stands there is lost"
            )

    def test_nought_is_a_value(self, sample: Sample) -> None:
        """A number that falls to 0 is written: `if value` leaves the old one standing."""
        numbers = {name: value for name, value in sample.fields(1).items() if isinstance(value, int | float)}
        if not numbers:
            return
        with self.play(sample) as stage:
            (one,) = stage.deliveries(sample, 1)
            none = msgspec.structs.replace(one, fields={**one.fields, **dict.fromkeys(numbers, 0)})
            if stage.send([none])[none.id].error is not None:
                return  # 0 is none of its values
            said = {name for name, value in _told(stage.line.requests) if str(value).lower() in map(str, _NOUGHTS)}
            assert set(numbers) <= said, (
                f"{sorted(set(numbers) - said)} is 0 and was not sent: leave out None, and not what is 0"
            )

    def test_a_text_that_is_cut_ends_with_a_whole_letter(self, sample: Sample) -> None:
        """A letter may be several code points: half a family is another one, and half a surrogate is none."""
        with self.play(sample) as stage:
            (one,) = stage.deliveries(sample, 1)
            for much in (1_000, 20_000):
                long = msgspec.structs.replace(one, fields=with_texts(one.fields, "x" * (much % 7) + _FAMILY * much))
                error = stage.send([long])[long.id].error
                assert error is None or isinstance(error, Rejected), (
                    f"a long text ends in {error!r}: Rejected, or landed"
                )
                cut = [run for run in _FAMILIES.findall(stage.kept()) if run.replace(_FAMILY, "")]
                assert not cut, f"a text was cut in the midst of a letter: it ends in {cut[0][-4:]!r}. Cut by graphemes"

    def test_an_unknown_operation_is_rejected(self, sample: Sample) -> None:
        """A mapping that asks for what it cannot do: a dead letter with a reason, and nothing written."""
        with self.play(sample) as stage:
            if "*" in stage.destination.describe(stage.ctx):
                return  # it hands on whatever is asked
            (item,) = stage.deliveries(sample, 1)
            error = stage.send([msgspec.structs.replace(item, operation=_NONE_SUCH)])[item.id].error
            assert isinstance(error, Rejected), (
                f"an operation that it does not have ends in {error!r}: Rejected, with the name"
            )
            assert stage.made(sample) == 0, "an operation that it does not have made a record"

    # ------------------------------------------------------------------------------------------------ by its own name

    def test_a_reference_is_the_vendors_own(self, sample: Sample) -> None:
        """What the answer named, not what we sent: else no page opens, and no tombstone finds it."""
        with self.play(sample) as stage:
            refs = self.assert_delivered(stage, sample, 3)
            known = {entry.id for entry in stage.sandbox.journal.entries}
            if sample.operation in _SPOKEN:  # the journal may name the ticket
                store = stage.sandbox.store
                known |= {id_ for name in store.names() for id_, _ in store.all(name)}
            strange = [ref.id for ref in refs if not {ref.id, ref.id.rpartition("/")[2]} & known]
            assert not strange, f"the references {strange} name nothing there; the vendor knows {sorted(known)[:9]}"
            pages = {ref.url for ref in refs if ref.url}
            assert sample.operation in _SPOKEN or len(pages) in (0, 3), f"three records have the pages {sorted(pages)}"

    def test_a_key_is_sent_whole(self, sample: Sample) -> None:
        """Cut, or in other letters, it may be another record's as well; `own_keys` says that a digest goes in its place."""
        if self.own_keys or not self.may_repeat(sample):
            return
        with self.play(sample) as stage:
            batch = stage.deliveries(sample, 2)
            stage.send(batch)
            said = [part for one in stage.line.requests for part in (one.url, one.content or b"")]
            lost = [item.record_key for item in batch if not spilt([item.record_key], *said)]
            assert not lost, f"the key {lost[0]} was sent nowhere as it is: by what would the record be found again?"

    def test_what_a_record_belongs_to_is_told(self, sample: Sample) -> None:
        """The references in `parents` are sent: the author of a post, the ticket of a comment."""
        with self.play(sample) as stage:
            sent = len(stage.line.requests)
            self.assert_delivered(stage, sample, 1)
            said = "\n".join(
                f"{one.url}\n{(one.content or b'').decode('utf-8', 'replace')}" for one in stage.line.requests[sent:]
            )
            for kind, ref in stage.parents.items():
                found = re.search(rf"(?<!\w){re.escape(ref.id)}(?!\w)", said)
                assert found, f"its {kind} {ref.id} was told in no call: the record would belong to none"

    # ------------------------------------------------------------------------------------------------- whatever runs beside

    def test_two_connections_share_nothing(self, sample: Sample) -> None:
        """What a class or module keeps is every connection's: another account's records would count as this one's."""
        with self.play(sample) as one, self.play(sample) as other:
            for stage in (one, other):
                self.assert_delivered(stage, sample, 2)
                assert stage.made(sample) == 2, (
                    f"the second connection's account has {stage.made(sample)} records of 2: keep nothing in a class or module"
                )
            assert one.made(sample) == 2, "the second connection wrote into the first one's account"

    def test_each_call_uses_what_it_is_lent(self, sample: Sample) -> None:
        """A context is for one call: its HTTP, its time, its log. One that was kept is closed, and its clock stands."""
        with self.play(sample) as stage:
            self.assert_delivered(stage, sample, 1)
            before, line = len(stage.line.requests), FaultyHttp(stage.guard)
            stage.send(stage.deliveries(sample, 1, first=2), over=line)
            assert line.requests, (
                "the second call went over the HTTP of the first: do not keep a context, or what it lends"
            )
            assert len(stage.line.requests) == before, "the second call went over the HTTP of the first as well"

    def test_two_batches_at_once_do_not_mix(self, sample: Sample) -> None:
        """One destination serves several threads: what a call keeps in `self`, another one overwrites."""
        with self.play(sample) as stage:
            mine, others = stage.deliveries(sample, 2), stage.deliveries(sample, 2, first=11)
            found: dict[int, Outcome] = {}
            beside = Beside(stage.line, lambda: found.update(stage.send(others)))
            found |= stage.send(mine, over=beside)
            beside.join()
            self._assert_apart(stage, sample, [*mine, *others], found)

    def _assert_apart(self, stage: Stage, sample: Sample, items: list[Delivery], found: Mapping[int, Outcome]) -> None:
        errors = [one.error for one in found.values() if one.error]
        assert not errors, f"beside another batch it ends in {errors[0]!r}"
        assert sorted(found) == sorted(item.id for item in items), "beside another batch outcomes are missing"
        assert stage.made(sample) == len(items), (
            f"two batches at once made {stage.made(sample)} records of {len(items)}"
        )
        kept = stage.kept()
        lost = [leaf for item in items for leaf in own(sample, item.id) if not stands(leaf, kept)]
        assert not lost, f"{lost} are lost where two batches go at once: keep nothing of a call in `self`"

    def test_times_come_from_the_context(self, sample: Sample) -> None:
        """`ctx.now()` is the only clock: another one cannot be tested, and differs from the ledger's."""
        with self.play(sample) as stage:
            batch = stage.deliveries(sample, 2)
            home = _home(type(stage.destination).__module__)
            asked = [one for one in impurities(lambda: stage.send(batch)) if f" in {home}" in one]
            read = [one for one in asked if one.startswith(_CLOCKS)]
            assert not read, f"it reads a clock of its own ({read[0]}): use ctx.now()"

    @pytest.mark.parametrize("name", ["503", "refused credentials"])
    def test_describe_tells_what_fails(self, name: str) -> None:
        """An account without a field is another answer: every mapping would be told to be wrong."""
        fault: Mapping[str, Any] = {"status": 503, "body": "<p>"} if name == "503" else {"expired_token": True}
        with self.play() as stage:
            stage.sandbox.faults.set([fault])
            try:
                found = stage.destination.describe(stage.ctx)
            except ConnectorError as error:
                stage.assert_no_secrets(error)
                return
            assert not stage.line.requests, f"under {name} describe gives {list(found)}: raise what befell it"


def _home(module: str) -> str:
    """Return the package that a connector lives in."""
    return module.rpartition(".")[0] or module


def _told(requests: list[SentRequest]) -> Iterator[tuple[str, Any]]:
    """Yield the names with their values in the JSON that was sent, the names without what stands before their last dot."""
    for one in requests:
        try:
            yield from _named(msgspec.json.decode(one.content or b""))
        except msgspec.DecodeError:
            continue


def _named(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, list):
        for one in value:
            yield from _named(one)
    elif isinstance(value, dict):
        for name, one in value.items():
            if isinstance(one, dict | list):
                yield from _named(one)
            else:
                yield name.rpartition(".")[2], one
