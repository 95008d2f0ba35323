"""A stranger's plugin for the kills: a source that reads lines by pages, and a destination that recognises nothing.

Each record is one line that is added to a file, which shows what was written, and how often. PLAIN_DIES_AFTER kills the process
when so many lines of a batch are written.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from hub import (
    Author,
    Compliance,
    ConfigPath,
    Context,
    Delivery,
    Destination,
    NoIdempotency,
    ObjectInfo,
    Options,
    Outcome,
    Page,
    PollingSource,
    RawItem,
    RemoteRef,
    Signal,
    Translated,
    author_key,
    hookimpl,
    signal_key,
)

PAGE = 2


class FileOptions(Options):
    """The file that is read, or written."""

    file: ConfigPath


class PlainSource(PollingSource[FileOptions]):
    """Lines of a file; the cursor is the number of lines that were given."""

    name = "plain"
    Options = FileOptions
    network = "plain"
    compliance = Compliance(timedelta(hours=24))

    def pull(self, ctx: Context, cursor: Any) -> Iterable[Page]:
        """All lines after the cursor, two a page."""
        lines = self.options.file.read_bytes().splitlines()
        for start in range(cursor or 0, len(lines), PAGE):
            page = lines[start : start + PAGE]
            items = (RawItem(ctx.connection, "plain", line, ctx.now(), line.decode()) for line in page)
            yield Page(tuple(items), start + len(page))

    def translate(self, raw: RawItem) -> Translated:
        """A line is a post by itself."""
        text, by, at = raw.payload.decode(), author_key("plain", "somebody"), raw.received_at
        said = Signal(signal_key("plain", text), "plain", text, "post", text, by, published_at=at, observed_at=at)
        return Translated((said,), (Author(by, "plain", "somebody"),))


class PlainDestination(Destination[FileOptions]):
    """Adds a line a record, and could not tell whether it is there."""

    name = "plain"
    Options = FileOptions
    idempotency = NoIdempotency()
    batch_size = 3

    def describe(self, ctx: Context) -> Mapping[str, ObjectInfo]:
        """Anything."""
        return {"*": ObjectInfo("*", open_fields=True)}

    def deliver(self, ctx: Context, batch: Sequence[Delivery]) -> list[Outcome]:
        """Write each record for good before the next one."""
        done = []
        for delivery in batch:
            with self.options.file.open("a") as file:
                file.write(f"{delivery.fields['text']}\n")
            done.append(Outcome.delivered(delivery, RemoteRef(str(delivery.id))))
            if os.environ.get("PLAIN_DIES_AFTER") == str(len(done)):
                os.kill(os.getpid(), signal.SIGKILL)
        return done


@hookimpl
def register_sources() -> tuple[type[PlainSource], ...]:
    """The source."""
    return (PlainSource,)


@hookimpl
def register_destinations() -> tuple[type[PlainDestination], ...]:
    """The destination."""
    return (PlainDestination,)
