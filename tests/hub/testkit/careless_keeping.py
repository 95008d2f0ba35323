"""More destinations that do one thing wrong: with a record's words, with a status, with what runs beside."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, ClassVar

import msgspec

from hub import (
    ConnectorError,
    Context,
    Delivery,
    HttpResponse,
    ObjectInfo,
    Outcome,
    Rejected,
    RemoteRef,
    Unauthorised,
    Unavailable,
    Uncertain,
)
from tests.hub.testkit.shelf import ShelfDestination as Shelf

CARELESS: list[tuple[type[Shelf], str]] = []
ANY_TEXT = "test_any_text_lands_or_is_rejected_alone"
REFUSING, FAILING = "test_a_refusing_status_is_told_as_a_refusal", "test_a_failing_status_is_told_as_an_outage"
REFERENCE = "test_a_reference_is_the_vendors_own"
BLAME = "test_a_refused_item_is_the_one_that_is_told"
CHECK = "test_check_takes_nothing_else_for_an_account"


def caught_by(test: str) -> Any:
    """Note the test that catches a class."""

    def note(cls: type[Shelf]) -> type[Shelf]:
        CARELESS.append((cls, test))
        return cls

    return note


# ---------------------------------------------------------------------------------------------------- a record's words


def rewriting(name: str, change: Callable[[Mapping[str, Any]], Mapping[str, Any]]) -> type[Shelf]:
    """A destination that changes the fields of records on the way."""

    def write(self: Shelf, ctx: Context, part: Sequence[Delivery]) -> list[Outcome]:
        return Shelf.write(self, ctx, [msgspec.structs.replace(one, fields=change(one.fields)) for one in part])

    return type(name, (Shelf,), {"write": write})


def texts(change: Callable[[str], str]) -> Callable[[Mapping[str, Any]], Mapping[str, Any]]:
    """A change of each text."""
    return lambda fields: {name: change(one) if isinstance(one, str) else one for name, one in fields.items()}


CARELESS += [
    (
        rewriting("EmptiesWhatIsAbsent", lambda fields: {"title": None, "text": None, "mood": None, **fields}),
        "test_what_a_delivery_does_not_name_is_not_emptied",
    ),
    (
        rewriting("LeavesOutNought", lambda fields: {name: one for name, one in fields.items() if one}),
        "test_nought_is_a_value",
    ),
    (rewriting("EscapesTwice", texts(lambda text: html.escape(html.escape(text)))), ANY_TEXT),
    (rewriting("StripsBraces", texts(lambda text: re.sub(r"\{\{.*?\}\}", "", text))), ANY_TEXT),
    (rewriting("DropsEmoji", texts(lambda text: "".join(one for one in text if ord(one) < 0x10000))), ANY_TEXT),
    (
        rewriting("CutsInALetter", texts(lambda text: text[:5_000])),
        "test_a_text_that_is_cut_ends_with_a_whole_letter",
    ),
]


@caught_by("test_an_unknown_operation_is_rejected")
class TakesAnyOperation(Shelf):
    """Opens a ticket for what it does not know."""

    def path(self, item: Delivery) -> str:
        return super().path(item) if item.operation in ("create", "comment", "note") else "/tickets"


# -------------------------------------------------------------------------------------------------------- by its own name


@caught_by(REFERENCE)
class NamesItsKey(Shelf):
    """Gives the key that it sent for the vendor's id."""

    def outcome(self, item: Delivery, result: Mapping[str, Any] | None) -> Outcome:
        found = super().outcome(item, result)
        return replace(found, ref=RemoteRef(item.record_key)) if found.ref else found


@caught_by(REFERENCE)
class OnePageForAll(Shelf):
    def outcome(self, item: Delivery, result: Mapping[str, Any] | None) -> Outcome:
        found = super().outcome(item, result)
        return replace(found, ref=RemoteRef(found.ref.id, "https://shelf.example/r1")) if found.ref else found


@caught_by("test_what_a_record_belongs_to_is_told")
class IgnoresItsTicket(Shelf):
    """Comments in the ticket that it found last."""

    def path(self, item: Delivery) -> str:
        return re.sub(r"/tickets/t\d+/", "/tickets/last/", super().path(item))


@caught_by("test_a_known_record_is_changed_and_not_made_again")
class KeyedByTheMonth(Shelf):
    """Makes a record once more in the next month."""

    def write(self, ctx: Context, part: Sequence[Delivery]) -> list[Outcome]:
        keyed = [msgspec.structs.replace(one, record_key=f"{one.record_key}-{ctx.now():%m}") for one in part]
        found = super().write(ctx, keyed)
        return [replace(one, delivery_id=item.id) for one, item in zip(found, part, strict=True)]


@caught_by("test_lookup_finds_what_was_written_and_only_that")
class LooksByPost(Shelf):
    """Takes any message about a post for the one that was lost."""

    def open(self, ctx: Context, item: Delivery) -> Outcome:
        return super().open(ctx, self.marked(item))

    def lookup(self, ctx: Context, delivery: Delivery) -> RemoteRef | None:
        return super().lookup(ctx, self.marked(delivery))

    def marked(self, item: Delivery) -> Delivery:
        return msgspec.structs.replace(item, key=item.record_key) if item.operation == "comment" else item


# ------------------------------------------------------------------------------------------------------ whatever runs beside


@caught_by("test_two_connections_share_nothing")
class RemembersForAll(Shelf):
    """Does not send what any connection has sent before."""

    sent: ClassVar[dict[tuple[str, str], RemoteRef]] = {}

    def write(self, ctx: Context, part: Sequence[Delivery]) -> list[Outcome]:
        return [self.one(ctx, item) for item in part]

    def one(self, ctx: Context, item: Delivery) -> Outcome:
        said = (item.record_key, repr(dict(item.fields)))
        if said in self.sent:
            return Outcome.delivered(item, self.sent[said])
        (outcome,) = super().write(ctx, [item])
        if outcome.ref:
            self.sent[said] = outcome.ref
        return outcome


@caught_by("test_each_call_uses_what_it_is_lent")
class KeepsItsContext(Shelf):
    kept: Context | None = None

    def call(self, ctx: Context, method: str, path: str, body: Any = None, *, key: str = "") -> HttpResponse:
        self.kept = self.kept or ctx
        return super().call(self.kept, method, path, body, key=key)


@caught_by("test_two_batches_at_once_do_not_mix")
class KeepsItsItem(Shelf):
    """Remembers in itself what it is about to write."""

    item: Delivery

    def open(self, ctx: Context, item: Delivery) -> Outcome:
        self.item = item
        found = super().open(ctx, item)
        return replace(found, delivery_id=self.item.id)


@caught_by("test_times_come_from_the_context")
class ReadsAClock(Shelf):
    def write(self, ctx: Context, part: Sequence[Delivery]) -> list[Outcome]:
        now = datetime.now(UTC).isoformat()  # noqa: TID251 - careless
        return super().write(ctx, [msgspec.structs.replace(one, fields={**one.fields, "written": now}) for one in part])


@caught_by("test_describe_tells_what_fails")
class DescribesNothing(Shelf):
    def describe(self, ctx: Context) -> Mapping[str, ObjectInfo]:
        with suppress(ConnectorError):
            return super().describe(ctx)
        return {}


@caught_by("test_a_full_batch_is_written")
class AsksBeforeEach(Shelf):
    """Makes seven calls for each record, and says that it makes one for five."""

    def open(self, ctx: Context, item: Delivery) -> Outcome:
        for _ in range(6):
            self.call(ctx, "GET", "/me")
        return super().open(ctx, item)


@caught_by("test_a_full_batch_is_written")
class HalvesWhatIsTooMuch(Shelf):
    """Claims more than one call may hold, and learns it again with each batch."""

    def batch_size_of(self, object_: str, operation: str) -> int:
        return 50 if object_ == "record" else 5

    def write(self, ctx: Context, part: Sequence[Delivery]) -> list[Outcome]:
        found = super().write(ctx, part)
        middle = len(part) // 2
        if middle and all(isinstance(one.error, Rejected) for one in found):
            return [*self.write(ctx, part[:middle]), *self.write(ctx, part[middle:])]
        return found


@caught_by("test_a_key_is_sent_whole")
class ShortensItsKey(Shelf):
    """Cuts a key to what fits: two records may share what is left of theirs."""

    def write(self, ctx: Context, part: Sequence[Delivery]) -> list[Outcome]:
        keyed = [msgspec.structs.replace(one, record_key=one.record_key[:24]) for one in part]
        return super().write(ctx, keyed)


# ---------------------------------------------------------------------------------------------------- a status by its name


def taking(name: str, status: int, made: type[ConnectorError] | None = None) -> type[Shelf]:
    """A destination that takes a status for another error, or for a success."""

    def call(self: Shelf, ctx: Context, method: str, path: str, body: Any = None, *, key: str = "") -> HttpResponse:
        try:
            return Shelf.call(self, ctx, method, path, body, key=key)
        except ConnectorError as error:
            if error.details.get("status") != status:
                raise
            if made is not None:
                raise made(str(error)) from error
            results = [{"key": one["key"], "id": "r1"} for one in (body or {}).get("items", ())]
            return HttpResponse(200, {}, msgspec.json.encode({"id": "t1", "results": results}), "")

    return type(name, (Shelf,), {"call": call})


CARELESS += [
    (taking("AConflictIsDone", 409), REFUSING),
    (taking("MissingIsDone", 404), REFUSING),
    (taking("GoneIsDone", 410), REFUSING),
    (taking("APreconditionIsDone", 412), REFUSING),
    (taking("TooLargeIsDone", 413), REFUSING),
    (taking("NotPaidIsDone", 402), REFUSING),
    (taking("AConflictIsUnauthorised", 409, Unauthorised), REFUSING),
    (taking("MissingIsUnauthorised", 404, Unauthorised), REFUSING),
    (taking("MissingIsADoubt", 404, Uncertain), REFUSING),
    (taking("AGatewayIsARefusal", 502, Rejected), FAILING),
    (taking("ALateGatewayIsARefusal", 504, Rejected), FAILING),
    (taking("ALateCallIsARefusal", 408, Rejected), FAILING),
]


@caught_by("test_the_pause_of_an_outage_is_kept")
class ForgetsThePause(Shelf):
    def call(self, ctx: Context, method: str, path: str, body: Any = None, *, key: str = "") -> HttpResponse:
        try:
            return super().call(ctx, method, path, body, key=key)
        except Unavailable as error:
            raise Unavailable(str(error)) from error


@caught_by("test_an_error_about_the_account_ends_the_batch")
class GoesOnAfterALimit(Shelf):
    """Meets the same limit with each of the others."""

    def deliver(self, ctx: Context, batch: Sequence[Delivery]) -> list[Outcome]:
        if batch and batch[0].object == "record":
            return super().deliver(ctx, batch)
        return [self.one(ctx, item) for item in batch]

    def one(self, ctx: Context, item: Delivery) -> Outcome:
        try:
            return self.open(ctx, item)
        except ConnectorError as error:
            return Outcome.failed(item, error)


@caught_by(BLAME)
class BlamesANeighbour(Shelf):
    """Gives the error of a refused item to the first that landed."""

    def write(self, ctx: Context, part: Sequence[Delivery]) -> list[Outcome]:
        found = super().write(ctx, part)
        bad = next((place for place, one in enumerate(found) if one.error), None)
        good = next((place for place, one in enumerate(found) if one.ref), None)
        if bad is not None and good is not None:
            ids = found[bad].delivery_id, found[good].delivery_id
            found[bad], found[good] = replace(found[good], delivery_id=ids[0]), replace(found[bad], delivery_id=ids[1])
        return found


@caught_by(BLAME)
class RefusesWithoutAWord(Shelf):
    """Tells that an item was refused, and not why."""

    def outcome(self, item: Delivery, result: Mapping[str, Any] | None) -> Outcome:
        found = super().outcome(item, result)
        return Outcome.failed(item, Rejected()) if isinstance(found.error, Rejected) else found


@caught_by("test_the_vendors_reason_is_told")
class KeepsTheReason(Shelf):
    def call(self, ctx: Context, method: str, path: str, body: Any = None, *, key: str = "") -> HttpResponse:
        try:
            return super().call(ctx, method, path, body, key=key)
        except Rejected as error:
            raise Rejected("the shelf refused it") from error


# --------------------------------------------------------------------------------------- hosts, checks and secrets


@caught_by("test_no_secret_stands_in_an_address")
class TokenInTheAddress(Shelf):
    def call(self, ctx: Context, method: str, path: str, body: Any = None, *, key: str = "") -> HttpResponse:
        token = self.options.token.get_secret_value()
        return super().call(ctx, method, f"{path}?token={token}", body, key=key)


@caught_by("test_declared_hosts_are_names_of_hosts")
class HalfTheWeb(Shelf):
    def egress(self) -> tuple[str, ...]:
        return ("127.0.0.1", "*.com")


@caught_by("test_a_redirect_takes_no_credentials_elsewhere")
class FollowsAnyone(Shelf):
    """Sends a write on to wherever it is told."""

    def call(self, ctx: Context, method: str, path: str, body: Any = None, *, key: str = "") -> HttpResponse:
        token = {"authorization": f"Bearer {self.options.token.get_secret_value()}"}
        content = None if body is None else msgspec.json.encode(body)
        answer = ctx.http.send(
            method, self.options.url + path, headers={**token, "idempotency-key": key}, content=content
        )
        if answer.status == 307:
            return ctx.http.send(method, answer.headers["location"], headers=token, content=content)
        return super().call(ctx, method, path, body, key=key)


@caught_by("test_expired_credentials_are_unauthorised")
class TellsItsTokenByTheCause(Shelf):
    """Its traceback holds what the message does not."""

    def call(self, ctx: Context, method: str, path: str, body: Any = None, *, key: str = "") -> HttpResponse:
        try:
            return super().call(ctx, method, path, body, key=key)
        except ConnectorError as error:
            raise error from RuntimeError(f"sent with {self.options.token.get_secret_value()}")


@caught_by("test_check_of_expired_credentials_is_unauthorised")
class RemembersThatItWasFine(Shelf):
    fine = ""

    def check(self, ctx: Context) -> str:
        self.fine = self.fine or super().check(ctx)
        return self.fine


@caught_by(CHECK)
class AnyAnswerIsFine(Shelf):
    def check(self, ctx: Context) -> str:
        return f"the shelf answers {self.call(ctx, 'GET', '/me').status}"


@caught_by(CHECK)
class FineIfRefused(Shelf):
    def check(self, ctx: Context) -> str:
        with suppress(Rejected):
            return super().check(ctx)
        return "the shelf answers"
