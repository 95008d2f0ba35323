"""What a connector declares about itself, looked at when it is made: later the engine relies on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Set
from datetime import timedelta
from typing import Any, NamedTuple

from hub.sdk.connectors import (
    Connector,
    Destination,
    Enricher,
    Options,
    PollingSource,
    Source,
    WebhookSource,
)
from hub.sdk.rates import Limit
from hub.sdk.traits import Compliance, Idempotency, ReplyRules

LONGEST_PAUSE = timedelta(days=366)


class Declaration(NamedTuple):
    """What an attribute has to be, in words, and how that is seen."""

    words: str
    holds: Callable[[Any], bool]


def _is_pause(value: Any) -> bool:
    return isinstance(value, timedelta) and timedelta(0) <= value <= LONGEST_PAUSE


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and value >= 0


def _is_duty(value: Any) -> bool:
    return (
        isinstance(value, Compliance)
        and isinstance(value.delete_within, timedelta)
        and isinstance(value.keep, timedelta | None)
    )


def _are_rules(value: Any) -> bool:
    if value is None:
        return True
    return (
        isinstance(value, ReplyRules)
        and isinstance(value.max_length, int)
        and isinstance(value.window, timedelta | None)
    )


TEXT = Declaration("a str", lambda value: isinstance(value, str))
TEXTS = Declaration("a tuple of str", lambda value: _all(value, tuple | list, str))
WORDS = Declaration("a frozenset of str", lambda value: _all(value, Set, str))
PAUSE = Declaration("a timedelta of at most a year", _is_pause)
COUNT = Declaration("an int", _is_count)
KNOWN_AGAIN = Declaration("Upsert, Native, Lookup or NoIdempotency, made", lambda value: isinstance(value, Idempotency))
DECLARED: dict[type[Connector[Any]], dict[str, Declaration]] = {
    Connector: {
        "options": Declaration("the options that its constructor was given", lambda value: isinstance(value, Options)),
        "egress_hosts": TEXTS,
        "limits": Declaration("a tuple of Limit", lambda value: _all(value, tuple | list, Limit)),
    },
    Source: {
        "network": TEXT,
        "capabilities": WORDS,
        "compliance": Declaration("a Compliance of timedeltas", _is_duty),
        "reply_rules": Declaration("ReplyRules of a number and a timedelta, or None", _are_rules),
        "reply_idempotency": KNOWN_AGAIN,
        "recheck_size": COUNT,
    },
    PollingSource: {"interval": PAUSE},
    WebhookSource: {"max_body": COUNT},
    Destination: {"capabilities": WORDS, "every": PAUSE, "max_body": COUNT},
}
"""What the engine reads of a connection, by the class that declares it. What it asks by a method is asked with care there."""


OF_CLASSES: dict[type[Connector[Any]], dict[str, Declaration]] = {
    Connector: {"inherits": TEXTS, "libraries": TEXTS},
    Source: {"capabilities": WORDS},
    Destination: {"capabilities": WORDS, "mappings": TEXT},
    Enricher: {"labels": TEXTS},
}
"""What is read of a class, before and without a connection."""


def misdeclared_class(cls: type[Connector[Any]]) -> Iterator[str]:
    """Yield what a connector's class declares that the engine cannot use."""
    for base, declared in OF_CLASSES.items():
        if issubclass(cls, base):
            for name, wanted in declared.items():
                value = getattr(cls, name, None)
                if not wanted.holds(value):
                    yield f"{cls.__name__}.{name} is {value!r:.80}, and must be {wanted.words}"


def misdeclared(connector: Connector[Any]) -> Iterator[str]:
    """Yield what a connector declares that the engine cannot use; what a property raises escapes."""
    for cls, declared in DECLARED.items():
        if isinstance(connector, cls):
            for name, wanted in declared.items():
                value = getattr(connector, name, None)
                if not wanted.holds(value):
                    yield f"{type(connector).__name__}.{name} is {value!r:.80}, and must be {wanted.words}"
    hosts = connector.egress()
    if not TEXTS.holds(hosts):
        yield f"{type(connector).__name__}.egress() gives {hosts!r:.80}, and must give {TEXTS.words}"


def _all(value: Any, kind: Any, member: type) -> bool:
    return isinstance(value, kind) and all(isinstance(one, member) for one in value)
