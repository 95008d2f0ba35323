"""Who is behind an author: a fact for rules, and one ticket for two channels where a rule joins them."""

from __future__ import annotations

from collections.abc import Callable

from hub.core.access import HUB
from hub.core.keys import author_key
from hub.core.model import IdentityLink
from hub.flow.decide.batch import process
from hub.flow.views.explain import explain
from tests.hubs import RULES, Made

NewHub = Callable[..., Made]
JOIN = RULES.format(mapping="ticket") + 'join = "person"\n'
KNOWN = RULES.format(mapping="note").replace("'\"acme\" in topics'", "'person.owner == \"kim\"'")


def link(made: Made, *writers: str) -> str:
    """One person behind these authors."""
    store, now = made.hub.store, made.clock()
    person = store.people.add("Ada", owner="kim", now=now)
    for writer in writers:
        ground = ("order_reference", "order 4711", "kim", now)
        store.people.link(IdentityLink(author_key("lines", writer), person.key, *ground))
    return person.key


def say(made: Made, name: str, by: str) -> None:
    made.say({"id": name, "text": "acme", "by": by})
    made.run()


def operations(made: Made) -> list[str]:
    return [row["operation"] for row in reversed(made.hub.store.outbox.recent(limit=100))]


def test_a_second_channel_of_a_person_comments_on_the_open_ticket(new_hub: NewHub) -> None:
    made = new_hub(rules=JOIN)
    link(made, "here", "there")
    say(made, "1", "here")
    say(made, "2", "there")
    assert (operations(made), made.states()) == (["create", "comment"], {"delivered": 2})
    (ticket, comment) = [one for batch in made.memo.got for one in batch]
    assert comment.parents["conversation"].id == f"r-{ticket.record_key[-6:]}"


def test_a_stranger_gets_a_ticket_of_their_own(new_hub: NewHub) -> None:
    made = new_hub(rules=JOIN)
    link(made, "here", "there")
    say(made, "1", "here")
    say(made, "2", "somebody")
    assert operations(made) == ["create", "create"]


def test_without_a_joining_rule_each_channel_has_its_ticket(new_hub: NewHub) -> None:
    made = new_hub(mapping="ticket")
    link(made, "here", "there")
    say(made, "1", "here")
    say(made, "2", "there")
    assert operations(made) == ["create", "create"]


def test_a_conversation_that_was_closed_is_not_joined(new_hub: NewHub) -> None:
    made = new_hub(rules=JOIN)
    link(made, "here", "there")
    say(made, "1", "here")
    thread = made.hub.store.signals.recent()[0]["conversation_key"]
    with made.hub.store.database.write() as conn:
        made.hub.store.conversations.put(conn, thread, {"state": "closed"}, at=made.clock(), by="desk")
    say(made, "2", "there")
    assert operations(made) == ["create", "create"]


def test_a_link_that_was_revoked_joins_no_more(new_hub: NewHub) -> None:
    made = new_hub(rules=JOIN)
    link(made, "here", "there")
    say(made, "1", "here")
    made.hub.store.people.unlink(author_key("lines", "there"), now=made.clock())
    say(made, "2", "there")
    assert operations(made) == ["create", "create"]


def test_rules_read_who_it_is_and_the_explanation_remembers_it(new_hub: NewHub) -> None:
    made = new_hub(rules=KNOWN)
    key = link(made, "here")
    made.say({"id": "1", "text": "hello", "by": "here"}, {"id": "2", "text": "hello", "by": "there"})
    process(made.hub)
    matched = {row["signal"].native_id: row["matched"] for row in made.hub.store.signals.recent()}
    assert matched == {"1": True, "2": False}
    made.hub.store.people.unlink(author_key("lines", "here"), now=made.clock())
    told = explain(made.hub, HUB, next(row["key"] for row in made.hub.store.signals.recent() if row["matched"]))
    assert told is not None
    assert told.rules[0].matched
    assert told.rules[0].conditions[0].read == {"person.owner": "kim"}
    assert key.startswith("person:")
