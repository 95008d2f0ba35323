"""Salesforce's API in a box: tokens, describes, collections, composite, queries, single records."""

from __future__ import annotations

import json
import re
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt

from hub.testkit.sandbox import Answer, Call, Refused, SandboxOptions, Taken, route
from hub.testkit.sandbox.routes import find_route, routes_of
from plugins.salesforce.sandbox import soql
from plugins.salesforce.sandbox.fields import FieldProblem, field_of, fit, is_readable
from plugins.salesforce.sandbox.outbound import ORGANIZATION
from plugins.salesforce.sandbox.people import INTEGRATION, OrgPeople

DATA = "/services/data/v{version}"
_JWT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_LOCK = {"statusCode": "UNABLE_TO_LOCK_ROW", "message": "unable to obtain exclusive access", "fields": []}
Record = dict[str, Any]


def failed(status: int, code: str, message: str) -> Refused:
    """Return a refusal of a whole request: a list with one error."""
    return Refused(Answer(status, [{"message": message, "errorCode": code}]))


class SalesforceSandbox(OrgPeople):
    """Salesforce in a box."""

    title = "Salesforce"

    def __init__(self, options: SandboxOptions) -> None:
        self._tokens: set[str] = {options.token}
        self._calls: deque[datetime] = deque()
        self._cursors: dict[str, list[Record]] = {}
        super().__init__(options)

    def seed(self) -> None:
        """Declare the objects with their unique keys, and make the organisation."""
        for name in self.objects:
            self.store.declare(name, unique=[key for key, one in self.fields(name).items() if one["unique"]])
        self.store.insert("Organization", ORGANIZATION, {"Name": "Sandbox"})

    @cached_property
    def objects(self) -> dict[str, Record]:
        """Each object's describe, whole."""
        schema = json.loads((files("plugins.salesforce") / "schema.json").read_text("utf-8"))
        return {name: self._described(name, short, schema) for name, short in schema["objects"].items()}

    def _described(self, name: str, short: Mapping[str, Any], schema: Mapping[str, Any]) -> Record:
        path = (self.options.contracts or Path()) / f"salesforce/describe.{name}.json"
        real: Record = json.loads(path.read_text("utf-8")) if self.options.contracts and path.exists() else {}
        own = [*(() if real else (schema["id"], *short["fields"], *schema["system"])), *short.get("custom", ())]
        plain = {"name": name, "label": short["label"], "keyPrefix": short["keyPrefix"], "childRelationships": []}
        fields = [*real.get("fields", ()), *(field_of(one, schema["field"]) for one in own)]
        return {**plain, "createable": True, "updateable": True, "queryable": True, **real, "fields": fields}

    @cached_property
    def _fields(self) -> dict[str, Record]:
        return {name: {one["name"]: one for one in described["fields"]} for name, described in self.objects.items()}

    def fields(self, object_: str) -> Record:
        """Return the fields of an object by name; refuses an object that is not there."""
        if (known := self._fields.get(object_)) is None:
            raise failed(404, "NOT_FOUND", "The requested resource does not exist")
        return known

    def authenticate(self, call: Call) -> Answer | None:
        """Ask for a known token and an allowance that is not spent."""
        if call.headers.get("authorization", "").removeprefix("Bearer ") not in self._tokens:
            return self.unauthorised(call)
        used, allowed = self._usage()
        over = failed(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.").answer
        return over if used > allowed else None

    def unauthorised(self, call: Call) -> Answer:
        """Answer as Salesforce does to a session that is over."""
        return failed(401, "INVALID_SESSION_ID", "Session expired or invalid").answer

    def limited(self, call: Call, seconds: float) -> Answer:
        """Answer too many calls at once: 403, and no Retry-After."""
        return failed(403, "REQUEST_LIMIT_EXCEEDED", "ConcurrentRequests Limit exceeded.").answer

    def unknown(self, call: Call) -> Answer:
        """Answer for a path that does not exist."""
        return failed(404, "NOT_FOUND", "The requested resource does not exist").answer

    def handle(self, call: Call) -> Answer:
        """Count every data call, and tell in every answer to one how many are used up."""
        if not call.path.startswith("/services/data/"):
            return super().handle(call)
        self._calls.append(self.now())
        answer = super().handle(call)
        used, allowed = self._usage()
        usage = f"api-usage={min(used, allowed)}/{allowed}"
        return replace(answer, headers={**answer.headers, "Sforce-Limit-Info": usage})

    def _usage(self) -> tuple[int, int]:
        """Return the calls of the last day, and how many are allowed."""
        with self.lock:
            while self._calls and self._calls[0] < self.now() - timedelta(days=1):
                self._calls.popleft()
            return len(self._calls), int(self.options.extra.get("daily_calls", 15000))

    @route("POST", "/services/oauth2/token", object="token", write=False, open=True)
    def token(self, call: Call) -> Answer:
        """Grant a token in both ways that servers use: JWT bearer and client credentials."""
        form = call.form()
        secret = form.get("client_secret")
        known = bool(secret) and secret == self.options.extra.get("client_secret", secret)
        grants = {_JWT: self._bad_assertion(form, call), "client_credentials": "" if known else "invalid client"}
        if wrong := grants.get(form.get("grant_type", ""), "grant type not supported"):
            return Answer(400, {"error": "invalid_grant", "error_description": wrong})
        token = f"00D!minted.{self.store.next_id('_token')}"
        self._tokens.add(token)
        return Answer(
            200, {"access_token": token, "instance_url": call.base_url, "token_type": "Bearer", "scope": "api"}
        )

    def _bad_assertion(self, form: Mapping[str, str], call: Call) -> str:
        """Say what is wrong with a JWT, "" if nothing; its signature counts if the public key is known."""
        extra, now = self.options.extra, self.now().timestamp()
        key = extra.get("public_key")
        checks: Any = {"verify_signature": key is not None, "verify_exp": False, "verify_aud": False}
        try:
            claims = jwt.decode(form.get("assertion", ""), key or "", algorithms=["RS256"], options=checks)
        except jwt.PyJWTError:
            return "invalid assertion"
        if claims.get("aud") != extra.get("audience", call.base_url):
            return "audience is invalid"
        if not now < claims.get("exp", 0) <= now + 300:
            return "assertion has expired or lives too long"
        known = claims.get("iss") == extra.get("client_id", claims.get("iss") or None) and claims.get("sub")
        return "" if known else "user hasn't approved this consumer"

    @route("GET", "/services/oauth2/userinfo")
    def user(self, call: Call) -> Answer:
        """Tell who the token stands for."""
        return Answer(200, {"user_id": INTEGRATION, "organization_id": ORGANIZATION})

    @route("GET", "/services/data", open=True)
    def versions(self, call: Call) -> Answer:
        """Return the API versions."""
        return Answer(200, [{"version": f"{n}.0", "url": f"/services/data/v{n}.0"} for n in range(60, 69)])

    @route("GET", DATA + "/limits")
    def limits(self, call: Call) -> Answer:
        """Return the allowance of API calls."""
        used, allowed = self._usage()
        return Answer(200, {"DailyApiRequests": {"Max": allowed, "Remaining": max(0, allowed - used)}})

    @route("GET", DATA + "/sobjects/{sobject}/describe", object="{sobject}")
    def describe(self, call: Call) -> Answer:
        """Return one object, whole."""
        return Answer(200, self.fields(call.args["sobject"]) and self.objects[call.args["sobject"]])

    @route("GET", DATA + "/query")
    @route("GET", DATA + "/query/")
    @route("GET", DATA + "/queryAll")
    @route("GET", DATA + "/queryAll/")
    def query(self, call: Call) -> Answer:
        """Return the first page of a query; `queryAll` finds what lies in the recycle bin too."""
        if (found := soql.read(call.param("q"))) is None:
            raise failed(400, "MALFORMED_QUERY", "unexpected token")
        call.object = object_ = found.object
        for name in found.fields - set(self.fields(object_)):
            raise failed(400, "INVALID_FIELD", f"No such column '{name}' on entity '{object_}'.")
        gone = self.deleted(object_) if "queryAll" in call.path else []
        rows = found.run({"Id": id_, **record} for id_, record in (*self.store.all(object_), *gone))
        cursor = f"01g{self.store.next_id('_cursors'):0>12}AAA"
        return self._page(cursor, [_shown(object_, str(row["Id"]), row, found.names) for row in rows])

    @route("GET", DATA + "/query/{cursor}")
    @route("GET", DATA + "/queryAll/{cursor}")
    def next_page(self, call: Call) -> Answer:
        """Return a later page."""
        if (held := self._cursors.pop(call.args["cursor"], None)) is None:
            raise failed(400, "INVALID_QUERY_LOCATOR", "invalid query locator")
        return self._page(call.args["cursor"], held)

    def _page(self, cursor: str, rows: list[Record]) -> Answer:
        size = int(self.options.extra.get("page_size", 2000))
        body = {"totalSize": len(rows), "done": len(rows) <= size, "records": rows[:size]}
        if not body["done"]:
            self._cursors[cursor] = rows[size:]
            body["nextRecordsUrl"] = f"/services/data/v67.0/query/{cursor}"
        return Answer(200, body)

    @route("GET", DATA + "/sobjects/{sobject}/{id}", object="{sobject}")
    @route("GET", DATA + "/sobjects/{sobject}/{field}/{value}", object="{sobject}")
    def retrieve(self, call: Call) -> Answer:
        """Return one record by id, or by external id."""
        object_ = call.args["sobject"]
        names = list(self.fields(object_))
        id_ = call.args.get("id") or self._id_of(object_, call.args["field"], call.args["value"]) or ""
        if (record := self.store.get(object_, id_)) is None:
            raise failed(404, "NOT_FOUND", "The requested resource does not exist")
        return Answer(200, _shown(object_, id_, record, names))

    @route("PATCH", DATA + "/composite/sobjects/{sobject}/{field}", object="{sobject}")
    def upsert_many(self, call: Call) -> Answer:
        """Do a Collections upsert by external id: up to 200 records, one result each, in their order."""
        object_, field = call.args["sobject"], call.args["field"]
        self._key_field(object_, field)
        records = self._records(call)
        seen = Counter(str(record.get(field)) for record in records)

        def write(record: Record) -> Record:
            if seen[str(record.get(field))] > 1:
                raise FieldProblem("DUPLICATE_VALUE", f"Duplicate external id specified: {record.get(field)}", field)
            return self._upsert(object_, field, record)

        return Answer(200, self._each(call, records, write))

    @route("POST", DATA + "/composite/sobjects")
    @route("PATCH", DATA + "/composite/sobjects")
    def save_many(self, call: Call) -> Answer:
        """Do a Collections create or update."""
        records = self._records(call)
        call.object = _type(records[0] if records else None)
        write = self._create if call.method == "POST" else self._update
        return Answer(200, self._each(call, records, lambda record: write(_type(record), record)))

    @route("PATCH", DATA + "/sobjects/{sobject}/{field}/{value}", object="{sobject}")
    def upsert_one(self, call: Call) -> Answer:
        """Upsert of one record by the key in its path."""
        field = call.args["field"]
        record = {**call.json(), field: call.args["value"]}
        result = self._each(call, [record], lambda one: self._upsert(call.args["sobject"], field, one))[0]
        for one in result["errors"]:
            raise failed(400, one["statusCode"], one["message"])
        return Answer(201 if result["created"] else 200, result)

    @route("POST", DATA + "/composite", write=False)
    def composite(self, call: Call) -> Answer:
        """Answer up to 25 requests in one, each as if it had come alone."""
        parts = call.json().get("compositeRequest") or []
        heavy = [one for one in parts if re.search(r"/query|/composite/sobjects", str(one.get("url")))]
        if not parts or len(parts) > 25 or len(heavy) > 5:
            raise failed(400, "INVALID_INPUT", "at most 25 requests, 5 of them queries or collections")
        call.write = any(one.get("method") != "GET" for one in parts)
        return Answer(200, {"compositeResponse": [self._part(call, one) for one in parts]})

    def _part(self, call: Call, one: Mapping[str, Any]) -> Record:
        url, method = urlsplit(str(one.get("url"))), str(one.get("method"))
        part = Call(method, url.path, parse_qs(url.query), call.headers, json.dumps(one.get("body")).encode())
        found = find_route(routes_of(type(self)), method, url.path)
        part.args = found[1] if found else {}
        try:
            answer: Answer = getattr(self, found[0].handler)(part) if found else self.unknown(part)
        except Refused as refused:
            answer = refused.answer
        return {"body": answer.body, "httpStatusCode": answer.status, "referenceId": one.get("referenceId")}

    def _each(self, call: Call, records: list[Record], write: Callable[[Record], Record]) -> list[Record]:
        """Return one result each; the `partial` fault locks rows."""
        results: list[Record] = []
        for index, record in enumerate(records):
            try:
                results.append(
                    {"success": False, "errors": [_LOCK]} if call.fails(index, len(records)) else write(record)
                )
            except FieldProblem as problem:
                results.append({"success": False, "errors": [problem.item]})
        return results

    def _upsert(self, object_: str, field: str, record: Mapping[str, Any]) -> Record:
        if not record.get(field):
            raise FieldProblem("MISSING_ARGUMENT", f"{field} not specified", field)
        if id_ := self._id_of(object_, field, str(record[field])):
            return {**self._update(object_, {**record, "Id": id_}), "created": False}
        return {**self._create(object_, record), "created": True}

    def _create(self, object_: str, record: Mapping[str, Any]) -> Record:
        id_ = f"{self.objects[object_]['keyPrefix']}{self.store.next_id(object_):0>12}AAA"
        return self._save("create", object_, id_, self._accept(object_, record, "createable"))

    def _update(self, object_: str, record: Mapping[str, Any]) -> Record:
        id_ = str(record.get("Id"))
        if self.store.get(object_, id_) is None:
            raise FieldProblem("ENTITY_IS_DELETED", "entity is deleted")
        return self._save("update", object_, id_, self._accept(object_, record, "updateable"))

    def _save(self, kind: str, object_: str, id_: str, changes: Record) -> Record:
        try:
            stamps = self.stamps(INTEGRATION, new=kind == "create")
            usual = {"Status": "Open - Not Contacted"} if kind == "create" and object_ == "Lead" else {}
            self.store.put(object_, id_, {**usual, **(self.store.get(object_, id_) or {}), **stamps, **changes})
        except Taken as taken:
            message = f"duplicate value found: {taken.field} duplicates value on record with id: {taken.id}"
            raise FieldProblem("DUPLICATE_VALUE", message, taken.field) from None
        keys = [changes[name] for name in changes if self._fields[object_][name]["externalId"]]
        self.journal.record(kind, object_, id_, key="".join(map(str, keys[:1])), fields=changes)
        return {"id": id_, "success": True, "errors": []}

    def _records(self, call: Call) -> list[Record]:
        """Read the records of a collections request, all before the first is written."""
        body = call.json()
        records = body.get("records") if isinstance(body, dict) else None
        if not isinstance(records, list) or body.get("allOrNone") or not all(map(_type, records)):
            raise failed(400, "INVALID_INPUT", "expected: allOrNone = false, records with attributes.type")
        if len(records) > 200:
            raise failed(400, "EXCEEDED_ID_LIMIT", "record limit reached. cannot submit more than 200 records")
        for record in records:
            for name, field in self.fields(_type(record)).items():
                if not is_readable(field["type"], record.get(name)):
                    raise failed(400, "JSON_PARSER_ERROR", f"Cannot deserialize {field['type']} from {record[name]!r}")
        return records

    def _key_field(self, object_: str, field: str) -> None:
        if not self.fields(object_).get(field, {}).get("idLookup"):
            raise failed(404, "NOT_FOUND", f"Provided external ID field does not exist or is not accessible: {field}")

    def _id_of(self, object_: str, field: str, value: str) -> str | None:
        self._key_field(object_, field)
        found = self.store.find(object_, field, value)
        return found[0] if found else None

    def _accept(self, object_: str, record: Mapping[str, Any], right: str) -> Record:
        """Return the fields as stored. Raises FieldProblem for the first that Salesforce would refuse."""
        given = {name: value for name, value in record.items() if name not in {"attributes", "Id"}}
        changes = dict(self._accepted(object_, name, value, right) for name, value in given.items())
        absent = None if right == "createable" else ""
        if missing := [name for name in self._required(object_) if changes.get(name, absent) is None]:
            raise FieldProblem(
                "REQUIRED_FIELD_MISSING", f"Required fields are missing: [{', '.join(missing)}]", *missing
            )
        return changes

    def _required(self, object_: str) -> list[str]:
        fields = self._fields[object_].values()
        return [
            one["name"] for one in fields if one["createable"] and not (one["nillable"] or one["defaultedOnCreate"])
        ]

    def _accepted(self, object_: str, name: str, value: Any, right: str) -> tuple[str, Any]:
        if isinstance(value, dict):
            return self._parent(object_, name, value)
        if (field := self._fields[object_].get(name)) is None:
            raise FieldProblem("INVALID_FIELD", f"No such column '{name}' on sobject of type {object_}")
        if not field[right]:
            raise FieldProblem("INVALID_FIELD_FOR_INSERT_UPDATE", f"Unable to create/update fields: {name}", name)
        fit(field, value)
        return name, value

    def _parent(self, object_: str, name: str, value: Mapping[str, Any]) -> tuple[str, str]:
        """Turn `Author__r = {Author_Key__c: ...}` into the id of that author."""
        link = next((one for one in self._fields[object_].values() if one["relationshipName"] == name), None)
        if link is None:
            raise FieldProblem("INVALID_FIELD", f"No such column '{name}' on sobject of type {object_}")
        parent = link["referenceTo"][0]
        key, wanted = next(((key, str(one)) for key, one in value.items() if key != "attributes"), ("Id", ""))
        if (id_ := self._id_of(parent, key, wanted)) is None:
            raise FieldProblem(
                "INVALID_FIELD", f"Foreign key external ID: {wanted} not found for field {key} in entity {parent}"
            )
        return link["name"], id_


def _type(record: Any) -> str:
    attributes = record.get("attributes") if isinstance(record, dict) else None
    return str(attributes.get("type") or "") if isinstance(attributes, dict) else ""


def _shown(object_: str, id_: str, record: Mapping[str, Any], names: Iterable[str]) -> Record:
    attributes = {"type": object_, "url": f"/services/data/v67.0/sobjects/{object_}/{id_}"}
    return {"attributes": attributes, **{name: {"Id": id_, **record}.get(name) for name in names}}
