"""Sources that do one thing wrong, each a small change of `cries.CriesSource`; beside each the test that must catch it."""

from __future__ import annotations

import os
import random
import socket
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from html import unescape
from typing import Any
from urllib.parse import urlsplit

import msgspec

from hub import (
    ConnectorError,
    Context,
    HttpResponse,
    Page,
    RateLimited,
    RawItem,
    Rejected,
    Retryable,
    Signal,
    Tombstone,
    Translated,
    Unauthorised,
    Unavailable,
)
from hub.core.keys import author_key, signal_key
from hub.sdk.batches import chunks
from hub.sdk.http.errors import error_for
from hub.sdk.text import parse_time
from tests.hub.testkit.cries import MOST, SHOWN, CriesSource, Cry

CARELESS: list[tuple[type[CriesSource], str]] = []


def caught_by(*tests: str) -> Any:
    """Note the test that catches a class."""

    def note(cls: type[CriesSource]) -> type[CriesSource]:
        CARELESS.extend((cls, test) for test in tests)
        return cls

    return note


def now() -> datetime:
    return datetime.fromtimestamp(time.time(), UTC)  # noqa: TID251 - careless on purpose


# ------------------------------------------------------------------------------------------------------- what is lost


@caught_by("test_a_poll_that_is_killed_after_any_page_loses_nothing")
class CursorAhead(CriesSource):
    """Each page's cursor stands behind the last page."""

    def pull(self, ctx: Context, cursor: Any) -> Iterator[Page]:
        pages = list(super().pull(ctx, cursor))
        yield from (Page(page.items, pages[-1].cursor) for page in pages)


@caught_by("test_a_poll_that_is_killed_after_any_page_loses_nothing")
class NewestFirst(CriesSource):
    """Gives the newest page first, with its cursor."""

    def pull(self, ctx: Context, cursor: Any) -> Iterator[Page]:
        yield from reversed(list(super().pull(ctx, cursor)))


@caught_by("test_a_poll_that_is_killed_after_any_page_loses_nothing")
class OwnMemory(CriesSource):
    """Keeps its place in itself, so that what was not committed is gone."""

    place = 0

    def pull(self, ctx: Context, cursor: Any) -> Iterator[Page]:
        for page in super().pull(ctx, max(cursor or 0, self.place)):
            self.place = page.cursor
            yield page


@caught_by("test_a_poll_that_is_killed_after_any_page_loses_nothing")
class StateForCursor(CriesSource):
    """Keeps its place in the connection's memory before the page is committed."""

    def pull(self, ctx: Context, cursor: Any) -> Iterator[Page]:
        for page in super().pull(ctx, ctx.state.get("place") or cursor):
            ctx.state.set("place", page.cursor)
            yield page


@caught_by("test_a_poll_that_is_killed_after_any_page_loses_nothing")
class SeenInItself(CriesSource):
    """Gives no id twice in its life."""

    def __init__(self, options: Any) -> None:
        super().__init__(options)
        self.seen: set[str] = set()

    def pull(self, ctx: Context, cursor: Any) -> Iterator[Page]:
        for page in super().pull(ctx, cursor):
            fresh = tuple(item for item in page.items if item.external_id + item.revision not in self.seen)
            self.seen |= {item.external_id + item.revision for item in fresh}
            yield Page(fresh, page.cursor)


@caught_by("test_all_that_is_said_arrives_once", "test_more_than_a_page_between_two_polls_arrives_whole")
class OnePage(CriesSource):
    """Reads the newest page only."""

    def _newer(self, ctx: Context, position: int) -> list[tuple[Cry, bytes]]:
        return [one for one in self.page(ctx, "") if one[0].seq > position]


@caught_by("test_more_than_a_page_between_two_polls_arrives_whole")
class TwoPages(CriesSource):
    """Reads back two pages once it has a cursor, and forgets the rest in silence."""

    def _newer(self, ctx: Context, position: int) -> list[tuple[Cry, bytes]]:
        found = super()._newer(ctx, position)
        return found[: 2 * SHOWN] if position else found


@caught_by("test_all_that_is_said_arrives_once")
class DropsTheLast(CriesSource):
    """The last page is not given."""

    def pull(self, ctx: Context, cursor: Any) -> Iterator[Page]:
        pages = list(super().pull(ctx, cursor))
        yield from pages[: max(1, len(pages) - 1)]


@caught_by("test_items_of_one_moment_all_arrive")
class ByTime(CriesSource):
    """Its cursor is a time, and what bears the same time is old."""

    def pull(self, ctx: Context, cursor: Any) -> Iterator[Page]:
        since = parse_time(cursor) if isinstance(cursor, str) else None
        found = [one for one in self._newer(ctx, 0) if since is None or parse_time(one[0].at) > since]  # type: ignore[operator]
        for batch in chunks(found[::-1], SHOWN):
            yield Page(tuple(self.raw(ctx, *one) for one in batch), batch[-1][0].at)


@caught_by("test_an_item_that_bears_an_older_time_arrives", "test_an_item_of_the_future_hides_none_after_it")
class ByClaimedTime(ByTime):
    """The same, and what bears an older time never arrives."""


@caught_by("test_a_poll_without_news_leaves_the_cursor_alone", "test_a_clock_that_ran_ahead_costs_nothing")
class CursorIsNow(CriesSource):
    """Its cursor is the moment of the poll."""

    def pull(self, ctx: Context, cursor: Any) -> Iterator[Page]:
        since = parse_time(cursor) if isinstance(cursor, str) else None
        found = [one for one in self._newer(ctx, 0) if since is None or parse_time(one[0].at) >= since]  # type: ignore[operator]
        yield Page(tuple(self.raw(ctx, *one) for one in found[::-1]), ctx.now().isoformat())


@caught_by("test_a_clock_that_ran_ahead_costs_nothing")
class SleepsToTheCursor(CriesSource):
    """Waits until its next visit is due."""

    def pull(self, ctx: Context, cursor: Any) -> Iterator[Page]:
        due, place = cursor if isinstance(cursor, list) else ("", None)
        if due and (at := parse_time(due)) and at > ctx.now():
            time.sleep((at - ctx.now()).total_seconds())
        for page in super().pull(ctx, place):
            place = page.cursor
            yield Page(page.items, [ctx.now().isoformat(), place])
        yield Page((), [ctx.now().isoformat(), place])


@caught_by("test_a_clock_that_ran_ahead_costs_nothing")
class SkipsUntilDue(CriesSource):
    """Does nothing until its next visit is due, though the clock was wrong."""

    def pull(self, ctx: Context, cursor: Any) -> Iterator[Page]:
        due, place = cursor if isinstance(cursor, list) else ("", None)
        if due > ctx.now().isoformat():
            return
        for page in super().pull(ctx, place):
            place = page.cursor
            yield Page(page.items, [ctx.now().isoformat(), place])
        yield Page((), [ctx.now().isoformat(), place])


@caught_by("test_a_poll_without_news_leaves_the_cursor_alone")
class ForgetsItsPlace(CriesSource):
    """Without news the cursor is empty again, as if nothing had ever been read."""

    def pull(self, ctx: Context, cursor: Any) -> Iterator[Page]:
        yield from (pages := list(super().pull(ctx, cursor)))
        if not pages:
            yield Page((), None)


@caught_by("test_a_cursor_stays_small")
class CursorOfAllIds(CriesSource):
    """Its cursor lists all that it ever saw."""

    def pull(self, ctx: Context, cursor: Any) -> Iterator[Page]:
        seen = list(cursor or [])
        for page in super().pull(ctx, 0):
            fresh = tuple(item for item in page.items if item.external_id + item.revision not in seen)
            seen += [item.external_id + item.revision for item in fresh]
            if fresh:
                yield Page(fresh, list(seen))


@caught_by("test_all_that_is_said_arrives_once")
class CursorIsNoJson(CriesSource):
    """Its cursor is a datetime."""

    def pull(self, ctx: Context, cursor: Any) -> Iterator[Page]:
        yield from (Page(page.items, ctx.now()) for page in super().pull(ctx, None))


@caught_by("test_a_server_that_ignores_the_position_is_not_asked_for_ever")
class Endless(CriesSource):
    """Asks until a page is empty."""

    def _newer(self, ctx: Context, position: int) -> list[tuple[Cry, bytes]]:
        found: list[tuple[Cry, bytes]] = []
        before = ""
        while page := self.page(ctx, before):
            found += [one for one in page if one[0].seq > position]
            before = str(page[-1][0].seq)
        return found


@caught_by("test_what_is_said_during_a_poll_arrives")
class LooksAgainForItsCursor(CriesSource):
    """Asks for the newest once more at the end, and puts the cursor there."""

    def pull(self, ctx: Context, cursor: Any) -> Iterator[Page]:
        *early, last = [*super().pull(ctx, cursor), Page((), cursor)]
        yield from early
        newest = self.page(ctx, "")
        yield Page(last.items, newest[0][0].seq if newest else cursor)


# ------------------------------------------------------------------------------------------------- what fails unheard


def swallowing(name: str, **codes: Any) -> type[CriesSource]:
    """A source that takes these errors for an empty page."""

    def page(self: CriesSource, ctx: Context, before: str) -> list[tuple[Cry, bytes]]:
        try:
            return CriesSource.page(self, ctx, before)
        except codes["of"] as error:
            if "code" in codes and error.code != codes["code"]:
                raise
            return []

    return type(name, (CriesSource,), {"page": page})


CARELESS += [
    (swallowing("DeafToAll", of=ConnectorError), "test_an_outage_is_told_as_one"),
    (swallowing("DeafTo401", of=Unauthorised), "test_refused_credentials_are_unauthorised"),
    (swallowing("DeafTo403", of=Rejected), "test_a_forbidden_call_is_told"),
    (swallowing("DeafTo429", of=RateLimited), "test_retry_after_is_kept"),
    (swallowing("DeafToTimeouts", of=Unavailable, code="timeout"), "test_an_outage_is_told_as_one"),
    (swallowing("DeafToOddAnswers", of=Unavailable, code=""), "test_an_answer_that_says_nothing_is_a_failed_poll"),
    (swallowing("DeafInTheMiddle", of=Unavailable), "test_no_item_is_lost_where_any_call_of_a_poll_fails"),
]


@caught_by("test_no_item_is_lost_where_any_call_of_a_poll_fails")
class DeafAfterTheFirst(CriesSource):
    """Ends in silence where a later page fails."""

    def page(self, ctx: Context, before: str) -> list[tuple[Cry, bytes]]:
        with suppress(Retryable):
            return super().page(ctx, before)
        if not before:
            raise Unavailable("down")
        return []


@caught_by("test_an_answer_that_says_nothing_is_a_failed_poll")
class Lenient(CriesSource):
    """Takes what has no list for an empty one."""

    def page(self, ctx: Context, before: str) -> list[tuple[Cry, bytes]]:
        answer = self._ask(ctx, f"/cries?before={before}").json()
        cries = answer.get("cries", []) if isinstance(answer, dict) else []
        return [(msgspec.convert(cry, Cry), msgspec.json.encode(cry)) for cry in cries]


@caught_by("test_an_answer_that_says_nothing_is_a_failed_poll")
class Confident(CriesSource):
    """Has a bug where the answer is no JSON."""

    def page(self, ctx: Context, before: str) -> list[tuple[Cry, bytes]]:
        cries = self._ask(ctx, f"/cries?before={before}").json()["cries"]
        return [(msgspec.convert(cry, Cry), msgspec.json.encode(cry)) for cry in cries]


def misnaming(name: str, made: type[ConnectorError], *of: type[ConnectorError]) -> type[CriesSource]:
    """A source that calls these errors by another name."""

    def ask(self: CriesSource, ctx: Context, path: str) -> HttpResponse:
        try:
            return CriesSource._ask(self, ctx, path)
        except of as error:
            raise made(str(error)) from error

    return type(name, (CriesSource,), {"_ask": ask})


CARELESS += [
    (misnaming("CallsA401AnOutage", Unavailable, Unauthorised), "test_refused_credentials_are_unauthorised"),
    (misnaming("CallsA403AnOutage", Unavailable, Rejected), "test_a_forbidden_call_is_told"),
    (misnaming("CallsAnOutageARefusal", Rejected, Unavailable), "test_an_outage_is_told_as_one"),
    (misnaming("CallsAnOutageUnauthorised", Unauthorised, Unavailable), "test_an_outage_is_told_as_one"),
    (misnaming("CallsA429AnOutage", Unavailable, RateLimited), "test_the_networks_own_429_is_kept"),
    (misnaming("ForgetsHowLong", RateLimited, RateLimited), "test_retry_after_is_kept"),
]


@caught_by("test_retry_after_is_kept")
class SecondsOnly(CriesSource):
    """Reads Retry-After as a number of seconds."""

    def _ask(self, ctx: Context, path: str) -> HttpResponse:
        try:
            return super()._ask(ctx, path)
        except RateLimited as error:
            error.retry_after = error.retry_after if error.retry_after == int(error.retry_after or 0) else None
            if error.retry_after is not None:
                answer = ctx.http.send("GET", self.options.url + path)
                text = answer.headers.get("retry-after", "")
                error.retry_after = float(text) if text.isdigit() else 60.0
            raise


@caught_by("test_the_networks_own_reset_is_kept", "test_the_networks_own_429_is_kept")
class ResetIsSeconds(CriesSource):
    """Does not know the network's own header."""

    def _ask(self, ctx: Context, path: str) -> HttpResponse:
        try:
            return super()._ask(ctx, path)
        except RateLimited as error:
            raise RateLimited(str(error), retry_after=60) from error


@caught_by("test_retry_after_is_kept", "test_the_networks_own_429_is_kept")
class SleepsThroughIt(CriesSource):
    """Waits inside the call."""

    def _ask(self, ctx: Context, path: str) -> HttpResponse:
        try:
            return super()._ask(ctx, path)
        except RateLimited as error:
            time.sleep(error.retry_after or 60)
            raise


@caught_by("test_an_outage_is_told_as_one")
class AsksAgainAndAgain(CriesSource):
    """Tries twenty times by itself."""

    def _ask(self, ctx: Context, path: str) -> HttpResponse:
        for _ in range(20):
            with suppress(Unavailable):
                return super()._ask(ctx, path)
        return super()._ask(ctx, path)


# ------------------------------------------------------------------------------------------------ ids, keys and items


def raws(name: str, **change: Any) -> type[CriesSource]:
    """A source whose raw items are changed by functions of (context, cry)."""

    def raw(self: CriesSource, ctx: Context, cry: Cry, payload: bytes) -> RawItem:
        made = CriesSource.raw(self, ctx, cry, payload)
        return msgspec.structs.replace(made, **{field: make(self, ctx, made) for field, make in change.items()})

    return type(name, (CriesSource,), {"raw": raw})


def _stamped(self: CriesSource, ctx: Context, made: RawItem) -> bytes:
    return msgspec.json.encode(msgspec.json.decode(made.payload) | {"fetched": ctx.now().isoformat()})


def _with_token(self: CriesSource, ctx: Context, made: RawItem) -> bytes:
    token = self.options.token.get_secret_value()
    return msgspec.json.encode(msgspec.json.decode(made.payload) | {"from": f"{self.options.url}?token={token}"})


OWN_ID, ANEW = "test_every_item_has_an_id_and_a_key_of_its_own", "test_a_source_that_begins_anew_gives_the_same_items"
RAW, SECRET = "test_raw_items_say_where_they_come_from", "test_no_secret_is_told_anywhere"
CARELESS += [
    (raws("SmallIds", external_id=lambda self, ctx, made: made.external_id.lower()), OWN_ID),
    (raws("OneId", external_id=lambda *_: "cry"), OWN_ID),
    (raws("NoId", external_id=lambda *_: ""), RAW),
    (raws("RandomIds", external_id=lambda *_: uuid.uuid4().hex), ANEW),
    (raws("IdsOfTheMoment", external_id=lambda self, ctx, made: f"{made.external_id}@{ctx.now()}"), ANEW),
    (raws("StampedPayloads", payload=_stamped), ANEW),
    (raws("NamedAfterThePlugin", source=lambda *_: "cries"), RAW),
    (raws("NamedAfterTheConnection", plugin=lambda self, ctx, made: ctx.connection), RAW),
    (raws("ItsOwnClock", received_at=lambda *_: now()), RAW),
    (raws("NaiveReceipt", received_at=lambda self, ctx, made: ctx.now().replace(tzinfo=None)), RAW),
    (raws("TokenInThePayload", payload=_with_token), SECRET),
    (
        raws(
            "TokenInTheId",
            external_id=lambda self, ctx, made: f"{self.options.token.get_secret_value()}/{made.external_id}",
        ),
        SECRET,
    ),
]


def signals(name: str, **change: Any) -> type[CriesSource]:
    """A source whose signals are changed by functions of (raw, signal)."""

    def translate(self: CriesSource, raw: RawItem) -> Translated:
        found = CriesSource.translate(self, raw)
        fields = {field: make(raw, found.signals[0]) for field, make in change.items()}
        return Translated((msgspec.structs.replace(found.signals[0], **fields),), found.authors)

    return type(name, (CriesSource,), {"translate": translate})


TIMES, PURE = "test_times_are_those_of_the_network", "test_translating_what_came_asks_nothing_of_the_world"
CARELESS += [
    (signals("SmallKeys", key=lambda raw, said: signal_key("cries", said.native_id.lower())), OWN_ID),
    (
        signals("KeysByRevision", key=lambda raw, said: signal_key("cries", said.native_id + said.revision)),
        "test_a_changed_item_comes_again_as_another_version",
    ),
    (signals("SaidWhenRead", published_at=lambda raw, said: raw.received_at), TIMES),
    (signals("ZoneForgotten", published_at=lambda raw, said: said.published_at + timedelta(hours=2)), TIMES),
    (signals("DayOnly", published_at=lambda raw, said: said.published_at.replace(hour=0)), TIMES),
    (signals("SeenNow", observed_at=lambda raw, said: said.published_at), TIMES),
    (signals("ReadsTheClock", observed_at=lambda raw, said: raw.received_at if now() else None), PURE),
    (signals("ThrowsDice", lang=lambda *_: "en" if random.random() >= 0 else None), PURE),
    (signals("ReadsAFile", lang=lambda *_: open(os.devnull).close()), PURE),  # noqa: PTH123 - careless
    (signals("LocalTime", published_at=lambda raw, said: said.published_at.replace(tzinfo=None).astimezone()), PURE),
    (signals("RawHtml", text=lambda raw, said: said.html), "test_html_in_a_body_becomes_plain_text"),
    (
        signals("Entities", text=lambda raw, said: said.text.replace("&", "&amp;")),
        "test_html_in_a_body_becomes_plain_text",
    ),
]


@caught_by(PURE)
class Remembers(CriesSource):
    """What it says of an item depends on the one before."""

    last = ""

    def translate(self, raw: RawItem) -> Translated:
        found = super().translate(raw)
        before, self.last = self.last, found.signals[0].key
        return Translated((msgspec.structs.replace(found.signals[0], in_reply_to=before or None),), found.authors)


@caught_by("test_a_changed_item_comes_again_as_another_version")
class OnceAndForAll(CriesSource):
    """Takes the first version of an item for the last."""

    def _newer(self, ctx: Context, position: int) -> list[tuple[Cry, bytes]]:
        return [one for one in super()._newer(ctx, position) if one[0].version == 1]


@caught_by("test_all_that_is_said_arrives_once")
class FreshPayloads(CriesSource):
    """Gives all again with each poll, stamped with its moment."""

    def pull(self, ctx: Context, cursor: Any) -> Iterator[Page]:
        for page in super().pull(ctx, None):
            stamped = [msgspec.structs.replace(one, payload=_stamped(self, ctx, one)) for one in page.items]
            yield Page(tuple(stamped), 1)


# ------------------------------------------------------------------------------------------------- hosts, check, secrets


@caught_by("test_only_declared_hosts_are_asked_and_only_through_the_guard")
class Everywhere(CriesSource):
    """Declares the whole world."""

    def egress(self) -> tuple[str, ...]:
        return ("127.0.0.1", "*")


@caught_by("test_only_declared_hosts_are_asked_and_only_through_the_guard")
class AsksAnother(CriesSource):
    """Tells another host of its polls, and does not mind where that fails."""

    def pull(self, ctx: Context, cursor: Any) -> Iterator[Page]:
        with suppress(ConnectorError):
            ctx.http.send("GET", "https://stats.example/polled")
        yield from super().pull(ctx, cursor)


@caught_by("test_only_declared_hosts_are_asked_and_only_through_the_guard")
class OwnSocket(CriesSource):
    """Passes the guard by."""

    def pull(self, ctx: Context, cursor: Any) -> Iterator[Page]:
        parts = urlsplit(self.options.url)
        socket.create_connection((parts.hostname, parts.port)).close()  # type: ignore[arg-type]  # it has both
        yield from super().pull(ctx, cursor)


@caught_by("test_check_tells_refused_credentials")
class AlwaysFine(CriesSource):
    """Checks nothing."""

    def check(self, ctx: Context) -> str:
        return "fine"


@caught_by("test_check_tells_refused_credentials")
class SaysItIsWrong(CriesSource):
    """Tells refused credentials as if they were an account's name."""

    def check(self, ctx: Context) -> str:
        try:
            return super().check(ctx)
        except ConnectorError as error:
            return f"error: {error}"


@caught_by("test_check_tells_an_outage")
class CheckHasABug(CriesSource):
    """Takes any answer for an account."""

    def check(self, ctx: Context) -> str:
        return str(self._ask(ctx, "/me").json()["name"])


@caught_by("test_check_says_who_we_are")
class TellsItsToken(CriesSource):
    """Says with what it signs in."""

    def check(self, ctx: Context) -> str:
        return f"{super().check(ctx)} with {self.options.token.get_secret_value()}"


@caught_by(SECRET)
class LogsItsToken(CriesSource):
    """Logs its headers."""

    def _ask(self, ctx: Context, path: str) -> HttpResponse:
        ctx.log.debug("asking with %s", {"authorization": self.options.token.get_secret_value()})
        return super()._ask(ctx, path)


@caught_by(SECRET)
class PrintsItsToken(CriesSource):
    """Prints it."""

    def _ask(self, ctx: Context, path: str) -> HttpResponse:
        print(self.options.token.get_secret_value())
        return super()._ask(ctx, path)


@caught_by(SECRET)
class ErrsWithItsToken(CriesSource):
    """Tells its token in an error's details."""

    def _ask(self, ctx: Context, path: str) -> HttpResponse:
        try:
            return super()._ask(ctx, path)
        except ConnectorError as error:
            error.details = {"headers": [f"Bearer {self.options.token.get_secret_value()}"]}
            raise


# ------------------------------------------------------------------------------------------------------------ recheck

OUTAGE = "test_a_recheck_during_an_outage_finds_nothing_gone"


def gone_on(name: str, of: Any) -> type[CriesSource]:
    """A source that takes these errors for a post that is gone."""

    def is_gone(self: CriesSource, ctx: Context, id_: str) -> bool:
        try:
            return CriesSource.is_gone(self, ctx, id_)
        except of:
            return True

    return type(name, (CriesSource,), {"is_gone": is_gone})


CARELESS += [
    (gone_on("GoneWithAnOutage", Unavailable), OUTAGE),
    (gone_on("GoneWithARefusal", Rejected), OUTAGE),
    (gone_on("GoneWithATimeout", Retryable), OUTAGE),
    (gone_on("GoneWithUnauthorised", Unauthorised), OUTAGE),
]


@caught_by(OUTAGE)
class GoneWithoutAnId(CriesSource):
    """Takes an answer that is not the post for a post that is gone."""

    def is_gone(self, ctx: Context, id_: str) -> bool:
        gone = super().is_gone(ctx, id_)
        found = None if gone else self._ask(ctx, f"/cries/{id_}").json()
        return not isinstance(found, dict) or found.get("id") != id_


@caught_by("test_a_recheck_finds_what_is_gone_and_nothing_else")
class NeverGone(CriesSource):
    """Finds nothing."""

    def is_gone(self, ctx: Context, id_: str) -> bool:
        return False


@caught_by("test_a_recheck_finds_what_is_gone_and_nothing_else")
class OneTakesAll(CriesSource):
    """Where one is gone, all are."""

    def recheck(self, ctx: Context, signals: Sequence[Signal]) -> Sequence[Tombstone]:
        found = super().recheck(ctx, signals)
        return [Tombstone(one.key, "user_deleted", ctx.now()) for one in signals] if found else []


@caught_by("test_a_recheck_finds_what_is_gone_and_nothing_else")
class GoneUnderAnotherKey(CriesSource):
    """Its tombstones bear the author's key."""

    def recheck(self, ctx: Context, signals: Sequence[Signal]) -> Sequence[Tombstone]:
        return [Tombstone(author_key("cries", one.key), one.reason, one.at) for one in super().recheck(ctx, signals)]


# --------------------------------------------------------------------------------------------- what an overlap hides


class Overlapping(CriesSource):
    """Stands by the time of the newest cry, and reads the last six hours before it again: takes care."""

    def pull(self, ctx: Context, cursor: Any) -> Iterator[Page]:
        since = (parse_time(cursor) or datetime(2000, 1, 1, tzinfo=UTC)) - timedelta(hours=6)
        found = sorted(self.since(ctx, since), key=lambda one: one[0].at)
        for batch in chunks(found, SHOWN):
            yield Page(tuple(self.raw(ctx, cry, payload) for cry, payload in batch), batch[-1][0].at)

    def since(self, ctx: Context, since: datetime) -> list[tuple[Cry, bytes]]:
        found: list[tuple[Cry, bytes]] = []
        before = ""
        while page := self.page(ctx, before):
            found += [one for one in page if self.at(one) >= since]
            if self.at(page[-1]) < since:
                break
            before = str(page[-1][0].seq)
        return found

    def at(self, one: tuple[Cry, bytes]) -> datetime:
        found = parse_time(one[0].at)
        assert found is not None
        return found


@caught_by("test_a_poll_that_is_killed_after_a_long_silence_loses_nothing")
class OverlapHidesItsCursor(Overlapping):
    """Each page's cursor stands behind the last page; what lies close together is read twice anyway."""

    def pull(self, ctx: Context, cursor: Any) -> Iterator[Page]:
        pages = list(super().pull(ctx, cursor))
        yield from (Page(page.items, pages[-1].cursor) for page in pages)


@caught_by("test_no_item_is_lost_where_any_call_after_a_long_silence_fails")
class OverlapHidesItsDeafness(Overlapping):
    """Takes a failure of a later page for the end of the list."""

    def page(self, ctx: Context, before: str) -> list[tuple[Cry, bytes]]:
        try:
            return super().page(ctx, before)
        except ConnectorError:
            if not before:
                raise
            return []


@caught_by("test_a_poll_without_news_asks_little")
class ReadsItAllEachTime(Overlapping):
    """Leaves out what is old, and asks for it all the same."""

    def since(self, ctx: Context, since: datetime) -> list[tuple[Cry, bytes]]:
        everything = super().since(ctx, datetime(2000, 1, 1, tzinfo=UTC))
        return [one for one in everything if self.at(one) >= since]


# ------------------------------------------------------------------------------------------------- answers and edits

ANSWERS = "test_answers_arrive_as_answers"


def leaving_out(name: str, test: str, is_left: Callable[[Cry, Sequence[Cry]], bool]) -> type[CriesSource]:
    """Return a source that leaves out some of what it reads, by what else came with it."""

    def _newer(self: CriesSource, ctx: Context, position: int) -> list[tuple[Cry, bytes]]:
        found = CriesSource._newer(self, ctx, position)
        every = CriesSource._newer(self, ctx, 0)
        return [one for one in found if not is_left(one[0], [cry for cry, _ in every])]

    cls = type(name, (CriesSource,), {"_newer": _newer})
    CARELESS.append((cls, test))
    return cls


def _sixth(cry: Cry, others: Sequence[Cry]) -> bool:
    return cry.parent is not None and sum(one.parent == cry.parent and one.seq < cry.seq for one in others) >= 5


def _late(cry: Cry, others: Sequence[Cry]) -> bool:
    parents = [one for one in others if one.id == cry.parent]
    return any(_gap(parent, cry) > timedelta(hours=12) for parent in parents)


def _gap(one: Cry, other: Cry) -> timedelta:
    times = [parse_time(cry.at) for cry in (one, other)]
    return (times[1] or now()) - (times[0] or now())


def _not_the_newest(cry: Cry, others: Sequence[Cry]) -> bool:
    return cry.version > 1 and any(other.at > cry.at for other in others)


leaving_out("FiveAnswers", ANSWERS, _sixth)
leaving_out("NoAnswers", ANSWERS, lambda cry, _: cry.parent is not None)
leaving_out("NeverLooksBack", "test_a_late_answer_to_an_old_item_arrives_within_a_day", _late)
leaving_out("EditsOfTheNewest", "test_a_changed_item_comes_again_as_another_version", _not_the_newest)
CARELESS += [
    (signals("Orphans", in_reply_to=lambda *_: None), ANSWERS),
    (signals("KeyOfTheThread", key=lambda raw, said: said.in_reply_to or said.key), ANSWERS),
]


# ---------------------------------------------------------------------------------------------- what some networks do


class WithoutLikes(Overlapping):
    """Leaves likes out of what it keeps: takes care."""

    def raw(self, ctx: Context, cry: Cry, payload: bytes) -> RawItem:
        return super().raw(ctx, cry, msgspec.json.encode(cry))


class Thrifty(CriesSource):
    """Knows the words for a used-up quota: takes care."""

    wait: float | None = 3600.0

    def page(self, ctx: Context, before: str) -> list[tuple[Cry, bytes]]:
        try:
            return super().page(ctx, before)
        except Rejected as error:
            if "used up" in error.details["body"]:
                raise RateLimited("used up", retry_after=self.wait) from error
            raise


class EndlessQuota(Thrifty):
    """Does not say when it is filled again."""

    wait = None


@caught_by("test_no_secret_is_told_anywhere")
class ErrsWithItsTokenInCheck(CriesSource):
    """Names its token where the check fails."""

    def check(self, ctx: Context) -> str:
        try:
            return super().check(ctx)
        except Rejected as error:
            raise Rejected(f"{error} with {self.options.token.get_secret_value()}") from None


# --------------------------------------------------------------------------------- items, edits, zones, lists, credentials

SCRIPTS, LONG = "test_the_words_of_every_script_arrive", "test_a_long_text_arrives_whole"
BESIDE, TWICE = "test_an_edit_beside_news_hides_none_of_it", "test_the_same_words_twice_are_two_items"
EDITED, ZONE = "test_an_edit_changes_words_only", "test_the_zone_of_this_machine_changes_nothing"
NAMED, BROKEN = "test_a_broken_item_has_the_same_name_each_time", "test_a_broken_item_costs_no_other"
LITTLE, LISTED = "test_a_poll_without_news_asks_little", "test_a_list_that_is_not_there_is_told"
QUOTED = "test_html_that_is_quoted_stays_words"


def _digest(said: str) -> str:
    return sha256(said.encode()).hexdigest()


def _edited_at(raw: RawItem, said: Signal) -> datetime:
    return said.published_at if said.revision == "1" else raw.received_at


CARELESS += [
    (signals("Latin", text=lambda raw, said: said.text.encode().decode("latin-1")), SCRIPTS),
    (signals("AsciiOnly", text=lambda raw, said: said.text.encode("ascii", "ignore").decode()), SCRIPTS),
    (signals("SmallLetters", text=lambda raw, said: said.text.lower()), SCRIPTS),
    (signals("CutAt255", text=lambda raw, said: said.text[:255]), LONG),
    (signals("KeysByWords", key=lambda raw, said: signal_key("cries", _digest(said.text))), TWICE),
    (
        raws(
            "IdsByWords", external_id=lambda self, ctx, made: _digest(CriesSource.translate(self, made).signals[0].text)
        ),
        TWICE,
    ),
    (signals("SaidWhenEdited", published_at=_edited_at), EDITED),
    (signals("AlwaysEdited", state=lambda *_: "edited"), EDITED),
    (signals("AnotherNetwork", network=lambda *_: "cry"), "test_signals_are_of_the_network_that_the_source_names"),
    (
        signals("KeysByConnection", key=lambda raw, said: signal_key("cries", f"{raw.source} {said.native_id}")),
        "test_two_connections_know_an_item_by_one_key",
    ),
    (signals("ReadsEntitiesTwice", text=lambda raw, said: unescape(said.text)), QUOTED),
]


class ByChange(CriesSource):
    """Stands by the time of a change, as `zone` writes it."""

    def pull(self, ctx: Context, cursor: Any) -> Iterator[Page]:
        since = self.load(cursor) if isinstance(cursor, str) and cursor[:2] == "20" else None
        found = [(datetime.fromisoformat(one[0].at), one) for one in self._newer(ctx, 0)[::-1]]
        fresh = [(at, one) for at, one in found if since is None or at >= since]
        if fresh:
            yield Page(tuple(self.raw(ctx, *one) for _, one in fresh), self.dump(max(at for at, _ in fresh)))

    def load(self, mark: str) -> datetime:
        return datetime.fromisoformat(mark)

    def dump(self, at: datetime) -> str:
        return at.isoformat()


@caught_by(ZONE)
class WritesLocalTime(ByChange):
    """Its cursor is this machine's time, without a zone."""

    def load(self, mark: str) -> datetime:
        return datetime.fromisoformat(mark).replace(tzinfo=UTC)

    def dump(self, at: datetime) -> str:
        return at.astimezone().replace(tzinfo=None).isoformat()


@caught_by(ZONE)
class ReadsLocalTime(ByChange):
    """Its cursor has no zone, and is read as this machine's time."""

    def load(self, mark: str) -> datetime:
        return datetime.fromisoformat(mark).astimezone()

    def dump(self, at: datetime) -> str:
        return at.replace(tzinfo=None).isoformat()


@caught_by(LITTLE)
class ReadsAllAgain(CriesSource):
    """Never uses its cursor."""

    def _newer(self, ctx: Context, position: int) -> list[tuple[Cry, bytes]]:
        return super()._newer(ctx, 0)


@caught_by(BESIDE)
class StopsAtAFamiliarFace(CriesSource):
    """Reads back to the first cry that it knows by its id, though an edit lifts old ones to the top."""

    def pull(self, ctx: Context, cursor: Any) -> Iterator[Page]:
        known, found = list(cursor or []), []
        for cry, payload in self._newer(ctx, 0):
            if cry.id in known and cry.version == 1:
                break
            found.append((cry, payload))
            if cry.id in known:
                break
        for batch in chunks(found[::-1], SHOWN):
            known = [*known, *(cry.id for cry, _ in batch)][-2 * SHOWN :]
            yield Page(tuple(self.raw(ctx, *one) for one in batch), known)


class Patient(CriesSource):
    """Keeps what is no cry as it is."""

    def page(self, ctx: Context, before: str) -> list[tuple[Cry, bytes]]:
        answer = self._ask(ctx, f"/cries?before={before}").json()
        if not isinstance(answer, dict) or not isinstance(answer.get("cries"), list):
            raise Unavailable("no list of cries")
        return self.read(answer["cries"], int(before or 10**9))

    def read(self, found: list[Any], before: int) -> list[tuple[Cry, bytes]]:
        read = []
        for one in found:
            whole = isinstance(one, dict) and "id" in one
            cry = msgspec.convert(one, Cry) if whole else Cry(self.name_of(one), before - 1, "", "", "")
            before = cry.seq
            read.append((cry, msgspec.json.encode(one)))
        return read

    def name_of(self, one: Any) -> str:
        return _digest(repr(one))


@caught_by(NAMED)
class NamesByChance(Patient):
    """Gives what has no id one of its own making."""

    def name_of(self, one: Any) -> str:
        return uuid.uuid4().hex


@caught_by(BROKEN)
class OneSpoilsThePage(Patient):
    """Leaves a page out where one of its cries is none."""

    def read(self, found: list[Any], before: int) -> list[tuple[Cry, bytes]]:
        read = super().read(found, before)
        if all(cry.at for cry, _ in read):
            return read
        return [(Cry("left out", read[-1][0].seq, "", "", ""), b"{}")]


@caught_by(LISTED)
class NotFoundIsNoNews(CriesSource):
    """Takes a list that is not there for an empty one."""

    def page(self, ctx: Context, before: str) -> list[tuple[Cry, bytes]]:
        try:
            return super().page(ctx, before)
        except Rejected as error:
            if error.code != "404":
                raise
            return []


@caught_by("test_no_address_holds_a_secret")
class TokenInItsAddress(CriesSource):
    """Signs in by the address."""

    def _ask(self, ctx: Context, path: str) -> HttpResponse:
        mark = "&" if "?" in path else "?"
        return super()._ask(ctx, f"{path}{mark}key={self.options.token.get_secret_value()}")


@caught_by("test_check_asks_with_the_credentials")
class ChecksWithoutItsToken(CriesSource):
    """Asks what anyone may ask."""

    def check(self, ctx: Context) -> str:
        answer = ctx.http.send("GET", f"{self.options.url}/me")
        if error := error_for(answer, ctx.now()):
            raise error
        return str(answer.json())


@caught_by("test_a_wild_card_stands_below_a_domain")
class AnyoneDotCom(CriesSource):
    """Declares half of the world."""

    def egress(self) -> tuple[str, ...]:
        return ("127.0.0.1", "*.com")


MANY = "test_a_recheck_of_many_finds_each_that_is_gone"


@caught_by(MANY)
class AsksForThree(CriesSource):
    """Looks at the first three."""

    def recheck(self, ctx: Context, signals: Sequence[Signal]) -> Sequence[Tombstone]:
        return super().recheck(ctx, signals[:3])


@caught_by(MANY)
class OneIsEnough(CriesSource):
    """Ends with the first that is gone."""

    def recheck(self, ctx: Context, signals: Sequence[Signal]) -> Sequence[Tombstone]:
        return super().recheck(ctx, signals)[:1]


@caught_by("test_what_is_deleted_while_a_list_is_read_hides_no_other")
class CountsPages(CriesSource):
    """Goes on by number: `skip` cries that it has read."""

    def _newer(self, ctx: Context, position: int) -> list[tuple[Cry, bytes]]:
        found: list[tuple[Cry, bytes]] = []
        while page := self.page(ctx, f"&skip={len(found)}"):
            found += page
            if page[-1][0].seq <= position or len(found) > MOST:
                break
        return [one for one in found if one[0].seq > position]


@caught_by("test_check_finds_wrong_what_a_poll_finds_wrong")
class ChecksTheWeather(CriesSource):
    """Shows its token where no one looks at it."""

    def check(self, ctx: Context) -> str:
        with suppress(Rejected):
            self._ask(ctx, "/cries/none")
        return "the network is there"

    def _ask(self, ctx: Context, path: str) -> HttpResponse:
        try:
            return super()._ask(ctx, path)
        except Unauthorised:
            if path == "/cries/none":
                raise Rejected("not to us") from None
            raise
