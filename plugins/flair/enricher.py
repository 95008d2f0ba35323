"""Labels signals with the sentiment of a flair model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from hub import Context, Enricher, Label, Signal
from plugins.flair.client import Judge, open_judge, read_trusted
from plugins.flair.config import FlairOptions
from plugins.flair.translate import is_familiar, text_of, to_label

_VERSION = 12


class FlairEnricher(Enricher[FlairOptions]):
    """Sentiment by a flair TextClassifier: one text a run, so a text's label never depends on its neighbours."""

    name = "flair"
    Options = FlairOptions
    labels: ClassVar[tuple[str, ...]] = ("sentiment",)
    _judge: Judge | None = None
    _model = ""
    _version = ""

    def check(self, ctx: Context) -> str:
        """Read the model file and compare its sum, without opening it; raises Rejected."""
        file = read_trusted(self.options)
        return f"{file.name}, SHA-256 {file.sha256[:_VERSION]}, {len(file.data) / 1e6:.1f} MB"

    def load(self) -> None:
        """Import flair and open the model; the second call does nothing. Raises Rejected."""
        if self._judge is None:
            file = read_trusted(self.options)
            self._judge = open_judge(file, self.options)
            self._model, self._version = file.name, file.sha256[:_VERSION]

    def enrich(self, signals: Sequence[Signal]) -> list[tuple[Label, ...]]:
        """Give each signal one `sentiment` label, or none."""
        self.load()
        return [self._label(signal) for signal in signals]

    def _label(self, signal: Signal) -> tuple[Label, ...]:
        assert self._judge is not None
        text = text_of(signal, mask=self.options.mask)
        if not text or not self.options.reads(signal.lang, familiar=is_familiar(text)):
            return ()
        # The tokenizer works through all of a text before the windows are counted; 2,000 characters fill one easily.
        probabilities = self._judge(text[: self.options.max_windows * 2000])
        return (to_label(probabilities, self._model, self._version),) if probabilities else ()
