"""Explanations: computed again from what was kept, they say what was decided on that day, whatever changed since."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.core.access import HUB
from hub.core.decide import judgement
from hub.core.errors import ConfigError
from hub.core.keys import author_key, signal_key
from hub.core.model import Author, Label
from hub.core.spec import FieldSpec, MappingSpec, RuleTrace
from hub.flow.decide.batch import process
from hub.flow.sweep import prepare
from hub.flow.views.explain import explain
from hub.runtime import Hub
from tests.databases import Databases
from tests.hubs import Made, change_rules, make_hub, to_toml

NewHub = Callable[..., Made]

RULES = """
[[rule]]
name = "angry"
when = ['"acme" in topics', 'labels.sentiment.score < 0', '!labels.sentiment.uncertain']
labels = { urgency = "high" }
deliver = [{ destination = "memo", mapping = "note" }]
[[rule]]
name = "urgent"
when = ['labels.urgency.value == "high"']
[[rule]]
name = "regular"
when = ['stats.signals_30d >= 2', 'stats.sentiment_mean_30d <= 0.0']
[[rule]]
name = "talk"
when = ['conversation.signals > 1', 'author.handle != "bo"', 'signal.text.matches("a.*e")']
[[rule]]
name = "famous"
when = ['author.followers > 1000', 'signal.published_at.startsWith("2026")', 'size(topics) > 0']
"""


class Watched:
    """Remembers the traces of each decision as they are made, by the signal's key."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.traces: dict[str, tuple[RuleTrace, ...]] = {}
        plan = judgement.plan

        def watching(signal: Any, *given: Any, **more: Any) -> Any:
            made = plan(signal, *given, **more)
            self.traces[signal.key] = made.rules
            return made

        monkeypatch.setattr(judgement, "plan", watching)


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Watched:
    return Watched(monkeypatch)


def told(hub: Hub, key: str) -> tuple[RuleTrace, ...]:
    explanation = explain(hub, HUB, key)
    assert explanation is not None
    return explanation.rules


def say(made: Made, *items: dict[str, object]) -> None:
    prepare(made.hub)
    made.say(*items)
    process(made.hub, slice_s=30)


TALK: list[dict[str, object]] = [
    {"id": "1", "text": "I hate acme", "by": "ana"},
    {"id": "2", "text": "nice weather", "by": "bo"},
    {"id": "3", "text": "me too, acme", "by": "bo", "re": "1"},
    {"id": "4", "text": "hate hate", "by": "bo", "re": "1"},
]


def test_an_explanation_is_the_decision_rule_by_rule_and_value_by_value(new_hub: NewHub, watched: Watched) -> None:
    made = new_hub(rules=RULES)
    say(made, *TALK)
    assert {key: told(made.hub, key) for key in watched.traces} == watched.traces
    assert len(watched.traces) == 4


def test_it_still_is_after_the_rules_file_changed(new_hub: NewHub, watched: Watched) -> None:
    made = new_hub(rules=RULES)
    say(made, *TALK)
    before = dict(watched.traces)
    change_rules(made, '[[rule]]\nname = "other"\nwhen = ["size(topics) == 0"]\n')
    assert {key: told(made.hub, key) for key in before} == before


def test_a_signal_of_today_is_explained_by_the_rules_of_today(new_hub: NewHub) -> None:
    made = new_hub(rules=RULES)
    say(made, TALK[0])
    change_rules(made, '[[rule]]\nname = "other"\nwhen = ["size(topics) == 1"]\n')
    say(made, {"id": "9", "text": "acme"})
    assert [rule.rule for rule in told(made.hub, signal_key("lines", "9"))] == ["other"]


def test_it_still_is_after_time_and_more_posts_of_the_author(new_hub: NewHub, watched: Watched) -> None:
    made = new_hub(rules=RULES)
    say(made, *TALK)
    before = dict(watched.traces)
    made.clock.pass_(days=3)
    say(made, {"id": "5", "text": "love acme", "by": "bo", "re": "1"}, {"id": "6", "text": "acme", "by": "ana"})
    assert {key: told(made.hub, key) for key in before} == before


def test_a_rules_own_label_is_not_taken_for_one_that_was_there(new_hub: NewHub) -> None:
    made = new_hub(rules=RULES)
    say(made, TALK[0])
    explanation = explain(made.hub, HUB, signal_key("lines", "1"))
    assert explanation is not None
    assert [(one["name"], one["value"]) for one in explanation.labels] == [
        ("sentiment", "negative"),
        ("urgency", "high"),
    ]
    assert {rule.rule: rule.matched for rule in explanation.rules}["urgent"] is False


def test_a_persons_later_correction_does_not_change_what_was_decided(new_hub: NewHub, watched: Watched) -> None:
    made = new_hub(rules=RULES)
    say(made, TALK[0])
    key = signal_key("lines", "1")
    before = watched.traces[key]
    corrected = Label("sentiment", "positive", "ana", 1.0, by="person")
    with made.hub.store.database.write() as conn:
        made.hub.store.signals._label(conn, [made_judged(made, key, corrected)])
    assert told(made.hub, key) == before


def made_judged(made: Made, key: str, label: Label) -> Any:
    from hub.core.decide.judgement import Judged
    from hub.core.decide.trace import Trace

    row = made.hub.store.signals.get(key)
    assert row is not None
    return Judged(row["signal"], [label], Trace(), matched=True)


def test_an_author_who_became_known_later_was_unknown_then(new_hub: NewHub, watched: Watched) -> None:
    made = new_hub(rules=RULES)
    made.source.translate = _without_authors(made.source.translate)  # type: ignore[method-assign]  # a source of its own
    say(made, TALK[0])
    known = Author(author_key("lines", "ana"), "lines", "ana", handle="bo", followers=5000)
    with made.hub.store.database.write() as conn:
        made.hub.store.signals.meet(conn, [known], now=made.clock())
    assert told(made.hub, signal_key("lines", "1")) == watched.traces[signal_key("lines", "1")]


def _without_authors(translate: Any) -> Any:
    def alone(self: Any, raw: Any) -> Any:
        return msgspec.structs.replace(translate(self, raw), authors=())

    return alone


def test_another_threshold_since_does_not_change_what_was_uncertain_then(new_hub: NewHub, watched: Watched) -> None:
    made = new_hub(rules=RULES)
    say(made, TALK[0])
    before = watched.traces[signal_key("lines", "1")]
    strict = made.hub.settings.hub.model_copy(update={"uncertain_below": 1.0})
    made.hub.settings = made.hub.settings.model_copy(update={"hub": strict})
    assert told(made.hub, signal_key("lines", "1")) == before


def test_rules_that_read_a_label_whose_enricher_is_gone_are_still_explained(new_hub: NewHub, watched: Watched) -> None:
    class Odd:
        labels = ("sentiment", "oddity")

    made = new_hub(rules=RULES)
    cls = made.hub.registry.load("mood").enrichers["mood"]
    wider = type("Wider", (cls,), {"labels": Odd.labels})
    made.hub.registry._loaded["mood"] = msgspec_free(made.hub.registry.load("mood"), wider)
    change_rules(made, "[[rule]]\nname = 'odd'\nwhen = ['labels . oddity.score > 0.5', 'labels.sentiment.score < 0']\n")
    say(made, TALK[0])
    made.hub.registry._loaded["mood"] = msgspec_free(made.hub.registry.load("mood"), cls)
    change_rules(made, "")
    key = signal_key("lines", "1")
    assert told(made.hub, key) == watched.traces[key]
    assert [one.verdict for one in told(made.hub, key)[0].conditions] == ["absent", "true"]


def msgspec_free(plugin: Any, cls: Any) -> Any:
    from dataclasses import replace

    return replace(plugin, enrichers={"mood": cls})


def test_rules_that_were_not_kept_are_said_to_be_todays(new_hub: NewHub) -> None:
    made = new_hub(rules=RULES)
    made.say(TALK[0])
    process(made.hub, slice_s=30)
    change_rules(made, '[[rule]]\nname = "other"\n')
    explanation = explain(made.hub, HUB, signal_key("lines", "1"))
    assert explanation is not None
    assert explanation.notes[-1] == "the rules of that day were not kept: these are today's"


def test_an_edited_signal_is_explained_as_it_was_decided_last(new_hub: NewHub, watched: Watched) -> None:
    made = new_hub(rules=RULES)
    say(made, TALK[0])
    say(made, {"id": "1", "text": "I love acme", "by": "ana"})
    assert told(made.hub, signal_key("lines", "1")) == watched.traces[signal_key("lines", "1")]


def test_an_unknown_signal_has_no_explanation(new_hub: NewHub) -> None:
    assert explain(new_hub().hub, HUB, "lines:nothing") is None


def test_an_explanation_names_deliveries_oldest_first_and_why_some_were_not_made(new_hub: NewHub) -> None:
    made = new_hub(mapping="said")
    say(made, {"id": "1", "text": "acme"}, {"id": "2", "text": "acme, in private", "visibility": "direct"})
    public, private = (explain(made.hub, HUB, signal_key("lines", number)) for number in "12")
    assert public is not None
    assert private is not None
    assert [one["object"] for one in public.deliveries] == ["person", "said"]
    assert (private.matched, private.deliveries) == (("brand",), [])
    assert private.notes == (
        "memo/said: a direct message: only rules that private_rules in [hub] names make records of it",
    )


def test_several_targets_that_one_reason_keeps_back_have_that_reason_alone(new_hub: NewHub) -> None:
    targets = ", ".join(f'{{ destination = "memo", mapping = "{name}" }}' for name in ("said", "note"))
    made = new_hub(mapping="said", rules=f'[[rule]]\nname = "all"\nwhen = ["true"]\ndeliver = [{targets}]\n')
    say(made, {"id": "1", "text": "acme, in private", "visibility": "direct"})
    explanation = explain(made.hub, HUB, signal_key("lines", "1"))
    assert explanation is not None
    assert [note.partition(":")[0] for note in explanation.notes] == ["memo/said, memo/note"]


COMBINED = list(
    product(("upsert", "create", "comment"), ("signal", "author", "conversation", "person"), ("comment", None))
)
REFUSED = [
    *(
        (operation, keyed_by, "comment")
        for operation, keyed_by, then in COMBINED
        if then and keyed_by != "conversation"
    ),
    *(("upsert", "conversation", "comment"), ("comment", "conversation", "comment"), ("comment", "conversation", None)),
    *((operation, keyed_by, None) for operation in ("create", "comment") for keyed_by in ("author", "person")),
]


@pytest.mark.parametrize(("operation", "keyed_by", "then"), COMBINED)
def test_no_post_of_a_batch_is_lost_without_a_reason(
    new_hub: NewHub, operation: Any, keyed_by: Any, then: str | None
) -> None:
    made = new_hub(mapping="mix")
    text = {"text": FieldSpec(from_="signal.text")}
    spec = MappingSpec("mixed", text, operation=operation, keyed_by=keyed_by, then=then)
    (made.hub.settings.folder / "mappings" / "memo" / "mix.toml").write_text(to_toml(spec))
    if (operation, keyed_by, then) in REFUSED:
        with pytest.raises(ConfigError):
            made.hub.book  # noqa: B018 - reading it compiles the files
        return
    say(
        made,
        {"id": "1", "text": "acme"},
        {"id": "2", "text": "acme again", "re": "1"},
        {"id": "3", "text": "acme", "re": "1"},
    )
    for number in "123":
        found = explain(made.hub, HUB, signal_key("lines", number))
        assert found is not None
        assert found.matched == ("brand",)
        assert found.deliveries or found.notes


WORDS = st.lists(st.sampled_from(["acme", "love", "hate", "weather", "ä🎉", "a\x00e", "#acme"]), min_size=1, max_size=4)
POSTS = st.lists(
    st.fixed_dictionaries(
        {
            "text": WORDS.map(" ".join),
            "by": st.sampled_from(["ana", "bo"]),
            "lang": st.sampled_from(["en", "de", None]),
        },
        optional={"re": st.integers(0, 3).map(str), "visibility": st.sampled_from(["public", "direct"])},
    ),
    min_size=1,
    max_size=5,
)


class Fresh:
    """Hubs on fresh SQLite databases, one an example."""

    def __init__(self, folder: Path, databases: Databases) -> None:
        self.folder = folder
        self.databases = databases
        self.count = 0

    @cached_property
    def rules(self) -> str:
        return RULES

    def hub(self) -> Made:
        self.count += 1
        folder = self.folder / str(self.count)
        folder.mkdir()
        return make_hub(self.databases.open(self.databases.sqlite(folder / "hub.db")), folder, rules=self.rules)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(posts=POSTS)
def test_whatever_is_said_is_explained_as_it_was_decided(
    tmp_path_factory: pytest.TempPathFactory, databases: Databases, watched: Watched, posts: list[dict[str, object]]
) -> None:
    made = Fresh(tmp_path_factory.mktemp("fresh"), databases).hub()
    watched.traces.clear()
    say(made, *({"id": str(number), **post} for number, post in enumerate(posts)))
    change_rules(made, "")
    try:
        assert {key: told(made.hub, key) for key in watched.traces} == watched.traces
        assert len(watched.traces) == len(posts)
    finally:
        made.hub.close()
