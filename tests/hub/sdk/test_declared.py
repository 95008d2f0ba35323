"""What connectors declare about themselves: what the engine cannot use is told when they are made."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from hub.sdk.connectors import Options, ReplyRules, Upsert
from hub.sdk.declared import misdeclared
from tests.hubs import LineSource, Memo

MISTAKES: dict[str, tuple[type[LineSource] | type[Memo], str, Any]] = {
    "a pause in seconds": (LineSource, "interval", 60),
    "a pause that is negative": (LineSource, "interval", timedelta(seconds=-1)),
    "a pause without an end": (LineSource, "interval", timedelta.max),
    "no duty": (LineSource, "compliance", None),
    "a duty in words": (LineSource, "compliance", "24 hours"),
    "posts a call as a text": (LineSource, "recheck_size", "50"),
    "rules for replies in words": (LineSource, "reply_rules", "yes"),
    "a length for replies in words": (LineSource, "reply_rules", ReplyRules("500")),  # type: ignore[arg-type]
    "a window for replies in words": (LineSource, "reply_rules", ReplyRules(500, "1 day")),  # type: ignore[arg-type]
    "a class in place of what is made of it": (LineSource, "reply_idempotency", Upsert),
    "one capability in place of many": (LineSource, "capabilities", "like"),
    "no network": (LineSource, "network", None),
    "hosts in one text": (Memo, "egress_hosts", "desk.example"),
    "a limit that is a number": (Memo, "limits", (60,)),
    "a pause between questions in seconds": (Memo, "every", 60),
    "no capabilities": (Memo, "capabilities", None),
    "a size as a text": (Memo, "max_body", "2 MB"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_a_declaration_that_the_engine_cannot_use_is_named(case: str) -> None:
    cls, name, value = MISTAKES[case]
    made: Any = type("Odd", (cls,), {name: value})(Options())
    assert next(misdeclared(made)).startswith(f"Odd.{name} is {value!r:.80}, and must be ")


@pytest.mark.parametrize("cls", [LineSource, Memo])
def test_declarations_that_are_right_are_not(cls: type[Any]) -> None:
    assert list(misdeclared(cls(Options()))) == []


def test_hosts_that_a_method_gives_are_looked_at() -> None:
    made: Any = type("Odd", (Memo,), {"egress": lambda self: None})(Options())
    assert list(misdeclared(made)) == ["Odd.egress() gives None, and must give a tuple of str"]
