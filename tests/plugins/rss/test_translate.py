"""What an entry of a feed says."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from hashlib import sha256
from itertools import pairwise
from time import process_time
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub import Author, Counts, Media, RawItem, Signal, TranslationError, author_key, signal_key
from hub.core.model import Rating
from plugins.rss.client import read
from plugins.rss.translate import translate
from tests.plugins.rss.feeds import FEED, item, rss

NOW = datetime(2026, 5, 1, tzinfo=UTC)

ATOM = b"""<feed xmlns="http://www.w3.org/2005/Atom" xmlns:thr="http://purl.org/syndication/thread/1.0"
  xmlns:slash="http://purl.org/rss/1.0/modules/slash/" xmlns:media="http://search.yahoo.com/mrss/" xml:lang="de">
<id>urn:feed</id><title>News</title><link href="https://news.example/"/>
<entry>
  <id>urn:1</id><title type="html">Caf&amp;eacute; &amp;lt;b&amp;gt;</title><link href="/1"/>
  <thr:in-reply-to ref="urn:0"/><slash:comments>7</slash:comments>
  <published>2026-01-01T00:00:00</published><updated>2026-01-02T10:00:00+02:00</updated>
  <summary>short</summary>
  <content type="html" xml:lang="en_GB">&lt;p&gt;one&lt;/p&gt;&lt;p onclick="x()"&gt;two &amp;amp; three&lt;/p&gt;</content>
  <category term="Acme"/><category term="News"/>
  <author><name>Ann</name><email>ann@news.example</email><uri>https://ann.example/</uri></author>
  <link rel="enclosure" href="https://news.example/a.mp3" type="audio/mpeg"/>
  <media:content url="https://news.example/a.png" type="image/png"/><media:thumbnail url="https://news.example/t.png"/>
</entry></feed>"""


def raws(document: bytes, realm: str = FEED, **headers: str) -> list[RawItem]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return [RawItem("r", "rss", payload, NOW, "x", realm=realm) for payload in read(document, named).payloads]


def said(document: bytes, realm: str = FEED, **headers: str) -> list[tuple[Signal, Author]]:
    found = [translate(raw) for raw in raws(document, realm, **headers)]
    return [(one.signals[0], one.authors[0]) for one in found]


def entry(**fields: Any) -> Signal:
    payload = json.dumps({"entry": fields}).encode()
    return translate(RawItem("r", "rss", payload, NOW, "x", realm=FEED)).signals[0]


def test_an_entry_gives_all_that_the_feed_says() -> None:
    ((signal, author),) = said(ATOM)
    parent = signal_key("rss", "urn:0", FEED)
    assert signal == Signal(
        key=signal_key("rss", "urn:1", FEED),
        network="rss",
        native_id="urn:1",
        realm=FEED,
        kind="comment",
        text="one\n\ntwo & three",
        html="<p>one</p><p>two &amp; three</p>",
        title="Café <b>",
        lang="en-GB",
        author_key=author_key("rss", "https://ann.example/", FEED),
        published_at=datetime(2026, 1, 1, tzinfo=UTC),
        updated_at=datetime(2026, 1, 2, 8, tzinfo=UTC),
        state="edited",
        observed_at=NOW,
        url="https://news.example/1",
        in_reply_to=parent,
        conversation_key=parent,
        hashtags=("Acme", "News"),
        media=(
            Media("audio", "https://news.example/a.mp3", mime="audio/mpeg"),
            Media("image", "https://news.example/a.png", mime="image/png"),
            Media("image", "https://news.example/t.png"),
        ),
        counts=Counts(replies=7),
        can_reply="no",
    )
    assert (author.key, author.display_name, author.url) == (signal.author_key, "Ann", "https://ann.example/")


@pytest.mark.parametrize(
    ("elements", "native_id"),
    [
        ({}, "a"),
        ({"guid": ""}, "https://news.example/a"),
        ({"guid": "", "link": "", "pubDate": "1 Jan 2026"}, sha256(b"a1 Jan 2026").hexdigest()),
        ({"guid": "", "link": ""}, sha256(b"a").hexdigest()),
        ({"guid": "", "link": "", "title": "", "description": "words"}, sha256(b"words").hexdigest()),
    ],
)
def test_the_key_is_made_of_id_else_link_else_title_and_date(elements: dict[str, str], native_id: str) -> None:
    ((signal, _),) = said(rss(item("a", **elements)))
    assert (signal.native_id, signal.key) == (native_id, signal_key("rss", native_id, FEED))


def test_a_guid_that_entries_share_does_not_make_them_one() -> None:
    found = said(rss(item("a", guid="0"), item("b", guid="0"), item("c")))
    assert [signal.native_id for signal, _ in found] == ["https://news.example/a", "https://news.example/b", "c"]


def test_the_same_entry_twice_is_one() -> None:
    assert [signal.native_id for signal, _ in said(rss(item("a"), item("a")))] == ["a", "a"]


def test_the_same_guid_in_two_feeds_is_two_signals() -> None:
    document = rss(item("a"))
    assert said(document, "https://one.example/")[0][0].key != said(document, "https://two.example/")[0][0].key


@pytest.mark.parametrize(
    ("author", "native_id", "name"),
    [
        ("ann@news.org (Ann)", "ann@news.org", "Ann"),
        ("Ann", "Ann", "Ann"),
        ("", FEED, "News"),
    ],
)
def test_who_is_not_named_is_the_feed_itself(author: str, native_id: str, name: str) -> None:
    ((signal, found),) = said(rss(item("a", author=author)))
    assert (found.native_id, found.display_name, found.realm) == (native_id, name, FEED)
    assert signal.author_key == author_key("rss", native_id, FEED)


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        ("Fri, 02 Jan 2026 10:00:00 +0200", datetime(2026, 1, 2, 8, tzinfo=UTC)),
        ("2026-01-02T10:00:00", datetime(2026, 1, 2, 10, tzinfo=UTC)),
        ("2026-01-02", datetime(2026, 1, 2, tzinfo=UTC)),
        ("yesterday", NOW),
        ("", NOW),
    ],
)
def test_every_time_is_aware_and_a_missing_one_is_when_it_was_seen(date: str, expected: datetime) -> None:
    assert said(rss(item("a", pubDate=date)))[0][0].published_at == expected


def test_an_update_before_the_publication_is_no_edit() -> None:
    signal = entry(id="1", published_parsed="2026-01-02T00:00:00Z", updated_parsed="2026-01-01T00:00:00Z")
    assert (signal.state, signal.updated_at) == ("live", None)


def test_an_update_stands_in_for_a_missing_publication() -> None:
    signal = entry(id="1", updated_parsed="2026-01-01T00:00:00Z")
    assert (signal.published_at, signal.state) == (datetime(2026, 1, 1, tzinfo=UTC), "live")


def test_an_entry_with_a_title_only_says_its_title() -> None:
    assert said(rss(item("a")))[0][0].text == "a"


def test_entries_of_a_broken_document_are_kept() -> None:
    broken = rss(item("a"), item("b")).replace(b"</channel></rss>", b"<item><title>c & d</title>")
    assert [signal.title for signal, _ in said(broken)] == ["a", "b", "c & d"]


@pytest.mark.parametrize(
    ("encoding", "content_type"),
    [
        ("utf-8", "application/rss+xml; charset=iso-8859-1"),
        ("utf-8", 'text/xml; charset="windows-1252"'),
        ("utf-8", "text/xml; charset=us-ascii"),
        ("utf-8", "text/xml"),
        ("latin-1", "text/xml; charset=utf-8"),
        ("latin-1", "text/xml; charset=iso-8859-1"),
        ("utf-16", "application/rss+xml; charset=utf-16"),
    ],
)
def test_a_wrong_charset_header_does_not_spoil_the_text(encoding: str, content_type: str) -> None:
    document = rss(item("a", description="Grüße, Zoë")).decode().replace('<?xml version="1.0"?>', "").encode(encoding)
    assert said(document, content_type=content_type)[0][0].text == "Grüße, Zoë"


@pytest.mark.parametrize(
    ("link", "url"),
    [
        ("https://x.example/1", "https://x.example/1"),
        ("/1", "https://news.example/1"),
        ("javascript:alert(1)", None),
        ("http://[", None),
        (None, None),
        (5, None),
    ],
)
def test_a_url_leads_into_the_web_or_is_none(link: Any, url: str | None) -> None:
    assert entry(id="1", link=link).url == url


def test_scripts_reach_neither_text_nor_html() -> None:
    signal = entry(id="1", content=[{"type": "text/html", "value": "<p>x</p><script>alert(1)</script>"}])
    assert (signal.text, signal.html) == ("x", "<p>x</p>")


def test_plain_text_keeps_its_angle_brackets() -> None:
    signal = entry(id="1", content=[{"type": "text/plain", "value": "a <b> c"}])
    assert (signal.text, signal.html) == ("a <b> c", None)


def test_a_picture_as_content_leaves_the_summary() -> None:
    picture = {"type": "image/png", "value": "iVBORw0KGgo="}
    assert entry(id="1", content=[picture], summary_detail={"type": "text/plain", "value": "words"}).text == "words"


JSON_FEED = {
    "version": "https://jsonfeed.org/version/1.1",
    "title": "News",
    "home_page_url": "https://news.example/",
    "language": "de",
    "authors": [{"name": "Newsroom"}],
    "items": [
        {
            "id": 7,
            "url": "https://news.example/7",
            "title": "Seven",
            "content_html": "<p>Hi</p>",
            "content_text": "Hi",
            "date_published": "2026-01-01T00:00:00-02:00",
            "date_modified": "2026-01-02T00:00:00Z",
            "authors": [{"name": "Ann", "url": "https://ann.example/", "avatar": "https://ann.example/a.png"}],
            "tags": ["Acme"],
            "attachments": [{"url": "https://news.example/a.mp3", "mime_type": "audio/mpeg"}],
        },
        {"id": "8", "summary": "Short"},
        "odd",
    ],
}
JSON_FEED_DOCUMENT = json.dumps(JSON_FEED).encode()


def test_a_json_feed_says_the_same_things() -> None:
    (signal, author), (short, newsroom) = said(JSON_FEED_DOCUMENT)
    assert (signal.native_id, signal.title, signal.text, signal.lang) == ("7", "Seven", "Hi", "de")
    assert (signal.published_at, signal.state) == (datetime(2026, 1, 1, 2, tzinfo=UTC), "edited")
    assert (signal.hashtags, [found.kind for found in signal.media]) == (("Acme",), ["audio"])
    assert (author.native_id, author.avatar_url) == ("https://ann.example/", "https://ann.example/a.png")
    assert (short.text, newsroom.native_id, newsroom.display_name) == ("Short", FEED, "News")


@pytest.mark.parametrize("version", ["https://jsonfeed.org/version/1", "http://jsonfeed.org/version/1.1"])
def test_both_versions_of_json_feed_are_read_with_a_byte_order_mark_too(version: str) -> None:
    document = {"version": version, "items": [{"id": "1", "author": {"name": "Ann"}, "content_text": "x"}]}
    ((signal, author),) = said(b"\xef\xbb\xbf" + json.dumps(document).encode())
    assert (signal.text, author.display_name) == ("x", "Ann")


@pytest.mark.parametrize(
    "document",
    [
        {"version": "https://jsonfeed.org/version/1", "items": "none"},
        {"version": 1, "items": []},
        {"version": "2.0", "items": [{"id": "1"}]},
        {"items": [{"id": "1"}]},
    ],
)
def test_json_that_is_no_feed_has_no_entries(document: dict[str, Any]) -> None:
    assert said(json.dumps(document).encode()) == []


@pytest.mark.parametrize(
    "payload", [b"", b"{", b"[]", b"{}", b'{"entry": 1}', b"\xff", b"[" * 10**5, b'{"entry":' * 10**5]
)
def test_a_broken_payload_is_a_translation_error(payload: bytes) -> None:
    with pytest.raises(TranslationError):
        translate(RawItem("r", "rss", payload, NOW, "x"))


def test_half_a_surrogate_pair_does_not_reach_the_database() -> None:
    document = rss(item("a", description="x&#xD800;y"))
    assert msgspec.json.encode(said(document))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["value", "type", "href", "term"]), inner)
    ),
    max_leaves=8,
)
FIELDS = [
    "id",
    "link",
    "title",
    "title_detail",
    "content",
    "summary",
    "summary_detail",
    "published",
    "published_parsed",
]
FIELDS += [
    "updated_parsed",
    "author",
    "author_detail",
    "authors",
    "tags",
    "links",
    "media_content",
    "image",
    "thr_total",
]


@given(st.dictionaries(st.sampled_from(FIELDS), JSON))
def test_no_value_of_any_type_breaks_it(fields: dict[str, Any]) -> None:
    assert msgspec.json.encode(entry(**fields))


@given(st.binary(max_size=200) | st.text(alphabet="<>/=\"' &;aitemrssfd![]-?", max_size=200).map(str.encode))
def test_no_document_breaks_the_reading(document: bytes) -> None:
    assert isinstance(said(document), list)


@given(st.text(alphabet="<>/=\"' &;#x[]-!abp", max_size=80))
def test_no_markup_inside_an_item_breaks_the_reading(markup: str) -> None:
    assert isinstance(said(rss(f"<item><description>{markup}</description></item>")), list)


@pytest.mark.parametrize("body", [b"&lt;a " * 500_001, b" " * 17_000_000])
def test_a_document_that_would_take_minutes_is_not_read(body: bytes) -> None:
    assert raws(rss(item("a")).replace(b"News", body)) == []


@pytest.mark.parametrize(
    ("fields", "kind", "stars"),
    [({"im_rating": "2"}, "review", 2.0), ({"im_rating": "x"}, "article", None)],
)
def test_a_feed_of_reviews_gives_their_stars(fields: dict[str, str], kind: str, stars: float | None) -> None:
    signal = entry(id="1", title="It crashes", **fields)
    assert (signal.kind, signal.rating and signal.rating.value) == (kind, stars)


def test_the_app_stores_own_feed_is_read_so() -> None:
    feed = b"""<feed xmlns="http://www.w3.org/2005/Atom" xmlns:im="http://itunes.apple.com/rss"><entry><id>9</id>
    <title>Broken</title><content>It crashes</content><im:rating>1</im:rating></entry></feed>"""
    ((signal, _),) = said(feed)
    assert (signal.kind, signal.rating) == ("review", Rating(1.0))


@pytest.mark.parametrize(
    "opened", ["&lt;!--", "<![CDATA[" + "<!--" * 3000 + "]]>", "&lt;!-- --", "&lt;a ", "&amp;", "&lt;a '", "<b><i>"]
)
def test_reading_takes_twice_as_long_for_twice_as_much(opened: str) -> None:
    times = []
    for size in (30_000, 120_000):
        document = rss(
            item("a") + f"<item><guid>b</guid><description>{opened * (size // len(opened) + 1)}</description></item>"
        )
        began = process_time()
        read(document)
        times.append(process_time() - began)
    assert times[1] < max(8 * times[0], 0.3)


def test_a_comment_that_never_ends_hides_no_other_entry() -> None:
    broken = "<item><guid>b</guid><title>b</title><description>&lt;!-- &lt;!-- a</description></item>"
    assert [signal.title for signal, _ in said(rss(broken + item("c")))] == ["b", "c"]


@pytest.mark.parametrize(
    "document",
    [
        rss(*(item(str(number)) for number in range(300))).replace(b"News", b"N" * 20_000),
        rss(*(item(str(number)) for number in range(300))).replace(
            b"<rss", b"<rss xml:lang='" + b"l" * 20_000 + b"'", 1
        ),
        ATOM.replace(b"<entry>", b"<entry><content>a</content>" * 300).replace(
            b"<feed", b'<feed xml:base="https://x/' + b"b" * 20_000 + b'/"', 1
        ),
        json.dumps(
            {
                "version": "https://jsonfeed.org/version/1",
                "icon": "https://x/" + "i" * 20_000,
                "items": [{"id": str(number)} for number in range(300)],
            }
        ).encode(),
    ],
)
def test_what_a_feed_says_once_is_not_kept_with_each_of_its_entries(document: bytes) -> None:
    assert 0 < sum(map(len, read(document).payloads)) < 20 * len(document)


def test_entities_that_multiply_are_not_followed() -> None:
    names = "abcdefghij"
    nested = "".join(f'<!ENTITY {name} "{f"&{before};" * 10}">' for before, name in pairwise(names))
    bomb = f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "ha">{nested}]>' + rss(item("a")).decode().replace(
        "News", "&j;"
    )
    began = process_time()
    assert all(len(signal.title or "") < 100_000 for signal, _ in said(bomb.encode()))
    assert process_time() - began < 1


def test_elements_nested_ten_thousand_deep_break_nothing() -> None:
    read(rss("<item>" + "<a>" * 10_000 + "</item>") + b"</a>" * 10_000)


@pytest.mark.parametrize(
    ("before", "inside"),
    [
        ("\n" * 60_000, ""),
        ("\n<!ENTITY a " * 6_000, ""),
        ("", f"<author>{'a' * 60_000}</author>"),
        ("", f"<dc:creator><![CDATA[<b>{'a.' * 30_000}]]></dc:creator>"),
        ("", f'<description>&lt;p style="{"url(" * 15_000}"&gt;x&lt;/p&gt;</description>'),
        ("", f"<pubDate>{' ' * 60_000}</pubDate>"),
        ("", "<category " + " ".join(f'a{number}="x>"' for number in range(10_000)) + ">x</category>"),
    ],
)
def test_what_feedparser_reads_in_quadratic_time_does_not_reach_it(before: str, inside: str) -> None:
    document = rss(f"<item><guid>b</guid><title>b</title>{inside}</item>", item("c"))
    began = process_time()
    assert [signal.title for signal, _ in said(document.replace(b"<rss", before.encode() + b"<rss", 1))] == ["b", "c"]
    assert process_time() - began < 1
