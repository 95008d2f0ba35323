"""docs/first-feed.md as a newcomer types it: each command in its order, on a feed of this machine."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.hub.cli.conftest import Cli
from tests.hub.cli.terminal import settle
from tests.material import ROOT

PAGE = (ROOT / "docs/first-feed.md").read_text("utf-8")
ADDRESS = "https://example.com/feed.xml"
FEED = b"""<?xml version="1.0"?><rss version="2.0"><channel><title>News</title><link>https://news.example</link>
<item><guid>1</guid><title>Your Brand opens a shop</title><link>https://news.example/1</link>
<description>It is a wonderful place.</description></item>
</channel></rss>"""


class Site(BaseHTTPRequestHandler):
    """Answers with the feed."""

    def do_GET(self) -> None:
        """Send it."""
        self.send_response(200)
        self.send_header("content-type", "application/rss+xml")
        self.send_header("content-length", str(len(FEED)))
        self.end_headers()
        self.wfile.write(FEED)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def site() -> Iterator[str]:
    """The address of a feed on this machine."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/feed.xml"
    server.shutdown()
    server.server_close()


def shown(site: str) -> list[list[str]]:
    """The commands of the page, with this site in the place of its example."""
    lines = re.findall(r"^ +hub (.+?)(?: +#.*)?$", PAGE, re.MULTILINE)
    return [line.replace(ADDRESS, site).split() for line in lines]


def test_each_command_of_the_page_works_in_its_order(cli: Cli, site: str, tmp_path: Path) -> None:
    init, *others = shown(site)
    assert (init[0], [words[0] for words in others]) == ("init", ["check", "signals", "explain"])
    assert cli(*init).code == 0
    config = tmp_path / "config.toml"
    config.write_text(config.read_text("utf-8").replace('"rss"', '"rss"\nallow_private = ["127.0.0.1"]'), "utf-8")
    assert "fine   news: " in cli(*others[0]).out
    settle(config)  # what `hub up` does
    key = cli("signals", "list", "--json").json[0]["key"]
    said = [cli(*(key if word == "KEY" else word for word in words)).out for words in others[1:]]
    assert "It is a wonderful place" in said[0]
    assert "topics: brand" in said[1]
    assert "sentiment positive" in said[1]


def test_a_feed_on_this_machine_is_refused_with_the_option_that_lets_it(cli: Cli, site: str) -> None:
    cli(*shown(site)[0])
    assert "allow_private" in cli("check").out
