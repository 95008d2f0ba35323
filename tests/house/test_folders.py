"""The tree: nothing undeclared at the top, one folder and one entry point a plugin, the same file names in each."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterable
from importlib.metadata import entry_points
from pathlib import Path, PurePosixPath

import pytest

from tests.house.measures import ROOT, name_of, python_files, tree_files

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
POINTS = PROJECT["project"]["entry-points"]["hub.plugins"]
EXTRAS = PROJECT["project"]["optional-dependencies"]
PLUGINS = sorted(path.name for path in (ROOT / "plugins").iterdir() if (path / "__init__.py").is_file())

TOP = {
    *("hub", "workers", "plugins", "mappings", "tests", "docs", ".ci"),
    *("README.md", "CHANGELOG.md", "LICENSE", "CONTRIBUTING.md", "Makefile", "pyproject.toml", "config.example.toml"),
    ".gitignore",
}
NOT_PLUGINS = {
    "embedded": "a Redis server",
    "postgres": "a database driver",
    "alerts": "Apprise, which tells people",
    "metrics": "the format of Prometheus",
    "oidc": "the tokens of a provider of identities",
    "all": "the sum",
    "dev": "tools",
}
COPYLEFT = {"zendesk": "zenpy is GPL-3.0"}
"""Extras that no other one brings, and why."""
FIXED = {
    *(
        "__init__.py",
        "plugin.py",
        "config.py",
        "client.py",
        "source.py",
        "destination.py",
        "enricher.py",
        "translate.py",
        "inbound.py",
        "reply.py",
        "acts.py",
        "erasure.py",
        "records.py",
        "tickets.py",
        "users.py",
    ),
    *("sandbox.py", "sandbox", "README.md", "quality.toml", "schema.json", "MODEL_CARD.md", "models"),
}
OWN_FILES = {
    "flair/embeddings.py": "flair finds the class by its module's name when it opens the embedded model",
    "http/tables.py": "the form of the files that describe sources, table by table",
    "rss/encoding.py": "what browsers take the name of an encoding for: a noun of its own",
    "http/files": "those files: data, one a source",
}
VAGUE = {"utils", "util", "helpers", "helper", "common", "base", "manager", "managers", "misc"}


def strangers(files: Iterable[str]) -> set[str]:
    """Files of plugin folders (`vendor/name`, deeper ones are data of their folder) that have no fixed name."""
    parts = (PurePosixPath(name).parts for name in files)
    return {f"{vendor}/{name}" for vendor, name, *_ in parts if name not in FIXED} - set(OWN_FILES)


def vague(paths: Iterable[str]) -> list[str]:
    return [path for path in paths if VAGUE & {PurePosixPath(part).stem for part in PurePosixPath(path).parts}]


def test_nothing_undeclared_stands_at_the_top() -> None:
    assert {path.relative_to(ROOT).parts[0] for path in tree_files()} <= TOP


def test_every_file_of_the_top_is_there() -> None:
    assert [name for name in TOP if not (ROOT / name).exists()] == []


def test_folders_are_entry_points() -> None:
    assert {name: f"plugins.{name}.plugin" for name in PLUGINS} == POINTS


def test_the_installed_entry_points_are_those_of_the_project() -> None:
    own = {
        point.name: point.value
        for point in entry_points(group="hub.plugins")
        if point.dist and point.dist.name == "hubbub"
    }
    assert own == POINTS


def test_every_vendor_extra_has_a_folder() -> None:
    assert set(EXTRAS) - set(NOT_PLUGINS) <= set(PLUGINS)


def test_all_sums_up_the_other_extras() -> None:
    summed = set(EXTRAS["all"][0].partition("[")[2].rstrip("]").split(","))
    assert summed == set(EXTRAS) - {"all", "dev"} - set(COPYLEFT)


def test_what_is_gpl_is_installed_by_its_own_name_only() -> None:
    named = {need for extra in COPYLEFT for need in EXTRAS[extra]}
    makefile, readme = ((ROOT / name).read_text("utf-8") for name in ("Makefile", "README.md"))
    assert named <= set(EXTRAS["dev"])
    assert all(f"ZENPY ?= {need}\n" in makefile and need.partition(">")[0] in readme for need in named)


def test_files_in_a_plugin_have_fixed_names() -> None:
    found = (path.relative_to(ROOT / "plugins") for path in tree_files() if path.is_relative_to(ROOT / "plugins"))
    assert strangers(str(path) for path in found if len(path.parts) > 1) == set()


def test_a_stranger_in_a_plugin_is_seen() -> None:
    assert strangers(["acme/client.py", "acme/parser.py", "flair/embeddings.py", "acme/sandbox/desk.py"]) == {
        "acme/parser.py"
    }


def test_exceptions_are_still_there() -> None:
    assert [name for name in OWN_FILES if not (ROOT / "plugins" / name).exists()] == []


@pytest.mark.parametrize("name", PLUGINS)
def test_a_plugin_has_its_readme(name: str) -> None:
    assert (ROOT / "plugins" / name / "README.md").is_file()


@pytest.mark.parametrize("name", PLUGINS)
def test_a_plugin_package_is_a_docstring_only(name: str) -> None:
    assert only_a_docstring((ROOT / "plugins" / name / "__init__.py").read_text("utf-8"))


def only_a_docstring(source: str) -> bool:
    module = ast.parse(source)
    return len(module.body) == 1 and ast.get_docstring(module) is not None


def test_an_import_in_a_plugin_package_is_seen() -> None:
    assert not only_a_docstring('"""A vendor."""\nimport httpx\n')


@pytest.mark.parametrize("name", PLUGINS)
def test_the_entry_point_holds_hooks_only(name: str) -> None:
    assert other_than_hooks((ROOT / "plugins" / name / "plugin.py").read_text("utf-8")) == []


def other_than_hooks(source: str) -> list[int]:
    """The lines of a module that are neither its docstring, imports nor functions marked `@hookimpl`."""
    lines = []
    for node in ast.parse(source).body:
        is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        is_hook = isinstance(node, ast.FunctionDef) and [ast.unparse(one) for one in node.decorator_list] == [
            "hookimpl"
        ]
        if not (is_text or is_hook or isinstance(node, ast.Import | ast.ImportFrom)):
            lines.append(node.lineno)
    return lines


def test_anything_but_hooks_in_an_entry_point_is_seen() -> None:
    assert other_than_hooks('"""Hooks."""\nfrom hub import hookimpl\n\nTABLE = {}\n\n\ndef help_me(): ...\n') == [4, 7]


def test_no_module_has_a_vague_name() -> None:
    assert vague(name_of(path) for path in python_files("hub", "plugins", "workers", "tests")) == []


def test_a_vague_name_is_seen() -> None:
    assert vague(["hub/core/utils.py", "hub/helpers/text.py", "hub/based.py"]) == [
        "hub/core/utils.py",
        "hub/helpers/text.py",
    ]


def test_every_folder_of_the_program_is_a_package() -> None:
    folders = {path.parent for path in python_files()}
    assert [name_of(path) for path in sorted(folders) if not (path / "__init__.py").is_file()] == []


def test_default_mappings_belong_to_a_plugin() -> None:
    assert {path.parent.name for path in Path(ROOT / "mappings").rglob("*.toml")} <= set(PLUGINS)


def test_no_sum_of_extras_installs_what_is_under_the_gpl() -> None:
    extras = PROJECT["project"]["optional-dependencies"]
    summed = {name for one in extras["all"] for name in one.partition("[")[2].strip("]").split(",")}
    assert "zendesk" not in summed
    assert [one for name in summed for one in extras[name] if "zenpy" in one] == []
    assert any(one.startswith("zenpy") for one in extras["zendesk"])
