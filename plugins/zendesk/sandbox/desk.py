"""Users, tickets, comments and audits of the look-alike."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from html import escape
from typing import Any

from hub.sdk.sandbox import Answer, Call, Refused, Taken, route
from plugins.zendesk.sandbox.account import AGENT, Account, invalid, listed, not_found, paged

KEY_LIVES = timedelta(hours=2)
_VIA = {"channel": "api", "source": {"from": {}, "to": {}, "rel": None}}
_HTML = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
}


class ZendeskSandbox(Account):
    """The whole account."""

    # ----------------------------------------------------------------------------------------------------------- users

    @route("POST", "/oauth/tokens", object="token", write=False, open=True, contract=False)
    def grant(self, call: Call) -> Answer:
        """An access token by client credentials; the secret is the sandbox's token."""
        asked = call.json()
        if asked.get("grant_type") != "client_credentials" or asked.get("client_secret") != self.options.token:
            return Answer(401, {"error": "invalid_client", "error_description": "Client authentication failed"})
        lasts = {"expires_in": 7200, "token_type": "bearer", "scope": asked.get("scope", "read write")}
        return Answer(200, {"access_token": self.options.token, **lasts})

    @route("GET", "/api/v2/users/me", object="user", open=True)
    def me(self, call: Call) -> Answer:
        """The caller; without credentials the anonymous user, not a 401."""
        if "authorization" not in call.headers:
            user = {"id": None, "name": "Anonymous user", "email": "invalid@example.com", "role": "end-user"}
            return Answer(200, {"user": user})
        refused = self.authenticate(call)
        return refused or Answer(200, {"user": self.user(str(AGENT))})

    @route("GET", "/api/v2/users/show_many", object="user")
    def show_users(self, call: Call) -> Answer:
        """Users by ids or external ids, at most 100; the unknown are left out."""
        by_key = [self.store.find("user", "external_id", key) for key in listed(call, "external_ids")]
        ids = listed(call, "ids") + [found[0] for found in by_key if found]
        users = [self.user(id_) for id_ in ids if self.store.get("user", id_)]
        return Answer(200, {"users": users, "next_page": None, "previous_page": None, "count": len(users)})

    @route("GET", "/api/v2/users/{id}", object="user")
    def show_user(self, call: Call) -> Answer:
        """One user."""
        found = self.store.get("user", call.args["id"])
        return Answer(200, {"user": self.user(call.args["id"])}) if found else not_found()

    @route("POST", "/api/v2/users/create_or_update", object="user")
    def put_user(self, call: Call) -> Answer:
        """One user by external id or e-mail address: 200 where it was there, 201 where it is new."""
        id_, new = self.save_user(call.json().get("user") or {})
        return Answer(201 if new else 200, {"user": self.user(id_)})

    @route("POST", "/api/v2/users/create_or_update_many", object="user")
    def put_users(self, call: Call) -> Answer:
        """Up to 100 users as a job, where the account has bulk imports enabled."""
        if not self.options.extra.get("bulk_users", False):
            said = "Bulk user imports are not enabled for this account"
            return Answer(403, {"error": {"title": "Forbidden", "message": said}})
        return Answer(200, self.queue(call, call.json().get("users") or [], self.bulk_user))

    def bulk_user(self, user: Any) -> dict[str, Any]:
        """One item of a bulk import."""
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
        """A user as Zendesk shows it."""
        return {
            "id": int(id_),
            "url": f"/api/v2/users/{id_}.json",
            "active": True,
            **(self.store.get("user", id_) or {}),
        }

    # --------------------------------------------------------------------------------------------------------- tickets

    @route("GET", "/api/v2/ticket_fields", object="ticket_field")
    def ticket_fields(self, call: Call) -> Answer:
        """The system fields that matter and one custom field."""
        options = [{"name": name.capitalize(), "value": name} for name in ("low", "normal", "high", "urgent")]
        fields = [
            {"id": 1, "type": "subject", "title": "Subject", "active": True},
            {"id": 2, "type": "priority", "title": "Priority", "active": True, "system_field_options": options},
            {"id": 360001, "type": "text", "title": "Network", "active": True},
        ]
        return paged(call, "ticket_fields", fields)

    @route("POST", "/api/v2/tickets", object="ticket")
    def open_ticket(self, call: Call) -> Answer:
        """A ticket; an Idempotency-Key is kept for two hours, and the same key with another body is refused."""
        key, body = call.headers.get("idempotency-key", ""), json.dumps(call.json(), sort_keys=True)
        kept = self.store.get("_keys", key) if key else None
        if kept and self.now() - datetime.fromisoformat(kept["at"]) < KEY_LIVES:
            if kept["body"] != body:
                said = "The idempotency key was used with other parameters"
                return Answer(400, {"error": "IdempotentRequestError", "description": said})
            return Answer(201, kept["answer"], {"x-idempotency-lookup": "hit"})
        answer = self.make_ticket(call.json().get("ticket") or {})
        if key:
            self.store.put("_keys", key, {"at": self.now().isoformat(), "body": body, "answer": answer})
        return Answer(201, answer, {"x-idempotency-lookup": "miss"} if key else {})

    def make_ticket(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Open a ticket with its first comment; a follow-up needs a closed ticket."""
        fields = {name: value for name, value in given.items() if name not in ("comment", "metadata")}
        requester = str(given.get("requester_id") or AGENT)
        if self.store.get("user", requester) is None:
            raise Refused(invalid("requester", "is invalid"))
        source = given.get("via_followup_source_id")
        closed = self.store.get("ticket", str(source)) or {}
        if source and closed.get("status") != "closed":
            raise Refused(invalid("base", "Ticket for follow-up is not closed"))
        id_ = self.store.next_id("ticket")
        ticket = {"subject": None, "external_id": None, "priority": None, "tags": [], "status": "new", **fields}
        times = {"created_at": self.stamp(), "updated_at": self.stamp()}
        self.store.insert("ticket", id_, {**ticket, "requester_id": int(requester), "followup_ids": [], **times})
        if source:
            self.store.update("ticket", str(source), {"followup_ids": [*closed["followup_ids"], int(id_)]})
        self.journal.record("ticket", "ticket", id_, key=str(given.get("external_id") or ""), fields=given)
        return {"ticket": self.ticket(id_), "audit": self.audit(id_, given, "Create")}

    @route("GET", "/api/v2/tickets", object="ticket")
    def list_tickets(self, call: Call) -> Answer:
        """Tickets, by external id where one is asked for (which need not be unique)."""
        wanted = call.param("external_id")
        found = [id_ for id_, one in self.store.all("ticket") if not wanted or one["external_id"] == wanted]
        return paged(call, "tickets", [self.ticket(id_) for id_ in found])

    @route("GET", "/api/v2/tickets/show_many", object="ticket")
    def show_tickets(self, call: Call) -> Answer:
        """Tickets by ids."""
        found = [self.ticket(id_) for id_ in listed(call, "ids") if self.store.get("ticket", id_)]
        return Answer(200, {"tickets": found, "count": len(found), "next_page": None, "previous_page": None})

    @route("GET", "/api/v2/search", object="search", contract=False)
    def search(self, call: Call) -> Answer:
        """Tickets by `external_id:KEY`; the index lags, so a new one is not found for a while."""
        wanted = [word.removeprefix("external_id:") for word in call.param("query").split() if "external_id:" in word]
        before = (self.now() - timedelta(seconds=self.options.extra.get("search_lag_s", 60))).strftime(
            "%Y-%m-%dT%H:%M:%SZ"
        )
        tickets = [(id_, one) for id_, one in self.store.all("ticket") if one["external_id"] in wanted]
        found = [self.ticket(id_) for id_, one in tickets if one["created_at"] <= before]
        return Answer(200, {"results": found, "count": len(found), "next_page": None})

    @route("GET", "/api/v2/tickets/{id}", object="ticket")
    def show_ticket(self, call: Call) -> Answer:
        """One ticket."""
        found = self.store.get("ticket", call.args["id"])
        return Answer(200, {"ticket": self.ticket(call.args["id"])}) if found else not_found()

    @route("PUT", "/api/v2/tickets/{id}", object="ticket")
    def update_ticket(self, call: Call) -> Answer:
        """Change a ticket or add a comment; a closed ticket takes neither, and 30 updates in ten minutes are enough."""
        id_, given = call.args["id"], call.json().get("ticket") or {}
        ticket = self.store.get("ticket", id_)
        if ticket is None:
            return not_found()
        if ticket["status"] == "closed":
            return invalid("status", "closed prevents ticket update")
        self.count_update(id_)
        fields = {name: value for name, value in given.items() if name not in ("comment", "metadata")}
        self.store.update("ticket", id_, {**fields, "updated_at": self.stamp()})
        if given.get("comment"):
            call.object = "comment"
        else:
            self.journal.record("update", "ticket", id_, key=str(ticket["external_id"] or ""), fields=given)
        return Answer(200, {"ticket": self.ticket(id_), "audit": self.audit(id_, given, "Change")})

    def count_update(self, id_: str) -> None:
        """Zendesk's limit for one ticket."""
        most, span = self.options.extra.get("updates_per_ticket", 30), timedelta(minutes=10)
        kept = (self.store.get("_updates", id_) or {"at": []})["at"]
        recent = [at for at in kept if self.now() - datetime.fromisoformat(at) < span]
        if len(recent) >= most:
            left = int((datetime.fromisoformat(recent[0]) + span - self.now()).total_seconds()) + 1
            name = "zendesk-ratelimit-per-ticket-updates"
            headers = {"Retry-After": str(left), name: f"total={most}; remaining=0; resets={left}"}
            raise Refused(
                Answer(429, {"error": "TooManyUpdates", "description": "Too many updates to this ticket"}, headers)
            )
        self.store.put("_updates", id_, {"at": [*recent, self.now().isoformat()]})

    def ticket(self, id_: str) -> dict[str, Any]:
        """A ticket as Zendesk shows it; follow-ups are visible once it is closed."""
        held = dict(self.store.get("ticket", id_) or {})
        held["followup_ids"] = held["followup_ids"] if held["status"] == "closed" else []
        return {"id": int(id_), "url": f"/api/v2/tickets/{id_}.json", "via": _VIA, **held}

    def audit(self, ticket_id: str, given: Mapping[str, Any], kind: str) -> dict[str, Any]:
        """Write the audit of a change, and its comment; the request's metadata becomes the audit's custom metadata."""
        audit_id, mark = self.fresh_id(), next(iter((given.get("metadata") or {}).values()), "")
        base = {"ticket_id": int(ticket_id), "created_at": self.stamp(), "via": _VIA}
        events = [
            {"id": self.fresh_id(), "type": kind, "field_name": name, "value": given[name]}
            for name in ("subject", "status", "priority")
            if name in given
        ]
        if given.get("comment"):
            said = {"type": "Comment", "author_id": AGENT, "attachments": [], "public": True, **given["comment"]}
            said["id"] = self.fresh_id()
            self.store.insert("comment", str(said["id"]), {**said, **base, "audit_id": audit_id})
            if kind == "Change":
                self.journal.record("comment", "comment", str(said["id"]), key=str(mark), fields={**said, **base})
            events.insert(0, said)
        author = events[0].get("author_id", AGENT) if events else AGENT
        metadata = {"custom": given.get("metadata") or {}, "system": {"client": "sandbox"}}
        made = {"id": audit_id, **base, "author_id": author, "metadata": metadata, "events": events}
        return self.store.insert("_audit", str(audit_id), made)

    def fresh_id(self) -> int:
        """An id that nothing else in the account has."""
        return int(self.store.next_id("user", AGENT + 1))

    @route("GET", "/api/v2/tickets/{id}/audits", object="audit")
    def audits(self, call: Call) -> Answer:
        """A ticket's audits, oldest first."""
        return self.parts(call, "audits", "_audit")

    @route("GET", "/api/v2/tickets/{id}/comments", object="comment")
    def comments(self, call: Call) -> Answer:
        """A ticket's comments, oldest first."""
        return self.parts(call, "comments", "comment")

    def parts(self, call: Call, name: str, collection: str) -> Answer:
        """What belongs to a ticket."""
        if self.store.get("ticket", call.args["id"]) is None:
            return not_found()
        return paged(
            call, name, [one for _, one in self.store.all(collection) if str(one["ticket_id"]) == call.args["id"]]
        )

    @route("GET", "/agent/tickets/{id}", open=True, contract=False)
    def agent_page(self, call: Call) -> Answer:
        """The ticket as an agent sees it."""
        ticket = self.store.get("ticket", call.args["id"])
        if ticket is None:
            return Answer(404, "<p>No such ticket</p>", _HTML)
        comments = [one for _, one in self.store.all("comment") if str(one["ticket_id"]) == call.args["id"]]
        return Answer(200, _agent_page(call.args["id"], ticket, [(self.name_of(one), one) for one in comments]), _HTML)

    def name_of(self, comment: Mapping[str, Any]) -> str:
        """A comment's author."""
        return str((self.store.get("user", str(comment["author_id"])) or {}).get("name", "?"))


_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem}p{white-space:pre-wrap}"
)


def _agent_page(id_: str, ticket: Mapping[str, Any], comments: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
    """A ticket with its comments: names and texts from outside are escaped."""
    facts = " &middot; ".join(escape(str(ticket[name] or "no " + name)) for name in ("status", "priority"))
    tags = escape(" ".join(ticket["tags"]))
    said = "".join(
        f"<article><h2>{escape(name)}{'' if one['public'] else ' (internal note)'}</h2>"
        f"<p>{escape(str(one.get('body') or one.get('html_body') or ''))}</p></article>"
        for name, one in comments
    )
    subject = escape(str(ticket["subject"] or "(no subject)"))
    head = f"<!doctype html><html lang='en'><head><meta charset='utf-8'><title>{subject}</title><style>{_STYLE}</style></head>"
    top = f"<p><a href='/'>Zendesk sandbox</a> / #{escape(id_)}</p><h1>{subject}</h1><p>{facts}</p><p>{tags}</p>"
    return f"{head}<body>{top}{said}</body></html>"
