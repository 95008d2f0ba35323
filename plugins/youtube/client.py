"""The YouTube Data API v3: the only place that knows its addresses. A read costs a unit of the quota, an answer 50."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial

from hub import ConnectorError, Context, RateLimited, Rejected, RemoteRef, Unauthorised
from hub.sdk.doc import Doc
from hub.sdk.http.api import Api, by_cursor
from hub.sdk.http.auth import Auth, Bearer
from hub.sdk.http.errors import ErrorTable
from hub.sdk.replies import OwnPost
from hub.sdk.streams import StreamItem, StreamPage
from plugins.youtube.config import YoutubeOptions
from plugins.youtube.translate import item_of, own_of, payload_of

_OF_THE_DAY = ("quotaExceeded", "dailyLimitExceeded")
_OF_THE_KEY = ("API_KEY_INVALID", "keyInvalid", "keyExpired", "accessNotConfigured", "API_KEY_SERVICE_BLOCKED")
_MEANINGS: Mapping[int | str, type[ConnectorError]] = {
    **dict.fromkeys((*_OF_THE_DAY, "rateLimitExceeded", "userRateLimitExceeded"), RateLimited),
    **dict.fromkeys(_OF_THE_KEY, Unauthorised),
}
# All channels and videos share the day's quota: RateLimited makes the connection wait, QuotaExhausted only a stream.
_MIDNIGHTS = dict.fromkeys(_OF_THE_DAY, "America/Los_Angeles")
_ERRORS = ErrorTable(vendor="YouTube", meanings=_MEANINGS, midnights=_MIDNIGHTS)


class YoutubeClient:
    """Makes the calls of one poll, check, recheck or reply; what only an account may do is done with its `voice`."""

    def __init__(self, options: YoutubeOptions, ctx: Context, voice: Auth | None = None) -> None:
        api = partial(Api, ctx, f"{options.url}/youtube/v3", errors=_ERRORS, timeout=options.timeout)
        # In a header: as `key=` it would stand in every address.
        self._api = api(auth=Bearer(options.api_key.get_secret_value(), scheme="", header="X-Goog-Api-Key"))
        self._voice = api(auth=voice) if voice else None

    def titles(self, kind: str, ids: Sequence[str]) -> list[str]:
        """Return the titles of channels or videos. Raises Rejected if one is not there."""
        answer = self._api.get(kind, {"part": "snippet", "id": ",".join(ids), "maxResults": 50})
        answer.need("kind")  # `items` is absent if nothing is found; a page of some proxy has neither
        found = {one.id("id"): one.text("snippet.title") or "" for one in answer.doc.docs("items")}
        if unknown := set(ids) - set(found):
            raise Rejected(f"YouTube does not know these {kind}: {', '.join(sorted(unknown))}", code="unknown")
        return list(found.values())

    def page(self, target: Mapping[str, str], _since: datetime | None, more: str | None) -> StreamPage:
        """Return one page of threads, the newest first, each as its comment and all replies."""
        params = {"part": "snippet,replies", "order": "time", "maxResults": 100, **target}
        answer = self._api.get("commentThreads", params | ({"pageToken": more} if more else {}))
        answer.listed("items")
        threads = answer.doc.docs("items")
        items = [item for thread in threads for item in self._comments(thread)]
        last = threads[-1].time("snippet.topLevelComment.snippet.publishedAt") if threads else None
        return StreamPage(items, answer.doc.text("nextPageToken"), last=last)

    def _comments(self, thread: Doc) -> Iterator[StreamItem]:
        replies = thread.docs("replies.comments")
        if (thread.count("snippet.totalReplyCount") or 0) > len(replies):  # a thread shows five at most
            replies = list(_replies(self._api, thread.id("id"), whole=False))
        for comment in (thread.doc("snippet.topLevelComment"), *replies):
            yield item_of(payload_of(comment, thread.id("snippet.videoId")))

    def gone(self, ids: Sequence[str]) -> set[str]:
        """Return which of these comments, 50 at most, are not there any more."""
        answer = self._api.get("comments", {"part": "id", "id": ",".join(ids)})
        answer.listed("items")
        return set(ids) - {one.id("id") for one in answer.doc.docs("items")}

    def answer(self, thread: str, text: str) -> RemoteRef:
        """Write a reply into a thread; below a reply YouTube takes none."""
        body = {"snippet": {"parentId": thread, "textOriginal": text}}
        return RemoteRef(self._as_us().post("comments", body, params={"part": "snippet"}).named("id"))

    def own_replies(self, thread: str) -> Iterator[list[OwnPost]]:
        """Give our own replies in a thread as one page, the newest first; the empty page after it ends the list."""
        us = self._as_us().get("channels", {"part": "id", "mine": "true"}).need("items.0.id")
        replies = _replies(self._as_us(), thread, whole=True)
        ours = [own_of(one) for one in replies if one.id("snippet.authorChannelId.value") == us]
        yield from (sorted(ours, key=lambda one: str(one.at), reverse=True), [])

    def _as_us(self) -> Api:
        if self._voice is None:
            raise Rejected("to answer on YouTube, give client_id, client_secret and refresh_token", code="no_account")
        return self._voice


def _replies(api: Api, thread: str, *, whole: bool) -> Iterator[Doc]:
    params = {"part": "snippet", "parentId": thread, "maxResults": 100}
    for answer in api.pages("comments", by_cursor("nextPageToken", "pageToken"), params=params, most=20, whole=whole):
        answer.listed("items")
        yield from answer.doc.docs("items")
