"""What this plugin offers."""

from hub import hookimpl
from plugins.hubspot.destination import HubSpotDestination


@hookimpl
def register_destinations() -> tuple[type[HubSpotDestination], ...]:
    """Return the HubSpot destination."""
    return (HubSpotDestination,)
