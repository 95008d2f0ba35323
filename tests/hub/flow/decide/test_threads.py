"""Root and replies in any order are one conversation with one ticket."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from hub.core.errors import Conflict
from hub.core.keys import signal_key
from hub.core.model import Ignored, RawItem, Translated
from hub.flow.decide.batch import decide_batch, process
from hub.flow.decide.translate import read_rows
from hub.flow.decide.write import write
from hub.store import Store
from tests.databases import Databases
from tests.hubs import LineSource, Made, make_hub

NewHub = Callable[..., Made]
THREAD = (
    {"id": "root", "text": "acme"},
    {"id": "a", "text": "acme a", "re": "root"},
    {"id": "b", "text": "acme b", "re": "a"},
)


def key(name: str) -> str:
    return signal_key("lines", name)


def conversations(made: Made) -> set[str]:
    rows = made.hub.store.signals.recent(limit=100)
    assert all(row["signal"].conversation_key == row["conversation_key"] for row in rows)
    return {row["conversation_key"] for row in rows}


def ledger(made: Made) -> list[tuple[str, str]]:
    rows = reversed(made.hub.store.outbox.recent(limit=100))
    return sorted((row["operation"], row["state"]) for row in rows)


def parents_of_comments(made: Made) -> list[str]:
    return [one.parents["conversation"].id for batch in made.memo.got for one in batch if one.operation == "comment"]


@pytest.mark.parametrize("order", list(permutations(THREAD)), ids=lambda order: "-".join(one["id"] for one in order))
def test_any_order_gives_one_conversation_and_one_ticket(new_hub: NewHub, order: Sequence[dict[str, Any]]) -> None:
    made = new_hub(mapping="ticket")
    for item in order:
        made.say(item)
        process(made.hub)
    made.run()
    assert conversations(made) == {key("root")}
    assert made.states() == {"delivered": 3} | ({"discarded": 1} if made.states().get("discarded") else {})
    delivered = [operation for operation, state in ledger(made) if state == "delivered"]
    assert delivered == ["comment", "comment", "create"]


def test_a_ticket_that_was_opened_before_the_parent_came_takes_the_roots_words_as_a_comment(new_hub: NewHub) -> None:
    made = new_hub(mapping="ticket")
    for item in (THREAD[2], THREAD[1], THREAD[0]):
        made.say(item)
        made.run()
    (opened,) = [one for batch in made.memo.got for one in batch if one.operation == "create"]
    assert (opened.signal_key, conversations(made)) == (key("b"), {key("root")})
    assert set(parents_of_comments(made)) == {f"r-{opened.record_key[-6:]}"}
    assert len(parents_of_comments(made)) == 2


def test_a_ticket_in_flight_is_found_under_the_joined_conversation(new_hub: NewHub) -> None:
    made = new_hub(mapping="ticket")
    made.say(THREAD[2])
    process(made.hub)
    deliveries = made.hub.store.deliveries
    claim = deliveries.claim("memo", size=lambda *_: 1, now=made.clock())
    assert claim is not None
    made.say(THREAD[1])
    process(made.hub)
    made.clock.pass_(minutes=1)
    deliveries.expire(now=made.clock())
    made.run()
    assert [state for _, state in ledger(made)] == ["delivered", "delivered"]
    assert len(parents_of_comments(made)) == 1


def test_two_tickets_that_were_both_sent_stay_and_the_roots_one_goes_on(new_hub: NewHub) -> None:
    made = new_hub(mapping="ticket")
    for item in (THREAD[2], THREAD[0], THREAD[1]):
        made.say(item)
        made.run()
    assert conversations(made) == {key("root")}
    assert [operation for operation, _ in ledger(made)] == ["comment", "create", "create"]
    assert parents_of_comments(made) == [f"r-{key('root')[-6:]}"]


def test_posts_that_answer_each_other_end_in_one_conversation(new_hub: NewHub) -> None:
    made = new_hub(mapping="ticket")
    circle = [("x", "y"), ("y", "z"), ("z", "x"), ("self", "self")]
    for name, parent in circle:
        made.say({"id": name, "text": "acme", "re": parent})
        process(made.hub)
    assert len(conversations(made)) == 2


class LocalSource(LineSource):
    """A network whose items name their parent by a local id only."""

    def translate(self, raw: RawItem) -> Translated | Ignored:
        said = super().translate(raw)
        if isinstance(said, Translated) and said.signals:
            (signal,) = said.signals
            parent = signal.in_reply_to and f"local:{signal.in_reply_to}"
            local = replace(signal, in_reply_to=None, parent_alias=parent, aliases=(f"local:{signal.key}",))
            return Translated((local,), said.authors)
        return said


def local_hub(store: Store, folder: Path) -> Made:
    made = make_hub(store, folder, mapping="ticket")
    made.source.translate = LocalSource.translate  # type: ignore[method-assign]  # a class made for this test
    made.source.__bases__ = (LocalSource,)
    return made


class RootedSource(LineSource):
    """A network that calls a post by one name, and its conversation by another name of the root."""

    def translate(self, raw: RawItem) -> Translated | Ignored:
        said = super().translate(raw)
        assert isinstance(said, Translated)
        (signal,) = said.signals
        if signal.in_reply_to is None:
            return replace(said, signals=(replace(signal, aliases=(f"page:{signal.key}",)),))
        return replace(said, signals=(replace(signal, conversation_key=f"page:{signal.in_reply_to}"),))


@pytest.mark.parametrize("order", list(permutations(THREAD[:2])), ids=lambda order: order[0]["id"])
def test_a_conversation_may_go_by_another_name_of_its_root(new_hub: NewHub, order: Sequence[dict[str, Any]]) -> None:
    made = new_hub(mapping="ticket")
    made.source.translate = RootedSource.translate  # type: ignore[method-assign]  # a class made for this test
    made.source.__bases__ = (RootedSource,)
    for item in order:
        made.say(item)
        process(made.hub)
    assert conversations(made) == {key("root")}
    assert made.hub.store.inbox.counts() == {"done": 2}


TREE = [("root", None), ("a", "root"), ("b", "a"), ("c", "root"), ("d", "b")]


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(order=st.permutations(TREE), cuts=st.sets(st.integers(1, 4)))
@example(order=[("d", "b"), ("c", "root"), ("b", "a"), ("root", None), ("a", "root")], cuts={2})
def test_local_ids_make_one_conversation_in_any_order_and_any_batches(
    tmp_path_factory: pytest.TempPathFactory, databases: Databases, order: list[tuple[str, str | None]], cuts: set[int]
) -> None:
    folder = tmp_path_factory.mktemp("hub")
    made = local_hub(databases.open(databases.sqlite(folder / "hub.db")), folder)
    for number, (name, parent) in enumerate(order):
        if number in cuts:
            process(made.hub)
        made.say({"id": name, "text": "acme", **({"re": parent} if parent else {})})
    made.run()
    assert conversations(made) == {key("root")}
    told = {row["key"]: row["signal"].in_reply_to for row in made.hub.store.signals.recent(limit=10)}
    assert sorted(state for _, state in ledger(made) if state == "delivered") == ["delivered"] * 5
    assert [operation for operation, state in ledger(made) if state == "delivered"].count("create") == 1
    assert told[key("root")] is None
    made.hub.close()


def decided(made: Made) -> tuple[str, Any, Any]:
    """A batch that is claimed and decided, and not yet written."""
    token, rows = made.hub.store.inbox.claim(limit=10, now=made.clock())
    read = read_rows(made.hub, rows)
    return token, read, decide_batch(made.hub, read.signals, read.authors)


@pytest.mark.parametrize(("first", "second"), [(THREAD[1], THREAD[2]), (THREAD[2], THREAD[1])])
def test_two_workers_do_not_overlook_each_others_posts(
    new_hub: NewHub, first: dict[str, Any], second: dict[str, Any]
) -> None:
    made = new_hub(mapping="ticket")
    made.say(first)
    one = decided(made)
    made.say(second)
    other = decided(made)
    write(made.hub, *one)
    with pytest.raises(Conflict):
        write(made.hub, *other)
    token, read, _ = other
    write(made.hub, token, read, decide_batch(made.hub, read.signals, read.authors))
    assert conversations(made) == {key("root")}
    made.run()
    assert made.states() == {"delivered": 2}
