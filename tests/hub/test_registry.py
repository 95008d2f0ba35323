"""The registry: plugins of made-up distributions, whole and broken in every way that a plugin can be."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import distributions
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from hub.core.errors import UnknownPlugin
from hub.flow.views.files import all_notes, plugins_of
from hub.flow.views.trials import labelled
from hub.registry import AGAIN_S, Registry
from hub.sdk.version import API_VERSION

HEAD = """
from datetime import timedelta
from hub import Compliance, Source, hookimpl

class Whole(Source):
    name = "toy"
    network = "toy"
    compliance = Compliance(timedelta(hours=1))
    def translate(self, raw):
        return None
"""
WHOLE = HEAD + "\n@hookimpl\ndef register_sources():\n    return (Whole,)\n"
MOOD = """
from hub import Enricher, hookimpl

class Mood(Enricher):
    name = "toy"
    labels = ("sentiment",)
    def enrich(self, signals):
        return [() for _ in signals]

@hookimpl
def register_enrichers():
    return (Mood,)
"""


class Shelf:
    """A folder of installed distributions, one module each."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.modules: list[str] = []

    def install(self, source: str, *, plugin: str = "toy", dist: str = "toybox", metadata: str = "") -> str:
        """Install a distribution whose entry point `plugin` is a module with this source; returns the module's name."""
        module = f"shelved_{abs(hash((str(self.folder), plugin, dist)))}"
        (self.folder / f"{module}.py").write_text(dedent(source))
        info = self.folder / f"{dist}-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {dist}\nVersion: 1.2\n{metadata}")
        (info / "entry_points.txt").write_text(f"[hub.plugins]\n{plugin} = {module}\n")
        self.modules.append(module)
        return module

    def registry(self, **wanted: Any) -> Registry:
        """A registry that finds these distributions only."""
        found = distributions(path=[str(self.folder)])
        return Registry([point for dist in found for point in dist.entry_points], **wanted)

    def reason(self, source: str, **wanted: str) -> str:
        """Why a plugin with this source is quarantined."""
        self.install(source, **wanted)
        return self.registry().load("toy").reason


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shelf]:
    made = Shelf(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield made
    for module in made.modules:
        sys.modules.pop(module, None)


def test_a_whole_plugin_gives_its_classes(shelf: Shelf) -> None:
    shelf.install(WHOLE)
    plugin = shelf.registry().load("toy")
    assert (plugin.kinds, plugin.distribution, plugin.version, plugin.reason) == (("source",), "toybox", "1.2", "")
    assert shelf.registry().source("toy").name == "toy"


def test_only_what_is_asked_for_is_imported(shelf: Shelf) -> None:
    asked, other = shelf.install(WHOLE), shelf.install(WHOLE, plugin="other", dist="otherbox")
    registry = shelf.registry()
    assert registry.names == ("other", "toy")
    registry.load("toy")
    assert (asked in sys.modules, other in sys.modules) == (True, False)


def test_a_plugin_is_loaded_once(shelf: Shelf) -> None:
    shelf.install(WHOLE)
    registry = shelf.registry()
    assert registry.load("toy") is registry.load("toy")


BROKEN = {
    "an import that fails": ("raise RuntimeError('boom')", "RuntimeError: boom"),
    "a syntax error": ("def (", "SyntaxError"),
    "a name that is not there": ("from hub import Nothing", "cannot import name 'Nothing'"),
    "sys.exit() at import": ("import sys\nsys.exit(3)", "SystemExit: 3"),
    "an exception of its own": ("class Odd(BaseException): pass\nraise Odd('odd')", "Odd: odd"),
    "no hook at all": (HEAD + "\ndef register_sources():\n    return (Whole,)\n", "it implements no hook"),
    "an unknown hook": (HEAD + "\n@hookimpl\ndef register_sinks():\n    return ()\n", "unknown hook 'register_sinks'"),
    "an unknown optional hook": (
        HEAD + "\n@hookimpl(optionalhook=True)\ndef register_sinks():\n    return ()\n",
        "there is no hook register_sinks",
    ),
    "a wrong signature": (
        HEAD + "\n@hookimpl\ndef register_sources(registry):\n    return ()\n",
        "hookimpl definition: register_sources(registry)",
    ),
    "an async hook": (HEAD + "\n@hookimpl\nasync def register_sources():\n    return (Whole,)\n", "is async"),
    "a hook that raises": (HEAD + "\n@hookimpl\ndef register_sources():\n    return 1 / 0\n", "ZeroDivisionError"),
    "a hook that exits": (HEAD + "\n@hookimpl\ndef register_sources():\n    raise SystemExit\n", "SystemExit"),
    "a hook that gives nothing": (HEAD + "\n@hookimpl\ndef register_sources():\n    pass\n", "no list of classes"),
    "an instance, no class": (
        HEAD + "\n@hookimpl\ndef register_sources():\n    return (Whole(None),)\n",
        "which is no Source class",
    ),
    "a class of another kind": (
        HEAD + "\n@hookimpl\ndef register_destinations():\n    return (Whole,)\n",
        "which is no Destination class",
    ),
    "an abstract class": (
        HEAD + "\nclass Half(Source):\n    name = 'toy'\n\n@hookimpl\ndef register_sources():\n    return (Half,)\n",
        "Half lacks translate",
    ),
    "a class without a name": (
        WHOLE.replace('    name = "toy"\n', ""),
        "has no attribute 'name'",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_plugin_is_quarantined_with_its_reason(shelf: Shelf, case: str) -> None:
    source, reason = BROKEN[case]
    assert reason in shelf.reason(source)


@pytest.mark.parametrize("case", ["sys.exit() at import", "a hook that raises", "an abstract class"])
def test_a_broken_plugin_harms_no_other(shelf: Shelf, case: str) -> None:
    shelf.install(BROKEN[case][0], plugin="other", dist="otherbox")
    shelf.install(WHOLE)
    registry = shelf.registry()
    assert registry.load("other").reason
    assert registry.source("toy").name == "toy"


def test_ctrl_c_during_an_import_is_the_persons_not_the_plugins(shelf: Shelf) -> None:
    shelf.install("raise KeyboardInterrupt")
    kept = signal.signal(
        signal.SIGINT, signal.default_int_handler
    )  # a shell starts what is in the background without it
    try:
        with pytest.raises(KeyboardInterrupt):
            shelf.registry().load("toy")
    finally:
        signal.signal(signal.SIGINT, kept)


def test_a_missing_extra_says_what_to_install(shelf: Shelf) -> None:
    reason = shelf.reason("import no_such_client", metadata="Provides-Extra: toy\n")
    assert reason == "plugin 'toy' needs 'no_such_client': pip install 'toybox[toy]'"


def test_a_client_that_is_imported_later_is_missed_at_once(shelf: Shelf) -> None:
    source = WHOLE.replace('    name = "toy"', '    name = "toy"\n    libraries = ("json", "no_such_client")', 1)
    reason = shelf.reason(source, metadata="Provides-Extra: toy\n")
    assert reason == "plugin 'toy' needs 'no_such_client': pip install 'toybox[toy]'"


def test_a_missing_package_without_an_extra_names_the_distribution(shelf: Shelf) -> None:
    reason = shelf.reason("import no_such_client", metadata="Provides-Extra: other\n")
    assert reason == "plugin 'toy' needs 'no_such_client': pip install 'toybox'"


def test_one_name_from_two_distributions_is_refused_and_neither_is_imported(shelf: Shelf) -> None:
    modules = shelf.install(WHOLE), shelf.install(WHOLE, dist="impostor")
    plugin = shelf.registry().load("toy")
    assert plugin.reason.startswith(
        "several distributions provide it: impostor, toybox; name one of them: [plugins] toy = "
    )
    assert not set(modules) & set(sys.modules)


def problem(ask: Callable[[], object]) -> str:
    with pytest.raises(UnknownPlugin) as caught:
        ask()
    return str(caught.value)


def test_a_plugin_that_nobody_provides_is_told_with_what_there_is(shelf: Shelf) -> None:
    shelf.install(WHOLE)
    said = problem(lambda: shelf.registry().source("tyo"))
    assert "tyo: no installed package provides this plugin (pip install the package that does" in said
    assert "known: toy)" in said


def test_without_any_plugin_that_is_said() -> None:
    assert "none is installed" in problem(lambda: Registry([]).source("toy"))


def test_asking_a_quarantined_plugin_for_a_class_tells_its_reason(shelf: Shelf) -> None:
    shelf.install("1 / 0")
    assert "quarantined: ZeroDivisionError" in problem(lambda: shelf.registry().source("toy"))


def test_asking_for_a_kind_that_it_does_not_offer_says_what_it_offers(shelf: Shelf) -> None:
    shelf.install(WHOLE)
    assert "offers no enricher (it offers: source)" in problem(lambda: shelf.registry().enricher("toy"))


def test_a_class_under_another_name_than_its_plugin_is_told(shelf: Shelf) -> None:
    shelf.install(WHOLE.replace('name = "toy"', 'name = "tiy"'))
    assert "a class of it is named 'tiy': its name must be 'toy'" in shelf.registry().load("toy").reason


def test_a_stranger_who_takes_a_first_party_name_changes_nothing_and_is_named(shelf: Shelf) -> None:
    shelf.install(WHOLE, dist="hubbub")
    shelf.install("raise SystemExit", dist="impostor")
    plugin = shelf.registry().load("toy")
    assert (plugin.distribution, plugin.others, plugin.reason) == ("hubbub", ("impostor",), "")


def test_the_configuration_may_name_the_distribution_that_provides_a_plugin(shelf: Shelf) -> None:
    shelf.install("raise SystemExit", dist="hubbub")
    shelf.install(WHOLE, dist="other-toys")
    plugin = shelf.registry(owners={"toy": "other-toys"}).load("toy")
    assert (plugin.distribution, plugin.others, plugin.reason) == ("other-toys", ("hubbub",), "")


def test_views_of_files_ask_the_distribution_that_the_configuration_names(shelf: Shelf) -> None:
    shelf.install("raise SystemExit", dist="one")
    shelf.install(MOOD, dist="two")
    file = shelf.folder / "config.toml"
    file.write_text('[plugins]\ntoy = "two"\n[enrichers.a]\nplugin = "toy"\n')
    (shelf.folder / "rules.toml").write_text('[[rule]]\nname = "all"\nwhen = []\n')
    (shelf.folder / "topics.toml").touch()
    assert "this rule has no effect" in [one.message for one in all_notes(file)]
    assert [number for number, _ in labelled(file, b'{"text": "fine"}')] == [1]


@pytest.mark.parametrize("named", ["acme_toys", "Acme.Toys", "ACME-TOYS", "acme--toys"])
def test_a_distribution_is_named_in_any_form_that_pip_takes(shelf: Shelf, named: str) -> None:
    shelf.install("raise SystemExit", dist="hubbub")
    shelf.install(WHOLE, dist="acme-toys")
    plugin = shelf.registry(owners={"toy": named}).load("toy")
    assert (plugin.distribution, plugin.reason) == ("acme-toys", "")


MISFITS = {
    "not a module": "its entry point is 'not a module', and must be MODULE or MODULE:NAME",
    "": "its entry point is '', and must be MODULE or MODULE:NAME",
    "os:path:join": "its entry point is 'os:path:join', and must be MODULE or MODULE:NAME",
    "toys/plugin.py": "its entry point is 'toys/plugin.py', and must be MODULE or MODULE:NAME",
    "no_such.module": "its entry point names the module 'no_such.module', which toybox does not bring",
    "os:nothing": "AttributeError: module 'os' has no attribute 'nothing'",
    ".relative": "TypeError: the 'package' argument",
}


@pytest.mark.parametrize("value", MISFITS)
def test_an_entry_point_that_does_not_fit_is_told_and_harms_no_other(shelf: Shelf, value: str) -> None:
    shelf.install(WHOLE)
    (shelf.folder / "toybox-1.2.dist-info" / "entry_points.txt").write_text(f"[hub.plugins]\ntoy = {value}\n")
    registry = shelf.registry()
    assert registry.load("toy").reason.startswith(MISFITS[value])
    registry.forget("toy")


def test_a_distribution_without_metadata_provides_nothing_that_another_does(shelf: Shelf) -> None:
    shelf.install(WHOLE, dist="hubbub")
    shelf.install("raise SystemExit", dist="bare")
    (shelf.folder / "bare-1.2.dist-info" / "METADATA").unlink()
    assert (shelf.registry().load("toy").reason, shelf.registry().provider("toy")[0] != "") == ("", True)


def test_a_hook_may_yield_its_classes(shelf: Shelf) -> None:
    head = "from hub import hookimpl\nfrom plugins.requesttracker.destination import RequestTrackerDestination as It\n"
    shelf.install(head + "@hookimpl\ndef register_destinations():\n    yield It\n", plugin="requesttracker")
    assert shelf.registry().load("requesttracker").kinds == ("destination",)


def test_lists_of_plugins_ask_it_too_and_a_configuration_with_errors_names_none(shelf: Shelf) -> None:
    shelf.install("raise SystemExit", dist="one")
    shelf.install(WHOLE, dist="two")
    file = shelf.folder / "config.toml"
    file.write_text('[plugins]\ntoy = "two"\n')
    reasons = [plugins_of(file).load("toy").reason]
    file.write_text("[plugins\n")
    reasons.append(plugins_of(file).load("toy").reason[:21])
    assert reasons == ["", "several distributions"]


def test_a_distribution_that_does_not_provide_what_it_is_named_for_is_told(shelf: Shelf) -> None:
    shelf.install(WHOLE)
    reason = shelf.registry(owners={"toy": "elsewhere"}).load("toy").reason
    assert reason == "[plugins] names 'elsewhere', which does not provide it; it is in: toybox"


def test_a_broken_plugin_that_was_mended_is_taken_up_after_a_while(shelf: Shelf) -> None:
    module, clock = shelf.install("import no_such_library"), [0.0]
    registry = shelf.registry(clock=lambda: clock[0])
    assert "no_such_library" in registry.load("toy").reason
    (shelf.folder / f"{module}.py").write_text(WHOLE)
    assert registry.load("toy").reason
    clock[0] += AGAIN_S
    assert registry.load("toy").reason == ""


def test_every_plugin_of_this_project_loads() -> None:
    registry = Registry()
    assert {name: registry.load(name).reason for name in registry.names} == dict.fromkeys(registry.names, "")


def test_a_plugin_for_this_api_is_taken_and_its_version_is_known(shelf: Shelf) -> None:
    shelf.install(WHOLE + '\napi = "1"\n')
    assert shelf.registry().load("toy").api == "1"
    assert shelf.registry().source("toy").name == "toy"


def test_a_plugin_for_another_api_is_refused_with_the_way_out(shelf: Shelf) -> None:
    reason = shelf.reason(WHOLE + '\napi = "2"\n')
    assert reason == f"it was written for version 2 of the plugin API, and this is {API_VERSION}: update Hubbub"
