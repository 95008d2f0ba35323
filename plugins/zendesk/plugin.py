"""The hooks of the Zendesk plugin."""

from __future__ import annotations

from hub import hookimpl
from plugins.zendesk.destination import ZendeskDestination


@hookimpl
def register_destinations() -> tuple[type[ZendeskDestination], ...]:
    """Return Zendesk."""
    return (ZendeskDestination,)
