"""For each action a hub where it changes something, and the call that does it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import select

from hub.core.access import HUB, Actor
from hub.core.errors import Rejected
from hub.core.keys import author_key, signal_key
from hub.core.model import RemoteRef
from hub.flow.actions import (
    alerts,
    backups,
    connections,
    deliveries,
    erasures,
    history,
    people,
    replies,
    rules,
    signals,
)
from hub.flow.actions.deliveries import Letters
from hub.flow.actions.people import Ground, RecordPlace
from hub.flow.decide.batch import process
from hub.flow.sweep import prepare
from hub.flow.views.history import Question
from hub.runtime import Hub
from hub.store import Store
from hub.store.hold import Holding
from hub.store.schema.types import metadata
from tests.hub.flow.actions.accounts_scenes import ACCOUNT_SCENES
from tests.hub.flow.desk import POST, Stage
from tests.hubs import Made

Act = Callable[[Actor], object]
NewHub = Callable[..., Made]
NewStage = Callable[..., Stage]
AUTHOR = author_key("lines", "ana")
GROUND = Ground("order_reference", "order 4711")
PLACE = RecordPlace("memo", "contact")
CONTACT = 'object = "contact"\nkeyed_by = "person"\n[fields.name]\nfrom = "person.display_name"\n'


def contents(store: Store) -> dict[str, list[Any]]:
    """The whole database, by table."""
    with store.database.read() as conn:
        return {
            table.name: [tuple(row) for row in conn.execute(select(table).order_by(*table.primary_key))]
            for table in metadata.sorted_tables
        }


def with_dead(new_hub: NewHub) -> Made:
    """A hub with a dead letter of memo, which is paused."""
    made = new_hub()
    made.memo.answer = staticmethod(lambda _: Rejected("no"))  # type: ignore[assignment]  # a function in a class
    made.say({"id": "1", "text": "acme"})
    made.run()
    made.memo.answer = None
    made.hub.store.connections.pause("memo", reason="x", until=made.clock() + timedelta(hours=1), now=made.clock())
    return made


def with_reply(new_stage: NewStage) -> tuple[Hub, int]:
    """A hub with a reply that waits for approval, and its number."""
    stage = new_stage(reply="approve")
    stage.say(POST)
    stage.answer()
    (row,) = stage.rows("reply")
    assert row["state"] == "approval"
    return stage.hub, row["id"]


def with_people(new_hub: NewHub) -> tuple[Hub, str, str]:
    """A hub with two people, the first linked to ana, and a mapping by person."""
    made = new_hub()
    (made.hub.settings.folder / "mappings" / "memo" / "contact.toml").write_text(CONTACT)
    ada = people.add(made.hub, HUB, "Ada").key
    made.clock.pass_(seconds=1)
    twin = people.add(made.hub, HUB, "Twin").key
    people.link(made.hub, HUB, AUTHOR, ada, ground=GROUND)
    return made.hub, ada, twin


# ------------------------------------------------------------------------------------------------------------ scenes


def retry(new_hub: NewHub, _: NewStage) -> tuple[Hub, Act]:
    hub = with_dead(new_hub).hub
    return hub, lambda actor: deliveries.retry(hub, actor, Letters(state="dead"))


def discard(new_hub: NewHub, _: NewStage) -> tuple[Hub, Act]:
    hub = with_dead(new_hub).hub
    return hub, lambda actor: deliveries.discard(hub, actor, Letters(), note="a test")


def approve(_: NewHub, new_stage: NewStage) -> tuple[Hub, Act]:
    hub, number = with_reply(new_stage)
    return hub, lambda actor: replies.approve(hub, actor, [number])


def refuse(_: NewHub, new_stage: NewStage) -> tuple[Hub, Act]:
    hub, number = with_reply(new_stage)
    return hub, lambda actor: replies.refuse(hub, actor, [number], note="too rude")


def add(new_hub: NewHub, _: NewStage) -> tuple[Hub, Act]:
    hub = new_hub().hub
    return hub, lambda actor: people.add(hub, actor, "Ada")


def change(new_hub: NewHub, _: NewStage) -> tuple[Hub, Act]:
    hub, ada, _key = with_people(new_hub)
    return hub, lambda actor: people.change(hub, actor, ada, owner="kim")


def link(new_hub: NewHub, _: NewStage) -> tuple[Hub, Act]:
    hub, ada, _key = with_people(new_hub)
    return hub, lambda actor: people.link(hub, actor, author_key("lines", "bo"), ada, ground=GROUND)


def unlink(new_hub: NewHub, _: NewStage) -> tuple[Hub, Act]:
    hub, *_keys = with_people(new_hub)
    return hub, lambda actor: people.unlink(hub, actor, AUTHOR)


def merge(new_hub: NewHub, _: NewStage) -> tuple[Hub, Act]:
    hub, ada, twin = with_people(new_hub)
    return hub, lambda actor: people.merge(hub, actor, twin, ada)


def unmerge(new_hub: NewHub, _: NewStage) -> tuple[Hub, Act]:
    hub, ada, twin = with_people(new_hub)
    people.merge(hub, HUB, twin, ada)
    return hub, lambda actor: people.unmerge(hub, actor, twin)


def ref(new_hub: NewHub, _: NewStage) -> tuple[Hub, Act]:
    hub, ada, _key = with_people(new_hub)
    return hub, lambda actor: people.ref(hub, actor, ada, PLACE, remote=RemoteRef("003A"))


def unref(new_hub: NewHub, _: NewStage) -> tuple[Hub, Act]:
    hub, ada, _key = with_people(new_hub)
    people.ref(hub, HUB, ada, PLACE, remote=RemoteRef("003A"))
    return hub, lambda actor: people.unref(hub, actor, ada, PLACE)


def retry_raw(new_hub: NewHub, _: NewStage) -> tuple[Hub, Act]:
    made = new_hub()
    made.say({"broken": 1})
    made.run()
    return made.hub, lambda actor: signals.retry(made.hub, actor)


def poll(new_hub: NewHub, _: NewStage) -> tuple[Hub, Act]:
    hub = new_hub().hub
    return hub, lambda actor: signals.poll(hub, actor, "lines")


def take_in(new_hub: NewHub, _: NewStage) -> tuple[Hub, Act]:
    hub = new_hub().hub
    file: Path = hub.settings.folder / "posts.jsonl"
    file.write_bytes(msgspec.json.encode({"id": "1", "text": "acme"}))
    return hub, lambda actor: list(signals.take_in(hub, actor, file, "lines"))


def erase(new_hub: NewHub, _: NewStage) -> tuple[Hub, Act]:
    made = new_hub()
    made.say({"id": "1", "text": "acme"})
    made.run()
    return made.hub, lambda actor: erasures.erase(made.hub, actor, signal_key("lines", "1"))


def recheck(new_hub: NewHub, _: NewStage) -> tuple[Hub, Act]:
    hub = new_hub().hub
    return hub, lambda actor: erasures.recheck(hub, actor, "lines")


def check(new_hub: NewHub, _: NewStage) -> tuple[Hub, Act]:
    hub = with_dead(new_hub).hub
    return hub, lambda actor: list(connections.check(hub, actor))


def tell_of_alerts(new_hub: NewHub, _: NewStage) -> tuple[Hub, Act]:
    hub = new_hub().hub
    return hub, lambda actor: alerts.test(hub, actor)


def replay(new_hub: NewHub, _: NewStage) -> tuple[Hub, Act]:
    """A rule that now matches what did not match on its day."""
    made = new_hub(rules="")
    made.say({"id": "1", "text": "hello"})
    made.run()
    text = '[[rule]]\nname = "all"\ndeliver = [{ destination = "memo", mapping = "note" }]\n'
    (made.hub.settings.folder / "rules.toml").write_text(text)
    (made.hub.settings.folder / "topics.toml").touch()
    made.hub.__dict__.pop("book", None)
    prepare(made.hub)

    def send(actor: Actor) -> None:
        with history.replay(made.hub, actor, Question()) as past:
            assert past.report.planned == 1

    return made.hub, send


def back_up(new_hub: NewHub, _: NewStage) -> tuple[Hub, Act]:
    hub = new_hub().hub
    return hub, lambda actor: backups.make(hub, actor, hub.settings.folder / "kept.zip")


def resume(new_hub: NewHub, _: NewStage) -> tuple[Hub, Act]:
    made = new_hub()
    made.say({"id": "1", "text": "acme"})
    process(made.hub)
    with made.hub.store.database.write() as conn:
        made.hub.store.hold.begin(conn, Holding(made.clock(), "restored", made.clock()))
    return made.hub, lambda actor: backups.resume(made.hub, actor)


def activate(new_hub: NewHub, _: NewStage) -> tuple[Hub, Act]:
    hub = new_hub().hub
    return hub, lambda actor: rules.activate(hub, actor)


SCENES: Mapping[str, Callable[[NewHub, NewStage], tuple[Hub, Act]]] = {
    "alerts.test": tell_of_alerts,
    "backups.make": back_up,
    "connections.check": check,
    "deliveries.discard": discard,
    "deliveries.retry": retry,
    "erasures.erase": erase,
    "erasures.recheck": recheck,
    "history.replay": replay,
    "people.add": add,
    "people.change": change,
    "people.link": link,
    "people.merge": merge,
    "people.ref": ref,
    "people.unlink": unlink,
    "people.unmerge": unmerge,
    "people.unref": unref,
    "replies.approve": approve,
    "replies.refuse": refuse,
    "rules.activate": activate,
    "backups.resume": resume,
    "signals.poll": poll,
    "signals.retry": retry_raw,
    "signals.take_in": take_in,
    **ACCOUNT_SCENES,
}
