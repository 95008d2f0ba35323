"""Who sees the page and the API of a hub without users: this machine, and what a proxy passes on counts as the world."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from starlette.routing import BaseRoute, Mount, Route

from hub.config.settings import Settings, unaddressed
from hub.flow.check import CONSOLE, try_connections
from hub.web.app import WebApp, shielded
from hub.web.caller import LOOPBACK, Networks, caller_of, is_local
from tests.hubs import Made

NewHub = Callable[..., Made]
STRANGER = "203.0.113.9"
EVERYWHERE = {"host": "0.0.0.0", "public_url": "http://hub.lan:8600"}
BEHIND = {"public_url": "https://hub.example"}


def scope(path: str = "/", *, peer: str = "127.0.0.1", method: str = "GET", **headers: str) -> dict[str, Any]:
    """A request as the server hands it over."""
    headers = {"host": "127.0.0.1:8600", "content-length": "0", **headers}
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    rest = {
        "query_string": b"",
        "client": (peer, 4242),
        "http_version": "1.1",
        "root_path": "",
        "raw_path": path.encode(),
    }
    return {"type": "http", "method": method, "path": path, "headers": raw, "scheme": "http", "server": None, **rest}


def ask(app: WebApp, asked: dict[str, Any]) -> int:
    """The status that an application answers with."""
    statuses: list[int] = []

    coming = iter([{"type": "http.request", "body": b"", "more_body": False}])

    async def receive() -> Any:
        return next(coming, {"type": "http.disconnect"})

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    asyncio.run(app(asked, receive, send))
    return statuses[0]


def with_web(made: Made, **web: object) -> WebApp:
    """The application of a hub with this `[web]`."""
    made.hub.settings = made.hub.settings.model_copy(update={"web": Settings.model_validate({"web": web}).web})
    return WebApp(made.hub)


def paths(routes: list[BaseRoute]) -> Iterator[tuple[str, str]]:
    """Every method and path that an application answers."""
    for route in routes:
        if isinstance(route, Route):
            yield from ((method, route.path) for method in route.methods or ())
        elif isinstance(route, Mount):
            yield "GET", f"{route.path}/hub.css"
        else:  # a router that was included
            yield from paths(route.original_router.routes)  # type: ignore[attr-defined]  # FastAPI's own kind


@pytest.mark.parametrize(
    ("web", "given"),
    [
        (EVERYWHERE, {"peer": STRANGER, "host": "hub.lan:8600"}),
        (EVERYWHERE, {"peer": STRANGER}),
        (EVERYWHERE, {"peer": "::ffff:203.0.113.9"}),
        (EVERYWHERE, {"x_forwarded_for": STRANGER}),
        (EVERYWHERE, {"host": "hub.lan:8600"}),
        (BEHIND, {"host": "hub.example", "x_forwarded_for": STRANGER}),
        (BEHIND, {}),
    ],
)
def test_beyond_this_machine_each_route_but_health_and_webhooks_is_closed(
    new_hub: NewHub, web: dict[str, str], given: dict[str, str]
) -> None:
    app = with_web(new_hub(), **web)
    found = {(method, path): ask(app, scope(path, method=method, **given)) for method, path in paths(app.pages.routes)}
    assert len(found) > 20
    opened = {path for (_, path), status in found.items() if status != 403}
    assert opened == {"/healthz", "/readyz", "/welcome/{token}", "/static/hub.css"}
    assert ask(app, scope("/in/nothing", method="POST", **given)) == 404


@pytest.mark.parametrize("web", [{}, {"host": "::1"}, EVERYWHERE, {**BEHIND, "console": "local"}])
def test_this_machine_sees_the_page(new_hub: NewHub, web: dict[str, str]) -> None:
    app = with_web(new_hub(), **web)
    assert [ask(app, scope(path)) for path in ("/", "/api/status", "/healthz")] == [200, 200, 200]


def test_an_open_console_is_open(new_hub: NewHub) -> None:
    app = with_web(new_hub(), **BEHIND, console="open")
    assert ask(app, scope("/", host="hub.example", x_forwarded_for=STRANGER)) == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"x_forwarded_for": "127.0.0.1"},
        {"forwarded": "for=127.0.0.1"},
        {"x_real_ip": "127.0.0.1"},
        {"x_forwarded_proto": "https"},
        {"x_envoy_external_address": "1.2.3.4"},
        {"via": "1.1 nginx"},
        {"cf_connecting_ip": "1.2.3.4"},
        {"cf_connecting_ipv6": "::1"},
        {"cdn_loop": "cloudflare"},
        {"fly_client_ip": "1.2.3.4"},
        {"x_azure_clientip": "1.2.3.4"},
        {"x_original_url": "/"},
        {"x_vercel_forwarded_for": "1.2.3.4"},
        {"tailscale_user_login": "ana@example.com"},
        {"ngrok_trace_id": "1"},
        {"wl_proxy_client_ip": "1.2.3.4"},
        {"x_varnish": "1"},
        {"remote_user": "ana"},
        {"host": "hub.example"},
        {"host": "10.0.0.5"},
        {"host": ""},
    ],
)
def test_what_a_proxy_passes_on_does_not_come_from_this_machine(headers: dict[str, str]) -> None:
    assert is_local(scope(), bound="127.0.0.1")
    assert not is_local(scope(**headers), bound="127.0.0.1")


@pytest.mark.parametrize(
    "name", ["user_agent", "x_amz_sns_message_type", "x_requested_with", "x_hub_signature_256", "x_request_id"]
)
def test_what_any_caller_sends_tells_of_no_proxy(name: str) -> None:
    assert is_local(scope(**{name: "1"}), bound="127.0.0.1")


def test_a_request_in_the_first_version_of_http_may_be_a_proxys() -> None:
    assert not is_local({**scope(), "http_version": "1.0"}, bound="127.0.0.1")


@pytest.mark.parametrize(
    ("peer", "forwarded", "caller"),
    [
        (STRANGER, "", STRANGER),
        (STRANGER, "127.0.0.1", ""),
        ("127.0.0.1", STRANGER, STRANGER),
        ("127.0.0.1", f"127.0.0.1, {STRANGER}", STRANGER),
        ("127.0.0.1", f"{STRANGER}, 127.0.0.1", STRANGER),
        ("127.0.0.1", "unknown", ""),
        ("127.0.0.1", "", "127.0.0.1"),
    ],
)
def test_a_caller_is_the_one_that_our_own_proxy_names(peer: str, forwarded: str, caller: str) -> None:
    headers = {"x_forwarded_for": forwarded} if forwarded else {}
    assert caller_of(scope(peer=peer, **headers), Networks(LOOPBACK)) == caller


@pytest.mark.parametrize(
    ("web", "readers"),
    [
        ({}, "machine"),
        ({"public_url": "http://localhost:8600"}, "machine"),
        (EVERYWHERE, "machine"),
        (BEHIND, "none"),
        ({**BEHIND, "console": "local"}, "machine"),
        ({"console": "open"}, "all"),
    ],
)
def test_the_readers_of_the_page_follow_from_where_the_hub_is_reached(web: dict[str, str], readers: str) -> None:
    assert Settings.model_validate({"web": web}).console_for == readers


@pytest.mark.parametrize(
    ("web", "told"), [({}, []), (EVERYWHERE, ["machine"]), (BEHIND, ["none"]), ({"console": "open"}, ["all"])]
)
def test_a_check_tells_who_sees_the_page(new_hub: NewHub, web: dict[str, str], told: list[str]) -> None:
    made = new_hub()
    with_web(made, **web)
    found = [one.message for one in try_connections(made.hub) if one.connection == "web.console"]
    assert found == [CONSOLE[one] for one in told]


@pytest.mark.parametrize(
    ("web", "wrong"),
    [({"host": "0.0.0.0"}, 1), ({"host": "192.0.2.7"}, 1), (EVERYWHERE, 0), ({}, 0), ({"host": "localhost"}, 0)],
)
def test_a_hub_that_others_reach_must_know_its_address(web: dict[str, str], wrong: int) -> None:
    found = unaddressed(Settings.model_validate({"web": web}))
    assert [one.path for one in found] == ["web.public_url"] * wrong


def test_the_shield_of_a_hub_knows_its_readers(new_hub: NewHub) -> None:
    made = new_hub()
    app = with_web(made, **EVERYWHERE)
    assert (shielded(app.pages, app.serving).readers, shielded(app.pages, app.serving).bound) == ("machine", "0.0.0.0")
