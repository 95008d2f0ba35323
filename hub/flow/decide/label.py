"""Labels for texts of any origin, by the same enrichers that label signals: so that they can be measured."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from hub.config.secrets import read_options
from hub.config.settings import Settings, load_settings
from hub.core.errors import UnknownPlugin
from hub.core.keys import signal_key
from hub.core.model import Label, Signal
from hub.core.normalise import normalise
from hub.registry import Registry
from hub.runtime import make_connector
from hub.sdk.connectors import Enricher

BATCH = 200
USUAL = ("language", "flair")
WITHOUT_FLAIR = ("language", "lexicon")


class TextLine(msgspec.Struct):
    """What a line must hold; the rest of it is kept as it is."""

    text: str
    lang: str | None = None


def labellers(file: Path, registry: Registry, *, only: str | None = None) -> list[Enricher[Any]]:
    """Return the enrichers of a configuration, or the usual ones if it has none; loaded. `only` names one plugin."""
    made = [_plain(registry, only)] if only else (_configured(file, registry) or _usual(registry))
    for enricher in made:
        enricher.load()
    return made


def _configured(file: Path, registry: Registry) -> list[Enricher[Any]]:
    if not file.exists():
        return []
    settings: Settings = load_settings(file)
    names = [name for name, section in settings.enrichers.items() if section.enabled]
    names.sort(key=lambda name: settings.enrichers[name].plugin != "language")
    return [make_connector(settings, "enrichers", name, registry.enricher) for name in names]


def _usual(registry: Registry) -> list[Enricher[Any]]:
    try:
        return [_plain(registry, name) for name in USUAL]
    except UnknownPlugin:
        return [_plain(registry, name) for name in WITHOUT_FLAIR]


def _plain(registry: Registry, plugin: str) -> Enricher[Any]:
    cls = registry.enricher(plugin)
    return cls(read_options(cls.Options, {}, folder=Path(), file="defaults", at=plugin))


def label_lines(
    lines: Iterable[bytes], enrichers: list[Enricher[Any]], *, now: datetime
) -> Iterator[tuple[int, dict[str, Any] | str]]:
    """Yield line number and the line with its labels, or what is wrong with it; in the order of the lines."""
    numbered = ((number, line) for number, line in enumerate(lines, 1) if line.strip())
    while part := list(islice(numbered, BATCH)):
        read = [(number, _read(line, now)) for number, line in part]
        signals = [found[1] for _, found in read if not isinstance(found, str)]
        labels = iter(_label(signals, enrichers))
        for number, found in read:
            yield (
                number,
                found if isinstance(found, str) else {**found[0], "labels": [shown(label) for label in next(labels)]},
            )


def shown(label: Label) -> dict[str, Any]:
    """Return a label with all its keys, null if it has no value."""
    return {name: getattr(label, name) for name in ("name", "value", "score", "confidence", "model", "version")}


def _label(signals: list[Signal], enrichers: list[Enricher[Any]]) -> list[list[Label]]:
    given: list[list[Label]] = [[] for _ in signals]
    for enricher in enrichers:
        for index, labels in enumerate(enricher.enrich(signals)):
            given[index] += labels
            spoken = next((one.value for one in labels if one.name == "language"), None)
            if spoken and signals[index].lang is None:
                signals[index] = replace(signals[index], lang=spoken)
    return given


def _read(line: bytes, now: datetime) -> tuple[dict[str, Any], Signal] | str:
    try:
        whole = msgspec.json.decode(line, type=dict[str, Any])
        found = msgspec.convert(whole, TextLine)
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError, RecursionError) as error:
        return f"no JSON object with a text: {error}"
    signal = Signal(
        key=signal_key("text", found.text),
        network="text",
        native_id="",
        kind="post",
        text=found.text,
        author_key=None,
        published_at=now,
        observed_at=now,
        lang=found.lang,
    )
    return whole, normalise(signal)
