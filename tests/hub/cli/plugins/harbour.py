"""A distribution for the provers: `hubbub-pier`, a source that keeps its promises until a test breaks one."""

from __future__ import annotations

import re
from pathlib import Path

FILES = {
    "pyproject.toml": """
[project]
name = "hubbub-pier"
version = "1.0.0"

[project.entry-points."hub.plugins"]
pier = "{package}.plugin"
""",
    "README.md": """
# Pier

Items are from documentation.

| option | default | |
|---|---|---|
| `url`, `token` | | where, and as whom |
| `backfill_days` | 7 | how far back |

## Credentials

Scope `read`.

## Limits

100 calls a minute.

## Price

One call a poll.

## Terms

The harbour's.

## Measured

900 ships a second. ![ships](ships.png)
""",
    "{package}/__init__.py": '"""A pier."""\n',
    "{package}/plugin.py": '''
"""The hooks."""

from hub import hookimpl
from {package}.source import Pier


@hookimpl
def register_sources():
    """The source."""
    return (Pier,)
''',
    "{package}/source.py": '''
"""The pier, read."""

from datetime import timedelta

from pydantic import Field, SecretStr

from hub import Compliance, Ignored, Limit, Options, PollingSource
from hub.sdk.http.errors import error_for


class PierOptions(Options):
    """Where, and as whom."""

    url: str = Field(description="Address")
    token: SecretStr = Field(description="Token")
    backfill_days: int = Field(default=7, description="How far back")


class Pier(PollingSource[PierOptions]):
    """Tells of ships."""

    name = "pier"
    network = "pier"
    Options = PierOptions
    limits = (Limit(100, 60),)
    compliance = Compliance(timedelta(hours=24))
    sandbox = "{package}.sandbox:build"
    recheck_size = 10

    def check(self, ctx):
        """Ask who we are."""
        response = ctx.http.send("GET", self.options.url)
        if error := error_for(response, ctx.now()):
            raise error
        return "the pier"

    def pull(self, ctx, cursor):
        """Nothing yet; an item's revision is its updated_at."""
        return ()

    def translate(self, raw):
        """Ignore it; a signal would have can_reply="no"."""
        return Ignored("a ship")

    def recheck(self, ctx, signals):
        """All are there."""
        return ()
''',
    "{package}/sandbox.py": '''
"""A pier on this machine."""

from hub.testkit.sandbox import Sandbox


def build(options):
    """The pier."""
    return Sandbox(options)
''',
    "tests/test_contract.py": '''
"""The contract."""

from hub.testkit.contracts import SourceContract
from hub.testkit.contracts.streams import StreamsContract
from {package}.source import Pier


class TestPier(SourceContract):
    """The pier's."""

    source = Pier
    options = {"url": "https://pier.example", "token": "t"}


class TestPierStreams(StreamsContract):
    """The pier's list."""

    source = Pier

    @classmethod
    def options(cls, url):
        """A pier at this address."""
        return {"url": url, "token": "t"}
''',
    "tests/test_recordings.py": '"""What the pier sent."""\n',
    "tests/acceptance/test_pier.py": '"""A real pier."""\n',
}


def build_pier(folder: Path) -> Path:
    """Write the distribution into a folder, with a package name of its own (modules stay in the process); returns its root."""
    package = package_of(folder)
    for name, text in FILES.items():
        path = folder / name.replace("{package}", package)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("{package}", package).lstrip("\n"), "utf-8")
    return folder


def package_of(folder: Path) -> str:
    """The package's name in a folder."""
    return "pier_" + re.sub(r"\W", "_", str(folder))[-60:]


def edit(folder: Path, name: str, *changes: tuple[str, str]) -> None:
    """Replace texts in a file of the distribution; each must be there."""
    path = folder / name.replace("{package}", package_of(folder))
    text = path.read_text("utf-8")
    for old, new in changes:
        assert old in text, f"{old!r} is not in {path}"
        text = text.replace(old, new)
    path.write_text(text, "utf-8")
