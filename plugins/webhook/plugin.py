"""The webhook plugin's hooks."""

from collections.abc import Iterable
from typing import Any

from hub import Destination, Source, hookimpl
from plugins.webhook.destination import WebhookDestination
from plugins.webhook.source import WebhookInbound


@hookimpl
def register_sources() -> Iterable[type[Source[Any]]]:
    """Return the source."""
    return (WebhookInbound,)


@hookimpl
def register_destinations() -> Iterable[type[Destination[Any]]]:
    """Return the destination."""
    return (WebhookDestination,)
