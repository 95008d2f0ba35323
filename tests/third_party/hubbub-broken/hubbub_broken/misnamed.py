"""Its hook wants an argument that the hook does not have."""

from hub import hookimpl


@hookimpl
def register_sources(settings):
    """The signature is wrong."""
    return ()
