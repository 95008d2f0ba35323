"""A batch of raw rows from claim to commit: translate, read, sift, enrich, decide, write."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from time import monotonic

from hub.config.failpoint import reached
from hub.config.logs import LateLogger
from hub.config.traces import where
from hub.core.decide.batch import rejoin, sift
from hub.core.decide.decision import Decision, decide
from hub.core.errors import ConfigError, LeaseLost, Overtaken, StoreUnavailable
from hub.core.model import Author, Signal
from hub.flow.conflicts import begin_again
from hub.flow.decide.enrich import enrich
from hub.flow.decide.read import read_known, read_rivals
from hub.flow.decide.relabel import relabel
from hub.flow.decide.translate import ReadRows, note, read_rows
from hub.flow.decide.write import ask, write
from hub.flow.erase.erase import lighten
from hub.flow.lanes import outlets, ring_outlets
from hub.flow.lease import kept
from hub.runtime import Hub
from hub.store.inbox import UNLABELLED, InboxRow, Settled

log = LateLogger(__name__)


def process(hub: Hub, *, slice_s: float = 5.0) -> int:
    """Work on due raw rows until nothing is due or the time slice ends; return how many rows were settled."""
    end = monotonic() + slice_s
    done = 0
    while monotonic() < end and not hub.stopping.is_set():
        worked = process_batch(hub)
        if not worked:
            hub.store.erasures.wash()
            return done
        done += worked
    hub.bell.ring("process")
    return done


def process_batch(hub: Hub, *, most: int | None = None) -> int:
    """Claim one batch, work on it, commit it; return how many rows it held.

    If the work itself fails, the rows go one by one, so that only the one at fault is marked and the others go on. Raises
    Overtaken if another was faster each time, also with a single row: that one stands behind the others then.
    """
    token, rows = hub.store.inbox.claim(limit=most or hub.settings.workers.batch, now=hub.now())
    if not rows:
        return 0
    reached("process.leased")
    try:
        return _work(hub, token, rows)
    except (StoreUnavailable, ConfigError, LeaseLost):  # the database is away, a file is wrong, another has them
        with suppress(StoreUnavailable):
            hub.store.inbox.release(token)
        raise
    except Overtaken:
        hub.store.inbox.release(token, due_at=hub.now() if len(rows) == 1 else None)
        if len(rows) == 1:
            raise
    except Exception as error:  # noqa: BLE001 - told, without its message, which may quote a post
        log.error("a batch failed", rows=len(rows), exception=where(error))  # noqa: TRY400 - see above
        if len(rows) == 1:
            fault = Settled(rows[0].id, "failed", note(f"bug: {type(error).__name__}: {error}"))
            with suppress(LeaseLost):  # another works on the row
                write(hub, token, ReadRows(settled=[fault]), Decision())
            return 1
        hub.store.inbox.release(token)
    return sum(process_batch(hub, most=1) for _ in rows)


def decide_batch(hub: Hub, signals: Sequence[Signal], authors: Sequence[Author]) -> Decision:
    """Read what is known, enrich what is fresh, and decide about the signals of a batch in their order."""
    book = hub.book  # before the transaction below: it may load plugins
    known = read_known(hub, signals, authors)
    sifted = sift(known, signals, book)
    if sifted.needs_rivals:
        known = read_rivals(hub, known, sifted)
        sifted = rejoin(known, sifted, book)
    found = enrich(hub, [one.signal for one in sifted.fresh], [one.topics for one in sifted.fresh])
    decision = decide(known, sifted, found.labels, book=book, now=hub.now())
    return decision.lacking(dict(zip((one.signal.key for one in sifted.fresh), found.missing, strict=True)))


def _work(hub: Hub, token: str, rows: Sequence[InboxRow]) -> int:
    with kept(hub.store.inbox, token, hub.now):
        if rows[0].form == UNLABELLED:
            ring_outlets(hub, relabel(hub, token, rows))
            return len(rows)
        read = read_rows(hub, rows)
        lighten(hub, read.tombstones)

        def step(overtaken: int) -> tuple[set[str], int]:
            asked = ask(hub, read, everything=overtaken > 0)
            decision = decide_batch(hub, read.signals, read.authors)
            reached("process.decided")
            rung = write(hub, token, read, decision, asked=asked)
            return {*rung, *decision.destinations}, len(decision.new)

        tired = f"a batch of {len(rows)} rows was overtaken each time: is another hub at work on this database?"
        destinations, signals = begin_again(step, tired=tired)
        ring_outlets(hub, destinations)
        if read.heard.changes:
            ring_outlets(hub, outlets(hub))
        items = sum(row.form in ("item", "body") for row in rows)
        log.info("a batch was read", rows=len(rows), items=items, signals=signals)
        return len(rows)
