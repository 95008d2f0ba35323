"""What is new, what is a revision, what is a duplicate."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from hub.core.dedupe import Duplicate, KnownSignal, New, Novelty, Revision, compare
from tests.hub.core.given import NOW, signal

EARLIER, LATER = NOW - timedelta(hours=1), NOW + timedelta(hours=1)


def test_a_key_never_seen_is_new() -> None:
    assert compare(signal(), None) == New()


def test_a_tombstone_keeps_a_post_away() -> None:
    assert compare(signal(), None, tombstoned=True) == Duplicate("tombstoned")


def test_the_same_content_is_a_duplicate_whatever_its_times() -> None:
    known = KnownSignal("h", "live", "1", EARLIER)
    assert compare(signal(content_hash="h", updated_at=LATER, revision="2"), known) == Duplicate("same content")


@pytest.mark.parametrize(
    ("new", "known", "verdict"),
    [
        (None, None, Revision(("content",))),
        (LATER, None, Revision(("content",))),
        (LATER, NOW, Revision(("content",))),
        (NOW, NOW, Revision(("content",))),
        (EARLIER, NOW, Duplicate("older revision")),
        (None, NOW, Duplicate("older revision")),
    ],
)
def test_an_older_revision_that_comes_late_is_a_duplicate(
    new: datetime | None, known: datetime | None, verdict: Novelty
) -> None:
    assert compare(signal(content_hash="new", updated_at=new), KnownSignal("old", "live", "", known)) == verdict


@pytest.mark.parametrize(
    ("edited", "came", "verdict"),
    [
        (None, LATER, Duplicate("older copy")),
        (NOW, LATER, Duplicate("older copy")),
        (EARLIER, LATER, Revision(("content",))),
        (None, EARLIER, Revision(("content",))),
        (None, None, Revision(("content",))),
    ],
)
def test_of_copies_with_the_same_edit_time_the_one_that_came_in_first_is_older(
    edited: datetime | None, came: datetime | None, verdict: Novelty
) -> None:
    new = signal(content_hash="new", updated_at=edited and NOW, observed_at=NOW)
    assert compare(new, KnownSignal("old", "live", "", edited, came)) == verdict


def test_a_deletion_needs_no_time() -> None:
    gone = signal(content_hash="new", state="deleted")
    assert compare(gone, KnownSignal("old", "live", "", NOW)) == Revision(("content", "state"))


def test_a_late_crawl_does_not_bring_a_deleted_post_back() -> None:
    assert compare(signal(content_hash="new"), KnownSignal("old", "deleted")) == Duplicate("already deleted")


def test_a_later_edit_brings_a_deleted_post_back() -> None:
    back = signal(content_hash="new", updated_at=LATER)
    assert compare(back, KnownSignal("old", "deleted", "", NOW)) == Revision(("content", "state"))
