"""Records that are written again though no rule asks: with a ticket's link, with the figures of the others."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hub.core.keys import author_key
from hub.core.model import Delivery, RemoteRef, Tombstone
from hub.flow.erase.erase import erase
from tests.hub.flow.erase.test_erase import able
from tests.hubs import Made

NewHub = Callable[..., Made]
DESK = "https://desk.example/7"
HEAD = 'operation = "upsert"\nkeyed_by = "author"\nkey_field = "key"\n'
LEAD = f"""object = "lead"
{HEAD}
[fields.where]
from = "conversation.url"
volatile = true
[fields.said]
from = "stats.signals_30d"
volatile = true
"""
AUTHOR = f"""object = "author"
{HEAD}
[fields.name]
from = "signal.text"
[fields.said]
from = "stats.signals_30d"
volatile = true
"""
TICKET = """object = "ticket"
operation = "create"
keyed_by = "conversation"
[fields.text]
from = "signal.text"
"""
RULES = """[[rule]]
name = "buying"
when = ['signal.text.contains("buy")']
deliver = [{ destination = "memo", mapping = "lead" }]
[[rule]]
name = "all"
deliver = [{ destination = "memo", mapping = "who" }]
[[rule]]
name = "help"
when = ['signal.text.contains("help")']
deliver = [{ destination = "memo", mapping = "desk" }]
"""


@pytest.fixture
def made(new_hub: NewHub) -> Made:
    made = new_hub(rules=RULES)
    folder = made.hub.settings.file.parent / "mappings" / "memo"
    for name, text in (("lead", LEAD), ("who", AUTHOR), ("desk", TICKET)):
        (folder / f"{name}.toml").write_text(text)
    made.memo.answer = staticmethod(lambda one: RemoteRef("7", DESK) if one.object == "ticket" else None)
    return made


def got(made: Made, object_: str) -> list[Delivery]:
    return [one for batch in made.memo.got for one in batch if one.object == object_]


def test_a_record_gets_the_link_of_the_ticket_that_its_signal_opened(made: Made) -> None:
    made.say({"id": "1", "text": "I want to buy, help", "url": "https://lines.example/1"})
    made.run()
    assert got(made, "lead")[0].fields["where"] in ("https://lines.example/1", DESK)
    assert got(made, "lead")[-1].fields["where"] == DESK


def test_without_a_ticket_the_post_itself_is_the_conversations_link(made: Made) -> None:
    made.say({"id": "1", "text": "I want to buy", "url": "https://lines.example/1"})
    made.run()
    assert [one.fields["where"] for one in got(made, "lead")] == ["https://lines.example/1"]


def test_records_of_one_author_in_one_batch_show_the_same_figures(made: Made) -> None:
    made.say({"id": "1", "text": "I want to buy"}, {"id": "2", "text": "hello"}, {"id": "3", "text": "again"})
    made.run()
    assert [got(made, name)[-1].fields["said"] for name in ("lead", "author")] == [3, 3]


def test_a_record_that_was_made_earlier_follows_when_another_of_its_author_is_written(made: Made) -> None:
    made.say({"id": "1", "text": "I want to buy"})
    made.run()
    made.say({"id": "2", "text": "hello"})
    made.run()
    assert [got(made, name)[-1].fields["said"] for name in ("lead", "author")] == [2, 2]


def test_a_record_that_was_erased_is_not_made_again_to_follow_another_of_its_author(made: Made) -> None:
    able(made).say({"id": "1", "text": "I want to buy"})
    made.run()
    made.clock.pass_(minutes=1)
    erase(made.hub, [Tombstone(author_key("lines", "ana"), "erasure", made.clock())])
    made.clock.pass_(minutes=1)
    made.run()
    made.memo.got.clear()
    made.say({"id": "2", "text": "hello"})
    made.run()
    assert ([one.operation for one in got(made, "author")], got(made, "lead")) == (["upsert"], [])
    assert made.hub.store.outbox.counts()["memo"] == {"delivered": 5}
