"""Mappings: refused with all their faults, applied without surprises."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.core.errors import InvalidMapping
from hub.core.mapping import Mapped, MappingFailed
from hub.core.model import Counts, Label
from hub.core.pipeline import facts
from tests.hub.core.given import author, is_boundary, known, mapping, signal


def make(read: dict[str, Any] | None = None, **fields: dict[str, Any]) -> dict[str, Any]:
    """The fields that such a mapping makes of a post."""
    made = mapping(fields=fields).apply(known() if read is None else read)
    assert isinstance(made, Mapped), made
    return made.fields


def template(source: str, read: dict[str, Any] | None = None, *, html: bool = False) -> Any:
    """What a template makes of a post; None where the field is left out."""
    return make(read, F={"template": source, "html": html}).get("F")


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"fields": {"F": {"from": "signal.txet"}}}, "fields.F.from: unknown fact signal.txet (did you mean signal.text?)"),
    ({"fields": {"F": {"from": "signal.text", "value": 1}}}, "fields.F: has from and value"),
    ({"fields": {"F": {}}}, "fields.F: has no value (give one of from, value and template)"),
    ({"fields": {"F": {"value": 1, "table": {"a": 1}}}}, "fields.F.table: a table translates a fact"),
    ({"fields": {"F": {"value": 1, "html": True}}}, "fields.F.html: html escapes what a template inserts"),
    ({"fields": {"F": {"value": 1, "limit": 0}}}, "fields.F.limit: 0 is no number"),
    ({"fields": {"F": {"value": 1, "steps": [1]}}}, "fields.F.steps: steps say when a volatile number causes a write"),
    ({"fields": {"F": {"value": 1, "volatile": True, "steps": [2, 1]}}}, "fields.F.steps: they do not rise"),
    ({"fields": {"F": {"value": 1, "volatile": True, "steps": [1, 1]}}}, "fields.F.steps: they do not rise"),
    ({"fields": {"a": {"value": 1}, "a.b": {"value": 1}}}, "fields.a.b: a is a field with a value"),
    ({"fields": {"a..b": {"value": 1}}}, "fields.a..b: an empty part"),
    ({"fields": {}}, "fields: a mapping needs at least one field"),
    ({"fields": {"F": {"value": 1}}, "object": " "}, "object: a mapping needs"),
    ({"fields": {"F": {"value": 1}}, "then": "comment"}, "then: keyed_by is signal"),
    (
        {"fields": {"F": {"value": 1}}, "keyed_by": "conversation", "operation": "upsert", "then": "comment"},
        'then: the operation is upsert (then is for operation = "create")',
    ),
    (
        {"fields": {"F": {"value": 1}}, "keyed_by": "conversation", "operation": "comment"},
        "keyed_by: one comment for all posts of the conversation",
    ),
    ({"fields": {"F": {"value": 1}}, "keyed_by": "author", "operation": "create"}, "operation: a record of an author"),
    ({"fields": {"F": {"value": 1}}, "keyed_by": "person", "operation": "create"}, "operation: a record of a person"),
    (
        {"fields": {"F": {"value": 1}}, "keyed_by": "account", "operation": "comment"},
        "operation: a record of an account",
    ),
    ({"fields": {"F": {"value": 1}}, "requires": ["signal"]}, "requires: names the mapping itself"),
    ({"fields": {"F": {"value": 1}}, "test": [{"name": "t"}]}, 'test "t": expects nothing'),
    (
        {"fields": {"F": {"value": 1}}, "test": [{"name": "t", "given": {"signal": {"txt": 1}}, "expect": {"G": 1}}]},
        'test "t".given: unknown fact signal.txt',
    ),
    ({"fields": {"F": {"value": 1}}, "test": [{"name": "t", "expect": {"G": 1}}]}, "the mapping has no field G"),
]


@pytest.mark.parametrize(("spec", "message"), REFUSED, ids=[message for _, message in REFUSED])
def test_a_bad_mapping_is_refused_with_the_way_out(spec: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidMapping) as refused:
        mapping(**spec)
    assert f"signal.toml: {message}" in str(refused.value) or message in str(refused.value)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("a\n{{ signal.text", "line 2: unexpected end of template"),
        ("{{ x | uper }}", "line 1: No filter named 'uper'. (did you mean upper?)"),
        ("\n{{ author.hanlde }}", "line 2: unknown fact author.hanlde (did you mean author.handle?)"),
        ("{{ athor['handle'] }}", "line 1: unknown fact athor (did you mean author?)"),
        ("{{ signal.text.format(1) }}", "line 1: .format() is not allowed"),
        ("{{ signal.text.__class__.__mro__ }}", "unknown fact signal.text.__class__"),
        ("{{ lipsum() }}", "only range() and methods of text"),
        ("{{ 'a' | center(1000000000) }}", "No filter named 'center'"),
        ("{{ topics | random }}", "No filter named 'random'"),
        ("{{ 2 ** 99999999 }}", "** is not allowed"),
        ("{% include 'x' %}", "include is not for templates of a field"),
        (
            "{% for a in topics %}{% for b in topics %}{% for c in topics %}{% endfor %}{% endfor %}{% endfor %}",
            "two loops",
        ),
        ("{% for a in topics %}{% for b in range(9) %}{% endfor %}{% endfor %}", "range() inside a loop"),
    ],
)
def test_a_bad_template_is_refused_with_its_line(source: str, message: str) -> None:
    with pytest.raises(InvalidMapping) as refused:
        mapping(fields={"F": {"template": source}})
    assert message in str(refused.value)


def test_all_problems_come_at_once() -> None:
    with pytest.raises(InvalidMapping) as refused:
        mapping(fields={"A": {"from": "x"}, "B": {"template": "{{"}, "C": {}})
    assert [problem.path for problem in refused.value.problems] == ["fields.A.from", "fields.B.template", "fields.C"]


def test_a_null_is_left_out_and_false_and_zero_are_not() -> None:
    read = facts(signal(counts=Counts(likes=0)), author(verified=False), [])
    fields = {name: {"from": name} for name in ("signal.title", "author.verified")} | {
        "n": {"from": "signal.counts.likes"}
    }
    assert make(read, **fields) == {"author": {"verified": False}, "n": 0}


def test_dotted_names_nest() -> None:
    fields = {"Author__r.Key__c": {"from": "author.key"}, "Author__r.Name": {"from": "author.handle"}}
    assert make(None, **fields) == {"Author__r": {"Key__c": "mastodon:ada", "Name": "ada"}}


def test_times_are_iso_in_utc_with_z() -> None:
    assert make(F={"from": "signal.published_at"}) == {"F": "2026-05-04T10:11:12Z"}


TABLE = {"mastodon": "Mastodon", "3": "three"}


@pytest.mark.parametrize(
    ("origin", "table", "made"),
    [
        ("signal.network", TABLE, "Mastodon"),
        ("author.verified", {"true": "Yes"}, "Yes"),
        ("author.followers", TABLE, "three"),
        ("signal.text", TABLE, "Other"),
        ("signal.lang", {"tlh": "Klingon"}, "Other"),
        ("topics", TABLE, ["Mastodon"]),
    ],
)
def test_a_table_translates_and_the_default_fills_in(origin: str, table: Any, made: Any) -> None:
    read = facts(signal(), author(verified=True, followers=3), [], topics=("mastodon", "x"))
    assert make(read, F={"from": origin, "table": table, "default": "Other"}) == {"F": made}


def test_a_default_takes_the_place_of_null_without_a_table_too() -> None:
    assert make(F={"from": "signal.lang", "default": "xx"}, G={"from": "signal.kind", "default": "x"}) == {
        "F": "xx",
        "G": "post",
    }


def test_a_value_may_be_false_or_empty() -> None:
    assert make(F={"value": False}, G={"value": ""}, H={"value": [1]}) == {"F": False, "G": "", "H": [1]}


@pytest.mark.parametrize("how", [{"from": "signal.lang"}, {"template": " {{ signal.lang }} "}, {"value": ""}])
def test_a_required_field_without_a_value_fails(how: dict[str, Any]) -> None:
    made = mapping(fields={"F": how | {"required": True}}).apply(known())
    assert made == MappingFailed("F", "required, but there is no value")


@given(st.lists(st.sampled_from(["👍🏽", "🇩🇪", "e\u0301", "a", "👩\u200d🚀"]), max_size=8), st.integers(5, 20))
def test_a_limit_never_splits_a_grapheme(pieces: list[str], limit: int) -> None:
    text = "".join(pieces)
    made = make(known(text), F={"from": "signal.text", "limit": limit}).get("F", "")
    assert text.startswith(made)
    assert len(made) <= limit
    assert is_boundary(text, len(made))


@pytest.mark.parametrize(
    ("source", "made"),
    [
        ("{{ author.display_name or author.handle }} on {{ signal.network }}", "ada on mastodon"),
        ("{{ signal.lang }}", None),
        ("{{ labels.sentiment.value }}{{ signal.rating.value }}", None),
        ("{{ topics }}", "acme, bank"),
        ("{% for t in topics if t != 'acme' %}{{ loop.index }}{{ t }}{% endfor %}", "1bank"),
        ("{% if labels.sentiment.score %}x{% else %}y{% endif %}", "y"),
        ("{{ signal.text | truncate(9, leeway=0) }}", "Acme..."),
        ("{{ signal.text.upper() }}", "ACME IS LATE"),
        ("{{ '<b>Tom &amp;\n Jerry</b>' | plain }}", "Tom & Jerry"),
        ("{{ signal.counts.likes or 0 }}", "0"),
        ("{% for name, label in labels.items() if label.value %}{{ name }}{% endfor %}", None),
        ("{{ 7 * 6 }}", "42"),
    ],
)
def test_a_template_makes_text_of_facts(source: str, made: str | None) -> None:
    read = facts(signal("Acme is late"), author(), [], topics=("acme", "bank"))
    assert template(source, read) == made


def test_html_is_escaped_where_it_is_asked_for() -> None:
    read = known("<script>")
    assert template("<p>{{ signal.text }}</p>", read, html=True) == "<p>&lt;script&gt;</p>"
    assert template("<p>{{ signal.text }}</p>", read) == "<p><script></p>"


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("{{ range(10001) | join }}", "range() of more than 10,000"),
        ("{{ 'x' * 1000000000 }}", "plain numbers only"),
        ("{% for i in range(10000) %}{{ signal.text }}{% endfor %}", "more than 1,000,000 characters"),
        ("{{ signal.text + 1 }}", "can only concatenate"),
        ("{{ 1 / author.followers }}", "the template failed"),
        ("{{ signal.lang.upper() }}", "has no attribute 'upper'"),
    ],
)
def test_a_template_that_fails_says_why_and_nothing_escapes(source: str, reason: str) -> None:
    read = facts(signal("x" * 1_000), author(followers=0), [])
    made = mapping(fields={"F": {"template": source}}).apply(read)
    assert isinstance(made, MappingFailed)
    assert reason in made.reason


def test_a_template_cannot_change_the_facts() -> None:
    read = known()
    before = repr(read)
    template("{% set signal = 1 %}{% set x = topics %}{{ x }}", read)
    assert repr(read) == before


def stable(read: dict[str, Any]) -> str:
    """The digest of a mapping with a firm, a volatile and a once field."""
    followers = {"from": "author.followers", "volatile": True}
    name = {"from": "author.display_name", "once": True}
    made = mapping(fields={"Text": {"from": "signal.text"}, "Followers": followers, "Name": name}).apply(read)
    assert isinstance(made, Mapped)
    return made.stable


def test_volatile_and_once_fields_do_not_change_the_digest() -> None:
    one, other = author(followers=1, display_name="A"), author(followers=2, display_name="B")
    assert stable(facts(signal(), one, [])) == stable(facts(signal(), other, []))
    assert stable(facts(signal(), one, [])) != stable(facts(signal("other"), one, []))


def stepped(value: Any, *steps: float) -> str:
    """The digest of a mapping whose one field is a volatile number with steps."""
    made = mapping(fields={"F": {"value": value, "volatile": True, "steps": steps}}).apply(known())
    assert isinstance(made, Mapped)
    return made.stable


@pytest.mark.parametrize(("one", "other"), [(99, 100), (-0.34, -0.33), (0, 1000), (999, 1000.0), (100, "a lot")])
def test_a_volatile_number_that_crosses_a_step_changes_the_digest(one: Any, other: Any) -> None:
    assert stepped(one, -0.33, 100, 1000) != stepped(other, -0.33, 100, 1000)


@pytest.mark.parametrize(("one", "other"), [(100, 999), (1000, 10**9), (-1, -0.34), ("a", "b")])
def test_a_volatile_number_between_two_steps_does_not(one: Any, other: Any) -> None:
    assert stepped(one, -0.33, 100, 1000) == stepped(other, -0.33, 100, 1000)


@given(st.floats(allow_nan=False), st.floats(allow_nan=False), st.lists(st.integers(-9, 9), unique=True, min_size=1))
def test_steps_tell_numbers_apart_exactly_where_one_lies_between(low: float, high: float, steps: list[int]) -> None:
    low, high = sorted((low, high))
    crossed = any(low < step <= high for step in steps)
    assert (stepped(low, *sorted(steps)) != stepped(high, *sorted(steps))) == crossed


def test_the_version_changes_with_the_fields_and_not_with_the_tests() -> None:
    one = mapping(fields={"F": {"value": 1}})
    tested = mapping(fields={"F": {"value": 1}}, test=[{"name": "t", "expect": {"F": 1}}])
    assert one.version == tested.version != mapping(fields={"F": {"value": 2}}).version


def test_once_fields_are_named() -> None:
    assert mapping(fields={"F": {"value": 1, "once": True}, "G": {"value": 1}}).once == ("F",)


FIELDS = {
    "Text": {"from": "signal.text", "required": True},
    "Author__r.Key": {"from": "author.key"},
    "Score": {"from": "labels.sentiment.score"},
}


@pytest.mark.parametrize(
    ("test", "passed"),
    [
        ({"given": {"signal": {"text": "x"}}, "expect": {"Text": "x"}}, True),
        ({"given": {"signal": {"text": "x"}}, "expect": {"Text": "y"}}, False),
        ({"given": {"signal": {"text": "x"}}, "expect": {"Score": ""}}, True),
        ({"given": {"signal": {"text": "x"}}, "expect": {"Author__r": {"Key": ""}}}, True),
        ({"given": {"signal": {"text": "x"}, "author": {"key": "a"}}, "expect": {"Author__r.Key": "a"}}, True),
        ({"given": {"signal": {"text": "x"}}, "expect_error": "Text"}, False),
        ({"expect_error": "Text: required"}, True),
        ({"expect": {"Text": "x"}}, False),
    ],
)
def test_a_mapping_runs_its_own_tests(test: dict[str, Any], passed: bool) -> None:
    (result,) = mapping(fields=FIELDS, test=[{"name": "t"} | test]).run_tests()
    assert (result.name, result.passed) == ("t", passed)


def test_a_failed_test_shows_what_it_got() -> None:
    (result,) = mapping(
        fields=FIELDS, test=[{"name": "t", "given": {"signal": {"text": "x"}}, "expect": {"Text": "y"}}]
    ).run_tests()
    assert (result.got, result.want) == ({"Text": "x"}, {"Text": "y"})


def test_a_label_of_an_enricher_can_be_named() -> None:
    made = mapping(fields={"F": {"from": "labels.mood.value", "default": "none"}}, labels=("mood",))
    judged = made.apply(facts(signal(), None, [Label("mood", "sour", "m")]))
    without = made.apply(known())
    assert isinstance(judged, Mapped)
    assert isinstance(without, Mapped)
    assert (judged.fields, without.fields) == ({"F": "sour"}, {"F": "none"})
