"""What a Status, a Notification and a Conversation say."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from hub import (
    Author,
    Counts,
    Ignored,
    Media,
    RawItem,
    Signal,
    Tombstone,
    Translated,
    TranslationError,
    author_key,
    signal_key,
)
from plugins.mastodon.translate import identify, translate
from tests.material import shared
from tests.plugins.mastodon.instance import status

NOW = datetime(2026, 5, 1, tzinfo=UTC)


def raw(entity: Any) -> RawItem:
    payload = entity if isinstance(entity, bytes) else json.dumps(entity).encode()
    return RawItem("m", "mastodon", payload, NOW, "x")


def translated(item: RawItem) -> Translated:
    found = translate(item)
    assert isinstance(found, Translated)
    return found


def said(entity: Any, own: str | None = None) -> tuple[Signal, Author]:
    found = translate(raw(entity), own)
    assert isinstance(found, Translated)
    (signal,), (author,) = found.signals, found.authors
    return signal, author


def signal_of(**fields: Any) -> Signal:
    return said(status("1", **fields))[0]


def author_of(**fields: Any) -> Author:
    return said(status("1", account={**status("1")["account"], **fields}))[1]


def notification(type_: str, **fields: Any) -> dict[str, Any]:
    return {"id": "5", "type": type_, "created_at": "2026-01-02T03:04:05Z", "account": status("1")["account"], **fields}


def test_a_status_gives_all_that_the_network_says() -> None:
    signal, author = said(
        status(
            "1",
            spoiler_text="Rant",
            language="de",
            tags=[{"name": "Acme", "url": "https://m.example/tags/acme"}],
            mentions=[{"id": "9", "username": "bo", "acct": "bo@x.example", "url": "https://x.example/@bo"}],
            media_attachments=[
                {"type": "image", "url": "https://m.example/a.png", "description": "A cat"},
                {"type": "gifv", "url": None, "remote_url": "https://x.example/b.mp4", "description": None},
                {"type": "unknown", "url": None, "remote_url": None},
            ],
            favourites_count=3,
            replies_count=0,
            reblogs_count=2,
            quotes_count=1,
        )
    )
    assert signal == Signal(
        key=signal_key("mastodon", "https://m.example/users/ann/statuses/1"),
        network="mastodon",
        native_id="https://m.example/users/ann/statuses/1",
        kind="post",
        text="Post 1",
        html="<p>Post 1</p>",
        title="Rant",
        lang="de",
        author_key=author_key("mastodon", "https://m.example/users/ann"),
        published_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        observed_at=NOW,
        url="https://m.example/@ann/1",
        mentions=(author_key("mastodon", "https://x.example/@bo"),),
        hashtags=("Acme",),
        media=(
            Media("image", "https://m.example/a.png", "A cat"),
            Media("video", "https://x.example/b.mp4"),
        ),
        counts=Counts(likes=3, replies=0, shares=2, quotes=1),
        can_reply="yes",
        aliases=(signal_key("mastodon", "1", "source m"),),
    )
    assert author.key == signal.author_key


def test_the_same_uri_from_two_instances_is_one_signal() -> None:
    uri = "https://m.example/users/ann/statuses/1"
    assert said(status("1"))[0].key == said(status("998877", uri=uri))[0].key


def test_the_authors_key_comes_from_uri_else_url_never_from_the_handle() -> None:
    assert author_of(acct="renamed").key == author_key("mastodon", "https://m.example/users/ann")
    assert author_of(uri=None).key == author_key("mastodon", "https://m.example/@ann")


@pytest.mark.parametrize(
    ("fields", "handle"),
    [
        ({}, "ann@m.example"),
        ({"acct": "ann@other.example"}, "ann@other.example"),
        ({"acct": "bo", "url": None}, "bo@m.example"),
        ({"acct": None}, None),
    ],
)
def test_a_local_account_gets_its_domain(fields: dict[str, Any], handle: str | None) -> None:
    assert author_of(**fields).handle == handle


@pytest.mark.parametrize(
    ("given_", "followers"), [(12, 12), (0, 0), (-1, None), (None, None), ("7", None), (True, None)]
)
def test_hidden_followers_are_unknown(given_: Any, followers: int | None) -> None:
    assert author_of(followers_count=given_).followers == followers


def test_an_author_has_name_bio_pictures_and_whether_it_is_a_bot() -> None:
    author = author_of(display_name="Ann", note="<p>Hi<br>you</p>", avatar="https://m.example/a.png", bot=True)
    assert (author.display_name, author.bio, author.avatar_url, author.is_bot) == (
        "Ann",
        "Hi\nyou",
        "https://m.example/a.png",
        True,
    )


def test_an_account_without_a_display_name_goes_by_its_user_name() -> None:
    assert author_of(display_name="").display_name == "ann"


def test_a_missing_url_falls_back_to_the_uri() -> None:
    assert signal_of(url=None).url == "https://m.example/users/ann/statuses/1"
    assert signal_of(url=None, uri="tag:m.example,2016:1").url is None
    assert signal_of(url="javascript:alert(1)", uri="tag:m.example,2016:1").url is None


def test_an_edit_has_its_time_and_revision() -> None:
    signal = signal_of(edited_at="2026-02-01T00:00:00.000Z")
    assert (signal.state, signal.updated_at) == ("edited", datetime(2026, 2, 1, tzinfo=UTC))
    assert signal.revision == "2026-02-01T00:00:00.000Z"


@pytest.mark.parametrize(
    ("visibility", "expected"),
    [
        ("public", "public"),
        ("unlisted", "unlisted"),
        ("private", "followers"),
        ("mutuals_only", "followers"),
        ("direct", "direct"),
        ("a word from the future", "direct"),
        (None, "direct"),
        ([], "direct"),
    ],
)
def test_visibility_is_never_widened(visibility: Any, expected: str) -> None:
    assert signal_of(visibility=visibility).visibility == expected


def test_a_boost_is_the_wrappers_signal_and_author() -> None:
    boosted = status("2", account={"acct": "bo@x.example", "uri": "https://x.example/users/bo"})
    signal, author = said(status("1", reblog=boosted, content="<p>Post 2</p>"))
    assert (signal.kind, signal.native_id, signal.text) == (
        "repost",
        "https://m.example/users/ann/statuses/1",
        "Post 2",
    )
    assert signal.quotes == signal_key("mastodon", boosted["uri"])
    assert author.native_id == "https://m.example/users/ann"


def test_a_quote_names_what_it_quotes() -> None:
    signal = signal_of(quote={"state": "accepted", "quoted_status": status("2")})
    assert (signal.kind, signal.quotes) == ("quote", signal_key("mastodon", "https://m.example/users/ann/statuses/2"))


@pytest.mark.parametrize("state", ["pending", "rejected", "revoked", "deleted", "unauthorized"])
def test_a_quote_that_may_not_be_seen_names_nothing(state: str) -> None:
    signal = signal_of(quote={"state": state, "quoted_status": None})
    assert (signal.kind, signal.quotes) == ("quote", None)


def test_a_reply_names_no_parent_since_the_api_gives_a_local_id_only() -> None:
    signal = signal_of(in_reply_to_id="99", in_reply_to_account_id="7")
    assert (signal.kind, signal.in_reply_to, signal.conversation_key) == ("reply", None, None)


def test_a_local_id_joins_posts_of_one_instance_only() -> None:
    root, reply = status("99"), status("100", in_reply_to_id="99")
    here, there = (replace(raw(reply), realm=host) for host in ("m.example", "x.example"))
    (seen,) = translated(replace(raw(root), realm="m.example")).signals
    assert translated(here).signals[0].parent_alias in seen.aliases
    assert translated(there).signals[0].parent_alias not in seen.aliases


@pytest.mark.parametrize(
    ("policy", "can_reply"),
    [
        ({"can_reply": {"always": ["public"]}}, "yes"),
        ({"can_reply": {"automatic_approval": ["public"], "manual_approval": []}}, "yes"),
        ({"can_reply": {"always": ["author"], "with_approval": ["public"]}}, "unknown"),
        ({}, "yes"),
    ],
)
def test_an_interaction_policy_narrows_who_may_reply(policy: dict[str, Any], can_reply: str) -> None:
    assert signal_of(interaction_policy=policy).can_reply == can_reply


def test_a_mention_is_its_status_with_the_kind_mention() -> None:
    signal, author = said(notification("mention", status=status("3", in_reply_to_id="2")))
    assert (signal.kind, signal.native_id) == ("mention", "https://m.example/users/ann/statuses/3")
    assert author.native_id == "https://m.example/users/ann"


@pytest.mark.parametrize("type_", ["status", "update", "poll", "quote", "quoted_update"])
def test_a_notification_about_what_somebody_said_is_its_status(type_: str) -> None:
    assert said(notification(type_, status=status("3")))[0].native_id.endswith("/3")


@pytest.mark.parametrize(
    "type_", ["favourite", "follow", "follow_request", "reblog", "admin.report", "pleroma:emoji_reaction"]
)
def test_a_notification_about_what_nobody_said_is_ignored_with_the_reason(type_: str) -> None:
    found = translate(raw(notification(type_, status=status("3"))))
    assert found == Ignored(f"notification of type {type_}")


def test_a_mention_whose_status_is_gone_is_ignored() -> None:
    assert translate(raw(notification("mention", status=None))) == Ignored(
        "notification of type mention without a status"
    )


def test_a_conversation_is_its_last_status() -> None:
    talk = {"id": "4", "unread": True, "accounts": [], "last_status": status("3", visibility="direct")}
    signal, _ = said(talk)
    assert (signal.kind, signal.visibility, signal.native_id[-2:]) == ("message", "direct", "/3")


def test_a_conversation_without_a_status_is_ignored() -> None:
    assert translate(raw({"id": "4", "accounts": [], "last_status": None})) == Ignored("conversation without a status")


@pytest.mark.parametrize(
    ("marker", "at"),
    [
        (
            {"type": "Tombstone", "id": "https://m.example/1", "deleted": "2026-03-01T00:00:00Z"},
            datetime(2026, 3, 1, tzinfo=UTC),
        ),
        ({"type": "Tombstone", "id": "https://m.example/1"}, NOW),
        ({"uri": "https://m.example/1", "deleted": True}, NOW),
    ],
)
def test_a_marker_of_a_deletion_is_a_tombstone(marker: dict[str, Any], at: datetime) -> None:
    expected = Tombstone(signal_key("mastodon", "https://m.example/1"), "user_deleted", at)
    assert translate(raw(marker)) == Translated(tombstones=(expected,))


@pytest.mark.parametrize(
    "own",
    [
        *("ann", "@ann@m.example", "ann@m.example", "https://m.example/@ann", "https://m.example/users/ann", "7"),
        *("Ann", "@ANN", "@Ann@M.Example", "https://M.example/@Ann/", " ann "),
    ],
)
def test_our_own_posts_are_marked(own: str) -> None:
    assert said(status("1"), own)[0].origin == "hub"
    assert said(status("1"), own + "x")[0].origin == "source"


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"id": "1"}',
        b'{"uri": 5}',
        json.dumps(status("1", created_at="yesterday")).encode(),
        json.dumps(status("1", account=None)).encode(),
        json.dumps(status("1", account={"acct": "ann"})).encode(),
        json.dumps({"type": "Tombstone"}).encode(),
    ],
)
def test_a_broken_item_is_a_translation_error(payload: bytes) -> None:
    with pytest.raises(TranslationError):
        translate(raw(payload))


def test_half_a_surrogate_pair_does_not_reach_the_database() -> None:
    entity = json.dumps(status("1", uri="https://x/\ud800", content="a\ud800b", language="\udfff")).encode()
    assert msgspec.json.encode(said(entity)[0])


def test_a_pair_of_surrogates_stays_an_emoji() -> None:
    assert said(json.dumps(status("1", content="\U0001f600")).encode())[0].text == "\U0001f600"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)
FIELDS = [
    *status("1"),
    "reblog",
    "quote",
    "tags",
    "mentions",
    "media_attachments",
    "edited_at",
    "interaction_policy",
    "type",
]


@given(st.dictionaries(st.sampled_from([*FIELDS, "last_status", "status", "deleted"]), JSON, max_size=6))
def test_no_value_of_any_type_breaks_it_otherwise(fields: dict[str, Any]) -> None:
    try:
        found = translate(raw({**status("1"), **fields}), "ann")
    except TranslationError:
        return
    assert msgspec.json.encode(found)


@pytest.mark.parametrize(
    ("entity", "expected"),
    [
        (status("1"), ("status:1", "")),
        (status("1", edited_at="2026-02-01T00:00:00Z"), ("status:1", "2026-02-01T00:00:00Z")),
        (notification("mention", status=status("2", edited_at="t")), ("notification:5", "t")),
        ({"id": "4", "last_status": status("2")}, ("conversation:4", "2")),
        ({"id": "https://x/1", "type": "Tombstone"}, ("deleted:https://x/1", "")),
    ],
)
def test_an_entity_says_which_item_it_is(entity: dict[str, Any], expected: tuple[str, str]) -> None:
    assert identify(json.dumps(entity).encode()) == expected


GOLDEN = [
    ("<p>Hello <b>world</b></p>", "Hello world"),
    ("<p>one</p><p>two</p>", "one\n\ntwo"),
    ("<p>one<br>two<br />three</p>", "one\ntwo\nthree"),
    ("<p>1 &lt; 2 &amp;&amp; 3 &gt; 2 &quot;x&quot; &#39;y&#39;</p>", "1 < 2 && 3 > 2 \"x\" 'y'"),
    (
        (
            '<p>see <a href="https://example.org/a/long/path"><span class="invisible">https://</span>'
            '<span class="ellipsis">example.org/a/lo</span><span class="invisible">ng/path</span></a>!</p>'
        ),
        "see https://example.org/a/long/path!",
    ),
    (
        '<p><span class="h-card"><a href="https://m.example/@bo" class="u-url mention">@<span>bo</span></a></span> hi</p>',
        "@bo hi",
    ),
    (
        '<p>love <a href="https://m.example/tags/acme" class="mention hashtag" rel="tag">#<span>acme</span></a></p>',
        "love #acme",
    ),
    ("<ul><li>a</li><li>b</li></ul>", "- a\n- b"),
    ("<p>x</p><script>alert(1)</script>", "x"),
    ("", ""),
]


@pytest.mark.parametrize(("html", "text"), GOLDEN)
def test_html_becomes_the_text_that_a_reader_sees(html: str, text: str) -> None:
    assert signal_of(content=html).text == text


NAMED = {"id": "9", "username": "acme", "acct": "acme", "url": "https://m.example/@acme"}


@pytest.mark.parametrize(
    "own", ["acme", "@acme", "acme@m.example", "https://m.example/@acme", "9", "Acme", "@ACME@m.example"]
)
def test_a_post_that_mentions_us_is_a_mention_by_whatever_way_it_came(own: str) -> None:
    assert said(status("1", mentions=[NAMED]), own)[0].kind == "mention"


@pytest.mark.parametrize("fields", [{}, {"mentions": [NAMED], "reblog": status("2")}, {"mentions": "acme"}])
def test_what_names_nobody_of_us_is_no_mention(fields: dict[str, Any]) -> None:
    assert said(status("1", **fields), "acme")[0].kind != "mention"
    assert said(status("1", mentions=[NAMED]))[0].kind == "post"


def recorded(case: str) -> list[Signal]:
    lines = shared(f"cases/{case}").read_bytes().splitlines()
    return [signal for line in lines if line for signal in translated(raw(line)).signals]


def test_a_boost_that_bears_the_posts_own_uri_does_not_overwrite_it() -> None:
    post, boost = recorded("04-mastodon-boost-with-the-posts-uri.jsonl")
    assert boost.key != post.key
    assert (boost.kind, boost.quotes) == ("repost", post.key)


def test_two_accounts_that_boost_one_post_make_two_signals() -> None:
    post = status("1")
    boosters = [{**post["account"], "uri": f"https://shop.example/users/{name}"} for name in ("ann", "bob")]
    boosts = {said(status("1", account=one, reblog=post))[0].key for one in boosters}
    assert len(boosts | {said(post)[0].key}) == 3


@pytest.mark.parametrize("uri", ["", None, status("1")["uri"]])
@pytest.mark.parametrize("inner", [status("1"), {}, {"id": "1", "content": "<p>Post</p>"}])
def test_a_boost_never_has_the_key_of_what_may_be_the_post(uri: str | None, inner: dict[str, Any]) -> None:
    if uri or inner.get("uri"):
        boost = said({**status("2", reblog=inner), "uri": uri})[0]
        assert (boost.kind, boost.key == said(status("1"))[0].key) == ("repost", False)


def test_a_boost_with_a_uri_of_its_own_keeps_it() -> None:
    assert said(status("2", reblog=status("1")))[0].native_id == status("2")["uri"]


def test_the_line_for_servers_without_quotes_is_none_of_the_authors_words() -> None:
    texts = [one.text for one in recorded("12-mastodon-quote-inline.jsonl")]
    assert not any(text.startswith("RE:") for text in texts)
    assert "This again?" in texts


QUOTE_LINE = '<span class="quote-inline"><br>RE: https://m.example/@bob/2</span>'


@pytest.mark.parametrize(("quote", "text"), [(status("2"), "Hm"), (None, "Hm\nRE: https://m.example/@bob/2")])
def test_where_the_quoted_post_is_not_told_its_address_stays(quote: Any, text: str) -> None:
    assert signal_of(content=f"<p>Hm{QUOTE_LINE}</p>", quote=quote).text == text


def test_a_quote_as_akkoma_gives_it_names_the_quoted_post() -> None:
    assert signal_of(quote=status("2")).quotes == signal_key("mastodon", status("2")["uri"])


QUOTED = {"id": "7", "uri": "https://o.example/7"}


@pytest.mark.parametrize(
    "line",
    [
        '<p class="quote-inline">RE: <a href="https://o.example/7">o</a></p>',
        '<p dir="auto" class="x quote-inline y">RE: <a href="https://o.example/7">o</a></p>',
        "<p class='quote-inline'>RE: o</p>",
        '<span class="quote-inline"><br/>RE: <a><span class="invisible">https://</span>o</a></span>',
        "<DIV CLASS=quote-inline>RE: <div>o</div></DIV>",
        '<p class="inline-quote">RE: <a href="https://o.example/7">o</a></p>',
        '<p class="reference-link-inline">QT: o</p>',
        'RE: <a href="https://o.example/7">https://o.example/7</a>',
        '<br><br/><span>RE: </span><a class="u-url" href="https://o.example/7" rel="nofollow">o</a>',
    ],
)
@pytest.mark.parametrize(
    "quote", [{"quote": QUOTED}, {"pleroma": {"quote": QUOTED}}, {"pleroma": {"quote_url": QUOTED["uri"]}}]
)
def test_every_servers_way_to_quote_is_read(line: str, quote: dict[str, Any]) -> None:
    signal = signal_of(content=f"{line}<p>my words</p>", **quote)
    assert (signal.kind, signal.text, signal.quotes) == ("quote", "my words", signal_key("mastodon", QUOTED["uri"]))


def test_a_link_to_something_else_behind_re_is_the_authors() -> None:
    content = '<p>RE: <a href="https://o.example/8">o</a> my words</p>'
    assert signal_of(content=content, quote=QUOTED).text == "RE: o my words"


def test_an_attachment_without_an_address_is_told() -> None:
    found = translated(
        raw(status("1", media_attachments=[{"type": "image", "url": None}, {"url": "https://m.example/a"}]))
    )
    assert [one.url for one in found.signals[0].media] == ["https://m.example/a"]
    assert found.left_out == "1 of its attachments have no web address and were left out"


def test_a_line_that_never_ends_takes_no_words_and_no_time() -> None:
    assert "words" in signal_of(content='<span class="quote-inline">RE: my words' + "<span" * 20_000, quote=QUOTED).text


@pytest.mark.parametrize(
    "own", ["a@münchen.example", "@A@MÜNCHEN.example", "https://münchen.example/@a", "a@xn--mnchen-3ya.example"]
)
def test_a_domain_is_the_same_in_its_letters_and_as_it_is_sent(own: str) -> None:
    account = {"uri": "https://xn--mnchen-3ya.example/users/a", "url": "https://xn--mnchen-3ya.example/@a", "acct": "a"}
    assert said(status("1", account=account), own)[0].origin == "hub"


@pytest.mark.parametrize(
    "own",
    [
        *("acct:acme@shop.example", "＠Acme@shop.example", "@acme@shop.example.", "\u200e@acme@shop.example\u200e"),
        *("shop.example/@acme", "https://shop.example/web/@acme", "https://m.example/@acme@shop.example"),
    ],
)
def test_our_account_is_known_as_people_paste_its_name(own: str) -> None:
    account = {"uri": "https://shop.example/users/7", "url": "https://shop.example/@Acme", "acct": "Acme@shop.example"}
    assert said(status("1", account=account), own)[0].origin == "hub"


def test_a_mention_is_ours_by_the_id_of_our_account_too() -> None:
    mention = {"acct": "acme@shop.example", "url": "https://shop.example/@acme"}
    assert said(status("1", mentions=[mention]), "https://shop.example/users/Acme")[0].kind == "mention"
