"""Logs: one event a line, on standard error; JSON for programs, plain text for people.

What writes a line names what happened and what it happened to by key, and nothing that a person said or is called.
structlog is imported with the first line: a command that only looks writes none.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, get_args

from hub.config.traces import where, where_of
from hub.core.errors import ConfigError, Problem

Level = Literal["debug", "info", "warning", "error"]
Form = Literal["auto", "text", "json"]
LEVEL, FORM = "HUBBUB_LOG_LEVEL", "HUBBUB_LOG"
"""What a command says by `--log-level` and `--log`, handed on to the parts that it starts."""
NOISY = ("rq.worker", "httpx", "httpcore", "urllib3", "alembic", "asyncio")
FIRST = ("timestamp", "level", "event", "connection")


@dataclass(frozen=True, slots=True)
class Wanted:
    """How much is told, in which form; `auto` is text at a terminal and JSON anywhere else."""

    level: str = "info"
    form: Form = "auto"

    @property
    def as_json(self) -> bool:
        """True if each line is one JSON object."""
        return self.form == "json" or (self.form == "auto" and not sys.stderr.isatty())


def asked(otherwise: Wanted) -> Wanted:
    """Return what the environment asks for, else what the configuration does. Raises ConfigError for an unknown word."""
    level, form = os.environ.get(LEVEL, "").lower(), os.environ.get(FORM, "").lower()
    problems = [
        Problem("environment", name, f"'{word}' is unknown", f"known: {', '.join(get_args(known))}")
        for name, word, known in ((LEVEL, level, Level), (FORM, form, Form))
        if word and word not in get_args(known)
    ]
    if problems:
        raise ConfigError(problems)
    return Wanted(level or otherwise.level, form or otherwise.form)  # type: ignore[arg-type]  # looked up above


def set_up_logging(*, level: str = "info", form: Form = "auto") -> None:
    """Send lines of this level and above to standard error; may be called again as soon as more is known."""
    wanted = Wanted(level.lower(), form)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Lines(as_json=wanted.as_json))
    logging.basicConfig(level=wanted.level.upper(), handlers=[handler], force=True)
    # A log that cannot be written would print the exception at hand, which is not redacted.
    logging.raiseExceptions = False
    for noisy in NOISY:
        logging.getLogger(noisy).setLevel(max(logging.WARNING, logging.getLogger().level))
    if "structlog" in sys.modules:
        _configure()


class Lines(logging.Formatter):
    """Each record as one line, whichever library wrote it."""

    def __init__(self, *, as_json: bool) -> None:
        super().__init__()
        self._as_json = as_json

    def format(self, record: logging.LogRecord) -> str:
        """Return one line, however many an exception has (in text they follow, set in)."""
        entry = self._entry(record)
        if not self._as_json:
            return as_text(entry)
        return json.dumps(entry, default=str)

    def _entry(self, record: logging.LogRecord) -> dict[str, Any]:
        found = dict(record.msg) if isinstance(record.msg, dict) else {"event": record.getMessage()}
        connection = getattr(record, "connection", None)
        if connection is not None:
            found.setdefault("connection", connection)
        found.setdefault("level", record.levelname.lower())
        found["timestamp"] = self.formatTime(record)
        if not isinstance(record.msg, dict):
            found["logger"] = record.name
        if record.exc_info and record.exc_info[1] and "exception" not in found:
            found["exception"] = where(record.exc_info[1])
        return {name: found[name] for name in (*FIRST, *found) if name in found}

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802 - its name there
        """Return when it was written, in UTC."""
        return datetime.fromtimestamp(record.created, UTC).isoformat().replace("+00:00", "Z")


def as_text(entry: dict[str, Any]) -> str:
    """Return an entry as a person reads it: time, level if it matters, what happened, and to what."""
    level = str(entry.get("level", ""))
    head = f"{str(entry.get('timestamp', ''))[11:19]} {'' if level == 'info' else f'{level}: '}{entry.get('event', '')}"
    told = {"timestamp", "level", "event", "logger", "exception"}
    values = " ".join(f"{name}={value}" for name, value in entry.items() if name not in told)
    trace = "".join(f"\n    {harmless(line)}" for line in str(entry.get("exception", "")).splitlines())
    return f"{harmless(f'{head} ({values})' if values else head)}{trace}"


def harmless(text: str) -> str:
    """Return a line without what a terminal would act on."""
    return "".join(sign if sign.isprintable() else " " for sign in text)


def follow(section: Any) -> None:
    """Log as the environment asks, else as the configuration's `[log]` does. Raises ConfigError as `asked`."""
    wanted = asked(Wanted(section.level, section.format))
    set_up_logging(level=wanted.level, form=wanted.form)


class LateLogger:
    """A structlog logger that is made with its first line."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, method: str) -> Any:
        """Return the logger's method."""
        import structlog  # noqa: PLC0415 - it brings rich and asyncio: 60 ms for a command that only looks

        if not structlog.is_configured():
            _configure()
        return getattr(structlog.get_logger(self._name), method)


def _configure() -> None:
    import structlog  # noqa: PLC0415 - see above

    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.ExceptionRenderer(where_of),
            _handed_on,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )


def _handed_on(_logger: Any, _name: str, entry: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Hand the entry to the standard library's logger as it is: `Lines` writes it."""
    return (dict(entry),), {}
