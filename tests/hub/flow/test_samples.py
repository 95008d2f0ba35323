"""What a mapping would write, held against what fields take."""

from __future__ import annotations

from typing import Any

import pytest

from hub.core.spec import FieldSpec
from hub.flow.samples import misfit, value_misfits
from hub.sdk.traits import FieldInfo, ObjectInfo
from tests.hub.core.given import mapping

STARS = FieldSpec(from_="signal.rating.value")
AT = FieldSpec(from_="signal.published_at")
NETWORK = {"mastodon": "Mastodon"}


def told(how: FieldSpec, **field: Any) -> list[str]:
    """What is wrong with one field of a mapping."""
    info = ObjectInfo("Post", {"it": FieldInfo("it", **field)})
    return list(value_misfits(mapping(fields={"it": how}), info))


@pytest.mark.parametrize(
    ("how", "field", "message"),
    [
        (AT, {"type": "date"}, "takes a date without a time"),
        (FieldSpec(from_="signal.text"), {"type": "datetime"}, "takes a time"),
        (FieldSpec(from_="author.verified"), {"type": "datetime"}, "takes a time"),
        (FieldSpec(from_="signal.text"), {"type": "number"}, "takes a number, the mapping gives 'ww"),
        (FieldSpec(from_="author.verified"), {"type": "integer"}, "takes a whole number, the mapping gives True"),
        (
            FieldSpec(from_="labels.sentiment.score"),
            {"type": "integer"},
            "takes a whole number, the mapping gives -0.5",
        ),
        (FieldSpec(template="a;c"), {"values": ("a", "b")}, "takes one of a, b, the mapping gives 'a;c'"),
        (FieldSpec(from_="author.followers"), {"type": "boolean"}, "takes true or false, the mapping gives 1200"),
        (
            FieldSpec(from_="signal.text"),
            {"max_length": 255},
            "takes 255 characters, the mapping gives up to 100000: limit = 255",
        ),
        (FieldSpec(from_="signal.text", limit=300), {"max_length": 255}, "the mapping gives up to 300: limit = 255"),
        (FieldSpec(template="{{ signal.title }}!"), {"max_length": 80}, "the mapping gives up to 1001: limit = 80"),
        (FieldSpec(from_="signal.url"), {"type": "url", "max_length": 255}, "leave a longer address out"),
        (FieldSpec(from_="signal.kind"), {"values": ("post", "reply")}, "takes one of post, reply, the mapping gives"),
        (FieldSpec(from_="signal.network", table=NETWORK), {"values": ("X",)}, "gives 'Mastodon'"),
        (FieldSpec(from_="labels.sentiment.value"), {"values": ("positive", "negative")}, "gives 'neutral'"),
        (
            FieldSpec(from_="signal.network"),
            {"values": ("mastodon",)},
            "gives 'forum': add it there, or use table and default",
        ),
    ],
)
def test_a_value_that_a_field_does_not_take_is_told(how: FieldSpec, field: dict[str, Any], message: str) -> None:
    (said,) = told(how, **field)
    assert said.startswith("'Post.it' takes")
    assert message in said


@pytest.mark.parametrize(
    ("how", "field"),
    [
        (FieldSpec(template="a;b"), {"values": ("a", "b")}),
        (FieldSpec(from_="signal.rating.value"), {"type": "integer"}),
        (FieldSpec(template="{{ signal.published_at[:10] }}"), {"type": "date"}),
        (AT, {"type": "datetime"}),
        (STARS, {"type": "number"}),
        (FieldSpec(template="{{ author.followers }}"), {"type": "number"}),
        (FieldSpec(from_="author.verified"), {"type": "boolean"}),
        (FieldSpec(from_="signal.text", limit=255), {"max_length": 255}),
        (FieldSpec(template="{{ signal.url if (signal.url or '') | length <= 255 else '' }}"), {"max_length": 255}),
        (FieldSpec(from_="signal.conversation_key"), {"max_length": 64}),
        (FieldSpec(from_="signal.network", table=NETWORK, default="Other"), {"values": ("Mastodon", "Other")}),
        (FieldSpec(from_="topics"), {"values": ("acme",)}),
        (FieldSpec(from_="signal.text"), {"type": "text"}),
    ],
)
def test_a_value_that_fits_is_not_told(how: FieldSpec, field: dict[str, Any]) -> None:
    assert told(how, **field) == []


def test_a_key_that_is_not_unique_there_is_told_where_uniqueness_is_known() -> None:
    spec = mapping(fields={"it": STARS}, key_field="key")
    fields = {"key": FieldInfo("key"), "other": FieldInfo("other", unique=True)}
    assert "is not unique there" in next(value_misfits(spec, ObjectInfo("Post", fields)))
    assert list(value_misfits(spec, ObjectInfo("Post", {"key": FieldInfo("key")}))) == []


def test_a_list_is_the_plugins_to_write() -> None:
    assert misfit(["a"], FieldInfo("it", "number")) == ""
