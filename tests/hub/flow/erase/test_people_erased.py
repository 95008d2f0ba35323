"""Who is erased as an author is forgotten as a person too, unless others stand behind that person; the keys stay."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hub.core.errors import Unavailable
from hub.core.keys import author_key, signal_key
from hub.core.model import IdentityLink, Tombstone
from hub.flow.decide.batch import process
from hub.flow.deliver.send import deliver_batch
from hub.flow.erase.erase import erase, finish
from hub.store.audit import AuditEntry
from tests.hub.flow.erase.test_erase import leftovers
from tests.hubs import Made

NewHub = Callable[..., Made]
GROUND, NAME, MAIL = "she wrote: I am Ada of Kiel, see my order", "Ada of Kiel", "ada@kiel.example"
CONTACT = """
object = "contact"
keyed_by = "person"
[fields.name]
from = "person.display_name"
[fields.mail]
from = "person.emails"
"""
RULES = '[[rule]]\nname = "all"\ndeliver = [{ destination = "memo", mapping = "contact" }]\n'


@pytest.fixture
def made(new_hub: NewHub) -> Made:
    hub = new_hub(rules=RULES)
    (hub.hub.settings.folder / "mappings" / "memo" / "contact.toml").write_text(CONTACT)
    hub.memo.capabilities = frozenset({"tombstone"})
    return hub


def person(made: Made, *writers: str, name: str = NAME, ground: str = GROUND) -> str:
    made.clock.pass_(seconds=1)
    store, now = made.hub.store, made.clock()
    key = store.people.add(
        name, emails=(MAIL,), owner="kim", company="Kiel Inc", company_domain="kiel.example", now=now
    ).key
    entries = [AuditEntry("person", key, "kim", {"name": name, "emails": [MAIL]})]
    for writer in writers:
        store.people.link(IdentityLink(author_key("lines", writer), key, "given_by_person", ground, "kim", now))
        detail = {"person": key, "basis": "given_by_person", "evidence": ground}
        entries.append(AuditEntry("link", author_key("lines", writer), "kim", detail))
    with store.database.write() as conn:
        for entry in entries:
            store.audit.note_in(conn, entry, now=now)
    return key


def say(made: Made, name: str, by: str, text: str = "hello, my teapot") -> None:
    made.say({"id": name, "text": text, "by": by, "url": f"https://lines.example/{name}"})


def forget(made: Made, key: str) -> None:
    erase(made.hub, [Tombstone(key, "erasure", made.clock())])
    made.run()


def all_leftovers(made: Made) -> list[str]:
    return [place for word in (GROUND, NAME, MAIL, "Kiel") for place in leftovers(made.hub.store, word)]


def test_nothing_that_was_said_of_the_person_stays_anywhere(made: Made) -> None:
    person(made, "ana")
    say(made, "1", "ana")
    made.run()
    assert {"people.body", "identity_links.evidence", "audit.detail", "deliveries.fields"} <= set(all_leftovers(made))
    forget(made, author_key("lines", "ana"))
    assert all_leftovers(made) == []


def test_the_history_of_links_keeps_who_linked_whom_and_when(made: Made) -> None:
    key = person(made, "ana")
    say(made, "1", "ana")
    made.run()
    forget(made, author_key("lines", "ana"))
    (link,) = made.hub.store.people.links_of(person_key=key)
    assert (link.author_key, link.by, link.evidence) == (author_key("lines", "ana"), "kim", "(removed)")
    assert link.revoked_at == made.clock()
    entry = made.hub.store.audit.recent(subject=author_key("lines", "ana"))[0]
    assert entry["detail"] == {"person": key, "basis": "given_by_person", "evidence": "(removed)"}


def test_an_author_of_whom_nothing_is_stored_is_forgotten_as_a_person(made: Made) -> None:
    person(made, "ana")
    forget(made, author_key("lines", "ana"))
    assert all_leftovers(made) == []


def test_a_person_whom_others_are_linked_to_stays(made: Made) -> None:
    key = person(made, "ana", "bo")
    say(made, "1", "ana")
    say(made, "2", "bo")
    made.run()
    forget(made, author_key("lines", "ana"))
    kept = made.hub.store.people.get(key)
    assert kept is not None
    assert (kept.display_name, kept.emails, kept.company) == (NAME, (MAIL,), "Kiel Inc")
    assert [one.evidence for one in made.hub.store.people.links_of(person_key=key)] == ["(removed)", GROUND]


def test_of_merged_people_the_one_nobody_is_linked_to_is_forgotten(made: Made) -> None:
    loser = person(made, "ana", name="Ada of old")
    winner = person(made, "bo")
    made.hub.store.people.merge(loser, winner)
    say(made, "1", "ana")
    made.run()
    forget(made, author_key("lines", "ana"))
    assert leftovers(made.hub.store, "Ada of old") == []
    kept = made.hub.store.people.get(winner)
    assert kept is not None
    assert kept.display_name == NAME


def test_who_is_forgotten_takes_all_along_who_were_merged_into_them(made: Made) -> None:
    winner = person(made, "ana")
    made.hub.store.people.merge(person(made), winner)
    say(made, "1", "ana")
    made.run()
    forget(made, author_key("lines", "ana"))
    assert all_leftovers(made) == []


def test_what_was_known_when_an_author_unlinked_since_spoke_is_forgotten_too(made: Made) -> None:
    person(made, "ana", "bo")
    say(made, "1", "ana")
    say(made, "2", "bo")
    made.run()
    made.hub.store.people.unlink(author_key("lines", "bo"), now=made.clock())
    forget(made, author_key("lines", "ana"))
    assert [place for word in (GROUND, NAME, MAIL) for place in leftovers(made.hub.store, word)] == []


def test_a_record_of_the_person_that_was_never_sent_is_not_sent(made: Made) -> None:
    person(made, "ana")
    say(made, "1", "ana")
    process(made.hub)
    forget(made, author_key("lines", "ana"))
    assert (made.memo.got, all_leftovers(made)) == ([], [])


def test_a_record_of_the_person_that_was_under_way_keeps_nothing_once_it_has_ended(made: Made) -> None:
    person(made, "ana")
    made.memo.answer = lambda one: Unavailable("try later")
    say(made, "1", "ana")
    process(made.hub)
    deliver_batch(made.hub, "memo")
    made.memo.answer = None
    forget(made, author_key("lines", "ana"))
    made.clock.pass_(hours=1)
    made.run()
    assert set(all_leftovers(made)) == {"deliveries.fields"}
    finish(made.hub)
    assert all_leftovers(made) == []


def test_a_ground_that_quotes_an_erased_post_goes_with_it_and_the_link_stays(made: Made) -> None:
    key = person(made, "ana", ground="she says: acme lost my heirloom teapot")
    person(made, "bo", ground="order 4711")
    say(made, "1", "ana", "acme lost my heirloom teapot")
    made.run()
    forget(made, signal_key("lines", "1"))
    (link,) = made.hub.store.people.links_of(person_key=key)
    assert (link.evidence, link.revoked_at) == ("(removed)", None)
    assert leftovers(made.hub.store, "heirloom teapot") == []
