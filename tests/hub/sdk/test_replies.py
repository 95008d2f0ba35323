"""Answers: how long a text is, and which post an earlier attempt has made."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from hub import Rejected, RemoteRef, Reply, Signal, Uncertain, signal_key
from hub.sdk.replies import Length, OwnPost, find_own, own_since, same_words

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
KEY = signal_key("town", "1")
TO = Signal(
    key=KEY, network="town", native_id="1", kind="post", text="?", author_key=None, published_at=NOON, observed_at=NOON
)
REPLY = Reply("key", "We are on it", TO, attempt=2, first_sent_at=NOON)
LINK = (re.compile(r"https?://\S+"), "x" * 23)


def post(number: int, text: str = "We are on it", *, parent: str = "1", minutes: float = 1) -> OwnPost:
    return OwnPost(RemoteRef(str(number)), parent, text, NOON + timedelta(minutes=minutes))


def found(*pages: Sequence[OwnPost]) -> str | None:
    ref = find_own(pages, REPLY, "We are on it", parents={"1"})
    return ref.id if ref else None


@pytest.mark.parametrize(
    ("length", "text", "expected"),
    [
        (Length(500), "abc", 3),
        (Length(500, rewrite=(LINK,)), "see https://a.example/b", 27),
        (Length(300, bytes_a_unit=10), "a" * 30, 30),
        (Length(300, bytes_a_unit=10), "👨‍👩‍👧" * 10, 18),
    ],
)
def test_a_text_is_counted_as_its_network_counts(length: Length, text: str, expected: int) -> None:
    assert length.of(text) == expected


def test_what_is_too_long_says_by_how_much() -> None:
    Length(3).check("abc", "the town")
    with pytest.raises(Rejected, match="has 4 characters, the town takes 3"):
        Length(3).check("abcd", "the town")


def test_an_instance_may_take_more_than_its_network() -> None:
    Length(3).check("abcd", "the town", most=5)


def test_our_answer_is_found_by_its_words_and_what_it_answers() -> None:
    assert found([post(3, "Other"), post(2), post(1, parent="9")], [post(0, minutes=-5)]) == "2"


def test_words_survive_the_way_through_html() -> None:
    assert same_words("  WE\nare  on it e\u0301") == same_words("we are on it \u00e9")


def test_what_was_posted_before_the_first_attempt_is_another_answer() -> None:
    assert found([post(1, minutes=-5)]) is None


def test_a_clock_that_goes_behind_by_some_seconds_hides_nothing() -> None:
    assert found([post(1, minutes=-0.5)], [post(0, minutes=-5)]) == "1"


def test_of_two_answers_with_the_same_words_none_is_guessed() -> None:
    with pytest.raises(Uncertain, match="2 of our answers"):
        found([post(2), post(1)], [post(0, minutes=-5)])


def test_a_list_that_ends_before_the_first_attempt_is_no_proof() -> None:
    with pytest.raises(Uncertain, match="do not reach back"):
        found([post(number) for number in range(20)])


def test_a_short_list_that_a_server_repeats_is_all_there_is() -> None:
    assert found([post(1)], [post(1)]) == "1"


def test_a_long_list_that_a_server_repeats_is_no_proof() -> None:
    page = [post(number, "Other") for number in range(20)]
    with pytest.raises(Uncertain):
        found(page, page)


def test_not_more_than_ten_pages_are_asked_for() -> None:
    asked: list[int] = []

    def pages() -> Iterator[Sequence[OwnPost]]:
        for number in range(100):
            asked.append(number)
            yield [post(number)]

    with pytest.raises(Uncertain):
        list(own_since(pages(), NOON))
    assert len(asked) == 10


def test_an_empty_account_has_posted_nothing() -> None:
    assert found([]) is None
