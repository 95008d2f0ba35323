"""What `hub up` does before its parts start: the database brought up to date, rules, topics and mappings activated."""

from __future__ import annotations

import sys
from contextlib import closing
from functools import partial
from pathlib import Path

from hub.cli.opened import me
from hub.core.errors import ConfigError, HubError, NewerDatabase
from hub.flow.accounts.demo import people_of
from hub.flow.accounts.onetime import first_link
from hub.flow.activation import activate_or_keep
from hub.runtime import open_hub, set_up_logging

tell = partial(print, file=sys.stderr)


def main(arguments: list[str]) -> int:
    """Prepare the hub of a configuration; returns the exit code of an error that no part could live with, else 0."""
    set_up_logging(level="WARNING", form="text")  # each line becomes one of the supervisor's own
    try:
        with closing(open_hub(Path(arguments[0]), migrate=True)) as hub:
            if kept := activate_or_keep(hub, me()):
                tell(kept)
            # The demo's people need no log-in.
            if not people_of(hub) and (link := first_link(hub)):
                tell(f"no user yet: become the admin within 30 minutes at {link}")
            if held := hub.store.hold.get():
                tell(f"NOTHING IS SENT: {held.why}")
    except (ConfigError, NewerDatabase) as error:
        tell(str(error))
        return error.exit_code
    except HubError as error:
        tell(f"the rules could not be activated now: {error}")
    return 0
