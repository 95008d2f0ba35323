"""A local look-alike of Request Tracker's REST 2.0: users, tickets, messages, transactions, merges, as RT 5.0.3 answers.

The hub is `token <token>` or `token 1-22-<token>`, an agent is Basic `agent:agent`, a customer `customer:customer`. `extra` knows
`queue` (Social), `key_field` (Hubbub Key), `drops_fields` (RT lets us see but not write custom fields: dropped in silence).
Kept from the real one: no number of pages for us, 200 characters of subject, "x:y" is no requestor, "0" is an empty message,
merged tickets hidden from searches, an empty list if a ticket is missing. Not modelled: rights, mail, lifecycles.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from typing import Any

from hub.testkit.sandbox import Answer, Call, Refused, Sandbox, SandboxOptions, Taken, route

API = "/REST/2.0"
NEVER = "1970-01-01T00:00:00Z"
_PEOPLE = (
    ("1", "RT_System", "The RT System itself", 0),
    ("6", "Nobody", "Nobody in particular", 0),
    ("22", "hub", "Hubbub", 1),
    ("23", "agent", "Agnes Agent", 1),
    ("24", "customer", "Carl Customer", 0),
)
_BASIC = {base64.b64encode(f"{name}:{name}".encode()).decode(): name for name in ("agent", "customer")}
_CLOSED = ("resolved", "rejected", "deleted")


class RequestTrackerSandbox(Sandbox):
    """RT in a box."""

    title = "Request Tracker"

    def seed(self) -> None:
        """Make RT's own users, the hub's, an agent and a customer."""
        self.store.declare("user", unique=("Name",), fold=True)
        for id_, name, real, privileged in _PEOPLE:
            self.store.put("user", id_, {"Name": name, "RealName": real, "Privileged": privileged})

    def heading_of(self, object_: str, record: Mapping[str, Any]) -> str:
        """Return a ticket's subject, a user's name."""
        return str(record.get("Subject") or record.get("RealName") or record.get("Name") or "")

    @property
    def queue(self) -> str:
        """The one queue's name."""
        return str(self.options.extra.get("queue", "Social"))

    @property
    def key_field(self) -> str:
        """The one custom field's name."""
        return str(self.options.extra.get("key_field", "Hubbub Key"))

    # --------------------------------------------------------------------------------------------------- refusals

    def authenticate(self, call: Call) -> Answer | None:
        """Take tokens and passwords, as RT does."""
        return None if self._actor(call) else self.unauthorised(call)

    def _actor(self, call: Call) -> str:
        kind, _, value = call.headers.get("authorization", "").partition(" ")
        if kind.lower() == "token" and value in (self.options.token, f"1-22-{self.options.token}"):
            return "hub"
        return _BASIC.get(value, "") if kind.lower() == "basic" else ""

    def unauthorised(self, call: Call) -> Answer:
        """Answer with RT's 401."""
        return Answer(401, {"message": "Unauthorized"})

    def unknown(self, call: Call) -> Answer:
        """Answer with RT's 404."""
        return Answer(404, {"message": "Not Found"})

    def broken(self, call: Call, message: str) -> Answer:
        """Answer with RT's 500."""
        return Answer(500, {"message": "Internal Server Error"})

    # ------------------------------------------------------------------------------------------------- the account

    @route("GET", API + "/rt")
    def get_rt(self, call: Call) -> Answer:
        """Return the version."""
        return Answer(200, {"Version": "5.0.3", "Plugins": []})

    @route("GET", API + "/queue/{name}", object="queue")
    def get_queue(self, call: Call) -> Answer:
        """Return the queue with its custom fields."""
        if call.args["name"] not in (self.queue, "3"):
            return self.unknown(call)
        field = {"ref": "customfield", "type": "customfield", "id": "2", "name": self.key_field}
        create = {"ref": "create", "type": "ticket", "_url": f"{call.base_url}{API}/ticket?Queue=3"}
        return Answer(
            200,
            {
                "id": 3,
                "Name": self.queue,
                "TicketCustomFields": [field],
                "_hyperlinks": [create],
                "Lifecycle": "default",
            },
        )

    @route("GET", API + "/customfield/{id}", object="customfield")
    def get_custom_field(self, call: Call) -> Answer:
        """Refuse, as to most users: who may fill a field in need not see its definition."""
        return Answer(403, {"message": "Forbidden"})

    @route("GET", API + "/user/{name}", object="user")
    def get_user(self, call: Call) -> Answer:
        """Return a user by id or by name."""
        found = self._user(call.args["name"])
        return Answer(200, {"id": int(found[0]), **found[1]}) if found else self.unknown(call)

    @route("POST", API + "/user", object="user")
    def post_user(self, call: Call) -> Answer:
        """Make a new user; a name is taken once."""
        given = call.json()
        try:
            id_ = self.store.next_id("user", start=100)
            self.store.insert("user", id_, {"Privileged": 0, **given})
        except Taken:
            return Answer(400, {"message": "Name in use"})
        self.journal.record("user", "user", id_, key=given["Name"], fields=given)
        return Answer(201, {"id": given["Name"], "type": "user"}, {"Location": f"{API}/user/{id_}"})

    @route("PUT", API + "/user/{name}", object="user")
    def put_user(self, call: Call) -> Answer:
        """Change a user; what is left empty is emptied."""
        found = self._user(call.args["name"])
        if found is None:
            return Answer(404, {"message": "No user found"})
        given = {name: value for name, value in call.json().items() if name in ("RealName", "Comments")}
        self.store.update("user", found[0], given)
        self.journal.record("update", "user", found[0], key=found[1]["Name"], fields=given)
        return Answer(200, [f"User {found[1]['Name']} updated"])

    def _user(self, name: str) -> tuple[str, dict[str, Any]] | None:
        record = self.store.get("user", name)
        return (name, record) if record else self.store.find("user", "Name", name)

    # ----------------------------------------------------------------------------------------------------- tickets

    @route("POST", API + "/ticket", object="ticket")
    def post_ticket(self, call: Call) -> Answer:
        """Open a new ticket with its first message."""
        given, now = call.json(), self._now()
        if given.get("Queue") not in (self.queue, "3"):
            return Answer(403, {"message": f"No permission to create tickets in the queue '{given.get('Queue')}'"})
        id_, owner = self.store.next_id("ticket"), self._user(str(given.get("Owner") or ""))
        ticket = {
            "Subject": re.sub(r"[\r\n]", "", str(given.get("Subject") or ""))[:200],
            "Status": given.get("Status") or "new",
            "Priority": given.get("Priority") or "0",
            "Owner": owner[1]["Name"] if owner else "Nobody",
            "Creator": self._actor(call),
            "Requestor": self._requestors(given.get("Requestor")),
            "RefersTo": given.get("RefersTo"),
            "Key": ""
            if self.options.extra.get("drops_fields")
            else given.get("CustomFields", {}).get(self.key_field, ""),
            "EffectiveId": id_,
            "Created": now,
            "LastUpdated": now,
            "Resolved": NEVER,
        }
        self.store.insert("ticket", id_, ticket)
        self._attach(id_, self._note(call, id_, "Create"), given)
        self.journal.record("ticket", "ticket", id_, key=ticket["Key"], fields=given)
        return Answer(201, {"id": id_, "type": "ticket", "_url": f"{call.base_url}{API}/ticket/{id_}"})

    def _requestors(self, given: Any) -> list[str]:
        """Return the names that RT takes for users: "x:y" is a group to it, and no error says so."""
        names = given if isinstance(given, list) else [given] if given else []
        return [name for name in names if ":" not in name and self._user(name)]

    @route("GET", API + "/ticket/{id}", object="ticket")
    def get_ticket(self, call: Call) -> Answer:
        """Return a ticket, a merged one's winner."""
        id_, ticket = self._ticket(call)
        field = {
            "type": "customfield",
            "id": "2",
            "name": self.key_field,
            "values": [ticket["Key"]] if ticket["Key"] else [],
        }
        return Answer(200, {"id": int(id_), **self._shown(ticket), "CustomFields": [field]})

    @route("PUT", API + "/ticket/{id}", object="ticket")
    def put_ticket(self, call: Call) -> Answer:
        """Do what agents do: state, owner, merge."""
        id_, ticket = self._ticket(call)
        given = call.json()
        if "Status" in given:
            self._set_status(call, id_, given["Status"])
        if "Owner" in given and (user := self._user(given["Owner"])):
            old = self._user(ticket["Owner"])
            values = {"OldValue": old[0] if old else "", "NewValue": user[0]}
            self._note(call, id_, "Set", Field="Owner", **values)
            self._note(call, id_, "SetWatcher", Field="Owner", **values)
            self._touch(id_, Owner=user[1]["Name"])
        if "MergeInto" in given:
            link = {"Field": "MergedInto", "NewValue": f"fsck.com-rt://sandbox/ticket/{given['MergeInto']}"}
            self._note(call, id_, "AddLink", **link)
            self._note(call, str(given["MergeInto"]), "AddLink", **link)
            self._touch(id_, EffectiveId=str(given["MergeInto"]))
        return Answer(200, ["Updated"])

    @route("POST", API + "/ticket/{id}/{type}", object="ticket")
    def post_message(self, call: Call) -> Answer:
        """Add correspondence or a comment; correspondence of others than the requestor opens the ticket."""
        if call.args["type"] not in ("correspond", "comment"):
            return self.unknown(call)
        given = call.json()
        if self.store.get("ticket", call.args["id"]) is None:
            return Answer(400, {"message": "Message could not be recorded"})
        if given.get("Content") and not given.get("ContentType"):
            return Answer(400, {"message": "ContentType is a required field for application/json"})
        id_, ticket = self._ticket(call)
        correspond = call.args["type"] == "correspond"
        transaction = self._note(call, id_, "Correspond" if correspond else "Comment")
        self._attach(id_, transaction, given)
        if correspond and ticket["Status"] in ("new", *_CLOSED):
            self._set_status(call, id_, "open", by="RT_System")
        self._touch(id_)
        self.journal.record("comment", "ticket", id_, key=transaction, fields=given)
        said = "Correspondence added" if correspond else "Comments added"
        return Answer(201, [said], {"Location": f"{API}/transaction/{transaction}"})

    @route("GET", API + "/tickets", object="ticket")
    def search_tickets(self, call: Call) -> Answer:
        """Find tickets by the custom field; merged ones only if the query names EffectiveId, deleted ones never."""
        query = call.param("query")
        if (wanted := re.search(r"CF\.\{(.+?)\} = '([^']*)'", query)) is None:
            return Answer(400, {"message": f"Wrong query, expecting a OPERATOR in '{query}'"})
        merged = "EffectiveId" in query
        found = [
            {"id": id_, "type": "ticket", "EffectiveId": ticket["EffectiveId"], "Status": ticket["Status"]}
            for id_, ticket in self.store.all("ticket")
            if wanted[1] == self.key_field and ticket["Key"] == wanted[2] and ticket["Status"] != "deleted"
            if merged or ticket["EffectiveId"] == id_
        ]
        return _page(call, found)

    def _ticket(self, call: Call) -> tuple[str, dict[str, Any]]:
        ticket = self.store.get("ticket", call.args["id"])
        ticket = self.store.get("ticket", ticket["EffectiveId"]) if ticket else None
        if ticket is None:
            raise Refused(self.unknown(call))
        return ticket["EffectiveId"], ticket

    def _shown(self, ticket: Mapping[str, Any]) -> dict[str, Any]:
        people = {"Owner": _link(ticket["Owner"]), "Creator": _link(ticket["Creator"])}
        rest = {"Requestor": [_link(name) for name in ticket["Requestor"]], "Queue": {"type": "queue", "id": "3"}}
        effective = {"EffectiveId": {"type": "ticket", "id": ticket["EffectiveId"]}}
        return {name: value for name, value in ticket.items() if name != "Key"} | people | rest | effective

    def _set_status(self, call: Call, id_: str, status: str, *, by: str = "") -> None:
        old = (self.store.get("ticket", id_) or {}).get("Status")
        self._note(call, id_, "Status", by=by, Field="Status", OldValue=old, NewValue=status)
        self._touch(id_, Status=status, **({"Resolved": self._now()} if status in _CLOSED else {}))

    def _touch(self, id_: str, **changes: Any) -> None:
        self.store.update("ticket", id_, {"LastUpdated": self._now(), **changes})

    def _now(self) -> str:
        return self.now().strftime("%Y-%m-%dT%H:%M:%SZ")

    # ------------------------------------------------------------------------------------------------ transactions

    def _note(self, call: Call, ticket: str, type_: str, *, by: str = "", **rest: Any) -> str:
        """Write a transaction; gives its id."""
        id_ = self.store.next_id("_transaction", start=40)
        row = {"Type": type_, "Field": "", "OldValue": "", "NewValue": "", **rest, "Created": self._now()}
        row |= {"ObjectType": "RT::Ticket", "ObjectId": ticket, "Creator": _link(by or self._actor(call))}
        self.store.insert("_transaction", id_, row)
        return id_

    def _attach(self, ticket: str, transaction: str, given: Mapping[str, Any]) -> None:
        content = str(given.get("Content") or "")
        if content in ("", "0"):  # false to Perl
            return
        kind, _, more = str(given.get("ContentType") or "text/plain").partition(";")
        headers = f'X-RT-Interface: REST\nContent-Type: {kind}; charset="utf-8"{";" + more if more else ""}\nMIME-Version: 1.0'
        row = {
            "TransactionId": transaction,
            "Ticket": ticket,
            "ContentType": kind,
            "Content": content,
            "Headers": headers,
        }
        self.store.insert("_attachment", self.store.next_id("_attachment"), {**row, "Filename": ""})

    @route("GET", API + "/ticket/{id}/attachments", object="attachment")
    def ticket_attachments(self, call: Call) -> Answer:
        """Return all messages of a ticket and of those merged into it; an empty list if there is no ticket."""
        id_ = call.args["id"]
        family = {one for one, ticket in self.store.all("ticket") if id_ in (one, ticket["EffectiveId"])}
        return self._attachments(call, lambda row: row["Ticket"] in family)

    @route("GET", API + "/transaction/{id}/attachments", object="attachment")
    def transaction_attachments(self, call: Call) -> Answer:
        """Return the parts of one message."""
        return self._attachments(call, lambda row: row["TransactionId"] == call.args["id"])

    def _attachments(self, call: Call, wanted: Callable[[Mapping[str, Any]], bool]) -> Answer:
        names = call.param("fields").split(",")
        rows = [(id_, row) for id_, row in self.store.all("_attachment") if wanted(row)]
        return _page(
            call, [{"id": id_, "type": "attachment", **{name: row[name] for name in names}} for id_, row in rows]
        )

    @route("GET", API + "/transactions", object="transaction")
    def search_transactions(self, call: Call) -> Answer:
        """Find transactions after an id and of some types."""
        query = call.param("query")
        after = re.search(r"\bid > (\d+)", query)
        types = set(re.findall(r"\bType = '(\w+)'", query))
        found = [
            {"id": id_, "type": "transaction", **row}
            for id_, row in self.store.all("_transaction")
            if row["Type"] in types and int(id_) > int(after[1] if after else 0)
        ]
        return _page(call, found[::-1] if call.param("order") == "DESC" else found)

    @route("GET", "/Ticket/Display.html", open=True)
    def show_ticket(self, call: Call) -> Answer:
        """Show the ticket's page."""
        return self.show("ticket", call.param("id"))


def _link(name: str) -> dict[str, str]:
    return {"id": name, "type": "user"}


def _page(call: Call, found: list[dict[str, Any]]) -> Answer:
    """Return a list's page; `total` and `pages` are null, as RT has it for users who may not see all."""
    size, page = min(int(call.param("per_page", "20")), 100), int(call.param("page", "1"))
    items = found[(page - 1) * size : page * size]
    return Answer(
        200, {"items": items, "count": len(items), "page": page, "per_page": size, "total": None, "pages": None}
    )


def build(options: SandboxOptions) -> RequestTrackerSandbox:
    """Build the sandbox: its entry point."""
    return RequestTrackerSandbox(options)
