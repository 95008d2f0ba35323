"""The guest book, written."""

from collections.abc import Mapping, Sequence

from hub import Context, Delivery, Destination, FieldInfo, ObjectInfo, Outcome, RemoteRef, Upsert
from hub.sdk.batches import one_by_one
from hub.sdk.http.api import Api
from hub.sdk.http.auth import Bearer
from hubbub_echo.config import EchoOptions


class EchoDestination(Destination[EchoOptions]):
    """Puts notes by their key, one call each: the same note again changes nothing."""

    name = "echo"
    Options = EchoOptions
    idempotency = Upsert()
    batch_size = 20
    mappings = "hubbub_echo:mappings"
    sandbox = "hubbub_echo.sandbox:build"

    def egress(self) -> tuple[str, ...]:
        """The guest book's host."""
        return (self.options.url.partition("://")[2],)

    def check(self, ctx: Context) -> str:
        """Ask the guest book for its name."""
        return f"the guest book '{self._api(ctx).get('me').doc.text('title')}'"

    def describe(self, ctx: Context) -> Mapping[str, ObjectInfo]:
        """One object with two fields."""
        fields = (FieldInfo("text", max_length=500, required=True), FieldInfo("by"))
        return {"note": ObjectInfo("note", {field.name: field for field in fields})}

    def deliver(self, ctx: Context, batch: Sequence[Delivery]) -> list[Outcome]:
        """One call and one outcome an item."""
        api = self._api(ctx)
        return one_by_one(batch, lambda delivery: self._put(api, delivery))

    def _put(self, api: Api, delivery: Delivery) -> Outcome:
        made = api.put(f"notes/{delivery.record_key}", delivery.fields)
        return Outcome.delivered(delivery, RemoteRef(made.named("id")))

    def _api(self, ctx: Context) -> Api:
        return Api(ctx, self.options.url, auth=Bearer(self.options.token.get_secret_value()))
