"""Plugins that cannot be had: what is theirs waits, the rest goes on, and what was mended is taken up without a restart."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import timedelta
from importlib.metadata import EntryPoint
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from msgspec import json, structs

from hub.config.settings import Settings
from hub.core.keys import signal_key
from hub.flow.activation import complete
from hub.flow.deliver.send import deliver
from hub.flow.intake.poll import poll
from hub.flow.sweep import due_lanes, prepare, sweep
from hub.registry import AGAIN_S, GROUP, Quarantine
from hub.store.activations import BookVersions
from tests.hubs import NOON, Made
from tests.logs import captured

NewHub = Callable[..., Made]
AN_HOUR = timedelta(hours=1)
WHOLE = """
from datetime import timedelta
from hub import *
from hub import hookimpl

class ToyOptions(Options):
    word: str = "mild"

class ToySource(PollingSource):
    name = "toy"
    network = "toy"
    Options = ToyOptions
    compliance = Compliance(timedelta(hours=1))
    def pull(self, ctx, cursor):
        return ()
    def translate(self, raw):
        return Ignored("toy")

class ToyDestination(Destination):
    name = "toy"
    Options = ToyOptions
    def describe(self, ctx):
        return {}
    def deliver(self, ctx, batch):
        return [Outcome.delivered(one, RemoteRef(one.key)) for one in batch]

class ToyEnricher(Enricher):
    name = "toy"
    labels = ("shine",)
    Options = ToyOptions
    def enrich(self, signals):
        return [(Label("shine", "bright", "toy", 1.0, 1.0, "1"),) for _ in signals]

@hookimpl
def register_sources():
    return (ToySource,)

@hookimpl
def register_destinations():
    return (ToyDestination,)

@hookimpl
def register_enrichers():
    return (ToyEnricher,)
"""
INIT = "\n    def __init__(self, options):\n        {what}\n"
BROKEN: dict[str, str] = {
    "a module that is not there": "import no_such_library",
    "an error of syntax": "def",
    "an error at its import": "raise ValueError('s3cret')",
    "an end of the process at its import": "raise SystemExit(3)",
    "no hook": "import hub",
    "a hook that raises": "from hub import hookimpl\n@hookimpl\ndef register_sources():\n    raise KeyError('x')",
    "classes of another kind": "from hub import hookimpl\n@hookimpl\ndef register_destinations():\n    return (int,)",
    "classes of another name": WHOLE.replace('name = "toy"', 'name = "tiy"'),
    "a newer API": "api = '999'\n" + WHOLE,
    "a library of an extra": WHOLE.replace('name = "toy"', 'name = "toy"\n    libraries = ("no_such_client",)'),
    "a constructor that raises": WHOLE.replace('name = "toy"', 'name = "toy"' + INIT.format(what="raise KeyError(1)")),
    "a constructor that ends": WHOLE.replace('name = "toy"', 'name = "toy"' + INIT.format(what="raise SystemExit")),
    "options to inherit in no list": WHOLE.replace('name = "toy"', 'name = "toy"\n    inherits = None'),
    "a library that is a text": WHOLE.replace('name = "toy"', 'name = "toy"\n    libraries = "toy"'),
    "labels in one text": WHOLE.replace('("shine",)', '"shine"'),
    "labels that are none": WHOLE.replace('("shine",)', "None"),
    "a constructor that panics": WHOLE.replace(
        'name = "toy"', 'name = "toy"' + INIT.format(what="raise type('Panic', (BaseException,), {})")
    ),
    "a constructor that keeps no options": WHOLE.replace('name = "toy"', 'name = "toy"' + INIT.format(what="pass")),
    "hosts in one text": WHOLE.replace('name = "toy"', 'name = "toy"\n    egress_hosts = "toy.example"'),
    "a property that raises": WHOLE.replace('name = "toy"', 'name = "toy"\n    limits = property(lambda self: 1 / 0)'),
    "options that are wrong": WHOLE.replace("word: str", "word: int"),
    "options that raise": WHOLE.replace("word: str", "@property\n    def model_fields(self): 1/0\n    word: int"),
}
RULES = """
[[rule]]
name = "brand"
when = ['"acme" in topics']
deliver = [{ destination = "memo", mapping = "note" }, { destination = "crm", mapping = "note" }]

[[rule]]
name = "shiny"
when = ['labels.shine.value == "bright"']
deliver = [{ destination = "memo", mapping = "said" }]
"""
NOTE = 'object = "note"\n[fields.text]\nfrom = "signal.text"\n'


class World:
    """A hub with a source, a destination and an enricher of a plugin in a file, beside others that work."""

    def __init__(self, made: Made, folder: Path) -> None:
        self.made, self.hub, self.folder = made, made.hub, folder
        self.now = [0.0]
        self.module = f"toys_{abs(hash(str(folder)))}"
        sections = {"plugin": "toy", "options": {"word": "mild"}}
        tables: dict[str, Any] = {
            "sources": {"lines": {"plugin": "lines"}, "news": sections},
            "destinations": {"memo": {"plugin": "memo"}, "crm": sections},
            "enrichers": {"mood": {"plugin": "mood"}, "shine": sections},
        }
        self.hub.settings = Settings.model_validate({**tables, "file": folder / "config.toml"})
        self.hub.registry._points["toy"] = [EntryPoint("toy", self.module, GROUP)]
        self.hub.registry._clock = self.clock
        self.hub.broken = Quarantine(self.clock)
        (folder / "rules.toml").write_text(RULES)
        (folder / "mappings" / "crm").mkdir(parents=True, exist_ok=True)
        (folder / "mappings" / "crm" / "note.toml").write_text(NOTE)

    def clock(self) -> float:
        return self.now[0]

    def write(self, source: str) -> None:
        (self.folder / f"{self.module}.py").write_text(dedent(source))

    def run(self) -> None:
        """All that workers and the scheduler do."""
        prepare(self.hub)
        sweep(self.hub)
        self.made.run()
        deliver(self.hub, "crm")

    def states(self, name: str) -> dict[str, int]:
        return dict(self.hub.store.outbox.counts().get(name, {}))


@pytest.fixture
def world(new_hub: NewHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    world = World(new_hub(), tmp_path)
    yield world
    sys.modules.pop(world.module, None)


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_a_broken_plugins_waits_and_the_rest_goes_on(world: World, case: str) -> None:
    world.write(BROKEN[case])
    world.made.say({"id": "1", "text": "acme"})
    world.run()
    assert (world.states("memo"), world.states("crm")) == ({"delivered": 1}, {"pending": 1})
    assert (world.hub.store.inbox.open_counts(), world.hub.store.inbox.count_marks()) == ((0, 0), 1)
    assert {"destinations.crm", "enrichers.shine", "sources.news"} <= set(world.hub.broken)


@pytest.mark.parametrize("case", sorted(BROKEN.keys() - {"options that are wrong"}))  # those are read at the start
def test_a_plugin_that_was_mended_is_taken_up_without_a_restart(world: World, case: str) -> None:
    world.write(BROKEN[case])
    world.made.say({"id": "1", "text": "acme"})
    world.run()
    world.write(WHOLE)
    world.now[0] += AGAIN_S
    world.made.say({"id": "2", "text": "acme 2"})
    world.run()
    assert (world.states("memo"), world.states("crm")) == ({"delivered": 5}, {"delivered": 2})
    assert (dict(world.hub.broken), poll(world.hub, "news", early=True)) == ({}, 0)


@pytest.mark.parametrize("table", ["sources", "destinations", "enrichers"])
def test_a_broken_plugin_of_what_is_switched_off_stops_nothing(world: World, table: str) -> None:
    world.write("raise ValueError")
    sections = getattr(world.hub.settings, table)
    off = {name: one.model_copy(update={"enabled": one.plugin != "toy"}) for name, one in sections.items()}
    world.hub.settings = world.hub.settings.model_copy(update={table: off})
    world.made.say({"id": "1", "text": "acme"})
    world.run()
    assert world.states("memo") == {"delivered": 1}


def test_mappings_that_a_plugin_ships_are_those_it_had_last(world: World) -> None:
    (world.folder / "mappings" / "crm" / "note.toml").unlink()
    versions = [("v1", "mapping", "crm/note", json.encode(world.hub.book.mappings["memo", "note"].spec).decode())]
    world.hub.__dict__.pop("book")
    world.hub.store.connections.remember_versions(versions, now=NOON)
    world.write("raise ValueError")
    world.made.say({"id": "1", "text": "acme"})
    world.run()
    assert (world.states("memo"), world.states("crm")) == ({"delivered": 1}, {"pending": 1})


def test_mappings_that_were_active_again_after_others_are_the_last(world: World) -> None:
    (world.folder / "mappings" / "crm" / "note.toml").unlink()
    store, spec = world.hub.store, world.hub.book.mappings["memo", "note"].spec
    for number, object_ in enumerate(("old", "new"), 1):
        content = json.encode(structs.replace(spec, object=object_)).decode()
        store.connections.remember_versions(
            [(f"v{number}", "mapping", "crm/note", content)], now=NOON + number * AN_HOUR
        )
    with store.database.write() as conn:
        store.activations.add(conn, BookVersions("", "", {"crm/note": "v1"}), actor="ann", now=NOON + 3 * AN_HOUR)
    world.write("raise ValueError")
    assert world.hub.read_files()[0].mappings["crm", "note"].spec.object == "old"


def test_a_destination_that_never_worked_is_left_out_and_the_signal_says_so(world: World) -> None:
    (world.folder / "mappings" / "crm" / "note.toml").unlink()
    world.write("raise ValueError")
    world.made.say({"id": "1", "text": "acme"})
    world.run()
    assert world.states("memo") == {"delivered": 1}
    assert "its plugin cannot be had now" in str(world.hub.store.signals.get(signal_key("lines", "1")))


def test_what_is_broken_is_not_rung_for_until_it_is_tried_again(world: World) -> None:
    world.write("raise ValueError")
    world.made.say({"id": "1", "text": "acme"})
    world.run()
    assert ("deliver", "crm") not in list(due_lanes(world.hub))
    world.now[0] += AGAIN_S
    assert ("deliver", "crm") in list(due_lanes(world.hub))


def test_a_secret_in_a_constructors_error_is_not_told(world: World) -> None:
    init = INIT.format(what="raise KeyError(options.word.get_secret_value())")
    secretive = WHOLE.replace('word: str = "mild"', "word: __import__('pydantic').SecretStr")
    world.write(secretive.replace('name = "toy"', 'name = "toy"' + init))
    file = world.folder / "secret"
    file.write_text("p4ssw0rd-of-toy")
    crm = world.hub.settings.destinations["crm"].model_copy(update={"options": {"word": {"file": "secret"}}})
    destinations = {**world.hub.settings.destinations, "crm": crm}
    world.hub.settings = world.hub.settings.model_copy(update={"destinations": destinations})
    prepare(world.hub)
    assert "fails to start" in world.hub.broken["destinations.crm"]
    assert "p4ssw0rd" not in world.hub.broken["destinations.crm"]


def test_a_plugin_that_can_be_had_again_waits_for_a_reload_if_the_files_differ_and_that_is_told_once(
    world: World,
) -> None:
    world.write(BROKEN["an error at its import"])
    world.run()
    world.write(WHOLE)
    world.now[0] += AGAIN_S
    (world.folder / "rules.toml").write_text(RULES + "# a word\n")
    with captured() as lines:
        assert (complete(world.hub), complete(world.hub)) == (False, False)
    assert [line["event"] for line in lines] == [
        "a plugin can be had again, and files differ from what is active: `hub reload` activates both"
    ]
    (world.folder / "rules.toml").write_text(RULES)
    assert (complete(world.hub), complete(world.hub)) == (True, False)


def test_a_plugin_that_brings_no_destination_is_not_activated_with_each_sweep(world: World) -> None:
    world.write(WHOLE.replace("return (ToyDestination,)", "return ()"))
    prepare(world.hub)
    with captured() as lines:
        complete(world.hub)
        complete(world.hub)
    assert len([line for line in lines if line["event"].startswith("activated without a plugin")]) == 1
