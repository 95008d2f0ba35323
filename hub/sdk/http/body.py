"""Bodies read under a cap: what counts is the decoded size, chunk by chunk, so that a zip bomb ends at the cap."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator

from hub.core.errors import Rejected

ACCEPTED = "gzip, deflate"
_CHUNK = 65_536
_MOST_CODINGS = 3


class BrokenBody(Exception):
    """The body is cut short or is not what its Content-Encoding says."""


def read_body(chunks: Iterable[bytes], coding: str, *, limit: int) -> tuple[bytes, bool]:
    """Return the decoded body, and True if it was decoded (an unknown coding is left as it is).

    Raises Rejected (code "too_large") as soon as more than `limit` decoded bytes have come, BrokenBody if it is broken.
    """
    names = [name.strip().lower() for name in coding.split(",") if name.strip().lower() not in ("", "identity")]
    known = len(names) <= _MOST_CODINGS and all(name in ("gzip", "x-gzip", "deflate") for name in names)
    for name in reversed(names) if known else ():
        chunks = _inflate(chunks, deflate=name == "deflate")
    parts: list[bytes] = []
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > limit:
            raise Rejected(f"the answer is larger than {limit} bytes", code="too_large")
        parts.append(chunk)
    return b"".join(parts), known


def _inflate(chunks: Iterable[bytes], *, deflate: bool) -> Iterator[bytes]:
    """Decompress in pieces of at most 64 KB each; several gzip members in a row are one body."""
    reader: zlib._Decompress | None = None
    for chunk in chunks:
        while chunk:
            if reader is None:
                reader = zlib.decompressobj(_window(chunk, deflate=deflate))
            try:
                piece = reader.decompress(chunk, _CHUNK)
            except zlib.error as error:
                raise BrokenBody(f"the body does not decompress: {error}") from error
            chunk = reader.unconsumed_tail or reader.unused_data.lstrip(b"\0")  # noqa: PLW2901 - what is left of it
            if piece:
                yield piece
            if reader.eof:
                reader = None
    while reader is not None and not reader.eof:
        piece = reader.decompress(b"", _CHUNK)  # output that did not fit under the last piece's limit
        if not piece:
            raise BrokenBody("the compressed body is cut short")
        yield piece


def _window(start: bytes, *, deflate: bool) -> int:
    """Return zlib's window bits: gzip; or for "deflate" zlib's format, though some servers send it raw."""
    if not deflate:
        return 16 + zlib.MAX_WBITS
    return zlib.MAX_WBITS if start[0] & 0x0F == 8 and start[0] >> 4 <= 7 else -zlib.MAX_WBITS
