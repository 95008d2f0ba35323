"""The contracts pass a well-made connector and catch each kind of careless one."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pydantic import ConfigDict

from hub import (
    Context,
    Delivery,
    Ignored,
    Label,
    Options,
    Outcome,
    RawItem,
    RemoteRef,
    Retryable,
    Signal,
    Translated,
    Unavailable,
)
from hub.testkit.contracts import DestinationContract, EnricherContract, Sample, SourceContract
from hub.testkit.contracts.hostile import PAYLOADS, mutations
from tests.hub.testkit import toy

SAMPLE = Sample(
    "record",
    "upsert",
    lambda n: {"text": f"post {n}"},
    write={"method": "PUT"},
    partial={"status": 422, "after": 1, "times": 1},
)
README = Path(toy.__file__)


class TestToySource(SourceContract):
    """The whole suite over a good source."""

    source = toy.ToySource

    @classmethod
    def samples(cls) -> list[bytes]:
        return [b'{"id":"1","at":"2026-01-02T03:04:05Z","by":"ann","text":"hi"}', b'{"id":"2","at":"2026","by":"bo"}']

    @classmethod
    def readme(cls) -> Path:
        return README


class TestToyDestination(DestinationContract):
    """The whole suite over a good destination."""

    destination = toy.ToyDestination
    samples = (SAMPLE,)

    @classmethod
    def options(cls, url: str) -> Mapping[str, Any]:
        return {"url": url}

    @classmethod
    def readme(cls) -> Path:
        return README


class TestToyEnricher(EnricherContract):
    """The whole suite over a good enricher."""

    enricher = toy.ToyEnricher

    @classmethod
    def readme(cls) -> Path:
        return README


# --------------------------------------------------------------------------------------------------- careless sources


class Trusting(toy.ToySource):
    """Takes payloads for what they should be."""

    def translate(self, raw: RawItem) -> Translated:
        post = msgspec.json.decode(raw.payload)
        return super().translate(msgspec.structs.replace(raw, external_id=post["id"]))


class Forgetful(toy.ToySource):
    """Changes its mind."""

    def translate(self, raw: RawItem) -> Translated:
        found = super().translate(raw)
        signal = msgspec.structs.replace(found.signals[0], text=str(random.random()))
        return Translated((signal,), found.authors)


def changed(**fields: Any) -> type[toy.ToySource]:
    """A source whose signals have these fields."""

    class Changed(toy.ToySource):
        def translate(self, raw: RawItem) -> Translated:
            found = super().translate(raw)
            return Translated((msgspec.structs.replace(found.signals[0], **fields),), found.authors)

    return Changed


class Loose(Options):
    """Takes anything."""

    model_config = ConfigDict(extra="allow", frozen=False)
    token: str = ""


class LooseSource(toy.ToySource):
    """With loose options."""

    Options = Loose  # type: ignore[assignment]  # careless on purpose


def broken_source(cls: type[toy.ToySource]) -> SourceContract:
    contract = TestToySource()
    contract.source = cls  # type: ignore[misc]  # one instance of the suite for one class
    contract.connector = lambda: cls  # type: ignore[method-assign]  # the same
    return contract


@pytest.mark.long
@pytest.mark.parametrize(
    ("cls", "test"),
    [
        (Trusting, "test_hostile_payloads_give_a_value_or_a_translation_error"),
        (Trusting, "test_samples_broken_in_any_place_give_a_value_or_a_translation_error"),
        (Forgetful, "test_translate_is_repeatable"),
        (changed(key="toy:1"), "test_keys_are_hashed_and_safe_where_case_is_ignored"),
        (changed(key="toy:" + "a" * 32), "test_keys_are_hashed_and_safe_where_case_is_ignored"),
        (changed(in_reply_to="7"), "test_references_are_keys"),
        (changed(published_at=toy.parse_time("2026").replace(tzinfo=None)), "test_times_are_aware_utc"),  # type: ignore[union-attr]
        (changed(native_id=7), "test_values_survive_json"),
        (changed(lang=7), "test_samples_broken_in_any_place_give_a_value_or_a_translation_error"),
        (LooseSource, "test_options_refuse_unknown_keys"),
        (LooseSource, "test_options_are_frozen"),
        (LooseSource, "test_secrets_are_secret_strings"),
    ],
)
def test_a_careless_source_is_caught(cls: type[toy.ToySource], test: str) -> None:
    with pytest.raises((AssertionError, pytest.fail.Exception, msgspec.ValidationError)):
        getattr(broken_source(cls), test)()


def test_a_source_that_ignores_everything_proves_nothing() -> None:
    class Deaf(toy.ToySource):
        def translate(self, raw: RawItem) -> Ignored:  # type: ignore[override]  # careless on purpose
            return Ignored("deaf")

    with pytest.raises(AssertionError):
        broken_source(Deaf).test_a_sample_gives_a_signal()


def test_a_readme_that_is_missing_or_silent_is_caught(tmp_path: Path) -> None:
    class Undocumented(TestToySource):
        @classmethod
        def readme(cls) -> Path:
            return tmp_path / "README.md"

    for text in (None, "# Toy\n\n`url` only"):
        if text:
            (tmp_path / "README.md").write_text(text)
        with pytest.raises(AssertionError):
            Undocumented().test_the_readme_names_every_option()


# ---------------------------------------------------------------------------------------------- careless destinations


class Doubling(toy.ToyDestination):
    """Makes a new record each time."""

    def _put(self, ctx: Context, item: Delivery) -> Outcome:
        return Outcome.delivered(item, RemoteRef(self._call(ctx, "POST", "/records", b"{}")["id"]))


class Hopeful(toy.ToyDestination):
    """Sends again until it works."""

    def _call(self, ctx: Context, method: str, path: str, body: bytes | None = None) -> Any:
        for _ in range(30):
            try:
                return super()._call(ctx, method, path, body)
            except Exception as error:  # noqa: BLE001 - careless on purpose
                last = error
        raise last


class Sulking(toy.ToyDestination):
    """One bad record fails all."""

    def deliver(self, ctx: Context, batch: Sequence[Delivery]) -> list[Outcome]:
        outcomes = super().deliver(ctx, batch)
        error = next((one.error for one in outcomes if one.error), None)
        return [Outcome.failed(item, error) for item in batch] if error else outcomes


class Blurting(toy.ToyDestination):
    """Tells its token."""

    def _put(self, ctx: Context, item: Delivery) -> Outcome:
        found = super()._put(ctx, item)
        token = self.options.token.get_secret_value()
        return Outcome.failed(item, type(found.error)(f"with {token}: {found.error}")) if found.error else found


class Silent(toy.ToyDestination):
    """Forgets an item."""

    def deliver(self, ctx: Context, batch: Sequence[Delivery]) -> list[Outcome]:
        return super().deliver(ctx, batch)[1:]


class Sanguine(toy.ToyDestination):
    """Takes a doubt for an outage."""

    def _put(self, ctx: Context, item: Delivery) -> Outcome:
        found = super()._put(ctx, item)
        return Outcome.failed(item, Unavailable(str(found.error))) if found.error else found


class Crude(toy.ToyDestination):
    """Calls every failure the same."""

    def _put(self, ctx: Context, item: Delivery) -> Outcome:
        found = super()._put(ctx, item)
        return Outcome.failed(item, Retryable("oh")) if found.error else found


@pytest.mark.long
@pytest.mark.parametrize(
    ("cls", "test"),
    [
        (Doubling, "test_a_redelivery_under_the_same_key_leaves_one_record"),
        (Doubling, "test_a_reset_after_the_write_is_uncertain_and_ends_with_one_record"),
        (Hopeful, "test_expired_credentials_are_unauthorised"),
        (Hopeful, "test_a_stalled_server_does_not_hold_us"),
        (Sulking, "test_a_partial_failure_hits_only_its_item"),
        (Blurting, "test_expired_credentials_are_unauthorised"),
        (Silent, "test_each_item_gets_one_outcome_and_one_record"),
        (Sanguine, "test_a_reset_after_the_write_is_uncertain_and_ends_with_one_record"),
        (Crude, "test_too_many_requests_are_told_as_such"),
        (Crude, "test_expired_credentials_are_unauthorised"),
    ],
)
def test_a_careless_destination_is_caught(cls: type[toy.ToyDestination], test: str) -> None:
    contract = TestToyDestination()
    contract.destination = cls  # type: ignore[misc]  # one instance of the suite for one class
    with pytest.raises(AssertionError):
        getattr(contract, test)(SAMPLE if cls is not Doubling else Sample("record", "upsert", SAMPLE.fields))


def test_a_destination_without_a_way_out_of_a_doubt_is_caught() -> None:
    class Hopeless(toy.ToyDestination):
        idempotency = toy.Destination.idempotency

    contract = TestToyDestination()
    contract.destination = Hopeless  # type: ignore[misc]  # one instance of the suite for one class
    with pytest.raises(AssertionError, match="it is in doubt what became of it"):
        contract.test_a_redelivery_under_the_same_key_leaves_one_record(SAMPLE)


# ------------------------------------------------------------------------------------------------- careless enrichers


class Jealous(toy.ToyEnricher):
    """Judges a text by its neighbours."""

    def enrich(self, signals: Sequence[Signal]) -> list[tuple[Label, ...]]:
        return [(Label("loudness", "loud", "toy", score=1 / len(signals)),) for _ in signals]


class Dicing(toy.ToyEnricher):
    """Throws dice when it is made."""

    def load(self) -> None:
        self.luck = random.random()

    def enrich(self, signals: Sequence[Signal]) -> list[tuple[Label, ...]]:
        return [(Label("loudness", "loud", "toy", score=self.luck),) for _ in signals]


class Boundless(toy.ToyEnricher):
    """Leaves its range, and says what it never declared."""

    def enrich(self, signals: Sequence[Signal]) -> list[tuple[Label, ...]]:
        return [(Label("loudness", "loud", "toy", score=7.0),) for _ in signals]


@pytest.mark.long
@pytest.mark.parametrize(
    ("cls", "test"),
    [
        (Jealous, "test_the_same_text_gets_the_same_labels_whatever_its_neighbours"),
        (Dicing, "test_a_second_instance_says_the_same"),
        (Boundless, "test_labels_are_among_those_declared_and_in_range"),
    ],
)
def test_a_careless_enricher_is_caught(cls: type[toy.ToyEnricher], test: str) -> None:
    class Suite(TestToyEnricher):
        enricher = cls

    with pytest.raises(AssertionError):
        getattr(Suite(), test)(Suite().make())


def test_an_enricher_that_trips_over_a_text_is_caught() -> None:
    class Fragile(toy.ToyEnricher):
        def _judge(self, text: str) -> tuple[Label, ...]:
            text.encode()
            return super()._judge(text)

    class Suite(TestToyEnricher):
        enricher = Fragile

    with pytest.raises(UnicodeEncodeError):
        Suite().test_no_text_makes_it_fail(Suite().make(), "\ud800")


# -------------------------------------------------------------------------------------------------------------- hostile


def test_mutations_reach_every_field_of_a_sample() -> None:
    names = " ".join(
        name for name, _ in mutations(b'{"id":"1","user":{"name":"x"},"tags":[{"name":"a"},{"name":"b"}]}')
    )
    for path in (
        "without id",
        "without user.name",
        "without tags.0.name",
        "user.name of 1 MB",
        "id nested",
        "cut after",
    ):
        assert path in names


def test_every_hostile_payload_differs_from_the_others() -> None:
    assert len({payload for _, payload in PAYLOADS}) == len(PAYLOADS)
    cases = [payload for _, payload in mutations(b"<rss><item>2</item></rss>")]
    assert len(set(cases)) >= len(cases) - 1
