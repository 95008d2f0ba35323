"""Bodies to signals: by the usual names, and by a mapping file."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from pydantic import ValidationError

from hub.core.errors import TranslationError
from hub.core.keys import author_key, signal_key
from hub.core.model import Counts, Rating, Translated
from tests.material import shared
from tests.plugins.webhook.given import NOW, inbound, raw, read

FULL: dict[str, Any] = {
    "id": 7,
    "network": "shop",
    "kind": "review",
    "text": "Lovely",
    "title": "Great",
    "url": "https://shop.example/7",
    "lang": "en",
    "created_at": "2026-11-20T10:00:00+02:00",
    "in_reply_to": 6,
    "thread_id": "t",
    "tags": ["a", 1, "b"],
    "visibility": "unlisted",
    "author": {"id": 9, "username": "ana", "name": "Ana", "followers_count": 5, "verified": True},
    "counts": {"likes": 3, "reposts": 2},
}


def test_the_usual_names_fill_a_signal() -> None:
    signal, author = read(inbound(), FULL)
    assert (signal.key, signal.kind, signal.text) == (signal_key("shop", "7"), "review", "Lovely")
    assert signal.published_at == datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
    assert (signal.in_reply_to, signal.conversation_key) == (
        signal_key("shop", "6"),
        signal_key("shop", "conversation t"),
    )
    assert (signal.hashtags, signal.visibility, signal.counts) == (("a", "b"), "unlisted", Counts(likes=3, shares=2))
    assert author is not None
    assert (author.key, author.handle, author.followers, author.verified) == (author_key("shop", "9"), "ana", 5, True)


def test_a_short_body_leaves_the_rest_unknown() -> None:
    signal, author = read(inbound(network="forum"), {"id": "1", "text": "hi"})
    assert (signal.network, signal.kind, signal.published_at, author) == ("forum", "post", NOW, None)
    assert (signal.lang, signal.url, signal.in_reply_to, signal.counts) == (None, None, None, Counts())


@pytest.mark.parametrize(
    ("change", "field", "value"),
    [
        ({"text": "", "html": "<p>Hello<br>you</p>"}, "text", "Hello\nyou"),
        ({"text": None, "title": "Only a title"}, "text", "Only a title"),
        ({"kind": "nonsense"}, "kind", "post"),
        ({"kind": "nonsense", "in_reply_to": "0"}, "kind", "reply"),
        ({"visibility": "private"}, "visibility", "direct"),
        ({"visibility": []}, "visibility", "public"),
        ({"published_at": "yesterday"}, "published_at", NOW),
        ({"published_at": True}, "published_at", NOW),
        ({"published_at": 0}, "published_at", datetime(1970, 1, 1, tzinfo=UTC)),
        ({"counts": {"likes": -1, "views": 2**60, "replies": True}}, "counts", Counts()),
        ({"hashtags": "a b"}, "hashtags", ()),
        ({"id": 1.5}, "native_id", "1.5"),
        ({"id": 1234567890123456789}, "native_id", "1234567890123456789"),
    ],
)
def test_odd_values_do_no_harm(change: dict[str, Any], field: str, value: Any) -> None:
    signal, _ = read(inbound(), {"id": "1", "text": "hi", **change})
    assert getattr(signal, field) == value


@pytest.mark.parametrize(("author", "handle"), [("ana", "ana"), ({"name": "Ana"}, "Ana"), ({"handle": "a"}, "a")])
def test_an_author_is_told_apart_by_what_there_is(author: Any, handle: str) -> None:
    _, found = read(inbound(), {"id": "1", "text": "hi", "author": author})
    assert found is not None
    assert found.handle == handle


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"{", "no JSON"),
        (b"\xff\xfe", "no JSON"),
        (b"[" * 100_000, "no JSON"),
        ([1], "no JSON object"),
        ({"text": "hi"}, "no id"),
        ({"id": True, "text": "hi"}, "no id"),
        ({"id": "1"}, "no text"),
        ({"id": "1", "text": "hi", "network": "a b"}, "no name of a network"),
        ({"id": "1", "text": "hi", "network": "x" * 33}, "no name of a network"),
    ],
)
def test_what_cannot_be_read_says_why(body: Any, reason: str) -> None:
    with pytest.raises(TranslationError, match=reason):
        inbound().translate(raw(body))


@pytest.mark.parametrize(("body", "count"), [(b'{"id": 1}', 1), (b'[{"id": 1}, {"id": 2}, 3]', 3), (b"[]", 0)])
def test_a_body_holds_one_object_or_many(body: bytes, count: int) -> None:
    assert len(inbound().parse(body)) == count


@pytest.mark.parametrize("body", [b"1", b'"x"', b"null", b"", b"{", b"\xff"])
def test_a_body_of_another_form_is_refused(body: bytes) -> None:
    with pytest.raises(TranslationError):
        inbound().parse(body)


MAPPING = """
[fields.native_id]
from = "review.uuid"
required = true
[fields.text]
template = "{{ review.headline }}: {{ review.body }}"
limit = 20
[fields.kind]
value = "review"
[fields.lang]
from = "review.locale"
table = { de_DE = "de" }
default = "en"
[fields.author_id]
from = "people.0.nick"
"""
REVIEW = {"review": {"uuid": "u1", "headline": "Toll", "body": "Sehr gut und schnell", "locale": "de_DE"}}


def test_a_mapping_file_says_which_field_is_what(tmp_path: Path) -> None:
    signal, author = read(inbound(tmp_path, MAPPING), {**REVIEW, "people": [{"nick": "ana"}]})
    assert (signal.native_id, signal.kind, signal.lang) == ("u1", "review", "de")
    assert signal.text == "Toll: Sehr gut und s"
    assert author is not None
    assert author.native_id == "ana"


@pytest.mark.parametrize(("locale", "lang"), [("fr_FR", "en"), (None, "en"), ("de_DE", "de")])
def test_a_table_has_a_default(tmp_path: Path, locale: str | None, lang: str) -> None:
    signal, _ = read(inbound(tmp_path, MAPPING), {"review": {**REVIEW["review"], "locale": locale}})
    assert signal.lang == lang


def test_a_required_field_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(TranslationError, match=r"no native_id \(from review.uuid\)"):
        inbound(tmp_path, MAPPING).translate(raw({"review": {"headline": "x", "body": "y"}}))


@pytest.mark.parametrize(
    "template",
    ["{{ a.b.c.d }}", "{{ 1 / (text|length - 2) }}", "{{ ''.__class__.__mro__ }}", "{{ range(1000000000) }}"],
)
def test_a_template_that_fails_is_told_as_such(tmp_path: Path, template: str) -> None:
    source = inbound(tmp_path, f'[fields.text]\ntemplate = "{template}"\n')
    with pytest.raises(TranslationError):
        source.translate(raw({"id": "1", "text": "hi"}))


@pytest.mark.parametrize(
    ("mapping", "reason"),
    [
        ("[fields.colour]\nvalue = 1", "unknown in the mapping: colour"),
        ("[felds.text]\nvalue = 1", "unknown in the mapping: felds"),
        ('[fields.text]\nfrom = "a"\nvalue = 1', "exactly one of"),
        ("[fields.text]\nlimit = 1", "exactly one of"),
        ("[fields.text]\nform = 1", "form"),
        ('[fields.text]\ntemplate = "{{ a"', "fields.text"),
        ("not toml", "map.toml"),
        ("[fields.text]\ntemplate = \"{{ text.replace('x', text) }}\"", r"\.replace\(\) is not allowed"),
        ("[fields.text]\ntemplate = \"{{ 'x'.ljust(1000000000) }}\"", r"\.ljust\(\) is not allowed"),
        ('[fields.text]\ntemplate = "{{ 9 ** 9 }}"', r"\*\* is not allowed"),
        ('[fields.text]\ntemplate = "{% macro f(n) %}{{ f(n) }}{% endmacro %}{{ f(0) }}"', "only range"),
    ],
)
def test_a_wrong_mapping_file_is_named_at_the_start(tmp_path: Path, mapping: str, reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        inbound(tmp_path, mapping)


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*FULL, "author", "name"]), inner),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(list(FULL)), _JSON))
def test_any_object_is_read_or_refused(body: dict[str, Any]) -> None:
    try:
        found = inbound().translate(raw(body))
    except TranslationError:
        return
    assert isinstance(found, Translated)
    assert found.signals[0].text


def test_ids_of_conversations_and_of_messages_are_two_name_spaces() -> None:
    lines = shared("cases/01-webhook-two-name-spaces.jsonl").read_bytes().splitlines()
    signals = [read(inbound(), json.loads(line))[0] for line in lines if line.strip()]
    keys = {one.key for one in signals}
    assert len(keys) == len(signals)
    assert not keys & {one.conversation_key for one in signals}


@pytest.mark.parametrize(("realm", "apart"), [("shop", True), ("", False)])
def test_a_sender_counts_its_authors_and_its_messages_each_by_itself(realm: str, apart: bool) -> None:
    body = json.dumps({"id": "5", "text": "x", "author": {"id": "5", "name": "Ana"}}).encode()
    found = inbound().translate(replace(raw(body), realm=realm))
    assert isinstance(found, Translated)
    assert (found.signals[0].key != found.authors[0].key) is apart  # without a realm the keys of 0.2.0 stay


@pytest.mark.parametrize("id_", ["conversation 5", "id conversation 5", "alias 5"])
def test_no_id_of_a_message_is_taken_for_that_of_a_conversation(id_: str) -> None:
    thread = read(inbound(), {"id": "5", "text": "x", "thread_id": "5"})[0].conversation_key
    (post, _), (answer, _) = (
        read(inbound(), {"text": "x", **one}) for one in ({"id": id_}, {"id": 6, "in_reply_to": id_})
    )
    assert post.key == answer.in_reply_to
    assert post.key not in {thread, signal_key("webhook", "conversation 5"), signal_key("webhook", "alias 5")}


def test_a_time_is_read_with_the_zone_that_it_names() -> None:
    lines = shared("cases/08-webhook-dates.jsonl").read_bytes().splitlines()
    signals = [read(inbound(), json.loads(line))[0] for line in lines if line.strip()]
    assert [one.published_at for one in signals] == [datetime(2026, 6, 1, 6, tzinfo=UTC)] * 4


def test_a_mapping_file_may_fill_a_rating(tmp_path: Path) -> None:
    source = inbound(tmp_path, '[fields.rating]\nfrom = "stars"\nbest = 10\nworst = 0\n')
    assert read(source, {"id": 1, "text": "ok", "stars": "7"})[0].rating == Rating(7, 10, 0)


def test_a_template_that_makes_too_much_is_stopped(tmp_path: Path) -> None:
    endless = "{% for i in range(9999) %}" + "x" * 200 + "{% endfor %}"
    source = inbound(tmp_path, f'[fields.text]\ntemplate = "{endless}"\n')
    with pytest.raises(TranslationError):
        source.translate(raw({"id": "1", "text": "hi"}))


@pytest.mark.parametrize(
    ("said", "rating"),
    [
        ({"stars": 4}, Rating(4.0)),
        ({"rating": "8/10"}, Rating(8.0, 10.0, 0.0)),
        ({"rating": {"value": 74, "best": 100}}, Rating(74.0, 100.0, 0.0)),
        ({"reviewRating": {"ratingValue": "3", "bestRating": "5", "worstRating": "1"}}, Rating(3.0)),
        ({"rating": "soso"}, None),
    ],
)
def test_the_usual_names_fill_a_rating_with_its_scale(said: dict[str, Any], rating: Rating | None) -> None:
    signal, _ = read(inbound(), {"id": 1, "text": "x", **said})
    assert signal.rating == rating


@pytest.mark.parametrize("word", ["share", "boost", "retweet", "Repost", "Announce", "renote"])
def test_a_share_is_a_boost_of_the_post_that_it_names(word: str) -> None:
    signal, _ = read(inbound(), {"id": 2, "text": "x", "network": "shop", "kind": word, "shared_id": 1})
    assert (signal.kind, signal.quotes) == ("repost", signal_key("shop", "1"))


def test_a_share_that_bears_the_posts_own_id_does_not_overwrite_it() -> None:
    share = {"id": 1, "kind": "share", "shared_id": 1}
    found = [read(inbound(), {**share, "author": {"id": one}})[0] for one in ("ana", "ben")]
    assert len({one.key for one in found} | {signal_key("webhook", "1")}) == 3
    assert {one.quotes for one in found} == {signal_key("webhook", "1")}


def test_a_share_that_adds_no_word_is_one() -> None:
    assert read(inbound(), {"id": 2, "kind": "share", "in_reply_to": 1})[0].quotes == signal_key("webhook", "1")


def test_a_share_that_names_its_post_as_a_parent_is_no_reply() -> None:
    signal, _ = read(inbound(), {"id": 2, "text": "x", "network": "shop", "kind": "share", "in_reply_to": 1})
    assert (signal.quotes, signal.in_reply_to) == (signal_key("shop", "1"), None)
