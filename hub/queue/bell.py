"""Bells over RQ: coalesced by our own key, since RQ's job ids either refuse a ring or lose one that comes during a run."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from typing import Any

import structlog
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry
from rq import Queue
from rq.serializers import JSONSerializer

from hub.core.errors import ConfigError, Problem

log = structlog.get_logger(__name__)
STEPS = ("process", "deliver", "poll")
COALESCE_S = 15


class Bell(ABC):
    """Tells workers of a lane (a step, and a connection if the step has one) that something may be due."""

    @abstractmethod
    def ring(self, step: str, connection: str = "") -> None:
        """Ring; never raises: the sweep finds what was not heard."""

    @abstractmethod
    def heard(self, step: str, connection: str = "") -> None:
        """Note a job's first act: rings from now on enqueue again."""


class RedisBell(Bell):
    """Rings by an RQ job on the queue named after the step."""

    def __init__(self, url: str) -> None:
        # No retries and short time-outs: a ring must not hold up the commit that it follows.
        self._redis = connect(url, timeout=1)
        self._queues = {step: Queue(step, connection=self._redis, serializer=JSONSerializer) for step in STEPS}

    def ring(self, step: str, connection: str = "") -> None:
        """Enqueue one job for the lane unless one is on its way."""
        try:
            if self._takes(_key(step, connection)):
                self._queues[step].enqueue(
                    f"workers.jobs.{step}", connection, ttl=30, result_ttl=0, failure_ttl=60, job_timeout=-1
                )
        except (RedisError, OSError) as error:
            log.debug("bell unheard", lane=_key(step, connection), error=str(error))

    def _takes(self, key: str) -> bool:
        """Return True if a lane is to be rung; a mark that lasts longer than any does is of a clock that was set back."""
        if self._redis.set(key, 1, nx=True, ex=COALESCE_S):
            return True
        left: Any = self._redis.ttl(key)
        return left > COALESCE_S and bool(self._redis.set(key, 1, ex=COALESCE_S))

    def heard(self, step: str, connection: str = "") -> None:
        """Forget that the lane was rung."""
        with contextlib.suppress(RedisError, OSError):
            self._redis.delete(_key(step, connection))


def connect(url: str, *, timeout: float | None = None) -> Redis:
    """Make a Redis client without retries of its own. Raises ConfigError if the URL is none of Redis."""
    try:
        return Redis.from_url(url, retry=Retry(NoBackoff(), 0), socket_timeout=timeout, socket_connect_timeout=timeout)
    except ValueError as error:
        hint = "redis://HOST:6379/0, rediss://..., or unix:///path"
        raise ConfigError([Problem("config.toml", "redis.url", str(error).splitlines()[0], hint)]) from None


def _key(step: str, connection: str) -> str:
    return f"bell:{step}:{connection}" if connection else f"bell:{step}"
