"""The version of the plugin API: which plugins may run, and how a deprecation is told."""

from __future__ import annotations

import warnings
from collections.abc import Callable
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


class Pages:
    """Stands in for a class of the kit that gave a method and an argument better names; the old ones go on working."""

    def take(self, *, most: int = 10, limit: int | None = None) -> int:
        """Take pages."""
        if limit is not None:
            deprecated("take(limit=)", instead="take(most=)", gone_in="2.0")
        return most if limit is None else limit

    def fetch(self, most: int) -> int:
        """Take pages, by the old name."""
        deprecated("fetch", instead="take", gone_in="2.0")
        return self.take(most=most)


OLD: dict[str, tuple[Callable[[], int], str]] = {
    "a method": (lambda: Pages().fetch(3), "fetch is deprecated: use take"),
    "an argument": (lambda: Pages().take(limit=3), "take(limit=) is deprecated: use take(most=)"),
}


@pytest.mark.parametrize("name", OLD)
def test_a_deprecated_name_goes_on_working_and_tells_the_caller_what_to_use_and_until_when(name: str) -> None:
    call, said = OLD[name]
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        assert call() == Pages().take(most=3)
    ((category, file, text),) = [(one.category, one.filename, str(one.message)) for one in told]
    assert (category, file) == (DeprecationWarning, __file__)
    assert text == f"{said}; version 2.0 of the plugin API is without it"


@pytest.mark.parametrize("package", ["hub", "plugins", "workers"])
def test_a_package_tells_type_checkers_that_it_is_typed(package: str) -> None:
    assert files(package).joinpath("py.typed").is_file()
