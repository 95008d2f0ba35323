"""Who calls: the address behind a request, and if it comes from this machine without a proxy between."""

from __future__ import annotations

import re
from collections.abc import Iterable, MutableMapping
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

from hub.config.settings import Readers, is_loopback

__all__ = ["LOOPBACK", "Networks", "Readers", "caller_of", "host_of", "is_local"]
Scope = MutableMapping[str, Any]
LOOPBACK = ("127.0.0.0/8", "::1/128")
_FORWARDED = re.compile(
    rb"x-(?:forwarded|envoy-|azure-|vercel-|akamai-|arr-|nginx-proxy|varnish|proxy|rewrite-url|host$|scheme$|request-start|ssl-client)"
    rb"|x-(?:original-(?:for|host|proto|url)|cloud-trace-context|amzn-trace-id|amz-cf-id|(?:auth-request|remote|webauth)-user)"
    rb"|forwarded|via$|proxy-|cdn-loop|cf-|fastly-|tailscale-|ngrok-|akamai-|incap-|surrogate-capability|remote-user"
    rb"|.*(?:client|connecting|real|user|socket)-?ip"
)
"""Headers that only a proxy sends, a tunnel's end on this machine too, by how their names begin; and all that name an address."""
_HOST = re.compile(r"(?:\[(?P<inner>[0-9A-Fa-f:.]+)\]|(?P<name>[^\s\[\]/?#@:\\]+))(?::[0-9]*)?")


class Networks:
    """Networks as they stand in the configuration: addresses, or networks in CIDR form."""

    def __init__(self, written: Iterable[str]) -> None:
        self._networks: list[IPv4Network | IPv6Network] = [ip_network(one, strict=False) for one in written]

    def hold(self, address: str) -> bool:
        """Return True if an address is in one of the networks; what is no address is in none."""
        found = read_address(address)
        return found is not None and any(found in one for one in self._networks if one.version == found.version)


def read_address(text: str) -> IPv4Address | IPv6Address | None:
    """Return an address; an IPv4 address in IPv6's clothes as what it is, None if it is none."""
    try:
        found = ip_address(text.strip().strip("[]").partition("%")[0])
    except ValueError:
        return None
    return (found.ipv4_mapped or found) if isinstance(found, IPv6Address) else found


def is_forwarded(scope: Scope) -> bool:
    """Return True if a header says that a proxy passed the request on."""
    return any(_FORWARDED.match(name) for name, _ in scope["headers"])


def caller_of(scope: Scope, proxies: Networks) -> str:
    """Return the caller's address: the other end's, or the one that a proxy of ours names; "" if it cannot be told."""
    peer = _peer(scope)
    if not is_forwarded(scope):
        return peer
    if not proxies.hold(peer):
        return ""
    named = b",".join(value for name, value in scope["headers"] if name == b"x-forwarded-for").decode("latin-1")
    # Each proxy appends the address that it heard; what stands before the first stranger, the stranger may have written.
    strangers = [one.strip() for one in named.split(",") if not proxies.hold(one.strip())]
    return strangers[-1] if strangers and read_address(strangers[-1]) else ""


def is_local(scope: Scope, *, bound: str) -> bool:
    """Return True if a request comes from this machine, and nothing tells of a proxy between.

    `bound` is the address that the server listens on: on loopback every peer is of this machine. A proxy on this machine is
    known by its headers, by the public name that it keeps in Host, or by HTTP/1.0, which is some proxies' usual.
    """
    if is_forwarded(scope) or scope.get("http_version") == "1.0":
        return False
    hosts = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
    if len(hosts) != 1 or not is_loopback(host_of(hosts[0])):
        return False
    return is_loopback(bound) or is_loopback(str(read_address(_peer(scope))))


def _peer(scope: Scope) -> str:
    """Return the address at the other end of the connection; without one it is a program of this machine (a socket's file)."""
    client = scope.get("client")
    return str(client[0]) if client else "127.0.0.1"


def host_of(header: str) -> str:
    """Return the host in a Host header, lower case, without port, brackets and the root's dot; "" if it is none."""
    found = _HOST.fullmatch(header)
    return (found["inner"] or found["name"]).lower().removesuffix(".") if found else ""
