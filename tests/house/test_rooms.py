"""Rooms: who may look at whom. import-linter checks most of it; here it is proven to bite, and what it cannot say is said."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.house.measures import PROGRAM, ROOT, imported, name_of, python_files

PURE = {
    *(
        "__future__",
        "abc",
        "base64",
        "bisect",
        "collections",
        "contextlib",
        "copy",
        "dataclasses",
        "datetime",
        "decimal",
    ),
    *(
        "difflib",
        "enum",
        "functools",
        "hashlib",
        "hmac",
        "html",
        "ipaddress",
        "itertools",
        "json",
        "math",
        "operator",
        "re",
    ),
    *("string", "struct", "typing", "types", "unicodedata", "urllib.parse", "zoneinfo"),
}
"""What of the standard library the core may import: it does no I/O, reads no clock and rolls no dice."""

LIBRARIES = {"msgspec", "cel", "jinja2", "ahocorasick_rs", "nh3"}
CLIENTS = (
    *("atproto", "atproto_client", "feedparser", "flair", "httpcore", "httpx", "hubspot", "jwt", "mastodon", "numpy"),
    *("onnxruntime", "py3langid", "redis", "requests", "rq", "simple_salesforce", "sqlalchemy", "tokenizers", "torch"),
    *(
        "urllib3",
        "vaderSentiment",
        "zenpy",
        "hub.sdk.http",
        "hub.testkit",
        "hub.store",
        "hub.flow",
    ),
    *("hub.config", "hub.registry", "hub.web"),
)
HEAVY = (*CLIENTS, "fastapi", "uvicorn", "typer", "rich", "pytest", "alembic")
BREACHES = {
    "hub/core/route.py": ("import os", "The core is pure"),
    "hub/core/keys.py": ("import hub.core.mapping", "Floors of the core"),
    "hub/sdk/text.py": ("import hub.testkit.fakes", "Floors of the hub"),
    "hub/sdk/context.py": ("import hub.sdk.text", "Floors of the sdk"),
    "hub/store/inbox.py": ("import hub.flow.sweep", "Floors of the hub"),
    "hub/queue/bell.py": ("import hub.store", "Floors of the hub"),
    "hub/runtime.py": (
        "import hub.testkit.fakes",
        "Only plugins and the terminal's commands about them see the testkit",
    ),
    "hub/registry.py": ("import plugins.rss.source", "The hub knows neither workers nor plugins"),
    "hub/flow/sweep.py": ("import sqlalchemy", "One room a library: SQLAlchemy and Alembic"),
    "hub/web/app.py": ("import rq", "One room a library: RQ and Redis"),
    "hub/web/console/pages.py": ("import hub.store", "Pages, resources and commands do by actions and look by views"),
    "hub/web/inbound.py": ("import hub.flow.erase.erase", "The inbound door's fast path"),
    "hub/cli/opened.py": ("import hub.store", "What starts the hub sees runtime, config and queue"),
    "hub/cli/plugins/subject.py": (
        "import hub.store",
        "The terminal's commands about plugins see sdk and testkit, and no database",
    ),
    "workers/schedule.py": ("import plugins.rss.source", "Workers never import a plugin"),
    "plugins/rss/source.py": ("import hub.store", "Plugins know only the plugin API"),
    "plugins/file/source.py": ("import plugins.rss.source", "Plugins do not know each other"),
    "plugins/mastodon/translate.py": ("import httpx", "Translation is pure in every plugin"),
    "plugins/hubspot/translate.py": ("import hub.sdk.http", "Translation is pure in every plugin"),
    "plugins/zendesk/translate.py": ("import plugins.zendesk.config", "No cycles anywhere"),
}
"""A line that must not stand in a file, and the contract that it breaks."""


def lint(folder: Path) -> tuple[int, str]:
    """import-linter over a tree: exit code and text."""
    command = [
        str(Path(sys.executable).parent / "lint-imports"),
        "--no-logo",
        "--no-cache",
        "--config",
        "pyproject.toml",
    ]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env={"PATH": ""})
    return done.returncode, done.stdout + done.stderr


def impure(names: Iterable[str]) -> set[str]:
    """Imported names that the core may not import."""
    return {
        name
        for name in names
        if name.split(".")[0] not in PURE | LIBRARIES and name not in PURE and not name.startswith("hub.core")
    }


def loaded_by(module: str) -> set[str]:
    """The modules that a fresh process has after importing one."""
    code = f"import json, sys, {module}; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


def test_imports_keep_their_rooms() -> None:
    code, said = lint(ROOT)
    assert code == 0, said


@pytest.fixture(scope="module")
def breached(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What import-linter says of a copy of the tree that has all the breaches."""
    folder = tmp_path_factory.mktemp("tree")
    for room in PROGRAM:
        shutil.copytree(ROOT / room, folder / room, ignore=shutil.ignore_patterns("models", "__pycache__", "starters"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    for name, (line, _) in BREACHES.items():
        path = folder / name
        path.write_text(path.read_text("utf-8") + f"\n{line}\n", "utf-8")
    (folder / "hub/attic.py").write_text('"""A room that nobody declared."""\n')
    code, said = lint(folder)
    assert code == 1, said
    return said


@pytest.mark.parametrize("contract", sorted({contract for _, contract in BREACHES.values()}))
def test_a_breach_of_a_contract_is_found(breached: str, contract: str) -> None:
    assert f"{contract} BROKEN" in " ".join(breached.split())


def test_an_undeclared_room_is_found(breached: str) -> None:
    assert "hub.attic" in breached


@pytest.mark.parametrize(
    "path", [path for path in python_files("hub") if path.is_relative_to(ROOT / "hub/core")], ids=name_of
)
def test_the_core_imports_only_what_is_listed(path: Path) -> None:
    assert impure(imported(path.read_text("utf-8"))) == set()


def test_an_import_that_is_not_listed_is_seen() -> None:
    source = "import re, time\nfrom urllib.request import urlopen\nimport cel\nfrom hub.sdk.text import clean\n"
    assert impure(imported(source)) == {"time", "urllib.request", "hub.sdk.text"}


@pytest.mark.parametrize("module", ["hub", "hub.sdk", "hub.sdk.text", "hub.core.model", "hub.sdk.hookspecs"])
def test_the_api_stays_light(module: str) -> None:
    assert loaded_by(module) & set(HEAVY) == set()


def test_the_core_brings_no_more_than_its_libraries_do() -> None:
    # The package `cel` imports a terminal of its own.
    assert loaded_by("hub.core.pipeline") & set(HEAVY) <= {"typer", "rich"}


@pytest.mark.parametrize("name", sorted(path.parent.name for path in ROOT.glob("plugins/*/translate.py")))
def test_translating_needs_no_client(name: str) -> None:
    assert loaded_by(f"plugins.{name}.translate") & set(CLIENTS) == set()


@pytest.mark.parametrize("module", ["hub.web.app", "workers.jobs", "hub.cli.main"])
def test_processes_start_without_models_and_clients_of_vendors(module: str) -> None:
    models = {
        "flair",
        "torch",
        "onnxruntime",
        "zenpy",
        "hubspot",
        "simple_salesforce",
        "mastodon",
        "atproto",
        "feedparser",
    }
    assert loaded_by(module) & models == set()


def test_a_client_that_comes_along_is_seen() -> None:
    assert "httpx" in loaded_by("hub.sdk.http")


def test_importing_a_model_plugin_loads_no_model() -> None:
    assert loaded_by("plugins.flair.plugin") & {"flair", "torch", "onnxruntime"} == set()
