"""The pages on which people play the public and the agent, in a real browser: nothing is refused or fails on the way."""

from __future__ import annotations

import subprocess
from pathlib import Path

import httpx
import pytest

from hub.testkit.sandbox import SandboxOptions, serve
from plugins.mastodon.sandbox import build as build_town
from plugins.zendesk.sandbox import build as build_desk
from tests.browser.test_live import CHROMIUM, HOSTILE

WORDS = f"@pennywren {HOSTILE} https://example.com/help"
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")


def browse(url: str, folder: Path) -> str:
    """What the browser makes of a page; nothing may be said on its console."""
    command = [CHROMIUM or "", "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder / 'profile'}"]
    command += ["--enable-logging=stderr", "--dump-dom", url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert [line for line in done.stderr.splitlines() if "CONSOLE" in line] == []
    return done.stdout


def check(page: str) -> None:
    """Hostile words stand there as words, and the address in them is a link."""
    assert "&lt;script&gt;" in page
    assert "<script" not in page
    assert "<img" not in page
    assert 'href="https://example.com/help"' in page


def test_the_town_shows_hostile_words_and_obeys_none(tmp_path: Path) -> None:
    with serve(build_town(SandboxOptions())) as running:
        form = {"as": "ann", "text": WORDS}
        httpx.post(f"{running.url}/town/posts", data=form, trust_env=False)
        check(browse(f"{running.url}/town", tmp_path))


def test_the_desk_shows_hostile_words_and_obeys_none(tmp_path: Path) -> None:
    ticket = {"subject": "hello", "comment": {"body": WORDS}, "requester": {"name": "Ann", "external_id": "a"}}
    with serve(build_desk(SandboxOptions())) as running:
        headers = {"authorization": "Bearer sandbox-token"}
        made = httpx.post(f"{running.url}/api/v2/tickets", json={"ticket": ticket}, headers=headers, trust_env=False)
        check(browse(f"{running.url}/agent/tickets/{made.json()['ticket']['id']}", tmp_path))
