"""Records of a look-alike as pages that people work on."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest

from hub.testkit.sandbox import Call, Refused
from hub.testkit.sandbox.pages.forms import back_to, posted, record_form


def form(**values: str) -> Call:
    return Call("POST", "/", {}, {}, urlencode(values).encode())


def test_what_a_record_holds_is_shown_escaped() -> None:
    page = record_form("<b>", {"Name": "it's <i>"}, winners={"'7'": "<u>"}).body.decode()
    assert "<b>" not in page.partition("<h1>")[2]
    assert "name='field.Name' value='it&#x27;s &lt;i&gt;'" in page
    assert "&lt;u&gt;" in page


def test_what_is_fixed_can_only_be_read() -> None:
    page = record_form("A", {"Id": "1", "Name": None}, fixed=("Id",)).body.decode()
    assert "field.Id" not in page
    assert "name='field.Name' value=''" in page


def test_without_others_there_is_nothing_to_merge_into() -> None:
    assert "value='merge'" not in record_form("A", {}).body.decode()


def test_no_script_runs_and_forms_stay_at_home() -> None:
    policy = record_form("A", {}).headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "form-action 'self'" in policy


@pytest.mark.parametrize("text", ["", "a&b=c", "ä\n"])
def test_a_posted_field_comes_back_as_it_was_typed(text: str) -> None:
    said, fields = posted(form(do="edit", **{"field.Name": text}))
    assert (said["do"], fields) == ("edit", {"Name": text})


def test_a_form_of_another_site_changes_nothing() -> None:
    call = Call("POST", "/", {}, {"origin": "https://evil.example"}, b"do=delete", base_url="http://127.0.0.1:1")
    with pytest.raises(Refused):
        posted(call)


def test_a_browser_may_tell_that_a_form_came_from_its_own_page() -> None:
    assert record_form("A", {}).headers["Referrer-Policy"] == "same-origin"  # else it sends `Origin: null`


def test_after_a_form_a_page_is_shown() -> None:
    assert (back_to("/x").status, back_to("/x").headers["Location"]) == (303, "/x")


def test_an_address_in_a_field_can_be_followed() -> None:
    page = record_form(
        "A", {"Id": "see https://a.example/1.", "Url": "https://b.example/?a=1&b=2"}, fixed=("Id",)
    ).body.decode()
    assert "<a href='https://a.example/1' rel='noopener noreferrer'>https://a.example/1</a>." in page
    assert "<a href='https://b.example/?a=1&amp;b=2' rel='noopener noreferrer'>open</a>" in page


@pytest.mark.parametrize("text", ["javascript:alert(1)", "https://a.example/'onclick='x", "data:text/html,x"])
def test_what_is_no_web_address_is_no_link(text: str) -> None:
    page = record_form("A", {"Id": text, "Url": text}, fixed=("Id",)).body.decode()
    assert "'onclick" not in page
    assert "href='javascript" not in page
    assert "href='data" not in page
