"""Bluesky's shapes as signals, one trap a test."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub import Ignored, RawItem, Signal, Translated, TranslationError, author_key, signal_key
from plugins.bluesky.translate import identify, translate

RECEIVED = datetime(2026, 1, 2, tzinfo=UTC)
DID = "did:plc:ann"
URI = f"at://{DID}/app.bsky.feed.post/3kabc"
AUTHOR = {"did": DID, "handle": "ann.test", "displayName": "Ann"}


def record(**more: Any) -> dict[str, Any]:
    return {"$type": "app.bsky.feed.post", "text": "hello", "createdAt": "2026-01-01T10:00:00Z", **more}


def view(**more: Any) -> dict[str, Any]:
    base = {"uri": URI, "cid": "bafy1", "author": AUTHOR, "record": record(), "indexedAt": "2026-01-01T10:00:01Z"}
    return {**base, **more}


def read(item: Any, **more: Any) -> Translated | Ignored:
    payload = item if isinstance(item, bytes) else json.dumps(item).encode()
    fields = {"source": "b", "plugin": "bluesky", "received_at": RECEIVED, "external_id": URI, **more}
    return translate(RawItem(payload=payload, **fields))


def signal(item: Any) -> Signal:
    found = read(item)
    assert isinstance(found, Translated)
    return found.signals[0]


SHAPES = {
    "post view": view(),
    "feed item": {"post": view(), "reply": {"parent": view(uri="at://x"), "root": view(uri="at://y")}},
    "thread": {"$type": "app.bsky.feed.defs#threadViewPost", "post": view(), "replies": [{"post": view(uri="at://x")}]},
    "thread answer": {"thread": {"post": view(), "parent": {"post": view(uri="at://x")}}},
    "thread item": {
        "uri": URI,
        "depth": 0,
        "value": {"$type": "app.bsky.unspecced.defs#threadItemPost", "post": view()},
    },
    "notification": view(reason="mention", isRead=False),
    "record": {"uri": URI, "cid": "bafy1", "value": record()},
    "quoted record": {"uri": URI, "cid": "bafy1", "author": AUTHOR, "value": record(), "embeds": []},
    "bookmark": {"createdAt": "2026-01-01T00:00:00Z", "subject": {"uri": URI, "cid": "bafy1"}, "item": view()},
    "bare record": record(),
}


@pytest.mark.parametrize("item", SHAPES.values(), ids=SHAPES)
def test_a_post_is_the_same_in_every_shape(item: Any) -> None:
    found = signal(item)
    assert (found.key, found.native_id, found.text) == (signal_key("bluesky", URI), URI, "hello")
    assert found.author_key == author_key("bluesky", DID)
    assert found.published_at == datetime(2026, 1, 1, 10, tzinfo=UTC)
    assert found.url == f"https://bsky.app/profile/{DID}/post/3kabc"


def test_a_handle_change_keeps_the_author() -> None:
    old, new = read(view()), read(view(author={**AUTHOR, "handle": "renamed.test"}))
    assert old.authors[0].key == new.authors[0].key
    assert [old.authors[0].handle, new.authors[0].handle] == ["ann.test", "renamed.test"]


def test_an_invalid_handle_is_unknown() -> None:
    assert read(view(author={**AUTHOR, "handle": "handle.invalid"})).authors[0].handle is None


TIMES = [
    ("2026-01-01T09:00:00Z", "2026-01-01T10:00:00Z", datetime(2026, 1, 1, 9, tzinfo=UTC)),
    ("2099-01-01T00:00:00Z", "2026-01-01T10:00:00Z", datetime(2026, 1, 1, 10, tzinfo=UTC)),
    ("1970-01-01T00:00:00Z", "2026-01-01T10:00:00Z", datetime(2026, 1, 1, 10, tzinfo=UTC)),
    ("2012-12-05T00:58:26", "2026-01-01T10:00:00Z", datetime(2012, 12, 5, 0, 58, 26, tzinfo=UTC)),
    ("2099-01-01T00:00:00Z", None, RECEIVED),
    ("no time", "2026-01-01T10:00:00Z", datetime(2026, 1, 1, 10, tzinfo=UTC)),
    (17, None, RECEIVED),
]


@pytest.mark.parametrize(("created", "indexed", "published"), TIMES)
def test_a_claimed_time_counts_unless_it_is_in_the_future_or_was_never_set(
    created: Any, indexed: str | None, published: datetime
) -> None:
    assert signal(view(record=record(createdAt=created), indexedAt=indexed)).published_at == published


def test_the_claim_itself_is_kept() -> None:
    assert signal(view(record=record(createdAt="2099-01-01T00:00:00Z"))).claimed_at == datetime(2099, 1, 1, tzinfo=UTC)


def refs(parent: str | None, root: str | None) -> dict[str, Any]:
    return {name: {"uri": uri, "cid": "c"} for name, uri in (("parent", parent), ("root", root)) if uri}


@pytest.mark.parametrize(
    ("parent", "root", "keys"),
    [("at://p", "at://r", ("at://p", "at://r")), ("at://p", None, ("at://p",) * 2), (None, "at://r", ("at://r",) * 2)],
)
def test_a_reply_keeps_its_root(parent: str | None, root: str | None, keys: tuple[str, str]) -> None:
    found = signal(view(record=record(reply=refs(parent, root))))
    assert (found.kind, found.in_reply_to, found.conversation_key) == (
        "reply",
        *(signal_key("bluesky", k) for k in keys),
    )


def facet(start: int, end: int, kind: str, **feature: Any) -> dict[str, Any]:
    features = [{"$type": f"app.bsky.richtext.facet#{kind}", **feature}]
    return {"index": {"byteStart": start, "byteEnd": end}, "features": features}


def test_facets_count_bytes_not_characters() -> None:
    text = "é😀 @bob <go>"
    found = signal(view(record=record(text=text, facets=[facet(7, 11, "mention", did="did:plc:bob")])))
    link = '<a href="https://bsky.app/profile/did:plc:bob" rel="nofollow noopener">@bob</a>'
    assert found.html == f"é😀 {link} &lt;go&gt;"
    assert (found.kind, found.mentions) == ("mention", (author_key("bluesky", "did:plc:bob"),))


def test_a_cut_link_is_whole_in_the_html() -> None:
    found = signal(
        view(record=record(text="see acme.test/abc...", facets=[facet(4, 20, "link", uri="https://acme.test/abcdef")]))
    )
    assert 'href="https://acme.test/abcdef"' in (found.html or "")


@pytest.mark.parametrize(("start", "end"), [(-1, 3), (3, 3), (4, 2), (0, 99), ("0", 2), (None, None)])
def test_a_facet_outside_the_text_makes_no_link(start: Any, end: Any) -> None:
    assert signal(view(record=record(facets=[facet(start, end, "link", uri="https://a.test")]))).html is None


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "//a.test"])
def test_only_web_links_are_made(url: str) -> None:
    embed = {"$type": "app.bsky.embed.external#view", "external": {"uri": url, "title": "x"}}
    found = signal(view(embed=embed, record=record(facets=[facet(0, 5, "link", uri=url)])))
    assert (found.html, found.media) == (None, ())


@pytest.mark.parametrize(("start", "end"), [(1, 4), (0, 2), (1, 2)])
def test_a_facet_that_would_cut_a_character_makes_no_link(start: int, end: int) -> None:
    link = {"$type": "app.bsky.richtext.facet#link", "uri": "https://x.example"}
    facets = [{"index": {"byteStart": start, "byteEnd": end}, "features": [link]}]
    assert signal(view(record=record(text="👋 hi", facets=facets))).html is None


def test_hashtags_come_from_facets_and_from_the_record_once_each() -> None:
    found = signal(view(record=record(text="#ab", facets=[facet(0, 3, "tag", tag="ab")], tags=["cd", "ab", 7])))
    assert found.hashtags == ("ab", "cd")


POST_REF = {"uri": "at://did:plc:q/app.bsky.feed.post/1", "cid": "c"}
QUOTES = [
    ({"$type": "app.bsky.embed.record", "record": POST_REF}, POST_REF["uri"]),
    ({"$type": "app.bsky.embed.recordWithMedia", "record": {"record": POST_REF}, "media": {}}, POST_REF["uri"]),
    ({"$type": "app.bsky.embed.record", "record": {"uri": "at://did:plc:q/app.bsky.feed.generator/x"}}, None),
]


@pytest.mark.parametrize(("embed", "quoted"), QUOTES)
def test_a_quoted_post_is_a_quote_and_a_feed_is_not(embed: Any, quoted: str | None) -> None:
    found = signal(view(record=record(embed=embed)))
    assert found.quotes == (signal_key("bluesky", quoted) if quoted else None)
    assert found.kind == ("quote" if quoted else "post")


BLOB = {"$type": "blob", "ref": {"$link": "bafimg"}, "mimeType": "image/png", "size": 1}
IMAGES = {"$type": "app.bsky.embed.images", "images": [{"alt": "a cat", "image": BLOB}]}
SHOWN = {
    "$type": "app.bsky.embed.images#view",
    "images": [{"alt": "a cat", "fullsize": "https://cdn.test/1", "thumb": "x"}],
}
MEDIA = [
    ({"embed": SHOWN}, "image", "https://cdn.test/1", "a cat"),
    ({"embeds": [SHOWN]}, "image", "https://cdn.test/1", "a cat"),
    ({"record": record(embed=IMAGES)}, "image", f"https://cdn.bsky.app/img/feed_fullsize/plain/{DID}/bafimg", "a cat"),
    (
        {"embed": {"$type": "app.bsky.embed.gallery#view", "items": SHOWN["images"]}},
        "image",
        "https://cdn.test/1",
        "a cat",
    ),
    (
        {"record": record(embed={"$type": "app.bsky.embed.video", "video": BLOB})},
        "video",
        f"https://video.bsky.app/watch/{DID}/bafimg/playlist.m3u8",
        None,
    ),
    (
        {"embed": {"$type": "app.bsky.embed.video#view", "playlist": "https://v.test/p.m3u8", "alt": "a film"}},
        "video",
        "https://v.test/p.m3u8",
        "a film",
    ),
    (
        {"embed": {"$type": "app.bsky.embed.external#view", "external": {"uri": "https://x.test", "title": "Card"}}},
        "link",
        "https://x.test",
        "Card",
    ),
    (
        {"embed": {"$type": "app.bsky.embed.recordWithMedia#view", "media": SHOWN, "record": {}}},
        "image",
        "https://cdn.test/1",
        "a cat",
    ),
]


@pytest.mark.parametrize(("more", "kind", "url", "alt"), MEDIA)
def test_media_come_from_the_view_or_from_the_record(more: Any, kind: str, url: str, alt: str | None) -> None:
    found = signal(view(**more)).media
    assert [(one.kind, one.url, one.alt) for one in found] == [(kind, url, alt)]


def test_a_picture_without_an_address_is_told() -> None:
    embed = {"$type": "app.bsky.embed.images", "images": [{"alt": "x", "image": {}}]}
    found = read(view(record=record(embed=embed)))
    assert isinstance(found, Translated)
    assert (found.signals[0].media, found.left_out.split()[0]) == ((), "1")


def test_counts_are_unknown_unless_given() -> None:
    found = signal(view(likeCount=0, replyCount=3, repostCount=True, quoteCount="7")).counts
    assert (found.likes, found.replies, found.shares, found.quotes) == (0, 3, None, None)


GATES = [
    ({}, "unknown"),
    ({"viewer": {"threadMuted": False}}, "yes"),
    ({"viewer": {"replyDisabled": True}}, "no"),
    ({"author": {**AUTHOR, "viewer": {"blockedBy": True}}}, "no"),
    ({"threadgate": {"record": {"allow": []}}}, "no"),
    ({"threadgate": {"record": {"allow": [{"$type": "app.bsky.feed.threadgate#mentionRule"}]}}}, "unknown"),
]


@pytest.mark.parametrize(("more", "expected"), GATES)
def test_the_thread_gate_decides_whether_one_can_reply(more: Any, expected: str) -> None:
    assert signal(view(**more)).can_reply == expected


@pytest.mark.parametrize(("label", "state"), [("!hide", "hidden"), ("!takedown", "hidden"), ("spam", "live")])
def test_a_moderated_post_is_hidden(label: str, state: str) -> None:
    assert signal(view(labels=[{"val": label, "src": "did:plc:mod"}])).state == state


def test_the_cid_is_the_revision() -> None:
    assert signal(view()).revision == "bafy1"


def test_a_profile_is_an_author_with_followers() -> None:
    found = read({**AUTHOR, "followersCount": 12, "description": "hi", "avatar": "https://a.test/1"})
    assert isinstance(found, Translated)
    (author,) = found.authors
    assert (author.native_id, author.followers, author.bio, author.avatar_url) == (DID, 12, "hi", "https://a.test/1")


@pytest.mark.parametrize(("source", "is_bot"), [(DID, True), ("did:plc:somebody", None)])
def test_only_a_bot_itself_can_say_that_it_is_one(source: str, is_bot: bool | None) -> None:
    assert read(view(author={**AUTHOR, "labels": [{"val": "bot", "src": source}]})).authors[0].is_bot is is_bot


REPOST = {
    "$type": "app.bsky.feed.defs#reasonRepost",
    "by": {"did": "did:plc:bob", "handle": "bob.test"},
    "uri": "at://did:plc:bob/app.bsky.feed.repost/1",
    "indexedAt": "2026-01-01T11:00:00Z",
}


def test_a_feed_item_with_a_repost_gives_the_post_and_the_repost() -> None:
    found = read({"post": view(), "reason": REPOST})
    assert isinstance(found, Translated)
    post, repost = found.signals
    assert (post.kind, repost.kind, repost.quotes) == ("post", "repost", post.key)
    assert repost.author_key == author_key("bluesky", "did:plc:bob")
    assert {author.native_id for author in found.authors} == {DID, "did:plc:bob"}


def test_a_repost_has_its_own_id() -> None:
    assert identify(json.dumps({"post": view(), "reason": REPOST}).encode())[0] == REPOST["uri"]
    assert identify(json.dumps(view()).encode()) == (URI, "bafy1")
    assert identify(b"no json") == ("", "")


def other(kind: str) -> dict[str, Any]:
    return view(uri=f"at://{DID}/{kind}/1", record={"$type": kind, "subject": {"uri": URI, "cid": "c"}})


@pytest.mark.parametrize("kind", ["app.bsky.feed.like", "app.bsky.feed.repost", "app.bsky.graph.follow"])
def test_likes_reposts_and_follows_are_ignored(kind: str) -> None:
    assert read(other(kind)) == Ignored(f"{kind} is no post")


@pytest.mark.parametrize("flag", ["notFound", "blocked", "detached"])
def test_a_post_that_is_not_shown_is_ignored(flag: str) -> None:
    assert isinstance(read({"uri": URI, flag: True}), Ignored)


def test_a_deletion_is_a_tombstone() -> None:
    found = read({"uri": URI, "deleted": True})
    assert isinstance(found, Translated)
    (tombstone,) = found.tombstones
    assert (tombstone.key, tombstone.at) == (signal_key("bluesky", URI), RECEIVED)


def test_a_record_cannot_forge_another_post() -> None:
    forged = view(uri="at://did:plc:boss/app.bsky.feed.post/1", author={"did": "did:plc:boss", "handle": "boss.test"})
    item = {"uri": URI, "cid": "c", "value": record(post=forged, item=forged, value=forged, deleted=True)}
    assert signal(item).author_key == author_key("bluesky", DID)


BROKEN = [b"", b"{", b"[]", b"null", b"7", b"\xff", b"[" * 100_000, b'{"a":' * 100_000, b"9" * 5000, b"{}"]
BROKEN += [
    json.dumps(item).encode() for item in ({"did": DID}, view(record={}), view(record=record(text=None)), view(uri=7))
]


@pytest.mark.parametrize("payload", BROKEN, ids=lambda payload: repr(payload[:12]))
def test_a_broken_item_is_named_as_such(payload: bytes) -> None:
    with pytest.raises(TranslationError):
        read(payload)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(sorted(view(embed=0, post=0))), inner),
    max_leaves=9,
)


@settings(max_examples=200, deadline=None)
@given(name=st.sampled_from(sorted(view(embed=0, labels=0, viewer=0))), value=JSON)
def test_hostile_values_in_the_view_never_escape(name: str, value: Any) -> None:
    try:
        read(view(**{name: value}))
    except TranslationError as error:
        assert str(error)


FIELDS = ["text", "createdAt", "reply", "embed", "facets", "langs", "tags", "labels"]


@settings(max_examples=200, deadline=None)
@given(name=st.sampled_from(FIELDS), value=JSON)
def test_hostile_values_in_the_record_never_escape(name: str, value: Any) -> None:
    try:
        read(view(record=record(**{name: value})))
    except TranslationError as error:
        assert "text" in str(error)


@pytest.mark.parametrize("text", ["\ud800", "a\x00b", "x" * 200_000])
def test_odd_texts_pass_through(text: str) -> None:
    found = signal(
        view(
            author={**AUTHOR, "did": "did:plc:\ud800"},
            record=record(text=text, facets=[facet(0, 1, "tag", tag="\ud800")]),
        )
    )
    assert found.text == text.replace("\ud800", "\ufffd")
