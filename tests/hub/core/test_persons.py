"""People behind authors: how they stand, and which conversation goes on."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from hub.core.model import Label, Person, Signal
from hub.core.persons import (
    MOST_THREADS,
    Home,
    Linked,
    Recent,
    Standing,
    followers_of,
    last_words,
    newest_open,
    sentiment_of,
    threads_of,
)
from hub.core.signals import Stats, fortnight_before, is_private, month_before, together
from tests.hub.core.given import NOW, author, signal

HAPPY, ANGRY = Label("sentiment", "positive", "mood", 1.0), Label("sentiment", "negative", "mood", -1.0)
CORRECTED = Label("sentiment", "neutral", "kim", 0.0, by="person")


def post(minutes: int = 0, **changes: Any) -> Signal:
    return signal(**{"published_at": NOW + timedelta(minutes=minutes), "url": f"https://x/{minutes}", **changes})


@pytest.mark.parametrize(
    ("labels", "value"),
    [([HAPPY, ANGRY], "negative"), ([CORRECTED, ANGRY], "neutral"), ([Label("spam", "no", "m")], None), ([], None)],
)
def test_a_persons_label_is_the_sentiment_before_a_models(labels: list[Label], value: str | None) -> None:
    found = sentiment_of(labels)
    assert (found.value if found else None) == value


@pytest.mark.parametrize(
    ("heard", "last", "mood"),
    [
        ([(post(1), [HAPPY]), (post(2), [ANGRY])], "https://x/2", "negative"),
        ([(post(2), [ANGRY]), (post(1), [HAPPY])], "https://x/2", "negative"),
        ([(post(1), [HAPPY]), (post(2, visibility="direct"), [ANGRY])], "https://x/1", "negative"),
        ([(post(1), [HAPPY]), (post(2, state="deleted"), [ANGRY])], "https://x/1", "positive"),
        ([(post(1), [])], "https://x/1", None),
    ],
)
def test_the_last_word_is_the_latest_public_one(
    heard: list[tuple[Signal, list[Label]]], last: str, mood: str | None
) -> None:
    standing = Standing()
    for one, labels in heard:
        standing.hear(one, labels, is_new=True, late=True)
    facts = standing.facts()
    assert (facts["last_url"], facts.get("sentiment_now"), facts["signals_30d"]) == (last, mood, len(heard))


def test_what_is_decided_again_is_not_counted_again() -> None:
    standing = Standing(Stats(3))
    standing.hear(post(), [HAPPY], is_new=False, late=True)
    assert standing.stats == Stats(3)


ADA = Person("person:1", "Ada", ("a@x.example",), company="X", company_domain="x.example", account_key="account:x")


def linked() -> Linked:
    return Linked(
        {"a": ADA}, {"person:1": Home("t1", frozenset({"desk"}))}, {"person:1": Standing(), "account:x": Standing()}
    )


def test_a_signal_counts_for_its_authors_person_and_account() -> None:
    known = linked()
    known.hear(post(author_key="a"), [HAPPY], is_new=True, now=NOW)
    known.hear(post(author_key="stranger"), [HAPPY], is_new=True, now=NOW)
    person, account = known.facts("a") or {}, known.account("a") or {}
    assert (person["signals_30d"], account["signals_30d"], account["name"]) == (1, 1, "X")
    assert (known.facts("stranger"), known.account("stranger")) == (None, None)


def test_a_copys_standings_grow_by_themselves() -> None:
    known = linked()
    known.copy().hear(post(author_key="a"), [HAPPY], is_new=True, now=NOW)
    assert known == linked()


def test_what_is_known_already_stays_when_more_is_learnt() -> None:
    other = Linked({"a": Person("person:1", "Another"), "b": ADA}, {}, {"person:1": Standing(Stats(9))})
    both = linked().and_also(other)
    assert (both.people["a"], both.people["b"], both.standings["person:1"].stats) == (ADA, ADA, Stats())


@pytest.mark.parametrize(("thread", "joined"), [("t2", "t1"), ("t1", None)])
def test_a_person_goes_on_with_a_conversation_elsewhere(thread: str, joined: str | None) -> None:
    home = linked().home("a", thread)
    assert (home.key if home else None) == joined


@pytest.mark.parametrize(
    ("tickets", "values", "found"),
    [
        ({"b": 1, "c": 2}, {}, ("b", 1)),
        ({"b": 1, "c": 2}, {"b": {"state": "closed"}}, ("c", 2)),
        ({"b": 1}, {"b": {"state": "pending"}}, ("b", 1)),
        ({}, {}, None),
    ],
)
def test_the_newest_open_conversation_with_a_ticket_is_found(
    tickets: dict[str, int], values: dict[str, dict[str, str]], found: tuple[str, int] | None
) -> None:
    assert newest_open(["a", "b", "c"], tickets, values) == found


def test_conversations_of_all_authors_are_in_the_order_of_their_last_word() -> None:
    spoken = {"a": [Recent("old", NOW), Recent("both", NOW)], "b": [Recent("both", NOW + timedelta(hours=1))]}
    assert threads_of(["a", "b", "c"], spoken) == ["both", "old"]
    many = {"a": [Recent(str(number), NOW - timedelta(hours=number)) for number in range(50)]}
    assert threads_of(["a"], many) == [str(number) for number in range(MOST_THREADS)]


def test_words_of_all_authors_are_in_the_order_of_their_times() -> None:
    assert last_words(["a", "b"], {"a": [post(3)], "b": [post(1), post(2)]}) == [post(1), post(2), post(3)]


@pytest.mark.parametrize(("counts", "total"), [([1, 2], 3), ([None, 2], 2), ([None], None), ([], None)])
def test_followers_are_summed_over_accounts_that_tell_them(counts: list[int | None], total: int | None) -> None:
    faces = {str(number): author(followers=count) for number, count in enumerate(counts)}
    assert followers_of([*faces, "unknown"], faces) == total


def test_stats_are_summed_and_windows_lie_before_now() -> None:
    assert together([Stats(1, 1, 0.5), Stats(2, 1, -1.0, 1, -1.0)]) == Stats(3, 2, -0.5, 1, -1.0)
    assert (NOW - month_before(NOW), NOW - fortnight_before(NOW)) == (timedelta(days=30), timedelta(days=15))


@pytest.mark.parametrize(
    ("visibility", "private"),
    [("public", False), ("unlisted", False), ("followers", True), ("direct", True), ("internal", True)],
)
def test_what_not_everybody_may_read_is_private(visibility: str, *, private: bool) -> None:
    assert is_private(post(visibility=visibility)) is private
