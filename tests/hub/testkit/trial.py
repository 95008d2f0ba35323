"""A suite tried on a connector within this process: each of its tests with each of its cases, and what they say."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Iterator
from typing import Any

import pytest

Case = tuple[str, dict[str, Any]]


def cases(suite: type, name: str) -> Iterator[Case]:
    """The cases of one test, with the values of its parameters."""
    test = getattr(suite, name)
    choices = [_choice(mark) for mark in getattr(test, "pytestmark", ()) if mark.name == "parametrize"]
    if "sample" in inspect.signature(test).parameters:
        choices.append([{"sample": sample} for sample in suite.samples])
    for combination in itertools.product(*choices):
        values = {key: value for part in combination for key, value in part.items()}
        yield f"{name}{list(values.values()) if values else ''}"[:120], values


def _choice(mark: pytest.Mark) -> list[dict[str, Any]]:
    names, rows = mark.args[:2]
    split = [one.strip() for one in names.split(",")] if isinstance(names, str) else list(names)
    return [dict(zip(split, row if len(split) > 1 else (row,), strict=True)) for row in rows]


def tests_of(suite: type) -> list[str]:
    return [name for name in dir(suite) if name.startswith("test_") and getattr(suite, name) is not None]


def complaint(suite: type, case: Case, name: str) -> str:
    """What a case says of the connector, "" where it is content."""
    instance, values = suite(), dict(case[1])
    if "loaded" in inspect.signature(getattr(suite, name)).parameters:
        values["loaded"] = instance.make()
    try:
        getattr(instance, name)(**values)
    except (Exception, pytest.fail.Exception) as error:  # noqa: BLE001 - any failure is a complaint
        return f"{type(error).__name__}: {error}".splitlines()[0][:300]
    return ""


def caught_by(suite: type, name: str) -> str:
    """The first complaint of one test over its cases, "" where it has none."""
    return next((said for case in cases(suite, name) if (said := complaint(suite, case, name))), "")


def trial(suite: type) -> dict[str, str]:
    """All complaints of a suite, by test."""
    return {name: said for name in tests_of(suite) if (said := caught_by(suite, name))}


def assert_caught(suite: type, name: str) -> None:
    """The named test complains; else tell which others do."""
    if caught_by(suite, name):
        return
    table = "\n".join(f"  {test}: {said}" for test, said in trial(suite).items())
    raise AssertionError(f"{suite.__name__} escapes {name}; caught by:\n{table or '  no test at all'}")
