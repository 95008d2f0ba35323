"""No plugin is called while a transaction is open: what it says is asked before, and what came in since is a conflict."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import msgspec
import pytest

from hub.core.errors import Conflict
from hub.core.keys import signal_key
from hub.core.model import Change, RawItem, Tombstone
from hub.flow.decide.batch import process
from hub.flow.deliver.send import deliver
from hub.flow.erase.erase import erase, take_back_alone
from hub.flow.erase.told import ask_plugins
from hub.sdk.connectors import Page
from tests.hub.flow.desk import POST, Stage
from tests.hub.flow.erase.test_erase import GONE, SECRET, able, leftovers
from tests.hub.flow.erase.test_erase import POST as SECRET_POST
from tests.hubs import NOON, Made
from tests.watched import CalledInTransaction

NewHub = Callable[..., Made]
NewStage = Callable[..., Stage]
RAW = RawItem("lines", "lines", b'{"id": "7", "text": "hello"}', NOON, "7")
STONE = Tombstone(signal_key("lines", "1"), "user_deleted", NOON)
COMMENT = {"id": "2", "text": "acme, same here", "re": "1"}


class Gate:
    """A plugin's method that is held in the middle of its call until it is let go."""

    def __init__(self, cls: type[Any], name: str) -> None:
        self.entered, self.go = threading.Event(), threading.Event()
        plain = getattr(cls, name)

        def held(this: Any, *given: Any) -> Any:
            self.entered.set()
            assert self.go.wait(30)
            return plain(this, *given)

        setattr(cls, name, held)

    @contextmanager
    def while_held(self, work: Callable[[], object]) -> Iterator[None]:
        """Run work in a thread; the block runs while the plugin is in its call."""
        thread = threading.Thread(target=work)
        thread.start()
        try:
            assert self.entered.wait(20), "the plugin was never called"
            yield
        finally:
            self.go.set()
            thread.join(20)


def read(stage: Stage, *items: Mapping[str, Any]) -> None:
    """Posts come in, and nothing is sent yet."""
    raws = [RawItem("talk", "talk", msgspec.json.encode(one), NOON, one["id"]) for one in items]
    stage.hub.store.inbox.add(raws)
    process(stage.hub)


def erasing(stage: Stage) -> tuple[Gate, Callable[[], object]]:
    """A post is erased that opened a ticket which others wait for."""
    read(stage, POST, COMMENT)
    return Gate(stage.talk, "translate"), lambda: erase(stage.hub, [STONE])


def answering(stage: Stage) -> tuple[Gate, Callable[[], object]]:
    """An agent answers."""
    stage.say(POST)
    return Gate(stage.talk, "compose"), lambda: stage.change("reply", text="hi", actor_id="user-kim", part_id="c1")


def sending(stage: Stage) -> tuple[Gate, Callable[[], object]]:
    """A ticket is sent."""
    read(stage, POST)
    return Gate(stage.desk, "batch_size_of"), lambda: deliver(stage.hub, "desk")


@pytest.mark.parametrize("slow", [erasing, answering, sending])
def test_while_a_plugin_takes_its_time_others_write(
    new_stage: NewStage, slow: Callable[[Stage], tuple[Gate, Callable[[], object]]]
) -> None:
    stage = new_stage()
    gate, work = slow(stage)
    with gate.while_held(work):
        assert stage.hub.store.inbox.add([RAW]) == 1
        assert not gate.go.is_set()


@pytest.mark.parametrize("kind", ["read", "write", "borrow"])
def test_a_plugin_that_is_called_within_a_transaction_fails_its_test(new_hub: NewHub, kind: str) -> None:
    made = new_hub()
    source = made.hub.source("lines")
    with getattr(made.hub.store.database, kind)(), pytest.raises(CalledInTransaction):
        source.translate(RAW)
    assert source.translate(RAW)


def test_neither_may_a_plugin_go_on_within_one(new_hub: NewHub) -> None:
    made = new_hub()
    made.source.pages = [Page((), None), Page((), None)]
    pages = iter(made.hub.source("lines").pull(made.hub.source_context("lines"), None))  # type: ignore[attr-defined]
    next(pages)
    with made.hub.store.database.write(), pytest.raises(CalledInTransaction):
        next(pages)


def waiting_ticket(new_hub: NewHub) -> Made:
    """A ticket that is planned, and that a comment waits for."""
    made = able(new_hub(mapping="ticket"))
    made.say(SECRET_POST, COMMENT)
    process(made.hub)
    return made


def test_a_form_that_came_in_since_its_plugin_was_asked_is_a_conflict(new_hub: NewHub) -> None:
    made = waiting_ticket(new_hub)
    told = ask_plugins(made.hub, [STONE])
    made.say({**SECRET_POST, "text": "acme, never mind"})
    process(made.hub)
    with pytest.raises(Conflict):
        take_back_alone(made.hub, [STONE], told)
    assert leftovers(made.hub.store, "never mind")
    erase(made.hub, [STONE])
    assert leftovers(made.hub.store, "never mind") + leftovers(made.hub.store, SECRET) == []


def test_an_edit_and_a_deletion_in_one_batch_leave_neither_text(new_hub: NewHub) -> None:
    made = waiting_ticket(new_hub)
    made.say({**SECRET_POST, "text": "acme, never mind"}, GONE)
    made.run()
    sent = {one.operation: one.fields for batch in made.memo.got for one in batch}
    assert (sent["create"]["text"], sent["comment"]["text"]) == ("(removed)", "acme, same here")
    assert leftovers(made.hub.store, "never mind") + leftovers(made.hub.store, SECRET) == []


def change(kind: Any, number: int, remote_id: str, **values: Any) -> Change:
    """Something that an agent did."""
    return Change(kind, "ticket", remote_id, f"e{number}", actor="Kim", actor_id="user-kim", **values)


def two_tickets(stage: Stage) -> tuple[str, str]:
    """Two conversations with their tickets."""
    stage.say(POST)
    stage.say({"id": "9", "text": "acme elsewhere", "by": "bo", "at": 5})
    first, second = (str(row["remote_id"]) for row in stage.rows("create"))
    return first, second


def test_a_reply_behind_a_merge_in_one_call_answers_what_the_merge_made_of_its_ticket(new_stage: NewStage) -> None:
    stage = new_stage()
    first, second = two_tickets(stage)
    stage.tell(change("merged", 1, second, value=first), change("reply", 2, first, text="we know", part_id="c2"))
    stage.run()
    assert [(one.to.native_id, one.text) for one in stage.talk.posted] == [("9", "we know")]


def test_what_comes_after_such_a_reply_keeps_its_place(new_stage: NewStage) -> None:
    stage = new_stage()
    first, second = two_tickets(stage)
    merge = change("merged", 1, second, value=first)
    replies = [change("reply", number, first, text=f"part {number}", part_id=f"c{number}") for number in (2, 3)]
    stage.tell(merge, *replies, change("status", 4, first, value="solved"))
    stage.run()
    assert [one.text for one in stage.talk.posted] == ["part 2", "part 3"]
    assert [state for state, _ in stage.heard()] == ["done"] * 4


def test_how_many_records_go_at_once_is_asked_once_for_each_kind(new_hub: NewHub) -> None:
    made, asked = new_hub(mapping="said", batch=1), list[tuple[str, str]]()

    def batch_size_of(_: Any, object_: str, operation: str) -> int:
        asked.append((object_, operation))
        return 1

    made.memo.batch_size_of = batch_size_of  # type: ignore[method-assign]  # a destination of its own
    made.say(*({"id": str(number), "text": "acme", "by": f"by{number}"} for number in range(3)))
    made.run()
    assert (sorted(asked), made.states()) == ([("person", "upsert"), ("said", "upsert")], {"delivered": 6})
