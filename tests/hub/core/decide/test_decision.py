"""Decisions about batches: the same inputs give the same decision, and leave the inputs as they are."""

from __future__ import annotations

from copy import deepcopy
from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from hub.core.decide.batch import Fresh, Known, Sifted, rejoin, sift
from hub.core.decide.decision import Decision, decide
from hub.core.decide.judgement import facts_then, judge
from hub.core.decide.trace import decode_trace, encode_trace
from hub.core.dedupe import KnownSignal
from hub.core.mapping import compile_mapping
from hub.core.model import Author, Label, Person, Provenance, Signal
from hub.core.persons import Linked, Standing
from hub.core.pipeline import Rulebook, facts_of
from hub.core.replies import Ours
from hub.core.route import compile_rules
from hub.core.signals import Stats
from hub.core.spec import DeliverTo, FieldSpec, MappingSpec, Rule, Topic
from hub.core.threads import BatchThreads, Dropped, Rivals
from hub.core.topics import compile_topics
from tests.hub.core.given import NOW, author, signal

MAPPINGS = {
    ("desk", "ticket"): compile_mapping(
        MappingSpec("Ticket", {"text": FieldSpec(from_="signal.text")}, "create", "conversation", then="comment"),
        name="ticket",
    ),
    ("desk", "comment"): compile_mapping(
        MappingSpec("Comment", {"text": FieldSpec(from_="signal.text")}, "comment"), name="comment"
    ),
}
RULE = Rule("brand", ('"acme" in topics',), (DeliverTo("desk", "ticket"),), assign="kim")
BOOK = Rulebook(compile_rules([RULE]), compile_topics([Topic("acme", ("acme",))]), MAPPINGS)
PAGES = "http://hub/signals/"
HATE = Label("sentiment", "negative", "mood", -1.0)


def post(name: str, raw_id: int = 1, **changes: Any) -> Signal:
    """A post of a raw row."""
    values = {"key": f"lines:{name}", "provenance": Provenance("lines", "lines", raw_id), "content_hash": name}
    return signal(f"acme {name}", **values | changes)


def decided(known: Known, *signals: Signal, labels: tuple[Label, ...] = ()) -> Decision:
    """What follows from a batch."""
    sifted = sift(known, signals, BOOK)
    sifted = rejoin(known, sifted, BOOK) if sifted.needs_rivals else sifted
    return decide(known, sifted, [labels for _ in sifted.fresh], book=BOOK, now=NOW)


def operations(made: Decision) -> list[str]:
    return [one.record.operation for one in made.planned]


def test_a_batch_sees_what_its_own_signals_did() -> None:
    replies = [post(str(number), number, in_reply_to="lines:root") for number in (2, 3)]
    made = decided(Known(PAGES), post("root"), *replies)
    assert operations(made) == ["create", "comment", "comment"]
    assert [one.trace.size for one in made.new] == [1, 2, 3]
    assert made.assigned == {"lines:root": "kim"}


def test_deciding_changes_nothing_that_it_was_given() -> None:
    person = Person("person:1", "Ada")
    linked = Linked({"mastodon:ada": person}, {}, {"person:1": Standing(Stats(2, 1, 1.0))})
    values: dict[str, Any] = {"lines:old": {"state": "open", "assignee": None, "tags": []}}
    known = Known(PAGES, stats={"mastodon:ada": Stats(4)}, values=values, linked=linked, met=[author()])
    before = deepcopy(known)
    first = decided(known, post("root"), post("2", 2, in_reply_to="lines:root"), labels=(HATE,))
    assert known == before
    assert decided(known, post("root"), post("2", 2, in_reply_to="lines:root"), labels=(HATE,)) == first


def test_an_author_and_the_person_behind_are_counted_signal_by_signal() -> None:
    linked = Linked({"mastodon:ada": Person("person:1", "Ada")}, {}, {"person:1": Standing()})
    made = decided(Known(PAGES, linked=linked), post("a"), post("b", 2), labels=(HATE,))
    assert [one.trace.stats["signals_30d"] for one in made.new] == [1, 2]
    assert [(one.trace.person or {})["signals_30d"] for one in made.new] == [1, 2]


def test_a_repeat_is_told_and_one_with_later_counts_takes_the_raw_row() -> None:
    known = Known(PAGES, {"lines:a": KnownSignal("a", "live", "", None, NOW - timedelta(hours=1), 7)})
    made = decided(known, post("a", 8), post("b", 9), post("b", 10))
    assert made.outcome == {8: ("done", "same content"), 10: ("duplicate", "same content")}
    assert (made.refreshed, [one.signal.key for one in made.new]) == ({"lines:a": 8}, ["lines:b"])


def test_what_is_gone_does_not_come_back_nor_its_author() -> None:
    known = Known(PAGES, tombstoned=frozenset({"lines:a", "mastodon:bo"}), met=[author(), author(key="mastodon:bo")])
    made = decided(known, post("a", 5), post("b", 6, author_key="mastodon:bo"))
    assert (made.new, made.late, [one.key for one in made.authors]) == ([], [5, 6], ["mastodon:ada"])


def test_our_own_post_makes_no_record() -> None:
    ours = Ours({"mastodon": frozenset({"https://social.example/1"})})
    made = decided(Known(PAGES, ours=ours), post("a"))
    assert ([one.signal.origin for one in made.new], made.planned) == (["hub"], [])


def test_of_two_tickets_of_joined_conversations_the_unsent_one_is_given_up_and_its_signal_comments() -> None:
    late, opener = post("late", 9), replace(post("reply", 2), conversation_key="lines:late", in_reply_to="lines:late")
    threads = BatchThreads(known={"lines:late": "lines:root"}, live={"lines:late", "lines:root"})
    known = Known(
        PAGES,
        threads=threads,
        sizes={"lines:late": 1, "lines:root": 1},
        opened={"lines:late": {"desk": "lines:reply"}, "lines:root": {"desk": "lines:root"}},
        rivals=Rivals({("lines:late", "desk"): "lines:late"}, {"lines:reply": opener}),
    )
    made = decided(known, replace(late, conversation_key="lines:root"))
    assert made.dropped == [Dropped("desk", "lines:late")]
    assert [(one.signal_key, one.record.operation) for one in made.planned] == [
        ("lines:late", "comment"),
        ("lines:reply", "comment"),
    ]
    assert threads.moves == []


def test_an_empty_list_of_tags_is_not_taken_for_unknown() -> None:
    known = Known(PAGES, values={"lines:a": {"state": None, "assignee": "bo", "tags": []}}, sizes={"lines:a": 1})
    (one,) = decided(known, post("a")).new
    assert one.trace.conversation == {"assignee": "bo", "tags": []}


def test_what_was_decided_is_decided_again_from_its_trace() -> None:
    known = Known(PAGES, authors={"mastodon:ada": Author("mastodon:ada", "mastodon", "1", followers=5)})
    (one,) = decided(known, post("a"), labels=(HATE,)).new
    stored = decode_trace(encode_trace(one.trace))
    again = judge(one.signal, stored, stored.labels, book=BOOK, page=f"{PAGES}{one.signal.key}")
    assert again.trace == one.trace
    assert [record.operation for record in again.plan.records] == ["create"]


def test_an_explanation_reads_the_facts_that_the_decision_read(monkeypatch: Any) -> None:
    read: list[dict[str, Any]] = []

    def watching(*given: Any, **more: Any) -> dict[str, Any]:
        read.append(facts_of(*given, **more))
        return deepcopy(read[-1])

    monkeypatch.setattr("hub.core.pipeline.facts_of", watching)
    (one,) = decided(Known(PAGES, tickets={"lines:a": "https://desk/1"}), post("a"), labels=(HATE,)).new
    assert facts_then(one.signal, one.trace, f"{PAGES}{one.signal.key}") == read[0]


def test_a_signal_that_is_judged_again_counts_for_nothing_a_second_time() -> None:
    again = Fresh(post("a"), is_new=False, topics=("acme",))
    sifted = Sifted([again], {}, {}, BatchThreads(), {"lines:a": {"desk": "lines:a"}}, {"lines:a": 3})
    made = decide(Known(PAGES, stats={"mastodon:ada": Stats(7)}), sifted, [()], book=BOOK, now=NOW)
    (one,) = made.revised
    assert (one.trace.size, one.trace.stats["signals_30d"], operations(made)) == (3, 7, ["create"])
