"""HTML made text, and HTML made safe."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.sdk.text import clean, html_to_text, safe_html

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
