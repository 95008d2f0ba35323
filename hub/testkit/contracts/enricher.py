"""The contract of an enricher: the same text gets the same labels, and no text makes it fail.

class TestLexiconContract(EnricherContract):
    enricher = LexiconEnricher
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import pytest

from hub.core.keys import signal_key
from hub.core.model import Label, Signal
from hub.sdk.connectors import Connector, Enricher
from hub.testkit.contracts.hostile import TEXTS
from hub.testkit.contracts.manners import ConnectorContract
from hub.testkit.fakes import START


def signal_of(text: str, *, lang: str | None = None) -> Signal:
    """A public post with this text."""
    return Signal(
        key=signal_key("test", text[:100]),
        network="test",
        native_id="1",
        kind="post",
        text=text,
        author_key=None,
        published_at=START,
        observed_at=START,
        lang=lang,
    )


class EnricherContract(ConnectorContract):
    """Subclass it with `enricher` and, where it needs them, `options`; `tolerance` is for scores of models that batch."""

    enricher: ClassVar[type[Enricher[Any]]]
    options: ClassVar[Mapping[str, Any]] = {}
    tolerance: ClassVar[float] = 0.0
    _loaded: ClassVar[Enricher[Any]]
    texts: ClassVar[Sequence[str]] = (
        "I love this, thank you so much!",
        "The worst service I have ever seen, never again.",
        "Die Lieferung kam heute an.",
        "La livraison est en retard, c'est inadmissible !",
        "ok",
        "😀",
        "Where can I find the manual? " * 40,
    )

    @classmethod
    def connector(cls) -> type[Connector[Any]]:
        """The enricher."""
        return cls.enricher

    @classmethod
    def given_options(cls) -> dict[str, Any]:
        """`options` as a dict."""
        return dict(cls.options)

    @pytest.fixture
    def loaded(self) -> Enricher[Any]:
        """An enricher with its models, loaded once a class."""
        cls = type(self)
        if "_loaded" not in vars(cls):
            cls._loaded = self.make()
        return cls._loaded

    def make(self) -> Enricher[Any]:
        """An enricher with its models."""
        made = self.enricher(self.enricher.Options.model_validate(self.given_options()))
        made.load()
        return made

    def signals(self) -> list[Signal]:
        """The texts as signals."""
        return [signal_of(text) for text in self.texts]

    def test_each_signal_gets_one_tuple_in_order(self, loaded: Enricher[Any]) -> None:
        """Also an empty batch."""
        assert loaded.enrich([]) == []
        found = loaded.enrich(self.signals())
        assert len(found) == len(self.texts)
        assert any(found), "no text got a label"

    def test_labels_are_among_those_declared_and_in_range(self, loaded: Enricher[Any]) -> None:
        """Scores in [-1, 1], confidence in [0, 1], the model is named."""
        for labels in loaded.enrich(self.signals()):
            for label in labels:
                self.assert_valid(label)

    def test_the_same_text_gets_the_same_labels_whatever_its_neighbours(self, loaded: Enricher[Any]) -> None:
        """Alone, in any order, and beside a very long text."""
        signals = self.signals()
        together = loaded.enrich(signals)
        backwards = loaded.enrich(signals[::-1])[::-1]
        beside = loaded.enrich([*signals, signal_of("long " * 5_000)])[: len(signals)]
        for signal, *ways in zip(signals, together, backwards, beside, strict=True):
            for way in ways:
                self.assert_alike(way, loaded.enrich([signal])[0])

    def test_a_second_instance_says_the_same(self, loaded: Enricher[Any]) -> None:
        """No dice, no clock, no memory."""
        for one, two in zip(loaded.enrich(self.signals()), self.make().enrich(self.signals()), strict=True):
            self.assert_alike(one, two)

    @pytest.mark.parametrize("text", [text for _, text in TEXTS], ids=[name for name, _ in TEXTS])
    def test_no_text_makes_it_fail(self, loaded: Enricher[Any], text: str) -> None:
        """One bad text must not cost its batch the labels."""
        usual = self.signals()[0]
        found = loaded.enrich([usual, signal_of(text), usual])
        assert len(found) == 3
        self.assert_alike(found[0], found[2])
        for label in found[1]:
            self.assert_valid(label)

    def assert_valid(self, label: Label) -> None:
        """A label is declared, named after its model, and in range."""
        assert label.name in self.enricher.labels, f"{label.name} is not declared"
        assert label.value
        assert label.model
        assert label.by == "enricher"
        assert label.score is None or -1 <= label.score <= 1
        assert label.confidence is None or 0 <= label.confidence <= 1

    def assert_alike(self, one: Sequence[Label], other: Sequence[Label]) -> None:
        """The same names and values, scores within `tolerance`."""
        assert [(label.name, label.value, label.model) for label in one] == [
            (label.name, label.value, label.model) for label in other
        ]
        for left, right in zip(one, other, strict=True):
            assert left.score == pytest.approx(right.score, abs=self.tolerance)
            assert left.confidence == pytest.approx(right.confidence, abs=self.tolerance)
