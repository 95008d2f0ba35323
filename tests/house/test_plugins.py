"""Every connector: held to the contract, told of in its README, and, where records land, with a sandbox and tested mappings."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from hub.config.rulebook import default_mappings, parse_mapping, read_mapping
from hub.config.settings import Settings
from hub.core.mapping import compile_mapping
from hub.registry import Registry
from hub.sdk.connectors import Connector, Destination
from tests.house.measures import ROOT

EXEMPT = {
    "FileSource": "other plugins translate its lines, so its test takes the part of the contract that all connectors share"
}
REGISTRY = Registry()
OWN = sorted(path.parent.name for path in ROOT.glob("plugins/*/plugin.py"))
SUITES = {"source": "SourceContract", "destination": "DestinationContract", "enricher": "EnricherContract"}
WHOLE = {"ReturnsContract": "DestinationContract", "DeskContract": "DestinationContract"}  # suites that hold another


def connectors() -> Iterator[tuple[str, str, type[Connector[Any]]]]:
    """Plugin, kind and class of every connector of this tree."""
    for name in OWN:
        plugin = REGISTRY.load(name)
        for kind, classes in (
            ("source", plugin.sources),
            ("destination", plugin.destinations),
            ("enricher", plugin.enrichers),
        ):
            yield from ((name, kind, cls) for cls in classes.values())


CONNECTORS = list(connectors())
DESTINATIONS = [cls for _, kind, cls in CONNECTORS if kind == "destination"]
NAMES = [f"{name}-{kind}" for name, kind, _ in CONNECTORS]


def contracts(source: str) -> Iterator[tuple[str, str]]:
    """The suite and the class under test of each contract in a test module."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ClassDef):
            bases = {ast.unparse(base).rpartition(".")[2] for base in node.bases}
            bases |= {whole for part, whole in WHOLE.items() if part in bases}
            for kind, suite in SUITES.items():
                if suite in bases:
                    yield from ((suite, value) for name, value in _assigned(node) if name == kind)


def _assigned(node: ast.ClassDef) -> Iterator[tuple[str, str]]:
    for part in node.body:
        if isinstance(part, ast.Assign | ast.AnnAssign) and part.value is not None:
            target = part.targets[0] if isinstance(part, ast.Assign) else part.target
            yield ast.unparse(target), ast.unparse(part.value)


def listed(readme: str) -> set[str]:
    """The option names in the first column of a README's tables."""
    cells = re.findall(r"^\| *((?:`\w+`(?:, )?)+) *\|", readme, re.MULTILINE)
    return {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}


def examples(readme: str) -> Iterator[str]:
    """The pieces of configuration in a README: indented or fenced, with a connection's table."""
    for found in re.finditer(r"(?:^(?: {4}.*|)\n)+|^```toml\n([\s\S]*?)^```$", readme, re.MULTILINE):
        text = "\n".join(line.removeprefix("    ") for line in (found[1] or found[0]).splitlines())
        start = re.search(r"^\[(?:sources|destinations|enrichers)\.", text, re.MULTILINE)
        if start:
            yield text[start.start() :]


def misread(text: str) -> list[str]:
    """What is wrong with a piece of configuration: its tables, and names that no option has."""
    try:
        settings = Settings.model_validate(tomllib.loads(text))
    except (tomllib.TOMLDecodeError, ValidationError) as error:
        return [str(error)]
    tables = (("sources", REGISTRY.source), ("destinations", REGISTRY.destination), ("enrichers", REGISTRY.enricher))
    found: list[str] = []
    for table, find in tables:
        for section in getattr(settings, table).values():
            found += sorted(set(section.options) - set(find(section.plugin).Options.model_fields))
    return found


@pytest.mark.parametrize("name", OWN)
def test_a_plugin_loads_and_offers_something(name: str) -> None:
    assert REGISTRY.load(name).reason == ""
    assert REGISTRY.load(name).kinds


@pytest.mark.parametrize(("name", "kind", "cls"), CONNECTORS, ids=NAMES)
def test_a_connector_is_held_to_its_contract(name: str, kind: str, cls: type[Connector[Any]]) -> None:
    files = (ROOT / "tests/plugins" / name).glob("test_*.py")
    held = {found for file in files for found in contracts(file.read_text("utf-8"))}
    assert (SUITES[kind], cls.__name__) in held or cls.__name__ in EXEMPT


def test_a_contract_is_recognised_by_its_suite_and_its_class() -> None:
    source = "class TestA(SourceContract):\n    source = ASource\n\nclass TestB(Other):\n    source = BSource\n"
    assert list(contracts(source)) == [("SourceContract", "ASource")]


@pytest.mark.parametrize(("name", "kind", "cls"), CONNECTORS, ids=NAMES)
def test_a_readme_lists_every_option_and_no_other(name: str, kind: str, cls: type[Connector[Any]]) -> None:
    text = (ROOT / "plugins" / name / "README.md").read_text("utf-8")
    assert set(cls.Options.model_fields) - listed(text) == set()


def test_an_option_counts_as_listed_only_in_a_table() -> None:
    assert listed("Set `token`.\n\n| option | default |\n|---|---|\n| `url`, `port` | |\n") == {"url", "port"}


@pytest.mark.parametrize("name", OWN)
def test_the_examples_of_a_readme_are_configuration(name: str) -> None:
    text = (ROOT / "plugins" / name / "README.md").read_text("utf-8")
    assert [problem for example in examples(text) for problem in misread(example)] == []


def test_an_example_with_options_in_the_wrong_table_is_seen() -> None:
    wrong = '[sources.a]\nplugin = "rss"\nfeeds = []\n'
    unknown = '[sources.a]\nplugin = "rss"\noptions = { fees = [] }\n'
    indented = "".join(f"    {line}\n" for line in wrong.splitlines())
    assert [bool(misread(text)) for text in examples(f"Text\n\n{indented}\nText\n")] == [True]
    assert misread(unknown) == ["fees"]


@pytest.mark.parametrize("cls", DESTINATIONS, ids=lambda cls: cls.name)
def test_a_destination_has_a_sandbox(cls: type[Destination[Any]]) -> None:
    module, _, function = cls.sandbox.partition(":")
    assert callable(getattr(import_module(module), function))


@pytest.mark.parametrize("cls", DESTINATIONS, ids=lambda cls: cls.name)
def test_a_destination_has_default_mappings(cls: type[Destination[Any]]) -> None:
    assert default_mappings(cls.mappings)


@pytest.mark.parametrize(
    "path", sorted(ROOT.glob("mappings/*/*.toml")), ids=lambda path: f"{path.parent.name}-{path.stem}"
)
def test_a_default_mapping_carries_tests_and_they_pass(path: Path) -> None:
    results = compile_mapping(read_mapping(path), name=path.stem, file=str(path)).run_tests()
    assert results
    assert [result for result in results if not result.passed] == []


def test_a_failing_mapping_test_is_seen() -> None:
    case = {"name": "t", "given": {}, "expect": {"a": "b"}}
    raw = {"object": "x", "fields": {"a": {"from": "signal.text"}}, "test": [case]}
    assert [result.passed for result in compile_mapping(parse_mapping(raw, file="x.toml"), name="x").run_tests()] == [
        False
    ]
