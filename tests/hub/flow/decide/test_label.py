"""Labels for texts from anywhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.core.errors import ConfigError, UnknownPlugin
from hub.core.model import Label, Signal
from hub.flow.decide.label import BATCH, label_lines, labellers
from hub.registry import Plugin
from hub.sdk.connectors import Enricher, Options
from tests.hubs import NOON, FakeRegistry, Mood


class Spoken(Enricher[Options]):
    """Everything is German."""

    name = "language"
    labels = ("language",)
    loads = 0

    def load(self) -> None:
        Spoken.loads += 1

    def enrich(self, signals: Sequence[Signal]) -> list[tuple[Label, ...]]:
        return [(Label("language", "de", "spoken"),) for _ in signals]


class Echo(Enricher[Options]):
    """Says in which language it was asked, and how many at once."""

    name = "flair"
    labels = ("sentiment",)

    def enrich(self, signals: Sequence[Signal]) -> list[tuple[Label, ...]]:
        return [(Label("sentiment", signal.lang or "none", str(len(signals))),) for signal in signals]


def plugin(cls: type[Enricher[Any]], name: str = "") -> Plugin:
    return Plugin(name or cls.name, "tests", "1", enrichers={name or cls.name: cls})


REGISTRY = FakeRegistry([plugin(Spoken), plugin(Echo), plugin(Mood), plugin(Mood, "lexicon")])


def said(*lines: bytes, enrichers: Sequence[Enricher[Any]] = ()) -> list[tuple[int, Any]]:
    return list(label_lines(lines, list(enrichers) or [Mood(Options())], now=NOON))


def test_a_line_keeps_what_it_holds_and_gets_its_labels() -> None:
    ((number, found),) = said(b'{"text": "I love it", "id": 7}')
    assert (number, found["text"], found["id"]) == (1, "I love it", 7)
    (label,) = found["labels"]
    assert label == {
        "name": "sentiment",
        "value": "positive",
        "score": 1.0,
        "confidence": 0.9,
        "model": "mood",
        "version": "1",
    }


def test_numbers_are_those_of_the_file_and_empty_lines_are_passed_over() -> None:
    assert [number for number, _ in said(b'{"text": "a"}', b"", b"  \n", b'{"text": "b"}')] == [1, 4]


@pytest.mark.parametrize(
    "line",
    [
        b"no JSON",
        b"[1]",
        b'"text"',
        b"{}",
        b'{"text": 7}',
        b'{"text": null}',
        b'{"text": "a", "lang": 3}',
        b"\xff",
        b"[" * 100_000,
    ],
)
def test_a_broken_line_is_told_and_the_others_are_labelled(line: bytes) -> None:
    (_, good), (number, reason) = said(b'{"text": "I hate it"}', line)
    assert good["labels"][0]["value"] == "negative"
    assert (number, reason.startswith("no JSON object with a text")) == (2, True)


def test_the_language_of_one_enricher_is_known_to_the_next() -> None:
    ((_, found),) = said(b'{"text": "a"}', enrichers=[Spoken(Options()), Echo(Options())])
    assert [label["value"] for label in found["labels"]] == ["de", "de"]


def test_a_language_that_the_line_gives_is_kept() -> None:
    ((_, found),) = said(b'{"text": "a", "lang": "fr"}', enrichers=[Spoken(Options()), Echo(Options())])
    assert [label["value"] for label in found["labels"]] == ["de", "fr"]


def test_lines_go_in_batches_and_stay_in_order() -> None:
    lines = [b'{"text": "%d"}' % number for number in range(BATCH + 3)]
    found = said(*lines, enrichers=[Echo(Options())])
    assert [int(one["text"]) for _, one in found] == list(range(BATCH + 3))
    assert [one["labels"][0]["model"] for _, one in found[-3:]] == ["3"] * 3


@given(st.lists(st.text(), max_size=5))
def test_any_text_is_labelled(texts: list[str]) -> None:
    lines = [msgspec.json.encode({"text": text.encode("utf-8", "replace").decode()}) for text in texts]
    assert [number for number, one in said(*lines) if isinstance(one, dict)] == list(range(1, len(texts) + 1))


# -------------------------------------------------------------------------------------------------- which enrichers

Configure = Callable[[str], Path]


@pytest.fixture
def configure(tmp_path: Path) -> Configure:
    def write(text: str) -> Path:
        file = tmp_path / "config.toml"
        file.write_text(text)
        return file

    return write


def names(found: Sequence[Enricher[Any]]) -> list[str]:
    return [type(one).__name__ for one in found]


def test_without_a_configuration_the_usual_ones_serve(tmp_path: Path) -> None:
    assert names(labellers(tmp_path / "none.toml", REGISTRY)) == ["Spoken", "Echo"]


def test_without_flair_the_lexicon_serves(tmp_path: Path) -> None:
    registry = FakeRegistry([plugin(Spoken), plugin(Mood, "lexicon")])
    assert names(labellers(tmp_path / "none.toml", registry)) == ["Spoken", "Mood"]


def test_a_configurations_enrichers_serve_language_first_and_those_that_are_off_do_not(configure: Configure) -> None:
    file = configure(
        '[enrichers.a]\nplugin = "mood"\n[enrichers.b]\nplugin = "language"\n'
        '[enrichers.c]\nplugin = "flair"\nenabled = false\n'
    )
    assert names(labellers(file, REGISTRY)) == ["Spoken", "Mood"]


def test_one_plugin_may_be_asked_for_alone(configure: Configure) -> None:
    assert names(labellers(configure('[enrichers.a]\nplugin = "mood"\n'), REGISTRY, only="flair")) == ["Echo"]


def test_models_are_loaded_before_the_first_line(tmp_path: Path) -> None:
    before = Spoken.loads
    labellers(tmp_path / "none.toml", REGISTRY, only="language")
    assert Spoken.loads == before + 1


def test_an_unknown_plugin_is_told(tmp_path: Path) -> None:
    with pytest.raises(UnknownPlugin, match="no installed package"):
        labellers(tmp_path / "none.toml", REGISTRY, only="nobody")


def test_an_unknown_option_is_told(configure: Configure) -> None:
    with pytest.raises(ConfigError, match=r"enrichers\.a\.options\.speed"):
        labellers(configure('[enrichers.a]\nplugin = "mood"\noptions.speed = 3\n'), REGISTRY)
