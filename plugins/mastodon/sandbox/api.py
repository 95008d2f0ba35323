"""The API of the look-alike, as far as the plugin asks it; the token is the brand's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from hub.testkit.sandbox import Answer, Call, Refused, route
from plugins.mastodon.sandbox.statuses import Statuses, moment, tags_of

Item = tuple[str, Mapping[str, Any]]


class TownApi(Statuses):
    """Timelines, notifications, statuses, search."""

    def handle(self, call: Call) -> Answer:
        """Take a slash at the end of paths, as Mastodon does."""
        call.path = call.path.rstrip("/") or "/"
        return super().handle(call)

    def unauthorised(self, call: Call) -> Answer:
        """Answer with Mastodon's 401."""
        return Answer(401, {"error": "The access token is invalid"})

    def limited(self, call: Call, seconds: float) -> Answer:
        """Answer with Mastodon's 429."""
        reset = (self.now() + timedelta(seconds=seconds)).isoformat()
        return Answer(429, {"error": "Too many requests"}, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": reset})

    def unknown(self, call: Call) -> Answer:
        """Answer with Mastodon's 404."""
        return Answer(404, {"error": "The page you are looking for isn't here."})

    def broken(self, call: Call, message: str) -> Answer:
        """Answer with Mastodon's 500."""
        return Answer(500, {"error": "Something went wrong on our end"})

    # ------------------------------------------------------------------------------------------------------------ streams

    @route("GET", "/api/v1/timelines/public", object="status", open=True)
    def public(self, call: Call) -> Answer:
        """Return the town's posts: public ones that answer no one but their own author."""
        return self._page(call, [(id_, one) for id_, one in self.newest("") if self._is_listed(one)], self.entity)

    @route("GET", "/api/v1/timelines/tag/{tag}", object="status", open=True)
    def tagged(self, call: Call) -> Answer:
        """Return public posts with a hashtag."""
        tag = call.args["tag"].lower()
        found = [
            (id_, one)
            for id_, one in self.newest("")
            if one["visibility"] == "public" and tag in map(str.lower, tags_of(one["text"]))
        ]
        return self._page(call, found, self.entity)

    def _is_listed(self, status: Mapping[str, Any]) -> bool:
        parent = self.store.get("status", status["in_reply_to_id"] or "")
        return status["visibility"] == "public" and (parent is None or parent["account"] == status["account"])

    @route("GET", "/api/v1/notifications", object="notification")
    def notifications(self, call: Call) -> Answer:
        """Tell who mentioned the brand."""
        wanted = call.query.get("types[]", ["mention"])
        told = [(id_, one) for id_, one in reversed(self.store.all("_notification")) if one["to"] == self.brand]
        return self._page(call, told if "mention" in wanted else [], self._notification)

    def _notification(self, id_: str, told: Mapping[str, Any]) -> dict[str, Any]:
        status = self.entity(told["status"], self.existing(told["status"]))
        made = {"id": str(int(id_)), "type": "mention", "created_at": told["created_at"]}
        return {**made, "account": status["account"], "status": status}

    @route("GET", "/api/v1/conversations", object="conversation")
    def conversations(self, call: Call) -> Answer:
        """Return the brand's direct messages, each conversation with its last one."""
        last: dict[str, Item] = {}
        for id_, one in self.newest(self.brand):
            if one["visibility"] == "direct":
                last.setdefault(self.root_of(id_), (id_, one))
        return self._page(call, list(last.values()), self._conversation)

    def _conversation(self, id_: str, status: Mapping[str, Any]) -> dict[str, Any]:
        people = [name for name in (status["account"], *self.mentioned(status["text"])) if name != self.brand]
        accounts = [self.account(name) for name in dict.fromkeys(people)]
        return {"id": self.root_of(id_), "unread": True, "accounts": accounts, "last_status": self.entity(id_, status)}

    def root_of(self, id_: str) -> str:
        """Find the status that begins a thread."""
        parent = (self.store.get("status", id_) or {}).get("in_reply_to_id")
        return self.root_of(parent) if parent else id_

    def _page(
        self, call: Call, items: Sequence[Item], shown: Callable[[str, Mapping[str, Any]], dict[str, Any]]
    ) -> Answer:
        """Return a page of what is given newest first: just newer than `min_id`, or just older than `max_id`, or the newest."""
        limit = min(int(call.param("limit", "20")), int(self.options.extra.get("page", 40)))
        older, newer = int(call.param("max_id") or 0), int(call.param("min_id") or call.param("since_id") or 0)
        found = [(id_, one) for id_, one in items if int(id_) > newer and (not older or int(id_) < older)]
        page = found[-limit:] if call.param("min_id") else found[:limit]
        here = f"{self.url}{call.path}"
        ends = (
            [f'<{here}?max_id={page[-1][0]}>; rel="next"', f'<{here}?min_id={page[0][0]}>; rel="prev"'] if page else []
        )
        return Answer(200, [shown(*item) for item in page], {"Link": ", ".join(ends)} if ends else {})

    # ----------------------------------------------------------------------------------------------------------- statuses

    @route("POST", "/api/v1/statuses", object="status")
    def post(self, call: Call) -> Answer:
        """Let the brand say something; under a known key it is what it said before."""
        form, key = call.form(), call.headers.get("idempotency-key", "")
        known = self.store.get("_key", key) if key else None
        if known and self.now() - moment(known["at"]) < timedelta(seconds=self.options.extra.get("keys_kept_s", 3600)):
            return self._shown(known["status"])
        parent = form.get("in_reply_to_id")
        if parent and not self._visible(parent):
            said = "The post you are trying to reply to does not appear to exist"
            raise Refused(Answer(404, {"error": said}))
        id_ = self.say(self.brand, form.get("status", ""), parent=parent, visibility=form.get("visibility", "public"))
        if key:
            self.store.put("_key", key, {"at": self.now().isoformat(), "status": id_})
        return self._shown(id_)

    @route("GET", "/api/v1/statuses", object="status")
    def some(self, call: Call) -> Answer:
        """Return those of the given ids that are there."""
        ids = call.query.get("id[]", [])
        return Answer(200, [self.entity(id_, one) for id_ in ids if (one := self._visible(id_))])

    @route("GET", "/api/v1/statuses/{id}", object="status")
    def one(self, call: Call) -> Answer:
        """Return one status."""
        return self._shown(call.args["id"])

    @route("DELETE", "/api/v1/statuses/{id}", object="status")
    def remove(self, call: Call) -> Answer:
        """Let the brand take back what it said."""
        id_ = call.args["id"]
        if self.existing(id_)["account"] != self.brand:
            raise Refused(Answer(404, {"error": "Record not found"}))
        gone = self.entity(id_, self.existing(id_))
        self.take_back(id_)
        return Answer(200, gone)

    @route("POST", "/api/v1/statuses/{id}/favourite", object="status")
    def favourite(self, call: Call) -> Answer:
        """Let the brand like a status; liking it again changes nothing."""
        return self._liked(call, liked=True)

    @route("POST", "/api/v1/statuses/{id}/unfavourite", object="status")
    def unfavourite(self, call: Call) -> Answer:
        """Let the brand take its like back; without one nothing changes."""
        return self._liked(call, liked=False)

    def _liked(self, call: Call, *, liked: bool) -> Answer:
        id_ = call.args["id"]
        status = self._visible(id_)
        if status is not None and bool(status.get("favourited")) != liked:
            self.store.update("status", id_, {"favourited": liked})
            self.journal.record("like" if liked else "unlike", "status", id_)
        return self._shown(id_)

    def _visible(self, id_: str) -> Mapping[str, Any] | None:
        status = self.store.get("status", id_)
        return status if status and self.is_visible(status, self.brand) else None

    def _shown(self, id_: str) -> Answer:
        status = self._visible(id_)
        return Answer(200, self.entity(id_, status)) if status else Answer(404, {"error": "Record not found"})

    @route("GET", "/api/v2/search", object="search")
    def search(self, call: Call) -> Answer:
        """Return a status by its address."""
        wanted = call.param("q")
        found = [entity for id_, one in self.newest(self.brand) if wanted in _names(entity := self.entity(id_, one))]
        return Answer(200, {"accounts": [], "statuses": found, "hashtags": []})

    # ---------------------------------------------------------------------------------------------- accounts and instance

    @route("GET", "/api/v1/accounts/verify_credentials", object="account")
    def who(self, call: Call) -> Answer:
        """Return the brand's account."""
        return Answer(200, self.account(self.brand))

    @route("GET", "/api/v1/accounts/lookup", object="account")
    def look_up(self, call: Call) -> Answer:
        """Return an account by its name."""
        name = call.param("acct").removesuffix(f"@{self.host}")
        known = self.store.get("account", name)
        return Answer(200, self.account(name)) if known else Answer(404, {"error": "Record not found"})

    @route("GET", "/api/v1/accounts/{id}", object="account")
    def account_by_id(self, call: Call) -> Answer:
        """Return an account by its id."""
        return Answer(200, self.account(self._name(call.args["id"])))

    @route("GET", "/api/v1/accounts/{id}/statuses", object="status")
    def said_by(self, call: Call) -> Answer:
        """Return what an account said, answers too."""
        name = self._name(call.args["id"])
        found = [(id_, one) for id_, one in self.newest(self.brand) if one["account"] == name]
        return self._page(call, found, self.entity)

    def _name(self, id_: str) -> str:
        for name, account in self.store.all("account"):
            if account["id"] == id_:
                return name
        raise Refused(Answer(404, {"error": "Record not found"}))

    @route("GET", "/api/v1/instance", object="instance", open=True)
    @route("GET", "/api/v2/instance", object="instance", open=True)
    def instance(self, call: Call) -> Answer:
        """Return what the instance says of itself."""
        most = int(self.options.extra.get("most_characters", 500))
        about = {"title": "The town", "version": "4.5.0", "domain": self.host, "uri": self.host}
        return Answer(200, {**about, "configuration": {"statuses": {"max_characters": most}}})


def _names(status: Mapping[str, Any]) -> tuple[str, str]:
    return status["uri"], status["url"]
