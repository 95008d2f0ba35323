"""Rules, topics and mappings are in force when they are activated: checked, stored, the same for all processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hub.core.access import at_terminal
from hub.core.errors import ConfigError
from hub.flow.actions.rules import activate
from hub.flow.activation import activate_or_keep, begin
from hub.runtime import Hub
from tests.databases import Databases
from tests.hubs import RULES, Made, make_hub
from tests.logs import captured

NewHub = Callable[..., Made]
ANN = at_terminal("ann")
OTHER = RULES.format(mapping="ticket")
HALF = '[[rule]]\nname = "brand"\nwhen = [\'"acme" in top'


@pytest.fixture
def made(new_hub: NewHub) -> Made:
    return new_hub()


@pytest.fixture
def twin(made: Made, database_url: str, databases: Databases) -> Iterator[Hub]:
    """Another process of the same hub."""
    text = rules_of(made).read_text()
    other = make_hub(databases.open(database_url), made.hub.settings.folder).hub
    rules_of(made).write_text(text)
    yield other
    other.close()


def rules_of(made: Made) -> Path:
    file: Path = made.hub.settings.folder / "rules.toml"
    return file


def restarted(made: Made) -> Hub:
    """The same process, started again."""
    made.hub.__dict__.pop("book", None)
    made.hub.activation = None
    begin(made.hub)
    return made.hub


def mapping_of(hub: Hub) -> str:
    return hub.book.rules.rules[0].deliver[0].mapping


def test_the_first_start_activates_what_is_there(made: Made) -> None:
    begin(made.hub)
    current = made.hub.store.activations.current()
    assert current is not None
    assert (current.actor, current.book.rules) == ("hub", made.hub.book.rules.version)


def test_a_change_of_a_file_is_in_force_once_it_is_activated(made: Made) -> None:
    begin(made.hub)
    rules_of(made).write_text(OTHER)
    assert mapping_of(restarted(made)) == "note"
    assert activate(made.hub, ANN).changed == ("rules",)
    assert mapping_of(made.hub) == "ticket"
    assert mapping_of(restarted(made)) == "ticket"


def test_another_process_takes_it_up_between_two_pieces_of_work(made: Made, twin: Hub) -> None:
    begin(made.hub)
    begin(twin)
    rules_of(made).write_text(OTHER)
    activate(made.hub, ANN)
    assert mapping_of(twin) == "note"
    assert (twin.take_up(), twin.take_up()) == (True, False)
    assert (mapping_of(twin), twin.activation) == ("ticket", made.hub.activation)


def test_what_is_active_decides_as_what_was_read(made: Made, twin: Hub) -> None:
    activate(made.hub, ANN)
    book = twin.book
    assert book.rules.version == made.hub.book.rules.version
    assert book.topics.version == made.hub.book.topics.version
    assert {name: one.version for name, one in book.mappings.items()} == {
        name: one.version for name, one in made.hub.book.mappings.items()
    }


def test_of_two_activations_at_once_the_newer_files_hold(
    made: Made, twin: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    activate(made.hub, ANN)
    read, newer = made.hub.read_files, OTHER.replace('"brand"', '"newer"')

    def overtaken() -> object:
        monkeypatch.setattr(made.hub, "read_files", read)
        found = made.hub.read_files()
        rules_of(made).write_text(newer)
        activate(twin, ANN)
        return found

    monkeypatch.setattr(made.hub, "read_files", overtaken)
    rules_of(made).write_text(OTHER)
    assert (activate(made.hub, ANN).changed, made.hub.take_up()) == ((), True)
    assert [one.name for one in made.hub.book.rules.rules] == ["newer"]


@pytest.mark.parametrize("text", [HALF, None, '[[rule]]\nname = "r"\nwhen = ["signal.txt == 1"]\n'])
def test_a_file_with_errors_is_refused_and_what_is_active_stays(made: Made, text: str | None) -> None:
    begin(made.hub)
    rules_of(made).unlink() if text is None else rules_of(made).write_text(text)
    with pytest.raises(ConfigError):
        activate(made.hub, ANN)
    assert mapping_of(made.hub) == "note"
    assert len(made.hub.store.audit.recent()) == 1


def test_a_worker_that_starts_again_while_a_file_is_half_written_runs_what_is_active_and_says_so(made: Made) -> None:
    begin(made.hub)
    rules_of(made).write_text(HALF)
    with captured() as lines:
        assert mapping_of(restarted(made)) == "note"
    assert [line["event"] for line in lines] == [
        "the files of rules, topics and mappings have errors: what is active runs"
    ]


def test_a_worker_says_that_the_files_differ_from_what_is_active(made: Made) -> None:
    begin(made.hub)
    rules_of(made).write_text(OTHER)
    with captured() as lines:
        restarted(made)
    assert [(line["event"], line["changed"]) for line in lines] == [
        ("files differ from what is active: `hub reload` activates them", ["rules"])
    ]


def test_the_start_of_hub_up_activates_the_files(made: Made) -> None:
    begin(made.hub)
    rules_of(made).write_text(OTHER)
    assert activate_or_keep(made.hub, ANN) == ""
    assert mapping_of(made.hub) == "ticket"


def test_the_start_of_hub_up_keeps_what_is_active_if_the_files_have_errors_and_says_so(made: Made) -> None:
    begin(made.hub)
    rules_of(made).write_text(HALF)
    assert "NOT ACTIVATED" in activate_or_keep(made.hub, ANN)
    assert mapping_of(made.hub) == "note"


def test_a_first_start_with_errors_is_refused(made: Made) -> None:
    rules_of(made).write_text(HALF)
    with pytest.raises(ConfigError):
        activate_or_keep(made.hub, ANN)


def test_a_comment_activates_nothing_and_the_files_are_the_same_again(made: Made) -> None:
    begin(made.hub)
    rules_of(made).write_text(rules_of(made).read_text() + "# a word\n")
    done = activate(made.hub, ANN)
    current = made.hub.store.activations.current()
    assert current is not None
    assert (done.changed, current.id) == ((), done.id)


def test_a_mapping_that_changes_is_named_in_the_audit(made: Made) -> None:
    begin(made.hub)
    file = made.hub.settings.folder / "mappings" / "memo" / "note.toml"
    file.write_text(file.read_text().replace("signal.text", "signal.lang"))
    activate(made.hub, ANN)
    entry = made.hub.store.audit.recent()[0]
    assert (entry["action"], entry["actor"], entry["detail"]["changed"]) == ("activate", "ann", ["mapping memo/note"])


def test_what_this_program_cannot_compile_is_told_once_and_the_old_stays(made: Made, twin: Hub) -> None:
    begin(twin)
    rules_of(made).write_text(OTHER)
    activate(made.hub, ANN)
    with made.hub.store.database.write() as conn:
        conn.exec_driver_sql("DELETE FROM versions WHERE kind = 'topics'")
    with captured() as lines:
        assert (twin.take_up(), twin.take_up()) == (False, False)
    assert [line["event"] for line in lines] == ["what was activated cannot be used here: what was active before stays"]
    assert mapping_of(twin) == "note"
