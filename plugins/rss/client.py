"""Feeds read from bytes (feedparser, JSON Feed) and fetched politely through the guard.

feedparser never sees a URL, a path or plain bytes: whatever has no `.read` it tries as a file name first, so that a server
answering `/etc/passwd` would make it read that file. Only a `BytesIO` is safe.
"""

from __future__ import annotations

import html as entities
import io
import json
import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from html.entities import html5, name2codepoint
from time import struct_time
from typing import Any
from urllib.parse import urljoin
from xml.sax import SAXException  # what feedparser raises; nothing is parsed with it here
from xml.sax.saxutils import unescape

import feedparser

from hub import Context, HttpResponse, Rejected
from plugins.rss.encoding import as_utf8

Json = dict[str, Any]

_ACCEPT = "application/atom+xml, application/rss+xml, application/feed+json, application/xml;q=0.9, */*;q=0.5"
_MOST_REDIRECTS = 5
_LARGEST = 16 * 1024 * 1024
_MOST_TAGS = 500_000
_PERMANENT = frozenset((301, 308))
# What a payload tells of its feed: who speaks when the entry names no one. Nothing that changes from fetch to fetch.
_FEED_FIELDS = ("title", "title_detail", "link", "id", "language", "image")
# What begins with an ampersand and may be a reference: `&lang=en` is none, though HTML knows an entity of that name.
_REFERENCE = re.compile(rb"&(?:(#[0-9]+|#[xX][0-9a-fA-F]+|[A-Za-z][A-Za-z0-9]{1,31});)?")
_NAMES = {name[:-1].encode(): text for name, text in html5.items() if name.endswith(";")}
_XML_NAMES = frozenset((b"amp", b"lt", b"gt", b"quot", b"apos"))
_HTML_4_NAMES = frozenset(map(str.encode, name2codepoint)) | _XML_NAMES
_CODE = re.compile(rb"&#([xX][0-9a-fA-F]+|[0-9]+);")
# Numbers that may be halves of a surrogate pair (D800 to DFFF), or lie beyond Unicode.
_HALF = rb"&#(?:[xX]0*[dD][89a-fA-F][0-9a-fA-F]{2}|0*5[5-7][0-9]{3});"
_SURROGATES = re.compile(rb"(?:" + _HALF + rb")+|&#(?:[xX]0*[1-9a-fA-F][0-9a-fA-F]{5,}|0*[1-9][0-9]{6,});")
# feedparser takes the semicolon away from what HTML 4 does not name: in a link, and in HTML (`R&D; more`).
_UNNAMED = re.compile(rb"(&(?:amp;)?)([A-Za-z][A-Za-z0-9]{0,31});")
_SEMICOLON = "\ufdd0"  # stands for no character
_ROOT = re.compile(rb"<\w")
_DECLARATION = re.compile(rb"\s{0,1000}<\?xml[^>]{0,300}\?>")
_LONGEST_PROLOG = 16_384
_COMMENT = re.compile(rb"(?:<|&lt;)!--|--(?:>|&gt;)|<!\[CDATA\[|\]\]>|<")
_PERSON = re.compile(
    rb"<(/?)(?:[\w.-]{1,40}:)?(author|creator|managingeditor|webmaster|publisher|contributor|owner|item|entry)\b[^<>]{0,300}>",
    re.IGNORECASE,
)
_LONGEST_NAME = 2_000
_MARKUP = re.compile(rb"<!\[CDATA\[|[<>&\[\]]")
_MOST_FIELD = 4_096
_MOST_ATTRIBUTES = 256
_TAG = re.compile(rb"<([A-Za-z_][\w:.-]*+)(?:[^<>\"']|\"[^\"]*\"|'[^']*')*+")
# Each entry, and each link in it, takes these over from what it stands in.
_INHERITED = re.compile(rb"\bxml:(?:base|lang)\s*+=\s*+(?:\"[^\"]{500,}+\"|'[^']{500,}+')")
# feedparser ends with these on documents that its authors did not think of.
_GIVES_UP = (ValueError, LookupError, TypeError, AttributeError, AssertionError, ArithmeticError, RecursionError)


@dataclass(frozen=True, slots=True)
class Document:
    """What a document holds: payloads in its own order; `version` is "" if it is no feed; `ttl` in minutes.

    `broken`: it is not well formed, so that entries may be missing.
    """

    payloads: tuple[bytes, ...] = ()
    version: str = ""
    ttl: float | None = None
    broken: bool = False

    @property
    def is_readable(self) -> bool:
        """Return True if it is a feed, with entries or whole and without any."""
        return bool(self.payloads) or (bool(self.version) and not self.broken)


def read(document: bytes, headers: Mapping[str, str] | None = None) -> Document:
    """Read RSS, Atom, RDF, CDF or JSON Feed, well formed or not. Never raises: what cannot be read is no feed.

    `headers` are the answer's, lower case: their charset counts unless it is wrong. The document's address is left out on
    purpose: feedparser would make ids whole with it, and a feed that moves would come in again.
    """
    if _is_costly(document):
        return Document()
    found = read_json_feed(document, (headers or {}).get("content-type", "")) if _JSON.match(document) else None
    if found is None:
        found = _parse(document, headers or {})
    feed = {name: value for name in _FEED_FIELDS if (value := found["feed"].get(name)) and _is_short(value)}
    reused = _reused_ids(found["entries"])
    payloads = []
    for entry in found["entries"]:
        marks = {"id_reused": True} if str(entry.get("id")) in reused else {}
        payloads.append(canonical({"entry": entry, "feed": feed, **marks}))
    ttl = _minutes(found["feed"].get("ttl"))
    return Document(tuple(payloads), found["version"], ttl, broken=found.get("broken", False))


def _is_short(value: Any) -> bool:
    """Return True if a field of the feed may be told with each entry: a long one in a small feed would fill the memory."""
    return len(canonical({"": value})) <= _MOST_FIELD


def _is_costly(document: bytes) -> bool:
    """Return True if reading might take minutes: feedparser needs up to 20 microseconds for a tag."""
    return len(document) > _LARGEST or document.count(b"<") + document.count(b"&lt;") > _MOST_TAGS


def _parse(document: bytes, headers: Mapping[str, str]) -> Json:
    named = {"content-type": "text/xml; charset=utf-8"}
    if headers.get("content-language"):
        named["content-language"] = headers["content-language"]
    mended = _mended(as_utf8(document, headers.get("content-type", "")))
    try:
        # Cleaning is the hub's: feedparser's takes quadratic time over the styles of strangers.
        parsed = feedparser.parse(io.BytesIO(_bounded(mended)), response_headers=named, sanitize_html=False)
        # dict.items: asking a FeedParserDict for a name makes it look for others, with warnings.
        entries, version = (
            [_plain(entry) for entry in dict.get(parsed, "entries", ())],
            dict.get(parsed, "version") or "",
        )
        if version.startswith("rss"):
            for entry in entries:
                _decode_title(entry)
        # Of other complaints (a wrong content type) no entry goes missing.
        broken = isinstance(dict.get(parsed, "bozo_exception"), SAXException)
        if broken:
            entries = [_plain_id(entry) for entry in entries]
        return {"entries": entries, "feed": _plain(parsed["feed"]), "version": version, "broken": broken}
    except _GIVES_UP:
        return {"entries": [], "feed": {}, "version": ""}


def _bounded(document: bytes) -> bytes:
    """Return a document without what feedparser reads in quadratic time: 20 KB of it may take seconds."""
    root = _ROOT.search(document)
    if root and root.start() > _LONGEST_PROLOG:
        declaration = _DECLARATION.match(document)
        document = (declaration[0] if declaration else b"") + document[root.start() :]
    document = _INHERITED.sub(b"", _TAG.sub(_few_attributes, document))
    return _without_long_names(_without_comments(document))


def _few_attributes(tag: re.Match[bytes]) -> bytes:
    """Return a tag without its attributes if it has more than any has: each is looked up in a list of all."""
    if len(tag[0]) < _MOST_ATTRIBUTES or tag[0].count(b"=") <= _MOST_ATTRIBUTES:
        return tag[0]
    return b"<" + tag[1] + (b"/" if tag[0].endswith(b"/") else b"")


def _without_comments(document: bytes) -> bytes:
    """Return a document without the comments of its HTML, of which feedparser seeks each end through all the rest.

    One that does not end before its element does loses its first mark only.
    """
    pieces: list[bytes] = []
    at, opened, in_data = 0, None, False
    for found in _COMMENT.finditer(document):
        mark = found[0]
        if opened and mark == (b"--&gt;" if opened[0].startswith(b"&") else b"-->"):
            pieces.append(document[at : opened.start()])
            at, opened = found.end(), None
        elif opened and mark == (b"]]>" if in_data else b"<"):
            pieces.append(document[at : opened.start()])
            at, opened = opened.end(), None
        elif opened is None and mark in (b"<!--", b"&lt;!--") and in_data == (mark == b"<!--"):
            opened = found
        in_data = mark == b"<![CDATA[" or (in_data and mark != b"]]>")
    if opened:
        pieces.append(document[at : opened.start()])
        at = opened.end()
    return b"".join([*pieces, document[at:]]) if pieces else document


def _without_long_names(document: bytes) -> bytes:
    """Return a document with names of people cut: feedparser looks for an address in each from each of its letters."""
    pieces: list[bytes] = []
    at, begins = 0, -1
    for found in _PERSON.finditer(document):
        if begins >= 0 and found.start() - begins > _LONGEST_NAME:
            pieces += [document[at:begins], _MARKUP.sub(b" ", document[begins : begins + _LONGEST_NAME])]
            at = found.start()
        begins = found.end() if not found[1] and found[2].lower() not in (b"item", b"entry") else -1
    return b"".join([*pieces, document[at:]]) if pieces else document


def _mended(document: bytes) -> bytes:
    """Return a document without what makes feedparser give up or guess: bare ampersands, references to no character.

    Documents of encodings in which an ampersand's byte may be half of a character are left as they are.
    """
    if b"&" not in document or b"\x00" in document[:200] or b"\x1b$" in document:
        return document
    pieces, at = [], 0
    while at < len(document):
        start = document.find(b"<![CDATA[", at)
        start = len(document) if start < 0 else start
        pieces.append(_REFERENCE.sub(_reference, document[at:start]))
        end = document.find(b"]]>", start)
        at = len(document) if end < 0 else end
        pieces.append(document[start:at])
    return _UNNAMED.sub(_kept_whole, _SURROGATES.sub(_one_character, b"".join(pieces)))


def _reference(found: re.Match[bytes]) -> bytes:
    """Return a reference that XML knows as it is, one that only HTML knows by its number, a bare ampersand as one.

    At a name that XML does not know feedparser reads all of the document by another parser, which gives other ids.
    """
    name = found[1]
    if name and (name.startswith(b"#") or name in _XML_NAMES):
        return found[0]
    return b"".join([b"&#%d;" % ord(one) for one in _NAMES[name]]) if name in _NAMES else b"&amp;" + found[0][1:]


def _kept_whole(found: re.Match[bytes]) -> bytes:
    """Return a reference that feedparser would cut in the form that it keeps: by number, or without its semicolon for now."""
    mark, name = found.groups()
    if name in _HTML_4_NAMES:
        return found[0]
    if name in _NAMES:
        return b"".join([mark + b"#%d;" % ord(one) for one in _NAMES[name]])
    return mark + name + _SEMICOLON.encode()


def _one_character(found: re.Match[bytes]) -> bytes:
    """Return references that stand for characters: two halves of one are joined, what is none becomes U+FFFD."""
    codes = [_code(one) for one in _CODE.findall(found[0])]
    halves = "".join([chr(code) if code <= 0x10FFFF else "\ufffd" for code in codes])
    whole = halves.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return b"".join([b"&#%d;" % ord(one) for one in whole])


def _code(number: bytes) -> int:
    digits = number.lstrip(b"xX").lstrip(b"0") or b"0"
    return 0x110000 if len(digits) > 8 else int(digits, 16 if number[:1] in b"xX" else 10)


def _plain_id(entry: Json) -> Json:
    """Return an entry with its id as XML has it: of a document that is not well formed feedparser leaves references in."""
    return {**entry, "id": unescape(entry["id"])} if isinstance(entry.get("id"), str) else entry


def _decode_title(entry: Json) -> None:
    """Decode entities in a title: RSS says nothing of its form, and feedparser takes one for HTML only by its tags."""
    detail = entry.get("title_detail")
    if isinstance(detail, dict) and detail.get("type") == "text/plain" and isinstance(detail.get("value"), str):
        entry["title"] = detail["value"] = entities.unescape(detail["value"])


def _plain(value: Any) -> Any:
    """Return feedparser's values as JSON has them; a time is an ISO string."""
    if isinstance(value, struct_time):
        return "{:04d}-{:02d}-{:02d}T{:02d}:{:02d}:{:02d}Z".format(*value[:6])
    if isinstance(value, dict):
        return {str(name): _plain(entry) for name, entry in dict.items(value)}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    if isinstance(value, str):
        return value.replace(_SEMICOLON, ";")
    return value if value is None or isinstance(value, int | float) else str(value)


def canonical(value: Json) -> bytes:
    """Return the one form of a document."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode("ascii")


def _reused_ids(entries: list[Json]) -> set[str]:
    """Return the ids that entries with different links share: such an id tells nothing apart."""
    links = defaultdict(set)
    for entry in entries:
        if entry.get("id"):
            links[str(entry["id"])].add(str(entry.get("link")))
    return {id_ for id_, found in links.items() if len(found) > 1}


def _minutes(ttl: object) -> float | None:
    text = ttl.strip() if isinstance(ttl, str) else ""
    return float(text) if text.isdecimal() and len(text) < 7 else None


# ------------------------------------------------------------------------------------------------- JSON Feed 1 and 1.1

_JSON = re.compile(rb"[\x00\t\n\r \xef\xbb\xbf\xff\xfe]{0,1000}\{")  # in any width, after any mark
_LONGEST_NUMBER = 400


def _whole_number(digits: str) -> int | float:
    """Read a number that would end the reading of all others by its length."""
    return int(digits) if len(digits) < _LONGEST_NUMBER else float(digits)


_JSON_FEED = "https://jsonfeed.org/version/"


def read_json_feed(document: bytes, content_type: str = "") -> Json | None:
    """Return a JSON Feed (jsonfeed.org) as feedparser would give it: `{"entries", "feed", "version"}`; None if it is none."""
    text = as_utf8(document, content_type).lstrip()
    if not text.startswith(b"{"):
        return None
    try:
        feed = json.loads(
            text, parse_int=_whole_number, strict=False
        )  # a bare tab in one text is no reason to lose all
    except (ValueError, RecursionError):
        return None
    version, items = feed.get("version"), feed.get("items")
    if not isinstance(version, str) or not isinstance(items, list):
        return None
    if not version.replace("http://", "https://").startswith(_JSON_FEED):
        return None
    return {
        "entries": [_entry(item) for item in items if isinstance(item, dict)],
        "feed": _feed(feed),
        "version": "json" + version.rpartition("/")[2],
    }


def _feed(feed: Json) -> Json:
    image = feed.get("icon") or feed.get("favicon")
    found = {
        "title": feed.get("title"),
        "link": feed.get("home_page_url"),
        "id": feed.get("feed_url"),
        "language": feed.get("language"),
        "image": {"href": image} if image else None,
    }
    return {name: value for name, value in found.items() if value}


def _entry(item: Json) -> Json:
    """Return an item under feedparser's names; the item itself stands under `json_feed`."""
    authors = [_author(author) for author in _dicts(item.get("authors")) or _dicts([item.get("author")])]
    language = item.get("language")
    kinds = (("content_html", "text/html"), ("content_text", "text/plain"))
    content = [{"type": kind, "value": item[name], "language": language} for name, kind in kinds if item.get(name)]
    found = {
        "id": _id(item.get("id")),
        "link": item.get("url") or item.get("external_url"),
        "title": item.get("title"),
        "content": content,
        "summary_detail": {"type": "text/plain", "value": item.get("summary")} if item.get("summary") else None,
        "published": item.get("date_published"),
        "published_parsed": item.get("date_published"),
        "updated": item.get("date_modified"),
        "updated_parsed": item.get("date_modified"),
        "author_detail": authors[0] if authors else None,
        "authors": authors,
        "tags": [{"term": tag} for tag in _list(item.get("tags"))],
        "links": [_enclosure(found) for found in _dicts(item.get("attachments"))],
        "image": {"href": item["image"]} if item.get("image") else None,
        "language": language,
    }
    return {name: value for name, value in found.items() if value} | {"json_feed": item}


def _id(value: object) -> str | None:
    """Return an id as text: the specification wants a string and tells readers to take a number as one."""
    return str(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else None


def _author(author: Json) -> Json:
    found = {"name": author.get("name"), "href": author.get("url"), "avatar": author.get("avatar")}
    return {name: value for name, value in found.items() if isinstance(value, str) and value}


def _enclosure(attachment: Json) -> Json:
    return {"rel": "enclosure", "href": attachment.get("url"), "type": attachment.get("mime_type")}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _dicts(value: object) -> list[Json]:
    return [entry for entry in _list(value) if isinstance(entry, dict)]


# --------------------------------------------------------------------------------------------------------------- fetching


@dataclass(frozen=True, slots=True)
class Fetched:
    """An answer for a feed; `moved` is its new address, `for_good` whether the network said so (301, 308)."""

    response: HttpResponse
    moved: str | None = None
    for_good: bool = False


def fetch(ctx: Context, url: str, *, conditions: Mapping[str, str] | None = None, timeout: float = 30.0) -> Fetched:
    """Ask for a feed; `conditions` are headers that ask for it only if it has changed. Any status is an answer.

    The guard follows redirects itself and does not tell their kind; those that it hands over are followed here.
    """
    headers = {"Accept": _ACCEPT, **(conditions or {})}
    asked, permanent, for_good = url, url, True
    for _ in range(_MOST_REDIRECTS + 1):
        response = ctx.http.send("GET", asked, headers=headers, timeout=timeout)
        if not response.is_redirect:
            return _moved(Fetched(response, permanent if permanent != url else None, for_good=permanent != url), asked)
        asked = _target(asked, response)
        for_good = for_good and response.status in _PERMANENT
        permanent = asked if for_good else permanent
    raise Rejected(f"more than {_MOST_REDIRECTS} redirects from {url}", code="redirects")


def _target(asked: str, response: HttpResponse) -> str:
    try:
        target = urljoin(asked, response.headers.get("location", ""))
    except ValueError:
        target = ""
    if not target.startswith(("https://", "http://")) or target == asked:
        raise Rejected(f"a redirect from {asked} that leads nowhere", code="redirects")
    return target


def _moved(fetched: Fetched, asked: str) -> Fetched:
    """Tell a redirect that the guard followed: it shows in the answer's address alone, and may hold only for now."""
    landed = fetched.response.url
    if fetched.moved or not landed or landed.rstrip("/") == asked.rstrip("/"):
        return fetched
    return Fetched(fetched.response, landed)
