"""Markup of networks made safe: HTML to plain text, sanitised HTML.

Everything here takes hostile input: nothing raises, and time grows with the length of the input only.
"""

from __future__ import annotations

import html as entities
import re

import nh3

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_SPACES = re.compile(r"[ \t\n\r\f\xa0]+")
_BLANKS = re.compile(r"\n{3,}")


def clean(text: str) -> str:
    r"""Return text without control characters (but \n and \t), lone surrogates, trailing spaces and runs of blank lines."""
    if text.isascii() and text.isprintable():  # the common case: one line with nothing to clean
        return text.strip()
    text = _CONTROL.sub("", _SURROGATE.sub("\ufffd", text.replace("\r\n", "\n").replace("\r", "\n")))
    if "\n" in text:
        text = "\n".join([line.rstrip(" \t") for line in text.split("\n")])
        if "\n\n\n" in text:
            text = _BLANKS.sub("\n\n", text)
    return text.strip()


# ---------------------------------------------------------------------------------------------------------------- HTML

# Possessive, so that a tag that never ends is given up after one pass.
_TAG = re.compile(r"<(/?)([a-zA-Z][^\s/>]*+)((?:[^>\"']|\"[^\"]*\"|'[^']*')*+)>")
_LOOSE_TAG = re.compile(r"<(/?)([a-zA-Z][^\s/>]*+)([^>]*+)>")
_ENDLESS_NUMBER = re.compile(r"&#(?:[0-9]{8,}|[xX][0-9a-fA-F]{8,});?")
_EMOJI = re.compile(r"\bclass\s*=\s*[\"'][^\"']*emoji")
_ALT = re.compile(r"\balt\s*=\s*(?:\"([^\"]*)\"|'([^']*)')")

_HIDDEN = {name: re.compile(f"</{name}", re.IGNORECASE) for name in ("script", "style", "title", "iframe", "noframes")}
_PARAGRAPHS = frozenset(
    ("p", "blockquote", "pre", "ul", "ol", "table", "h1", "h2", "h3", "h4", "h5", "h6", "figure", "dl")
)
_LINES = frozenset(
    (
        "div",
        "tr",
        "section",
        "article",
        "header",
        "footer",
        "figcaption",
        "dt",
        "dd",
        "hr",
        "details",
        "summary",
        "aside",
        "form",
    )
)
_MAX_DEPTH = 20


class _Writer:
    """Collects words and breaks; a break is written only once a word follows it."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.lists: list[int] = []
        self.preformatted = 0
        self._breaks = 0
        self._space = False
        self._marked = False

    def say(self, text: str) -> None:
        """Add text with its white space as HTML shows it."""
        text = _decode(text)
        if not self.preformatted:
            text = _SPACES.sub(" ", text)
        if text == " " or not text:
            self._space = self._space or bool(text)
            return
        lead = " " if (self._space or (text[0] == " " and not self.preformatted)) and not self._at_start() else ""
        body = text if self.preformatted else text.strip(" ")
        if self._breaks and self.parts:
            self.parts.append("\n" * self._breaks)
        self.parts.append(lead + body)
        self._breaks, self._marked = 0, False
        self._space = text[-1] == " " and not self.preformatted

    def _at_start(self) -> bool:
        return bool(self._breaks) or self._marked or not self.parts

    def end_line(self, lines: int = 1) -> None:
        """Make sure that what follows stands `lines` line ends below."""
        self._breaks = 0 if self._marked else max(self._breaks, lines)
        self._space = False

    def break_line(self) -> None:
        """Add a <br>: one line end more, two at most."""
        self._breaks = min(self._breaks + 1, 2)
        self._space = False

    def item(self) -> None:
        """Add a list item's mark: "- ", or its number in an ordered list."""
        self._marked = False
        self.end_line()
        number = self.lists[-1] if self.lists else 0
        if number:
            self.lists[-1] += 1
        indent = "  " * (min(len(self.lists), _MAX_DEPTH) - 1)
        if self.parts:
            self.parts.append("\n" * self._breaks)
        self.parts.append(f"{indent}{number}. " if number else f"{indent}- ")
        self._breaks, self._space, self._marked = 0, False, True

    def tag(self, name: str, attributes: str, closing: bool) -> None:
        """Do what a tag means for the text."""
        if name == "br":
            self.break_line()
        elif name == "li":
            self.end_line() if closing else self.item()
        elif name in _PARAGRAPHS:
            self._paragraph(name, closing)
        elif name in _LINES:
            self.end_line()
        elif name in ("td", "th"):
            self._space = True
        elif name == "img" and _EMOJI.search(attributes) and (alt := _ALT.search(attributes)):
            self.say(alt[1] or alt[2] or "")

    def _paragraph(self, name: str, closing: bool) -> None:
        ends_last = closing and name in ("ul", "ol") and len(self.lists) <= 1
        self.end_line(1 if self.lists and not ends_last else 2)
        if name == "pre":
            self.preformatted = max(0, self.preformatted + (-1 if closing else 1))
        elif name in ("ul", "ol") and not closing:
            self.lists.append(1 if name == "ol" else 0)
        elif name in ("ul", "ol") and self.lists:
            self.lists.pop()


def _decode(text: str) -> str:
    """Decode entities; a number too long for `int` becomes U+FFFD first."""
    return entities.unescape(_ENDLESS_NUMBER.sub("\ufffd", text)) if "&" in text else text


def html_to_text(html: str) -> str:
    """Return what a reader would see, as plain text: paragraphs, line breaks and lists stay apart, links keep their text.

    Mastodon hides parts of a URL in spans of class `invisible` and marks a cut with `ellipsis`: the parts are kept and
    nothing is added, so that the URL stays whole. Scripts, styles and comments are dropped.
    """
    if "<" not in html:
        return clean(_SPACES.sub(" ", _decode(html)))
    writer, tag_pattern, at = _Writer(), _TAG, 0
    while (start := html.find("<", at)) >= 0:
        writer.say(html[at:start])
        found = tag_pattern.match(html, start)
        if found is None and tag_pattern is _TAG and html[start + 1 : start + 2].isalpha():
            tag_pattern = _LOOSE_TAG  # a quote is never closed: from here on quotes mean nothing
            found = tag_pattern.match(html, start)
        at = _read_tag(writer, html, found) if found else _skip(writer, html, start)
    writer.say(html[at:])
    return clean("".join(writer.parts))


def _read_tag(writer: _Writer, html: str, found: re.Match[str]) -> int:
    """Write what the tag means; return the place to read on from."""
    closing, name, end = bool(found[1]), found[2].lower(), found.end()
    hidden = None if closing else _HIDDEN.get(name)
    if hidden is None:
        writer.tag(name, found[3], closing)
        return end
    close = hidden.search(html, end)
    return close.start() if close else len(html)


def _skip(writer: _Writer, html: str, start: int) -> int:
    """Pass over a comment, a declaration or a "<" that begins no markup; return the place to read on from."""
    if html.startswith("<!--", start):
        end = html.find("-->", start)
        return end + 3 if end >= 0 else len(html)
    if html.startswith(("<!", "<?", "</"), start):
        end = html.find(">", start)
        if end >= 0:
            return end + 1
    elif not html[start + 1 : start + 2].isalpha():
        writer.say("<")
        return start + 1
    writer.say(html[start:])
    return len(html)


_SAFE_TAGS = frozenset(
    re.findall(
        r"\w+", "a b blockquote br code del em h1 h2 h3 h4 h5 h6 hr i ins li ol p pre s small span strong sub sup u ul"
    )
)
_MAX_MARKS = 8_000
_MAX_HTML = 400_000
# What was made here needs no second look: a connector may make its HTML safe before the engine does.
_MADE: dict[str, None] = {}
_REMEMBERED = 1_000
_LONGEST_REMEMBERED = 10_000


_ADDRESS = re.compile(r"(?:https?://|mailto:)", re.IGNORECASE)


def _whole(_: str, name: str, value: str) -> str | None:
    """Return an attribute's value; None for an address that would lead into the page in which it stands."""
    return value if name != "href" or _ADDRESS.match(value.strip()) else None


def safe_html(html: str) -> str:
    """Return HTML that may stand in our own pages: formatting and whole http(s) or mailto links only, nothing that loads or runs.

    Links carry rel="nofollow noopener". With more than 8,000 tags and entities, or 400,000 characters, it comes back as escaped
    text: the HTML parser takes quadratic time over deep nesting and over runs of entities.
    """
    if html in _MADE:
        return html
    html = clean(html)
    if len(html) > _MAX_HTML or html.count("<") + html.count("&") > _MAX_MARKS:
        return entities.escape(html_to_text(html))
    made = nh3.clean(
        html,
        tags=set(_SAFE_TAGS),
        clean_content_tags={"script", "style"},
        attributes={"a": {"href", "title"}},
        attribute_filter=_whole,
        url_schemes={"http", "https", "mailto"},
        link_rel="nofollow noopener",
    ).strip()
    if len(made) <= _LONGEST_REMEMBERED:
        if len(_MADE) >= _REMEMBERED:
            _MADE.clear()
        _MADE[made] = None
    return made
