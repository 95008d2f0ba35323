"""What a destination owes on good days: one outcome and one record an item, whatever comes twice; and that it says what it is."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping
from datetime import timedelta
from importlib.resources import files
from typing import Any

import msgspec
import pytest

from hub.core.errors import ConnectorError, Rejected
from hub.core.mapping import compile_mapping
from hub.core.spec import MappingSpec
from hub.sdk.connectors import Destination, FieldInfo, Lookup, Native, NoIdempotency, ObjectInfo, Upsert
from hub.testkit.contracts.means.witness import spilt, strange_hosts
from hub.testkit.contracts.parts.delivering import DeliverySuite, leaves, meets, own, stands, with_texts
from hub.testkit.contracts.stage import Sample, Stage

_KNOWN = frozenset(
    ("records", "tickets", "comments", "tombstone", "requesters", "note", "inbound", "changes", "without_author")
)
_KINDS = (Upsert, Native, Lookup, NoIdempotency)
_TYPES: Mapping[str, tuple[type, ...]] = {
    "number": (int, float),
    "integer": (int,),
    "boolean": (bool,),
}
_MOST = 500
_MONTH = 32 * 86_400.0
_CALLS_A_CALL, _CALLS_APART = 4, 8  # of one that is declared: look-ups, credentials, pages
PLAIN = "é 日本語 👩‍👩‍👧 مرحبا <b>&amp; \"quotes\" 'single' \\ % {{ braces }}"
_PARTS = ("é", "日本語", "👩‍👩‍👧", "مرحبا", "quotes", "single", "\\ %", "{{ braces }}")
_TWICE_ESCAPED = ("&amp;amp;amp;", "&amp;lt;b")
TEXTS: tuple[tuple[str, str], ...] = (
    ("many scripts", PLAIN),
    ("a NUL", "a\0b"),
    ("lines", "one\r\ntwo\u2028three\n\n\n"),
    ("right to left", "\u202eabc\u202c"),
    ("100,000 letters", "x" * 100_000),
)


class Lands(DeliverySuite):
    """Good days."""

    # ------------------------------------------------------------------------------------------------- what it declares

    def test_what_a_destination_declares_makes_sense(self, sample: Sample) -> None:
        """The engine plans by it."""
        kind = self.made_by(sample)
        assert isinstance(kind, _KINDS), (
            f"idempotency is {kind!r}: give Upsert(), Native(...), Lookup(...) or NoIdempotency()"
        )
        assert not isinstance(kind, Native) or kind.window > timedelta(0), "a window of no time"
        assert not isinstance(kind, Lookup) or kind.lag >= timedelta(0), "a lag before the write"
        if isinstance(kind, Lookup | Native):
            assert self.destination.lookup is not Destination.lookup, f"{type(kind).__name__} needs `lookup`"
        made = self.destination(self.destination.Options.model_validate(self.given_options()))
        size = made.batch_size_of(sample.object, sample.operation)
        assert isinstance(size, int), f"batch_size is {size!r}"
        assert size >= 1, "a batch of none"
        assert made.calls_of(sample.object, sample.operation, size) >= 1, "calls_of says that a batch costs no call"
        unknown = made.capabilities - _KNOWN
        assert not unknown, f"capabilities {set(unknown)} are none that the engine asks for"

    def test_describe_knows_the_objects_of_the_default_mappings(self) -> None:
        """So that a mapping can be checked against the account."""
        wanted = {spec.object for spec in self._mappings().values()}
        with self.play() as stage:
            found = stage.destination.describe(stage.ctx)
        assert wanted, "it ships no default mapping"
        assert "*" in found or wanted <= set(found), f"{wanted - set(found)} are not described"

    def test_the_default_mappings_fit_what_is_described(self) -> None:
        """Each field is there, may be written, takes the value's type; and the mappings pass their own tests."""
        with self.play() as stage:
            described = stage.destination.describe(stage.ctx)
            assert not stage.sandbox.journal.entries, "describe writes"
        assert all(isinstance(info, ObjectInfo) for info in described.values()), "describe gives ObjectInfo by object"
        faults = [
            f"{name}: {fault}"
            for name, spec in self._mappings().items()
            for fault in _faults(name, spec, described.get(spec.object) or described.get("*"))
        ]
        assert not faults, "the shipped mappings do not fit:\n" + "\n".join(faults)

    def test_samples_are_of_described_objects(self, sample: Sample) -> None:
        """What the suite writes is what mappings may write."""
        with self.play() as stage:
            described = stage.destination.describe(stage.ctx)
        assert "*" in described or sample.object in described, f"describe does not name {sample.object}"

    def _mappings(self) -> dict[str, MappingSpec]:
        package, _, folder = self.destination.mappings.partition(":")
        assert package, f"{self.destination.__name__} names no mappings: set `mappings` to 'package:folder'"
        found = [path for path in files(package).joinpath(folder).iterdir() if path.name.endswith(".toml")]
        return {path.name: msgspec.convert(tomllib.loads(path.read_text("utf-8")), MappingSpec) for path in found}

    # ----------------------------------------------------------------------------------------------------- what lands

    def test_an_empty_batch_is_no_work(self) -> None:
        """No outcome, no call."""
        with self.play() as stage:
            assert list(stage.destination.deliver(stage.ctx, [])) == []
            assert stage.sandbox.journal.calls == [], "nothing was given, and calls were made"

    def test_each_item_gets_one_outcome_and_one_record(self, sample: Sample) -> None:
        """With a reference each, and nothing that the vendor's look-alike has to complain of."""
        with self.play(sample) as stage:
            refs = self.assert_delivered(stage, sample, 3)
            if sample.operation not in ("comment", "note"):
                assert len({ref.id for ref in refs}) == 3, (
                    f"three records, and the references {[ref.id for ref in refs]}"
                )
            assert stage.made(sample) == 3, f"the vendor has {stage.made(sample)} records of 3"
            assert stage.sandbox.violations == []

    def test_what_lands_is_what_was_sent(self, sample: Sample) -> None:
        """Record by record: no one's words stand under another's key."""
        with self.play(sample) as stage:
            self.assert_delivered(stage, sample, 3)
            kept = stage.kept()
            lost = [leaf for number in (1, 2, 3) for leaf in own(sample, number) if not stands(leaf, kept)]
            assert not lost, f"{lost} were sent and are not there"

    def test_a_full_batch_is_written(self, sample: Sample) -> None:
        """As many at once as the destination says it takes (up to 500 here)."""
        with self.play(sample) as stage:
            count = min(_MOST, stage.destination.batch_size_of(sample.object, sample.operation))
            self.assert_delivered(stage, sample, count)
            assert stage.made(sample) == count, f"the vendor has {stage.made(sample)} records of {count}"
            refused = [
                one for one in stage.sandbox.journal.calls if one.status >= 400 and meets(sample, one.method, one.path)
            ]
            assert not refused, (
                f"on a good day the vendor refuses {len(refused)} of the calls that write {count} records ({refused[0].status}): "
                "is it more than one call may hold?"
            )
            declared = stage.destination.calls_of(sample.object, sample.operation, count)
            calls = len(stage.sandbox.journal.calls)
            assert calls <= _CALLS_A_CALL * declared + _CALLS_APART, (
                f"{count} records took {calls} calls, and calls_of says {declared}: limits and forecasts go by it"
            )

    def test_a_redelivery_under_the_same_key_leaves_one_record(self, sample: Sample) -> None:
        """The engine may ask twice, from another process too; the vendor must not have two."""
        with self.play(sample) as stage:
            batch = stage.deliveries(sample, 3)
            first = stage.send(batch)
            for item in (*batch, *batch):
                again = stage.resolve(item, None)
                before = first[item.id].ref
                assert again.error is None, f"the same delivery again ends in {again.error!r}"
                same = before is None or (again.ref is not None and again.ref.id == before.id)
                assert same, f"the same delivery has the reference {before}, and then {again.ref}"
                stage.restart()
            assert stage.made(sample) == 3, f"sent again there are {stage.made(sample)} records of 3"

    @pytest.mark.parametrize("known", [True, False], ids=["by its reference", "by its key"])
    def test_a_known_record_is_changed_and_not_made_again(self, sample: Sample, known: bool) -> None:
        """The next delivery of a record writes into the same one, whether the hub knows its id or only its key."""
        if sample.operation != "upsert":
            return
        with self.play(sample) as stage:
            one, other = stage.deliveries(sample, 2)
            refs = {number: outcome.ref for number, outcome in stage.send([one, other]).items()}
            later = stage.later(one, sample.fields(7), ref=refs[one.id] if known else None)
            stage.restart()
            stage.clock.advance(_MONTH)
            outcome = stage.send([later])[later.id]
            assert outcome.error is None, f"a change of a known record ends in {outcome.error!r}"
            assert stage.made(sample) == 2, "a second delivery for one key made a second record"
            before = refs[one.id]
            if outcome.ref and before:
                assert outcome.ref.id == before.id, f"the record was {before.id} and is {outcome.ref.id}"
            self._assert_changed(stage, sample)

    def _assert_changed(self, stage: Stage, sample: Sample) -> None:
        """Check that record 1 says what record 7 would, record 2 what it said."""
        kept = stage.kept()
        for leaf in (*own(sample, 7), *own(sample, 2)):
            assert stands(leaf, kept), f"after the change {leaf!r} is not there"

    def test_two_deliveries_of_one_record_in_a_batch_leave_the_later(self, sample: Sample) -> None:
        """One record, with what was said last."""
        if sample.operation != "upsert":
            return
        with self.play(sample) as stage:
            one, other = stage.deliveries(sample, 2)
            later = stage.later(one, sample.fields(7))
            outcomes = stage.send([one, later, other])
            errors = [outcome.error for outcome in outcomes.values() if outcome.error]
            assert not errors, f"two deliveries of one record end in {errors[0]!r}"
            assert stage.made(sample) == 2, f"two deliveries of one record made {stage.made(sample) - 1} of it"
            self._assert_changed(stage, sample)

    def test_what_is_written_once_is_left_to_people(self, sample: Sample) -> None:
        """A field in `once` fills what is empty, and overwrites nothing on a record that is there.

        Tried where a shipped mapping of the object has such a field.
        """
        mapped = [spec for spec in self._mappings().values() if spec.object == sample.object]
        fields = sample.fields(1)
        named = next((name for name, value in fields.items() if isinstance(value, str)), None)
        if not any(how.once for spec in mapped for how in spec.fields.values()) or named is None:
            return
        with self.play(sample) as stage:
            one = msgspec.structs.replace(stage.deliveries(sample, 1)[0], once=(named,))
            first = stage.send([one])[one.id]
            assert first.error is None, f"a record with a field in `once` ends in {first.error!r}"
            assert stands(str(fields[named]), stage.kept()), f"{named} is in `once`, and a new record lacks it"
            later = stage.later(one, sample.fields(7))
            assert stage.send([later])[later.id].error is None
            assert stands(str(fields[named]), stage.kept()), (
                f"{named} is in `once` and was overwritten: what a person typed there would be lost"
            )

    @pytest.mark.parametrize("name", [name for name, _ in TEXTS])
    def test_any_text_lands_or_is_rejected_alone(self, sample: Sample, name: str) -> None:
        """Scripts, controls, length: an item fails by itself with a reason, and what lands is not garbled."""
        text = dict(TEXTS)[name]
        with self.play(sample) as stage:
            one, hostile, other = stage.deliveries(sample, 3)
            hostile = msgspec.structs.replace(hostile, fields=with_texts(hostile.fields, text))
            outcomes = stage.send([one, hostile, other])
            assert outcomes[one.id].error is None, f"beside {name} another item ends in {outcomes[one.id].error!r}"
            assert outcomes[other.id].error is None, f"beside {name} another item ends in {outcomes[other.id].error!r}"
            error = outcomes[hostile.id].error
            assert error is None or isinstance(error, Rejected), f"{name} ends in {error!r}: Rejected, or landed"
            if error is None and text == PLAIN and leaves(hostile.fields):
                kept = stage.kept()
                lost = [part for part in _PARTS if not stands(part, kept)]
                assert not lost, f"{lost} are lost on the way: a text lands as it was sent"
                assert not any(one in kept for one in _TWICE_ESCAPED), (
                    "the text was escaped twice: people read &lt; and &amp;"
                )

    # --------------------------------------------------------------------------------------------------- the way back

    def test_lookup_finds_what_was_written_and_only_that(self, sample: Sample) -> None:
        """By our mark: its reference for what is there, None for what never was; and it writes nothing."""
        if self.destination.lookup is Destination.lookup or not isinstance(self.made_by(sample), Lookup | Native):
            return
        with self.play(sample) as stage:
            one, other, never = stage.deliveries(sample, 3)
            refs = {number: outcome.ref for number, outcome in stage.send([one, other]).items()}
            stage.clock.advance(_lag(self.made_by(sample)))
            stage.restart()
            entries = len(stage.sandbox.journal.entries)
            for item in (other, one):
                again = msgspec.structs.replace(item, attempt=2, first_sent_at=stage.clock.at)
                found = stage.destination.lookup(stage.ctx, again)
                assert found is not None, "lookup does not find what was written: it would be sent again"
                before = refs[item.id]
                assert before is None or found.id == before.id, f"lookup finds {found}, not {before}"
            never = msgspec.structs.replace(never, attempt=2, first_sent_at=stage.clock.at)
            found = stage.destination.lookup(stage.ctx, never)
            assert found is None, f"lookup finds {found} for what was never written: it would be lost"
            if sample.operation in ("comment", "note"):
                unsaid = msgspec.structs.replace(
                    stage.later(one, sample.fields(7)), attempt=2, first_sent_at=stage.clock.at
                )
                found = stage.destination.lookup(stage.ctx, unsaid)
                assert found is None, (
                    f"lookup takes {found} for the next message about the same post: look by delivery.key"
                )
            assert len(stage.sandbox.journal.entries) == entries, "lookup writes"

    def test_a_native_key_is_sent(self, sample: Sample) -> None:
        """`Native` rests on the vendor knowing `delivery.key`."""
        if not isinstance(self.made_by(sample), Native):
            return
        with self.play(sample) as stage:
            (item,) = stage.deliveries(sample, 1)
            stage.send([item])
            told = [json.dumps(dict(one.headers)).encode() + (one.content or b"") for one in stage.line.requests]
            assert any(item.key.encode() in one for one in told), (
                "delivery.key was not sent: the vendor cannot know a repeat"
            )

    # ---------------------------------------------------------------------------------------------- where it goes, what it tells

    def test_only_declared_hosts_are_asked_and_only_through_the_guard(self, sample: Sample) -> None:
        """Egress is refused to any other; a connection of its own would pass the guard by."""
        with self.play(sample) as stage:
            stage.send(stage.deliveries(sample, 2))
            stage.destination.describe(stage.ctx)
            stage.destination.check(stage.ctx)
            hosts = stage.destination.egress()
            assert not stage.seen.dialled, (
                f"it dialled {stage.seen.dialled} by itself: use ctx.http or an adapter of it"
            )
            assert not strange_hosts(stage.line.requests, hosts), "a host that egress() does not name was asked"
            assert self.reaches_anywhere or "*" not in hosts, (
                'egress() names "*": name the hosts, or set `reaches_anywhere = True` where any is meant'
            )

    def test_no_secret_is_logged(self, sample: Sample) -> None:
        """On good days and on bad ones."""
        with self.play(sample) as stage:
            faults: tuple[Mapping[str, Any], ...] = (
                {},
                {"status": 500, "body": "<h1>Bad Gateway</h1>"},
                {"expired_token": True},
                {"status": 400, "body": {"error": "x"}},
                {"match": sample.write, "reset_after": True},
            )
            for number, fault in enumerate(faults):
                stage.sandbox.faults.set([fault] if fault else [])
                stage.send(stage.deliveries(sample, 2, first=1 + 2 * number))
                for call in (stage.destination.check, stage.destination.describe):
                    try:
                        call(stage.ctx)
                    except ConnectorError as error:
                        stage.assert_no_secrets(error)
            assert not spilt(stage.secrets, stage.seen.told()), "a log line tells a secret"


def _lag(kind: Any) -> float:
    return kind.lag.total_seconds() + 1 if isinstance(kind, Lookup) else 60.0


def _faults(name: str, spec: MappingSpec, info: ObjectInfo | None) -> Iterator[str]:
    """Yield how a mapping does not fit the object or its own tests."""
    mapping = compile_mapping(spec, name=name)
    yield from (
        f"its test {one.name!r} fails: {one.got} for {one.want}" for one in mapping.run_tests() if not one.passed
    )
    if info is None or info.open_fields:
        return
    for field in spec.fields:
        known = info.fields.get(field) or info.fields.get(field.split(".")[0])
        if known is None:
            yield f"{spec.object} has no field {field}"
        elif not known.writable:
            yield f"{spec.object}.{field} cannot be written"
    written = {part for field in spec.fields for part in (field, field.split(".")[0])} | {spec.key_field or ""}
    yield from (
        f"{info.name}.{one.name} is required"
        for one in info.fields.values()
        if one.required and one.name not in written
    )
    for test in spec.test:
        for field, value in test.expect.items():
            yield from _misfits(field, value, info.fields.get(field))


def _misfits(field: str, value: Any, known: FieldInfo | None) -> Iterator[str]:
    """Yield how a value does not fit its field."""
    if known is None or value == "":
        return
    if (wanted := _TYPES.get(known.type)) and (
        not isinstance(value, wanted) or (bool not in wanted and isinstance(value, bool))
    ):
        yield f"{field} takes a {known.type}, the mapping's own test gives {value!r}"
    if known.values and isinstance(value, str) and value not in known.values:
        yield f"{field} takes one of {', '.join(known.values[:8])}, the mapping's own test gives {value!r}"
    if known.max_length and isinstance(value, str) and len(value) > known.max_length:
        yield f"{field} takes {known.max_length} characters, the mapping's own test gives {len(value)}"
