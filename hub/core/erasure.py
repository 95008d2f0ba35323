"""What of a payload are a post's own words, and what is left when they are taken out."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

import msgspec

from hub.core.grammar.words import network_name
from hub.core.keys import digest
from hub.core.ledger import Need
from hub.core.model import Author, Signal, TombstoneReason

_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
_PIECE = re.compile(r'"((?:[^"\\]++|\\.)*+)(?:"(\s*+:)?|\\?\Z)|>([^<>]*+)<', re.DOTALL)
"""A name or a value in JSON (a name has a colon behind it), or a text in XML: also if the whole is broken."""
_NUMBER = re.compile(r"[:\[,]\s*(\d+)(?=\s*[,}\]])")
_ESCAPED_SIGN = re.compile(r"(?<!\\)\\u([0-9a-f]{4})")
_AND = ("&amp;", "\\u0026")
REMOVED = "(removed)"
TELLING = 8  # characters: a shorter piece may be anybody's ("New", "ok"), so only the whole of it counts
EXCERPT = 16
SHORTEST = 3  # characters of a name
_WHY: Mapping[TombstoneReason, str] = {
    "user_deleted": "It was deleted on {}",
    "account_deleted": "Its author's account on {} was deleted",
    "erasure": "It was erased on request ({})",
    "expired": "It may not be kept any longer by the terms of {}",
}


def words_of(signal: Signal) -> tuple[str, ...]:
    """Return what an author said with a signal: text, title, descriptions of pictures."""
    said = (signal.text, signal.title, signal.html, *(media.alt for media in signal.media))
    return tuple(dict.fromkeys(one.strip() for one in said if one and one.strip()))


def traces_of(signal: Signal, page: str) -> frozenset[str]:
    """Return place and time of a signal as records of people hold them: its link, its page in the hub, its time."""
    at: str = msgspec.to_builtins(signal.published_at)
    return frozenset(one for one in (signal.url, page, at) if one)


def marks_of(author: Author) -> tuple[str, ...]:
    """Return what names an account and no other, as networks write it: ids, addresses, handles; others may bear its name."""
    handles = (one for one in (author.handle, *author.handle_history) if one and re.search(r"[@.]", one.strip("@.")))
    told = (author.native_id, author.url, author.avatar_url, *handles)
    return tuple(dict.fromkeys(one for one in told if one and len(one) >= TELLING and not one.isdigit()))


def spellings(word: str) -> tuple[str, ...]:
    """Return a word as payloads write it: plain, in small letters, in JSON (also all in ASCII), in XML, in URLs."""
    plain = [word, word.lower()]
    ascii_ = [json.dumps(one)[1:-1] for one in plain]
    capital = [_ESCAPED_SIGN.sub(lambda sign: f"\\u{sign[1].upper()}", one) for one in ascii_]
    escaped = [*(json.dumps(one, ensure_ascii=False)[1:-1] for one in plain), *ascii_, *capital]
    # Some escape the slashes of JSON too, some what HTML would read.
    escaped += [one.replace("/", "\\/") for one in escaped]
    escaped += [_without_marks(one, sign) for one in escaped for sign in _AND]
    urls = [quote(one, safe=safe, errors="replace") for one in plain for safe in ("", "/:@") if not one.isascii()]
    return tuple(dict.fromkeys([*plain, *escaped, *(html.escape(one) for one in plain), *urls]))


def _without_marks(text: str, sign: str) -> str:
    return text.replace("&", sign).replace("<", "\\u003c").replace(">", "\\u003e")


class Traits(NamedTuple):
    """What tells an account by whole values where no mark does: its id, names and handles. Each may also be another's."""

    names: frozenset[str]
    id: str

    @classmethod
    def of(cls, author: Author) -> Traits:
        """Return the traits of an author."""
        handles = (author.handle, *author.handle_history)
        bare = (one.lstrip("@") for one in handles if one)
        names = {one for one in (author.display_name, *bare) if one and len(one) >= SHORTEST}
        return cls(frozenset(names), author.native_id)

    def are_in(self, body: bytes, *, is_alone: bool) -> bool:
        """Return True if what came holds two of them, telling enough together; `is_alone`: or the only one that there is."""
        known = {one.casefold().lstrip("@") for one in (*self.names, self.id)}
        found = known & {one.casefold().lstrip("@") for one in pieces_of(body.decode("utf-8", "replace"))}
        if len(known) == 1:
            return is_alone and found == known
        return len(found) > 1 and sum(map(len, found)) >= TELLING


def names_of(author: Author) -> tuple[str, ...]:
    """Return what people call an author: names and handles, a handle also without its domain."""
    handles = [one for one in (author.handle, *author.handle_history) if one]
    short = [one.strip("@").partition("@")[0] for one in handles]
    return tuple(dict.fromkeys(one for one in (author.display_name, *handles, *short) if one and len(one) >= SHORTEST))


def unnamed(fields: Mapping[str, Any], names: Sequence[str], *, instead: str = REMOVED) -> dict[str, Any]:
    """Redact each text of the fields that holds one of these names as a word of its own."""
    if not names:
        return dict(fields)
    named = re.compile("|".join(rf"(?<!\w){re.escape(one)}(?!\w)" for one in names))
    return {name: instead if isinstance(one, str) and named.search(one) else one for name, one in fields.items()}


def quotes(value: str, words: Sequence[str]) -> bool:
    """Return True if a text holds any of these words, or is a piece of them."""
    text = value.strip()
    return bool(text) and any(_holds(text, one) for one in words)


def _holds(text: str, said: str) -> bool:
    if len(said) < TELLING:
        return text == said
    if said in text or (len(text) >= EXCERPT and text in said):
        return True
    # A template or a limit may have cut it, and on one line it has no line breaks.
    flat, piece = " ".join(text.split()), " ".join(said.split())[:EXCERPT]
    return len(piece) >= TELLING and piece in flat


def is_quoting(body: bytes, words: Sequence[str], marks: Collection[str]) -> bool:
    """Return True if what was sent, in whatever form, holds any of these words, or a mark: a key or a link as a whole."""
    text = body.decode("utf-8", "replace")
    told = [html.unescape(one) for one in (text, _unescaped(text))]
    pieces = pieces_of(text)
    flat = [" ".join(one.split()) for one in told]
    found = (one in pieces or (len(one) >= TELLING and _stands_in(one, flat, pieces)) for one in words)
    return any(found) or any(re.search(rf"{re.escape(one)}(?!\w)", whole) for one in marks for whole in told)


def pieces_of(text: str) -> set[str]:
    """Return the values in JSON, numbers too, and the texts in XML, as they were before they were written so."""
    values = (value or content for value, colon, content in _PIECE.findall(text) if not colon)
    return {html.unescape(_unescaped(one)).strip() for one in values if one.strip()} | set(_NUMBER.findall(text))


def has_said(told: str, words: Sequence[str]) -> bool:
    """Return True if a text that quotes others holds one of these words, in whatever case, escaped as in JSON, HTML or URLs."""
    forms = [told]
    for plain in (_unescaped, _unescaped, html.unescape, unquote):
        forms.append(plain(forms[-1]))
    texts = {one.casefold() for one in forms}
    return any(word.casefold() in text for word in words for text in texts)


def _stands_in(said: str, told: Sequence[str], pieces: Collection[str]) -> bool:
    head = " ".join(said.split())[:EXCERPT]
    if len(head) >= TELLING and any(head in one for one in told):
        return True
    return any(len(one) >= EXCERPT and one in said for one in pieces)


def _unescaped(text: str) -> str:
    """Return text as it was before it was put into JSON."""
    plain = _ESCAPE.sub(lambda found: _ESCAPED.get(found[2], found[2]) if found[2] else chr(int(found[1], 16)), text)
    return plain.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def without(
    fields: Mapping[str, Any], words: Sequence[str], *, traces: Collection[str] = (), instead: str = ""
) -> dict[str, Any]:
    """Redact each text of the fields that holds these words, or is one of the traces (a link, a time) as a whole."""
    return {name: _without(value, words, traces, instead) for name, value in fields.items()}


def _without(value: Any, words: Sequence[str], traces: Collection[str], instead: str) -> Any:
    if isinstance(value, str):
        return instead if value in traces or quotes(value, words) else value
    if isinstance(value, Mapping):
        return without(value, words, traces=traces, instead=instead)
    return [_without(one, words, traces, instead) for one in value] if isinstance(value, list | tuple) else value


def quoting(fields: Mapping[str, Any], words: Sequence[str], *, traces: Collection[str] = ()) -> dict[str, Any]:
    """Return only those fields that hold these words or traces, redacted."""
    bare = without(fields, words, traces=traces)
    return {name: value for name, value in bare.items() if value != fields[name]}


def fingerprint(value: Any) -> str:
    """Return a digest of a field's value, so that a destination, which may trim it, can tell if it still holds that."""
    return digest("written", str(value).strip())


def changed_since(names: Iterable[str], written: Mapping[str, str], held: Mapping[str, Any]) -> tuple[str, ...]:
    """Return which of these fields, if they were people's to change, hold what people wrote since: only they can empty them."""
    marks = ((name, written.get(name)) for name in names if held.get(name))
    return tuple(name for name, mark in marks if mark and fingerprint(held[name]) != mark)


def written_of(rows: Iterable[tuple[Mapping[str, Any], Collection[str]]]) -> dict[str, str]:
    """Return what the rows of a record ever wrote, as `Delivery.written`: fields, and those that only filled; oldest first."""
    found: dict[str, str] = {}
    for fields, once in rows:
        for name, value in fields.items():
            if name not in once:
                found[name] = ""
            elif value not in (None, ""):
                found.setdefault(name, fingerprint(value))
    return found


def told_of(fields: Mapping[str, Any], once: Collection[str]) -> frozenset[str]:
    """Return the names of fields that hold what the hub keeps up to date; not what people told, nor ties to other records."""
    plain = {name for name, value in fields.items() if not isinstance(value, Mapping) and value not in (None, "")}
    return frozenset(plain.difference(once))


def is_own(provides: str, operation: str) -> bool:
    """Return True if a record stands for one signal (or the ticket that it opened), not for a person or a conversation."""
    return operation in ("create", "comment") or Need.read(provides).kind == "signal"


def is_of_people(provides: str) -> bool:
    """Return True if a record stands for an author, or for the person or account behind authors."""
    return Need.read(provides).kind in {"author", "person", "account"}


def gone_note(network: str, reason: TombstoneReason) -> str:
    """Return what agents read on the ticket."""
    return f"A post is gone. {_WHY[reason].format(network_name(network))}, so its text was taken out here too."
