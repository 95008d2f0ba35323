"""The hooks of the Salesforce plugin."""

from __future__ import annotations

from hub import hookimpl
from plugins.salesforce.destination import SalesforceDestination


@hookimpl
def register_destinations() -> tuple[type[SalesforceDestination], ...]:
    """Return Salesforce."""
    return (SalesforceDestination,)
