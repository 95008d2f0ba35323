"""Records of people and accounts after a link is gone: what they said of one who is no longer theirs is emptied."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hub.core.grammar.facts import STANDING
from hub.core.mapping import CompiledMapping

EMPTY = ""
"""What destinations take for "no value"; a field that is left out stays there as it was."""


def standing_fields(mapping: CompiledMapping) -> tuple[str, ...]:
    """Return the fields of a mapping that tell how a person or account stands: mood, counts, the last word."""
    texts = {name: how.from_ or how.template or "" for name, how in mapping.spec.fields.items()}
    paths = tuple(f"{root}.{fact}" for root in ("person", "account") for fact in STANDING)
    return tuple(name for name, text in texts.items() if any(path in text for path in paths))


def restated(then: Mapping[str, Any], now: Mapping[str, Any] | None, mapping: CompiledMapping) -> dict[str, Any]:
    """Return the fields of a record as they are now; `then` is what was written last, `now` is None if nothing makes it.

    What told how the person or account stood, and is not known any more, is emptied.
    """
    fields = dict(then if now is None else now)
    for name in standing_fields(mapping):
        if then.get(name) not in (None, EMPTY) and (now is None or name not in now):
            fields[name] = EMPTY
    return fields
