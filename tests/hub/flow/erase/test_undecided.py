"""An erasure does not wait for somebody who looks into a doubt, where the hub can look itself; else it says so aloud."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import delete, insert, select, update

from hub.core.access import HUB
from hub.core.errors import Conflict, ConnectorError, Rejected, Unavailable, Uncertain
from hub.core.keys import signal_key
from hub.core.model import Delivery, RemoteRef, Tombstone
from hub.flow.actions.deliveries import Letters, discard
from hub.flow.decide.batch import process
from hub.flow.deliver.send import deliver_batch
from hub.flow.erase.erase import erase, finish
from hub.flow.erase.forgotten import NEVER_THERE
from hub.flow.monitor.alerts import judge
from hub.flow.monitor.snapshot import look
from hub.flow.views.erasures import receipts
from hub.sdk.connectors import Idempotency, Lookup, Native, NoIdempotency, Upsert
from hub.store.schema import deliveries, needs, refs
from tests.hub.flow.erase.test_erase import able, leftovers, states, taken_back
from tests.hubs import Made

NewHub = Callable[..., Made]
POST = {"id": "1", "text": "acme lost my heirloom teapot"}
KEY = signal_key("lines", "1")


def in_doubt(new_hub: NewHub, *, mapping: str, idempotency: Idempotency) -> tuple[Made, Delivery]:
    """A write of which nobody knows what became of it."""
    made = able(new_hub(mapping=mapping, idempotency=idempotency))
    made.memo.answer = lambda one: Uncertain("no answer")
    made.say(POST)
    process(made.hub)
    deliver_batch(made.hub, "memo")
    made.memo.answer = None
    return made, made.memo.got[0][0]


def left_to_a_person(new_hub: NewHub, *, mapping: str, idempotency: Idempotency) -> tuple[Made, Delivery]:
    """The same, in review."""
    made, sent = in_doubt(new_hub, mapping=mapping, idempotency=idempotency)
    with made.hub.store.database.write() as conn:
        conn.execute(update(deliveries).values(state="review", error={"message": "tried too often"}))
    return made, sent


def forget(made: Made) -> None:
    erase(made.hub, [Tombstone(KEY, "erasure", made.clock())])
    made.run()
    made.clock.pass_(minutes=1)  # a search may lag
    made.run()


def let_go_on(new_hub: NewHub, *, mapping: str, idempotency: Idempotency) -> tuple[Made, Delivery]:
    """The same, after a person has decided that it goes on."""
    made, sent = left_to_a_person(new_hub, mapping=mapping, idempotency=idempotency)
    assert made.hub.store.outbox.retry(None, now=made.clock()) == 1
    return made, sent


@pytest.mark.parametrize("was_there", [True, False])
@pytest.mark.parametrize("idempotency", [Lookup(timedelta()), Native(timedelta(hours=2))], ids=["lookup", "native"])
@pytest.mark.parametrize("stand", [in_doubt, left_to_a_person, let_go_on])
def test_a_doubt_is_looked_into_before_it_is_given_up_and_never_repeated(
    new_hub: NewHub, stand: Callable[..., tuple[Made, Delivery]], idempotency: Idempotency, *, was_there: bool
) -> None:
    made, sent = stand(new_hub, mapping="ticket", idempotency=idempotency)
    made.memo.found = {sent.key: RemoteRef("t-1")} if was_there else {}
    forget(made)
    assert [one.ref for one in taken_back(made)] == ([RemoteRef("t-1")] if was_there else [])
    ended = "delivered" if was_there else "discarded"
    assert (states(made), len(made.memo.got)) == ({"create": ended, "tombstone": ended}, 2 if was_there else 1)
    (receipt,) = receipts(made.hub, HUB, KEY)
    assert was_there or receipt["error"] == {"message": NEVER_THERE}
    assert finish(made.hub) == 1


def test_a_doubt_at_a_destination_that_is_not_configured_any_more_ends_with_a_receipt_that_says_so(
    new_hub: NewHub,
) -> None:
    made, _ = let_go_on(new_hub, mapping="ticket", idempotency=Lookup(timedelta()))
    made.hub.settings = made.hub.settings.model_copy(update={"destinations": {}})
    erase(made.hub, [Tombstone(KEY, "erasure", made.clock())])
    assert states(made) == {"create": "discarded", "tombstone": "dead"}
    assert "not configured any more" in receipts(made.hub, HUB, KEY)[0]["error"]["message"]


def test_a_destination_that_cannot_tell_how_it_finds_records_does_not_keep_a_post(new_hub: NewHub) -> None:
    made, _ = left_to_a_person(new_hub, mapping="ticket", idempotency=Lookup(timedelta()))

    def broken(*_: object) -> Idempotency:
        raise KeyError("ticket")

    made.memo.idempotency_of = broken  # type: ignore[method-assign]  # a plugin's bug
    erase(made.hub, [Tombstone(KEY, "erasure", made.clock())])
    assert leftovers(made.hub.store, "heirloom") == []


def test_a_record_without_a_reference_is_taken_back_all_the_same(new_hub: NewHub) -> None:
    made = able(new_hub(mapping="ticket"))
    made.say(POST)
    made.run()
    with made.hub.store.database.write() as conn:
        conn.execute(delete(refs))
        conn.execute(update(deliveries).values(remote_id=None))
    forget(made)
    assert [one.ref for one in taken_back(made)] == [None]
    assert states(made) == {"create": "delivered", "tombstone": "delivered"}


def test_what_is_taken_back_waits_for_no_record_that_is_dead(new_hub: NewHub) -> None:
    made = able(new_hub(mapping="ticket"))
    made.say(POST)
    made.run()
    forget(made)
    with made.hub.store.database.write() as conn:
        (gone,) = conn.scalars(select(deliveries.c.id).where(deliveries.c.operation == "tombstone"))
        conn.execute(update(deliveries).where(deliveries.c.id == gone).values(state="pending"))
        conn.execute(update(deliveries).where(deliveries.c.id != gone).values(state="dead", provides="author:person:x"))
        conn.execute(insert(needs).values(delivery_id=gone, need="author:person:x"))
    made.run()
    assert states(made) == {"create": "dead", "tombstone": "delivered"}


@pytest.mark.parametrize("first", [Rejected("no"), Unavailable("later")])
def test_what_was_refused_for_sure_is_given_up_without_a_question(new_hub: NewHub, first: ConnectorError) -> None:
    made = able(new_hub(mapping="ticket", idempotency=Lookup(timedelta())))
    made.memo.answer = lambda one: first
    made.say(POST)
    process(made.hub)
    deliver_batch(made.hub, "memo")
    made.hub.store.outbox.retry(None, now=made.clock())
    forget(made)
    assert made.states() == {"discarded": 1}


def test_a_doubt_that_a_person_lets_go_on_where_nobody_can_look_calls_a_person_again(new_hub: NewHub) -> None:
    made, _ = left_to_a_person(new_hub, mapping="ticket", idempotency=NoIdempotency())
    made.hub.store.outbox.retry(None, now=made.clock())
    forget(made)
    assert states(made) == {"create": "review", "tombstone": "pending"}
    assert list(look(made.hub, arrivals_known=False).erasing) == ["memo"]


def test_a_doubt_about_what_its_key_finds_waits_for_nobody(new_hub: NewHub) -> None:
    made, _ = left_to_a_person(new_hub, mapping="note", idempotency=Upsert())
    forget(made)
    assert states(made) == {"upsert": "superseded", "tombstone": "delivered"}


def test_what_was_left_to_a_person_before_it_was_ever_sent_is_not_sent(new_hub: NewHub) -> None:
    made = able(new_hub(mapping="ticket"))
    made.say(POST)
    process(made.hub)
    with made.hub.store.database.write() as conn:
        conn.execute(update(deliveries).values(state="review", error={"code": "held"}))
    forget(made)
    assert (made.memo.got, made.states(), receipts(made.hub, HUB, KEY)) == ([], {"discarded": 1}, [])


def test_where_nobody_can_look_a_person_is_called(new_hub: NewHub) -> None:
    made, _ = left_to_a_person(new_hub, mapping="ticket", idempotency=NoIdempotency())
    forget(made)
    (receipt,), (row,) = receipts(made.hub, HUB, KEY), made.hub.store.outbox.recent(operation="create")
    assert (states(made), receipt["waits_for"]) == ({"create": "review", "tombstone": "pending"}, row["id"])
    (alert,) = judge(look(made.hub, arrivals_known=False), made.hub.settings.alerts)
    assert (alert.key, alert.severity) == ("erasure:memo", "critical")
    assert alert.text == f"1 erasures at memo wait for a person: delivery {row['id']} is in doubt"


def test_once_a_person_has_decided_the_erasure_goes_on(new_hub: NewHub) -> None:
    made, _ = left_to_a_person(new_hub, mapping="ticket", idempotency=NoIdempotency())
    forget(made)
    (row,) = made.hub.store.outbox.recent(operation="create")
    discard(made.hub, HUB, Letters(), ids=[row["id"]], note="deleted by hand")
    made.run()
    assert states(made) == {"create": "discarded", "tombstone": "discarded"}
    assert judge(look(made.hub, arrivals_known=False), made.hub.settings.alerts) == []
    assert receipts(made.hub, HUB, KEY)[0]["waits_for"] is None


def test_a_look_up_that_is_refused_calls_a_person_too(new_hub: NewHub) -> None:
    made, _ = left_to_a_person(new_hub, mapping="ticket", idempotency=Lookup(timedelta()))

    def refuse(*_: object) -> RemoteRef:
        raise Rejected("no such search")

    made.memo.lookup = refuse  # type: ignore[method-assign, assignment]  # the fake's own way
    forget(made)
    assert states(made) == {"create": "review", "tombstone": "pending"}
    assert list(look(made.hub, arrivals_known=False).erasing) == ["memo"]


def test_a_person_who_decides_meanwhile_is_not_overruled(new_hub: NewHub) -> None:
    made, _ = left_to_a_person(new_hub, mapping="ticket", idempotency=Lookup(timedelta()))
    store = made.hub.store
    (row,) = store.outbox.recent(operation="create")
    with store.database.write() as conn:
        conn.execute(update(deliveries).values(state="discarded"))
        with pytest.raises(Conflict):
            store.erasures.look_again(conn, [row["id"]], now=made.clock())
    assert made.states() == {"discarded": 1}
