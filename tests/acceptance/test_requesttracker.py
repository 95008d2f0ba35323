"""A real Request Tracker, both ways: a signal becomes a ticket by the engine, what an agent does there comes back."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import msgspec
import pytest

from hub import Change, Delivery, Lookup, Outcome, RemoteRef, Unauthorised, Uncertain
from hub.runtime import system_clock
from hub.sdk.connectors import Context, HttpResponse
from hub.sdk.http import open_guard
from hub.testkit.fakes import MemoryState, context
from plugins.requesttracker.config import RequestTrackerOptions
from plugins.requesttracker.destination import RequestTrackerDestination
from tests.acceptance.servers import HOME, Server, started
from tests.plugins.requesttracker.conftest import running_hub

URL = "http://127.0.0.1:18080"
API = f"{URL}/REST/2.0"
RIGHTS = (
    "SeeQueue ShowTicket ShowTicketComments ReplyToTicket CommentOnTicket ModifyTicket OwnTicket SeeCustomField"
    " ModifyCustomField"
)
PEOPLE = """
use RT; RT::LoadConfig(); RT::Init(); require RT::AuthToken;
my $queue = RT::Queue->new(RT->SystemUser); $queue->Load('Social');
my $staff = RT::Group->new(RT->SystemUser); $staff->LoadSystemInternalGroup('Privileged');
$staff->PrincipalObj->GrantRight(Right => $_, Object => $queue) for qw(%s);
for (['hub', 1], ['agnes', 1], ['carl', 0]) {
    my $user = RT::User->new(RT->SystemUser);
    $user->Create(Name => $_->[0], Privileged => $_->[1], Password => 'Password123', RealName => ucfirst $_->[0]);
    $user->PrincipalObj->GrantRight(Right => 'AdminUsers', Object => $RT::System) if $_->[0] eq 'hub';
    my ($ok, $said, $token) = RT::AuthToken->new(RT->SystemUser)->Create(Owner => $user->id, Description => 'test');
    print "$_->[0] $token\\n";
}
"""


@dataclass
class Desk:
    """The running RT, with a token for each who works there."""

    tokens: dict[str, str] = field(repr=False)
    took: dict[str, float]

    def ask(self, who: str, method: str, path: str, body: Any = None) -> httpx.Response:
        """A call in somebody's name; fails where RT refuses it."""
        headers = {"Authorization": f"token {self.tokens[who]}"}
        answer = httpx.request(method, f"{API}/{path}", headers=headers, json=body, timeout=60, trust_env=False)
        assert answer.is_success, answer.text
        return answer

    def say(self, who: str, ticket: str, text: str, *, way: str = "correspond", kind: str = "text/plain") -> str:
        """Somebody's message in a ticket; gives its transaction's id."""
        answer = self.ask(who, "POST", f"ticket/{ticket}/{way}", {"Content": text, "ContentType": kind})
        return answer.headers["location"].rpartition("/")[2]

    def read(self, path: str) -> Any:
        """What the hub's user sees."""
        return self.ask("hub", "GET", path).json()


@pytest.fixture(scope="session")
def rt() -> Iterator[Desk]:
    """RT 5 with a hub's user, an agent and a customer; installed once, wiped after the session."""
    server = Server("rt.sh", "/usr/share/request-tracker5/libexec/rt-server")
    with started(server, lambda: httpx.get(f"{API}/rt", trust_env=False).status_code == 401, needs=("apt-get", "perl")):
        folder = HOME / "run" / "rt"
        settings = {"RT_SITE_CONFIG": str(folder / "RT_SiteConfig.pm"), "RT_SITE_CONFIG_DIR": str(folder / "conf.d")}
        library = ["-I/usr/share/request-tracker5/lib", "-I/usr/local/share/request-tracker5/lib"]
        command = ["perl", *library, "-e", PEOPLE % RIGHTS]
        made = subprocess.run(
            command, env=os.environ | settings, capture_output=True, text=True, timeout=60, check=True
        )
        yield Desk(dict(line.split() for line in made.stdout.splitlines()), server.took)


@dataclass
class Stand:
    """The destination before the real server."""

    rt: Desk
    destination: RequestTrackerDestination
    ctx: Context

    def send(self, operation: str, text: str, key: str, **more: Any) -> Outcome:
        """One delivery; `key` is the record's and, after a prefix, the delivery's."""
        (outcome,) = self.destination.deliver(self.ctx, [delivery(operation, text, key, **more)])
        return outcome

    def poll(self, cursor: Any) -> tuple[list[Change], Any]:
        """What happened since, and where to go on."""
        pages = list(self.destination.changes(self.ctx, cursor))
        return [one for page in pages for one in page.changes], pages[-1].cursor if pages else cursor


def delivery(operation: str, text: str, key: str, *, ticket: str = "") -> Delivery:
    """A delivery of one operation."""
    requestor = {"Name": f"mastodon:{key}", "RealName": "Ann (ann@example.social)"}
    fields: dict[str, Any] = {"Content": text, "Requestor": requestor, "Subject": f"Ann: {text}"}
    parents = {"conversation": RemoteRef(ticket)} if ticket else {}
    given = {"text": text} if operation == "note" else fields
    return Delivery(1, "desk", "ticket", f"mastodon:{key}", operation, 1, f"d{operation}{key}", given, parents=parents)


@pytest.fixture
def stand(rt: Desk) -> Iterator[Stand]:
    """The destination as a hub would have it, its memory empty."""
    options = RequestTrackerOptions(base_url=URL, token=rt.tokens["hub"], queue="Social", key_field="SourceURI")
    with open_guard(("127.0.0.1",), allow_private=True) as guard:
        yield Stand(rt, RequestTrackerDestination(options), context(guard, clock=system_clock, state=MemoryState()))


@pytest.fixture
def key() -> str:
    """A new key."""
    return uuid4().hex


@pytest.fixture
def ticket(stand: Stand, key: str) -> str:
    """A ticket of the hub's, by its id."""
    made = stand.send("create", "it broke", key)
    assert made.ref, made.error
    return made.ref.id


def test_the_server_names_us_and_what_it_misses(stand: Stand) -> None:
    assert stand.destination.whoami(stand.ctx) == "hub"
    assert stand.destination.check(stand.ctx).startswith("hub in queue Social of RT 5.")
    assert "CustomFields.SourceURI" in stand.destination.describe(stand.ctx)["ticket"].fields
    for changed in ({"key_field": "Hubbub Key"}, {"queue": "General"}, {"token": "1-14-wrong"}):
        options = RequestTrackerOptions.model_validate(stand.destination.options.model_dump() | changed)
        with pytest.raises(Unauthorised):
            RequestTrackerDestination(options).check(stand.ctx)


def test_a_signal_becomes_a_ticket_and_an_agents_answer_comes_back(
    rt: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EARS_SECRET", "s" * 32)
    monkeypatch.setenv("DESK_TOKEN", rt.tokens["hub"])
    with running_hub(tmp_path, URL, "SourceURI") as engine:
        engine.hear(id=uuid4().hex, text="my parcel is lost")
        engine.run()
        ((_, _, id_),) = engine.sent()
        transaction = rt.say("agnes", id_, "<p>Sorry, <b>Ann</b>. We are on it.</p>", kind="text/html")
        engine.run()
        replies = engine.hub.store.outbox.recent(limit=10, operation="reply")
        fields = engine.hub.store.outbox.get(replies[0]["id"])["fields"]
    shown = rt.read(f"ticket/{id_}")
    notes = [one["Content"] for one in rt.read(f"ticket/{id_}/attachments?fields=Content")["items"]]
    assert (shown["Subject"], shown["Requestor"][0]["id"][:8]) == ("Ann on Example: my parcel is lost", "example-")
    assert (fields["text"], fields["part_id"]) == ("Sorry, Ann. We are on it.", f"transaction/{transaction}")
    assert notes[-1].startswith("Not posted")  # that source takes no replies: the agent is told where he wrote


def test_a_doubt_about_a_ticket_or_a_message_is_settled_by_our_marks(stand: Stand, key: str, ticket: str) -> None:
    sent = stand.send("comment", "still broken", key, ticket=ticket)
    noted = stand.send("note", "Posted", key, ticket=ticket)
    found = [stand.destination.lookup(stand.ctx, delivery(way, "", key, ticket=ticket)) for way in ("comment", "note")]
    assert stand.ctx.state.get("requesttracker.marks") == "kept"
    assert stand.destination.lookup(stand.ctx, delivery("create", "", key)).id == ticket
    assert found == [sent.ref, noted.ref]
    assert stand.destination.lookup(stand.ctx, delivery("create", "", uuid4().hex)) is None
    assert stand.destination.lookup(stand.ctx, delivery("comment", "", uuid4().hex, ticket=ticket)) is None


def test_what_an_agent_does_is_told_in_order_and_once(stand: Stand, ticket: str) -> None:
    _, cursor = stand.poll(None)
    reply = stand.rt.say("agnes", ticket, "We are on it\n\n-- \nAgnes")
    note = stand.rt.say("agnes", ticket, "between us", way="comment")
    for change in ({"Owner": "agnes"}, {"Status": "resolved"}):
        stand.rt.ask("agnes", "PUT", f"ticket/{ticket}", change)
    found, cursor = stand.poll(cursor)
    told = [(one.kind, one.value, one.text) for one in found]
    assert told[0] == ("reply", None, "We are on it")
    assert [one.part_id for one in found if one.part_id] == [f"transaction/{reply}", f"transaction/{note}"]
    assert told[1:] == [
        ("status", "open", ""),
        ("note", None, "between us"),
        ("assignee", "agnes", ""),
        ("status", "resolved", ""),
    ]
    assert stand.poll(cursor)[0] == []


def test_a_requestor_is_mailed_nothing(stand: Stand, key: str, ticket: str) -> None:
    stand.send("comment", "still broken", key, ticket=ticket)
    stand.rt.say("agnes", ticket, "We are on it")
    history = stand.rt.read(f"ticket/{ticket}/history?fields=Type&per_page=100")["items"]
    assert {one["Type"] for one in history} == {"Create", "Correspond", "Status"}  # a mail would be an EmailRecord


def test_a_customer_is_no_agent_and_we_are_ourselves(stand: Stand, key: str, ticket: str) -> None:
    _, cursor = stand.poll(None)
    stand.rt.say("carl", ticket, "any news?")
    sent = stand.send("comment", "still broken", key, ticket=ticket)
    spoken = [one for one in stand.poll(cursor)[0] if one.kind == "reply"]
    assert [(one.ours, one.part_id, one.actor_id) for one in spoken] == [(True, sent.ref.id, "hub")]


def test_a_message_reopens_a_ticket_and_after_a_month_a_new_one_goes_on(stand: Stand, key: str, ticket: str) -> None:
    stand.rt.ask("agnes", "PUT", f"ticket/{ticket}", {"Status": "resolved"})
    soon = stand.send("comment", "still broken", key, ticket=ticket)
    reopened = stand.rt.read(f"ticket/{ticket}")["Status"]
    stand.rt.ask("agnes", "PUT", f"ticket/{ticket}", {"Status": "resolved"})
    later = context(stand.ctx.http, clock=lambda: system_clock() + timedelta(days=31), state=stand.ctx.state)
    (moved,) = stand.destination.deliver(later, [delivery("comment", "again", uuid4().hex, ticket=ticket)])
    new = moved.moved["conversation"].id
    links = {one.get("ref"): one.get("id") for one in stand.rt.read(f"ticket/{new}")["_hyperlinks"]}
    assert (soon.moved, reopened) == ({}, "open")
    assert str(links["refers-to"]) == ticket
    assert moved.ref.id.startswith("transaction/")


def test_a_merge_is_told_and_followed(stand: Stand, key: str, ticket: str) -> None:
    winner = stand.send("create", "the same", uuid4().hex).ref.id
    _, cursor = stand.poll(None)
    stand.rt.ask("agnes", "PUT", f"ticket/{ticket}", {"MergeInto": winner})
    (merged,) = stand.poll(cursor)[0]
    sent = stand.send("comment", "still broken", key, ticket=ticket)
    assert (merged.kind, merged.remote_id, merged.value) == ("merged", ticket, winner)
    assert sent.moved["conversation"].id == winner
    assert stand.destination.lookup(stand.ctx, delivery("create", "", key)).id == winner


def test_rt_takes_no_word_back_so_we_promise_no_tombstone(stand: Stand, ticket: str) -> None:
    _, cursor = stand.poll(None)
    httpx.request(
        "DELETE", f"{API}/ticket/{ticket}", headers={"Authorization": f"token {root_token()}"}, trust_env=False
    ).raise_for_status()
    kept = stand.rt.read(f"ticket/{ticket}/attachments?fields=Content")
    assert [one.kind for one in stand.poll(cursor)[0]] == ["deleted"]
    assert "it broke" in msgspec.json.encode(kept).decode()
    assert "tombstone" not in stand.destination.capabilities


def root_token() -> str:
    """The token that the script made for RT's administrator."""
    return (HOME / "run" / "rt" / "token").read_text().strip().removeprefix("TOKEN=")


def test_a_lost_answer_of_the_real_server_ends_with_one_ticket(stand: Stand, key: str) -> None:
    class Deaf:
        """A guard that hears no answer to a write of a ticket."""

        def send(self, method: str, url: str, **more: Any) -> HttpResponse:
            answer = stand.ctx.http.send(method, url, **more)
            if method == "POST" and url.endswith("/ticket"):
                raise Uncertain("no answer came")
            return answer

    deaf = context(Deaf(), clock=system_clock, state=stand.ctx.state)
    (outcome,) = stand.destination.deliver(deaf, [delivery("create", "it broke", key)])
    assert isinstance(outcome.error, Uncertain)
    assert isinstance(stand.destination.idempotency_of("ticket", "create"), Lookup)
    found = stand.destination.lookup(stand.ctx, delivery("create", "it broke", key))
    assert stand.rt.read(f"ticket/{found.id}")["Subject"] == "Ann: it broke"
