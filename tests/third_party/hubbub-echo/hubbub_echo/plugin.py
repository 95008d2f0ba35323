"""The hooks: they hand the classes over, and do nothing else."""

from hub import hookimpl
from hubbub_echo.destination import EchoDestination
from hubbub_echo.source import EchoSource

api = "1"


@hookimpl
def register_sources() -> tuple[type[EchoSource], ...]:
    """Hand over the source."""
    return (EchoSource,)


@hookimpl
def register_destinations() -> tuple[type[EchoDestination], ...]:
    """Hand over the destination."""
    return (EchoDestination,)
