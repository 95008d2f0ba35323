"""The page in a real browser: signals appear by themselves, and nothing is refused or fails on the way."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.flow.decide.batch import process
from hub.queue.inprocess import InProcessBell
from hub.runtime import Hub, open_hub

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
CONFIG = """
[web]
port = {port}
[sources.shop]
plugin = "webhook"
options = {{ scheme = "none" }}
"""
HOSTILE = "<script>document.title = 'taken'</script> \u202e <img src=x onerror=\"document.title = 'taken'\">"


@pytest.fixture
def page(tmp_path: Path) -> Iterator[tuple[str, Hub]]:
    """The address of a web process of its own, and a hub on the same database."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (tmp_path / "config.toml").write_text(CONFIG.format(port=port))
    (tmp_path / "rules.toml").touch()
    (tmp_path / "topics.toml").touch()
    command = [sys.executable, "-m", "hub.web", "-c", str(tmp_path / "config.toml"), "--migrate"]
    url = f"http://127.0.0.1:{port}"
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as web:
        try:
            wait_for(url + "/readyz?accept")
            hub = open_hub(tmp_path / "config.toml", bell=InProcessBell())
            yield url, hub
            hub.close()
        finally:
            web.terminate()


def wait_for(url: str) -> None:
    """Until it answers."""
    end = time.monotonic() + 30
    while True:
        try:
            urllib.request.urlopen(url).close()
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)
        else:
            return


def say(url: str, hub: Hub, number: int) -> None:
    """A signal arrives and is processed."""
    body = json.dumps({"id": str(number), "text": f"number {number} {HOSTILE}", "author": HOSTILE}).encode()
    request = urllib.request.Request(url + "/in/shop", body, {"content-type": "application/json"})
    urllib.request.urlopen(request).close()
    process(hub)


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")
def test_signals_appear_without_a_reload_and_without_an_error(page: tuple[str, Hub], tmp_path: Path) -> None:
    url, hub = page
    say(url, hub, 0)
    browse = [CHROMIUM or "", "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    browse += ["--enable-logging=stderr", "--virtual-time-budget=60000", "--dump-dom", url + "/"]
    said, told = tmp_path / "dom.html", tmp_path / "console.log"
    with said.open("w") as dom, told.open("w") as log, subprocess.Popen(browse, stdout=dom, stderr=log) as browser:
        number = 0
        while browser.poll() is None and number < 300:
            number += 1
            say(url, hub, number)
            time.sleep(0.1)
    found = said.read_text("utf-8")
    # Only the script gives a row this class, and only to one that came after the page was loaded.
    assert 'class="signal unmatched fresh"' in found
    assert "now</time>" in found or " ago</time>" in found
    assert "taken" not in found.split("</title>")[0]
    assert [line for line in told.read_text("utf-8").splitlines() if "CONSOLE" in line] == []
