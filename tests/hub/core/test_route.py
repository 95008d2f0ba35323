"""Rules: refused with all their faults, decided with their reasons."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.core.errors import InvalidRule
from hub.core.grammar.facts import skeleton
from hub.core.model import Label, Media
from hub.core.pipeline import facts
from hub.core.route import compile_rules
from hub.core.spec import Rule
from tests.hub.core.given import author, known, rules, signal

REFUSED = {
    "signl.text == 'x'": "unknown name signl (did you mean signal?)",
    "signal.txet == 'x'": "unknown name signal.txet (did you mean signal.text?)",
    "labels.sentimnt.value == 'x'": "unknown name labels.sentimnt (did you mean labels.sentiment?)",
    "signal.text.lang == 'x'": "signal.text is a value and has no parts",
    "rule.name == 'x'": "unknown name rule",
    "has(signal.text)": "has() is true for a null too (write path != null)",
    "signal.text = 'x'": "column 13: a single = compares nothing (write == to compare)",
    "signal.text ==": "column 15: the condition ends too early",
    "true\n&& ": "line 2, column 4",
    "((true": "the condition ends too early (close each ()",
    "true and false": "and is no word of conditions (write && instead of and)",
    "author.followers > '3'": 'author.followers is a number, never "3" (write the number without quotes)',
    "author.followers == -0x10": "author.followers is 0 or more, never -0x10",
    "author.followers > 0x1Fu && author.followers < 10": "author.followers cannot be > 31 and < 10 at once",
    "author.handle == 3": "author.handle is a text, never 3 (write the text in quotes)",
    "topics == 'acme'": 'topics is a list, never acme (write "acme" in topics)',
    "signal.kind == 'mentions'": 'signal.kind is never "mentions" (did you mean mention?)',
    "'Acme' in signal.hashtags": 'hashtags are kept without # and in lower case (write "acme" in signal.hashtags)',
    "author.handle == '@acme'": 'author.handle is never "@acme" (write "acme")',
    "timestamp('2026-06-01') < timestamp(signal.published_at)": "'2026-06-01' is no timestamp "
    '(such as timestamp("2026-01-31T09:00:00Z"))',
    "duration('5 days') > duration('1h')": "'5 days' is no duration (such as duration(\"36h\"))",
    "'follower' == signal.visibility": 'signal.visibility is never "follower" (did you mean followers?)',
    "labels.sentiment.value in ['bad']": 'labels.sentiment.value is never "bad"',
    "signal.lang == 'fr-FR'": 'signal.lang is never "fr-FR" (write "fr")',
    "signal.text.contains(author.followers)": "it fails for every signal",
    "timestamp(signal.published_at).getHours('Europe/Pariss') == 1": "no time zone 'Europe/Pariss' (did you mean Europe/Paris?)",
    "timestamp(signal.published_at).getHours(author.handle) == 1": ".getHours() takes a time zone in quotes",
    "signal.published_at.getHours('Europe/Paris') == 1": "a text, no time (write timestamp(signal.published_at).getHours(...))",
    "signal.rating != null": "a whole object (name one of its values, like signal.rating.value)",
    "signal == null": "signal is a whole object",
    "topics.exists(t, topics.exists(u, u == t))": ".exists() inside another macro",
    "signal.media.map(m, topics.filter(t, true)) == []": ".filter() inside another macro",
    "topics.exists(signal, true)": "signal cannot be a macro's name",
    "topics.exists('t', true)": "argument must be a simple name",
    "topics.any(t, true)": "unknown method .any()",
    "signal.text.startswith('x')": "did you mean startsWith?",
    "lower(signal.text) == 'x'": "unknown function lower()",
    "signal.text.matches('(')": "bad pattern '(': unclosed group",
    "signal.text.matches(signal.url)": "takes a constant pattern",
    "signal.text": "gives null, not true or false (compare it with something)",
    "size(topics)": "gives a value of type int, not true or false",
    "'a' + 'b'": "gives a value of type str",
    "type(signal.text) == string": "unknown function type()",
    "t == 'x' && topics.exists(t, true)": "unknown name t",
}


@pytest.mark.parametrize(("condition", "message"), REFUSED.items())
def test_a_bad_condition_is_refused_with_the_way_out(condition: str, message: str) -> None:
    with pytest.raises(InvalidRule) as refused:
        rules(condition)
    assert message in str(refused.value)


@pytest.mark.parametrize("condition", ["(" * 10_000 + "true" + ")" * 10_000, "[" * 60 + "]" * 60, "!" * 5_000 + "true"])
def test_what_would_crash_the_evaluator_never_reaches_it(condition: str) -> None:
    with pytest.raises(InvalidRule, match=r"brackets in each other|longer than"):
        rules(condition)


def test_all_problems_of_a_file_come_at_once_with_their_places() -> None:
    wrong = [Rule("a", ("true", "signl.x == 1")), Rule("a", ("foo == bar",)), Rule(" ", ("true",))]
    with pytest.raises(InvalidRule) as refused:
        compile_rules(wrong, file="r.toml")
    places = [(problem.file, problem.path) for problem in refused.value.problems]
    assert places == [("r.toml", path) for path in ('rule "a" when[2]', *['rule "a" when[1]'] * 2, 'rule "a"', "rule")]


@pytest.mark.parametrize(
    ("condition", "verdict"),
    [
        ("signal.text == 'Hällo'", "true"),
        ("signal.text.contains('allo')", "false"),
        ("size(signal.text) == 5 && signal.text.size() < 6", "true"),
        ("size(signal.title) != 5", "absent"),
        ("topics.all(t, size(t) == 4) && 'size'.size() == 4", "true"),
        ("signal.text.matches(r'(?i)^hÄ\\w+$')", "true"),
        ('signal.text != "it\'s signl.foo"', "true"),
        ("signal.lang == 'de'", "false"),
        ("signal.lang != 'de'", "true"),
        ("signal.lang == null", "true"),
        ("signal.lang.startsWith('d')", "absent"),
        ("signal.rating.value < 3.0", "absent"),
        ("!labels.sentiment.uncertain", "absent"),
        ("signal.rating.value < 3.0 || signal.text != ''", "true"),
        ("'acme' in topics && size(topics) > 1", "true"),
        ("topics.exists(t, t.startsWith('ac'))", "true"),
        ("signal.media.exists(m, m.kind == 'image')", "true"),
        ("signal.media.exists(m, m.alt.contains('x'))", "error"),
        ("signal.media[5].kind == 'x'", "error"),
        ("signal.published_at > '2026-05-01'", "true"),
        ("timestamp(signal.published_at).getDayOfWeek() == 1", "true"),
        ("author.followers >= 1.5", "true"),
        ("author.followers > -0x10 && author.followers < 0xFFFFU", "true"),
        ("author.followers / (author.followers - author.followers) == 1", "error"),
        ("author['handle'] == 'ada'", "true"),
        ("labels.mood.value == null", "true"),
        ("// a note\n true", "true"),
    ],
)
def test_a_condition_has_its_verdict(condition: str, verdict: str) -> None:
    post = signal("Hällo", media=(Media("image", "https://x.example/1"),))
    read = facts(post, author(followers=7), [], topics=("acme", "bank"))
    (trace,) = rules(condition, labels=("mood",)).decide(read)
    assert [told.verdict for told in trace.conditions] == [verdict]
    assert trace.matched is (verdict == "true")


@pytest.mark.parametrize(
    ("condition", "text"),
    [
        ('signal.text.contains("l\'Oréal")', "Chez l’Oréal"),
        ("signal.text.contains('l’Oréal')", "Chez l'Oréal"),
        ("signal.text.contains('l\\u2019Oréal')", "Chez l'Oréal"),
        ("signal.text.contains('acme-pay')", "L’acme\u2011pay"),
        ("signal.text.contains('acme pay')", "der\u00adacme\xa0pay…"),
        ("signal.text.contains('pay\xa0:')", "acme pay\u202f:"),
        ("signal.text.matches('[a–c]{2}é?$')", "x -a"),
        ("signal.text.matches(r'^l’\\w+')", "l'été"),
        ("!signal.text.matches('^[a–c]$')", "b"),
        ("signal.hashtags.exists(tag, tag == 'd’acme')", "x"),
    ],
)
def test_a_condition_does_not_tell_ways_of_writing_apart(condition: str, text: str) -> None:
    (trace,) = rules(condition).decide(facts(signal(text, hashtags=("d'acme",)), None, []))
    assert trace.matched


def test_a_trace_tells_what_was_read() -> None:
    (trace,) = rules("signal.lang == 'de' || author.handle == signal.text").decide(known("x" * 300))
    read = {"signal.lang": None, "author.handle": "ada", "signal.text": "x" * 200 + "…"}
    assert dict(trace.conditions[0].read) == read


def test_an_error_is_told_and_an_absence_needs_no_words() -> None:
    (trace,) = rules("int(author.handle) == 1", "author.followers > 1").decide(known())
    assert [bool(told.note) for told in trace.conditions] == [True, False]


def test_every_condition_is_told_even_after_a_false_one() -> None:
    (trace,) = rules("signal.lang == 'de'", "true").decide(known())
    assert [told.verdict for told in trace.conditions] == ["false", "true"]


def test_a_disabled_rule_is_checked_and_not_decided() -> None:
    off = compile_rules([Rule("off", ("true",), enabled=False), Rule("on", ("true",))])
    assert off.matches(known()) == ("on",)
    with pytest.raises(InvalidRule):
        compile_rules([Rule("off", ("nonsense",), enabled=False)])


def test_a_value_that_the_evaluator_refuses_counts_as_absent() -> None:
    read = facts(signal(), author(followers=2**70, handle="\ud800"), [Label("spam", "no", "m")])
    traces = rules("author.followers > 1", "author.handle.contains('x')", "labels.spam.value == 'no'").decide(read)
    assert [told.verdict for told in traces[0].conditions] == ["true", "absent", "true"]


def test_the_version_follows_the_words() -> None:
    assert rules("true").version == rules("true").version
    assert rules("true").version != rules("size(topics) == 0").version


def test_paths_are_what_any_condition_reads() -> None:
    assert rules("author.handle == ''", "'a' in topics").paths == {"author.handle", "topics"}


def test_the_skeleton_of_nulls_is_enough_for_every_path() -> None:
    (trace,) = rules("labels.urgency.score == null", "person.owner == null", "stats.signals_30d == null").decide(
        skeleton()
    )
    assert trace.matched


CONDITIONS = st.sampled_from(
    [
        "'a' in topics",
        "size(topics) > 1",
        "topics.all(t, t > 'a')",
        "signal.lang == 'de'",
        "signal.lang != null",
        "signal.lang.startsWith('d')",
        "signal.text.matches('[a-c]+$')",
        "labels.sentiment.score < -0.5",
        "!labels.sentiment.uncertain",
        "author.followers > 10 || 'a' in topics",
        "author.followers / size(topics) == 1",
        "true",
    ]
)
LABELS = st.lists(
    st.builds(
        Label,
        st.just("sentiment"),
        st.just("negative"),
        st.just("m"),
        st.none() | st.floats(-1, 1),
        st.none() | st.floats(0, 1),
    ),
    max_size=2,
)


@given(
    st.lists(st.tuples(st.lists(CONDITIONS, max_size=3), st.booleans()), max_size=4),
    st.lists(st.sampled_from("abc"), max_size=3),
    st.sampled_from([None, "de", "fr"]),
    LABELS,
)
def test_the_fast_way_agrees_with_the_traces(
    written: list[tuple[list[str], bool]], topics: list[str], lang: str | None, labels: list[Label]
) -> None:
    book = compile_rules([Rule(str(i), tuple(when), enabled=on) for i, (when, on) in enumerate(written)])
    read: dict[str, Any] = facts(signal("abc", lang=lang), author(followers=lang and 11), labels, topics=topics)
    assert book.matches(read) == tuple(trace.rule for trace in book.decide(read) if trace.matched)
