"""Tickets, comments and audits of the look-alike, and the events that tell of each change."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from html import escape
from typing import Any

from hub.sdk.text import html_to_text
from hub.testkit.sandbox import Answer, Call, Event, Refused, SandboxOptions, route
from plugins.zendesk.sandbox.account import AGENT, invalid, listed, not_found, paged
from plugins.zendesk.sandbox.people import DeskPeople
from plugins.zendesk.sandbox.webhooks import again, event, signed

KEY_LIVES = timedelta(hours=2)
_VIA = {"channel": "api", "source": {"from": {}, "to": {}, "rel": None}}
_OURS = ("solved_at", "first_comment")  # kept with a ticket and not shown
_NO_FIELDS = ("comment", "metadata")
_TOLD = ("subject", "status", "priority", "assignee_id", "tags")
_LINK = re.compile(r"https?://[^\s<]+")


class Ticketing(DeskPeople):
    """Tickets as Zendesk keeps them: closed ones take nothing, solved ones close by themselves, audits forget nothing."""

    def __init__(self, options: SandboxOptions) -> None:
        super().__init__(options)
        self.teller.pause = options.extra.get("webhook_pause", self.teller.pause)

    # --------------------------------------------------------------------------------------------------------- tickets

    @route("GET", "/api/v2/ticket_fields", object="ticket_field")
    def ticket_fields(self, call: Call) -> Answer:
        """Return the system fields that matter and one custom field."""
        options = [{"name": name.capitalize(), "value": name} for name in ("low", "normal", "high", "urgent")]
        fields = [
            {"id": 1, "type": "subject", "title": "Subject", "active": True},
            {"id": 2, "type": "priority", "title": "Priority", "active": True, "system_field_options": options},
            {"id": 360001, "type": "text", "title": "Network", "active": True},
        ]
        return paged(call, "ticket_fields", fields)

    @route("POST", "/api/v2/tickets", object="ticket")
    def open_ticket(self, call: Call) -> Answer:
        """Open a ticket; an Idempotency-Key is kept for two hours, and the same key with another body is refused."""
        key, body = call.headers.get("idempotency-key", ""), sha256(json.dumps(call.json(), sort_keys=True).encode())
        kept = self.store.get("_keys", key) if key else None
        if kept and self.now() - datetime.fromisoformat(kept["at"]) < KEY_LIVES:
            if kept["body"] != body.hexdigest():
                said = "The idempotency key was used with other parameters"
                return Answer(400, {"error": "IdempotentRequestError", "description": said})
            return Answer(201, kept["answer"], {"x-idempotency-lookup": "hit"})
        answer = self.make_ticket(call.json().get("ticket") or {})
        if key:
            self.store.put("_keys", key, {"at": self.now().isoformat(), "body": body.hexdigest(), "answer": answer})
        return Answer(201, answer, {"x-idempotency-lookup": "miss"} if key else {})

    def make_ticket(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Open a ticket with its first comment; a follow-up needs a closed ticket."""
        fields = {name: value for name, value in given.items() if name not in _NO_FIELDS}
        requester = str(given.get("requester_id") or AGENT)
        if self.store.get("user", requester) is None:
            raise Refused(invalid("requester", "is invalid"))
        if address := fields.pop("assignee_email", None):
            fields["assignee_id"] = self.agent_of(str(address))
        source = given.get("via_followup_source_id")
        closed = (self.held(str(source)) or {}) if source else {}
        if source and closed.get("status") != "closed":
            raise Refused(invalid("base", "Ticket for follow-up is not closed"))
        id_ = self.store.next_id("ticket")
        ticket: dict[str, Any] = dict.fromkeys(("subject", "description", "external_id", "priority", "assignee_id"))
        ticket |= {"tags": [], "status": "new"}
        times = {"created_at": self.stamp(), "updated_at": self.stamp(), "solved_at": None}
        made = {**ticket, **fields, "requester_id": int(requester), "followup_ids": [], **times}
        self.store.insert("ticket", id_, made)
        if source:
            self.store.update("ticket", str(source), {"followup_ids": [*closed["followup_ids"], int(id_)]})
        self.journal.record("ticket", "ticket", id_, key=str(given.get("external_id") or ""), fields=given)
        audit = self.audit(id_, given, "Create", before={})
        first = next((one for one in audit["events"] if one["type"] == "Comment"), {"body": None, "id": 0})
        self.store.update("ticket", id_, {"description": first["body"], "first_comment": first["id"]})
        self.tell("created", id_, {}, AGENT)
        return {"ticket": self.ticket(id_), "audit": audit}

    @route("GET", "/api/v2/tickets", object="ticket")
    def list_tickets(self, call: Call) -> Answer:
        """Return tickets, by external id (which need not be unique) if asked for."""
        wanted = call.param("external_id")
        found = [id_ for id_, one in self.store.all("ticket") if not wanted or one["external_id"] == wanted]
        return paged(call, "tickets", [self.ticket(id_) for id_ in found])

    @route("GET", "/api/v2/tickets/show_many", object="ticket")
    def show_tickets(self, call: Call) -> Answer:
        """Return tickets by ids."""
        found = [self.ticket(id_) for id_ in listed(call, "ids") if self.held(id_)]
        return Answer(200, {"tickets": found, "count": len(found), "next_page": None, "previous_page": None})

    @route("GET", "/api/v2/search", object="search", contract=False)
    def search(self, call: Call) -> Answer:
        """Find tickets by `external_id:KEY`; the index lags, so a new one is not found for a while."""
        wanted = [word.removeprefix("external_id:") for word in call.param("query").split() if "external_id:" in word]
        lag = timedelta(seconds=self.options.extra.get("search_lag_s", 60))
        before = (self.now() - lag).strftime("%Y-%m-%dT%H:%M:%SZ")
        tickets = [(id_, one) for id_, one in self.store.all("ticket") if one["external_id"] in wanted]
        found = [self.ticket(id_) for id_, one in tickets if one["created_at"] <= before]
        return Answer(200, {"results": found, "count": len(found), "next_page": None})

    @route("GET", "/api/v2/tickets/{id}", object="ticket")
    def show_ticket(self, call: Call) -> Answer:
        """Return one ticket."""
        found = self.held(call.args["id"])
        return Answer(200, {"ticket": self.ticket(call.args["id"])}) if found else not_found()

    @route("GET", "/api/v2/tickets/{id}/metrics", object="ticket", contract=False)
    def show_metrics(self, call: Call) -> Answer:
        """Tell when a ticket was solved (None while it is not)."""
        ticket = self.held(call.args["id"])
        if ticket is None:
            return not_found()
        return Answer(200, {"ticket_metric": {"ticket_id": int(call.args["id"]), "solved_at": ticket["solved_at"]}})

    @route("PUT", "/api/v2/tickets/{id}", object="ticket")
    def update_ticket(self, call: Call) -> Answer:
        """Change a ticket or add a comment; 30 updates in ten minutes are enough."""
        id_, given = call.args["id"], call.json().get("ticket") or {}
        if self.held(id_) is None:
            return not_found()
        self.count_update(id_)
        if given.get("comment"):
            call.object = "comment"
        audit = self.change(id_, given)
        return Answer(200, {"ticket": self.ticket(id_), "audit": audit})

    def agent_of(self, address: str) -> int:
        """Return the agent of an address; refused if there is none."""
        found = self.store.find("user", "email", address)
        if found is None or found[1]["role"] not in ("agent", "admin"):
            raise Refused(invalid("assignee", "is invalid"))
        return int(found[0])

    def change(self, id_: str, given: Mapping[str, Any], actor: int = AGENT) -> dict[str, Any]:
        """Change a ticket and tell of it, the audit is given back; a closed ticket refuses."""
        before = self.held(id_) or {}
        if before["status"] == "closed":
            raise Refused(invalid("status", "closed prevents ticket update"))
        fields = {name: value for name, value in given.items() if name not in _NO_FIELDS}
        status = fields.get("status", before["status"])
        asleep = status in ("solved", "closed")
        solved = before["solved_at"] or self.stamp() if asleep else None
        self.store.update("ticket", id_, {**fields, "solved_at": solved, "updated_at": self.stamp()})
        if not given.get("comment"):
            self.journal.record("update", "ticket", id_, key=str(before["external_id"] or ""), fields=given)
        audit = self.audit(id_, given, "Change", before=before, actor=actor)
        self._tell_changes(id_, before, actor)
        return audit

    def held(self, id_: str) -> dict[str, Any] | None:
        """Return a ticket as it is kept; Zendesk closes a solved one after 28 days at the latest."""
        ticket = self.store.get("ticket", id_)
        if ticket is None or ticket["status"] != "solved" or not ticket["solved_at"]:
            return ticket
        days = timedelta(days=self.options.extra.get("closes_after_days", 28))
        if self.now() - datetime.fromisoformat(ticket["solved_at"]) < days:
            return ticket
        return self.store.update("ticket", id_, {"status": "closed"})

    def count_update(self, id_: str) -> None:
        """Hold a ticket to Zendesk's limit for one."""
        most, span = self.options.extra.get("updates_per_ticket", 30), timedelta(minutes=10)
        kept = (self.store.get("_updates", id_) or {"at": []})["at"]
        recent = [at for at in kept if self.now() - datetime.fromisoformat(at) < span]
        if len(recent) >= most:
            left = int((datetime.fromisoformat(recent[0]) + span - self.now()).total_seconds()) + 1
            name = "zendesk-ratelimit-per-ticket-updates"
            headers = {"Retry-After": str(left), name: f"total={most}; remaining=0; resets={left}"}
            said = {"error": "TooManyUpdates", "description": "Too many updates to this ticket"}
            raise Refused(Answer(429, said, headers))
        self.store.put("_updates", id_, {"at": [*recent, self.now().isoformat()]})

    def ticket(self, id_: str) -> dict[str, Any]:
        """Return a ticket as Zendesk shows it; follow-ups are visible once it is closed."""
        ticket = {name: value for name, value in (self.held(id_) or {}).items() if name not in _OURS}
        ticket["followup_ids"] = ticket["followup_ids"] if ticket["status"] == "closed" else []
        return {
            "id": int(id_),
            "url": f"/api/v2/tickets/{id_}.json",
            "via": _VIA,
            **ticket,
        }

    # ---------------------------------------------------------------------------------------------- audits and comments

    def audit(
        self,
        ticket_id: str,
        given: Mapping[str, Any],
        kind: str,
        *,
        before: Mapping[str, Any],
        actor: int = AGENT,
    ) -> dict[str, Any]:
        """Write the audit of a change, and its comment; the request's metadata becomes the audit's custom metadata."""
        audit_id, mark = self.fresh_id(), next(iter((given.get("metadata") or {}).values()), "")
        base = {"ticket_id": int(ticket_id), "created_at": self.stamp(), "via": _VIA}
        events: list[dict[str, Any]] = [
            {
                "id": self.fresh_id(),
                "type": kind,
                "field_name": name,
                "value": given[name],
                "previous_value": before.get(name),
            }
            for name in _TOLD
            if name in given
        ]
        if given.get("comment"):
            said = {"type": "Comment", "author_id": actor, "attachments": [], "public": True}
            said |= {**given["comment"], **bodies(given["comment"]), "id": self.fresh_id()}
            self.store.insert("comment", str(said["id"]), {**said, **base, "audit_id": audit_id})
            if kind == "Change":
                self.journal.record("comment", "comment", str(said["id"]), key=str(mark), fields={**said, **base})
            events.insert(0, said)
            self.tell("comment_added", ticket_id, {"comment": self.comment_told(said)}, actor)
        author = events[0].get("author_id", actor) if events else actor
        metadata = {"custom": given.get("metadata") or {}, "system": {"client": "sandbox"}}
        made = {"id": audit_id, **base, "author_id": author, "metadata": metadata, "events": events}
        return self.store.insert("_audit", str(audit_id), made)

    def fresh_id(self) -> int:
        """Return an id that nothing else in the account has."""
        return int(self.store.next_id("user", AGENT + 1))

    def said_in(self, ticket_id: str) -> Sequence[tuple[str, dict[str, Any]]]:
        """Return the comments of a ticket, oldest first."""
        return [(id_, one) for id_, one in self.store.all("comment") if str(one["ticket_id"]) == ticket_id]

    @route("GET", "/api/v2/tickets/{id}/audits", object="audit")
    def audits(self, call: Call) -> Answer:
        """Return a ticket's audits, oldest first."""
        return self.parts(call, "audits", "_audit")

    @route("GET", "/api/v2/tickets/{id}/comments", object="comment")
    def comments(self, call: Call) -> Answer:
        """Return a ticket's comments, oldest first."""
        return self.parts(call, "comments", "comment")

    def parts(self, call: Call, name: str, collection: str) -> Answer:
        """Return what belongs to a ticket."""
        id_ = call.args["id"]
        if self.held(id_) is None:
            return not_found()
        return paged(call, name, [one for _, one in self.store.all(collection) if str(one["ticket_id"]) == id_])

    # ---------------------------------------------------------------------------------------------------------- events

    def _tell_changes(self, id_: str, before: Mapping[str, Any], actor: int) -> None:
        """Tell an event for each property that is another now."""
        now = self.held(id_) or {}
        if now["status"] != before["status"]:
            change = {"current": now["status"].upper(), "previous": before["status"].upper()}
            self.tell("status_changed", id_, change, actor)
        if now["assignee_id"] != before["assignee_id"]:
            change = {"current": _id_or_none(now["assignee_id"]), "previous": _id_or_none(before["assignee_id"])}
            self.tell("agent_assignment_changed", id_, change, actor)
        if now["tags"] != before["tags"]:
            came = [tag for tag in now["tags"] if tag not in before["tags"]]
            went = [tag for tag in before["tags"] if tag not in now["tags"]]
            self.tell("tags_changed", id_, {"tags_added": came, "tags_removed": went}, actor)

    def comment_told(self, said: Mapping[str, Any]) -> dict[str, Any]:
        """Return a comment as its event shows it."""
        author = self.store.get("user", str(said["author_id"])) or {}
        staff = author.get("role") in ("agent", "admin")
        by = {"id": str(said["author_id"]), "is_staff": staff, "name": author.get("name", "?")}
        return {"id": str(said["id"]), "body": said["body"], "is_public": said["public"], "author": by}

    def tell(self, kind: str, ticket_id: str, change: Mapping[str, Any], actor: int) -> None:
        """Send an event to the webhook's target, if one is set."""
        held = self.store.get("_webhook", "target") or self.options.extra.get("webhook")
        if not held:
            return
        detail = {**self.detail(ticket_id), "actor_id": str(actor)}
        number = self.fresh_id()
        id_ = f"00000000-0000-4000-8000-{number % 10**12:012d}"
        body = event(kind, id_=id_, at=self.stamp(), detail=detail, change=change)

        def compose(_: int) -> tuple[Mapping[str, str], bytes]:
            return signed(f"01SANDBOX{number:017d}", held["secret"], self.stamp(), body), body

        self.teller.send(Event(kind, held["url"], compose, again))

    def detail(self, id_: str) -> dict[str, Any]:
        """Return a ticket as events show it: ids are strings, words of choice in capitals."""
        ticket = self.ticket(id_)
        named = ("subject", "description", "external_id", "tags", "created_at", "updated_at")
        ids = {name: _id_or_none(ticket[name]) for name in ("id", "requester_id", "assignee_id")}
        shouted = {name: (ticket[name] or "").upper() or None for name in ("status", "priority")}
        return {**{name: ticket[name] for name in named}, **ids, **shouted, "via": {"channel": "api"}}


def bodies(comment: Mapping[str, Any]) -> dict[str, str]:
    """Return a comment's three forms: text, plain text and HTML, each made of what was given."""
    text = str(comment.get("body") or html_to_text(str(comment.get("html_body") or "")))
    lines = _LINK.sub(
        lambda found: f'<a href="{found[0]}" rel="noreferrer">{found[0]}</a>', escape(text, quote=False)
    ).replace("\n", "<br>")
    html = str(comment.get("html_body") or f'<div class="zd-comment" dir="auto">{lines}</div>')
    return {"body": text, "plain_body": text, "html_body": html}


def _id_or_none(value: Any) -> str | None:
    return None if value is None else str(value)
