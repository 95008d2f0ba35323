"""Where a connection may go: the hosts that its connector declares, and which addresses those names may stand for.

Names are judged when a request is made, addresses when a connection is made: the name is resolved once, every address is
checked, and the connection goes to a checked address, so a name that changes in between gains nothing.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Iterable, Sequence
from ipaddress import IPv4Address, IPv6Address

import httpx

from hub.core.errors import Rejected

Address = IPv4Address | IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Resolve = Callable[[str, int], Iterable[str]]

# Reserved or special, yet global by the tables of some Python versions (IANA special-purpose registries);
# 168.63.129.16 is Azure's host, 192.0.0.192 (in 192.0.0.0/24) Oracle's metadata.
_SPECIAL = tuple(
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8",
        "192.0.0.0/24",
        "192.88.99.0/24",
        "198.18.0.0/15",
        "168.63.129.16/32",
        "64:ff9b:1::/48",
        "100::/64",
        "2001::/23",
        "2001:db8::/32",
        "3fff::/20",
        "5f00::/16",
        "fec0::/10",
    )
)
# Never opened along with a range around them: Amazon's, Google's and Azure's, Amazon's over IPv6, Alibaba's, Azure's host.
_METADATA = frozenset(
    map(ipaddress.ip_address, ("169.254.169.254", "fd00:ec2::254", "100.100.100.200", "168.63.129.16"))
)
_PRIVATE = tuple(
    ipaddress.ip_network(text)
    for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "100.64.0.0/10", "::1/128", "fc00::/7")
)
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def resolve(host: str, port: int) -> Iterable[str]:
    """Return the addresses of a name, by the system's resolver; raises OSError if there are none."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return dict.fromkeys(str(entry[4][0]) for entry in found)


class Egress:
    """The rules of one connection.

    `hosts`: exact names, `name:port`, `*.name` for any name below it, `*` for any. `allow_private`: True admits private and
    loopback addresses, a list admits the networks (CIDR) and the names given. Link-local, multicast and reserved addresses
    are admitted only by a network in the list, metadata services only by an entry for that one address.
    """

    def __init__(
        self, hosts: Sequence[str], *, allow_private: bool | Sequence[str] = False, resolve: Resolve = resolve
    ) -> None:
        self.hosts = tuple(_plain(host) for host in hosts)
        self._resolve = resolve
        self._networks: tuple[Network, ...] = _PRIVATE if allow_private is True else ()
        self._names: frozenset[str] = frozenset()
        if not isinstance(allow_private, bool):
            self._networks = tuple(network for entry in allow_private if (network := _network(entry)))
            self._names = frozenset(_plain(entry) for entry in allow_private if not _network(entry))

    def check(self, url: httpx.URL) -> None:
        """Raise Rejected (code "egress") unless scheme, form and host of `url` are allowed."""
        if url.scheme not in ("http", "https") or not url.host:
            raise Rejected(
                f"only http and https URLs are fetched, not {url.scheme or 'a relative one'!r}", code="egress"
            )
        if url.userinfo:
            raise Rejected("credentials in a URL are refused: send them as a header", code="egress")
        host = url.raw_host.decode("ascii").lower().rstrip(".")
        port = url.port or (443 if url.scheme == "https" else 80)
        if not any(_matches(host, port, pattern) for pattern in self.hosts):
            raise Rejected(f"{host} is not among the hosts that this connector declares", code="egress")

    def check_literal(self, host: str) -> None:
        """Refuse a literal address (or localhost) that is not allowed, for a proxy, which resolves names itself."""
        if _plain(host) == "localhost" or _plain(host).endswith(".localhost"):
            host = "127.0.0.1"
        try:
            literal = socket.inet_ntoa(socket.inet_aton(host))
        except OSError:
            literal = host
        if _address(literal) and not self._admits(host, literal):
            raise _refused(host)

    def addresses(self, host: str, port: int) -> list[str]:
        """Return the checked addresses of `host`; raises Rejected ("egress") if none is allowed, OSError if there is none."""
        found = list(self._resolve(host.rstrip("."), port))
        allowed = [address for address in found if self._admits(host, address)]
        if found and not allowed:
            raise _refused(host)
        return allowed

    def _admits(self, host: str, text: str) -> bool:
        address = _address(text)
        if address is None:
            return False
        if address in _METADATA:
            return ipaddress.ip_network(address) in self._networks
        if _within(address, self._networks) or _is_public(address):
            return True
        return _plain(host) in self._names and _within(address, _PRIVATE)


def _refused(host: str) -> Rejected:
    said = f"{host} stands for an address that is private, reserved or a metadata service"
    return Rejected(f"{said} (allow_private of the connection may admit it)", code="egress")


def _plain(host: str) -> str:
    return host.strip().lower().rstrip(".")


def _network(entry: str) -> Network | None:
    try:
        return ipaddress.ip_network(entry.strip(), strict=False)
    except ValueError:
        return None


def _matches(host: str, port: int, pattern: str) -> bool:
    if pattern == "*" or pattern in (host, f"{host}:{port}", f"[{host}]", f"[{host}]:{port}"):
        return True
    return pattern.startswith("*.") and host.endswith(pattern[1:]) and len(host) >= len(pattern)


def _address(text: str) -> Address | None:
    """Return the address, with an IPv4 address inside an IPv6 one unpacked; None if it is none or has a zone."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv4Address):
        return address
    if address.scope_id:
        return None
    if address in _NAT64:
        return IPv4Address(address.packed[12:])
    return address.ipv4_mapped or address.sixtofour or address


def _is_public(address: Address) -> bool:
    if address.is_multicast or address.is_reserved or address.is_unspecified or address.is_link_local:
        return False
    return address.is_global and not _within(address, _SPECIAL)


def _within(address: Address, networks: Iterable[Network]) -> bool:
    return any(address.version == network.version and address in network for network in networks)
