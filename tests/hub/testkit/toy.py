"""A vendor so small that its connectors fit a page, to test the contracts on. Options: `url`, `token`, `network`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import msgspec
from pydantic import SecretStr

from hub import (
    Author,
    Compliance,
    ConnectorError,
    Context,
    Delivery,
    Destination,
    Enricher,
    Label,
    ObjectInfo,
    Options,
    Outcome,
    RawItem,
    RemoteRef,
    Signal,
    Source,
    Translated,
    TranslationError,
    Unavailable,
    Uncertain,
    Upsert,
    author_key,
    signal_key,
)
from hub.sdk.batches import FOR_ALL
from hub.sdk.http.errors import error_for
from hub.sdk.text import parse_time
from hub.testkit.sandbox import Answer, Call, Sandbox, SandboxOptions, route


class Post(msgspec.Struct):
    """A post of the toy network."""

    id: str
    at: str
    by: str
    text: str = ""


class ToyOptions(Options):
    """Where the toy is."""

    url: str = "http://127.0.0.1:9"
    token: SecretStr = SecretStr("sandbox-token")


class ToySource(Source[ToyOptions]):
    """Reads posts."""

    name = "toy"
    network = "toy"
    Options = ToyOptions
    compliance = Compliance(timedelta(days=1))

    def translate(self, raw: RawItem) -> Translated:
        """One signal and its author."""
        try:
            post = msgspec.json.decode(raw.payload, type=Post)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise TranslationError(str(error)) from None
        at = parse_time(post.at)
        if not post.id or at is None:
            raise TranslationError("no id or no time")
        author = Author(key=author_key("toy", post.by), network="toy", native_id=post.by)
        signal = Signal(
            key=signal_key("toy", post.id),
            network="toy",
            native_id=post.id,
            kind="post",
            text=post.text,
            author_key=author.key,
            published_at=at,
            observed_at=raw.received_at,
        )
        return Translated((signal,), (author,))


class ToyDestination(Destination[ToyOptions]):
    """Puts records by key, one call each."""

    name = "toy"
    Options = ToyOptions
    idempotency = Upsert()
    batch_size = 10
    mappings = "mappings:webhook"
    sandbox = "tests.hub.testkit.toy:build"

    def egress(self) -> tuple[str, ...]:
        """The sandbox only."""
        return ("127.0.0.1",)

    def check(self, ctx: Context) -> str:
        """Ask who we are."""
        name = self._call(ctx, "GET", "/me").get("name")
        if not name:
            raise Unavailable("the answer names no account")
        return f"we are {name}"

    def describe(self, ctx: Context) -> Mapping[str, ObjectInfo]:
        """Anything goes."""
        return {"*": ObjectInfo("*", open_fields=True)}

    def deliver(self, ctx: Context, batch: Sequence[Delivery]) -> list[Outcome]:
        """One call an item."""
        outcomes: list[Outcome] = []
        stop: ConnectorError | None = None
        for item in batch:
            outcomes.append(Outcome.failed(item, stop) if stop else self._put(ctx, item))
            stop = outcomes[-1].error if isinstance(outcomes[-1].error, FOR_ALL) else None
        return outcomes

    def _put(self, ctx: Context, item: Delivery) -> Outcome:
        try:
            body = msgspec.json.encode(item.fields)
            answer = self._call(ctx, "PUT", f"/records/{item.record_key}", body)
            if not answer.get("id"):
                raise Uncertain("the answer names no record")
            return Outcome.delivered(item, RemoteRef(answer["id"]))
        except ConnectorError as error:
            return Outcome.failed(item, error)

    def _call(self, ctx: Context, method: str, path: str, body: bytes | None = None) -> Any:
        headers = {"authorization": f"Bearer {self.options.token.get_secret_value()}"}
        response = ctx.http.send(method, self.options.url + path, headers=headers, content=body)
        if error := error_for(response, ctx.now()):
            raise error
        found = response.json() if response.status < 300 else None
        if not isinstance(found, dict):
            raise Uncertain(f"HTTP {response.status} says nothing") if body else Unavailable("no answer")
        return found


class ToyEnricher(Enricher[Options]):
    """Says how loud a text is."""

    name = "toy"
    labels = ("loudness",)

    def enrich(self, signals: Sequence[Signal]) -> list[tuple[Label, ...]]:
        """One label a text that has one."""
        return [self._judge(signal.text) for signal in signals]

    def _judge(self, text: str) -> tuple[Label, ...]:
        if not text:
            return ()
        share = text.count("!") / len(text)
        return (Label("loudness", "loud" if share > 0.01 else "calm", "toy", score=share, confidence=1.0),)


class ToySandbox(Sandbox):
    """The toy vendor."""

    title = "Toy"

    def seed(self) -> None:
        """One collection."""
        self.store.declare("records", unique=("_key",))

    @route("GET", "/me")
    def me(self, call: Call) -> Answer:
        """The caller."""
        return Answer(200, {"name": "Toy"})

    @route("PUT", "/records/{key}", object="records")
    def put(self, call: Call) -> Answer:
        """Make or change a record."""
        key = call.args["key"]
        found = self.store.find("records", "_key", key)
        id_ = found[0] if found else self.store.next_id("records")
        self.store.put("records", id_, {**call.json(), "_key": key})
        self.journal.record("update" if found else "create", "records", id_, key=key)
        return Answer(200, {"id": id_})

    @route("POST", "/records", object="records")
    def post(self, call: Call) -> Answer:
        """Make a record, whatever is there already."""
        id_ = self.store.next_id("records")
        self.journal.record("create", "records", id_)
        return Answer(200, {"id": id_})


def build(options: SandboxOptions) -> Sandbox:
    """The toy vendor."""
    return ToySandbox(options)
