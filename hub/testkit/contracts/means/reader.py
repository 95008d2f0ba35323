"""The engine's part of polling, played by hand: each page is committed with its cursor before the next is asked for."""

from __future__ import annotations

import json
import logging
import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from hub.core.errors import ConnectorError, TranslationError
from hub.core.model import RawItem, Signal, Translated
from hub.sdk.connectors import Context, Page, PollingSource
from hub.testkit.fakes import FakeClock, FaultyHttp, MemoryState, Runaway

CONNECTION = "contract"
_MARK = re.compile(r"number (\d{4}) of the contract")
_MOST_PAGES = 1_000
_BUG = "the engine wants ConnectorErrors only; Unavailable for an answer that cannot be read"


def text_of(number: int) -> str:
    """Return the words by which an item is known again."""
    return f"number {number:04d} of the contract"


@dataclass
class Pulled:
    """What a poll gave: its pages as they were committed, and the error that ended it."""

    pages: list[Page] = field(default_factory=list)
    error: ConnectorError | None = None

    @property
    def items(self) -> list[RawItem]:
        """The items of all pages."""
        return [item for page in self.pages for item in page.items]


class Reader:
    """A source between two restarts of its worker: what was committed, and where it stands.

    `arrived` holds each raw item once, by what the inbox tells items apart: external id, revision and payload.
    """

    def __init__(self, make: Callable[[], PollingSource[Any]], http: FaultyHttp, clock: FakeClock) -> None:
        self._make = make
        self.http, self.clock = http, clock
        self.connection = CONNECTION
        self.state = MemoryState()
        self.source = make()
        self.cursor: Any = None
        self.arrived: dict[tuple[str, str, bytes], RawItem] = {}

    @property
    def ctx(self) -> Context:
        """Return what a call gets."""
        return Context(self.connection, self.http, self.clock, self.state, logging.getLogger("hub.plugin.contract"))

    def restart(self) -> None:
        """Begin in another process: only what was committed is known."""
        self.source = self._make()

    def poll(self, *, killed_after: int | None = None) -> Pulled:
        """Ask once. `killed_after` pages the worker dies: the page after them is given and never committed."""
        pulled = Pulled()
        given = self.source.pull(self.ctx, self.cursor)
        try:
            self._take(given, pulled, killed_after)
        except ConnectorError as error:
            pulled.error = error
        except Runaway as error:
            raise AssertionError(f"a pull does not end: {error}. Stop when a page brings nothing new") from None
        except AssertionError:
            raise
        except Exception as error:
            raise AssertionError(f"pull lets a bug out ({type(error).__name__}: {error}): {_BUG}") from error
        finally:
            if close := getattr(given, "close", None):
                close()
        return pulled

    def _take(self, given: Iterable[Page], pulled: Pulled, killed_after: int | None) -> None:
        for page in given:
            assert isinstance(page, Page), f"pull gives {type(page).__name__}, the engine wants a Page"
            if killed_after is not None and len(pulled.pages) == killed_after:
                return
            self._commit(page)
            pulled.pages.append(page)
            assert len(pulled.pages) < _MOST_PAGES, "a pull of more than 1,000 pages: end it, the next one goes on"

    def _commit(self, page: Page) -> None:
        try:
            self.cursor = json.loads(json.dumps(page.cursor, allow_nan=False))
        except (TypeError, ValueError) as error:
            raise AssertionError(
                f"the cursor {page.cursor!r} is no JSON ({error}): the engine cannot keep it; give text, numbers, lists, dicts"
            ) from None
        for item in page.items:
            assert isinstance(item, RawItem), f"a page holds {type(item).__name__}, the engine wants RawItems"
            self.arrived.setdefault((item.external_id, item.revision, item.payload), item)

    # ------------------------------------------------------------------------------------------------- what was heard

    def translated(self) -> list[Translated]:
        """Return what the items that arrived say; those that are broken or ignored are left out."""
        found = []
        for raw in self.arrived.values():
            with suppress(TranslationError):
                found.append(self.source.translate(raw))
        return [said for said in found if isinstance(said, Translated)]

    def signals(self) -> list[Signal]:
        """Return the signals of all that arrived, in the order of their arrival."""
        return [signal for said in self.translated() for signal in said.signals]

    def heard(self) -> dict[int, set[str]]:
        """Return the keys under which each number of the contract was heard."""
        found: defaultdict[int, set[str]] = defaultdict(set)
        for signal in self.signals():
            for number in numbers_in(signal):
                found[number].add(signal.key)
        return dict(found)

    def marked(self) -> dict[tuple[str, str, bytes], RawItem]:
        """Return the raw items that say a number of the contract, by id, revision and payload."""
        return {key: raw for key, raw in self.arrived.items() if any(map(numbers_in, self._said(raw)))}

    def _said(self, raw: RawItem) -> tuple[Signal, ...]:
        with suppress(TranslationError):
            said = self.source.translate(raw)
            return said.signals if isinstance(said, Translated) else ()
        return ()

    def signal(self, number: int) -> Signal:
        """Return the last signal that says this number."""
        said = [signal for signal in self.signals() if number in numbers_in(signal)]
        assert said, f"item {number} did not arrive"
        return said[-1]


def numbers_in(signal: Signal) -> set[int]:
    """Return the numbers of the contract in a signal's text and title."""
    return {int(one) for one in _MARK.findall(f"{signal.title or ''} {signal.text}")}


def seconds_between(one: datetime, other: datetime) -> float:
    """Return how far two moments lie apart, in seconds."""
    return abs((one - other) / timedelta(seconds=1))
