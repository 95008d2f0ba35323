"""When an author's erasure is done, no word of the person stands anywhere: no column, no file, no look-alike.

Each word is found in its places before, so the search is known to find.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from hub.config.settings import load_settings
from hub.core.access import HUB
from hub.core.keys import author_key
from hub.core.model import IdentityLink
from hub.flow.actions.erasures import erase
from hub.flow.decide.batch import process
from hub.flow.deliver.send import deliver
from hub.flow.erase.erase import finish
from hub.flow.intake.poll import raw_item
from hub.flow.views.erasures import status
from hub.queue.inprocess import InProcessBell
from hub.runtime import Hub, system_clock
from hub.store import open_store
from hub.testkit.sandbox import RunningSandbox, SandboxOptions, serve
from tests.databases import Databases
from tests.hub.flow.erase.test_erase import leftovers
from tests.plugins.mastodon.instance import status as mastodon_status
from tests.watched import WatchedRegistry

VENDORS = ("salesforce", "hubspot", "zendesk", "requesttracker", "webhook")
TOKEN = "1-14-abcdef0123456789"
URL = "https://m.example/@evq"
EVE = author_key("mastodon", "https://m.example/users/evq")
WORDS = {
    "name": "Evelina Quistgaard",
    "handle": "evq@m.example",
    "profile": URL,
    "avatar": "https://files.m.example/avatars/evelina.png",
    "bio": "collects heirloom porcelain",
    "text": "my grandmother's teapot came in shards",
    "post": f"{URL}/4711",
    "picture": "https://files.m.example/media/shards.jpg",
    "alt": "a photo of blue fragments",
    "title": "Sad unboxing of Friday",
    "followers": "482137",
}
ACCOUNT = {
    "id": "77",
    "username": "evq",
    "acct": WORDS["handle"],
    "display_name": WORDS["name"],
    "url": URL,
    "uri": "https://m.example/users/evq",
    "avatar": WORDS["avatar"],
    "note": f"<p>{WORDS['bio']}</p>",
    "followers_count": int(WORDS["followers"]),
}
MAPPINGS = {
    "salesforce": ("author", "signal", "lead", "contact", "account"),
    "hubspot": ("author", "signal", "contact", "contact_linked", "company"),
    "zendesk": ("author", "signal", "ticket"),
    "requesttracker": ("ticket",),
    "webhook": ("record",),
}
OPTIONS = {
    "salesforce": '{{ instance_url = "{url}", access_token = {{ env = "ERASE_TOKEN" }} }}',
    "hubspot": '{{ base_url = "{url}", token = {{ env = "ERASE_TOKEN" }} }}',
    "zendesk": '{{ subdomain = "sandbox", base_url = "{url}", token = {{ env = "ERASE_TOKEN" }}, job_pause = 0,'
    " delete_tickets_to_erase = true }}",
    "requesttracker": '{{ base_url = "{url}", token = {{ env = "ERASE_TOKEN" }}, queue = "Social" }}',
    "webhook": '{{ url = "{url}/records" }}',
}
HEAD = """
[hub]
data = "data"
private_rules = ["all"]
[database]
url = "{database}"
[sources.masto]
plugin = "mastodon"
enabled = false
options = {{ instance = "https://m.example", token = {{ env = "ERASE_TOKEN" }}, public = true }}
[enrichers.sentiment]
plugin = "lexicon"
"""
SECTION = '[destinations.{name}]\nplugin = "{name}"\nallow_private = true\noptions = {options}\n'
RULES = '[[rule]]\nname = "all"\nwhen = [\'signal.key != ""\']\ndeliver = [{targets}]\n'


class World:
    """A hub with the look-alikes of all destinations behind it; all of it is kept under one folder."""

    def __init__(self, folder: Path, vendors: Mapping[str, RunningSandbox], database: str) -> None:
        self.data, self.vendors = folder / "data", vendors
        sections = [
            SECTION.format(name=name, options=OPTIONS[name].format(url=one.url)) for name, one in vendors.items()
        ]
        (folder / "config.toml").write_text(HEAD.format(database=database) + "".join(sections))
        (folder / "topics.toml").write_text("")
        wanted = [
            f'{{ destination = "{name}", mapping = "{mapping}" }}' for name in vendors for mapping in MAPPINGS[name]
        ]
        (folder / "rules.toml").write_text(RULES.format(targets=", ".join(wanted)))
        settings = load_settings(folder / "config.toml")
        store = open_store(settings.database_url)
        self.hub = Hub(settings, store, InProcessBell(), WatchedRegistry(), system_clock, jitter=lambda: 0.0)

    def take(self, *entities: Mapping[str, Any]) -> None:
        """Raw items come in as the source would have them."""
        source = self.hub.source("masto")
        payloads = [json.dumps(one).encode() for one in entities]
        raws = [raw_item(source, one, source_name="masto", now=self.hub.now(), realm="m.example") for one in payloads]
        self.hub.store.inbox.add(raws)

    def run(self) -> None:
        """Process and deliver until nothing is due."""
        process(self.hub, slice_s=60)
        for name in self.hub.settings.destinations:
            while deliver(self.hub, name, slice_s=60):
                pass

    def forget(self) -> None:
        """Erase Eve, until it counts as done."""
        erase(self.hub, HUB, EVE)
        self.run()
        while finish(self.hub):
            pass
        state = status(self.hub, HUB, EVE)
        assert state is not None
        assert state["finished_at"] is not None

    def close(self) -> None:
        self.hub.close()

    def files(self, word: str) -> set[str]:
        """The files under the data folder that hold a word, as it is or as JSON has it."""
        found = (file for file in self.data.rglob("*") if file.is_file() and word.encode() in file.read_bytes())
        return {str(file.relative_to(self.data)) for file in found}

    def files_but(self, word: str, vendors: Collection[str]) -> set[str]:
        """Those files, without what these vendors keep."""
        return {file for file in self.files(word) if not any(f"/{one}/" in f"/{file}" for one in vendors)}

    def held(self, word: str) -> set[str]:
        """The look-alikes that hold a word, in records, histories or their journals."""
        return {name for name, one in self.vendors.items() if word in whole(one)}


def whole(vendor: RunningSandbox) -> str:
    """All that a look-alike holds."""
    store = vendor.sandbox.store
    records = {name: store.all(name) for name in store.names()}
    return json.dumps([records, vendor.sandbox.journal.show()["entries"]], ensure_ascii=False)


def post(number: int, **changes: Any) -> dict[str, Any]:
    """A post of Eve's with all that a network tells."""
    picture = {"type": "image", "url": WORDS["picture"], "description": WORDS["alt"]}
    said: dict[str, Any] = {
        "uri": f"https://m.example/users/evq/statuses/{number}",
        "url": f"{URL}/{number}",
        "content": f"<p>{WORDS['text']}</p>",
        "spoiler_text": WORDS["title"],
        "account": ACCOUNT,
        "media_attachments": [picture],
        "visibility": "public",
    }
    return {**mastodon_status(str(number)), **said, **changes}


MakeWorld = Callable[..., World]


@pytest.fixture
def make_world(tmp_path: Path, databases: Databases, monkeypatch: pytest.MonkeyPatch) -> Iterator[MakeWorld]:
    """Makes a world with these vendors; each keeps its records in the data folder."""
    monkeypatch.setenv("ERASE_TOKEN", TOKEN)
    with ExitStack() as stack:

        def make(*names: str, database: str = "") -> World:
            data = tmp_path / "data"
            data.mkdir()
            running = {}
            for name in names:
                options = SandboxOptions(token=TOKEN, folder=data / "sandbox" / name)
                sandbox = import_module(f"plugins.{name}.sandbox").build(options)
                running[name] = stack.enter_context(serve(sandbox))
            world = World(tmp_path, running, database or databases.sqlite(data / "hubbub.db"))
            stack.callback(world.close)
            return world

        yield make


def tell(world: World) -> None:
    """Eve speaks twice, likes something, and others answer and boost her; an agent knows her as a person of a company."""
    person = world.hub.store.people.add(
        WORDS["name"],
        emails=("eve@quist.example",),
        company="Quist Ltd",
        company_domain="quist.example",
        now=world.hub.now(),
    )
    ground = IdentityLink(EVE, person.key, "given_by_person", WORDS["post"], "kim", world.hub.now())
    world.hub.store.people.link(ground)
    bo = {"id": "8", "username": "bo", "acct": "bo@x.example", "display_name": "Bo", "url": "https://x.example/@bo"}
    mention = {"id": "77", "username": "evq", "acct": WORDS["handle"], "url": URL}
    world.take(post(4711))
    world.run()
    world.take(
        post(4712, content="<p>and nobody at the teapot desk answers</p>", in_reply_to_id="4711"),
        {"id": "5", "type": "favourite", "created_at": "2026-01-02T03:04:05Z", "account": ACCOUNT, "status": None},
        {
            **mastodon_status("4713"),
            "uri": "https://x.example/users/bo/1",
            "account": bo,
            "content": "<p>same here</p>",
            "in_reply_to_id": "4711",
            "mentions": [mention],
        },
        {**mastodon_status("4714"), "uri": "https://x.example/users/bo/2", "account": bo, "reblog": post(4711)},
    )
    world.run()


def test_before_an_erasure_each_word_is_found_in_each_of_its_places(make_world: MakeWorld) -> None:
    world = make_world(*VENDORS)
    tell(world)
    for name, word in WORDS.items():
        assert any("hubbub.db" in file for file in world.files(word)), f"{name} is not found in the database's files"
        assert leftovers(world.hub.store, word) != [], f"{name} is not found in any column"
    for name in ("name", "handle", "text"):
        assert world.held(WORDS[name]) == set(VENDORS) - ({"webhook"} if name == "none" else set()), name
    assert world.held(WORDS["followers"]) == {"salesforce", "hubspot", "zendesk", "webhook"}
    assert world.held(WORDS["bio"]) == {"salesforce", "hubspot", "zendesk"}
    assert {name for one in world.files(WORDS["text"]) for name in VENDORS if f"/{name}/" in one} == set(VENDORS)


@pytest.mark.parametrize("vendor", [*VENDORS, "all"])
def test_after_an_erasure_no_word_is_found_anywhere(make_world: MakeWorld, vendor: str) -> None:
    names = VENDORS if vendor == "all" else (vendor,)
    world = make_world(*names)
    tell(world)
    world.forget()
    for one in world.vendors.values():
        one.sandbox.store.close()
    # RT's interface takes no words back: its receipts say so, and which ticket.
    by_hand = {name for name in names if name == "requesttracker"}
    columns = {name: found for name, word in WORDS.items() if (found := leftovers(world.hub.store, word))}
    held = {name: found for name, word in WORDS.items() if (found := world.held(word) - by_hand)}
    files = {name: found for name, word in WORDS.items() if (found := world.files_but(word, by_hand))}
    assert (columns, held, files) == ({}, {}, {})
