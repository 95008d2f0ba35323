"""The guest book's notes, written; and what people do to them, taken in."""

from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from hub import (
    Change,
    Context,
    Delivery,
    Destination,
    FieldInfo,
    Limit,
    ObjectInfo,
    Outcome,
    Rejected,
    Request,
    Upsert,
)
from hub.sdk.batches import one_by_one
from hubbub_echo import inbound
from hubbub_echo.client import EchoClient
from hubbub_echo.config import EchoOptions
from hubbub_echo.translate import note_of


class EchoDestination(Destination[EchoOptions]):
    """Puts notes by their key, one call each: the same note again changes nothing."""

    name = "echo"
    Options = EchoOptions
    limits = (Limit(100, 60),)
    idempotency = Upsert()
    batch_size = 20
    capabilities = frozenset({"tombstone", "inbound"})
    mappings = "hubbub_echo:mappings"
    sandbox = "hubbub_echo.sandbox:build"

    def egress(self) -> tuple[str, ...]:
        """Name the guest book's host."""
        return (urlsplit(self.options.url).hostname or "",)

    def calls_of(self, object_: str, operation: str, count: int) -> int:
        """Each is a call of its own."""
        return count

    def check(self, ctx: Context) -> str:
        """Ask who we are there."""
        return f"{self.whoami(ctx)} in the guest book"

    def describe(self, ctx: Context) -> Mapping[str, ObjectInfo]:
        """Describe the one object that mappings may write."""
        fields = (FieldInfo("text", max_length=500, required=True), FieldInfo("by"))
        return {"note": ObjectInfo("note", {field.name: field for field in fields})}

    def deliver(self, ctx: Context, batch: Sequence[Delivery]) -> list[Outcome]:
        """Write each by itself: one call and one outcome an item; an error about the account stops the rest."""
        client = EchoClient(self.options, ctx)
        return one_by_one(batch, lambda delivery: _write(client, delivery))

    def whoami(self, ctx: Context) -> str:
        """Return our own name there: what it does comes back as no change."""
        return EchoClient(self.options, ctx).account()

    def verify(self, request: Request) -> bool:
        """Return True if the guest book signed this request, and not long ago."""
        secret = self.options.webhook_secret
        return secret is not None and inbound.SCHEME.is_genuine(request, secret.get_secret_value())

    def parse(self, body: bytes) -> Sequence[Change]:
        """Read what was done to a note."""
        return inbound.read(body)


def _write(client: EchoClient, delivery: Delivery) -> Outcome:
    if delivery.operation == "tombstone":
        client.delete_note(delivery.record_key)
        return Outcome.delivered(delivery, delivery.ref)
    if delivery.operation != "upsert":
        raise Rejected(f"there is no operation {delivery.operation!r}", code="operation")
    return Outcome.delivered(delivery, client.put_note(delivery.record_key, note_of(delivery)))
