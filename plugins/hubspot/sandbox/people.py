"""What people do in the look-alike: look at a record, change it, merge it into another, delete it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hub.testkit.sandbox import Answer, Call, Refused, Sandbox, SandboxOptions, Taken, route
from hub.testkit.sandbox.pages.forms import back_to, posted, record_form
from plugins.hubspot.sandbox.answers import error
from plugins.hubspot.sandbox.webhooks import Webhooks

PORTAL = 1
MERGED = "hs_merged_object_ids"
_FIXED = ("createdate", "hs_object_id", "hs_lastmodifieddate", MERGED)


class PortalPeople(Sandbox):
    """The part of the account that people and their events have to do with."""

    def __init__(self, options: SandboxOptions) -> None:
        super().__init__(options)
        extra = options.extra
        self.webhooks = Webhooks(
            str(extra.get("client_secret", options.token)), str(extra.get("app_id", 1)), self.teller
        )
        self.webhooks.target = str(extra.get("events_url", ""))

    @route("PUT", "/webhooks/v3/{app}/settings", contract=False)
    def settings(self, call: Call) -> Answer:
        """Set where events go."""
        self.webhooks.target = str(call.json().get("targetUrl", ""))
        return Answer(200, {"targetUrl": self.webhooks.target})

    @route("GET", "/contacts/{portal}/record/{type}/{id}", open=True, contract=False)
    def page(self, call: Call) -> Answer:
        """Show the page that a link of a record leads to, on which a person works. A merged record's link leads to the winner."""
        object_, id_ = self.object_of(call), call.args["id"]
        if (winner := self.winner_of(object_, id_)) is not None:
            return back_to(self._address(call, winner))
        if (record := self.store.get(object_, id_)) is None:
            return self.show(object_, id_)
        others = {key: self.heading_of(object_, held) for key, held in self.store.all(object_) if key != id_}
        heading = self.heading_of(object_, record) or f"{object_} {id_}"
        names = (one.removeprefix(f"{object_}.") for one, _ in self.store.all("_properties") if one.startswith(object_))
        fields = {name: record["properties"].get(name, "") for name in (*names, *record["properties"])}
        return record_form(heading, fields, fixed=_FIXED, winners=others if object_ == "contacts" else None)

    @route("POST", "/contacts/{portal}/record/{type}/{id}", open=True, contract=False)
    def work(self, call: Call) -> Answer:
        """Do what a person did on the page."""
        said, fields = posted(call)
        object_, id_ = self.object_of(call), call.args["id"]
        if said.get("do") == "delete":
            self.delete_by_hand(object_, id_)
            return back_to("/")
        if said.get("do") == "merge":
            self.merge_by_hand(object_, said.get("into", ""), id_)
            return back_to(self._address(call, said.get("into", "")))
        self.edit_by_hand(object_, id_, fields)
        return back_to(self._address(call, id_))

    def address_of(self, object_: str, id_: str) -> str:
        """Return the address of a record's page."""
        return (
            f"/contacts/{PORTAL}/record/{object_}/{id_}"
            if self.store.get("_objects", object_)
            else super().address_of(object_, id_)
        )

    def edit_by_hand(self, object_: str, id_: str, fields: Mapping[str, str]) -> None:
        """Set the properties that differ."""
        record = self._existing(object_, id_)
        changed = {name: one for name, one in fields.items() if one != record["properties"].get(name, "")}
        changed = {name: one for name, one in changed.items() if name not in _FIXED}
        self.write(object_, id_, record, changed)
        self.journal.record("update", object_, id_, fields=changed)
        self.tell_changes(object_, id_, changed)
        self.webhooks.flush()

    def delete_by_hand(self, object_: str, id_: str) -> None:
        """Move it to the recycling bin: the record can still be read as archived."""
        record = self._existing(object_, id_)
        self.store.remove(object_, id_)
        self.store.put("_archived", f"{object_}:{id_}", {**record, "archived": True})
        self.journal.record("delete", object_, id_)
        self.webhooks.tell("deletion", object_, self.type_id(object_), id_)
        self.webhooks.flush()

    def merge_by_hand(self, object_: str, winner: str, loser: str) -> None:
        """Let the winner keep its own values and take what it lacks, but not the loser's unique ones; the loser is gone."""
        kept, lost = self._existing(object_, winner), self._existing(object_, loser)
        unique = {name for name in lost["properties"] if self._is_unique(object_, name)}
        taken = {name: one for name, one in lost["properties"].items() if name not in {*unique, *_FIXED}}
        filled = {name: one for name, one in taken.items() if not kept["properties"].get(name)}
        merged = [one for one in (kept["properties"].get(MERGED), loser, lost["properties"].get(MERGED)) if one]
        self.store.remove(object_, loser)
        self.write(object_, winner, kept, {**filled, MERGED: ";".join(merged)})
        self.journal.record("merge", object_, winner, fields={"merged": loser})
        ids = {"primaryObjectId": int(winner), "mergedObjectIds": [int(loser)], "newObjectId": int(winner)}
        self.webhooks.tell("merge", object_, self.type_id(object_), winner, **ids)
        self.webhooks.flush()

    def tell_changes(self, object_: str, id_: str, changed: Mapping[str, str], **source: Any) -> None:
        """Tell one event for each property."""
        for name, value in changed.items():
            what = {"propertyName": name, "propertyValue": value, **source}
            self.webhooks.tell("propertyChange", object_, self.type_id(object_), id_, **what)

    def winner_of(self, object_: str, id_: str) -> str | None:
        """Return the record that this one was merged into."""
        for key, record in self.store.all(object_):
            if id_ in record["properties"].get(MERGED, "").split(";"):
                return key
        return None

    def type_id(self, object_: str) -> str:
        """Return the object's numeric type id."""
        return str((self.store.get("_objects", object_) or {}).get("objectTypeId", ""))

    def object_of(self, call: Call, name: str = "type") -> str:
        """Return the object's name for any way to call it; calls are counted under it."""
        wanted = call.args[name].removeprefix(f"p{PORTAL}_").removeprefix("p_")
        for object_, known in self.store.all("_objects"):
            if wanted in {object_, known["objectTypeId"]}:
                call.object = call.object if call.object in {"association", "property", "schema"} else object_
                return object_
        raise Refused(error(400, "VALIDATION_ERROR", f"Unable to infer object type from: {call.args[name]}"))

    def write(
        self, object_: str, id_: str, old: Mapping[str, Any] | None, properties: Mapping[str, str]
    ) -> dict[str, Any]:
        """Put a record's new values over its old ones."""
        now = self.now().isoformat()
        held = {**(old or {}).get("properties", {"createdate": now}), **properties}
        held |= {"hs_object_id": id_, "hs_lastmodifieddate": now}
        created = (old or {}).get("createdAt", now)
        record = {"properties": held, "createdAt": created, "updatedAt": now, "archived": False}
        try:
            return self.store.put(object_, id_, record)
        except Taken as taken:
            name = taken.field.removeprefix("properties.")
            raise Refused(error(409, "CONFLICT", f"{name} {taken.value} already exists: {taken.id}")) from None

    def _is_unique(self, object_: str, name: str) -> bool:
        return bool((self.store.get("_properties", f"{object_}.{name}") or {}).get("hasUniqueValue"))

    def _existing(self, object_: str, id_: str) -> dict[str, Any]:
        if (record := self.store.get(object_, id_)) is None:
            raise Refused(error(404, "OBJECT_NOT_FOUND", f"there is no {object_} {id_}"))
        return record

    def _address(self, call: Call, id_: str) -> str:
        return f"/contacts/{call.args['portal']}/record/{call.args['type']}/{id_}"
