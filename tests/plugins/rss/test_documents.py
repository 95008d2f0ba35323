"""All 795 documents of feedparser's own tests: well formed, broken, odd encodings.

Two independent readings: feedparser's entries by their paths, and what the comment at the head of a document expects.
"""

from __future__ import annotations

import ast
import io
import json
import re
import tarfile
from calendar import timegm
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin

import feedparser

from hub import Author, RawItem, Signal, author_key, signal_key
from plugins.rss.config import RssOptions
from plugins.rss.source import RssSource
from tests.material import shared

NOW = datetime(2026, 5, 1, tzinfo=UTC)
REALM = "https://feeds.example/feed"

SOURCE = RssSource(RssOptions(feeds=(REALM,)))


@cache
def documents() -> dict[str, bytes]:
    found = {}
    with tarfile.open(shared("recordings/feeds.tar.xz")) as archive:
        for member in archive:
            if file := archive.extractfile(member):
                found[member.name] = file.read()
    return found


@cache
def said(name: str) -> list[tuple[Signal, Author]]:
    found = []
    for payload in SOURCE.unpack(documents()[name], REALM):
        translated = SOURCE.translate(RawItem("r", "rss", payload, NOW, "x", realm=REALM))
        (signal,), (author,) = translated.signals, translated.authors
        found.append((signal, author))
    return found


@cache
def entries(name: str) -> list[dict[str, Any]]:
    """feedparser's entries as plain dicts."""
    parsed = feedparser.parse(io.BytesIO(documents()[name]), sanitize_html=False)
    return [dict(dict.items(entry)) for entry in parsed["entries"]]


# UTF-8 with one byte that is none (feedparser takes all of it for windows-1252); a script in a script.
_READ_BETTER = ("encoding/bozo_linenoise.xml", "wellformed/sanitize/entry_summary_crazy.xml")


def xml() -> list[str]:
    return [name for name in documents() if not name.endswith(".json") and name not in _READ_BETTER]


class Stripper(HTMLParser):
    """Keeps what stands between the tags, but for scripts, styles and titles, with a dash for each item of a list."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.words: list[str] = []
        self.hidden = 0

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.hidden += tag in ("script", "style", "title")
        self.words += ["-"] if tag == "li" else []

    def handle_endtag(self, tag: str) -> None:
        self.hidden -= tag in ("script", "style", "title")

    def handle_data(self, data: str) -> None:
        self.words += [] if self.hidden > 0 else [data]


def letters(text: str) -> str:
    """What is left of a text when white space and control characters do not count."""
    return "".join(character for character in text if character.isprintable() and not character.isspace())


def stripped(html: str) -> str:
    stripper = Stripper()
    stripper.feed(html)
    stripper.close()
    return letters("".join(stripper.words))


def test_there_are_795_documents() -> None:
    assert len(documents()) == 795


def test_each_document_gives_as_many_signals_as_feedparser_finds_entries() -> None:
    found = {name: len(said(name)) for name in xml()}
    assert found == {name: len(entries(name)) for name in xml()}
    assert sum(found.values()) >= 400


def test_a_json_feed_gives_its_items() -> None:
    found = [signal for name in documents() if name.endswith(".json") for signal, _ in said(name)]
    assert [(signal.native_id, signal.url, signal.text) for signal in found] == [
        ("2", "https://example.org/second-item", "This is a second item."),
        ("1", "https://example.org/initial-post", "Hello, world!"),
    ]


def test_the_key_is_that_of_id_else_link_else_title_and_date() -> None:
    for name in xml():
        for entry, (signal, _) in zip(entries(name), said(name), strict=True):
            date = entry.get("published") or entry.get("updated") or entry.get("created") or ""
            basis = entry.get("title", "") + date
            if native_id := entry.get("id") or entry.get("link"):
                assert signal.native_id == native_id, name
            elif basis:
                assert signal.native_id == sha256(basis.strip().encode()).hexdigest(), name
            assert signal.key == signal_key("rss", signal.native_id, REALM)


def test_the_author_is_a_person_of_the_feed_or_the_feed() -> None:
    people = 0
    for name in xml():
        for entry, (signal, author) in zip(entries(name), said(name), strict=True):
            detail = dict(dict.items(entry.get("author_detail") or {}))
            native_id = detail.get("href") or detail.get("email") or detail.get("name") or entry.get("author") or REALM
            assert author.key == signal.author_key == author_key("rss", native_id, REALM), name
            people += native_id != REALM
    assert people >= 19


def test_the_time_is_the_publication_else_the_update_else_when_it_was_seen() -> None:
    for name in xml():
        for entry, (signal, _) in zip(entries(name), said(name), strict=True):
            stated = entry.get("published_parsed") or entry.get("created_parsed") or entry.get("updated_parsed")
            expected = datetime.fromtimestamp(timegm(stated), UTC) if stated else NOW
            assert signal.published_at == expected, name


def test_the_url_is_the_link_where_that_leads_into_the_web() -> None:
    for name in xml():
        for entry, (signal, _) in zip(entries(name), said(name), strict=True):
            link = urljoin(REALM, entry["link"]) if entry.get("link") else ""
            assert signal.url == (link if re.match("https?://", link, re.IGNORECASE) else None), name


def test_the_text_is_the_content_else_the_summary_else_the_title() -> None:
    for name in xml():
        for entry, (signal, _) in zip(entries(name), said(name), strict=True):
            assert letters(signal.text) == _expected_text(entry), name


def _expected_text(entry: dict[str, Any]) -> str:
    parts = [dict(dict.items(part)) for part in entry.get("content") or ()]
    parts = [part for part in parts if part["type"] in ("text/html", "application/xhtml+xml", "text/plain", "")]
    if "summary_detail" in entry or not entry.get("content"):
        parts.append({"type": "text/html", "value": entry.get("summary", "")} | dict(entry.get("summary_detail") or {}))
    part = next((part for part in parts if part["value"].strip()), None)
    if part is None:
        part = dict(dict.items(entry.get("title_detail") or {"value": "", "type": "text/plain"}))
    plain = part["type"] in ("text/plain", "")
    return letters(part["value"]) if plain else stripped(part["value"])


def expectations(field: str) -> list[tuple[str, str]]:
    """`(document, value)` of simple statements about the first entry in the documents' own comments."""
    pattern = re.compile(
        r"entries\[0\](?:\.|\[')" + field + r"(?:'\])?\s*==\s*u?('[^'\\]*'|\"[^\"\\]*\")(?=\s*(?:$|and\b))"
    )
    found: list[tuple[str, str]] = []
    for name, document in documents().items():
        comment = re.search(rb"Expect:(.*?)-->", document, re.DOTALL)
        values = pattern.findall(comment[1].decode("ascii", "replace")) if comment else ()
        found += [(name, ast.literal_eval(value)) for value in values]
    return found


def test_titles_are_those_that_the_documents_expect() -> None:
    cases = [(name, value) for name, value in expectations("title") if said(name)]
    assert len(cases) >= 15
    for name, value in cases:
        assert letters(said(name)[0][0].title or "") in (letters(value), stripped(value)), name


def test_summaries_are_those_that_the_documents_expect() -> None:
    cases = [(name, value) for field in ("summary", "description") for name, value in expectations(field)]
    cases = [(name, value) for name, value in cases if said(name) and not entries(name)[0].get("content")]
    assert len(cases) >= 40
    for name, value in cases:
        assert letters(said(name)[0][0].text) in (letters(value), stripped(value)), name


def test_ids_and_links_are_those_that_the_documents_expect() -> None:
    for name, value in expectations("id"):
        assert said(name)[0][0].native_id == value, name
    for name, value in expectations("link"):
        assert said(name)[0][0].url in (urljoin(REALM, value), None), name


def test_a_payload_is_canonical_json_with_times_as_iso_strings() -> None:
    times = 0
    for name in xml():
        for payload in SOURCE.unpack(documents()[name], REALM):
            document = json.loads(payload)
            assert json.dumps(document, sort_keys=True, separators=(",", ":")).encode() == payload
            stated = [value for key, value in document["entry"].items() if key.endswith("_parsed") and value]
            assert all(datetime.fromisoformat(value).tzinfo for value in stated)
            times += len(stated)
    assert times >= 20
