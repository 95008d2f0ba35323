"""What a person sees."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from hub.config.settings import HubSection
from hub.core.errors import Rejected
from hub.core.keys import signal_key
from hub.core.model import Author, RemoteRef
from hub.flow.monitor.life import lived
from hub.store import StoreUnavailable
from tests.hub.web.browser import Browser
from tests.hubs import NOON, Made, Mood

NewHub = Callable[..., Made]
HOSTILE = '<script>alert(1)</script> acme "><img src=x onerror=alert(2)> {{7*7}} \u202eevil'


def refuse(made: Made) -> None:
    """The destination refuses everything, naming the field."""
    made.memo.answer = staticmethod(lambda _: Rejected("too long", field="text", details={"status": 400}))  # type: ignore[assignment]  # a function in a class


def test_a_signal_is_shown_with_its_route_and_the_record_at_the_destination(new_hub: NewHub) -> None:
    made = new_hub()
    made.memo.answer = staticmethod(lambda _: RemoteRef("r-7", "https://crm.example/r/7"))  # type: ignore[assignment]  # a function in a class
    made.say({"id": "1", "text": "I love Acme"})
    made.run()
    page = Browser(made).get("/").text
    for piece in ("I love Acme", "positive", ">brand<", "delivered", 'href="https://crm.example/r/7"', ">ana<"):
        assert piece in page
    assert f'href="/signals/{signal_key("lines", "1").replace(":", "%3A")}"' in page


def test_an_empty_hub_says_how_signals_arrive(new_hub: NewHub) -> None:
    answer = Browser(new_hub()).get("/")
    assert (answer.status_code, "Nothing has been said yet" in answer.text) == (200, True)


@pytest.mark.parametrize(
    ("query", "seen"),
    [
        ("matched=true", {"acme is bad, I hate it", "I love acme"}),
        ("matched=false", {"nice weather"}),
        ("sentiment=negative", {"acme is bad, I hate it"}),
        ("network=lines&sentiment=positive", {"I love acme"}),
        ("network=mastodon", set()),
        ("q=WEATHER", {"nice weather"}),
        ("q=100%25", set()),
        ("network=&matched=&sentiment=&q=", {"acme is bad, I hate it", "I love acme", "nice weather"}),
    ],
)
def test_filters_show_what_they_say(new_hub: NewHub, query: str, seen: set[str]) -> None:
    made = new_hub()
    texts = ("acme is bad, I hate it", "I love acme", "nice weather")
    made.say(*({"id": str(number), "text": text} for number, text in enumerate(texts)))
    made.run()
    page = Browser(made).get(f"/?{query}").text
    assert {text for text in texts if text in page} == seen


def test_an_uncertain_sentiment_is_shown_as_such(new_hub: NewHub) -> None:
    made = new_hub()
    made.hub.settings = made.hub.settings.model_copy(update={"hub": HubSection(uncertain_below=0.95)})
    made.say({"id": "1", "text": "I hate acme"})
    made.run()
    browser = Browser(made)
    assert "negative?" in browser.get("/").text
    assert [one["text"] for one in browser.json("/api/signals?sentiment=uncertain")["signals"]] == ["I hate acme"]


@pytest.mark.parametrize("path", ["/", "/signals/{key}", "/deliveries", "/deliveries/1", "/failed"])
def test_a_hostile_text_is_text_everywhere(new_hub: NewHub, path: str) -> None:
    made = new_hub()
    refuse(made)
    made.say({"id": "1", "text": HOSTILE, "by": '"><script>alert(3)</script>'}, {"broken": "<script>alert(4)</script>"})
    made.run()
    page = Browser(made).get(path.format(key=signal_key("lines", "1"))).text
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert page.count("<script") == 1, "the one script is our own file"


def test_a_link_that_is_no_web_address_is_no_link(new_hub: NewHub) -> None:
    made = new_hub()
    made.memo.answer = staticmethod(lambda _: RemoteRef("r-7", "javascript:alert(1)"))  # type: ignore[assignment]  # a function in a class
    made.say({"id": "1", "text": "acme"})
    made.run()
    with made.hub.store.database.write() as conn:
        face = Author("lines:x", "lines", "ana", handle="ana", url="data:text/html,x")
        made.hub.store.signals.meet(conn, [face], now=made.clock())
    page = Browser(made).get("/").text
    assert "r-7" in page
    assert "javascript:" not in page


def test_a_word_of_a_megabyte_is_cut(new_hub: NewHub) -> None:
    made = new_hub()
    made.say({"id": "1", "text": "acme " + "W" * 1_000_000})
    made.run()
    browser = Browser(made)
    assert len(browser.get("/").content) < 20_000
    assert len(browser.get(f"/signals/{signal_key('lines', '1')}").content) < 700_000


def test_one_signal_explains_each_condition_with_what_it_read(new_hub: NewHub) -> None:
    rules = (
        '[[rule]]\nname = "angry"\nwhen = [\'"acme" in topics\', "labels.sentiment.score < -0.5", "author.followers > 10"]\n'
        'deliver = [{ destination = "memo", mapping = "note" }]\n'
    )
    made = new_hub(rules=rules)
    made.say({"id": "1", "text": "I hate acme"})
    made.run()
    page = Browser(made).get(f"/signals/{signal_key('lines', '1')}").text
    for piece in (
        "not matched",
        "verdict-true",
        "verdict-absent",
        "labels.sentiment.score",
        "-1.0",
        "author.followers",
    ):
        assert piece in page


@pytest.mark.parametrize(("told", "shown"), [("12", "agent 12"), ("agnes", "agnes"), ("team-red", "team-red")])
def test_an_assignee_that_the_desk_tells_by_a_number_is_an_agent(new_hub: NewHub, told: str, shown: str) -> None:
    made = new_hub()
    made.say({"id": "1", "text": "acme"})
    made.run()
    key = signal_key("lines", "1")
    with made.hub.store.database.write() as conn:
        made.hub.store.conversations.assign(conn, {key: told}, now=NOON)
    page = Browser(made).get(f"/signals/{key}").text
    assert f">{shown}<" in page.partition("assigned to")[2][:200]


def test_one_signal_shows_its_raw_item_with_nothing_hidden(new_hub: NewHub) -> None:
    made = new_hub()
    made.say({"id": "1", "text": "acme \u202etxet"})
    made.run()
    page = Browser(made).get(f"/signals/{signal_key('lines', '1')}").text
    assert "\u202e" not in page
    assert "\\u202e" in page


def test_a_delivery_shows_payload_attempts_and_the_reason(new_hub: NewHub) -> None:
    made = new_hub()
    refuse(made)
    made.say({"id": "1", "text": "acme"})
    made.run()
    page = Browser(made).get("/deliveries/1").text
    for piece in (
        "dead",
        "too long",
        '<code><bdi class="foreign">text</bdi></code>',
        "Rejected",
        "&#34;mood&#34;",
        "Retry now",
    ):
        assert piece in page
    assert "too long" in Browser(made).get("/deliveries?state=dead&destination=memo").text
    assert "too long" not in Browser(made).get("/deliveries?state=delivered").text


def test_a_raw_item_that_failed_is_shown_with_its_reason(new_hub: NewHub) -> None:
    made = new_hub()
    made.say({"id": "1", "broken": 1})
    made.run()
    browser = Browser(made)
    assert "it is broken" in browser.get("/failed").text
    assert "&#34;broken&#34;: 1" in browser.get("/failed/1").text
    assert "1 failed" in browser.get("/").text


def test_a_pause_is_shown_with_the_way_out(new_hub: NewHub) -> None:
    made = new_hub()
    until = made.clock() + timedelta(minutes=5)
    made.hub.store.connections.pause("memo", reason="the token has expired", until=until, now=made.clock())
    page = Browser(made).get("/").text
    for piece in ("memo</bdi> is paused", "the token has expired", "hub check"):
        assert piece in page


def test_a_source_that_cannot_be_read_is_shown(new_hub: NewHub) -> None:
    made = new_hub()
    cursors = made.hub.store.cursors
    cursors.declare(["lines"], now=made.clock())
    claimed = cursors.claim("lines", now=made.clock())
    assert claimed
    cursors.release("lines", claimed[0], due_at=made.clock(), now=made.clock(), error="HTTP 503 from lines.test")
    assert "HTTP 503 from lines.test" in Browser(made).get("/").text


def test_the_page_tells_which_version_and_which_rules_a_process_runs(new_hub: NewHub) -> None:
    made = new_hub()
    detail = {"version": "9.9", "activation": 7}
    made.hub.store.connections.beat("process-1", "process", now=made.clock(), detail={**lived(made.clock()), **detail})
    assert "process-1: version 9.9, rules of activation 7" in Browser(made).get("/").text


def test_processes_are_alive_while_they_say_so(new_hub: NewHub) -> None:
    made = new_hub()
    made.hub.store.connections.beat("deliver-1", "deliver", now=made.clock())
    browser = Browser(made)
    assert [one["role"] for one in browser.json("/api/status")["alive"]] == ["deliver"]
    made.clock.pass_(minutes=2)
    assert browser.json("/api/status")["alive"] == []


def test_older_signals_are_a_page_away(new_hub: NewHub) -> None:
    made = new_hub()
    made.say(*({"id": str(number), "text": f"number {number}."} for number in range(5)))
    made.run()
    browser = Browser(made)
    first = browser.get("/?limit=3&matched=false").text
    assert 'href="/?limit=3&amp;matched=false&amp;before=3"' in first
    second = browser.get("/?limit=3&matched=false&before=3").text
    assert ("number 4." in first, "number 1." in first) == (True, False)
    assert ("number 4." in second, "number 1." in second) == (False, True)


def test_a_page_that_did_not_change_is_not_sent_again(new_hub: NewHub) -> None:
    made = new_hub()
    made.say({"id": "1", "text": "acme"})
    made.run()
    browser = Browser(made)
    browser.get("/")
    etag = browser.get("/").headers["etag"]
    made.clock.pass_(seconds=20)
    again = browser.get("/", **{"if-none-match": etag})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(("path", "status"), [("/nothing", 404), ("/signals/lines:x", 404), ("/deliveries/9", 404),
    ("/failed/9", 404), ("/?limit=0", 400), ("/?colour=red", 400), ("/deliveries/x", 400), ("/deliveries?state=lost", 400),
    ("/signals/%00", 400), ("/?q=%00", 400)])  # fmt: skip
def test_a_wrong_address_gets_a_page_that_says_so(new_hub: NewHub, path: str, status: int) -> None:
    answer = Browser(new_hub()).get(path)
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("text/html")
    assert "To the signals" in answer.text


def test_a_database_that_is_away_is_told_with_when_to_come_back(new_hub: NewHub) -> None:
    made = new_hub()
    browser = Browser(made)

    class Away:
        def page(self, _: object) -> None:
            raise StoreUnavailable("database is locked")

    made.hub.store.signals = Away()  # type: ignore[assignment]  # a fake
    answer = browser.get("/")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert "database is locked" in answer.text


def test_the_page_says_that_a_model_is_opened_and_how_many_posts_wait_for_it(
    new_hub: NewHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, seen = new_hub(), list[str]()
    made.say({"id": "1", "text": "I love acme"})
    monkeypatch.setattr(Mood, "load", lambda _: seen.append(Browser(made).get("/").text))
    made.run()
    assert "mood</bdi> opens its model, since" in seen[0]
    assert "1 item waits for it; they appear here by themselves." in seen[0]
    assert "opens its model" not in Browser(made).get("/").text


def test_an_attempt_without_an_error_leaves_its_cell_empty_so_that_no_column_is_shown(new_hub: NewHub) -> None:
    made = new_hub()
    made.say({"id": "1", "text": "acme"})
    made.run()
    browser = Browser(made)
    paths = ("/deliveries", "/deliveries/1", f"/signals/{signal_key('lines', '1')}")
    assert ['<td class="reason"></td>' in browser.get(path).text for path in paths] == [True] * 3


def test_a_signal_leads_to_the_ticket_of_its_conversation_before_a_state_was_told(new_hub: NewHub) -> None:
    made = new_hub()
    made.memo.answer = staticmethod(lambda _: RemoteRef("r-7", "https://desk.example/r/7"))  # type: ignore[assignment]  # a function in a class
    made.say({"id": "1", "text": "acme"})
    made.run()
    path, browser = f"/signals/{signal_key('lines', '1')}", Browser(made)
    assert "no ticket was opened" in browser.get(path).text
    with made.hub.store.database.write() as conn:
        conn.exec_driver_sql("UPDATE deliveries SET operation = 'create'")
    assert "nothing was told of its state yet" in browser.get(path).text
    assert 'href="https://desk.example/r/7"' in browser.get(path).text.partition("conversation-title")[2]
