"""Answers to statuses: the text that is posted, who may see it, and how the post of an earlier attempt is found again.

Counting as in the Mastodon documentation, "Posting to your profile": a URL counts 23 characters, a remote account's mention
its local part only, everything else by graphemes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta

import msgspec

from hub import Context, RawItem, Rejected, RemoteRef, Reply, Signal, Translated, TranslationError, Uncertain
from hub.sdk.replies import Length, OwnPost, find_own
from hub.sdk.text import html_to_text, parse_time
from plugins.mastodon.client import Instance, Json
from plugins.mastodon.config import VISIBILITIES, MastodonOptions
from plugins.mastodon.translate import translate

_URL = re.compile(r"(?<![\w@/])https?://[^\s<>\"]*[\w/]", re.IGNORECASE)
_LOCAL_PART = (re.compile(r"(?<![/\w])@(\w+)@[\w.-]*\w(?::\d+)?"), r"@\1")
LENGTH = Length(500, rewrite=((_URL, "x" * 23), _LOCAL_PART))
# Posts of Mastodon and GoToSocial bear the local id of their own instance in the address; of others nothing is concluded.
_LOCAL_ID = re.compile(r"/(?:ap/)?users/([^/]+)/statuses/([0-9]+|[0-9A-HJKMNP-TV-Z]{26})")
_LIMIT_KEPT = timedelta(days=1)
_UNLIMITED = 10**9
# The hub's words for who may see a post; what is not here is answered directly.
_API_WORDS = {"public": "public", "unlisted": "unlisted", "followers": "private"}


def compose(reply: Reply) -> str:
    """Return the text with the author's mention first, which tells the author of it; not doubled where the agent wrote one."""
    text, handle = reply.text.strip(), _handle_of(reply)
    if not handle or re.search(rf"(?<![\w/@])@{re.escape(handle)}(?![\w-]|\.\w)", text, re.IGNORECASE):
        return text
    # "@ann" at the beginning means the author, but to the instance it is an account of its own with that name.
    short = rf"@{re.escape(handle.partition('@')[0])}(?![\w@-]|\.\w)[\s,:]*"
    start = re.match(short, text, re.IGNORECASE)
    return f"@{handle} {text[start.end() :] if start else text}"


def local_id(native_id: str, instance: str) -> tuple[str, str] | None:
    """Return `(account, id)` that a post of this instance bears in its address, None for others' posts and unknown forms."""
    found = _LOCAL_ID.fullmatch(native_id.removeprefix(instance)) if native_id.startswith(f"{instance}/") else None
    return (found[1], found[2]) if found else None


class _Status(msgspec.Struct):
    """Where a payload may hold the status: in itself, in a notification, in a conversation."""

    id: str | int | None = None
    uri: str | None = None
    status: _Status | None = None
    last_status: _Status | None = None


def _ids_in(payload: bytes, uri: str) -> list[str]:
    """Return the local id that a raw item gives the status with this `uri`."""
    try:
        item = msgspec.json.decode(payload, type=_Status)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return []
    held = [one for one in (item, item.status, item.last_status) if one is not None]
    return [str(one.id) for one in held if one.uri == uri and one.id is not None]


def narrowest(*visibilities: str) -> str:
    """Return the narrowest of Mastodon's visibilities; a word that is not known counts as direct."""
    ranks = [VISIBILITIES.index(one) if one in VISIBILITIES else len(VISIBILITIES) - 1 for one in visibilities]
    return VISIBILITIES[max(ranks)]


def _handle_of(reply: Reply) -> str:
    """Return `user@host` of who wrote the post, "" if it is not known."""
    if reply.author is not None and reply.author.handle:
        return reply.author.handle
    try:
        found = translate(reply.raw) if reply.raw else None
    except TranslationError:
        return ""
    authors = found.authors if isinstance(found, Translated) else ()
    return next((one.handle or "" for one in authors if one.key == reply.to.author_key), "")


class MastodonAnswers:
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
        LENGTH.check(text, "the instance", self._most_characters())
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
        """Find our own answer to this very status with these words, since the first attempt. Raises Uncertain, never guesses."""
        return find_own(self._own_posts(), reply, compose(reply), parents=self._parents(reply), rewrite=(_LOCAL_PART,))

    def _find_again(self, reply: Reply) -> RemoteRef | None:
        """Like `find`; where the list does not tell, the idempotency key has to."""
        try:
            return self.find(reply)
        except Uncertain as error:
            if error.code == "unseen":
                return None
            raise

    def _parents(self, reply: Reply) -> frozenset[str]:
        """Return what an answer of ours may name as its parent; once the post is gone, servers may name none any more."""
        try:
            return frozenset((str(self._parent(reply)["id"]),))
        except Rejected:
            return frozenset((*local_ids(reply.to, reply.raw, self._options.instance), str(None)))

    def _parent(self, reply: Reply) -> Json:
        found = find_status(self._instance, self._options, reply.to, reply.raw)
        if found is None:
            raise Rejected("the post is gone, or is not shown to us any more", code="gone")
        return found

    def _most_characters(self) -> int:
        """Return the instance's own limit, asked for once a day."""
        kept = self._ctx.state.get("longest status")
        at = parse_time(kept.get("at")) if isinstance(kept, dict) else None
        if isinstance(kept, dict) and at and self._ctx.now() - at < _LIMIT_KEPT:
            return kept.get("most") or _UNLIMITED
        most = self._instance.longest_status()
        self._ctx.state.set("longest status", {"most": most, "at": self._ctx.now().isoformat()})
        return most or _UNLIMITED

    def _own_posts(self) -> Iterator[list[OwnPost]]:
        """Yield our statuses, newest first, page by page."""
        last: str | None = None
        while True:
            page = self._instance.own_statuses(max_id=last)
            yield [_own_post(status) for status in page]
            last = str(page[-1].get("id")) if page else last


def local_ids(signal: Signal, raw: RawItem | None, instance: str) -> list[str]:
    """Return the local ids that a post may have at our instance."""
    held = _ids_in(raw.payload, signal.native_id) if raw is not None else []
    own = local_id(signal.native_id, instance)
    return list(dict.fromkeys([*held, *([own[1]] if own else [])]))


def find_status(instance: Instance, options: MastodonOptions, signal: Signal, raw: RawItem | None) -> Json | None:
    """Return the status as our instance has it now, None if it is gone or not shown to us.

    A local id counts only if the status behind it is the one that is meant.
    """
    uri = signal.native_id
    for id_ in local_ids(signal, raw, options.instance):
        status = instance.status(id_)
        if status and status.get("uri") == uri and status.get("id"):
            return status
    resolved = instance.resolve(uri)
    return resolved if resolved and resolved.get("id") else None


def _language(lang: str | None) -> str | None:
    """Return the language of what is answered, where the API takes it (ISO 639)."""
    code = (lang or "").partition("-")[0].lower()
    return code if re.fullmatch(r"[a-z]{2,3}", code) else None


def _own_post(status: Json) -> OwnPost:
    text, at = html_to_text(str(status.get("content"))), parse_time(str(status.get("created_at")))
    return OwnPost(_ref(status), str(status.get("in_reply_to_id")), text, at)


def _ref(status: Json) -> RemoteRef:
    url = status.get("url")
    return RemoteRef(str(status.get("uri")), url if isinstance(url, str) else None)
