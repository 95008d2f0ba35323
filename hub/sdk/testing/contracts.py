"""The contract suites: subclass one in a test module, name your class, and its promises to the engine are tested."""

from hub.sdk.testing.destinations import DestinationContract
from hub.sdk.testing.enrichers import EnricherContract
from hub.sdk.testing.replies import ReplyContract
from hub.sdk.testing.returns import ReturnsContract
from hub.sdk.testing.sources import SourceContract
from hub.sdk.testing.stage import Sample, Stage

__all__ = [
    "DestinationContract",
    "EnricherContract",
    "ReplyContract",
    "ReturnsContract",
    "Sample",
    "SourceContract",
    "Stage",
]
