"""A PostgreSQL that the test session starts itself, on a unix socket, as another user where root runs the tests."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PLACES = ("/usr/lib/postgresql/*/bin", "/usr/local/bin", "/opt/homebrew/opt/postgresql*/bin")


def find_programs() -> Path | None:
    """The folder of initdb and postgres, the newest version first."""
    for place in PLACES:
        root, _, pattern = place.partition("*")
        found = sorted(Path("/").glob(place.lstrip("/")), reverse=True) if pattern or "*" in place else [Path(root)]
        for folder in found:
            if (folder / "postgres").exists() and (folder / "initdb").exists():
                return folder
    on_path = shutil.which("postgres")
    return Path(on_path).resolve().parent if on_path else None


@contextmanager
def postgres(programs: Path) -> Iterator[str]:
    """A server in a folder of its own; yields the folder of its socket."""
    folder = Path(tempfile.mkdtemp(prefix="hubpg"))
    who: dict[str, Any] = {}
    if os.getuid() == 0:
        user = pwd.getpwnam("postgres")
        os.chown(folder, user.pw_uid, user.pw_gid)
        who = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    data = folder / "data"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": folder}
    initdb = [programs / "initdb", "-D", data, "-U", "hub", "-A", "trust", "-E", "UTF8", "--no-sync"]
    subprocess.run(initdb, check=True, **quiet, **who)
    options = ["-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=200"]
    server = subprocess.Popen([programs / "postgres", "-D", data, "-k", folder, *options], **quiet, **who)
    try:
        _await(folder, server)
        yield str(folder)
    finally:
        server.send_signal(signal.SIGINT)  # a fast stop: SIGTERM would wait for every client
        server.wait(20)
        shutil.rmtree(folder, ignore_errors=True)


def _await(folder: Path, server: subprocess.Popen[bytes]) -> None:
    import psycopg

    end = time.monotonic() + 30
    while True:
        try:
            psycopg.connect(host=str(folder), user="hub", dbname="postgres").close()
        except psycopg.OperationalError:
            if time.monotonic() > end or server.poll() is not None:
                raise
            time.sleep(0.05)
        else:
            return
