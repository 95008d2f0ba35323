"""Bells over RQ: coalesced by our own key, since RQ's job ids either refuse a ring or lose one that comes during a run.

A stroke is an RQ job that carries a lane's name and nothing else; `hub.queue.ear` hears it.
"""

from __future__ import annotations

import contextlib
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import structlog
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeout
from redis.retry import Retry
from rq import Queue
from rq.serializers import JSONSerializer

from hub.core.errors import ConfigError, HubError, Problem

log = structlog.get_logger(__name__)
STEPS = ("process", "deliver", "poll")
CHECKED = "bell:checked"
COALESCE_S = 15
MUTE_S = 2.0  # after a time-out Redis is left alone for so long: each ring would wait for it


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
        # No retries and short time-outs: a ring must not hold up the commit that it follows.
        self._redis = connect(url, timeout=1)
        self._queues = {step: Queue(step, connection=self._redis, serializer=JSONSerializer) for step in STEPS}
        self._mute_until = 0.0

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
        if time.monotonic() < self._mute_until:
            raise BellAway("Redis does not answer in time")
        try:
            act()
        except (RedisError, OSError) as error:
            if isinstance(error, RedisTimeout | TimeoutError):
                self._mute_until = time.monotonic() + MUTE_S
            raise BellAway(why(error)) from None


def why(error: Exception) -> str:
    """Return Redis' reason in one short line."""
    return (" ".join(str(error).split()) or type(error).__name__)[:200]


def connect(url: str, *, timeout: float | None = None) -> Redis:
    """Make a Redis client without retries of its own. Raises ConfigError if the URL is none of Redis."""
    try:
        return Redis.from_url(url, retry=Retry(NoBackoff(), 0), socket_timeout=timeout, socket_connect_timeout=timeout)
    except ValueError as error:
        hint = "redis://HOST:6379/0, rediss://..., or unix:///path"
        raise ConfigError([Problem("config.toml", "redis.url", str(error).splitlines()[0], hint)]) from None


def _key(step: str, connection: str) -> str:
    return f"bell:{step}:{connection}" if connection else f"bell:{step}"
