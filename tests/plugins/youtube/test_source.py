"""What the source does with YouTube's own manners: quotas, closed videos, long threads, late replies."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from hub import (
    ConnectorError,
    Context,
    Page,
    PartlyRefused,
    RateLimited,
    RawItem,
    Rejected,
    Reply,
    Signal,
    Translated,
    Unauthorised,
)
from hub.sdk.http import open_guard
from hub.testkit.fakes import FakeClock, MemoryState, context
from hub.testkit.sandbox import SandboxOptions, serve
from plugins.youtube.sandbox import CHANNEL, CONSENT, FILM, FOREIGN_FILM, OTHER_FILM, YoutubeSandbox
from plugins.youtube.source import YoutubeSource

ANSWERING = {"client_id": "us", "client_secret": "s3cret", "refresh_token": CONSENT}


@dataclass
class Stage:
    """The source, its look-alike, and the engine's part by hand."""

    place: YoutubeSandbox
    source: YoutubeSource
    ctx: Context
    clock: FakeClock
    cursor: Any = None

    def poll(self) -> list[RawItem]:
        pages: list[Page] = []
        try:
            pages.extend(self.source.pull(self.ctx, self.cursor))
        finally:
            self.cursor = pages[-1].cursor if pages else self.cursor
        return [item for page in pages for item in page.items]

    def heard(self) -> set[str]:
        return {self.signal(raw).text for raw in self.poll()}

    def signal(self, raw: RawItem) -> Signal:
        found = self.source.translate(raw)
        assert isinstance(found, Translated)
        return found.signals[0]

    def units(self) -> int:
        return sum(int(one["units"]) for _, one in self.place.store.all("_spent"))


@contextmanager
def staged(*, extra: dict[str, Any] | None = None, **options: Any) -> Iterator[Stage]:
    clock = FakeClock()
    place = YoutubeSandbox(SandboxOptions(clock=clock, extra={"empty": True, **(extra or {})}))
    with serve(place) as running, open_guard(allow_private=True) as guard:
        where = {"url": running.url, "token_url": f"{running.url}/token", "api_key": "sandbox-token"}
        read = {"channels": [CHANNEL]} if "videos" not in options else {}
        source = YoutubeSource(YoutubeSource.Options.model_validate({**where, **read, **options}))
        yield Stage(place, source, context(guard, clock=clock, state=MemoryState()), clock)


# ------------------------------------------------------------------------------------------------------------- threads


def test_all_replies_of_a_long_thread_are_read() -> None:
    with staged() as stage:
        thread = stage.place.say("ana", "first")
        for number in range(12):
            stage.place.say("ben", f"reply {number}", parent=thread)
        assert stage.heard() == {"first", *(f"reply {number}" for number in range(12))}


def test_a_short_thread_costs_no_call_of_its_own() -> None:
    with staged() as stage:
        thread = stage.place.say("ana", "first")
        for number in range(5):
            stage.place.say("ben", f"reply {number}", parent=thread)
        stage.poll()
        assert stage.units() == 1


def test_a_late_reply_below_an_old_thread_comes_with_the_sweep() -> None:
    with staged(extra={"page": 1}) as stage:
        thread = stage.place.say("ana", "old")
        for text in ("middle", "new"):
            stage.clock.advance(86_400)
            stage.place.say("ben", text)
        stage.poll()
        stage.place.say("cleo", "late", parent=thread)
        assert "late" not in stage.heard()
        stage.clock.advance(86_400)
        assert "late" in stage.heard()


def test_a_like_brings_no_item_again() -> None:
    with staged() as stage:
        liked = stage.place.say("ana", "first")
        before = stage.poll()[0].payload
        stage.place.like(liked)
        assert {raw.payload for raw in stage.poll()} == {before}


def test_a_video_of_another_channel_can_be_read() -> None:
    with staged(videos=[FOREIGN_FILM]) as stage:
        stage.place.say("ana", "elsewhere", video=FOREIGN_FILM)
        stage.place.say("ana", "here")
        assert stage.heard() == {"elsewhere"}


# ----------------------------------------------------------------------------------------------------------- refusals


def test_a_video_without_comments_stops_no_other() -> None:
    with staged(videos=[FILM, OTHER_FILM]) as stage:
        stage.place.say("ana", "open", video=OTHER_FILM)
        stage.place.close(FILM)
        pages: list[Page] = []
        with pytest.raises(PartlyRefused, match="The video has disabled comments"):
            pages.extend(stage.source.pull(stage.ctx, None))
        assert [stage.signal(raw).text for page in pages for raw in page.items] == ["open"]


@pytest.mark.parametrize(
    ("now", "midnight"),
    [
        (datetime(2026, 1, 2, 12, tzinfo=UTC), datetime(2026, 1, 3, 8, tzinfo=UTC)),
        (datetime(2026, 7, 2, 6, tzinfo=UTC), datetime(2026, 7, 2, 7, tzinfo=UTC)),
        (datetime(2026, 11, 1, 12, tzinfo=UTC), datetime(2026, 11, 2, 8, tzinfo=UTC)),  # a day of 25 hours
    ],
)
def test_a_used_up_quota_waits_for_midnight_in_california(now: datetime, midnight: datetime) -> None:
    with staged(extra={"quota": 0}) as stage:
        stage.clock.at = now
        with pytest.raises(RateLimited, match="exceeded your quota") as caught:
            stage.poll()
        assert caught.value.retry_after is not None
        assert now + timedelta(seconds=caught.value.retry_after) == midnight


def test_a_used_up_quota_is_met_once_for_all_videos() -> None:
    with staged(extra={"quota": 0}, videos=[FILM, OTHER_FILM]) as stage:
        with suppress(RateLimited):
            stage.poll()
        assert [call.status for call in stage.place.journal.calls] == [403]


def test_a_refused_key_is_unauthorised_and_not_shown() -> None:
    with staged(api_key="AIza-not-this-one") as stage, pytest.raises(Unauthorised, match="API key not valid") as caught:
        stage.poll()
    assert "AIza" not in str(vars(caught.value))


def test_check_names_what_is_read() -> None:
    with staged() as stage:
        assert stage.source.check(stage.ctx) == "reads Kiesblick Roastery"


def test_check_names_what_is_not_there() -> None:
    with staged(videos=[FILM, "nosuchfilm1"]) as stage, pytest.raises(Rejected, match="these videos: nosuchfilm1"):
        stage.source.check(stage.ctx)


# ------------------------------------------------------------------------------------------------------------ answers


def answer(stage: Stage) -> Reply:
    raw = next(raw for raw in stage.poll() if stage.signal(raw).text == "help")
    return Reply("key", "We are on it.", stage.signal(raw), raw=raw)


def test_an_answer_to_a_reply_goes_into_its_thread() -> None:
    with staged(**ANSWERING) as stage:
        thread = stage.place.say("ana", "first")
        stage.place.say("ben", "help", parent=thread)
        ref = stage.source.reply(stage.ctx, answer(stage))
        assert (stage.place.store.get("comments", ref.id) or {})["parent"] == thread


def test_who_only_reads_is_told_what_an_answer_needs() -> None:
    with staged() as stage:
        stage.place.say("ana", "help")
        with pytest.raises(Rejected, match="refresh_token"):
            stage.source.reply(stage.ctx, answer(stage))


def test_a_consent_that_was_taken_back_is_unauthorised() -> None:
    with staged(**{**ANSWERING, "refresh_token": "taken-back"}) as stage:
        stage.place.say("ana", "help")
        with pytest.raises(Unauthorised, match="expired or revoked"):
            stage.source.reply(stage.ctx, answer(stage))


# ------------------------------------------------------------------------------------------------------------ options


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "at least one of channels or videos"),
        ({"videos": [FILM], "client_id": "us"}, "else none of them"),
        ({"channels": ["@handle"]}, "pattern"),
        ({"videos": ["https://youtu.be/x"]}, "pattern"),
    ],
)
def test_options_that_cannot_work_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        YoutubeSource.Options.model_validate({"api_key": "k", **options})


def test_every_error_is_a_connectors() -> None:
    with staged() as stage:
        for body in ({"error": "x"}, {"error": {"errors": "x"}}, {"error": {"details": [7]}}, "<h1>no</h1>", []):
            stage.place.faults.set([{"status": 403, "body": body}])
            with pytest.raises(ConnectorError):
                stage.poll()
