"""A vendor small enough for a page, with its destination: batches with results by key, tickets without keys, events with keys.

Options: `url`, `token`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import msgspec
from pydantic import SecretStr

from hub import (
    ConnectorError,
    Context,
    Delivery,
    Destination,
    FieldInfo,
    HttpResponse,
    Lookup,
    Native,
    ObjectInfo,
    Options,
    Outcome,
    Rejected,
    RemoteRef,
    Unavailable,
    Uncertain,
    Upsert,
)
from hub.sdk.batches import one_by_one, rounds
from hub.sdk.connectors import Idempotency
from hub.sdk.http.errors import error_for
from hub.testkit.sandbox import Answer, Call, Refused, Sandbox, SandboxOptions, route

MOST = 20
"""Records of one call."""
_KINDS: Mapping[str, Idempotency] = {
    "record": Upsert(),
    "ticket": Lookup(timedelta(seconds=30)),
    "event": Native(timedelta(hours=1)),
}


class ShelfOptions(Options):
    """Where the shelf is."""

    url: str = "http://127.0.0.1:9"
    token: SecretStr = SecretStr("sandbox-token")


class ShelfDestination(Destination[ShelfOptions]):
    """Records in batches by their key; tickets, comments and notes by a mark; events under an idempotency key."""

    name = "shelf"
    Options = ShelfOptions
    mappings = "tests.hub.testkit:shelf_mappings"
    sandbox = "tests.hub.testkit.shelf:build"
    capabilities = frozenset({"note"})

    def egress(self) -> tuple[str, ...]:
        return ("127.0.0.1",)

    def idempotency_of(self, object_: str, operation: str) -> Idempotency:
        return _KINDS[object_]

    def batch_size_of(self, object_: str, operation: str) -> int:
        return MOST if object_ == "record" else 5

    def check(self, ctx: Context) -> str:
        return f"we are {self.named(self.call(ctx, 'GET', '/me'), 'name')}"

    def describe(self, ctx: Context) -> Mapping[str, ObjectInfo]:
        fields = self.call(ctx, "GET", "/fields").json()
        if not isinstance(fields, dict) or not all(isinstance(one, dict) for one in fields.values()):
            raise Unavailable("the fields cannot be read")
        return {
            name: ObjectInfo(name, {one: _field(one, kind) for one, kind in of.items()}) for name, of in fields.items()
        }

    def deliver(self, ctx: Context, batch: Sequence[Delivery]) -> list[Outcome]:
        if batch and batch[0].object == "record":
            if batch[0].operation != "upsert":
                return [Outcome.failed(item, Rejected(f"records are not {item.operation}ed")) for item in batch]
            parts = rounds(batch, lambda item: item.record_key)
            return [outcome for part in parts for outcome in self.write(ctx, part)]
        return one_by_one(batch, lambda item: self.open(ctx, item), line=self.line_of)

    def line_of(self, item: Delivery) -> str:
        """Comments of one ticket keep their order."""
        return item.parents["conversation"].id if "conversation" in item.parents else item.key

    def write(self, ctx: Context, part: Sequence[Delivery]) -> list[Outcome]:
        """One call; what its answer does not tell of is in doubt."""
        items = [{"key": item.record_key, "fields": item.fields, "once": item.once} for item in part]
        try:
            answer = self.call(ctx, "POST", "/records/batch", {"items": items}).json()
        except ConnectorError as error:
            return [Outcome.failed(item, error) for item in part]
        found = answer.get("results") if isinstance(answer, dict) else None
        results = {one.get("key"): one for one in found if isinstance(one, dict)} if isinstance(found, list) else {}
        return [self.outcome(item, results.get(item.record_key)) for item in part]

    def outcome(self, item: Delivery, result: Mapping[str, Any] | None) -> Outcome:
        """What one result says."""
        if result is not None and result.get("error"):
            return Outcome.failed(item, Rejected(str(result["error"]), field=result.get("field")))
        if result is None or not isinstance(result.get("id"), str):
            return Outcome.failed(item, Uncertain("the answer does not tell of it"))
        return Outcome.delivered(item, RemoteRef(result["id"]))

    def open(self, ctx: Context, item: Delivery) -> Outcome:
        """One thing that cannot be written twice."""
        path, body = self.path(item), {"fields": item.fields, "mark": item.key}
        try:
            answer = self.call(ctx, "POST", path, body, key=item.key)
            return Outcome.delivered(item, RemoteRef(self.named(answer, "id")))
        except Unavailable as error:
            raise Uncertain(str(error)) from error

    def path(self, item: Delivery) -> str:
        """Where it is written."""
        if item.operation == "create":
            return f"/{item.object}s"
        if "conversation" not in item.parents:
            raise Rejected("it belongs to no ticket")
        return f"/tickets/{item.parents['conversation'].id}/{item.operation}s"

    def lookup(self, ctx: Context, delivery: Delivery) -> RemoteRef | None:
        found = self.call(ctx, "GET", f"/marks/{delivery.key}").json()
        if not isinstance(found, dict) or not isinstance(found.get("found"), list):
            raise Unavailable("the marks cannot be read")
        return RemoteRef(found["found"][0]) if found["found"] else None

    def call(self, ctx: Context, method: str, path: str, body: Any = None, *, key: str = "") -> HttpResponse:
        """One request; raises for every status that is no success."""
        headers = {"authorization": f"Bearer {self.options.token.get_secret_value()}", "idempotency-key": key}
        content = None if body is None else msgspec.json.encode(body)
        answer = ctx.http.send(method, self.options.url + path, headers=headers, content=content)
        if error := error_for(answer, ctx.now()):
            raise error
        if answer.status >= 300:
            raise Uncertain(f"HTTP {answer.status}") if method != "GET" else Unavailable(f"HTTP {answer.status}")
        return answer

    def named(self, answer: HttpResponse, name: str) -> str:
        """A text in an answer; raises Unavailable where it is not there."""
        found = answer.json()
        value = found.get(name) if isinstance(found, dict) else None
        if not isinstance(value, str) or not value:
            raise Unavailable(f"the answer has no {name}")
        return value


def _field(name: str, kind: Any) -> FieldInfo:
    values = ("good", "bad") if kind == "picklist" else ()
    return FieldInfo(name, str(kind), values=values)


class ShelfSandbox(Sandbox):
    """The vendor."""

    title = "Shelf"

    def seed(self) -> None:
        self.store.declare("records", unique=("key",))
        self.store.declare("marks")

    @route("GET", "/me")
    def me(self, call: Call) -> Answer:
        return Answer(200, {"name": "us"})

    @route("GET", "/fields")
    def fields(self, call: Call) -> Answer:
        record = {"text": "text", "title": "string", "mood": "picklist"}
        return Answer(200, {"record": record, "ticket": {"text": "text"}, "event": {"text": "text"}})

    @route("POST", "/records/batch", object="record")
    def batch(self, call: Call) -> Answer:
        items = call.json()["items"]
        keys = [item["key"] for item in items]
        if len(items) > MOST or len(set(keys)) < len(keys):
            raise Refused(Answer(400, {"error": f"at most {MOST} records, each once"}))
        results = [self.put(item, bad=call.fails(index, len(items))) for index, item in enumerate(items)]
        return Answer(200, {"results": results[::-1]})

    def put(self, item: Mapping[str, Any], *, bad: bool) -> dict[str, Any]:
        if bad:
            return {"key": item["key"], "error": "refused", "field": "text"}
        known = self.store.find("records", "key", item["key"])
        before = known[1]["fields"] if known else {}
        kept = {name: before[name] for name in item["once"] if before.get(name)}
        id_ = known[0] if known else f"r{self.store.next_id('records')}"
        self.store.put("records", id_, {"key": item["key"], "fields": {**item["fields"], **kept}})
        self.journal.record("update" if known else "create", "record", id_, key=item["key"])
        return {"key": item["key"], "id": id_}

    @route("POST", "/tickets", object="ticket")
    def open_ticket(self, call: Call) -> Answer:
        return self.mark("ticket", call)

    @route("POST", "/tickets/{id}/comments", object="ticket")
    def comment(self, call: Call) -> Answer:
        return self.mark("comment", call, ticket=call.args["id"])

    @route("POST", "/tickets/{id}/notes", object="ticket")
    def note(self, call: Call) -> Answer:
        return self.mark("note", call, ticket=call.args["id"])

    @route("POST", "/events", object="event")
    def event(self, call: Call) -> Answer:
        key = call.headers.get("idempotency-key", "")
        known = [id_ for id_, one in self.store.all("event") if one["key"] == key and key]
        return Answer(200, {"id": known[0]}) if known else self.mark("event", call, key=key)

    def mark(self, kind: str, call: Call, **more: Any) -> Answer:
        body = call.json()
        id_ = f"{kind[0]}{self.store.next_id(kind)}"
        self.store.put(kind, id_, {"fields": body["fields"], **more})
        marks = self.store.get("marks", body["mark"]) or {"found": []}
        self.store.put("marks", body["mark"], {"found": [*marks["found"], id_]})
        self.journal.record(kind, kind, id_)
        return Answer(201, {"id": id_})

    @route("GET", "/marks/{mark}")
    def find(self, call: Call) -> Answer:
        return Answer(200, self.store.get("marks", call.args["mark"]) or {"found": []})


def build(options: SandboxOptions) -> Sandbox:
    return ShelfSandbox(options)
