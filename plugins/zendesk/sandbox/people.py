"""Users of the look-alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hub.testkit.sandbox import Answer, Call, Refused, Taken, route
from plugins.zendesk.sandbox.account import AGENT, Account, invalid, listed, not_found


class DeskPeople(Account):
    """Agents and authors."""

    @route("POST", "/oauth/tokens", object="token", write=False, open=True, contract=False)
    def grant(self, call: Call) -> Answer:
        """Grant an access token by client credentials; the secret is the sandbox's token."""
        asked = call.json()
        if asked.get("grant_type") != "client_credentials" or asked.get("client_secret") != self.options.token:
            return Answer(401, {"error": "invalid_client", "error_description": "Client authentication failed"})
        lasts = {"expires_in": 7200, "token_type": "bearer", "scope": asked.get("scope", "read write")}
        return Answer(200, {"access_token": self.options.token, **lasts})

    @route("GET", "/api/v2/users/me", object="user", open=True)
    def me(self, call: Call) -> Answer:
        """Return the caller; without credentials the anonymous user, not a 401."""
        if "authorization" not in call.headers:
            user = {"id": None, "name": "Anonymous user", "email": "invalid@example.com", "role": "end-user"}
            return Answer(200, {"user": user})
        refused = self.authenticate(call)
        return refused or Answer(200, {"user": self.user(str(AGENT))})

    @route("GET", "/api/v2/users/show_many", object="user")
    def show_users(self, call: Call) -> Answer:
        """Return users by ids or external ids, at most 100; the unknown are left out."""
        by_key = [self.store.find("user", "external_id", key) for key in listed(call, "external_ids")]
        ids = listed(call, "ids") + [found[0] for found in by_key if found]
        users = [self.user(id_) for id_ in ids if self.store.get("user", id_)]
        return Answer(200, {"users": users, "next_page": None, "previous_page": None, "count": len(users)})

    @route("GET", "/api/v2/users/{id}", object="user")
    def show_user(self, call: Call) -> Answer:
        """Return one user."""
        found = self.store.get("user", call.args["id"])
        return Answer(200, {"user": self.user(call.args["id"])}) if found else not_found()

    @route("POST", "/api/v2/users/create_or_update", object="user")
    def put_user(self, call: Call) -> Answer:
        """Create or update one user by external id or e-mail address: 200 for one that was there, 201 for a new one."""
        id_, new = self.save_user(call.json().get("user") or {})
        return Answer(201 if new else 200, {"user": self.user(id_)})

    @route("POST", "/api/v2/users/create_or_update_many", object="user")
    def put_users(self, call: Call) -> Answer:
        """Create or update up to 100 users as a job, if the account has bulk imports enabled."""
        if not self.options.extra.get("bulk_users", False):
            said = "Bulk user imports are not enabled for this account"
            return Answer(403, {"error": {"title": "Forbidden", "message": said}})
        return Answer(200, self.queue(call, call.json().get("users") or [], self.bulk_user))

    def bulk_user(self, user: Any) -> dict[str, Any]:
        """Do one item of a bulk import."""
        id_, new = self.save_user(user)
        done = {"status": "Created" if new else "Updated", "success": True}
        return {**done, "id": int(id_), "external_id": user.get("external_id"), "email": user.get("email")}

    def save_user(self, given: Mapping[str, Any]) -> tuple[str, bool]:
        """Create or update; `(id, whether it is new)`. Another user's e-mail address is refused, as at Zendesk."""
        found = self.store.find("user", "external_id", given.get("external_id"))
        if found is None and not str(given.get("name") or "").strip():
            raise Refused(invalid("name", "is too short (minimum is 1 character)"))
        id_ = found[0] if found else self.store.next_id("user", AGENT + 1)
        try:
            base = found[1] if found else {"role": "end-user", "email": None, "external_id": None}
            self.store.put("user", id_, {**base, **given})
        except Taken as taken:
            raise Refused(invalid(taken.field, f"{taken.value} is already being used by another user")) from None
        key = str(given.get("external_id") or "")
        self.journal.record("update" if found else "create", "user", id_, key=key, fields=given)
        return id_, found is None

    def user(self, id_: str) -> dict[str, Any]:
        """Return a user as Zendesk shows it."""
        return {
            "id": int(id_),
            "url": f"/api/v2/users/{id_}.json",
            "active": True,
            **(self.store.get("user", id_) or {}),
        }

    @route("PUT", "/api/v2/users/{id}", object="user")
    def change_user(self, call: Call) -> Answer:
        """Change a user."""
        given, id_ = call.json().get("user") or {}, call.args["id"]
        if self.store.get("user", id_) is None:
            return not_found()
        self.store.update("user", id_, given)
        self.journal.record("update", "user", id_, fields=given)
        return Answer(200, {"user": self.user(id_)})

    def name_of(self, user_id: Any) -> str:
        """Return a user's name."""
        return str((self.store.get("user", str(user_id)) or {}).get("name", "?"))
