"""The hooks of the echo plugin."""

from hub import hookimpl
from hubbub_echo.destination import EchoDestination
from hubbub_echo.source import EchoSource


@hookimpl
def register_sources():
    """The source."""
    return (EchoSource,)


@hookimpl
def register_destinations():
    """The destination."""
    return (EchoDestination,)
