"""The hooks of the Request Tracker plugin."""

from __future__ import annotations

from hub import hookimpl
from plugins.requesttracker.destination import RequestTrackerDestination


@hookimpl
def register_destinations() -> tuple[type[RequestTrackerDestination], ...]:
    """Return Request Tracker."""
    return (RequestTrackerDestination,)
