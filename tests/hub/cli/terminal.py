"""`hub` run in this process as a terminal would run it, and a demo that runs without processes."""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hub.cli import main
from hub.cli.running.sandboxes import builder
from hub.flow.decide.batch import process
from hub.flow.deliver.send import deliver
from hub.flow.intake.poll import poll, polling_sources
from hub.queue.inprocess import InProcessBell
from hub.runtime import open_hub
from hub.testkit.sandbox import RunningSandbox, SandboxOptions, serve
from tests.logs import root_kept


@dataclass(frozen=True)
class Said:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def jsonl(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


def run(*arguments: object, given: bytes = b"") -> Said:
    """Run `hub ARGUMENTS` with `given` on standard input."""
    out, err = _stream(), _stream()
    stdin, sys.stdin = sys.stdin, _stream(given)
    code = 0
    try:
        with root_kept(), redirect_stdout(out), redirect_stderr(err):
            main([str(argument) for argument in arguments])
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    finally:
        sys.stdin = stdin
    return Said(code, _text(out), _text(err))


def _stream(content: bytes = b"") -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(content), "utf-8", write_through=True)


def _text(stream: io.TextIOWrapper) -> str:
    raw = stream.buffer
    assert isinstance(raw, io.BytesIO)
    return raw.getvalue().decode()


@dataclass(frozen=True)
class World:
    """A folder in which the demo has run."""

    folder: Path

    @property
    def signals(self) -> list[dict[str, Any]]:
        return run("-c", self.folder / "config.toml", "signals", "list", "--limit", 0, "--json").json  # type: ignore[no-any-return]  # JSON

    @property
    def deliveries(self) -> list[dict[str, Any]]:
        return run("-c", self.folder / "config.toml", "deliveries", "list", "--limit", 0, "--json").json  # type: ignore[no-any-return]  # JSON


@contextmanager
def make_world(folder: Path, *, lines: int = 40) -> Iterator[World]:
    """The demo, run to its end."""
    with ExitStack() as stack:
        demo(stack, folder, lines=lines)
        settle(folder / "config.toml")
        yield World(folder)


def demo(stack: ExitStack, folder: Path, *, lines: int) -> dict[str, RunningSandbox]:
    """Begin the demo with the first lines of each file and the lexicon instead of flair; returns its look-alikes."""
    config, posts = folder / "config.toml", folder / "demo" / "posts"
    assert run("-c", config, "init", "--demo").code == 0
    for file in posts.glob("*.jsonl"):
        kept = file.read_bytes().splitlines(keepends=True)[:lines]
        file.write_bytes(b"".join(kept))
    (posts / "mastodon-broken.jsonl").write_text('{"uri": "https://x.example/1"}\n')
    names = ("salesforce", "hubspot", "zendesk", "mastodon")
    running = {name: stack.enter_context(_sandbox(name)) for name in names}
    ports = {port: running[name].port for port, name in enumerate(names, 8701)}
    config.write_text(here(config.read_text("utf-8"), folder, ports), "utf-8")
    return running


def here(text: str, folder: Path, ports: Mapping[int, int]) -> str:
    """The demo's configuration for this folder, other ports, and the lexicon."""
    text = re.sub(r'plugin = "flair".*\noptions = .*', 'plugin = "lexicon"', text)
    text = text.replace('"demo/posts/', f'"{folder}/demo/posts/')
    for old, new in ports.items():
        text = text.replace(str(old), str(new))
    return text


def _sandbox(name: str) -> RunningSandbox:
    return serve(builder(name)(SandboxOptions(token="sandbox", extra={"job_looks": 0})))


def settle(config: Path) -> None:
    """Poll, process and deliver until nothing is due."""
    hub = open_hub(config, bell=InProcessBell(), migrate=True)
    try:
        hub.store.cursors.declare(polling_sources(hub), now=hub.now())
        for name in polling_sources(hub):
            poll(hub, name, early=True)
        process(hub, slice_s=60)
        while sum(deliver(hub, name, slice_s=60) for name in hub.settings.destinations):
            pass
    finally:
        hub.close()
