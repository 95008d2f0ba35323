"""Callers that are slow, half-open, too large or lying: each is ended in time, and an honest one beside them is answered."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from time import sleep
from typing import Any

import pytest

from hub.web.gate import Gate
from hub.web.limits import Limits, limits_of
from tests.hub.web.served import SHORT, Served, answer, is_ended, serving
from tests.servers import wait_for

HONEST = b"POST /in/shop HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
KEPT = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
HEAD = b"POST / HTTP/1.1\r\nHost: localhost\r\n"
LARGE = b"x" * 4_000_000


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Read the body of a POST, answer a GET of /large with much; refuse a POST to /refused unread."""
    message = {"type": "http.request", "more_body": scope["path"] != "/refused"}
    while message["type"] == "http.request" and message["more_body"]:
        message = await receive()
    if message["type"] == "http.disconnect":
        return
    body = LARGE if scope["path"] == "/large" else b""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    for start in range(0, max(1, len(body)), 65536):
        more = start + 65536 < len(body)
        await send({"type": "http.response.body", "body": body[start : start + 65536], "more_body": more})


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    """One server for all."""
    with serving(app) as made:
        yield made


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"POST / HTTP/1.1\r\nHost: local",
        b"\r\n\r\n",
        HEAD + b"Content-Length: 1000\r\n\r\nshort",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX-Trailer: a",
        KEPT,
        KEPT + b"\r\n",
    ],
)
def test_a_caller_that_stops_in_the_middle_is_ended(served: Served, said: bytes) -> None:
    assert is_ended(served.connect(said), within=3)


@pytest.mark.parametrize("begun", [HEAD + b"X-Slow: ", HEAD + b"Content-Length: 100000\r\n\r\n", KEPT])
def test_a_trickle_does_not_keep_a_connection(served: Served, begun: bytes) -> None:
    caller = served.connect(begun)
    for _ in range(40):
        if is_ended(caller, within=0.05):
            return
        caller.sendall(b"\r\n" if begun == KEPT else b"a")
    pytest.fail("it is still there")


@pytest.mark.parametrize("begun", [HEAD, HEAD + b"Content-Length: 9\r\n\r\n"])
def test_a_caller_that_was_too_slow_is_told_so(served: Served, begun: bytes) -> None:
    assert answer(served.connect(begun)).startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize(
    "said",
    [
        b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        HEAD + b"X: " + b"a" * 9000,
        HEAD + b"X: " + b"a" * 9000 + b"\r\n\r\n",
        HEAD + b"a:\r\n" * 200,
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n1;" + b"a" * 300_000,
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX: " + b"a" * 300_000,
    ],
)
def test_a_header_that_is_too_large_is_refused(served: Served, said: bytes) -> None:
    found = answer(served.connect(said))
    # Nothing is heard if more comes than the other side still reads.
    assert found.startswith(b"HTTP/1.1 431 ") or not found


def test_empty_lines_before_a_request_are_no_fault(served: Served) -> None:
    caller = served.connect(b"\r\n")
    sleep(0.05)
    caller.sendall(b"\r\n" + HEAD + b"Content-Length: 0\r\n\r\n")
    assert answer(caller).startswith(b"HTTP/1.1 2")


def test_trailers_count_as_headers(served: Served) -> None:
    caller = served.connect(HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n")
    for _ in range(4):
        sleep(0.02)
        with contextlib.suppress(OSError):
            caller.sendall(b"X: " + b"a" * 3000 + b"\r\n")
    assert answer(caller).startswith(b"HTTP/1.1 431 ")


def test_a_body_without_end_is_cut_off_once_it_was_refused(served: Served) -> None:
    caller = served.connect(b"POST /refused HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
    with pytest.raises(OSError):
        for _ in range(300):
            caller.sendall(b"10000\r\n" + b"a" * 65536 + b"\r\n")
            sleep(0.001)


def test_a_refused_body_that_soon_ends_leaves_the_connection_usable(served: Served) -> None:
    caller = served.connect(b"POST /refused HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n")
    assert answer(caller).startswith(b"HTTP/1.1 200 ")
    caller.sendall(b"a" * 100_000 + KEPT)
    assert answer(caller).startswith(b"HTTP/1.1 200 ")


def test_an_answer_that_is_not_read_ends_the_connection(served: Served) -> None:
    before = len(served.gate.seats)
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    served.sockets.append(made)
    made.connect(("127.0.0.1", served.port))
    made.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
    sleep(0.2)
    assert len(served.gate.seats) == before + 1
    sleep(1)
    assert len(served.gate.seats) <= before


def test_too_many_requests_in_one_breath_are_refused(served: Served) -> None:
    caller = served.connect(KEPT * 3000)
    assert is_ended(caller, within=2)


def test_a_few_requests_in_one_breath_are_all_answered(served: Served) -> None:
    caller = served.connect(KEPT * 5)
    found = b""
    while found.count(b"HTTP/1.1 200 ") < 5:
        found += caller.recv(65536)
    assert found.count(b"HTTP/1.1 200 ") == 5


CROWD: list[tuple[str, bytes]] = [
    ("nothing", b""),
    ("half a header", HEAD),
    ("half a body", HEAD + b"Content-Length: 1000\r\n\r\na"),
    ("idle", KEPT),
    ("no HTTP", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    ("whole requests", b"GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
]


@pytest.mark.parametrize(("name", "said"), CROWD)
def test_an_honest_call_is_answered_though_all_places_are_taken(name: str, said: bytes) -> None:
    with serving(app, Limits(connections=60, per_client=60, backlog=200)) as crowded:
        for _ in range(300):
            crowded.connect(said)
        status, took = crowded.ask(HONEST)
        assert (status, took < 1) == (200, True)
        wait_for(lambda: len(crowded.gate.seats) <= 60, seconds=2)


def test_a_request_that_is_being_answered_keeps_its_place() -> None:
    may_end = asyncio.Event()

    async def patient(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/wait":
            await may_end.wait()
        else:
            may_end.set()
        await app({**scope, "method": "GET"}, receive, send)

    with serving(patient, Limits(connections=20, per_client=20, backlog=200)) as crowded:
        waits = crowded.connect(b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")
        for _ in range(100):
            crowded.connect(HEAD)
        crowded.ask(HONEST)
        assert answer(waits).startswith(b"HTTP/1.1 200 ")


class FakeSeat:
    """A connection that stays at something."""

    def __init__(self, address: str, state: str = "header", since: float = 0.0) -> None:
        self.client = (address, 1)
        self.at = (state, since)
        self.is_gone = False

    def state(self) -> tuple[str, float]:
        return self.at

    def end(self, state: str) -> None:
        self.abort()

    def abort(self) -> None:
        self.is_gone = True


def crowd(new_gate: Callable[..., Gate], *seats: FakeSeat, came: float | None = None) -> list[bool]:
    """Which of these connections are gone after all came, in this order, and the server listened to those before `came`."""
    loop = asyncio.new_event_loop()
    gate = new_gate()
    for seat in seats:
        gate.admit(seat, loop)
    loop.close()
    gate.relieve(came)
    return [seat.is_gone for seat in seats]


@pytest.fixture
def small_gate(served: Served) -> Callable[..., Gate]:
    """Makes gates of three places, two for one client."""
    return lambda: Gate(Limits(connections=3, per_client=2), served.gate.complaints, served.gate.proxies)


def test_a_client_that_wants_too_much_gives_up_its_own_places(small_gate: Callable[..., Gate]) -> None:
    first, *others = (FakeSeat(f"192.0.2.{last}", since=last) for last in (1, 9, 9, 9))
    others[0].at = ("header", 2.0)
    assert crowd(small_gate, first, *others) == [False, True, False, False]


def test_the_own_places_of_a_proxy_are_all_there_are(small_gate: Callable[..., Gate]) -> None:
    assert crowd(small_gate, *(FakeSeat("127.0.0.1") for _ in range(3))) == [False, False, False]


def test_the_one_that_has_been_without_a_whole_request_for_longest_goes(small_gate: Callable[..., Gate]) -> None:
    seats = [
        FakeSeat("192.0.2.1", "body", 3.0),
        FakeSeat("192.0.2.2", "idle", 2.0),
        FakeSeat("192.0.2.3", "header", 4.0),
    ]
    assert crowd(small_gate, *seats, FakeSeat("192.0.2.4", since=5.0)) == [False, True, False, False]


def test_when_all_others_are_being_answered_the_new_one_goes(small_gate: Callable[..., Gate]) -> None:
    busy = [FakeSeat(f"192.0.2.{number}", "busy") for number in range(3)]
    assert crowd(small_gate, *busy, FakeSeat("192.0.2.4")) == [False, False, False, True]


def test_one_that_is_closed_already_goes_before_those_that_wait(small_gate: Callable[..., Gate]) -> None:
    seats = [FakeSeat("192.0.2.1", "body", 3.0), FakeSeat("192.0.2.2", "closing", 9.0), FakeSeat("192.0.2.3", "busy")]
    assert crowd(small_gate, *seats, FakeSeat("192.0.2.4", since=5.0)) == [False, True, False, False]


def test_one_that_was_not_listened_to_stays_until_it_is(small_gate: Callable[..., Gate]) -> None:
    busy = [FakeSeat(f"192.0.2.{number}", "busy") for number in range(3)]
    assert crowd(small_gate, *busy, FakeSeat("192.0.2.4", since=5.0), came=4.0) == [False, False, False, False]


@pytest.mark.parametrize(("files", "connections"), [(256, 160), (1024, 832), (65_536, 1000), (64, 16)])
def test_no_more_connections_are_kept_than_the_process_may_open_files(files: int, connections: int) -> None:
    from hub.config.settings import CallersSection

    limits = limits_of(CallersSection(), files)
    assert limits.connections == connections
    assert files < 100 or limits.connections + limits.backlog < files


def test_as_many_files_may_be_open_as_the_machine_lets() -> None:
    code = (
        "import resource; from hub.web.limits import raise_files; "
        "resource.setrlimit(resource.RLIMIT_NOFILE, (100, 200)); "
        "print(raise_files(), *resource.getrlimit(resource.RLIMIT_NOFILE))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["200", "200", "200"]


def test_the_short_limits_of_these_tests_are_of_the_same_shape() -> None:
    assert SHORT.sweep_s < min(SHORT.header_s, SHORT.body_s, SHORT.answer_s, SHORT.idle_s)
