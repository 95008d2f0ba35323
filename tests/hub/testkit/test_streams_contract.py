"""The contract of polling sources passes a well-made one and catches each kind of careless one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from hub.testkit.contracts.streams import StreamsContract
from tests.hub.testkit import cries
from tests.hub.testkit.careless_cries import CARELESS, EndlessQuota, Overlapping, Thrifty, WithoutLikes
from tests.hub.testkit.trial import assert_caught, caught_by


class TestCriesStreams(StreamsContract):
    """The whole suite over a good source."""

    source = cries.CriesSource
    page = cries.SHOWN

    @classmethod
    def options(cls, url: str) -> Mapping[str, Any]:
        return {"url": url, "token": "sandbox-token"}

    @classmethod
    def readme(cls) -> Path:
        return Path(cries.__file__)

    def add(self, place: cries.CriesSandbox, text: str) -> str:
        return place.cry(f"<p>{text}</p>")

    def add_html(self, place: cries.CriesSandbox, html: str) -> str:
        return place.cry(html)

    def add_at(self, place: cries.CriesSandbox, text: str, at: datetime) -> str:
        return place.cry(f"<p>{text}</p>", at)

    def edit(self, place: cries.CriesSandbox, item: str, text: str) -> None:
        place.edit(item, f"<p>{text}</p>")

    def add_reply(self, place: cries.CriesSandbox, text: str, to: str) -> str:
        return place.answer_to(to, f"<p>{text}</p>")

    def delete(self, place: cries.CriesSandbox, item: str) -> None:
        place.store.remove("cries", item)

    def reset_headers(self, at: datetime) -> Mapping[str, str]:
        return {"X-Cries-Reset": at.isoformat()}


@pytest.mark.long
@pytest.mark.parametrize(("cls", "test"), CARELESS, ids=[f"{cls.__name__} {test}" for cls, test in CARELESS])
def test_a_careless_source_is_caught(cls: type[cries.CriesSource], test: str) -> None:
    assert_caught(type(cls.__name__, (TestCriesStreams,), {"source": cls}), test)


class Liked(TestCriesStreams):
    """A network on which a like changes what it says of a cry."""

    def touch(self, place: cries.CriesSandbox, item: str) -> None:
        place.store.update("cries", item, {"likes": 1})


class UsedUp(TestCriesStreams):
    """A network that gives so much a day."""

    def use_up(self, place: cries.CriesSandbox) -> None:
        place.faults.set([{"status": 403, "body": {"error": "used up"}}])


@pytest.mark.parametrize(
    ("suite", "cls", "test"),
    [
        (Liked, Overlapping, "test_what_is_no_edit_brings_nothing_again"),
        (UsedUp, cries.CriesSource, "test_a_used_up_quota_is_told_with_its_end"),
        (UsedUp, EndlessQuota, "test_a_used_up_quota_is_told_with_its_end"),
    ],
)
def test_what_only_some_networks_do_is_caught(suite: type, cls: type[cries.CriesSource], test: str) -> None:
    assert_caught(type(cls.__name__, (suite,), {"source": cls}), test)


@pytest.mark.parametrize(
    ("suite", "cls", "test"),
    [
        (Liked, WithoutLikes, "test_what_is_no_edit_brings_nothing_again"),
        (UsedUp, Thrifty, "test_a_used_up_quota_is_told_with_its_end"),
        (TestCriesStreams, Overlapping, "test_a_poll_that_is_killed_after_a_long_silence_loses_nothing"),
        (TestCriesStreams, Overlapping, "test_no_item_is_lost_where_any_call_after_a_long_silence_fails"),
        (TestCriesStreams, Overlapping, "test_a_poll_without_news_asks_little"),
    ],
)
def test_who_takes_care_passes(suite: type, cls: type[cries.CriesSource], test: str) -> None:
    assert caught_by(type(cls.__name__, (suite,), {"source": cls}), test) == ""


def test_what_a_suite_leaves_out_comes_back_in_one_that_stands_on_it() -> None:
    name = "test_a_changed_item_comes_again_as_another_version"
    still: Any = type("Still", (TestCriesStreams,), {"edit": StreamsContract.edit})
    again: Any = type("Again", (still,), {"edit": TestCriesStreams.edit})
    assert (getattr(still, name), getattr(again, name)) == (None, getattr(StreamsContract, name))
