"""The bytes of a document as text: its encoding found, and its name read, as browsers do it (WHATWG, Encoding)."""

from __future__ import annotations

import codecs
import re

_CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w.:-]{1,40})", re.IGNORECASE)
_DECLARED = re.compile(rb"(\s{0,1000}<\?xml[^>]{0,200}?\bencoding\s*=\s*[\"'])([\w.:-]{1,40})")
_MARKS = (
    *((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe\0\0", "utf-32-le"), (b"\0\0\xfe\xff", "utf-32-be")),
    *((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")),
)
_STARTS = tuple(
    (zeros.replace(b"x", first), codec)
    for first in (b"<", b"{")
    for zeros, codec in (
        (b"x\0\0\0", "utf-32-le"),
        (b"\0\0\0x", "utf-32-be"),
        (b"x\0", "utf-16-le"),
        (b"\0x", "utf-16-be"),
    )
)
# Names that stand for more than Python takes them for, or that Python does not know. Without marks, lower case.
_LABELS = {
    "cp1252": "iso88591 latin1 l1 ascii usascii cp819 ibm819 csisolatin1 isoir100 iso885911987 ansix341968 xcp1252",
    "cp1254": "iso88599 latin5 l5 csisolatin5 isoir148 iso885991989 xcp1254",
    "cp874": "iso885911 tis620 dos874 windows874",
    "cp932": "shiftjis sjis xsjis mskanji windows31j csshiftjis ms932",
    "cp949": "euckr cseuckr korean ksc5601 ksc56011987 ksc56011989 csksc56011987 isoir149 windows949",
    "big5hkscs": "big5 big5hkscs cnbig5 csbig5 xxbig5",
    "gb18030": "gb2312 gbk xgbk chinese csgb2312 csiso58gb231280 gb231280 isoir58 gb18030",
    "mac_roman": "macintosh mac xmacroman csmacintosh",
    "mac_cyrillic": "xmaccyrillic xmacukrainian",
    "iso8859_8": "iso88598 iso88598i iso88598e logical visual csiso88598i csiso88598e",
    "iso8859_6": "iso88596 iso88596i iso88596e csiso88596i csiso88596e",
    "koi8_r": "koi koi8 koi8r cskoi8r",
    "koi8_u": "koi8u koi8ru",
    "euc_jp": "eucjp xeucjp cseucpkdfmtjapanese",
    "cp866": "ibm866 866 csibm866",
    "utf-8": "utf8 unicode11utf8 unicode20utf8 xunicode20utf8",
    "utf-16-le": "utf16 utf16le unicode csunicode iso10646ucs2 ucs2 unicodefeff",
    "utf-16-be": "utf16be unicodefffe",
    **{
        f"cp{number}": f"xcp{number} windows{number} cp{number}"
        for number in (1250, 1251, 1253, 1255, 1256, 1257, 1258)
    },
    **{f"iso8859_{number}": f"iso8859{number}" for number in (2, 3, 4, 5, 10, 13, 14, 16)},
    "iso8859_7": "iso88597 suneugreek",
    "iso8859_15": "iso885915 csisolatin9",
}
_CODECS = {label: codec for codec, labels in _LABELS.items() for label in labels.split()}
_CODECS["windows1252"], _CODECS["windows1254"] = "cp1252", "cp1254"
_RICHER = {"big5hkscs": "cp950"}  # with vendors' characters
_VENDORS = "hub_vendors"
_OF_ONE_BYTE = re.compile(r"cp125\d|iso8859|mac_|koi8|cp874|cp866")


_NO_ASCII = dict.fromkeys(range(128))


def as_utf8(document: bytes, content_type: str = "") -> bytes:
    """Return a document as UTF-8 that says so; bytes that fit no encoding become U+FFFD.

    A byte order mark counts most, then the charset of the answer, then the declaration, as far as the bytes agree with them.
    """
    made = _text(document, content_type).encode("utf-8", "replace")
    declared = _DECLARED.match(made)
    return made[: declared.start(2)] + b"utf-8" + made[declared.end(2) :] if declared else made


def codec_of(label: str) -> str:
    """Return the Python codec that a label means, "" if it is none for text."""
    name = re.sub(r"[^a-z0-9]", "", label.lower())
    try:
        return _CODECS.get(name) or _text_codec(label)
    except (LookupError, ValueError):
        return ""


def _text_codec(label: str) -> str:
    found = codecs.lookup(label)
    "".encode(found.name)  # refuses what makes bytes of bytes (base64, zip)
    return (
        ""
        if found.name in ("idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined", "utf-7")
        else found.name
    )


def _text(document: bytes, content_type: str) -> str:
    for mark, codec in _MARKS:
        if document.startswith(mark):
            return document[len(mark) :].decode(codec, "replace")
    for start, codec in _STARTS:
        if document.startswith(start):
            return document.decode(codec, "replace")
    named = _CHARSET.search(content_type)
    declared = _DECLARED.match(document)
    labels = [named[1] if named else "", declared[2].decode("ascii", "replace") if declared else ""]
    # These bytes are no UTF-16, whatever is said: there would be zeros.
    proposed = [codec for label in labels if label and (codec := codec_of(label)) and not codec.startswith("utf-16")]
    if all(map(_OF_ONE_BYTE.match, proposed)) and (text := _strictly(document, "utf-8")) is not None:
        return text  # no text in an encoding of single bytes is UTF-8 by chance
    tried = [*proposed, *(_RICHER[codec] for codec in proposed if codec in _RICHER), "utf-8"]
    for codec in tried:
        if (text := _strictly(document, codec)) is not None:
            return text
    # one wrong byte in a text of UTF-8, or no UTF-8 at all?
    text = document.decode("utf-8", "replace")
    wrong = text.count("\ufffd")
    codec = next((one for one in proposed if one != "utf-8"), "cp1252")
    return text if len(text.translate(_NO_ASCII)) > 2 * wrong else document.decode(codec, "replace")


def _strictly(document: bytes, codec: str) -> str | None:
    try:
        if codec == "utf-8":
            return _utf8(document)
        return document.decode(codec, _VENDORS)
    except (UnicodeError, LookupError):
        return None


def _utf8(document: bytes) -> str:
    """Read UTF-8, also with the halves of surrogate pairs that old databases and Java write as characters (CESU-8)."""
    try:
        return document.decode("utf-8")
    except UnicodeDecodeError:
        halves = document.decode("utf-8", "surrogatepass")
        return halves.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _of_vendors(error: UnicodeError) -> tuple[str, int]:
    """Return the character that browsers read where Python's codec knows none, and the place behind it. Raises `error`.

    The rows of vendors in Japanese encodings (circled numbers, forms of kanji in names) are those of Shift_JIS.
    """
    if not isinstance(error, UnicodeDecodeError):
        raise error
    at = error.start
    found = bytes(byte & 0x7F for byte in error.object[at : at + 2])
    if error.encoding in ("euc_jp", "iso2022_jp") and len(found) == 2 and min(found) > 0x20 and max(found) < 0x7F:
        try:
            return _shifted(*found).decode("cp932"), at + 2
        except UnicodeDecodeError:
            raise error from None
    if error.encoding == "gb18030" and error.object[at] == 0x80:
        return "\u20ac", at + 1
    raise error


def _shifted(row: int, cell: int) -> bytes:
    """Return two bytes of JIS X 0208 as Shift_JIS writes them."""
    pair, second = divmod(row - 0x21, 2)
    lead = pair + (0x81 if pair < 0x1F else 0xC1)
    place = cell - 0x21 + 94 * second
    return bytes((lead, place + (0x40 if place < 0x3F else 0x41)))


codecs.register_error(_VENDORS, _of_vendors)
