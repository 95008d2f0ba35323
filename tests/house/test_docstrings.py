"""Every public name says what it is: shape, units, errors, source."""

from __future__ import annotations

from pathlib import Path

import pytest

import hub
from tests.house.measures import name_of, python_files, undocumented

VALUE = '''"""A module."""


class Box:
    """A box."""

    def open(self):
        return 1

    def _shut(self):
        return 2
'''


def silent(files: list[Path]) -> list[str]:
    return [f"{name_of(path)}:{one.line} {one.name}" for path in files for one in undocumented(path.read_text("utf-8"))]


@pytest.mark.parametrize("room", ["hub", "plugins", "workers"])
def test_every_public_name_has_a_docstring(room: str) -> None:
    assert silent(python_files(room)) == []


def test_the_measure_sees_a_silent_method_and_a_silent_module() -> None:
    assert [one.name for one in undocumented(VALUE)] == ["Box.open"]
    assert [one.name for one in undocumented("x = 1\n")] == ["the module"]


def test_the_api_is_what_it_says() -> None:
    assert sorted(set(hub.__all__), key=str.casefold) == sorted(hub.__all__, key=str.casefold)
    assert [name for name in hub.__all__ if not hasattr(hub, name)] == []


@pytest.mark.parametrize("name", [name for name in hub.__all__ if name not in {"ConfigPath", "hookimpl"}])
def test_every_name_of_the_api_is_told_of(name: str) -> None:
    own = (
        vars(getattr(hub, name)).get("__doc__") if isinstance(getattr(hub, name), type) else getattr(hub, name).__doc__
    )
    assert own
    assert not own.startswith(f"{name}(")  # what dataclasses write where nobody wrote anything
