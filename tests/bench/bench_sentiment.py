"""Texts a core-second through the flair enricher, beside the bare onnxruntime session of the same graph.

    python -m tests.bench.bench_sentiment [TEXTS] [ROUNDS]

Both take the same short texts, one text a run, in alternating rounds of one process. The bare session gets ready-made pieces, so
the difference is all that the enricher adds: masking, tokenizer, decoder, softmax, label. CPU time of all threads counts.
"""

from __future__ import annotations

import gzip
import json
import os
import random
import resource
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from statistics import median
from typing import Any

from hub import Signal
from plugins.flair.client import read_trusted
from plugins.flair.config import FlairOptions
from plugins.flair.enricher import FlairEnricher

NOW = datetime(2026, 1, 2, tzinfo=UTC)
SHARED = Path(os.environ.get("HUBBUB_SHARED", Path(__file__).resolve().parents[3] / "shared"))


def sample(size: int) -> list[Signal]:
    """Signals of UMSAB's dev split, the same ones every time."""
    with gzip.open(SHARED / "data/sentiment/umsab_dev.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = random.Random(5).sample([json.loads(line) for line in lines], size)
    return [
        Signal(str(n), "test", "1", "post", row["text"], None, NOW, NOW, lang=row["lang"]) for n, row in enumerate(rows)
    ]


def bare_runs(signals: list[Signal]) -> Callable[[], None]:
    """A function that runs the session of the embedded file over the signals' pieces."""
    import numpy as np
    import torch

    from plugins.flair.embeddings import OnnxDocumentEmbeddings
    from plugins.flair.translate import text_of

    state: dict[str, Any] = torch.load(
        BytesIO(read_trusted(FlairOptions()).data), map_location="cpu", weights_only=False
    )
    inner = state["document_embeddings"]
    inner.pop("__cls__")
    embedding = OnnxDocumentEmbeddings.from_params(inner | {"threads": 1})
    rows = [np.array([[0, *ids, 2]]) for signal in signals for ids in embedding.windows(text_of(signal), 8)]
    feeds = [{"input_ids": row, "attention_mask": np.ones_like(row)} for row in rows]

    def run() -> None:
        for feed in feeds:
            embedding.session.run(None, feed)

    return run


def rate(work: Callable[[], object], texts: int) -> float:
    """Texts a second of CPU time."""
    begin = time.process_time()
    work()
    return texts / (time.process_time() - begin)


def measure(texts: int = 300, rounds: int = 5) -> dict[str, float]:
    """Medians over the rounds, their ratio, the load's seconds and the peak memory in MB."""
    signals, enricher = sample(texts), FlairEnricher(FlairOptions())
    begin = time.perf_counter()
    enricher.load()
    load = time.perf_counter() - begin
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    run = bare_runs(signals)
    pairs = [(rate(lambda: enricher.enrich(signals), texts), rate(run, texts)) for _ in range(rounds)]
    through, bare = (median(column) for column in zip(*pairs, strict=True))
    ratio = median(one / other for one, other in pairs)
    return {"enricher": through, "bare session": bare, "ratio": ratio, "load s": load, "peak MB": peak}


if __name__ == "__main__":
    for name, value in measure(*map(int, sys.argv[1:3])).items():
        print(f"{name:14} {value:8.2f}")
