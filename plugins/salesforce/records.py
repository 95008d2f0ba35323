"""Records of an org: written by key or, where people merge them, by id; erased; and nothing while the day's calls are spent."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from hub import ConnectorError, Context, ObjectInfo, QuotaExhausted, Retryable
from hub.sdk.records import Landed, RecordRow, Result, Results, Writer, follow_merges, one_call_each
from plugins.salesforce.client import COLLECTION, Org
from plugins.salesforce.config import SalesforceOptions
from plugins.salesforce.translate import (
    DUPLICATE,
    PARK,
    blanks_of,
    change,
    erasure,
    is_name,
    object_info,
    record,
    result_of,
)

PARKED = "parked_until"
GONE = frozenset({"ENTITY_IS_DELETED", "INVALID_CROSS_REFERENCE_KEY"})
NOTICE = 180.0  # seconds in which a poll tells the hub of a deletion
PATIENCE = 2  # attempts that wait for that


class SalesforceRecords:
    """Records of one object, for the length of a call."""

    def __init__(self, org: Org, options: SalesforceOptions, ctx: Context, object_: str) -> None:
        self._org, self._options, self._ctx, self._object = org, options, ctx, object_

    def upsert(self, rows: Sequence[RecordRow]) -> Results:
        """Write records of our own objects by key, those of people by id once it is known: a key does not follow a merge."""
        is_known = not self._object.endswith("__c")
        known = [row for row in rows if row.id and is_known]
        fresh = [replace(row, id=None) if row.id else row for row in rows if not (row.id and is_known)]
        writer = Writer(one_call_each(self._put), size=COLLECTION)
        results, again = follow_merges(known, writer.write, is_gone=_is_gone, winners=self._winners)
        try:
            fresh = self._filled(fresh)
        except ConnectorError as error:
            return results | {row.trace: error for row in (*fresh, *again)}
        results |= writer.write([*fresh, *again])
        # Two workers that upsert one new key race: the loser's second try finds the record and updates it.
        raced = [row for row in (*fresh, *again) if _code(results[row.trace]) == DUPLICATE]
        return results | writer.write(raced)

    def erase(self, rows: Sequence[RecordRow]) -> tuple[Results, Mapping[str, tuple[str, ...]]]:
        """Blank what was written of records, by id: an upsert by key would make a record if there were none.

        Also gives, by trace, the fields that people have changed since: those only a person can empty.
        """
        try:
            unknown = [row.key for row in rows if row.id is None]
            ids = self._org.find(self._object, rows[0].key_field, unknown)
            described = object_info(self._object, {self._object: self._org.describe(self._object) or {}})
            there = [replace(row, id=row.id or ids[row.key]) for row in rows if row.id or row.key in ids]
            held = self._changeable(there, described)
        except ConnectorError as error:
            return {row.trace: error for row in rows}, {}
        known = [name for name, field in described.fields.items() if field.writable]
        blanks = {row.trace: blanks_of(row, described, held.get(row.id or "", {})) for row in there}

        def put(part: Sequence[RecordRow]) -> Mapping[str, Result]:
            bodies = [erasure(self._object, row.id or "", known, blanks[row.trace][0]) for row in part]
            return self._sent(part, lambda: self._org.update(bodies))

        gone: Results = {row.trace: Landed() for row in rows}
        left = {trace: changed for trace, (_, changed) in blanks.items() if changed}
        return gone | Writer(one_call_each(put), size=COLLECTION).write(there), left

    def _changeable(self, rows: Sequence[RecordRow], described: ObjectInfo) -> Mapping[str, Mapping[str, Any]]:
        """Return what records hold of the fields that people may have changed since they were written, by id; one call more."""
        asked = [row for row in rows if any(row.last.written.values())]
        names = {name for row in asked for name, mark in row.last.written.items() if mark and name in described.fields}
        if not names:
            return {}
        return self._org.held(self._object, "Id", [row.id or "" for row in asked], names=sorted(names))

    # ------------------------------------------------------------------------------------------------------- writing

    def _put(self, rows: Sequence[RecordRow]) -> Mapping[str, Result]:
        """Make one call: by id if that is known, else by key."""
        org, object_, key_field = self._org, self._object, rows[0].key_field
        if rows[0].id:
            return self._sent(rows, lambda: org.update([change(object_, row) for row in rows]))
        return self._sent(
            rows, lambda: org.upsert(object_, key_field, [record(object_, key_field, row) for row in rows])
        )

    def _sent(self, rows: Sequence[RecordRow], send: Callable[[], Sequence[Mapping[str, Any]]]) -> Results:
        """Send unless the org's allowance is spent, and note what is left of it; every worker reads the same memory."""
        if at := parked_until(self._ctx):
            raise QuotaExhausted("the org's API calls of the day are nearly used up", until=at)
        now = self._ctx.now()
        try:
            results = {row.trace: result_of(row, one, now) for row, one in zip(rows, send(), strict=True)}
        except QuotaExhausted as error:
            self._park(error.until)
            raise
        for one in results.values():
            if isinstance(one, QuotaExhausted):
                self._park(one.until)
        # The rest of the day's calls is left to the org's people: the next batch waits.
        if self._org.usage is not None and self._org.usage > self._options.park_above:
            self._park(now + PARK)
        return results

    def _park(self, until: datetime | None) -> None:
        if until is not None:
            self._ctx.state.set(PARKED, until.isoformat())

    def _filled(self, rows: Sequence[RecordRow]) -> list[RecordRow]:
        """Return rows whose `once` fields fill only what is empty, if a person had made the record before us; one call more."""
        asked = [row for row in rows if row.once]
        if not asked:
            return list(rows)
        names = sorted({name for row in asked for name in row.once if is_name(name)})
        held = self._org.held(self._object, asked[0].key_field, [row.key for row in asked], names=names)
        return [row.filling(held.get(row.key, {})) for row in rows]

    def _winners(self, rows: Sequence[RecordRow]) -> Mapping[str, str | ConnectorError | None]:
        """Tell where records went: into another one, or they were deleted; a poll tells the hub, which then sends them whole."""
        try:
            winners = self._org.masters(self._object, [row.id or "" for row in rows])
        except ConnectorError as error:
            return {row.trace: error for row in rows}
        soon = Retryable("the record was deleted there, the hub is about to notice", retry_after=NOTICE, code="gone")
        waits = {row.trace for row in rows if self._options.poll and row.last.attempt <= PATIENCE}
        return {row.trace: winners.get(row.id or "") or (soon if row.trace in waits else None) for row in rows}


def parked_until(ctx: Context) -> datetime | None:
    """Return until when nothing is sent, None if that is not so."""
    until = ctx.state.get(PARKED)
    return at if until and (at := datetime.fromisoformat(until)) > ctx.now() else None


def _code(result: Result) -> str:
    return result.code if isinstance(result, ConnectorError) else ""


def _is_gone(result: Result) -> bool:
    return _code(result) in GONE
