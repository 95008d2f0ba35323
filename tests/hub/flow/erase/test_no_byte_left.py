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
from hub.core.keys import author_key, signal_key
from hub.core.model import IdentityLink, Planned, Record
from hub.flow.actions.erasures import erase
from hub.flow.decide.batch import process
from hub.flow.deliver.send import deliver
from hub.flow.erase.erase import finish
from hub.flow.intake.poll import raw_item
from hub.flow.views.erasures import receipts, status
from hub.queue.inprocess import InProcessBell
from hub.runtime import Hub, system_clock
from hub.store import open_store
from hub.store.audit import AuditEntry
from hub.testkit.sandbox import RunningSandbox, SandboxOptions, serve
from tests.databases import Databases
from tests.hub.flow.erase.test_erase import leftovers
from tests.logs import captured
from tests.plugins.mastodon.instance import status as mastodon_status
from tests.watched import WatchedRegistry

VENDORS = ("salesforce", "hubspot", "zendesk", "requesttracker", "webhook")
TOKEN = "1-14-abcdef0123456789"
URL = "https://m.example/@evq"
SIGNAL = signal_key("mastodon", "https://m.example/users/evq/statuses/4711")
EVE = author_key("mastodon", "https://m.example/users/evq")
WORDS = {
    "name": "Evelina Quistgaard",
    "surname": "Quistgaard",
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
[sources.hook]
plugin = "webhook"
options = {{ scheme = "none" }}
[sources.sky]
plugin = "bluesky"
enabled = false
options = {{ handle = "acme.example", app_password = {{ env = "ERASE_TOKEN" }} }}
[enrichers.sentiment]
plugin = "lexicon"
"""
SECTION = '[destinations.{name}]\nplugin = "{name}"\nallow_private = true\noptions = {options}\n'
RULES = '[[rule]]\nname = "all"\nwhen = [\'signal.key != ""\']\ndeliver = [{targets}]\n'


class World:
    """A hub with the look-alikes of all destinations behind it; all of it is kept under one folder."""

    def __init__(
        self,
        folder: Path,
        vendors: Mapping[str, RunningSandbox],
        database: str,
        mappings: Mapping[str, tuple[str, ...]],
    ) -> None:
        self.data, self.vendors = folder / "data", vendors
        sections = [
            SECTION.format(name=name, options=OPTIONS[name].format(url=one.url)) for name, one in vendors.items()
        ]
        (folder / "config.toml").write_text(HEAD.format(database=database) + "".join(sections))
        (folder / "topics.toml").write_text("")
        wanted = [
            f'{{ destination = "{name}", mapping = "{mapping}" }}' for name in vendors for mapping in mappings[name]
        ]
        (folder / "rules.toml").write_text(RULES.format(targets=", ".join(wanted)))
        settings = load_settings(folder / "config.toml")
        store = open_store(settings.database_url)
        self.hub = Hub(settings, store, InProcessBell(), WatchedRegistry(), system_clock, jitter=lambda: 0.0)

    def take(self, *entities: Mapping[str, Any], name: str = "masto", write: Callable[[Any], str] = json.dumps) -> None:
        """Raw items come in as the source would have them."""
        source, realm = self.hub.source(name), "m.example" if name == "masto" else ""
        payloads = [write(one).encode() for one in entities]
        raws = [raw_item(source, one, source_name=name, now=self.hub.now(), realm=realm) for one in payloads]
        self.hub.store.inbox.add(raws)

    def run(self) -> None:
        """Process and deliver until nothing is due."""
        process(self.hub, slice_s=60)
        for name in self.hub.settings.destinations:
            while deliver(self.hub, name, slice_s=60):
                pass

    def forget(self, key: str = EVE) -> None:
        """Erase Eve, until it counts as done."""
        erase(self.hub, HUB, key)
        self.run()
        while finish(self.hub):
            pass
        state = status(self.hub, HUB, key)
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

        def make(*names: str, database: str = "", mappings: Mapping[str, tuple[str, ...]] = MAPPINGS) -> World:
            data = tmp_path / "data"
            data.mkdir()
            running = {}
            for name in names:
                options = SandboxOptions(token=TOKEN, folder=data / "sandbox" / name)
                sandbox = import_module(f"plugins.{name}.sandbox").build(options)
                running[name] = stack.enter_context(serve(sandbox))
            world = World(tmp_path, running, database or databases.sqlite(data / "hubbub.db"), mappings)
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
        {**post(4715), "uri": None},
    )
    process(world.hub, slice_s=60)
    for one in world.vendors.values():
        # A vendor's error quotes what it was sent.
        said = f"no: {WORDS['name']}, {WORDS['text']}"
        one.sandbox.faults.set([{"match": {"write": True}, "times": 1, "status": 422, "body": {"message": said}}])
    world.run()
    answer(world)


def answer(world: World) -> None:
    """An agent's answer names her, was refused, and its desk was told; another waits."""
    for number, state in enumerate(("dead", "approval")):
        text = f"@{WORDS['handle']} we are sorry, {WORDS['name']} ({number})"
        fields = {"signal": SIGNAL, "text": text, "agent": "Kim"}
        reply = Record(
            "sources/masto", "reply", f"r{number}", "reply", fields, "reply", "", "x", provides=f"reply:x:r{number}"
        )
        error = {"class": "Rejected", "message": f"too long: {text}"}
        with world.hub.store.database.write() as conn:
            world.hub.store.outbox.plan(conn, [Planned(reply, SIGNAL, "", state, error)], now=world.hub.now())


def test_before_an_erasure_each_word_is_found_in_each_of_its_places(make_world: MakeWorld) -> None:
    world = make_world(*VENDORS)
    tell(world)
    for name, word in WORDS.items():
        assert any("hubbub.db" in file for file in world.files(word)), f"{name} is not found in the database's files"
        assert leftovers(world.hub.store, word) != [], f"{name} is not found in any column"
    for name in ("name", "handle", "text"):
        assert world.held(WORDS[name]) == set(VENDORS), name
    assert world.held(WORDS["followers"]) == {"salesforce", "hubspot", "zendesk", "webhook"}
    assert world.held(WORDS["bio"]) == {"salesforce", "hubspot", "zendesk"}
    assert {name for one in world.files(WORDS["text"]) for name in VENDORS if f"/{name}/" in one} == set(VENDORS)


def test_no_line_of_the_log_holds_a_word(make_world: MakeWorld, caplog: pytest.LogCaptureFixture) -> None:
    world = make_world(*VENDORS)
    with captured() as lines, caplog.at_level("INFO"):
        tell(world)
        world.forget()
    told = json.dumps(lines, ensure_ascii=False, default=str) + caplog.text
    assert len(lines) > len(VENDORS)
    assert EVE in told or SIGNAL in told
    assert [name for name, word in WORDS.items() if word in told] == []


def test_on_postgresql_no_word_is_found_in_any_column(make_world: MakeWorld, postgres_url: str) -> None:
    world = make_world("zendesk", "webhook", database=postgres_url)
    tell(world)
    assert [name for name, word in WORDS.items() if not leftovers(world.hub.store, word)] == []
    world.forget()
    assert {name: found for name, word in WORDS.items() if (found := leftovers(world.hub.store, word))} == {}


def assert_no_word_is_left(world: World) -> None:
    for one in world.vendors.values():
        one.sandbox.store.close()
    # RT's interface takes no words back: its receipts say so, and which ticket.
    by_hand = {"requesttracker"} & world.vendors.keys()
    columns = {name: found for name, word in WORDS.items() if (found := leftovers(world.hub.store, word))}
    held = {name: found for name, word in WORDS.items() if (found := world.held(word) - by_hand)}
    files = {name: found for name, word in WORDS.items() if (found := world.files_but(word, by_hand))}
    assert (columns, held, files) == ({}, {}, {})


@pytest.mark.parametrize(("vendor", "mapping"), [(name, one) for name, many in MAPPINGS.items() for one in many])
def test_by_each_mapping_alone_no_word_is_left_after_an_erasure(
    make_world: MakeWorld, vendor: str, mapping: str
) -> None:
    world = make_world(vendor, mappings={vendor: (mapping,)})
    tell(world)
    assert world.held(WORDS["surname"]) or world.held(WORDS["post"])
    world.forget()
    assert_no_word_is_left(world)


def test_by_all_mappings_together_no_word_is_left_and_each_receipt_is_in(make_world: MakeWorld) -> None:
    world = make_world(*VENDORS)
    tell(world)
    world.forget()
    assert_no_word_is_left(world)
    found = receipts(world.hub, HUB, EVE)
    assert {one["destination"] for one in found} == set(VENDORS)
    untold = [one for one in found if one["state"] != "delivered" and not (one["error"] or {}).get("message")]
    assert untold == []


def test_users_that_desks_made_are_nameless_and_a_person_is_told_what_is_left(make_world: MakeWorld) -> None:
    world = make_world("zendesk", "requesttracker")
    tell(world)
    world.forget()
    users = {name: json.dumps(one.sandbox.store.all("user")) for name, one in world.vendors.items()}
    assert [name for name, told in users.items() if WORDS["name"] in told or WORDS["handle"] in told] == []
    told = {one["destination"]: one["error"] for one in receipts(world.hub, HUB, EVE) if one["object"] == "requester"}
    assert told["zendesk"] is None
    assert "shredder" in told["requesttracker"]["note"]


def plainly(entity: Any) -> str:
    return json.dumps(entity, ensure_ascii=False)


def in_capitals(entity: Any) -> str:
    return json.dumps(entity).replace("\\u00fc", "\\u00FC").replace("\\u00df", "\\u00DF")


def with_slashes(entity: Any) -> str:
    return json.dumps(entity).replace("/", "\\/")


@pytest.mark.parametrize("write", [plainly, json.dumps, in_capitals, with_slashes])
@pytest.mark.parametrize(
    "author",
    [
        {"id": 77, "name": "Jürgen Müß", "handle": "jmü"},
        {"id": "u-1", "name": "Jürgen Müß", "handle": "@jmü", "url": "https://n.example/profil/jürgen?a=1&b=2"},
        {"id": "jürgen@müller.example", "name": "Jürgen Müß"},
        {"name": "Jürgen Müß"},
        "Jürgen Müß",
    ],
    ids=["number", "address", "mail", "name", "text"],
)
def test_what_could_not_be_read_of_an_author_goes_however_it_is_written(
    make_world: MakeWorld, author: Any, write: Callable[[Any], str]
) -> None:
    world = make_world("webhook")
    said = {"author": author, "created_at": "2026-01-02T03:04:05Z"}
    world.take({**said, "id": "1", "text": "alles in Scherben"}, name="hook", write=write)
    world.take({**said, "id": "2"}, {**said, "id": "3", "network": "no name"}, name="hook", write=write)
    world.run()
    assert world.hub.store.inbox.counts()["failed"] == 2
    world.forget(world.hub.store.signals.recent(limit=1)[0]["author_key"])
    words = ("Jürgen", "jmü", write("Jürgen")[1:-1], write("jürgen")[1:-1])
    assert {word: found for word in words if (found := leftovers(world.hub.store, word))} == {}


def test_who_shares_but_a_name_with_the_erased_loses_nothing(make_world: MakeWorld) -> None:
    world = make_world("webhook")
    for id_, name in ((2, "Ann"), (1, "public")):
        said = {"id": f"{id_}1", "author": {"id": id_, "name": name}, "visibility": "public"}
        world.take({**said, "text": "hello"}, {**said, "id": f"{id_}2"}, name="hook")
        world.run()
    world.forget(world.hub.store.signals.recent(limit=1)[0]["author_key"])
    assert leftovers(world.hub.store, '"Ann"').count("inbox.payload") == 2


def test_a_repost_that_came_with_the_post_goes_too(make_world: MakeWorld) -> None:
    world, did = make_world("webhook"), "did:plc:evq"
    post = {
        "uri": f"at://{did}/app.bsky.feed.post/1",
        "cid": "c1",
        "author": {"did": did, "handle": "evq.example"},
        "record": {"$type": "app.bsky.feed.post", "text": WORDS["text"], "createdAt": "2026-01-02T03:04:05Z"},
        "indexedAt": "2026-01-02T03:04:05Z",
    }
    reason = {
        "$type": "app.bsky.feed.defs#reasonRepost",
        "by": {"did": "did:plc:bo", "handle": "bo.example"},
        "uri": "at://did:plc:bo/app.bsky.feed.repost/3",
    }
    world.take(post, name="sky")
    world.run()
    world.take({"post": post, "reason": reason}, name="sky")
    world.run()
    world.forget(author_key("bluesky", did))
    assert leftovers(world.hub.store, WORDS["text"]) == []


def test_what_people_noted_and_a_vendor_said_beside_the_records_goes_too(make_world: MakeWorld) -> None:
    world = make_world("zendesk")
    world.take(post(4711))
    process(world.hub, slice_s=60)
    store, now = world.hub.store, world.hub.now()
    with store.database.write() as conn:
        for detail in ({"ids": [1], "note": "Mrs. Quist has called"}, {"note": f"{WORDS['name']} has called"}):
            store.audit.note_in(conn, AuditEntry("refuse", "sources/masto", "kim", detail), now=now)
    store.connections.pause("zendesk", reason=f"who is {WORDS['name']}?", until=now, now=now)
    assert {"audit.detail", "connections.reason"} <= set(leftovers(store, WORDS["surname"]))
    world.forget()
    assert leftovers(store, "Quist") == []


def test_what_a_vendor_answers_to_the_erasure_is_not_kept(make_world: MakeWorld) -> None:
    world = make_world("webhook")
    world.take(post(4711))
    world.run()
    fault = {"match": {"write": True}, "times": 9, "status": 422, "body": {"message": f"but {WORDS['name']}"}}
    world.vendors["webhook"].sandbox.faults.set([fault])
    world.forget()
    assert leftovers(world.hub.store, WORDS["name"]) == []
    assert "not kept" in {str(one["error"]["message"])[-9:-1] for one in receipts(world.hub, HUB, EVE) if one["error"]}


def test_what_comes_again_when_all_is_done_leaves_no_byte_either(make_world: MakeWorld) -> None:
    world = make_world("webhook")
    world.take(post(4711))
    world.run()
    world.forget()
    world.take(
        post(4711, edited_at="2026-01-03T03:04:05Z"),
        {"id": "9", "type": "mention", "account": ACCOUNT, "status": post(4711)},
    )
    assert world.files_but(WORDS["text"], {"webhook"}) != set()
    world.run()
    assert {word: found for word in WORDS.values() if (found := world.files_but(word, {"webhook"}))} == {}
