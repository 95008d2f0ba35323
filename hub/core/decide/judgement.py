"""One signal, judged by a book: the only place that turns what is known of it into the facts that rules and mappings read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from msgspec.structs import replace

from hub.core.decide.trace import Trace
from hub.core.model import Label, Signal
from hub.core.pipeline import Rulebook, SignalContext, SignalPlan, facts_of, plan


class Judged(NamedTuple):
    """A signal that is ready to be stored, with its labels and the trace of the decision; `matched`: a rule wants it."""

    signal: Signal
    labels: Sequence[Label]
    trace: Trace
    matched: bool


class Judgement(NamedTuple):
    """What is to be done about a signal, and the trace that explains it."""

    plan: SignalPlan
    trace: Trace


def judge(
    signal: Signal,
    known: Trace,
    labels: Sequence[Label],
    *,
    book: Rulebook,
    page: str,
    opened: Iterable[str] = (),
    topics: tuple[str, ...] | None = None,
) -> Judgement:
    """Judge a signal by what its trace says was known: one that has only begun, or that of an earlier decision.

    `labels` may be more than the models' of that day. `page` is the signal's address in the hub, `opened` names further
    destinations that have a ticket of its conversation, `topics` are its topics by this book, if they are known already.
    """
    memory = remember(signal, known, page, opened)
    made = plan(signal, known.author, labels, book=book, memory=memory, topics=topics)
    told = replace(
        known,
        rules=book.rules.version,
        topics=book.topics.version,
        matched=made.matched,
        about=made.topics,
        unsure_below=book.uncertain_below,
        notes=made.reasons,
    )
    return Judgement(made, told)


def facts_then(signal: Signal, trace: Trace, page: str) -> dict[str, Any]:
    """Return the facts as they were when a signal was decided."""
    memory, sure = remember(signal, trace, page), trace.unsure_below
    return facts_of(signal, trace.author, trace.labels, topics=trace.about, memory=memory, uncertain_below=sure)


def remember(signal: Signal, trace: Trace, page: str, opened: Iterable[str] = ()) -> SignalContext:
    """Return what is known beside a signal, by a trace."""
    thread = signal.conversation_key or signal.key
    return SignalContext(
        stats=trace.stats,
        conversation={"url": signal.url or page, **trace.conversation, "key": thread, "signals": trace.size},
        opened=frozenset((*trace.opened, *opened)),
        person=trace.person,
        url=page,
        joins=trace.joins,
        joins_opened=frozenset(trace.joins_opened),
        account=trace.account,
    )
