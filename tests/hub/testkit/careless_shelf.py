"""Destinations that do one thing wrong, each a small change of `shelf.ShelfDestination`, and the test that must catch it."""

from __future__ import annotations

import random
import socket
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import msgspec

from hub import (
    ConnectorError,
    Context,
    Delivery,
    FieldInfo,
    HttpResponse,
    Lookup,
    Native,
    ObjectInfo,
    Outcome,
    RateLimited,
    Rejected,
    RemoteRef,
    Retryable,
    Unauthorised,
    Unavailable,
    Uncertain,
    Upsert,
)
from hub.sdk.batches import one_by_one
from hub.sdk.connectors import Idempotency
from tests.hub.testkit.shelf import ShelfDestination as Shelf

CARELESS: list[tuple[type[Shelf], str]] = []
MIDDLE = "test_what_landed_before_a_failure_keeps_its_outcome"
ODD = "test_an_odd_answer_is_no_proof"
GARBLED = "test_an_answer_that_cannot_be_read_leaves_a_doubt_and_no_second_record"
AGAIN = "test_a_redelivery_under_the_same_key_leaves_one_record"
LOST = "test_a_reset_after_the_write_is_uncertain_and_ends_with_one_record"
KNOWN = "test_a_known_record_is_changed_and_not_made_again"
TWICE = "test_two_deliveries_of_one_record_in_a_batch_leave_the_later"
ONE = "test_each_item_gets_one_outcome_and_one_record"
BLIND = "test_a_lookup_that_cannot_look_finds_no_answer"
LOOKUP = "test_lookup_finds_what_was_written_and_only_that"
SECRET = "test_no_secret_is_logged"
HOSTS = "test_only_declared_hosts_are_asked_and_only_through_the_guard"
PARTIAL = "test_a_partial_failure_hits_only_its_item"


def caught_by(*tests: str) -> Any:
    """Note the test that catches a class."""

    def note(cls: type[Shelf]) -> type[Shelf]:
        CARELESS.extend((cls, test) for test in tests)
        return cls

    return note


# ------------------------------------------------------------------------------------------------ one outcome, one record


@caught_by(ONE)
class ForgetsOne(Shelf):
    def deliver(self, ctx: Context, batch: Sequence[Delivery]) -> list[Outcome]:
        return super().deliver(ctx, batch)[1:]


@caught_by(ONE)
class TellsOneTwice(Shelf):
    def deliver(self, ctx: Context, batch: Sequence[Delivery]) -> list[Outcome]:
        found = super().deliver(ctx, batch)
        return [*found, found[0]] if found else []


@caught_by(ONE)
class CountsFromNought(Shelf):
    """Names outcomes by their place."""

    def deliver(self, ctx: Context, batch: Sequence[Delivery]) -> list[Outcome]:
        return [replace(one, delivery_id=place) for place, one in enumerate(super().deliver(ctx, batch))]


@caught_by(ONE)
class NoReference(Shelf):
    def outcome(self, item: Delivery, result: Mapping[str, Any] | None) -> Outcome:
        found = super().outcome(item, result)
        return replace(found, ref=RemoteRef("")) if found.ref else found


@caught_by(ONE)
class OneReferenceForAll(Shelf):
    def outcome(self, item: Delivery, result: Mapping[str, Any] | None) -> Outcome:
        found = super().outcome(item, result)
        return replace(found, ref=RemoteRef("r1")) if found.ref else found


@caught_by(ONE)
class NumberedReference(Shelf):
    """Gives ids as numbers."""

    def outcome(self, item: Delivery, result: Mapping[str, Any] | None) -> Outcome:
        found = super().outcome(item, result)
        return replace(found, ref=RemoteRef(len(item.key))) if found.ref else found  # type: ignore[arg-type]  # careless


@caught_by(ONE)
class AddressIsAScript(Shelf):
    def outcome(self, item: Delivery, result: Mapping[str, Any] | None) -> Outcome:
        found = super().outcome(item, result)
        return replace(found, ref=RemoteRef(found.ref.id, "javascript:alert(1)")) if found.ref else found


@caught_by(ONE)
class ByPlace(Shelf):
    """Takes results for those of the items in the same place, though the vendor has an order of its own."""

    def write(self, ctx: Context, part: Sequence[Delivery]) -> list[Outcome]:
        made = {item.record_key: item for item in part}
        mixed = dict(zip(made, reversed(made), strict=True))
        found = {one.delivery_id: one for one in super().write(ctx, part)}
        return [replace(found[made[mixed[key]].id], delivery_id=item.id) for key, item in made.items()]


CARELESS[-1] = (ByPlace, GARBLED)


@caught_by("test_an_empty_batch_is_no_work")
class AsksForNothing(Shelf):
    def deliver(self, ctx: Context, batch: Sequence[Delivery]) -> list[Outcome]:
        self.call(ctx, "GET", "/me")
        return super().deliver(ctx, batch)


@caught_by("test_a_full_batch_is_written")
class TooMany(Shelf):
    def batch_size_of(self, object_: str, operation: str) -> int:
        return 50


@caught_by(ONE)
class ChangesItsDeliveries(Shelf):
    def write(self, ctx: Context, part: Sequence[Delivery]) -> list[Outcome]:
        for item in part:
            item.fields["sent"] = "yes"  # type: ignore[index]  # careless
        return super().write(ctx, part)


@caught_by("test_what_lands_is_what_was_sent")
class OneTextForAll(Shelf):
    """Writes the first item's words into all."""

    def write(self, ctx: Context, part: Sequence[Delivery]) -> list[Outcome]:
        return super().write(ctx, [msgspec.structs.replace(item, fields=part[0].fields) for item in part])


@caught_by("test_any_text_lands_or_is_rejected_alone")
class AsciiOnly(Shelf):
    def write(self, ctx: Context, part: Sequence[Delivery]) -> list[Outcome]:
        plain = [{k: str(v).encode("ascii", "ignore").decode() for k, v in one.fields.items()} for one in part]
        return super().write(
            ctx, [msgspec.structs.replace(one, fields=fields) for one, fields in zip(part, plain, strict=True)]
        )


@caught_by("test_any_text_lands_or_is_rejected_alone")
class NoNul(Shelf):
    """Lets a whole batch fail for a text."""

    def deliver(self, ctx: Context, batch: Sequence[Delivery]) -> list[Outcome]:
        if any("\0" in str(item.fields.get("text")) for item in batch):
            raise Rejected("a text holds a NUL")
        return super().deliver(ctx, batch)


# ---------------------------------------------------------------------------------------------------- known records


@caught_by(KNOWN, AGAIN)
class AlwaysNew(Shelf):
    """Writes under the delivery's key, which every change of a record has anew."""

    def write(self, ctx: Context, part: Sequence[Delivery]) -> list[Outcome]:
        keyed = [msgspec.structs.replace(item, record_key=f"{item.key}{random.random()}") for item in part]
        return super().write(ctx, keyed)


@caught_by(KNOWN)
class ByDelivery(Shelf):
    """The same delivery again is known, the next one of the record is not."""

    def write(self, ctx: Context, part: Sequence[Delivery]) -> list[Outcome]:
        return super().write(ctx, [msgspec.structs.replace(item, record_key=item.key) for item in part])


@caught_by(KNOWN)
class KnownIsDone(Shelf):
    """Does not write what it knows the reference of."""

    def write(self, ctx: Context, part: Sequence[Delivery]) -> list[Outcome]:
        done = [Outcome.delivered(item, item.ref) for item in part if item.ref]
        return [*done, *super().write(ctx, [item for item in part if not item.ref])]


@caught_by(AGAIN)
class KnowsByItself(Shelf):
    """Remembers in itself what it made, and makes it again after a restart."""

    def __init__(self, options: Any) -> None:
        super().__init__(options)
        self.done: dict[str, Outcome] = {}

    def open(self, ctx: Context, item: Delivery) -> Outcome:
        if item.key not in self.done:
            self.done[item.key] = super().open(ctx, item)
        return self.done[item.key]

    def lookup(self, ctx: Context, delivery: Delivery) -> RemoteRef | None:
        return self.done[delivery.key].ref if delivery.key in self.done else None


@caught_by(TWICE)
class TheFirstWins(Shelf):
    def deliver(self, ctx: Context, batch: Sequence[Delivery]) -> list[Outcome]:
        firsts: dict[str, Delivery] = {}
        for item in batch:
            firsts.setdefault(item.record_key, item)
        found = {one.delivery_id: one for one in super().deliver(ctx, list(firsts.values()))}
        return [replace(found[firsts[item.record_key].id], delivery_id=item.id) for item in batch]


@caught_by(TWICE)
class BothAtOnce(Shelf):
    """Sends two of one record in one call, which the vendor refuses."""

    def deliver(self, ctx: Context, batch: Sequence[Delivery]) -> list[Outcome]:
        return self.write(ctx, batch) if batch and batch[0].object == "record" else super().deliver(ctx, batch)


@caught_by("test_what_is_written_once_is_left_to_people")
class Overwrites(Shelf):
    def write(self, ctx: Context, part: Sequence[Delivery]) -> list[Outcome]:
        return super().write(ctx, [msgspec.structs.replace(item, once=()) for item in part])


@caught_by("test_what_is_written_once_is_left_to_people")
class NeverWritesOnce(Shelf):
    def write(self, ctx: Context, part: Sequence[Delivery]) -> list[Outcome]:
        fewer = [{name: one for name, one in item.fields.items() if name not in item.once} for item in part]
        return super().write(
            ctx, [msgspec.structs.replace(item, fields=fields) for item, fields in zip(part, fewer, strict=True)]
        )


# ---------------------------------------------------------------------------------------------------- what it declares


def declaring(name: str, **kinds: Idempotency) -> type[Shelf]:
    """A destination that declares other classes."""

    def idempotency_of(self: Shelf, object_: str, operation: str) -> Idempotency:
        return kinds.get(object_) or Shelf.idempotency_of(self, object_, operation)

    return type(name, (Shelf,), {"idempotency_of": idempotency_of})


CARELESS += [
    (declaring("TicketsAreUpserts", ticket=Upsert()), AGAIN),
    (declaring("TicketsAreNative", ticket=Native(timedelta(hours=1))), LOST),
    (declaring("AClassForAnInstance", record=Upsert), "test_what_a_destination_declares_makes_sense"),  # type: ignore[arg-type]  # careless
    (declaring("NoWindow", event=Native(timedelta(0))), "test_what_a_destination_declares_makes_sense"),
]


@caught_by("test_what_a_destination_declares_makes_sense")
class UnknownCapability(Shelf):
    capabilities = frozenset({"notes"})


@caught_by("test_a_native_key_is_sent")
class KeepsItsKey(Shelf):
    """Sends no key, and answers for a repeat from its own memory."""

    def open(self, ctx: Context, item: Delivery) -> Outcome:
        return super().open(ctx, msgspec.structs.replace(item, key=f"own-{item.record_key}"))


@caught_by(AGAIN)
class NewKeyEachTime(Shelf):
    def open(self, ctx: Context, item: Delivery) -> Outcome:
        return super().open(ctx, msgspec.structs.replace(item, key=f"{item.key}-{random.random()}"))


@caught_by("test_describe_knows_the_objects_of_the_default_mappings")
class DescribesOthers(Shelf):
    def describe(self, ctx: Context) -> Mapping[str, ObjectInfo]:
        return {"ticket": ObjectInfo("ticket", open_fields=True), "event": ObjectInfo("event", open_fields=True)}


def describing(called: str, field: str, **changes: Any) -> type[Shelf]:
    """A destination that describes a field of a record in another way."""

    def describe(self: Shelf, ctx: Context) -> Mapping[str, ObjectInfo]:
        found = dict(Shelf.describe(self, ctx))
        fields = dict(found["record"].fields)
        fields[field] = replace(fields.get(field, FieldInfo(field)), **changes)
        if changes.get("name") == "":
            del fields[field]
        found["record"] = replace(found["record"], fields=fields)
        return found

    return type(called, (Shelf,), {"describe": describe})


FIT = "test_the_default_mappings_fit_what_is_described"
CARELESS += [
    (describing("FieldIsMissing", "title", name=""), FIT),
    (describing("FieldIsReadOnly", "title", writable=False), FIT),
    (describing("FieldIsANumber", "title", type="integer"), FIT),
    (describing("FieldIsShort", "title", max_length=2), FIT),
    (describing("FieldHasOtherValues", "mood", values=("happy", "sad")), FIT),
    (describing("FieldIsLeftOut", "owner", required=True), FIT),
]


# ------------------------------------------------------------------------------------------------------ what is no proof


@caught_by(ODD)
class AnyAnswerIsProof(Shelf):
    """What a success does not tell of has landed."""

    def outcome(self, item: Delivery, result: Mapping[str, Any] | None) -> Outcome:
        return super().outcome(item, result or {"id": item.record_key})


@caught_by(ODD, GARBLED)
class RefusedWithoutAWord(Shelf):
    """What a success does not tell of is refused."""

    def outcome(self, item: Delivery, result: Mapping[str, Any] | None) -> Outcome:
        return super().outcome(item, result or {"error": "no result"})


@caught_by(ODD)
class ASuccessIsASuccess(Shelf):
    """Takes each 2xx for proof, and its own mark for a reference."""

    def open(self, ctx: Context, item: Delivery) -> Outcome:
        try:
            return super().open(ctx, item)
        except Uncertain as error:
            if "no id" not in str(error):
                raise
            return Outcome.delivered(item, RemoteRef(item.key))


@caught_by(ODD)
class WithoutAReference(Shelf):
    """Takes each 2xx for proof, and gives no reference."""

    def open(self, ctx: Context, item: Delivery) -> Outcome:
        try:
            return super().open(ctx, item)
        except Uncertain as error:
            if "no id" not in str(error):
                raise
            return Outcome.delivered(item)


@caught_by(ODD, "test_a_failing_answer_after_the_write_ends_with_one_record")
class NoIdIsAnOutage(Shelf):
    """Opens a ticket once more where the answer could not be read."""

    def open(self, ctx: Context, item: Delivery) -> Outcome:
        try:
            return super().open(ctx, item)
        except Uncertain as error:
            raise Unavailable(str(error)) from error


@caught_by(ODD)
class FollowsNothing(Shelf):
    """Takes a redirect for a success."""

    def call(self, ctx: Context, method: str, path: str, body: Any = None, *, key: str = "") -> HttpResponse:
        try:
            return super().call(ctx, method, path, body, key=key)
        except Uncertain as error:
            if "302" not in str(error):
                raise
            results = [{"key": one["key"], "id": "1"} for one in (body or {}).get("items", ())]
            return HttpResponse(200, {}, msgspec.json.encode({"id": "1", "results": results}), "")


@caught_by(ODD)
class Trusting(Shelf):
    """Reads an answer as if it were as it should be; `one_by_one` makes a doubt of the bug where there is no object."""

    def named(self, answer: HttpResponse, name: str) -> str:
        return str(answer.json()[name])


@caught_by(GARBLED)
class ShortIsFine(Shelf):
    """What a batch's answer leaves out gets the reference of the item before."""

    def write(self, ctx: Context, part: Sequence[Delivery]) -> list[Outcome]:
        found = super().write(ctx, part)
        known = [one.ref for one in found if one.ref]
        return [replace(one, ref=known[-1], error=None) if one.error and known else one for one in found]


@caught_by("test_no_garbled_answer_lets_a_bug_out")
class TrustsItsFields(Shelf):
    def describe(self, ctx: Context) -> Mapping[str, ObjectInfo]:
        fields = self.call(ctx, "GET", "/fields").json()
        return {name: ObjectInfo(name, {one: FieldInfo(one) for one in of}) for name, of in fields.items()}


# ------------------------------------------------------------------------------------------------------ what is refused


def misnaming(name: str, made: type[ConnectorError], *of: type[ConnectorError]) -> type[Shelf]:
    """A destination that calls these errors by another name."""

    def call(self: Shelf, ctx: Context, method: str, path: str, body: Any = None, *, key: str = "") -> HttpResponse:
        try:
            return Shelf.call(self, ctx, method, path, body, key=key)
        except of as error:
            if type(error) not in of:
                raise
            raise made(str(error)) from error

    return type(name, (Shelf,), {"call": call})


EXPIRED, FAILING = "test_expired_credentials_are_unauthorised", "test_a_failing_server_may_be_asked_again"
LIMITED, DEAD = "test_too_many_requests_are_told_as_such", "test_a_refused_record_is_a_dead_letter_with_its_reason"
CARELESS += [
    (misnaming("CallsA401AnOutage", Unavailable, Unauthorised), EXPIRED),
    (misnaming("CallsA401ARefusal", Rejected, Unauthorised), EXPIRED),
    (misnaming("CallsA429AnOutage", Unavailable, RateLimited), LIMITED),
    (misnaming("CallsA429ARefusal", Rejected, RateLimited), LIMITED),
    (misnaming("CallsAnOutageARefusal", Rejected, Unavailable), FAILING),
    (misnaming("CallsAnOutageUnauthorised", Unauthorised, Unavailable), FAILING),
    (misnaming("CallsARefusalAnOutage", Unavailable, Rejected), DEAD),
    (misnaming("CallsADoubtAnOutage", Unavailable, Uncertain), LOST),
    (misnaming("CallsADoubtARefusal", Rejected, Uncertain), LOST),
    (misnaming("ForgetsHowLong", RateLimited, RateLimited), "test_retry_after_is_kept"),
    (misnaming("DoubtsA403", Uncertain, Rejected), "test_a_forbidden_write_is_not_delivered"),
]


@caught_by("test_retry_after_is_kept")
class SecondsOnly(Shelf):
    """Reads Retry-After as a number."""

    def call(self, ctx: Context, method: str, path: str, body: Any = None, *, key: str = "") -> HttpResponse:
        try:
            return super().call(ctx, method, path, body, key=key)
        except RateLimited as error:
            seconds = ctx.http.send(method, self.options.url + path).headers.get("retry-after", "")
            raise RateLimited(str(error), retry_after=float(seconds) if seconds.isdigit() else 1.0) from error


@caught_by("test_retry_after_is_kept")
class SleepsThroughIt(Shelf):
    def call(self, ctx: Context, method: str, path: str, body: Any = None, *, key: str = "") -> HttpResponse:
        try:
            return super().call(ctx, method, path, body, key=key)
        except RateLimited as error:
            time.sleep(error.retry_after or 0)
            raise


@caught_by(EXPIRED, "test_a_stalled_server_does_not_hold_us")
class AgainAndAgain(Shelf):
    def call(self, ctx: Context, method: str, path: str, body: Any = None, *, key: str = "") -> HttpResponse:
        for _ in range(30):
            with suppress(ConnectorError):
                return super().call(ctx, method, path, body, key=key)
        return super().call(ctx, method, path, body, key=key)


@caught_by(MIDDLE)
class AllOrNothing(Shelf):
    """Lets an error out that befell one call of several."""

    def deliver(self, ctx: Context, batch: Sequence[Delivery]) -> list[Outcome]:
        if batch and batch[0].object != "record":
            return [self.open(ctx, item) for item in batch]
        return super().deliver(ctx, batch)


@caught_by(MIDDLE)
class OneFailsAll(Shelf):
    """Where one item fails, all are told to have failed."""

    def deliver(self, ctx: Context, batch: Sequence[Delivery]) -> list[Outcome]:
        found = super().deliver(ctx, batch)
        error = next((one.error for one in found if one.error), None)
        return [Outcome.failed(item, error) for item in batch] if error else found


@caught_by(PARTIAL)
class OneBadFailsAll(OneFailsAll):
    """The same, seen with a bad record."""


@caught_by(PARTIAL)
class OneBadIsForgotten(Shelf):
    """Tells a refused item of a batch as delivered."""

    def outcome(self, item: Delivery, result: Mapping[str, Any] | None) -> Outcome:
        return super().outcome(
            item, {**(result or {}), "error": None, "id": (result or {}).get("id") or item.record_key}
        )


@caught_by(PARTIAL)
class OneBadIsUnauthorised(Shelf):
    """Takes a refused record for refused credentials."""

    def outcome(self, item: Delivery, result: Mapping[str, Any] | None) -> Outcome:
        found = super().outcome(item, result)
        return Outcome.failed(item, Unauthorised("refused")) if isinstance(found.error, Rejected) else found


@caught_by(MIDDLE)
class OnAfterALimit(Shelf):
    """Takes the limit of one call for the refusal of the items after it."""

    def deliver(self, ctx: Context, batch: Sequence[Delivery]) -> list[Outcome]:
        found = super().deliver(ctx, batch)
        return [
            replace(one, error=Rejected("too late")) if isinstance(one.error, RateLimited) else one for one in found
        ]


# ------------------------------------------------------------------------------------------------------------- doubts


@caught_by(LOST)
class SendsAgainByItself(Shelf):
    """Tries once more in silence where no answer came."""

    def call(self, ctx: Context, method: str, path: str, body: Any = None, *, key: str = "") -> HttpResponse:
        with suppress(Uncertain):
            return super().call(ctx, method, path, body, key=key)
        return super().call(ctx, method, path, body, key=key)


@caught_by(BLIND, LOOKUP)
class FindsNothing(Shelf):
    def lookup(self, ctx: Context, delivery: Delivery) -> RemoteRef | None:
        return None


CARELESS.remove((FindsNothing, BLIND))


@caught_by(BLIND)
class NotThereInAnOutage(Shelf):
    """Finds nothing where it could not look."""

    def lookup(self, ctx: Context, delivery: Delivery) -> RemoteRef | None:
        with suppress(Retryable):
            return super().lookup(ctx, delivery)
        return None


@caught_by(BLIND)
class NotThereIfRefused(Shelf):
    def lookup(self, ctx: Context, delivery: Delivery) -> RemoteRef | None:
        with suppress(Rejected, Unauthorised):
            return super().lookup(ctx, delivery)
        return None


@caught_by(BLIND)
class NotThereIfOdd(Shelf):
    def lookup(self, ctx: Context, delivery: Delivery) -> RemoteRef | None:
        found = self.call(ctx, "GET", f"/marks/{delivery.key}").json()
        return RemoteRef(found["found"][0]) if isinstance(found, dict) and found.get("found") else None


@caught_by(LOOKUP)
class FindsAnything(Shelf):
    """Takes any ticket for the one that was lost."""

    def lookup(self, ctx: Context, delivery: Delivery) -> RemoteRef | None:
        return super().lookup(ctx, delivery) or RemoteRef("t1")


@caught_by(LOOKUP)
class FindsTheLast(Shelf):
    """Gives the last that was written for each."""

    last: RemoteRef | None = None

    def open(self, ctx: Context, item: Delivery) -> Outcome:
        found = super().open(ctx, item)
        type(self).last = found.ref
        return found

    def lookup(self, ctx: Context, delivery: Delivery) -> RemoteRef | None:
        found = super().lookup(ctx, delivery)
        return self.last if found else None


@caught_by(LOOKUP)
class LooksByWriting(Shelf):
    def lookup(self, ctx: Context, delivery: Delivery) -> RemoteRef | None:
        found = super().lookup(ctx, delivery)
        return found or self.open(ctx, delivery).ref


# ------------------------------------------------------------------------------------------- hosts, checks and secrets


@caught_by(HOSTS)
class Everywhere(Shelf):
    def egress(self) -> tuple[str, ...]:
        return ("*",)


@caught_by(HOSTS)
class AsksAnother(Shelf):
    def deliver(self, ctx: Context, batch: Sequence[Delivery]) -> list[Outcome]:
        with suppress(ConnectorError):
            ctx.http.send("GET", "https://stats.example/sent")
        return super().deliver(ctx, batch)


@caught_by(HOSTS)
class OwnSocket(Shelf):
    def deliver(self, ctx: Context, batch: Sequence[Delivery]) -> list[Outcome]:
        parts = urlsplit(self.options.url)
        socket.create_connection((parts.hostname, parts.port)).close()  # type: ignore[arg-type]  # it has both
        return super().deliver(ctx, batch)


@caught_by("test_declared_hosts_are_names_of_hosts")
class AddressForAHost(Shelf):
    def egress(self) -> tuple[str, ...]:
        return (self.options.url,)


@caught_by(SECRET)
class LogsItsToken(Shelf):
    def call(self, ctx: Context, method: str, path: str, body: Any = None, *, key: str = "") -> HttpResponse:
        ctx.log.info("calling %s with %s", path, self.options.token.get_secret_value())
        return super().call(ctx, method, path, body, key=key)


@caught_by(EXPIRED)
class ErrsWithItsToken(Shelf):
    def call(self, ctx: Context, method: str, path: str, body: Any = None, *, key: str = "") -> HttpResponse:
        try:
            return super().call(ctx, method, path, body, key=key)
        except ConnectorError as error:
            error.details["token"] = self.options.token.get_secret_value()
            raise


@caught_by(ONE)
class AnswersWithItsToken(Shelf):
    """Keeps its token in what the attempt's record shows."""

    def deliver(self, ctx: Context, batch: Sequence[Delivery]) -> list[Outcome]:
        told = {"authorization": self.options.token.get_secret_value()}
        return [replace(one, response=told) for one in super().deliver(ctx, batch)]


@caught_by("test_no_secret_is_shown_by_the_connector_itself")
class ShowsItsToken(Shelf):
    def __repr__(self) -> str:
        return f"Shelf({self.options.token.get_secret_value()})"


@caught_by("test_check_of_expired_credentials_is_unauthorised")
class AlwaysFine(Shelf):
    def check(self, ctx: Context) -> str:
        return "fine"


@caught_by("test_check_tells_an_outage")
class FineInAnOutage(Shelf):
    def check(self, ctx: Context) -> str:
        with suppress(Unavailable):
            return super().check(ctx)
        return "we are somebody"


@caught_by("test_check_says_who_we_are")
class ChecksByWriting(Shelf):
    def check(self, ctx: Context) -> str:
        self.call(ctx, "POST", "/events", {"fields": {"text": "check"}, "mark": "check"})
        return super().check(ctx)


@caught_by(DEAD)
class GivesNoReason(Shelf):
    """Ends in an exception of another kind where a record is refused."""

    def call(self, ctx: Context, method: str, path: str, body: Any = None, *, key: str = "") -> HttpResponse:
        try:
            return super().call(ctx, method, path, body, key=key)
        except Rejected as error:
            raise ValueError(str(error)) from error


@caught_by(PARTIAL)
class StopsAtTheFirst(Shelf):
    """Leaves a batch at its first refused item, and gives the others up."""

    def deliver(self, ctx: Context, batch: Sequence[Delivery]) -> list[Outcome]:
        if batch and batch[0].object == "record":
            return super().deliver(ctx, batch)
        found = one_by_one(batch, lambda item: self.open(ctx, item))
        bad = next((place for place, one in enumerate(found) if one.error), len(found))
        return [*found[:bad], *(Outcome.failed(item, Rejected("given up")) for item in batch[bad:])]


@caught_by(LOOKUP)
class LooksByLag(Shelf):
    """Says that what was written is found at once, and looks where it is not yet."""

    def idempotency_of(self, object_: str, operation: str) -> Idempotency:
        return Lookup(timedelta(0)) if object_ == "ticket" else super().idempotency_of(object_, operation)

    def lookup(self, ctx: Context, delivery: Delivery) -> RemoteRef | None:
        sent = delivery.first_sent_at
        return super().lookup(ctx, delivery) if sent and (ctx.now() - sent).total_seconds() > 5 else None
