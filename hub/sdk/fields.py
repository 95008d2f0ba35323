"""Field rules: an item of any JSON to a Signal, as a file says. Pure.

A rule is a dotted path, a list of paths of which the first that is there counts, text with `{paths}` in it, or a table.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, get_args
from urllib.parse import quote

import msgspec
from jinja2 import TemplateError
from msgspec.structs import replace

from hub.core.errors import TranslationError
from hub.core.grammar.template import Template, source_faults
from hub.core.keys import author_key, marked_author_key, signal_key, together
from hub.core.languages import KNOWN, base_language
from hub.core.model import Author, CanReply, Counts, Kind, Rating, RawItem, Signal, Translated, Visibility
from hub.core.ratings import parse_rating
from hub.sdk.attachments import attachments, left_out, pictures
from hub.sdk.doc import LARGEST_ID, Doc, at, steps_of
from hub.sdk.text import clean, html_to_text, parse_time, safe_html

FIELDS = (
    *(
        "kind",
        "native_id",
        "aliases",
        "parent_alias",
        "text",
        "html",
        "title",
        "url",
        "lang",
        "published_at",
        "updated_at",
    ),
    *(
        "in_reply_to",
        "shared",
        "conversation",
        "hashtags",
        "media",
        "visibility",
        "rating",
        "rating_best",
        "likes",
        "replies",
        "shares",
        "quotes",
        "views",
    ),
    *("author_id", "author_handle", "author_name", "author_url", "author_followers", "author_verified"),
)
KINDS = frozenset(get_args(Kind))
BOOSTS = frozenset(("repost", "share", "boost", "reblog", "retweet", "reshare", "announce", "renote", "rt"))
"""Words for a post that only passes another's on."""
VISIBILITIES = frozenset(get_args(Visibility))
HOLE = re.compile(r"\{([\w.:-]+)\}")
Read = Callable[[Doc, Mapping[str, str]], Any]
"""Reads a field of an item, with the connection's options at hand."""


class KeyOfAuthor(Protocol):
    """Makes the key of an author; `by_name` says that a name serves as the native id."""

    def __call__(self, network: str, native_id: str, realm: str, *, by_name: bool = False) -> str:
        """Return the key."""


class NameOnly(str):
    """What serves as the id of an author that has none."""

    __slots__ = ()


class FieldRule(msgspec.Struct, forbid_unknown_fields=True, frozen=True, rename={"from_": "from"}):
    """A field's table: exactly one of from, value and template gives it, the others shape it."""

    from_: str | list[str] | None = None
    value: Any = None
    template: str | None = None
    table: dict[str, Any] | None = None
    default: Any = None
    required: bool = False
    limit: int | None = None
    format: str = ""
    best: float | None = None
    worst: float | None = None
    unless: str = ""
    drop: tuple[Any, ...] = ()


def filled(text: str, values: Mapping[str, str], encode: Callable[[str], str] = str) -> str | None:
    """Return text with its holes filled, None if one of them is empty."""
    missing = [hole for hole in HOLE.findall(text) if not values.get(hole)]
    return None if missing else HOLE.sub(lambda found: encode(values[found[1]]), text)


def percent(value: str) -> str:
    """Return a value as it may stand anywhere in an address."""
    return quote(value, safe="", errors="replace")


# ------------------------------------------------------------------------------------------------------------- compile


NO_COUNTS = Counts()
COUNTED = ("likes", "replies", "shares", "quotes", "views")
_MARKED = re.compile("(?:id )*(?:conversation|alias) ")
_NUMBER = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,6})?")


class Fields:
    """Compiled field rules."""

    def __init__(self, readers: Mapping[str, Read], rating: FieldRule | None) -> None:
        self._readers = readers
        self._rating = rating

    @classmethod
    def compile(
        cls, rules: Mapping[str, Any], *, usual: Mapping[str, Sequence[str]] | None = None, templates: bool = False
    ) -> Fields:
        """Compile a table of fields; `usual` gives the paths of those that it does not name.

        Raises ValueError that names the field.
        """
        known = (*FIELDS, *(usual or ()))
        readers: dict[str, Read] = {
            name: _every(paths) if name == "media" else _first(paths, objects=name == "rating", ids=name == "author_id")
            for name, paths in (usual or {}).items()
        }
        for name, rule in rules.items():
            if name not in known:
                raise ValueError(f"fields.{name}: no such field; known are {', '.join(dict.fromkeys(known))}")
            try:
                readers[name] = _compiled(rule, name, templates=templates)
            except (msgspec.ValidationError, TemplateError, ValueError) as error:
                raise ValueError(f"fields.{name}: {error}") from None
        if "native_id" not in readers or not {"text", "html", "title", "media"} & set(readers):
            raise ValueError("fields: native_id is needed, and one of text, html, title and media")
        rating = rules.get("rating")
        return cls(readers, msgspec.convert(rating, FieldRule) if isinstance(rating, dict) else None)

    def read(self, item: Doc, options: Mapping[str, str]) -> dict[str, Any]:
        """Return the values of the fields that are there."""
        item = item if isinstance(item.data, dict) else Doc({}, item.what)
        values = {}
        for name, read in self._readers.items():
            value = read(item, options)
            if value is not None and value not in ("", []):
                values[name] = value
        return values

    def rating(self, value: Any, best: Any = None) -> Rating | None:
        """Return a rating on its own scale, else on the rule's, else up to what the item says is `best`."""
        rule = self._rating
        return parse_rating(value, best if rule is None or rule.best is None else rule.best, rule and rule.worst)


def _first(paths: Sequence[str], *, objects: bool = False, ids: bool = False) -> Read:
    """Return the first of the usual paths that leads to a value, which is no object unless `objects` lets it be one.

    With `ids` all but the first path lead to names.
    """
    # Most items lack most of the usual names: the first step is looked up before anything else is done.
    places = [(first, steps) for first, *steps in map(steps_of, paths)]

    def read(item: Doc, _: Mapping[str, str]) -> Any:
        data = item.data
        for first, steps in places:
            found = data.get(first)
            if found is not None and steps:
                found = at(found, steps)
            if found is not None and (objects or not isinstance(found, dict)):
                return NameOnly(found) if ids and isinstance(found, str) and (first, steps) != places[0] else found
        return None

    return read


def _every(paths: Sequence[str]) -> Read:
    """Return all values at these paths as one list: attachments stand under several names in one item."""
    places = [(first, steps) for first, *steps in map(steps_of, paths)]

    def read(item: Doc, _: Mapping[str, str]) -> Any:
        data = item.data
        found = [at(data[first], steps) if steps else data[first] for first, steps in places if first in data]
        return [one for one in found if one is not None and one not in ("", [], {})]

    return read


def _compiled(rule: Any, name: str, *, templates: bool = False) -> Read:
    if isinstance(rule, str):
        return _holes(rule, is_address=name.endswith("url")) if "{" in rule else _path(rule)
    if isinstance(rule, list):
        parts = [_compiled(one, name) for one in rule]
        if name == "author_id":
            parts[1:] = [_named(part) for part in parts[1:]]
        return lambda item, options: next(
            (found for part in parts if (found := part(item, options)) not in (None, "")), None
        )
    return _shaped(msgspec.convert(rule, FieldRule), name, templates=templates)


def _named(part: Read) -> Read:
    """Return a reader that marks what it reads as a name."""

    def read(item: Doc, options: Mapping[str, str]) -> Any:
        found = part(item, options)
        return NameOnly(found) if isinstance(found, str) else found

    return read


def _path(path: str) -> Read:
    steps = steps_of(path)
    return lambda item, _: at(item.data, steps)


def _holes(text: str, *, is_address: bool) -> Read:
    paths = [hole for hole in HOLE.findall(text) if not hole.startswith("options.")]
    for path in paths:
        steps_of(path)
    encode = percent if is_address else str

    def read(item: Doc, options: Mapping[str, str]) -> Any:
        values = {path: item.id(path) for path in paths} | {f"options.{name}": value for name, value in options.items()}
        return filled(text, values, encode)

    return read


def _shaped(rule: FieldRule, name: str, *, templates: bool) -> Read:
    inner = _given(rule, name, templates=templates)
    if rule.format not in ("", "html"):
        raise ValueError(f'format {rule.format!r} is not known: leave it out, or write "html"')
    if rule.unless:
        steps_of(rule.unless)
    if rule.limit is not None and rule.limit < 1:
        raise ValueError(f"limit: {rule.limit} is no number of characters")
    _refuse_strange_words(rule, name)

    def read(item: Doc, options: Mapping[str, str]) -> Any:
        value = inner(item, options)
        if value in rule.drop or (rule.unless and value == item.get(rule.unless)):
            value = None
        if rule.table is not None:
            value = rule.table.get(str(value))
        if rule.format and isinstance(value, str):
            value = html_to_text(value)
        value = rule.default if value in (None, "") else value
        if value is None and rule.required:
            raise TranslationError(f"the item has no {name} (from {rule.from_ or 'template'})")
        return value[: rule.limit] if rule.limit and isinstance(value, str) else value

    return read


WORDS = {"kind": KINDS | BOOSTS, "visibility": VISIBILITIES}
"""What a field may say, of those that say one of few words."""


def _refuse_strange_words(rule: FieldRule, name: str) -> None:
    """Raise ValueError for a word that a field never is: it would count as the usual one without a word."""
    if name == "rating" and rule.best is not None and rule.best == rule.worst:
        raise ValueError(f"best and worst are both {rule.best:g}: a scale has two ends")
    for word in (rule.value, rule.default, *(rule.table or {}).values()):
        if name in WORDS and word is not None and str(word).lower() not in WORDS[name]:
            raise ValueError(f"{word!r} is none of {', '.join(sorted(WORDS[name]))}")
        if name == "lang" and isinstance(word, str) and base_language(word) not in KNOWN:
            raise ValueError(f'{word!r} is no language: write its code, such as "en"')


def _given(rule: FieldRule, name: str, *, templates: bool) -> Read:
    """Return what a rule starts from."""
    if sum(one is not None for one in (rule.from_, rule.value, rule.template)) != 1:
        raise ValueError(f"give exactly one of from and value{', or template' if templates else ''}")
    if rule.from_ is not None:
        return _compiled(rule.from_, name)
    if rule.template is None:
        return lambda *_: rule.value
    if not templates:
        raise ValueError("templates are not for this file: write paths, or text with {paths} in it")
    for message, hint in source_faults(rule.template):
        raise ValueError(f"template, {message}{f' ({hint})' if hint else ''}")
    template = Template(rule.template, escape=False)
    return lambda item, _: template.render(item.data)


# ----------------------------------------------------------------------------------------------------------- translate


def translate(raw: RawItem, fields: Fields, options: Mapping[str, str], *, network: str) -> Translated:
    """Return one item that cannot be answered: a Signal with its Author. Raises TranslationError if id or text is missing.

    Where the item's realm says so (`hub.core.keys.apart`), authors have keys apart from those of posts.
    """
    said = fields.read(Doc.read(raw.payload), options)
    html = _text(said.get("html"))
    said["text"] = (html_to_text(html) if html else "") or said.get("text")
    realm, is_apart = together(raw.realm)
    key_of_author = marked_author_key if is_apart else None
    raw = replace(raw, realm=realm)
    return translated(said, raw, fields, network=network, can_reply="no", key_of_author=key_of_author)


def translated(
    said: Mapping[str, Any],
    raw: RawItem,
    fields: Fields,
    *,
    network: str,
    can_reply: CanReply = "unknown",
    key_of_author: KeyOfAuthor | None = None,
) -> Translated:
    """Return the Signal and the Author of what was read; without `key_of_author` authors and posts share a name space.

    Raises TranslationError if the id is missing, or all of text, html, title, rating and attachments.
    """
    author = _author(said, network, raw.realm, key_of_author)
    native_id, html = _text(said.get("native_id")), _text(said.get("html"))
    text = _text(said.get("text")) or (html_to_text(html) if html else None) or _text(said.get("title"))
    shown, left = attachments(_several(said["media"])) if "media" in said else ((), 0)
    if not shown and not text:
        shown, unseen = pictures(html)
        left += unseen
    rating = fields.rating(said.get("rating"), said.get("rating_best"))
    parent, thread = _text(said.get("in_reply_to")), _text(said.get("conversation"))
    kind, shared = _kind(_text(said.get("kind")), parent), _text(said.get("shared"))
    if kind == "repost" and not shared:
        parent, shared = None, parent
    if not native_id or not (text or shown or left or rating or (kind == "repost" and shared)):
        missing = "text (or html, or title)" if native_id else "id: name its field (fields.native_id)"
        raise TranslationError(f"the item has no {missing}")
    if kind == "repost" and shared == native_id:  # a boost that bears the post's own id must not overwrite it
        native_id = f"{author.native_id if author else ''}#boosts/{shared}"
    published, updated = _time(said.get("published_at")), _time(said.get("updated_at"))
    edited = updated if updated and published and updated > published else None
    signal = Signal(
        key=_post(native_id, raw, network),
        network=network,
        native_id=native_id,
        realm=raw.realm,
        kind=kind,
        text=text or "",
        html=safe_html(html) or None if html else None,
        title=_text(said.get("title")),
        url=_web(said.get("url")),
        lang=_text(said.get("lang")),
        author_key=author.key if author else None,
        published_at=published or updated or raw.received_at,
        updated_at=edited,
        state="edited" if edited else "live",
        observed_at=raw.received_at,
        in_reply_to=_post(parent, raw, network) if parent else None,
        quotes=_post(shared, raw, network) if shared else None,
        # A conversation's ids and those of posts are two name spaces: number 7 of the one is not number 7 of the other.
        conversation_key=signal_key(network, f"conversation {thread}", raw.realm) if thread else None,
        hashtags=_tags(said["hashtags"]) if "hashtags" in said else (),
        media=shown,
        visibility=_visibility(said.get("visibility")),  # type: ignore[arg-type]  # one of the words
        counts=NO_COUNTS if said.keys().isdisjoint(COUNTED) else Counts(*[_number(said.get(name)) for name in COUNTED]),
        rating=rating,
        can_reply=can_reply,
        revision=raw.revision,
        aliases=tuple([_alias(one, raw, network) for one in _several(said["aliases"])]) if "aliases" in said else (),
        parent_alias=_alias(said["parent_alias"], raw, network) if said.get("parent_alias") else None,
    )
    return Translated((signal,), (author,) if author else (), left_out=left_out(left))


def _kind(said: str | None, parent: str | None) -> Kind:
    word = (said or "").lower()
    if word in BOOSTS:
        return "repost"
    return word if word in KINDS else "reply" if parent else "post"  # type: ignore[return-value]  # just checked


def _author(said: Mapping[str, Any], network: str, realm: str, key_of: KeyOfAuthor | None) -> Author | None:
    native_id = _text(said.get("author_id"))
    if not native_id:
        return None
    verified, by_name = said.get("author_verified"), isinstance(said.get("author_id"), NameOnly)
    return Author(
        key=key_of(network, native_id, realm, by_name=by_name) if key_of else author_key(network, native_id, realm),
        network=network,
        native_id=native_id,
        realm=realm,
        handle=_text(said.get("author_handle")),
        display_name=_text(said.get("author_name")),
        url=_web(said.get("author_url")),
        followers=_number(said.get("author_followers")),
        verified=verified if isinstance(verified, bool) else None,
    )


def _post(native_id: str, raw: RawItem, network: str) -> str:
    """Return the key of a post; one whose id reads like the mark of a conversation or an alias is marked itself."""
    return signal_key(network, f"id {native_id}" if _MARKED.match(native_id) else native_id, raw.realm)


def _alias(value: Any, raw: RawItem, network: str) -> str:
    return signal_key(network, f"alias {_text(value)}", raw.realm)


def _tags(value: Any) -> tuple[str, ...]:
    return tuple([tag for one in _list(value) if isinstance(one, str) and (tag := _text(one))])


def _several(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: Any) -> str | None:
    if isinstance(value, str):
        return clean(value) or None
    if value is None:
        return None
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < LARGEST_ID
    return str(value) if is_number and (isinstance(value, int) or abs(value) < 10**18) else None


def _web(value: Any) -> str | None:
    text = _text(value)
    return text if text and text.startswith(("https://", "http://")) else None


def _number(value: Any) -> int | None:
    """Return a count; some APIs write them as text."""
    number = _float(value)
    return int(number) if number is not None and 0 <= number < 2**53 and number == int(number) else None


def _float(value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return float(value)
    return (
        float(value) if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 2**53 else None
    )


def _time(value: Any) -> Any:
    return parse_time(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else None


def _visibility(value: Any) -> str:
    if not value:
        return "public"
    # A word that is not known may mean that few should see it: the narrowest is taken.
    return value if isinstance(value, str) and value in VISIBILITIES else "direct"
