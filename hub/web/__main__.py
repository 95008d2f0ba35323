"""`python -m hub.web -c FILE`: the web process, as `hub up` and `hub web` start it."""

from __future__ import annotations

import argparse
import contextlib
import signal
import socket
import sys
from pathlib import Path

import uvicorn

from hub.config.logs import LateLogger, follow
from hub.core.errors import HubError
from hub.flow.monitor.pulse import Pulse
from hub.runtime import Hub, open_hub, set_up_logging, tie_to_parent
from hub.web.app import WebApp
from hub.web.caller import LOOPBACK, Networks
from hub.web.complaints import Complaints, calm
from hub.web.gate import Gate
from hub.web.limits import limits_of, raise_files
from hub.web.protocol import hold

log = LateLogger(__name__)
QUEUE = 2048


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="python -m hub.web", description=__doc__)
    parser.add_argument("-c", "--config", type=Path)
    parser.add_argument("--tied", action="store_true", help="end when standard input ends (the supervisor is gone)")
    parser.add_argument("--migrate", action="store_true", help="bring the database to this program's revision first")
    given = parser.parse_args(arguments)
    set_up_logging()
    try:
        with contextlib.closing(open_hub(given.config, migrate=given.migrate)) as hub:
            follow(hub.settings.log)
            if given.tied:
                tie_to_parent()
            with contextlib.closing(Pulse(hub, "web", takes_up=True)) as pulse:
                pulse.start()
                serve(hub)
            return 0
    except HubError as error:
        print(f"hub: {error}", file=sys.stderr)  # noqa: T201 - a person started this
        return error.exit_code


def serve(hub: Hub) -> None:
    """Serve a hub within its limits until the process is told to end."""
    web, complaints = hub.settings.web, Complaints()
    limits = limits_of(hub.settings.callers, raise_files())
    calm(complaints)
    gate = Gate(limits, complaints, Networks((*LOOPBACK, *web.proxies)))
    if hub.settings.is_reached_from_beyond:
        log.warning("the page and the API know no users: see web.console", console=hub.settings.console_for)
    config = uvicorn.Config(
        WebApp(hub, limits=limits, complaints=complaints),
        host=web.host,
        port=web.port,
        http=hold(gate),
        ws="none",  # an upgraded connection would be out of the gate's sight
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # who is behind a proxy is judged by `caller`
        backlog=limits.backlog,
        timeout_keep_alive=int(limits.idle_s) + 60,  # the gate is earlier
        timeout_graceful_shutdown=1,
    )
    server = HeldServer(config)
    server.heed()
    server.run([config.bind_socket()])


class HeldServer(uvicorn.Server):
    """A server whose system keeps more callers waiting than it accepts at once: those are bound by the files it may open."""

    def heed(self) -> None:
        """End by SIGTERM and SIGINT from now on, also before it serves.

        uvicorn listens to them while it serves, and raises what it heard once more afterwards: what stands here by then keeps the
        process from dying before its last word.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.handle_exit)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen."""
        await super().startup(sockets)
        for one in sockets or ():
            one.listen(QUEUE)
            # The connections that it accepts have this too; asyncio sets it for sockets of its own making only, and without it
            # the second answer on a connection waits 40 ms for the caller's acknowledgement (Nagle).
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


if __name__ == "__main__":
    sys.exit(main())
