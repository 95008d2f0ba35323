"""The demo's people: each role without a log-in, on this machine, in what the demo's configuration says, and nowhere else."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from hub.config.people import DemoSection
from tests.hub.flow.accounts.people import make_user
from tests.hub.web.browser import Browser
from tests.hubs import Made

NewHub = Callable[..., Made]


def demo(made: Made, **web: Any) -> Browser:
    found = made.hub.settings.web.model_copy(update=web)
    made.hub.settings = made.hub.settings.model_copy(update={"demo": DemoSection(people=True), "web": found})
    browser = Browser(made)
    browser.app.serve(made.hub)
    return browser


def test_one_is_the_admin_first_and_then_whom_one_chooses(new_hub: NewHub) -> None:
    made = new_hub()
    browser = demo(made)
    page = browser.get("/").text
    assert "Demo: you are Ines Ito, admin" in page
    assert re.findall(r'name="name" value="(\w+)"', page) == ["ines", "max", "bea", "tom", "remi", "vera"]
    assert browser.press("/", "/demo/be", name="vera").headers["location"] == "/"
    page = browser.get("/").text
    assert "Demo: you are Vera Vogt, viewer" in page
    assert ">Admin<" not in page
    assert browser.get("/admin/users").status_code == 403


def test_what_is_done_bears_the_persons_name(new_hub: NewHub) -> None:
    made = new_hub()
    browser = demo(made)
    browser.press("/admin/users", "/admin/users", name="zoe", role="viewer", all_sources="on")
    assert made.hub.store.audit.recent(limit=1)[0]["actor"] == "ines"


def test_programs_at_this_machine_are_served_too(new_hub: NewHub) -> None:
    assert demo(new_hub()).get("/api/status").status_code == 200


def test_a_person_that_is_none_is_refused(new_hub: NewHub) -> None:
    assert demo(new_hub()).press("/", "/demo/be", name="eve").status_code == 404


@pytest.mark.parametrize(
    "web", [{"host": "0.0.0.0", "public_url": "http://hub.lan:8600"}, {"public_url": "https://hub.example"}]
)
def test_a_hub_that_others_reach_is_no_demo(new_hub: NewHub, web: dict[str, str]) -> None:
    made = new_hub()
    make_user(made.hub, "ada", "admin")
    browser = demo(made, **web)
    assert browser.get("/").status_code == 303
    assert [one.name for one in made.hub.store.users.all()] == ["ada"]


def test_what_a_proxy_passes_on_is_no_demo(new_hub: NewHub) -> None:
    made = new_hub()
    browser = demo(made)
    browser.get("/")
    answer = browser.get("/", **{"x-forwarded-for": "203.0.113.9"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")


def test_without_the_demos_word_there_is_no_way_past_the_log_in(new_hub: NewHub) -> None:
    made = new_hub()
    make_user(made.hub, "ines", "admin")
    browser = Browser(made)
    browser.app.serve(made.hub)
    browser.cookies.set("hub_persona", "ines", domain="127.0.0.1")
    assert browser.get("/").status_code == 303
    assert browser.get("/admin/users").status_code == 303
