"""What networks that we answer on have in common: how long a text is there, and which post an earlier attempt has made."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from hub.core.errors import Rejected, Uncertain
from hub.core.grammar.grapheme import graphemes
from hub.core.grammar.words import counted
from hub.core.model import RemoteRef, Reply

SKEW = timedelta(minutes=1)
"""How far a server's clock may differ from ours."""

_LOOK_BACK_PAGES = 10
_SURELY_SHORT = 20

Rewrite = Sequence[tuple[re.Pattern[str], str]]
"""Patterns with what stands in their place."""


def rewritten(text: str, rewrite: Rewrite) -> str:
    """Return the text with each pattern replaced, in order."""
    for pattern, words in rewrite:
        text = pattern.sub(words, text)
    return text


@dataclass(frozen=True, slots=True)
class Length:
    """How a network counts a text, and the `most` that it takes.

    Graphemes are counted, after `rewrite` has put in what counts in place of what is written (a link of 23 characters). With
    `bytes_a_unit` a text also counts one for each so many bytes of UTF-8, if that is more.
    """

    most: int
    rewrite: Rewrite = ()
    bytes_a_unit: int = 0

    def of(self, text: str) -> int:
        """Return the length of a text."""
        size = -(-len(text.encode("utf-8", "replace")) // self.bytes_a_unit) if self.bytes_a_unit else 0
        return max(graphemes(rewritten(text, self.rewrite)), size)

    def check(self, text: str, taker: str, most: int | None = None) -> None:
        """Raise Rejected (code "too_long") if the text is longer than `taker` takes: `most`, by default the network's own."""
        length, allowed = self.of(text), self.most if most is None else most
        if length > allowed:
            told = f"the text has {counted(length, 'character')}, {taker} takes {allowed}"
            raise Rejected(told, field="text", code="too_long")


# --------------------------------------------------------------------------------------------------- own posts, found


@dataclass(frozen=True, slots=True)
class OwnPost:
    """A post of our own account: `parent` is the id of what it answers, `text` is plain."""

    ref: RemoteRef
    parent: str
    text: str
    at: datetime | None


def own_since(pages: Iterable[Sequence[OwnPost]], since: datetime) -> Iterator[OwnPost]:
    """Yield our posts since then, of pages that come newest first; ten pages are read at most.

    Raises Uncertain (code "unseen") if they do not reach back that far. An empty page ends the list, and so does a short one
    that repeats what was seen: some servers ignore the position that they are given.
    """
    seen: set[str] = set()
    for page in islice(pages, _LOOK_BACK_PAGES):
        fresh = [post for post in page if post.ref.id not in seen]
        if not fresh and len(page) < _SURELY_SHORT:
            return
        if not fresh:
            break
        for post in fresh:
            if post.at and post.at < since:
                return
            yield post
        seen.update(post.ref.id for post in fresh)
    raise Uncertain("our own posts do not reach back to the first attempt", code="unseen")


def same_words(text: str, rewrite: Rewrite = ()) -> str:
    """Return a text as it survives the way through a server's HTML: one space between words, one case, `rewrite` applied."""
    return " ".join(rewritten(unicodedata.normalize("NFC", text), rewrite).split()).casefold()


def find_own(
    pages: Iterable[Sequence[OwnPost]], reply: Reply, text: str, *, parents: Collection[str], rewrite: Rewrite = ()
) -> RemoteRef | None:
    """Find the post with these words in answer to one of `parents`, made since the reply's first attempt.

    Returns None if there is none. Raises Uncertain if there are several, or if the pages do not reach back far enough.
    """
    since, words = (reply.first_sent_at or reply.to.observed_at) - SKEW, same_words(text, rewrite)
    ours = (post for post in own_since(pages, since) if post.parent in parents)
    found = [post for post in ours if same_words(post.text, rewrite) == words]
    if len(found) > 1:
        raise Uncertain(f"{len(found)} of our answers have the same words", code="many")
    return found[0].ref if found else None
