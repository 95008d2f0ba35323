"""One who sees a part of the hub: what is hidden is neither told nor touched."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace as with_

from hub.core.access import EVERYTHING, HUB, Actor, NotAllowed, Role, Sight, may
from hub.core.errors import Rejected
from hub.core.keys import author_key, signal_key
from hub.flow.actions import deliveries, erasures, people, replies, signals
from hub.flow.actions.deliveries import Letters
from hub.flow.views import connectors, conversations, health, status
from hub.flow.views import deliveries as delivery_views
from hub.flow.views import erasures as erasure_views
from hub.flow.views import replies as reply_views
from hub.flow.views import signals as signal_views
from hub.flow.views.erasures import NothingToErase
from hub.flow.views.explain import explain
from hub.store.monitor.alerts import Kept
from tests.hub.flow.actions.scenes import GROUND, with_dead, with_reply
from tests.hub.flow.desk import Stage
from tests.hubs import Made, change_rules

NewHub = Callable[..., Made]
NewStage = Callable[..., Stage]
SPACE = Sight(frozenset({"elsewhere"}))
MINE, HIDDEN = signal_key("lines", "1"), signal_key("lines", "2")
ANA, ZOE = author_key("lines", "ana"), author_key("lines", "zoe_quill")
LAST = """
[[rule]]
name = "last"
when = ['person.last_url != "x"', 'signal.text.contains("acme")']
deliver = [{ destination = "memo", mapping = "note" }]
"""


def of_a_part(role: Role = "manager", source: str = "lines") -> Actor:
    """One who sees a single source."""
    return Actor("kim", "console", role, Sight(frozenset({source})).for_role(role))


def viewer() -> Actor:
    """One who sees all sources, neither names nor direct messages."""
    return Actor("vi", "console", "viewer", EVERYTHING.for_role("viewer"))


@pytest.fixture
def made(new_hub: NewHub) -> Made:
    """A hub with two sources that ana is heard by, and zoe by the hidden one."""
    made = new_hub()
    both = dict.fromkeys(("lines", "hidden"), made.hub.settings.sources["lines"])
    made.hub.settings = made.hub.settings.model_copy(update={"sources": both})
    made.say({"id": "1", "text": "acme, says zoe quill", "by": "ana", "named": "Ana Berg", "re": "2"})
    made.say({"id": "2", "text": "acme", "by": "zoe_quill", "named": "Zoe Quill"}, source="hidden")
    made.say({"id": "3", "text": "acme too", "by": "ana", "named": "Ana Berg"}, source="hidden")
    made.run()
    return made


# ---------------------------------------------------------------------------------------------------------- touched


def test_a_reply_that_is_not_seen_is_neither_listed_nor_let_out_nor_refused(new_stage: NewStage) -> None:
    hub, number = with_reply(new_stage)
    kim = Actor("kim", "console", "manager", SPACE)
    assert reply_views.waiting(hub, kim) == []
    with pytest.raises(replies.NotWaiting):
        replies.approve(hub, kim, [number])
    with pytest.raises(replies.NotWaiting):
        replies.refuse(hub, kim, [number], note="no")
    assert [row["id"] for row in hub.store.outbox.matching(["approval"])] == [number]


def test_one_who_writes_drafts_lets_no_reply_out(new_stage: NewStage) -> None:
    hub, number = with_reply(new_stage)
    bea = Actor("bea", "console", "agent", drafts_only=True)
    assert not may(bea, "replies.approve")
    with pytest.raises(NotAllowed, match="another one lets replies out"):
        replies.approve(hub, bea, [number])
    with pytest.raises(NotAllowed):
        deliveries.retry(hub, with_(bea, role="manager"), Letters(), ids=[number])


@pytest.mark.parametrize("by_number", [True, False])
def test_only_raw_items_that_are_seen_are_taken_up_again(made: Made, by_number: bool) -> None:
    made.say({"broken": 1})
    made.say({"broken": 2}, source="hidden")
    made.run()
    numbers = [row["id"] for row in made.hub.store.inbox.failed()] if by_number else None
    assert signals.retry(made.hub, of_a_part(), numbers) == 1
    assert [row["connection"] for row in made.hub.store.inbox.failed()] == ["hidden"]


def test_a_pause_does_not_end_by_who_sees_nothing_that_waits_there(new_hub: NewHub) -> None:
    made = with_dead(new_hub)
    assert deliveries.retry(made.hub, Actor("kim", "console", "manager", SPACE), Letters(destination="memo")) == 0
    assert list(made.hub.store.connections.paused(now=made.clock())) == ["memo"]


def test_an_author_is_erased_by_one_who_sees_all(made: Made) -> None:
    with pytest.raises(NotAllowed, match="ask one who sees all"):
        erasures.erase(made.hub, of_a_part(), ANA)
    for key in (ZOE, HIDDEN, "no-key"):
        with pytest.raises(NothingToErase):
            erasures.erase(made.hub, of_a_part(), key)
    assert erasures.erase(made.hub, of_a_part(), MINE) == MINE


def test_an_author_that_is_not_seen_is_linked_to_no_person_as_one_that_is_not_there(made: Made) -> None:
    ada = people.add(made.hub, HUB, "Ada").key
    people.link(made.hub, HUB, ZOE, ada, ground=GROUND)
    kim, told = of_a_part("agent"), set()
    for key in (ZOE, author_key("lines", "none")):
        for act in (people.unlink, lambda *args: people.link(*args, ada, ground=GROUND)):
            with pytest.raises(NotAllowed) as refused:
                act(made.hub, kim, key)
            told.add(str(refused.value).replace(key, "KEY"))
    assert told == {"kim sees nothing by KEY"}
    people.link(made.hub, kim, ANA, people.add(made.hub, HUB, "Bo").key, ground=GROUND)


# ------------------------------------------------------------------------------------------------------------- told


def test_receipts_of_an_author_are_those_of_signals_that_are_seen(made: Made) -> None:
    erasures.erase(made.hub, HUB, ANA)
    made.run()
    whole = {row["signal"] for row in erasure_views.receipts(made.hub, HUB, ANA)}
    assert {row["signal"] for row in erasure_views.receipts(made.hub, of_a_part(), ANA)} == whole - {
        signal_key("lines", "3")
    }
    assert signal_key("lines", "3") in whole


def test_a_ticket_that_a_hidden_signal_opened_has_no_link(new_stage: NewStage) -> None:
    stage = new_stage()
    stage.say({"id": "1", "text": "acme broke"})
    stage.run()
    key = signal_key("lines", "1")
    with stage.hub.store.database.read() as conn:
        assert stage.hub.store.outbox.ticket_urls(conn, [key], sight=SPACE) == {}
    assert conversations.ticket(stage.hub, Actor("kim", "console", "agent", SPACE), key) is None


@pytest.mark.parametrize("lane", ["hidden", "sources/hidden", "recheck/hidden"])
def test_alerts_of_a_hidden_source_are_hidden_whatever_its_lane(made: Made, lane: str) -> None:
    found = Kept(f"poll:{lane}", "warning", f"{lane} broke", made.clock(), is_known=True)
    made.hub.store.alerts.change(lambda book: kept_beside(book, found))
    assert [one["key"] for one in health.alerts(made.hub, HUB)] == [found.key]
    assert health.alerts(made.hub, of_a_part()) == []


def kept_beside(book: Any, one: Kept) -> Any:
    return {**book, one.key: one}


def test_what_a_vendor_said_of_a_person_is_masked_in_alerts_and_health(made: Made) -> None:
    token = made.hub.store.cursors
    token.declare(["lines"], now=made.clock())
    claimed = token.claim("lines", now=made.clock())
    assert claimed is not None
    due = made.clock() + timedelta(minutes=5)
    token.release("lines", claimed[0], due_at=due, now=made.clock(), error="no account ana@mail.example")
    (shown,) = health.health(made.hub, viewer())["failing"]
    assert (shown["source"], shown["error"]) == ("lines", "no account a***@...")
    assert health.health(made.hub, HUB)["failing"][0]["error"] == "no account ana@mail.example"


def test_replies_of_a_hidden_source_are_no_outlet(made: Made) -> None:
    assert "sources/hidden" not in connectors.outlets(made.hub, of_a_part())
    assert "memo" in connectors.outlets(made.hub, of_a_part())


def test_the_status_of_the_whole_hub_is_for_who_sees_it(made: Made) -> None:
    assert status.status(made.hub, HUB).now
    with pytest.raises(NotAllowed, match="sees a part"):
        status.status(made.hub, of_a_part("admin"))


def test_an_explanation_tells_no_last_word_of_a_hidden_source(made: Made) -> None:
    ada = people.add(made.hub, HUB, "Ada").key
    people.link(made.hub, HUB, ANA, ada, ground=GROUND)
    made.clock.pass_(minutes=5)
    made.say({"id": "4", "text": "acme", "by": "ana", "url": "https://hidden.example/4"}, source="hidden")
    made.run()
    change_rules(made, LAST)
    made.say({"id": "5", "text": "acme again", "by": "ana", "ago": 60})
    made.run()

    def read(actor: Actor) -> Any:
        found = explain(made.hub, actor, signal_key("lines", "5"))
        assert found is not None
        return found.rules[0].conditions[0].read["person.last_url"]

    assert read(of_a_part()) is None
    assert read(HUB) is not None


# ------------------------------------------------------------------------------------------------------------ named


def test_names_of_those_nearby_are_masked_in_a_signal_and_in_its_deliveries(made: Made) -> None:
    made.memo.answer = staticmethod(lambda _: Rejected("no contact Zoe Quill of Ana Berg"))  # type: ignore[assignment]  # a function in a class
    made.say({"id": "6", "text": "acme: Zoe Quill is right", "by": "ana", "named": "Ana Berg", "re": "2"})
    made.run()
    key = signal_key("lines", "6")
    one = signal_views.one(made.hub, viewer(), key)
    listed = delivery_views.page(made.hub, viewer(), limit=9, signal_key=key)
    assert one is not None
    assert one["text"] == "acme: Z. Q. is right"
    assert listed[0]["error"]["message"] == "no contact Z. Q. of A. B."
    assert "Quill" not in str(one)
    assert "Berg" not in str((one, listed))


def test_the_person_behind_an_author_is_masked_too(made: Made) -> None:
    people.link(made.hub, HUB, ANA, people.add(made.hub, HUB, "Anastasia Bergmann").key, ground=GROUND)
    made.say({"id": "7", "text": "acme, Anastasia Bergmann here", "by": "ana", "named": "A"})
    made.run()
    shown = signal_views.one(made.hub, viewer(), signal_key("lines", "7"))
    assert shown is not None
    assert shown["text"] == "acme, A. B. here"


def test_receipts_and_replies_are_masked(made: Made) -> None:
    made.memo.answer = staticmethod(lambda _: Rejected("Ana Berg is gone"))  # type: ignore[assignment]  # a function in a class
    erasures.erase(made.hub, HUB, MINE)
    made.run()
    shown = signal_views.one(made.hub, viewer(), MINE)
    assert shown is not None
    assert "Berg" not in str(shown["erasure"])
