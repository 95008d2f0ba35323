"""Bells over RQ: coalesced by our own key, since RQ's job ids either refuse a ring or lose one that comes during a run.

RQ and Redis' client are imported with the first ring: a command that only looks needs neither.
"""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from hub.config.logs import LateLogger
from hub.core.errors import ConfigError, Problem

if TYPE_CHECKING:
    from redis import Redis
    from rq import Queue

log = LateLogger(__name__)
STEPS = ("process", "deliver", "poll")
COALESCE_S = 15
SCHEMES = ("redis", "rediss", "unix")


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
        """Keep the address. Raises ConfigError if it is none of Redis."""
        self._url = checked(url)

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
        from redis.exceptions import RedisError  # noqa: PLC0415 - see above

        try:
            if self._redis.set(_key(step, connection), 1, nx=True, ex=COALESCE_S):
                self._queues[step].enqueue(
                    f"workers.jobs.{step}", connection, ttl=30, result_ttl=0, failure_ttl=60, job_timeout=-1
                )
        except (RedisError, OSError) as error:
            log.debug("bell unheard", lane=_key(step, connection), error=str(error))

    def heard(self, step: str, connection: str = "") -> None:
        """Forget that the lane was rung."""
        from redis.exceptions import RedisError  # noqa: PLC0415 - see above

        with contextlib.suppress(RedisError, OSError):
            self._redis.delete(_key(step, connection))


def connect(url: str, *, timeout: float | None = None) -> Redis:
    """Make a Redis client without retries of its own. Raises ConfigError if the URL is none of Redis."""
    from redis import Redis  # noqa: PLC0415 - see above
    from redis.backoff import NoBackoff  # noqa: PLC0415 - see above
    from redis.retry import Retry  # noqa: PLC0415 - see above

    try:
        return Redis.from_url(url, retry=Retry(NoBackoff(), 0), socket_timeout=timeout, socket_connect_timeout=timeout)
    except ValueError as error:
        raise _wrong_url(str(error).splitlines()[0]) from None


def checked(url: str) -> str:
    """Return a URL that may be one of Redis, without its client. Raises ConfigError if it is none."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise _wrong_url(str(error)) from None
    if parts.scheme not in SCHEMES:
        raise _wrong_url(f"this is no address of Redis: it begins with none of {', '.join(SCHEMES)}")
    return url


def _wrong_url(message: str) -> ConfigError:
    hint = "redis://HOST:6379/0, rediss://..., or unix:///path"
    return ConfigError([Problem("config.toml", "redis.url", message, hint)])


def _key(step: str, connection: str) -> str:
    return f"bell:{step}:{connection}" if connection else f"bell:{step}"
