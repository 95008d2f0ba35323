"""What this plugin offers."""

from hub import hookimpl
from plugins.hubspot.destination import HubSpotDestination


@hookimpl
def register_destinations() -> tuple[type[HubSpotDestination], ...]:
    """The HubSpot destination."""
    return (HubSpotDestination,)
