"""The example configuration: it loads, it is right, and it names every option with its default."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from hub.config.settings import ConnectionSection, Section, Settings, load_settings
from hub.config.values import duration
from hub.flow.check import problems_of
from hub.registry import Registry
from tests.house.measures import ROOT
from tests.hubs import no_rules

FILE = ROOT / "config.example.toml"
RAW = tomllib.loads(FILE.read_text("utf-8"))
TABLES = ("sources", "destinations", "enrichers")
CHOSEN = {"plugin", "options", "every", "recheck_every", "rate"}
"""Keys of a connection whose value is an example, not a default."""


def sections() -> Iterator[tuple[str, type[Section]]]:
    """The fixed tables of the settings and their models."""
    for name, field in Settings.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            yield name, field.annotation


def plain(value: Any) -> Any:
    """A default as the file writes it."""
    if isinstance(value, Path):
        return str(value)
    return list(value) if isinstance(value, tuple) else value


def differing(raw: Mapping[str, Any], model: type[BaseModel]) -> list[str]:
    """The options of a table that the file leaves out, or gives another value than the default."""
    wanted = {name: plain(field.get_default(call_default_factory=True)) for name, field in model.model_fields.items()}
    return [name for name, value in wanted.items() if name not in raw or not _says(raw[name], value)]


def _says(written: Any, value: Any) -> bool:
    return bool((duration(written) if isinstance(value, timedelta) else written) == value)


def section_model(table: str) -> type[ConnectionSection]:
    return get_args(Settings.model_fields[table].annotation)[1]  # type: ignore[no-any-return]  # Mapping[Name, the section]


@pytest.mark.parametrize(("name", "model"), list(sections()))
def test_every_option_stands_with_its_default(name: str, model: type[Section]) -> None:
    assert differing(RAW[name], model) == []


def test_a_missing_option_and_another_value_are_seen() -> None:
    class Table(BaseModel):
        port: int = 1
        name: str = "x"
        gone: str = ""

    assert differing({"port": 2, "name": "x"}, Table) == ["port", "gone"]


@pytest.mark.parametrize("table", TABLES)
def test_the_common_keys_of_connections_are_all_named(table: str) -> None:
    assert {key for section in RAW[table].values() for key in section} | {
        "timeout",
        "rate",
        "proxy",
        "allow_private",
    } == set(section_model(table).model_fields)


def test_the_first_source_names_every_key_with_its_default() -> None:
    written = {**next(iter(RAW["sources"].values()))}
    written["timeout"] = duration(written["timeout"])
    assert isinstance(written["timeout"], timedelta)
    assert set(differing(written, section_model("sources"))) <= CHOSEN
    assert set(written) == set(section_model("sources").model_fields)


def test_it_names_no_table_that_nobody_knows() -> None:
    assert set(RAW) == set(Settings.model_fields) - {"file"}


def without_rules(file: Path, text: str) -> Path:
    """Write a configuration, and beside it that there are no rules and no topics."""
    file.write_text(text, "utf-8")
    no_rules(file.parent)
    return file


def test_it_is_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SHOP_WEBHOOK_SECRET", "CRM_WEBHOOK_SECRET"):
        monkeypatch.setenv(name, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    file = without_rules(tmp_path / "config.toml", FILE.read_text("utf-8"))
    assert problems_of(load_settings(file), Registry()) == []


def test_a_wrong_one_is_not(tmp_path: Path) -> None:
    file = without_rules(tmp_path / "config.toml", '[sources.a]\nplugin = "rss"\noptions = { fees = [] }\n')
    assert [problem.path for problem in problems_of(load_settings(file), Registry())] == [
        "sources.a.options.feeds",
        "sources.a.options.fees",
    ]
