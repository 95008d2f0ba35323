"""The shipped files: each pulled from a look-alike, translated, asked again; recorded answers where there are some."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from msgspec.structs import replace

from hub import HttpResponse, Page, Rating, RawItem, Signal, Translated, signal_key
from hub.core.keys import apart, marked_author_key
from hub.testkit.fakes import answer
from plugins.http.config import SHIPPED, shipped
from plugins.http.source import HttpSource
from tests.material import shared
from tests.plugins.http.answers import HITS, comment, question, recorded, review
from tests.plugins.http.shelf import NOW, ctx, ids, source

Query = Mapping[str, str]
GIVEN: dict[str, dict[str, str]] = {
    "hackernews": {"query": "acme"},
    "stackexchange": {"site": "stackoverflow", "tagged": "acme"},
    "wordpress": {"site": "blog.example.com"},
    "appstore": {"app": "383298204", "country": "us"},
}


def shipped_source(name: str, **more: str) -> HttpSource:
    return source(name, **GIVEN[name] | more)


def replying(*bodies: Any) -> Any:
    """Answers one after the other, then the last again; `asked` holds the addresses."""
    left, asked = list(bodies), []

    def ask(method: str, url: str, headers: Any, content: bytes | None) -> HttpResponse:
        asked.append(url)
        body = left.pop(0) if len(left) > 1 else left[0]
        return body if isinstance(body, HttpResponse) else answer(json=body)

    ask.asked = asked  # type: ignore[attr-defined]  # for the test to read
    return ask


def signals(what: HttpSource, pages: list[Page]) -> list[Signal]:
    found = [what.translate(item) for page in pages for item in page.items]
    assert all(isinstance(one, Translated) for one in found)
    return [signal for one in found for signal in one.signals]


def heard(name: str, *bodies: Any) -> list[Signal]:
    what = shipped_source(name)
    return signals(what, list(what.pull(ctx(replying(*bodies)), None)))


def query_of(url: str) -> Query:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def test_every_shipped_file_is_tried_here() -> None:
    assert set(shipped()) == set(GIVEN)


@pytest.mark.parametrize("name", sorted(GIVEN))
def test_a_file_without_recordings_says_that_it_is_experimental(name: str) -> None:
    real = {"appstore": "appstore_rss", "stackexchange": "stackexchange"}
    assert shipped_source(name).options.spec.source.experimental == (name not in real)


@pytest.mark.parametrize("name", sorted(GIVEN))
def test_a_shipped_file_fits_one_screen(name: str) -> None:
    assert len((SHIPPED / f"{name}.toml").read_text().splitlines()) <= 40


# ---------------------------------------------------------------------------------------------------------- Hacker News


def test_hacker_news_is_asked_for_what_is_new() -> None:
    ask = replying({"hits": HITS, "nbPages": 1})
    list(shipped_source("hackernews").pull(ctx(ask), {"items": "2026-01-02T11:45:00+00:00"}))
    asked = query_of(ask.asked[0])
    assert (asked["query"], asked["page"]) == ("acme", "0")
    assert asked["numericFilters"] == f"created_at_i>={int(NOW.timestamp()) - 1800}"


def test_a_story_and_its_comment_stand_in_one_conversation() -> None:
    comment_, story = heard("hackernews", {"hits": HITS, "nbPages": 1})[::-1]
    assert (story.kind, story.title, story.text) == ("post", "Acme pays", "Acme pays")
    assert (comment_.kind, comment_.text, comment_.in_reply_to) == ("comment", "I'm in & happy", story.key)
    assert comment_.conversation_key == story.conversation_key
    assert comment_.url == "https://news.ycombinator.com/item?id=2"


@pytest.mark.parametrize(
    ("body", "gone"), [(b"null", 2), (b'{"deleted":true}', 2), (b'{"dead":true}', 2), (b'{"id":1}', 0)]
)
def test_what_was_taken_back_on_hacker_news_is_found(body: bytes, gone: int) -> None:
    ask = replying(answer(content=body))
    found = shipped_source("hackernews").recheck(ctx(ask), heard("hackernews", {"hits": HITS, "nbPages": 1}))
    assert len(found) == gone
    assert ask.asked[0] == "https://hacker-news.firebaseio.com/v0/item/1.json"


# -------------------------------------------------------------------------------------------------------- Stack Exchange


def test_a_question_is_read_with_its_author_and_tags() -> None:
    (signal,) = heard("stackexchange", {"items": [question(1)], "has_more": False})
    assert (signal.kind, signal.title, signal.text) == ("question", 'What\'s "acme"?', "Anyone?")
    assert (signal.native_id, signal.realm, signal.hashtags) == ("stackoverflow/1", "stackoverflow", ("acme", "pay"))
    assert (signal.counts.replies, signal.counts.views, signal.state) == (2, 17, "live")


def test_an_edited_question_is_a_revision_of_the_same() -> None:
    what = shipped_source("stackexchange")
    body = {"items": [question(1, last_edit_date=1459975066)]}
    (page,) = what.pull(ctx(replying(body)), None)
    assert (page.items[0].external_id, page.items[0].revision) == ("1", "1459975066")
    assert signals(what, [page])[0].state == "edited"


def test_a_deleted_user_has_a_name_only() -> None:
    (signal,) = heard("stackexchange", {"items": [question(1, owner={"display_name": "ghost"})]})
    assert signal.author_key == marked_author_key("stackexchange", "ghost", "stackoverflow", by_name=True)


def test_questions_that_are_left_out_of_a_batch_are_gone() -> None:
    both = heard("stackexchange", {"items": [question(1), question(2)]})
    ask = replying({"items": [{"post_id": 2}]})
    (gone,) = shipped_source("stackexchange").recheck(ctx(ask), both)
    assert gone.key == both[0].key
    assert ask.asked[0] == "https://api.stackexchange.com/2.3/posts/1;2?site=stackoverflow&pagesize=100"


def test_the_key_of_the_api_is_a_parameter_of_each_call() -> None:
    ask = replying({"items": []})
    what = source("stackexchange", secret="s3cret", **GIVEN["stackexchange"])
    list(what.pull(ctx(ask), None))
    assert query_of(ask.asked[0])["key"] == "s3cret"


def test_recorded_questions_are_questions() -> None:
    page = next(one for one in recorded("stackexchange") if "items" in one)
    items = page["items"] + [one for one in recorded("stackexchange") if "view_count" in one]
    asked = [one for one in items if "question_id" in one and "answer_id" not in one and one.get("title")]
    found = heard("stackexchange", {"items": [{"body": "<p>?</p>", **one} for one in asked]})
    assert [one.native_id for one in found] == [f"stackoverflow/{one['question_id']}" for one in asked]


# ------------------------------------------------------------------------------------------------------------ WordPress


def test_comments_of_a_site_are_read_page_by_page() -> None:
    end = answer(400, {"code": "rest_comment_invalid_page_number", "message": "The page number requested is larger"})
    ask = replying([comment(one) for one in range(1, 101)], end, [comment(one) for one in range(1, 101)], end)
    what = shipped_source("wordpress")
    pages = list(what.pull(ctx(ask), {"items": "2026-01-02T00:00:00+00:00"}))
    assert len(ids(pages)) == 100
    asked = query_of(ask.asked[0])
    assert (asked["after"], asked["order"], asked["page"]) == ("2026-01-01T23:50:00Z", "asc", "1")


def test_an_answer_to_a_comment_names_it() -> None:
    first, second = heard("wordpress", [comment(1), comment(2, parent=1)])
    assert (first.kind, second.kind) == ("comment", "reply")
    assert second.in_reply_to == first.key
    assert first.conversation_key == second.conversation_key != first.key


def test_a_visitor_is_known_by_name_and_a_member_by_number() -> None:
    visitor, member = heard("wordpress", [comment(1), comment(2, author=7, author_name="Ann")])
    assert visitor.author_key == marked_author_key("wordpress", "Vera & Co", "blog.example.com", by_name=True)
    assert member.author_key == marked_author_key("wordpress", "7", "blog.example.com")


def test_a_comment_its_author_and_a_visitor_of_one_number_are_three() -> None:
    member, visitor = heard("wordpress", [comment(7, author=7), comment(2, author_name="7")])
    assert len({member.key, member.author_key, visitor.author_key}) == 3


@pytest.mark.parametrize("name", list(GIVEN))
def test_an_imported_item_has_the_realm_of_one_that_is_polled(name: str) -> None:
    what = shipped_source(name)
    assert what.item_realm == apart(what.realm)


def test_an_item_of_a_source_of_an_earlier_release_keeps_its_keys() -> None:
    what = shipped_source("wordpress")
    (page,) = what.pull(
        ctx(replying([comment(1, author=7)], answer(400, {"code": "rest_comment_invalid_page_number"}))), None
    )
    (signal,) = what.translate(replace(page.items[0], realm=what.realm)).signals
    assert signal.author_key == signal_key("wordpress", "7", "blog.example.com")


def test_comments_of_two_sites_share_no_key() -> None:
    what, other = shipped_source("wordpress"), shipped_source("wordpress", site="other.example.com")
    keys = set()
    for one in (what, other):
        keys |= {signal.key for signal in signals(one, list(one.pull(ctx(replying([comment(1)])), None)))}
    assert len(keys) == 2


# ------------------------------------------------------------------------------------------------------------ App Store


def test_a_review_has_its_rating_and_the_app_itself_is_left_out() -> None:
    (signal,) = heard(
        "appstore", {"feed": {"entry": [{"im:name": {"label": "Acme"}, "id": {"label": "x"}}, review(1)]}}
    )
    assert (signal.kind, signal.rating, signal.realm) == ("review", Rating(4, 5, 1), "us/383298204")
    assert signal.published_at == datetime(2026, 1, 2, 11, tzinfo=UTC)


@pytest.mark.parametrize(
    ("feed", "count"), [({"entry": review(1)}, 1), ({}, 0), ({"entry": [review(1), review(2)]}, 2)]
)
def test_a_feed_of_one_review_is_an_object_and_one_of_none_has_none(feed: dict[str, Any], count: int) -> None:
    assert len(heard("appstore", {"feed": feed})) == count


def test_a_feed_is_asked_page_by_page_and_not_beyond_its_ten() -> None:
    def ask(method: str, url: str, headers: Any, content: bytes | None) -> HttpResponse:
        page = int(url.partition("page=")[2].partition("/")[0])
        return answer(json={"feed": {"entry": [review(page * 100 + one) for one in range(50)]}})

    what = shipped_source("appstore")
    assert len(ids(list(what.pull(ctx(ask), None)))) == 500


def test_the_recorded_feed_is_read() -> None:
    (page,) = recorded("appstore_rss")
    what = shipped_source("appstore")
    pages = list(what.pull(ctx(replying(page)), None))
    reviews = [one for one in page["feed"]["entry"] if "im:rating" in one]
    assert ids(pages) == [one["id"]["label"] for one in reviews]
    assert [one.rating for one in signals(what, pages)] == [Rating(5, 5, 1)]


def test_material_is_real() -> None:
    line = json.loads(shared("recordings/items/appstore_rss.jsonl").read_text().splitlines()[0])
    assert isinstance(
        shipped_source("appstore").translate(
            RawItem("t", "http", json.dumps(line["body"]["feed"]["entry"][1]).encode(), NOW, "1", "us/383298204")
        ),
        Translated,
    )
