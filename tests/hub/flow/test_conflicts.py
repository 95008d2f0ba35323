"""A step that was overtaken begins again, a few times; what another holds is left to it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hub.core.errors import Conflict, HubError, LeaseLost, Overtaken, StoreUnavailable
from hub.flow.conflicts import TRIES, begin_again


def failing(times: int, error: Callable[[], HubError], seen: list[int]) -> Callable[[int], str]:
    """A step that fails so many times, and notes what it is told."""

    def step(overtaken: int) -> str:
        seen.append(overtaken)
        if len(seen) <= times:
            raise error()
        return "done"

    return step


@pytest.mark.parametrize("times", range(TRIES))
def test_a_step_that_was_overtaken_begins_again(times: int) -> None:
    seen: list[int] = []
    assert begin_again(failing(times, Conflict, seen), tired="no") == "done"
    assert seen == list(range(times + 1))


def test_a_step_that_is_overtaken_each_time_is_given_up_with_what_it_says() -> None:
    seen: list[int] = []
    with pytest.raises(Overtaken, match="try again later"):
        begin_again(failing(99, Conflict, seen), tired="try again later")
    assert len(seen) == TRIES


@pytest.mark.parametrize("error", [LeaseLost, StoreUnavailable])
def test_what_cannot_get_better_at_once_is_not_tried_again(error: type[HubError]) -> None:
    seen: list[int] = []
    with pytest.raises(error):
        begin_again(failing(1, error, seen), tired="no")
    assert seen == [0]
