"""Memory and signals a second of a dry run over stored history: `python -m tests.bench.bench_history [SIGNALS ...]`.

The history is written straight into SQLite (one signal in five matched and landed, with its author); each run has a process of
its own, so that its memory is its own.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from hub.core.decide.judgement import Judged, judge
from hub.core.decide.trace import Trace
from hub.core.keys import author_key, signal_key
from hub.core.model import Author, Label, Planned, Provenance, RawItem, Signal
from hub.flow.history.book import candidate
from hub.flow.history.replay import run
from hub.flow.history.report import report
from hub.store import open_store
from tests.bench.running import say
from tests.hubs import NOON, Made, make_hub

BATCH = 5000
WORDS = (
    "the kettle",
    "a parcel",
    "my account",
    "that queue",
    "her bicycle",
    "our garden",
    "the train",
    "a ticket",
    "his lamp",
)
RULES = """
[[rule]]
name = "brand"
when = ['"acme" in topics', 'signal.kind != "repost"']
deliver = [{{ destination = "memo", mapping = "said" }}]
[[rule]]
name = "angry"
when = ['"acme" in topics', 'labels.sentiment.value == "negative"', 'author.followers == null || author.followers < {most}']
deliver = [{{ destination = "memo", mapping = "said" }}]
[[rule]]
name = "wide"
when = ['labels.sentiment.score > {least}', 'conversation.signals < 3']
deliver = [{{ destination = "memo", mapping = "note" }}]
[[rule]]
name = "regular"
when = ['stats.signals_30d >= 5', 'signal.text.contains("queue")']
[[rule]]
name = "late"
when = ['signal.published_at > "2030"', 'size(signal.hashtags) > 3']
"""


def hub_in(folder: Path) -> Made:
    """A hub whose third rule matches nothing yet."""
    store = open_store(f"sqlite:///{folder / 'hub.db'}")
    store.database.migrate()
    return make_hub(store, folder, rules=RULES.format(most=100, least=2))


def spoken(number: int) -> tuple[Signal, Author, Label, RawItem]:
    """One post with all that belongs to it; every tenth speaker speaks ten times."""
    by, mood = f"person{number % 97_003}", ("neutral", "positive", "negative")[number % 3]
    words = " and ".join(WORDS[number // step % len(WORDS)] for step in (1, 7, 49, 343))
    text = f"{'acme took ' if number % 5 == 0 else 'I saw '}{words}, number {number}, and wonder what comes of it next"
    at = NOON - timedelta(seconds=2 * number)
    raw = RawItem("lines", "lines", msgspec.json.encode({"id": str(number), "text": text, "by": by}), at, str(number))
    author = Author(author_key("lines", by), "lines", by, handle=by)
    signal = Signal(
        signal_key("lines", str(number)), "lines", str(number), "post", text, author.key, at, at, lang="en",
        provenance=Provenance("lines", "lines", number + 1), content_hash=str(number),
    )  # fmt: skip
    return (
        signal,
        author,
        Label("sentiment", mood, "mood", float(mood == "positive") - float(mood == "negative"), 0.9),
        raw,
    )


def judged(made: Made, number: int) -> tuple[Judged, list[Planned], RawItem]:
    """A post as the hub would have decided it; only one that speaks of acme can match."""
    signal, author, label, raw = spoken(number)
    book, planned = made.hub.book, list[Planned]()
    stats = {"signals_30d": 1, "sentiment_mean_30d": label.score}
    trace = Trace(book.rules.version, book.topics.version, stats=stats, size=1, author=author, labels=(label,))
    if "acme" in signal.text:
        found, trace = judge(signal, trace, [label], book=book, page=f"http://localhost/signals/{signal.key}")
        planned = [Planned(record, signal.key, found.matched[0]) for record in found.records]
    return Judged(signal, [label], trace, bool(planned)), planned, raw


def write(made: Made, count: int) -> None:
    """Store so many signals."""
    store, numbers = made.hub.store, iter(range(count))
    while part := [judged(made, number) for number in islice(numbers, BATCH)]:
        with store.database.write() as conn:
            store.inbox.add((raw for _, _, raw in part), conn=conn)
            store.signals.add(conn, [one for one, _, _ in part])
            store.outbox.plan(conn, [one for _, planned, _ in part for one in planned], now=NOON)


def look(folder: Path) -> dict[str, Any]:
    """One dry run with another book, measured."""
    made = hub_in(folder)
    (folder / "other.toml").write_text(RULES.format(most=50, least=0))
    before, begin, worked = peak(), time.monotonic(), time.process_time()
    with run(made.hub, candidate(made.hub, rules=folder / "other.toml")) as done:
        scratch = sum(file.stat().st_size for file in done.wishes.folder.iterdir())
        found = report(made.hub, done)
    took = time.monotonic() - begin
    kinds = ("new", "changed", "same", "gone")
    return {
        "signals": found.signals,
        "signals_per_s": round(found.signals / took),
        "seconds": round(took, 1),
        "cpu_s": round(time.process_time() - worked, 1),
        "peak_mb": peak(),
        "started_mb": before,
        "scratch_mb": round(scratch / 1e6, 1),
        "records": {kind: sum(getattr(line, kind) for line in found.records) for kind in kinds},
    }


def peak() -> float:
    """The most memory that this process had, in MB (getrusage would begin with what its parent had)."""
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    return round(int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024, 1)


def main(arguments: list[str]) -> None:
    """Print a line for each size."""
    if arguments[:1] == ["--look"]:
        say("history", **look(Path(arguments[1])))
        return
    for count in map(int, arguments or ["10000", "100000", "1000000"]):
        with tempfile.TemporaryDirectory(prefix="hubbub-bench") as folder:
            made = hub_in(Path(folder))
            write(made, count)
            made.hub.close()
            subprocess.run([sys.executable, "-m", "tests.bench.bench_history", "--look", folder], check=True)


if __name__ == "__main__":
    main(sys.argv[1:])
