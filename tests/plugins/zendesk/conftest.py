"""A Zendesk destination in front of its sandbox, and deliveries to send."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from hub import Delivery, Outcome, RemoteRef
from hub.sdk.http import open_guard
from hub.testkit.fakes import FakeClock, MemoryState, context
from hub.testkit.sandbox import SandboxOptions, serve
from plugins.zendesk.config import ZendeskOptions
from plugins.zendesk.destination import ZendeskDestination
from plugins.zendesk.sandbox import build

REQUESTER = {"external_id": "mastodon:ABC", "name": "Ann"}
TICKET = {
    "subject": "Ann on Mastodon",
    "comment": {"body": "it broke"},
    "tags": "hubbub mastodon",
    "requester": REQUESTER,
}


def delivery(number: int, operation: str = "upsert", **changes: Any) -> Delivery:
    """A delivery, with fields where the operation is one of the three that mappings make."""
    object_ = "social_signal" if operation == "upsert" else "ticket"
    fields = {"upsert": {"name": f"Signal {number}", "text": "it broke"}, "create": TICKET}
    fields["comment"] = {"comment": {"body": f"word {number}"}, "requester": REQUESTER}
    given: dict[str, Any] = {
        "id": number,
        "destination": "zendesk",
        "object": object_,
        "record_key": f"mastodon:k{number}",
        "operation": operation,
        "seq": 1,
        "key": f"delivery{number}",
        "fields": fields.get(operation, {}),
        "parents": {"conversation": RemoteRef("1")} if operation == "comment" else {},
    }
    return Delivery(**{**given, **changes})


class Stand:
    """A destination, its sandbox over real HTTP, a clock for both."""

    def __init__(self, stack: ExitStack, extra: dict[str, Any], options: dict[str, Any]) -> None:
        self.clock, self.state = FakeClock(), MemoryState()
        self.sandbox = build(SandboxOptions(clock=self.clock, extra=extra))
        self.url = stack.enter_context(serve(self.sandbox)).url
        self.guard = stack.enter_context(open_guard(allow_private=True))
        settings = {"subdomain": "acme", "token": self.sandbox.options.token, "base_url": self.url, **options}
        self.destination = ZendeskDestination(ZendeskOptions(**settings), pause=self.clock.sleep)
        self.ctx = context(self.guard, clock=self.clock, state=self.state)

    def deliver(self, *batch: Delivery) -> list[Outcome]:
        """Deliver and give the outcomes in the order of the batch."""
        outcomes = {one.delivery_id: one for one in self.destination.deliver(self.ctx, batch)}
        return [outcomes[one.id] for one in batch]

    def calls(self, method: str, path: str) -> int:
        """How many calls of a method had this in their path."""
        return sum(call.method == method and path in call.path for call in self.sandbox.journal.calls)

    def authors(self) -> int:
        """How many users are no agents."""
        return sum(user["role"] == "end-user" for _, user in self.sandbox.store.all("user"))

    def close_ticket(self, id_: str) -> None:
        """What Zendesk does to a solved ticket after some days."""
        self.sandbox.store.update("ticket", id_, {"status": "closed"})


MakeStand = Callable[..., Stand]


@pytest.fixture
def make_stand() -> Iterator[MakeStand]:
    """Make a stand with the sandbox's `extra` settings and options of the destination."""
    with ExitStack() as stack:
        yield lambda extra=None, **options: Stand(stack, extra or {}, options)


@pytest.fixture
def stand(make_stand: MakeStand) -> Stand:
    """A stand as it comes."""
    return make_stand()
