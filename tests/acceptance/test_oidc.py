"""The whole log-in at a real provider of identities (node-oidc-provider, certified): groups to roles, and the end of sessions."""

from __future__ import annotations

import html
import os
import re
from collections.abc import Callable, Iterator
from urllib.parse import urljoin

import httpx
import pytest

from hub.config.people import OidcSection
from hub.core.accounts import User
from hub.runtime import system_clock
from tests.acceptance.servers import Server
from tests.hub.web.browser import ORIGIN, Browser
from tests.hubs import Made
from tests.servers import free_port

NewHub = Callable[..., Made]
pytestmark = pytest.mark.servers
BACK = f"{ORIGIN}/login/oidc/back"


@pytest.fixture(scope="session")
def provider() -> Iterator[str]:
    """The issuer of a running provider that knows the hub."""
    port = free_port()
    os.environ |= {"PORT": str(port), "REDIRECT": BACK}
    issuer = f"http://127.0.0.1:{port}"
    address = f"{issuer}/.well-known/openid-configuration"

    def is_up() -> bool:
        try:
            return httpx.get(address, timeout=2).status_code == 200
        except httpx.HTTPError:
            return False

    try:
        with Server("oidc_provider.sh", "oidcp/node_modules/oidc-provider/package.json").running(is_up):
            yield issuer
    finally:
        for name in ("PORT", "REDIRECT"):
            del os.environ[name]


@pytest.fixture
def made(new_hub: NewHub, provider: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Made]:
    """A hub that has the provider: group admins is admin, group agents is agent."""
    monkeypatch.setenv("HUBBUB_OIDC_SECRET", "hub-secret")
    made = new_hub()
    written = {
        "issuer": provider,
        "client_id": "hub",
        "client_secret": {"env": "HUBBUB_OIDC_SECRET"},
        "roles": {"admins": "admin", "agents": "agent"},
        "allow_private": True,
    }
    made.hub.settings = made.hub.settings.model_copy(update={"oidc": OidcSection.model_validate(written)})
    made.clock.time = system_clock()  # tokens have times of the real clock
    yield made
    Browser(made).app.serving.provider.close()


def at_provider(url: str, name: str) -> str:
    """Log in on the provider's own pages; returns the address at which it sends the browser back."""
    with httpx.Client(follow_redirects=False, timeout=20) as browser:
        answer = browser.get(url)
        for _ in range(15):
            if answer.is_redirect:
                onward = urljoin(str(answer.url), answer.headers["location"])
                if onward.startswith(BACK):
                    return onward
                answer = browser.get(onward)
                continue
            form = re.search(r"<form[^>]*>.*?</form>", answer.text, re.DOTALL)
            assert form, answer.text[:300]
            action = re.search(r'action="([^"]*)"', form[0])
            given = {}
            for tag in re.findall(r"<(?:input|button)[^>]*>", form[0]):
                if field := re.search(r'name="([^"]+)"', tag):
                    value = re.search(r'value="([^"]*)"', tag)
                    given.setdefault(field[1], html.unescape(value[1]) if value else "")
            given |= {field: name for field in ("login", "username", "password") if field in given}
            answer = browser.post(urljoin(str(answer.url), html.unescape(action[1]) if action else ""), data=given)
    raise AssertionError("the provider never sent the browser back")


def come_in(made: Made, name: str) -> tuple[Browser, httpx.Response]:
    browser = Browser(made)
    browser.app.serve(made.hub)
    begun = browser.get("/login/oidc?next=%2Fdeliveries")
    assert begun.status_code == 303
    return browser, browser.get(at_provider(begun.headers["location"], name).removeprefix(ORIGIN))


def user_of(made: Made, name: str) -> User:
    user = made.hub.store.users.named(name)
    assert user is not None
    return user


def test_groups_are_roles_and_the_browser_goes_on_where_it_wanted(made: Made) -> None:
    for name, role in (("alice", "admin"), ("bob", "agent")):
        browser, answer = come_in(made, name)
        assert (answer.status_code, answer.headers["location"]) == (303, "/deliveries"), answer.text
        assert browser.get("/deliveries").status_code == 200
        assert (user_of(made, name).role, user_of(made, name).has_password) == (role, False)


def test_a_person_without_a_group_that_has_a_role_does_not_come_in(made: Made) -> None:
    _, answer = come_in(made, "mallory")
    assert (answer.status_code, "none of your groups" in answer.text) == (422, True)
    assert made.hub.store.users.all() == []


def test_the_second_log_in_is_the_same_user_and_a_local_one_of_that_name_another(made: Made) -> None:
    from tests.hub.flow.accounts.people import make_user

    make_user(made.hub, "bob", "viewer")
    for _ in range(2):
        come_in(made, "bob")
    assert [(one.name, one.role) for one in made.hub.store.users.all()] == [("bob", "viewer"), ("bob.2", "agent")]


def test_an_answer_that_was_not_asked_for_by_this_browser_is_refused(made: Made) -> None:
    browser = Browser(made)
    browser.app.serve(made.hub)
    mine, theirs = browser.get("/login/oidc"), Browser(made).get("/login/oidc")
    assert mine.status_code == 303
    back = at_provider(theirs.headers["location"], "alice").removeprefix(ORIGIN)
    assert browser.get(back).status_code == 502
    assert Browser(made).get(back).status_code == 502


def test_a_log_out_ends_the_session_at_the_provider_too(made: Made) -> None:
    browser, _ = come_in(made, "alice")
    answer = browser.press("/deliveries", "/logout")
    assert answer.headers["location"].startswith(f"{made.hub.settings.oidc.issuer}/session/end?client_id=hub&")
    assert browser.get("/deliveries").status_code == 303
