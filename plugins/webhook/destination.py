"""The webhook destination: batches of records, signed, with per-item results honoured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from hub import (
    Context,
    Delivery,
    Destination,
    HttpResponse,
    ObjectInfo,
    Outcome,
    Rejected,
    RemoteRef,
    Retryable,
    Upsert,
)
from hub.sdk.http.errors import error_for
from plugins.webhook.client import sign_standard
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
        """The host of the URL."""
        return (self.options.url.host or "",)

    def batch_size_of(self, object_: str, operation: str) -> int:
        """As the options say."""
        return self.options.batch

    def check(self, ctx: Context) -> str:
        """Send an empty batch: the receiver must take it."""
        response = self._post(ctx, {"records": []}, batch_id(["check", ctx.now().isoformat()]))
        if error := error_for(response):
            raise error
        return f"{self.options.url} takes batches"

    def describe(self, ctx: Context) -> Mapping[str, ObjectInfo]:
        """Any object with any fields."""
        return {"*": ObjectInfo("*", open_fields=True)}

    def deliver(self, ctx: Context, batch: Sequence[Delivery]) -> list[Outcome]:
        """One POST; the answer may hold `results`, a list of `{"key", "status", "error", "id", "url"}`."""
        if not batch:
            return []
        records = [record_of(delivery) for delivery in batch]
        response = self._post(ctx, {"records": records}, batch_id([delivery.key for delivery in batch]))
        if error := error_for(response, ctx.now()):
            raise error
        if response.status >= 300:
            raise Rejected(f"{self.options.url} redirects (HTTP {response.status}): set the final address")
        results = results_of(response)
        return [outcome_of(delivery, results.get(delivery.key)) for delivery in batch]

    def _post(self, ctx: Context, payload: Any, id_: str) -> HttpResponse:
        body = msgspec.json.encode(payload)
        headers = {"content-type": "application/json", "webhook-id": id_}
        if self.options.secret:
            stamp = int(ctx.now().timestamp())
            secret = self.options.secret.get_secret_value()
            headers["webhook-timestamp"] = str(stamp)
            headers["webhook-signature"] = sign_standard(secret, id_=id_, timestamp=stamp, body=body)
        return ctx.http.send("POST", str(self.options.url), headers=headers, content=body)


def record_of(delivery: Delivery) -> dict[str, Any]:
    """A record as it is sent: the mapping's fields, and what tells records and repeats apart."""
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


def results_of(response: HttpResponse) -> dict[str, Mapping[str, Any]]:
    """Per-item results by key, where the answer has them."""
    answer = response.json()
    results = answer.get("results") if isinstance(answer, dict) else None
    if not isinstance(results, list):
        return {}
    return {str(one["key"]): one for one in results if isinstance(one, dict) and "key" in one}


def outcome_of(delivery: Delivery, result: Mapping[str, Any] | None) -> Outcome:
    """A result's outcome: `status` ok (or absent), retry, or anything else with its error."""
    if result is None or result.get("status", "ok") == "ok":
        found = result or {}
        url = found.get("url")
        ref = RemoteRef(str(found.get("id") or delivery.record_key), url if isinstance(url, str) else None)
        return Outcome.delivered(delivery, ref)
    reason = str(result.get("error") or result["status"])[:1000]
    if result["status"] == "retry":
        return Outcome.failed(delivery, Retryable(reason))
    field = result.get("field")
    return Outcome.failed(delivery, Rejected(reason, field=field if isinstance(field, str) else None))
