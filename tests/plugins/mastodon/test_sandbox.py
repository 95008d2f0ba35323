"""The look-alike of an instance: the plugin answers on it as on any other, and people play the town on its page."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from hub import Signal, signal_key
from hub.sdk.http import open_guard
from hub.testkit.fakes import START, FakeClock, context
from hub.testkit.sandbox import RunningSandbox, SandboxOptions, serve
from plugins.mastodon.config import MastodonOptions
from plugins.mastodon.sandbox import build
from plugins.mastodon.source import MastodonSource
from tests.plugins.mastodon.town import TOKEN


@pytest.fixture
def town() -> Iterator[RunningSandbox]:
    with serve(build(SandboxOptions(token=TOKEN, clock=FakeClock()))) as running:
        yield running
        assert running.sandbox.violations == []


def post(town: RunningSandbox, name: str, text: str, **more: str) -> str:
    """Somebody posts on the page; the id."""
    form, headers = {"as": name, "text": text, **more}, {"accept": "application/json"}
    answer = httpx.post(f"{town.url}/town/posts", data=form, headers=headers, trust_env=False)
    return str(answer.raise_for_status().json()["id"])


def order(town: RunningSandbox, path: str, **form: str) -> int:
    return httpx.post(f"{town.url}/town/posts{path}", data=form, trust_env=False).status_code


def page(town: RunningSandbox) -> str:
    return httpx.get(f"{town.url}/town", trust_env=False).text


def pull(town: RunningSandbox, cursor: Any = None, **options: Any) -> tuple[list[dict[str, Any]], Any]:
    """What a source hears, oldest first, and its cursor then."""
    chosen = {"instance": town.url, "token": TOKEN, **options}
    source = MastodonSource(MastodonOptions.model_validate(chosen))
    with open_guard(allow_private=True) as http:
        pages = list(source.pull(context(http), cursor))
    return [json.loads(item.payload) for one in pages for item in one.items], pages[-1].cursor if pages else cursor


def test_a_timeline_is_read_forward_without_holes(town: RunningSandbox) -> None:
    first = [post(town, "ann", f"post {number}") for number in range(3)]
    heard, cursor = pull(town, local=True)
    later = [post(town, "ben", f"post {number}") for number in range(50)]
    more, _ = pull(town, cursor, local=True)
    assert ([one["id"] for one in heard], [one["id"] for one in more]) == (first, later)


def test_an_answer_stands_in_no_timeline_but_who_is_mentioned_is_told(town: RunningSandbox) -> None:
    answer = post(town, "ben", "@pennywren me too", parent=post(town, "ann", "it hangs"))
    heard, _ = pull(town, local=True, notifications=True)
    assert [one.get("status", one)["id"] for one in heard if one.get("type") == "mention"] == [answer]
    assert [one["content"] for one in heard if "content" in one] == ["<p>it hangs</p>"]


def test_our_own_post_comes_along_with_what_answers_it(town: RunningSandbox) -> None:
    headers = {"authorization": f"Bearer {TOKEN}"}
    parent = post(town, "ann", "@pennywren it hangs")
    form = {"status": "@ann we are on it", "in_reply_to_id": parent, "visibility": "public"}
    ours = httpx.post(f"{town.url}/api/v1/statuses", data=form, headers=headers, trust_env=False).json()["id"]
    _, cursor = pull(town, notifications=True)
    again = post(town, "ann", "@pennywren still", parent=ours)
    heard, _ = pull(town, cursor, notifications=True)
    assert [one.get("status", one)["id"] for one in heard] == [ours, again]


def test_an_answer_to_somebody_else_brings_nothing_along(town: RunningSandbox) -> None:
    post(town, "ben", "@pennywren me too", parent=post(town, "ann", "it hangs"))
    heard, _ = pull(town, notifications=True)
    assert [one["type"] for one in heard] == ["mention"]


def test_a_direct_message_is_shown_to_those_in_it_only(town: RunningSandbox) -> None:
    post(town, "ann", "@pennywren my number is 5", visibility="direct")
    heard, _ = pull(town, local=True, conversations=True)
    assert [one["last_status"]["visibility"] for one in heard] == ["direct"]


def test_a_deleted_post_is_gone_and_its_answers_stay(town: RunningSandbox) -> None:
    parent = post(town, "ann", "it hangs")
    post(town, "ben", "for me too", parent=parent)
    assert order(town, f"/{parent}/delete") == 303
    assert "it hangs" not in page(town)
    assert "for me too" in page(town)
    uri = f"{town.url}/users/ann/statuses/{parent}"
    facts: dict[str, Any] = {"network": "mastodon", "kind": "post", "text": "", "author_key": None}
    signal = Signal(key=signal_key("mastodon", uri), native_id=uri, published_at=START, observed_at=START, **facts)
    source = MastodonSource(MastodonOptions.model_validate({"instance": town.url, "token": TOKEN, "local": True}))
    with open_guard(allow_private=True) as http:
        assert [one.key for one in source.recheck(context(http), [signal])] == [signal.key]


def test_an_edit_shows_and_tells_whom_it_mentions_anew(town: RunningSandbox) -> None:
    id_ = post(town, "ann", "it hangs")
    assert order(town, f"/{id_}/edit", text="it hangs @pennywren") == 303
    heard, _ = pull(town, notifications=True)
    assert (heard[0]["status"]["id"], bool(heard[0]["status"]["edited_at"])) == (id_, True)
    assert "edited" in page(town)


@pytest.mark.parametrize("form", [{"as": "pennywren"}, {"as": "nobody"}, {"text": "  "}, {"text": "x" * 501}])
def test_what_nobody_may_post_is_refused_with_a_page(town: RunningSandbox, form: dict[str, str]) -> None:
    assert order(town, "", **{"as": "ann", "text": "hello", **form}) == 422
    assert "No one has said anything yet" in page(town)


def test_an_order_from_another_site_is_refused(town: RunningSandbox) -> None:
    form, headers = {"as": "ann", "text": "hello"}, {"origin": "https://evil.example"}
    assert httpx.post(f"{town.url}/town/posts", data=form, headers=headers, trust_env=False).status_code == 403


def test_hostile_words_are_shown_and_do_nothing(town: RunningSandbox) -> None:
    post(town, "ann", '<script>alert(1)</script> https://example.com/"><img src=x> @ben <b>&amp;')
    shown = page(town)
    assert "&lt;script&gt;" in shown
    assert "<script" not in shown
    assert "<img" not in shown


@pytest.mark.parametrize("path", ["/@ann/{}", "/users/ann/statuses/{}"])
def test_the_address_of_a_post_leads_to_its_place_in_the_town(town: RunningSandbox, path: str) -> None:
    id_ = post(town, "ann", "it hangs")
    answer = httpx.get(town.url + path.format(id_), trust_env=False)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/town#{id_}")
    assert f"<article id='{id_}'" in page(town)


def test_the_front_page_leads_to_the_town(town: RunningSandbox) -> None:
    assert "<a href='/town'>the town</a>" in httpx.get(town.url, trust_env=False).text
