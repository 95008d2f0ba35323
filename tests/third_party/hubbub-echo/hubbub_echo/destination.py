"""The guest book, written."""

from collections.abc import Mapping, Sequence

import msgspec

from hub import (
    ConnectorError,
    Context,
    Delivery,
    Destination,
    FieldInfo,
    HttpResponse,
    ObjectInfo,
    Outcome,
    RemoteRef,
    Unavailable,
    Uncertain,
    Upsert,
)
from hub.sdk.http.errors import error_for
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
        about = self._call(ctx, "GET", "/me").json()
        if not isinstance(about, dict):
            raise Unavailable("the guest book does not say its name")
        return f"the guest book '{about.get('title')}'"

    def describe(self, ctx: Context) -> Mapping[str, ObjectInfo]:
        """One object with two fields."""
        fields = (FieldInfo("text", max_length=500, required=True), FieldInfo("by"))
        return {"note": ObjectInfo("note", {field.name: field for field in fields})}

    def deliver(self, ctx: Context, batch: Sequence[Delivery]) -> list[Outcome]:
        """One call and one outcome an item."""
        return [self._put(ctx, delivery) for delivery in batch]

    def _put(self, ctx: Context, delivery: Delivery) -> Outcome:
        body = msgspec.json.encode(delivery.fields)
        try:
            answer = self._call(ctx, "PUT", f"/notes/{delivery.record_key}", body).json()
        except ConnectorError as error:
            return Outcome.failed(delivery, error)
        if not isinstance(answer, dict) or not answer.get("id"):
            return Outcome.failed(delivery, Uncertain("the answer names no note: it may be there or not"))
        return Outcome.delivered(delivery, RemoteRef(str(answer["id"])))

    def _call(self, ctx: Context, method: str, path: str, body: bytes | None = None) -> HttpResponse:
        headers = {
            "authorization": f"Bearer {self.options.token.get_secret_value()}",
            "content-type": "application/json",
        }
        response = ctx.http.send(method, self.options.url + path, headers=headers, content=body)
        if error := error_for(response, ctx.now()):
            raise error
        return response
