"""The webhook destination: batches of records, signed, with per-item results honoured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from hub import (
    Context,
    Delivery,
    Destination,
    ObjectInfo,
    Outcome,
    Rejected,
    RemoteRef,
    Retryable,
    Upsert,
)
from hub.sdk.doc import Doc
from hub.sdk.http.api import Api, ApiAnswer
from hub.sdk.http.errors import ErrorTable
from hub.sdk.signatures import StandardWebhook
from plugins.webhook.config import OutboundOptions
from plugins.webhook.translate import batch_id


class WebhookDestination(Destination[OutboundOptions]):
    """Posts `{"records": [...]}`; a record carries its key, so that the receiver can tell a repeat."""

    name = "webhook"
    Options = OutboundOptions
    idempotency = Upsert()
    mappings = "mappings:webhook"
    sandbox = "plugins.webhook.sandbox:build"
    capabilities = frozenset({"tombstone"})

    def egress(self) -> tuple[str, ...]:
        """Return the host of the URL."""
        return (self.options.url.host or "",)

    def batch_size_of(self, object_: str, operation: str) -> int:
        """Return what the options say."""
        return self.options.batch

    def check(self, ctx: Context) -> str:
        """Send an empty batch: the receiver must take it."""
        self._post(ctx, {"records": []}, batch_id(["check", ctx.now().isoformat()]))
        return f"{self.options.url} takes batches"

    def describe(self, ctx: Context) -> Mapping[str, ObjectInfo]:
        """Allow any object with any fields."""
        return {"*": ObjectInfo("*", open_fields=True)}

    def deliver(self, ctx: Context, batch: Sequence[Delivery]) -> list[Outcome]:
        """Send one POST; the answer may hold `results`, a list of `{"key", "status", "error", "id", "url"}`."""
        if not batch:
            return []
        records = [record_of(delivery) for delivery in batch]
        answer = self._post(ctx, {"records": records}, batch_id([delivery.key for delivery in batch]))
        results = {one.id("key"): one for one in answer.doc.docs("results")}
        return [outcome_of(delivery, results.get(delivery.key)) for delivery in batch]

    def _post(self, ctx: Context, payload: Any, id_: str) -> ApiAnswer:
        body, headers = msgspec.json.encode(payload), {"webhook-id": id_}
        if self.options.secret:
            stamp, secret = str(int(ctx.now().timestamp())), self.options.secret.get_secret_value()
            headers["webhook-timestamp"] = stamp
            headers["webhook-signature"] = StandardWebhook().sign(body, secret, id_=id_, stamp=stamp)
        api = Api(ctx, str(self.options.url), errors=ErrorTable(vendor="the receiver"), plain=True)
        return api.post("", body, headers=headers, effect="again")


def record_of(delivery: Delivery) -> dict[str, Any]:
    """Return a record as it is sent: the mapping's fields, and what tells records and repeats apart."""
    named = {delivery.key_field: delivery.record_key} if delivery.key_field else {}
    if delivery.operation == "tombstone" and delivery.ref is not None:
        named["_id"] = delivery.ref.id
    return {
        **named,
        **delivery.fields,
        "_object": delivery.object,
        "_operation": delivery.operation,
        "_key": delivery.key,
        "_sequence": delivery.seq,
    }


def outcome_of(delivery: Delivery, result: Doc | None) -> Outcome:
    """Return a result's outcome: `status` ok (or absent), retry, or anything else with its error."""
    found = result or Doc({})
    status = str(found.data.get("status", "ok"))
    if status == "ok":
        return Outcome.delivered(delivery, RemoteRef(found.id("id") or delivery.record_key, found.text("url")))
    reason = (found.text("error") or status)[:1000]
    if status == "retry":
        return Outcome.failed(delivery, Retryable(reason))
    return Outcome.failed(delivery, Rejected(reason, field=found.text("field")))
