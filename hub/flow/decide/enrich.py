"""Labels for a batch: enrichers in the configuration's order, language first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import structlog
from msgspec.structs import replace

from hub.core.errors import ConfigError
from hub.core.model import Label, Signal
from hub.flow.bugs import tell
from hub.runtime import Hub
from hub.sdk.connectors import Enricher

log = structlog.get_logger(__name__)
Labels = tuple[Label, ...]


def enrich(hub: Hub, signals: Sequence[Signal], topics: Sequence[Sequence[str]]) -> list[Labels]:
    """Return the labels of each signal, in order; `topics` is what each is about.

    What a broken enricher would have said is missing, and loud in the log.
    """
    given: list[Labels] = [() for _ in signals]
    if not signals:
        return given
    names = [name for name, section in hub.settings.enrichers.items() if section.enabled]
    names.sort(key=lambda name: hub.settings.enrichers[name].plugin != "language")
    spoken = list(signals)
    for name in names:
        everything = not hub.settings.enrichers[name].topics_only
        # A boost repeats another's words, which are judged with the post that it boosts.
        heard = [index for index, signal in enumerate(signals) if signal.kind != "repost"]
        meant = [index for index in heard if everything or topics[index]]
        for index, labels in zip(meant, _run(hub, name, [spoken[index] for index in meant]), strict=True):
            given[index] += labels
            spoken[index] = _with_language(spoken[index], labels)
    return given


def _with_language(signal: Signal, labels: Labels) -> Signal:
    if signal.lang is None:
        for label in labels:
            if label.name == "language":
                return replace(signal, lang=label.value)
    return signal


def _run(hub: Hub, name: str, signals: Sequence[Signal]) -> Sequence[Labels]:
    enricher = ready(hub, name) if signals else None
    if enricher is None:
        return [() for _ in signals]
    try:
        labels = [tuple(given) for given in enricher.enrich(signals)]
    except Exception as error:  # noqa: BLE001 - told; a model's bug must not stop the batch: find what it stumbles over
        tell(hub, name, error, event="an enricher failed")
        return [_alone(enricher, name, signal) for signal in signals]
    if len(labels) != len(signals):
        log.error("an enricher gave the wrong number of labels", enricher=name, got=len(labels), want=len(signals))
        return [() for _ in signals]
    return labels


def _alone(enricher: Enricher[Any], name: str, signal: Signal) -> Labels:
    try:
        return tuple(enricher.enrich([signal])[0])
    except Exception:  # noqa: BLE001 - as above
        log.warning("an enricher failed on a signal", enricher=name, signal=signal.key)
        return ()


def ready(hub: Hub, name: str) -> Enricher[Any] | None:
    """Return an enricher with its models loaded, once in a process; None if it cannot be had: told once, the rest runs on."""
    place = f"enrichers.{name}"
    if place in hub.broken:
        return None
    try:
        enricher = hub.enricher(name)
        if name not in hub.loaded:
            enricher.load()
            hub.loaded.add(name)
    except ConfigError as error:
        if hub.broken.put(place, str(error)):
            log.error("an enricher is quarantined: `hub check` says more", enricher=name, error=str(error))  # noqa: TRY400 - it says why
        return None
    except Exception as error:  # noqa: BLE001 - told; whatever a plugin does, everything else runs on
        hub.broken[place] = str(tell(hub, name, error, event="an enricher is quarantined: `hub check` says more"))
        return None
    hub.broken.heal(place)
    return enricher
