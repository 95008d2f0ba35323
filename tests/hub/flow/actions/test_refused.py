"""What cannot be done leaves no entry that says it was, and nothing else."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hub.core.access import HUB, Actor
from hub.core.errors import ConnectorError, HubError, UnknownPlugin
from hub.flow.actions import erasures, signals
from hub.runtime import Hub
from hub.sdk.connectors import Options, Source
from tests.hub.flow.actions.scenes import contents
from tests.hubs import LineSource, Made

NewHub = Callable[..., Made]


class Called(Source[Options]):
    """A source that is not polled."""

    name = "lines"
    translate = LineSource.translate  # type: ignore[assignment]  # it reads nothing of its source


@pytest.mark.parametrize(
    ("act", "source", "error"),
    [
        (signals.poll, "lines", ConnectorError),
        (signals.poll, "nobody", UnknownPlugin),
        (erasures.recheck, "nobody", UnknownPlugin),
    ],
)
def test_what_no_source_can_do_is_refused_before_anything_is_written(
    new_hub: NewHub, act: Callable[[Hub, Actor, str], object], source: str, error: type[HubError]
) -> None:
    hub = new_hub().hub
    hub._made["sources", "lines"] = Called(Options())
    before = contents(hub.store)
    with pytest.raises(error):
        act(hub, HUB, source)
    assert contents(hub.store) == before
