"""Why a signal became what it became: the stored facts, and the pure steps run again with the rules of that day."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from hub.core.access import Actor, Sight, demand
from hub.core.decide.judgement import facts_then
from hub.core.decide.trace import Trace
from hub.core.pipeline import Rulebook
from hub.core.reading.mask import as_seen
from hub.core.route import RuleSet, compile_rules
from hub.core.spec import ConditionTrace, Rule, RuleTrace
from hub.flow.views.deliveries import shown_delivery
from hub.flow.views.names import names_near
from hub.runtime import Hub
from hub.store.history import History
from hub.store.signals import ERASED

_LAST = re.compile(r"^(?:person|account)\.(?:last_|open_)")
_LABEL = re.compile(r"\blabels\s*\.\s*(\w+)")


_ALREADY = "its record was written with these values already, or a later post of the same batch wrote it"


class Explanation(msgspec.Struct, frozen=True):
    """A signal with its labels, every rule with every condition, and what was delivered."""

    signal: dict[str, Any]
    labels: list[dict[str, Any]]
    topics: tuple[str, ...]
    rules_version: str
    matched: tuple[str, ...]
    rules: tuple[RuleTrace, ...]
    deliveries: list[dict[str, Any]]
    topics_version: str = ""
    notes: tuple[str, ...] = ()


def explain(hub: Hub, actor: Actor, key: str) -> Explanation | None:
    """Explain a signal by its key, or an unambiguous beginning of it; None if there is none that the actor sees."""
    demand(actor, "signals.see")
    row = hub.store.signals.get(key, sight=actor.sight)
    if row is None:
        return None
    kept: Trace = row["trace"]
    rules = rules_of(hub, kept.rules)
    unkept = () if rules.version == kept.rules else ("the rules of that day were not kept: these are today's",)
    is_erased = row["content_hash"] == ERASED
    gone = ("the post is gone and was erased: only versions, what matched and labels are kept",) if is_erased else ()
    deliveries = hub.store.outbox.recent(signal_key=row["key"], limit=200)
    unsaid = () if is_erased else _silent(hub.book, rules, kept, deliveries)
    page = f"{hub.settings.public_url}/signals/{row['key']}"
    found = Explanation(
        signal=msgspec.to_builtins(row["signal"]),
        labels=msgspec.to_builtins(row["labels"]),
        topics=kept.about,
        rules_version=kept.rules,
        matched=kept.matched,
        rules=() if is_erased else rules.decide(facts_then(row["signal"], kept, page)),
        deliveries=with_tries(hub, deliveries[::-1]),
        topics_version=kept.topics,
        notes=(*gone, *_labelling(kept), *kept.notes, *unsaid, *unkept),
    )
    found = replace(found, rules=_read_by(actor.sight, found.rules))
    if actor.sight.names:
        return found
    names = names_near(hub, actor, [row["key"]]).get(row["key"], ())
    return msgspec.convert(as_seen(actor.sight, msgspec.to_builtins(found), names), Explanation)


def _read_by(sight: Sight, traces: tuple[RuleTrace, ...]) -> tuple[RuleTrace, ...]:
    """Return the traces without what may be of another source, or of a direct message: a person's and an account's last words."""
    if sight.is_whole:
        return traces
    return tuple(replace(one, conditions=tuple(_blinded(part) for part in one.conditions)) for one in traces)


def _blinded(one: ConditionTrace) -> ConditionTrace:
    return replace(one, read={path: None if _LAST.search(path) else value for path, value in one.read.items()})


def _labelling(kept: Trace) -> tuple[str, ...]:
    """Return which enrichers could not work when the signal was decided, and which labelled it later."""
    away = (f"{name} could not work: it labels the post once it does, for 30 days" for name in kept.missing)
    late = (f"labelled later by {name}, at {at}, and decided again" for name, at in kept.late.items())
    return (*away, *late)


def _silent(book: Rulebook, rules: RuleSet, kept: Trace, deliveries: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """Return why matched rules have neither a record of this signal nor a note: the record is there, or a later post's counts."""
    told = {(one["destination"], one["mapping"]) for one in deliveries}
    # a note begins with all places that it is about
    noted = {place for note in kept.notes for place in note.partition(": ")[0].split(", ")}
    found: list[str] = []
    for target in [target for name in kept.matched if name in rules.by_name for target in rules.by_name[name].deliver]:
        place = f"{target.destination}/{target.mapping}"
        mapping = book.mappings.get((target.destination, target.mapping))
        after = (target.destination, (mapping.spec.then if mapping else None) or "")
        if told.isdisjoint(((target.destination, target.mapping), after)) and place not in noted:
            found.append(f"{place}: {_ALREADY}")
            noted.add(place)
    return tuple(found)


def rules_of(hub: Hub, version: str) -> RuleSet:
    """Return the rules of a version: today's, those of its day, or, if they were not kept, today's again."""
    book: Rulebook = hub.book
    if book.rules.version == version:
        return book.rules
    stored = hub.store.connections.version(version)
    if stored is None:
        return book.rules
    rules = msgspec.json.decode(stored["content"], type=tuple[Rule, ...])
    # They compiled on their day: what they call a label was one, though its enricher may be gone since.
    labels = {name for rule in rules for when in rule.when for name in _LABEL.findall(when)}
    return compile_rules(rules, file=f"rules {version}", labels=sorted(labels))


def with_tries(hub: Hub, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return deliveries as listings show them, each with its mapping's version and every attempt that was made."""
    tries = History(hub.store.database).tries([row["id"] for row in rows])
    return [
        {**shown_delivery(row), "mapping_version": row["mapping_version"], "tries": tries.get(row["id"], [])}
        for row in rows
    ]
