"""Stored signals decided again, in batches: read from their raw items, with the facts of their day, under any book."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from msgspec.structs import replace

from hub.core.decide.judgement import Judgement, judge
from hub.core.decide.trace import Trace
from hub.core.errors import ConfigError, TranslationError
from hub.core.model import Ignored, Label, RawItem, Signal
from hub.core.pipeline import Rulebook
from hub.core.signals import is_private
from hub.flow.bugs import tell
from hub.flow.decide.translate import translate
from hub.flow.history.desired import AskedRecord, Failed, Wishes
from hub.runtime import Hub
from hub.sdk.connectors import Source
from hub.store.history import History, HistoryScope, Made, Stored, Target

BATCH = 500
REASONS = 20
OnAdvance = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class RecordFilter:
    """Which records a run is asked about; None is any. `mappings` holds a mapping and all that must land with it."""

    source: str | None = None
    rule: str | None = None
    mappings: frozenset[tuple[str, str]] | None = None

    def holds(self, *, source: str, rule: str, mapping: tuple[str, str]) -> bool:
        """Return True if a record is asked about: by its signal's source, the rule that asks, and (destination, mapping)."""
        fits = self.source in (None, source) and self.rule in (None, rule)
        return fits and (self.mappings is None or mapping in self.mappings)


@dataclass
class Gathered:
    """How a run went: signals decided, those whose raw item could not be read any more, and those decided otherwise."""

    signals: int = 0
    unreadable: int = 0
    otherwise: int = 0
    reasons: dict[str, int] = field(default_factory=dict)


@dataclass
class PastSignal:
    """A signal with what was known on its day; `labels` are those of the models then, and what a person corrected."""

    stored: Stored
    signal: Signal
    kept: Trace
    labels: tuple[Label, ...]

    @property
    def decided_from(self) -> int:
        """The raw row that it was decided from: a repeat with other counts takes its place, and is no decision."""
        origin = self.stored.signal.provenance
        return origin.raw_id if origin else self.stored.raw_id


class RawReader:
    """Reads raw items again; a changed plugin shows, the moment of the first reading stays."""

    def __init__(self, hub: Hub, gathered: Gathered) -> None:
        self.hub = hub
        self.gathered = gathered
        self._sources: dict[tuple[str, str], Source[Any] | None] = {}

    def read(self, stored: Stored) -> PastSignal:
        """Return the signal as the plugin reads it today; as it was stored if its raw item cannot be read any more."""
        kept = stored.trace
        signal = stored.signal
        if stored.raw is not None:
            fresh = self._again(stored.raw, stored)
            signal = stored.signal if fresh is None else _of_its_day(fresh, stored)
        return PastSignal(stored, signal, kept, (*kept.labels, *stored.corrected))

    def _again(self, raw: RawItem, stored: Stored) -> Signal | None:
        try:
            source = self._source(raw)
            said = None if source is None else translate(source, raw, stored.raw_id)
        except TranslationError as error:
            return self._unread(f"{raw.plugin}: {error}")
        except BaseException as error:  # noqa: BLE001 - told; a plugin's bug must not end a run over all history
            tell(self.hub, raw.source, error, event="a plugin failed to translate", raw=stored.raw_id)
            return self._unread(f"{raw.plugin}: bug: {type(error).__name__}")
        if said is None:
            return self._unread(f"{raw.plugin}: there is no such plugin")
        signals = () if isinstance(said, Ignored) else said.signals
        found = next((one for one in signals if one.key == stored.signal.key), None)
        return found or self._unread(f"{raw.plugin}: it does not give this signal any more")

    def _unread(self, reason: str) -> Signal | None:
        """Count what could not be read, with its reason (of the first REASONS ones); return None."""
        self.gathered.unreadable += 1
        reasons = self.gathered.reasons
        if reason in reasons or len(reasons) < REASONS:
            reasons[reason] = reasons.get(reason, 0) + 1
        return None

    def _source(self, raw: RawItem) -> Source[Any] | None:
        place = (raw.plugin, raw.source)
        if place not in self._sources:
            try:
                self._sources[place] = self.hub.reader(*place)
            except ConfigError:
                self._sources[place] = None
        return self._sources[place]


def _of_its_day(fresh: Signal, stored: Stored) -> Signal:
    """Return a signal read again, with what belongs to the moment of its decision, and what the hub found out about it."""
    then = stored.signal
    moment = {
        "conversation_key": then.conversation_key,
        "in_reply_to": fresh.in_reply_to or then.in_reply_to,  # found by the network's other name for it
        "lang": fresh.lang or then.lang,
        "observed_at": then.observed_at,
        "origin": then.origin,
        "provenance": then.provenance,
    }
    if then.provenance is None or then.provenance.raw_id != stored.raw_id:
        # The raw item was replaced by a repeat that says the same with other counts, which caused no decision.
        names = ("published_at", "claimed_at", "updated_at", "counts", "revision")
        moment |= {name: getattr(then, name) for name in names}
    return replace(fresh, **moment)


@dataclass
class Gathering:
    """One run over history under a book; what it wants goes into `wishes`."""

    hub: Hub
    book: Rulebook
    wishes: Wishes
    scope: HistoryScope
    wanted: RecordFilter
    keep_traces: bool = False
    gathered: Gathered = field(default_factory=Gathered)

    def run(self, progress: OnAdvance = lambda _: None) -> Gathered:
        """Decide all signals of the scope again, oldest first."""
        reader, history = RawReader(self.hub, self.gathered), History(self.hub.store.database)
        for batch in _batches(history, self.scope):
            pasts = [reader.read(stored) for stored in batch]
            self._decide(history, pasts)
            progress(len(batch))
        return self.gathered

    def _decide(self, history: History, pasts: Sequence[PastSignal]) -> None:
        threads = list(dict.fromkeys(one.signal.conversation_key or one.signal.key for one in pasts))
        with self.hub.store.database.read() as conn:
            in_ledger = self.hub.store.outbox.opened(conn, threads)
        in_run = self.wishes.opened(threads)
        self.wishes.begin()
        for past in pasts:
            thread = past.signal.conversation_key or past.signal.key
            openers = {**in_run.get(thread, {}), **in_ledger.get(thread, {})}
            others = (name for name, opener in openers.items() if opener != past.signal.key)
            page = f"{self.hub.settings.public_url}/signals/{past.signal.key}"
            judged = judge(past.signal, past.kept, past.labels, book=self.book, page=page, opened=others)
            self._keep(past, judged, in_run)
        self.wishes.was_made(_still_asked(self.hub.book, history, pasts))
        self.wishes.end()
        self.gathered.signals += len(pasts)

    def _keep(self, past: PastSignal, judged: Judgement, in_run: dict[str, dict[str, str]]) -> None:
        made, key, source = judged.plan, past.signal.key, past.stored.source
        rules = made.asked_by
        asked = []
        for record in made.records:
            mapping = (record.destination, record.mapping)
            rule = rules.get(mapping, "")
            is_wanted = self.wanted.holds(source=source, rule=rule, mapping=mapping)
            asked.append(AskedRecord(record, key, past.decided_from, source, rule, is_wanted))
            if (
                record.operation == "create"
                and in_run.setdefault(record.key, {}).setdefault(record.destination, key) == key
            ):
                self.wishes.open(record.key, record.destination, key)
        self.wishes.ask(asked)
        self.wishes.fail(
            Failed(fail.destination, fail.mapping, fail.rule, fail.field, fail.reason, 1, key)
            for fail in made.failures
            if self.wanted.holds(source=source, rule=fail.rule, mapping=(fail.destination, fail.mapping))
        )
        if (made.matched, made.topics) != (past.kept.matched, past.kept.about):
            self.gathered.otherwise += 1
            if self.keep_traces:
                self.wishes.tell(key, past.stored.raw_id, judged.trace, matched=bool(made.matched))


def _batches(history: History, scope: HistoryScope) -> Iterator[list[Stored]]:
    after = 0
    while batch := history.signals(scope, after=after, limit=BATCH):
        yield batch
        after = batch[-1].id


def _still_asked(book: Rulebook, history: History, pasts: Sequence[PastSignal]) -> Iterator[tuple[Target, str]]:
    """Yield the records that the ledger has by these signals; not those which an edit had taken back or moved already."""
    signals = {one.signal.key: one for one in pasts}
    for made in history.made_by(list(signals)):
        past = signals[made.signal]
        if made.rule in past.kept.matched and _is_its(made, past, book):
            yield made.target, made.signal


def _is_its(made: Made, past: PastSignal, book: Rulebook) -> bool:
    """Return True if a record is still one of the signal as it was decided last: under its key, and not forbidden since."""
    signal, kept = past.stored.signal, past.kept
    keys = {"author": signal.author_key, "conversation": signal.conversation_key or signal.key}
    keys |= {"person": (kept.person or {}).get("key"), "account": (kept.account or {}).get("key")}
    if made.target.record_key != keys.get(made.keyed_by, signal.key):
        return False
    if made.target.operation == "comment" and made.created_at < signal.observed_at:
        return False  # a later form may belong to another conversation
    return not is_private(signal) or made.rule in book.private_rules


def closure(book: Rulebook, mapping: str) -> frozenset[tuple[str, str]]:
    """Return a mapping of any destination, what it requires, what follows it, and what it follows: all must land together."""
    found: set[tuple[str, str]] = set()
    waiting = [name for name in book.mappings if name[1] == mapping or "/".join(name) == mapping]
    while waiting:
        place = waiting.pop()
        if place in found or place not in book.mappings:
            continue
        found.add(place)
        spec = book.mappings[place].spec
        waiting += [(place[0], name) for name in (*spec.requires, spec.then) if name]
        waiting += [other for other, one in book.mappings.items() if other[0] == place[0] and one.spec.then == place[1]]
    return frozenset(found)
