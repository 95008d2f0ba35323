"""The contracts of desks and of the way back pass a well-made destination and catch each kind of careless one."""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import pytest

from hub import Change, ConnectorError, Context, Delivery, Outcome, Rejected, RemoteRef, Request, TranslationError
from hub.sdk.connectors import Idempotency, Upsert
from hub.testkit.contracts import ReturnsContract, Sample, Stage
from hub.testkit.contracts.returns import Said, Told
from tests.hub.testkit import shelf_returns
from tests.hub.testkit import test_destination_contract as plain
from tests.hub.testkit.shelf_returns import ReturningShelf as Shelf
from tests.hub.testkit.trial import assert_caught

SECRET = "the-secret-of-the-shelf"


class TestReturningShelf(ReturnsContract):
    """The whole suite over a good desk."""

    destination = Shelf
    samples: Sequence[Sample] = plain.TestShelf.samples  # type: ignore[misc]  # the same kinds of writes
    note_write: ClassVar[Mapping[str, str]] = {"path": "/notes$"}
    tolerance = None
    told = (
        Told(
            "an answer", b'{"event":"1","ticket":"t1","text":"We are on it","by":"kim"}', (("reply", "We are on it"),)
        ),
        Told(
            "a word among agents",
            b'{"event":"2","ticket":"t1","text":"Ugh","by":"kim","private":true}',
            (("note", "Ugh"),),
        ),
    )

    @classmethod
    def options(cls, url: str) -> Mapping[str, Any]:
        return {"url": url, "webhook_secret": SECRET}

    @classmethod
    def readme(cls) -> Path:
        return Path(shelf_returns.__file__)

    def prepare(self, stage: Stage, sample: Sample) -> Mapping[str, RemoteRef]:
        return {"conversation": self.ticket(stage)} if sample.operation == "comment" else {}

    def sign(self, body: bytes, at: datetime, key: str | None = None) -> Request:
        own = SECRET if key is None else key
        mac = hmac.new(own.encode(), body, "sha256").hexdigest()
        return Request("POST", "https://hub.example/in/shelf", {"x-mac": mac}, body, at)

    def ticket(self, stage: Stage, number: int = 1) -> RemoteRef:
        fields = plain.said(900 + number)
        opened = Delivery(900 + number, "shelf", "ticket", f"mastodon:{number}", "create", 1, f"open{number}", fields)
        (outcome,) = stage.destination.deliver(stage.ctx, [opened])
        assert outcome.ref
        return outcome.ref

    def said(self, stage: Stage, ticket: RemoteRef) -> Sequence[Said]:
        assert isinstance(stage.sandbox, shelf_returns.ReturningSandbox)
        return [Said(fields["text"], public) for fields, public in stage.sandbox.said(ticket.id)]

    def words(self, sample: Sample, number: int) -> Sequence[str]:
        return [f"it broke {number} times"]


class WrongTicket(Shelf):
    def path(self, item: Delivery) -> str:
        return super().path(item).replace("/t2/", "/t1/")


class OpensATicket(Shelf):
    def path(self, item: Delivery) -> str:
        return super().path(item) if item.parents or item.operation == "create" else "/tickets"


class Overtakes(Shelf):
    def line_of(self, item: Delivery) -> str:
        return item.key


class TellsEveryone(Shelf):
    """Writes notes where the customer reads them."""

    def path(self, item: Delivery) -> str:
        return super().path(item).replace("/notes", "/comments")


class NotesAreUpserts(Shelf):
    def idempotency_of(self, object_: str, operation: str) -> Idempotency:
        return Upsert() if operation == "note" else super().idempotency_of(object_, operation)


class NotesGoNowhere(Shelf):
    """Takes a note without a ticket for done."""

    def open(self, ctx: Context, item: Delivery) -> Outcome:
        with suppress(Rejected):
            return super().open(ctx, item)
        return Outcome.delivered(item)


class LeavesComments(Shelf):
    """Empties nothing but records."""

    def erase(self, ctx: Context, item: Delivery) -> Outcome:
        return super().erase(ctx, item) if item.object == "record" else Outcome.delivered(item, item.ref)


class ErasesByWriting(Shelf):
    """Writes a record that says that another is gone."""

    def erase(self, ctx: Context, item: Delivery) -> Outcome:
        found = super().erase(ctx, item)
        self.call(ctx, "POST", "/events", {"fields": {"text": "gone"}, "mark": item.key})
        return found


class EmptiesByKey(Shelf):
    """Writes an empty record by its key, which makes it where there was none."""

    def erase(self, ctx: Context, item: Delivery) -> Outcome:
        if item.object != "record":
            return super().erase(ctx, item)
        empty = msgspec.structs.replace(item, fields={"text": "", "title": ""}, once=())
        return self.write(ctx, [empty])[0]


class ErasesTooMuch(Shelf):
    def erase(self, ctx: Context, item: Delivery) -> Outcome:
        for number in range(1, 6):
            self.call(ctx, "POST", f"/erase/{(item.ref or RemoteRef('')).id[:1]}{number}", {})
        return super().erase(ctx, item)


class TakesAnOutageForDone(Shelf):
    def erase(self, ctx: Context, item: Delivery) -> Outcome:
        with suppress(ConnectorError):
            return super().erase(ctx, item)
        return Outcome.delivered(item, item.ref)


class ErasesTheFirst(Shelf):
    """Tells of a whole batch what it did to its first."""

    def deliver(self, ctx: Context, batch: Sequence[Delivery]) -> list[Outcome]:
        if not batch or batch[0].operation != "tombstone":
            return super().deliver(ctx, batch)
        first = super().deliver(ctx, batch[:1])
        return [*first, *(Outcome.delivered(item, item.ref) for item in batch[1:])]


class TakesARefusalForDone(Shelf):
    def erase(self, ctx: Context, item: Delivery) -> Outcome:
        with suppress(Rejected):
            return super().erase(ctx, item)
        return Outcome.delivered(item, item.ref)


class ErasesOnce(Shelf):
    """Refuses what is gone already."""

    def erase(self, ctx: Context, item: Delivery) -> Outcome:
        if ctx.state.get(item.key):
            raise Rejected("gone")
        ctx.state.set(item.key, True)
        return super().erase(ctx, item)


class PrivateIsPublic(Shelf):
    def parse(self, body: bytes) -> list[Change]:
        return [msgspec.structs.replace(one, kind="reply") for one in super().parse(body)]


class OneEvent(Shelf):
    def parse(self, body: bytes) -> list[Change]:
        return [msgspec.structs.replace(one, event_id="event") for one in super().parse(body)]


class NoRecord(Shelf):
    def parse(self, body: bytes) -> list[Change]:
        return [msgspec.structs.replace(one, remote_id="") for one in super().parse(body)]


class NoActor(Shelf):
    def parse(self, body: bytes) -> list[Change]:
        return [msgspec.structs.replace(one, actor_id="") for one in super().parse(body)]


class NumbersItsEvents(Shelf):
    """Calls an event by the moment at which it came."""

    def event_id(self, request: Request) -> str:
        return request.received_at.isoformat()


class Trusting(Shelf):
    def parse(self, body: bytes) -> list[Change]:
        told = json.loads(body)
        kind = "note" if told.get("private") else "reply"
        return [Change(kind, "ticket", told["ticket"], told["event"], text=told["text"])]


class SilentlyNothing(Shelf):
    def parse(self, body: bytes) -> list[Change]:
        with suppress(TranslationError):
            return super().parse(body)[:0]
        return []


class OpenDoor(Shelf):
    def verify(self, request: Request) -> bool:
        return True


class OpenWithoutASecret(Shelf):
    def verify(self, request: Request) -> bool:
        return self.options.webhook_secret is None or super().verify(request)  # type: ignore[attr-defined]  # it has one


class EmptyKey(Shelf):
    def is_signed(self, secret: str, request: Request) -> bool:
        wanted = hmac.new(secret.encode(), request.body, "sha256").hexdigest()
        return hmac.compare_digest(wanted, request.headers.get("x-mac", "").encode("ascii", "ignore").decode())


class NoAnswer(Shelf):
    def acknowledge(self, request: Request) -> tuple[str, bytes]:
        return "", b""


class NoOne(Shelf):
    def whoami(self, ctx: Context) -> str:
        return ""


GONE = "test_after_a_tombstone_no_word_is_left"
CARELESS = [
    (WrongTicket, "test_a_comment_stands_in_its_own_ticket_and_in_public"),
    (WrongTicket, "test_a_note_stands_in_its_own_ticket"),
    (OpensATicket, "test_a_comment_without_a_ticket_is_rejected"),
    (Overtakes, "test_comments_of_a_ticket_keep_their_order"),
    (TellsEveryone, "test_a_note_is_for_agents_only"),
    (NotesAreUpserts, "test_a_note_that_is_sent_again_stands_once"),
    (NotesAreUpserts, "test_a_note_whose_answer_was_lost_stands_once"),
    (NotesGoNowhere, "test_a_note_without_a_ticket_is_rejected"),
    (LeavesComments, GONE),
    (ErasesTooMuch, GONE),
    (EmptiesByKey, "test_a_tombstone_makes_no_record"),
    (ErasesByWriting, "test_a_tombstone_makes_no_record"),
    (TakesAnOutageForDone, "test_a_tombstone_that_met_a_broken_server_is_done_later"),
    (ErasesTheFirst, "test_each_tombstone_of_a_batch_is_done"),
    (TakesARefusalForDone, "test_a_tombstone_that_was_refused_is_not_done"),
    (ErasesOnce, "test_a_tombstone_that_is_sent_again_is_delivered"),
    (PrivateIsPublic, "test_bodies_say_what_they_say"),
    (SilentlyNothing, "test_bodies_say_what_they_say"),
    (OneEvent, "test_changes_name_their_record_and_their_event"),
    (NoRecord, "test_changes_name_their_record_and_their_event"),
    (NoActor, "test_each_change_says_who_did_it"),
    (NumbersItsEvents, "test_a_request_that_comes_again_is_the_same_event"),
    (Trusting, "test_a_hostile_body_ends_in_a_translation_error_or_in_changes"),
    (OpenDoor, "test_a_request_that_was_changed_is_not_genuine"),
    (OpenWithoutASecret, "test_without_a_secret_nothing_is_genuine"),
    (EmptyKey, "test_an_empty_key_opens_nothing"),
    (NoAnswer, "test_a_stored_request_is_acknowledged"),
    (NoOne, "test_we_know_who_we_are_there"),
]


@pytest.mark.long
@pytest.mark.parametrize(("cls", "test"), CARELESS, ids=[f"{cls.__name__} {test}" for cls, test in CARELESS])
def test_a_careless_desk_is_caught(cls: type[Shelf], test: str) -> None:
    assert_caught(type(cls.__name__, (TestReturningShelf,), {"destination": cls}), test)


def test_what_a_destination_cannot_is_left_out() -> None:
    plain = type("Plain", (Shelf,), {"capabilities": frozenset({"note"})})
    suite = type("Suite", (TestReturningShelf,), {"destination": plain})
    assert suite.test_a_signed_request_is_genuine is None
    assert suite.test_after_a_tombstone_no_word_is_left is None
    assert suite.test_a_note_is_for_agents_only is not None
