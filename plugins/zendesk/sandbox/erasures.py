"""What the look-alike can take away: words out of comments, tickets into others, tickets for good."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from hub.sdk.text import html_to_text
from hub.testkit.sandbox import Answer, Call, Refused, route
from plugins.zendesk.sandbox.account import AGENT, invalid, not_found
from plugins.zendesk.sandbox.tickets import Ticketing

BLACK = "▇"
_REDACT = re.compile(r"<redact>(.*?)</redact>", re.DOTALL)
_MARKED_TAG = re.compile(r"<(\w+)\b([^<>]*)\sredact>")
_MARKS = re.compile(r"</?redact>|\sredact(?=>)")
_TAGS = re.compile(r"<[^<>]+>")
_OF_A_TICKET = ("comment", "_audit")


class DeskErasures(Ticketing):
    """Redaction, merging and deletion as Zendesk does them."""

    @route("PUT", "/api/v2/comment_redactions/{id}", object="comment")
    def redact_marked(self, call: Call) -> Answer:
        """Redact what is marked in a comment's HTML, in closed tickets too; an account may be without (`agent_workspace`)."""
        given, comment = call.json(), self.store.get("comment", call.args["id"])
        if not self.options.extra.get("agent_workspace", True):
            return Answer(403, {"error": "Forbidden", "description": "Agent Workspace is not enabled"})
        if comment is None or str(comment["ticket_id"]) != str(given.get("ticket_id")):
            return not_found()
        html = str(given.get("html_body") or "")
        if _MARKS.sub("", html) != comment["html_body"]:
            return invalid("html_body", "does not match the comment")
        black = _REDACT.sub(lambda found: blacked(found[1]), _MARKED_TAG.sub(r"<\1>", html))
        return self.redact(call, html_to_text(black), black)

    @route("PUT", "/api/v2/tickets/{ticket_id}/comments/{id}/redact", object="comment")
    def redact_text(self, call: Call) -> Answer:
        """Redact a string in a comment; a closed ticket refuses."""
        ticket, comment = self.held(call.args["ticket_id"]), self.store.get("comment", call.args["id"])
        if ticket is None or comment is None:
            return not_found()
        if ticket["status"] == "closed":
            return invalid("status", "closed prevents ticket update")
        text = str(call.json().get("text") or "")
        black = {name: str(comment[name]).replace(text, BLACK * len(text)) for name in ("plain_body", "html_body")}
        return self.redact(call, black["plain_body"], black["html_body"])

    def redact(self, call: Call, plain: str, html: str) -> Answer:
        """Write a comment's new words everywhere: the comment, its audit, and what idempotency keys remember."""
        id_, new = call.args["id"], {"body": plain, "plain_body": plain, "html_body": html}
        held = self.store.update("comment", id_, new)
        ticket_id = str(held["ticket_id"])
        if (self.store.get("ticket", ticket_id) or {}).get("first_comment") == int(id_):
            self.store.update("ticket", ticket_id, {"description": plain})
            self.journal.forget("ticket", ticket_id, {"comment", "description"})
        self.forget_answers(ticket_id)
        audit_id, base = self.fresh_id(), {name: held[name] for name in ("ticket_id", "via")}
        for key, audit in self.store.all("_audit"):
            events = [{**one, **new} if str(one["id"]) == id_ else one for one in audit["events"]]
            if events != audit["events"]:
                self.store.update("_audit", key, {"events": events})
        event = {"id": self.fresh_id(), "type": "CommentRedactionEvent", "comment_id": int(id_)}
        made = {
            "id": audit_id,
            **base,
            "created_at": self.stamp(),
            "author_id": AGENT,
            "metadata": {},
            "events": [event],
        }
        self.store.insert("_audit", str(audit_id), made)
        self.journal.record("redact", "comment", id_)
        self.tell("comment_redacted", str(held["ticket_id"]), {"comment": {"id": id_}}, AGENT)
        return Answer(200, {"comment": {"id": int(id_), **held}})

    def forget_answers(self, ticket_id: str) -> None:
        """Leave nothing of a ticket in what idempotency keys remember but its id."""
        for key, kept in self.store.all("_keys"):
            ticket = kept["answer"].get("ticket") or {}
            if str(ticket.get("id")) == ticket_id:
                self.store.update("_keys", key, {"answer": {"ticket": {"id": ticket["id"]}}})

    # --------------------------------------------------------------------------------------------------------- merging

    @route("POST", "/api/v2/tickets/{id}/merge", object="ticket")
    def merge_tickets(self, call: Call) -> Answer:
        """Merge tickets into this one, as a job."""
        target = call.args["id"]
        if self.held(target) is None:
            return not_found()
        ids = [str(one) for one in call.json().get("ids") or ()]
        return Answer(200, self.queue(call, ids, lambda source: self.merge(source, target)))

    def merge(self, source: str, target: str, actor: int = AGENT) -> dict[str, Any]:
        """Close a ticket into another, with the comments that Zendesk's own page proposes: the last word goes along."""
        one, other = self.held(source), self.held(target)
        if one is None or other is None or source == target:
            raise Refused(not_found())
        if "closed" in (one["status"], other["status"]):
            raise Refused(invalid("base", "closed tickets cannot be merged"))
        last = next((said["body"] for _, said in reversed(self.said_in(source)) if said["public"]), "")
        there = f'Request #{source} "{one["subject"]}" was closed and merged into this request.'
        there += f" Last comment in request #{source}:\n\n{last}"
        self.change(target, _noted(there), actor)
        here = f'This request was closed and merged into request #{target} "{other["subject"]}".'
        tags = {"status": "closed", "tags": [*one["tags"], "closed_by_merge"]}
        self.change(source, {**_noted(here), **tags}, actor)
        self.tell("merged", source, {"target_ticket_id": target}, actor)
        return {"id": int(target), "status": "Updated", "success": True}

    # -------------------------------------------------------------------------------------------------------- deletion

    @route("DELETE", "/api/v2/tickets/{id}", object="ticket")
    def delete_ticket(self, call: Call) -> Answer:
        """Move a ticket to the deleted ones, where it stays for 30 days."""
        if self.held(call.args["id"]) is None:
            return not_found()
        self.bury(call.args["id"])
        return Answer(204)

    def bury(self, id_: str, actor: int = AGENT) -> None:
        """Delete a ticket so that it can come back."""
        self.tell("soft_deleted", id_, {}, actor)
        self.store.insert("_deleted", id_, self.store.get("ticket", id_) or {})
        self.store.remove("ticket", id_)
        self.journal.record("delete", "ticket", id_)

    @route("DELETE", "/api/v2/deleted_tickets/{id}", object="ticket")
    def delete_for_good(self, call: Call) -> Answer:
        """Delete a deleted ticket with all that was said in it, as a job."""
        id_ = call.args["id"]
        if self.store.get("_deleted", id_) is None:
            return not_found()
        return Answer(200, self.queue(call, [id_], self.wipe))

    def wipe(self, id_: str) -> dict[str, Any]:
        """Leave nothing of it."""
        self.forget_answers(id_)
        self.store.remove("_deleted", id_)
        for collection in _OF_A_TICKET:
            for key, one in self.store.all(collection):
                if str(one["ticket_id"]) == id_:
                    self.store.remove(collection, key)
                    self.journal.forget(collection, key)
        return {"id": int(id_), "status": "Deleted", "success": True}


def blacked(html: str) -> str:
    """Return the text of a piece of HTML as blocks, its line ends kept."""
    return "".join("\n" if letter == "\n" else BLACK for letter in _TAGS.sub("", html))


def _noted(text: str) -> Mapping[str, Any]:
    return {"comment": {"body": text, "public": False}}
