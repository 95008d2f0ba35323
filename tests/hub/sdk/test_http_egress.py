"""Where a connection may go: names, addresses, and names that change their addresses."""

from __future__ import annotations

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.core.errors import Rejected, Unavailable
from hub.sdk.http import Guard, Policy
from hub.sdk.http.egress import Egress
from hub.testkit.fakes import answer
from hub.testkit.server import LocalServer


def egress_to(*addresses: str, allow_private: bool | tuple[str, ...] = False) -> Egress:
    """Rules under which every name stands for `addresses`."""
    return Egress(("*",), allow_private=allow_private, resolve=lambda host, port: addresses)


@pytest.mark.parametrize(
    ("host", "pattern", "allowed"),
    [
        ("api.example.com", "api.example.com", True),
        ("API.Example.com", "api.example.COM.", True),
        ("api.example.com.", "api.example.com", True),
        ("a.api.example.com", "*.example.com", True),
        ("example.com", "*.example.com", False),
        ("evilexample.com", "*.example.com", False),
        ("example.com.evil.net", "*.example.com", False),
        ("anything.net", "*", True),
        ("other.example.com", "api.example.com", False),
        ("xn--bcher-kva.example", "xn--bcher-kva.example", True),
    ],
)
def test_names_are_matched_whole(host: str, pattern: str, allowed: bool) -> None:
    try:
        Egress((pattern,)).check(httpx.URL(f"https://{host}/x"))
    except Rejected as error:
        assert (error.code, allowed) == ("egress", False)
    else:
        assert allowed


@pytest.mark.parametrize(("port", "allowed"), [(8701, True), (8702, False)])
def test_a_pattern_may_name_a_port(port: int, allowed: bool) -> None:
    rules = Egress(("127.0.0.1:8701",))
    if allowed:
        rules.check(httpx.URL(f"http://127.0.0.1:{port}/"))
    else:
        with pytest.raises(Rejected):
            rules.check(httpx.URL(f"http://127.0.0.1:{port}/"))


def test_without_hosts_nothing_is_reached() -> None:
    with pytest.raises(Rejected):
        Egress(()).check(httpx.URL("https://example.com/"))


FORBIDDEN = [
    *("127.0.0.1", "127.8.8.8", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "0.0.0.0"),
    *("169.254.169.254", "169.254.1.1", "100.100.100.200", "168.63.129.16", "192.0.0.192", "198.18.0.1", "192.0.2.1"),
    *("224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255", "192.88.99.1", "203.0.113.9"),
    *("::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1", "fec0::1", "2001:db8::1"),
    *("::ffff:127.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe"),
    *("2002:7f00:1::", "2001:0:1::1", "64:ff9b:1::1", "100::1", "not an address"),
]


@pytest.mark.parametrize("address", FORBIDDEN)
def test_private_reserved_and_metadata_addresses_are_refused(address: str) -> None:
    with pytest.raises(Rejected) as caught:
        egress_to(address).addresses("innocent.example", 443)
    assert caught.value.code == "egress"


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "64:ff9b::101:101", "::ffff:1.1.1.1"]
)
def test_public_addresses_are_taken(address: str) -> None:
    assert egress_to(address).addresses("some.example", 443) == [address]


LINK_LOCAL = ("169.254.169.254", "169.254.1.1", "fe80::1", "100.100.100.200", "fd00:ec2::254", "224.0.0.1", "0.0.0.0")


@pytest.mark.parametrize("address", LINK_LOCAL)
def test_allowing_private_networks_does_not_open_metadata_services(address: str) -> None:
    with pytest.raises(Rejected):
        egress_to(address, allow_private=True).addresses("x.example", 80)


@pytest.mark.parametrize("address", ["127.0.0.1", "10.1.1.1", "192.168.0.9", "100.64.1.1", "::1", "fd12::1", "1.1.1.1"])
def test_private_addresses_are_taken_where_they_are_allowed(address: str) -> None:
    assert egress_to(address, allow_private=True).addresses("x.example", 80) == [address]


@pytest.mark.parametrize(
    ("allowed", "host", "address", "taken"),
    [
        ("10.0.0.0/8", "x", "10.9.9.9", True),
        ("10.0.0.0/8", "x", "192.168.0.1", False),
        ("10.0.0.7", "x", "10.0.0.7", True),
        ("169.254.0.0/16", "x", "169.254.1.1", True),
        ("169.254.0.0/16", "x", "169.254.169.254", False),
        ("169.254.169.254", "x", "169.254.169.254", True),
        ("crm.internal", "crm.internal", "10.0.0.7", True),
        ("crm.internal", "CRM.internal.", "10.0.0.7", True),
        ("crm.internal", "other.internal", "10.0.0.7", False),
        ("crm.internal", "crm.internal", "169.254.169.254", False),
    ],
)
def test_a_list_opens_what_it_names(allowed: str, host: str, address: str, taken: bool) -> None:
    rules = egress_to(address, allow_private=(allowed,))
    if taken:
        assert rules.addresses(host, 80) == [address]
    else:
        with pytest.raises(Rejected):
            rules.addresses(host, 80)


def test_of_mixed_addresses_only_the_public_ones_are_used() -> None:
    assert egress_to("127.0.0.1", "1.1.1.1", "10.0.0.1").addresses("mixed.example", 443) == ["1.1.1.1"]


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_has_one_verdict_in_all_its_disguises(address: object) -> None:
    def verdict(text: str) -> bool:
        try:
            return bool(egress_to(text).addresses("x", 80))
        except Rejected:
            return False

    number = int(address)  # type: ignore[call-overload]  # an IPv4Address
    high, low = f"{number >> 16:x}", f"{number & 0xFFFF:x}"
    disguises = (f"::ffff:{address}", f"64:ff9b::{high}:{low}", f"2002:{high}:{low}::1")
    assert {verdict(text) for text in disguises} == {verdict(str(address))}


# ----------------------------------------------------------------------------------------------------------- real sockets


def guard_with(egress: Egress) -> Guard:
    return Guard(egress, Policy(timeout=2, retries=0))


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "127.1", "2130706433", "0x7f000001", "[::ffff:127.0.0.1]", "[::1]"]
)
def test_loopback_is_refused_however_it_is_written(host: str) -> None:
    with (
        LocalServer(lambda _: answer()) as server,
        guard_with(Egress(("*",))) as guard,
        pytest.raises(Rejected) as caught,
    ):
        guard.send("GET", f"http://{host}:{server.port}/")
    assert (caught.value.code, server.connections) == ("egress", 0)


def test_a_name_that_changes_its_address_gains_nothing() -> None:
    answers = iter((["10.0.0.1"], ["127.0.0.1"]))
    rules = Egress(("*",), allow_private=("127.0.0.0/8",), resolve=lambda host, port: next(answers))
    with LocalServer(lambda _: answer()) as server, guard_with(rules) as guard, pytest.raises(Rejected):
        guard.send("GET", f"http://rebind.example:{server.port}/")
    assert server.connections == 0


def test_the_connection_goes_to_the_checked_address_and_the_name_is_asked_once() -> None:
    asked: list[str] = []

    def resolve(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"]

    with (
        LocalServer(lambda _: answer()) as server,
        guard_with(Egress(("*",), allow_private=True, resolve=resolve)) as guard,
    ):
        guard.send("GET", f"http://no-such-name.example:{server.port}/")
    assert asked == ["no-such-name.example"]
    assert server.requests[0].headers["host"] == f"no-such-name.example:{server.port}"


def test_the_next_address_is_tried_where_one_does_not_answer() -> None:
    rules = egress_to("::1", "127.0.0.1", allow_private=True)
    with LocalServer(lambda _: answer()) as server, guard_with(rules) as guard:
        assert guard.send("GET", f"http://two.example:{server.port}/").status == 200


@pytest.mark.parametrize("error", [OSError("no such name"), UnicodeError("label too long")])
def test_a_name_without_an_address_is_unavailable(error: Exception) -> None:
    def resolve(host: str, port: int) -> list[str]:
        raise error

    with guard_with(Egress(("*",), resolve=resolve)) as guard, pytest.raises(Unavailable) as caught:
        guard.send("POST", "http://nowhere.example/")
    assert caught.value.code == "connect"
