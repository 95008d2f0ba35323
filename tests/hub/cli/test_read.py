"""`hub translate`, `hub label`, `hub poll`, `hub import`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.hub.cli.conftest import Cli
from tests.hub.cli.terminal import World

POST = {
    "uri": "https://a.example/users/ana/1",
    "created_at": "2026-11-01T10:00:00Z",
    "content": "<p>Hello</p>",
    "visibility": "public",
    "account": {"uri": "https://a.example/users/ana", "acct": "ana@a.example", "followers_count": 7},
}


def jsonl(*items: Any) -> bytes:
    return b"".join(json.dumps(item).encode() + b"\n" for item in items)


def test_a_signal_comes_out_with_its_author_inside(cli: Cli) -> None:
    said = cli("translate", "mastodon", given=jsonl(POST))
    (signal,) = said.jsonl
    assert (said.code, signal["text"], signal["kind"], signal["network"]) == (0, "Hello", "post", "mastodon")
    assert (signal["author"]["key"], signal["author"]["handle"]) == (signal["author_key"], "ana@a.example")


def test_likes_and_follows_say_nothing(cli: Cli) -> None:
    account = POST["account"]
    likes = [{"id": "1", "type": kind, "account": account, "status": POST} for kind in ("favourite", "reblog")]
    follow = {"id": "3", "type": "follow", "account": account}
    said = cli("translate", "mastodon", given=jsonl(*likes, follow))
    assert (said.code, said.out, said.err) == (0, "", "")


def test_a_broken_line_is_told_with_its_place_and_the_others_still_come_out(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "items.jsonl"
    file.write_bytes(
        jsonl(POST) + b"\n{not json\n" + jsonl({**POST, "uri": "https://a.example/users/ana/2"}) + b"\xff\xfe\n"
    )
    said = cli("translate", "mastodon", file)
    assert said.code == 1
    assert [one["native_id"][-1] for one in said.jsonl] == ["1", "2"]
    assert [line.split(": ")[0] for line in said.err.splitlines()] == [f"{file}:3", f"{file}:5"]


@pytest.mark.parametrize("plugin", ["mastodon", "bluesky", "webhook"])
@pytest.mark.parametrize("line", [b"null", b"[]", b"17", b'"text"', b"{}", b'{"a":' * 2000, b'{"uri": 1, "id": []}'])
def test_no_line_whatever_it_holds_makes_a_traceback(cli: Cli, plugin: str, line: bytes) -> None:
    said = cli("translate", plugin, given=line)
    assert said.code in (0, 1)
    assert "Traceback" not in said.err


def test_the_moment_of_receipt_may_be_told(cli: Cli) -> None:
    said = cli("translate", "mastodon", "--received-at", "2026-11-22T10:00:00+01:00", given=jsonl(POST))
    assert said.jsonl[0]["observed_at"] == "2026-11-22T09:00:00Z"


def test_a_realm_sets_feeds_apart(cli: Cli, tmp_path: Path) -> None:
    feed = '<rss version="2.0"><channel><title>t</title><item><guid>1</guid><title>One</title></item></channel></rss>'
    (tmp_path / "feed.xml").write_text(feed)
    keys = [
        cli("translate", "rss", "feed.xml", "--realm", realm).jsonl[0]["key"]
        for realm in ("https://a.example", "https://b.example")
    ]
    assert keys[0] != keys[1]


def test_several_files_are_read_in_their_order(cli: Cli, tmp_path: Path) -> None:
    for name in "ba":
        (tmp_path / name).write_bytes(jsonl({**POST, "uri": f"https://a.example/{name}"}))
    assert [one["native_id"][-1] for one in cli("translate", "mastodon", "b", "a").jsonl] == ["b", "a"]


def test_every_key_of_a_labelled_line_is_kept(cli: Cli) -> None:
    line = {"id": 7, "text": "I love this, it is wonderful", "lang": "en", "gold": {"a": [1, None]}}
    (said,) = cli("label", "--enricher", "lexicon", given=jsonl(line)).jsonl
    labels = said.pop("labels")
    assert said == line
    assert [(one["name"], one["value"]) for one in labels] == [("sentiment", "positive")]
    assert {"name", "value", "score", "model"} <= labels[0].keys()


def test_labels_do_not_depend_on_neighbours(cli: Cli) -> None:
    texts = ["I love it", "I hate it so much", "", "It is a shoe.", "Wonderful, great, best!"]
    lines = [{"text": text, "lang": "en"} for text in texts]
    together = cli("label", "--enricher", "lexicon", given=jsonl(*lines)).jsonl
    alone = [cli("label", "--enricher", "lexicon", given=jsonl(line)).jsonl[0] for line in lines]
    assert together == alone


def test_without_a_configuration_the_usual_enrichers_judge(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(
        '[enrichers.language]\nplugin = "language"\n[enrichers.mood]\nplugin = "lexicon"\n'
    )
    (said,) = cli("label", given=jsonl({"text": "The new app is great and I love it very much"})).jsonl
    assert {one["name"]: one["value"] for one in said["labels"]} == {"language": "en", "sentiment": "positive"}


@pytest.mark.parametrize("given", [b"", b"\n\n", b"  \n"])
def test_no_line_in_is_no_line_out(cli: Cli, given: bytes) -> None:
    said = cli("label", given=given)
    assert (said.code, said.out, said.err) == (0, "", "")


def test_a_line_without_a_text_is_told_and_the_others_come_out(cli: Cli) -> None:
    said = cli("label", "--enricher", "lexicon", given=b'{"text": "fine"}\n{"txt": 1}\nnonsense\n{"text": "good"}\n')
    assert said.code == 1
    assert [one["text"] for one in said.jsonl] == ["fine", "good"]
    assert [line.split(": ")[0] for line in said.err.splitlines()] == ["standard input:2", "standard input:3"]


def polled(tmp_path: Path, *items: Any) -> None:
    """A folder with a database and a source of these items."""
    (tmp_path / "posts.jsonl").write_bytes(jsonl(*items))
    (tmp_path / "config.toml").write_text(
        f'[sources.posts]\nplugin = "file"\noptions = {{ path = "{tmp_path}/posts.jsonl", as_plugin = "mastodon" }}\n'
        '[sources.feed]\nplugin = "rss"\nenabled = false\noptions = { feeds = ["https://a.example/feed"] }\n'
        '[sources.hook]\nplugin = "webhook"\noptions = { scheme = "none" }\n'
    )


def test_poll_takes_what_is_new_once_and_needs_no_redis(cli: Cli, tmp_path: Path) -> None:
    polled(tmp_path, POST)
    cli("db", "upgrade")
    assert [cli("poll", "posts").out.strip() for _ in range(2)] == ["1 new item", "0 new items"]


@pytest.mark.parametrize(("source", "code"), [("nobody", 2), ("hook", 1)])
def test_what_cannot_be_polled_says_why(cli: Cli, tmp_path: Path, source: str, code: int) -> None:
    polled(tmp_path)
    cli("db", "upgrade")
    said = cli("poll", source)
    assert (said.code, source in said.err) == (code, True)


def test_a_poll_that_fails_says_why(cli: Cli, tmp_path: Path) -> None:
    polled(tmp_path)
    text = (tmp_path / "config.toml").read_text().replace("https://a.example/feed", "http://127.0.0.1:9/feed")
    (tmp_path / "config.toml").write_text(text)
    cli("db", "upgrade")
    said = cli("poll", "feed")
    assert (said.code, said.out.strip()) == (1, "0 new items")
    assert said.err.startswith("error ")


def test_import_takes_a_document_in_once(cli: Cli, tmp_path: Path) -> None:
    polled(tmp_path)
    cli("db", "upgrade")
    items = "".join(f"<item><guid>{n}</guid><title>Item {n}</title></item>" for n in range(3))
    (tmp_path / "feed.xml").write_text(f'<rss version="2.0"><channel><title>t</title>{items}</channel></rss>')
    said = [cli("import", "feed.xml", "--source", "feed").out.strip() for _ in range(2)]
    assert said == ["3 new items", "0 new items"]


@pytest.mark.parametrize(
    "words",
    [
        ["import", "absent.xml", "--source", "feed"],
        ["import", "posts.jsonl", "--source", "nobody"],
        ["import", "posts.jsonl"],
    ],
)
def test_import_of_nothing_is_a_mistake(cli: Cli, tmp_path: Path, words: list[str]) -> None:
    polled(tmp_path)
    cli("db", "upgrade")
    assert cli(*words).code == 2


def test_the_demos_own_documents_can_be_translated(cli: Cli, world: World) -> None:
    posts = world.folder / "demo" / "posts"
    assert len(cli("translate", "rss", posts / "news.xml").jsonl) == 14
    broken = cli("translate", "mastodon", posts / "mastodon-broken.jsonl")
    assert (broken.code, broken.out) == (1, "")
