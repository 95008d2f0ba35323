"""Options of a Salesforce connection."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from plugins.salesforce.config import SalesforceOptions
from tests.plugins.salesforce.given import URL, options


@pytest.mark.parametrize(
    "url", ["http://acme.my.salesforce.com", "acme.my.salesforce.com", f"{URL}/services", "https://u:p@acme.example"]
)
def test_the_url_must_be_an_https_origin(url: str) -> None:
    with pytest.raises(ValidationError, match="instance_url"):
        options(instance_url=url)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8701", "http://localhost:8701", "http://[::1]:8701"])
def test_a_local_sandbox_may_speak_plain_http(url: str) -> None:
    assert options(instance_url=url).instance_url == url


def test_a_slash_at_the_end_of_the_url_is_dropped() -> None:
    assert options(instance_url=f"{URL}/").instance_url == URL


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"access_token": "t", "client_id": "app", "client_secret": "s"},
        {"client_id": "app", "username": "hub@acme.example"},
        {"client_id": "app", "username": "hub@acme.example", "private_key": "k", "private_key_file": "k.pem"},
        {"username": "hub@acme.example", "private_key": "k"},
        {"client_secret": "s"},
        {"client_id": "app", "private_key": "k"},
    ],
)
def test_exactly_one_whole_way_of_authorising_is_wanted(given: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        SalesforceOptions.model_validate({"instance_url": URL} | given)


def test_the_version_is_never_the_clients_own_default() -> None:
    assert options().version == "67.0"
    with pytest.raises(ValidationError):
        options(version="67")


def test_secrets_do_not_show() -> None:
    shown = repr(options(access_token=None, client_id="app", client_secret="top-secret"))
    assert "top-secret" not in shown


def test_the_connection_may_reach_its_own_org_only() -> None:
    from plugins.salesforce.destination import SalesforceDestination

    assert SalesforceDestination(options()).egress() == ("acme.my.salesforce.com",)
