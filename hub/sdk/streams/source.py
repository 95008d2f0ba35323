"""The source that reads its streams, and how each of them does."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

import msgspec

from hub.core.errors import (
    ConnectorError,
    PartlyRefused,
    QuotaExhausted,
    Rejected,
    TranslationError,
    Unauthorised,
    Unavailable,
)
from hub.core.model import RawItem
from hub.sdk.connectors import Context, OptionsT, Page, PollingSource, State
from hub.sdk.streams.orders import ByTime, Stream, StreamItem
from hub.sdk.streams.reading import Reading
from hub.sdk.text import parse_time

_REFUSED_FOR = timedelta(minutes=10)
_QUOTA_FOR = timedelta(hours=1)
_SWEEP_EVERY = timedelta(days=1)
_MEMORY, _SWEEPS = "streams", "sweeps"


class StreamHealth(msgspec.Struct, omit_defaults=True):
    """How a stream does: why it is refused ("" if it is not) and when it is asked again, and how many holes it had."""

    refused: str = ""
    again: datetime | None = None
    holes: int = 0


def health(state: State) -> dict[str, StreamHealth]:
    """Return the health of a connection's streams by name; those that never had trouble are left out."""
    try:
        return msgspec.convert(state.get(_MEMORY) or {}, dict[str, StreamHealth])
    except msgspec.ValidationError:
        return {}


class StreamsSource(PollingSource[OptionsT]):
    """A polling source made of streams: override `streams`, and `identify` if items do not name themselves.

    The cursor maps a stream's name to its mark.
    """

    @abstractmethod
    def streams(self, ctx: Context) -> Iterable[Stream]:
        """Return the streams in the order in which they are read; what is closest to us first."""

    def pull(self, ctx: Context, cursor: Any) -> Iterator[Page]:
        """Yield each stream's new items, oldest first.

        A stream that is refused is left alone for a while and stops no other; PartlyRefused tells of it at the end. If
        all are refused the first one's error is raised.
        """
        return _Round(self, ctx, cursor).pages()

    def raw(self, ctx: Context, stream: Stream, item: StreamItem) -> RawItem:
        """Return the item as it is stored; a broken one is named by its digest, and `translate` says what is wrong with it."""
        external_id, revision = item.external_id, item.revision
        if not external_id:
            try:
                external_id, revision = self.identify(item.payload)
            except TranslationError:
                external_id, revision = "", ""
        named = external_id or sha256(item.payload).hexdigest()[:32]
        return RawItem(ctx.connection, self.name, item.payload, ctx.now(), named, stream.realm, revision)


class _Round:
    """One poll of all streams."""

    def __init__(self, source: StreamsSource[Any], ctx: Context, cursor: Any) -> None:
        self._source = source
        self._ctx = ctx
        self._marks: dict[str, Any] = dict(cursor) if isinstance(cursor, dict) else {}
        self._health = health(ctx.state)
        self._refused: dict[str, ConnectorError] = {}
        self._down: list[Unavailable] = []

    def pages(self) -> Iterator[Page]:
        streams = list(self._source.streams(self._ctx))
        asked = [one for one in streams if not self._rests(one.name)] or streams
        for stream in asked:
            try:
                yield from self._read(stream)
                self._note(stream.name, refused="", again=None)
            except Unavailable as error:
                self._down.append(error)
                if len(self._down) > 1:  # not this stream's trouble, but the network's
                    raise
            except ConnectorError as error:
                if not _is_refusal(error):
                    raise
                self._refuse(stream.name, error)
        self._tell(streams, asked)

    def _read(self, stream: Stream) -> Iterator[Page]:
        sweeps = self._is_to_sweep(stream)
        reading = Reading(stream, self._marks.get(stream.name), self._ctx.now(), sweeps=sweeps)
        for items, mark in reading.batches():
            if mark is not None:
                self._marks[stream.name] = mark
            yield Page(tuple(self._source.raw(self._ctx, stream, item) for item in items), dict(self._marks))
        if reading.hole:
            holes = self._standing(stream.name).holes + 1
            self._ctx.log.warning("stream %s has more than a poll may read: what is older is left out", stream.name)
            self._note(stream.name, holes=holes)
        if sweeps:  # now that all of it is committed
            self._ctx.state.set(_SWEEPS, {**self._sweeps(), stream.name: self._ctx.now().isoformat()})

    def _sweeps(self) -> dict[str, Any]:
        """Return when each stream was swept last, by its name."""
        found = self._ctx.state.get(_SWEEPS)
        return found if isinstance(found, dict) else {}

    def _is_to_sweep(self, stream: Stream) -> bool:
        """Return True if a day has passed since the last sweep; one of the future was made by a clock that ran ahead."""
        if not isinstance(stream.order, ByTime) or stream.order.sweep is None:
            return False
        last = parse_time(self._sweeps().get(stream.name))
        return last is None or not last <= self._ctx.now() < last + _SWEEP_EVERY

    def _rests(self, name: str) -> bool:
        again = self._standing(name).again
        return again is not None and again > self._ctx.now()

    def _standing(self, name: str) -> StreamHealth:
        return self._health.get(name, StreamHealth())

    def _note(self, name: str, **changed: Any) -> None:
        """Remember what is new of a stream; nothing is written if nothing changed."""
        before = self._standing(name)
        after = msgspec.structs.replace(before, **changed)
        if after != before:
            self._health[name] = after
            self._ctx.state.set(_MEMORY, msgspec.to_builtins(self._health))

    def _refuse(self, name: str, error: ConnectorError) -> None:
        self._ctx.log.warning("stream %s is refused: %s", name, error)
        self._refused[name] = error
        until = error.until if isinstance(error, QuotaExhausted) else None
        wait = _QUOTA_FOR if isinstance(error, QuotaExhausted) else _REFUSED_FOR
        self._note(name, refused=str(error)[:500], again=until or self._ctx.now() + wait)

    def _tell(self, streams: Sequence[Stream], asked: Sequence[Stream]) -> None:
        """Raise what the engine must know at the end."""
        if self._down:
            raise self._down[0]
        if self._refused and len(self._refused) == len(asked) == len(streams):
            raise next(iter(self._refused.values()))
        told = {one.name: reason for one in streams if (reason := self._standing(one.name).refused)}
        if told:
            raise _partly(told)


def _is_refusal(error: ConnectorError) -> bool:
    """Return True if an error is about one stream: forbidden, gone, not understood, its quota used up."""
    return isinstance(error, Rejected | QuotaExhausted) or (isinstance(error, Unauthorised) and error.code == "403")


def _partly(told: Mapping[str, str]) -> PartlyRefused:
    said = "; ".join(f"{name}: {reason}" for name, reason in told.items())
    return PartlyRefused(f"refused, while the others go on: {said}", code="streams", details={"streams": dict(told)})
