"""The contract of a destination that also goes the way back: inbound changes, notes for agents, tombstones.

Subclass it in the place of `DestinationContract`: it is that, and more. What a destination has no capability for is not
tested.

class TestDeskContract(ReturnsContract):
    destination = DeskDestination
    samples = (Sample("ticket", "create", ticket), Sample("ticket", "comment", comment))
    told = (Told("a public answer", b'{"reply": "hello"}', (("reply", "hello"),)),)

    @classmethod
    def options(cls, url): return {"base_url": url, "token": "sandbox-token", "webhook_secret": "s"}

    def sign(self, body, at): return Request("POST", "https://hub.example/in/desk", {"x-mac": mac(body)}, body, at)
    def ticket(self, stage): ...         # a record that notes can be added to
    def said(self, stage, ticket): ...   # what stands in it, in the sandbox
    def words(self, sample, number): ... # what must be gone after the tombstone of record `number`
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, ClassVar

import pytest

from hub.core.errors import ConnectorError, TranslationError
from hub.core.model import Change, Unread
from hub.sdk.connectors import Destination, Request
from hub.testkit.contracts.desk import NOTE, DeskContract, Said
from hub.testkit.contracts.hostile import PAYLOADS, mutations
from hub.testkit.contracts.means.optional import asks
from hub.testkit.contracts.means.witness import impurities
from hub.testkit.contracts.signatures import SignaturesContract
from hub.testkit.fakes import START, FakeClock

__all__ = ["NOTE", "ReturnsContract", "Said", "Told", "asks", "read"]


@dataclass(frozen=True)
class Told:
    """A body that the vendor sends, and what it says: the kind of each change with its text or value."""

    name: str
    body: bytes
    changes: tuple[tuple[str, Any], ...] = ()


class ReturnsContract(SignaturesContract, DeskContract):
    """Subclass it with what `DestinationContract` wants, and the parts that its capabilities call for.

    `secrets` names the options that verify a call; `nameless` the bodies in `told` that say of no one who did it.
    """

    told: ClassVar[Sequence[Told]] = ()
    secrets: ClassVar[frozenset[str]] = frozenset({"webhook_secret"})
    nameless: ClassVar[frozenset[str]] = frozenset()

    # ---------------------------------------------------------------------------------------------------------- inbound

    def verifier(self, key: str | None) -> Any:
        """Return the destination's `verify`, with this key in place of its own."""
        given = self.given_options()
        if key is not None:
            given |= dict.fromkeys(self.secrets & set(self.destination.Options.model_fields), key)
        return self.make(self.destination.Options.model_validate(given), FakeClock()).verify

    def wrong_key(self) -> str:
        """Return another key of the form of the one in `options`."""
        own = next((str(value) for name, value in self.given_options().items() if name in self.secrets), "")
        middle = len(own) // 2
        return own[:middle] + ("b" if own[middle] == "a" else "a") + own[middle + 1 :] if own else super().wrong_key()

    def event_id(self, request: Request) -> str:
        """Return the vendor's own id of the event."""
        return self._inbound().event_id(request)

    @asks("inbound")
    def test_without_a_secret_nothing_is_genuine(self) -> None:
        """An admin who has not set it has opened no door."""
        given = {name: value for name, value in self.given_options().items() if name not in self.secrets}
        try:
            bare = self.destination.Options.model_validate(given)
        except ValueError:
            return  # it cannot be without
        assert not self.make(bare, FakeClock()).verify(self.sign(b"{}", START)), "without a secret any call is taken"

    @asks("inbound")
    def test_bodies_say_what_they_say(self) -> None:
        """Kinds, texts and values; a private word is never a reply."""
        destination = self._inbound()
        assert self.told, "show bodies that this vendor sends"
        found = {one.name: [(c.kind, c.text or c.value) for c in read(destination, one.body)] for one in self.told}
        assert found == {one.name: list(one.changes) for one in self.told}

    @asks("inbound")
    def test_changes_name_their_record_and_their_event(self) -> None:
        """The same each time, and no two alike: the hub handles each once."""
        destination = self._inbound()
        changes = [change for one in self.told for change in read(destination, one.body)]
        again = [change for one in self.told for change in read(destination, one.body)]
        assert changes == again
        assert all(change.remote_id and change.event_id for change in changes)
        assert len({change.event_id for change in changes}) == len(changes)
        assert not impurities(lambda: [destination.parse(one.body) for one in self.told]), (
            "parse asks something of the world"
        )
        assert all(change.at is None or change.at.tzinfo is not None for change in changes)

    @asks("inbound")
    def test_each_change_says_who_did_it(self) -> None:
        """By the id that `whoami` gives for us: else what we write comes back as an agent's, and is posted or written again."""
        destination = self._inbound()
        for one in self.told:
            lost = [change.kind for change in read(destination, one.body) if not change.actor_id and not change.ours]
            assert not lost or one.name in self.nameless, (
                f"{one.name}: no one is named for {lost}: give actor_id, or put its name in `nameless` if the body tells none"
            )

    @asks("inbound")
    def test_a_request_that_comes_again_is_the_same_event(self) -> None:
        """An hour later, with another id of its way: each event is stored once by its id."""
        request = self.sign(b"{}", START)
        later = replace(request, received_at=START + timedelta(hours=1))
        assert self.event_id(later) == self.event_id(request), (
            "the id of an event changes with the time: it would count twice"
        )

    @asks("inbound")
    def test_a_hostile_body_ends_in_a_translation_error_or_in_changes(self) -> None:
        """Nothing else escapes, however the body is broken."""
        destination = self._inbound()
        for name, body in (*PAYLOADS, *(case for one in self.told for case in mutations(one.body))):
            try:
                found = destination.parse(body)
            except TranslationError:
                continue
            for one in found:
                if isinstance(one, Unread):  # kept by itself, where it fails by itself
                    with pytest.raises(TranslationError):
                        destination.parse(one.payload)
                else:
                    assert isinstance(one, Change), name
                    assert one.remote_id, name

    @asks("inbound")
    def test_a_stored_request_is_acknowledged(self) -> None:
        """With a content type and bytes."""
        kind, body = self._inbound().acknowledge(self.sign(b"{}", START))
        assert kind
        assert isinstance(body, bytes)

    @asks("inbound", "changes")
    def test_we_know_who_we_are_there(self) -> None:
        """So that what we do ourselves is no change when it comes back."""
        with self.play() as stage:
            assert stage.destination.whoami(stage.ctx)

    @asks("changes")
    def test_an_outage_is_no_silence(self) -> None:
        """A poll of changes that failed is told: nothing has changed is another answer."""
        with self.play() as stage:
            stage.sandbox.faults.set([{"status": 503, "body": "<h1>Bad Gateway</h1>"}])
            with pytest.raises(ConnectorError):
                list(stage.destination.changes(stage.ctx, None))

    # ---------------------------------------------------------------------------------------------------------- details

    def _inbound(self) -> Destination[Any]:
        return self.make(self.destination.Options.model_validate(self.given_options()), FakeClock())


def read(destination: Destination[Any], body: bytes) -> list[Change]:
    """Return the changes in a body that can be read as a whole."""
    found = [*destination.parse(body)]
    assert not [one for one in found if isinstance(one, Unread)]
    return [one for one in found if isinstance(one, Change)]
