"""What people do in the look-alike: look at a record, change it, merge it into another, delete it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hub.testkit.sandbox import Answer, Call, Refused, Sandbox, SandboxOptions, route
from hub.testkit.sandbox.pages.forms import back_to, posted, record_form
from plugins.salesforce.sandbox.outbound import Outbound, message

INTEGRATION, PERSON = "005000000000001AAA", "005000000000002AAA"
MERGEABLE = frozenset({"Lead", "Contact", "Account"})
FIXED = frozenset(
    {"Id", "IsDeleted", "MasterRecordId", "CreatedDate", "CreatedById", "LastModifiedDate", "LastModifiedById"}
    | {"SystemModstamp"}
)
Record = dict[str, Any]


class OrgPeople(Sandbox):
    """The part of the org that people have to do with: stamps, pages, the recycle bin, Outbound Messages."""

    def __init__(self, options: SandboxOptions) -> None:
        super().__init__(options)
        self.outbound = Outbound(str(options.extra.get("outbound_url", "")), self.teller)

    @route("PUT", "/setup/outbound")
    def settings(self, call: Call) -> Answer:
        """Set where Outbound Messages go."""
        self.outbound.target = str(call.json().get("url", ""))
        return Answer(200, {"url": self.outbound.target})

    @route("GET", "/lightning/r/{sobject}/{id}/view", open=True)
    def page(self, call: Call) -> Answer:
        """Show a record as a person works on it."""
        object_, id_ = call.args["sobject"], call.args["id"]
        if (record := self.store.get(object_, id_)) is None:
            return self.show(object_, id_)
        others = [(key, one) for key, one in self.store.all(object_) if key != id_]
        winners = {key: self.heading_of(object_, one) or key for key, one in others if object_ in MERGEABLE}
        return record_form(self.heading_of(object_, record) or id_, {"Id": id_, **record}, fixed=FIXED, winners=winners)

    @route("POST", "/lightning/r/{sobject}/{id}/view", open=True)
    def work(self, call: Call) -> Answer:
        """Do what a person did on the page."""
        said, fields = posted(call)
        object_, id_ = call.args["sobject"], call.args["id"]
        if said.get("do") == "delete":
            self.delete_by_hand(object_, id_)
            return back_to("/")
        if said.get("do") == "merge":
            self.merge_by_hand(object_, said.get("into", ""), id_)
            return back_to(f"/lightning/r/{object_}/{said.get('into', '')}/view")
        old = self.existing(object_, id_)
        self.edit_by_hand(object_, id_, {name: _typed(old.get(name), one) for name, one in fields.items()})
        return back_to(f"/lightning/r/{object_}/{id_}/view")

    def heading_of(self, object_: str, record: Mapping[str, Any]) -> str:
        """Return a record's name."""
        names = (str(record[name]) for name in ("FirstName", "LastName", "Name") if record.get(name))
        return " ".join(names)

    def address_of(self, object_: str, id_: str) -> str:
        """Return the address of a record's page."""
        return f"/lightning/r/{object_}/{id_}/view"

    def edit_by_hand(self, object_: str, id_: str, fields: Mapping[str, Any]) -> None:
        """Change fields as a person; the org's Outbound Message tells of it."""
        old = self.existing(object_, id_)
        changes = {name: one for name, one in fields.items() if one != old.get(name) and name not in FIXED}
        record = self.store.put(object_, id_, {**old, **changes, **self.stamps(PERSON)})
        self.journal.record("update", object_, id_, fields=changes)
        self.outbound.send(message([(f"04l{self.store.next_id('_messages'):0>12}AAA", object_, {"Id": id_, **record})]))

    def delete_by_hand(self, object_: str, id_: str, *, master: str | None = None) -> None:
        """Move it into the recycle bin; merged into `master` if that is given."""
        gone = {**self.existing(object_, id_), **self.stamps(PERSON), "IsDeleted": True, "MasterRecordId": master}
        self.store.remove(object_, id_)
        self.store.put(f"_deleted.{object_}", id_, gone)
        self.journal.record("delete", object_, id_)

    def merge_by_hand(self, object_: str, winner: str, loser: str) -> None:
        """Let the winner keep what it has; the loser lies in the recycle bin and names its master."""
        kept = self.existing(object_, winner)
        self.delete_by_hand(object_, loser, master=winner)
        self.store.put(object_, winner, {**kept, **self.stamps(PERSON)})
        self.journal.record("merge", object_, winner, fields={"merged": loser})

    def deleted(self, object_: str) -> list[tuple[str, Record]]:
        """Return what lies in the recycle bin."""
        return self.store.all(f"_deleted.{object_}")

    def existing(self, object_: str, id_: str) -> Record:
        """Return a record; refuses one that is not there."""
        if (record := self.store.get(object_, id_)) is None:
            raise Refused(Answer(404, [{"message": "The requested resource does not exist", "errorCode": "NOT_FOUND"}]))
        return record

    def stamps(self, by: str, *, new: bool = False) -> Record:
        """Return the system fields of a write."""
        now = self.now().strftime("%Y-%m-%dT%H:%M:%S.000+0000")
        made = {"CreatedDate": now, "CreatedById": by, "OwnerId": by, "IsDeleted": False} if new else {}
        return {**made, "LastModifiedDate": now, "LastModifiedById": by, "SystemModstamp": now}


def _typed(old: Any, text: str) -> Any:
    """Return what a form says, in the type that the field had."""
    if isinstance(old, bool):
        return text == "True"
    if isinstance(old, int | float):
        return float(text) if text else None
    return text or None
