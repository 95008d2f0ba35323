"""What our account does to a post besides answering it: likes, hides answers in its own threads, deletes what it said.

Each is a record of our own repository under a key that follows from the post, so each may be repeated. An answer is hidden by
the thread's gate (lexicon app.bsky.feed.threadgate, `hiddenReplies`), which only the author of the thread's first post has.
"""

from __future__ import annotations

from hub import Act, Context, Outcome, Rejected, RemoteRef, Retryable
from hub.sdk.doc import Doc
from plugins.bluesky.client import BlueskyClient, parts_of
from plugins.bluesky.config import BlueskyOptions
from plugins.bluesky.reply import record_key, shown, stamp, strong_ref
from plugins.bluesky.translate import POST

ACTS = frozenset(("like", "unlike", "hide", "unhide", "delete_own"))
_LIKE, _GATE = "app.bsky.feed.like", "app.bsky.feed.threadgate"
_MOST_HIDDEN = 300


def perform(ctx: Context, options: BlueskyOptions, act: Act) -> Outcome:
    """Do it; what is done already is done. Raises Rejected if the post is gone, is not ours, or stands in no thread of ours."""
    hands = _Hands(ctx, BlueskyClient(options, ctx))
    match act.kind:
        case "like":
            return Outcome.delivered(act, hands.like(act.to.native_id))
        case "unlike":
            hands.unlike(act.to.native_id)
        case "delete_own":
            hands.delete(act.to.native_id)
        case _:
            hands.hide(act.to.native_id, hidden=act.kind == "hide")
    return Outcome.delivered(act)


class _Hands:
    """Acts of one account, for one call of the engine."""

    def __init__(self, ctx: Context, client: BlueskyClient) -> None:
        self._ctx = ctx
        self._client = client

    def like(self, uri: str) -> RemoteRef:
        """Like a post; its reference is the like's own record."""
        view = shown(self._client, uri)
        if made := view.exact("viewer.like"):
            return RemoteRef(made)
        record = {"$type": _LIKE, "subject": strong_ref(view), "createdAt": stamp(self._ctx.now())}
        like = self._like_of(uri)
        try:
            return RemoteRef(self._client.create(like, record))
        except (Retryable, Rejected):
            # The server answers with an error if the key is taken: a view that lags did not show the like.
            if self._client.record(like) is None:
                raise
            return RemoteRef(like)

    def unlike(self, uri: str) -> None:
        """Take back our like, also one that was given in the app."""
        given = (self._client.shown(uri) or Doc({})).exact("viewer.like") or ""
        for like in {self._like_of(uri), given}:
            if like.startswith(f"at://{self._client.did}/"):
                self._client.delete(like)

    def delete(self, uri: str) -> None:
        """Delete a post of ours."""
        did, collection, _ = parts_of(uri) or ("", "", "")
        if did != self._client.did or collection != POST:
            raise Rejected("the post is not ours: only its author can delete it", code="not_ours")
        self._client.delete(uri)

    def hide(self, uri: str, *, hidden: bool) -> None:
        """Let the gate of our thread hide an answer, or hide it no more; what else the gate says stays."""
        root = self._root(uri)
        gate = f"at://{self._client.did}/{_GATE}/{root.rpartition('/')[2]}"
        found = self._client.record(gate)
        new = {"$type": _GATE, "post": root, "createdAt": stamp(self._ctx.now())}
        record = found.doc("value") if found else Doc(new)
        held = record.strings("hiddenReplies")
        wanted = list(dict.fromkeys([*held, uri])) if hidden else [one for one in held if one != uri]
        if wanted == held:
            return
        if len(wanted) > _MOST_HIDDEN:
            raise Rejected(f"Bluesky hides at most {_MOST_HIDDEN} answers of a thread", code="too_many")
        try:
            self._client.put(gate, record.data | {"hiddenReplies": wanted}, over=found.exact("cid") if found else None)
        except Rejected as error:
            if error.code != "InvalidSwap":
                raise
            raise Retryable(
                "the thread's gate has just been changed elsewhere", retry_after=5, code=error.code
            ) from error

    def _root(self, uri: str) -> str:
        """Return the first post of the thread in which this one answers. Raises Rejected if that is not ours."""
        named = shown(self._client, uri).exact("record.reply.root.uri") or ""
        if parts_of(named) and named.startswith(f"at://{self._client.did}/{POST}/"):
            return named
        raise Rejected("only answers in a thread that we began can be hidden", code="not_ours")

    def _like_of(self, uri: str) -> str:
        return f"at://{self._client.did}/{_LIKE}/{record_key(f'like {uri}')}"
