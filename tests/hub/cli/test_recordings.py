"""`hub translate` over recordings: as many lines come out as there are items."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from tests.hub.cli.conftest import Cli
from tests.material import shared
from tests.plugins.bluesky import test_recordings as bluesky
from tests.plugins.mastodon import test_recordings as mastodon
from tests.plugins.rss import test_documents as rss


def write(file: Path, items: list[dict[str, Any]]) -> Path:
    file.write_text("".join(json.dumps(item) + "\n" for item in items), "utf-8")
    return file


def test_each_recorded_status_of_mastodon_is_one_line(cli: Cli, tmp_path: Path) -> None:
    items = mastodon.statuses()
    said = cli("translate", "mastodon", write(tmp_path / "m.jsonl", items))
    assert (said.code, said.err) == (0, "")
    assert [one["native_id"] for one in said.jsonl] == [item["uri"] for item in items]


@pytest.mark.parametrize("relative", bluesky.FILES)
def test_each_recorded_post_of_bluesky_is_one_line(cli: Cli, tmp_path: Path, relative: str) -> None:
    items = [item for _, item in bluesky.posts(relative)]
    said = cli("translate", "bluesky", write(tmp_path / "b.jsonl", items))
    assert (said.code, said.err) == (0, "")
    originals = [one for one in said.jsonl if one["kind"] != "repost"]
    assert [one["native_id"] for one in originals] == [item.get("post", item)["uri"] for item in items]


def test_each_entry_of_each_feed_is_one_line(cli: Cli, tmp_path: Path) -> None:
    with tarfile.open(shared("recordings/feeds.tar.xz")) as archive:
        if hasattr(tarfile, "data_filter"):  # Python 3.11.4 and later
            archive.extraction_filter = tarfile.data_filter
        archive.extractall(tmp_path)
    names = sorted(rss.documents())
    said = cli("translate", "rss", *(tmp_path / name for name in names), "--realm", rss.REALM)
    assert (said.code, said.err) == (0, "")
    assert len(said.jsonl) == sum(map(count, names))


def count(name: str) -> int:
    """How many entries a document has; JSON Feed, which feedparser does not read, says it itself."""
    is_json = rss.documents()[name].lstrip().startswith(b"{")
    return len(json.loads(rss.documents()[name])["items"]) if is_json else len(rss.entries(name))
