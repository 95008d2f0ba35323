"""A network small enough for a page, with its source: a list newest first, edits, deletions, times that authors claim.

Options: `url`, `token`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from pydantic import SecretStr

from hub import (
    Author,
    Compliance,
    Context,
    HttpResponse,
    Options,
    Page,
    PollingSource,
    RateLimited,
    RawItem,
    Rejected,
    Signal,
    Tombstone,
    Translated,
    TranslationError,
    Unavailable,
    author_key,
    signal_key,
)
from hub.sdk.batches import chunks
from hub.sdk.http.errors import error_for
from hub.sdk.text import html_to_text, parse_time
from hub.testkit.sandbox import Answer, Call, Sandbox, SandboxOptions, route

SHOWN = 3
"""How many cries the network shows at once."""
MOST = 100


class Cry(msgspec.Struct):
    """A cry as the network writes it; `seq` grows with each change of any cry."""

    id: str
    seq: int
    at: str
    by: str
    html: str
    version: int = 1
    url: str | None = None
    parent: str | None = None


class Heard(msgspec.Struct):
    """A page of them, newest first."""

    cries: list[msgspec.Raw]


class CriesOptions(Options):
    """Where the network is."""

    url: str = "http://127.0.0.1:9"
    token: SecretStr = SecretStr("sandbox-token")


class CriesSource(PollingSource[CriesOptions]):
    """Reads back to the last change that it knows; the cursor is that change's number."""

    name = "cries"
    network = "cries"
    Options = CriesOptions
    sandbox = "tests.hub.testkit.cries:build"
    compliance = Compliance(timedelta(days=1))
    recheck_size = 10

    def egress(self) -> tuple[str, ...]:
        return ("127.0.0.1",)

    def check(self, ctx: Context) -> str:
        answer = self._ask(ctx, "/me").json()
        if not isinstance(answer, dict) or "name" not in answer:
            raise Unavailable("the answer names no account")
        return f"we are {answer['name']}"

    def pull(self, ctx: Context, cursor: Any) -> Iterator[Page]:
        position = cursor if isinstance(cursor, int) else 0
        found = self._newer(ctx, position)[::-1]
        for batch in chunks(found, SHOWN):
            yield Page(tuple(self.raw(ctx, cry, payload) for cry, payload in batch), batch[-1][0].seq)

    def _newer(self, ctx: Context, position: int) -> list[tuple[Cry, bytes]]:
        """All changes after a position, newest first."""
        found: dict[int, tuple[Cry, bytes]] = {}
        before = ""
        for _ in range(MOST):
            page = self.page(ctx, before)
            fresh = [one for one in page if one[0].seq > position and one[0].seq not in found]
            found |= {one[0].seq: one for one in fresh}
            if not page or len(fresh) < len(page):
                return list(found.values())
            before = str(page[-1][0].seq)
        raise Rejected("more changes than can be read at once")

    def page(self, ctx: Context, before: str) -> list[tuple[Cry, bytes]]:
        """The cries before a number, or the newest."""
        answer = self._ask(ctx, f"/cries?before={before}")
        try:
            raws = msgspec.json.decode(answer.content, type=Heard).cries
            return [(msgspec.json.decode(raw, type=Cry), bytes(raw)) for raw in raws]
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Unavailable(f"no list of cries: {error}") from None

    def raw(self, ctx: Context, cry: Cry, payload: bytes) -> RawItem:
        return RawItem(ctx.connection, self.name, payload, ctx.now(), cry.id, revision=str(cry.version))

    def _ask(self, ctx: Context, path: str) -> HttpResponse:
        headers = {"authorization": f"Bearer {self.options.token.get_secret_value()}"}
        answer = ctx.http.send("GET", self.options.url + path, headers=headers)
        error = error_for(answer, ctx.now())
        reset = parse_time(answer.headers.get("x-cries-reset"))
        if isinstance(error, RateLimited) and reset:
            error.retry_after = (reset - ctx.now()).total_seconds()
        if error:
            raise error
        return answer

    def identify(self, payload: bytes) -> tuple[str, str]:
        try:
            cry = msgspec.json.decode(payload, type=Cry)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return "", ""
        return cry.id, str(cry.version)

    def translate(self, raw: RawItem) -> Translated:
        try:
            cry = msgspec.json.decode(raw.payload, type=Cry)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise TranslationError(str(error)) from None
        at = parse_time(cry.at)
        if not cry.id or not cry.by or at is None:
            raise TranslationError("no id, no author or no time")
        author = Author(key=author_key("cries", cry.by), network="cries", native_id=cry.by)
        signal = Signal(
            key=signal_key("cries", cry.id),
            network="cries",
            native_id=cry.id,
            kind="post",
            text=html_to_text(cry.html),
            html=cry.html,
            author_key=author.key,
            published_at=at,
            observed_at=raw.received_at,
            revision=str(cry.version),
            url=cry.url,
            in_reply_to=signal_key("cries", cry.parent) if cry.parent else None,
        )
        return Translated((signal,), (author,))

    def recheck(self, ctx: Context, signals: Sequence[Signal]) -> Sequence[Tombstone]:
        return [Tombstone(one.key, "user_deleted", ctx.now()) for one in signals if self.is_gone(ctx, one.native_id)]

    def is_gone(self, ctx: Context, id_: str) -> bool:
        try:
            self._ask(ctx, f"/cries/{id_}")
        except Rejected as error:
            if error.code == "404" and "gone" in error.details["body"]:
                return True
            raise
        return False


class CriesSandbox(Sandbox):
    """The network."""

    title = "Cries"

    def cry(self, html: str, at: datetime | None = None) -> str:
        """Somebody cries; ids differ by case only."""
        number = int(self.store.next_id("cries"))
        id_ = "".join(letter.upper() if number >> bit & 1 else letter for bit, letter in enumerate("cryoutloud"))
        made = {"id": id_, "at": (at or self.now()).isoformat(), "by": f"user{number % 3}", "html": html, "version": 1}
        self.store.put("cries", id_, made | {"seq": int(self.store.next_id("changes"))})
        return id_

    def answer_to(self, id_: str, html: str) -> str:
        """Another cries back."""
        answer = self.cry(html)
        self.store.update("cries", answer, {"parent": id_})
        return answer

    def edit(self, id_: str, html: str) -> None:
        """Other words."""
        version = self.store.get("cries", id_)["version"] + 1  # type: ignore[index]  # it is there
        self.store.update("cries", id_, {"html": html, "version": version, "seq": int(self.store.next_id("changes"))})

    def limited(self, call: Call, seconds: float) -> Answer:
        reset = (self.now() + timedelta(seconds=seconds)).isoformat()
        return Answer(429, {"error": "slow down"}, {"X-Cries-Reset": reset})

    @route("GET", "/me")
    def me(self, call: Call) -> Answer:
        return Answer(200, {"name": "us"})

    @route("GET", "/cries", object="cries")
    def list(self, call: Call) -> Answer:
        before = int(call.param("before") or 10**9)
        cries = sorted((one for _, one in self.store.all("cries")), key=lambda one: -one["seq"])
        skip = int(call.param("skip") or 0)
        return Answer(200, {"cries": [one for one in cries if one["seq"] < before][skip : skip + SHOWN]})

    @route("GET", "/cries/{id}", object="cries")
    def one(self, call: Call) -> Answer:
        found = self.store.get("cries", call.args["id"])
        return Answer(200, found) if found else Answer(404, {"error": "gone"})


def build(options: SandboxOptions) -> Sandbox:
    return CriesSandbox(options)
