"""`python -m workers ROLE -c FILE`: process, deliver, schedule or listen, as `hub up` and `hub worker` start them."""

from __future__ import annotations

import argparse
import contextlib
import gc
import logging
import os
import signal
import sys
import threading
import time
from pathlib import Path

import structlog
from redis.exceptions import RedisError
from rq import Queue, SimpleWorker
from rq.serializers import JSONSerializer

from hub.config.logs import follow
from hub.core.errors import HubError
from hub.queue.bell import connect
from hub.runtime import Hub, book_versions, open_hub, redis_url, set_up_logging, tie_to_parent
from workers import jobs, listen, schedule

log = structlog.get_logger(__name__)
BEAT_S = 15.0
YOUNG_OBJECTS = 50_000
PATIENCE_S = 60.0
ROLES = {"process": ("process", "poll"), "deliver": ("deliver",), "all": ("process", "deliver", "poll")}


class Worker(SimpleWorker):
    """A worker without forks that ends calmly when Redis is gone, and keeps the name of its process."""

    # RQ doubles its wait for a lost Redis up to a minute, for which the worker would be deaf after Redis is back.
    max_connection_wait_time = 1.0

    def procline(self, message: str) -> None:
        """Leave the process's title alone: it says which part this is."""

    def set_shutdown_requested_date(self) -> None:
        """End the running job's slice; note it in Redis, whose loss must not raise inside the job."""
        jobs.stop()
        with contextlib.suppress(RedisError, OSError):
            super().set_shutdown_requested_date()  # type: ignore[no-untyped-call]  # RQ types it not


def main(arguments: list[str] | None = None) -> int:
    """Run one role until SIGTERM or SIGINT; 0 is a clean end."""
    parser = argparse.ArgumentParser(prog="python -m workers", description=__doc__)
    parser.add_argument("role", choices=[*ROLES, "schedule", "listen"])
    parser.add_argument("-c", "--config", type=Path)
    parser.add_argument("--tied", action="store_true", help="end when standard input ends (the supervisor is gone)")
    given = parser.parse_args(arguments)
    set_up_logging()
    if given.tied:
        tie_to_parent()
    try:
        with contextlib.closing(open_hub(given.config, patience_s=PATIENCE_S if given.tied else 0.0)) as hub:
            follow(hub.settings.log)
            return work(hub, given.role)
    except HubError as error:
        print(f"hub: {error}", file=sys.stderr)  # noqa: T201 - a person started this
        return 2


def work(hub: Hub, role: str) -> int:
    """Run a role on an open hub."""
    if role in ROLES:
        return consume(hub, role)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    if role == "schedule":
        schedule.run(hub, stop)
        return 0
    threading.Thread(target=beat, args=(hub, role), name="heartbeat", daemon=True).start()
    listen.run(hub, stop)
    return 0


def consume(hub: Hub, role: str) -> int:
    """Serve the role's queues with an RQ worker."""
    # A batch makes tens of thousands of objects that live until its end: by default the collector looks at them all the time.
    gc.set_threshold(YOUNG_OBJECTS, 20, 20)
    logging.getLogger("rq.worker").setLevel(logging.WARNING)
    jobs.use(hub)
    if role != "deliver":
        # Compiled before the first job: errors of the configuration show at the start. Kept: explanations read them later.
        hub.store.connections.remember_versions(book_versions(hub.book), now=hub.now())
    if role != "process":
        jobs.open_destinations()
    redis = connect(redis_url(hub.settings))
    queues = [Queue(name, connection=redis, serializer=JSONSerializer) for name in ROLES[role]]
    threading.Thread(target=beat, args=(hub, role), name="heartbeat", daemon=True).start()
    try:
        worker = Worker(queues, connection=redis, serializer=JSONSerializer)
        worker.work(with_scheduler=False, logging_level="WARNING")
    except (RedisError, OSError) as error:
        log.warning("Redis is gone", error=str(error))
        return 3
    return 0


def beat(hub: Hub, role: str) -> None:
    """Note every few seconds that this process is alive."""
    while True:
        with contextlib.suppress(HubError):
            hub.store.connections.beat(f"{role}-{os.getpid()}", role, now=hub.now())
        time.sleep(BEAT_S)


if __name__ == "__main__":
    sys.exit(main())
