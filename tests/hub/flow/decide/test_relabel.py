"""Signals that were decided while an enricher was away: marked, labelled later, and what follows is corrected once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert

from hub.core.access import HUB
from hub.core.keys import signal_key
from hub.core.model import Planned
from hub.flow.decide.batch import process
from hub.flow.decide.marks import KEPT
from hub.flow.sweep import sweep
from hub.flow.views.explain import explain
from hub.flow.views.status import status
from hub.store import Connection
from hub.store.ledger.outbox import Outbox, RowTarget
from hub.store.schema import labels
from tests.hubs import NOON, Made

NewHub = Callable[..., Made]
PLACE = "enrichers.mood"
ANGRY = """
[[rule]]
name = "angry"
when = ['labels.sentiment.value == "negative"']
deliver = [{ destination = "memo", mapping = "ticket" }]
"""
BOTH = """
[[rule]]
name = "brand"
when = ['"acme" in topics']
deliver = [{ destination = "memo", mapping = "quoting" }]
"""


class Killed(BaseException):
    """The process ends here."""


class Fatal(Outbox):
    """An outbox whose first plan is the last thing that its process does."""

    def plan(self, conn: Connection, planned: Sequence[Planned], **wanted: Any) -> list[RowTarget]:
        super().plan(conn, planned, **wanted)
        raise Killed


def break_(made: Made) -> None:
    made.hub.loaded.discard("mood")
    made.hub.broken[PLACE] = "its extra is not installed"


def mend(made: Made) -> None:
    """The enricher works again, and the next look at the marks is due."""
    made.hub.broken.heal(PLACE)
    made.clock.pass_(minutes=1)


def without(made: Made, *items: dict[str, Any]) -> None:
    """Posts are decided while the enricher is away."""
    break_(made)
    made.say(*items)
    made.run()


def trace_of(made: Made, name: str) -> Any:
    row = made.hub.store.signals.get(signal_key("lines", name))
    assert row is not None
    return row["trace"]


def sent(made: Made) -> list[tuple[str, dict[str, Any]]]:
    return [(one.operation, dict(one.fields)) for batch in made.memo.got for one in batch]


def test_a_signal_that_an_enricher_could_not_label_gets_a_mark(new_hub: NewHub) -> None:
    made = new_hub()
    without(made, {"id": "1", "text": "hate acme"})
    assert trace_of(made, "1").missing == ("mood",)
    assert (made.hub.store.inbox.count_marks(), made.hub.store.inbox.open_counts()) == (1, (0, 0))
    assert not made.hub.store.figures.ahead(now=made.clock())


def test_what_waits_for_labels_is_no_backlog(new_hub: NewHub) -> None:
    made = new_hub()
    without(made, {"id": "1", "text": "hate acme"})
    found = status(made.hub, HUB)
    assert (found.unlabelled, found.backlog[0].waiting, found.backlog[0].oldest) == (1, 0, None)


def test_a_signal_that_all_could_label_has_no_mark(new_hub: NewHub) -> None:
    made = new_hub()
    made.say({"id": "1", "text": "hate acme"})
    made.run()
    assert (trace_of(made, "1").missing, made.hub.store.inbox.count_marks()) == ((), 0)


def test_it_is_labelled_once_the_enricher_works_and_its_record_is_corrected(new_hub: NewHub) -> None:
    made = new_hub()
    without(made, {"id": "1", "text": "hate acme"})
    mend(made)
    made.run()
    texts = {"text": "hate acme"}
    assert sent(made) == [("upsert", texts), ("upsert", texts | {"mood": "negative"})]
    assert made.hub.store.inbox.counts() == {"done": 2}


def test_a_negative_post_opens_its_ticket_only_after_it_was_labelled(new_hub: NewHub) -> None:
    made = new_hub(rules=ANGRY)
    without(made, {"id": "1", "text": "hate acme"})
    assert sent(made) == []
    mend(made)
    made.run()
    made.run()
    assert sent(made) == [("create", {"text": "hate acme"})]
    row = made.hub.store.signals.get(signal_key("lines", "1"))
    assert row is not None
    assert (row["matched"], row["trace"].matched) == (True, ("angry",))


def test_a_ticket_that_is_there_already_is_not_opened_twice(new_hub: NewHub) -> None:
    made = new_hub(rules=ANGRY)
    without(made, {"id": "1", "text": "hate acme"})
    made.hub.broken.heal(PLACE)
    made.say({"id": "2", "text": "hate acme too", "re": "1"})
    made.run()
    made.clock.pass_(minutes=1)
    made.run()
    assert sorted(operation for operation, _ in sent(made)) == ["comment", "create"]


def test_a_kill_in_between_leaves_it_for_the_next_worker(new_hub: NewHub) -> None:
    made = new_hub(rules=ANGRY)
    without(made, {"id": "1", "text": "hate acme"})
    mend(made)
    whole, made.hub.store.outbox = made.hub.store.outbox, Fatal(made.hub.store.database)
    with pytest.raises(Killed):
        process(made.hub)
    assert (trace_of(made, "1").missing, made.states()) == (("mood",), {})
    made.hub.store.outbox = whole
    made.clock.pass_(minutes=1)
    sweep(made.hub)
    made.run()
    assert (sent(made), made.hub.store.inbox.count_marks()) == ([("create", {"text": "hate acme"})], 0)


def test_a_persons_label_outranks_the_late_one(new_hub: NewHub) -> None:
    made = new_hub()
    without(made, {"id": "1", "text": "hate acme"})
    said = {"signal_key": signal_key("lines", "1"), "name": "sentiment", "model": "kim", "value": "neutral"}
    with made.hub.store.database.write() as conn:
        conn.execute(insert(labels).values(**said, by="person"))
    mend(made)
    made.run()
    assert sent(made)[-1] == ("upsert", {"text": "hate acme", "mood": "neutral"})


def test_an_older_post_does_not_take_back_the_word_of_a_later_one(new_hub: NewHub) -> None:
    made = new_hub(rules=BOTH)
    without(made, {"id": "1", "text": "acme first"})
    made.hub.broken.heal(PLACE)
    made.hub.loaded.add("mood")  # nothing is hurried: the mark comes after the second post
    made.say({"id": "2", "text": "acme second"})
    made.run()
    made.clock.pass_(minutes=1)
    made.run()
    assert [fields["last"] for _, fields in sent(made)] == ["acme first", "acme second"]
    assert trace_of(made, "1").missing == ()


def test_an_edit_settles_what_the_mark_was_for(new_hub: NewHub) -> None:
    made = new_hub()
    without(made, {"id": "1", "text": "hate acme"})
    made.hub.broken.heal(PLACE)
    made.say({"id": "1", "text": "love acme"})
    made.run()
    made.clock.pass_(minutes=1)
    made.run()
    assert [fields.get("mood") for _, fields in sent(made)] == [None, "positive"]
    assert made.hub.store.inbox.count_marks() == 0


def test_a_signal_that_is_gone_is_not_labelled(new_hub: NewHub) -> None:
    made = new_hub(rules=ANGRY)
    without(made, {"id": "1", "text": "hate acme"})
    made.say({"id": "1", "gone": True})
    made.run()
    mend(made)
    made.run()
    assert (sent(made), made.hub.store.inbox.count_marks()) == ([], 0)


def test_a_repeat_with_other_counts_keeps_its_mark(new_hub: NewHub) -> None:
    made = new_hub()
    without(made, {"id": "1", "text": "hate acme"})
    made.say({"id": "1", "text": "hate acme", "shares": 7})
    made.run()
    mend(made)
    made.run()
    assert [fields.get("mood") for _, fields in sent(made)] == [None, "negative"]


def test_an_enricher_that_is_opened_takes_up_all_that_waits(new_hub: NewHub) -> None:
    made = new_hub()
    without(made, {"id": "1", "text": "hate acme"})
    made.hub.broken.heal(PLACE)
    made.say({"id": "2", "text": "love acme"})
    made.run()
    assert made.hub.store.inbox.count_marks() == 0


def test_while_it_is_away_a_mark_waits_longer_each_time_and_the_clock_check_lets_it(new_hub: NewHub) -> None:
    made = new_hub()
    without(made, {"id": "1", "text": "hate acme"})
    looks = 0
    for _ in range(180):
        made.clock.pass_(minutes=1)
        sweep(made.hub)
        break_(made)
        looks += process(made.hub)
    assert (looks, made.hub.store.inbox.count_marks()) == (8, 1)


def test_a_text_that_its_model_fails_on_is_not_tried_for_ever(new_hub: NewHub) -> None:
    made = new_hub()
    made.say({"id": "1", "text": "acme stumble"})
    made.run()
    assert made.hub.store.inbox.count_marks() == 1
    made.clock.pass_(seconds=KEPT / timedelta(seconds=1) + 61)
    made.run()
    assert made.hub.store.inbox.counts() == {"done": 1, "ignored": 1}


def test_marks_are_taken_up_in_batches_the_oldest_first(new_hub: NewHub) -> None:
    made = new_hub()
    workers = made.hub.settings.workers.model_copy(update={"batch": 2})
    made.hub.settings = made.hub.settings.model_copy(update={"workers": workers})
    without(made, *({"id": str(number), "text": f"hate acme {number}"} for number in range(5)))
    mend(made)
    made.run()
    moods = [fields["text"] for _, fields in sent(made) if "mood" in fields]
    assert moods == [f"hate acme {number}" for number in range(5)]


def test_what_another_enricher_said_stays_while_that_one_is_away(new_hub: NewHub) -> None:
    made = new_hub()
    both = made.hub.settings.enrichers | {"again": made.hub.settings.enrichers["mood"]}
    made.hub.settings = made.hub.settings.model_copy(update={"enrichers": both})
    without(made, {"id": "1", "text": "hate acme"})
    made.hub.broken["enrichers.again"] = "it is away now"
    mend(made)
    made.run()
    row = made.hub.store.signals.get(signal_key("lines", "1"))
    assert row is not None
    assert ([one.value for one in row["labels"]], row["trace"].missing) == (["negative"], ("mood",))


def test_explain_says_what_is_missing_and_what_came_later(new_hub: NewHub) -> None:
    made = new_hub()
    without(made, {"id": "1", "text": "hate acme"})
    key = signal_key("lines", "1")
    before = explain(made.hub, HUB, key)
    mend(made)
    made.run()
    after = explain(made.hub, HUB, key)
    assert before is not None
    assert after is not None
    assert before.notes == ("mood could not work: it labels the post once it does, for 30 days",)
    at = (NOON + timedelta(minutes=1)).isoformat()
    assert after.notes == (f"labelled later by mood, at {at}, and decided again",)
