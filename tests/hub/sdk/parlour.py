"""Parlour, an imaginary helpdesk: its connector as an author would write it, and the vendor itself in a few lines."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from pydantic import SecretStr

from hub.core.model import Delivery, RemoteRef
from hub.sdk.connectors import Context, Lookup, ObjectInfo, Options
from hub.sdk.desk import Desk, DeskDestination, DeskTicket, Spoken, follow_up_key, is_note
from hub.sdk.doc import Doc
from hub.sdk.http.api import Api, ApiAnswer
from hub.sdk.http.auth import Bearer
from hub.testkit.fakes import Answer, FakeClock, answer

# ---------------------------------------------------------------------------------------------------------- the connector


class ParlourOptions(Options):
    """A token, and how long a solved ticket is opened again."""

    token: SecretStr = SecretStr("t0ken")
    reopen_days: int = 30


class ParlourDesk(Desk):
    """Tickets of Parlour, which keeps a `mark` with each ticket and message."""

    def __init__(self, ctx: Context, options: ParlourOptions) -> None:
        super().__init__(ctx)
        self.reopen = timedelta(days=options.reopen_days)
        self._api = Api(ctx, "https://parlour.example/api", auth=Bearer(options.token.get_secret_value()))
        self._solved: dict[str, datetime | None] = {}

    def open(self, delivery: Delivery) -> str:
        """Make it with its first message."""
        return self._make(delivery, delivery.record_key).named("id")

    def find(self, key: str) -> str | None:
        """Ask by mark, oldest first."""
        found = self._api.get("tickets", {"mark": key}).doc.docs("tickets")
        return found[0].id("id") if found else None

    def look(self, ticket_id: str) -> DeskTicket:
        """Read it; Parlour gives a merge's winner."""
        doc = self._api.get(f"tickets/{ticket_id}").doc
        self._solved[doc.id("id")] = doc.time("solved_at")
        state = doc.text("state")
        return DeskTicket(doc.id("id"), "solved" if state == "solved" else "closed" if state == "closed" else "open")

    def solved_at(self, ticket: DeskTicket) -> datetime | None:
        """As it was read."""
        return self._solved.get(ticket.id)

    def add(self, ticket: DeskTicket, delivery: Delivery) -> RemoteRef | None:
        """Post a message; 409 says that the ticket is closed."""
        body = {"text": delivery.fields["text"], "mark": delivery.key, "private": is_note(delivery)}
        made = self._api.post(f"tickets/{ticket.id}/messages", body, also=(409,))
        return None if made.status == 409 else RemoteRef(made.named("id"))

    def marked(self, ticket_id: str, key: str) -> RemoteRef | None:
        """Look through the messages."""
        messages = self._api.get(f"tickets/{ticket_id}/messages").doc.docs("messages")
        return next((RemoteRef(one.id("id")) for one in messages if one.text("mark") == key), None)

    def follow_up(self, ticket_id: str, delivery: Delivery) -> Spoken:
        """Make it under the mark of the one that it follows."""
        made = self._make(delivery, follow_up_key(ticket_id))
        return Spoken(RemoteRef(made.named("message_id")), made.named("id"))

    def ref(self, ticket_id: str) -> RemoteRef:
        """With its page."""
        return RemoteRef(ticket_id, f"https://parlour.example/t/{ticket_id}")

    def _make(self, delivery: Delivery, mark: str) -> ApiAnswer:
        body = {"mark": mark, "text": delivery.fields["text"], "message_mark": delivery.key}
        return self._api.post("tickets", body)


class ParlourDestination(DeskDestination[ParlourOptions]):
    """Conversations in Parlour."""

    name = "parlour"
    Options = ParlourOptions
    idempotency = Lookup(timedelta(seconds=1))

    def desk(self, ctx: Context) -> ParlourDesk:
        """For the length of a call."""
        return ParlourDesk(ctx, self.options)

    def describe(self, ctx: Context) -> Mapping[str, ObjectInfo]:
        """A ticket takes anything."""
        return {"ticket": ObjectInfo("ticket", open_fields=True)}


# -------------------------------------------------------------------------------------------------------------- the vendor


class Parlour:
    """The vendor: tickets by number, each with its state, mark, messages, and the one that it was merged into."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.tickets: dict[str, dict[str, Any]] = {}
        self.lose = 0
        self.deaf = False

    def put(self, ticket_id: str, **changes: Any) -> None:
        """What an agent does to a ticket."""
        self.tickets[ticket_id] |= changes

    def words(self, ticket_id: str) -> list[str]:
        """What was said in a ticket."""
        return [one["text"] for one in self.tickets[ticket_id]["messages"]]

    def __call__(self, method: str, url: str, headers: Mapping[str, str], content: bytes | None) -> Answer:
        """Answer one request; the next `lose` writes are done and not answered."""
        path, body = url.partition("/api/")[2], Doc(json.loads(content or b"{}"))
        found = re.fullmatch(r"tickets(?:/(\d+))?(/messages)?(?:\?mark=(.*))?", path)
        assert found
        status, data = self._answer(method, found, body)
        if method == "POST" and self.lose:
            self.lose -= 1
            return answer(502)
        return answer(status, data)

    def _answer(self, method: str, found: re.Match[str], body: Doc) -> tuple[int, Any]:
        if method == "POST" and not found[1]:
            return 201, self._open(body)
        if not found[1]:
            return 200, {"tickets": [one for one in self.tickets.values() if one["mark"] == found[3]]}
        ticket = self.tickets[self.tickets[found[1]].get("merged") or found[1]]
        if method == "POST":
            return self._say(ticket, body)
        return 200, {"messages": ticket["messages"]} if found[2] else ticket

    def _open(self, body: Doc) -> dict[str, Any]:
        id_ = str(len(self.tickets) + 1)
        first = {"id": f"{id_}-1", "text": body.text("text"), "mark": body.text("message_mark"), "private": False}
        self.tickets[id_] = {"id": id_, "state": "open", "mark": body.text("mark"), "messages": [first]}
        return {"id": id_, "message_id": first["id"]}

    def _say(self, ticket: dict[str, Any], body: Doc) -> tuple[int, Any]:
        if ticket["state"] == "closed" or self.deaf:
            ticket["state"], self.deaf = "closed", False
            return 409, {"message": "closed"}
        if not body.get("private"):
            ticket["state"] = "open"
        ticket["messages"].append({"id": f"{ticket['id']}-{len(ticket['messages']) + 1}", **body.data})
        return 201, {"id": ticket["messages"][-1]["id"]}
