"""A Request Tracker destination in front of its sandbox, deliveries to send, and an agent at the desk."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from hub import Change, ChangePage, Delivery, Outcome, RawItem, RemoteRef
from hub.flow.decide.batch import process
from hub.flow.deliver.send import deliver
from hub.flow.intake.changes import poll_changes
from hub.queue.inprocess import InProcessBell
from hub.runtime import Hub, open_hub
from hub.sdk.http import open_guard
from hub.testkit.fakes import FakeClock, MemoryState, context
from hub.testkit.sandbox import SandboxOptions, serve
from plugins.requesttracker.config import RequestTrackerOptions
from plugins.requesttracker.destination import RequestTrackerDestination
from plugins.requesttracker.sandbox import build
from tests.watched import WatchedRegistry

ANN = {"Name": "mastodon:ann", "RealName": "Ann (ann@example.social)", "Comments": "https://example.social/@ann"}
TICKET = {"Subject": "Ann on Mastodon: it broke", "Content": "it broke", "Requestor": ANN, "Priority": "100"}
AGENT = {"Authorization": "Basic YWdlbnQ6YWdlbnQ=", "Content-Type": "application/json"}
CUSTOMER = {**AGENT, "Authorization": "Basic Y3VzdG9tZXI6Y3VzdG9tZXI="}
TOKEN = "1-22-sandbox-token"


def delivery(number: int, operation: str = "create", **changes: Any) -> Delivery:
    """A delivery of one of the three operations; messages belong to ticket 1."""
    fields = {"create": TICKET, "comment": {"Content": f"word {number}", "Requestor": ANN}, "note": {"text": "Posted"}}
    given: dict[str, Any] = {
        "id": number,
        "destination": "desk",
        "object": "ticket",
        "record_key": f"mastodon:k{number}",
        "operation": operation,
        "seq": 1,
        "key": "delivery" + "abcdefghij"[number],
        "fields": fields.get(operation, {}),
        "parents": {} if operation == "create" else {"conversation": RemoteRef("1")},
    }
    return Delivery(**{**given, **changes})


class Stand:
    """A destination, its sandbox over real HTTP, a clock for both."""

    def __init__(self, stack: ExitStack, extra: dict[str, Any], options: dict[str, Any]) -> None:
        self.clock, self.state = FakeClock(), MemoryState()
        self.sandbox = build(SandboxOptions(clock=self.clock, extra=extra))
        self.url = stack.enter_context(serve(self.sandbox)).url
        self.guard = stack.enter_context(open_guard(allow_private=True))
        settings = {"base_url": self.url, "token": TOKEN, "queue": "Social", **options}
        self.destination = RequestTrackerDestination(RequestTrackerOptions(**settings))
        self.ctx = context(self.guard, clock=self.clock, state=self.state)

    def deliver(self, *batch: Delivery) -> list[Outcome]:
        """Deliver and give the outcomes in the order of the batch."""
        outcomes = {one.delivery_id: one for one in self.destination.deliver(self.ctx, batch)}
        return [outcomes[one.id] for one in batch]

    def ticket(self, id_: str = "1") -> dict[str, Any]:
        """A ticket as the sandbox holds it."""
        return self.sandbox.store.get("ticket", id_) or {}

    def words(self, id_: str = "1") -> list[str]:
        """What was said in a ticket."""
        return [row["Content"] for _, row in self.sandbox.store.all("_attachment") if row["Ticket"] == id_]

    def act(self, method: str, path: str, body: dict[str, Any], *, who: dict[str, str] = AGENT) -> str:
        """What somebody does in RT; gives the transaction's id where there is one."""
        url = f"{self.url}/REST/2.0/{path}"
        answer = self.guard.send(method, url, headers=who, content=msgspec.json.encode(body))
        assert answer.status < 300, answer.text
        return answer.headers.get("location", "").rpartition("/")[2]

    def say(self, text: str, *, way: str = "correspond", kind: str = "text/plain", who: dict[str, str] = AGENT) -> str:
        """Somebody's message in ticket 1."""
        return self.act("POST", f"ticket/1/{way}", {"Content": text, "ContentType": kind}, who=who)

    def resolve(self, *, days: int = 0, id_: str = "1", status: str = "resolved") -> None:
        """An agent closes a ticket, and time goes by."""
        self.act("PUT", f"ticket/{id_}", {"Status": status})
        self.clock.advance(days * 86_400)

    def poll(self, cursor: Any) -> tuple[list[Change], Any]:
        """What happened since, and where to go on."""
        pages: list[ChangePage] = list(self.destination.changes(self.ctx, cursor))
        return [one for page in pages for one in page.changes], pages[-1].cursor if pages else cursor


CONFIG = """
[sources.ears]
plugin = "webhook"
options = {{ secret = {{ env = "EARS_SECRET" }} }}
[destinations.desk]
plugin = "requesttracker"
allow_private = true
options = {{ base_url = "{url}", token = {{ env = "DESK_TOKEN" }}, queue = "Social", key_field = "{key_field}" }}
[destinations.desk.inbound]
status = {{ resolved = "closed", open = "open" }}
assignee = true
"""
RULES = '[[rule]]\nname = "all"\nwhen = ["true"]\ndeliver = [{ destination = "desk", mapping = "ticket" }]\n'


class Engine:
    """A whole hub with a source of posts and a desk of RT."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        hub.store.cursors.declare(["destinations/desk"], now=hub.now())
        self.run()

    def hear(self, **said: Any) -> None:
        """A post of Ann's comes in."""
        post = {"network": "example", "author": {"id": "ann", "name": "Ann"}, **said}
        self.hub.store.inbox.add([RawItem("ears", "webhook", msgspec.json.encode(post), self.hub.now(), uuid4().hex)])

    def run(self) -> None:
        """Ask the desk, process, deliver, until nothing is due."""
        poll_changes(self.hub, "destinations/desk", early=True)
        process(self.hub)
        while deliver(self.hub, "desk"):
            pass

    def sent(self) -> list[tuple[str, str, str | None]]:
        """Operation, state and remote id of all that left, oldest first."""
        rows = self.hub.store.outbox.recent(limit=50)[::-1]
        return [(row["operation"], row["state"], row["remote_id"]) for row in rows]


@contextmanager
def running_hub(folder: Path, url: str, key_field: str = "Hubbub Key") -> Iterator[Engine]:
    """A hub in a folder; EARS_SECRET and DESK_TOKEN stand in the environment."""
    (folder / "config.toml").write_text(CONFIG.format(url=url, key_field=key_field))
    (folder / "rules.toml").write_text(RULES)
    (folder / "topics.toml").touch()
    hub = open_hub(folder / "config.toml", bell=InProcessBell(), migrate=True)
    hub.registry = WatchedRegistry()
    try:
        yield Engine(hub)
    finally:
        hub.close()


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


@pytest.fixture
def desk(stand: Stand) -> Stand:
    """A stand with ticket 1."""
    stand.deliver(delivery(1))
    return stand
