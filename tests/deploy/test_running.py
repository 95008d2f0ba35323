"""The units' commands run as written, and the hub behind nginx and Caddy: webhooks come in, people see the page, limits hold."""

from __future__ import annotations

import base64
import contextlib
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.deploy.material import program, run
from tests.deploy.proxies import (
    EVENTS,
    PAUSE_S,
    PROXIES,
    Proxy,
    arrivals,
    caddy_environment,
    caddy_files,
    nginx,
    nginx_files,
    teller,
)
from tests.deploy.running import PARTS, Parts, ask, signed, started
from tests.servers import free_port, is_alive, wait_for

pytestmark = pytest.mark.servers
LOGIN = {"authorization": "Basic " + base64.b64encode(b"hub:open sesame").decode()}
LARGEST = 2 * 1024 * 1024


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parts]:
    with started(tmp_path_factory.mktemp("parts")) as running:
        yield running


@pytest.fixture(scope="module")
def proxies(parts: Parts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Proxy]]:
    with contextlib.ExitStack() as stack:
        yield {
            name: stack.enter_context(start(tmp_path_factory.mktemp(name), parts.port))
            for name, start in PROXIES.items()
        }


@pytest.fixture(params=list(PROXIES))
def proxy(request: pytest.FixtureRequest, proxies: dict[str, Proxy]) -> Proxy:
    return proxies[request.param]


def test_the_units_commands_come_up_ready(parts: Parts) -> None:
    assert set(parts.running) == set(PARTS)
    assert ask(parts.port, "GET", "/healthz")[0] == 200


def test_nginx_finds_nothing_wrong_with_its_file(tmp_path: Path) -> None:
    config = nginx_files(tmp_path, before=8600, port=free_port())
    told = run(program("nginx"), "-t", "-e", tmp_path / "error.log", "-c", config)
    assert told.returncode == 0, told.stderr
    assert "warn" not in told.stderr


def test_caddy_finds_nothing_wrong_with_its_file(tmp_path: Path) -> None:
    config = caddy_files(tmp_path, before=8600, port=free_port())
    told = run(
        program("caddy"), "validate", "--config", config, "--adapter", "caddyfile", **caddy_environment(tmp_path)
    )
    assert told.returncode == 0, told.stderr


def test_a_signed_webhook_comes_in_by_the_proxy_and_is_seen_on_the_page(proxy: Proxy) -> None:
    number = 10 + list(PROXIES).index(proxy.name)
    headers, body = signed(number)
    assert proxy.ask("POST", "/in/shop", headers, body=body)[0] == 202
    wait_for(lambda: f"message {number}" in proxy.ask("GET", "/", LOGIN)[1])


def test_a_webhook_without_a_signature_is_refused_by_the_hub(proxy: Proxy) -> None:
    assert proxy.ask("POST", "/in/shop", body=signed(1)[1])[0] == 401


def test_a_body_of_almost_the_limit_comes_through_as_it_was_signed(proxy: Proxy) -> None:
    headers, body = signed(20 + list(PROXIES).index(proxy.name), letters=LARGEST - 200)
    assert proxy.ask("POST", "/in/shop", headers, body=body)[0] == 202


def test_a_body_over_the_limit_is_refused(proxy: Proxy) -> None:
    headers, body = signed(2, letters=2 * LARGEST)
    assert proxy.ask("POST", "/in/shop", headers, body=body)[0] in {
        413,
        0,
    }  # 0: it hung up while the body was still sent


def test_headers_over_the_limit_are_refused(proxy: Proxy) -> None:
    headers = {**signed(3)[0], **{f"x-{number}": "y" * 4000 for number in range(20)}}
    assert proxy.ask("POST", "/in/shop", headers, body=b"{}")[0] in {400, 431}


@pytest.mark.parametrize("path", ["/", "/deliveries", "/api/status"])
def test_the_page_is_shown_by_the_proxy_to_those_who_log_in(proxy: Proxy, path: str) -> None:
    assert [proxy.ask("GET", path, headers)[0] for headers in ({}, LOGIN)] == [401, 200]


@pytest.mark.parametrize("path", ["/readyz", "/metrics"])
def test_health_is_not_shown_to_the_world_by_caddy(proxies: dict[str, Proxy], path: str) -> None:
    assert proxies["caddy"].ask("GET", path, LOGIN)[0] == 403


@pytest.mark.parametrize(("place", "status"), [("127.0.0.1", 200), ("127.0.0.2", 403)])
def test_nginx_shows_health_to_its_own_machine_only(proxies: dict[str, Proxy], place: str, status: int) -> None:
    with contextlib.closing(proxies["nginx"].connect()) as connection:
        connection.source_address = (place, 0)
        connection.request("GET", "/healthz")
        assert connection.getresponse().status == status


def test_a_flood_from_one_address_is_told_to_come_again(parts: Parts, tmp_path: Path) -> None:
    with nginx(tmp_path, parts.port) as own, ThreadPoolExecutor(20) as pool:
        told = [one for some in pool.map(lambda _: calls(own, 25), range(20)) for one in some]
    assert set(told) == {(404, None), (429, "5")}


def calls(proxy: Proxy, count: int) -> list[tuple[int, str | None]]:
    """Call so often on one connection; each time the status, and when to come again."""
    with contextlib.closing(proxy.connect()) as connection:
        return [post(connection) for _ in range(count)]


def post(connection: HTTPConnection) -> tuple[int, str | None]:
    connection.request("POST", "/in/nothing")
    answer = connection.getresponse()
    answer.read()
    return answer.status, answer.getheader("retry-after")


@pytest.mark.parametrize("name", list(PROXIES))
def test_events_come_through_when_they_happen(name: str, tmp_path: Path) -> None:
    with teller() as port, PROXIES[name](tmp_path, port) as before:
        came = arrivals(before, "/live", LOGIN)
    assert [at for number, at in enumerate(came) if at > PAUSE_S * number + 1] == []
    assert len(came) == EVENTS


def test_each_part_ends_calmly_when_systemd_stops_it(tmp_path: Path) -> None:
    with started(tmp_path) as running:
        pids = [process.pid for process in running.running.values()]
        assert set(running.end().values()) <= {0, -signal.SIGTERM}
    assert not any(map(is_alive, pids))
    assert "Traceback" not in (tmp_path / "log").read_text()
