"""The contract suites: subclass one in a test module, name your class, and its promises to the engine are tested."""

from hub.testkit.contracts.destination import DestinationContract
from hub.testkit.contracts.enricher import EnricherContract
from hub.testkit.contracts.replies import ReplyContract
from hub.testkit.contracts.returns import ReturnsContract
from hub.testkit.contracts.source import SourceContract
from hub.testkit.contracts.stage import Sample, Stage

__all__ = [
    "DestinationContract",
    "EnricherContract",
    "ReplyContract",
    "ReturnsContract",
    "Sample",
    "SourceContract",
    "Stage",
]
