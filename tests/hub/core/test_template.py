"""Templates over texts of strangers: bounded while they run, and still able to do what a field needs."""

from __future__ import annotations

from time import process_time

import pytest

from hub.core.grammar.facts import skeleton
from hub.core.grammar.template import template_faults
from hub.core.mapping import Mapped, MappingFailed
from hub.core.pipeline import facts
from tests.hub.core.given import mapping, signal

DOUBLED = {
    "joined": "{% set a = signal.text %}" + "{% set a = a ~ a %}" * 30 + "{{ a | length }}",
    "added": "{% set a = signal.text %}" + "{% set a = a + a %}" * 30 + "{{ a | length }}",
    "written": "{% set a = signal.text %}" + "{% set a %}{{ a }}{{ a }}{% endset %}" * 30 + "{{ a | length }}",
    "replaced": "{% set a = signal.text %}" + "{% set a = a | replace('x', a) %}" * 3 + "{{ a | length }}",
    "between": "{% set a = signal.text %}" + "{% set a = signal.text.split('x') | join(a) %}" * 30 + "{{ a | length }}",
    "listed": "{% set a = [signal.text] %}" + "{% set a = [a, a] %}" * 30 + "{{ a }}",
    "in pairs": "{% set a = (signal.text,) %}" + "{% set a = (a, a) %}" * 30 + "{{ a == a }}",
    "in dicts": "{% set a = {'a': signal.text} %}" + "{% set a = {'a': a, 'b': a} %}" * 30 + "{{ a }}",
    "lists added": "{% set a = [signal.text] %}" + "{% set a = a + a %}" * 30 + "{{ a | length }}",
    "summed": "{% set a = [signal.text] %}" + "{% set a = [a, a] | sum(start=[]) %}" * 30 + "{{ a | length }}",
    "escaped": "{% set a = '&' ~ signal.text %}"
    + "{% set a = a | replace('x', '&') | string | urlencode | urlencode %}" * 30,
    "digits": "{{ 1 | round(999999999, 'ceil') }}",
    "loops": "{% for i in signal.text | list %}{% for k in signal.text | list %}{% if i == 1 %}x{% endif %}"
    + "{% endfor %}" * 2,
    "in a block": "{% set a %}{% for i in range(9999) %}" + "y" * 2000 + "{% endfor %}{% endset %}{{ a | length }}",
    "methods": "{% for i in signal.text | list %}{% set a = signal.text.split('x') %}{% endfor %}",
    "given back": "{% set a = [signal.text] %}{% set b = ['x'] | map('\x00walked', -999999999) | list %}"
    + "{% set a = a + a %}" * 24
    + "{{ a | length }}",
    "listed as text": "{{ signal.text" + " | list | string" * 8 + " }}",
    "listed as text by what is no filter of lists": "{{ signal.text" + " | list | escape | list | lower" * 5 + " }}",
    "between numbers": "{{ range(10000) | join(range(10000) | join(signal.text)) }}",
    "between what comes one by one": "{{ signal.text | map('upper') | join(signal.text) }}",
    "one text many times": "{{ range(10000) | map('default', signal.text) | map('list') | list }}",
    "looked through": "{% for c in signal.text %}{% if 'yz' in signal.text %}x{% endif %}{% endfor %}",
    "looked through as a test": "{{ signal.text | map('upper') | select('in', signal.text) | list | length }}",
    "mapped": "{{ signal.text | list | map('replace', 'x', signal.text) | list | length }}",
}


@pytest.mark.parametrize("source", DOUBLED.values(), ids=DOUBLED)
@pytest.mark.parametrize("html", [False, True])
def test_a_template_that_grows_without_end_is_stopped_while_it_runs(source: str, *, html: bool) -> None:
    read = facts(signal("x" * 10_000), None, [])
    began = process_time()
    made = mapping(fields={"F": {"template": source, "html": html}}).apply(read)
    assert isinstance(made, MappingFailed)
    assert process_time() - began < 1


@pytest.mark.parametrize(
    "source",
    [
        "{{ signal.text" + " | trim" * 400 + " }}",
        "{{ " + "(" * 200 + "signal.text" + ")" * 200 + " }}",
        "{% if signal.text %}" * 150 + "x" + "{% endif %}" * 150,
        "{{ 1" + " + 1" * 250 + " }}",
    ],
)
def test_a_template_that_is_nested_too_deeply_is_refused(source: str) -> None:
    assert [told for told, _ in template_faults(source, skeleton())] == ["it is nested too deeply"]


@pytest.mark.parametrize(
    ("name", "hint"), [("walked", "known: "), ("joined", "did you mean join?"), ("gsit", "did you mean gist?")]
)
def test_only_the_filters_that_are_told_are_there(name: str, hint: str) -> None:
    ((told, way_out),) = template_faults(f"{{{{ signal.text | {name} }}}}", skeleton())
    assert told == f"line 1: No filter named '{name}'."
    assert way_out.startswith(hint)


def test_a_template_may_do_what_a_field_needs() -> None:
    words = "{% for w in [] + signal.text.split() %}{{ loop.index }}/{{ loop.length }} {{ w ~ '-' ~ w }} {% endfor %}"
    numbers = "{{ 2.345 | round(1) }} {{ [1, 2] | sum }} {{ (1, 2) | join('+') }}"
    made = mapping(fields={"F": {"template": words + numbers}}).apply(facts(signal("a b"), None, []))
    assert isinstance(made, Mapped)
    assert made.fields == {"F": "1/2 a-a 2/2 b-b 2.3 3 1+2"}


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("{{ a ~ '<i>' }}", "&lt;b&gt;&lt;i&gt;"),
        ("{{ a ~ ('<i>' | escape) }}", "&lt;b&gt;&lt;i&gt;"),
        ("{{ '<i>' }}", "&lt;i&gt;"),
    ],
)
def test_what_is_joined_is_escaped_once(written: str, value: str) -> None:
    source = "{% set a = signal.text %}" + written
    made = mapping(fields={"F": {"template": source, "html": True}}).apply(facts(signal("<b>"), None, []))
    assert isinstance(made, Mapped)
    assert made.fields == {"F": value}
