"""Values for the tests of the core: a post, its author, and short ways to write specs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import regex

from hub.core.mapping import CompiledMapping, compile_mapping
from hub.core.model import Author, Signal
from hub.core.pipeline import facts
from hub.core.route import RuleSet, compile_rules
from hub.core.spec import MappingSpec, Rule

NOW = datetime(2026, 5, 4, 10, 11, 12, tzinfo=UTC)


def signal(text: str = "Acme is late again", **changes: Any) -> Signal:
    """A public post of today."""
    values: dict[str, Any] = {
        "key": "mastodon:post",
        "network": "mastodon",
        "native_id": "https://social.example/1",
        "kind": "post",
        "author_key": "mastodon:ada",
        "published_at": NOW,
        "observed_at": NOW,
    }
    return Signal(**values | {"text": text} | changes)


def author(**changes: Any) -> Author:
    """The post's author."""
    values: dict[str, Any] = {"key": "mastodon:ada", "network": "mastodon", "native_id": "1", "handle": "ada"}
    return Author(**values | changes)


def mapping(name: str = "signal", labels: tuple[str, ...] = (), **spec: Any) -> CompiledMapping:
    """A compiled mapping from what its TOML says."""
    return compile_mapping(msgspec.convert({"object": "Post"} | spec, MappingSpec), name=name, labels=labels)


def rules(*when: str, labels: tuple[str, ...] = ()) -> RuleSet:
    """One rule with these conditions."""
    return compile_rules([Rule("rule", when)], labels=labels)


def known(text: str = "Acme is late again", **changes: Any) -> dict[str, Any]:
    """The facts of a post."""
    return facts(signal(text, **changes), author(), [])


def is_boundary(text: str, index: int) -> bool:
    """True if a grapheme ends before `text[index]`; the ends of the text are boundaries, halves of a pair have none between."""
    pair = "\ud800" <= text[index - 1 : index] <= "\udbff" and "\udc00" <= text[index : index + 1] <= "\udfff"
    return not pair and (index == 0 or any(found.end() == index for found in regex.finditer(r"\X", text)))
