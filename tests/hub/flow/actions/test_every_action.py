"""Every action: allowed, done and audited in one transaction, or nothing at all."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import pytest

from hub.core.access import TABLE, Actor, NotAllowed
from hub.store import Connection
from hub.store.audit import Audit, AuditEntry
from tests.hub.flow.actions.scenes import SCENES, contents
from tests.hub.flow.desk import Stage
from tests.hubs import Made

NewHub = Callable[..., Made]
NewStage = Callable[..., Stage]
KIM = Actor("kim", "console", "admin")
ELSEWHERE = {"backups.restore"}
"""What is done to a database that is not there yet: see tests/hub/flow/backup."""
EVERY = pytest.mark.parametrize("name", sorted(SCENES))


class Killed(BaseException):
    """The process ends here."""


class Fatal(Audit):
    """An audit log whose first entry is the last thing that its process does."""

    def note_in(self, conn: Connection, entry: AuditEntry, *, now: datetime) -> None:
        super().note_in(conn, entry, now=now)
        raise Killed


def test_every_action_of_the_table_has_its_scene() -> None:
    assert sorted(SCENES) == sorted(name for name in TABLE if not name.endswith(".see") and name not in ELSEWHERE)


@EVERY
def test_an_action_leaves_an_entry_with_its_actors_name(new_hub: NewHub, new_stage: NewStage, name: str) -> None:
    hub, act = SCENES[name](new_hub, new_stage)
    before = len(hub.store.audit.recent(limit=100))
    act(KIM)
    entries = hub.store.audit.recent(limit=100)
    fresh = entries[: len(entries) - before]
    assert [entry["actor"] for entry in fresh] == ["kim"]
    assert fresh[0]["subject"]


@EVERY
def test_a_kill_between_leaves_neither_the_change_nor_its_entry(
    new_hub: NewHub, new_stage: NewStage, name: str
) -> None:
    hub, act = SCENES[name](new_hub, new_stage)
    before = contents(hub.store)
    hub.store.audit = Fatal(hub.store.database)
    with pytest.raises(Killed):
        act(KIM)
    assert contents(hub.store) == before


@EVERY
def test_who_may_not_changes_nothing(new_hub: NewHub, new_stage: NewStage, name: str) -> None:
    hub, act = SCENES[name](new_hub, new_stage)
    before = contents(hub.store)
    # What each role may do is refused to a key that is not made for it.
    scopes = frozenset[str]() if "viewer" in TABLE[name] else None
    with pytest.raises(NotAllowed, match=name):
        act(Actor("vi", "console", "viewer", scopes=scopes))
    assert contents(hub.store) == before
