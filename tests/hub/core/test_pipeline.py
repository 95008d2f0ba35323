"""From a signal to records: what is made, in which order, and why not."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.core.grammar.facts import merge, skeleton
from hub.core.model import Author, Counts, Label, Media, Provenance, Rating, Signal
from hub.core.pipeline import Rulebook, SignalContext, SignalPlan, check_rulebook, facts, plan, standings_read
from hub.core.route import compile_rules
from hub.core.spec import DeliverTo, Rule, Topic
from hub.core.topics import compile_topics
from tests.hub.core.given import NOW, author, mapping, signal

TEXT = {"Text": {"from": "signal.text"}}
MAPPINGS: dict[str, dict[str, Any]] = {
    "author": {
        "object": "Author",
        "keyed_by": "author",
        "key_field": "K",
        "fields": {"Name": {"from": "author.handle"}},
    },
    "post": {"object": "Post", "requires": ["author"], "key_field": "K", "fields": TEXT},
    "copy": {"object": "Post", "fields": TEXT},
    "ticket": {
        "operation": "create",
        "keyed_by": "conversation",
        "then": "comment",
        "requires": ["author"],
        "fields": TEXT,
    },
    "comment": {"object": "Post", "operation": "comment", "fields": TEXT, "requires": ["author"]},
    "case": {"object": "Case", "operation": "create", "keyed_by": "conversation", "fields": TEXT},
    "broken": {"fields": {"Lang": {"from": "signal.lang", "required": True}}},
    "needy": {"requires": ["broken"], "fields": TEXT},
    "contact": {
        "object": "Contact",
        "keyed_by": "person",
        "requires": ["author"],
        "fields": {"Name": {"from": "person.key"}},
    },
    "company": {"object": "Company", "keyed_by": "account", "fields": {"Fans": {"from": "account.followers"}}},
    "about": {"object": "About", "requires": ["contact", "company"], "fields": TEXT},
    "named": {"fields": {"Rule": {"from": "rule.name"}, "Url": {"from": "hub.url"}}},
}


def book(*rules: Rule, private: tuple[str, ...] = ()) -> Rulebook:
    """A rulebook with one topic and all mappings at `crm`."""
    made = {("crm", name): mapping(name, **spec) for name, spec in MAPPINGS.items()}
    return Rulebook(compile_rules(rules), compile_topics([Topic("acme", ("acme",))]), made, frozenset(private))


def rule(*mappings: str, when: str = "'acme' in topics", name: str = "rule", **more: Any) -> Rule:
    """A rule that delivers to `crm` with these mappings."""
    return Rule(name, (when,), tuple(DeliverTo("crm", mapping) for mapping in mappings), **more)


def made(
    *rules: Rule, post: Signal | None = None, memory: SignalContext | None = None, private: tuple[str, ...] = ()
) -> SignalPlan:
    """The plan for a post by these rules."""
    return plan(post or signal(), author(), [], book=book(*rules, private=private), memory=memory or SignalContext())


def names(made: SignalPlan) -> list[str]:
    return [record.mapping for record in made.records]


def notes(made: SignalPlan) -> list[str]:
    return [note.note for note in made.notes if not note.made]


def test_a_signal_that_no_rule_wants_makes_a_trace_and_nothing_else() -> None:
    plan = made(rule("post"), post=signal("nothing to see"))
    assert (plan.matched, plan.records, plan.topics) == ((), (), ())
    assert [trace.matched for trace in plan.rules] == [False]


def test_what_a_record_requires_comes_before_it() -> None:
    first, second = made(rule("post")).records
    assert (first.mapping, first.provides, first.needs) == ("author", "author:Author:mastodon:ada", ())
    assert (second.provides, second.needs) == ("signal:Post:mastodon:post", ("author:Author:mastodon:ada",))


def test_a_record_says_all_that_a_delivery_needs() -> None:
    record = made(rule("post")).records[1]
    assert (record.destination, record.object, record.key, record.operation) == (
        "crm",
        "Post",
        "mastodon:post",
        "upsert",
    )
    assert (record.fields, record.key_field, record.mapping) == ({"Text": "Acme is late again"}, "K", "post")
    assert record.mapping_version
    assert record.stable


def test_a_mapping_of_a_destination_is_applied_once() -> None:
    plan = made(rule("post"), rule("post", name="second"))
    assert names(plan) == ["author", "post"]
    assert notes(plan) == ["it has been asked for already"]


def test_two_mappings_do_not_make_the_same_record() -> None:
    plan = made(rule("copy", "post"))
    assert names(plan) == ["copy", "author"]
    assert notes(plan) == ["mapping copy makes this record"]


KNOWN = SignalContext(person={"key": "person:p"}, account={"key": "account:a", "followers": 7})


def test_records_of_people_and_accounts_have_their_keys() -> None:
    records = made(rule("contact", "company"), memory=KNOWN).records
    assert [(one.key, one.provides) for one in records[1:]] == [
        ("person:p", "person:Contact:person:p"),
        ("account:a", "account:Company:account:a"),
    ]
    assert records[2].fields == {"Fans": 7}


def test_where_nobody_is_linked_no_record_of_people_is_made_and_the_trace_says_so() -> None:
    plan = made(rule("contact", "company"))
    assert (names(plan), plan.failures) == ([], ())
    assert notes(plan) == ["no person is linked to the author", "no account is known of the author"]


def test_what_requires_a_record_of_a_person_does_without_where_nobody_is_linked() -> None:
    assert (names(made(rule("about"))), made(rule("about")).records[0].needs) == (["about"], ())
    needs = made(rule("about"), memory=KNOWN).records[-1].needs
    assert needs == ("person:Contact:person:p", "account:Company:account:a")


@pytest.mark.parametrize(
    ("wanted", "roots"),
    [
        (rule("post"), set()),
        (rule("contact"), set()),
        (rule("company"), {"account"}),
        (rule("about"), {"account"}),
        (rule("post", when="person.followers > 10"), {"person"}),
        (rule("post", when="person.owner == 'kim'"), set()),
    ],
    ids=lambda one: ",".join(sorted(one)) if isinstance(one, set) else one.when[0],
)
def test_how_people_stand_is_asked_for_where_somebody_reads_it(wanted: Rule, roots: set[str]) -> None:
    assert standings_read(book(wanted)) == roots


def test_the_first_signal_of_a_conversation_opens_its_ticket() -> None:
    plan = made(rule("ticket"), post=signal(conversation_key="mastodon:root"))
    assert names(plan) == ["author", "ticket"]
    assert plan.records[1].provides == "conversation:Post:mastodon:root"


def test_a_further_signal_of_a_conversation_is_a_comment() -> None:
    plan = made(
        rule("ticket"), post=signal(conversation_key="mastodon:root"), memory=SignalContext(opened=frozenset({"crm"}))
    )
    assert names(plan) == ["author", "comment"]
    assert plan.records[1].key == "mastodon:post"
    assert plan.records[1].needs == ("author:Author:mastodon:ada", "conversation:Post:mastodon:root")


def test_a_ticket_open_elsewhere_changes_nothing_here() -> None:
    assert names(made(rule("ticket"), memory=SignalContext(opened=frozenset({"desk"})))) == ["author", "ticket"]


JOINS = SignalContext(joins="bluesky:root", joins_opened=frozenset({"crm"}))


def test_by_a_joining_rule_a_second_channel_of_a_person_comments_on_the_open_ticket() -> None:
    plan = made(rule("ticket", join="person"), memory=JOINS)
    assert names(plan) == ["author", "comment"]
    assert plan.records[1].needs == ("author:Author:mastodon:ada", "conversation:Post:bluesky:root")


def test_without_a_joining_rule_each_channel_has_its_ticket() -> None:
    assert names(made(rule("ticket"), memory=JOINS)) == ["author", "ticket"]


def test_where_the_persons_conversation_has_no_ticket_there_it_is_opened_for_that_conversation() -> None:
    plan = made(rule("ticket", join="person"), memory=SignalContext(joins="bluesky:root"))
    assert [record.key for record in plan.records] == ["mastodon:ada", "bluesky:root"]


def test_a_conversation_that_has_its_own_ticket_keeps_it() -> None:
    memory = SignalContext(opened=frozenset({"crm"}), joins="bluesky:root", joins_opened=frozenset({"crm"}))
    plan = made(rule("ticket", join="person"), memory=memory)
    assert plan.records[1].needs[1] == "conversation:Post:mastodon:post"


def test_a_ticket_joins_if_any_rule_that_asks_for_it_says_so() -> None:
    plan = made(rule("ticket", name="first"), rule("ticket", name="second", join="person"), memory=JOINS)
    assert names(plan) == ["author", "comment"]


def test_a_rule_that_does_not_join_is_not_drawn_along_by_one_that_does() -> None:
    plan = made(rule("ticket", join="person"), rule("case", name="other"), memory=JOINS)
    assert [(record.mapping, record.key) for record in plan.records[1:]] == [
        ("comment", "mastodon:post"),
        ("case", "mastodon:post"),
    ]


def test_a_case_without_comments_is_opened_once() -> None:
    plan = made(rule("case"), memory=SignalContext(opened=frozenset({"crm"})))
    assert (names(plan), notes(plan)) == ([], ["the conversation has its record there"])


ALLOWED = "only rules that private_rules in [hub] names make records of it"


@pytest.mark.parametrize("visibility", ["direct", "followers", "internal"])
def test_a_private_post_goes_only_where_a_policy_allows_it(visibility: str) -> None:
    post = signal(visibility=visibility)
    refused = made(rule("post"), post=post)
    assert (refused.matched, names(refused)) == (("rule",), [])
    assert [note.partition(": ")[2] for note in notes(refused)] == [
        "only rules that private_rules in [hub] names make records of it"
    ]
    assert names(made(rule("post"), post=post, private=("rule",))) == ["author", "post"]


@pytest.mark.parametrize(
    ("change", "note"),
    [
        ({"origin": "hub"}, "the hub wrote it"),
        ({"state": "deleted"}, "the post is deleted"),
        ({"state": "expired"}, "the post is expired"),
    ],
)
def test_what_must_not_go_out_makes_no_record(change: dict[str, Any], note: str) -> None:
    plan = made(rule("post"), post=signal(**change), private=("rule",))
    assert (names(plan), notes(plan)) == ([], [note])


def test_a_required_field_without_a_value_is_a_failure_beside_the_others() -> None:
    plan = made(rule("broken", "post"))
    assert names(plan) == ["author", "post"]
    assert [(failure.mapping, failure.field) for failure in plan.failures] == [("broken", "Lang")]


def test_what_requires_a_failure_fails_too() -> None:
    plan = made(rule("needy"))
    assert plan.records == ()
    assert [failure.mapping for failure in plan.failures] == ["broken", "needy"]


def test_a_post_without_an_author_needs_none() -> None:
    plan = made(rule("post", "author"), post=signal(author_key=None))
    assert [(record.mapping, record.needs) for record in plan.records] == [("post", ())]
    assert notes(plan) == ["there is no author"]


def test_a_mapping_that_is_not_there_is_a_failure() -> None:
    assert [failure.reason for failure in made(rule("nothing")).failures] == ["there is no such mapping"]


def test_a_mapping_can_name_the_rule_and_the_page() -> None:
    plan = made(rule("named", name="angry"), memory=SignalContext(url="https://hub.example/s/1"))
    assert plan.records[0].fields == {"Rule": "angry", "Url": "https://hub.example/s/1"}


def test_rules_give_labels_and_the_first_assignee() -> None:
    plan = made(rule(name="a", labels={"urgency": "high"}), rule(name="b", labels={"urgency": "low"}, assign="ada"))
    assert [(label.name, label.value, label.model) for label in plan.labels] == [("urgency", "high", "rule:a")]
    assert plan.assign == "ada"


def test_a_title_counts_for_topics() -> None:
    assert made(rule(), post=signal("late", title="Acme")).topics == ("acme",)


def test_a_plan_names_every_record_with_its_rule() -> None:
    plan = made(rule("post"))
    assert [(note.mapping, note.rule, note.made, note.key) for note in plan.notes] == [
        ("author", "rule", True, "mastodon:ada"),
        ("post", "rule", True, "mastodon:post"),
    ]
    assert plan.asked_by == {("crm", "author"): "rule", ("crm", "post"): "rule"}


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"post": {"requires": ["athor"]}}, "mappings/crm/post.toml: requires: athor is not there (did you mean author?)"),
    (
        {"author": {"requires": ["post"]}},
        "mappings/crm/author.toml: requires: post requires this one: a circle (take one of the two out)",
    ),
    (
        {"ticket": {"then": "author"}},
        "mappings/crm/ticket.toml: then: there is no mapping author keyed by signal (known: about, broken, comment, copy",
    ),
]


@pytest.mark.parametrize(("change", "message"), WRONG)
def test_mappings_that_do_not_fit_together_are_told(change: dict[str, Any], message: str) -> None:
    specs = merge(change, MAPPINGS)
    made = {("crm", name): mapping(name, **spec) for name, spec in specs.items()}
    told = check_rulebook(Rulebook(compile_rules([]), compile_topics([]), made))
    assert any(str(one).startswith(message) for one in told)


def test_a_target_without_a_mapping_is_told_with_a_guess() -> None:
    (told,) = check_rulebook(book(rule("pots")))
    assert str(told) == 'rules.toml: rule "rule" deliver: crm has no mapping pots (did you mean post?)'


def test_mappings_that_require_each_other_fail_and_do_not_hang() -> None:
    specs = {"a": {"requires": ["b"], "fields": TEXT}, "b": {"requires": ["a"], "fields": TEXT}}
    made = {("crm", name): mapping(name, **spec) for name, spec in specs.items()}
    circle = Rulebook(compile_rules([rule("a", when="true")]), compile_topics([]), made)
    plan_ = plan(signal(), None, [], book=circle, memory=SignalContext())
    assert (plan_.records, len(plan_.failures)) == ((), 2)


FULL = signal(
    rating=Rating(2),
    counts=Counts(likes=3),
    media=(Media("image", "https://x.example/1"),),
    provenance=Provenance("source", "plugin", 7),
    hashtags=("a",),
)


@pytest.mark.parametrize("post", [signal(), FULL], ids=["plain", "full"])
@pytest.mark.parametrize("by", [None, author()], ids=["no author", "author"])
def test_facts_have_every_name_of_the_skeleton(post: Signal, by: Author | None) -> None:
    def shape(tree: dict[str, Any]) -> dict[str, Any]:
        return {name: shape(below) if isinstance(below, dict) else None for name, below in tree.items()}

    assert shape(facts(post, by, [])) == shape(skeleton())


def test_facts_are_plain_values() -> None:
    known = facts(FULL, author(), [], topics=("a",))["signal"]
    assert (known["published_at"], known["rating"]["best"], known["counts"]["likes"]) == (
        "2026-05-04T10:11:12Z",
        5.0,
        3,
    )
    assert (known["media"], known["hashtags"]) == (
        [{"kind": "image", "url": "https://x.example/1", "alt": None, "mime": None}],
        ["a"],
    )


def test_a_label_of_a_person_outranks_every_model() -> None:
    said = [
        Label("sentiment", "positive", "m"),
        Label("sentiment", "negative", "ada", by="person"),
        Label("sentiment", "neutral", "m2"),
    ]
    for labels in (said, said[::-1]):
        assert facts(signal(), None, labels)["labels"]["sentiment"]["value"] == "negative"


@pytest.mark.parametrize(
    ("confidence", "by", "uncertain"), [(0.5, "enricher", True), (0.6, "enricher", False), (0.1, "person", False)]
)
def test_a_model_that_is_not_sure_is_uncertain(confidence: float, by: Any, uncertain: bool) -> None:
    label = Label("sentiment", "negative", "m", confidence=confidence, by=by)
    assert facts(signal(), None, [label])["labels"]["sentiment"]["uncertain"] is uncertain


@given(
    st.text(max_size=20),
    st.sampled_from(["live", "deleted"]),
    st.booleans(),
    st.lists(st.sampled_from(list(MAPPINGS)), max_size=4),
)
def test_the_same_inputs_give_the_same_plan_and_order_holds(
    text: str, state: Any, opened: bool, wanted: list[str]
) -> None:
    post = signal(f"acme {text}", state=state, lang="en", published_at=NOW)
    memory = SignalContext(opened=frozenset({"crm"} if opened else ()))
    one = made(rule(*wanted), post=post, memory=memory)
    assert one == made(rule(*wanted), post=post, memory=memory)
    provided = {"conversation:Post:mastodon:post"} if opened else set()
    for record in one.records:
        assert set(record.needs) <= provided
        provided.add(record.provides)


def test_a_reason_that_concerns_several_records_is_told_once() -> None:
    plan = made(rule("post", "case"), post=signal(visibility="direct"))
    assert plan.reasons == (f"crm/post, crm/case: a direct message: {ALLOWED}",)


@pytest.mark.parametrize(
    ("when", "records"),
    [
        ('signal.network != ""', False),
        ('signal.kind != "repost"', False),
        ('labels.topic.value != "x" && !(labels.topic.value == "repost")', False),
        ('signal.kind == "repost"', True),
        ("signal.kind == 'repost'", True),
        ('"repost" == signal.kind', True),
        ('signal.kind in ["quote", "repost"]', True),
    ],
)
def test_a_boost_makes_a_record_only_where_a_rule_asks_for_boosts(when: str, records: bool) -> None:
    plan = made(rule("post", when=when), post=signal(kind="repost"))
    assert bool(plan.records) is records


def test_a_boost_says_why_it_made_no_record() -> None:
    assert (
        made(rule("post"), post=signal(kind="repost"))
        .reasons[0]
        .startswith("crm/post: a boost: it counts on what it boosts")
    )
