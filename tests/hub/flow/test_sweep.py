"""The sweep: what no bell told of is found and rung for."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec import json

from hub.config.settings import SourceSection
from hub.core.errors import Unavailable
from hub.core.spec import Rule
from hub.flow.decide.batch import process
from hub.flow.sweep import prepare, ring_due, sweep
from tests.hubs import NOON, Made

NewHub = Callable[..., Made]


@pytest.fixture
def made(new_hub: NewHub) -> Made:
    return new_hub()


def rung(made: Made) -> list[tuple[str, str]]:
    made.bell.rung.clear()
    ring_due(made.hub)
    return made.bell.rung


def test_where_nothing_is_due_nothing_is_rung(made: Made) -> None:
    assert rung(made) == []


def test_waiting_rows_are_rung_for(made: Made) -> None:
    made.say({"id": "1", "text": "acme"})
    assert rung(made) == [("process", "")]


def test_due_deliveries_are_rung_for_by_destination(made: Made) -> None:
    made.say({"id": "1", "text": "acme"})
    process(made.hub)
    assert rung(made) == [("deliver", "memo")]


def test_a_retry_is_rung_for_when_its_time_has_come(made: Made) -> None:
    made.say({"id": "1", "text": "acme"})
    made.memo.raises = Unavailable()
    made.run()
    assert rung(made) == []
    made.clock.pass_(seconds=5)
    assert rung(made) == [("deliver", "memo")]


def test_a_paused_destination_is_not_rung_for(made: Made) -> None:
    made.say({"id": "1", "text": "acme"})
    process(made.hub)
    made.hub.store.connections.pause("memo", reason="x", until=made.clock().replace(hour=13), now=made.clock())
    assert rung(made) == []


def test_a_destination_that_is_no_longer_configured_is_not_rung_for(made: Made) -> None:
    made.say({"id": "1", "text": "acme"})
    process(made.hub)
    made.hub.settings = made.hub.settings.model_copy(update={"destinations": {}})
    assert rung(made) == []


def test_a_due_poll_is_rung_for(made: Made) -> None:
    prepare(made.hub)
    assert rung(made) == [("poll", "lines")]


@pytest.mark.parametrize("sources", [{}, {"lines": SourceSection(plugin="lines", enabled=False)}])
def test_a_source_that_is_gone_or_off_is_not_rung_for(made: Made, sources: dict[str, SourceSection]) -> None:
    prepare(made.hub)
    made.hub.settings = made.hub.settings.model_copy(update={"sources": sources})
    assert rung(made) == []


def test_a_source_that_is_listened_to_is_not_rung_for_polls(made: Made) -> None:
    prepare(made.hub)
    made.hub._made["sources", "lines"] = object()  # type: ignore[assignment]  # no polling source
    assert rung(made) == []


def test_lost_leases_are_taken_back_and_rung_for(made: Made) -> None:
    made.say({"id": "1", "text": "acme"}, {"id": "2", "text": "acme too"})
    process(made.hub)
    made.say({"id": "3", "text": "acme"})
    made.hub.store.inbox.claim(limit=9, now=made.clock())
    made.hub.store.deliveries.claim("memo", size=lambda *_: 9, now=made.clock())
    made.bell.rung.clear()
    sweep(made.hub)
    assert made.bell.rung == []
    made.clock.pass_(seconds=31)
    sweep(made.hub)
    assert (made.bell.rung, made.states()) == ([("process", ""), ("deliver", "memo")], {"uncertain": 2})


def test_what_a_lost_worker_held_lands_after_the_sweep(made: Made) -> None:
    made.say({"id": "1", "text": "acme"})
    made.hub.store.inbox.claim(limit=9, now=made.clock())
    made.clock.pass_(seconds=31)
    sweep(made.hub)
    made.run()
    assert made.states() == {"delivered": 1}


def test_preparing_keeps_the_versions_of_all_that_is_active(made: Made) -> None:
    prepare(made.hub)
    found = made.hub.store.connections.version(made.hub.book.rules.version)
    assert found is not None
    assert json.decode(found["content"], type=tuple[Rule, ...]) == made.hub.book.rules.rules
    for mapping in made.hub.book.mappings.values():
        assert made.hub.store.connections.version(mapping.version) is not None


def test_preparing_twice_lets_cursors_stand(made: Made) -> None:
    prepare(made.hub)
    token, _ = made.hub.store.cursors.claim("lines", now=NOON) or ("", None)
    with made.hub.store.database.write() as conn:
        made.hub.store.cursors.advance(conn, "lines", token, "p7", now=NOON)
    prepare(made.hub)
    assert made.hub.store.cursors.list()[0]["value"] == "p7"
