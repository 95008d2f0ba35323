"""The kinds of values in the configuration: durations, rates, networks, addresses. Each says what it takes, with an example."""

from __future__ import annotations

import math
import re
from datetime import timedelta
from ipaddress import ip_network
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field

from hub.core.languages import KNOWN, base_language
from hub.sdk.rates import Limit

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?")
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, None: 1}
_LONGEST = timedelta(days=36_500)
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


def _is_network(text: str) -> bool:
    try:
        ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def web_address(value: str) -> str:
    """Take an empty text or an http or https URL with a host."""
    try:
        parts = urlsplit(value)
        fine = not value or (parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0)
    except ValueError:  # a port that is no number
        fine = False
    if not fine:
        raise ValueError("write a whole address, such as https://hub.example.com")
    return value


def language(value: str) -> str:
    """Take a language by its code of two letters, the form in which networks and models tell it."""
    code = base_language(value.strip())
    if code not in KNOWN:
        raise ValueError(f'"{value}" is no language: write its code of ISO 639-1, such as "en", "de", "fr"')
    return code


Duration = Annotated[timedelta, BeforeValidator(duration)]
Lasting = Annotated[timedelta, BeforeValidator(duration), AfterValidator(_lasting)]
"""A duration above zero."""
Rate = Annotated[Limit, BeforeValidator(rate)]
Name = Annotated[str, AfterValidator(name)]
WebAddress = Annotated[str, AfterValidator(web_address)]
Language = Annotated[str, AfterValidator(language)]
AllowPrivate = Annotated[bool | tuple[str, ...], BeforeValidator(private)]
Port = Annotated[int, Field(ge=0, le=65535)]

__all__ = ["AllowPrivate", "Duration", "Language", "Lasting", "Name", "Port", "Rate", "WebAddress", "duration", "rate"]
