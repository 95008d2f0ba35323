"""The log-in as a browser meets it: what stands behind it, cookies, forms, second factor, links, limits."""

from __future__ import annotations

import re
from collections.abc import Callable

import httpx
import pyotp
import pytest

from hub.core.access import Actor, NotAllowed
from hub.flow.accounts import entrance
from hub.flow.accounts.onetime import first_link
from hub.flow.actions import keys, users
from hub.flow.actions.users import NewUser, Rights
from hub.web.console.entrance import own_path
from tests.hub.flow.accounts.people import PASSWORD, make_user
from tests.hub.web.browser import Browser
from tests.hubs import Made

NewHub = Callable[..., Made]
OTHER = "eight brown owls sleep"
ADMIN = Actor("ada", "console", "admin")


@pytest.fixture
def made(new_hub: NewHub) -> Made:
    """A hub with an agent, bea."""
    made = new_hub()
    make_user(made.hub)
    return made


def come_in(made: Made, name: str = "bea", password: str = PASSWORD, **more: str) -> tuple[Browser, httpx.Response]:
    """A browser that has sent the log-in."""
    browser = Browser(made)
    return browser, browser.press("/login", "/login", name=name, password=password, **more)


def session_cookie(answer: httpx.Response) -> str:
    (cookie,) = [one for one in answer.headers.get_list("set-cookie") if "hub_session" in one]
    return cookie


@pytest.mark.parametrize("path", ["/", "/signals/x", "/deliveries", "/failed", "/me", "/admin/users", "/admin/audit"])
def test_a_page_leads_to_the_log_in_and_back(made: Made, path: str) -> None:
    answer = Browser(made).get(path)
    assert answer.status_code == 303
    assert answer.headers["location"] == ("/login" if path == "/" else f"/login?next={path.replace('/', '%2F')}")


@pytest.mark.parametrize("path", ["/api/signals", "/api/status", "/metrics", "/openapi.json", "/api/nothing"])
def test_a_program_hears_401_and_how_to_come_in(made: Made, path: str) -> None:
    answer = Browser(made).get(path)
    assert answer.status_code == (404 if path.endswith("nothing") else 401)
    assert answer.status_code == 404 or answer.headers["www-authenticate"] == "Bearer"


def test_who_logs_in_goes_where_it_wanted(made: Made) -> None:
    browser, answer = come_in(made, next="/deliveries?state=dead")
    assert (answer.status_code, answer.headers["location"]) == (303, "/deliveries?state=dead")
    page = browser.get("/")
    assert page.status_code == 200
    assert ">Bea</summary>" in page.text
    assert ">Admin<" not in page.text


@pytest.mark.parametrize(
    "next_",
    [
        "//evil.example",
        "/\\evil.example",
        "https://evil.example",
        "javascript:alert(1)",
        "\\\\evil",
        "/a\nSet-Cookie: x=1",
        "",
        "/ok\x00",
        "http:/x",
        "///evil.example",
    ],
)
def test_no_log_in_leads_to_another_site(made: Made, next_: str) -> None:
    assert own_path(next_) == "/"
    if "\x00" not in next_:
        _, answer = come_in(made, next=next_)
        assert answer.headers["location"] == "/"


def test_what_is_wrong_is_said_once_for_all_and_the_name_stays(made: Made) -> None:
    pages = [come_in(made, name, "wrong")[1] for name in ("bea", "bob")]
    assert [one.status_code for one in pages] == [401, 401]
    errors = [re.search(r'id="error">(.*?)</p>', one.text) for one in pages]
    assert errors[0] and errors[1] and errors[0][1] == errors[1][1]
    assert 'value="bea"' in pages[0].text
    assert "wrong" not in pages[0].text.split("</form>")[0].split('name="password"')[1]


def test_too_many_tries_say_when_to_come_again(made: Made) -> None:
    for _ in range(5):
        come_in(made, "bea", "wrong")
    answer = come_in(made)[1]
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) >= 15


def test_the_session_is_new_with_each_log_in(made: Made) -> None:
    browser = Browser(made)
    browser.cookies.set("hub_session", "planted", domain="127.0.0.1")
    browser.press("/login", "/login", name="bea", password=PASSWORD)
    first = browser.cookies["hub_session"]
    assert first != "planted"
    assert browser.get("/").status_code == 200


def test_the_cookie_is_out_of_reach_for_scripts_and_other_sites(made: Made) -> None:
    cookie = session_cookie(come_in(made)[1])
    assert {"HttpOnly", "SameSite=lax", "Path=/"} <= set(cookie.split("; "))
    assert "Secure" not in cookie


def test_by_https_the_cookie_is_the_hosts_alone(made: Made) -> None:
    web = made.hub.settings.web.model_copy(update={"public_url": "https://hub.example"})
    made.hub.settings = made.hub.settings.model_copy(update={"web": web})
    browser = Browser(made)
    browser.app.serve(made.hub)
    try:
        base = "https://hub.example"
        page = browser.get("/login", base=base)
        token = re.search(r'name="token" value="([\w-]+)"', page.text)
        assert token
        data = {"token": token[1], "name": "bea", "password": PASSWORD}
        answer = browser.ask("POST", "/login", base=base, headers={"origin": base}, data=data)
        cookie = session_cookie(answer)
    finally:
        browser.app.serving._has_users = False
    assert cookie.startswith("__Host-hub_session=")
    assert "Secure" in cookie


def test_a_form_without_the_sessions_token_is_refused(made: Made) -> None:
    browser, _ = come_in(made)
    other, _ = come_in(made)
    token = re.search(r'name="token" value="([\w-]+)"', other.get("/me").text)
    assert token
    for fields in ({}, {"token": ""}, {"token": token[1]}):
        assert browser.post("/me/sessions/end", fields).status_code == 403
    assert browser.post("/me/sessions/end", {"token": token[1]}, origin="https://evil.example").status_code == 403


def test_a_log_out_ends_the_session_at_the_hub(made: Made) -> None:
    browser, _ = come_in(made)
    kept = browser.cookies["hub_session"]
    assert browser.press("/me", "/logout").headers["location"] == "/login"
    browser.cookies.set("hub_session", kept, domain="127.0.0.1")
    assert browser.get("/").status_code == 303


def test_another_site_takes_no_session_away(made: Made) -> None:
    answer = Browser(made).post("/logout", {}, origin="https://evil.example")  # without the cookie, which is Lax
    assert "set-cookie" not in answer.headers


def test_a_second_factor_stands_between(made: Made) -> None:
    browser, _ = come_in(made)
    page = browser.get("/me/second-factor").text
    secret = re.search(r'name="secret" value="(\w+)"', page)
    assert secret
    totp = pyotp.TOTP(secret[1])
    shown = browser.press("/me", "/me/second-factor", secret=secret[1], code=totp.at(made.clock()))
    assert len(re.findall(r'class="secret">([A-Z0-9-]{19})<', shown.text)) == 10
    made.clock.pass_(seconds=60)
    fresh, answer = come_in(made, next="/deliveries")
    assert answer.headers["location"] == "/login/code?next=%2Fdeliveries"
    assert fresh.get("/").headers["location"] == "/login/code"
    assert fresh.press("/login/code", "/login/code", code="000000").status_code == 401
    done = fresh.press("/login/code", "/login/code", code=totp.at(made.clock()), next="/deliveries")
    assert (done.status_code, done.headers["location"]) == (303, "/deliveries")
    assert fresh.get("/").status_code == 200


@pytest.mark.parametrize("secret", ["!", "", "A" * 5000, "A", "\u00e9" * 32])
def test_a_secret_that_is_none_is_refused_and_another_one_shown(made: Made, secret: str) -> None:
    answer = come_in(made)[0].press("/me", "/me/second-factor", secret=secret, code="123456")
    assert answer.status_code == 422
    assert re.search(r'name="secret" value="[A-Z2-7]{32}"', answer.text)


def test_an_authenticator_takes_anothers_place_by_the_password_alone(made: Made) -> None:
    browser, _ = come_in(made)
    first, second = "A" * 32, "B" * 32
    assert (
        browser.press("/me", "/me/second-factor", secret=first, code=pyotp.TOTP(first).at(made.clock())).status_code
        == 200
    )
    fields = {"secret": second, "code": pyotp.TOTP(second).at(made.clock())}
    assert browser.press("/me", "/me/second-factor", **fields).status_code == 422
    assert browser.press("/me", "/me/second-factor", **fields, password=PASSWORD).status_code == 200


def test_the_own_password_cannot_be_guessed_by_who_holds_the_session(made: Made) -> None:
    browser, _ = come_in(made)
    for _ in range(5):
        browser.press("/me", "/me/recovery", password="no")
    assert browser.press("/me", "/me/recovery", password=PASSWORD).status_code == 429


def test_a_role_that_must_have_a_second_factor_sets_it_up_first(made: Made) -> None:
    accounts = made.hub.settings.accounts.model_copy(update={"second_factor": ("agent",)})
    made.hub.settings = made.hub.settings.model_copy(update={"accounts": accounts})
    browser, _ = come_in(made)
    assert browser.get("/").headers["location"] == "/me/second-factor"
    assert browser.get("/api/status").status_code == 403
    assert browser.get("/me/second-factor").status_code == 200


def test_the_first_admin_comes_by_the_link_and_closes_the_hub(new_hub: NewHub) -> None:
    made = new_hub()
    path = (first_link(made.hub) or "").removeprefix("http://127.0.0.1:8600")
    browser = Browser(made)
    browser.app.serve(made.hub)
    assert browser.get("/").status_code == 200  # on this machine the hub is open as long as there is no user
    assert browser.get(path).status_code == 200
    answer = browser.press(path, path, name="Ines", full_name="Ines Ito", password=PASSWORD, again=PASSWORD)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert ">Admin<" in browser.get("/").text
    assert Browser(made).get("/").status_code == 303
    assert Browser(made).get(path).status_code == 410


def test_a_password_that_is_typed_differently_uses_no_link_up(made: Made) -> None:
    _, link = users.invite(made.hub, ADMIN, NewUser("tom"), Rights("analyst"))
    path = link.removeprefix("http://127.0.0.1:8600")
    browser = Browser(made)
    wrong = browser.press(path, path, password=PASSWORD, again=OTHER)
    assert (wrong.status_code, "differ" in wrong.text) == (422, True)
    assert browser.press(path, path, password=PASSWORD, again=PASSWORD).status_code == 303


def test_a_key_opens_the_api_and_no_page_and_needs_no_form(made: Made) -> None:
    user = made.hub.store.users.named("bea")
    assert user is not None
    text = keys.make(made.hub, user.actor("console"), "reports", ["signals:read"])
    browser = Browser(made)
    assert browser.get("/api/signals", authorization=f"Bearer {text}").status_code == 200
    assert browser.get("/api/signals", authorization=f"Bearer {text}x").status_code == 401
    assert browser.get("/me", authorization=f"Bearer {text}").status_code == 403


@pytest.mark.parametrize(("scope", "status"), [("metrics:read", 200), ("signals:read", 200), ("people:read", 403)])
def test_prometheus_comes_with_a_key_of_its_scope(made: Made, scope: str, status: int) -> None:
    user = made.hub.store.users.named("bea")
    assert user is not None
    text = keys.make(made.hub, user.actor("console"), "prometheus", [scope])
    assert Browser(made).get("/metrics", authorization=f"Bearer {text}").status_code == status


def test_an_admin_invites_changes_closes_and_opens(made: Made) -> None:
    make_user(made.hub, "ada", "admin")
    browser, _ = come_in(made, "ada")
    shown = browser.press("/admin/users", "/admin/users", name="tom", role="analyst", all_sources="on")
    assert re.search(r"http://127\.0\.0\.1:8600/welcome/[\w-]{43}", shown.text)
    for act, word in (("", "changed"), ("/disable", "disabled"), ("/enable", "enabled")):
        answer = browser.press("/admin/users", f"/admin/users/tom{act}", role="viewer")
        assert answer.headers["location"] == f"/admin/users?said={word}"
    tom = made.hub.store.users.named("tom")
    assert tom is not None
    assert (tom.role, tom.sources, tom.disabled_at) == ("viewer", frozenset(), None)
    page = browser.get("/admin/audit").text
    assert page.index("user enabled") < page.index("user disabled") < page.index("invite")


def test_the_last_admin_is_told_so(made: Made) -> None:
    make_user(made.hub, "ada", "admin")
    browser, _ = come_in(made, "ada")
    answer = browser.press("/admin/users", "/admin/users/ada/disable")
    assert (answer.status_code, "last admin" in answer.text) == (422, True)


def test_a_key_is_shown_once(made: Made) -> None:
    browser, _ = come_in(made)
    shown = browser.press("/me", "/me/keys", name="nightly", scope="signals:read", days="30")
    text = re.search(r"hub_[\w-]{43}", shown.text)
    assert text
    assert text[0] not in browser.get("/me").text
    assert text[0][:8] in browser.get("/me").text
    assert browser.get("/api/signals", authorization=f"Bearer {text[0]}").status_code == 200


def test_a_key_makes_no_way_in_that_would_outlive_it(made: Made) -> None:
    ada = make_user(made.hub, "ada", "admin")
    text = keys.make(made.hub, ada.actor("console"), "x", ["admin"])
    found = entrance.key_of(made.hub, text)
    assert found is not None
    program = found.user.actor("api", frozenset(found.scopes))
    with pytest.raises(NotAllowed, match="no key may"):
        keys.make(made.hub, program, "another", ["admin"])
    with pytest.raises(NotAllowed, match="no key may"):
        users.reset(made.hub, program, "ada")


def test_a_page_that_shows_a_secret_is_kept_by_no_browser(made: Made) -> None:
    browser, _ = come_in(made)
    shown = browser.press("/me", "/me/keys", name="nightly", scope="export", days="30")
    assert [one.headers["cache-control"] for one in (shown, browser.get("/me"))] == ["no-store", "private, no-cache"]
