"""Bells over RQ: coalesced by our own key, since RQ's job ids either refuse a ring or lose one that comes during a run.

A stroke is an RQ job that carries a lane's name and nothing else; `hub.queue.ear` hears it. RQ and Redis' client are imported
with the first ring: a command that only looks needs neither.
"""

from __future__ import annotations

import contextlib
import re
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit

from hub.config.logs import LateLogger
from hub.core.errors import ConfigError, HubError, Problem
from hub.sdk.addresses import is_host

if TYPE_CHECKING:
    from redis import Redis
    from rq import Queue

log = LateLogger(__name__)
_DECODES = re.compile(r"(?:^|&)decode_responses=(?!(?:0|f|false|n|no)?(?:&|$))", re.IGNORECASE)
STEPS = ("process", "deliver", "poll")
CHECKED = "bell:checked"
COALESCE_S = 15
SCHEMES = ("redis", "rediss", "unix")
MUTE_S = 2.0  # after a time-out Redis is left alone for so long: each ring would wait for it


CONFUSED = (ValueError, TypeError, AttributeError, LookupError, RecursionError)
"""What Redis' client ends with where something else answers at its port, or answers out of turn."""


class BellAway(HubError):
    """Redis cannot be used now: no ring reaches a worker."""


def job_of(step: str) -> str:
    """Return the function that a step's job names."""
    return f"workers.jobs.{step}"


class Bell(ABC):
    """Tells workers of a lane (a step, and a connection if the step has one) that something may be due."""

    @abstractmethod
    def ring(self, step: str, connection: str = "") -> None:
        """Ring; never raises: the sweep finds what was not heard."""

    @abstractmethod
    def heard(self, step: str, connection: str = "") -> None:
        """Note a job's first act: rings from now on enqueue again."""

    @abstractmethod
    def check(self) -> None:
        """Raise BellAway with the reason if a ring would not be heard now."""


class RedisBell(Bell):
    """Rings by an RQ job on the queue named after the step."""

    def __init__(self, url: str) -> None:
        """Keep the address. Raises ConfigError if it is none of Redis."""
        self._url = checked(url)
        self._mute_until = 0.0

    @cached_property
    def _redis(self) -> Redis:
        # No retries and short time-outs: a ring must not hold up the commit that it follows.
        return connect(self._url, timeout=1)

    @cached_property
    def _queues(self) -> dict[str, Queue]:
        from rq import Queue  # noqa: PLC0415 - see above
        from rq.serializers import JSONSerializer  # noqa: PLC0415 - see above

        return {step: Queue(step, connection=self._redis, serializer=JSONSerializer) for step in STEPS}

    def ring(self, step: str, connection: str = "") -> None:
        """Enqueue one job for the lane unless one is on its way."""
        try:
            self._try(lambda: self._ring(step, connection))
        except BellAway as error:
            log.debug("bell unheard", lane=_key(step, connection), error=str(error))

    def _takes(self, key: str) -> bool:
        """Return True if a lane is to be rung; a mark that lasts longer than any does is of a clock that was set back."""
        if self._redis.set(key, 1, nx=True, ex=COALESCE_S):
            return True
        left: Any = self._redis.ttl(key)
        return left > COALESCE_S and bool(self._redis.set(key, 1, ex=COALESCE_S))

    def heard(self, step: str, connection: str = "") -> None:
        """Forget that the lane was rung."""
        with contextlib.suppress(BellAway):
            self._try(lambda: self._redis.delete(_key(step, connection)))

    def check(self) -> None:
        """Raise BellAway unless Redis can be written: full, a replica or still loading it answers and takes no ring."""
        self._try(lambda: self._redis.set(CHECKED, 1, ex=COALESCE_S))

    def _ring(self, step: str, connection: str) -> None:
        if self._takes(_key(step, connection)):
            self._queues[step].enqueue(job_of(step), connection, ttl=30, result_ttl=0, failure_ttl=60, job_timeout=-1)

    def _try(self, act: Callable[[], object]) -> None:
        """Do something at Redis. Raises BellAway; at once if it did not answer in time just now."""
        from redis.exceptions import RedisError  # noqa: PLC0415 - see above
        from redis.exceptions import TimeoutError as RedisTimeout  # noqa: PLC0415 - see above

        if time.monotonic() < self._mute_until:
            raise BellAway("Redis does not answer in time")
        try:
            act()
        except (RedisError, OSError) as error:
            if isinstance(error, RedisTimeout | TimeoutError):
                self._mute_until = time.monotonic() + MUTE_S
            raise BellAway(why(error)) from None
        except CONFUSED as error:
            raise BellAway(f"what answers there is no Redis: {why(error)}") from None


def why(error: Exception) -> str:
    """Return Redis' reason in one short line."""
    return (" ".join(str(error).split()) or type(error).__name__)[:200]


def connect(url: str, *, timeout: float | None = None) -> Redis:
    """Make a Redis client without retries of its own. Raises ConfigError if the URL is none of Redis."""
    from redis import Redis  # noqa: PLC0415 - see above
    from redis.backoff import NoBackoff  # noqa: PLC0415 - see above
    from redis.exceptions import RedisError  # noqa: PLC0415 - see above
    from redis.retry import Retry  # noqa: PLC0415 - see above

    try:
        made = Redis.from_url(url, retry=Retry(NoBackoff(), 0), socket_timeout=timeout, socket_connect_timeout=timeout)
        made.connection_pool.make_connection()  # it asks nothing, and refuses an option that it does not know
    except (ValueError, TypeError, RedisError) as error:
        raise _wrong_url(f"an option behind ? is none of Redis: {str(error).splitlines()[0]}") from None
    return made


def checked(url: str) -> str:
    """Return a URL that may be one of Redis, without its client. Raises ConfigError if it is none."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise _wrong_url(str(error)) from None
    if _DECODES.search(parts.query):
        raise _wrong_url("decode_responses makes texts of the jobs, which are bytes: leave it out")
    if parts.scheme not in SCHEMES:
        raise _wrong_url(f"this is no address of Redis: it begins with none of {', '.join(SCHEMES)}")
    if fault := _socket_fault(parts) if parts.scheme == "unix" else _host_fault(parts, port):
        raise _wrong_url(fault)
    return url


def _socket_fault(parts: SplitResult) -> str:
    return "" if parts.path.strip("/") and not parts.hostname else "this names no socket: three slashes, and its path"


def _host_fault(parts: SplitResult, port: int | None) -> str:
    """Return what is wrong with the place of a server, "" if nothing is."""
    if not is_host(parts.hostname or ""):
        return "this names no host"
    if port == 0:
        return "0 is no port"
    if parts.fragment:
        return "what stands behind # is lost: a # in a password is written %23"
    number = parts.path.strip("/")
    return (
        "" if not number or number.isdecimal() else f"'{number[:40]}' is no number of a database: they are 0, 1, 2 ..."
    )


def _wrong_url(message: str) -> ConfigError:
    hint = "redis://HOST:6379/0, rediss://..., or unix:///path"
    return ConfigError([Problem("config.toml", "redis.url", message, hint)])


def _key(step: str, connection: str) -> str:
    return f"bell:{step}:{connection}" if connection else f"bell:{step}"
