"""Paces that workers share: over a real embedded server, in one process, and without a server at all."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from time import monotonic

import pytest
from redis import Redis

from hub.queue.pace import LocalPaces, Paces, RedisPaces, UsageNote
from hub.sdk.http.pace import Slot
from hub.sdk.rates import Limit, Usage
from tests.logs import captured
from tests.servers import running_redis

T0 = 1_800_000_000.0
FREE = Slot(0.0, kept=True)


class Seconds:
    """A clock of seconds since 1970 that stands until told."""

    def __init__(self) -> None:
        self.now = T0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_redis(tmp_path_factory.mktemp("data")) as found:
        yield found


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture(params=["redis", "local"])
def twins(request: pytest.FixtureRequest, seconds: Seconds) -> tuple[Paces, Paces]:
    """What two workers hold: two clients of one server, or the same object."""
    if request.param == "local":
        paces = LocalPaces(seconds)
        return paces, paces
    url: str = request.getfixturevalue("url")
    with Redis.from_url(url) as client:
        client.flushall()
    return RedisPaces(url, seconds), RedisPaces(url, seconds)


Twins = tuple[Paces, Paces]


def window(used: int, *, limit: int = 1000, resets: str = "100") -> dict[str, str]:
    return {"ratelimit-limit": str(limit), "ratelimit-remaining": str(limit - used), "ratelimit-reset": resets}


def test_a_refusal_that_one_worker_got_holds_the_other(twins: Twins, seconds: Seconds) -> None:
    one, other = (paces.open("crm") for paces in twins)
    assert one.reserve(2) == FREE
    one.tell(429, {"retry-after": "7"})
    assert other.reserve(2) == Slot(7.0, kept=False)
    seconds.now += 7
    assert other.reserve(2).kept


def test_slots_of_two_workers_keep_their_distance(twins: Twins, seconds: Seconds) -> None:
    one, other = (paces.open("crm") for paces in twins)
    one.tell(429, {})
    seconds.now += 60
    waits = [pace.reserve(100).wait for pace in (one, other, one, other)]
    assert waits == pytest.approx([0, 2, 4, 6])


def test_another_connection_is_not_held(twins: Twins) -> None:
    twins[0].open("crm").tell(429, {"retry-after": "7"})
    assert twins[1].open("desk").reserve(2) == FREE


def test_looking_ahead_takes_no_slot(twins: Twins, seconds: Seconds) -> None:
    pace = twins[0].open("crm")
    pace.tell(429, {"retry-after": "7"})
    assert (pace.ahead(), pace.ahead()) == (7, 7)
    seconds.now += 7
    assert (pace.ahead(), pace.reserve(2).wait, pace.ahead()) == (0.0, 0.0, pytest.approx(2.0))


def test_a_declared_limit_holds_for_all_workers_together(twins: Twins) -> None:
    one, other = (paces.open("crm", limits=[Limit(3, 60)]) for paces in twins)
    assert [pace.reserve(2).kept for pace in (one, other, one, other)] == [True, True, True, False]
    assert 55 < one.ahead() <= 60
    assert 55 < other.reserve(2).wait <= 60


def test_of_two_declared_limits_the_narrower_holds_and_spends_nothing_of_the_wider(twins: Twins) -> None:
    pace = twins[0].open("crm", limits=[Limit(2, 60), Limit(100, 3600)])
    assert [pace.reserve(2).kept for _ in range(50)] == [True, True, *[False] * 48]
    assert twins[1].open("crm", limits=[Limit(3, 3600)]).ahead() == 0.0


def test_within_its_limits_a_call_is_free(twins: Twins) -> None:
    pace = twins[0].open("crm", limits=[Limit(100, 10)])
    assert [pace.reserve(2) for _ in range(100)] == [FREE] * 100


def test_the_last_tenth_of_a_window_is_spread(twins: Twins, seconds: Seconds) -> None:
    one, other = (paces.open("crm") for paces in twins)
    one.tell(200, window(950))
    seconds.now += 2
    assert (other.reserve(2).wait, other.reserve(10).wait) == (0.0, pytest.approx(2.0))


def test_a_plugin_says_which_refusals_are_about_one_record(twins: Twins) -> None:
    pace = twins[0].open("desk", throttled=lambda status, headers: status == 429 and "one-ticket" not in headers)
    pace.tell(429, {"retry-after": "500", "one-ticket": "yes"})
    assert pace.reserve(2) == FREE
    pace.tell(429, {"retry-after": "500"})
    assert pace.reserve(2).wait == 500


@pytest.mark.parametrize("headers", [window(999), window(20), window(20, resets="never"), {}])
def test_any_other_refusal_is_about_the_connection(twins: Twins, headers: Mapping[str, str]) -> None:
    pace = twins[0].open("crm")
    pace.tell(429, headers)
    assert not pace.reserve(0.5).kept


def test_usages_are_read_by_anybody_until_their_window_ends(twins: Twins, seconds: Seconds) -> None:
    twins[0].open("crm").tell(200, window(20))
    twins[0].open("sources/social").tell(200, {"used": "5"})
    org = twins[0].open("org", usage=lambda headers: Usage(int(headers["used"]), 5000))
    org.tell(200, {"used": "4800"})
    seconds.now += 40
    assert twins[1].usages() == {"crm": Usage(20, 1000, 60.0), "org": Usage(4800, 5000)}
    seconds.now += 60
    assert twins[1].usages() == {"org": Usage(4800, 5000)}
    seconds.now += 24 * 3600
    assert twins[1].usages() == {}


def test_what_a_plugin_reads_comes_before_the_common_headers(twins: Twins) -> None:
    pace = twins[0].open("org", usage=lambda _: Usage(1, 2))
    pace.tell(200, window(20))
    assert twins[0].usages() == {"org": Usage(1, 2)}


def test_a_plugin_that_fails_over_a_header_costs_nothing_but_a_line_in_the_log(twins: Twins) -> None:
    def fail(_: Mapping[str, str]) -> Usage:
        raise ZeroDivisionError

    with captured() as logged:
        pace = twins[0].open("crm", usage=fail)
        pace.tell(200, {})
        assert pace.reserve(0) == FREE
    assert [one["event"] for one in logged] == ["a plugin cannot read its usage"]


def test_many_workers_at_once_get_one_slot_each(url: str, seconds: Seconds) -> None:
    with Redis.from_url(url) as client:
        client.flushall()
    RedisPaces(url, seconds).open("crm").tell(429, {})
    seconds.now += 60
    got: list[float] = []

    def work() -> None:
        pace = RedisPaces(url, seconds).open("crm")
        got.extend(pace.reserve(1000).wait for _ in range(5))

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # A step up of the rate on the way makes the gaps smaller, never zero.
    gaps = [later - sooner for sooner, later in zip(sorted(got), sorted(got)[1:], strict=False)]
    assert len(got) == 30
    assert min(gaps) > 1.5


def test_what_is_kept_in_redis_ends_by_itself(url: str, seconds: Seconds) -> None:
    with Redis.from_url(url) as client:
        client.flushall()
        pace = RedisPaces(url, seconds).open("crm", limits=[Limit(5, 60)])
        pace.reserve(2)
        pace.tell(200, window(20))
        assert all(0 < int(client.ttl(key)) <= 86_400 for key in client.keys("*"))
        assert len(client.keys("*")) == 3


def lost(folder: Path) -> str:
    return f"unix://{folder / 'nobody.sock'}"


ASKED: list[Callable[[Paces], object]] = [
    lambda paces: paces.open("crm").reserve(2) == FREE,
    lambda paces: paces.open("crm", limits=[Limit(1, 60)]).reserve(2) == FREE,
    lambda paces: paces.open("crm").ahead() == 0.0,
    lambda paces: paces.open("crm").tell(429, {"retry-after": "7"}) is None,
    lambda paces: paces.open("crm").tell(200, window(20)) is None,
    lambda paces: paces.usages() == {},
]


@pytest.mark.parametrize("ask", ASKED)
def test_without_redis_there_is_no_pace_and_no_error(tmp_path: Path, ask: Callable[[Paces], object]) -> None:
    assert ask(RedisPaces(lost(tmp_path)))


def test_a_lost_redis_is_told_of_once(tmp_path: Path) -> None:
    paces = RedisPaces(lost(tmp_path))
    with captured() as logged:
        for _ in range(10):
            paces.open("crm").reserve(2)
    assert [one["event"] for one in logged] == ["no pace: Redis does not answer"]


def test_a_redis_that_does_not_answer_holds_calls_up_for_a_second_in_all() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        pace = RedisPaces(f"redis://127.0.0.1:{mute.getsockname()[1]}/0").open("crm", limits=[Limit(1, 60)])
        begun = monotonic()
        for _ in range(20):
            assert pace.reserve(2) == FREE
        assert monotonic() - begun < 2


def test_what_another_version_left_counts_as_nothing(url: str, seconds: Seconds) -> None:
    with Redis.from_url(url) as client:
        client.set("pace:crm", b"\x80not json")
        client.hset("pace-usage", "crm", "[]")
        client.hset("pace-usage", b"\xff", b"\xff")
    paces = RedisPaces(url, seconds)
    assert paces.open("crm").reserve(2) == FREE
    paces.keep("org", UsageNote(4800, 5000, None, seconds()))
    assert paces.usages() == {"org": Usage(4800, 5000)}


def test_a_pace_that_a_clock_left_which_was_set_back_holds_nothing(
    twins: tuple[Paces, Paces], seconds: Seconds
) -> None:
    seconds.now += 864_000
    pace = twins[0].open("crm")
    pace.reserve(2.0)
    pace.tell(429, {"retry-after": "60"})
    seconds.now -= 864_000
    assert twins[1].open("crm").reserve(2.0) == FREE
    assert twins[1].usages() == {}
