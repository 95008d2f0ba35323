"""The default mappings: their own tests, and that their records land."""

from __future__ import annotations

import tomllib
from typing import Any

import msgspec
import pytest

from hub.core.grammar.facts import merge, skeleton
from hub.core.mapping import CompiledMapping, Mapped, compile_mapping
from hub.core.spec import MappingSpec
from hub.sdk.connectors import ObjectInfo
from tests.material import ROOT
from tests.plugins.zendesk.conftest import Stand, delivery

NAMES = ["author", "comment", "signal", "ticket"]


def read(name: str) -> CompiledMapping:
    data = tomllib.loads((ROOT / "mappings" / "zendesk" / f"{name}.toml").read_text(encoding="utf-8"))
    return compile_mapping(msgspec.convert(data, MappingSpec), name=name, file=f"mappings/zendesk/{name}.toml")


@pytest.mark.parametrize("name", NAMES)
def test_a_default_mapping_passes_its_own_tests(name: str) -> None:
    results = read(name).run_tests()
    assert results
    assert [(result.name, result.got, result.want) for result in results if not result.passed] == []


@pytest.mark.parametrize("name", NAMES)
def test_a_default_mapping_writes_only_fields_that_exist(stand: Stand, name: str) -> None:
    spec = read(name).spec
    found: ObjectInfo = stand.destination.describe(stand.ctx)[spec.object]
    assert [field for field in spec.fields if field not in found.fields or not found.fields[field].writable] == []


FACTS: dict[str, Any] = merge(
    {
        "signal": {
            "text": "It broke 🙁\nagain",
            "network": "mastodon",
            "url": "https://example.social/1",
            "kind": "post",
        },
        "author": {
            "key": "mastodon:abc",
            "network": "mastodon",
            "display_name": "Ann",
            "followers": 5,
            "verified": True,
        },
        "labels": {"sentiment": {"value": "negative", "score": -0.9}},
        "topics": ["acme pay"],
        "rule": {"name": "complaints"},
        "hub": {"url": "https://hub.example/s/1"},
        "conversation": {},
        "stats": {"signals_30d": 3, "sentiment_mean_30d": -0.4},
    },
    skeleton(),
)


@pytest.mark.parametrize("name", NAMES)
def test_what_a_default_mapping_makes_lands(stand: Stand, name: str) -> None:
    mapping = read(name)
    made = mapping.apply(FACTS)
    assert isinstance(made, Mapped)
    stand.deliver(delivery(1, "create"))
    one = delivery(2, mapping.spec.operation, object=mapping.spec.object, fields=made.fields)
    (outcome,) = stand.deliver(one)
    assert outcome.error is None
