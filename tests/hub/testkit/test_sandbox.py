"""The sandbox server, driven over real HTTP."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection, HTTPResponse, RemoteDisconnected
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from hub.testkit import sandbox as package
from hub.testkit.sandbox import Answer, Call, Refused, RunningSandbox, Sandbox, SandboxOptions, Taken, route, serve
from hub.testkit.sandbox.__main__ import load
from hub.testkit.sandbox.faults import GARBLES


class Shop(Sandbox):
    """Orders by key."""

    title = "Shop"
    home = ("the counter", "/counter")

    def address_of(self, object_: str, id_: str) -> str:
        return f"/orders/{id_}"

    def seed(self) -> None:
        self.store.declare("orders", unique=("order.key",))
        self.store.declare("_settings")

    @route("PUT", "/v{version}/orders/{key}", object="orders")
    def put_order(self, call: Call) -> Answer:
        record = {"order": {"key": call.args["key"], **call.json()}}
        id_ = self.store.next_id("orders")
        try:
            self.store.insert("orders", id_, record)
        except Taken as taken:
            raise Refused(Answer(409, {"taken": taken.id})) from None
        self.journal.record("create", "orders", id_, key=call.args["key"], fields=record)
        return Answer(201, {"id": id_})

    @route("POST", "/v1/{kind}/batch", object="{kind}")
    def batch(self, call: Call) -> Answer:
        items = call.json()
        return Answer(207, {"failed": [item for index, item in enumerate(items) if call.fails(index, len(items))]})

    @route("POST", "/v1/orders/search", object="orders", write=False)
    def search(self, call: Call) -> Answer:
        return Answer(200, [record for _, record in self.store.all("orders")])

    @route("GET", "/health", open=True)
    def health(self, call: Call) -> Answer:
        return Answer(204)

    @route("GET", "/bug")
    def bug(self, call: Call) -> Answer:
        raise KeyError("oops")


@pytest.fixture
def shop() -> Iterator[RunningSandbox]:
    with serve(Shop(SandboxOptions())) as running:
        yield running


def ask(
    shop: RunningSandbox, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
) -> tuple[int, Any, Mapping[str, str]]:
    """Status, JSON or text, headers."""
    connection = HTTPConnection("127.0.0.1", shop.port, timeout=10)
    try:
        content = None if body is None else json.dumps(body)
        connection.request(method, path, content, {"Authorization": "Bearer sandbox-token", **(headers or {})})
        return _read(connection.getresponse())
    finally:
        connection.close()


def _read(response: HTTPResponse) -> tuple[int, Any, Mapping[str, str]]:
    content = response.read()
    kind = response.headers.get("Content-Type", "")
    return response.status, json.loads(content) if "json" in kind else content.decode(), dict(response.headers)


def test_a_handler_answers_and_its_record_is_in_the_journal(shop: RunningSandbox) -> None:
    status, body, _ = ask(shop, "PUT", "/v1/orders/a", {"sum": 5})
    assert (status, body) == (201, {"id": "1"})
    entry = ask(shop, "GET", "/_sandbox/journal?object=orders")[1]["entries"][0]
    assert (entry["kind"], entry["id"], entry["key"]) == ("create", "1", "a")
    assert entry["fields"] == {"order": {"key": "a", "sum": 5}}


def test_an_encoded_slash_stays_inside_its_segment(shop: RunningSandbox) -> None:
    ask(shop, "PUT", "/v1/orders/a%2F..%2Fb%2Bc", {})
    assert shop.sandbox.store.find("orders", "order.key", "a/../b+c") is not None


def test_a_second_record_with_the_same_key_is_refused(shop: RunningSandbox) -> None:
    ask(shop, "PUT", "/v1/orders/a", {})
    assert ask(shop, "PUT", "/v2/orders/a", {})[:2] == (409, {"taken": "1"})
    assert shop.sandbox.store.count("orders") == 1


def test_writes_and_reads_are_counted_by_object(shop: RunningSandbox) -> None:
    ask(shop, "PUT", "/v1/orders/a", {})
    ask(shop, "POST", "/v1/orders/search", {})
    ask(shop, "POST", "/v1/goods/batch", [])
    counts = ask(shop, "GET", "/_sandbox/counts")[1]
    assert counts["calls"] == {"read": 1, "write": 2}
    assert counts["calls_by_object"] == {"orders": {"write": 1, "read": 1}, "goods": {"write": 1}}
    assert counts["objects"] == {"orders": {"create": 1}}


def test_the_journal_can_be_read_from_a_point_on(shop: RunningSandbox) -> None:
    ask(shop, "PUT", "/v1/orders/a", {})
    last = ask(shop, "GET", "/_sandbox/journal")[1]["calls"][-1]["seq"]
    ask(shop, "PUT", "/v1/orders/b", {})
    later = ask(shop, "GET", f"/_sandbox/journal?since={last}")[1]
    assert [entry["key"] for entry in later["entries"]] == ["b"]
    assert len(later["calls"]) == 1


@pytest.mark.parametrize("path", ["/nothing", "/v1/orders"])
def test_a_call_without_a_route_is_a_violation(shop: RunningSandbox, path: str) -> None:
    assert ask(shop, "POST", path, {})[0] == 404
    violations = ask(shop, "GET", "/_sandbox/violations")[1]
    assert [(item["kind"], item["path"]) for item in violations] == [("route", path)]


def test_a_handler_that_fails_is_loud(shop: RunningSandbox) -> None:
    assert ask(shop, "GET", "/bug")[0] == 500
    assert "KeyError" in shop.sandbox.violations[0].message


def test_a_body_that_is_no_json_is_a_400(shop: RunningSandbox) -> None:
    request = urllib.request.Request(
        f"{shop.url}/v1/orders/a", b"{", {"Authorization": "Bearer sandbox-token"}, method="PUT"
    )
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request)
    refused.value.close()
    assert refused.value.code == 400


def test_credentials_are_asked_for_except_on_open_routes(shop: RunningSandbox) -> None:
    assert ask(shop, "PUT", "/v1/orders/a", {}, {"Authorization": "Bearer other"})[0] == 401
    assert ask(shop, "GET", "/health", headers={"Authorization": ""})[0] == 204


def test_connections_are_kept_alive(shop: RunningSandbox) -> None:
    connection = HTTPConnection("127.0.0.1", shop.port, timeout=10)
    for _ in range(5):
        connection.request("GET", "/health")
        connection.getresponse().read()
    connection.close()
    assert shop.sandbox.connections == 1


def test_a_chunked_body_is_read(shop: RunningSandbox) -> None:
    connection = HTTPConnection("127.0.0.1", shop.port, timeout=10)
    headers = {"Authorization": "Bearer sandbox-token", "Transfer-Encoding": "chunked"}
    connection.request("PUT", "/v1/orders/a", iter([b'{"a"', b": 1}"]), headers, encode_chunked=True)
    assert connection.getresponse().status == 201
    connection.close()


# ------------------------------------------------------------------------------------------------------------- faults


def test_a_fault_hits_as_often_as_it_says(shop: RunningSandbox) -> None:
    fault = {
        "match": {"method": "PUT", "path": "^/v1/orders"},
        "times": 2,
        "status": 429,
        "headers": {"Retry-After": "7"},
    }
    assert ask(shop, "POST", "/_sandbox/faults", [{**fault, "body": {"policyName": "DAILY"}}])[0] == 200
    status, body, headers = ask(shop, "PUT", "/v1/orders/a", {})
    assert (status, body, headers["Retry-After"]) == (429, {"policyName": "DAILY"}, "7")
    assert [ask(shop, "PUT", "/v1/orders/a", {})[0] for _ in range(2)] == [429, 201]


def test_a_fault_may_let_the_first_calls_through(shop: RunningSandbox) -> None:
    shop.sandbox.faults.set([{"after": 1, "times": 1, "status": 503}])
    assert [ask(shop, "GET", "/health")[0] for _ in range(3)] == [204, 503, 204]


@pytest.mark.parametrize(("fault", "records"), [("reset_before", 0), ("reset_after", 1)])
def test_a_reset_comes_before_or_after_the_commit(shop: RunningSandbox, fault: str, records: int) -> None:
    shop.sandbox.faults.set([{fault: True, "times": 1}])
    with pytest.raises((ConnectionResetError, RemoteDisconnected)):
        ask(shop, "PUT", "/v1/orders/a", {})
    assert shop.sandbox.store.count("orders") == records
    assert shop.sandbox.journal.calls[-1].status == 0


@pytest.mark.parametrize(
    ("partial", "failed"),
    [([1, 3], [1, 3]), (1.0, list(range(10))), (0.1, [9]), (0.5, [1, 3, 5, 7, 9]), (0, [])],
)
def test_a_part_of_a_batch_fails(shop: RunningSandbox, partial: Any, failed: list[int]) -> None:
    shop.sandbox.faults.set([{"partial": partial}])
    assert ask(shop, "POST", "/v1/orders/batch", list(range(10)))[1] == {"failed": failed}


def test_an_expired_token_is_the_vendors_401(shop: RunningSandbox) -> None:
    shop.sandbox.faults.set([{"expired_token": True, "times": 1}])
    assert [ask(shop, "PUT", "/v1/orders/a", {})[0] for _ in range(2)] == [401, 201]


def test_calls_above_the_rate_are_limited(shop: RunningSandbox) -> None:
    shop.sandbox.faults.set([{"rate_per_s": 2}])
    assert [ask(shop, "GET", "/health")[0] for _ in range(4)] == [204, 204, 429, 429]


def test_latency_does_not_hold_up_others(shop: RunningSandbox) -> None:
    shop.sandbox.faults.set([{"match": {"path": "slow"}, "latency_ms": 5000}])
    slow = HTTPConnection("127.0.0.1", shop.port, timeout=10)
    slow.request("GET", "/slow")
    assert ask(shop, "GET", "/health")[0] == 204
    slow.close()


@pytest.mark.parametrize(
    ("how", "body"), [("list", []), ("object", {}), ("null", None), ("short", []), ("blank", [{}]), ("holes", [None])]
)
def test_an_answer_may_be_spoilt_after_the_handler_ran(shop: RunningSandbox, how: str, body: Any) -> None:
    ask(shop, "PUT", "/v1/orders/a", {})
    shop.sandbox.faults.set([{"garble": how, "times": 1}])
    assert ask(shop, "POST", "/v1/orders/search", {})[1] == body
    assert ask(shop, "POST", "/v1/orders/search", {})[1] == [{"order": {"key": "a"}}]


def test_a_proxy_may_fail_after_the_handler_committed(shop: RunningSandbox) -> None:
    shop.sandbox.faults.set([{"fails_after": True, "times": 1}])
    assert ask(shop, "PUT", "/v1/orders/a", {})[0] == 502
    assert shop.sandbox.store.count("orders") == 1


def test_each_list_of_objects_is_spoilt_and_no_other() -> None:
    told = b'{"results": [{"id": 1}, {"id": 2}], "tags": ["a", "b"], "deep": {"list": [{"id": 3}]}}'
    assert json.loads(GARBLES["short"](told)) == {"results": [{"id": 1}], "tags": ["a", "b"], "deep": {"list": []}}
    assert json.loads(GARBLES["reversed"](told))["results"] == [{"id": 2}, {"id": 1}]
    assert GARBLES["holes"](b"no JSON") == b"no JSON"
    assert [GARBLES[how](b"123456") for how in ("cut", "empty")] == [b"1234", b""]


@pytest.mark.parametrize(
    "faults", [[{"garble": "salted"}], [{"statsu": 500}], [{"match": {"path": "("}}], {"status": 500}, 5]
)
def test_a_fault_that_is_not_understood_is_refused(shop: RunningSandbox, faults: Any) -> None:
    assert ask(shop, "POST", "/_sandbox/faults", faults)[0] == 400


# ------------------------------------------------------------------------------------------------ page, reset, restart


def test_the_page_escapes_what_records_hold(shop: RunningSandbox) -> None:
    ask(shop, "PUT", "/v1/orders/a", {"text": "<script>alert(1)</script>"})
    for path in ("/", "/_sandbox/records/orders/1"):
        status, html, headers = ask(shop, "GET", path)
        assert status == 200
        assert "<script" not in html
        assert "&lt;script&gt;" in html
        assert headers["Content-Security-Policy"].startswith("default-src 'none'")


def test_the_page_lists_the_newest_first_and_hides_private_collections(shop: RunningSandbox) -> None:
    for key in ("older", "newer"):
        ask(shop, "PUT", f"/v1/orders/{key}", {})
    shop.sandbox.store.put("_settings", "1", {"hidden": "yes"})
    html = ask(shop, "GET", "/")[1]
    assert html.index("newer") < html.index("older")
    assert "_settings" not in html


def test_the_front_page_leads_to_where_people_work(shop: RunningSandbox) -> None:
    ask(shop, "PUT", "/v1/orders/a", {})
    page = ask(shop, "GET", "/")[1]
    assert "<a href='/counter'>the counter</a>" in page
    assert "<a href='/orders/1'>1</a>" in page
    assert "<a href='#orders'>orders</a> 1" in page


def test_a_sandbox_knows_where_it_is_served(shop: RunningSandbox) -> None:
    assert shop.sandbox.url == shop.url


def test_a_record_is_shown_as_json_on_demand(shop: RunningSandbox) -> None:
    ask(shop, "PUT", "/v1/orders/a", {})
    accept = {"Accept": "application/json"}
    assert ask(shop, "GET", "/_sandbox/records/orders/1", headers=accept)[1] == {"order": {"key": "a"}}
    assert ask(shop, "GET", "/_sandbox/records/orders/2", headers=accept)[0] == 404
    assert ask(shop, "GET", "/_sandbox/records/orders/2")[0] == 404


def test_a_reset_forgets_all_but_not_the_seed(shop: RunningSandbox) -> None:
    ask(shop, "PUT", "/v1/orders/a", {})
    ask(shop, "GET", "/nothing")
    assert ask(shop, "POST", "/_sandbox/reset")[0] == 204
    counts = ask(shop, "GET", "/_sandbox/counts")[1]
    assert (counts["writes"], counts["calls"]["write"], counts["violations"]) == ({}, 0, 0)
    assert ask(shop, "PUT", "/v1/orders/a", {})[:2] == (201, {"id": "2"})


def test_another_sites_page_cannot_give_orders(shop: RunningSandbox) -> None:
    assert ask(shop, "POST", "/_sandbox/reset", headers={"Origin": "https://evil.example"})[0] == 403


def test_a_restarted_sandbox_still_holds_its_records(tmp_path: Path) -> None:
    for key in ("a", "b"):
        with serve(Shop(SandboxOptions(folder=tmp_path))) as running:
            assert ask(running, "PUT", f"/v1/orders/{key}", {})[0] == 201
            assert ask(running, "PUT", "/v1/orders/a", {})[0] == 409
    again = Shop(SandboxOptions(folder=tmp_path))
    assert [record["order"]["key"] for _, record in again.store.all("orders")] == ["a", "b"]
    assert [entry.key for entry in again.journal.entries] == ["a", "b"]
    again.close()


def test_stopping_twice_is_harmless(shop: RunningSandbox) -> None:
    shop.stop()
    shop.stop()


def test_writers_at_once_never_share_a_key(shop: RunningSandbox) -> None:
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda index: ask(shop, "PUT", f"/v1/orders/{index % 10}", {})[0], range(80)))
    assert (statuses.count(201), statuses.count(409)) == (10, 70)
    assert shop.sandbox.store.count("orders") == 10


def test_the_documented_example_runs() -> None:
    example = dedent((package.__doc__ or "").split("Ten lines make one:")[1].split("\n\nWhat a handler has")[0])
    built: dict[str, Any] = {}
    exec(example, built)
    with serve(built["build"](SandboxOptions())) as running:
        assert ask(running, "PUT", "/v1/orders/a", {})[:2] == (201, {"id": "1"})


def test_a_sandbox_is_found_by_its_name() -> None:
    assert isinstance(load("plugins.hubspot.sandbox:build", SandboxOptions()), Sandbox)
    with pytest.raises(TypeError):
        load("hub.testkit.sandbox:SandboxOptions", SandboxOptions())


def test_a_sandbox_runs_by_itself(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hub.testkit.sandbox", "plugins.hubspot.sandbox:build", "--folder", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        with urllib.request.urlopen(f"{url}/_sandbox/counts") as answer:
            assert answer.status == 200
        process.terminate()
