"""The jobs: each is a bell's stroke, one flow call. There are these three, and what they are given is a lane's name."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import partial

import structlog

from hub.core.errors import HubError
from hub.core.ledger import Lane
from hub.flow.decide.batch import process as process_due
from hub.flow.deliver.send import deliver as deliver_due
from hub.flow.erase.recheck import recheck_due
from hub.flow.intake.changes import poll_changes
from hub.flow.intake.poll import poll as poll_source
from hub.flow.sweep import due_lanes, is_lane, take_up_secrets
from hub.runtime import Hub

log = structlog.get_logger(__name__)
_hub: list[Hub] = []


def use(hub: Hub) -> None:
    """Set the hub that this process's jobs work on."""
    _hub[:] = [hub]


def open_destinations() -> None:
    """Make the destinations and their HTTP ready: reading the root certificates (80 ms) would hold up the first delivery."""
    hub = _hub[0]
    for name, section in hub.settings.destinations.items():
        if section.enabled:
            _guarded(f"open {name}", partial(hub.destination_context, name))


def stop() -> None:
    """End the time slice of the running job after its batch."""
    for hub in _hub:
        hub.stopping.set()


def do(step: str, connection: str) -> None:
    """Do the job of a lane; one that this hub does not have is left alone: others may write to Redis."""
    hub = _hub[0]
    _guarded("take up", hub.take_up)
    if step in _JOBS and _is_known(hub, step, connection):
        _JOBS[step](connection)
        _guarded("secrets", lambda: take_up_secrets(hub))
    else:
        log.warning("a lane that is not configured was rung for", step=step)


def look(steps: Collection[str]) -> bool:
    """Look at the database for due lanes of these steps and do their jobs; True if there were any."""
    _guarded("take up", _hub[0].take_up)
    found: list[tuple[str, str]] = []
    _guarded("secrets", lambda: take_up_secrets(_hub[0]))
    _guarded("look", lambda: found.extend(due_lanes(_hub[0], steps)))
    for step, connection in found:
        if _hub[0].stopping.is_set():
            break
        _JOBS[step](connection)
    return bool(found)


def _is_known(hub: Hub, step: str, connection: str) -> bool:
    known: list[bool] = []
    _guarded(step, lambda: known.append(is_lane(hub, step, connection)))
    return known == [True]


def process(connection: str = "") -> None:
    """Work on due raw rows."""
    hub = _hub[0]
    hub.bell.heard("process", connection)
    _guarded("process", lambda: process_due(hub))


def deliver(connection: str) -> None:
    """Send what is due at one destination."""
    hub = _hub[0]
    hub.bell.heard("deliver", connection)
    _guarded("deliver", lambda: deliver_due(hub, connection))


def poll(connection: str) -> None:
    """Poll one source, or a destination for what people did there; or look at a source's posts again."""
    hub = _hub[0]
    hub.bell.heard("poll", connection)
    step = _POLLS[Lane.of_cursor(connection).work]
    _guarded("poll", lambda: step(hub, connection))


_POLLS: Mapping[str, Callable[[Hub, str], object]] = {
    "poll": poll_source,
    "changes": poll_changes,
    "recheck": recheck_due,
}


_JOBS: Mapping[str, Callable[[str], None]] = {"process": process, "deliver": deliver, "poll": poll}


def _guarded(step: str, work: Callable[[], object]) -> None:
    """Run a job; if it fails, log it and leave it to the sweep: the rows are in the database, their leases run out."""
    try:
        work()
    except HubError as error:
        log.warning("a job could not be done now", step=step, error=str(error))
    except Exception:
        log.exception("a job failed", step=step)
