"""The kinds of values in the configuration: durations, rates, networks, addresses. Each says what it takes, with an example."""

from __future__ import annotations

import math
import re
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, Strict

from hub.core.languages import KNOWN, base_language
from hub.sdk.addresses import is_host, web_parts
from hub.sdk.paths import written_path
from hub.sdk.rates import Limit

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?")
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, None: 1}
_LONGEST = timedelta(days=36_500)
_MOST = 2**31 - 1
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,47}")
_HOST = re.compile(r"(?:\*\.)?[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?", re.IGNORECASE)


def duration(value: Any) -> Any:
    """Read a number of seconds, or text such as "500ms", "30s", "5m", "2h", "7d", as a timedelta of a hundred years at most."""
    if isinstance(value, timedelta):
        return value
    found = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    number = isinstance(value, int | float) and not isinstance(value, bool)
    seconds = float(found[1]) * _SECONDS[found[2]] if found else float(value) if number else math.nan
    if math.isnan(seconds) or seconds < 0:
        raise ValueError('a duration is a number of seconds or text such as "30s", "5m", "2h", "7d"')
    if seconds > _LONGEST.total_seconds():
        raise ValueError('a duration is a hundred years at most: "36500d"')
    return timedelta(seconds=seconds)


def _lasting(value: timedelta) -> timedelta:
    if not value:
        raise ValueError('zero is no time at all: write one such as "30s"')
    return value


def _pause(value: timedelta) -> timedelta:
    if _lasting(value) < timedelta(seconds=1):
        raise ValueError('a second at least: "1s"')
    return value


def _patience(value: timedelta) -> timedelta:
    if _lasting(value) > timedelta(hours=1):
        raise ValueError('an hour at most: "1h"')
    return value


def _span(value: timedelta) -> timedelta:
    if not timedelta(milliseconds=100) <= value <= timedelta(hours=1):
        raise ValueError('from "100ms" to "1h"')
    return value


def _countable(value: int) -> int:
    if value > _MOST:
        raise ValueError(f"this must be {_MOST} at most")
    return value


def rate(value: Any) -> Any:
    """Read text such as "10/s", "100/m", "5000/h" as a limit."""
    if isinstance(value, Limit):
        return value
    return Limit.parse(value if isinstance(value, str) else "")


def name(value: str) -> str:
    """Take a connection's name as it stands in addresses and lanes."""
    if not _NAME.fullmatch(value):
        plain = re.sub(r"[^a-z0-9_-]+", "_", value.lower()).strip("_-")[:48] or "shop"
        raise ValueError(f"a name is small letters, digits, - and _, 48 at most: such as {plain}")
    return value


def private(value: Any) -> Any:
    """Take true, false, or a list of networks, addresses and hosts."""
    if isinstance(value, bool):
        return value
    if not isinstance(value, list | tuple) or not all(isinstance(one, str) for one in value):
        raise ValueError('write true, false, or a list of networks and hosts such as ["10.0.0.0/8", "crm.local"]')
    for one in value:
        if not _is_network(one) and not (_HOST.fullmatch(one) and re.search(r"[a-z]", one, re.IGNORECASE)):
            raise ValueError(
                f'"{one}" is no network, address or host: such as "10.0.0.0/8", "127.0.0.1" or "crm.local"'
            )
    return tuple(value)


def network(value: Any) -> Any:
    """Check that text is an address or a network in CIDR form."""
    if not isinstance(value, str) or not _is_network(value):
        raise ValueError('this is no address and no network: write "192.0.2.7" or "192.0.2.0/24"')
    return value


def proxy_network(value: Any) -> Any:
    """Check that text is an address or a network, and not all of them: then no address in a header would be a caller's."""
    if ip_network(network(value), strict=False).prefixlen == 0:
        raise ValueError(
            "this is every address there is, and then no caller has one: name the proxy's address or network"
        )
    return value


def _is_network(text: str) -> bool:
    try:
        ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def web_address(value: str) -> str:
    """Take an empty text or the http or https URL of a host, without a query and without a password."""
    if value and not is_web(value):
        raise ValueError("write a whole address, such as https://hub.example.com")
    if "?" in value or "#" in value:
        raise ValueError("an address of the hub has no ? and no #: such as https://hub.example.com")
    if "@" in urlsplit(value).netloc:
        raise ValueError("a name or a password stands in this address: it would be in every link")
    return value


def proxy_address(value: str) -> str:
    """Take an empty text or the http or https URL of a forward proxy."""
    if value and not is_web(value):
        raise ValueError("write the address of a plain forward proxy, such as http://proxy.example.com:3128")
    return value


def is_web(value: str) -> bool:
    """Return True for an http or https URL with a host and no odd characters."""
    try:
        return bool(web_parts(value))
    except ValueError:
        return False


def host(value: str) -> str:
    """Take an address or a name to listen on, alone."""
    plain = value[1:-1] if value.startswith("[") and value.endswith("]") else value
    if not is_host(plain):
        raise ValueError('write an address or a name alone, such as "127.0.0.1"; the port has a key of its own')
    return plain


def path(value: Path) -> Path:
    """Take a path; `~` is the home of the person whose hub it is."""
    return written_path(value)


def language(value: str) -> str:
    """Take a language by its code of two letters, the form in which networks and models tell it."""
    code = base_language(value.strip())
    if code not in KNOWN:
        raise ValueError(f'"{value}" is no language: write its code of ISO 639-1, such as "en", "de", "fr"')
    return code


Duration = Annotated[timedelta, BeforeValidator(duration)]
Lasting = Annotated[timedelta, BeforeValidator(duration), AfterValidator(_lasting)]
"""A duration above zero."""
Pause = Annotated[timedelta, BeforeValidator(duration), AfterValidator(_pause)]
"""A duration of a second at least: between two looks."""
Patience = Annotated[timedelta, BeforeValidator(duration), AfterValidator(_patience)]
"""A duration above zero, of an hour at most: for one exchange."""
Rate = Annotated[Limit, BeforeValidator(rate)]
Name = Annotated[str, AfterValidator(name)]
WebAddress = Annotated[str, AfterValidator(web_address)]
ProxyNetwork = Annotated[str, BeforeValidator(proxy_network)]
Span = Annotated[timedelta, BeforeValidator(duration), AfterValidator(_span)]
"""A duration from a tenth of a second to an hour: how long a caller may take."""
Host = Annotated[str, AfterValidator(host)]
Place = Annotated[Path, AfterValidator(path)]
Whole = Annotated[int, Strict(), AfterValidator(_countable)]
Share = Annotated[float, Strict(), Field(le=1, allow_inf_nan=False)]
Switch = Annotated[bool, Strict()]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
Language = Annotated[str, AfterValidator(language)]
AllowPrivate = Annotated[bool | tuple[str, ...], BeforeValidator(private)]
Port = Annotated[int, Strict(), Field(ge=0, le=65535)]

__all__ = [
    "AllowPrivate",
    "Currency",
    "Duration",
    "Host",
    "Language",
    "Lasting",
    "Name",
    "Patience",
    "Pause",
    "Place",
    "Port",
    "ProxyNetwork",
    "Rate",
    "Share",
    "Span",
    "Switch",
    "WebAddress",
    "Whole",
    "duration",
    "rate",
]
