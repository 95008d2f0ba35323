"""One pace a connection for all workers: kept in Redis, or in this process for tests. A lost Redis never stops sending.

Redis' client is imported with the first step: a command that only looks does not need it.
"""

from __future__ import annotations

import math
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from hub.config.logs import LateLogger
from hub.queue.bell import CONFUSED, checked, connect
from hub.sdk.http.errors import retry_after
from hub.sdk.http.pace import Pace, Slot, Stand, look, note, refuse, reserve
from hub.sdk.http.usage import window_usage
from hub.sdk.rates import Limit, Usage

if TYPE_CHECKING:
    from limits.strategies import MovingWindowRateLimiter
    from redis import Redis

log = LateLogger(__name__)
T = TypeVar("T")
Step = Callable[[Stand], tuple[Stand, T]]
PaceClock = Callable[[], float]
ReadUsage = Callable[[Mapping[str, str]], Usage | None]
Throttled = Callable[[int, Mapping[str, str]], bool]
KEPT_S = 24 * 3600
NOTED_S = 1.0  # usage is written down at most once in so many seconds
AWAY_S = 5.0  # after an error Redis is left alone for so long
_SOON = 0.01
_SLACK_S = 5.0


def is_refusal(status: int, _headers: Mapping[str, str]) -> bool:
    """Return True if a status says "too many requests"."""
    return status == 429


class UsageNote(msgspec.Struct, frozen=True):
    """A usage as it was told at a time (seconds since 1970)."""

    used: int
    limit: int
    resets_in: float | None
    at: float

    def now(self, now: float) -> Usage | None:
        """Return the usage as it is now, None if its window has ended."""
        if self.at > now + _SLACK_S:  # noted by a clock that was set back
            return None
        if self.resets_in is None:
            return Usage(self.used, self.limit) if now < self.at + KEPT_S else None
        left = self.at + self.resets_in - now
        return Usage(self.used, self.limit, left) if left > 0 else None


class Paces(ABC):
    """The paces of all connections, and their store."""

    def __init__(self, clock: PaceClock = time.time) -> None:  # noqa: TID251 - a default; the hub hands in its own clock
        self.clock = clock

    def open(
        self,
        place: str,
        *,
        limits: Sequence[Limit] = (),
        usage: ReadUsage = window_usage,
        throttled: Throttled = is_refusal,
    ) -> Pace:
        """Open the pace of a connection: its declared limits; `usage` and `throttled` read answers as connectors do."""
        return KeptPace(self, place, limits=limits, usage=usage, throttled=throttled)

    def usages(self) -> dict[str, Usage]:
        """Return what vendors said of their windows lately, by connection (a source's begins with "sources/")."""
        now = self.clock()
        told = {place: kept.now(now) for place, kept in self.notes().items()}
        return {place: usage for place, usage in told.items() if usage}

    @abstractmethod
    def change(self, place: str, step: Step[T], *, otherwise: T) -> T:
        """Take one step from a connection's stand to the next, alone; `otherwise` if the stand is out of reach."""

    @abstractmethod
    def wait(self, place: str, limits: Sequence[Limit], *, hit: bool) -> float:
        """Return the seconds until the rate limit allows one more call: 0.0 if it does now and, with `hit`, has counted it."""

    @abstractmethod
    def keep(self, place: str, kept: UsageNote) -> None:
        """Write a usage down."""

    @abstractmethod
    def notes(self) -> dict[str, UsageNote]:
        """Return all that was written down."""


class KeptPace(Pace):
    """A connection's pace, wherever it is kept."""

    def __init__(
        self, paces: Paces, place: str, *, limits: Sequence[Limit], usage: ReadUsage, throttled: Throttled
    ) -> None:
        self._paces, self._place, self._limits = paces, place, tuple(limits)
        self._read, self._throttled = usage, throttled
        self._noted_at = -math.inf

    def reserve(self, longest: float) -> Slot:
        """Reserve a slot, see `Pace.reserve`: first the adaptive pace, then the declared limits."""
        now = self._paces.clock()

        def take(stand: Stand) -> tuple[Stand, float]:
            return reserve(stand, now, longest=longest)

        wait = self._paces.change(self._place, take, otherwise=0.0)
        if wait <= longest and self._limits:
            window = self._paces.wait(self._place, self._limits, hit=True)
            if window:
                return Slot(max(wait, window, _SOON), kept=False)
        return Slot(wait, kept=wait <= longest)

    def ahead(self) -> float:
        """Return the wait, see `Pace.ahead`."""
        now = self._paces.clock()
        wait = self._paces.change(self._place, lambda stand: look(stand, now), otherwise=0.0)
        window = self._paces.wait(self._place, self._limits, hit=False) if self._limits else 0.0
        return max(wait, window)

    def tell(self, status: int, headers: Mapping[str, str]) -> None:
        """Take in an answer, see `Pace.tell`."""
        now = self._paces.clock()
        usage, refused = self._understand(status, headers)
        if usage is not None:
            self._note(usage, now)
        if not refused and (usage is None or not usage.is_scarce):
            return

        def step(stand: Stand) -> tuple[Stand, None]:
            told = note(stand, now, usage) if usage else stand
            return (refuse(told, now, retry_after=retry_after(headers)) if refused else told), None

        self._paces.change(self._place, step, otherwise=None)

    def _understand(self, status: int, headers: Mapping[str, str]) -> tuple[Usage | None, bool]:
        """Return what an answer says of usage, and True if it asks to slow down."""
        try:
            return self._read(headers) or window_usage(headers), self._throttled(status, headers)
        except Exception as error:  # noqa: BLE001 - the answer is there: a plugin's bug must not undo what was sent
            log.warning("a plugin cannot read its usage", connection=self._place, error=repr(error)[:300])
            return None, is_refusal(status, headers)

    def _note(self, usage: Usage, now: float) -> None:
        if now - self._noted_at >= NOTED_S:
            self._noted_at = now
            self._paces.keep(self._place, UsageNote(usage.used, usage.limit, usage.resets_in, now))


class LocalPaces(Paces):
    """Paces of one process."""

    def __init__(self, clock: PaceClock = time.time) -> None:  # noqa: TID251 - a default; the hub hands in its own clock
        super().__init__(clock)
        self._lock = threading.Lock()
        self._stands: dict[str, Stand] = {}
        self._notes: dict[str, UsageNote] = {}
        self._windows: MovingWindowRateLimiter | None = None

    def change(self, place: str, step: Step[T], *, otherwise: T) -> T:
        """Take a step, see `Paces.change`."""
        with self._lock:
            self._stands[place], result = step(self._stands.get(place, Stand()))
        return result

    def wait(self, place: str, limits: Sequence[Limit], *, hit: bool) -> float:
        """Return the wait, see `Paces.wait`."""
        if self._windows is None:
            from limits.storage import MemoryStorage  # noqa: PLC0415 - see `_moving_window`

            self._windows = _moving_window(MemoryStorage())
        with self._lock:
            return _window_wait(self._windows, place, limits, hit=hit)

    def keep(self, place: str, kept: UsageNote) -> None:
        """Keep a usage, see `Paces.keep`."""
        self._notes[place] = kept

    def notes(self) -> dict[str, UsageNote]:
        """Return the notes, see `Paces.notes`."""
        return dict(self._notes)


class RedisPaces(Paces):
    """Paces that all workers share through Redis; without it there is no pace, and calls leave as they come."""

    def __init__(self, url: str, clock: PaceClock = time.time) -> None:  # noqa: TID251 - a default; the hub hands in its own clock
        super().__init__(clock)
        self._url = checked(url)
        self._windows: MovingWindowRateLimiter | None = None
        self._away_until = 0.0

    @cached_property
    def _redis(self) -> Redis:
        return connect(self._url, timeout=1)

    def change(self, place: str, step: Step[T], *, otherwise: T) -> T:
        """Take a step, see `Paces.change`: read under WATCH, so another worker's step in between makes this one start again."""
        key = f"pace:{place}"

        def run(pipe: Any) -> T:
            found = pipe.get(key)
            old = _decoded(found)
            new, result = step(old)
            pipe.multi()
            if new != old:
                pipe.set(key, msgspec.json.encode(new), ex=KEPT_S)
            return result

        def transact(redis: Any) -> T:
            done: T = redis.transaction(run, key, value_from_callable=True)
            return done

        return self._guarded(transact, otherwise)

    def wait(self, place: str, limits: Sequence[Limit], *, hit: bool) -> float:
        """Return the wait, see `Paces.wait`."""
        return self._guarded(lambda redis: _window_wait(self._opened(redis), place, limits, hit=hit), 0.0)

    def keep(self, place: str, kept: UsageNote) -> None:
        """Keep a usage, see `Paces.keep`; all of it is forgotten a day after the last one."""

        def write(redis: Redis) -> None:
            redis.hset("pace-usage", place, msgspec.json.encode(kept))
            redis.expire("pace-usage", KEPT_S)

        self._guarded(write, None)

    def notes(self) -> dict[str, UsageNote]:
        """Return the notes, see `Paces.notes`; empty without Redis."""

        def read(redis: Redis) -> dict[str, UsageNote]:
            found: Any = redis.hgetall("pace-usage")
            told = ((place.decode("utf-8", "replace"), _noted(kept)) for place, kept in found.items())
            return {place: note for place, note in told if note}

        return self._guarded(read, {})

    def _opened(self, redis: Redis) -> MovingWindowRateLimiter:
        if self._windows is None:
            from limits.storage import RedisStorage  # noqa: PLC0415 - see `_moving_window`

            storage = RedisStorage("redis://", connection_pool=redis.connection_pool, key_prefix="pace-limit")
            self._windows = _moving_window(storage)
        return self._windows

    def _guarded(self, work: Callable[[Redis], Any], otherwise: T) -> T:
        """Do something with Redis; after an error it is left alone for a while, since a hanging one costs a second a call."""
        from redis.exceptions import RedisError  # noqa: PLC0415 - see above

        if time.monotonic() < self._away_until:
            return otherwise
        try:
            done: T = work(self._redis)
        except (RedisError, OSError, msgspec.DecodeError, *CONFUSED) as error:
            if not self._away_until:
                log.warning("no pace: Redis does not answer", error=str(error))
            self._away_until = time.monotonic() + AWAY_S
            return otherwise
        self._away_until = 0.0
        return done


def _noted(kept: bytes) -> UsageNote | None:
    """Decode a note; one that another version, or a stranger, wrote counts as none."""
    try:
        return msgspec.json.decode(kept, type=UsageNote)
    except msgspec.DecodeError:
        return None


def _decoded(found: bytes | None) -> Stand:
    """Decode a stand as it was kept; one that another version wrote counts as none."""
    try:
        return msgspec.json.decode(found, type=Stand) if found else Stand()
    except msgspec.DecodeError:
        return Stand()


def _moving_window(storage: Any) -> MovingWindowRateLimiter:
    # `limits` takes 0.2 s to import, and few connections declare limits.
    from limits.strategies import MovingWindowRateLimiter  # noqa: PLC0415 - as said above

    return MovingWindowRateLimiter(storage)


def _window_wait(windows: MovingWindowRateLimiter, place: str, limits: Sequence[Limit], *, hit: bool) -> float:
    from limits import RateLimitItemPerSecond  # noqa: PLC0415 - see `_moving_window`

    items = [RateLimitItemPerSecond(one.calls, one.per) for one in limits]
    wait = 0.0
    for item in items:
        if not windows.test(item, place):
            # The library reads the machine's own clock, so its times are compared with that.
            left = windows.get_window_stats(item, place).reset_time - time.time()  # noqa: TID251 - see above
            if left > item.get_expiry() + _SLACK_S:
                windows.clear(item, place)  # counted by a clock that ran ahead: it would count for as long as that
            else:
                wait = max(wait, left, _SOON)
    if wait or not hit:
        return wait
    return 0.0 if all(windows.hit(item, place) for item in items) else _SOON
