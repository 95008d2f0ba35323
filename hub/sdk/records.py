"""Records that a vendor keeps by key: one row a key, a refused batch taken apart, people's records followed through merges. Pure.

Which of two deliveries of one key wins: they are laid over each other, oldest first (by `seq`, then by `id`), as if each had
been sent after the other. A later value replaces an earlier one, what only the earlier names stays, and a field that may only
fill what is empty (`once`) changes nothing that an earlier one has filled. All of them share the row's outcome.

What becomes of a refused batch: the records that the refusal names get their errors and the others go again; if it names none,
the halves go, until the bad one stands alone or the budget is spent. What the vendor says nothing about is in doubt (Uncertain);
the others keep their outcomes. An error about the account ends the sending; a doubt is about its own part only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from hub.core.errors import ConnectorError, Rejected, Retryable, Unavailable, Uncertain
from hub.core.model import Delivery, RemoteRef
from hub.sdk.batches import FOR_ALL, bug, chunks, rounds
from hub.sdk.connectors import Outcome

BUDGET = 30  # calls that may be spent on one refused part: one bad record among 100 costs 14
HOPS = 3  # merges of merges that are followed
_SPOILT = frozenset((400, 409, 413, 422))


@dataclass(frozen=True, slots=True)
class RecordRow:
    """One record to write: its key, what it is to hold, and the deliveries that ask for it, oldest first.

    `once` names fields that only fill what is empty; `id` is the record's own, if the vendor has told it; `parents` are the
    references that the deliveries name, by kind. `trace` tells rows apart, also two with one key in different fields; it is the
    same through merges.
    """

    key: str
    key_field: str
    fields: Mapping[str, Any]
    deliveries: tuple[Delivery, ...]
    once: frozenset[str] = frozenset()
    id: str | None = None
    parents: Mapping[str, RemoteRef] = field(default_factory=dict)
    trace: str = ""

    @property
    def last(self) -> Delivery:
        """The delivery that was laid on last."""
        return self.deliveries[-1]

    def filling(self, held: Mapping[str, Any]) -> RecordRow:
        """Return the row without what is filled in already."""
        if not self.once:
            return self
        return replace(self, fields={name: one for name, one in self.fields.items() if self._may_fill(name, held)})

    def _may_fill(self, name: str, held: Mapping[str, Any]) -> bool:
        return name not in self.once or not held.get(name)


def rows_of(batch: Iterable[Delivery]) -> list[RecordRow]:
    """Return one row a key, in the order in which the keys come: no vendor takes a key twice in one call, or they race."""
    by_key: dict[tuple[str, str], list[Delivery]] = {}
    for delivery in batch:
        by_key.setdefault((delivery.key_field, delivery.record_key), []).append(delivery)
    return [_row(key, key_field, same) for (key_field, key), same in by_key.items()]


def _row(key: str, key_field: str, same: Sequence[Delivery]) -> RecordRow:
    if len(same) == 1:  # nearly always
        (one,) = same
        id_, once = one.ref.id if one.ref else None, frozenset(one.once).intersection(one.fields)
        return RecordRow(key, key_field, one.fields, (one,), once, id_, one.parents, str(one.id))
    return _laid_over(key, key_field, same)


def _laid_over(key: str, key_field: str, same: Sequence[Delivery]) -> RecordRow:
    fields: dict[str, Any] = {}
    parents: dict[str, RemoteRef] = {}
    once: set[str] = set()
    id_: str | None = None
    ordered = sorted(same, key=lambda one: (one.seq, one.id))
    for one in ordered:
        first_named = {name for name in one.once if name not in fields}
        kept = {name for name in one.once if fields.get(name) not in (None, "")}
        fields |= {name: value for name, value in one.fields.items() if name not in kept}
        once = (once - (set(one.fields) - set(one.once))) | (first_named & set(one.fields))
        parents |= one.parents
        id_ = one.ref.id if one.ref else id_
    return RecordRow(key, key_field, fields, tuple(ordered), frozenset(once), id_, parents, str(ordered[-1].id))


# ------------------------------------------------------------------------------------------------------------- writing


@dataclass(frozen=True, slots=True)
class Landed:
    """A record that the vendor wrote: its id (None if the answer does not tell it), and True if it is new."""

    id: str | None = None
    new: bool = False


Result = Landed | ConnectorError
Results = dict[str, Result]
"""What became of rows, by trace."""
Part = Sequence[RecordRow]
Put = Callable[[Part], Mapping[str, Result]]
"""Writes a part by one call and gives what the answer says of each row, by trace; raises if the whole part was refused."""
Send = Callable[[Sequence[Part]], Sequence[Mapping[str, Result] | ConnectorError]]
"""Writes several parts; the answer, or the error that kept it from coming, for each."""


def one_call_each(put: Put) -> Send:
    """Return a way to send parts one after the other; an error about the account is given to all that were not sent."""

    def send(parts: Sequence[Part]) -> list[Mapping[str, Result] | ConnectorError]:
        answers: list[Mapping[str, Result] | ConnectorError] = []
        stop: ConnectorError | None = None
        for part in parts:
            answers.append(stop if stop is not None else _answer(put, part))
            last = answers[-1]
            stop = last if isinstance(last, FOR_ALL) else None
        return answers

    return send


def _answer(put: Put, part: Part) -> Mapping[str, Result] | ConnectorError:
    try:
        return put(part)
    except ConnectorError as error:
        return error
    except Exception as error:  # noqa: BLE001 - one record's bug must not cost the others their outcomes
        return bug(error)


def is_spoilt(error: ConnectorError) -> bool:
    """Return True if one bad record may have made the vendor refuse the whole call: by status 400, 409, 413 or 422."""
    return error.details.get("status") in _SPOILT and isinstance(error, Rejected | Retryable)


@dataclass(slots=True)
class Writer:
    """Writes rows in parts of at most `size`, and takes apart what is refused.

    `spoils` tells a refusal that one record may have caused from one about all; `culprits` are the rows that it names, by
    trace. `budget` are the calls that may be spent on each refused part: what is not settled by then is Retryable (code
    "batch_refused"), as nothing of it was written.
    """

    send: Send
    size: int = 100
    budget: int = BUDGET
    spoils: Callable[[ConnectorError], bool] = is_spoilt
    culprits: Callable[[ConnectorError, Part], Mapping[str, ConnectorError]] = lambda _error, _part: {}

    def write(self, rows: Sequence[RecordRow]) -> Results:
        """Write the rows; one result for each."""
        results: Results = {}
        searches = [_Search([list(part)], self.budget + 1) for part in chunks(rows, self.size)]
        stop: ConnectorError | None = None
        while stop is None and (under_way := [(search, part) for search in searches for part in search.take()]):
            answers = self.send([part for _, part in under_way])
            for (search, part), answer in zip(under_way, answers, strict=True):
                search.parts += reversed(self._read(part, answer, results))
            stop = next((one for one in answers if isinstance(one, FOR_ALL)), None)
        unsent = stop or Retryable("the batch was refused and is not yet taken apart", code="batch_refused")
        return results | {row.trace: unsent for search in searches for part in search.parts for row in part}

    def _read(
        self, part: list[RecordRow], answer: Mapping[str, Result] | ConnectorError, results: Results
    ) -> list[list[RecordRow]]:
        """Note what became of a part; gives the parts of it that go again."""
        if not isinstance(answer, ConnectorError):
            silent = Uncertain("the answer says nothing of this record", code="no_result")
            results |= {row.trace: answer.get(row.trace, silent) for row in part}
            return []
        named = self.culprits(answer, part)
        results |= named
        rest = [row for row in part if row.trace not in named]
        if not named and (len(rest) == 1 or not self.spoils(answer)):
            results |= {row.trace: answer for row in rest}
            return []
        middle = len(rest) if named else (len(rest) + 1) // 2
        return [half for half in (rest[:middle], rest[middle:]) if half]


@dataclass(slots=True)
class _Search:
    """A part on its way to its bad records: what is to be sent, the next at the end, and the calls that it may still cost.

    The smallest pieces go first, two at a time: so a bad record is found with any budget, and a next attempt has less to do.
    """

    parts: list[list[RecordRow]]
    calls: int

    def take(self) -> list[list[RecordRow]]:
        """Take the next parts to be sent."""
        taken = [self.parts.pop() for _ in range(min(2, len(self.parts), self.calls))]
        self.calls -= len(taken)
        return taken


# -------------------------------------------------------------------------------------------------------------- merges

Winners = Callable[[Sequence[RecordRow]], Mapping[str, str | ConnectorError | None]]
"""Where records went, by trace: the winner's id, None if it was deleted, an error if that is not known yet."""


def follow_merges(
    rows: Sequence[RecordRow],
    write: Callable[[Sequence[RecordRow]], Results],
    *,
    is_gone: Callable[[Result], bool],
    winners: Winners,
) -> tuple[Results, list[RecordRow]]:
    """Write rows by their `id`, those that are gone to the winner of a merge; also give those to be made again by key.

    A key does not follow a merge, so what belongs to people is written by id once that is known. No id stands twice in one
    call: two authors may have become one person there.
    """
    results: Results = {}
    new: list[RecordRow] = []
    for _ in range(HOPS):
        for part in rounds(rows, lambda row: row.id):
            results |= write(part)
        gone = [row for row in rows if is_gone(results[row.trace])]
        if not gone:
            return results, new
        where = winners(gone)
        results |= {trace: found for trace, found in where.items() if isinstance(found, ConnectorError)}
        new += [replace(row, id=None) for row in gone if where.get(row.trace) is None]
        ids = {trace: found for trace, found in where.items() if isinstance(found, str)}
        rows = [replace(row, id=ids[row.trace]) for row in gone if row.trace in ids]
    again = Unavailable("the record was merged again and again", code="merged")
    return results | {row.trace: again for row in rows}, new


def outcomes_of(
    rows: Iterable[RecordRow], results: Mapping[str, Result], ref: Callable[[RecordRow, Landed], RemoteRef | None]
) -> list[Outcome]:
    """Return one outcome for each delivery of each row; `ref` makes the reference of a record that landed.

    A reference without an id proves nothing: Uncertain. None says that there is nothing to refer to.
    """
    return [_outcome(row, one, results.get(row.trace), ref) for row in rows for one in row.deliveries]


def told_left(
    rows: Sequence[RecordRow], outcomes: Sequence[Outcome], left: Mapping[str, Sequence[str]]
) -> list[Outcome]:
    """Return the outcomes of tombstones with the fields, by their rows' traces, that only a person can empty."""
    theirs = {one.id: tuple(left.get(row.trace, ())) for row in rows for one in row.deliveries}
    return [
        replace(one, left=theirs[one.delivery_id]) if one.error is None and theirs.get(one.delivery_id) else one
        for one in outcomes
    ]


def _outcome(
    row: RecordRow, one: Delivery, result: Result | None, ref: Callable[[RecordRow, Landed], RemoteRef | None]
) -> Outcome:
    if isinstance(result, Landed):
        made = ref(row, result)
        if made is not None and not made.id:  # by what could the next delivery find it?
            return Outcome.failed(one, Uncertain("the answer took the record and did not name it", code="no_name"))
        return Outcome(one.id, ref=made, response={"created": result.new})
    return Outcome.failed(one, result or Uncertain("we cannot tell what became of this record", code="no_result"))


__all__ = [
    "Landed",
    "RecordRow",
    "Result",
    "Results",
    "Send",
    "Writer",
    "follow_merges",
    "is_spoilt",
    "one_call_each",
    "outcomes_of",
    "rows_of",
]
