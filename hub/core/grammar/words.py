"""Words for people: what a post says in a few words, a number with its noun, the name of a network, stars."""

from __future__ import annotations

import re

from hub.core.grammar.grapheme import cut

_LINK = re.compile(
    r"(?:\b[a-z][a-z0-9+.\-]{1,15}://|\bwww\.)[^\s()\[\]<>]+(?:\([^\s()]*\)[^\s()\[\]<>]*)*", re.IGNORECASE
)
_EMPTY = re.compile(r"\(\s*\)|\[\s*\]|<\s*>")
_TAGS = re.compile(r"</?[A-Za-z!][^<>]*>")  # "2 < 3" begins none
_MENTION = r"[@＠][\w.\-]+(?:@[\w.\-]+)?[:,]?"
_SALAD = re.compile(rf"\A(?:(?:R[Tt]\s+)?\.?{_MENTION}(?:\s+|\Z))+")
_WORD = rf"\s+(?:{_MENTION}|[#＃]\w+)"
_TAIL = re.compile(rf"(?:(?:\A|(?<=[.!?…。！？]))(?:{_WORD})+|(?:{_WORD}){{2,}})\s*\Z")
_OPEN = " \t:,;(–—-"
_READ = 4_000  # characters of a text; its gist is at the beginning
_ENDS = " \t.,;:–—-…/|(«„“\"'"
_NAMES = {
    "rss": "the feed",
    "youtube": "YouTube",
    "linkedin": "LinkedIn",
    "x": "X",
    "app_store": "the App Store",
    "appstore": "the App Store",
    "hackernews": "Hacker News",
    "stackexchange": "Stack Exchange",
    "wordpress": "WordPress",
    "tiktok": "TikTok",
    "github": "GitHub",
    "gitlab": "GitLab",
    "whatsapp": "WhatsApp",
    "peertube": "PeerTube",
}
_IRREGULAR = {"reply": "replies", "story": "stories", "person": "people", "has": "have", "is": "are"}


def gist(text: str, limit: int = 80) -> str:
    """Return the first words of a text on one line, cut between words at `limit` characters, with … where more follows.

    Left out are links, the accounts that it begins with, and the accounts and hashtags that follow its last sentence; a
    single one that ends a sentence is part of it ("I hate #acme"). "" if nothing is left.
    """
    text = _EMPTY.sub(" ", _LINK.sub("", _TAGS.sub(" ", text[:_READ])))
    line = " ".join(text.split()).replace(" )", ")").rstrip(_OPEN)
    bare = _TAIL.sub("", f" {_SALAD.sub('', line)}").strip()
    if len(bare) <= limit:
        return bare
    short = cut(bare, max(1, limit - 1))
    begun = not bare[len(short)].isspace() and " " in short
    head = short.rpartition(" ")[0] if begun else short
    # Scripts without spaces, and one endless word: rather a word cut than a subject of two letters.
    head = head if len(head) * 3 >= len(short) * 2 else short
    return f"{head.rstrip(_ENDS) or head}…"


def counted(number: float | None, noun: str, plural: str = "") -> str:
    """Return a number with its noun, as in "1 signal", "2 replies", "12,000 followers"; "" for None."""
    if number is None:
        return ""
    shown = f"{number:,}" if isinstance(number, int) else f"{number:,.2f}".rstrip("0").rstrip(".")
    return f"{shown} {noun if number == 1 else plural or plural_of(noun)}"


def plural_of(noun: str) -> str:
    """Return the plural of an English noun."""
    if noun in _IRREGULAR:
        return _IRREGULAR[noun]
    if noun.endswith("y") and noun[-2:-1] not in "aeiou":
        return f"{noun[:-1]}ies"
    return f"{noun}es" if noun.endswith(("s", "x", "ch", "sh")) else f"{noun}s"


def network_name(network: str | None) -> str:
    """Return a network's name as people write it."""
    return _NAMES.get(network, network.replace("_", " ").title()) if network else "a network"


def stars(value: float | None, best: float | None = None, worst: float | None = None) -> str:
    """Return a rating as people read it: "★★★★☆ 4 of 5" on a scale of five, else "8 of 10", "74 of 100"; "" for None."""
    if value is None:
        return ""
    best = 5.0 if best is None else best
    said = f"{round(value, 2):g} of {best:g}"
    if best != 5 or not 0 <= value <= 5 or (worst is not None and worst not in (0, 1)):
        return said
    full = int(value)
    return f"{'★' * full}{'☆' * (5 - full)} {said}"
