"""The inbound door: stored exactly once or refused with a reason, and nothing parsed before it is believed."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import threading
from collections.abc import Callable, Sequence
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from hub.config.settings import Settings
from hub.queue.inprocess import InProcessBell
from hub.runtime import Hub
from hub.store import Store, StoreUnavailable
from hub.web.inbound import InboundDoor
from tests.hubs import NOON, Clock
from tests.watched import WatchedRegistry

SECRET = "whsec_" + base64.b64encode(b"a secret of 24 bytes at least").decode()
Headers = dict[str, str]
Answer = tuple[int, Headers, bytes]


class FakeInbox:
    """An inbox that does as it is told."""

    def __init__(self, add: Callable[[], None]) -> None:
        self._add = add

    def add(self, items: Any, **_: Any) -> int:
        self._add()
        return len(items)


class FakeStore:
    """A store with that inbox."""

    def __init__(self, add: Callable[[], None]) -> None:
        self.inbox = FakeInbox(add)


def untouched() -> None:
    """A store that nothing may reach."""
    raise AssertionError("the store was reached")


class Knocker:
    """A door with one webhook source, `shop`, and somebody who knocks."""

    def __init__(self, store: Store | FakeStore, folder: Path, **options: Any) -> None:
        (folder / "secret").write_text(SECRET)
        given = options or {"scheme": "standard", "secret": {"file": "secret"}}
        settings = Settings.model_validate(
            {
                "sources": {
                    "shop": {"plugin": "webhook", "options": given},
                    "off": {"plugin": "webhook", "enabled": False, "options": given},
                },
                "web": {"max_waiting_mb": 1},
                "file": folder / "config.toml",
            }
        )
        self.clock, self.bell = Clock(), InProcessBell()
        self.hub = Hub(settings, store, self.bell, WatchedRegistry(), self.clock)  # type: ignore[arg-type]  # or a fake
        self.door = InboundDoor(self.hub)

    def knock(self, *parts: bytes, headers: Headers | None = None, **scope: Any) -> Answer:
        """One request, its body in parts."""
        return self.knock_all([(parts, headers or {})], **scope)[0]

    def knock_all(self, requests: Sequence[tuple[Sequence[bytes], Headers]], **scope: Any) -> list[Answer]:
        """Requests at the same time."""

        async def play() -> list[Answer]:
            self.door.writer.open()
            try:
                return list(await asyncio.gather(*(self._ask(parts, headers, scope) for parts, headers in requests)))
            finally:
                await asyncio.to_thread(self.door.writer.close)

        return asyncio.run(play())

    async def _ask(self, parts: Sequence[bytes], headers: Headers, scope: dict[str, Any]) -> Answer:
        coming = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
        coming[-1]["more_body"] = False
        said: list[Any] = []

        async def receive() -> Any:
            return coming.pop(0)

        async def send(message: Any) -> None:
            said.append(message)

        raw = [(name.encode(), value.encode()) for name, value in headers.items()]
        request = {"type": "http", "method": "POST", "path": "/in/shop", "query_string": b"", "headers": raw}
        await self.door({**request, **scope}, receive, send)
        found = {name.decode(): value.decode() for name, value in said[0]["headers"]}
        return said[0]["status"], found, said[1]["body"]


def signed(body: bytes, *, id_: str = "msg_1", at: float = NOON.timestamp(), secret: str = SECRET) -> Headers:
    """Standard Webhooks' headers, made from the specification."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    mac = hmac.new(key, f"{id_}.{int(at)}.".encode() + body, sha256).digest()
    signature = "v1," + base64.b64encode(mac).decode()
    return {"webhook-id": id_, "webhook-timestamp": str(int(at)), "webhook-signature": signature}


BODY = b'{"id": "1", "text": "acme"}'


def test_a_signed_body_is_stored_as_it_came(store: Store, tmp_path: Path) -> None:
    knocker = Knocker(store, tmp_path)
    status, _, body = knocker.knock(BODY, headers=signed(BODY))
    assert (status, body) == (202, b"")
    _, (row,) = store.inbox.claim(limit=10, now=NOON)
    assert (row.item.payload, row.item.external_id, row.form, row.item.source) == (BODY, "msg_1", "body", "shop")
    assert knocker.bell.rung == [("process", "")]


def test_the_same_event_is_stored_once_however_often_it_comes(store: Store, tmp_path: Path) -> None:
    knocker = Knocker(store, tmp_path)
    answers = knocker.knock_all([((BODY,), signed(BODY))] * 20)
    assert {status for status, _, _ in answers} == {202}
    assert store.inbox.counts() == {"new": 1}


def test_many_at_once_are_all_stored(store: Store, tmp_path: Path) -> None:
    bodies = [json.dumps({"id": str(number), "text": "acme"}).encode() for number in range(200)]
    knocker = Knocker(store, tmp_path)
    knocker.knock_all([((body,), signed(body, id_=f"msg_{number}")) for number, body in enumerate(bodies)])
    assert store.inbox.counts() == {"new": 200}


@pytest.mark.parametrize("parts", [(b"not json \xff",), (b"",), (BODY + b" ",)])
def test_what_is_not_genuine_is_refused_before_it_is_read(store: Store, tmp_path: Path, parts: Sequence[bytes]) -> None:
    status, _, body = Knocker(store, tmp_path).knock(*parts, headers=signed(BODY))
    assert (status, "signature" in json.loads(body)["error"]) == (401, True)
    assert store.inbox.counts() == {}


def test_a_genuine_body_that_is_no_json_is_kept_for_later(store: Store, tmp_path: Path) -> None:
    body = b"not json \xff\x00"
    assert Knocker(store, tmp_path).knock(body, headers=signed(body))[0] == 202
    assert store.inbox.counts() == {"new": 1}


@pytest.mark.parametrize(("seconds", "status"), [(-301, 401), (-299, 202), (0, 202), (299, 202), (301, 401)])
def test_stale_and_future_stamps_are_refused(store: Store, tmp_path: Path, seconds: int, status: int) -> None:
    at = (NOON + timedelta(seconds=seconds)).timestamp()
    assert Knocker(store, tmp_path).knock(BODY, headers=signed(BODY, at=at))[0] == status


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
@pytest.mark.parametrize("value", [None, "", "x", "99999999999999999999", "-1", "²", "v1,", "v1a,AAAA v1"])
def test_a_broken_header_is_refused(tmp_path: Path, name: str, value: str | None) -> None:
    headers = signed(BODY)
    headers = {key: one for key, one in headers.items() if key != name} | ({name: value} if value is not None else {})
    assert Knocker(FakeStore(untouched), tmp_path).knock(BODY, headers=headers)[0] == 401


def test_a_secret_in_change_signs_twice(store: Store, tmp_path: Path) -> None:
    old = signed(BODY, secret="whsec_" + base64.b64encode(b"the secret of yesterday").decode())["webhook-signature"]
    headers = signed(BODY)
    headers["webhook-signature"] = f"{old} {headers['webhook-signature']}"
    assert Knocker(store, tmp_path).knock(BODY, headers=headers)[0] == 202


def test_a_body_that_says_it_is_too_large_is_not_read(tmp_path: Path) -> None:
    knocker = Knocker(FakeStore(untouched), tmp_path, scheme="none", max_body=1024)
    unread: list[bytes] = [b""]  # `receive` would fail on the second part
    assert knocker.knock(*unread, headers={"content-length": "1025"})[0] == 413


@pytest.mark.parametrize("headers", [{}, {"content-length": "10"}, {"content-length": "x"}])
def test_a_body_that_is_too_large_is_refused_whatever_it_says(store: Store, tmp_path: Path, headers: Headers) -> None:
    options = {"scheme": "none", "max_body": 1024}
    assert Knocker(store, tmp_path, **options).knock(*[b"x" * 100] * 11, headers=headers)[0] == 413
    assert Knocker(store, tmp_path, **options).knock(*[b"x" * 128] * 8, headers=headers)[0] == 202
    assert store.inbox.counts() == {"new": 1}


@pytest.mark.parametrize("path", ["/in/none", "/in/", "/in/off", "/in/shop/", "/in/../shop"])
def test_a_name_that_is_not_ours_is_not_found(tmp_path: Path, path: str) -> None:
    status, _, body = Knocker(FakeStore(untouched), tmp_path).knock(BODY, headers=signed(BODY), path=path)
    assert (status, list(json.loads(body))) == (404, ["error"])


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD"])
def test_only_post_is_taken(tmp_path: Path, method: str) -> None:
    status, headers, _ = Knocker(FakeStore(untouched), tmp_path).knock(BODY, headers=signed(BODY), method=method)
    assert (status, headers["allow"]) == (405, "POST")


@pytest.mark.parametrize("error", [StoreUnavailable("database is locked"), StoreUnavailable("disk is full"), OSError()])
def test_a_database_that_cannot_take_it_says_come_again(tmp_path: Path, error: Exception) -> None:
    def fail() -> None:
        raise error

    knocker = Knocker(FakeStore(fail), tmp_path)
    status, headers, body = knocker.knock(BODY, headers=signed(BODY))
    assert (status, int(headers["retry-after"]) > 0, "send it again" in json.loads(body)["error"]) == (503, True, True)
    assert knocker.bell.rung == []


def test_too_much_that_waits_is_refused_and_the_rest_is_kept(tmp_path: Path) -> None:
    gate = threading.Event()
    knocker = Knocker(FakeStore(lambda: assert_opened(gate)), tmp_path, scheme="none")
    large = b"x" * 400_000

    async def play() -> list[int]:
        knocker.door.writer.open()
        waiting = []
        for _ in range(8):  # two fit into the megabyte, the one that is being written counted in; the others do not
            waiting.append(asyncio.create_task(knocker._ask((large,), {}, {})))
            await asyncio.sleep(0.05)
        gate.set()
        answers = [status for status, _, _ in await asyncio.gather(*waiting)]
        await asyncio.to_thread(knocker.door.writer.close)
        return answers

    assert asyncio.run(play()) == [202, 202, 503, 503, 503, 503, 503, 503]


def assert_opened(gate: threading.Event) -> None:
    """Wait for the gate."""
    assert gate.wait(20)


def test_what_waits_is_written_before_the_door_closes(store: Store, tmp_path: Path) -> None:
    knocker = Knocker(store, tmp_path, scheme="none")
    assert knocker.knock(BODY)[0] == 202
    assert knocker.door.writer._thread is not None
    assert not knocker.door.writer._thread.is_alive()
    assert store.inbox.counts() == {"new": 1}


def test_a_sender_of_very_many_items_is_told_and_nothing_of_it_is_kept(tmp_path: Path) -> None:
    knocker = Knocker(FakeStore(untouched), tmp_path, scheme="none")
    status, _, body = knocker.knock(b"[" + b"{}," * 20_000 + b"{}]")
    assert (status, json.loads(body)["error"]) == (413, "a body of 20001 items: send at most 10000 at once")


@pytest.mark.parametrize("body", [b"[" + b"{}," * 9_000 + b"{}]", b"[" * 20_000, b"x" * 20_000])
def test_what_is_not_too_many_is_kept_whatever_it_holds(store: Store, tmp_path: Path, body: bytes) -> None:
    assert Knocker(store, tmp_path, scheme="none").knock(body)[0] == 202
