"""Who may ask, and what a browser may do with the answer."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hub.config.settings import Settings
from hub.web.shield import LARGEST_FORM, POLICY, Shield, host_of
from tests.hub.web.browser import Browser
from tests.hubs import Made

NewHub = Callable[..., Made]


def shield(**web: object) -> Shield:
    """A shield before nothing."""
    settings = Settings.model_validate({"web": web})
    return Shield(None, host=settings.web.host, public_url=settings.public_url)  # type: ignore[arg-type]  # it is not asked


@pytest.mark.parametrize("path", ["/", "/api/status", "/deliveries", "/static/hub.css", "/static/live.js", "/nothing"])
def test_every_answer_has_the_policy(new_hub: NewHub, path: str) -> None:
    headers = Browser(new_hub()).get(path).headers
    assert headers["content-security-policy"] == POLICY
    assert (headers["x-content-type-options"], headers["referrer-policy"]) == ("nosniff", "no-referrer")


def test_pages_hold_nothing_that_the_policy_would_refuse(new_hub: NewHub) -> None:
    page = Browser(new_hub()).get("/").text
    assert not any(piece in page for piece in (" style=", "<style", " onclick=", "http://", "https://", "//cdn"))


def test_a_foreign_host_gets_no_page(new_hub: NewHub) -> None:
    browser = Browser(new_hub())
    assert browser.get("/api/status", host="evil.example:8600").status_code == 421
    assert browser.get("/healthz", host="evil.example:8600").status_code == 200


@pytest.mark.parametrize(
    ("host", "refused"),
    [
        ("127.0.0.1:8600", None),
        ("localhost:8600", None),
        ("LOCALHOST", None),
        ("[::1]:8600", None),
        ("evil.example:8600", 421),
        ("127.0.0.1.evil.example", 421),
        ("localhost@evil.example", 421),
        ("evil.example@localhost", 421),
        ("[::1].evil.example", 421),
        ("10.0.0.5", 421),
    ],
)
def test_only_own_hosts_are_answered(host: str, refused: int | None) -> None:
    found = shield().refusal({"path": "/", "method": "GET", "headers": [(b"host", host.encode())]})
    assert (found[0] if found else None) == refused


def test_the_public_url_and_the_bound_host_are_own_hosts() -> None:
    public = shield(host="hub.lan", public_url="https://Hub.Example/x")
    assert all(map(public.answers_to, ("hub.lan", "hub.example", "localhost")))
    assert not public.answers_to("10.0.0.5")


def test_bound_to_all_addresses_any_address_is_answered_and_no_name() -> None:
    everywhere = shield(host="0.0.0.0")
    assert everywhere.answers_to("10.0.0.5")
    assert not everywhere.answers_to("evil.example")


@pytest.mark.parametrize(
    ("header", "host"),
    [
        ("a.b:80", "a.b"),
        ("a.b.", "a.b"),
        ("[::1]:8", "::1"),
        ("", ""),
        (" a", ""),
        ("[::1", ""),
        ("a\\@b", ""),
        ("a@b", ""),
        ("a/b", ""),
        ("a?", ""),
        ("a:b", ""),
        ("[::1]a", ""),
        ("::1", ""),
    ],
)
def test_a_host_is_read_from_its_header(header: str, host: str) -> None:
    assert host_of(header) == host


@pytest.mark.parametrize(
    ("headers", "refused"),
    [
        ([(b"host", b"localhost"), (b"host", b"localhost")], 400),
        ([], 400),
        ([(b"host", b"localhost")], 411),
        ([(b"host", b"localhost"), (b"content-length", b"x")], 411),
        ([(b"host", b"localhost"), (b"content-length", str(LARGEST_FORM + 1).encode())], 413),
        ([(b"host", b"localhost"), (b"content-length", b"10")], None),
    ],
)
def test_a_form_has_one_host_and_a_small_length(headers: list[tuple[bytes, bytes]], refused: int | None) -> None:
    found = shield().refusal({"path": "/failed/retry", "method": "POST", "headers": headers})
    assert (found[0] if found else None) == refused
