"""Its hook does not exist."""

from hub import hookimpl


@hookimpl
def register_sauces():
    """There is no such hook."""
    return ()
