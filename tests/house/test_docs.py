"""The documents are true: blocks parse, commands exist, examples run, hooks and options are as the code has them."""

from __future__ import annotations

import inspect
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

import hub as plugin_api
from hub.cli.main import command
from hub.cli.plugins.quality.scale import RULES
from hub.config.settings import Settings
from hub.core.grammar.facts import skeleton
from hub.core.ledger import STATES
from hub.registry import Registry
from hub.sdk import hookspecs
from hub.sdk.connectors import Options
from hub.sdk.http.api import Api
from hub.testkit import contracts
from hub.testkit.contracts.enricher import signal_of
from hub.testkit.fakes import FakeHttp, answer, context
from tests.house.measures import ROOT, Block, blocks, name_of

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
OPERATE = sorted((ROOT / "docs/operate").glob("*.md"))
READMES = sorted(ROOT.glob("plugins/*/README.md"))
ECHO = ROOT / "tests/third_party/hubbub-echo"


def text_of(page: str) -> str:
    return (ROOT / page).read_text("utf-8")


def broken(block: Block) -> str:
    """Why a block is no valid text of its language; empty where it is."""
    readers = {
        "toml": tomllib.loads,
        "json": _json,
        "python": lambda text: compile(text, "block", "exec"),
        "sh": lambda _: None,
    }
    try:
        readers[block.language](block.text)
    except KeyError:
        return f"line {block.line}: a block in {block.language or 'no language'}"
    except (ValueError, SyntaxError) as error:
        return f"line {block.line}: {error}"
    return ""


def _json(text: str) -> None:
    """One value, or one a line."""
    try:
        json.loads(text)
    except ValueError:
        for line in text.splitlines():
            json.loads(line)


def commands(text: str) -> Iterator[list[str]]:
    """The words of each `hub ...` that a text shows: in code within a line, in indented and in fenced blocks."""
    inline = re.findall(r"`hub ([^`\n]+)`", text)
    lines = re.findall(r"^(?: {4}|\$ )?hub ((?:-|[a-z]).*)$", text, re.MULTILINE)
    for found in [*inline, *lines]:
        yield found.split("#")[0].split("|")[0].split()


def unknown(words: list[str], command: Any) -> str:
    """What a command line names that does not exist; empty where all is well. Arguments are taken as they are."""
    for index, word in enumerate(words):
        options = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)} | {
            "--help"
        }
        if word.startswith("-") and word.rstrip(",.") not in options:
            return f"hub {' '.join(words)}: no option {word}"
        inner = getattr(command, "commands", None)
        if inner is not None and not word.startswith("-") and (index == 0 or words[index - 1] not in options):
            if word not in inner:
                return f"hub {' '.join(words)}: no command {word}"
            command = inner[word]
    return ""


def links(text: str) -> Iterator[str]:
    """Where a page points within the repository."""
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" not in target and target[0] != "#":
            yield target.split("#")[0]


def signature(hook: str) -> str:
    """A hook as its page writes it."""
    return hook + str(inspect.signature(getattr(hookspecs, hook))).replace("'", "")


@pytest.mark.parametrize("page", [*PAGES, *READMES], ids=name_of)
def test_every_block_is_valid(page: Path) -> None:
    assert [problem for block in blocks(page.read_text("utf-8")) if (problem := broken(block))] == []


def test_an_invalid_block_is_seen() -> None:
    page = "```toml\na = \n```\n\n```python x.py\ndef f(:\n```\n\n```json\n{\n```\n\n```\nx\n```\n"
    assert [bool(broken(block)) for block in blocks(page)] == [True] * 4
    assert [block.note for block in blocks(page)] == ["", "x.py", "", ""]


@pytest.mark.parametrize("page", [*PAGES, *READMES, ROOT / "config.example.toml"], ids=name_of)
def test_every_command_exists(page: Path) -> None:
    assert [problem for words in commands(page.read_text("utf-8")) if (problem := unknown(words, command()))] == []


def options(command: Any) -> set[str]:
    """Every option of a command and of those below it."""
    own = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    return own.union(*map(options, getattr(command, "commands", {}).values()))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_an_option_that_is_named_alone_is_one_of_a_command(page: Path) -> None:
    others = {"--build-arg"}  # Docker's
    named = set(re.findall(r"`(--[a-z-]+)", page.read_text("utf-8")))
    assert named - others - options(command()) == set()


def test_a_command_that_does_not_exist_is_seen() -> None:
    page = "`hub chekc`, `hub check --offlin`\n\n    hub signals liszt\n    hub deliveries list --state dead  # fine\n"
    assert [unknown(words, command()).rpartition(": ")[2] for words in commands(page)] == [
        "no command chekc",
        "no option --offlin",
        "no command liszt",
        "",
    ]


def test_make_knows_the_targets_that_are_named() -> None:
    known = set(re.findall(r"^([a-z]+):", text_of("Makefile"), re.MULTILINE))
    named = {target for page in PAGES for target in re.findall(r"(?:`|    )make ([a-z]+)", page.read_text("utf-8"))}
    assert named <= known
    assert "run" in named


@pytest.mark.parametrize("page", [*PAGES, *READMES], ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    assert [target for target in links(page.read_text("utf-8")) if not (page.parent / target).exists()] == []


def anchors(page: Path) -> Iterator[tuple[Path, str]]:
    """The headings that a page points at: in which page, and their anchor."""
    for target, anchor in re.findall(r"\]\(([^)\s#:]*)#([\w-]+)\)", page.read_text("utf-8")):
        yield (page.parent / target if target else page), anchor


def headings(page: Path) -> set[str]:
    """The anchors of a page, as hosts of repositories make them."""
    found = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", one.lower()).replace(" ", "-") for one in found}


@pytest.mark.parametrize("page", [*PAGES, *READMES], ids=name_of)
def test_anchors_lead_to_a_heading(page: Path) -> None:
    assert [f"{target.name}#{anchor}" for target, anchor in anchors(page) if anchor not in headings(target)] == []


@pytest.mark.parametrize("page", [*PAGES, *READMES], ids=name_of)
def test_files_to_copy_are_there(page: Path) -> None:
    named = re.findall(r"(?<![\w/])docs/(?:deploy|operate)/[\w/.@*-]*\w", page.read_text("utf-8"))
    gone = {"docs/operate.md"}  # as the changelog calls it
    assert [one for one in named if one not in gone and not any(ROOT.glob(one))] == []


def test_a_dead_link_is_seen() -> None:
    assert list(links("[a](docs/none.md#x) [b](https://example.com) [c](#here)")) == ["docs/none.md"]


def test_every_page_can_be_found_from_the_readme() -> None:
    assert {f"docs/{page.name}" for page in PAGES if page.parent == ROOT / "docs"} <= set(links(text_of("README.md")))
    index = set(links(text_of("docs/operate/README.md")))
    assert {page.name for page in OPERATE} - {"README.md"} <= index


@pytest.mark.parametrize("hook", [name for name in vars(hookspecs) if name.startswith("register_")])
def test_every_hook_is_told_of_with_its_signature(hook: str) -> None:
    said = (getattr(hookspecs, hook).__doc__ or "").splitlines()[0]
    assert f"| `{signature(hook)}` | {said} |" in text_of("docs/connectors.md")


def test_the_example_connector_is_the_one_that_is_tested() -> None:
    shown = {block.note: block.text for block in blocks(text_of("docs/connectors.md")) if block.note}
    assert {name: (ECHO / name).read_text("utf-8") for name in shown} == shown
    files = {path.name for path in ECHO.rglob("*.py")} - {"__init__.py"}
    assert files == {Path(name).name for name in shown if name.endswith(".py")}


PIECES = [block for block in blocks(text_of("docs/connectors.md")) if not block.note]


def run_block(block: Block) -> dict[str, Any]:
    """Run a block of Python as a module of its own; returns its names."""
    names: dict[str, Any] = {"__name__": f"block_at_{block.line}"}
    exec(compile(block.text, f"line {block.line}", "exec"), names)  # our own page
    return names


@pytest.mark.parametrize(
    "block", [one for one in PIECES if one.language == "python"], ids=lambda one: f"line-{one.line}"
)
def test_every_piece_of_python_in_the_guide_runs(block: Block) -> None:
    assert run_block(block)


def test_the_enricher_of_the_guide_judges() -> None:
    (block,) = (one for one in PIECES if "Enricher[" in one.text)
    shouting = run_block(block)["Shouting"](Options())
    found = shouting.enrich([signal_of("WHERE IS IT"), signal_of("here it is")])
    assert [[label.value for label in labels] for labels in found] == [["high"], []]


def test_the_rates_of_the_guide_read_what_the_vendor_counts() -> None:
    (block,) = (one for one in PIECES if "EchoRates" in one.text)
    rates = run_block(block)["EchoRates"]()
    headers = {"x-ratelimit-limit": "100", "x-ratelimit-remaining": "10", "x-ratelimit-reset": "5"}
    assert rates.usage(headers).used == 90
    assert [rates.is_throttled(429, told) for told in ({}, {"x-record-limit": "1"})] == [True, False]


def test_the_guides_way_to_write_many_records_keeps_each_outcome() -> None:
    (block,) = (one for one in PIECES if "def deliver_rows" in one.text)
    api = Api(context(FakeHttp([answer(200, {"records": [{"key": "a", "id": 7}]})])), "https://crm.example")
    batch = [plugin_api.Delivery(n, "crm", "x", key, "upsert", 1, key, {}) for n, key in enumerate("ab")]
    outcomes = run_block(block)["deliver_rows"](api, batch)
    assert [one.ref and one.ref.id for one in outcomes] == ["7", None]
    assert isinstance(outcomes[1].error, plugin_api.Uncertain)


def test_the_configuration_of_the_guide_is_one() -> None:
    (block,) = (one for one in PIECES if one.language == "toml")
    settings = Settings.model_validate(tomllib.loads(block.text))
    assert (list(settings.sources), list(settings.destinations)) == (["book"], ["notes"])


def test_every_module_that_the_guide_names_is_there() -> None:
    named = set(re.findall(r"`(hub\.(?:sdk|testkit|core)[\w.]*)`", text_of("docs/connectors.md"))) - {
        "hub.core.*",
        "hub.sdk.*",
    }
    assert [name for name in sorted(named) if not is_there(name)] == []
    assert len(named) > 10


def is_there(name: str) -> bool:
    """True if this is a module, or a name in one."""
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:
        module, _, inner = name.rpartition(".")
        return hasattr(import_module(module), inner)


def test_the_guide_has_every_rule_of_the_scale() -> None:
    page = text_of("docs/connectors.md")
    assert [rule.id for rule in RULES if f"| {rule.tier} | `{rule.id}` | {rule.text} |" not in page] == []


def test_the_guide_has_every_contract_suite() -> None:
    page = text_of("docs/connectors.md")
    assert [name for name in contracts.__all__ if name.endswith("Contract") and f"| `{name}`" not in page] == []


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that docs/rules.md shows, in a folder."""
    folder = tmp_path_factory.mktemp("rules")
    for block in blocks(text_of("docs/rules.md")):
        path = folder / (block.note or f"unnamed-{block.line}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.text, "utf-8")
    return folder


def hub(folder: Path, *words: str) -> str:
    command = [sys.executable, "-m", "hub.cli", *words]
    return subprocess.run(
        command, cwd=folder, env={"PYTHONPATH": str(ROOT)}, capture_output=True, check=True, text=True
    ).stdout


def test_the_example_of_rules_is_right(example: Path) -> None:
    assert "the configuration is right" in hub(example, "check", "--offline")


def test_the_example_of_a_mapping_passes_its_tests(example: Path) -> None:
    assert "2 of 2 mapping tests passed" in hub(example, "mappings", "test", "mappings/crm/person.toml")


def test_the_example_of_rules_decides_as_the_page_says(example: Path) -> None:
    told = json.loads(hub(example, "rules", "test", "facts.jsonl", "--json"))
    rows = [row(one, rule) for one in told for rule in one["rules"]]
    page = text_of("docs/rules.md").replace("| | ", "|  | ")
    assert [said for said in rows if said not in page] == []
    assert len(rows) == 6


def row(one: dict[str, Any], rule: dict[str, Any]) -> str:
    """A line of the page's table."""
    verdicts = ", ".join(condition["verdict"] for condition in rule["conditions"])
    matched = "yes" if rule["matched"] else "no"
    return f"| {one['line']} | {', '.join(one['topics'])} | {rule['rule']} | {matched} | {verdicts} |"


def paths(node: dict[str, Any], prefix: str = "") -> Iterator[str]:
    for name, below in node.items():
        yield from paths(below, f"{prefix}{name}.") if isinstance(below, dict) else [f"{prefix}{name}"]


def test_every_fact_is_named() -> None:
    page = text_of("docs/rules.md")
    facts = [path for path in paths(skeleton()) if not path.startswith("labels.")]
    named = [path for path in facts if f"`{path}`" in page or f"`.{path.rpartition('.')[2]}`" in page]
    assert sorted(set(facts) - set(named)) == []


def test_every_label_is_named() -> None:
    given = {
        label for name in Registry().names for cls in Registry().load(name).enrichers.values() for label in cls.labels
    }
    page = text_of("docs/rules.md")
    assert [label for label in given | set(skeleton()["labels"]) if f"`{label}`" not in page] == []


def test_every_state_of_a_delivery_has_its_line() -> None:
    page = text_of("docs/operate/troubleshoot.md")
    assert [state for state in STATES if f"| `{state}` |" not in page] == []


def test_configurations_in_the_guides_are_configurations() -> None:
    guides = [ROOT / "docs/connect.md", ROOT / "docs/answers.md", ROOT / "docs/past.md", *OPERATE]
    found = [block for guide in guides for block in blocks(guide.read_text("utf-8")) if block.language == "toml"]
    assert [Settings.model_validate(tomllib.loads(block.text)).file.name for block in found] == ["config.toml"] * len(
        found
    )
    assert len(found) > 5


EXAMPLES = [block for block in blocks(text_of("docs/connect.md")) if block.language == "toml"]


@pytest.mark.parametrize("block", EXAMPLES, ids=lambda one: f"line-{one.line}")
def test_options_in_the_guide_exist(block: Block) -> None:
    settings, registry = Settings.model_validate(tomllib.loads(block.text)), Registry()
    for table, find in (("sources", registry.source), ("destinations", registry.destination)):
        for section in getattr(settings, table).values():
            assert set(section.options) <= set(find(section.plugin).Options.model_fields)


def test_the_picture_is_a_picture() -> None:
    picture = ET.fromstring(text_of("docs/picture.svg"))  # our own file
    assert picture.tag.endswith("svg")
    assert all("script" not in node.tag for node in picture.iter())


def test_the_changelog_has_an_entry_for_this_version() -> None:
    version = tomllib.loads(text_of("pyproject.toml"))["project"]["version"]
    assert re.search(rf"^## (Unreleased|{re.escape(version)})", text_of("CHANGELOG.md"), re.MULTILINE)


def test_the_number_of_languages_with_a_mood_is_that_of_the_models_card() -> None:
    card = re.search(r"Short texts in (.+?) and (\w+),", text_of("plugins/flair/MODEL_CARD.md"))
    assert card
    number = {8: "eight", 9: "nine"}[len(card[1].split(", ")) + 1]
    starters = sorted((ROOT / "hub/cli/starters").rglob("*.toml"))
    told = [*PAGES, *READMES, *starters, ROOT / "config.example.toml"]
    said = {word for page in told for word in re.findall(r"(\w+) languages", page.read_text("utf-8"))}
    assert said & {"seven", "eight", "nine", "ten"} == {number}
