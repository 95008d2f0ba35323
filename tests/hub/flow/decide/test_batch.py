"""From raw rows to deliveries, on both databases."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import update

from hub.core.errors import ConfigError, Conflict, HubError, LeaseLost, Overtaken
from hub.core.keys import signal_key
from hub.core.ledger import ForbiddenTransition
from hub.core.model import Label, Planned, RawItem, Signal
from hub.flow.decide.batch import process, process_batch
from hub.store import Connection
from hub.store.inbox import Inbox, Settled
from hub.store.ledger.outbox import Outbox, RowTarget
from hub.store.schema import inbox
from tests.hub.flow.contended import contend
from tests.hubs import NOON, Made, Mood, raw_of

NewHub = Callable[..., Made]


def test_a_post_about_the_brand_lands_once(new_hub: NewHub) -> None:
    made = new_hub()
    made.say({"id": "1", "text": "I love Acme"})
    made.run()
    assert [one.fields for batch in made.memo.got for one in batch] == [{"text": "I love Acme", "mood": "positive"}]
    assert made.states() == {"delivered": 1}


def test_a_post_that_no_rule_wants_is_kept_with_its_trace(new_hub: NewHub) -> None:
    made = new_hub()
    made.say({"id": "1", "text": "nice weather"})
    made.run()
    row = made.hub.store.signals.get(signal_key("lines", "1"))
    assert row is not None
    assert (row["matched"], row["trace"].matched) == (False, ())
    assert made.states() == {}


def test_the_same_post_twice_makes_one_record(new_hub: NewHub) -> None:
    made = new_hub()
    made.say({"id": "1", "text": "acme"})
    made.say({"id": "1", "text": "acme", "counts": 7})
    made.run()
    assert (made.states(), made.hub.store.signals.count()) == ({"delivered": 1}, 1)


def test_a_repeat_in_which_only_counts_changed_replaces_its_raw_row(new_hub: NewHub) -> None:
    made = new_hub()
    made.say({"id": "1", "text": "acme"})
    made.run()
    made.say({"id": "1", "text": "acme", "counts": 8})
    made.run()
    assert b'"counts":8' in raw_of(made.hub.store, signal_key("lines", "1"))
    assert made.hub.store.inbox.counts() == {"done": 1}


def test_an_edit_is_sent_again_under_the_next_sequence(new_hub: NewHub) -> None:
    made = new_hub()
    made.say({"id": "1", "text": "acme is bad"})
    made.run()
    made.say({"id": "1", "text": "acme is fine"})
    made.run()
    sent = [one for batch in made.memo.got for one in batch]
    assert [(one.seq, one.fields["text"]) for one in sent] == [(0, "acme is bad"), (1, "acme is fine")]
    assert sent[0].key != sent[1].key


def test_an_edit_replaces_what_was_not_sent_yet(new_hub: NewHub) -> None:
    made = new_hub()
    made.say({"id": "1", "text": "acme one"}, {"id": "2", "text": "acme two"})
    process(made.hub)
    made.say({"id": "1", "text": "acme one, edited"})
    made.run()
    assert made.states() == {"delivered": 2, "superseded": 1}
    assert sorted(one.fields["text"] for batch in made.memo.got for one in batch) == ["acme one, edited", "acme two"]


def test_a_broken_item_is_kept_shown_and_taken_up_again(new_hub: NewHub) -> None:
    made = new_hub()
    made.say({"id": "1", "broken": 1}, {"id": "2", "text": "acme"}, {"bug": 1})
    made.run()
    assert made.states() == {"delivered": 1}
    notes = [row["note"] for row in made.hub.store.inbox.failed()]
    assert notes == ["bug: KeyError: 'bug'", "it is broken"]
    assert made.hub.store.inbox.retry(None, now=made.clock()) == 2
    assert process_batch(made.hub) == 2


def of_an_absent_plugin(made: Made) -> None:
    item = RawItem("lines", "absent", b"{}", NOON, "1")
    made.hub.store.inbox.add([item])


def test_what_came_for_a_plugin_that_is_not_there_waits_for_it(new_hub: NewHub) -> None:
    made = new_hub()
    of_an_absent_plugin(made)
    assert process_batch(made.hub) == 1
    assert (made.hub.store.inbox.counts(), process_batch(made.hub)) == ({"new": 1}, 0)
    made.clock.pass_(minutes=1)
    assert process_batch(made.hub) == 1
    assert made.hub.store.inbox.failed() == []


def test_it_does_not_wait_for_ever(new_hub: NewHub) -> None:
    made = new_hub()
    of_an_absent_plugin(made)
    made.clock.pass_(days=1)
    process_batch(made.hub)
    (row,) = made.hub.store.inbox.failed()
    assert "absent: no installed package provides this plugin" in row["note"]


def test_likes_are_ignored_with_the_reason(new_hub: NewHub) -> None:
    made = new_hub()
    made.say({"like": 1})
    made.run()
    assert made.hub.store.inbox.counts() == {"ignored": 1}


def test_a_deleted_post_does_not_come_back(new_hub: NewHub) -> None:
    made = new_hub()
    made.say({"id": "1", "gone": 1})
    made.run()
    made.say({"id": "1", "text": "acme"})
    made.run()
    assert (made.hub.store.signals.count(), made.states()) == (0, {})


def test_one_conversation_gets_one_ticket_and_the_rest_are_comments(new_hub: NewHub) -> None:
    made = new_hub(mapping="ticket")
    made.say({"id": "1", "text": "acme broke"}, {"id": "2", "text": "acme, hello?", "re": "1"})
    made.run()
    made.say({"id": "3", "text": "acme!!", "re": "2"})
    made.run()
    sent = [(one.object, one.operation, one.fields["text"]) for batch in made.memo.got for one in batch]
    assert sent == [
        ("ticket", "create", "acme broke"),
        ("comment", "comment", "acme, hello?"),
        ("comment", "comment", "acme!!"),
    ]


def test_an_edit_of_the_first_post_does_not_comment_on_its_own_ticket(new_hub: NewHub) -> None:
    made = new_hub(mapping="ticket")
    made.say({"id": "1", "text": "acme broke"})
    made.run()
    made.say({"id": "1", "text": "acme broke, again"})
    made.run()
    assert [one.object for batch in made.memo.got for one in batch] == ["ticket"]


def test_the_mean_of_an_authors_sentiment_counts_the_batch_and_the_past(new_hub: NewHub) -> None:
    made = new_hub()
    made.say({"id": "1", "text": "love acme"})
    made.run()
    made.say({"id": "2", "text": "hate acme"}, {"id": "3", "text": "hate acme too"})
    made.run()
    row = made.hub.store.signals.get(signal_key("lines", "3"))
    assert row is not None
    assert row["trace"].stats == {"signals_30d": 3, "sentiment_mean_30d": -0.3333, "sentiment_trend_30d": None}


def test_an_enricher_that_stumbles_over_one_text_labels_the_others(new_hub: NewHub) -> None:
    made = new_hub()
    made.say({"id": "1", "text": "acme stumble"}, {"id": "2", "text": "love acme"})
    made.run()
    fields = sorted((one.fields for batch in made.memo.got for one in batch), key=lambda one: one["text"])
    assert fields == [{"text": "acme stumble"}, {"text": "love acme", "mood": "positive"}]


def test_an_enricher_may_give_its_labels_in_any_sequence(new_hub: NewHub, monkeypatch: pytest.MonkeyPatch) -> None:
    made = new_hub()
    given = Mood.enrich
    monkeypatch.setattr(Mood, "enrich", lambda self, signals: (list(one) for one in given(self, signals)))
    made.say({"id": "1", "text": "I love acme"})
    made.run()
    assert [one.fields["mood"] for batch in made.memo.got for one in batch] == ["positive"]


def exits() -> object:
    raise SystemExit(2)


FINE = Label("sentiment", "positive", "mood", 1.0, 0.9, "1")
USELESS: dict[str, Callable[[], Any]] = {
    "an exit": exits,
    "nothing": lambda: None,
    "a word": lambda: "positive",
    "one label, not in a tuple": lambda: FINE,
    "a mapping": lambda: ({"name": "sentiment"},),
    "a value that is null": lambda: (replace(FINE, value=None),),
    "a value that is a number": lambda: (replace(FINE, value=1),),
    "a value in bytes": lambda: (replace(FINE, value=b"positive"),),
    "a value that no database takes": lambda: (replace(FINE, value="\ud800"),),
    "a score as a text": lambda: (replace(FINE, score="1.0"),),
    "a score of another library": lambda: (replace(FINE, score=Decimal(1)),),
    "a score that is no number": lambda: (replace(FINE, score=math.nan),),
    "a confidence without bounds": lambda: (replace(FINE, confidence=math.inf),),
    "no model": lambda: (replace(FINE, model=None),),
    "a person's word": lambda: (replace(FINE, by="person"),),
}
"""What an enricher gives for one text of two."""


@pytest.mark.parametrize("case", USELESS)
def test_labels_that_are_not_as_their_contract_says_cost_no_post(
    new_hub: NewHub, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    made = new_hub()
    monkeypatch.setattr(
        Mood, "enrich", lambda _, said: [USELESS[case]() if "odd" in one.text else (FINE,) for one in said]
    )
    made.say({"id": "1", "text": "acme odd"}, {"id": "2", "text": "acme"})
    made.run()
    fields = sorted((one.fields for batch in made.memo.got for one in batch), key=lambda one: one["text"])
    assert fields == [{"text": "acme", "mood": "positive"}, {"text": "acme odd"}]


def test_an_enricher_for_topics_only_is_spared_the_rest(new_hub: NewHub, monkeypatch: pytest.MonkeyPatch) -> None:
    made, seen = new_hub(), list[str]()
    section = made.hub.settings.enrichers["mood"].model_copy(update={"topics_only": True})
    made.hub.settings = made.hub.settings.model_copy(update={"enrichers": {"mood": section}})
    label = Mood.enrich

    def watch(self: Mood, signals: Sequence[Signal]) -> list[tuple[Label, ...]]:
        seen.extend(signal.text for signal in signals)
        return label(self, signals)

    monkeypatch.setattr(Mood, "enrich", watch)
    texts = ["love this weather", "love acme", "hate rain", "hate acme"]
    made.say(*({"id": str(number), "text": text} for number, text in enumerate(texts)))
    made.run()
    assert seen == ["love acme", "hate acme"]
    with made.hub.store.database.read() as conn:
        labels = made.hub.store.signals.labels_of(conn, [signal_key("lines", str(number)) for number in range(4)])
    assert {key: [one.value for one in found] for key, found in labels.items()} == {
        signal_key("lines", "1"): ["positive"],
        signal_key("lines", "3"): ["negative"],
    }


def test_direct_messages_reach_no_destination_without_a_policy(new_hub: NewHub) -> None:
    made = new_hub()
    made.say({"id": "1", "text": "acme, in private", "visibility": "direct"})
    made.run()
    assert made.states() == {}


def test_a_batch_that_somebody_overtook_is_decided_anew(new_hub: NewHub) -> None:
    made = new_hub()
    made.say({"id": "1", "text": "acme"})
    from hub.flow.decide.batch import decide_batch
    from hub.flow.decide.translate import read_rows
    from hub.flow.decide.write import write

    token, rows = made.hub.store.inbox.claim(limit=10, now=made.clock())
    read = read_rows(made.hub, rows)
    early = decide_batch(made.hub, read.signals, read.authors)
    made.hub.store.inbox.add([RawItem("lines", "lines", b'{"id": "1", "text": "acme"}', NOON, "other")])
    process_batch(made.hub)
    with pytest.raises(Conflict):
        write(made.hub, token, read, early)
    write(made.hub, token, read, decide_batch(made.hub, read.signals, read.authors))
    made.run()
    assert made.states() == {"delivered": 1}


class Robbed(Inbox):
    """An inbox whose rows are taken back, so many times, while a worker decides about them."""

    thefts = 1
    tries = 0

    def settle(self, conn: Connection, token: str, rows: Sequence[Settled]) -> None:
        self.tries += 1
        if self.tries <= self.thefts:
            conn.execute(update(inbox).values(state="new", lease=None, lease_until=None))
        super().settle(conn, token, rows)


def test_a_batch_whose_lease_was_lost_is_left_to_the_other_at_once(new_hub: NewHub) -> None:
    made = new_hub()
    made.say({"id": "1", "text": "acme"})
    made.hub.store.inbox = rows = Robbed(made.hub.store.database)
    with pytest.raises(LeaseLost):
        process(made.hub)
    assert (rows.tries, made.hub.store.inbox.counts(), made.states()) == (1, {"new": 1}, {})
    made.run()
    assert made.states() == {"delivered": 1}


@pytest.mark.parametrize("times", [4, 5])
def test_a_batch_that_is_overtaken_is_decided_again_and_in_the_end_given_back(new_hub: NewHub, times: int) -> None:
    made = new_hub()
    made.say({"id": "1", "text": "acme"})
    contend(made.hub.store, times)
    if times == 5:
        with pytest.raises(Overtaken):
            process(made.hub)
        assert (made.hub.store.inbox.counts(), made.states()) == ({"new": 1}, {})
    made.run()
    assert made.states() == {"delivered": 1}


class Picky(Outbox):
    """A ledger that cannot take one record: another is always faster with it."""

    error: type[HubError] = Conflict

    def plan(self, conn: Connection, planned: Sequence[Planned], *, now: datetime) -> list[RowTarget]:
        if any("picked" in str(one.record.fields) for one in planned):
            raise self.error
        return super().plan(conn, planned, now=now)


def test_what_is_overtaken_each_time_holds_nothing_else_up(new_hub: NewHub) -> None:
    made = new_hub()
    made.hub.store.outbox = Picky(made.hub.store.database)
    made.say(*({"id": str(number), "text": "acme picked" if number == 1 else "acme"} for number in range(4)))
    made.clock.pass_(seconds=1)
    for _ in range(2):
        with pytest.raises(Overtaken):
            process(made.hub)
    assert made.hub.store.inbox.counts() == {"done": 3, "new": 1}


def test_a_rules_file_that_cannot_be_read_is_no_fault_of_a_row(new_hub: NewHub) -> None:
    made = new_hub()
    made.say({"id": "1", "text": "acme"})
    rules = made.hub.settings.folder / made.hub.settings.files.rules
    right = rules.read_text()
    rules.write_text("[[rule")
    with pytest.raises(ConfigError):
        process(made.hub)
    assert made.hub.store.inbox.counts() == {"new": 1}
    rules.write_text(right)
    made.run()
    assert made.states() == {"delivered": 1}


def test_an_error_of_the_hub_itself_marks_only_the_row_at_fault(new_hub: NewHub) -> None:
    made = new_hub()
    made.hub.store.outbox = ledger = Picky(made.hub.store.database)
    ledger.error = ForbiddenTransition
    made.say({"id": "1", "text": "acme"}, {"id": "2", "text": "acme picked"}, {"id": "3", "text": "acme"})
    process(made.hub)
    assert made.hub.store.inbox.counts() == {"done": 2, "failed": 1}


def shares(made: Made, id_: str) -> int | None:
    row = made.hub.store.signals.get(signal_key("lines", id_))
    assert row is not None
    found: int | None = row["signal"].counts.shares
    return found


def test_boosts_count_on_what_they_boost_and_make_no_record(new_hub: NewHub) -> None:
    made = new_hub()
    made.say({"id": "1", "text": "acme"})
    made.run()
    made.say(*({"id": str(n), "text": "acme", "kind": "repost", "of": "1", "by": f"b{n}"} for n in (2, 3)))
    made.say({"id": "2", "text": "acme", "kind": "repost", "of": "1", "by": "b2"})
    made.run()
    assert (made.states(), shares(made, "1")) == ({"delivered": 1}, 2)


@pytest.mark.parametrize(("told", "counted"), [(7, 7), (1, 2), (0, 2)])
def test_a_network_that_tells_how_often_a_post_was_boosted_is_believed_unless_more_boosts_are_there(
    new_hub: NewHub, told: int, counted: int
) -> None:
    made = new_hub()
    boosts = [{"id": str(n), "text": "acme", "kind": "repost", "of": "1", "by": f"b{n}"} for n in (2, 3)]
    made.say({"id": "1", "text": "acme", "shares": told}, *boosts)
    made.run()
    assert shares(made, "1") == counted


def test_a_boost_says_nothing_of_the_mood_of_the_one_who_boosts(new_hub: NewHub) -> None:
    made = new_hub()
    made.say(
        {"id": "1", "text": "I love Acme"}, {"id": "2", "text": "I love Acme", "kind": "repost", "of": "1", "by": "bo"}
    )
    made.run()
    row = made.hub.store.signals.get(signal_key("lines", "2"))
    assert row is not None
    assert (row["labels"], row["trace"].stats.get("signals_30d")) == ([], 0)


def test_the_stars_of_a_review_outrank_what_a_model_reads(new_hub: NewHub) -> None:
    made = new_hub()
    made.say({"id": "1", "text": "I love Acme", "kind": "review", "stars": 1})
    made.run()
    assert [one.fields["mood"] for batch in made.memo.got for one in batch] == ["negative"]
