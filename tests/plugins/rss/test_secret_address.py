"""A feed whose address is a secret: read from its reference, and never shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from hub import Unavailable
from hub.config.secrets import read_options, secret_values
from hub.core.errors import ConfigError
from hub.testkit.fakes import FakeClock, FakeHttp, answer, context
from plugins.rss.config import RssOptions
from plugins.rss.source import RssSource
from tests.plugins.rss.feeds import dated, page

TOKEN = "s3cret-token-of-acme"
ADDRESS = f"https://news.example/private/feed.xml?key={TOKEN}"
MOVED = f"https://news.example/elsewhere?key={TOKEN}"


def read(folder: Path, *feeds: Any) -> RssOptions:
    found = read_options(RssOptions, {"feeds": list(feeds)}, folder=folder, file="config.toml", at="sources.a.options")
    assert isinstance(found, RssOptions)
    return found


def secret(folder: Path) -> RssOptions:
    (folder / "address").write_text(ADDRESS + "\n")
    return read(folder, {"file": "address"})


def test_members_of_a_list_may_be_references(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEED", ADDRESS)
    options = read(tmp_path, {"env": "FEED"}, "https://open.example/feed")
    assert options.feeds == (ADDRESS, "https://open.example/feed")
    assert [options.is_secret(one) for one in options.feeds] == [True, False]


def test_a_member_that_cannot_be_read_is_named_by_its_place(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no variable NO_SUCH_FEED") as told:
        read(tmp_path, "https://open.example/feed", {"env": "NO_SUCH_FEED"})
    assert told.value.problems[0].path == "sources.a.options.feeds.1"


def test_the_hub_hides_the_address_and_its_token(tmp_path: Path) -> None:
    assert set(secret_values(secret(tmp_path))) == {ADDRESS, TOKEN}


def test_an_open_address_is_no_secret(tmp_path: Path) -> None:
    assert list(secret_values(read(tmp_path, ADDRESS))) == []


@pytest.mark.parametrize(
    "reply",
    [
        page(dated("a", 1)),
        answer(503, f"not now, {TOKEN}"),
        answer(410),
        answer(200, "no feed"),
        answer(301, headers={"location": MOVED}),
    ],
)
def test_neither_cursor_nor_items_nor_log_nor_error_hold_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, reply: Any
) -> None:
    source, shown = RssSource(secret(tmp_path)), []
    http = FakeHttp([reply, *[page(dated("a", 1))] * 20])
    try:
        shown += [msgspec.json.encode(one) for one in source.pull(context(http, clock=FakeClock()), None)]
    except Unavailable as error:
        shown.append(str(error).encode())
    assert http.requests[0].url == ADDRESS
    assert shown
    assert TOKEN not in f"{shown} {caplog.text}"


def test_its_cursor_is_found_again(tmp_path: Path) -> None:
    source, clock = RssSource(secret(tmp_path)), FakeClock()
    http = FakeHttp([page(dated("a", 1)), page(dated("a", 1))])
    cursor = list(source.pull(context(http, clock=clock), None))[-1].cursor
    clock.advance(3600)
    again = list(source.pull(context(http, clock=clock), cursor))
    assert [one for found in again for one in found.items] == []
