"""From a signal to records: the pure steps in their order.

`facts_of` is what rules and mappings read; `plan` matches topics, decides the rules and applies the mappings. The same inputs
give the same plan, so history can be explained, tried dry and replayed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from hub.core.errors import Problem
from hub.core.grammar.facts import STANDING, did_you_mean, facts
from hub.core.ledger import Need
from hub.core.mapping import CompiledMapping, Mapped, MappingFailed
from hub.core.model import GONE, Author, Label, Record, Signal
from hub.core.route import RuleSet
from hub.core.signals import is_private
from hub.core.spec import DeliverTo, RecordNote, Rule, RuleTrace
from hub.core.topics import TopicIndex

__all__ = [
    "RecordFailure",
    "Rulebook",
    "SignalContext",
    "SignalPlan",
    "check_rulebook",
    "facts",
    "facts_of",
    "plan",
    "standings_read",
    "topics_of",
]


@dataclass(frozen=True, slots=True)
class Rulebook:
    """All that decides about a signal. Mappings are found by (destination's name, mapping's name).

    `private_rules` names the rules that may make records of direct, followers-only and internal signals. A label whose
    confidence is below `uncertain_below` is marked uncertain. `absent` names the destinations whose plugin cannot be had:
    mappings of theirs may be missing.
    """

    rules: RuleSet
    topics: TopicIndex
    mappings: Mapping[tuple[str, str], CompiledMapping]
    private_rules: frozenset[str] = frozenset()
    uncertain_below: float = 0.55
    absent: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class SignalContext:
    """What the hub knows beside the signal. `stats` and `conversation` hold the facts of these names, missing is null.

    `opened` names the destinations that have a ticket of this conversation which another signal opened; for the signal that
    opened it the name must be absent, or a replay would comment on its own ticket. `url` is the signal's page in the hub.
    `person` and `account` hold the facts of the person linked to the author and of their account, None if there is no link.
    `joins` is the open conversation of the author's person that rules with `join` add to, `joins_opened` the destinations
    that have its ticket.
    """

    stats: Mapping[str, Any] = field(default_factory=dict)
    conversation: Mapping[str, Any] = field(default_factory=dict)
    opened: frozenset[str] = frozenset()
    person: Mapping[str, Any] | None = None
    url: str = ""
    joins: str = ""
    joins_opened: frozenset[str] = frozenset()
    account: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class RecordFailure:
    """A record that could not be made: the mapping's field and the reason, for a person to see."""

    destination: str
    mapping: str
    rule: str
    field: str
    reason: str


@dataclass(frozen=True, slots=True)
class SignalPlan:
    """What is to be done about a signal: records in sending order (what others need comes first).

    `rules` are all rules with each of their conditions, `notes` the records that matching rules asked for, with the reason of
    those that are not made. `labels` are those that matching rules give, `assign` the assignee of the first matching rule that
    names one.
    """

    rules: tuple[RuleTrace, ...]
    topics: tuple[str, ...]
    matched: tuple[str, ...]
    notes: tuple[RecordNote, ...] = ()
    records: tuple[Record, ...] = ()
    failures: tuple[RecordFailure, ...] = ()
    labels: tuple[Label, ...] = ()
    assign: str | None = None

    @property
    def asked_by(self) -> dict[tuple[str, str], str]:
        """The rule that asked for each record that is made, by (destination, mapping)."""
        return {(note.destination, note.mapping): note.rule for note in self.notes if note.made}

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why records that rules asked for are not made: each reason once, with all records that it concerns."""
        failed = (f"{fail.destination}/{fail.mapping}: {fail.field}: {fail.reason}" for fail in self.failures)
        told: dict[str, dict[str, None]] = {}
        for one in self.notes:
            if not one.made and (one.destination, one.mapping) not in self.asked_by:
                told.setdefault(one.note, {})[f"{one.destination}/{one.mapping}"] = None
        return (*failed, *(f"{', '.join(places)}: {note}" for note, places in told.items()))


def topics_of(signal: Signal, book: Rulebook) -> tuple[str, ...]:
    """Return the names of the topics that a signal is about."""
    return book.topics.match(f"{signal.title}\n{signal.text}" if signal.title else signal.text, signal.hashtags)


def facts_of(
    signal: Signal,
    author: Author | None,
    labels: Sequence[Label],
    *,
    topics: Sequence[str],
    memory: SignalContext,
    uncertain_below: float,
) -> dict[str, Any]:
    """Return the facts about a signal, by what is known beside it."""
    return facts(
        signal,
        author,
        labels,
        topics=topics,
        stats=memory.stats,
        conversation=memory.conversation,
        person=memory.person,
        account=memory.account,
        uncertain_below=uncertain_below,
        url=memory.url,
    )


def plan(
    signal: Signal,
    author: Author | None,
    labels: Sequence[Label],
    *,
    book: Rulebook,
    memory: SignalContext,
    topics: tuple[str, ...] | None = None,
) -> SignalPlan:
    """Decide about one normalised signal. `labels` are the stored ones; a person's label outranks the models'.

    `topics` are its topics by this book, if they are known already.
    """
    topics = topics_of(signal, book) if topics is None else topics
    known = facts_of(signal, author, labels, topics=topics, memory=memory, uncertain_below=book.uncertain_below)
    traces = book.rules.decide(known)
    matched = tuple(trace.rule for trace in traces if trace.matched)
    if not matched:
        return SignalPlan(traces, topics, ())
    rules = [book.rules.by_name[name] for name in matched]
    assign = next((rule.assign for rule in rules if rule.assign), None)
    if assign and known["conversation"]["assignee"] is None and known["conversation"]["signals"] in (None, 1):
        # A new conversation is its assignee's from its first record on.
        known["conversation"] = {**known["conversation"], "assignee": assign}
    making = _Making(signal, known, book, memory, joining=_joining(rules))
    for rule in rules:
        making.follow(rule)
    return SignalPlan(
        traces,
        topics,
        matched,
        tuple(making.notes),
        tuple(making.records),
        tuple(making.failures),
        _rule_labels(rules, book.rules),
        assign,
    )


def check_rulebook(book: Rulebook, *, file: str = "rules.toml") -> list[Problem]:
    """Return what does not fit together: targets without a mapping, `requires` and `then` that name none or run in circles."""
    found = [
        Problem(file, f'rule "{rule.name}" deliver', *missing_target(target, book.mappings))
        for rule in book.rules.rules
        for target in rule.deliver
        if (target.destination, target.mapping) not in book.mappings and target.destination not in book.absent
    ]
    for (destination, name), mapping in book.mappings.items():
        if destination in book.absent:
            continue
        file = f"mappings/{destination}/{name}.toml"
        found += (Problem(file, *told) for told in _misfits(book, destination, mapping))
    return found


def missing_target(target: DeliverTo, places: Collection[tuple[str, str]]) -> tuple[str, str]:
    """Return what is wrong with a target that is none of these (destination, mapping), and the way out."""
    names = [mapping for destination, mapping in places if destination == target.destination]
    if names:
        return f"{target.destination} has no mapping {target.mapping}", did_you_mean(target.mapping, names)
    known = {destination for destination, _ in places}
    hint = did_you_mean(target.destination, known) if known else "is it configured?"
    return f"there is no destination {target.destination} with a mapping", hint


def standings_read(book: Rulebook) -> frozenset[str]:
    """Return those of "person" and "account" with a standing (`person.followers` ...) that a rule, or a mapping in use, reads."""
    texts = [when for rule in book.rules.rules for when in rule.when]
    for place in in_use(book):
        texts += [
            text for how in book.mappings[place].spec.fields.values() for text in (how.from_, how.template) if text
        ]
    # Rather once too often: a text that names the root and, elsewhere, such a fact costs a query and no more.
    roots = ("person", "account")
    return frozenset(
        root for root in roots for text in texts if root in text and any(name in text for name in STANDING)
    )


def in_use(book: Rulebook) -> set[tuple[str, str]]:
    """Return the mappings that rules lead to."""
    waiting = [(target.destination, target.mapping) for rule in book.rules.rules for target in rule.deliver]
    seen: set[tuple[str, str]] = set()
    while waiting:
        place = waiting.pop()
        if place not in seen and place in book.mappings:
            seen.add(place)
            spec = book.mappings[place].spec
            waiting += [(place[0], name) for name in (*spec.requires, spec.then) if name]
    return seen


def _misfits(book: Rulebook, destination: str, mapping: CompiledMapping) -> Iterator[tuple[str, str, str]]:
    names = [name for place, name in book.mappings if place == destination]
    for other in mapping.spec.requires:
        if (destination, other) not in book.mappings:
            yield "requires", f"{other} is not there", did_you_mean(other, names)
        elif _reaches(book, destination, start=other, goal=mapping.name):
            yield "requires", f"{other} requires this one: a circle", "take one of the two out"
    then = book.mappings.get((destination, mapping.spec.then or ""))
    if mapping.spec.then and (then is None or then.spec.keyed_by != "signal"):
        fit = [name for name in names if book.mappings[destination, name].spec.keyed_by == "signal"]
        yield "then", f"there is no mapping {mapping.spec.then} keyed by signal", did_you_mean(mapping.spec.then, fit)


def _reaches(book: Rulebook, destination: str, *, start: str, goal: str) -> bool:
    waiting, seen = [start], set[str]()
    while waiting:
        name = waiting.pop()
        if name == goal:
            return True
        if name not in seen and (destination, name) in book.mappings:
            seen.add(name)
            waiting += book.mappings[destination, name].spec.requires
    return False


def _rule_labels(rules: Sequence[Rule], book: RuleSet) -> tuple[Label, ...]:
    given: dict[str, Label] = {}
    for rule in rules:
        for name, value in rule.labels.items():
            given.setdefault(name, Label(name, value, model=f"rule:{rule.name}", version=book.versions[rule.name]))
    return tuple(given.values())


# ------------------------------------------------------------------------------------------------------------- records


def _joining(rules: Sequence[Rule]) -> frozenset[DeliverTo]:
    """Return what joins a person's open conversation: it does if any matching rule says so, whichever asks for it first."""
    return frozenset(target for rule in rules if rule.join == "person" for target in rule.deliver)


_SEEN_BY = {"direct": "a direct message", "followers": "a post for followers", "internal": "an internal note"}
_UNLINKED = {"person": "no person is linked to the author", "account": "no account is known of the author"}


class _Absent(msgspec.Struct, frozen=True):
    """Nothing to make: what the mapping is keyed by does not exist (an author, a person, an account)."""


class _Failed(msgspec.Struct, frozen=True):
    """The mapping failed, so what requires it cannot be made."""


class _Making:
    """The records of one signal while they are made: each mapping of a destination once, what is required first."""

    def __init__(
        self,
        signal: Signal,
        known: dict[str, Any],
        book: Rulebook,
        memory: SignalContext,
        *,
        joining: frozenset[DeliverTo] = frozenset(),
    ) -> None:
        self.signal = signal
        self.known = known
        self.book = book
        self.memory = memory
        self.records: list[Record] = []
        self.notes: list[RecordNote] = []
        self.failures: list[RecordFailure] = []
        self._done: dict[tuple[str, str], str | _Absent | _Failed] = {}  # what a mapping provides
        self._made: dict[tuple[str, str, str, str], str] = {}  # by which mapping a record was made
        self._rule = ""
        self._joined = False
        self._joining = joining

    def follow(self, rule: Rule) -> None:
        """Make what a matching rule asks for, or note why not."""
        self._rule = rule.name
        # the facts are this plan's own, and a mapping reads the rule that asked for it first
        self.known["rule"] = {"name": rule.name, "version": self.book.rules.versions[rule.name]}
        reason = self._forbidden(rule)
        for target in rule.deliver:
            # A conversation that has its own ticket keeps it: two halves of one matter would else end in two places.
            self._joined = target in self._joining and bool(self.memory.joins) and not self.memory.opened
            if reason:
                self._note(target.destination, target.mapping, reason)
            else:
                self._want(target.destination, target.mapping)

    def _forbidden(self, rule: Rule) -> str:
        if self.signal.origin == "hub":
            return "the hub wrote it"
        if self.signal.state in GONE:
            return f"the post is {self.signal.state}"
        if self.signal.kind == "repost" and rule.name not in self.book.rules.for_boosts:
            return 'a boost: it counts on what it boosts (a rule that wants boosts says signal.kind == "repost")'
        if is_private(self.signal) and rule.name not in self.book.private_rules:
            return (
                f"{_SEEN_BY[self.signal.visibility]}: only rules that private_rules in [hub] names make records of it"
            )
        return ""

    def _want(self, destination: str, name: str) -> None:
        if not isinstance(self._done.get((destination, name), _Absent()), _Absent):
            self._note(destination, name, "it has been asked for already")
            return
        mapping = self.book.mappings.get((destination, name))
        if mapping and mapping.spec.then and self._is_open(mapping, destination):
            ticket = provided(mapping, self._key("conversation") or "")
            self._done[destination, name] = ticket
            if (destination, mapping.spec.then) not in self._done:
                self._make(destination, mapping.spec.then, follows=ticket)
        elif isinstance(self._make(destination, name), _Absent):
            keyed_by = mapping.spec.keyed_by if mapping else ""
            self._note(destination, name, _UNLINKED.get(keyed_by, "there is no author"))

    def _is_open(self, mapping: CompiledMapping, destination: str) -> bool:
        opened = self.memory.joins_opened if self._joined else self.memory.opened
        return mapping.spec.keyed_by == "conversation" and destination in opened

    def _make(self, destination: str, name: str, *, follows: str = "") -> str | _Absent | _Failed:
        """Return what the mapping's record provides; it is made unless it is there already."""
        done = self._done.get((destination, name))
        if done is None:
            self._done[destination, name] = _Failed()  # what it requires must not come back here
            done = self._done[destination, name] = self._make_new(destination, name, follows=follows)
        return done

    def _make_new(self, destination: str, name: str, *, follows: str) -> str | _Absent | _Failed:
        mapping = self.book.mappings.get((destination, name))
        if mapping is None:
            why = "its plugin cannot be had now" if destination in self.book.absent else "there is no such mapping"
            return self._fail(destination, name, field="", reason=why)
        key = self._key(mapping.spec.keyed_by)
        if key is None:
            return _Absent()
        # one conversation, one ticket: a second create would open another
        if mapping.spec.operation == "create" and self._is_open(mapping, destination):
            self._note(destination, name, "the conversation has its record there")
            return provided(mapping, key)
        needs = self._required(destination, mapping)
        if needs is None:
            return self._fail(destination, name, field="requires", reason="what it requires could not be made")
        mapped = mapping.apply(self.known)
        if isinstance(mapped, MappingFailed):
            return self._fail(destination, name, field=mapped.field, reason=mapped.reason)
        if follows:
            # the ticket is not in this plan: the ledger has it, and the comment waits there for its reference
            needs = dict.fromkeys((*needs, follows))
        return self._add(self._record(destination, mapping, mapped=mapped, needs=tuple(needs)))

    def _record(self, destination: str, mapping: CompiledMapping, *, mapped: Mapped, needs: tuple[str, ...]) -> Record:
        spec = mapping.spec
        key = self._key(spec.keyed_by) or ""
        return Record(
            destination=destination,
            object=spec.object,
            key=key,
            operation=spec.operation,
            fields=mapped.fields,
            mapping=mapping.name,
            mapping_version=mapping.version,
            stable=mapped.stable,
            key_field=spec.key_field,
            once=mapping.once,
            provides=provided(mapping, key),
            needs=needs,
        )

    def _required(self, destination: str, mapping: CompiledMapping) -> dict[str, None] | None:
        """Return what the required records provide; None if one of them failed. One without its author is not needed."""
        provided = [self._make(destination, name) for name in mapping.spec.requires]
        if any(isinstance(outcome, _Failed) for outcome in provided):
            return None
        return dict.fromkeys(outcome for outcome in provided if isinstance(outcome, str))

    def _key(self, keyed_by: str) -> str | None:
        if keyed_by == "author":
            return self.signal.author_key
        if keyed_by == "conversation":
            return self.memory.joins if self._joined else self.signal.conversation_key or self.signal.key
        if keyed_by in _UNLINKED:
            key: str | None = self.known[keyed_by]["key"]
            return key
        return self.signal.key

    def _add(self, record: Record) -> str:
        identity = (record.destination, record.object, record.key, record.operation)
        earlier = self._made.setdefault(identity, record.mapping)
        if earlier == record.mapping:
            self.records.append(record)
            self._note(record.destination, record.mapping, made=True)
        else:
            self._note(record.destination, record.mapping, f"mapping {earlier} makes this record")
        return record.provides

    def _note(self, destination: str, name: str, note: str = "", *, made: bool = False) -> None:
        mapping = self.book.mappings.get((destination, name))
        said = (
            (mapping.spec.object, self._key(mapping.spec.keyed_by) or "", mapping.spec.operation)
            if mapping
            else ("", "", "")
        )
        version = mapping.version if mapping else ""
        self.notes.append(RecordNote(destination, *said, name, version, self._rule, note, made))

    def _fail(self, destination: str, name: str, *, field: str, reason: str) -> _Failed:
        self.failures.append(RecordFailure(destination, name, self._rule, field, reason))
        return _Failed()


def provided(mapping: CompiledMapping, key: str) -> str:
    """Return what a record provides for others: `keyed_by:object:key`, since two objects may have the same key."""
    return str(Need(mapping.spec.keyed_by, mapping.spec.object, key))
