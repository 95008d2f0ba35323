"""Why a signal became what it became: the stored facts, and the pure steps run again with the rules of that day."""

from __future__ import annotations

from typing import Any

import msgspec

from hub.core.pipeline import Rulebook, facts
from hub.core.route import RuleSet, compile_rules
from hub.core.spec import Rule, RuleTrace
from hub.flow.decide import Kept
from hub.runtime import Hub


class Explanation(msgspec.Struct, frozen=True):
    """A signal with its labels, every rule with every condition, and what was delivered."""

    signal: dict[str, Any]
    labels: list[dict[str, Any]]
    topics: tuple[str, ...]
    rules_version: str
    matched: tuple[str, ...]
    rules: tuple[RuleTrace, ...]
    deliveries: list[dict[str, Any]]
    notes: tuple[str, ...] = ()


def explain(hub: Hub, key: str) -> Explanation | None:
    """Explain a signal by its key, or an unambiguous beginning of it; None where there is none."""
    row = hub.store.signals.get(key)
    if row is None:
        return None
    kept = msgspec.convert(row["trace"], Kept)
    traces = rules_of(hub, kept.rules).decide(remembered(hub, row, kept))
    deliveries = hub.store.outbox.recent(signal_key=row["key"], limit=200)
    return Explanation(
        signal=msgspec.to_builtins(row["signal"]),
        labels=msgspec.to_builtins(row["labels"]),
        topics=kept.about,
        rules_version=kept.rules,
        matched=kept.matched,
        rules=traces,
        deliveries=[shown_delivery(one) for one in reversed(deliveries)],
        notes=kept.notes,
    )


def remembered(hub: Hub, row: dict[str, Any], kept: Kept) -> dict[str, Any]:
    """The facts as they were when the signal was decided."""
    return facts(
        row["signal"],
        kept.author or row["author"],
        row["labels"],
        topics=kept.about,
        stats=kept.stats,
        conversation={"key": row["conversation_key"], "signals": kept.size},
        uncertain_below=hub.settings.hub.uncertain_below,
        url=f"{hub.settings.public_url}/signals/{row['key']}",
    )


def rules_of(hub: Hub, version: str) -> RuleSet:
    """The rules of a version: today's, or those of its day."""
    book: Rulebook = hub.book
    if book.rules.version == version:
        return book.rules
    stored = hub.store.connections.version(version)
    if stored is None:
        return book.rules
    labels = tuple(label for name in hub.settings.enrichers for label in hub.enricher(name).labels)
    return compile_rules(
        msgspec.json.decode(stored["content"], type=tuple[Rule, ...]), file=f"rules {version}", labels=labels
    )


def shown_delivery(row: dict[str, Any]) -> dict[str, Any]:
    """A delivery as listings show it."""
    remote = {"id": row["remote_id"], "url": row["remote_url"]} if row["remote_id"] else None
    return {
        "id": row["id"],
        "destination": row["destination"],
        "object": row["object"],
        "operation": row["operation"],
        "record": row["record_key"],
        "signal": row["signal_key"],
        "rule": row["rule"],
        "mapping": row["mapping"],
        "state": row["state"],
        "attempts": row["attempts"],
        "due_at": row["due_at"],
        "remote": remote,
        "error": row["error"],
    }
