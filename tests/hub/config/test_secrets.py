"""Secrets in options: references only, looked up, never told."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, model_validator

from hub.config.secrets import read_options, secret_fields, secret_values
from hub.core.errors import ConfigError, Problem
from hub.sdk.connectors import ConfigPath, Options


class Door(Options):
    """A key, perhaps another, and a few plain options."""

    token: SecretStr
    second: SecretStr | None = None
    url: str = ""
    file: ConfigPath | None = None
    tries: int = 3

    @model_validator(mode="after")
    def _alike(self) -> Door:
        if self.second and self.second == self.token:
            raise ValueError("the two must differ")
        return self


def read(folder: Path, **raw: Any) -> Door:
    found = read_options(Door, raw, folder=folder, file="config.toml", at="sources.a.options")
    assert isinstance(found, Door)
    return found


def problems(folder: Path, **raw: Any) -> list[Problem]:
    with pytest.raises(ConfigError) as caught:
        read(folder, **raw)
    return caught.value.problems


def test_a_secret_comes_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOOR_TOKEN", "open sesame")
    assert read(tmp_path, token={"env": "DOOR_TOKEN"}).token.get_secret_value() == "open sesame"


def test_a_secret_comes_from_a_file_beside_the_configuration_without_its_last_line_end(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("open sesame\n")
    assert read(tmp_path, token={"file": "token"}).token.get_secret_value() == "open sesame"


def test_a_secret_in_the_configuration_is_refused_and_not_repeated(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, token="open sesame")
    assert (problem.path, problem.hint) == ("sources.a.options.token", 'write token = { env = "NAME" }')
    assert "open sesame" not in str(problem)


@pytest.mark.parametrize(
    ("reference", "message", "hint"),
    [
        ({"env": "ABSENT_HERE"}, "the environment has no variable ABSENT_HERE", "export ABSENT_HERE=..."),
        ({"file": "absent"}, "the secret's file cannot be read", "absent"),
        ({"file": "."}, "write a path", "{ file"),
        ({"file": "/"}, "the secret's file cannot be read", "write the secret into"),
        ({"env": "EMPTY_HERE"}, "the variable EMPTY_HERE is empty", "export EMPTY_HERE=..."),
        ({"file": "blank"}, "the secret's file is empty", "blank"),
        ({"file": "wide"}, "it is UTF-16", "wide"),
        ({"file": "latin"}, "line 2 is not UTF-8", "latin"),
        ({"ENV": "ABSENT_HERE"}, "this is no reference to a secret", "write token = { env"),
    ],
)
def test_a_reference_that_leads_nowhere_is_one_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reference: Any, message: str, hint: str
) -> None:
    monkeypatch.setenv("EMPTY_HERE", " \n")
    (tmp_path / "blank").write_text(" \n")
    (tmp_path / "wide").write_text("s3cret", "utf-16")
    (tmp_path / "latin").write_bytes(b"a\n\xe9\n")
    (problem,) = problems(tmp_path, token=reference)
    assert problem.path == "sources.a.options.token"
    assert message in problem.message
    assert hint in problem.hint


def test_a_byte_order_mark_is_no_part_of_a_secret(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("hush", "utf-8-sig")
    assert read(tmp_path, token={"file": "token"}).token.get_secret_value() == "hush"


@pytest.mark.parametrize(
    "unseen", ["\u200b", "\u00ad", "\u2060", "\u200e", "\u2800", "\u3164", "\u180e", "\ufe0f", "\x07"]
)
def test_a_secret_of_signs_that_are_not_seen_is_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unseen: str
) -> None:
    monkeypatch.setenv("UNSEEN", unseen)
    (told,) = problems(tmp_path, token={"env": "UNSEEN"})
    assert told.message == "the variable UNSEEN is empty"


def test_what_is_not_seen_around_a_secret_is_no_part_of_it(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("\u200babc\u200cdé\ufeff\r\n", "utf-8")
    assert read(tmp_path, token={"file": "token"}).token.get_secret_value() == "abc\u200cdé"


def test_a_secret_in_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "token")
    (told,) = problems(tmp_path, token={"file": "token"})
    assert told.message == "the secret's file cannot be read: it is a pipe, not a file"


def test_all_problems_of_options_are_told_at_once(tmp_path: Path) -> None:
    found = problems(tmp_path, token={"env": "ABSENT_HERE"}, second="plain", tries="many", color="red")
    assert [one.path.rpartition(".")[2] for one in found] == ["token", "second", "tries", "color"]


def test_a_misspelt_option_gets_a_hint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOOR_TOKEN", "x")
    (problem,) = problems(tmp_path, token={"env": "DOOR_TOKEN"}, trys=4)
    assert (problem.path, problem.hint) == ("sources.a.options.trys", "did you mean 'tries'?")


def test_options_that_do_not_fit_together_are_a_problem_of_the_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOOR_TOKEN", "x")
    (problem,) = problems(tmp_path, token={"env": "DOOR_TOKEN"}, second={"env": "DOOR_TOKEN"})
    assert (problem.path, problem.message) == ("sources.a.options", "the two must differ")


def test_relative_paths_in_options_start_at_the_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOOR_TOKEN", "x")
    assert read(tmp_path, token={"env": "DOOR_TOKEN"}, file="mapping.toml").file == tmp_path / "mapping.toml"


def test_secrets_are_known_for_redaction(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOOR_TOKEN", "open sesame")
    options = read(tmp_path, token={"env": "DOOR_TOKEN"})
    assert secret_fields(Door) == ["token", "second"]
    assert list(secret_values(options)) == ["open sesame"]
    assert "open sesame" not in repr(options)
