"""Streams: whatever order a network lists in, nothing is lost and nothing doubled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from itertools import islice
from typing import Any

import pytest

from hub.sdk.streams import ByNumber, ByPosition, ByTime, Stream, StreamHealth, StreamItem, health
from hub.testkit.fakes import FakeClock, context
from tests.hub.sdk.boards import MINUTE, NOW, Board, BoardSource, at, numbers, pulled, stream

# ------------------------------------------------------------------------------------------------------------- orders


def test_each_page_of_an_oldest_first_list_moves_the_cursor() -> None:
    pages = pulled(BoardSource(stream(Board(), ByTime())))
    assert numbers(pages) == list(range(1, 11))
    assert [page.cursor["all"] for page in pages] == [at(3), at(6), at(9), at(10)]


def test_a_newest_first_list_is_turned_round() -> None:
    pages = pulled(BoardSource(stream(Board(newest_first=True), ByTime())))
    assert numbers(pages) == list(range(1, 11))
    assert pages[-1].cursor == {"all": at(10)}


def test_a_newest_first_list_is_read_back_to_the_cursor_only() -> None:
    board = Board(numbers=list(range(1, 100)), newest_first=True)
    assert numbers(pulled(BoardSource(stream(board, ByTime())), {"all": at(96)})) == [96, 97, 98, 99]
    assert len(board.asked) == 2


def test_an_old_item_pinned_to_the_top_does_not_end_reading() -> None:
    board = Board(newest_first=True)
    board.numbers = [*range(5, 11), 1]
    assert numbers(pulled(BoardSource(stream(board, ByTime())), {"all": at(5)})) == list(range(5, 11))


def test_the_overlap_is_read_twice_and_named_the_same() -> None:
    board = Board()
    pages = pulled(BoardSource(stream(board, ByTime(overlap=2 * MINUTE))), {"all": at(8)})
    assert numbers(pages) == [6, 7, 8, 9, 10]
    assert set(board.asked) == {NOW - 94 * MINUTE}


def test_the_first_poll_looks_back_as_far_as_it_may() -> None:
    board = Board(newest_first=True)
    assert numbers(pulled(BoardSource(stream(board, ByTime(backfill=94 * MINUTE))))) == [6, 7, 8, 9, 10]


@pytest.mark.parametrize(("backfill", "expected"), [(3, [7, 8, 9, 10]), (None, list(range(1, 11)))])
def test_of_numbers_the_list_itself_says_where_the_first_poll_ends(backfill: int | None, expected: list[int]) -> None:
    board = Board(newest_first=True, place=int)
    pages = pulled(BoardSource(stream(board, ByNumber(backfill=backfill))))
    assert numbers(pages) == expected
    assert pages[-1].cursor == {"all": 10}


def test_numbers_overlap_by_a_number() -> None:
    board = Board(newest_first=True, place=int)
    assert numbers(pulled(BoardSource(stream(board, ByNumber(overlap=2))), {"all": 9})) == [7, 8, 9, 10]


def test_what_lies_in_the_future_does_not_carry_the_cursor_with_it() -> None:
    pages = pulled(BoardSource(stream(Board(numbers=[1, 500]), ByTime())))
    assert pages[-1].cursor == {"all": NOW.isoformat()}


def test_a_cursor_of_the_future_is_taken_as_now() -> None:
    board = Board(numbers=[99, 100])
    assert numbers(pulled(BoardSource(stream(board, ByTime())), {"all": "2030-01-01T00:00:00+00:00"})) == [100]


@pytest.mark.parametrize("newest_first", [False, True])
def test_an_item_without_a_place_is_given_and_moves_nothing(newest_first: bool) -> None:
    board = Board(numbers=[1, 2, 3], newest_first=newest_first, place=lambda one: None if one == 2 else NOW)
    pages = pulled(BoardSource(Stream("all", lambda *_: board.behind(None, None), ByTime(), newest_first)))
    assert sorted(numbers(pages)) == [1, 2, 3]
    assert pages[-1].cursor == {"all": NOW.isoformat()}


@pytest.mark.parametrize("spoilt", ["soon", 7, None, {"at": []}, {}, [1]])
def test_a_cursor_that_cannot_be_read_begins_again(spoilt: Any) -> None:
    assert numbers(pulled(BoardSource(stream(Board(), ByTime())), {"all": spoilt})) == list(range(1, 11))


def test_a_cursor_keeps_the_marks_of_streams_that_were_taken_out() -> None:
    pages = pulled(BoardSource(stream(Board(), ByTime())), {"gone": "5"})
    assert {page.cursor["gone"] for page in pages} == {"5"}


def test_an_item_is_placed_by_what_stands_in_it() -> None:
    payload = b'{"post": {"id": 7, "at": "2026-01-02T12:00:00Z"}, "v": 2}'
    item = StreamItem.by_time(payload, "post.at", id="post.id", revision="v")
    assert item == StreamItem(payload, NOW, "7", "2")


@pytest.mark.parametrize("payload", [b"", b"null", b"[]", b'{"id": [], "at": "soon"}'])
def test_a_broken_item_has_no_place_and_is_kept(payload: bytes) -> None:
    assert StreamItem.by_time(payload, "at", revision="v") == StreamItem(payload)


# ------------------------------------------------------------------------------------------------------------- sweeps


def test_a_sweep_reads_further_back_once_a_day() -> None:
    clock = FakeClock(NOW)
    ctx, board = context(clock=clock), Board(newest_first=True)
    source = BoardSource(stream(board, ByTime(overlap=MINUTE, sweep=4 * MINUTE)))
    read = []
    for _ in range(3):
        read.append(numbers(pulled(source, {"all": at(10)}, ctx=ctx)))
        clock.advance(12 * 3600)
    assert read == [[6, 7, 8, 9, 10], [9, 10], [6, 7, 8, 9, 10]]


def test_a_sweep_that_was_killed_is_made_again() -> None:
    ctx = context(clock=FakeClock(NOW))
    source = BoardSource(stream(Board(), ByTime(sweep=4 * MINUTE)))
    next(iter(source.pull(ctx, {"all": at(10)})))
    assert numbers(pulled(source, {"all": at(10)}, ctx=ctx)) == [6, 7, 8, 9, 10]


def test_a_sweep_never_shortens_the_overlap() -> None:
    source = BoardSource(stream(Board(), ByTime(overlap=3 * MINUTE, sweep=MINUTE)))
    assert numbers(pulled(source, {"all": at(10)})) == [7, 8, 9, 10]


def test_a_sweep_by_a_clock_that_ran_ahead_is_made_again() -> None:
    clock = FakeClock(NOW + timedelta(days=400))
    ctx, source = context(clock=clock), BoardSource(stream(Board(), ByTime(sweep=MINUTE)))
    pulled(source, {"all": at(10)}, ctx=ctx)
    clock.at = NOW
    assert numbers(pulled(source, {"all": at(10)}, ctx=ctx)) == [9, 10]


@pytest.mark.parametrize("spoilt", ["soon", {"all": 7}, {"all": []}, [1]])
def test_a_memory_of_sweeps_that_cannot_be_read_begins_again(spoilt: Any) -> None:
    ctx = context(clock=FakeClock(NOW))
    ctx.state.set("sweeps", spoilt)
    source = BoardSource(stream(Board(), ByTime(sweep=MINUTE)))
    assert numbers(pulled(source, {"all": at(10)}, ctx=ctx)) == [9, 10]


# ------------------------------------------------------------------------------------------------------------- bounds


def test_more_than_a_newest_first_poll_may_read_is_a_hole_that_is_told_counted_and_left(
    caplog: pytest.LogCaptureFixture,
) -> None:
    board, ctx = Board(newest_first=True), context(clock=FakeClock(NOW))
    source = BoardSource(stream(board, ByTime(), most_pages=2))
    pages = pulled(source, {"all": at(1)}, ctx=ctx)
    assert numbers(pages) == [5, 6, 7, 8, 9, 10]
    assert pages[-1].cursor == {"all": at(10)}
    assert health(ctx.state) == {"all": StreamHealth(holes=1)}
    assert "stream all has more" in caplog.text


def test_more_than_an_oldest_first_poll_may_read_comes_with_the_next() -> None:
    ctx = context(clock=FakeClock(NOW))
    source = BoardSource(stream(Board(), ByTime(), most_pages=2))
    first = pulled(source, ctx=ctx)
    assert numbers([*first, *pulled(source, first[-1].cursor, ctx=ctx)]) == [1, 2, 3, 4, 5, 6, 6, 7, 8, 9, 10]
    assert health(ctx.state) == {}


def test_a_poll_that_lies_within_its_own_overlap_is_told() -> None:
    ctx = context(clock=FakeClock(NOW))
    source = BoardSource(stream(Board(), ByTime(overlap=9 * MINUTE), most_pages=2))
    pulled(source, {"all": at(10)}, ctx=ctx)
    assert health(ctx.state)["all"].holes == 1


def test_a_server_that_ignores_the_page_is_asked_twice() -> None:
    board = Board()
    again = Stream("all", lambda since, _: replace(board.behind(since, None), more=1), ByTime())
    assert numbers(pulled(BoardSource(again))) == [1, 2, 3]
    assert len(board.asked) == 2


# --------------------------------------------------------------------------------------------------- shifting pages


def deleting(board: Board, after: int, number: int) -> Board:
    """A number disappears once so many pages were asked for."""
    board.between = lambda asked: board.numbers.remove(number) if asked == after and number in board.numbers else None
    return board


def shifting(board: Board, **more: Any) -> BoardSource:
    return BoardSource(Stream("all", board.by_number, ByTime(), board.newest_first, shifts=True, **more))


@pytest.mark.parametrize(("newest_first", "gone"), [(False, 1), (True, 10)])
def test_what_a_deletion_between_two_pages_moved_is_found(newest_first: bool, gone: int) -> None:
    board = deleting(Board(newest_first=newest_first), 1, gone)
    found = numbers(pulled(shifting(board)))
    assert sorted(found) == list(range(1, 11))


def test_without_a_second_look_it_would_be_lost() -> None:
    board = deleting(Board(), 1, 1)
    still = BoardSource(Stream("all", board.by_number, ByTime()))
    assert 4 not in numbers(pulled(still))


def test_a_poll_of_one_page_is_not_looked_at_twice() -> None:
    board = Board(numbers=[1, 2])
    pulled(shifting(board))
    assert len(board.asked) == 1


def test_a_second_look_that_a_kill_prevented_is_owed() -> None:
    board = deleting(Board(), 1, 1)
    source = shifting(board)
    killed = list(islice(source.pull(context(clock=FakeClock(NOW)), None), 2))
    rest = pulled(source, killed[-1].cursor)
    assert {*numbers(killed), *numbers(rest)} == set(range(1, 11))
    assert rest[-1].cursor == {"all": at(10)}


# ------------------------------------------------------------------------------------------------- opaque positions


def positions(board: Board, backfill: int = 5) -> BoardSource:
    return BoardSource(Stream("all", board.at_position, ByPosition(backfill)))


def test_without_a_position_the_newest_are_read_and_given_oldest_first() -> None:
    pages = pulled(positions(Board(place=str)))
    assert numbers(pages) == [6, 7, 8, 9, 10]
    assert pages[-1].cursor == {"all": "10"}


def test_behind_a_position_comes_all_that_follows() -> None:
    assert numbers(pulled(positions(Board(place=str)), {"all": "4"})) == [5, 6, 7, 8, 9, 10]


def test_what_comes_into_an_empty_stream_is_wanted_whatever_the_back_fill() -> None:
    empty = pulled(positions(Board(numbers=[]), backfill=0))
    assert [page.cursor for page in empty] == [{"all": ""}]
    assert numbers(pulled(positions(Board(place=str), backfill=0), empty[-1].cursor)) == list(range(1, 11))


# -------------------------------------------------------------------------------------------------------------- kills

KILLED: dict[str, Callable[[Board], Stream]] = {
    "oldest": lambda board: Stream("all", board.behind, ByTime(MINUTE)),
    "newest": lambda board: Stream("all", replace(board, newest_first=True).behind, ByTime(MINUTE), newest_first=True),
    "shifting": lambda board: Stream("all", board.by_number, ByTime(MINUTE), shifts=True),
    "position": lambda board: Stream("all", replace(board, place=str).at_position, ByPosition(1000)),
}


@pytest.mark.parametrize("build", KILLED.values(), ids=KILLED)
def test_a_kill_after_each_page_loses_nothing(build: Callable[[Board], Stream]) -> None:
    source = BoardSource(build(Board(numbers=list(range(1, 351)), page=40)))
    found: set[int] = set()
    cursor: Any = None
    for _ in range(20):
        page = next(iter(source.pull(context(clock=FakeClock(NOW + timedelta(days=1))), cursor)), None)
        found |= set(numbers([page] if page else []))
        cursor = page.cursor if page else cursor
    assert found == set(range(1, 351))


@pytest.mark.parametrize("build", KILLED.values(), ids=KILLED)
def test_a_poll_gives_each_item_once(build: Callable[[Board], Stream]) -> None:
    found = numbers(pulled(BoardSource(build(Board(numbers=list(range(1, 100)), page=7)))))
    assert sorted(found) == list(range(1, 100))
