"""The door into an org: tokens, and simple-salesforce's defects worked around."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import parse_qs

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import ValidationError

from hub import HttpResponse, RateLimited, Rejected, Unauthorised, Unavailable, Uncertain
from hub.testkit.fakes import START, FakeClock, FakeHttp, answer, context
from plugins.salesforce.client import Org, auth_of
from plugins.salesforce.config import SalesforceOptions
from tests.plugins.salesforce.given import URL, client_credentials, options, refused

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PEM = KEY.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
).decode()
PUBLIC = KEY.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
EXPIRED = refused(401, "INVALID_SESSION_ID", "Session expired or invalid")
HELLO = answer(200, {"hello": "world"})


def org_of(http: FakeHttp, given: SalesforceOptions | None = None) -> Org:
    given = given or options()
    return Org(given, auth_of(given), context(http))


def token(name: str) -> HttpResponse:
    return answer(200, {"access_token": name, "instance_url": "https://elsewhere.example"})


def jwt_options(**changes: object) -> SalesforceOptions:
    return options(access_token=None, client_id="app", username="hub@acme.example", **({"private_key": PEM} | changes))


# -------------------------------------------------------------------------------------------------------------- tokens


def test_a_jwt_is_signed_for_the_my_domain_url_and_lives_minutes() -> None:
    http = FakeHttp([token("t1"), HELLO])
    org_of(http, jwt_options()).call("GET", "limits")
    form = parse_qs((http.requests[0].content or b"").decode())
    claims = jwt.decode(form["assertion"][0], PUBLIC, algorithms=["RS256"], audience=URL, options={"verify_exp": False})
    assert http.requests[0].url == f"{URL}/services/oauth2/token"
    assert (claims["iss"], claims["sub"]) == ("app", "hub@acme.example")
    assert claims["exp"] == START.timestamp() + 180


def test_a_private_key_may_stand_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_text(PEM, "ascii")
    http = FakeHttp([token("t1"), HELLO])
    org_of(http, jwt_options(private_key=None, private_key_file=tmp_path / "key.pem")).call("GET", "limits")
    assert http.requests[1].headers["authorization"] == "Bearer t1"


def test_a_broken_private_key_is_a_matter_of_credentials_and_is_not_shown() -> None:
    with pytest.raises(Unauthorised) as found:
        org_of(FakeHttp(), jwt_options(private_key=PEM.replace("M", "N", 40))).call("GET", "limits")
    assert "PRIVATE" not in str(found.value)


@pytest.mark.parametrize("key", ["", "no key", "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSj"])
def test_what_is_no_private_key_is_refused_before_the_start_and_not_shown(key: str) -> None:
    with pytest.raises(ValidationError, match="no RSA key in PEM") as found:
        jwt_options(private_key=key)
    assert not key or key not in str(found.value.errors(include_input=False))


def test_a_token_is_minted_once_for_many_calls() -> None:
    http = FakeHttp([token("t1"), HELLO, HELLO])
    org = org_of(http, client_credentials())
    org.call("GET", "limits")
    org.call("GET", "limits")
    assert [sent.url.rsplit("/", 1)[1] for sent in http.requests] == ["token", "limits", "limits"]


def test_a_token_goes_to_our_org_whatever_host_the_answer_names() -> None:
    http = FakeHttp([token("t1"), HELLO])
    org_of(http, client_credentials()).call("GET", "limits")
    assert http.requests[1].url.startswith(f"{URL}/")


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (answer(400, {"error": "invalid_grant", "error_description": "audience is invalid"}), Unauthorised),
        (answer(400, {"error": "invalid_grant", "error_description": "login rate exceeded"}), RateLimited),
        (answer(503, content=b"<html>down</html>"), Unavailable),
        (answer(200, {"access_token": ""}), Unavailable),
        (answer(200, ["x"]), Unavailable),
        (answer(429), RateLimited),
        (Uncertain("no answer"), Unavailable),
    ],
)
def test_a_refused_token_says_what_to_do(reply: HttpResponse | Uncertain, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        org_of(FakeHttp([reply]), client_credentials()).call("GET", "limits")


def test_an_expired_session_gets_a_new_token_and_the_call_again() -> None:
    http = FakeHttp([token("t1"), EXPIRED, token("t2"), HELLO])
    assert org_of(http, client_credentials()).call("GET", "limits") == {"hello": "world"}
    assert http.requests[-1].headers["authorization"] == "Bearer t2"


def test_two_threads_with_one_spent_token_share_the_new_one() -> None:
    http = FakeHttp([token("t1"), token("t2")])
    auth, ctx = auth_of(client_credentials()), context(http)
    spent = auth.headers(ctx)
    assert auth.renew(ctx, spent)
    assert auth.renew(ctx, spent)
    assert auth.headers(ctx) == {"Authorization": "Bearer t2"}


# ---------------------------------------------------------------------------------------------------- client's defects


def always_expired(_method: str, url: str, _headers: Mapping[str, str], _content: bytes | None) -> HttpResponse:
    return token("t") if url.endswith("/token") else EXPIRED


def test_a_lasting_401_ends_after_two_tokens_and_two_calls() -> None:
    """The client's own renewal made 764 calls."""
    http = FakeHttp(always_expired)
    org = org_of(http, client_credentials())
    with pytest.raises(Unauthorised):
        org.call("GET", "limits")
    assert [sent.url.endswith("/token") for sent in http.requests] == [True, False, True, False]
    with pytest.raises(Unauthorised):
        org.call("GET", "limits")
    assert len(http.requests) == 5


def test_the_callers_headers_are_sent_again_after_a_new_token() -> None:
    """A1.8-1: the client forgot the duplicate-rule header on its second try."""
    http = FakeHttp([token("t1"), EXPIRED, token("t2"), HELLO])
    org_of(http, client_credentials(duplicate_rules="save")).call("GET", "limits")
    sent = [one.headers.get("sforce-duplicate-rule-header") for one in http.requests if "limits" in one.url]
    assert sent == ["allowSave=true; includeRecordDetails=true; runAsCurrentUser=true"] * 2


@pytest.mark.parametrize(
    "reply", [answer(401, content=b"<html>login</html>"), answer(401, {"error": "x"}), answer(401)]
)
def test_a_401_with_any_body_is_a_matter_of_credentials(reply: HttpResponse) -> None:
    """A1.8-2: HTML raised JSONDecodeError, a dict KeyError."""
    with pytest.raises(Unauthorised):
        org_of(FakeHttp([reply])).call("GET", "limits")


def test_every_call_has_a_time_out() -> None:
    """A1.8-3: the client sets none."""
    http = FakeHttp([token("t1"), HELLO])
    org_of(http, client_credentials(timeout=30)).call("PATCH", "composite/sobjects", {})
    assert [sent.timeout for sent in http.requests] == [30, 30]


@pytest.mark.parametrize("key", ["https://m.s/@u/1", "../Account", "..", "a b", "a+b", "O'Neil\\", "%2e%2e"])
def test_a_key_of_any_form_is_looked_up_by_the_body_and_quoted(key: str) -> None:
    """A1.8-4: in a path such a key reached another record."""
    http = FakeHttp([answer(200, {"compositeResponse": [{"httpStatusCode": 200, "body": {"records": []}}]})])
    org_of(http).find("Lead", "Key__c", [key])
    assert http.requests[0].url == f"{URL}/services/data/v67.0/composite"
    quoted = key.replace("\\", "\\\\").replace("'", "\\'")
    query = parse_qs(http.requests[0].json()["compositeRequest"][0]["url"].split("?", 1)[1])
    assert query["q"] == [f"SELECT Id, Key__c FROM Lead WHERE Key__c IN ('{quoted}')"]


@pytest.mark.parametrize("name", ["Lead WHERE", "../Lead", "", "1x", "a.b"])
def test_no_other_text_may_stand_in_for_a_name(name: str) -> None:
    with pytest.raises(ValueError, match="API names"):
        org_of(FakeHttp()).find(name, "Key__c", ["k"])


def test_looking_up_no_keys_makes_no_call() -> None:
    """A1.8-8: an empty list made `IN ()`."""
    http = FakeHttp()
    assert org_of(http).find("Lead", "Key__c", []) == {}
    assert http.requests == []


def test_a_thousand_keys_are_looked_up_in_one_call_with_a_short_url() -> None:
    """As a GET this was a URL of 38,088 characters."""
    body = {"compositeResponse": [{"httpStatusCode": 200, "body": {"records": [{"Id": "1", "Key__c": "k1"}]}}] * 5}
    http = FakeHttp([answer(200, body)])
    assert org_of(http).find("Lead", "Key__c", [f"k{i}" for i in range(1000)]) == {"k1": "1"}
    assert all(len(sent.url) < 2000 for sent in http.requests)
    assert len(http.requests) == 1


def test_the_version_is_in_every_path() -> None:
    http = FakeHttp([HELLO])
    org_of(http, options(version="68.0")).call("GET", "limits")
    assert http.requests[0].url == f"{URL}/services/data/v68.0/limits"


def test_a_local_url_is_reached_in_the_clear_though_the_client_insists_on_tls() -> None:
    http = FakeHttp([HELLO])
    org_of(http, options(instance_url="http://127.0.0.1:8701")).call("GET", "limits")
    assert http.requests[0].url == "http://127.0.0.1:8701/services/data/v67.0/limits"


@pytest.mark.parametrize("error", [Uncertain("sent"), Unavailable("down"), Rejected("egress")])
def test_the_guards_own_errors_pass_through_the_client(error: Exception) -> None:
    with pytest.raises(type(error)) as found:
        org_of(FakeHttp([error])).call("PATCH", "composite/sobjects", {})  # type: ignore[list-item]  # each is one
    assert found.value is error


def test_a_good_answer_that_is_no_json_is_tried_again() -> None:
    with pytest.raises(Unavailable):
        org_of(FakeHttp([answer(200, content=b"<html>maintenance</html>")])).call("GET", "limits")


@pytest.mark.parametrize("body", [[], {}, [{"success": True}], ["x", "y"], {"records": []}])
def test_results_that_do_not_pair_with_the_records_are_not_believed(body: object) -> None:
    with pytest.raises(Uncertain, match="one result for each of 2"):
        org_of(FakeHttp([answer(200, body)])).update([{"Id": "1"}, {"Id": "2"}])


def test_an_object_that_is_not_there_has_no_describe() -> None:
    assert org_of(FakeHttp([refused(404, "NOT_FOUND")])).describe("Nope__c") is None


def test_a_failed_part_of_a_composite_is_an_error() -> None:
    part = {"httpStatusCode": 400, "body": [{"errorCode": "MALFORMED_QUERY", "message": "?"}]}
    with pytest.raises(Rejected, match="MALFORMED_QUERY"):
        org_of(FakeHttp([answer(200, {"compositeResponse": [part]})])).query(["SELECT"])


@pytest.mark.parametrize(
    ("header", "usage"),
    [("api-usage=18/5000", 0.0036), ("api-usage=25/50; per-app-api-usage=17/250(appName=x)", 0.5), ("nonsense", None)],
)
def test_the_usage_header_is_read(header: str, usage: float | None) -> None:
    org = org_of(FakeHttp([answer(200, {"a": 1}, headers={"Sforce-Limit-Info": header})]))
    org.call("GET", "limits")
    assert org.usage == usage


def test_nothing_of_a_token_is_kept_in_the_connections_memory() -> None:
    ctx = context(FakeHttp([token("t1")]), clock=FakeClock())
    auth_of(client_credentials()).headers(ctx)
    assert vars(ctx.state)["_values"] == {}
