"""How others write a secret that they repeat: in URLs, JSON, XML, tracebacks and base64, each once or twice over."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator
from functools import cache
from html.entities import codepoint2name
from itertools import groupby

_SHORTEST_CODE = 8  # characters of base64 or hex: a shorter piece stands in many texts
_LONG_LINE = 10
_SLASHES = r"\\{1,8}"
_ESCAPES = {'"': '"', "'": "'", "/": "/", "\t": "t", "\r": "r", "\n": "n", "\b": "b", "\f": "f"}
_BREAK = rf"(?:\r?\n|{_SLASHES}r{_SLASHES}n|{_SLASHES}n|(?i:%(?:25)*0D)?(?i:%(?:25)*0A)|[ ])"


def pattern_of(secret: str) -> str:
    """Return a regular expression for all that a secret may look like."""
    lines = [line for line in secret.splitlines() if len(line) >= _LONG_LINE and not line.startswith("-----")]
    plain = [secret.strip("\r\n") or secret, *(lines if "\n" in secret.strip() else [])]
    return "|".join([*map(_text, plain), *_codes(secret)])


def _text(text: str) -> str:
    parts = []
    for sign, run in groupby(text.replace("\r\n", "\n")):
        times = len(list(run))
        # What escapes a backslash is one more of them.
        parts.append(rf"(?:\\|(?i:%(?:25)*5C)){{{times},{times * 8}}}" if sign == "\\" else _sign(sign) * times)
    return "".join(parts)


@cache
def _sign(sign: str) -> str:
    """Return a regular expression for one character."""
    if sign.isascii() and (sign.isalnum() or sign in "-._~"):
        return re.escape(sign)
    if sign == "\n":
        return _BREAK
    encoded = sign.encode("utf-8", "replace")
    units = sign.encode("utf-16-be", "replace").hex()
    forms = [
        re.escape(sign),
        "".join(rf"(?i:%(?:25)*{byte:02x})" for byte in encoded),
        "".join(rf"{_SLASHES}u(?i:{units[at : at + 4]})" for at in range(0, len(units), 4)),
        "".join(rf"{_SLASHES}x(?i:{byte:02x})" for byte in encoded),
        rf"&(?:amp;)*(?:#0*{ord(sign)}|#[xX]0*(?i:{ord(sign):x})|{_name(sign)});",
        re.escape(encoded.decode("latin-1")),
    ]
    if sign in _ESCAPES:
        forms.append(_SLASHES + _ESCAPES[sign])
    if sign == " ":
        forms.append(r"\+")
    return f"(?:{'|'.join(dict.fromkeys(forms))})"


def _name(sign: str) -> str:
    return codepoint2name.get(ord(sign), "apos" if sign == "'" else "nbsp")


def _codes(secret: str) -> Iterator[str]:
    """Yield what base64 and hex make of a secret, also where something stands before or behind it, as a name does."""
    plain = secret.encode("utf-8", "replace")
    for before in range(3):
        coded = b64encode(b"\0" * before + plain).decode("ascii").rstrip("=")
        # The first and the last characters are shared with what stands beside it.
        inner = coded[(0, 2, 3)[before] : len(coded) - (1 if (before + len(plain)) % 3 else 0)]
        if len(inner) >= _SHORTEST_CODE:
            head = "[A-Za-z0-9+/_-]{0,3}" if before else ""
            core = "".join({"+": _PLUS, "/": _SLASH}.get(sign, sign) for sign in inner)
            yield rf"{head}{core}[A-Za-z0-9+/_-]?(?:=|%3[dD]){{0,2}}"
    if len(plain) * 2 >= _SHORTEST_CODE:
        yield f"(?i:{plain.hex()})"


_PLUS, _SLASH = f"(?:{_sign('+')}|-)", f"(?:{_sign('/')}|_)"
