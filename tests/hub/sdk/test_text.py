"""HTML made text, HTML made safe, and times in all their spellings."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.sdk.text import clean, html_to_text, parse_time, safe_html

LINK = (
    '<a href="https://shop.example/path/to/it"><span class="invisible">https://</span>'
    '<span class="ellipsis">shop.example/pa</span><span class="invisible">th/to/it</span></a>'
)


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>one</p><p>two</p>", "one\n\ntwo"),
        ("<p>one<br>two<br/>three<br />four</p>", "one\ntwo\nthree\nfour"),
        ("a<br><br><br><br>b", "a\n\nb"),
        (f"<p>see {LINK} now</p>", "see https://shop.example/path/to/it now"),
        ('<span class="h-card"><a class="u-url mention">@<span>ana</span></a></span> hi', "@ana hi"),
        ("<p>fish &amp; chips &lt;3 &#127828; &nbsp;end</p>", "fish & chips <3 🍔 end"),
        ("<p>a<script>alert('<p>x</p>')</script>b<style>p{}</style>c</p>", "abc"),
        ("<ul><li>one</li><li>two</li></ul><p>after</p>", "- one\n- two\n\nafter"),
        ("<ol><li>one</li><li>two<ul><li>deep</li></ul></li></ol>", "1. one\n2. two\n  - deep"),
        ("<ul><li><p>one</p></li><li><p>two</p></li></ul>", "- one\n- two"),
        ("<blockquote><p>said</p></blockquote><p>answer</p>", "said\n\nanswer"),
        ("<pre>  a\n    b</pre>", "a\n    b"),
        ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc"),
        ("  lots \n\t of   space  ", "lots of space"),
        ("<b>bo</b>ld and <i> it </i> too", "bold and it too"),
        ("a <!-- secret --> b<!doctype x>c", "a bc"),
        ("1 < 2 and 3 > 2, I <3 you", "1 < 2 and 3 > 2, I <3 you"),
        ("<a title='a > b'>x</a>", "x"),
        ("plain &amp; simple", "plain & simple"),
        ('hi <img class="emoji" alt=":smile:"> <img src=x alt=no>', "hi :smile:"),
        ("cut <a href=", "cut <a href="),
        ("<P>UPPER<BR>CASE</P>", "UPPER\nCASE"),
        ("", ""),
        ("<p></p>", ""),
    ],
)
def test_html_reads_as_a_person_would_see_it(html: str, text: str) -> None:
    assert html_to_text(html) == text


HOSTILE = [
    *("<div>" * 200_000, "<" * 300_000, "<!--" * 200_000, "</" * 300_000, "<b " * 300_000, '<a "' * 200_000),
    *("<a '\">" * 150_000, "<script>" * 100_000, "&#" + "9" * 900_000, "&" * 900_000, "&amp;" * 200_000),
    *("<ul><li>" * 60_000, "word " * 200_000, "<img class='" * 80_000, "<p>a</p>" * 60_000, "a\n" * 400_000),
    *("\x00<p>\ud800\udfff</p>", "&#xD800;&#0;&#x110000;", "<" + "a" * 900_000, " " * 900_000 + "x"),
]


@pytest.mark.parametrize("html", HOSTILE, ids=lambda html: repr(html[:12]))
@pytest.mark.parametrize("function", [html_to_text, safe_html, clean])
def test_hostile_input_never_raises_nor_takes_long(function: object, html: str) -> None:
    began = time.process_time()
    assert callable(function)
    text = function(html)
    assert time.process_time() - began < 5
    text.encode("utf-8")


@given(st.text(alphabet=st.sampled_from("<>/!-&#;\"' abpli\n\ud800\x00=1"), max_size=60))
def test_any_markup_gives_clean_text(html: str) -> None:
    text = html_to_text(html)
    assert text == clean(text)


@given(st.text(max_size=80))
def test_escaped_text_comes_back_whole(text: str) -> None:
    import html

    wanted = " ".join(clean(text).replace("\xa0", " ").split(" ")).strip()
    assert html_to_text("<p>" + html.escape(wanted) + "</p>").split() == wanted.split()


# -------------------------------------------------------------------------------------------------------------- safe_html


@pytest.mark.parametrize(
    ("html", "safe"),
    [
        ('<a href="https://x.example">x</a>', '<a href="https://x.example" rel="nofollow noopener">x</a>'),
        ('<a href="javascript:alert(1)">x</a>', '<a rel="nofollow noopener">x</a>'),
        ('<img src="https://track.example/1.gif">', ""),
        ("<script>alert(1)</script><p onclick=x style=y>t</p>", "<p>t</p>"),
        ('<iframe src="x"></iframe><form><input></form>ok', "ok"),
        ("<b>bold</b><br>", "<b>bold</b><br>"),
    ],
)
def test_safe_html_keeps_formatting_and_nothing_that_loads_or_runs(html: str, safe: str) -> None:
    assert safe_html(html) == safe


def test_too_much_markup_comes_back_as_escaped_text() -> None:
    assert safe_html("<b>&lt;i&gt;</b>" * 3000).startswith("&lt;i&gt;&lt;i&gt;")


# ------------------------------------------------------------------------------------------------------------------ times

MOMENT = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    "value",
    [
        *("2024-05-06T07:08:09Z", "2024-05-06t07:08:09z", "2024-05-06 07:08:09", "2024-05-06T07:08:09"),
        *("20240506T070809Z", "2024-05-06T09:08:09+02:00", "2024-05-06T09:08:09+0200", "2024-05-06T09:08:09+02"),
        *("2024-05-06T07:08:09.000000000Z", "2024-05-06 07:08:09 UTC", "2024-05-06 07:08:09 +0000"),
        *("Mon, 06 May 2024 07:08:09 GMT", "Mon, 6 May 2024 03:08:09 EDT", "06 May 2024 07:08:09 +0000"),
        *("Mon May 06 07:08:09 +0000 2024", " 2024-05-06T07:08:09Z\n", "1714979289", 1714979289, 1714979289.0),
        *("1714979289000", 1714979289000, 1714979289000000, 1714979289000000000, "2024-05-06T07:08:09,000Z"),
    ],
)
def test_a_time_is_read_in_every_common_spelling(value: str | float) -> None:
    assert parse_time(value) == MOMENT


@pytest.mark.parametrize(
    ("value", "time"),
    [
        ("2024-05-06", datetime(2024, 5, 6, tzinfo=UTC)),
        ("20240506", datetime(2024, 5, 6, tzinfo=UTC)),
        ("2024-05", datetime(2024, 5, 1, tzinfo=UTC)),
        ("2024", datetime(2024, 1, 1, tzinfo=UTC)),
        ("2016-12-31T23:59:60Z", datetime(2017, 1, 1, tzinfo=UTC)),
        ("2024-05-06T24:00:00Z", datetime(2024, 5, 7, tzinfo=UTC)),
        ("2024-05-06T07:08:09.1234567Z", MOMENT.replace(microsecond=123456)),
        ("2024-05-06T07:08Z", MOMENT.replace(second=0)),
        (1714979289.25, MOMENT.replace(microsecond=250000)),
        (0, datetime(1970, 1, 1, tzinfo=UTC)),
        (-86400, datetime(1969, 12, 31, tzinfo=UTC)),
    ],
)
def test_special_times_are_read(value: str | float, time: datetime) -> None:
    assert parse_time(value) == time


@pytest.mark.parametrize(
    "value",
    [
        *(
            "",
            " ",
            "soon",
            "2024-13-06",
            "2024-02-30T00:00:00Z",
            "9999-12-31T23:59:59-12:00",
            "0001-01-01T00:00:00+14:00",
        ),
        *(float("nan"), float("inf"), 10**400, -(10**30), True, None, "x" * 1_000_000, "\ud800", "Mon, 99 Foo 2018"),
    ],
)
def test_what_is_no_time_is_none(value: str | float | None) -> None:
    assert parse_time(value) is None


@given(st.one_of(st.text(), st.floats(), st.integers(), st.from_regex(r"[0-9TZ:+. -]{4,40}", fullmatch=True)))
def test_parsing_never_raises_and_gives_utc(value: str | float) -> None:
    found = parse_time(value)
    assert found is None or found.tzinfo is UTC


@given(st.datetimes(timezones=st.just(UTC)))
def test_what_python_writes_comes_back(moment: datetime) -> None:
    assert parse_time(moment.isoformat()) == moment


# ------------------------------------------------------------------------------------------------------------------ clean


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("a\r\nb\rc", "a\nb\nc"),
        ("a\x00b\x07c\x9fd", "abcd"),
        ("a\ud800b", "a\ufffdb"),
        ("a  \n\n\n\n b\t\n", "a\n\n b"),
        ("tab\tstays", "tab\tstays"),
        ("👩‍👩‍👧", "👩‍👩‍👧"),
    ],
)
def test_clean_takes_out_what_no_text_needs(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned
