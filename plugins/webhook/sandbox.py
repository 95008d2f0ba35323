"""A receiver of batches to try the webhook destination on."""

from __future__ import annotations

from typing import Any

from hub.testkit.sandbox import Answer, Call, Refused, Sandbox, SandboxOptions, route


class WebhookSandbox(Sandbox):
    """Keeps one record a key; a record without text in `refuse` mode is refused alone."""

    title = "Webhook receiver"

    def seed(self) -> None:
        """Make one collection for all records."""
        self.store.declare("records", unique=("_identity",))

    def authenticate(self, call: Call) -> Answer | None:
        """Let all in: batches are signed, not authorised."""
        return None

    @route("POST", "/records", object="records")
    def take(self, call: Call) -> Answer:
        """Take a batch; one result a record."""
        body = call.json()
        records = body.get("records") if isinstance(body, dict) else None
        if not isinstance(records, list):
            raise Refused(Answer(400, {"error": "records must be a list"}))
        return Answer(
            200, {"results": [self._one(call, index, len(records), one) for index, one in enumerate(records)]}
        )

    def _one(self, call: Call, index: int, total: int, record: dict[str, Any]) -> dict[str, Any]:
        if call.fails(index, total):
            return {"key": record["_key"], "status": "refused", "error": "refused by the sandbox", "field": "text"}
        identity = f"{record['_object']}/{record.get('id') or record['_key']}"
        found = self.store.find("records", "_identity", identity)
        if record["_operation"] == "tombstone":
            return self._forget(record, found[0] if found else str(record.get("_id") or ""))
        kind, id_ = ("update", found[0]) if found else ("create", self.store.next_id("records"))
        self.store.put("records", id_, {**record, "_identity": identity})
        self.journal.record(kind, "records", id_, key=identity, fields=record)
        return {
            "key": record["_key"],
            "status": "ok",
            "id": id_,
            "url": f"{call.base_url}/_sandbox/records/records/{id_}",
        }

    def _forget(self, record: dict[str, Any], id_: str) -> dict[str, Any]:
        """Remove what a tombstone names; one that is not there is no error."""
        if self.store.remove("records", id_):
            self.journal.record("delete", "records", id_, key=record["_key"])
        return {"key": record["_key"], "status": "ok", "id": id_}


def build(options: SandboxOptions) -> Sandbox:
    """Return the sandbox."""
    return WebhookSandbox(options)
