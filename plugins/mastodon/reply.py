"""Answers to statuses: the text that is posted, who may see it, and how the post of an earlier attempt is found again.

Counting as in the Mastodon documentation, "Posting to your profile": a URL counts 23 characters, a remote account's mention
its local part only, everything else by graphemes.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from datetime import datetime, timedelta

import msgspec

from hub import Context, Rejected, RemoteRef, Reply, Translated, TranslationError, Uncertain
from hub.core.grammar.grapheme import is_boundary
from hub.sdk.text import html_to_text, parse_time
from plugins.mastodon.client import Instance, Json
from plugins.mastodon.config import VISIBILITIES, MastodonOptions
from plugins.mastodon.translate import translate

LONGEST = 500
_URL_LENGTH = 23
_URL = re.compile(r"(?<![\w@/])https?://[^\s<>\"]*[\w/]", re.IGNORECASE)
_REMOTE_MENTION = re.compile(r"(?<![/\w])@(\w+)@[\w.-]*\w(?::\d+)?")
_BEYOND_COUNTING = 20_000
# Posts of Mastodon and GoToSocial bear the local id of their own instance in the address; of others nothing is concluded.
_LOCAL_ID = re.compile(r"/(?:ap/)?users/([^/]+)/statuses/([0-9]+|[0-9A-HJKMNP-TV-Z]{26})")
_SKEW = timedelta(minutes=1)  # between the server's clock and ours
_LOOK_BACK_PAGES = 10
_SURELY_SHORT = 20  # a page with fewer items is the whole list, even of a server that ignores the position
_LIMIT_KEPT = timedelta(days=1)
# The hub's words for who may see a post; what is not here is answered directly.
_API_WORDS = {"public": "public", "unlisted": "unlisted", "followers": "private"}


def compose(reply: Reply) -> str:
    """The text with the author's mention first, which tells the author of it; not doubled where the agent wrote one."""
    text, handle = reply.text.strip(), _handle_of(reply)
    if not handle or re.search(rf"(?<![\w/@])@{re.escape(handle)}(?![\w-]|\.\w)", text, re.IGNORECASE):
        return text
    # "@ann" at the beginning means the author, but to the instance it is an account of its own with that name.
    short = rf"@{re.escape(handle.partition('@')[0])}(?![\w@-]|\.\w)[\s,:]*"
    start = re.match(short, text, re.IGNORECASE)
    return f"@{handle} {text[start.end() :] if start else text}"


def measure(text: str) -> int:
    """The length as Mastodon counts it."""
    text = _REMOTE_MENTION.sub(r"@\1", _URL.sub("x" * _URL_LENGTH, text))
    if len(text) > _BEYOND_COUNTING:
        return len(text)
    return sum(is_boundary(text, index) for index in range(1, len(text))) + bool(text)


def local_id(native_id: str, instance: str) -> tuple[str, str] | None:
    """`(account, id)` that a post of this instance bears in its address, None for posts of others and unknown forms."""
    found = _LOCAL_ID.fullmatch(native_id.removeprefix(instance)) if native_id.startswith(f"{instance}/") else None
    return (found[1], found[2]) if found else None


class _Status(msgspec.Struct):
    """Where a payload may hold the status: in itself, in a notification, in a conversation."""

    id: str | int | None = None
    uri: str | None = None
    status: _Status | None = None
    last_status: _Status | None = None


def _ids_in(payload: bytes, uri: str) -> list[str]:
    """The local id that a raw item gives the status with this `uri`."""
    try:
        item = msgspec.json.decode(payload, type=_Status)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return []
    held = [one for one in (item, item.status, item.last_status) if one is not None]
    return [str(one.id) for one in held if one.uri == uri and one.id is not None]


def narrowest(*visibilities: str) -> str:
    """The narrowest of Mastodon's visibilities; a word that is not known counts as direct."""
    ranks = [VISIBILITIES.index(one) if one in VISIBILITIES else len(VISIBILITIES) - 1 for one in visibilities]
    return VISIBILITIES[max(ranks)]


def _handle_of(reply: Reply) -> str:
    """`user@host` of who wrote the post, "" where nobody knows."""
    if reply.author is not None and reply.author.handle:
        return reply.author.handle
    try:
        found = translate(reply.raw) if reply.raw else None
    except TranslationError:
        return ""
    authors = found.authors if isinstance(found, Translated) else ()
    return next((one.handle or "" for one in authors if one.key == reply.to.author_key), "")


class Answers:
    """Posts answers through one account's instance, for one call of the engine."""

    def __init__(self, ctx: Context, options: MastodonOptions) -> None:
        self._ctx = ctx
        self._options = options
        self._instance = Instance(ctx, options)

    def post(self, reply: Reply) -> RemoteRef:
        """Post it; a second attempt looks first, since not every server keeps idempotency keys (snac does not)."""
        if reply.attempt > 1 and (found := self._find_again(reply)):
            return found
        text, parent = compose(reply), self._parent(reply)
        if parent.get("reblog"):
            raise Rejected("a boost cannot be answered", code="boost")
        self._check_length(text)
        asked = _API_WORDS.get(reply.to.visibility, "direct")
        status = self._instance.post(
            text,
            key=reply.key,
            in_reply_to_id=str(parent["id"]),
            visibility=narrowest(str(parent.get("visibility")), asked, self._options.reply_visibility),
            language=_language(reply.to.lang),
        )
        return _ref(status)

    def find(self, reply: Reply) -> RemoteRef | None:
        """Our own answer to this very status with these words, since the first attempt. Raises Uncertain, never guesses."""
        since, words = (reply.first_sent_at or reply.to.observed_at) - _SKEW, _words(compose(reply))
        parents = self._parents(reply)
        found = [
            status
            for status in self._own_since(since)
            if str(status.get("in_reply_to_id")) in parents
            and _words(html_to_text(str(status.get("content")))) == words
        ]
        if len(found) > 1:
            raise Uncertain(f"{len(found)} of our answers have the same words", code="many")
        return _ref(found[0]) if found else None

    def _find_again(self, reply: Reply) -> RemoteRef | None:
        """Like `find`; where the list does not tell, the idempotency key has to."""
        try:
            return self.find(reply)
        except Uncertain as error:
            if error.code == "unseen":
                return None
            raise

    def _ids(self, reply: Reply) -> list[str]:
        """The local ids that the post may have at our instance."""
        uri = reply.to.native_id
        held = _ids_in(reply.raw.payload, uri) if reply.raw is not None else []
        own = local_id(uri, self._options.instance)
        return list(dict.fromkeys([*held, *([own[1]] if own else [])]))

    def _parents(self, reply: Reply) -> frozenset[str]:
        """What an answer of ours may name as its parent; where the post is gone, servers may name none any more."""
        try:
            return frozenset((str(self._parent(reply)["id"]),))
        except Rejected:
            return frozenset((*self._ids(reply), str(None)))

    def _parent(self, reply: Reply) -> Json:
        """The status as our instance has it now; a local id counts only if the status behind it is the one that is meant."""
        uri = reply.to.native_id
        for id_ in self._ids(reply):
            status = self._instance.status(id_)
            if status and status.get("uri") == uri and status.get("id"):
                return status
        resolved = self._instance.resolve(uri)
        if not resolved or not resolved.get("id"):
            raise Rejected("the post is gone, or is not shown to us any more", code="gone")
        return resolved

    def _check_length(self, text: str) -> None:
        most, length = self._most_characters(), measure(text)
        if most is not None and length > most:
            raise Rejected(
                f"the text has {length} characters, the instance takes {most}", field="text", code="too_long"
            )

    def _most_characters(self) -> int | None:
        """The instance's own limit, asked for once a day."""
        kept = self._ctx.state.get("longest status")
        at = parse_time(kept.get("at")) if isinstance(kept, dict) else None
        if isinstance(kept, dict) and at and self._ctx.now() - at < _LIMIT_KEPT:
            return kept.get("most")
        most = self._instance.longest_status()
        self._ctx.state.set("longest status", {"most": most, "at": self._ctx.now().isoformat()})
        return most

    def _own_since(self, since: datetime) -> Iterator[Json]:
        """Our statuses since then, newest first; raises Uncertain where the list does not reach back that far."""
        seen: set[str] = set()
        last: str | None = None
        for _ in range(_LOOK_BACK_PAGES):
            page = self._instance.own_statuses(max_id=last)
            fresh = [one for one in page if str(one.get("id")) not in seen]
            if not fresh and len(page) < _SURELY_SHORT:
                return
            if not fresh:
                break
            for status in fresh:
                created = parse_time(str(status.get("created_at")))
                if created and created < since:
                    return
                yield status
            last = str(fresh[-1].get("id"))
            seen.update(str(one.get("id")) for one in fresh)
        raise Uncertain("our own posts do not reach back to the first attempt", code="unseen")


def _language(lang: str | None) -> str | None:
    """The language of what is answered, where the API takes it (ISO 639)."""
    code = (lang or "").partition("-")[0].lower()
    return code if re.fullmatch(r"[a-z]{2,3}", code) else None


def _words(text: str) -> str:
    """A text as it survives the way through a server's HTML: mentions by their local part, one space between words."""
    text = _REMOTE_MENTION.sub(r"@\1", unicodedata.normalize("NFC", text))
    return " ".join(text.split()).casefold()


def _ref(status: Json) -> RemoteRef:
    url = status.get("url")
    return RemoteRef(str(status["uri"]), url if isinstance(url, str) else None)
