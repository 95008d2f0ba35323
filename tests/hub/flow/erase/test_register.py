"""The register of erasures: outside the database, so that a restore applies again what was erased since the backup."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import delete

from hub.core.access import HUB
from hub.core.keys import author_key, signal_key
from hub.flow.actions.erasures import erase
from hub.flow.erase.register import Erased, RegisterUnavailable, note, read, reapply
from hub.store.schema import metadata
from tests.hub.flow.erase.test_erase import able, leftovers, taken_back
from tests.hubs import NOON, Made

NewHub = Callable[..., Made]
EVE = author_key("lines", "eve")
OLD = {"id": "1", "text": "acme lost my heirloom teapot", "by": "eve"}


def file_of(made: Made) -> Path:
    return made.hub.settings.erasures


@pytest.fixture
def made(new_hub: NewHub) -> Made:
    """A hub that has delivered a post of Eve's."""
    made = able(new_hub(mapping="said"))
    made.say(OLD)
    made.run()
    return made


def restore_before(made: Made) -> None:
    """The database is again what it was before Eve was erased, in another world."""
    with made.hub.store.database.write() as conn:
        for table in reversed(metadata.sorted_tables):
            conn.execute(delete(table))
    made.say(OLD)
    made.run()
    made.memo.got.clear()


def test_an_erasure_is_kept_by_key_and_time_and_nothing_else(made: Made) -> None:
    erase(made.hub, HUB, EVE)
    assert read(made.hub) == [Erased(EVE, NOON), Erased(signal_key("lines", "1"), NOON)]
    assert file_of(made).read_text("utf-8").splitlines()[0] == f'{{"key":"{EVE}","at":"2026-11-22T12:00:00Z"}}'
    assert stat.S_IMODE(file_of(made).stat().st_mode) == 0o600


def test_what_a_restore_brought_back_is_erased_again_also_at_destinations(made: Made) -> None:
    erase(made.hub, HUB, EVE)
    restore_before(made)
    assert {one.key for one in reapply(made.hub)} == {EVE, signal_key("lines", "1")}
    made.run()
    assert {one.record_key for one in taken_back(made)} == {EVE, signal_key("lines", "1")}
    assert leftovers(made.hub.store, "heirloom") == leftovers(made.hub.store, "eve") == []


def test_what_the_backup_did_not_have_does_not_come_back_from_its_source(made: Made) -> None:
    erase(made.hub, HUB, EVE)
    with made.hub.store.database.write() as conn:
        for table in reversed(metadata.sorted_tables):
            conn.execute(delete(table))
    reapply(made.hub)
    made.clock.pass_(hours=1)
    made.say(OLD)
    made.run()
    assert leftovers(made.hub.store, "heirloom") == []


def test_what_the_database_knows_is_not_erased_again(made: Made) -> None:
    erase(made.hub, HUB, EVE)
    made.run()
    made.clock.pass_(hours=1)
    made.say({"id": "2", "text": "acme, new words", "by": "eve"})
    made.run()
    assert reapply(made.hub) == []
    assert leftovers(made.hub.store, "new words") != []


def test_a_line_that_a_crash_has_cut_hides_no_other(made: Made) -> None:
    note(made.hub, "lines:a", NOON)
    with file_of(made).open("ab") as file:
        file.write(b'{"key":"lines:b","at":"20')
    note(made.hub, "lines:c", NOON)
    assert [one.key for one in read(made.hub)] == ["lines:a", "lines:c"]


def test_nothing_is_erased_if_the_register_cannot_be_written(made: Made) -> None:
    file_of(made).mkdir(parents=True)
    with pytest.raises(RegisterUnavailable, match=r"nothing was erased.*hub\.erasures"):
        erase(made.hub, HUB, EVE)
    assert leftovers(made.hub.store, "heirloom") != []


def test_the_register_may_stand_elsewhere(made: Made, tmp_path: Path) -> None:
    hub = made.hub.settings.hub.model_copy(update={"erasures": "shared/erased.jsonl"})
    made.hub.settings = made.hub.settings.model_copy(update={"hub": hub})
    erase(made.hub, HUB, EVE)
    assert (tmp_path / "shared" / "erased.jsonl").exists()
