"""Its source does not do what a source must do."""

from datetime import timedelta

from hub import Compliance, Options, PollingSource, hookimpl


class Half(PollingSource[Options]):
    """Neither `pull` nor `translate`."""

    name = "abstract"
    network = "abstract"
    compliance = Compliance(timedelta(days=1))


@hookimpl
def register_sources():
    """A class that cannot be made."""
    return (Half,)
