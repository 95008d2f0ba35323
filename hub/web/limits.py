"""How long and how much a caller may take: what the server holds its connections to, and how many files it may open."""

from __future__ import annotations

import resource
from dataclasses import dataclass

from hub.config.settings import CallersSection

MOST_FILES = 65_536
RESERVED_FILES = 64
"""Files that are no connections: the database, its log, Redis, templates that are read."""


@dataclass(frozen=True)
class Limits:
    """Seconds, bytes and numbers.

    `header_s`, `body_s` and `idle_s` are for the whole header, the whole body and the pause between two requests;
    `answer_s` is how long a caller may leave an answer unread. `linger_s` and `linger_bytes` are for the rest of a body that was
    refused before its end, so that the caller can read why.
    """

    connections: int = 1000
    per_client: int = 250
    backlog: int = 1024
    header_s: float = 10.0
    body_s: float = 60.0
    answer_s: float = 30.0
    idle_s: float = 75.0
    header_bytes: int = 32 * 1024
    headers: int = 100
    pipelined: int = 16
    unverified_bytes: int = 32 * 1024 * 1024
    linger_s: float = 2.0
    linger_bytes: int = 4 * 1024 * 1024
    sweep_s: float = 0.5


USUAL = Limits()


def limits_of(section: CallersSection, files: int) -> Limits:
    """Return the limits of `[callers]`, with as many connections as this number of files leaves room for.

    All that wait to be accepted are accepted at once, so they need files too.
    """
    backlog = max(16, min(1024, files // 8))
    most = max(16, min(section.connections, files - backlog - RESERVED_FILES))
    return Limits(
        connections=most,
        per_client=min(section.connections_per_client, most),
        backlog=backlog,
        header_s=section.header_within.total_seconds(),
        body_s=section.body_within.total_seconds(),
        answer_s=section.answer_within.total_seconds(),
        idle_s=section.idle_within.total_seconds(),
        header_bytes=section.header_kb * 1024,
        unverified_bytes=section.unverified_mb * 1024 * 1024,
    )


def raise_files() -> int:
    """Let the process open as many files as it may, up to MOST_FILES; return how many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return wanted
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError):  # a system with a limit of its own
        return soft
    return wanted
