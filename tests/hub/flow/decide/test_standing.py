"""Records of people and accounts: how they stand over all their authors, which record they are, and what erasures leave."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hub.core.access import HUB
from hub.core.errors import Overtaken
from hub.core.keys import account_key, author_key, signal_key
from hub.core.model import Delivery, RemoteRef
from hub.flow.actions import people as deeds
from hub.flow.decide.batch import process
from hub.flow.history.book import candidate
from hub.flow.history.replay import run
from hub.flow.history.report import report
from hub.flow.views.explain import explain
from hub.store.people import NoAccount
from hub.store.references import Reference
from tests.hub.flow.contended import EACH_TIME, contend
from tests.hub.flow.erase.test_erase import leftovers
from tests.hubs import Made

NewHub = Callable[..., Made]
NAMES = ("signals_30d", "sentiment_now", "sentiment_mean_30d", "sentiment_trend_30d", "followers")
LAST = ("last_url", "last_network", "last_at", "open_conversation")
RULES = """
[[rule]]
name = "all"
deliver = [{ destination = "memo", mapping = "contact" }, { destination = "memo", mapping = "company" }]

[[rule]]
name = "help"
when = ['signal.text.contains("help")']
deliver = [{ destination = "memo", mapping = "ticket" }]
"""


def spec(object_: str, root: str) -> str:
    """A mapping that holds all that is known of a person or account."""
    head = f'object = "{object_}"\nkeyed_by = "{root}"\n[fields.name]\nfrom = "{root}.key"\n'
    fields = [f'[fields.{name}]\nfrom = "{root}.{name}"\n' for name in (*NAMES, *LAST)]
    return head + "".join(fields)


@pytest.fixture
def made(new_hub: NewHub) -> Made:
    hub = new_hub(rules=RULES)
    own = hub.hub.settings.folder / "mappings" / "memo"
    (own / "contact.toml").write_text(spec("contact", "person"))
    (own / "company.toml").write_text(spec("company", "account"))
    return hub


def person(made: Made, *writers: str, domain: str | None = "example.com", name: str = "Ada") -> str:
    """One person behind these authors."""
    made.clock.pass_(seconds=1)
    found = made.hub.store.people.add(name, company_domain=domain, now=made.clock())
    for writer in writers:
        link(made, writer, found.key)
    return found.key


def link(made: Made, writer: str, key: str) -> None:
    deeds.link(made.hub, HUB, author_key("lines", writer), key, ground=deeds.Ground("order_reference", "order 4711"))


def say(made: Made, name: str, by: str, text: str = "hello", **more: Any) -> None:
    made.clock.pass_(minutes=1)
    made.say({"id": name, "text": text, "by": by, "url": f"https://lines.example/{name}", **more})
    made.run()


def got(made: Made, object_: str = "contact") -> list[Delivery]:
    return [one for batch in made.memo.got for one in batch if one.object == object_]


def test_nobody_is_linked_and_nothing_is_made_and_the_explanation_says_so(made: Made) -> None:
    say(made, "1", "ana")
    told = explain(made.hub, HUB, signal_key("lines", "1"))
    assert got(made) == []
    assert told is not None
    assert told.notes == (
        "memo/contact: no person is linked to the author",
        "memo/company: no account is known of the author",
    )


def test_two_authors_of_a_person_write_one_record_that_counts_both(made: Made) -> None:
    key = person(made, "here", "there")
    say(made, "1", "here", "I love it", followers=100)
    say(made, "2", "there", "I hate it", followers=20)
    first, last = got(made)
    assert [one.record_key for one in (first, last)] == [key, key]
    assert (first.fields["signals_30d"], first.fields["followers"], first.fields["sentiment_now"]) == (
        1,
        100,
        "positive",
    )
    assert {name: last.fields[name] for name in NAMES[:3]} == {
        "signals_30d": 2,
        "sentiment_now": "negative",
        "sentiment_mean_30d": 0.0,
    }
    assert (last.fields["followers"], last.fields["last_url"]) == (120, "https://lines.example/2")
    assert (last.fields["last_network"], last.fields["last_at"]) == ("lines", "2026-11-22T12:02:01Z")


def test_in_one_batch_each_signal_counts_those_before_it(made: Made) -> None:
    person(made, "here", "there")
    made.say(*({"id": str(number), "text": "I love it", "by": by} for number, by in enumerate(("here", "there"))))
    made.run()
    (contact,) = got(made)
    assert (contact.fields["signals_30d"], contact.fields["sentiment_mean_30d"]) == (2, 1.0)


def test_people_of_one_domain_are_one_account(made: Made) -> None:
    person(made, "ada", domain="https://www.Example.com/about")
    person(made, "bo", name="Bo")
    say(made, "1", "ada", "I love it", followers=1)
    say(made, "2", "bo", "fine", followers=2)
    last = got(made, "company")[-1]
    assert last.record_key == account_key("example.com")
    assert (last.fields["signals_30d"], last.fields["followers"]) == (2, 3)
    assert [one.fields["signals_30d"] for one in got(made)] == [1, 1]


def test_an_older_post_that_comes_late_is_not_the_last_word(made: Made) -> None:
    person(made, "here", "there")
    say(made, "1", "here")
    say(made, "2", "there", ago=30)
    assert {one.fields["last_url"] for one in got(made)} == {"https://lines.example/1"}


def test_the_link_of_a_private_post_stays_out_of_later_records(made: Made) -> None:
    person(made, "here", "there")
    say(made, "1", "here")
    say(made, "2", "there", visibility="direct")
    say(made, "3", "here", "I love it", ago=5)
    assert {one.fields["last_url"] for one in got(made)} == {"https://lines.example/1"}


def test_the_open_ticket_is_named_until_it_is_closed(made: Made) -> None:
    made.memo.answer = staticmethod(
        lambda one: RemoteRef("7", "https://desk.example/7") if one.object == "ticket" else None
    )
    person(made, "here", "there")
    say(made, "1", "here", "help")
    say(made, "2", "there")
    thread = signal_key("lines", "1")
    with made.hub.store.database.write() as conn:
        made.hub.store.conversations.put(conn, thread, {"state": "closed"}, at=made.clock(), by="desk")
    say(made, "3", "there")
    assert [one.fields.get("open_conversation") for one in got(made)] == [None, "https://desk.example/7", None]


def test_what_no_mapping_reads_is_not_looked_up(new_hub: NewHub) -> None:
    made = new_hub()
    person(made, "here")
    say(made, "1", "here", "acme")
    kept = made.hub.store.signals.recent()[0]["trace"].person
    assert set(kept) == {"key", "display_name", "emails", "owner"}


# --------------------------------------------------------------------------------------------------- which record it is


def refer(made: Made, kind: str, key: str, object_: str, remote_id: str) -> None:
    made.hub.store.references.put(Reference(kind, key, "memo", object_, RemoteRef(remote_id)))


def test_a_record_that_was_told_is_written_by_its_id_from_the_first_time_on(made: Made) -> None:
    key = person(made, "here")
    refer(made, "person", key, "contact", "003A")
    refer(made, "account", account_key("example.com"), "company", "001A")
    say(made, "1", "here")
    refs = [one.ref.id for object_ in ("contact", "company") for one in got(made, object_) if one.ref]
    assert refs == ["003A", "001A"]


def test_a_record_that_is_told_later_gets_the_next_signal_whatever_stood_before(made: Made) -> None:
    key = person(made, "here")
    say(made, "1", "here")
    refer(made, "person", key, "contact", "003A")
    say(made, "2", "here", ago=60)
    assert [one.ref and one.ref.id for one in got(made)] == [None, "003A"]
    made.hub.store.references.drop(Reference("person", key, "memo", "contact", RemoteRef("")))
    say(made, "3", "here", ago=60)
    assert got(made)[-1].ref is None


def test_who_is_merged_brings_its_record_along_and_takes_it_back(made: Made) -> None:
    people, references = made.hub.store.people, made.hub.store.references
    made.memo.answer = staticmethod(lambda one: one.ref)
    ada, twin = person(made, "here"), person(made, "there", name="Twin")
    refer(made, "person", twin, "contact", "003T")
    people.merge(twin, ada)
    say(made, "1", "here")
    (contact,) = got(made)
    assert (contact.record_key, contact.ref and contact.ref.id) == (ada, "003T")
    people.unmerge(twin)
    assert ([one.remote.id for one in references.of([twin])], references.of([ada])) == (["003T"], [])


def test_a_merge_leaves_the_winner_the_record_it_has(made: Made) -> None:
    ada, twin = person(made, "here"), person(made, "there", name="Twin")
    for key, remote_id in ((ada, "003A"), (twin, "003T")):
        refer(made, "person", key, "contact", remote_id)
    made.hub.store.people.merge(twin, ada)
    made.hub.store.people.unmerge(twin)
    assert [one.remote.id for one in made.hub.store.references.of([ada, twin])] in (["003A", "003T"], ["003T", "003A"])


def test_a_record_of_an_author_becomes_that_of_the_linked_person_and_no_second_one_is_made(made: Made) -> None:
    made.memo.answer = staticmethod(lambda one: one.ref)
    own = made.hub.settings.folder / "mappings" / "memo"
    (own / "person.toml").write_text('object = "contact"\nkeyed_by = "author"\n[fields.name]\nfrom = "author.handle"\n')
    rules = RULES.replace('mapping = "contact"', 'mapping = "person"')
    (made.hub.settings.folder / "rules.toml").write_text(rules)
    (made.hub.settings.folder / "topics.toml").touch()
    say(made, "1", "here")
    (made.hub.settings.folder / "rules.toml").write_text(RULES)
    (made.hub.settings.folder / "topics.toml").touch()
    made.hub.__dict__.pop("book", None)
    key = person(made, "here")
    say(made, "2", "here")
    by_author, by_person = got(made)
    assert by_person.record_key == key
    assert by_person.ref is not None
    assert by_person.ref.id == f"r-{by_author.record_key[-6:]}"
    deeds.unlink(made.hub, HUB, by_author.record_key)
    assert made.hub.store.references.of([key]) == []


# ------------------------------------------------------------------------------------------------------------- parting


def part(made: Made, writer: str) -> None:
    deeds.unlink(made.hub, HUB, author_key("lines", writer))
    made.run()


def values(delivery: Delivery) -> dict[str, Any]:
    return {name: delivery.fields.get(name) for name in ("signals_30d", "sentiment_now", "followers", "last_url")}


def test_who_is_unlinked_leaves_the_records_at_once_with_all_that_was_known_by_it(made: Made) -> None:
    key = person(made, "here", "there")
    say(made, "1", "here", "I love it", followers=100)
    say(made, "2", "there", "I hate it", followers=20)
    part(made, "there")
    for object_, of in (("contact", key), ("company", account_key("example.com"))):
        last = got(made, object_)[-1]
        assert (last.record_key, last.ref is not None) == (of, True)
        assert values(last) == {
            "signals_30d": 1,
            "sentiment_now": "positive",
            "followers": 100,
            "last_url": "https://lines.example/1",
        }


def test_a_parting_that_is_overtaken_is_done_once_with_one_entry(made: Made) -> None:
    person(made, "here")
    say(made, "1", "here", "I hate it", followers=20)
    ledger = contend(made.hub.store, 2)
    part(made, "here")
    assert (ledger.conflicts, set(values(got(made)[-1]).values())) == (2, {""})
    assert len(made.hub.store.audit.recent(action="unlink")) == 1


def test_a_parting_that_is_overtaken_each_time_changes_nothing(made: Made) -> None:
    person(made, "here")
    say(made, "1", "here", "I hate it", followers=20)
    contend(made.hub.store, EACH_TIME)
    with pytest.raises(Overtaken, match="try again in a moment"):
        part(made, "here")
    assert made.hub.store.audit.recent(action="unlink") == []
    with made.hub.store.database.read() as conn:
        assert made.hub.store.people.behind(conn, [author_key("lines", "here")])


def test_if_no_author_is_left_what_was_known_is_emptied_and_the_record_stays(made: Made) -> None:
    key = person(made, "here")
    say(made, "1", "here", "I hate it", followers=20)
    part(made, "here")
    last = got(made)[-1]
    assert (last.fields["name"], set(values(last).values())) == (key, {""})
    (entry, *_) = made.hub.store.audit.recent(action="unlink")
    assert entry["detail"] == {"person": key, "corrected": ["memo"]}


def test_a_fact_that_only_the_parted_author_told_is_emptied_in_a_record_that_is_told_again(made: Made) -> None:
    person(made, "here", "there")
    say(made, "1", "here", "fine")
    say(made, "2", "there", "I hate it", followers=20)
    part(made, "there")
    assert values(got(made)[-1])["followers"] == ""


def test_a_record_that_says_the_same_without_the_author_is_not_sent_again(made: Made) -> None:
    person(made, "here", "there")
    say(made, "1", "here", "I love it")
    count = len(got(made))
    part(made, "there")
    assert len(got(made)) == count


def test_a_parting_makes_no_record_where_the_one_there_is_the_authors_own(made: Made) -> None:
    key = person(made, "here")
    say(made, "1", "here", "I hate it")
    made.hub.store.references.drop(Reference("person", key, "memo", "contact", RemoteRef("")))
    count = len(got(made))
    part(made, "here")
    assert len(got(made)) == count


def test_a_merge_that_is_undone_leaves_the_winner_what_is_its_own(made: Made) -> None:
    ada, twin = person(made, "here", domain=None), person(made, "there", domain=None, name="Twin")
    deeds.merge(made.hub, HUB, twin, ada)
    say(made, "1", "here", "I love it")
    say(made, "2", "there", "I hate it")
    deeds.unmerge(made.hub, HUB, twin)
    made.run()
    last = got(made)[-1]
    assert (last.record_key, values(last)["sentiment_now"], values(last)["signals_30d"]) == (ada, "positive", 1)


@pytest.mark.parametrize("domain", ["new.example", ""])
def test_who_leaves_a_company_leaves_its_records_at_once(made: Made, domain: str) -> None:
    key = person(made, "here")
    person(made, "there", name="Colleague")
    say(made, "1", "there", "I love it", followers=5)
    say(made, "2", "here", "I hate it", followers=20)
    deeds.change(made.hub, HUB, key, company_domain=domain)
    made.run()
    last = got(made, "company")[-1]
    assert (last.record_key, last.ref is not None) == (account_key("example.com"), True)
    assert (values(last)["signals_30d"], values(last)["last_url"]) == (1, "https://lines.example/1")


def test_who_is_merged_into_a_person_of_another_company_leaves_its_records_at_once(made: Made) -> None:
    twin = person(made, "here", domain="old.example")
    ada = person(made, "there")
    say(made, "1", "here", "I hate it", followers=20)
    deeds.merge(made.hub, HUB, twin, ada)
    made.run()
    last = got(made, "company")[-1]
    assert (last.record_key, set(values(last).values())) == (account_key("old.example"), {""})


def test_merges_of_merges_are_undone_one_by_one(made: Made) -> None:
    one, two, three = (person(made, name, domain=None, name=name) for name in ("one", "two", "three"))
    deeds.merge(made.hub, HUB, one, two)
    deeds.merge(made.hub, HUB, two, three)
    for number, (writer, text) in enumerate([("three", "I love it"), ("two", "fine"), ("one", "I hate it")]):
        say(made, str(number), writer, text)
    counts = [values(got(made)[-1])["signals_30d"]]
    for merged in (one, two):
        deeds.unmerge(made.hub, HUB, merged)
        made.run()
        counts.append([values(told)["signals_30d"] for told in got(made) if told.record_key == three][-1])
    assert counts == [3, 2, 1]


def test_rules_that_cannot_be_read_stop_no_parting(made: Made) -> None:
    person(made, "here")
    say(made, "1", "here", "I hate it")
    made.hub.__dict__.pop("book", None)
    (made.hub.settings.folder / "rules.toml").write_text("[[rule]]\nwhen = 7\n")
    (made.hub.settings.folder / "topics.toml").touch()
    deeds.unlink(made.hub, HUB, author_key("lines", "here"))
    assert made.hub.store.people.links_of(author_key=author_key("lines", "here"))[0].revoked_at is not None


# ------------------------------------------------------------------------------------------------------------- history


def test_the_same_book_over_history_makes_the_same_records(made: Made) -> None:
    person(made, "here", "there")
    say(made, "1", "here", "I love it", followers=100)
    say(made, "2", "there", "I hate it")
    say(made, "3", "here", "help", ago=30)
    with run(made.hub, candidate(made.hub)) as done:
        found = report(made.hub, done)
    assert (found.signals, found.otherwise, found.differs) == (3, 0, False)


def test_the_explanation_reads_how_the_person_stood_on_that_day(made: Made) -> None:
    rules = RULES.replace("when = ['signal.text.contains(\"help\")']", "when = ['person.signals_30d >= 2']")
    (made.hub.settings.folder / "rules.toml").write_text(rules)
    (made.hub.settings.folder / "topics.toml").touch()
    person(made, "here", "there")
    for number, by in enumerate(("here", "there", "here")):
        say(made, str(number), by)
    told = explain(made.hub, HUB, signal_key("lines", "1"))
    assert told is not None
    assert told.rules[1].conditions[0].read == {"person.signals_30d": 2}


# ------------------------------------------------------------------------------------------------------------- erasures


def test_what_a_person_said_last_is_emptied_once_it_is_gone(made: Made) -> None:
    made.memo.capabilities = frozenset({"tombstone"})
    key = person(made, "here", "there")
    say(made, "1", "here")
    say(made, "2", "there")
    made.say({"id": "2", "gone": True})
    made.run()
    for object_ in ("contact", "company"):
        emptied = got(made, object_)[-1]
        assert (emptied.operation, emptied.fields) == ("upsert", {"last_url": "", "last_at": ""})
    say(made, "3", "here", ago=1)
    assert (got(made)[-1].record_key, got(made)[-1].fields["last_url"]) == (key, "https://lines.example/3")


def test_no_link_to_what_is_gone_stays_in_the_hub(made: Made) -> None:
    """Also where another signal of the person was decided after it, and its record told of the one that is gone."""
    made.memo.capabilities = frozenset({"tombstone"})
    person(made, "here", "there")
    say(made, "1", "here")
    say(made, "2", "there", "I love it", ago=30)
    assert "signals.trace" in leftovers(made.hub.store, "https://lines.example/1")
    made.say({"id": "1", "gone": True})
    made.run()
    assert leftovers(made.hub.store, "https://lines.example/1") == []


def test_a_record_that_links_to_another_post_keeps_it(made: Made) -> None:
    made.memo.capabilities = frozenset({"tombstone"})
    person(made, "here", "there")
    say(made, "1", "here")
    say(made, "12", "there")
    made.say({"id": "1", "gone": True})
    made.run()
    assert got(made)[-1].fields["last_url"] == "https://lines.example/12"


# ------------------------------------------------------------------------------------------------------------- accounts


@pytest.mark.parametrize(
    ("given", "domain"),
    [
        ("example.com", "example.com"),
        ("HTTPS://www.Example.com:443/about?x=1", "example.com"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("", None),
    ],
)
def test_a_domain_is_kept_in_its_plain_form(made: Made, given: str, domain: str | None) -> None:
    ada = made.hub.store.people.add("Ada", company_domain=given, now=made.clock())
    assert ada.company_domain == domain
    assert ada.account_key == (account_key(domain) if domain else None)


@pytest.mark.parametrize("values", [{"company": "Acme"}, {"company_domain": "acme"}, {"company_domain": "a b.example"}])
def test_a_company_that_no_domain_names_is_refused(made: Made, values: dict[str, str]) -> None:
    with pytest.raises(NoAccount, match="domain"):
        made.hub.store.people.add("Ada", now=made.clock(), **values)


def test_who_changes_the_company_is_of_another_account(made: Made) -> None:
    key = person(made, "here")
    made.hub.store.people.change(key, company_domain="other.example", company="Other")
    say(made, "1", "here")
    assert [one.record_key for one in got(made, "company")] == [account_key("other.example")]


def test_a_stranger_behind_the_same_batch_costs_nothing_more(made: Made) -> None:
    person(made, "here")
    made.say({"id": "1", "text": "x", "by": "here"}, {"id": "2", "text": "y", "by": "somebody"})
    process(made.hub)
    assert made.hub.store.outbox.counts() == {"memo": {"pending": 2}}
