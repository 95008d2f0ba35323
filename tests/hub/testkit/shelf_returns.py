"""The shelf with its way back: signed calls that tell of replies, and records that can be emptied.

Options: `url`, `token`, `webhook_secret`.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from typing import Any, Literal

import msgspec
from pydantic import SecretStr

from hub import Change, Context, Delivery, Outcome, Rejected, Request, TranslationError
from hub.sdk.batches import one_by_one
from hub.sdk.connectors import Idempotency, Upsert
from hub.testkit.sandbox import Answer, Call, Sandbox, SandboxOptions, route
from tests.hub.testkit.shelf import ShelfDestination, ShelfOptions, ShelfSandbox

KINDS = {"r": "records", "t": "ticket", "c": "comment", "e": "event"}


class Told(msgspec.Struct):
    """What the vendor tells."""

    event: str
    ticket: str
    text: str
    by: str
    private: bool = False


class ReturningOptions(ShelfOptions):
    """And the secret of its calls."""

    webhook_secret: SecretStr | None = None


class ReturningShelf(ShelfDestination):
    """Calls us where an agent answers."""

    Options = ReturningOptions
    sandbox = "tests.hub.testkit.shelf_returns:build"
    capabilities = frozenset({"note", "inbound", "tombstone"})

    def idempotency_of(self, object_: str, operation: str) -> Idempotency:
        return Upsert() if operation == "tombstone" else super().idempotency_of(object_, operation)

    def deliver(self, ctx: Context, batch: Sequence[Delivery]) -> list[Outcome]:
        if batch and batch[0].operation == "tombstone":
            return one_by_one(batch, lambda item: self.erase(ctx, item))
        return super().deliver(ctx, batch)

    def erase(self, ctx: Context, item: Delivery) -> Outcome:
        if item.ref is None:
            raise Rejected("nothing is known of it")
        self.call(ctx, "POST", f"/erase/{item.ref.id}", {})
        return Outcome.delivered(item, item.ref)

    def whoami(self, ctx: Context) -> str:
        return self.named(self.call(ctx, "GET", "/me"), "name")

    def verify(self, request: Request) -> bool:
        secret = self.options.webhook_secret  # type: ignore[attr-defined]  # of ReturningOptions
        return secret is not None and self.is_signed(secret.get_secret_value(), request)

    def is_signed(self, secret: str, request: Request) -> bool:
        wanted = hmac.new(secret.encode(), request.body, "sha256").hexdigest()
        given = request.headers.get("x-mac", "").encode("utf-8", "replace")
        return bool(secret.strip()) and hmac.compare_digest(wanted.encode(), given)

    def parse(self, body: bytes) -> list[Change]:
        try:
            told = msgspec.json.decode(body, type=Told)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise TranslationError(str(error)) from None
        if not told.ticket or not told.event:
            raise TranslationError("no ticket or no event")
        kind: Literal["note", "reply"] = "note" if told.private else "reply"
        return [Change(kind, "ticket", told.ticket, told.event, text=told.text, actor_id=told.by)]


class ReturningSandbox(ShelfSandbox):
    """The vendor."""

    @route("POST", "/erase/{id}")
    def erase(self, call: Call) -> Answer:
        id_ = call.args["id"]
        kind = KINDS.get(id_[:1], "")
        if self.store.get(kind, id_) is None:
            return Answer(200, {"erased": False})
        self.store.update(kind, id_, {"fields": {}})
        return Answer(200, {"erased": True})

    def said(self, ticket: str) -> list[tuple[dict[str, Any], bool]]:
        """What stands in a ticket, with True where it is public."""
        comments = [(one["fields"], True) for _, one in self.store.all("comment") if one["ticket"] == ticket]
        return comments + [(one["fields"], False) for _, one in self.store.all("note") if one["ticket"] == ticket]


def build(options: SandboxOptions) -> Sandbox:
    return ReturningSandbox(options)
