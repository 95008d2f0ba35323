"""The rules of a source's file: holes, hosts, order, items, bounds, and that it only reads."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hub import HttpResponse, QuotaExhausted, RateLimited, Rejected, TranslationError, Unauthorised, Unavailable
from hub.core.keys import signal_key
from hub.testkit.fakes import FakeClock, FakeHttp, MemoryState, answer, context
from plugins.http.source import HttpSource
from tests.plugins.http.shelf import NOW, Shelf, ctx, ids, item, said, seconds, source, written

OFFSET = 'paging = { by = "offset", first = 0, more = "more" }'


def pulled(what: HttpSource, shelf: Any, cursor: Any = None) -> list[str]:
    return ids(list(what.pull(ctx(shelf), cursor)))


def request(url: str = "https://shelf.test/list", **query: str) -> str:
    asked = ", ".join(f'{name} = "{text}"' for name, text in query.items())
    return f'request = {{ url = "{url}", query = {{ {asked} }} }}'


def refused(folder: Path, match: str, **tables: str) -> None:
    path = written(folder, **tables)
    with pytest.raises(ValueError, match=match) as caught:
        source(path)
    assert "shelf.toml" in str(caught.value)


# -------------------------------------------------------------------------------------------------------------- holes


def test_holes_are_filled_percent_encoded(tmp_path: Path) -> None:
    shelf = Shelf(numbers=[1])
    file = written(tmp_path, request=request("https://shelf.test/of/{word}/list", q="{word} & more", page="{page}"))
    pulled(source(file, word="a/b ?#&ü"), shelf)
    assert shelf.asked[0]["path"] == "/of/a/b ?#&ü/list"
    assert shelf.asked[0]["q"] == "a/b ?#&ü & more"


def test_a_parameter_whose_hole_is_empty_is_left_out(tmp_path: Path) -> None:
    shelf = Shelf(numbers=[1])
    pulled(source(written(tmp_path)), shelf)
    assert shelf.asked[0] == {"method": "GET", "host": "shelf.test", "path": "/list", "page": "1"}


def test_a_header_has_its_holes_too(tmp_path: Path) -> None:
    shelf = Shelf(numbers=[1])
    text = 'request = { url = "https://shelf.test/list", headers = { X-Word = "{word}", X-None = "{since}" } }'
    pulled(source(written(tmp_path, request=text), word="acme"), shelf)
    assert shelf.headers[0]["x-word"] == "acme"
    assert "x-none" not in shelf.headers[0]


def test_a_request_with_json_is_a_post_that_reads(tmp_path: Path) -> None:
    sent: list[Any] = []

    def ask(method: str, url: str, headers: Any, content: bytes | None) -> HttpResponse:
        sent.append((method, msgspec.json.decode(content or b"")))
        return answer(json={"items": []})

    text = 'request = { url = "https://shelf.test/list", json = { query = "{word}", since = "{since}", limit = 5 } }'
    pulled(source(written(tmp_path, request=text), word="a"), ask)
    assert sent == [("POST", {"query": "a", "limit": 5})]


def test_a_field_with_an_empty_hole_is_absent(tmp_path: Path) -> None:
    fields = 'fields = { native_id = "id", html = "text", url = "https://shelf.test/{user}/{id}", lang = "x{none}" }'
    signal = said(source(written(tmp_path, fields=fields)), item(7, user="a/b"))
    assert (signal.url, signal.lang) == ("https://shelf.test/a%2Fb/7", None)


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        ({"request": request(q="{wrod}")}, r"request.query.q: nothing fills \{wrod\}; did you mean \{word\}"),
        ({"request": request("https://shelf.test/{ids}")}, r"request.url: nothing fills \{ids\}"),
        ({"fields": 'fields = { native_id = "{options.wrod}", text = "text" }'}, r"fields.native_id: \{options.wrod\}"),
        ({"source": 'source = { network = "shelf", title = "x", realm = "{word}" }'}, r"source.realm: nothing fills"),
    ],
)
def test_a_hole_that_nothing_fills_is_refused(tmp_path: Path, tables: dict[str, str], said: str) -> None:
    refused(tmp_path, said, **tables)


# ---------------------------------------------------------------------------------------------------- hosts and secrets


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://shelf.test/list", "begins with https"),
        ("https://{word}/list", "the host is written out"),
        ("https://{word}.test/list", "the host is written out"),
        ("https://shelf.test@evil.test/", "the host is written out"),
        ("shelf.test/list", "begins with https"),
    ],
)
def test_scheme_and_host_are_written_out(tmp_path: Path, url: str, said: str) -> None:
    refused(tmp_path, f"request.url: .*{said}", request=request(url))


SITE = {"options": 'options.site = { type = "host" }', "request": request("https://{site}/list", page="{page}")}


def test_a_host_may_be_one_option_of_type_host(tmp_path: Path) -> None:
    shelf = Shelf(numbers=[1])
    what = source(written(tmp_path, **SITE), site="blog.example.com")
    pulled(what, shelf)
    assert (what.egress(), shelf.asked[0]["host"]) == (("blog.example.com",), "blog.example.com")


@pytest.mark.parametrize("site", ["evil.test/x", "a@b", "https://a.test", "a.test?", "", "-a.test", "A.test"])
def test_an_option_of_type_host_is_a_host(tmp_path: Path, site: str) -> None:
    with pytest.raises(ValueError, match=r"given\.site"):
        source(written(tmp_path, **SITE), site=site)


def test_only_the_hosts_of_the_file_can_be_reached(tmp_path: Path) -> None:
    recheck = 'recheck = { url = "https://other.test/{id}" }'
    assert source(written(tmp_path, recheck=recheck)).egress() == ("shelf.test", "other.test")


def test_a_next_address_at_another_host_is_refused(tmp_path: Path) -> None:
    shelf = Shelf(more={"next": "https://evil.test/list"})
    what = source(written(tmp_path, paging='paging = { by = "next", at = "next" }'))
    with pytest.raises(Rejected, match="another server"):
        pulled(what, shelf)


KEY = {
    "options": 'options.key = { type = "secret", help = "an API key" }\noptions.user = { default = "kim" }',
    "request": request(page="{page}"),
}
AUTHS = [
    ('{ by = "header", name = "X-Key", secret = "{key}" }', {"x-key": "s3cret"}, {}),
    ('{ by = "bearer", secret = "{key}" }', {"authorization": "Bearer s3cret"}, {}),
    ('{ by = "basic", name = "{user}", secret = "{key}" }', {"authorization": "Basic a2ltOnMzY3JldA=="}, {}),
    ('{ by = "query", name = "key", secret = "{key}" }', {}, {"key": "s3cret"}),
]


@pytest.mark.parametrize(("auth", "headers", "query"), AUTHS)
def test_a_secret_goes_where_the_file_says(tmp_path: Path, auth: str, headers: Any, query: Any) -> None:
    shelf = Shelf(numbers=[1])
    text = f'request = {{ url = "https://shelf.test/list", auth = {auth} }}'
    pulled(source(written(tmp_path, **KEY | {"request": text}), secret="s3cret"), shelf)
    assert headers.items() <= dict(shelf.headers[0]).items()
    assert query.items() <= shelf.asked[0].items()


@pytest.mark.parametrize(
    "tables",
    [
        {"request": request("https://shelf.test/{key}")},
        {"request": request(q="{key}")},
        {"request": 'request = { url = "https://shelf.test/", headers = { X = "{key}" } }'},
        {"request": 'request = { url = "https://shelf.test/", json = { x = ["{key}"] } }'},
        {"source": 'source = { network = "s", title = "s", realm = "{options.key}" }'},
    ],
)
def test_a_secret_stands_nowhere_else(tmp_path: Path, tables: dict[str, str]) -> None:
    refused(tmp_path, "a secret stands in request.auth only", **KEY | tables)


def test_a_secret_enters_no_field(tmp_path: Path) -> None:
    fields = 'fields = { native_id = "id", text = "{options.key}" }'
    refused(tmp_path, r"\{options.key\} is no option that may stand here", fields=fields, **KEY)


@pytest.mark.parametrize(("secret", "given"), [("", {}), (" ", {}), ("s", {"key": "s"})])
def test_a_secret_that_is_missing_blank_or_written_in_plain_is_refused(
    tmp_path: Path, secret: str, given: dict[str, str]
) -> None:
    with pytest.raises(ValueError, match=r"secret = \{ env"):
        source(written(tmp_path, **KEY), secret=secret, **given)


# -------------------------------------------------------------------------------------------------------------- order


def test_an_oldest_first_list_moves_the_cursor_page_by_page(tmp_path: Path) -> None:
    shelf = Shelf()
    pages = list(source(written(tmp_path)).pull(ctx(shelf), None))
    assert [len(page.items) for page in pages][:3] == [3, 3, 1]
    assert pages[-1].cursor == {"items": "2026-01-02T10:27:00+00:00"}


def test_a_newest_first_list_is_turned_round(tmp_path: Path) -> None:
    newest = 'items = { at = "items", id = "id", order = "newest" }'
    assert pulled(source(written(tmp_path, items=newest)), Shelf(newest_first=True)) == [
        str(one) for one in range(1, 8)
    ]


def test_the_request_begins_at_the_cursor_less_the_overlap(tmp_path: Path) -> None:
    shelf = Shelf()
    assert pulled(source(written(tmp_path)), shelf, {"items": "2026-01-02T10:27:00+00:00"}) == ["5", "6", "7"]
    assert shelf.asked[0]["since"] == str(seconds(5))


@pytest.mark.parametrize("newest_first", [False, True])
def test_a_deletion_between_two_numbered_pages_loses_nothing(tmp_path: Path, newest_first: bool) -> None:
    shelf = Shelf(newest_first=newest_first)

    def delete(asked: int) -> None:
        if asked == 2 and len(shelf.numbers) == 7:
            shelf.numbers.remove(7 if newest_first else 1)

    shelf.before = delete  # type: ignore[assignment]  # it answers nothing
    order = "newest" if newest_first else "oldest"
    items = f'items = {{ at = "items", id = "id", order = "{order}" }}'
    assert sorted(pulled(source(written(tmp_path, items=items)), shelf)) == [str(one) for one in range(1, 8)]


PAGINGS = [
    ('paging = { by = "page", more = "more" }', {"page": "{page}"}),
    ('paging = { by = "page", size = 3 }', {"page": "{page}"}),
    ('paging = { by = "page" }', {"page": "{page}"}),
    (OFFSET, {"offset": "{offset}"}),
    ('paging = { by = "token", at = "token" }', {"token": "{token}"}),
    ('paging = { by = "next", at = "next" }', {}),
    ('paging = { by = "before", at = "id" }', {"before": "{before}"}),
]


@pytest.mark.parametrize(("paging", "query"), PAGINGS, ids=[one for one, _ in PAGINGS])
def test_pages_are_followed_as_the_file_says(tmp_path: Path, paging: str, query: dict[str, str]) -> None:
    newest = "before" in query
    items = f'items = {{ at = "items", id = "id", order = "{"newest" if newest else "oldest"}" }}'
    file = written(tmp_path, paging=paging, request=request(**query), items=items)
    assert pulled(source(file), Shelf(newest_first=newest)) == [str(one) for one in range(1, 8)]


def test_the_number_of_the_last_page_ends_reading(tmp_path: Path) -> None:
    shelf = Shelf(more={"pages": 2})
    pulled(source(written(tmp_path, paging='paging = { by = "page", first = 1, last = "pages" }')), shelf)
    assert [one["page"] for one in shelf.asked] == ["1", "2", "1", "2"]  # numbered pages are looked at twice


def test_an_error_may_say_that_there_are_no_more_pages(tmp_path: Path) -> None:
    shelf = Shelf(numbers=[1, 2, 3])
    beyond = answer(400, {"code": "no_such_page"})
    shelf.before = lambda asked: beyond if shelf.asked[-1]["page"] == "2" else None
    paging = 'paging = { by = "page", end = [{ status = 400, at = "code", is = "no_such_page" }] }'
    assert pulled(source(written(tmp_path, paging=paging)), shelf) == ["1", "2", "3"]


# -------------------------------------------------------------------------------------------------------------- items


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ({"a": {"list": [item(1), item(2)]}}, ["1", "2"]),
        ({"a": {"list": item(1)}}, ["1"]),
    ],
)
def test_a_list_may_be_one_object(tmp_path: Path, body: Any, found: list[str]) -> None:
    what = source(written(tmp_path, items='items = { at = "a.list", id = "id" }'))
    assert pulled(what, lambda *_: answer(json=body)) == found


NONE: list[Any] = [{}, [], {"a": {}}, {"a": {"list": None}}, {"a": {"list": "none"}}, {"error": "later"}]


@pytest.mark.parametrize("body", NONE, ids=str)
def test_an_answer_without_the_list_is_a_failed_poll_and_not_nothing_new(tmp_path: Path, body: Any) -> None:
    what = source(written(tmp_path, items='items = { at = "a.list", id = "id" }'))
    with pytest.raises(Unavailable, match=r"no items at 'a\.list'"):
        pulled(what, lambda *_: answer(json=body))


@pytest.mark.parametrize(("body", "is_none"), [({"a": {}}, True), ({"a": []}, False), ({"error": "later"}, False)])
def test_a_file_may_say_that_a_missing_list_is_an_empty_one(tmp_path: Path, body: Any, is_none: bool) -> None:
    what = source(written(tmp_path, items='items = { at = "a.list", id = "id", may_miss = true }'))
    with nullcontext() if is_none else pytest.raises(Unavailable):
        assert pulled(what, lambda *_: answer(json=body)) == []


def test_an_object_in_place_of_the_list_is_no_item(tmp_path: Path) -> None:
    what = source(written(tmp_path, items='items = { id = "id" }', paging=""))
    with pytest.raises(Unavailable, match="no items at its top"):
        pulled(what, lambda *_: answer(json={"error": "later"}))


def test_the_answer_itself_may_be_the_list(tmp_path: Path) -> None:
    what = source(written(tmp_path, items='items = { id = "id" }', paging=""))
    assert pulled(what, lambda *_: answer(json=[item(1), item(2)])) == ["1", "2"]


def test_the_payload_is_the_exact_bytes(tmp_path: Path) -> None:
    exact = b'{ "id":1,  "at": 1.0e9, "text":"\\u00e9 \xc3\xa9" }'
    shelf = answer(content=b'{"more": false, "items": [ ' + exact + b" ]}")
    (page,) = source(written(tmp_path)).pull(ctx(lambda *_: shelf), None)
    assert page.items[0].payload == exact


@pytest.mark.parametrize(
    ("only", "kept"),
    [
        ('[{ at = "type", is = ["a", 1] }]', ["1", "2"]),
        ('[{ at = "type" }]', ["1", "2", "3"]),
        ('[{ at = "type", is = ["null"] }]', ["4"]),
        ('[{ at = "type" }, { at = "id", is = [2] }]', ["2"]),
    ],
)
def test_only_items_that_fit_are_kept(tmp_path: Path, only: str, kept: list[str]) -> None:
    items = [item(1, type="a"), item(2, type=1), item(3, type="b"), item(4)]
    file = written(tmp_path, items=f'items = {{ at = "items", id = "id", only = {only} }}')
    assert pulled(source(file), lambda *_: answer(json={"items": items})) == kept


def test_items_that_are_left_out_still_end_a_newest_first_list(tmp_path: Path) -> None:
    shelf = Shelf(numbers=list(range(1, 90)), newest_first=True)
    items = 'items = { at = "items", id = "id", order = "newest", only = [{ at = "none" }] }'
    file = written(tmp_path, items=items, request=request(page="{page}"))
    pulled(source(file), shelf, {"items": "2026-01-02T11:45:00+00:00"})
    assert len(shelf.asked) == 6  # three pages back to the cursor, twice


def test_an_item_without_id_or_time_is_kept_and_moves_nothing(tmp_path: Path) -> None:
    items = [item(1), {"text": "no id"}, {"id": 3, "text": "no time"}, 7]
    pages = list(source(written(tmp_path)).pull(ctx(lambda *_: answer(json={"items": items})), None))
    assert len(ids(pages)) == 4
    assert pages[-1].cursor == {"items": "2026-01-02T10:21:00+00:00"}


# ------------------------------------------------------------------------------------------------------------- answers


SLOW = '[{ status = 400, at = "error", is = 502 }, { at = "code", is = 9 }]'
WAITS = f'answer = {{ wait = "backoff", left = "left", throttled = {SLOW} }}'


def test_an_api_that_asks_us_to_wait_is_not_asked_before(tmp_path: Path) -> None:
    shelf, clock, state = Shelf(more={"backoff": 10}), FakeClock(NOW), MemoryState()
    what = source(written(tmp_path, answer=WAITS))
    for _ in range(2):
        with pytest.raises(RateLimited) as caught:
            list(what.pull(ctx(shelf, clock=clock, state=state), None))
        assert caught.value.retry_after == 10
    assert len(shelf.asked) == 1
    clock.advance(11)
    shelf.more = {}
    assert list(what.pull(ctx(shelf, clock=clock, state=state), None))


def test_a_quota_that_is_used_up_is_told(tmp_path: Path) -> None:
    with pytest.raises(QuotaExhausted):
        pulled(source(written(tmp_path, answer=WAITS)), Shelf(more={"left": 0}))


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (answer(400, {"error": 502, "backoff": 30}), RateLimited),
        (answer(200, {"code": 9, "backoff": 30}), RateLimited),
        (answer(400, {"error": 500}), Rejected),
        (answer(401, {}), Unauthorised),
        (answer(429, {}), RateLimited),
        (answer(503, {}), Unavailable),
        (answer(200, content=b"<html>"), Unavailable),
    ],
)
def test_an_error_has_its_name(tmp_path: Path, reply: HttpResponse, kind: type[Exception]) -> None:
    with pytest.raises(kind) as caught:
        pulled(source(written(tmp_path, answer=WAITS)), lambda *_: reply)
    if reply.status in (200, 400) and kind is RateLimited:
        assert caught.value.retry_after == 30  # type: ignore[attr-defined]  # a RateLimited


# -------------------------------------------------------------------------------------------------------------- bounds


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        ({"items": 'items = { at = "items", id = "id", ordr = "oldest" }'}, "did you mean `order`"),
        ({"extra": "pagging = { by = 'page' }"}, "did you mean `paging`"),
        ({"items": 'items = { at = "a.b.c.d.e.f.g.h.i", id = "id" }'}, "items.at: .* one to 8"),
        ({"cursor": 'cursor = { at = "at", overlap = "2 minutes" }'}, "cursor.overlap: '2 minutes' is no span"),
        ({"source": 'source = { network = "The shelf", title = "x" }'}, "source.network"),
        ({"source": 'source = { network = "s", title = "x", rate = "often" }'}, "a rate is text such as"),
        ({"fields": 'fields = { native_id = "id", txt = "text" }'}, "fields.txt: no such field"),
        ({"fields": 'fields = { native_id = "id" }'}, "one of text, html, title and media"),
        (
            {"fields": 'fields = { native_id = "id", text = { from = "a", value = "b" } }'},
            "exactly one of from and value",
        ),
        ({"recheck": 'recheck = { url = "https://shelf.test/{ids}" }'}, "recheck.id"),
        ({"cursor": 'cursor = { at = "at", as = "number", overlap = "2m" }'}, "of a number are numbers"),
    ],
)
def test_a_file_that_is_wrong_says_where_and_what(tmp_path: Path, tables: dict[str, str], said: str) -> None:
    refused(tmp_path, said, **tables)


def test_a_file_beyond_64_kilobytes_is_refused(tmp_path: Path) -> None:
    refused(tmp_path, "larger than 64 KB", comment="#" * 70_000)


def test_a_file_that_is_not_there_names_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="the shipped ones are appstore, hackernews"):
        source(tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("type_", "value"), [("digits", "12a"), ("name", "a b"), ("name", "a/b"), ("text", "a\nb"), ("text", "x" * 201)]
)
def test_an_option_has_the_form_of_its_type(tmp_path: Path, type_: str, value: str) -> None:
    with pytest.raises(ValueError, match=r"given\.word"):
        source(written(tmp_path, options=f'options.word = {{ type = "{type_}" }}'), word=value)


@pytest.mark.parametrize(
    ("given", "said"), [({}, "given.word: the file needs it"), ({"wrod": "x"}, "did you mean word")]
)
def test_options_are_those_of_the_file(tmp_path: Path, given: dict[str, str], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        source(written(tmp_path, options='options.word = { help = "words" }'), **given)


def test_a_check_tells_how_much_of_a_page_fits_the_file(tmp_path: Path) -> None:
    items = [item(1), item(2, text=None)]
    told = source(written(tmp_path)).check(ctx(lambda *_: answer(json={"items": items})))
    assert told == (
        "The shelf: 2 items (native_id 100 %, html 50 %, author_id 100 %, published_at 100 %), 288 polls a day"
    )


@pytest.mark.parametrize(
    ("as_", "backfill", "fits"), [("time", "2d", True), ("time", "2", False), ("number", "2d", False)]
)
def test_a_connection_may_look_back_less_far_than_the_file(tmp_path: Path, as_: str, backfill: str, fits: bool) -> None:
    cursor = f'cursor = {{ at = "at", as = "{as_}", backfill = "{"9d" if as_ == "time" else 9}" }}'
    options = {"file": str(written(tmp_path, cursor=cursor)), "backfill": backfill}
    if not fits:
        with pytest.raises(ValueError, match="backfill: "):
            HttpSource.Options.model_validate(options)
        return
    what = HttpSource(HttpSource.Options.model_validate(options))
    http = FakeHttp([answer(json={"items": []})])
    list(what.pull(context(http, clock=FakeClock(NOW)), None))
    assert "since=2025-12-31T12%3A00%3A00Z" in http.requests[0].url


# ----------------------------------------------------------------------------------------------------------- read only


def test_a_source_of_a_file_never_answers(tmp_path: Path) -> None:
    what = source(written(tmp_path))
    assert said(what, item(1)).can_reply == "no"
    assert (what.reply_rules, what.capabilities) == (None, frozenset())


def test_what_a_class_declares_a_file_says(tmp_path: Path) -> None:
    about = (
        'source = { network = "shelf", title = "x", every = "90s", rate = "60/m", delete_within = "1h", keep = "30d", '
        'terms = "be kind" }'
    )
    what = source(written(tmp_path, source=about))
    assert (what.network, what.interval.total_seconds(), what.limits[0].calls) == ("shelf", 90, 60)
    assert (what.compliance.delete_within.total_seconds(), what.compliance.terms) == (3600, "be kind")
    assert what.compliance.keep


# ------------------------------------------------------------------------------------------------------------- recheck


BATCH = 'recheck = { url = "https://shelf.test/of/{ids}", size = 2, join = ";", at = "items", id = "id" }'
SINGLE = 'recheck = { url = "https://shelf.test/{id}", gone = ["404", "null", "deleted"] }'


def checked(what: HttpSource, reply: Any, *numbers: int) -> list[str]:
    signals = [said(what, item(one)) for one in numbers]
    return [one.key for one in what.recheck(ctx(reply), signals)]


def test_of_a_batch_those_that_are_missing_are_gone(tmp_path: Path) -> None:
    what = source(written(tmp_path, recheck=BATCH))
    shelf = Shelf(numbers=[1, 3])
    assert (what.recheck_size, checked(what, shelf, 1, 2, 3)) == (2, [signal_key("shelf", "2")])
    assert shelf.asked[0]["path"] == "/of/1;2;3"


@pytest.mark.parametrize(
    "reply", [answer(json={}), answer(503, {}), answer(json={"items": None}), answer(content=b"<p>")]
)
def test_an_outage_proves_nothing(tmp_path: Path, reply: HttpResponse) -> None:
    with pytest.raises(Unavailable):
        checked(source(written(tmp_path, recheck=BATCH)), lambda *_: reply, 1)


@pytest.mark.parametrize(
    ("reply", "gone"),
    [
        (answer(404, {}), True),
        (answer(404, content=b"<h1>Not Found</h1>"), False),
        (answer(content=b"null"), True),
        (answer(json={"deleted": True}), True),
        (answer(json={"deleted": False}), False),
        (answer(json={"id": 1}), False),
    ],
)
def test_a_single_item_is_gone_as_the_file_says(tmp_path: Path, reply: HttpResponse, gone: bool) -> None:
    what = source(written(tmp_path, recheck=SINGLE))
    assert bool(checked(what, lambda *_: reply, 1)) == gone


@pytest.mark.parametrize(
    ("native_id", "fits"), [("{options.word}/{id}", True), ("{user}/{id}", False), ("user", False)]
)
def test_a_recheck_needs_the_items_id_back(tmp_path: Path, native_id: str, fits: bool) -> None:
    fields = f'fields = {{ native_id = "{native_id}", html = "text" }}'
    file = written(tmp_path, fields=fields, recheck=BATCH)
    if not fits:
        with pytest.raises(ValueError, match=r"recheck: fields\.native_id must be"):
            source(file, word="w")
        return
    shelf = Shelf(numbers=[])
    assert checked(source(file, word="w"), shelf, 5) == [signal_key("shelf", "w/5")]
    assert shelf.asked[0]["path"] == "/of/5"


def test_an_item_without_text_or_id_says_so(tmp_path: Path) -> None:
    what = source(written(tmp_path))
    for body, told in (({"id": 1}, "no text"), ({"text": "x"}, "no id")):
        with pytest.raises(TranslationError, match=told):
            said(what, body)
