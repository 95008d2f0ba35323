"""What the door says besides yes: to a connection that cannot be made, to unsigned calls, to those who would wait too long."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from hub.flow.monitor.snapshot import here
from hub.store import Store
from hub.web.bodies import BUSY, CutOff, Declined, Unverified
from hub.web.inbound import GroupWriter, InboundDoor
from hub.web.limits import Limits
from tests.hub.web.test_inbound import BODY, FakeStore, Knocker, assert_opened, signed, untouched
from tests.logs import captured

NEWER = "whsec_" + base64.b64encode(b"a newer secret of the shop").decode()


class Unmakeable(Knocker):
    """A door whose source `shop` lacks its secret."""

    def __init__(self, store: Store | FakeStore, folder: Path) -> None:
        super().__init__(store, folder)
        self.secret = folder / "secret"
        self.secret.rename(folder / "elsewhere")
        self.hub._made.clear()
        self.door = InboundDoor(self.hub)

    def repair(self) -> None:
        """Put the secret back, and let the quarantine's time pass."""
        (self.secret.parent / "elsewhere").rename(self.secret)
        self.door.writer = GroupWriter(self.hub)  # the first one was closed
        self.hub.broken._until = dict.fromkeys(self.hub.broken, 0.0)


def test_a_source_that_cannot_be_made_asks_its_sender_to_come_again(tmp_path: Path) -> None:
    knocker = Unmakeable(FakeStore(untouched), tmp_path)
    status, headers, body = knocker.knock(BODY, headers=signed(BODY))
    assert (status, int(headers["retry-after"]) > 0, "send it again" in json.loads(body)["error"]) == (503, True, True)


def test_it_asks_so_too_once_it_was_tried_again_in_vain(tmp_path: Path) -> None:
    knocker = Unmakeable(FakeStore(untouched), tmp_path)
    knocker.hub.broken._until = dict.fromkeys(knocker.hub.broken, 0.0)
    with captured() as said:
        assert knocker.knock(BODY, headers=signed(BODY))[0] == 503
    assert said == []  # why was told at the start


def test_why_a_connection_cannot_be_made_is_known(tmp_path: Path) -> None:
    knocker = Unmakeable(FakeStore(untouched), tmp_path)
    assert list(here(knocker.hub)) == ["sources.shop"]
    assert "secret" in here(knocker.hub)["sources.shop"]


def test_a_source_that_can_be_made_again_takes_its_calls_without_a_restart(store: Store, tmp_path: Path) -> None:
    knocker = Unmakeable(store, tmp_path)
    assert knocker.knock(BODY, headers=signed(BODY))[0] == 503
    knocker.repair()
    assert knocker.knock(BODY, headers=signed(BODY))[0] == 202
    assert here(knocker.hub) == {}


def test_it_takes_them_too_if_another_part_of_the_process_has_made_it_again(store: Store, tmp_path: Path) -> None:
    knocker = Unmakeable(store, tmp_path)
    knocker.repair()
    assert here(knocker.hub) == {}  # as the page and `readyz` look
    assert knocker.knock(BODY, headers=signed(BODY))[0] == 202


def test_it_takes_as_large_bodies_as_one_that_was_there_from_the_start(store: Store, tmp_path: Path) -> None:
    knocker = Unmakeable(store, tmp_path)
    knocker.door = InboundDoor(knocker.hub, Limits(unverified_bytes=8))
    knocker.repair()
    assert knocker.knock(BODY, headers=signed(BODY))[0] == 202


def test_a_secret_that_is_new_in_its_file_is_taken_without_a_restart(store: Store, tmp_path: Path) -> None:
    knocker = Knocker(store, tmp_path)
    (tmp_path / "secret").write_text(NEWER)
    knocker.hub._read_at = dict.fromkeys(knocker.hub._read_at, 0.0)  # the pause between two looks has passed
    assert knocker.knock(BODY, headers=signed(BODY, secret=NEWER))[0] == 202
    assert knocker.knock(BODY, headers=signed(BODY))[0] == 401


def test_a_secret_that_was_taken_back_opens_the_door_no_longer(store: Store, tmp_path: Path) -> None:
    knocker = Knocker(store, tmp_path)
    (tmp_path / "secret").write_text(NEWER)
    knocker.hub._read_at = dict.fromkeys(knocker.hub._read_at, 0.0)  # the pause between two looks has passed
    assert knocker.knock(BODY, headers=signed(BODY))[0] == 401


def test_it_does_not_either_if_another_part_of_the_process_has_read_the_file(store: Store, tmp_path: Path) -> None:
    knocker = Knocker(store, tmp_path)
    (tmp_path / "secret").write_text(NEWER)
    assert knocker.hub.reread("sources", "shop")
    assert knocker.knock(BODY, headers=signed(BODY))[0] == 401


def test_the_first_call_with_a_new_secret_need_not_wait_for_the_next_look(store: Store, tmp_path: Path) -> None:
    knocker = Knocker(store, tmp_path)
    (tmp_path / "secret").write_text(NEWER)
    assert knocker.knock(BODY, headers=signed(BODY, secret=NEWER))[0] == 202


def test_calls_that_are_not_genuine_have_the_file_read_once_a_second_only(tmp_path: Path) -> None:
    knocker = Knocker(FakeStore(untouched), tmp_path)
    assert knocker.knock(BODY)[0] == 401
    (tmp_path / "secret").write_text(NEWER)
    assert knocker.knock(BODY, headers=signed(BODY, secret=NEWER))[0] == 401


def test_a_source_is_not_made_again_for_each_call(tmp_path: Path) -> None:
    knocker = Unmakeable(FakeStore(untouched), tmp_path)
    knocker.knock(BODY)
    (tmp_path / "elsewhere").rename(tmp_path / "secret")
    assert knocker.knock(BODY, headers=signed(BODY))[0] == 503


def test_a_plugin_that_raises_what_it_likes_stops_no_other_door(store: Store, tmp_path: Path) -> None:
    knocker = Knocker(store, tmp_path)
    knocker.hub._made.clear()
    find = knocker.hub.source

    def stumble(name: str) -> Any:
        if name == "shop":
            raise KeyError("a bug")
        return find(name)

    knocker.hub.source = stumble  # type: ignore[method-assign]
    knocker.door = InboundDoor(knocker.hub)
    assert knocker.knock(BODY, headers=signed(BODY))[0] == 503


def exits(*_: object) -> Any:
    raise SystemExit(1)


async def later(*_: object) -> bool:
    return True


BUGS_AT_THE_DOOR: dict[str, tuple[str, Callable[..., Any], int]] = {
    "a check of the signature that raises": ("verify", lambda _: {}["x"], 503),
    "a check of the signature that ends": ("verify", exits, 503),
    "a check of the signature that is a text": ("verify", lambda _: "no", 401),
    "an id that raises": ("event_id", exits, 503),
    "an id that is a number": ("event_id", lambda _: 7, 503),
    "an id that is nothing": ("event_id", lambda _: None, 503),
}


@pytest.mark.parametrize("case", BUGS_AT_THE_DOOR)
def test_a_plugins_bug_with_a_call_is_answered_and_nothing_is_stored(tmp_path: Path, case: str) -> None:
    knocker = Knocker(FakeStore(untouched), tmp_path)
    name, bug, status = BUGS_AT_THE_DOOR[case]
    setattr(knocker.door.called["shop"], name, bug)
    assert knocker.knock(BODY, headers=signed(BODY))[0] == status


@pytest.mark.filterwarnings("ignore:coroutine 'later' was never awaited")
def test_a_check_of_the_signature_that_is_async_lets_nobody_in(tmp_path: Path) -> None:
    knocker = Knocker(FakeStore(untouched), tmp_path)
    knocker.door.called["shop"].verify = later  # type: ignore[method-assign, assignment]  # a plugin's bug
    assert knocker.knock(BODY, headers=signed(BODY))[0] == 401


OPEN: dict[str, Any] = {"scheme": "none"}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 202),
        ({"host": "127.0.0.1:8600"}, 202),
        ({"host": "localhost:8600", "origin": "http://localhost:8600", "sec-fetch-site": "same-origin"}, 202),
        ({"host": "127.0.0.1:8600", "origin": "https://evil.example"}, 403),
        ({"host": "127.0.0.1:8600", "origin": "null"}, 403),
        ({"host": "127.0.0.1:8600", "origin": "http://127.0.0.1:9999"}, 403),
        ({"host": "127.0.0.1:8600", "sec-fetch-site": "cross-site"}, 403),
        ({"host": "127.0.0.1:8600", "sec-fetch-site": "same-site"}, 403),
        ({"host": "evil.example:8600", "origin": "http://evil.example:8600", "sec-fetch-site": "same-origin"}, 403),
        ({"host": "127.0.0.1:8600", "x-forwarded-for": "203.0.113.9"}, 403),
        ({"host": "127.0.0.1:8600", "forwarded": "for=203.0.113.9"}, 403),
    ],
)
def test_an_unsigned_source_takes_nothing_from_pages_and_strangers(
    store: Store, tmp_path: Path, headers: dict[str, str], status: int
) -> None:
    assert Knocker(store, tmp_path, **OPEN).knock(BODY, headers=headers)[0] == status


@pytest.mark.parametrize(
    ("peer", "status"), [("10.1.2.3", 202), ("::ffff:10.1.2.3", 202), ("10.2.0.1", 403), ("127.0.0.1", 403)]
)
def test_an_unsigned_source_takes_calls_of_its_networks_only(
    store: Store, tmp_path: Path, peer: str, status: int
) -> None:
    knocker = Knocker(store, tmp_path, **OPEN, networks=["10.1.0.0/16"])
    assert knocker.knock(BODY, client=(peer, 4242))[0] == status


def test_a_signed_source_takes_a_genuine_call_from_anywhere(store: Store, tmp_path: Path) -> None:
    headers = {**signed(BODY), "x-forwarded-for": "203.0.113.9", "host": "hub.example"}
    assert Knocker(store, tmp_path).knock(BODY, headers=headers)[0] == 202


def test_a_sender_does_not_wait_longer_for_a_busy_disk_than_it_would(tmp_path: Path) -> None:
    gate = threading.Event()
    knocker = Knocker(FakeStore(lambda: assert_opened(gate)), tmp_path)
    knocker.door.writer.patience_s = 0.2

    async def play() -> tuple[int, float]:
        knocker.door.writer.open()
        begun = monotonic()
        status, _, _ = await knocker._ask((BODY,), signed(BODY), {})
        took = monotonic() - begun
        gate.set()
        await asyncio.to_thread(knocker.door.writer.close)
        return status, took

    status, took = asyncio.run(play())
    assert (status, took < 2) == (503, True)


def test_what_was_refused_while_it_waited_is_not_written_later(tmp_path: Path) -> None:
    gate, written = threading.Event(), list[int]()

    def write() -> None:
        assert_opened(gate)
        written.append(1)

    knocker = Knocker(FakeStore(write), tmp_path)
    knocker.door.writer.patience_s = 0.2

    async def play() -> None:
        knocker.door.writer.open()
        first = asyncio.create_task(knocker._ask((BODY,), signed(BODY), {}))
        await asyncio.sleep(0.05)  # it is being written, the second waits behind it
        second = asyncio.create_task(knocker._ask((BODY + b" ",), signed(BODY + b" "), {}))
        assert [status for status, _, _ in await asyncio.gather(first, second)] == [503, 503]
        gate.set()
        await asyncio.to_thread(knocker.door.writer.close)

    asyncio.run(play())
    assert written == [1]


class Trickle:
    """A caller that sends one part and then nothing."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._sent = False

    async def __call__(self) -> Any:
        if self._sent:
            await asyncio.Event().wait()
        self._sent = True
        return {"type": "http.request", "body": b"x" * self.size, "more_body": True}


async def whole() -> Any:
    """An honest caller, who sends all at once."""
    return {"type": "http.request", "body": b"honest", "more_body": False}


def test_bodies_that_are_not_verified_hold_so_much_and_the_oldest_goes() -> None:
    async def play() -> tuple[list[Any], bytes, int]:
        unverified = Unverified(100)
        slow = [asyncio.create_task(unverified.read({}, Trickle(40), 1000)) for _ in range(5)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        honest = await unverified.read({}, whole, 1000)
        done = [one.exception() for one in slow if one.done()]
        held = unverified.held
        for one in slow:
            one.cancel()
        await asyncio.gather(*slow, return_exceptions=True)
        return done, honest, held

    gone, honest, held = asyncio.run(play())
    assert (honest, held <= 100) == (b"honest", True)
    assert [type(one) for one in gone] == [Declined] * 3
    assert all(one.answer == BUSY for one in gone)


def test_nothing_is_held_once_all_are_read() -> None:
    async def play() -> int:
        unverified = Unverified(100)
        await unverified.read({}, whole, 1000)
        with pytest.raises(Declined):
            await unverified.read({}, whole, 3)
        return unverified.held

    assert asyncio.run(play()) == 0


def test_a_body_that_is_cut_off_is_no_body() -> None:
    async def gone() -> Any:
        return {"type": "http.disconnect"}

    with pytest.raises(CutOff):
        asyncio.run(Unverified(100).read({}, gone, 1000))
