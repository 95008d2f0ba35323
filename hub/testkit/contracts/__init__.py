"""The contract suites: subclass one in a test module, name your class, and its promises to the engine are tested.

    SourceContract        what a source says of a payload; and, for a webhook, what it believes and what it takes from a body
    StreamsContract       a source that is asked: nothing lost, nothing doubled, every failure told
    DestinationContract   records that land once, whatever befalls a call
    DeskContract          conversations that are tickets: comments, notes
    ReturnsContract       the way back: inbound changes, notes, tombstones
    ReplyContract         answers posted to a network
    ActsContract          what is done to posts besides: likes, hiding, deletions
    EnricherContract      the same text, the same labels
    SignaturesContract    a verifier by itself

A suite is one subclass and a few class attributes; what a connector cannot do is left out by itself.
"""

import pkgutil

import pytest

# Before their import, so that a plain assert shows its values in an installed package too.
pytest.register_assert_rewrite(*(f"{__name__}.{found.name}" for found in pkgutil.walk_packages(__path__)))

from hub.testkit.contracts.acts import ActsContract  # noqa: E402 - rewritten from here on
from hub.testkit.contracts.desk import DeskContract  # noqa: E402 - rewritten from here on
from hub.testkit.contracts.destination import DestinationContract  # noqa: E402 - rewritten from here on
from hub.testkit.contracts.enricher import EnricherContract  # noqa: E402 - rewritten from here on
from hub.testkit.contracts.replies import ReplyContract  # noqa: E402 - rewritten from here on
from hub.testkit.contracts.returns import ReturnsContract  # noqa: E402 - rewritten from here on
from hub.testkit.contracts.signatures import SignaturesContract  # noqa: E402 - rewritten from here on
from hub.testkit.contracts.source import SourceContract  # noqa: E402 - rewritten from here on
from hub.testkit.contracts.stage import Sample, Stage  # noqa: E402 - rewritten from here on
from hub.testkit.contracts.streams import StreamsContract  # noqa: E402 - rewritten from here on

__all__ = [
    "ActsContract",
    "DeskContract",
    "DestinationContract",
    "EnricherContract",
    "ReplyContract",
    "ReturnsContract",
    "Sample",
    "SignaturesContract",
    "SourceContract",
    "Stage",
    "StreamsContract",
]
