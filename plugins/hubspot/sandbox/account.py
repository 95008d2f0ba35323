"""HubSpot's API in a box: batches, single records, search, associations, properties, schemas, the account."""

from __future__ import annotations

import json
import re
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from importlib.resources import files
from typing import Any

from hub.testkit.sandbox import Answer, Call, Contract, Refused, SandboxOptions, Terms, route
from plugins.hubspot.sandbox.answers import batch, error, invalid, item_error, matches
from plugins.hubspot.sandbox.people import PORTAL, PortalPeople

_DATED = re.compile(r"^/crm/(objects|properties|associations)/\d{4}-\d\d/")
_FIELD_TYPES = {"text": "textarea", "number": "number", "bool": "booleancheckbox", "datetime": "date"}
_FORMS = {
    "date": re.compile(r"|\d{4}-\d\d-\d\d"),
    "number": re.compile(r"|-?\d+(\.\d+)?"),
    "datetime": re.compile(r"|\d{13}|\d{4}-\d\d-\d\dT[\d:.]+Z"),
}
_ANY = re.compile(r".*", re.DOTALL)
_SCHEMA = json.loads(files("plugins.hubspot").joinpath("schema.json").read_text("utf-8"))


class HubSpotSandbox(PortalPeople):
    """HubSpot in a box."""

    title = "HubSpot"

    def __init__(self, options: SandboxOptions) -> None:
        self._recent: deque[Any] = deque()
        super().__init__(options)

    def contract(self) -> Contract | None:
        """Read the document of HubSpot's own SDK; dated paths are held to it as the v3 paths that they continue."""
        file = self.options.contracts / "hubspot" / "hubspot.openapi.json" if self.options.contracts else None
        return Contract.read(file, Terms(answers=True, rewrite=_undated)) if file else None

    def seed(self) -> None:
        """Make contacts with the hub's properties, and the two custom objects."""
        for object_, known in _SCHEMA["objects"].items():
            self._make_object(object_, known["objectTypeId"])
            for name, kind in known["properties"].items():
                self._make_property(object_, _property(name, kind))

    def heading_of(self, object_: str, record: Mapping[str, Any]) -> str:
        """Return a record's name."""
        held = record.get("properties", {})
        names = " ".join(str(held[part]) for part in ("firstname", "lastname") if held.get(part))
        return str(held.get("name") or names or held.get("email") or "")

    # --------------------------------------------------------------------------------------------------- refusals

    def authenticate(self, call: Call) -> Answer | None:
        """Check the token, then the rolling limit."""
        if (refusal := super().authenticate(call)) is not None:
            return refusal
        limit, now = int(self.options.extra.get("calls_per_10s", 0)), self.now()
        while self._recent and self._recent[0] <= now - timedelta(seconds=10):
            self._recent.popleft()
        if limit and len(self._recent) >= limit:
            return self.limited(call, 10)
        self._recent.append(now)
        return None

    def unauthorised(self, call: Call) -> Answer:
        """Answer with HubSpot's 401."""
        message = "Authentication credentials not found. This API supports OAuth 2.0 authentication."
        return error(401, "INVALID_AUTHENTICATION", message)

    def limited(self, call: Call, seconds: float) -> Answer:
        """Answer with HubSpot's 429 of the rolling limit."""
        answer = error(429, "RATE_LIMITS", "You have reached your ten_secondly_rolling limit.")
        return Answer(429, {**answer.body, "errorType": "RATE_LIMIT", "policyName": "TEN_SECONDLY_ROLLING"})

    def unknown(self, call: Call) -> Answer:
        """Answer with HubSpot's 404."""
        return error(404, "OBJECT_NOT_FOUND", "resource not found")

    def malformed(self, call: Call, problems: Sequence[str]) -> Answer | None:
        """Answer with HubSpot's 400 for a body of the wrong form."""
        return error(400, "VALIDATION_ERROR", f"Invalid input JSON: {problems[0]}")

    def broken(self, call: Call, message: str) -> Answer:
        """Answer with HubSpot's 500."""
        return error(500, "INTERNAL_ERROR", message)

    # ---------------------------------------------------------------------------------------------------- records

    @route("POST", "/crm/v3/objects/{type}/batch/upsert", object="{type}")
    @route("POST", "/crm/objects/{version}/{type}/batch/upsert", object="{type}")
    def upsert(self, call: Call) -> Answer:
        """Upsert records by a unique property; a multi-status if each input has a trace id, else all or nothing."""
        object_ = self.object_of(call)
        inputs = _inputs(call, 100)
        _refuse_repeats(inputs)
        troubles = {
            index: found for index, item in enumerate(inputs) if (found := self._trouble(call, object_, inputs, index))
        }
        whole = self.options.extra.get("strict_batches") or not all(item.get("objectWriteTraceId") for item in inputs)
        if troubles and whole:
            raise Refused(error(400, "VALIDATION_ERROR", next(iter(troubles.values()))))
        results, errors = [], []
        for index, item in enumerate(inputs):
            if index in troubles:
                errors.append(item_error(troubles[index], {"objectWriteTraceId": [item["objectWriteTraceId"]]}))
            else:
                results.append(self._upsert(object_, item))
        return batch(self.now().isoformat(), results[::-1], errors)

    def _trouble(self, call: Call, object_: str, inputs: Sequence[Mapping[str, Any]], index: int) -> str:
        """Say why an input cannot be written, "" if it can."""
        item = inputs[index]
        if call.fails(index, len(inputs)):
            return invalid("hs_object_id", "REFUSED", "refused by the sandbox's fault")
        key = item.get("idProperty") or "hs_object_id"
        if key != "hs_object_id" and not (self.store.get("_properties", f"{object_}.{key}") or {}).get(
            "hasUniqueValue"
        ):
            return f"Property {key} on {object_} is not a unique identifier property"
        return next(self._bad_values(object_, item.get("properties") or {}), "")

    def _bad_values(self, object_: str, properties: Mapping[str, Any]) -> Iterator[str]:
        for name, value in properties.items():
            known = self.store.get("_properties", f"{object_}.{name}")
            if known is None:
                yield invalid(name, "PROPERTY_DOESNT_EXIST", f'Property "{name}" does not exist')
            elif not isinstance(value, str):
                yield invalid(name, "INVALID_TYPE", f"{json.dumps(value)} was not a string")
            elif known["type"] == "enumeration" and value not in {
                "",
                *(option["value"] for option in known["options"]),
            }:
                yield invalid(name, "INVALID_OPTION", f"{value} was not one of the allowed options")
            elif not _FORMS.get(known["type"], _ANY).fullmatch(value):
                yield invalid(name, f"INVALID_{known['type'].upper()}", f"{value} was not a valid {known['type']}.")
            elif len(value) > 65_536:
                yield invalid(name, "INVALID_LONG", "The value is longer than 65536 characters")

    def _upsert(self, object_: str, item: Mapping[str, Any]) -> dict[str, Any]:
        key, id_property = item["id"], item["idProperty"]
        found = self.store.find(object_, f"properties.{id_property}", key)
        properties = {**(item.get("properties") or {}), id_property: key}
        id_ = found[0] if found else self.store.next_id("records", start=10_001)
        record = self.write(object_, id_, found[1] if found else None, properties)
        self.journal.record("update" if found else "create", object_, id_, key=key, fields=properties)
        self._tell_written(object_, id_, found[1] if found else None, properties)
        trace = {"objectWriteTraceId": item["objectWriteTraceId"]} if item.get("objectWriteTraceId") else {}
        return {"id": id_, "new": not found, **record, **trace}

    @route("POST", "/crm/v3/objects/{type}/batch/update", object="{type}")
    @route("POST", "/crm/objects/{version}/{type}/batch/update", object="{type}")
    def update(self, call: Call) -> Answer:
        """Update records by id; what is gone, merged ones too, is an error of a 207."""
        object_, inputs = self.object_of(call), _inputs(call, 100)
        _refuse_repeats(inputs)
        results, errors, missing = [], [], []
        for index, item in enumerate(inputs):
            record, trace = self.store.get(object_, item["id"]), {"objectWriteTraceId": [item["objectWriteTraceId"]]}
            if record is None:
                missing.append(item["id"])
            elif trouble := self._trouble(call, object_, inputs, index):
                errors.append(item_error(trouble, trace))
            else:
                results.append(self._updated(object_, item, record))
        message = "Could not get some objects, they may be deleted or not exist. Check that ids are valid."
        errors += [item_error(message, {"ids": missing}, "OBJECT_NOT_FOUND")] if missing else []
        return batch(self.now().isoformat(), results[::-1], errors)

    def _updated(self, object_: str, item: Mapping[str, Any], old: Mapping[str, Any]) -> dict[str, Any]:
        properties = item.get("properties") or {}
        record = self.write(object_, item["id"], old, properties)
        self.journal.record("update", object_, item["id"], fields=properties)
        self._tell_written(object_, item["id"], old, properties)
        return {"id": item["id"], **record, "objectWriteTraceId": item["objectWriteTraceId"]}

    def _tell_written(
        self, object_: str, id_: str, old: Mapping[str, Any] | None, properties: Mapping[str, str]
    ) -> None:
        """Tell of what an app changes in people's records too, with the app as its source."""
        if object_ not in {"contacts", "companies"}:
            return
        before = (old or {}).get("properties", {})
        changed = {name: value for name, value in properties.items() if before.get(name, "") != value}
        source = {"changeSource": "INTEGRATION", "sourceId": str(self.options.extra.get("app_id", 1))}
        self.tell_changes(object_, id_, changed, **source)
        self.webhooks.flush()

    @route("POST", "/crm/v3/objects/{type}/batch/read", object="{type}", write=False)
    @route("POST", "/crm/objects/{version}/{type}/batch/read", object="{type}", write=False)
    def read(self, call: Call) -> Answer:
        """Read records by id or by a unique property; what does not exist is an error of a 207."""
        object_, wanted = self.object_of(call), call.json()
        results, missing = [], []
        for item in _inputs(call, 100):
            found = self._find(object_, wanted.get("idProperty"), item["id"])
            if found is None:
                missing.append(item["id"])
            else:
                results.append({"id": found[0], **found[1]})
        message = "Could not get some objects, they may be deleted or not exist. Check that ids are valid."
        errors = [item_error(message, {"ids": missing}, "OBJECT_NOT_FOUND")] if missing else []
        return batch(self.now().isoformat(), results, errors)

    @route("POST", "/crm/v3/objects/{type}/batch/archive", object="{type}")
    @route("POST", "/crm/objects/{version}/{type}/batch/archive", object="{type}")
    def archive(self, call: Call) -> Answer:
        """Move records to the recycling bin, which this look-alike keeps for what people delete only."""
        object_ = self.object_of(call)
        for item in _inputs(call, 100):
            if self.store.remove(object_, item["id"]):
                self.journal.record("delete", object_, item["id"])
        return Answer(204)

    @route("POST", "/crm/v3/objects/{type}", object="{type}")
    @route("POST", "/crm/objects/{version}/{type}", object="{type}")
    def create(self, call: Call) -> Answer:
        """Create one new record."""
        object_, properties = self.object_of(call), call.json()["properties"]
        if trouble := next(self._bad_values(object_, properties), ""):
            raise Refused(error(400, "VALIDATION_ERROR", trouble))
        id_ = self.store.next_id("records", start=10_001)
        record = self.write(object_, id_, None, properties)
        self.journal.record("create", object_, id_, fields=properties)
        return Answer(201, {"id": id_, **record})

    @route("GET", "/crm/v3/objects/{type}/{id}", object="{type}")
    @route("GET", "/crm/objects/{version}/{type}/{id}", object="{type}")
    def get_record(self, call: Call) -> Answer:
        """Return one record by id or by `idProperty`; with `archived` one in the recycling bin."""
        object_, id_ = self.object_of(call), call.args["id"]
        if call.param("archived") == "true":
            held = self.store.get("_archived", f"{object_}:{id_}")
            return Answer(200, {"id": id_, **held}) if held else self.unknown(call)
        if self.options.extra.get("forwards", True):
            id_ = self.winner_of(object_, id_) or id_
        found = self._find(object_, call.param("idProperty"), id_)
        return Answer(200, {"id": found[0], **found[1]}) if found else self.unknown(call)

    @route("PATCH", "/crm/v3/objects/{type}/{id}", object="{type}")
    @route("PATCH", "/crm/objects/{version}/{type}/{id}", object="{type}")
    def patch_record(self, call: Call) -> Answer:
        """Change one record: also what a person does by hand."""
        object_, properties = self.object_of(call), call.json()["properties"]
        if trouble := next(self._bad_values(object_, properties), ""):
            raise Refused(error(400, "VALIDATION_ERROR", trouble))
        found = self._find(object_, call.param("idProperty"), call.args["id"])
        if found is None:
            return self.unknown(call)
        record = self.write(object_, found[0], found[1], properties)
        self.journal.record("update", object_, found[0], fields=properties)
        self._tell_written(object_, found[0], found[1], properties)
        return Answer(200, {"id": found[0], **record})

    @route("POST", "/crm/v3/objects/{type}/search", object="{type}", write=False)
    @route("POST", "/crm/objects/{version}/{type}/search", object="{type}", write=False)
    def search(self, call: Call) -> Answer:
        """Search by equality filters and free text over an index that lags behind the records."""
        wanted, seen = call.json(), self.now() - timedelta(seconds=float(self.options.extra.get("search_lag_s", 10)))
        found = [
            {"id": id_, **record}
            for id_, record in self.store.all(self.object_of(call))
            if record["updatedAt"] <= seen.isoformat() and matches(record["properties"], wanted)
        ]
        return Answer(200, {"total": len(found), "results": found[: min(int(wanted.get("limit", 10)), 200)]})

    # ----------------------------------------------------------------------------- associations, account, metadata

    @route("POST", "/crm/v4/associations/{from}/{to}/batch/associate/default", object="association")
    @route("POST", "/crm/associations/{version}/{from}/{to}/batch/associate/default", object="association")
    def associate(self, call: Call) -> Answer:
        """Make default associations; making one again changes nothing."""
        from_, to = self.object_of(call, "from"), self.object_of(call, "to")
        results, errors = [], []
        for item in _inputs(call, 2000):
            ends = item["from"]["id"], item["to"]["id"]
            if self.store.get(from_, ends[0]) is None or self.store.get(to, ends[1]) is None:
                context = {"fromObjectId": [ends[0]], "toObjectId": [ends[1]]}
                errors.append(item_error(f"No record {ends[0]} or {ends[1]}", context, "OBJECT_NOT_FOUND"))
                continue
            self._link(from_, to, ends)
            spec = {"associationCategory": "USER_DEFINED", "associationTypeId": 1}
            results.append({"from": {"id": ends[0]}, "to": {"id": ends[1]}, "associationSpec": spec})
        return Answer(200, batch(self.now().isoformat(), results, errors).body)

    def _link(self, from_: str, to: str, ends: tuple[str, str]) -> None:
        id_ = f"{from_}:{ends[0]}>{to}:{ends[1]}"
        if self.store.get("_associations", id_) is None:
            self.store.put("_associations", id_, {"from": [from_, ends[0]], "to": [to, ends[1]]})
            self.journal.record("link", "association", id_, fields={"from": ends[0], "to": ends[1]})

    @route("GET", "/crm/v4/objects/{type}/{id}/associations/{to}", object="association")
    def associations(self, call: Call) -> Answer:
        """Return what a record is associated with."""
        from_, to = self.object_of(call), self.object_of(call, "to")
        links = [link for _, link in self.store.all("_associations") if link["from"] == [from_, call.args["id"]]]
        label = {"category": "USER_DEFINED", "typeId": 1}
        rows = [{"toObjectId": link["to"][1], "associationTypes": [label]} for link in links if link["to"][0] == to]
        return Answer(200, {"results": rows})

    @route("GET", "/crm/v3/properties/{type}", object="property")
    @route("GET", "/crm/properties/{version}/{type}", object="property")
    def properties(self, call: Call) -> Answer:
        """Return an object's properties."""
        object_ = self.object_of(call)
        return Answer(200, {"results": self._properties(object_)})

    @route("POST", "/crm/v3/properties/{type}", object="property")
    @route("POST", "/crm/properties/{version}/{type}", object="property")
    def make_property(self, call: Call) -> Answer:
        """Make a new property."""
        given = {"options": [], "description": "", **call.json()}
        self._make_property(self.object_of(call), given)
        return Answer(201, given)

    @route("GET", "/crm-object-schemas/v3/schemas/{type}", object="schema")
    @route("GET", "/crm-object-schemas/{version}/schemas/{type}", object="schema", contract=False)
    def schema(self, call: Call) -> Answer:
        """Return a custom object's description."""
        object_ = self.object_of(call)
        type_id = (self.store.get("_objects", object_) or {})["objectTypeId"]
        names = {"name": object_, "fullyQualifiedName": f"p{PORTAL}_{object_}", "labels": {"singular": object_}}
        lists = {"requiredProperties": [], "associations": [], "properties": self._properties(object_)}
        return Answer(200, {"id": type_id.partition("-")[2], "objectTypeId": type_id, **names, **lists})

    @route("GET", "/account-info/{version}/details", contract=False)
    def account(self, call: Call) -> Answer:
        """Return the account (HubSpot's document of the SDK lacks this one)."""
        host = call.base_url.partition("://")[2]
        held = {"portalId": PORTAL, "accountType": "SANDBOX", "timeZone": "Europe/Berlin", "uiDomain": host}
        return Answer(200, {**held, "companyCurrency": "EUR", "utcOffset": "+01:00", "dataHostingLocation": "local"})

    # ----------------------------------------------------------------------------------------------------- inside

    def _find(self, object_: str, key: str | None, id_: str) -> tuple[str, dict[str, Any]] | None:
        if key and key != "hs_object_id":
            return self.store.find(object_, f"properties.{key}", id_)
        record = self.store.get(object_, id_)
        return None if record is None else (id_, record)

    def _properties(self, object_: str) -> list[dict[str, Any]]:
        return [held for id_, held in self.store.all("_properties") if id_.startswith(f"{object_}.")]

    def _make_object(self, name: str, type_id: str) -> None:
        self.store.declare(name)
        self.store.put("_objects", name, {"objectTypeId": type_id})

    def _make_property(self, object_: str, given: Mapping[str, Any]) -> None:
        self.store.put("_properties", f"{object_}.{given['name']}", given)
        if given.get("hasUniqueValue"):
            self.store.declare(object_, unique=[f"properties.{given['name']}"])


def _undated(path: str) -> str:
    version = {"associations": "v4"}
    return _DATED.sub(lambda match: f"/crm/{version.get(match[1], 'v3')}/{match[1]}/", path)


def _property(name: str, kind: str) -> dict[str, Any]:
    values = _SCHEMA["values"].get(kind, [])
    type_ = "enumeration" if values else {"unique": "string", "text": "string"}.get(kind, kind)
    return {
        "name": name,
        "label": name.replace("_", " ").capitalize(),
        "type": type_,
        "fieldType": "select" if values else _FIELD_TYPES.get(kind, "text"),
        "groupName": "social",
        "description": "",
        "options": [{"label": value.capitalize(), "value": value, "hidden": False} for value in values],
        "hasUniqueValue": kind == "unique",
    }


def _inputs(call: Call, most: int) -> list[dict[str, Any]]:
    inputs: list[dict[str, Any]] = call.json().get("inputs", [])
    if len(inputs) > most:
        raise Refused(error(400, "VALIDATION_ERROR", f"The maximum number of inputs supported in a batch is {most}"))
    return inputs


def _refuse_repeats(inputs: Sequence[Mapping[str, Any]]) -> None:
    repeated = [key for key, number in Counter(item["id"] for item in inputs).items() if number > 1]
    if repeated:
        message = f"Duplicate IDs found in batch input: [{', '.join(repeated)}]. IDs must be unique"
        raise Refused(error(400, "VALIDATION_ERROR", message))
