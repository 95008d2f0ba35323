"""Field rules: an item of any JSON to a Signal, as a file says. Pure.

A rule is a dotted path, a list of paths of which the first that is there counts, text with `{paths}` in it, or a table.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, get_args
from urllib.parse import quote

import msgspec

from hub.core.errors import TranslationError
from hub.core.keys import author_key, signal_key
from hub.core.model import Author, Counts, Kind, Rating, RawItem, Signal, Translated, Visibility
from hub.sdk.doc import Doc, steps_of
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
        "conversation",
        "hashtags",
        "visibility",
        "rating",
        "likes",
        "replies",
        "shares",
        "quotes",
        "views",
    ),
    *("author_id", "author_handle", "author_name", "author_url", "author_followers", "author_verified"),
)
KINDS = frozenset(get_args(Kind))
VISIBILITIES = frozenset(get_args(Visibility))
HOLE = re.compile(r"\{([\w.:-]+)\}")
Read = Callable[[Doc, Mapping[str, str]], Any]
"""Reads a field of an item, with the connection's options at hand."""


class FieldRule(msgspec.Struct, forbid_unknown_fields=True, frozen=True, rename={"from_": "from"}):
    """A field's table: where the value comes from, and what shapes it."""

    from_: str | list[str] | None = None
    value: Any = None
    table: dict[str, Any] | None = None
    default: Any = None
    format: str = ""
    best: float = 5.0
    worst: float = 1.0
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


class Fields:
    """The compiled rules of a file."""

    def __init__(self, readers: Mapping[str, Read], rating: FieldRule | None) -> None:
        self._readers = readers
        self._rating = rating

    @classmethod
    def compile(cls, rules: Mapping[str, Any]) -> Fields:
        """Compile the table `fields`. Raises ValueError that names the field."""
        readers: dict[str, Read] = {}
        for name, rule in rules.items():
            if name not in FIELDS:
                raise ValueError(f"fields.{name}: no such field; known are {', '.join(FIELDS)}")
            try:
                readers[name] = _compiled(rule, is_address=name.endswith("url"))
            except (msgspec.ValidationError, ValueError) as error:
                raise ValueError(f"fields.{name}: {error}") from None
        if "native_id" not in readers or not {"text", "html", "title"} & set(readers):
            raise ValueError("fields: native_id is needed, and one of text, html and title")
        rating = rules.get("rating")
        return cls(readers, msgspec.convert(rating, FieldRule) if isinstance(rating, dict) else None)

    def read(self, item: Doc, options: Mapping[str, str]) -> dict[str, Any]:
        """Return the values of the fields that are there."""
        values = {name: read(item, options) for name, read in self._readers.items()}
        return {name: value for name, value in values.items() if value not in (None, "", [])}

    def rating(self, value: Any) -> Rating | None:
        """Return a rating on the file's scale."""
        number = _float(value)
        rule = self._rating or FieldRule()
        return Rating(number, rule.best, rule.worst) if number is not None else None


def _compiled(rule: Any, *, is_address: bool) -> Read:
    if isinstance(rule, str):
        return _template(rule, is_address=is_address) if "{" in rule else _path(rule)
    if isinstance(rule, list):
        parts = [_compiled(one, is_address=is_address) for one in rule]
        return lambda item, options: next(
            (found for part in parts if (found := part(item, options)) not in (None, "")), None
        )
    return _shaped(msgspec.convert(rule, FieldRule), is_address=is_address)


def _path(path: str) -> Read:
    steps_of(path)
    return lambda item, _: item.get(path)


def _template(text: str, *, is_address: bool) -> Read:
    paths = [hole for hole in HOLE.findall(text) if not hole.startswith("options.")]
    for path in paths:
        steps_of(path)
    encode = percent if is_address else str

    def read(item: Doc, options: Mapping[str, str]) -> Any:
        values = {path: item.id(path) for path in paths} | {f"options.{name}": value for name, value in options.items()}
        return filled(text, values, encode)

    return read


def _shaped(rule: FieldRule, *, is_address: bool) -> Read:
    if (rule.from_ is None) == (rule.value is None):
        raise ValueError("give exactly one of from and value")
    if rule.format not in ("", "html"):
        raise ValueError(f'format {rule.format!r} is not known: leave it out, or write "html"')
    inner = _compiled(rule.from_, is_address=is_address) if rule.from_ is not None else None
    if rule.unless:
        steps_of(rule.unless)

    def read(item: Doc, options: Mapping[str, str]) -> Any:
        value = inner(item, options) if inner else rule.value
        if value in rule.drop or (rule.unless and value == item.get(rule.unless)):
            value = None
        if rule.table is not None:
            value = rule.table.get(str(value))
        if rule.format and isinstance(value, str):
            value = html_to_text(value)
        return rule.default if value in (None, "") else value

    return read


# ----------------------------------------------------------------------------------------------------------- translate


def translate(raw: RawItem, fields: Fields, options: Mapping[str, str], *, network: str) -> Translated:
    """One item, one Signal with its Author. Raises TranslationError if its id or its text is missing."""
    said = fields.read(Doc.read(raw.payload), options)
    author = _author(said, network, raw.realm)
    return Translated((_signal(said, raw, fields, author=author, network=network),), (author,) if author else ())


def _signal(said: Mapping[str, Any], raw: RawItem, fields: Fields, *, author: Author | None, network: str) -> Signal:
    native_id, html = _text(said.get("native_id")), said.get("html")
    html = html if isinstance(html, str) else None
    text = (html_to_text(html) if html else None) or _text(said.get("text")) or _text(said.get("title"))
    if not native_id or not text:
        raise TranslationError("the item has no text" if native_id else "the item has no id")
    parent, thread = _text(said.get("in_reply_to")), _text(said.get("conversation"))
    kind, published, updated = _text(said.get("kind")), _time(said.get("published_at")), _time(said.get("updated_at"))
    edited = updated if updated and published and updated > published else None
    return Signal(
        key=signal_key(network, native_id, raw.realm),
        network=network,
        native_id=native_id,
        realm=raw.realm,
        kind=kind if kind in KINDS else ("reply" if parent else "post"),  # type: ignore[arg-type]  # just checked
        text=text,
        html=safe_html(html) or None if html else None,
        title=_text(said.get("title")),
        url=_web(said.get("url")),
        lang=_text(said.get("lang")),
        author_key=author.key if author else None,
        published_at=published or updated or raw.received_at,
        updated_at=edited,
        state="edited" if edited else "live",
        observed_at=raw.received_at,
        in_reply_to=signal_key(network, parent, raw.realm) if parent else None,
        # A conversation's ids and those of posts are two name spaces: number 7 of the one is not number 7 of the other.
        conversation_key=signal_key(network, f"conversation {thread}", raw.realm) if thread else None,
        hashtags=tuple(tag for one in _list(said.get("hashtags")) if (tag := _text(one))),
        visibility=_visibility(said.get("visibility")),  # type: ignore[arg-type]  # one of the words
        counts=Counts(*(_number(said.get(name)) for name in ("likes", "replies", "shares", "quotes", "views"))),
        rating=fields.rating(said.get("rating")),
        can_reply="no",
        revision=raw.revision,
        aliases=tuple(_alias(one, raw, network) for one in _list(said.get("aliases"))),
        parent_alias=_alias(said["parent_alias"], raw, network) if said.get("parent_alias") else None,
    )


def _author(said: Mapping[str, Any], network: str, realm: str) -> Author | None:
    native_id = _text(said.get("author_id"))
    if not native_id:
        return None
    verified = said.get("author_verified")
    return Author(
        key=author_key(network, native_id, realm),
        network=network,
        native_id=native_id,
        realm=realm,
        handle=_text(said.get("author_handle")),
        display_name=_text(said.get("author_name")),
        url=_web(said.get("author_url")),
        followers=_number(said.get("author_followers")),
        verified=verified if isinstance(verified, bool) else None,
    )


def _alias(value: Any, raw: RawItem, network: str) -> str:
    return signal_key(network, f"alias {_text(value)}", raw.realm)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _text(value: Any) -> str | None:
    if isinstance(value, str):
        return clean(value) or None
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 10**18
    return str(value) if is_number else None


def _web(value: Any) -> str | None:
    text = _text(value)
    return text if text and text.startswith(("https://", "http://")) else None


def _number(value: Any) -> int | None:
    """A count; some APIs write them as text."""
    number = _float(value)
    return int(number) if number is not None and 0 <= number < 2**53 and number == int(number) else None


def _float(value: Any) -> float | None:
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,15}(?:\.[0-9]{1,6})?", value):
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
