"""`quality.toml`: what a plugin claims, and what is said of a line that is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.cli.plugins.quality.claims import Claims, claims_of, read_claims
from hub.cli.plugins.quality.scale import BY_ID
from hub.core.errors import ConfigError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "quality.toml"


def problem(file: Path, text: str, kind: str = "source") -> tuple[str, str, str]:
    """Path, message and hint of the one problem of a file with this text."""
    file.write_text(text, "utf-8")
    with pytest.raises(ConfigError) as caught:
        read_claims(file, [kind])
    (found,) = caught.value.problems
    assert found.file == str(file)
    return found.path, found.message, found.hint


def test_a_rule_is_done_exempt_or_left_out(file: Path) -> None:
    file.write_text('check = "done"\npush = { exempt = " there is none " }\n')
    claims = read_claims(file, ["source"])
    states = [claims.of(BY_ID[id_]) for id_ in ("check", "push", "edits")]
    assert (states, claims.exempt["push"]) == (["done", "exempt", "not done"], "there is none")
    assert claims.settled == {"check", "push"}


def test_no_file_claims_nothing(file: Path) -> None:
    assert read_claims(file, ["source"]) == Claims(frozenset({"source"}))


def test_an_unknown_rule_is_told_with_the_nearest_one(file: Path) -> None:
    assert problem(file, 'chek = "done"\n') == ("chek", "there is no such rule", "did you mean check?")


def test_a_rule_of_another_kind_is_told(file: Path) -> None:
    path, message, hint = problem(file, 'push = "done"\n', kind="enricher")
    assert (path, hint) == ("push", "take the line out")
    assert "a destination or a source" in message


@pytest.mark.parametrize("value", ['"yes"', "true", '{ exempt = "" }', "{ exempt = 1 }", '{ because = "x" }', "{}"])
def test_what_is_no_claim_is_told_with_what_to_write(file: Path, value: str) -> None:
    path, message, hint = problem(file, f"check = {value}\n")
    assert (path, message) == ("check", "this is no claim")
    assert '"done"' in hint


def test_all_problems_are_told_at_once(file: Path) -> None:
    file.write_text('chek = "done"\nedits = 1\n')
    with pytest.raises(ConfigError) as caught:
        read_claims(file, ["source"])
    assert [one.path for one in caught.value.problems] == ["chek", "edits"]


def test_a_file_that_is_no_toml_is_told(file: Path) -> None:
    assert "it cannot be read" in problem(file, "check = \n")[1]


@pytest.mark.parametrize(
    ("claims", "items"),
    [
        (Claims(frozenset({"source"}), done=frozenset({"recorded_items"})), "recorded"),
        (Claims(frozenset({"source"})), "from documentation"),
        (
            Claims(frozenset({"source"}), exempt={"recorded_items": "From documentation: no account"}),
            "from documentation",
        ),
        (Claims(frozenset({"source"}), exempt={"recorded_items": "there is no vendor"}), ""),
        (Claims(frozenset({"enricher"})), ""),
    ],
)
def test_items_are_recorded_or_from_documentation_or_there_is_no_vendor(claims: Claims, items: str) -> None:
    assert claims.items == items


def test_an_installed_plugin_has_its_claims_beside_its_entry_point() -> None:
    assert claims_of("plugins.rss.plugin", ["source"]).tier == "silver"
    assert claims_of("", ["source"]).settled == frozenset()
