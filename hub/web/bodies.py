"""Bodies as they come in: how they are read, what is held of them before they are proved, and why a call is declined."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Answer = tuple[int, bytes, list[tuple[bytes, bytes]]]

BUSY: Answer = (503, b'{"error": "busy, or the database cannot take it now: send it again"}', [(b"retry-after", b"5")])


def refusal(status: int, message: str, *headers: tuple[bytes, bytes]) -> Answer:
    """Return an answer that says why."""
    return (status, f'{{"error": "{message}"}}'.encode(), list(headers))


class Declined(Exception):
    """A call is not taken."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer[0])
        self.answer = answer


class CutOff(Exception):
    """The caller went away in the middle of its call."""


def _too_large(limit: int) -> Declined:
    return Declined(refusal(413, f"the body is larger than {limit} bytes"))


class Unverified:
    """Bodies whose signature is not checked yet: if they hold too much, the one that has taken longest is given up."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.held = 0
        self._readings: dict[Incoming, None] = {}

    async def read(self, headers: Mapping[str, str], receive: Receive, limit: int) -> bytes:
        """Return the whole body.

        Raises Declined once it is larger than `limit`, whatever its header claims, and CutOff if it was cut off.
        """
        declared = headers.get("content-length", "")
        if declared.isdigit() and int(declared) > limit:
            raise _too_large(limit)
        message = await receive()
        first: bytes = message.get("body", b"")
        if message["type"] == "http.disconnect":
            raise CutOff
        if len(first) > limit:
            raise _too_large(limit)
        if not message.get("more_body", False):  # as most bodies come: nothing of it is held while the rest is awaited
            return first
        reading = Incoming(asyncio.current_task(), first)
        self._readings[reading] = None
        try:
            self._make_room(reading)
            while await reading.next(receive):
                self._make_room(reading)
                if reading.size > limit:
                    raise _too_large(limit)
            return b"".join(reading.parts)
        finally:
            self.held -= reading.counted
            self._readings.pop(reading, None)

    def _make_room(self, reading: Incoming) -> None:
        self.held += reading.size - reading.counted
        reading.counted = reading.size
        while self.held > self.most:
            oldest = next(iter(self._readings))
            if oldest is reading:
                raise Declined(BUSY)
            self.held -= oldest.counted
            oldest.counted = 0
            self._readings.pop(oldest)
            oldest.give_up()


class Incoming:
    """One body that is being read."""

    def __init__(self, task: asyncio.Task[Any] | None, first: bytes) -> None:
        self.parts = [first]
        self.size, self.counted = len(first), 0
        self._task = task
        self._is_given_up = False
        self._more = True

    async def next(self, receive: Receive) -> bool:
        """Take the next part; False if there is no more. Raises CutOff, or Declined if it was given up."""
        if not self._more:
            return False
        try:
            message = await receive()
        except asyncio.CancelledError:
            if not self._is_given_up or self._task is None:
                raise
            self._task.uncancel()
            raise Declined(BUSY) from None
        if self._is_given_up:
            raise Declined(BUSY)
        if message["type"] == "http.disconnect":
            raise CutOff
        part = message.get("body", b"")
        self.size += len(part)
        self.parts.append(part)
        self._more = message.get("more_body", False)
        return True

    def give_up(self) -> None:
        """End the reading: its place is needed."""
        self._is_given_up = True
        self.parts.clear()
        if self._task is not None:
            self._task.cancel()
