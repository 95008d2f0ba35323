"""flair behind two steps: read a file whose sum is known, open those very bytes.

flair files are pickles: opening one runs whatever its maker wrote into it. So the sum decides before anything looks inside.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import Any

from hub import Rejected
from plugins.flair.config import EMBEDDED_SHA256, FlairOptions
from plugins.flair.translate import CLASSES

for _name in ("flair", "onnxruntime", "tokenizers", "torch"):
    if find_spec(_name) is None:  # found without importing it: the registry names the missing extra
        raise ModuleNotFoundError(f"No module named {_name!r}", name=_name)

EMBEDDED_FILE = Path(__file__).parent / "models" / "sentiment-e5s-l12-int8.flair.pt"

Judge = Callable[[str], dict[str, float] | None]


@dataclass(frozen=True, slots=True)
class TrustedFile:
    """The bytes of a model file whose SHA-256 was found in the settings (or is the embedded model's)."""

    name: str
    sha256: str
    data: bytes


def read_trusted(options: FlairOptions) -> TrustedFile:
    """Read and sum the model file, and open nothing. Raises Rejected if it is missing or its sum is not a known one."""
    path = EMBEDDED_FILE if options.embedded else Path(options.model).expanduser()
    try:
        data = path.read_bytes()
    except OSError as error:
        raise Rejected(f"cannot read the model {path}: {error.strerror}", field="model", code="no_model") from error
    found = hashlib.sha256(data).hexdigest()
    if found not in {EMBEDDED_SHA256, options.sha256}:
        raise _untrusted(path, found, options)
    return TrustedFile(path.name.removesuffix(".pt").removesuffix(".flair"), found, data)


def _untrusted(path: Path, found: str, options: FlairOptions) -> Rejected:
    if options.embedded:
        advice = "it is not the file that this release was built with: install the package again"
    else:
        said = f"the setting sha256 says {options.sha256}" if options.sha256 else "there is no setting sha256"
        advice = f'{said}; if you trust where the file comes from, set sha256 = "{found}" beside model'
    message = f"the model {path} was not opened: its SHA-256 is {found}; {advice}"
    return Rejected(message, field="sha256", code="unknown_model", details={"file": str(path), "sha256": found})


def open_judge(file: TrustedFile, options: FlairOptions) -> Judge:
    """Import flair and open the file: a function from text to probabilities by class (None: the model cannot read it).

    Takes some ten seconds and 700 MB. Raises Rejected if the file is no single-label sentiment classifier.
    """
    _prepare_process(options.threads)
    import flair  # noqa: PLC0415  seconds and hundreds of megabytes that only a process worker may spend
    import torch  # noqa: PLC0415  the same

    from plugins.flair import embeddings  # noqa: PLC0415  the same; registers the class that the file names

    _take_over_logging()
    flair.device = torch.device("cpu")
    torch.set_num_threads(options.threads)
    state = torch.load(BytesIO(file.data), map_location="cpu", weights_only=False)
    _demand(
        isinstance(state, dict) and state.get("__cls__") == "TextClassifier", file, "it holds no flair TextClassifier"
    )
    classifier = flair.models.TextClassifier.load(_with_threads(state, options.threads))
    names = embeddings.class_names(classifier)
    _demand(not classifier.multi_label, file, "it gives several labels to one text")
    _demand({"negative", "positive"} <= set(names) <= set(CLASSES), file, f"its classes are {', '.join(names)}")

    def judge(text: str) -> dict[str, float] | None:
        return embeddings.judge(classifier, text, limit=options.max_windows)

    return judge


def _demand(fulfilled: bool, file: TrustedFile, complaint: str) -> None:
    if not fulfilled:
        wanted = f"wanted: a flair TextClassifier with the classes {', '.join(CLASSES)}"
        raise Rejected(
            f"the model {file.name} is of no use here: {complaint} ({wanted})", field="model", code="wrong_model"
        )


def _with_threads(state: dict[str, Any], threads: int) -> dict[str, Any]:
    """Return the state with this machine's threads instead of those of the machine that made the file."""
    inner = state.get("document_embeddings")
    if isinstance(inner, dict) and inner.get("__cls__") == "OnnxDocumentEmbeddings":
        state["document_embeddings"] = inner | {"threads": threads}
    return state


def _prepare_process(threads: int) -> None:
    """Set what the libraries read while they are imported; what the administrator has set stays."""
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # its thread pool does not survive a fork
    os.environ.setdefault("HF_HUB_OFFLINE", "1")  # a model is in its file: nothing is fetched behind the guard's back


def _take_over_logging() -> None:
    """Hand flair's log to the hub's own handlers: flair writes it to stdout, where a command's output goes."""
    log = logging.getLogger("flair")
    for handler in list(log.handlers):
        log.removeHandler(handler)
    log.propagate = True
    log.setLevel(logging.WARNING)
