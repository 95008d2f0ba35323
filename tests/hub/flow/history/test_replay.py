"""History run again: the same book makes the same, another makes what it says, and only what differs is sent, once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest

from hub.core.access import HUB
from hub.core.decide.judgement import Judged
from hub.core.decide.trace import Trace
from hub.core.errors import ConfigError, Overtaken, TranslationError
from hub.core.keys import idempotency_key, signal_key
from hub.core.model import Label, Tombstone
from hub.core.spec import FieldSpec, MappingSpec
from hub.flow.actions.rules import activate
from hub.flow.decide.batch import process
from hub.flow.history.book import candidate
from hub.flow.history.gather import RecordFilter, closure
from hub.flow.history.replay import Run, Silent, run
from hub.flow.history.report import Report, report
from hub.flow.views.explain import explain
from hub.store import Store
from tests.hub.flow.contended import EACH_TIME, contend
from tests.hubs import MAPPINGS, Made, change_rules, make_hub, to_toml

NewHub = Callable[..., Made]

RULE = "[[rule]]\nname = '{name}'\nwhen = ['{when}']\ndeliver = [{{ destination = 'memo', mapping = '{mapping}' }}]\n"
TALK: list[dict[str, object]] = [
    {"id": "1", "text": "I hate acme", "by": "ana"},
    {"id": "2", "text": "nice weather", "by": "bo"},
    {"id": "3", "text": "me too, acme", "by": "bo", "re": "1"},
    {"id": "4", "text": "I love acme", "by": "cy", "re": "1"},
]


def rule(name: str = "brand", when: str = '"acme" in topics', mapping: str = "note") -> str:
    return RULE.format(name=name, when=when, mapping=mapping)


def said(made: Made, *items: dict[str, object]) -> Made:
    made.say(*items)
    made.run()
    return made


@contextmanager
def tried(made: Made, rules: str | None = None, **wanted: Any) -> Iterator[Run]:
    """A run under other rules, or the active ones."""
    folder = made.hub.settings.folder
    file = None
    if rules is not None:
        file = folder / "other.toml"
        file.write_text(rules)
    with run(made.hub, candidate(made.hub, rules=file), **wanted) as done:
        yield done


def told(made: Made, rules: str | None = None, **wanted: Any) -> Report:
    with tried(made, rules, **wanted) as done:
        return report(made.hub, done, sent=bool(wanted.get("send")))


def shown(made: Made, rules: str | None = None, **wanted: Any) -> list[dict[str, Any]]:
    with tried(made, rules, **wanted) as done:
        return list(done.wishes.spooled())


def totals(found: Report) -> dict[str, int]:
    kinds = ("new", "changed", "same", "kept", "newer", "gone")
    counts = {kind: sum(getattr(line, kind) for line in found.records) for kind in kinds}
    return {kind: count for kind, count in counts.items() if count}


@contextmanager
def laid_over(made: Made, name: str, spec: MappingSpec) -> Iterator[Run]:
    """A run with one mapping replaced."""
    folder = made.hub.settings.folder / "try" / "memo"
    folder.mkdir(parents=True)
    (folder / f"{name}.toml").write_text(to_toml(spec))
    with run(made.hub, candidate(made.hub, mappings=folder.parent)) as done:
        yield done


# ------------------------------------------------------------------------------------------------------- the same book


@pytest.mark.parametrize("mapping", ["note", "said", "ticket"])
def test_the_same_book_makes_the_same_records(new_hub: NewHub, mapping: str) -> None:
    made = said(new_hub(mapping=mapping), *TALK)
    found = told(made)
    assert totals(found) == {"same": len(made.hub.store.outbox.recent())}
    assert (found.signals, found.otherwise, found.differs) == (4, 0, False)


def test_an_author_whose_earlier_post_was_edited_last_is_as_the_edit_made_it(new_hub: NewHub) -> None:
    field = {"last": FieldSpec(from_="signal.text")}
    made = new_hub(mapping="person")
    own = made.hub.settings.folder / "mappings" / "memo" / "person.toml"
    own.write_text(to_toml(MappingSpec("person", field, keyed_by="author")))
    for text in ({"id": "1", "text": "acme"}, {"id": "2", "text": "acme again"}, {"id": "1", "text": "acme, edited"}):
        said(made, text)
    assert totals(told(made)) == {"same": 1}


def test_a_post_whose_edit_took_its_record_back_is_no_difference_of_the_book(new_hub: NewHub) -> None:
    made = said(new_hub(), {"id": "1", "text": "acme"})
    said(made, {"id": "1", "text": "nothing of the kind"})
    assert totals(told(made)) == {}


def test_a_repeat_with_other_counts_is_no_difference(new_hub: NewHub) -> None:
    early = 'signal.observed_at < "2026-11-22T12:30:00Z" && signal.published_at < "2026-11-22T12:30:00Z"'
    made = said(new_hub(rules=rule(when=early)), TALK[0])
    made.clock.pass_(hours=1)
    said(made, {**TALK[0], "likes": 7})
    assert totals(told(made)) == {"same": 1}


def post(number: int, text: str, by: str = "ana", **more: object) -> dict[str, object]:
    return {"id": str(number), "text": text, "by": by, **more}


@pytest.mark.parametrize(
    ("mapping", "first", "second"),
    [
        ("ticket", post(2, "acme", "bo"), post(2, "acme!", re="0")),
        ("said", post(2, "acme"), post(2, "acme!", "bo")),
        ("said", post(1, "acme"), post(1, "acme!", visibility="direct")),
        ("ticket", post(1, "acme", re="2"), post(1, "acme!", "bo", re="1", visibility="direct")),
    ],
)
def test_what_an_edit_moved_or_hid_is_no_difference_of_the_book(
    new_hub: NewHub, mapping: str, first: dict[str, object], second: dict[str, object]
) -> None:
    made = said(new_hub(mapping=mapping), first)
    made.clock.pass_(minutes=1)
    said(made, second)
    assert not totals(told(made)).keys() & {"new", "changed", "gone"}


@pytest.mark.parametrize("seed", range(12))
def test_whatever_is_said_and_edited_the_same_book_sends_nothing(
    sqlite_store: Store, tmp_path: Path, seed: int
) -> None:
    draw = Random(seed)
    made = make_hub(sqlite_store, tmp_path, mapping=draw.choice(["note", "said", "ticket"]))
    for _ in range(4):
        made.say(*(anything(draw) for _ in range(3)))
        process(made.hub, slice_s=30)
        made.clock.pass_(minutes=1)
    found = totals(told(made))
    made.hub.close()
    assert not found.keys() & {"new", "changed", "gone"}


def anything(draw: Random) -> dict[str, object]:
    """One of five posts, new or edited."""
    number, text = draw.randint(0, 4), " ".join(draw.choices(["acme", "love", "hate", "weather", "ä🎉"], k=2))
    more: dict[str, object] = {"re": str(draw.randint(0, 4))} if draw.random() < 0.5 else {}
    more |= {"visibility": "direct"} if draw.random() < 0.2 else {}
    return post(number, text, draw.choice(["ana", "bo"]), **more)


# ------------------------------------------------------------------------------------------------------- another book


def test_a_wider_rule_makes_new_records(new_hub: NewHub) -> None:
    made = said(new_hub(), *TALK)
    assert totals(told(made, rule(when="true"))) == {"new": 1, "same": 3}


def test_a_narrower_rule_no_longer_makes_records(new_hub: NewHub) -> None:
    made = said(new_hub(), *TALK)
    found = told(made, rule(when="labels.sentiment.score < 0"))
    assert (totals(found), found.otherwise) == ({"same": 1, "gone": 2}, 2)


def test_a_record_that_differs_says_in_what(new_hub: NewHub) -> None:
    made = said(new_hub(), TALK[0])
    with laid_over(made, "note", MappingSpec("note", {"text": FieldSpec(from_="signal.key")})) as done:
        one = next(done.wishes.spooled())
    key = signal_key("lines", "1")
    assert (one["kind"], one["record"], one["rule"], one["mapping"]) == ("changed", key, "brand", "note")
    assert one["fields"] == {"text": {"was": "I hate acme", "now": key}, "mood": {"was": "negative", "now": None}}


def test_a_mapping_that_is_laid_over_leaves_the_others(new_hub: NewHub) -> None:
    made = said(new_hub(mapping="said"), TALK[0])
    spec = MappingSpec("said", {"x": FieldSpec(from_="signal.key")}, requires=("person",))
    with laid_over(made, "said", spec) as done:
        assert totals(report(made.hub, done)) == {"changed": 1, "same": 1}


def test_topics_can_be_tried(new_hub: NewHub) -> None:
    made = said(new_hub(), *TALK)
    file = made.hub.settings.folder / "wider.toml"
    file.write_text('[[topic]]\nname = "acme"\nkeywords = ["acme", "weather"]\n')
    with run(made.hub, candidate(made.hub, topics=file)) as done:
        assert totals(report(made.hub, done)) == {"new": 1, "same": 3}


def test_a_conversation_without_a_ticket_gets_one_and_its_other_posts_become_comments(new_hub: NewHub) -> None:
    made = said(new_hub(), *TALK)
    found = shown(made, rule(mapping="ticket"))
    new = [(one["operation"], one["signal"]) for one in found if one["kind"] == "new"]
    keys = [signal_key("lines", number) for number in "134"]
    assert new == [("create", keys[0]), ("comment", keys[1]), ("comment", keys[2])]


def test_a_ticket_is_made_once_however_its_mapping_changes(new_hub: NewHub) -> None:
    made = said(new_hub(mapping="ticket"), *TALK)
    other = msgspec.structs.replace(MAPPINGS["ticket"], fields={"x": FieldSpec(from_="signal.key")})
    with laid_over(made, "ticket", other) as done:
        assert totals(report(made.hub, done)) == {"kept": 1, "same": 2}


def test_a_ticket_under_an_earlier_key_of_its_conversation_is_not_opened_again(new_hub: NewHub) -> None:
    made = said(new_hub(mapping="ticket"), TALK[0])
    with made.hub.store.database.write() as conn:
        conn.exec_driver_sql("UPDATE deliveries SET record_key = 'lines:earlier' WHERE operation = 'create'")
    assert told(made, send=True).planned == 0


def test_a_record_that_cannot_be_made_is_told_with_its_reason(new_hub: NewHub) -> None:
    made = said(new_hub(), *TALK)
    folder = made.hub.settings.folder / "try" / "memo"
    folder.mkdir(parents=True)
    (folder / "note.toml").write_text('object = "note"\n[fields.x]\nfrom = "signal.title"\nrequired = true\n')
    with run(made.hub, candidate(made.hub, mappings=folder.parent)) as done:
        found = report(made.hub, done)
    assert found.failed == 3
    assert [(one.field, one.reason, one.count) for one in found.failures] == [
        ("x", "required, but there is no value", 3)
    ]


@pytest.mark.parametrize("what", ["rules", "topics", "mappings"])
def test_what_is_not_there_is_an_error_with_its_file(new_hub: NewHub, tmp_path: Path, what: str) -> None:
    with pytest.raises(ConfigError, match=r"nowhere: there is no such (file|folder)"):
        candidate(new_hub().hub, **{what: tmp_path / "nowhere"})


def test_a_bad_rule_is_an_error_with_file_place_and_hint(new_hub: NewHub, tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text(rule(when="author.folowers > 1"))
    with pytest.raises(ConfigError, match=r"bad\.toml: rule \"brand\" when\[1\]: .*did you mean author\.followers"):
        candidate(new_hub().hub, rules=tmp_path / "bad.toml")


def test_a_bad_mapping_is_an_error_with_its_own_file(new_hub: NewHub, tmp_path: Path) -> None:
    (tmp_path / "try" / "memo").mkdir(parents=True)
    (tmp_path / "try" / "memo" / "note.toml").write_text('object = "note"\n[fields.x]\nfrom = "signal.tekst"\n')
    with pytest.raises(ConfigError, match=r"try/memo/note\.toml: fields\.x\.from"):
        candidate(new_hub().hub, mappings=tmp_path / "try")


# ---------------------------------------------------------------------------------------------------- how it is read


def test_a_changed_plugin_shows(new_hub: NewHub) -> None:
    made = said(new_hub(), TALK[0])
    translate = made.source.translate

    def louder(self: Any, raw: Any) -> Any:
        found = translate(self, raw)
        signals = tuple(msgspec.structs.replace(one, text=one.text.upper()) for one in found.signals)
        return msgspec.structs.replace(found, signals=signals)

    made.source.translate = louder  # type: ignore[method-assign]  # the next version of the plugin
    assert shown(made)[0]["fields"] == {"text": {"was": "I hate acme", "now": "I HATE ACME"}}


def test_what_cannot_be_read_any_more_is_taken_as_stored_and_told(new_hub: NewHub) -> None:
    made = said(new_hub(), *TALK)

    def broken(self: Any, raw: Any) -> Any:
        raise TranslationError("another format")

    made.source.translate = broken  # type: ignore[method-assign]  # the next version of the plugin
    found = told(made)
    assert (totals(found), found.unreadable, found.unread) == ({"same": 3}, 4, {"lines: another format": 4})


def test_models_are_not_asked_again(new_hub: NewHub) -> None:
    made = said(new_hub(), *TALK)
    made.hub.broken["enrichers.mood"] = "its model is gone"
    assert totals(told(made)) == {"same": 3}


def test_what_a_person_corrected_outranks_the_model(new_hub: NewHub) -> None:
    made = said(new_hub(rules=rule(when='labels.sentiment.value == "negative"')), TALK[1])
    store, key = made.hub.store, signal_key("lines", "2")
    row = store.signals.get(key)
    assert row is not None
    corrected = Label("sentiment", "negative", "ana", by="person")
    with store.database.write() as conn:
        store.signals._label(conn, [Judged(row["signal"], (corrected,), Trace(), False)])
    assert totals(told(made)) == {"new": 1}


def test_what_is_gone_at_its_network_is_left_out(new_hub: NewHub) -> None:
    made = said(new_hub(), *TALK)
    said(made, {"id": "1", "gone": True})
    found = told(made, rule(when="true"))
    assert (found.signals, found.left_out, totals(found)) == (3, 1, {"new": 1, "same": 2})


def test_only_what_was_published_since_counts(new_hub: NewHub) -> None:
    made = said(new_hub(), TALK[0])
    made.clock.pass_(days=2)
    since = made.clock()
    said(made, *TALK[1:])
    assert totals(told(made, rule(when="false"), since=since)) == {"gone": 2}


def test_the_scratch_file_goes_with_the_run(new_hub: NewHub) -> None:
    made = said(new_hub(), TALK[0])
    made.hub.settings.data.mkdir()
    with tried(made):
        assert [one.name[:15] for one in made.hub.settings.data.iterdir()] == ["hubbub-history-"]
    assert list(made.hub.settings.data.iterdir()) == []


# --------------------------------------------------------------------------------------------------------- filters


@pytest.mark.parametrize(
    ("wanted", "counts"),
    [
        (RecordFilter(), {"new": 2, "gone": 3}),
        (RecordFilter(rule="angry"), {"new": 2}),
        (RecordFilter(rule="brand"), {"gone": 3}),
        (RecordFilter(source="lines"), {"new": 2, "gone": 3}),
        (RecordFilter(source="others"), {}),
    ],
)
def test_a_run_can_be_asked_about_a_part(new_hub: NewHub, wanted: RecordFilter, counts: dict[str, int]) -> None:
    made = said(new_hub(), *TALK)
    assert totals(told(made, rule("angry", "labels.sentiment.score < 0", "said"), wanted=wanted)) == counts


def test_a_mapping_comes_with_all_that_it_needs(new_hub: NewHub) -> None:
    book = new_hub().hub.book
    assert closure(book, "said") == {("memo", "said"), ("memo", "person")}
    assert closure(book, "memo/comment") == closure(book, "ticket") == {("memo", "ticket"), ("memo", "comment")}
    assert closure(book, "nothing") == frozenset()


def test_an_author_whom_a_wanted_record_needs_is_wanted_whoever_asked_last(new_hub: NewHub) -> None:
    made = said(new_hub(rules=rule(when="false")), *TALK[:2], {**TALK[2], "by": "ana"})
    rules = rule("angry", "labels.sentiment.score < 0", "said") + rule("brand", mapping="person")
    assert totals(told(made, rules, wanted=RecordFilter(rule="angry"))) == {"new": 2}


# --------------------------------------------------------------------------------------------------------- sending


def keys_of(made: Made) -> list[tuple[str, int]]:
    return sorted((one.key, one.attempt) for batch in made.memo.got for one in batch)


def test_what_differs_is_sent_once_and_lands_in_order(new_hub: NewHub) -> None:
    made = said(new_hub(), *TALK)
    change_rules(made, rule(mapping="ticket"))
    found = told(made, send=True)
    assert (found.planned, totals(found)) == (3, {"new": 3, "gone": 3})
    made.memo.got.clear()
    made.run()
    assert [[one.operation for one in batch] for batch in made.memo.got] == [["create"], ["comment", "comment"]]
    assert all(one.parents["conversation"] for one in made.memo.got[1])
    assert told(made, send=True).planned == 0


def test_a_replay_that_is_overtaken_plans_and_counts_everything_once(new_hub: NewHub) -> None:
    made = said(new_hub(), *TALK)
    change_rules(made, rule(mapping="ticket"))
    ledger = contend(made.hub.store, 3)
    found = told(made, send=True)
    assert (ledger.conflicts, found.planned, totals(found)) == (3, 3, {"new": 3, "gone": 3})
    assert made.states() == {"delivered": 3, "pending": 3}


def test_a_replay_that_is_overtaken_each_time_plans_nothing_and_can_be_run_again(new_hub: NewHub) -> None:
    made = said(new_hub(), *TALK)
    change_rules(made, rule(mapping="ticket"))
    ledger = contend(made.hub.store, EACH_TIME)
    with pytest.raises(Overtaken, match="run the replay again"):
        told(made, send=True)
    assert made.states() == {"delivered": 3}
    ledger.left = 0
    assert told(made, send=True).planned == 3


def test_a_replay_rings_for_the_destination(new_hub: NewHub) -> None:
    made = said(new_hub(), *TALK)
    change_rules(made, rule(when="true"))
    made.bell.rung.clear()
    told(made, send=True)
    assert (made.bell.rung, made.states()) == ([("deliver", "memo")], {"delivered": 3, "pending": 1})


def test_a_changed_record_is_sent_under_its_key_with_the_next_number(new_hub: NewHub) -> None:
    made = said(new_hub(), TALK[0])
    own = made.hub.settings.folder / "mappings" / "memo" / "note.toml"
    own.write_text(to_toml(MappingSpec("note", {"text": FieldSpec(from_="signal.key")})))
    activate(made.hub, HUB)
    assert told(made, send=True).planned == 1
    made.run()
    key = signal_key("lines", "1")
    wanted = {idempotency_key("memo", "note", key, operation="upsert", seq=seq) for seq in (0, 1)}
    assert {one for one, _ in keys_of(made)} == wanted


def test_a_look_writes_nothing(new_hub: NewHub) -> None:
    made = said(new_hub(), *TALK)
    before = made.hub.store.outbox.recent()
    change_rules(made, rule(when="true"))
    told(made)
    assert made.hub.store.outbox.recent() == before


def test_a_replay_sends_only_what_was_asked_about(new_hub: NewHub) -> None:
    made = said(new_hub(rules=rule(when="false")), *TALK)
    change_rules(made, rule("angry", "labels.sentiment.score < 0") + rule("happy", "labels.sentiment.score > 0"))
    assert told(made, send=True, wanted=RecordFilter(rule="angry")).planned == 1
    assert told(made).records[0].new == 1


class Interrupting(Silent):
    """Stops a run when the second step has begun and one part of it is done."""

    def __init__(self) -> None:
        self.steps: list[str] = []

    def begin(self, step: str, total: int) -> None:
        self.steps.append(step)

    def advance(self, done: int) -> None:
        if self.steps[-1] == "records":
            raise KeyboardInterrupt


def test_an_interrupted_replay_goes_on_where_it_stopped(new_hub: NewHub) -> None:
    made = new_hub(rules=rule(when="false"))
    said(made, *({"id": str(number), "text": "acme"} for number in range(700)))
    change_rules(made, rule())
    with pytest.raises(KeyboardInterrupt):
        told(made, send=True, progress=Interrupting())
    assert made.states() == {"pending": 500}
    found = told(made, send=True)
    assert (found.planned, totals(found)) == (200, {"new": 200, "same": 500})
    made.run()
    assert len(keys_of(made)) == len(set(keys_of(made))) == 700


class Meanwhile(Silent):
    """Does something between reading and sending."""

    def __init__(self, then: Callable[[], object]) -> None:
        self.then = then

    def begin(self, step: str, total: int) -> None:
        if step == "records":
            self.then()


def test_what_was_deleted_meanwhile_is_not_sent(new_hub: NewHub) -> None:
    made = said(new_hub(rules=rule(when="false")), *TALK)
    change_rules(made, rule())
    stone = Tombstone(signal_key("lines", "1"), "user_deleted", made.clock())

    def bury() -> None:
        with made.hub.store.database.write() as conn:
            made.hub.store.signals.bury(conn, [stone])

    assert told(made, send=True, progress=Meanwhile(bury)).planned == 2


def test_what_was_written_meanwhile_is_newer_than_history(new_hub: NewHub) -> None:
    made = said(new_hub(), TALK[0])

    def edit() -> None:
        made.clock.pass_(seconds=1)
        made.say({**TALK[0], "text": "I hate acme, still"})
        process(made.hub, slice_s=30)

    found = told(made, send=True, progress=Meanwhile(edit))
    assert (found.planned, totals(found)) == (0, {"newer": 1})


def test_after_a_replay_a_signal_is_explained_by_the_rules_that_were_replayed(new_hub: NewHub) -> None:
    made = said(new_hub(rules=rule(when="false")), TALK[0])
    change_rules(made, rule("angry", "labels.sentiment.score < 0"))
    told(made, send=True)
    explanation = explain(made.hub, HUB, signal_key("lines", "1"))
    assert explanation is not None
    assert (explanation.matched, explanation.rules_version) == (("angry",), made.hub.book.rules.version)
    assert [one["rule"] for one in explanation.deliveries] == ["angry"]


def test_the_versions_of_a_replay_are_kept(new_hub: NewHub) -> None:
    made = said(new_hub(), TALK[0])
    change_rules(made, rule(when="true"))
    told(made, send=True)
    versions = (
        made.hub.book.rules.version,
        made.hub.book.topics.version,
        made.hub.book.mappings["memo", "note"].version,
    )
    assert all(made.hub.store.connections.version(one) for one in versions)


def test_an_explanation_tells_each_attempt_and_the_mappings_version(new_hub: NewHub) -> None:
    made = said(new_hub(), TALK[0])
    explanation = explain(made.hub, HUB, signal_key("lines", "1"))
    assert explanation is not None
    (one,) = explanation.deliveries
    assert one["mapping_version"] == made.hub.book.mappings["memo", "note"].version
    assert [(tried["attempt"], tried["outcome"], tried["error"]) for tried in one["tries"]] == [(1, "delivered", None)]
    assert explanation.topics_version == made.hub.book.topics.version
