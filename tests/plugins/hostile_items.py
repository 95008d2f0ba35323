"""Real items of each network with one field, or all of them, replaced by what a hostile sender would write there."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

DEEP = 5_000
_MARK = "\x01nested\x01"

TEXTS: dict[str, str] = {
    "controls": "a\0b\x07\x1b[31mred\x1b[0m\x9b\r\nX-Injected: 1",
    "half a pair": "a\ud800b\udfff",
    "reversed": "\u202egnp.exe\u202c \u2066x\u2069",
    "marks upon marks": "Z" + "\u0301\u0489" * 3_000,
    "1 MB": "x" * 1_000_000,
    "scripts": '<script>alert(1)</script><img src=x onerror="alert(1)"><svg/onload=alert(1)>',
    "frames": '<iframe src="javascript:alert(1)"></iframe><object data="x"></object><style>*{display:none}</style>',
    "links": '<a href="javascript:alert(1)">a</a><a href=" jAvAsCrIpT&#58;alert(1)">b</a><a href="data:text/html,x">c</a>',
    "unclosed": '<p>one <b>two <a href="https://a.example',
    "entities": "&#0;&#x202e;&#55296;&#1114112;&lt;script&gt;&amp;lt;script&amp;gt;&nbsp",
    "a script's address": "javascript:alert(document.cookie)",
    "another scheme": "file:///etc/passwd",
    "an address with a break": "https://a.example/\r\nSet-Cookie: a=b",
    "an address of no host": "https://",
    "a broken address": "https://[::1",
    "an address of 9,000": "https://a.example/" + "p" * 9_000,
    "blanks": " \t\u00a0\u2003 ",
    "nothing to see": "\u200b\u200d\ufeff",
    "nothing": "",
    "up and away": "../../etc/passwd?a=1#b",
    "quotes": "'; DROP TABLE signals; --\" \\ `{{ 7*7 }} {% raw %} ${x}",
    "emoji": "😀👩‍👩‍👧🇩🇪" * 50,
    "10 kB": "i" * 10_000,
    "percent": "%2e%2e%2f%00%ff",
    "year 1": "0001-01-01T00:00:00Z",
    "before year 1": "0001-01-01T00:00:00+14:00",
    "year 9999": "9999-12-31T23:59:59.999999Z",
    "after year 9999": "9999-12-31T23:59:59-14:00",
    "no number": "NaN",
    "a negative time": "-99999999999",
    "a huge time": "1" + "0" * 300,
    "tomorrow": "2026-11-21T12:00:00Z",
}
"""What may stand where a text is expected."""

VALUES: dict[str, Any] = {
    "null": None,
    "true": True,
    "zero": 0,
    "minus one": -1,
    "a fraction": 1.5,
    "infinite": float("inf"),
    "not a number": float("nan"),
    "400 digits": 10**400,
    "2**63": 2**63,
    "an empty list": [],
    "an empty object": {},
    "a list of odds": [None, 1, "\ud800", {"a": []}, ["x"]],
    "an object of odds": {"a": None, "\ud800": "\0", "uri": 7, "url": [], "name": {}},
    "nested": _MARK,
    "many": ["x"] * 20_000,
}
"""What may stand anywhere."""

MASTODON: dict[str, Any] = {
    "id": "7",
    "uri": "https://m.example/users/ann/statuses/ID",
    "url": "https://m.example/@ann/7",
    "created_at": "2026-11-20T10:00:00.000Z",
    "edited_at": "2026-11-20T10:05:00.000Z",
    "content": "<p>The app crashes again</p>",
    "spoiler_text": "about an app",
    "language": "en",
    "visibility": "public",
    "in_reply_to_id": "6",
    "favourites_count": 1,
    "replies_count": 2,
    "tags": [{"name": "acme", "url": "https://m.example/tags/acme"}],
    "mentions": [{"id": "1", "acct": "bo", "url": "https://m.example/@bo", "username": "bo"}],
    "media_attachments": [{"type": "image", "url": "https://m.example/a.png", "description": "a screen"}],
    "reblog": {"uri": "https://m.example/users/bo/statuses/1"},
    "quote": {"quoted_status": {"uri": "https://m.example/users/bo/statuses/2"}},
    "account": {
        "id": "1",
        "uri": "https://m.example/users/ann",
        "url": "https://m.example/@ann",
        "acct": "ann",
        "username": "ann",
        "display_name": "Ann",
        "note": "<p>I write</p>",
        "avatar": "https://m.example/ann.png",
        "followers_count": 3,
        "bot": False,
    },
}
BLUESKY: dict[str, Any] = {
    "uri": "at://did:plc:ann/app.bsky.feed.post/ID",
    "cid": "bafyID",
    "indexedAt": "2026-11-20T10:00:00.000Z",
    "likeCount": 1,
    "labels": [{"val": "spam", "src": "did:plc:mod"}],
    "embed": {
        "$type": "app.bsky.embed.images#view",
        "images": [{"fullsize": "https://cdn.example/a.jpg", "alt": "a screen"}],
    },
    "author": {
        "did": "did:plc:ann",
        "handle": "ann.example",
        "displayName": "Ann",
        "avatar": "https://cdn.example/ann.jpg",
        "description": "I write",
        "followersCount": 3,
    },
    "record": {
        "$type": "app.bsky.feed.post",
        "text": "The app crashes again, see here #acme",
        "createdAt": "2026-11-20T09:59:00.000Z",
        "langs": ["en"],
        "tags": ["acme"],
        "reply": {
            "parent": {"uri": "at://did:plc:bo/app.bsky.feed.post/1", "cid": "b1"},
            "root": {"uri": "at://did:plc:bo/app.bsky.feed.post/0", "cid": "b0"},
        },
        "facets": [
            {
                "index": {"byteStart": 23, "byteEnd": 31},
                "features": [{"$type": "app.bsky.richtext.facet#link", "uri": "https://a.example"}],
            }
        ],
        "embed": {
            "$type": "app.bsky.embed.images",
            "images": [{"alt": "a", "image": {"ref": {"$link": "bafyimg"}, "mimeType": "image/jpeg", "size": 5}}],
        },
    },
}
RSS: dict[str, Any] = {
    "entry": {
        "id": "ID",
        "link": "https://news.example/1",
        "title": "Acme opens",
        "title_detail": {"type": "text/plain", "language": "en", "value": "Acme opens"},
        "summary": "<p>Acme opens a shop</p>",
        "summary_detail": {"type": "text/html", "language": "en", "value": "<p>Acme opens a shop</p>"},
        "content": [{"type": "text/html", "language": "en", "value": "<p>Acme opens a shop in Bonn</p>"}],
        "published": "20 Nov 2026 10:00:00 GMT",
        "published_parsed": "2026-11-20T10:00:00Z",
        "updated_parsed": "2026-11-20T10:05:00Z",
        "author": "Ann",
        "author_detail": {"name": "Ann", "href": "https://news.example/ann", "email": "ann@news.example"},
        "authors": [{"name": "Ann"}],
        "tags": [{"term": "shops"}],
        "links": [{"rel": "enclosure", "href": "https://news.example/a.mp3", "type": "audio/mpeg"}],
        "slash_comments": "3",
        "thr_in-reply-to": {"ref": "https://news.example/0"},
    },
    "feed": {"title": "News", "link": "https://news.example", "language": "en"},
}
WEBHOOK: dict[str, Any] = {
    "id": "ID",
    "network": "forum",
    "kind": "post",
    "text": "The app crashes again",
    "html": "<p>The app crashes again</p>",
    "title": "Crash",
    "url": "https://forum.example/1",
    "lang": "en",
    "published_at": "2026-11-20T10:00:00Z",
    "updated_at": "2026-11-20T10:05:00Z",
    "in_reply_to": "0",
    "conversation_id": "0",
    "tags": ["acme"],
    "visibility": "public",
    "author": {"id": "ann", "handle": "ann", "name": "Ann", "url": "https://forum.example/ann", "followers": 3},
    "counts": {"likes": 1, "replies": 2, "views": 3},
}
YOUTUBE: dict[str, Any] = {
    "id": "ID",
    "snippet": {
        "authorDisplayName": "@ann",
        "authorProfileImageUrl": "https://yt3.example/ann.jpg",
        "authorChannelUrl": "https://www.youtube.com/@ann",
        "authorChannelId": {"value": "UCann"},
        "channelId": "UCacme",
        "videoId": "acmeFilm001",
        "textDisplay": "The app <b>crashes</b> again",
        "textOriginal": "The app crashes again",
        "parentId": "Ug1",
        "moderationStatus": "published",
        "publishedAt": "2026-11-20T10:00:00Z",
        "updatedAt": "2026-11-20T10:05:00Z",
    },
}
ITEMS = {"mastodon": MASTODON, "bluesky": BLUESKY, "rss": RSS, "webhook": WEBHOOK, "youtube": YOUTUBE}


def alone(plugin: str) -> Iterator[bytes]:
    """Each field replaced by each value, each text and nothing at all, one at a time; every item has an id of its own."""
    for place, path in enumerate(paths(ITEMS[plugin])):
        for name, value in {**VALUES, **TEXTS}.items():
            if len(str(value)) < 500_000 or place % 7 == 0:  # a megabyte here and there is enough
                yield item(plugin, {path: value}, mark=f"{'.'.join(map(str, path))}-{name}")


def together(plugin: str) -> Iterator[bytes]:
    """All texts of an item replaced at once but for its ids and times, then its ids alone, so that most become signals."""
    texts = [path for path in paths(ITEMS[plugin]) if isinstance(at(ITEMS[plugin], path), str)]
    ids = {"uri", "id", "did", "createdAt", "created_at", "publishedAt", "$type", "network"}
    free = [path for path in texts if path[-1] not in ids]
    named = [path for path in texts if path[-1] in ids - {"$type"}]
    for name, value in TEXTS.items():
        yield item(plugin, dict.fromkeys(free, value), mark=f"all-{name}")
        for path in named:
            yield item(plugin, {path: value}, mark=f"{'.'.join(map(str, path))}-{name}-id")


def item(plugin: str, changes: dict[tuple[Any, ...], Any], *, mark: str) -> bytes:
    """An item with changes; `mark` makes its id."""
    made = json.loads(json.dumps(ITEMS[plugin]).replace('ID"', f'{mark.replace(" ", "-")}"'))
    for path, value in changes.items():
        at(made, path[:-1])[path[-1]] = copy.deepcopy(value)
    text = json.dumps(made)
    return text.replace(json.dumps(_MARK), "[" * DEEP + "]" * DEEP).encode("ascii")


def paths(value: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every field, parents first."""
    found = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, inner in found:
        yield (*above, name)
        yield from paths(inner, (*above, name))


def at(value: Any, path: tuple[Any, ...]) -> Any:
    """What stands at a path."""
    for name in path:
        value = value[name]
    return value
