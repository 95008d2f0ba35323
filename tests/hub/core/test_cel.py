"""What rules need of the language CEL, as a table: another evaluator that gives these values can take this one's place.

Values are those of the language's specification (cel.dev) for what `hub.core.grammar.condition` lets through. The evaluator
counts bytes where `size` should count characters: rules have their own, see `test_route.py`.
"""

from __future__ import annotations

from typing import Any

import cel
import pytest

FACTS: dict[str, Any] = {
    "text": "Hällo Wörld 👋",
    "empty": "",
    "nothing": None,
    "count": 7,
    "rate": 2.5,
    "big": 2**53 - 1,
    "yes": True,
    "tags": ["acme", "bank", "acme pay"],
    "none": [],
    "media": [{"kind": "image", "alt": None}, {"kind": "video", "alt": "x"}],
    "at": "2026-06-01T06:07:08Z",
}

VALUES: list[tuple[str, Any]] = [
    # equality, with null and between types
    ("count == 7", True),
    ("count != 7", False),
    ("count == 7.0", True),
    ("rate == 2.5", True),
    ("nothing == null", True),
    ("nothing != null", False),
    ("null == nothing", True),
    ("text == null", False),
    ("text != null", True),
    ("count == null", False),
    ("tags == null", False),
    ("text == 'Hällo Wörld 👋'", True),
    ('text == "Hällo Wörld 👋"', True),
    ("'a' == 'A'", False),
    ("empty == ''", True),
    ("yes == true", True),
    ("none == []", True),
    ("tags == ['acme', 'bank', 'acme pay']", True),
    ("[1, 2] == [2, 1]", False),
    ("nothing == false", False),
    # order
    ("count > 6", True),
    ("count >= 7", True),
    ("count < 7", False),
    ("count <= 7", True),
    ("count > 6.5", True),
    ("rate < 3", True),
    ("rate <= 2.5", True),
    ("big > 9007199254740990", True),
    ("'a' < 'b'", True),
    ("at > '2026-05-01'", True),
    ("at < '2026-05-01'", False),
    ("-1 < 0", True),
    # logic: one side that fails does not matter where the other decides
    ("yes && true", True),
    ("yes && false", False),
    ("false || yes", True),
    ("false || false", False),
    ("!yes", False),
    ("!(count > 9)", True),
    ("false && nothing > 1", False),
    ("nothing > 1 && false", False),
    ("true || nothing > 1", True),
    ("nothing > 1 || true", True),
    ("yes ? count == 7 : count == 8", True),
    ("!yes ? count == 7 : count == 8", False),
    ("true || false && false", True),
    ("(true || false) && false", False),
    # arithmetic
    ("count + 1 == 8", True),
    ("count - 8 == -1", True),
    ("count * 2 == 14", True),
    ("count / 2 == 3", True),
    ("-7 / 2 == -3", True),
    ("count % 4 == 3", True),
    ("-7 % 4 == -3", True),
    ("rate * 2.0 == 5.0", True),
    ("rate / 2.0 == 1.25", True),
    ("1 + 2 * 3 == 7", True),
    ("'a' + 'b' == 'ab'", True),
    ("[1] + [2] == [1, 2]", True),
    ("0x10 == 16", True),
    ("1e3 == 1000.0", True),
    # texts
    ("text.contains('Wör')", True),
    ("text.contains('wör')", False),
    ("text.contains('')", True),
    ("text.startsWith('Hä')", True),
    ("text.startsWith('x')", False),
    ("text.endsWith('👋')", True),
    ("size('acme') == 4", True),
    ("size(empty) == 0", True),
    (r"text.matches('^H.llo')", True),
    (r"text.matches('(?i)wÖRLD')", True),
    (r"text.matches(r'W\w+d')", True),
    (r"text.matches('ll')", True),
    (r"text.matches('^ll')", False),
    (r"'a.b'.matches(r'a\.b')", True),
    ("'it\\'s' == \"it's\"", True),
    ("'\\u00e4' == 'ä'", True),
    ("'tab\\t'.size() == 4", True),
    ("r'\\t'.size() == 2", True),
    ("'''two\nlines'''.size() == 9", True),
    # lists
    ("'acme' in tags", True),
    ("'ac' in tags", False),
    ("!('x' in tags)", True),
    ("count in [1, 7]", True),
    ("'x' in none", False),
    ("size(tags) == 3", True),
    ("tags.size() > 2", True),
    ("tags[0] == 'acme'", True),
    ("tags.exists(t, t.startsWith('ba'))", True),
    ("none.exists(t, true)", False),
    ("tags.all(t, size(t) > 3)", True),
    ("none.all(t, false)", True),
    ("tags.exists_one(t, t == 'bank')", True),
    ("tags.exists_one(t, t.contains('acme'))", False),
    ("tags.filter(t, t.contains('acme')).size() == 2", True),
    ("tags.map(t, size(t)) == [4, 4, 8]", True),
    ("media.exists(m, m.kind == 'video')", True),
    ("media.exists(m, m.alt == null)", True),
    ("media.all(m, m.kind in ['image', 'video'])", True),
    ("media[1].alt == 'x'", True),
    # conversions and times
    ("int('7') == count", True),
    ("int(rate) == 2", True),
    ("double('2.5') == rate", True),
    ("double(count) == 7.0", True),
    ("string(count) == '7'", True),
    ("timestamp(at).getFullYear() == 2026", True),
    ("timestamp(at).getMonth() == 5", True),
    ("timestamp(at).getDate() == 1", True),
    ("timestamp(at).getDayOfMonth() == 0", True),
    ("timestamp(at).getDayOfWeek() == 1", True),
    ("timestamp(at).getHours() == 6", True),
    ("timestamp(at).getMinutes() == 7", True),
    ("timestamp(at).getSeconds() == 8", True),
    ("timestamp(at) > timestamp('2026-01-01T00:00:00Z')", True),
    ("timestamp(at) - timestamp('2026-06-01T05:07:08Z') == duration('1h')", True),
    ("timestamp(at) + duration('24h') == timestamp('2026-06-02T06:07:08Z')", True),
    ("duration('90m') > duration('1h')", True),
    ("true // a remark", True),
]

FAILING = [
    *("nothing > 1", "nothing.contains('x')", "size(nothing) > 0", "nothing + 1 == 1", "'x' in nothing"),
    *(
        "count / 0 == 1",
        "count % 0 == 1",
        "tags[9] == ''",
        "text > 1",
        "text + 1 == ''",
        "int('x') == 1",
        "unknown == 1",
    ),
    *("timestamp('soon') == timestamp(at)", "media[0].size == 1", "count.contains('7')"),
]

REFUSED = ["count = 7", "count ==", "(count", "'open", "count && && yes", "tags.exists('t', true)", "1 2"]


@pytest.mark.parametrize(("expression", "value"), VALUES)
def test_an_expression_has_the_value_of_the_specification(expression: str, value: Any) -> None:
    assert cel.compile(expression).execute(cel.Context(FACTS)) is value


@pytest.mark.parametrize("expression", FAILING)
def test_what_has_no_value_fails_and_is_neither_true_nor_false(expression: str) -> None:
    with pytest.raises((ValueError, TypeError, KeyError, RuntimeError, IndexError, ArithmeticError)):
        cel.compile(expression).execute(cel.Context(FACTS))


@pytest.mark.parametrize("expression", REFUSED)
def test_what_is_no_expression_is_refused_when_it_is_read(expression: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        cel.compile(expression)


def test_the_table_is_long_enough_to_replace_the_evaluator_by_it() -> None:
    assert len(VALUES) + len(FAILING) + len(REFUSED) >= 100
