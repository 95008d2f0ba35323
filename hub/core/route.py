"""Rules: compiled once, decided about each signal, and able to tell why.

All conditions of a rule must hold. `==` and `!=` take null for a value; anything else that needs a value which is null makes
the condition false, with the verdict "absent". A missing fact is null: facts are complete (see `pipeline.facts`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hub.core.errors import InvalidRule, Problem
from hub.core.grammar.condition import Condition, compile_condition, evaluate, has_zone, open_context, plain_facts
from hub.core.grammar.facts import MADE_LATER, skeleton
from hub.core.grammar.sense import asked, contradictions, senseless, strangers
from hub.core.keys import digest
from hub.core.spec import ConditionTrace, Rule, RuleTrace, Verdict, version_of

_SHOWN = 200  # characters of a text that a trace keeps: enough to recognise it


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """A rule with its version (a digest of what it says) and its conditions; see `RuleSet.for_boosts`."""

    rule: Rule
    version: str
    conditions: tuple[Condition, ...]
    for_boosts: bool


class RuleSet:
    """Compiled rules: `version` (digest), `rules` (as written), `paths` (the dotted paths that any condition reads).

    `for_boosts` names the rules that name boosts as what they want: of others each would be a record with another's words.
    """

    def __init__(self, compiled: Sequence[CompiledRule], variables: Mapping[str, str]) -> None:
        self.rules = tuple(entry.rule for entry in compiled)
        self.version = digest(*(entry.version for entry in compiled))
        self.paths = frozenset(variables)
        self.by_name = {entry.rule.name: entry.rule for entry in compiled}
        self.for_boosts = frozenset(entry.rule.name for entry in compiled if entry.for_boosts)
        self.versions = {entry.rule.name: entry.version for entry in compiled}
        self._enabled = tuple(entry for entry in compiled if entry.rule.enabled)
        self._zones = any(has_zone(one.source) for entry in self._enabled for one in entry.conditions)
        self._variables = tuple((name, tuple(path.split("."))) for path, name in variables.items())

    def decide(self, facts: Mapping[str, Any]) -> tuple[RuleTrace, ...]:
        """Return the trace of every enabled rule, in the file's order; each condition is tried, so that all of them are told."""
        values = self._values(facts)
        context = _context(values, zones=self._zones)
        return tuple(_trace(entry, values, context) for entry in self._enabled)

    def matches(self, facts: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the names of the rules that match: what `decide` says, without the trace, faster."""
        context = _context(self._values(facts), zones=self._zones)
        return tuple(
            entry.rule.name
            for entry in self._enabled
            if all(evaluate(condition.program, context) is True for condition in entry.conditions)
        )

    def _values(self, facts: Mapping[str, Any]) -> dict[str, Any]:
        return {name: plain_facts(_read(facts, parts)) for name, parts in self._variables}


def compile_rules(rules: Sequence[Rule], *, file: str = "rules.toml", labels: Iterable[str] = ()) -> RuleSet:
    """Compile rules; `labels` are label names beyond the usual. Raises InvalidRule with all problems at once."""
    # what a rule's name or a record's page is, is known only after the rules
    tree = {root: below for root, below in skeleton(labels).items() if root not in MADE_LATER}
    variables: dict[str, str] = {}
    problems: list[Problem] = []
    compiled: list[CompiledRule] = []
    seen: set[str] = set()
    for rule in rules:
        conditions, told = [], len(problems)
        for number, source in enumerate(rule.when, 1):
            outcome = compile_condition(source, tree, variables)
            faults = senseless(outcome, tree) if isinstance(outcome, Condition) else outcome
            where = f'rule "{rule.name}" when[{number}]'
            problems += [Problem(file, where, fault.message, fault.hint) for fault in faults]
            if isinstance(outcome, Condition):
                conditions.append(outcome)
        if len(conditions) > 1 and len(problems) == told:
            faults = contradictions([one.source for one in conditions], tree)
            problems += [Problem(file, f'rule "{rule.name}" when', *fault) for fault in faults]
        problems += _misnamed(rule, seen, file)
        for_boosts = any(_wants_boosts(one.source, tree) for one in conditions)
        compiled.append(CompiledRule(rule, version_of(rule), tuple(conditions), for_boosts))
    if problems:
        raise InvalidRule(problems)
    return RuleSet(compiled, variables)


def _wants_boosts(source: str, tree: Mapping[str, Any]) -> bool:
    wanted = (one for one in asked(source, tree) if one.path == "signal.kind" and one.operator in {"==", "in list"})
    return any(one.text == "repost" for one in wanted)


def unknown_topics(
    rules: Sequence[Rule], topics: Collection[str], *, file: str, but: Collection[str] = ()
) -> Iterator[Problem]:
    """Yield the topics that conditions ask for and that no file defines; `but` are places of conditions that cannot be read."""
    tree = skeleton()
    for rule in rules:
        for number, source in enumerate(rule.when, 1):
            where = f'rule "{rule.name}" when[{number}]'
            if where not in but:
                yield from (Problem(file, where, *fault) for fault in strangers(source, tree, topics))


def _misnamed(rule: Rule, seen: set[str], file: str) -> Iterable[Problem]:
    if not rule.name.strip():
        yield Problem(file, "rule", "a rule needs a name")
    elif rule.name in seen:
        yield Problem(file, f'rule "{rule.name}"', "another rule has this name", "traces tell rules apart by name")
    seen.add(rule.name)


def _read(facts: Mapping[str, Any], parts: tuple[str, ...]) -> Any:
    node: Any = facts
    for part in parts:
        if node is None:
            return None
        node = node.get(part)
    return node


def _context(values: dict[str, Any], *, zones: bool) -> Any:
    try:
        return open_context(values, zones=zones)
    except Exception:  # noqa: BLE001 - a number beyond 64 bits, half a surrogate pair: only that value counts as absent
        for name, value in values.items():
            if not _is_admissible(value):
                values[name] = None
        return open_context(values, zones=zones)


def _is_admissible(value: Any) -> bool:
    try:
        open_context({"value": value}, zones=False)
    except Exception:  # noqa: BLE001 - see above
        return False
    return True


def _trace(entry: CompiledRule, values: Mapping[str, Any], context: Any) -> RuleTrace:
    traces = tuple(_tell(condition, values, context) for condition in entry.conditions)
    matched = all(trace.verdict == "true" for trace in traces)
    return RuleTrace(entry.rule.name, entry.version, matched, traces)


def _tell(condition: Condition, values: Mapping[str, Any], context: Any) -> ConditionTrace:
    outcome = evaluate(condition.program, context)
    read = {path: _shown(values[name]) for path, name in condition.reads.items()}
    if outcome is True:
        return ConditionTrace(condition.source, "true", read)
    if outcome is False:
        return ConditionTrace(condition.source, "false", read)
    is_absent = isinstance(outcome, KeyError) or None in read.values()
    verdict: Verdict = "absent" if is_absent else "error"
    return ConditionTrace(condition.source, verdict, read, "" if is_absent else str(outcome).split(". ")[0][:_SHOWN])


def _shown(value: Any) -> Any:
    return f"{value[:_SHOWN]}…" if type(value) is str and len(value) > _SHOWN else value
