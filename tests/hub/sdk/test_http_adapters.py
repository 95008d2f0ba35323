"""The real clients of the vendors through the guard: they speak, their errors pass, they hide no repeats."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from hub.core.errors import ConnectorError, Rejected, Unavailable, Uncertain
from hub.sdk.http import Guard, open_guard
from hub.sdk.http.adapters import httpx_transport, requests_session, unwrapped, urllib3_pool
from hub.testkit.fakes import FakeHttp, SentRequest, answer
from hub.testkit.server import Failure, LocalServer, Scripted

pytest.importorskip("requests", reason="the vendors' clients are not installed")


@pytest.fixture
def guard() -> Iterator[Guard]:
    with open_guard(allow_private=True, timeout=5, sleep=lambda _: None) as opened:
        yield opened


Call = Callable[[], Any]


def salesforce(guard: Guard, url: str) -> tuple[Call, Call]:
    """A read and a write of simple-salesforce, which insists on https."""
    library = pytest.importorskip("simple_salesforce")
    session = requests_session(guard, rewrite={"https://mock.salesforce.com": url})
    client = library.Salesforce(
        session_id="token-1234", instance_url="https://mock.salesforce.com", session=session, version="60.0"
    )
    return lambda: client.query("SELECT Id FROM Lead"), lambda: client.Lead.create({"LastName": "x"})


def zendesk(guard: Guard, url: str) -> tuple[Call, Call]:
    """A read and a write of zenpy."""
    zenpy = pytest.importorskip("zenpy")
    objects = pytest.importorskip("zenpy.lib.api_objects")
    session = requests_session(guard, rewrite={"https://acme.zendesk.com": url})
    client = zenpy.Zenpy(
        subdomain="acme", email="a@b.c", token="token-1234", session=session, disable_cache=True, ratelimit_budget=0
    )
    return lambda: client.tickets(id=1), lambda: client.tickets.create(objects.Ticket(subject="s", description="d"))


def hubspot(guard: Guard, url: str) -> tuple[Call, Call]:
    """A read and a write of HubSpot's generated client."""
    library = pytest.importorskip("hubspot")

    def make(package: Any, name: str, config: dict[str, Any]) -> Any:
        configuration = package.Configuration()
        configuration.access_token, configuration.host = config["access_token"], config["host"]
        client = package.ApiClient(configuration=configuration)
        client.rest_client.pool_manager = urllib3_pool(guard)
        return getattr(package, name)(api_client=client)

    client = library.HubSpot(access_token="token-1234", host=url, api_factory=make)
    contacts = client.crm.contacts.basic_api
    written = {"properties": {"email": "a@b.c"}, "associations": []}
    return lambda: contacts.get_page(limit=1), lambda: contacts.create(simple_public_object_input_for_create=written)


def mastodon(guard: Guard, url: str) -> tuple[Call, Call]:
    """A read and a write of Mastodon.py, which wraps every exception in its own."""
    library = pytest.importorskip("mastodon")
    client = library.Mastodon(
        access_token="token-1234",
        api_base_url=url,
        session=requests_session(guard),
        version_check_mode="none",
        ratelimit_method="throw",
    )

    def uncovered(call: Call) -> Call:
        def run() -> Any:
            with unwrapped():
                return call()

        return run

    return uncovered(client.account_verify_credentials), uncovered(lambda: client.status_post("hello"))


def bluesky(guard: Guard, url: str) -> tuple[Call, Call]:
    """A read and a write of atproto."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        atproto = pytest.importorskip("atproto")
        request = pytest.importorskip("atproto_client.request").Request(transport=httpx_transport(guard))
    client = atproto.Client(base_url=url, request=request)
    session = {"identifier": "a.b", "password": "token-1234"}
    return (
        lambda: client.com.atproto.identity.resolve_handle({"handle": "a.b"}),
        lambda: client.com.atproto.server.create_session(session),
    )


CLIENTS = [salesforce, zendesk, hubspot, mastodon, bluesky]
Client = Callable[[Guard, str], tuple[Call, Call]]


STAMP = "2026-01-02T03:04:05Z"
SUCCESS = {  # the least that each client takes for success, by method and a part of the path
    ("GET", "/query"): {"totalSize": 1, "done": True, "records": [{"Id": "00Q1"}]},
    ("POST", "/sobjects/"): {"id": "00Q1", "success": True, "errors": []},
    ("GET", "/tickets"): {"ticket": {"id": 1, "subject": "s"}},
    ("POST", "/tickets"): {"ticket": {"id": 1}, "audit": {"id": 2, "ticket_id": 1, "events": []}},
    ("GET", "/crm/"): {"results": []},
    ("POST", "/crm/"): {"id": "7", "properties": {}, "createdAt": STAMP, "updatedAt": STAMP, "archived": False},
    ("GET", "/api/v1/accounts"): {"id": "7", "username": "a"},
    ("POST", "/api/v1/statuses"): {"id": "7", "content": "hello"},
    ("GET", "resolveHandle"): {"did": "did:plc:abc"},
    ("POST", "createSession"): {"accessJwt": "a", "refreshJwt": "b", "handle": "a.b", "did": "did:plc:abc"},
}


def speak(sent: SentRequest) -> Scripted:
    """Success, as the vendor says it; Bluesky's writes of this kind answer 200, the others' 201."""
    body = next(body for (method, part), body in SUCCESS.items() if method == sent.method and part in sent.url)
    return answer(201 if sent.method == "POST" and "xrpc" not in sent.url else 200, body)


@pytest.mark.parametrize("client", CLIENTS)
def test_the_real_client_reads_and_writes_through_the_guard(guard: Guard, client: Client) -> None:
    with LocalServer(speak) as server:
        read, write = client(guard, server.url)
        assert read() is not None
        assert write() is not None
    assert guard.calls == {"GET": 1, "POST": 1}
    assert len(server.requests) == 2
    assert server.connections == 1


@pytest.mark.parametrize("client", CLIENTS)
def test_a_write_that_gets_no_answer_is_uncertain_through_the_client_and_sent_once(
    guard: Guard, client: Client
) -> None:
    with LocalServer(lambda _: Failure.RESET) as server:
        _, write = client(guard, server.url)
        with pytest.raises(Uncertain):
            write()
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "error", [Unavailable("down"), Rejected("no", code="egress"), Uncertain("who knows")], ids=repr
)
@pytest.mark.parametrize("client", CLIENTS)
def test_the_guards_own_error_passes_through_the_client_unchanged(client: Client, error: ConnectorError) -> None:
    http = FakeHttp(lambda *_: error)
    for call in client(http, "http://127.0.0.1:9"):  # type: ignore[arg-type]  # any Http serves
        with pytest.raises(ConnectorError) as caught:
            call()
        assert caught.value is error
    assert len(http.requests) == 2


@pytest.mark.parametrize("status", [429, 500, 503])
@pytest.mark.parametrize("client", CLIENTS)
def test_the_client_hides_no_repeat_of_a_write(guard: Guard, client: Client, status: int) -> None:
    with LocalServer(lambda _: answer(status, {"error": "no"}, headers={"retry-after": "1"})) as server:
        _, write = client(guard, server.url)
        with pytest.raises(Exception):  # noqa: B017 - each client has exceptions of its own
            write()
    assert len(server.requests) == 1


@pytest.mark.parametrize("client", CLIENTS)
def test_the_client_hides_no_repeat_of_a_read(guard: Guard, client: Client) -> None:
    with LocalServer(lambda _: answer(500, {"error": "no"}, headers={"retry-after": "1"})) as server:
        read, _ = client(guard, server.url)
        with pytest.raises(Exception):  # noqa: B017 - each client has exceptions of its own
            read()
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("client", CLIENTS)
def test_a_redirected_write_is_neither_followed_nor_taken_for_success(
    guard: Guard, client: Client, status: int
) -> None:
    with LocalServer(lambda _: answer(status, {}, headers={"location": "/elsewhere"})) as server:
        _, write = client(guard, server.url)
        with pytest.raises(Rejected) as caught:
            write()
    assert (caught.value.code, len(server.requests)) == ("redirect", 1)


# -------------------------------------------------------------------------------------------------- the adapters alone


def test_a_session_keeps_out_proxies_and_netrc_of_the_environment() -> None:
    assert requests_session(FakeHttp()).trust_env is False


def test_what_a_client_mounts_on_the_session_is_not_used() -> None:
    from requests.adapters import HTTPAdapter

    http = FakeHttp([answer(200, {"a": 1})])
    session = requests_session(http)
    session.mount("http://", HTTPAdapter(max_retries=3))
    assert session.get("http://127.0.0.1:9/x", timeout=(1, 7)).json() == {"a": 1}
    assert http.requests[0].timeout == 7


@pytest.mark.parametrize(
    ("given", "body"),
    [
        ({"data": b"raw"}, b"raw"),
        ({"data": "täxt"}, "täxt".encode()),
        ({"data": iter([b"a", b"b"])}, b"ab"),
        ({}, None),
    ],
)
def test_a_session_sends_bodies_of_all_kinds(given: dict[str, Any], body: bytes | None) -> None:
    http = FakeHttp([answer()])
    requests_session(http).post("http://x.example/", **given)
    assert http.requests[0].content == body


def test_a_session_sends_files() -> None:
    http = FakeHttp([answer()])
    requests_session(http).post("http://x.example/", files={"file": ("a.txt", b"content")})
    assert b"content" in (http.requests[0].content or b"")


def test_a_response_of_the_session_can_be_streamed() -> None:
    response = requests_session(FakeHttp([answer(content=b"abc" * 10)])).get("http://x.example/", stream=True)
    assert b"".join(response.iter_content(7)) == b"abc" * 10
    response.close()


@pytest.mark.parametrize(
    ("method", "options", "url", "body"),
    [
        ("GET", {"fields": {"a": "b c"}}, "http://x/?a=b+c", None),
        ("GET", {"fields": [("a", 1), ("a", 2)]}, "http://x/?a=1&a=2", None),
        ("POST", {"body": '{"a":1}'}, "http://x/", b'{"a":1}'),
        ("POST", {"fields": {"a": "b"}, "encode_multipart": False}, "http://x/", b"a=b"),
    ],
)
def test_a_pool_puts_fields_where_urllib3_does(
    method: str, options: dict[str, Any], url: str, body: bytes | None
) -> None:
    http = FakeHttp([answer()])
    urllib3_pool(http).request(method, "http://x/", **options)
    assert (http.requests[0].url, http.requests[0].content) == (url, body)


def test_a_pools_answer_has_the_face_of_urllib3() -> None:
    got = urllib3_pool(FakeHttp([answer(404, {"a": 1}, headers={"X-One": "1"})])).request("GET", "http://x/")
    assert (got.status, got.reason, got.data) == (404, "Not Found", b'{"a":1}')
    assert (got.getheader("x-ONE"), got.getheader("none", "-"), got.getheaders()["X-One"]) == ("1", "-", "1")


def test_httpx_reads_and_its_time_out_is_kept() -> None:
    http = FakeHttp([answer(200, {"a": 1}, headers={"X-One": "1"})])
    with httpx.Client(transport=httpx_transport(http), timeout=9) as client:
        got = client.post("http://x.example/a?b=c", json={"z": 1})
    assert (got.json(), got.headers["x-one"], http.requests[0].timeout) == ({"a": 1}, "1", 9)
    assert http.requests[0].json() == {"z": 1}


def test_unwrapping_leaves_other_errors_alone() -> None:
    with pytest.raises(KeyError), unwrapped():
        raise KeyError("x")
