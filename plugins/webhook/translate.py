"""A body's fields to a Signal, by a mapping file or the usual names. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, get_args

import msgspec
from jinja2 import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from hub.core.errors import TranslationError
from hub.core.keys import author_key, digest, signal_key
from hub.core.model import Author, Counts, Kind, RawItem, Signal, Translated, Visibility
from hub.sdk.doc import Doc, at, load, steps_of
from hub.sdk.text import html_to_text, parse_time

KINDS = frozenset(get_args(Kind))
VISIBILITIES = frozenset(get_args(Visibility))
MOST_ITEMS = 10_000
"""Items of one body: 2 MB hold 300,000 empty ones, each of which would become a row."""
USUAL: dict[str, tuple[str, ...]] = {
    "native_id": ("id", "uri", "guid"),
    "network": ("network",),
    "kind": ("kind", "type"),
    "text": ("text", "body", "message"),
    "html": ("html",),
    "title": ("title", "subject"),
    "url": ("url", "link"),
    "lang": ("lang", "language"),
    "published_at": ("published_at", "created_at", "date"),
    "updated_at": ("updated_at", "edited_at"),
    "in_reply_to": ("in_reply_to",),
    "conversation": ("conversation_id", "thread_id"),
    "hashtags": ("hashtags", "tags"),
    "visibility": ("visibility",),
    "author_id": ("author.id", "author.handle", "author.name", "author"),
    "author_handle": ("author.handle", "author.username"),
    "author_name": ("author.name", "author.display_name"),
    "author_url": ("author.url",),
    "author_followers": ("author.followers", "author.followers_count"),
    "author_verified": ("author.verified",),
    "likes": ("counts.likes",),
    "replies": ("counts.replies",),
    "shares": ("counts.shares", "counts.reposts"),
    "quotes": ("counts.quotes",),
    "views": ("counts.views",),
}
_ENVIRONMENT = ImmutableSandboxedEnvironment(autoescape=False)
Read = Callable[[Doc], Any]
BodyReader = Mapping[str, Read]


class FieldRule(msgspec.Struct, forbid_unknown_fields=True, rename={"from_": "from"}):
    """One field of the mapping file: exactly one of from, value, template; table, default, required and limit shape it."""

    from_: str | None = None
    value: Any = None
    template: str | None = None
    table: dict[str, Any] | None = None
    default: Any = None
    required: bool = False
    limit: int | None = None


def compile_reader(written: Mapping[str, Any]) -> BodyReader:
    """Return a reader of bodies: the usual names, replaced by what the mapping file's `[fields.NAME]` tables say.

    Raises ValueError that names the field.
    """
    fields = written.get("fields", {})
    unknown = [name for name in (*written, *fields) if name not in {"fields", *USUAL}]
    if unknown:
        raise ValueError(f"unknown in the mapping: {', '.join(unknown)}; known fields: {', '.join(USUAL)}")
    reader: dict[str, Read] = {name: _first(paths) for name, paths in USUAL.items()}
    for name, table in fields.items():
        try:
            reader[name] = _compile(name, msgspec.convert(table, FieldRule))
        except (msgspec.ValidationError, TemplateError) as error:
            raise ValueError(f"fields.{name}: {error}") from None
    return reader


def _compile(name: str, rule: FieldRule) -> Read:
    given = [rule.from_ is not None, rule.value is not None, rule.template is not None]
    if sum(given) != 1:
        raise ValueError(f"fields.{name}: give exactly one of from, value and template")
    template = _ENVIRONMENT.from_string(rule.template) if rule.template is not None else None
    if rule.from_ is not None:
        steps_of(rule.from_)

    def read(body: Doc) -> Any:
        if template is not None:
            value: Any = template.render(body.data)
        else:
            value = rule.value if rule.from_ is None else body.get(rule.from_)
        if rule.table is not None:
            value = rule.table.get(str(value))
        value = rule.default if value in (None, "") else value
        if value is None and rule.required:
            raise TranslationError(f"the body has no {name} (from {rule.from_ or 'template'})")
        return value[: rule.limit] if rule.limit and isinstance(value, str) else value

    return read


def _first(paths: tuple[str, ...]) -> Read:
    """Make a reader of a body: the first of the paths that leads to a value."""
    split = tuple((first, rest) for first, *rest in map(steps_of, paths))

    def read(body: Doc) -> Any:
        for first, rest in split:
            value = body.data.get(first)
            if rest:
                value = at(value, rest)
            if value is not None and not isinstance(value, dict):
                return value
        return None

    return read


def parse(body: bytes) -> list[bytes]:
    """Return the objects in a body: one, or a list of them. Raises TranslationError."""
    found = load(body, "the body")
    if isinstance(found, dict):
        return [body]
    if isinstance(found, list):
        if len(found) > MOST_ITEMS:
            raise TranslationError(f"a body of {len(found)} items: send at most {MOST_ITEMS} at once")
        return [msgspec.json.encode(one) for one in found]
    raise TranslationError("the body is neither a JSON object nor a list of them")


def translate(raw: RawItem, reader: BodyReader, *, network: str) -> Translated:
    """One object to one Signal with its Author. Raises TranslationError if id or text are missing."""
    body = Doc.read(raw.payload)
    try:
        said = {name: read(body) for name, read in reader.items()}
    except (TemplateError, ArithmeticError, TypeError, ValueError, LookupError, RecursionError) as error:
        raise TranslationError(f"a template of the mapping failed: {error}") from None
    network = _text(said["network"]) or network
    if not network.isascii() or not network.replace("-", "").replace("_", "").isalnum() or len(network) > 31:
        raise TranslationError(f"'{network[:40]}' is no name of a network (letters, digits, - and _, at most 31)")
    author = _author(said, network, raw.realm)
    return Translated((_signal(said, raw, network, author),), (author,) if author else ())


def _signal(said: Mapping[str, Any], raw: RawItem, network: str, author: Author | None) -> Signal:
    html = _text(said["html"])
    text = _text(said["text"]) or (html_to_text(html) if html else None) or _text(said["title"])
    native_id = _text(said["native_id"])
    if not text:
        raise TranslationError("the body has no text (or html, or title)")
    if not native_id:
        raise TranslationError("the body has no id: name its field in the mapping (fields.native_id)")
    parent, thread = _text(said["in_reply_to"]), _text(said["conversation"])
    kind = _text(said["kind"])
    return Signal(
        key=signal_key(network, native_id, raw.realm),
        network=network,
        native_id=native_id,
        realm=raw.realm,
        kind=kind if kind in KINDS else ("reply" if parent else "post"),  # type: ignore[arg-type]  # just checked
        text=text,
        title=_text(said["title"]),
        url=_text(said["url"]),
        lang=_text(said["lang"]),
        author_key=author.key if author else None,
        published_at=_time(said["published_at"]) or raw.received_at,
        updated_at=_time(said["updated_at"]),
        observed_at=raw.received_at,
        in_reply_to=signal_key(network, parent, raw.realm) if parent else None,
        conversation_key=signal_key(network, thread, raw.realm) if thread else None,
        hashtags=tuple(tag for tag in said["hashtags"] if isinstance(tag, str))
        if isinstance(said["hashtags"], list)
        else (),
        visibility=_visibility(said["visibility"]),  # type: ignore[arg-type]  # one of the words
        counts=Counts(*(_number(said[name]) for name in ("likes", "replies", "shares", "quotes", "views"))),
    )


def _author(said: Mapping[str, Any], network: str, realm: str) -> Author | None:
    native_id = _text(said["author_id"])
    if not native_id:
        return None
    verified = said["author_verified"]
    return Author(
        key=author_key(network, native_id, realm),
        network=network,
        native_id=native_id,
        realm=realm,
        handle=_text(said["author_handle"]) or native_id,
        display_name=_text(said["author_name"]),
        url=_text(said["author_url"]),
        followers=_number(said["author_followers"]),
        verified=verified if isinstance(verified, bool) else None,
    )


def _text(value: Any) -> str | None:
    if isinstance(value, str):
        return value or None
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _number(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53 else None


def _time(value: Any) -> Any:
    return parse_time(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else None


def _visibility(value: Any) -> str:
    if not value or not isinstance(value, str):
        return "public"
    # A word that we do not know may mean that few should see it: take the narrowest.
    return value if value in VISIBILITIES else "direct"


def batch_id(keys: list[str]) -> str:
    """One id for one batch: the same records under the same keys give the same id."""
    return "msg_" + digest(*keys)
