"""The contract of an enricher: the same text gets the same labels, and no text makes it fail.

class TestLexiconContract(EnricherContract):
    enricher = LexiconEnricher
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import msgspec
import pytest

from hub.core.keys import signal_key
from hub.core.model import Label, Signal
from hub.sdk.connectors import Connector, Enricher
from hub.testkit.contracts.hostile import TEXTS
from hub.testkit.contracts.manners import ConnectorContract
from hub.testkit.contracts.means.witness import impurities, secrets_of, spilt, watching
from hub.testkit.fakes import START, FakeClock

_LANGUAGES = (None, "en", "EN", "en-US", "zh-Hant", "xx", "", "\0", "a language of no code")
_MANY = 70
_BEGINNING = "It came on Monday. " * 8
_ODD: Sequence[Mapping[str, Any]] = (
    {"title": "Only a title"},
    {"html": "<p>Only markup</p>"},
    {"kind": "repost"},
    {"text": "No way back", "url": None, "visibility": "direct"},
)


def signal_of(text: str, *, lang: str | None = None) -> Signal:
    """Return a public post with this text."""
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
    """Subclass it with `enricher` and, if it needs them, `options`; `tolerance` is for scores of models that batch."""

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
        """Return the enricher."""
        return cls.enricher

    @classmethod
    def given_options(cls) -> dict[str, Any]:
        """Return `options` as a dict."""
        return dict(cls.options)

    @pytest.fixture
    def loaded(self) -> Enricher[Any]:
        """Return an enricher with its models, loaded once a class."""
        cls = type(self)
        if "_loaded" not in vars(cls):
            cls._loaded = self.make()
        return cls._loaded

    def make(self) -> Enricher[Any]:
        """Return an enricher with its models."""
        made = self.enricher(self.enricher.Options.model_validate(self.given_options()))
        made.load()
        return made

    def signals(self) -> list[Signal]:
        """Return the texts as signals."""
        return [signal_of(text) for text in self.texts]

    def labels_of(self, enricher: Enricher[Any], signals: Sequence[Signal]) -> list[tuple[Label, ...]]:
        """Enrich a batch; checks that each signal has a tuple of its own, and that the batch is as it was."""
        given = list(signals)
        before = copy.deepcopy(given)
        try:
            found = enricher.enrich(given)
        except (AssertionError, UnicodeError):
            raise
        except Exception as error:
            raise AssertionError(
                f"enrich lets a bug out ({type(error).__name__}: {error}): the whole batch has no labels"
            ) from error
        assert isinstance(found, list), f"enrich gives {type(found).__name__}, the engine wants a list"
        assert len(found) == len(given) == len(before), (
            f"{len(found)} tuples for {len(before)} signals: each gets one, an empty one where there is nothing to say; else "
            "labels slip to other posts"
        )
        assert given == before, "enrich changed the batch that it was given"
        for labels in found:
            assert isinstance(labels, tuple), f"labels are {type(labels).__name__}, the engine wants a tuple a signal"
            twice = [name for name, count in Counter(label.name for label in labels).items() if count > 1]
            assert not twice, f"{twice} are said twice of one signal: which one holds?"
        return found

    def test_labels_are_declared(self) -> None:
        """The names that rules may ask for."""
        labels = self.enricher.labels
        assert isinstance(labels, tuple), "labels is a tuple: a bare string is read letter by letter"
        assert labels, "it declares no label"
        assert all(isinstance(name, str) and name for name in labels), f"{labels} are no names"

    def test_each_signal_gets_one_tuple_in_order(self, loaded: Enricher[Any]) -> None:
        """Also an empty batch."""
        assert self.labels_of(loaded, []) == []
        found = self.labels_of(loaded, self.signals())
        assert any(found), "no text got a label"

    def test_a_large_batch_is_labelled_to_its_end(self, loaded: Enricher[Any]) -> None:
        """As the engine sends it: many signals, with the same text again and again."""
        signals = self.signals()
        many = (signals * (_MANY // len(signals) + 1))[:_MANY]
        alone = self.labels_of(loaded, signals)
        for place, labels in enumerate(self.labels_of(loaded, many)):
            self.assert_alike(labels, alone[place % len(signals)])

    def test_what_came_before_changes_nothing(self, loaded: Enricher[Any]) -> None:
        """It learns nothing from a batch, and forgets nothing."""
        signals = self.signals()
        first = self.labels_of(loaded, signals)
        for text in ("another " * 50, "!!!", ""):
            self.labels_of(loaded, [signal_of(text)] * 5)
        for one, two in zip(first, self.labels_of(loaded, signals), strict=True):
            self.assert_alike(one, two)

    def test_who_said_it_and_where_changes_nothing(self, loaded: Enricher[Any]) -> None:
        """The same text gets the same labels: a key, an author, a moment are none of its words."""
        for signal in self.signals():
            other = msgspec.structs.replace(
                signal, key=signal_key("test", "another"), native_id="2", author_key=signal_key("test", "someone")
            )
            (one,), (two,) = self.labels_of(loaded, [signal]), self.labels_of(loaded, [other])
            self.assert_alike(one, two)

    @pytest.mark.parametrize("lang", _LANGUAGES, ids=repr)
    def test_no_language_makes_it_fail(self, loaded: Enricher[Any], lang: str | None) -> None:
        """Networks write them in every way."""
        signals = [msgspec.structs.replace(signal, lang=lang) for signal in self.signals()]
        for labels in self.labels_of(loaded, signals):
            for label in labels:
                self.assert_valid(label)

    def test_a_signal_of_little_is_no_trouble(self, loaded: Enricher[Any]) -> None:
        """A picture without a word, a title alone, markup beside the text."""
        bare = signal_of("")
        odd = [bare, *(msgspec.structs.replace(bare, **more) for more in _ODD)]
        for labels in self.labels_of(loaded, odd):
            for label in labels:
                self.assert_valid(label)

    def test_judging_opens_no_connection_and_throws_no_dice(self, loaded: Enricher[Any]) -> None:
        """Unless it says which hosts it asks: `egress_hosts`."""
        asked = [
            one for one in impurities(lambda: loaded.enrich(self.signals())) if one.startswith(("socket", "random"))
        ]
        assert not asked or self.enricher.egress_hosts, (
            f"enrich asks {asked}: the same text must always get the same labels"
        )

    def test_no_secret_and_no_text_is_logged(self, loaded: Enricher[Any]) -> None:
        """What people say to us stands in no log."""
        with watching(FakeClock()) as seen:
            self.labels_of(loaded, self.signals())
        assert not spilt(secrets_of(loaded.options), seen.told()), "a log line tells a secret"
        told = [signal.text for signal in self.signals() if len(signal.text) > 20 and signal.text in seen.told()]
        assert not told, f"a log line holds what was said: {told[0][:40]!r}"

    def test_labels_are_among_those_declared_and_in_range(self, loaded: Enricher[Any]) -> None:
        """Scores in [-1, 1], confidence in [0, 1], the model is named."""
        for labels in self.labels_of(loaded, self.signals()):
            for label in labels:
                self.assert_valid(label)

    def test_the_same_text_gets_the_same_labels_whatever_its_neighbours(self, loaded: Enricher[Any]) -> None:
        """Alone, in any order, and beside a very long text."""
        signals = self.signals()
        together = self.labels_of(loaded, signals)
        backwards = self.labels_of(loaded, signals[::-1])[::-1]
        beside = self.labels_of(loaded, [*signals, signal_of("long " * 5_000)])[: len(signals)]
        for signal, *ways in zip(signals, together, backwards, beside, strict=True):
            for way in ways:
                self.assert_alike(way, loaded.enrich([signal])[0])

    def test_a_second_instance_says_the_same(self, loaded: Enricher[Any]) -> None:
        """No dice, no clock, no memory: also where it hears the same in another order, and texts that begin alike."""
        signals = [*self.signals(), *(signal_of(f"{_BEGINNING}{end}") for end in self.texts[:2])]
        backwards = self.make().enrich(signals[::-1])[::-1]
        for one, two in zip(loaded.enrich(signals), backwards, strict=True):
            self.assert_alike(one, two)

    @pytest.mark.parametrize("text", [text for _, text in TEXTS], ids=[name for name, _ in TEXTS])
    def test_no_text_makes_it_fail(self, loaded: Enricher[Any], text: str) -> None:
        """One bad text must not cost its batch the labels."""
        usual = self.signals()[0]
        found = self.labels_of(loaded, [usual, signal_of(text), usual])
        self.assert_alike(found[0], found[2])
        for label in found[1]:
            self.assert_valid(label)

    def assert_valid(self, label: Label) -> None:
        """Check that a label is declared, named after its model, in range, and survives JSON."""
        assert isinstance(label, Label), f"{label!r} is no Label"
        assert label.name in self.enricher.labels, f"{label.name} is not declared: add it to `labels`"
        assert isinstance(label.value, str), f"the value {label.value!r} of {label.name} is no text"
        assert label.value, f"{label.name} has no value"
        assert label.model, f"{label.name} names no model: an old label could not be told from a new one"
        assert label.by == "enricher", "only people say `person`"
        for name, value, least in (("score", label.score, -1), ("confidence", label.confidence, 0)):
            assert value is None or isinstance(value, int | float), f"{name} of {label.name} is {value!r}"
            assert value is None or least <= value <= 1, f"{name} of {label.name} is {value}, outside [{least}, 1]"
        assert msgspec.json.decode(msgspec.json.encode(label), type=Label) == label, "a label does not survive JSON"

    def assert_alike(self, one: Sequence[Label], other: Sequence[Label]) -> None:
        """Check for the same names and values, scores within `tolerance`."""
        said = [[(label.name, label.value, label.model, label.version) for label in labels] for labels in (one, other)]
        assert said[0] == said[1], f"the same text is {said[0]} and {said[1]}: replay and explanation rest on it"
        for left, right in zip(one, other, strict=True):
            assert left.score == pytest.approx(right.score, abs=self.tolerance)
            assert left.confidence == pytest.approx(right.confidence, abs=self.tolerance)
