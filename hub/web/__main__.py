"""`python -m hub.web -c FILE`: the web process, as `hub up` and `hub web` start it."""

from __future__ import annotations

import argparse
import contextlib
import sys
from pathlib import Path

import uvicorn

from hub.core.errors import HubError
from hub.flow.monitor.pulse import Pulse
from hub.runtime import open_hub, set_up_logging, tie_to_parent
from hub.web.app import WebApp


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="python -m hub.web", description=__doc__)
    parser.add_argument("-c", "--config", type=Path)
    parser.add_argument("--tied", action="store_true", help="end when standard input ends (the supervisor is gone)")
    parser.add_argument("--migrate", action="store_true", help="bring the database to this program's revision first")
    given = parser.parse_args(arguments)
    set_up_logging()
    try:
        hub = open_hub(given.config, migrate=given.migrate)
    except HubError as error:
        print(f"hub: {error}", file=sys.stderr)  # noqa: T201 - a person started this
        return 2
    if given.tied:
        tie_to_parent()
    web = hub.settings.web
    pulse = Pulse(hub, "web")
    with contextlib.closing(hub), contextlib.closing(pulse):
        pulse.start()
        uvicorn.run(
            WebApp(hub),
            host=web.host,
            port=web.port,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=1,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
