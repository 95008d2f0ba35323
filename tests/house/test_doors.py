"""Doors: pages, resources and commands do by actions and look by views, and every action has its row in the table of access."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import hub.flow.actions
import hub.flow.views
from hub.core.access import TABLE
from tests.house.measures import ROOT, name_of, python_files

RUNTIME = (
    "hub/web/app.py",
    "hub/web/__main__.py",
    "hub/web/inbound.py",
    "hub/cli/opened.py",
    "hub/cli/running/",
    "hub/cli/plugins/",
)
"""The files behind the doors that see more than actions and views: the inbound door's fast path, and what starts the hub."""
BEFORE_A_HUB = {"files", "trials"}
WITHOUT_A_HUB = {"backups.keep_before_upgrade", "backups.restore"}
"""Actions upon a place whose hub cannot be opened yet."""
"""Views of what is there before a database is."""
FOR_OTHERS = {"deliveries.matching", "explain.rules_of", "explain.with_tries"}
"""What views lend to each other and to actions, which have asked if the actor may."""
Named = tuple[str, Callable[..., object]]


def behind_doors() -> list[Path]:
    return [path for path in python_files("hub") if name_of(path).startswith(("hub/cli/", "hub/web/"))]


def plain(path: Path) -> bool:
    """True if a file has no exception."""
    return not name_of(path).startswith(RUNTIME)


def stores(source: str) -> list[int]:
    """The lines that reach for the store of a hub."""
    nodes = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Attribute))
    return sorted(node.lineno for node in nodes if node.attr == "store")


def runtime_names(source: str) -> set[str]:
    """What a module imports of the runtime."""
    nodes = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ImportFrom))
    return {alias.name for node in nodes if node.module == "hub.runtime" for alias in node.names}


def public(package: object) -> Iterator[Named]:
    """The public functions of a package's modules, as `noun.verb`."""
    for found in pkgutil.iter_modules(package.__path__):  # type: ignore[attr-defined]  # a package has one
        module = importlib.import_module(f"{package.__name__}.{found.name}")  # type: ignore[attr-defined]  # as above
        for name, one in inspect.getmembers(module, inspect.isfunction):
            if one.__module__ == module.__name__ and not name.startswith("_"):
                yield f"{found.name}.{name}", one


def begins(function: Callable[..., object]) -> tuple[str, ...]:
    return tuple(inspect.signature(function).parameters)[:2]


EVERY_ACTION = [one for one in public(hub.flow.actions) if not one[0].startswith("doing.")]
ACTIONS = [one for one in EVERY_ACTION if one[0] not in WITHOUT_A_HUB]
VIEWS = [one for one in public(hub.flow.views) if one[0].partition(".")[0] not in BEFORE_A_HUB]


@pytest.mark.parametrize("path", [path for path in behind_doors() if plain(path)], ids=name_of)
def test_no_page_and_no_command_reaches_for_the_store(path: Path) -> None:
    assert stores(path.read_text("utf-8")) == []


@pytest.mark.parametrize("path", [path for path in behind_doors() if plain(path)], ids=name_of)
def test_pages_and_commands_know_the_type_of_the_hub_and_nothing_else_of_the_runtime(path: Path) -> None:
    assert runtime_names(path.read_text("utf-8")) <= {"Hub"}


def test_what_reaches_for_the_store_is_seen() -> None:
    assert stores("x = hub.store.people.get(1)\ny = store.x\nz = self.hub.store\n") == [1, 3]
    assert runtime_names("from hub.runtime import Hub, open_hub\n") == {"Hub", "open_hub"}


@pytest.mark.parametrize("place", RUNTIME)
def test_a_door_with_an_exception_is_there(place: str) -> None:
    assert (ROOT / place).exists()


def test_every_action_has_its_row_in_the_table_and_every_row_its_action() -> None:
    named = {name for name, _ in EVERY_ACTION} - {"backups.keep_before_upgrade"}  # a part of the upgrade
    assert sorted(named) == sorted(name for name in TABLE if not name.endswith(".see"))


@pytest.mark.parametrize(("name", "action"), ACTIONS, ids=[name for name, _ in ACTIONS])
def test_an_action_takes_the_hub_and_the_actor_first(name: str, action: Callable[..., object]) -> None:
    assert begins(action) == ("hub", "actor")


def asks(source: str) -> set[str]:
    """The rows of the table that a module demands."""
    calls = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call))
    texts = (one.value for node in calls for one in node.args if isinstance(one, ast.Constant))
    return {text for text in texts if text in TABLE}


def test_every_row_of_the_table_is_asked_for() -> None:
    modules = [path for path in python_files("hub") if name_of(path).startswith(("hub/flow/actions", "hub/flow/views"))]
    assert set().union(*(asks(path.read_text("utf-8")) for path in modules)) == set(TABLE)


def test_a_view_takes_the_hub_and_the_actor_first() -> None:
    of_hubs = {name: begins(view) for name, view in VIEWS if "hub" in inspect.signature(view).parameters}
    assert {name for name, first in of_hubs.items() if first != ("hub", "actor")} == FOR_OTHERS
    assert len(of_hubs) > 25
