"""The version of the plugin API: which plugins may run, and how a deprecation is told."""

from __future__ import annotations

import warnings
from importlib.resources import files

import pytest

import hub
from hub.sdk.version import deprecated, refusal


@pytest.mark.parametrize("declared", ["1", "1.0", "1.4"])
def test_the_same_major_version_is_taken(declared: str) -> None:
    assert refusal(declared, offered="1.4") == ""


@pytest.mark.parametrize(
    ("declared", "way_out"),
    [
        ("2", "update Hubbub"),
        ("0.9", "install a newer release of the plugin"),
        ("1.5", "update Hubbub"),
    ],
)
def test_another_version_is_refused_with_the_side_to_update(declared: str, way_out: str) -> None:
    assert refusal(declared, offered="1.4").endswith(f": {way_out}")


@pytest.mark.parametrize("declared", [1, None, "one", "1.2.3", "", "1."])
def test_what_is_no_version_is_refused_with_an_example(declared: object) -> None:
    assert 'such as "1"' in refusal(declared, offered="1.4")


def test_this_api_takes_what_is_written_for_it() -> None:
    assert refusal(hub.API_VERSION) == ""


def old_name() -> None:
    """Stand in for something deprecated."""
    deprecated("old_name", instead="new_name", gone_in="2.0")


def test_a_deprecation_names_the_replacement_and_the_end_and_points_at_the_caller() -> None:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        old_name()
    assert [(one.category, one.filename) for one in told] == [(DeprecationWarning, __file__)]
    assert str(told[0].message) == "old_name is deprecated: use new_name; version 2.0 of the plugin API is without it"


@pytest.mark.parametrize("package", ["hub", "plugins", "workers"])
def test_a_package_tells_type_checkers_that_it_is_typed(package: str) -> None:
    assert files(package).joinpath("py.typed").is_file()
