"""Web addresses that people write: is there a host that they can mean?"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address
from urllib.parse import SplitResult, urlsplit

_LABEL = re.compile(r"\w(?:[\w-]{0,61}\w)?")
_NUMBER = re.compile(r"\d+|0x[0-9a-f]*", re.IGNORECASE)


def is_host(text: str) -> bool:
    """Return True for a host's name, or an address (of version 6 without brackets)."""
    labels = text.removesuffix(".").split(".")
    if ":" in text or _NUMBER.fullmatch(labels[-1]):  # what ends like a number is an address, or nothing
        try:
            return bool(IPv6Address(text) if ":" in text else IPv4Address(text))
        except ValueError:
            return False
    return len(text) <= 253 and all(_LABEL.fullmatch(label) for label in labels)


def web_parts(url: str) -> SplitResult:
    """Return the parts of an http or https address. Raises ValueError, with the way out, if it can lead to no host."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError(f"this is no address: write one such as {_EXAMPLE}; a port is a number up to 65535") from None
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        raise ValueError(f"an address begins with https:// or http://, and a host follows, such as {_EXAMPLE}")
    if not url.isprintable() or any(map(str.isspace, url)):
        raise ValueError(f"an address has no spaces: write one such as {_EXAMPLE}")
    if not is_host(parts.hostname or "") or port == 0 or parts.path.startswith("//"):
        raise ValueError(f"this address names no host that can be: write one such as {_EXAMPLE}")
    return parts


_EXAMPLE = "https://example.com"

__all__ = ["is_host", "web_parts"]
