"""A look-alike of the YouTube Data API on this machine: videos, threads, a quota. Stateful, over real HTTP."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from html import escape
from typing import Any

from hub.sdk.rates import next_midnight
from hub.testkit.sandbox import Answer, Call, Refused, Sandbox, SandboxOptions, route

CHANNEL = "UCkiesblick-roastery-001"
FILM, OTHER_FILM = "kiesFilm001", "kiesFilm002"
FOREIGN_FILM = "elsewhere01"
OURS = CHANNEL
CONSENT = "sandbox-consent"
"""The refresh token that the look-alike takes."""

_SEED = (
    ("ana", FILM, "Which grinder is that in the second minute?"),
    ("ben", FILM, "The new beans taste of nothing at all"),
    ("cleo", OTHER_FILM, "Opening hours in winter?"),
)
_EMBEDDED = 5  # replies that a thread shows
_DAY = timedelta(days=1)
Json = dict[str, Any]


class YoutubeSandbox(Sandbox):
    """Comments below videos; `say`, `edit`, `delete`, `hold` and `close` are what people do there."""

    title = "YouTube"

    def seed(self) -> None:
        """Begin with a channel, its two videos and one of another's; three comments unless `empty` is set."""
        for name in ("channels", "videos", "comments", "_spent"):
            self.store.declare(name)
        self.store.insert("channels", CHANNEL, {"title": "Kiesblick Roastery"})
        for id_, channel in ((FILM, CHANNEL), (OTHER_FILM, CHANNEL), (FOREIGN_FILM, "UCelsewhere-000000000001")):
            self.store.insert("videos", id_, {"title": f"Film {id_}", "channel": channel, "closed": False})
        if not self.options.extra.get("empty"):
            for by, video, text in _SEED:
                self.say(by, text, video=video)

    # ------------------------------------------------------------------------------------------------ what people do

    def say(self, by: str, text: str, *, video: str = FILM, parent: str = "", html: str = "") -> str:
        """Write a comment, or a reply to one; returns its id. With `html` only that is shown, as to most viewers."""
        number, at = self.store.next_id("comments"), _stamp(self.now())
        id_ = f"{parent}.r{number:0>6}" if parent else f"Ug{number:0>8}-AaABAg"
        video = self._comment(parent)["video"] if parent else video
        said = {"by": by, "text": text, "html": html, "video": video, "parent": parent, "likes": 0, "held": False}
        self.store.insert("comments", id_, {**said, "seq": int(number), "at": at, "changed": at})
        return id_

    def edit(self, id_: str, text: str) -> None:
        """Change a comment: it keeps its place in the list."""
        self.store.put("comments", id_, {**self._comment(id_), "text": text, "changed": _stamp(self.now())})

    def like(self, id_: str) -> None:
        """Like a comment: that is no edit."""
        comment = self._comment(id_)
        self.store.put("comments", id_, {**comment, "likes": int(comment["likes"]) + 1})

    def delete(self, id_: str) -> None:
        """Take a comment away, and with a thread's first one its replies."""
        for one, comment in self.store.all("comments"):
            if id_ in (one, comment["parent"]):
                self.store.remove("comments", one)

    def hold(self, id_: str) -> None:
        """Hold a comment for review: viewers do not see it."""
        self.store.put("comments", id_, {**self._comment(id_), "held": True})

    def close(self, video: str = "") -> None:
        """Turn the comments of a video off; without one, shut the sandbox down."""
        if not video:
            super().close()
            return
        self.store.put("videos", video, {**(self.store.get("videos", video) or {}), "closed": True})

    def use_up(self) -> None:
        """Spend what is left of the day's quota."""
        self._spend(int(self.options.extra.get("quota", 10_000)))

    # ------------------------------------------------------------------------------------------------- who is asking

    def authenticate(self, call: Call) -> Answer | None:
        """Take an API key, by header or address, to read; an account's token for everything."""
        token = call.headers.get("authorization", "")
        key = call.headers.get("x-goog-api-key") or call.param("key", "")
        if token == f"Bearer {self._token()}" or (key == self.options.token and call.method == "GET"):
            return self._spend(50 if call.method == "POST" else 1)
        return self.unauthorised(call)

    def unauthorised(self, call: Call) -> Answer:
        """Refuse a key with 400, as Google does, and a token with 401."""
        if call.headers.get("authorization") or call.method == "POST":
            return _error(401, "authError", "Invalid Credentials")
        info = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}
        return _error(400, "badRequest", "API key not valid. Please pass a valid API key.", details=[info])

    def limited(self, call: Call, seconds: float) -> Answer:
        """Refuse calls above the rate of a minute."""
        answer = _error(429, "rateLimitExceeded", "Too many requests in this minute")
        return Answer(answer.status, answer.body, {"Retry-After": str(int(seconds))})

    def unknown(self, call: Call) -> Answer:
        """Answer a path that is none with a page for people."""
        return Answer(404, "<!DOCTYPE html><title>Error 404 (Not Found)!!1</title>", {"content-type": "text/html"})

    def _token(self) -> str:
        return f"ya29.{self.options.token}"

    def _spend(self, units: int) -> Answer | None:
        """Count units of the day, which ends at midnight in California."""
        day = (next_midnight(self.now(), "America/Los_Angeles") - _DAY / 2).date().isoformat()
        spent = int((self.store.get("_spent", day) or {"units": 0})["units"]) + units
        if spent > int(self.options.extra.get("quota", 10_000)):
            text = 'The request cannot be completed because you have exceeded your <a href="/youtube/v3/">quota</a>.'
            return _error(403, "quotaExceeded", text, domain="youtube.quota")
        self.store.put("_spent", day, {"units": spent})
        return None

    @route("POST", "/token", open=True)
    def token(self, call: Call) -> Answer:
        """Give an access token for the consent."""
        if call.form().get("refresh_token") != CONSENT:
            return Answer(400, {"error": "invalid_grant", "error_description": "Token has been expired or revoked."})
        return Answer(200, {"access_token": self._token(), "expires_in": 3599, "token_type": "Bearer"})

    # ---------------------------------------------------------------------------------------------------------- the API

    @route("GET", "/youtube/v3/channels", object="channels")
    def channels(self, call: Call) -> Answer:
        """Give channels by id, or that of the account; `items` is absent if none is found."""
        wanted = [OURS] if call.param("mine", "") else call.param("id", "").split(",")
        return self._resources("channels", wanted)

    @route("GET", "/youtube/v3/videos", object="videos")
    def videos(self, call: Call) -> Answer:
        """Give videos by id."""
        return self._resources("videos", call.param("id", "").split(","))

    @route("GET", "/youtube/v3/commentThreads", object="comments")
    def threads(self, call: Call) -> Answer:
        """List the threads of a channel's videos or of one video, the newest first, with up to five replies each."""
        videos = self._videos(call.param("allThreadsRelatedToChannelId", ""), call.param("videoId", ""))
        tops = [(id_, one) for id_, one in self._shown() if not one["parent"] and one["video"] in videos]
        page, more = self._page(call, sorted(tops, key=lambda top: (top[1]["at"], top[1]["seq"]), reverse=True))
        items = [self._thread(id_, top) for id_, top in page]
        return _list("commentThread", items, more)

    @route("GET", "/youtube/v3/comments", object="comments")
    def comments(self, call: Call) -> Answer:
        """Give comments by id, or a thread's replies."""
        if ids := call.param("id", ""):
            shown = dict(self._shown())
            return _list("comment", [self._resource(one, shown[one]) for one in ids.split(",") if one in shown], "")
        replies = [(id_, one) for id_, one in self._shown() if one["parent"] == call.param("parentId", "")]
        page, more = self._page(call, sorted(replies, key=lambda reply: int(reply[1]["seq"]), reverse=True))
        return _list("comment", [self._resource(id_, one) for id_, one in page], more)

    @route("POST", "/youtube/v3/comments", object="comments")
    def answer(self, call: Call) -> Answer:
        """Write a reply of the account; only a thread's first comment takes one."""
        said = call.json().get("snippet", {})
        parent, text = str(said.get("parentId", "")), str(said.get("textOriginal", ""))
        if dict(self._shown()).get(parent, {"parent": "x"})["parent"]:
            return _error(404, "parentCommentNotFound", "The specified parent comment could not be found.")
        id_ = self.say(OURS, text, parent=parent)
        self.journal.record("create", "comments", id_, fields={"text": text})
        return Answer(200, self._resource(id_, self._comment(id_)))

    # ----------------------------------------------------------------------------------------------------- its insides

    def _videos(self, channel: str, video: str) -> set[str]:
        """Return the videos that are asked about, but those of a channel that are closed."""
        if channel:
            if self.store.get("channels", channel) is None:
                raise Refused(_error(404, "channelNotFound", "The specified channel could not be found."))
            return {id_ for id_, one in self.store.all("videos") if one["channel"] == channel and not one["closed"]}
        found = self.store.get("videos", video)
        if found is None:
            raise Refused(_error(404, "videoNotFound", "The specified video could not be found."))
        if found["closed"]:
            raise Refused(_error(403, "commentsDisabled", "The video has disabled <code>comments</code>."))
        return {video}

    def _shown(self) -> list[tuple[str, Json]]:
        return [(id_, one) for id_, one in self.store.all("comments") if not one["held"]]

    def _comment(self, id_: str) -> Json:
        return self.store.get("comments", id_) or {}

    def _page(self, call: Call, found: list[tuple[str, Json]]) -> tuple[list[tuple[str, Json]], str]:
        """Cut a page out of a list; its token names the last item before it, so that what is new shifts nothing."""
        size = min(int(call.param("maxResults", "20")), int(self.options.extra.get("page", 100)))
        if token := call.param("pageToken", ""):
            at, _, seq = urlsafe_b64decode(token).decode().partition("|")
            begun = [n for n, (_, one) in enumerate(found) if (one["at"], int(one["seq"])) < (at, int(seq))]
            found = found[begun[0] :] if begun else []
        page = found[:size]
        last = page[-1][1] if page else {}
        return page, urlsafe_b64encode(f"{last['at']}|{last['seq']}".encode()).decode() if len(found) > size else ""

    def _thread(self, id_: str, top: Json) -> Json:
        replies = [(one, reply) for one, reply in self._shown() if reply["parent"] == id_]
        channel = (self.store.get("videos", top["video"]) or {})["channel"]
        snippet = {"channelId": channel, "videoId": top["video"], "topLevelComment": self._resource(id_, top)}
        thread: Json = {"kind": "youtube#commentThread", "id": id_}
        thread["snippet"] = {**snippet, "canReply": True, "totalReplyCount": len(replies), "isPublic": True}
        if replies:
            thread["replies"] = {"comments": [self._resource(*reply) for reply in replies[-_EMBEDDED:]]}
        return thread

    def _resource(self, id_: str, one: Json) -> Json:
        channel = one["by"] if one["by"].startswith("UC") else f"UC{one['by']:0<22}"
        snippet = {
            "authorDisplayName": f"@{one['by']}",
            "authorChannelUrl": f"http://www.youtube.com/@{one['by']}",
            "authorChannelId": {"value": channel},
            "textDisplay": one["html"] or escape(one["text"], quote=False).replace("\n", "<br>"),
            "canRate": True,
            "viewerRating": "none",
            "likeCount": one["likes"],
            "publishedAt": one["at"],
            "updatedAt": one["changed"],
        }
        snippet |= {} if one["html"] else {"textOriginal": one["text"]}
        snippet |= {"parentId": one["parent"]} if one["parent"] else {}
        return {"kind": "youtube#comment", "etag": f"e{one['likes']}-{one['changed']}", "id": id_, "snippet": snippet}

    def _resources(self, kind: str, wanted: list[str]) -> Answer:
        known = {id_: self.store.get(kind, id_) for id_ in wanted}
        items = [{"id": id_, "snippet": {"title": one["title"]}} for id_, one in known.items() if one]
        return Answer(200, {"kind": f"youtube#{kind[:-1]}ListResponse", **({"items": items} if items else {})})


def _list(kind: str, items: list[Json], more: str) -> Answer:
    return Answer(
        200, {"kind": f"youtube#{kind}ListResponse", "items": items, **({"nextPageToken": more} if more else {})}
    )


def _error(status: int, reason: str, message: str, *, domain: str = "youtube.comment", **more: Any) -> Answer:
    errors = [{"message": message, "domain": domain, "reason": reason}]
    return Answer(status, {"error": {"code": status, "message": message, "errors": errors, **more}})


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def build(options: SandboxOptions) -> Sandbox:
    """Build the look-alike: the entry point that the source names."""
    return YoutubeSandbox(options)
