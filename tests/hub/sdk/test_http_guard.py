"""The guard over real sockets: what is sent, what is repeated, and what each failure is called."""

from __future__ import annotations

import gzip
import threading
import time
import zlib
from collections.abc import Iterator

import pytest

from hub.core.errors import ConnectorError, Rejected, Unavailable, Uncertain
from hub.sdk.connectors import HttpResponse
from hub.sdk.http import Guard, Policy, open_guard
from hub.sdk.http.egress import Egress
from hub.testkit.fakes import answer
from hub.testkit.server import Failure, LocalServer


class Ticker:
    """A clock of seconds that only sleeping moves."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.seconds += seconds


@pytest.fixture
def ticker() -> Ticker:
    return Ticker()


@pytest.fixture
def guard(ticker: Ticker) -> Iterator[Guard]:
    with open_guard(allow_private=True, timeout=5, max_bytes=100_000, clock=ticker, sleep=ticker.sleep) as opened:
        yield opened


def scripted(*steps: object) -> object:
    """A script that does one thing after the other, the last one for ever."""
    left = list(steps)
    return lambda _: left.pop(0) if len(left) > 1 else left[0]


READS, WRITES = ("GET", "HEAD"), ("POST", "PUT", "PATCH", "DELETE")


def test_a_request_arrives_as_it_was_sent(guard: Guard) -> None:
    with LocalServer(lambda _: answer(201, {"id": 7}, headers={"X-Seen": "yes"})) as server:
        got = guard.send("POST", f"{server.url}/a%2Fb?c=d%20e", headers={"X-One": "é"}, content=b'{"a":1}')
    sent = server.requests[0]
    assert (sent.method, sent.url, sent.content) == ("POST", "/a%2Fb?c=d%20e", b'{"a":1}')
    assert sent.headers["x-one"].encode("latin-1").decode() == "é"
    assert (got.status, got.json(), got.headers["x-seen"]) == (201, {"id": 7}, "yes")


@pytest.mark.parametrize("status", [200, 204, 301, 400, 401, 404, 418, 429, 500, 502, 503])
def test_any_status_is_an_answer_to_a_write(guard: Guard, status: int) -> None:
    with LocalServer(lambda _: answer(status, headers={"location": "/elsewhere"})) as server:
        assert guard.send("POST", server.url).status == status
    assert len(server.requests) == 1


def test_connections_are_kept(guard: Guard) -> None:
    with LocalServer(lambda _: answer()) as server:
        for _ in range(20):
            guard.send("GET", server.url)
    assert server.connections == 1


def test_a_connection_that_the_server_has_closed_meanwhile_is_not_written_to(guard: Guard) -> None:
    with LocalServer(lambda _: b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n") as server:
        for _ in range(3):
            assert guard.send("POST", server.url).status == 200
            time.sleep(0.05)  # the server's FIN arrives
    assert (server.connections, guard.calls) == (3, {"POST": 3})


def test_many_threads_share_a_guard(guard: Guard) -> None:
    with LocalServer(lambda sent: answer(200, sent.url)) as server:
        seen: list[bool] = []

        def work(number: int) -> None:
            seen.extend(guard.send("GET", f"{server.url}/{number}/{i}").json() == f"/{number}/{i}" for i in range(10))

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert seen == [True] * 80
    assert guard.calls == {"GET": 80}


# ------------------------------------------------------------------------------------------------------------- failures


@pytest.mark.parametrize("method", WRITES)
@pytest.mark.parametrize(
    "failure", [Failure.RESET, Failure.STALL, b"", b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf"]
)
def test_a_write_without_an_answer_is_uncertain_and_never_sent_again(method: str, failure: Failure | bytes) -> None:
    with (
        open_guard(allow_private=True, timeout=0.3) as guard,
        LocalServer(lambda _: failure) as server,
        pytest.raises(Uncertain),
    ):
        guard.send(method, server.url, content=b"{}")
    assert len(server.requests) == 1


@pytest.mark.parametrize("method", READS)
def test_a_read_on_a_dropped_connection_is_repeated_and_then_unavailable(guard: Guard, method: str) -> None:
    with LocalServer(lambda _: Failure.RESET) as server, pytest.raises(Unavailable) as caught:
        guard.send(method, server.url)
    assert (len(server.requests), caught.value.code) == (3, "dropped")


def test_a_read_survives_one_dropped_connection(guard: Guard) -> None:
    with LocalServer(scripted(Failure.RESET, answer(200, "ok"))) as server:
        assert guard.send("GET", server.url).json() == "ok"


def test_a_read_that_times_out_is_not_repeated() -> None:
    with (
        open_guard(allow_private=True, timeout=0.2) as guard,
        LocalServer(lambda _: Failure.STALL) as server,
        pytest.raises(Unavailable) as caught,
    ):
        guard.send("GET", server.url)
    assert (len(server.requests), caught.value.code) == (1, "timeout")


@pytest.mark.parametrize("method", READS + WRITES)
def test_a_refused_connection_is_tried_again_for_any_method(guard: Guard, ticker: Ticker, method: str) -> None:
    with LocalServer(lambda _: answer()) as server:
        url = server.url
    with pytest.raises(Unavailable) as caught:
        guard.send(method, url)
    assert (caught.value.code, ticker.slept) == ("connect", [0.2, 0.4])
    assert url.removeprefix("http://").rstrip("/") in str(caught.value)  # host and port


@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_passing_server_error_of_a_read_is_repeated(guard: Guard, status: int) -> None:
    with LocalServer(scripted(answer(status), answer(status), answer(200))) as server:
        assert guard.send("GET", server.url).status == 200


@pytest.mark.parametrize("status", [500, 429, 408])
def test_other_errors_of_a_read_are_answers(guard: Guard, status: int) -> None:
    with LocalServer(lambda _: answer(status, headers={"retry-after": "1"})) as server:
        assert guard.send("GET", server.url).status == status
    assert len(server.requests) == 1


def test_the_pause_heeds_retry_after_but_never_outlasts_the_budget(guard: Guard, ticker: Ticker) -> None:
    pauses = iter(("3", "60"))
    with LocalServer(lambda _: answer(503, headers={"retry-after": next(pauses)})) as server:
        assert guard.send("GET", server.url).status == 503
    assert ticker.slept == [3.0]


def test_repeating_ends_with_its_seconds(ticker: Ticker) -> None:
    policy = Policy(retries=1000, retry_seconds=10)
    guard = Guard(Egress(("*",), allow_private=True), policy, clock=ticker, sleep=ticker.sleep)
    with guard, LocalServer(lambda _: answer(503)) as server:
        assert guard.send("GET", server.url).status == 503
    assert sum(ticker.slept) < 10


def test_a_server_that_drips_its_answer_meets_the_time_out() -> None:
    began = time.monotonic()
    with (
        open_guard(allow_private=True, timeout=0.4) as guard,
        LocalServer(lambda _: Failure.DRIP) as server,
        pytest.raises(Uncertain),
    ):
        guard.send("POST", server.url)
    assert 0.3 < time.monotonic() - began < 2


# ---------------------------------------------------------------------------------------------------------------- bodies


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", gzip.compress(b"hello " * 1000, mtime=0)),
        ("x-gzip", gzip.compress(b"hello " * 500, mtime=0) + gzip.compress(b"hello " * 500, mtime=0)),
        ("deflate", zlib.compress(b"hello " * 1000)),
        ("deflate", zlib.compress(b"hello " * 1000)[2:-4]),
        ("gzip, gzip", gzip.compress(gzip.compress(b"hello " * 1000, mtime=0), mtime=0)),
        ("identity", b"hello " * 1000),
    ],
)
def test_bodies_are_decoded(guard: Guard, coding: str, body: bytes) -> None:
    with LocalServer(lambda _: answer(content=body, headers={"content-encoding": coding})) as server:
        got = guard.send("GET", server.url)
    assert got.content == b"hello " * 1000
    assert "content-encoding" not in got.headers


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("", b"x" * 100_001),
        ("gzip", gzip.compress(b"\0" * 50_000_000, mtime=0)),
        ("gzip, gzip", gzip.compress(gzip.compress(b"\0" * 50_000_000, mtime=0), mtime=0)),
        ("deflate", zlib.compress(b"\0" * 50_000_000)),
        ("gzip", gzip.compress(b"\0" * 60_000, mtime=0) * 2),
    ],
)
def test_a_body_over_the_cap_is_refused_by_its_decoded_size(guard: Guard, coding: str, body: bytes) -> None:
    with (
        LocalServer(lambda _: answer(content=body, headers={"content-encoding": coding})) as server,
        pytest.raises(Rejected) as caught,
    ):
        guard.send("GET", server.url)
    assert caught.value.code == "too_large"


def test_a_body_of_exactly_the_cap_is_taken(guard: Guard) -> None:
    packed = gzip.compress(b"\0" * 100_000, mtime=0)
    with LocalServer(lambda _: answer(content=packed, headers={"content-encoding": "gzip"})) as server:
        assert len(guard.send("GET", server.url).content) == 100_000


@pytest.mark.parametrize("body", [gzip.compress(b"hello" * 99, mtime=0)[:-12], b"no gzip at all"])
def test_a_broken_body_counts_as_a_dropped_connection(guard: Guard, body: bytes) -> None:
    with LocalServer(lambda _: answer(content=body, headers={"content-encoding": "gzip"})) as server:
        with pytest.raises(Unavailable):
            guard.send("GET", server.url)
        with pytest.raises(Uncertain):
            guard.send("POST", server.url)
    assert guard.calls == {"GET": 3, "POST": 1}


def test_an_unknown_coding_is_left_as_it_is(guard: Guard) -> None:
    with LocalServer(lambda _: answer(content=b"\x0b", headers={"content-encoding": "br"})) as server:
        got = guard.send("GET", server.url)
    assert (got.content, got.headers["content-encoding"]) == (b"\x0b", "br")
    assert server.requests[0].headers["accept-encoding"] == "gzip, deflate"


# ------------------------------------------------------------------------------------------------------------- redirects


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", READS)
def test_a_read_follows_a_redirect(guard: Guard, method: str, status: int) -> None:
    script = scripted(answer(status, headers={"location": "../b?c=1"}), answer(200))
    with LocalServer(script) as server:
        got = guard.send(method, f"{server.url}/x/a", headers={"Authorization": "Bearer 12345678"})
    assert [(sent.method, sent.url) for sent in server.requests] == [(method, "/x/a"), (method, "/b?c=1")]
    assert got.url == f"{server.url}/b?c=1"
    assert server.requests[1].headers["authorization"] == "Bearer 12345678"


def test_credentials_are_left_behind_on_the_way_to_another_host(guard: Guard) -> None:
    secrets = {
        "Authorization": "Bearer 12345678",
        "Cookie": "a=b",
        "X-Api-Key": "k",
        "PRIVATE-TOKEN": "t",
        "X-Mine": "1",
    }
    with LocalServer(lambda _: answer(200)) as other:
        elsewhere = answer(302, headers={"location": f"{other.url}/there"})
        with LocalServer(lambda _: elsewhere) as server:
            guard.send("GET", server.url, headers=secrets)
    assert not {"authorization", "cookie", "x-api-key", "private-token"} & set(other.requests[0].headers)
    assert other.requests[0].headers["x-mine"] == "1"


def test_redirects_end_after_five(guard: Guard) -> None:
    with (
        LocalServer(lambda _: answer(302, headers={"location": "/again"})) as server,
        pytest.raises(Rejected) as caught,
    ):
        guard.send("GET", server.url)
    assert (caught.value.code, len(server.requests)) == ("egress", 6)


@pytest.mark.parametrize(
    "target",
    [
        "http://elsewhere.example/",
        "file:///etc/passwd",
        "gopher://127.0.0.1/",
        "//elsewhere.example/x",
        "http://[::ffff:7f00:1]/",
    ],
)
def test_each_hop_of_a_redirect_goes_through_the_egress_rules(target: str) -> None:
    with (
        LocalServer(lambda _: answer(302, headers={"location": target})) as server,
        open_guard(("127.0.0.1",), allow_private=True) as guard,
        pytest.raises(Rejected) as caught,
    ):
        guard.send("GET", server.url)
    assert caught.value.code == "egress"


# --------------------------------------------------------------------------------------------------------- what may go out


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/a b",
        "http://127.0.0.1/a\r\nX-Evil: 1",
        "http://127.0.0.1/\x00",
        "http://127.0.0.1/\ud800",
        "http://127.0.0.1\\@example.com/",
        "http://127.0.0.1:99999/",
        "http://127.0.0.1:0/",
        "http://[::1/",
    ],
)
def test_a_url_that_could_smuggle_is_refused(guard: Guard, url: str) -> None:
    with pytest.raises(Rejected):
        guard.send("GET", url)
    assert guard.calls == {}


@pytest.mark.parametrize(
    "headers", [{"A\r\nB": "1"}, {"A": "1\r\nB: 2"}, {"A": "\x00"}, {"A": "\ud800"}, {"": "1"}, {"A:": "1"}]
)
def test_a_header_that_could_smuggle_is_refused(guard: Guard, headers: dict[str, str]) -> None:
    with pytest.raises(Rejected):
        guard.send("GET", "http://127.0.0.1:9/", headers=headers)
    assert guard.calls == {}


def test_headers_of_the_connection_are_the_guards_own(guard: Guard) -> None:
    mine = {"Host": "evil.example", "Content-Length": "99", "Transfer-Encoding": "chunked", "Connection": "close"}
    with LocalServer(lambda _: answer()) as server:
        guard.send("POST", server.url, headers=mine, content=b"abc")
    sent = server.requests[0]
    assert (sent.headers["host"], sent.headers["content-length"], sent.content) == (server.url[7:], "3", b"abc")
    assert "transfer-encoding" not in sent.headers


@pytest.mark.parametrize(
    "url", ["ftp://127.0.0.1/", "http:///x", "/relative", "file:///etc/passwd", "http://u:p@127.0.0.1/"]
)
def test_only_plain_http_urls_are_fetched(guard: Guard, url: str) -> None:
    with pytest.raises(Rejected) as caught:
        guard.send("GET", url)
    assert caught.value.code == "egress"
    assert "u:p" not in str(caught.value)


def test_errors_hold_no_secrets() -> None:
    with LocalServer(lambda _: Failure.RESET) as server:
        url = f"{server.url}/bot-s3cr3t-value/send?access_token=12345&x=1"
        with (
            open_guard(allow_private=True, secrets=("s3cr3t-value",)) as guard,
            pytest.raises(ConnectorError) as caught,
        ):
            guard.send("POST", url)
    assert "s3cr3t" not in str(caught.value)
    assert "12345" not in str(caught.value)


# ----------------------------------------------------------------------------------------------------------------- proxy


def test_a_proxy_given_gets_the_whole_url() -> None:
    with (
        LocalServer(lambda _: answer(200, "by proxy")) as proxy,
        open_guard(proxy=f"http://me:pass@127.0.0.1:{proxy.port}") as guard,
    ):
        assert guard.send("GET", "http://api.example.com/x?y=1").json() == "by proxy"
    assert proxy.requests[0].url == "http://api.example.com/x?y=1"
    assert proxy.requests[0].headers["proxy-authorization"] == "Basic bWU6cGFzcw=="


@pytest.mark.parametrize(
    "host", ["169.254.169.254", "127.0.0.1", "2130706433", "0x7f.1", "localhost", "[::1]", "10.0.0.1"]
)
def test_behind_a_proxy_literal_private_addresses_are_still_refused(host: str) -> None:
    with LocalServer(lambda _: answer()) as proxy, open_guard(proxy=proxy.url) as guard, pytest.raises(Rejected):
        guard.send("GET", f"http://{host}/")
    assert proxy.requests == []


def test_proxies_of_the_environment_are_not_read(monkeypatch: pytest.MonkeyPatch, guard: Guard) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with LocalServer(lambda _: answer(200)) as server:
        assert guard.send("GET", server.url).status == 200


def test_a_message_answers_with_its_own_url(guard: Guard) -> None:
    with LocalServer(lambda _: answer()) as server:
        got: HttpResponse = guard.send("GET", f"{server.url}/a?b=c")
    assert got.url == f"{server.url}/a?b=c"
