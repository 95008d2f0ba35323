"""Secrets taken out of what is logged, shown or raised."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Mapping
from typing import Any

from hub.core.errors import ConnectorError, Rejected
from hub.sdk.http.spellings import pattern_of

HIDDEN = "***"
_SHORTEST = 4
_LONG_WORD = 12
_BEGINNING = 8
_MOST_MINTED = 50  # tokens that wear out are forgotten in turn: an hour's token is known for two days

_NAMES = (
    r"access_token|refresh_token|id_token|auth_token|token|api_?key|hapikey|client_secret|secret|password|passwd|passwort"
    r"|session_?id|signature|sig|assertion|code_verifier|accessJwt|refreshJwt"
)
_IN_ADDRESSES = r"key|api-key|auth|pass|pwd|access_key|[a-z0-9_-]{1,20}[_-](?:key|token|secret|signature)"
_PATTERNS = (
    (re.compile(r"(?i)\b((?:proxy-)?authorization[\"']?\s*[:=]\s*[\"']?)[^\r\n\"',}]+"), r"\1" + HIDDEN),
    (re.compile(r"(?i)\b((?:set-)?cookie[\"']?\s*:\s*[\"']?)[^\r\n\"'}]+"), r"\1" + HIDDEN),
    (re.compile(r"(?i)\b(bearer|basic) +[a-z0-9._~+/=-]{4,}"), r"\1 " + HIDDEN),
    (re.compile(rf"(?i)([?&;](?:{_NAMES}|{_IN_ADDRESSES})=)[^&#\s\"'<>]+"), r"\1" + HIDDEN),
    (re.compile(rf"(?i)([\"'](?:{_NAMES})[\"']\s*:\s*[\"'])[^\"'\r\n]+"), r"\1" + HIDDEN),
    (re.compile(r"(?i)(\b[a-z][a-z0-9+.-]{0,20}://)[^/\s@:]{1,200}:[^/\s@]{1,200}@"), r"\1" + HIDDEN + "@"),
)
_SECRET_NAME = re.compile(f"(?i)authorization|{_NAMES}")
_SECRET_HEADER = re.compile(r"(?i)authori[sz]ation|cookie|token|secret|password|signature|session|api-?key|^x-.*-key$")


class Redactor:
    """Knows the secrets of a connection; `learn_minted` adds one that was got on the way. Thread-safe."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._lock = threading.Lock()
        self._secrets: dict[str, re.Pattern[str]] = {}
        self._minted: dict[str, re.Pattern[str]] = {}
        self._longest_first: list[tuple[str, re.Pattern[str]]] = []
        self.learn(*secrets)

    def learn(self, *secrets: str) -> None:
        """Hide these values from now on, however they are written (`spellings`); those under four characters are left."""
        with self._lock:
            self._secrets |= _patterns(secrets, self._secrets)
            self._sort()

    def learn_minted(self, *secrets: str) -> None:
        """Hide these too, which wear out (a session's token): the last fifty are known."""
        if all(one in self._minted for one in secrets):
            return
        with self._lock:
            minted = self._minted | _patterns(secrets, self._minted)
            self._minted = dict(list(minted.items())[-_MOST_MINTED:])
            self._sort()

    def _sort(self) -> None:
        known = self._secrets | self._minted
        self._longest_first = sorted(known.items(), key=lambda one: (-len(one[0]), one[0]))

    def redact(self, text: str) -> str:
        """Return `text` with known secrets, credentials in headers and URLs, and tokens in JSON replaced by three stars."""
        for _, known in self._longest_first:
            text = known.sub(HIDDEN, text)
        text = self._without_the_beginning(text)
        for pattern, replacement in _PATTERNS:
            text = pattern.sub(replacement, text)
        return text

    def _without_the_beginning(self, text: str) -> str:
        """Hide the beginning of a secret at the end of a text, which was cut there."""
        whole = text.removesuffix("…")
        for secret, _ in self._longest_first:
            at = whole.find(secret[:_BEGINNING], max(0, len(whole) - len(secret)))
            while at >= 0:
                if secret.startswith(whole[at:]) and len(whole) - at >= _BEGINNING:
                    return f"{whole[:at]}{HIDDEN}{text[len(whole) :]}"
                at = whole.find(secret[:_BEGINNING], at + 1)
        return text

    def redact_value(self, value: Any) -> Any:
        """Redact the same through lists and dicts of JSON; the value of a telling name is hidden whole.

        What is no JSON becomes its text: that may quote a secret too, and must be stored.
        """
        if value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, str):
            return self.redact(value)
        if isinstance(value, Mapping):
            return {
                self.redact(str(key)): HIDDEN
                if isinstance(item, str) and _SECRET_NAME.fullmatch(str(key))
                else self.redact_value(item)
                for key, item in value.items()
            }
        if isinstance(value, list | tuple | set | frozenset):
            return [self.redact_value(item) for item in value]
        return self.redact(value.decode("utf-8", "replace") if isinstance(value, bytes) else _shown(value))

    def redact_headers(self, headers: Mapping[str, str]) -> dict[str, str]:
        """Return headers fit for a log: the values of those that carry credentials are hidden."""
        return {name: HIDDEN if _SECRET_HEADER.search(name) else self.redact(value) for name, value in headers.items()}

    def redact_error(self, error: ConnectorError) -> None:
        """Take secrets out of an error's message, code, field and details, in place; they are of their types then."""
        error.args = tuple(self.redact_value(arg) for arg in error.args)
        error.code = self.redact(_shown(error.code)) if error.code else ""
        if isinstance(error, Rejected) and error.field:
            error.field = self.redact(_shown(error.field))
        details = error.details if isinstance(error.details, Mapping) else {"details": error.details}
        error.details = self.redact_value(details)


def _shown(value: object) -> str:
    """Return an object's text; one whose own code raises is named by its class."""
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - it is a plugin's, or a vendor's client's
        return type(value).__name__


def address_secrets(address: str) -> tuple[str, ...]:
    """Return what is hidden of an address that is a secret: itself, and the long words in its path and query."""
    _, _, behind = address.partition("://")
    _, _, rest = behind.partition("/")
    return address, *(word for word in re.split(r"[/?&=;#]", rest) if len(word) >= _LONG_WORD)


def _patterns(secrets: Iterable[str], known: Mapping[str, re.Pattern[str]]) -> dict[str, re.Pattern[str]]:
    """Compile what is not known yet, each by itself: a token that is minted every hour must not compile all others again."""
    return {
        one: known.get(one) or re.compile(pattern_of(one)) for one in dict.fromkeys(secrets) if len(one) >= _SHORTEST
    }
