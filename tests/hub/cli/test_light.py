"""What commands that only look import: nothing that they do not need."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.hub.cli.terminal import World

NEEDLESS = [
    "alembic",
    "apprise",
    "atproto",
    "cel",
    "fastapi",
    "feedparser",
    "flair",
    "httpcore",
    "httpx",
    "jinja2",
    "limits",
    "mastodon",
    "plugins",
    "prompt_toolkit",
    "psycopg",
    "redis",
    "rich.console",
    "rq",
    "sqlalchemy.dialects.postgresql",
    "structlog",
    "torch",
    "uvicorn",
    "zenpy",
]
RUN = f"""
import contextlib, io, sys
from hub.cli.main import main
with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):
    main(sys.argv[1:])
found = set(sys.modules) & set({NEEDLESS!r})
sys.exit(', '.join(sorted(found)))
"""


@pytest.mark.parametrize(
    "command",
    [
        "signals list",
        "signals list --failed",
        "signals list --json",
        "deliveries list",
        "replies list",
        "alerts list",
        "people list",
        "audit",
    ],
)
def test_a_list_imports_no_client_no_server_no_model_and_no_plugin(world: World, command: str) -> None:
    run = [sys.executable, "-c", RUN, *command.split()]
    done = subprocess.run(run, cwd=world.folder, capture_output=True, text=True, check=False)
    assert done.stderr.strip() == ""


def test_what_a_command_imports_would_be_seen(world: World) -> None:
    run = [sys.executable, "-c", RUN.replace("import contextlib", "import jinja2, contextlib"), "audit"]
    done = subprocess.run(run, cwd=world.folder, capture_output=True, text=True, check=False)
    assert done.stderr.strip() == "jinja2"
