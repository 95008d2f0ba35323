"""A comment as a Signal. Pure: no client, no clock, the same answer for ever."""

import msgspec

from hub import Author, RawItem, RemoteRef, Signal, Translated, TranslationError, author_key, signal_key
from hub.sdk.doc import Doc
from hub.sdk.replies import OwnPost
from hub.sdk.streams import StreamItem

NETWORK = "youtube"
# What changes without an edit: with each like the comment would be taken in again.
_FLEETING = frozenset(("likeCount", "viewerRating", "canRate"))
_HELD = frozenset(("heldForReview", "likelySpam", "rejected"))


def translate(raw: RawItem) -> Translated:
    """Read one comment: a signal and its author. Raises TranslationError if the comment is broken."""
    comment = Doc.read(raw.payload, "a comment")
    said, id_ = comment.doc("snippet"), comment.id("id")
    published, changed = said.time("publishedAt"), said.time("updatedAt")
    if not id_ or published is None:
        raise TranslationError("a comment needs an id and a time")
    author, parent, video = _author(said), said.id("parentId"), said.id("videoId")
    signal = Signal(
        key=signal_key(NETWORK, id_),
        network=NETWORK,
        native_id=id_,
        kind="reply" if parent else "comment",
        text=_words(said),
        html=said.html("textDisplay"),
        url=f"https://www.youtube.com/watch?v={video}&lc={id_}" if video else None,
        author_key=author.key if author else None,
        in_reply_to=signal_key(NETWORK, parent) if parent else None,
        published_at=published,
        updated_at=changed if changed != published else None,
        observed_at=raw.received_at,
        state="hidden" if said.text("moderationStatus") in _HELD else "live",
    )
    return Translated((signal,), (author,) if author else ())


def _author(said: Doc) -> Author | None:
    """Return who wrote it, None if the account is closed: it has no id then."""
    if not (id_ := said.id("authorChannelId.value")):
        return None
    name, url, picture = said.text("authorDisplayName"), said.web("authorChannelUrl"), said.web("authorProfileImageUrl")
    return Author(author_key(NETWORK, id_), NETWORK, id_, handle=name, url=url, avatar_url=picture)


def _words(said: Doc) -> str:
    return said.text("textOriginal") or said.plain("textDisplay")  # as it was typed is not shown to all


def payload_of(comment: Doc, video: str) -> bytes:
    """Return a comment as it is kept: with its video, which only its thread may name, and without what is fleeting."""
    said = {name: value for name, value in comment.doc("snippet").data.items() if name not in _FLEETING}
    named = {"videoId": video} if video else {}
    return msgspec.json.encode({"id": comment.get("id"), "snippet": named | said}, order="deterministic")


def item_of(payload: bytes) -> StreamItem:
    """Return a comment with its place, the time when it was published; an edit is another revision."""
    return StreamItem.by_time(payload, "snippet.publishedAt", revision="snippet.updatedAt")


def thread_of(signal: Signal) -> str:
    """Return the id of a thread's first comment, with which the ids of its replies begin."""
    return signal.native_id.partition(".")[0]


def own_of(reply: Doc) -> OwnPost:
    """Return a reply of ours, as it is looked for after a doubt."""
    said = reply.doc("snippet")
    return OwnPost(RemoteRef(reply.id("id")), said.id("parentId"), _words(said), said.time("publishedAt"))
