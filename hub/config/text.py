"""Files that people write: read as UTF-8, whatever the editor put before it; what cannot be read is told with its line."""

from __future__ import annotations

import codecs
import errno
import re
import stat
from pathlib import Path

from hub.core.errors import ConfigError, Problem

_WIDE = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_WIDER = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)
LARGEST = 16 << 20
"""Bytes of a file that a person writes: what is larger is another file, or a device without an end."""
_LINE = re.compile(r"\(at line (\d+), column (\d+)\)")
_CURLY = re.compile("[\u2018\u2019\u201c\u201d\u00ab\u00bb]")


def read_text(file: Path, hint: str = "") -> str:
    """Return a file's text. Raises ConfigError that names the file, and what to do; `hint` if it is not there."""
    try:
        content = contents(file)
    except FileNotFoundError:
        raise ConfigError([Problem(str(file), "", "there is no such file", hint)]) from None
    except OSError as error:
        way_out = (
            f"let the hub's user read it: chmod u+r {file}"
            if isinstance(error, PermissionError)
            else "name a text file"
        )
        raise ConfigError([Problem(str(file), "", f"it cannot be read: {error.strerror}", way_out)]) from None
    return decoded(content, Problem(str(file), "", "", "save it as UTF-8"))


def contents(file: Path) -> bytes:
    """Return what a file holds, `LARGEST` bytes at most. Raises OSError; at once for what would be waited for, such as a pipe."""
    mode = file.stat().st_mode
    if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
        raise OSError(errno.EINVAL, "it is a pipe, not a file")
    with file.open("rb") as opened:
        found = opened.read(LARGEST + 1)
    if len(found) > LARGEST:
        raise OSError(errno.EFBIG, f"it is larger than {LARGEST >> 20} MB")
    return found


def decoded(content: bytes, place: Problem) -> str:
    """Return UTF-8 without a byte order mark. Raises ConfigError at `place`, with its hint, for any other encoding."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        wide = content.startswith(_WIDE)
        line = content.count(b"\n", 0, error.start) + 1
        told = (
            "it is UTF-32, not UTF-8"
            if content.startswith(_WIDER)
            else "it is UTF-16, not UTF-8"
            if wide
            else f"line {line} is not UTF-8 (is it Latin-1 or Windows-1252?)"
        )
        raise ConfigError([Problem(place.file, place.path, told, place.hint)]) from None


def syntax_hint(text: str, error: str) -> str:
    """Say how to mend a line that is no TOML."""
    found = _LINE.search(error)
    lines = text.splitlines()
    line = lines[int(found[1]) - 1] if found and 0 < int(found[1]) <= len(lines) else ""
    if "\x00" in text:
        return "the file holds a NUL character: save it again as UTF-8"
    if _CURLY.search(line):
        return 'write straight quotes: "'
    if line.count('"') % 2 or line.count("'") % 2:
        return "a quote is opened and not closed in this line"
    return "see https://toml.io for the syntax"


__all__ = ["contents", "decoded", "read_text", "syntax_hint"]
