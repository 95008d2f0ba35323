"""Real servers for a session. They take minutes to install, so they run only where they are asked for by name."""

from __future__ import annotations

import os
from collections.abc import Iterator

import httpx
import pytest

from tests.acceptance import bluesky_network as bluesky
from tests.acceptance import snac_network as snac
from tests.acceptance.servers import Server, started

FOLDER = "tests/acceptance"
NETWORKS = {"bluesky_network", "snac_network", "rt"}
_ASKED = "real servers are started only when asked for: pytest -m acceptance, or HUBBUB_ACCEPTANCE=1"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what needs a real server, give it time to install, and skip it where nobody asked."""
    asked = "acceptance" in " ".join([*config.invocation_params.args, os.environ.get("HUBBUB_ACCEPTANCE", "")])
    asked = asked or os.environ.get("HUBBUB_ACCEPTANCE") == "1"
    for item in items:
        if FOLDER in item.path.as_posix() and NETWORKS & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.acceptance)
            item.add_marker(pytest.mark.timeout(900))
            if not asked:
                item.add_marker(pytest.mark.skip(reason=_ASKED))


@pytest.fixture(scope="session")
def bluesky_network() -> Iterator[bluesky.BlueskyNetwork]:
    """Bluesky's own servers (PLC, PDS, AppView) with a brand's and a customer's account."""
    server = Server("bsky.sh", "bsky-dev/node_modules/better-sqlite3/build/Release/better_sqlite3.node")
    with (
        httpx.Client(timeout=20, trust_env=False) as client,
        started(server, lambda: bluesky.is_up(client), needs=("node", "npm", "initdb")),
    ):
        accounts = [bluesky.make_account(client, name) for name in ("brand", "customer")]
        yield bluesky.BlueskyNetwork(client, *accounts, took=server.took)


@pytest.fixture(scope="session")
def snac_network() -> Iterator[snac.SnacNetwork]:
    """Two snac2 servers that federate, with a brand's, a customer's and a remote account."""
    server = Server("snac.sh", "snac/s275/usr/bin/snac")
    with (
        httpx.Client(timeout=20, trust_env=False, proxy=snac.PROXY) as client,
        started(server, lambda: snac.is_up(client), needs=("apt-get", "dpkg-deb", "curl")),
    ):
        homes = (("brand", snac.ONE), ("cust", snac.ONE), ("remote", snac.TWO))
        accounts = [snac.log_in(client, instance, name) for name, instance in homes]
        yield snac.SnacNetwork(client, *accounts, took=server.took)
