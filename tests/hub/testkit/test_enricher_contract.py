"""The contract of enrichers passes a well-made one and catches each kind of careless one."""

from __future__ import annotations

import logging
import random
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hub import Label, Signal
from hub.testkit.contracts import EnricherContract
from tests.hub.testkit import toy
from tests.hub.testkit.trial import assert_caught

Found = list[tuple[Label, ...]]
COUNTED = "test_each_signal_gets_one_tuple_in_order"
VALID = "test_labels_are_among_those_declared_and_in_range"
TEXTS = "test_no_text_makes_it_fail"
ALIKE = "test_the_same_text_gets_the_same_labels_whatever_its_neighbours"


class TestToyEnricher(EnricherContract):
    """The whole suite over a good enricher."""

    enricher = toy.ToyEnricher

    @classmethod
    def readme(cls) -> Path:
        return Path(toy.__file__)


def enriching(change: Callable[[Found, Sequence[Signal]], Any]) -> type[toy.ToyEnricher]:
    """An enricher whose answer is changed."""

    class Changed(toy.ToyEnricher):
        def enrich(self, signals: Sequence[Signal]) -> Found:
            return change(super().enrich(signals), signals)  # type: ignore[no-any-return]  # careless on purpose

    return Changed


def saying(**fields: Any) -> type[toy.ToyEnricher]:
    """An enricher whose labels have these fields."""
    return enriching(
        lambda found, _: [tuple(msgspec.structs.replace(one, **fields) for one in labels) for labels in found]
    )


class Learning(toy.ToyEnricher):
    """Grows louder with what it has heard."""

    def load(self) -> None:
        self.heard = 0

    def enrich(self, signals: Sequence[Signal]) -> Found:
        self.heard += len(signals)
        return [(Label("loudness", "loud" if self.heard > 12 else "calm", "toy"),) for _ in signals]


def remembering(name: Callable[[Signal], str]) -> type[toy.ToyEnricher]:
    """An enricher that keeps what it said under a name that is not the whole text."""

    class Remembering(toy.ToyEnricher):
        def load(self) -> None:
            self.said: dict[str, tuple[Label, ...]] = {}

        def enrich(self, signals: Sequence[Signal]) -> Found:
            return [self.said.setdefault(name(one), self._judge(one.text)) for one in signals]

    return Remembering


class Dicing(toy.ToyEnricher):
    """Throws dice when it is made."""

    def load(self) -> None:
        self.luck = random.random()

    def enrich(self, signals: Sequence[Signal]) -> Found:
        return [(Label("loudness", "loud", "toy", score=self.luck),) for _ in signals]


class Tripping(toy.ToyEnricher):
    """Falls over a language that it does not know."""

    def enrich(self, signals: Sequence[Signal]) -> Found:
        known = {None: 1, "en": 2, "EN": 3}
        return [self._judge(signal.text) for signal in signals if known[signal.lang]]


class Fragile(toy.ToyEnricher):
    """Falls over a text."""

    def _judge(self, text: str) -> tuple[Label, ...]:
        if "\0" in text:
            raise ValueError("a NUL")
        return super()._judge(text)


class Talking(toy.ToyEnricher):
    """Logs what people say."""

    def _judge(self, text: str) -> tuple[Label, ...]:
        logging.getLogger("toy").info("judging %s", text)
        return super()._judge(text)


class Asking(toy.ToyEnricher):
    """Asks a service that it does not name."""

    def enrich(self, signals: Sequence[Signal]) -> Found:
        with suppress(OSError), socket.socket() as door:
            door.settimeout(0.01)
            door.connect(("127.0.0.1", 9))
        return super().enrich(signals)


class Undeclared(toy.ToyEnricher):
    """Says what it never declared."""

    labels = ("volume",)


class Unnamed(toy.ToyEnricher):
    """Declares a bare text."""

    labels = "loudness"  # type: ignore[assignment]  # careless on purpose


def sorted_in_place(found: Found, signals: Sequence[Signal]) -> Found:
    signals.sort(key=lambda one: one.text)  # type: ignore[attr-defined]  # careless on purpose
    return found


def once_a_text(found: Found, signals: Sequence[Signal]) -> Found:
    """One tuple a text instead of a signal."""
    return [
        labels
        for (labels, _) in {
            signal.text: (labels, signal) for labels, signal in zip(found, signals, strict=True)
        }.values()
    ]


CARELESS = [
    (enriching(lambda found, _: found[:-1]), COUNTED),
    (enriching(lambda found, _: [one for one in found if one]), TEXTS),
    (enriching(lambda found, _: [*found, ()]), COUNTED),
    (enriching(lambda found, _: found[:32]), "test_a_large_batch_is_labelled_to_its_end"),
    (enriching(once_a_text), "test_a_large_batch_is_labelled_to_its_end"),
    (enriching(lambda found, _: iter(found)), COUNTED),
    (enriching(lambda found, _: [list(one) for one in found]), COUNTED),
    (enriching(lambda found, _: [one + one for one in found]), COUNTED),
    (enriching(lambda found, _: found[::-1]), ALIKE),
    (enriching(sorted_in_place), COUNTED),
    (enriching(lambda found, signals: [() for _ in signals]), COUNTED),
    (saying(score=7.0), VALID),
    (saying(score=float("nan")), VALID),
    (saying(confidence=-0.1), VALID),
    (saying(value=""), VALID),
    (saying(value=7), VALID),
    (saying(model=""), VALID),
    (saying(by="person"), VALID),
    (saying(score="0.5"), VALID),
    (
        enriching(
            lambda found, signals: [(Label("loudness", "loud", "toy", score=1 / len(signals)),) for _ in signals]
        ),
        ALIKE,
    ),
    (
        enriching(lambda found, signals: [(Label("loudness", one.key, "toy"),) for one in signals]),
        "test_who_said_it_and_where_changes_nothing",
    ),
    (
        enriching(lambda found, signals: [(Label("loudness", "loud", "toy", score=random.random()),) for _ in signals]),
        ALIKE,
    ),
    (
        enriching(lambda found, signals: found if random.random() >= 0 else []),
        "test_judging_opens_no_connection_and_throws_no_dice",
    ),
    (Dicing, "test_a_second_instance_says_the_same"),
    (remembering(lambda one: one.native_id), "test_a_second_instance_says_the_same"),
    (remembering(lambda one: one.key), "test_a_second_instance_says_the_same"),
    (remembering(lambda one: one.text[:100]), "test_a_second_instance_says_the_same"),
    (Learning, "test_what_came_before_changes_nothing"),
    (Tripping, "test_no_language_makes_it_fail"),
    (Fragile, TEXTS),
    (Talking, "test_no_secret_and_no_text_is_logged"),
    (Asking, "test_judging_opens_no_connection_and_throws_no_dice"),
    (Undeclared, VALID),
    (Unnamed, "test_labels_are_declared"),
]


@pytest.mark.long
@pytest.mark.parametrize(("cls", "test"), CARELESS, ids=[f"{place} {test}" for place, (_, test) in enumerate(CARELESS)])
def test_a_careless_enricher_is_caught(cls: type[toy.ToyEnricher], test: str) -> None:
    assert_caught(type("Careless", (TestToyEnricher,), {"enricher": cls}), test)
