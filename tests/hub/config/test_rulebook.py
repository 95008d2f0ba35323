"""Rules, topics and mappings as files: what they may hold, and where an error is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hub.config.rulebook import default_mappings, own_mappings, read_mapping, read_rules, read_topics
from hub.core.errors import ConfigError, InvalidMapping, InvalidRule

RULES = '[[rule]]\nname = "r"\nwhen = ["true"]\ndeliver = [{ destination = "d", mapping = "m" }]\nlabels = { topic = "x" }\n'


def write(folder: Path, text: str) -> Path:
    file = folder / "file.toml"
    file.write_text(text, "utf-8")
    return file


def test_rules_are_read_in_their_order(tmp_path: Path) -> None:
    first, second = read_rules(write(tmp_path, RULES + '[[rule]]\nname = "s"\nenabled = false\n'))
    assert (first.name, first.deliver[0].mapping, first.labels) == ("r", "m", {"topic": "x"})
    assert (second.name, second.when, second.enabled) == ("s", (), False)


def test_topics_are_read(tmp_path: Path) -> None:
    (topic,) = read_topics(write(tmp_path, '[[topic]]\nname = "t"\nkeywords = ["a b"]\nexclude = ["c"]'))
    assert (topic.name, topic.keywords, topic.exclude) == ("t", ("a b",), ("c",))


@pytest.mark.parametrize("read", [read_rules, read_topics])
def test_a_file_that_is_not_there_is_an_error_and_an_empty_one_is_none(
    tmp_path: Path, read: Callable[[Path], Any]
) -> None:
    with pytest.raises(ConfigError, match=r"no such file .*an empty file means that there are none"):
        read(tmp_path / "absent.toml")
    assert read(write(tmp_path, "")) == ()


def test_own_mappings_may_be_absent(tmp_path: Path) -> None:
    assert own_mappings(tmp_path / "absent", []) == {}


WRONG_RULES = {
    "a key of a rule": ('[[rule]]\nname = "r"\nwhenn = []', 'rule "r"', "whenn"),
    "a rule without a name": ("[[rule]]\nwhen = []", "rule number 1", "`name` is missing"),
    "a condition that is no list": (
        '[[rule]]\nname = "r"\nwhen = "true"',
        'rule "r" when',
        "must be a list, not a text",
    ),
    "a condition that is no text": (
        '[[rule]]\nname = "r"\nwhen = [1]',
        'rule "r" when[',
        "must be a text, not a whole number",
    ),
    "a delivery without a mapping": (
        '[[rule]]\nname = "r"\ndeliver = [{ destination = "d" }]',
        'rule "r" deliver',
        "mapping",
    ),
    "one table": ('[rule]\nname = "r"', "[rule]", "one table, not a list"),
    "another table": ('[[rules]]\nname = "r"', "rules", "unknown"),
    "a rule that is no table": ("rule = [1]", "rule number 1", "must be a table"),
}


@pytest.mark.parametrize(("text", "path", "message"), WRONG_RULES.values(), ids=WRONG_RULES)
def test_an_error_in_rules_has_its_place(tmp_path: Path, text: str, path: str, message: str) -> None:
    with pytest.raises(InvalidRule) as caught:
        read_rules(write(tmp_path, text))
    (problem,) = caught.value.problems
    assert problem.file.endswith("file.toml")
    assert path in problem.path
    assert message in problem.message


def test_all_errors_of_a_file_are_told_at_once(tmp_path: Path) -> None:
    text = '[[rule]]\nname = "a"\nx = 1\n[[rule]]\nname = "b"\nwhen = 1\n[[other]]\n'
    with pytest.raises(InvalidRule) as caught:
        read_rules(write(tmp_path, text))
    assert sorted(one.path.split()[-1].strip('"') for one in caught.value.problems) == ["a", "other", "when"]


WRONG_MAPPINGS = {
    "no object": ("[fields.a]\nvalue = 1", "object"),
    "an unknown operation": ('object = "x"\noperation = "delete"\n[fields.a]\nvalue = 1', "operation"),
    "an unknown key": ('object = "x"\n[fields.a]\nform = "signal.text"', "form"),
    "a limit that is no number": ('object = "x"\n[fields.a]\nvalue = 1\nlimit = "long"', "limit"),
    "no TOML": ("object =", ""),
}


@pytest.mark.parametrize(("text", "word"), WRONG_MAPPINGS.values(), ids=WRONG_MAPPINGS)
def test_an_error_in_a_mapping_names_the_file_and_the_key(tmp_path: Path, text: str, word: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_mapping(write(tmp_path, text))
    assert "file.toml" in str(caught.value)
    assert word in str(caught.value)
    assert isinstance(caught.value, InvalidMapping) == bool(word)


@pytest.mark.parametrize("vendor", ["hubspot", "salesforce", "webhook", "zendesk"])
def test_the_shipped_mappings_of_each_destination_are_read(vendor: str) -> None:
    found = default_mappings(f"mappings:{vendor}")
    assert found
    assert all(spec.test for spec in found.values())


def test_a_destination_may_ship_no_mappings() -> None:
    assert default_mappings("") == {}


def test_own_mappings_are_named_by_their_files(tmp_path: Path) -> None:
    (tmp_path / "note.toml").write_text('object = "x"\n[fields.a]\nvalue = 1')
    (tmp_path / "readme.md").write_text("no mapping")
    assert list(own_mappings(tmp_path, [])) == ["note"]
