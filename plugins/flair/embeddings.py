"""The document embedding of the hub's own flair files: graph and tokenizer are inside the file.

Importing this module imports flair and torch (8 s, 600 MB), so it is imported by `client.open_classifier` alone. flair looks
for the class by the name that is written in the file.
"""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
import torch
from flair.data import Sentence
from flair.embeddings.base import DocumentEmbeddings, register_embeddings
from flair.models import TextClassifier
from tokenizers import Tokenizer

from plugins.flair.translate import cut

# Above this share of characters that the vocabulary lacks, an answer would be about the punctuation.
UNREADABLE = 0.5


@register_embeddings
class OnnxDocumentEmbeddings(DocumentEmbeddings):
    """Vectors of texts by an ONNX graph `(input_ids, attention_mask) -> vector`; graph and tokenizer are zlib-compressed.

    Each run of the session holds one text: the int8 graph scales its activations over all that it is given, so a neighbour
    would change the answer.
    """

    def __init__(self, onnx: bytes, tokenizer: bytes, *, length: int, **settings: Any) -> None:
        known: dict[str, Any] = {"name": "onnx", "max_length": 128, "threads": 1, "pad_id": 0}
        self.settings = known | settings | {"length": length}
        self.name = str(self.settings["name"])
        self.static_embeddings = True
        super().__init__()
        self.onnx, self.tokenizer = onnx, tokenizer
        self.session = _open_session(zlib.decompress(onnx), int(self.settings["threads"]))
        self.pieces = Tokenizer.from_str(zlib.decompress(tokenizer).decode())
        self.pieces.no_truncation()
        self.pieces.no_padding()
        marks = self.pieces.encode("").ids
        self.head, self.tail = marks[:1], marks[1:]
        self.unknown = self.pieces.token_to_id("<unk>")
        self.eval()

    @property
    def embedding_length(self) -> int:
        """The size of a vector."""
        return int(self.settings["length"])

    @property
    def room(self) -> int:
        """Return how many pieces of a text fit into one window."""
        return int(self.settings["max_length"]) - len(self.head) - len(self.tail)

    def windows(self, text: str, limit: int) -> list[list[int]]:
        """Return the text's pieces in at most `limit` windows; none if the text is empty or unreadable for this model."""
        encoded = self.pieces.encode(text, add_special_tokens=False)
        ids = encoded.ids
        if not ids or self._unread(encoded) > UNREADABLE * len(text):
            return []
        parts = cut(encoded.word_ids if len(ids) > self.room else ids, self.room)
        return [ids[part] for part in parts[:limit]]

    def _unread(self, encoded: Any) -> int:
        """Count the characters that the vocabulary lacks; a whole run of them is one piece."""
        if self.unknown not in encoded.ids:
            return 0
        return sum(
            end - start for i, (start, end) in zip(encoded.ids, encoded.offsets, strict=True) if i == self.unknown
        )

    def vector(self, ids: list[int]) -> npt.NDArray[np.float32]:
        """Compute the vector of one window."""
        row = np.array([[*self.head, *ids, *self.tail]], dtype=np.int64)
        vectors = self.session.run(None, {"input_ids": row, "attention_mask": np.ones_like(row)})[0]
        return np.asarray(vectors[0], dtype=np.float32)

    def _add_embeddings_internal(self, sentences: list[Sentence]) -> None:
        for sentence in sentences:
            text = " ".join(sentence.to_original_text().split())
            ids = self.pieces.encode(text, add_special_tokens=False).ids[: self.room]
            sentence.set_embedding(self.name, torch.from_numpy(self.vector(ids)))

    def to_params(self) -> dict[str, Any]:
        """Return what flair writes into a file."""
        return {"onnx": self.onnx, "tokenizer": self.tokenizer} | self.settings

    @classmethod
    def from_params(cls, params: dict[str, Any]) -> OnnxDocumentEmbeddings:
        """Undo `to_params`."""
        return cls(**params)


def _open_session(graph: bytes, threads: int) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    # Threads that spin between two small multiplications burn the core that the next worker needs.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def judge(classifier: TextClassifier, text: str, *, limit: int) -> dict[str, float] | None:
    """Return probabilities by class, None if the model cannot read the text.

    A file with our embedding goes past flair's `Sentence` (its tokens are not used by the graph) to the classifier's own
    decoder and softmax; any other model goes through flair's `predict`, one text a call.
    """
    embeddings = classifier.embeddings
    if isinstance(embeddings, OnnxDocumentEmbeddings):
        vectors = [embeddings.vector(ids) for ids in embeddings.windows(text, limit)]
        return _decode(classifier, vectors) if vectors else None
    sentence = Sentence(text)
    classifier.predict(sentence, return_probabilities_for_all_classes=True)
    return {label.value.lower(): label.score for label in sentence.get_labels(classifier.label_type)} or None


def _decode(classifier: TextClassifier, vectors: list[npt.NDArray[np.float32]]) -> dict[str, float]:
    """Return the mean over a text's windows of what `predict` computes for each."""
    with torch.inference_mode():
        scores = classifier.decoder(torch.from_numpy(np.stack(vectors)))
        shares = torch.softmax(scores, dim=-1).mean(dim=0).tolist()
    return dict(zip(class_names(classifier), shares, strict=True))


def class_names(classifier: TextClassifier) -> list[str]:
    """Return the model's classes in lower case, in the decoder's order."""
    return [name.lower() for name in classifier.label_dictionary.get_items()]
