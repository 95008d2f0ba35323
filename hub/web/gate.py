"""Who may hold a connection, and for how long: deadlines, and whose place is given away when all are taken.

A caller who is slow is not refused as long as there is room. When there is none, the one that has kept its place longest
without a whole request goes, so that a caller with a request at hand always finds a place.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from time import monotonic
from typing import Protocol

from hub.web.caller import Networks
from hub.web.complaints import Complaints
from hub.web.limits import Limits

GIVEN_AWAY = 20  # when all places are taken, a twentieth of them is freed at once: to look for one each time costs more
FRESH_S = 0.25
MOMENT_S = 0.02  # of many that come at once, those with a request at hand are known by then
TURNS = 3  # of the loop, in which all that has come is listened to: it may have been busy for longer than any moment
LAZY = frozenset({"idle", "drain", "header", "body", "unread", "closing"})
"""What a connection may be at without a request that is being answered."""


class Seat(Protocol):
    """A connection, as the gate sees it."""

    @property
    def client(self) -> tuple[str, int] | None:
        """The caller's address and port."""

    def state(self) -> tuple[str, float]:
        """Return what it is at ("busy": it is being answered) and since when, in the loop's seconds."""

    def end(self, state: str) -> None:
        """Close it, since it was too long at something; say so if that can be said."""

    def abort(self) -> None:
        """Close it at once."""


class Gate:
    """All connections of a process."""

    def __init__(self, limits: Limits, complaints: Complaints, proxies: Networks) -> None:
        self.limits = limits
        self.complaints = complaints
        self.proxies = proxies
        self.seats: set[Seat] = set()
        self._by_client: dict[str, set[Seat]] = {}
        self._crowding: set[str] = set()
        self._relieving = self._sweeping = False
        self._spans = {
            "header": limits.header_s,
            "body": limits.body_s,
            "idle": limits.idle_s,
            "drain": limits.linger_s,
            "closing": limits.linger_s,
            "unread": limits.answer_s,
        }

    def admit(self, seat: Seat, loop: asyncio.AbstractEventLoop) -> None:
        """Give a new connection its place. If there are too many now, some go in a moment, once all have been listened to."""
        self.seats.add(seat)
        address = _address(seat)
        mine = self._by_client.setdefault(address, set())
        mine.add(seat)
        # A proxy's connections are those of many callers.
        if len(mine) > self.limits.per_client and not self.proxies.hold(address):
            self._crowding.add(address)
        if len(self.seats) > self.limits.connections + self.limits.backlog:
            self.relieve()
        elif (self._crowding or len(self.seats) > self.limits.connections) and not self._relieving:
            self._relieving = True
            loop.call_later(MOMENT_S, self._listen, loop)
        if not self._sweeping:
            self._sweeping = True
            loop.call_later(self.limits.sweep_s, self._sweep, loop)

    def _listen(self, loop: asyncio.AbstractEventLoop, turns: int = TURNS, came: float | None = None) -> None:
        """Let the loop turn a few times, so that all who have come until now are listened to before some go."""
        came = loop.time() if came is None else came
        if turns:
            loop.call_soon(self._listen, loop, turns - 1, came)
        else:
            self.relieve(came)

    def relieve(self, came: float | None = None) -> None:
        """Give places away until there are as few connections as may be, of each client and of all.

        Those that came later than `came` stay for now; without it all may go, the newest last.
        """
        self._relieving = False
        for address in self._crowding:
            self._make_room(self._by_client.get(address, ()), self.limits.per_client, "connections of one client", came)
        self._crowding.clear()
        self._make_room(self.seats, self.limits.connections, "connections", came)

    def leave(self, seat: Seat) -> None:
        """Take a connection's place back."""
        self.seats.discard(seat)
        address = _address(seat)
        mine = self._by_client.get(address, set())
        mine.discard(seat)
        if not mine:
            self._by_client.pop(address, None)

    def _make_room(self, crowd: Collection[Seat], most: int, of: str, came: float | None) -> None:
        if len(crowd) <= most:
            return
        states = [(*seat.state(), seat) for seat in crowd]
        # First those that are closed already; then by age, whatever they are at. One that has just come was not listened to yet.
        fresh = monotonic() - FRESH_S if came is None else came
        lazy = sorted(
            (
                (state != "closing", state == "header" and since > fresh, since, seat)
                for state, since, seat in states
                if state in LAZY and (came is None or since <= came)
            ),
            key=_age,
        )
        gone = [seat for *_, seat in lazy[: len(crowd) - most + most // GIVEN_AWAY]]
        if gone:
            self.complaints.tell(f"too many {of}: the idlest are closed", open=len(crowd), closed=len(gone))
        for seat in gone:
            self.leave(seat)
            seat.abort()

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for seat in list(self.seats):
            state, since = seat.state()
            if now - since > self._spans.get(state, float("inf")):
                if state in ("header", "body", "unread"):
                    self.complaints.tell(f"a caller was too slow ({state})", client=_address(seat))
                seat.end(state)
        if not self._relieving:
            self.relieve()
        self._sweeping = bool(self.seats)
        if self._sweeping:
            loop.call_later(self.limits.sweep_s, self._sweep, loop)


def _age(one: tuple[bool, bool, float, Seat]) -> tuple[bool, bool, float]:
    return one[:3]


def _address(seat: Seat) -> str:
    return seat.client[0] if seat.client else ""
