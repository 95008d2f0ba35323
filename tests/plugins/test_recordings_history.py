"""Everything that real services said, decided once and run again: the same book makes the same records."""

from __future__ import annotations

import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from hub.flow.decide.batch import process
from hub.flow.history.replay import run
from hub.flow.history.report import Report, report
from tests.landing import VENDORS, Landing, fresh_database, landing
from tests.plugins.mastodon.test_recordings import notifications, statuses
from tests.plugins.rss.test_documents import SOURCE, documents
from tests.plugins.test_recordings_end_to_end import bluesky

pytestmark = pytest.mark.long


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def decided(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Landing]:
    """All recordings decided, and nothing of it sent."""
    folder = tmp_path_factory.mktemp("history")
    nowhere: Any = {name: SimpleNamespace(url="http://127.0.0.1:9") for name in VENDORS}
    with fresh_database(request.param, folder, request) as url, landing(folder, url, nowhere) as hub:
        hub.take("mastodon", (json.dumps(entity).encode() for entity in [*statuses(), *notifications()]))
        hub.take("bluesky", bluesky())
        for name, document in documents().items():
            hub.take("rss", SOURCE.unpack(document), f"https://feeds.example/{name}")
        while process(hub.hub, slice_s=600):
            pass
        yield hub


def run_again(landed: Landing) -> tuple[Report, list[Any]]:
    """What a run comes to, and what differs."""
    with run(landed.hub, landed.hub.book) as done:
        return report(landed.hub, done), list(done.wishes.spooled())


def test_the_same_book_makes_the_same_of_everything(decided: Landing) -> None:
    found, differing = run_again(decided)
    assert differing == []
    assert (found.signals, found.unreadable, found.failed) == (len(decided.signals()), 0, 0)
    assert sum(line.same for line in found.records) > 3000


def test_a_second_hearing_changes_nothing_of_that(decided: Landing) -> None:
    decided.take("mastodon", (json.dumps(entity).encode() + b" " for entity in statuses()))
    for name, document in documents().items():
        decided.take("rss", (payload + b" " for payload in SOURCE.unpack(document)), f"https://feeds.example/{name}")
    while process(decided.hub, slice_s=600):
        pass
    assert run_again(decided)[1] == []
