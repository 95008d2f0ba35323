"""Labels for a batch: enrichers in the configuration's order, language first."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from math import isfinite
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace

from hub.config.ctrl_c import is_persons
from hub.config.logs import LateLogger
from hub.core.errors import ConfigError
from hub.core.model import Label, Signal
from hub.flow.bugs import tell
from hub.flow.calls import calling
from hub.runtime import Hub
from hub.sdk.connectors import Enricher, State

log = LateLogger(__name__)
Labels = tuple[Label, ...]
LONGEST_OPENING = timedelta(minutes=5)
HURRIED = 1000
"""So many of the signals that wait for labels are taken up at a time."""
OPENING = "opening"
"""Since when an enricher loads its models, in its memory; null when it is done."""
_json, _labels = msgspec.json.Encoder(), msgspec.json.Decoder(tuple[Label, ...])


class Enriched(NamedTuple):
    """The labels of each signal, in order, and for each the names of the enrichers that could not work on it."""

    labels: list[Labels]
    missing: list[tuple[str, ...]]


def enrich(hub: Hub, signals: Sequence[Signal], topics: Sequence[Sequence[str]]) -> Enriched:
    """Return the labels of each signal, in order; `topics` is what each is about.

    What a broken enricher would have said is missing, and loud in the log.
    """
    given: list[Labels] = [() for _ in signals]
    missing: list[tuple[str, ...]] = [() for _ in signals]
    if not signals:
        return Enriched(given, missing)
    names = [name for name, section in hub.settings.enrichers.items() if section.enabled]
    names.sort(key=lambda name: hub.settings.enrichers[name].plugin != "language")
    spoken = list(signals)
    for name in names:
        everything = not hub.settings.enrichers[name].topics_only
        # A boost repeats another's words, which are judged with the post that it boosts.
        heard = [index for index, signal in enumerate(signals) if signal.kind != "repost"]
        meant = [index for index in heard if everything or topics[index]]
        for index, labels in zip(meant, _run(hub, name, [spoken[index] for index in meant]), strict=True):
            if labels is None:
                missing[index] += (name,)
                continue
            given[index] += labels
            spoken[index] = _with_language(spoken[index], labels)
    return Enriched(given, missing)


def _open(hub: Hub, name: str, enricher: Enricher[Any]) -> None:
    """Load an enricher's models; that may take a minute, so the page and the log say that it is at it."""
    began, memory = hub.now(), _memory(hub, name)
    log.info("an enricher is being opened", enricher=name)
    memory.set(OPENING, began.isoformat())
    try:
        enricher.load()
    finally:
        memory.set(OPENING, None)
    hub.loaded.add(name)
    # It may have been away: what waits for its labels need not wait any longer.
    hub.store.inbox.hurry_marks(now=hub.now(), limit=HURRIED)
    log.info("an enricher is open", enricher=name, seconds=round((hub.now() - began).total_seconds(), 1))


def opening(hub: Hub) -> dict[str, datetime]:
    """Return the enrichers that load their models now, each with since when; what a killed worker left counts for a while."""
    found = {}
    for name, section in hub.settings.enrichers.items():
        since = _memory(hub, name).get(OPENING) if section.enabled else None
        if since and (began := datetime.fromisoformat(since)) > hub.now() - LONGEST_OPENING:
            found[name] = began
    return found


def _memory(hub: Hub, name: str) -> State:
    return hub.store.connections.memory(f"enrichers/{name}")


def _with_language(signal: Signal, labels: Labels) -> Signal:
    if signal.lang is None:
        for label in labels:
            if label.name == "language":
                return replace(signal, lang=label.value)
    return signal


def _run(hub: Hub, name: str, signals: Sequence[Signal]) -> Sequence[Labels | None]:
    """Return the labels of each signal by one enricher; None if it could not work on it."""
    enricher = ready(hub, name) if signals else None
    if enricher is None:
        return [None for _ in signals]
    try:
        with calling(hub, f"enrichers.{name}"):
            labels = [tuple(given) for given in enricher.enrich(signals)]
    except BaseException as error:  # noqa: BLE001 - told; a model's bug must not stop the batch: find what it stumbles over
        tell(hub, name, error, event="an enricher failed")
        return [_alone(enricher, name, signal) for signal in signals]
    if len(labels) != len(signals):
        log.error("an enricher gave the wrong number of labels", enricher=name, got=len(labels), want=len(signals))
        return [None for _ in signals]
    return [_sound(name, given, signal) for given, signal in zip(labels, signals, strict=True)]


def _alone(enricher: Enricher[Any], name: str, signal: Signal) -> Labels | None:
    try:
        return _sound(name, tuple(enricher.enrich([signal])[0]), signal)
    except BaseException as error:  # as above
        if is_persons(error):
            raise
        log.warning("an enricher failed on a signal", enricher=name, signal=signal.key)
        return None


def _sound(name: str, labels: Labels, signal: Signal) -> Labels | None:
    """Return labels as they are if each is as its contract says, else None: what cannot be stored must not cost the post."""
    try:
        _labels.decode(_json.encode(labels))
        wrong = next((wrong for one in labels if (wrong := _misfit_of(one))), "")
    except (msgspec.MsgspecError, TypeError, ValueError, RecursionError) as error:
        wrong = str(error)
    if not wrong:
        return labels
    log.error("an enricher gave labels that cannot be used", enricher=name, signal=signal.key, error=wrong)
    return None


def _misfit_of(label: Any) -> str:
    """Return what is wrong with a label that has the form of one, "" if it can be used."""
    if not isinstance(label, Label):
        return f"a label is a {type(label).__name__}, no Label"
    if not all(isinstance(text, str) for text in (label.name, label.value, label.model, label.version)):
        return "name, value, model and version are str"
    if label.by != "enricher":
        return "only a person's correction is by a person"
    return "" if all(isfinite(one or 0.0) for one in (label.score, label.confidence)) else "a number is not finite"


def ready(hub: Hub, name: str) -> Enricher[Any] | None:
    """Return an enricher with its models loaded, once in a process; None if it cannot be had: told once, the rest runs on."""
    place = f"enrichers.{name}"
    if place in hub.broken:
        return None
    try:
        enricher = hub.enricher(name)
        if name not in hub.loaded:
            _open(hub, name, enricher)
    except ConfigError as error:
        if hub.broken.put(place, str(error)):
            log.error("an enricher is quarantined: `hub check` says more", enricher=name, error=str(error))  # noqa: TRY400 - it says why
        return None
    except BaseException as error:  # noqa: BLE001 - told; whatever a plugin does, everything else runs on
        hub.broken[place] = str(tell(hub, name, error, event="an enricher is quarantined: `hub check` says more"))
        return None
    hub.broken.heal(place)
    return enricher
