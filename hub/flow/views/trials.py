"""Trials without a hub: vendor items translated, texts labelled, facts held against rules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from hub.config.settings import load_settings
from hub.core.errors import TranslationError
from hub.core.grammar.facts import merge, skeleton
from hub.core.model import Ignored
from hub.core.pipeline import Rulebook
from hub.flow.decide.label import label_lines, labellers
from hub.flow.decide.translate import translate
from hub.flow.intake.poll import raw_item
from hub.registry import Registry
from hub.runtime import plain_source, system_clock

Said = list[dict[str, Any]] | str
"""The signals of a payload with their authors inside, none of a like; a text says what is wrong."""


class NamedText(NamedTuple):
    """A file's name and what is in it."""

    name: str
    content: bytes


def translated(
    plugin: str, documents: Iterable[NamedText], *, realm: str = "", received_at: datetime | None = None
) -> Iterator[tuple[str, Said]]:
    """Yield what each payload of the documents says, with its place; `received_at` is for items that do not tell.

    Raises UnknownPlugin.
    """
    now, source = received_at or system_clock(), plain_source(Registry(), plugin)
    for document in documents:
        for place, payload in _payloads(source, document, realm=realm):
            yield place, payload if isinstance(payload, str) else _said(source, payload, realm=realm, now=now)


def labelled(file: Path, content: bytes, *, only: str | None = None) -> Iterator[tuple[int, dict[str, Any] | str]]:
    """Yield JSON lines with labels by a configuration's enrichers, numbered; a text says what is wrong with a line."""
    owners = load_settings(file).plugins if file.exists() and not only else {}
    chosen = labellers(file, Registry(owners=owners), only=only)
    return label_lines(content.split(b"\n"), chosen, now=system_clock())


def judged(book: Rulebook, facts: dict[str, Any]) -> dict[str, Any]:
    """Return which rules match these facts, and why; topics are found in the text if none are given."""
    signal = facts.get("signal") or {}
    topics = facts.get("topics")
    if topics is None:
        topics = list(book.topics.match(signal.get("text") or "", signal.get("hashtags") or ()))
    return {"topics": topics, "rules": book.rules.decide(merge({**facts, "topics": topics}, skeleton()))}


def _payloads(source: Any, document: NamedText, *, realm: str) -> Iterator[tuple[str, bytes | str]]:
    """Yield the payloads of a document with their places; a text says why it cannot be read."""
    if source.whole_documents:
        try:
            parts = list(source.unpack(document.content, realm))
        except TranslationError as error:
            yield document.name, str(error)
            return
        yield from ((f"{document.name}:entry {number}", part) for number, part in enumerate(parts, 1))
    else:
        for number, line in enumerate(document.content.split(b"\n"), 1):
            if line.strip():
                yield f"{document.name}:{number}", line


def _said(source: Any, payload: bytes, *, realm: str, now: datetime) -> Said:
    try:
        said = translate(source, raw_item(source, payload, source_name=source.name, now=now, realm=realm))
    except TranslationError as error:
        return str(error)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a plugin's bug with one item must not keep the others from coming out
        return f"bug: {type(error).__name__}: {error}"
    if isinstance(said, Ignored):
        return []
    authors = {author.key: msgspec.to_builtins(author) for author in said.authors}
    return [{**msgspec.to_builtins(signal), "author": authors.get(signal.author_key or "")} for signal in said.signals]
