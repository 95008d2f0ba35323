"""Runs a hub with the echo plugin in this process: `python drive.py FOLDER` prints what landed as JSON."""

from __future__ import annotations

import contextlib
import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from hub.core.errors import HubError
from hub.flow.check import try_connections
from hub.flow.decide.batch import process
from hub.flow.deliver.send import deliver
from hub.flow.intake.poll import poll
from hub.flow.sweep import prepare
from hub.queue.inprocess import InProcessBell
from hub.registry import Registry
from hub.runtime import Hub, open_hub
from hub.testkit.sandbox import RunningSandbox, SandboxOptions, serve
from hub.web.app import WebApp

CONFIG = """
[sources.book]
plugin = "echo"
allow_private = true
options = {{ url = "{url}", token = {{ env = "ECHO_TOKEN" }} }}

[destinations.notes]
plugin = "echo"
allow_private = true
options = {{ url = "{url}", token = {{ env = "ECHO_TOKEN" }} }}
"""
BROKEN = """
[sources.other]
plugin = "raising"
"""
RULES = """
[[rule]]
name = "echo"
when = ["'echo' in topics"]
deliver = [{ destination = "notes", mapping = "note" }]
"""
TOPICS = """
[[topic]]
name = "echo"
keywords = ["echo"]
"""


def write_config(folder: Path, url: str, more: str = "") -> Path:
    """A configuration for a guest book at `url`, with a rule and a topic; `more` is added to it."""
    for name, text in {
        "config.toml": CONFIG.format(url=url) + more,
        "rules.toml": RULES,
        "topics.toml": TOPICS,
    }.items():
        (folder / name).write_text(text, "utf-8")
    return folder / "config.toml"


def run(folder: Path, running: RunningSandbox) -> dict[str, Any]:
    """Beside a broken source: poll, process and deliver, twice; the second time there is nothing to do."""
    config = write_config(folder, running.url, BROKEN)
    with contextlib.closing(open_hub(config, bell=InProcessBell(), migrate=True)) as hub:
        prepare(hub)
        rounds = [(poll(hub, "book", early=True), process(hub), deliver(hub, "notes")) for _ in range(2)]
        return {
            "web": web(hub),
            "tried": [(one.connection, one.fine, one.message) for one in try_connections(hub)],
            "rounds": rounds,
            "states": dict(hub.store.outbox.counts()["notes"]),
            "notes": [record for _, record in running.sandbox.store.all("notes")],
        }


def web(hub: Hub) -> str:
    """What the web process says when it starts."""
    try:
        WebApp(hub)
    except HubError as error:
        return str(error)
    return "ready"


def main(folder: Path) -> None:
    """Serve the guest book that the plugin ships, run a hub on it, print what landed."""
    module, _, name = Registry().destination("echo").sandbox.partition(":")
    with serve(getattr(import_module(module), name)(SandboxOptions())) as running:
        print(json.dumps(run(folder, running)))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
