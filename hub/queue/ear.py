"""The ear of a worker: it hears strokes, and takes nothing else from Redis.

RQ's own worker is not used: it imports and calls any function that a job names, its callbacks and repeats too, and it obeys
commands over Redis. One who may write there would run code in every worker. Here a job is read as the name of a lane; what is
none is thrown away.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import structlog
from redis.exceptions import RedisError, ResponseError
from rq import Queue
from rq.job import Job

from hub.queue.bell import CONFUSED, BellAway, connect, job_of, why

log = structlog.get_logger(__name__)
ANSWER_S = 1.0
LARGEST = 2_000  # bytes: a lane's name is short
EAR = "bell:ear"


class Stroke(NamedTuple):
    """A lane that was rung for: its step, and its connection if the step has one."""

    step: str
    connection: str = ""


class Ear:
    """Hears the strokes of some steps; the first named come first."""

    def __init__(self, url: str, steps: Sequence[str], *, longest_s: float) -> None:
        self._steps = {f"{Queue.redis_queue_namespace_prefix}{step}".encode(): step for step in steps}
        self._quick = connect(url, timeout=ANSWER_S)
        self._patient = connect(url, timeout=longest_s + ANSWER_S)
        self._longest_s = longest_s

    def listen(self) -> Stroke | None:
        """Wait for a stroke; None if none came within `longest_s`, or what came is none. Raises BellAway."""
        try:
            # A Redis that is full, or a replica, would let us wait for rings that it takes from no process.
            self._quick.set(EAR, 1, ex=60)
            popped = self._patient.blpop([*self._steps], timeout=self._longest_s)
            return self._read(*popped) if popped else None
        except (RedisError, OSError) as error:
            raise BellAway(why(error)) from None
        except CONFUSED as error:
            raise BellAway(f"what answers there is no Redis: {why(error)}") from None

    def close(self) -> None:
        """Close the connections to Redis."""
        self._quick.close()
        self._patient.close()

    def _read(self, queue: bytes, job: bytes) -> Stroke | None:
        step = self._steps[queue]
        stroke = read_stroke(step, self._data(job))
        if stroke is None:
            log.warning(
                "a job that is no stroke of the bell was thrown away: who else writes to this Redis?", queue=step
            )
        return stroke

    def _data(self, job: bytes) -> bytes:
        """Return the data of a job and delete it; nothing if it has none, or too much."""
        key = Job.redis_job_namespace_prefix.encode() + job[:LARGEST]
        try:
            found = self._quick.hget(key, "data") if self._quick.hstrlen(key, "data") <= LARGEST else None
        except ResponseError:  # it is no hash
            found = None
        self._quick.delete(key)
        return found if isinstance(found, bytes) else b""


def read_stroke(step: str, data: bytes) -> Stroke | None:
    """Read a job's data as a stroke of a step's bell; None if it is anything else: another function, more than one argument."""
    try:
        name, _, arguments, _ = _job.decode(_unpacked(data))
    except (msgspec.DecodeError, zlib.error):
        return None
    return Stroke(step, arguments[0]) if name == job_of(step) else None


class _Nothing(msgspec.Struct, forbid_unknown_fields=True):
    """An object without keys."""


# Function, instance, arguments, named arguments.
_job = msgspec.json.Decoder(tuple[str, None, tuple[str], _Nothing])


def _unpacked(data: bytes) -> bytes:
    """Return what zlib packed, no more than a stroke may take."""
    return zlib.decompressobj().decompress(data, LARGEST)
