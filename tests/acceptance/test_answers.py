"""The way back on real networks: an agent's public comment on the ticket is posted once, though a worker is killed."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import msgspec
import pytest

from hub import HttpResponse
from hub.flow.decide.batch import process
from hub.flow.deliver.send import deliver
from hub.flow.intake.poll import poll, polling_sources
from hub.flow.sweep import sweep
from hub.queue.inprocess import InProcessBell
from hub.runtime import Hub, open_hub
from hub.testkit.fakes import SentRequest, answer
from hub.testkit.sandbox import SandboxOptions, serve
from hub.testkit.server import LocalServer
from plugins.zendesk.sandbox import build
from tests.acceptance.bluesky_network import BlueskyNetwork, Posted
from tests.acceptance.door import knock
from tests.acceptance.servers import until
from tests.acceptance.snac_network import SnacNetwork
from tests.watched import WatchedRegistry

ROOT = Path(__file__).parents[2]
CONFIG = """
[sources.ears]
plugin = "{plugin}"
allow_private = true
reply = "send"
{proxy}
options = {{ {options} }}
[destinations.desk]
plugin = "zendesk"
allow_private = true
[destinations.desk.options]
subdomain = "sandbox"
base_url = "{desk}"
token = {{ env = "DESK_TOKEN" }}
webhook_secret = {{ env = "DESK_SECRET" }}
"""
RULES = """
[[rule]]
name = "all that call us"
when = ['signal.kind in ["mention", "reply", "post"]']
deliver = [{ destination = "desk", mapping = "ticket" }]
"""
SECRET = "a-signing-secret"


@dataclass
class Shop:
    """A hub that listens to a real network, and the desk where an agent sits."""

    hub: Hub
    desk: Any
    url: str
    config: Path

    def work(self) -> None:
        """What the workers do, once round."""
        poll(self.hub, "ears", early=True)
        process(self.hub)
        for lane in ("sources/ears", "desk"):
            deliver(self.hub, lane)

    def ticket(self, mark: str) -> str | None:
        """The id of the ticket that was made of the post with the mark."""
        self.work()
        found = self.tickets(mark)
        return found[0] if found else None

    def tickets(self, mark: str) -> list[str | None]:
        """The ids of all tickets whose text holds the mark."""
        outbox = self.hub.store.outbox
        rows = [outbox.get(row["id"]) for row in outbox.recent(destination="desk", object="ticket", operation="create")]
        return [row["remote_id"] for row in rows if row and mark in msgspec.json.encode(row["fields"]).decode()]

    def say(self, ticket: str, text: str) -> None:
        """The agent answers in public; the desk calls the hub's door, which stores what it said."""
        httpx.post(f"{self.url}/agent/tickets/{ticket}/say", data={"text": text, "public": "yes"}, trust_env=False)
        assert self.desk.teller.wait()
        assert self.desk.teller.attempts[-1].status == 200
        process(self.hub)

    def die_answering(self) -> str:
        """A worker of its own is killed after the network took the post and before the ledger knows; what it printed."""
        command = [sys.executable, "-m", "tests.acceptance.doomed", str(self.config), "ears"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == -signal.SIGKILL, done.stderr
        sweep(self.hub)
        return done.stdout.strip()

    def replies(self) -> list[Any]:
        """State, reference and attempts of the ledger's replies."""
        rows = self.hub.store.outbox.recent(destination="sources/ears", limit=10)
        return [(row["state"], row["remote_id"]) for row in rows]

    def notes(self, ticket: str) -> list[str]:
        """What the hub told the agents in private."""
        said = [comment for _, comment in self.desk.said_in(ticket)]
        return [str(one.get("body") or one.get("plain_body")) for one in said if one.get("public") is False]


@contextmanager
def shop(
    folder: Path, monkeypatch: pytest.MonkeyPatch, plugin: str, options: dict[str, Any], *, proxy: str = ""
) -> Iterator[Shop]:
    """The shop's hub and its desk, whose webhooks reach the hub's door."""
    secrets = {name for name in options if name in {"token", "app_password"}}
    for name in secrets:
        monkeypatch.setenv(f"EARS_{name.upper()}", options[name])
    monkeypatch.setenv("DESK_TOKEN", "sandbox")
    monkeypatch.setenv("DESK_SECRET", SECRET)
    shown = [
        f'{name} = {{ env = "EARS_{name.upper()}" }}'
        if name in secrets
        else f"{name} = {msgspec.json.encode(value).decode()}"
        for name, value in options.items()
    ]
    with serve(build(SandboxOptions(token="sandbox"))) as desk:
        config = folder / "config.toml"
        line = f'proxy = "{proxy}"' if proxy else ""
        config.write_text(CONFIG.format(plugin=plugin, options=", ".join(shown), desk=desk.url, proxy=line))
        (folder / "rules.toml").write_text(RULES)
        (folder / "topics.toml").touch()
        hub = open_hub(config, bell=InProcessBell(), migrate=True)
        hub.registry = WatchedRegistry()
        hub.store.cursors.declare(polling_sources(hub), now=hub.now())

        def serve_door(request: SentRequest) -> HttpResponse:
            status, body = knock(hub, urlsplit(request.url).path, request.headers, request.content or b"")
            return answer(status, content=body)

        with LocalServer(serve_door) as door:
            target = {"url": f"{door.url}/in/desk", "secret": SECRET}
            httpx.post(f"{desk.url}/agent/webhook", json=target, trust_env=False).raise_for_status()
            try:
                yield Shop(hub, desk.sandbox, desk.url, config)
            finally:
                hub.close()


def test_an_agents_answer_appears_once_on_bluesky_though_a_worker_is_killed(
    bluesky_network: BlueskyNetwork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, mark = bluesky_network, f"zz{uuid4().hex[:8]}"
    options = {"service": network.pds, "handle": network.brand.handle, "app_password": network.brand.app_password}
    text = f"é😀 Sorry @{network.customer.handle}, we are on it: https://example.com/{mark} #{mark}"

    def answers(post: Posted) -> list[dict[str, Any]]:
        found = [one["post"] for one in network.thread(network.customer, post).get("replies") or []]
        return [one for one in found if one["author"]["did"] == network.brand.did]

    with shop(tmp_path, monkeypatch, "bluesky", options) as here:
        post = network.post(network.customer, f"@{network.brand.handle} my parcel is lost again! {mark}")
        ticket = until(lambda: here.ticket(mark), seconds=60, what="ticket", pause=0.5)
        here.say(ticket, text)
        assert here.die_answering() == "posted: 200"
        (first,) = until(lambda: answers(post), seconds=30, what="answer in the thread")
        until(lambda: here.work() or here.replies()[0][0] == "delivered", seconds=60, what="known answer", pause=0.5)
        check_told(here, mark, first["uri"])
        until(lambda: told(network, first["uri"]), seconds=30, what="notification of the author")
        (shown,) = answers(post)
    assert (shown["uri"], shown["cid"], shown["record"]["text"]) == (first["uri"], first["cid"], text)
    assert shown["record"]["reply"] == {"root": post.ref, "parent": post.ref}
    data = text.encode()
    spans = [one["index"] for one in shown["record"]["facets"]]
    parts = [data[one["byteStart"] : one["byteEnd"]].decode() for one in spans]
    assert parts == [f"@{network.customer.handle}", f"https://example.com/{mark}", f"#{mark}"]


def told(network: BlueskyNetwork, uri: str) -> bool:
    """Whether the customer's app shows the answer."""
    return any(one["uri"] == uri for one in network.notifications(network.customer))


@pytest.mark.parametrize("who", ["customer", "remote"])
def test_an_agents_answer_appears_once_on_snac_though_a_worker_is_killed(
    snac_network: SnacNetwork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, who: str
) -> None:
    network, mark, author = snac_network, f"zz{uuid4().hex[:8]}", getattr(snac_network, who)
    options = {"instance": network.brand.instance, "token": network.brand.token, "notifications": True}

    def heard() -> list[dict[str, Any]]:
        shown = [one["status"] for one in network.notifications(author) if one["type"] == "mention" and one["status"]]
        return [one for one in shown if f"on-it-{mark}" in one["content"]]

    with shop(tmp_path, monkeypatch, "mastodon", options, proxy=network.proxy) as here:
        network.post(author, f"@{network.brand.acct} my parcel is lost again! {mark}")
        ticket = until(lambda: here.ticket(mark), seconds=60, what="ticket", pause=1)
        here.say(ticket, f"Sorry, on-it-{mark}: https://example.com/a?b=1&c=2")
        assert here.die_answering() == "posted: 200"
        until(lambda: here.work() or here.replies()[0][0] == "delivered", seconds=60, what="known answer", pause=0.5)
        (first,) = until(heard, seconds=60, what="notification of the author", pause=1)
        check_told(here, mark, first["uri"])
        until(lambda: here.work() or True, seconds=5, what="another round")
        assert [one["uri"] for one in heard()] == [first["uri"]]
    assert first["account"]["acct"].partition("@")[0] == "brand"
    assert f"on-it-{mark}" in first["content"]


def check_told(here: Shop, mark: str, uri: str) -> None:
    """The ledger knows the post by the id that its author sees, the agent reads of it, and no ticket is made of it."""
    assert here.replies() == [("delivered", uri)]
    (ticket,) = here.tickets(mark)
    assert ticket is not None
    (note,) = until(lambda: here.work() or here.notes(ticket), seconds=30, what="note on the ticket")
    assert note.startswith("Posted on ")
    assert here.tickets(mark) == [ticket]
