"""What `hub up` says: every line of every part passes here, and comes out as JSON, as text, or, at a terminal, calmly.

A reader that has gone away (a closed terminal, `| head`) stops nothing: what cannot be written is dropped.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from abc import ABC, abstractmethod
from collections import deque
from datetime import UTC, datetime
from typing import Any, TextIO

from hub.config.logs import Wanted, as_text, harmless
from hub.core.grammar.words import counted

LAST_WORDS = 6
STRANGERS = frozenset({"redis", "sandbox"})
ONCE_A_S = 60.0
AGAIN_S = 5.0
MENDS_ITSELF = frozenset({"retry", "parked", "uncertain"})
NOISE = frozenset({"timestamp", "level", "event", "logger", "exception", "part"})


class Voice(ABC):
    """One stream for the supervisor and its parts."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._again_at = 0.0

    @abstractmethod
    def say(self, line: str, *, level: str = "info") -> None:
        """Say a line of the supervisor's own."""

    @abstractmethod
    def tell(self, entry: dict[str, Any]) -> None:
        """Pass on what a part wrote; `part` names it."""

    def hear(self, part: str, line: str) -> None:
        """Take a line of a part: JSON if it came by way of its log, else its last words, or another program's."""
        level = "info" if part in STRANGERS else "error"  # our own parts write by their log, or die
        self.tell({**(_parsed(line) or {"timestamp": _now(), "level": level, "event": line}), "part": part})

    def last_words(self, part: str) -> list[str]:
        """Return what a part said last outside of its log and was not passed on; it is forgotten."""
        return []

    def wait_for(self, what: str, now: float) -> None:
        """Say what an end waits for, now and then; "" ends it."""
        if what and now >= self._again_at:
            self._again_at = now + AGAIN_S
            self.say(what)

    def look(self, now: float) -> None:  # noqa: B027 - only a picture that moves needs it
        """Draw again what changes with time; `now` is in seconds of any clock."""

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):  # the reader has gone
            return


class JsonVoice(Voice):
    """One JSON object a line, also of what Redis and other programs write."""

    def say(self, line: str, *, level: str = "info") -> None:
        """Say a line."""
        self.tell({"timestamp": _now(), "level": level, "event": line, "part": "hub"})

    def tell(self, entry: dict[str, Any]) -> None:
        """Write one object."""
        self._write(json.dumps(entry, default=str) + "\n")


class TextVoice(Voice):
    """A line an event, as a person reads it, with the part's name."""

    def say(self, line: str, *, level: str = "info") -> None:
        """Say a line."""
        self._write(f"hub: {harmless(line)}\n")

    def tell(self, entry: dict[str, Any]) -> None:
        """Write one line; an exception's lines follow."""
        rest = {name: value for name, value in entry.items() if name != "part"}
        self._write(f"{entry['part']:<10} {as_text(rest)}\n")


class CalmVoice(Voice):
    """One status that moves until all is ready; from then on a line only for what needs a person.

    `page` is the address to open. A terminal that cannot move its cursor gets a line for each stage instead.
    """

    def __init__(self, stream: TextIO, page: str) -> None:
        super().__init__(stream)
        self._page = page
        self._moves = os.environ.get("TERM", "") not in ("", "dumb")
        self._colours = self._moves and not os.environ.get("NO_COLOR")
        self._start = Start()
        self._shown, self._stage = "", ""
        self._heard: dict[str, float] = {}
        self._last: dict[str, deque[str]] = {}
        self._now = 0.0

    def say(self, line: str, *, level: str = "info") -> None:
        """Say a line, above the status."""
        text = f"hub: {harmless(line)}"
        self._clear()
        self._write(f"{self._painted(text, '33') if level == 'warning' else text}\n")
        self._draw()

    def tell(self, entry: dict[str, Any]) -> None:
        """Take note of what moves the status; say only what a person can do something about."""
        if said := self._start.note(entry):
            self.say(f"{said}. The page: {self._page}   Ctrl-C ends everything.")
        elif needs_a_person(entry) and not self._is_known(entry):
            self.say(brief(entry), level="warning")

    def hear(self, part: str, line: str) -> None:
        """Take a line; what is not of the log is kept back until the part ends."""
        entry = _parsed(line)
        if entry is None:
            self._last.setdefault(part, deque(maxlen=LAST_WORDS)).append(line)
        else:
            self.tell({**entry, "part": part})

    def last_words(self, part: str) -> list[str]:
        """Return, and forget, what a part said last outside of its log."""
        return list(self._last.pop(part, ()))

    def look(self, now: float) -> None:
        """Draw the status again."""
        self._now = now
        self._start.began = self._start.began or now
        self._draw()

    def wait_for(self, what: str, now: float) -> None:
        """Show what an end waits for, in the status's place; "" ends it."""
        self._start.is_ready = True
        self._show(what)

    def _is_known(self, entry: dict[str, Any]) -> bool:
        """Return True if the same was said within a minute."""
        about = entry.get("connection") or entry.get("destination") or entry.get("source") or entry.get("key")
        what = f"{entry.get('event')} {about}"
        known = self._now - self._heard.get(what, -ONCE_A_S) < ONCE_A_S
        if not known:
            self._heard[what] = self._now
        return known

    def _draw(self) -> None:
        if not self._start.is_ready:
            self._show(self._start.line(self._now))

    def _show(self, line: str) -> None:
        stage = line.partition(":")[0]
        if not self._moves:
            if stage != self._stage and line:
                self._write(f"{line}\n")
            self._stage = stage
            return
        shown = _cut(line, shutil.get_terminal_size().columns - 1)
        if shown != self._shown:
            self._write(f"\r\x1b[K{self._painted(shown, '2')}")
            self._shown = shown

    def _clear(self) -> None:
        if self._shown:
            self._write("\r\x1b[K")
            self._shown = ""

    def _painted(self, text: str, colour: str) -> str:
        return f"\x1b[{colour}m{text}\x1b[0m" if self._colours and text else text


class Start:
    """How far a start has come, as the parts' logs tell it."""

    def __init__(self) -> None:
        self.began = 0.0
        self.is_ready = False
        self._opening: list[str] = []
        self._left, self._done, self._signals, self._sent = 0, 0, 0, 0
        self._sending = 0

    def note(self, entry: dict[str, Any]) -> str:
        """Take note of an event; return what to say if all is ready by it, else ""."""
        match entry.get("event"):
            case "an enricher is being opened":
                self._opening.append(str(entry.get("enricher")))
            case "an enricher is open":
                self._opening = [one for one in self._opening if one != entry.get("enricher")]
            case "a batch was read":
                self._done += int(entry.get("items", 0))  # the other rows are what destinations told
                self._signals += int(entry.get("signals", 0))  # likes, follows and what is said twice make none
                self._left = max(self._left - int(entry.get("items", 0)), 0)
            case "a batch was sent":
                self._sent += int(entry.get("delivered", 0))
                self._sending = max(self._sending - int(entry.get("delivered", 0)), 0)
            case "progress" if not self.is_ready:
                return self._progress(entry)
        return ""

    def line(self, now: float) -> str:
        """Return the status: what is being done, how far it is, for how long."""
        seconds = f"{max(now - self.began, 0):.0f} s"
        total = self._done + self._left
        if self._opening:
            waiting = (
                f", {counted(self._left, 'item')} {'waits' if self._left == 1 else 'wait'} for it" if self._left else ""
            )
            return f"opening the model of '{self._opening[0]}' (up to a minute){waiting}: {seconds}"
        if self._left:
            return (
                f"reading: {self._done:,} of {counted(total, 'item')}, {counted(self._sent, 'record')} sent, {seconds}"
            )
        if self._sending:
            return f"sending: {counted(self._sent, 'record')} sent, {self._sending:,} to go, {seconds}"
        return f"almost ready: {seconds}" if self._done else f"starting: {seconds}"

    def _progress(self, entry: dict[str, Any]) -> str:
        left = int(entry.get("rows", 0)) + int(entry.get("rows_held", 0)) - int(entry.get("told", 0))
        self._left, self._sending = left, int(entry.get("due", 0)) + int(entry.get("held", 0))
        self.is_ready = bool(entry.get("over"))
        if not self.is_ready:
            return ""
        if not self._done:
            return "ready"
        read = f"{counted(self._signals, 'signal')} from {counted(self._done, 'item')}"
        return f"ready: {read}, {counted(self._sent, 'record')} sent"


def choose(wanted: Wanted, page: str, stream: TextIO | None = None) -> Voice:
    """Return the voice for a wish: what is asked for, else calm at a terminal and JSON elsewhere."""
    stream = stream or sys.stderr
    if wanted.form == "json" or (wanted.form == "auto" and not stream.isatty()):
        return JsonVoice(stream)
    return TextVoice(stream) if wanted.form == "text" else CalmVoice(stream, page)


def needs_a_person(entry: dict[str, Any]) -> bool:
    """Return True for errors, and for warnings that do not mend themselves."""
    if entry.get("level") == "warning":
        return entry.get("state") not in MENDS_ITSELF
    return entry.get("level") in ("error", "critical")


def brief(entry: dict[str, Any]) -> str:
    """Return an entry as one sentence, an exception by its last line."""
    values = ", ".join(f"{name} {value}" for name, value in entry.items() if name not in NOISE)
    last = str(entry.get("exception", "")).strip().rpartition("\n")[2]
    told = "; ".join(part for part in (values, last) if part)
    return f"{entry['part']}: {entry.get('event')}{f' ({told})' if told else ''}"


def _parsed(line: str) -> dict[str, Any] | None:
    if not line.startswith("{"):
        return None
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) and "event" in found else None


def _now() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")  # noqa: TID251 - a log's own time


def _cut(line: str, width: int) -> str:
    return line if len(line) <= width else f"{line[: max(width - 1, 0)]}…"
