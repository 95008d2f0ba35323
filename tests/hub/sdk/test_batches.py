"""How batches are taken apart: nothing lost, order kept, and what fails holds up only what it must."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub import ConnectorError, Delivery, Outcome, RateLimited, Rejected, RemoteRef, Retryable, Uncertain
from hub.sdk.batches import bug, chunks, one_by_one, rounds


def delivery(number: int, ticket: str) -> Delivery:
    return Delivery(
        id=number,
        destination="desk",
        object="ticket",
        record_key=str(number),
        operation="comment",
        seq=1,
        key=f"d{number}",
        fields={},
        key_field="",
        parents={"conversation": RemoteRef(ticket)},
    )


BATCH = [delivery(1, "a"), delivery(2, "a"), delivery(3, "b")]


def write(failing: Exception, *, by_line: bool) -> list[type[ConnectorError] | None]:
    """What became of a batch whose first delivery fails so."""

    def say(one: Delivery) -> Outcome:
        if one.id == 1:
            raise failing
        return Outcome.delivered(one)

    line = (lambda one: one.parents["conversation"].id) if by_line else None
    return [type(one.error) if one.error else None for one in one_by_one(BATCH, say, line=line)]


@given(st.lists(st.integers()), st.integers(1, 100))
def test_chunks_lose_nothing_and_keep_the_order(items: list[int], size: int) -> None:
    parts = list(chunks(items, size))
    assert [one for part in parts for one in part] == items
    assert all(0 < len(part) <= size for part in parts)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers())))
def test_no_place_stands_twice_in_a_round_and_each_place_keeps_its_order(items: list[tuple[int, int]]) -> None:
    parts = list(rounds(items, lambda one: one[0]))
    assert all(len({one[0] for one in part}) == len(part) for part in parts)
    for place in range(6):
        assert [one for part in parts for one in part if one[0] == place] == [one for one in items if one[0] == place]


@pytest.mark.parametrize(
    ("failing", "by_line", "became"),
    [
        (Rejected("no"), True, [Rejected, None, None]),
        (Uncertain("who knows"), True, [Uncertain, Retryable, None]),
        (Uncertain("who knows"), False, [Uncertain, None, None]),
        (Retryable("this ticket is full"), True, [Retryable, Retryable, None]),
        (RateLimited("the account is full"), True, [RateLimited] * 3),
        (ValueError("a bug"), True, [Uncertain, Retryable, None]),
        (ValueError("a bug"), False, [Uncertain, None, None]),
    ],
)
def test_what_fails_holds_up_its_line_or_all(
    failing: Exception, by_line: bool, became: list[type[ConnectorError] | None]
) -> None:
    assert write(failing, by_line=by_line) == became


def test_a_bug_is_told_by_its_cause() -> None:
    cause = KeyError("x")
    assert (bug(cause).code, bug(cause).__cause__) == ("bug", cause)
