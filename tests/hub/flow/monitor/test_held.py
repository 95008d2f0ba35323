"""What waits behind a record that never lands is let go: by number, by time, with or without that record."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hub.config.settings import DeliverySection
from hub.core.errors import ConnectorError, Rejected, Retryable, Unavailable
from hub.core.model import Delivery
from hub.flow.decide.batch import process
from hub.flow.deliver.send import deliver_batch
from hub.flow.monitor.held import open_valves
from hub.flow.monitor.schedule import make_round
from hub.flow.monitor.snapshot import held, let_go
from hub.store.audit import AuditEntry
from tests.hubs import Made

NewHub = Callable[..., Made]


def refuse(object_: str, error: ConnectorError) -> Callable[[Delivery], ConnectorError | None]:
    return staticmethod(lambda one: error if one.object == object_ else None)  # type: ignore[return-value]  # for a class


def with_held(new_hub: NewHub, *, mapping: str = "said", head: str = "person", count: int = 2, **section: Any) -> Made:
    """A hub in which the first record was refused, and others wait for it."""
    made = new_hub(mapping=mapping)
    made.hub.settings = made.hub.settings.model_copy(update={"delivery": DeliverySection.model_validate(section)})
    made.memo.answer = refuse(head, Rejected("no"))  # type: ignore[assignment]  # a function in a class
    made.say(*({"id": str(n), "text": f"acme {n}", **({"re": "0"} if n else {})} for n in range(count)))
    made.run()
    return made


def test_before_its_time_the_valve_stays_shut(new_hub: NewHub) -> None:
    made = with_held(new_hub)
    made.clock.pass_(hours=5)
    assert (open_valves(made.hub), made.states()) == (0, {"dead": 1, "pending": 2})


def test_after_its_time_what_needs_a_dead_record_is_left_to_a_person(new_hub: NewHub) -> None:
    made = with_held(new_hub)
    made.clock.pass_(hours=6)
    assert (open_valves(made.hub), made.states()) == (2, {"dead": 1, "review": 2})
    (row, _) = made.hub.store.outbox.recent(state="review")
    head = made.hub.store.outbox.recent(state="dead")[0]["id"]
    said = f"its author's record never landed (delivery {head} is dead), and it waited too long"
    assert row["error"] == {"code": "held", "message": said}


def test_a_destination_that_needs_no_author_gets_the_rest(new_hub: NewHub) -> None:
    made = with_held(new_hub)
    made.memo.capabilities = frozenset({"without_author"})
    made.clock.pass_(hours=6)
    open_valves(made.hub)
    made.run()
    assert made.states() == {"dead": 1, "delivered": 2}
    assert [one.parents for one in made.memo.got[-1]] == [{}, {}]


def test_a_comment_without_its_ticket_is_never_sent(new_hub: NewHub) -> None:
    made = with_held(new_hub, mapping="ticket", head="ticket")
    made.memo.capabilities = frozenset({"without_author"})
    made.clock.pass_(hours=6)
    open_valves(made.hub)
    made.run()
    (row,) = made.hub.store.outbox.recent(state="review")
    assert (row["operation"], row["error"]["message"][:24]) == ("comment", "its ticket never landed ")


def test_too_many_that_wait_open_the_valve_at_once(new_hub: NewHub) -> None:
    made = with_held(new_hub, count=4, hold_most=3)
    assert (open_valves(made.hub), made.states()) == (4, {"dead": 1, "review": 4})


@pytest.mark.parametrize("error", [Retryable("later"), Rejected("no")])
def test_a_head_that_is_only_tried_again_counts_too(new_hub: NewHub, error: ConnectorError) -> None:
    made = new_hub(mapping="said")
    made.memo.answer = refuse("person", error)  # type: ignore[assignment]  # a function in a class
    made.say({"id": "1", "text": "acme"})
    made.run()
    made.clock.pass_(hours=6)
    assert open_valves(made.hub) == 1


def test_while_the_destination_is_away_all_wait(new_hub: NewHub) -> None:
    made = new_hub(mapping="said", batch=1)
    made.say(*({"id": str(n), "text": "acme", "by": f"p{n}"} for n in range(8)))
    from hub.flow.decide.batch import process

    process(made.hub)
    made.memo.raises = Unavailable("nobody there")
    for _ in range(6):
        deliver_batch(made.hub, "memo")
    made.clock.pass_(hours=7)
    assert (open_valves(made.hub), made.states().get("review")) == (0, None)


def test_what_a_person_sends_again_waits_anew(new_hub: NewHub) -> None:
    made = with_held(new_hub)
    made.clock.pass_(hours=6)
    open_valves(made.hub)
    made.hub.store.outbox.retry(None, now=made.clock(), state="review")
    assert (open_valves(made.hub), made.states()) == (0, {"dead": 1, "pending": 2})


def test_once_the_head_has_landed_the_others_follow(new_hub: NewHub) -> None:
    made = with_held(new_hub)
    made.clock.pass_(hours=6)
    open_valves(made.hub)
    made.memo.answer = None
    made.hub.store.outbox.retry(None, now=made.clock())
    made.run()
    assert made.states() == {"delivered": 3}


def with_two_versions(new_hub: NewHub) -> Made:
    """A version that the destination refuses for now, and a newer one behind it."""
    made = new_hub(mapping="quoting")
    made.memo.answer = refuse("person", Retryable("later"))  # type: ignore[assignment]  # a function in a class
    made.say({"id": "1", "text": "acme one"})
    made.run()
    made.say({"id": "2", "text": "acme two"})
    process(made.hub)
    return made


def test_a_failing_version_gives_way_to_a_newer_one(new_hub: NewHub) -> None:
    made = with_two_versions(new_hub)
    made.run()
    made.memo.answer = None
    assert made.states() == {"retry": 1, "pending": 1}
    # Both wait: the older for its next try, the newer for the older.
    with made.hub.store.database.write() as conn:
        conn.exec_driver_sql("UPDATE deliveries SET due_at = due_at + 360000000000 WHERE state = 'retry'")
    made.clock.pass_(hours=6)
    open_valves(made.hub)
    made.run()
    assert made.states() == {"discarded": 1, "delivered": 1}
    (entry,) = made.hub.store.audit.recent(action="valve")
    assert (entry["detail"], let_go(made.hub)) == ({"to": "newer", "count": 1, "deliveries": [1]}, {})


def test_a_version_gives_way_with_its_entry_or_not_at_all(new_hub: NewHub) -> None:
    made = with_two_versions(new_hub)
    made.clock.pass_(hours=6)
    broken = AuditEntry("valve", "memo", "hub", {"to": object()})
    with pytest.raises(Exception, match="object"):
        made.hub.store.held.give_way("memo", before=made.clock(), entry=broken, now=made.clock())
    assert made.states() == {"retry": 1, "pending": 1}


def test_the_valve_is_noted_and_alarmed(new_hub: NewHub) -> None:
    made = with_held(new_hub)
    made.clock.pass_(hours=6)
    make_round(made.hub)
    (entry,) = made.hub.store.audit.recent(action="valve")
    assert (entry["subject"], entry["actor"], entry["detail"]["to"], entry["detail"]["count"]) == (
        "memo",
        "hub",
        "review",
        2,
    )
    assert let_go(made.hub)["memo"].review == 2
    assert "valve:memo" in [one.key for one in made.hub.store.alerts.all()]


def test_what_waits_for_a_dead_record_is_alarmed_before_the_valve_opens(new_hub: NewHub) -> None:
    made = with_held(new_hub)
    made.clock.pass_(minutes=15)
    make_round(made.hub)
    assert [one.key for one in made.hub.store.alerts.all()] == ["held:memo"]
    assert (found := held(made.hub, "memo")) is not None
    assert found.waiting == 2
