"""Every route, read from the application, with every role, a key and a foreign source: what may be seen is, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from starlette.routing import BaseRoute, Mount, Route

from hub.core.access import ROLES, Role
from hub.core.accounts import KEY_SCOPES
from hub.core.keys import signal_key
from hub.flow.accounts import entrance
from hub.flow.actions import keys
from tests.hub.flow.accounts.people import HERE, make_user
from tests.hub.web.browser import Browser
from tests.hubs import Made

NewHub = Callable[..., Made]
OPEN = {
    "/healthz",
    "/readyz",
    "/login",
    "/login/code",
    "/logout",
    "/welcome/{token}",
    "/static",
    "/login/oidc",
    "/login/oidc/back",
    "/login/oidc/ended",
}
"""What stands before the log-in."""
FOREIGN, PRIVATE = "wombat gazette acme", "between us: acme quokka"
TELLTALE = re.compile("wombat|gazette|other-source|zoe_quill", re.IGNORECASE)
SECRET = re.compile("quokka", re.IGNORECASE)
NAMED = re.compile(r"Ana Smith|@?ana_smith|ana@mail\.example|555 0199 22", re.IGNORECASE)
TEXT = "acme: call me at 555 0199 22 or ana@mail.example, says Ana Smith"
QUERIES = {
    "/": ["", "?q=wombat", "?q=acme", "?q=ana_smith"],
    "/api/signals": ["", "?q=wombat", "?network=other", "?q=ana@mail"],
}


def routes(found: list[BaseRoute]) -> Iterator[tuple[str, str]]:
    """Every method and path that an application answers, with what each router puts before its own."""
    for route in found:
        if isinstance(route, Route):
            yield from ((method, route.path) for method in route.methods or () if method != "HEAD")
        elif isinstance(route, Mount):
            yield "GET", route.path
        else:
            yield from routes(route.original_router.routes)  # type: ignore[attr-defined]  # FastAPI's own kind


@pytest.fixture
def made(new_hub: NewHub) -> Made:
    """A hub that heard three posts: one of Ana's by `lines`, a direct message, and one by another source."""
    made = new_hub()
    author = {"by": "ana_smith", "named": "Ana Smith"}
    made.say({"id": "1", "text": TEXT, **author}, {"id": "2", "text": PRIVATE, "visibility": "direct", **author})
    made.say({"id": "3", "text": FOREIGN, "by": "zoe_quill"}, {"broken": "wombat"}, source="other-source")
    made.run()
    return made


def paths_of(browser: Browser) -> list[tuple[str, str]]:
    return sorted(set(routes(browser.app.pages.routes)))


def filled(path: str, made: Made, foreign: bool) -> str:
    """A path with keys and numbers of what is there."""
    key = signal_key("lines", "3" if foreign else "1")
    rows = made.hub.store.outbox.recent(signal_key=key)
    number = rows[0]["id"] if rows else 0
    raws = made.hub.store.inbox.failed()
    raw = raws[0]["id"] if raws else 0
    return (
        path.replace("{key}", key)
        .replace("{number}", str(raw if "failed" in path else number))
        .replace("{name}", "adm")
    )


def logged_in(made: Made, role: Role, sources: frozenset[str] | None = frozenset({"lines"})) -> Browser:
    browser = Browser(made)
    user = made.hub.store.users.named("u") or make_user(made.hub, "u", role, sources=sources)
    browser.cookies.set("hub_session", entrance.enter(made.hub, user, HERE, by="test").token, domain="127.0.0.1")
    return browser


def test_each_route_but_those_on_the_way_in_stands_behind_the_log_in(made: Made) -> None:
    make_user(made.hub, "adm", "admin")
    browser = Browser(made)
    found = paths_of(browser)
    assert len(found) > 40
    opened = set()
    for method, path in found:
        answer = browser.ask(method, filled(path, made, foreign=False), headers={"origin": "http://127.0.0.1:8600"})
        if answer.status_code not in (401, 303) or (
            path not in OPEN and answer.status_code == 303 and "/login" not in answer.headers["location"]
        ):
            opened.add(path)
        assert not (TELLTALE.search(answer.text) or SECRET.search(answer.text)), path
    assert opened <= OPEN


@pytest.mark.parametrize("role", ROLES)
def test_no_role_reads_of_a_source_that_it_does_not_see(made: Made, role: Role) -> None:
    make_user(made.hub, "adm", "admin")
    browser = logged_in(made, role)
    own = []
    for method, path in paths_of(browser):
        if method != "GET" or path == "/static":
            continue
        for foreign in (False, True):
            for query in QUERIES.get(path, [""]):
                answer = browser.get(filled(path, made, foreign=foreign) + query)
                shown = answer.text.replace("wombat", "", answer.text.count('value="wombat"'))
                assert not TELLTALE.search(shown), (path, query, TELLTALE.search(shown))
                own += [path] if "acme: call me" in answer.text else []
    assert {"/", "/signals/{key}", "/api/signals", "/api/signals/{key}", "/api/explain/{key}"} <= set(own)


@pytest.mark.parametrize("role", ROLES)
def test_the_same_pages_tell_a_role_that_sees_all_sources_of_each(made: Made, role: Role) -> None:
    """What the walk above does not find is there to be found."""
    make_user(made.hub, "adm", "admin")
    browser = logged_in(made, role, sources=None)
    told = set()
    for method, path in paths_of(browser):
        if method == "GET" and path != "/static":
            told |= {path} if TELLTALE.search(browser.get(filled(path, made, foreign=True)).text) else set()
    assert {"/", "/signals/{key}", "/deliveries/{number}", "/api/deliveries/{number}"} <= told
    assert {"/api/signals", "/api/signals/{key}", "/api/explain/{key}"} <= told
    assert told.issuperset({"/failed", "/failed/{number}"}) is (role in ("agent", "manager", "admin"))


@pytest.mark.parametrize("role", ROLES)
def test_direct_messages_and_names_are_for_those_who_may(made: Made, role: Role) -> None:
    make_user(made.hub, "adm", "admin")
    browser = logged_in(made, role, sources=None)
    may = role in ("agent", "manager", "admin")
    texts = []
    for method, path in paths_of(browser):
        if method == "GET" and path != "/static":
            for number in ("1", "2"):
                key = signal_key("lines", number)
                texts.append(
                    browser.get(path.replace("{key}", key).replace("{number}", "1").replace("{name}", "adm")).text
                )
    whole = "\n".join(texts)
    assert bool(SECRET.search(whole)) is may
    assert bool(NAMED.search(whole)) is may, NAMED.search(whole)
    assert ("A. S." in whole) is not may
    assert FOREIGN in whole  # of all sources this role sees what is public


@pytest.mark.parametrize("role", ROLES)
def test_figures_count_what_is_seen(made: Made, role: Role) -> None:
    browser = logged_in(made, role)
    status = browser.json("/api/status")
    assert status["signals"]["total"] == (2 if role in ("agent", "manager", "admin") else 1)
    assert status["raw"]["failed"] == 0
    assert sum(sum(one.values()) for one in status["deliveries"].values()) == len(
        browser.json("/api/deliveries")["deliveries"]
    )


@pytest.mark.parametrize("role", ROLES)
def test_nothing_is_changed_by_a_role_that_may_not(made: Made, role: Role) -> None:
    make_user(made.hub, "adm", "admin")
    browser = logged_in(made, role)
    foreign = made.hub.store.outbox.recent(signal_key=signal_key("lines", "3"))[0]["id"]
    for act in ("/deliveries/{}/retry", "/deliveries/{}/discard", "/replies/{}/approve", "/replies/{}/refuse"):
        assert browser.press("/me", act.format(foreign), note="x").status_code in (403, 404), act
    before = made.hub.store.outbox.counts()
    browser.press("/me", "/deliveries/discard", state="delivered", note="x")
    assert made.hub.store.outbox.counts() == before
    for path in ("/admin/users/adm", "/admin/users/adm/disable", "/admin/users/adm/reset", "/admin/users"):
        status = browser.press("/me", path, name="eve", role="admin").status_code
        assert status == 403 or role == "admin", path


@pytest.mark.parametrize("scope", KEY_SCOPES)
def test_a_key_does_what_its_scope_says_within_its_owners_sight(made: Made, scope: str) -> None:
    user = make_user(made.hub, "u", "admin", sources=frozenset({"lines"}))
    text = keys.make(made.hub, user.actor("console"), "x", [scope])
    browser = Browser(made)
    found = {
        path: browser.get(filled(path, made, foreign=False), authorization=f"Bearer {text}")
        for _, path in paths_of(browser)
    }
    assert not [path for path, answer in found.items() if TELLTALE.search(answer.text)]
    reads = {"signals:read", "admin"}
    assert (found["/api/signals"].status_code == 200) is (scope in reads)
    assert (found["/admin/users"].status_code == 200) is (scope == "admin")
