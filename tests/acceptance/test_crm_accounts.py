"""Contacts and accounts of linked people in two CRMs, over real HTTP: written once a person, never over what people typed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hub.core.keys import author_key
from hub.core.model import IdentityLink, RemoteRef
from hub.store.references import Reference
from tests.acceptance.test_crm_people import World, opened

PLACES = [("salesforce", "Contact"), ("salesforce", "Account"), ("hubspot", "contacts"), ("hubspot", "companies")]
OBJECTS = pytest.mark.parametrize(("crm", "object_"), PLACES)
TYPED: dict[str, dict[str, str]] = {
    "Contact": {
        "LastName": "Example",
        "FirstName": "Bo",
        "Email": "b@example.org",
        "Title": "Baker",
        "LeadSource": "Web",
    },
    "Account": {"Name": "Bakery", "Website": "https://bakery.example", "Phone": "1", "AccountSource": "Web"},
    "contacts": {"firstname": "Bo", "lastname": "Example", "email": "b@example.org", "jobtitle": "Baker"},
    "companies": {"name": "Bakery", "domain": "bakery.example", "phone": "1", "industry": "FOOD"},
}
LAST = {
    "salesforce": ("Social_Last_Url__c", "Social_Last_Signal__c"),
    "hubspot": ("hub_last_url", "hub_last_signal_at"),
}
COUNTED = {
    "salesforce": ("Social_Signals_30d__c", "Social_Followers__c"),
    "hubspot": ("hub_signals_30d", "hub_followers"),
}
KINDS = {"Contact": "person", "contacts": "person", "Account": "account", "companies": "account"}


class Company(World):
    """A person of a company with two accounts on networks."""

    rules = """
[[rule]]
name = "everybody"
deliver = [
  { destination = "hubspot", mapping = "contact_linked" },
  { destination = "hubspot", mapping = "company" },
  { destination = "salesforce", mapping = "contact" },
  { destination = "salesforce", mapping = "account" },
]
"""

    def link(self, *writers: str) -> str:
        """Bo, of example.com, behind these authors."""
        people, now = self.hub.store.people, self.clock()
        values = {"emails": ["bo@example.com"], "company": "Example Ltd", "company_domain": "example.com"}
        bo = people.add("Bo Example", now=now, **values)
        for writer in writers:
            people.link(IdentityLink(author_key("lines", writer), bo.key, "opt_in", "chat 7", "kim", now))
        return bo.key

    def all(self, crm: str, object_: str) -> list[tuple[str, dict[str, Any]]]:
        """The records of an object: ids and what they hold."""
        if crm == "salesforce":
            return [(id_, dict(one)) for id_, one in self.org.store.all(object_)]
        return [(id_, dict(one["properties"])) for id_, one in self.account.store.all(object_)]

    def edit(self, crm: str, object_: str, id_: str) -> None:
        """A person types all that is a person's."""
        (self.org if crm == "salesforce" else self.account).edit_by_hand(object_, id_, TYPED[object_])


@pytest.fixture
def company(tmp_path: Path) -> Iterator[Company]:
    with opened(Company, tmp_path) as made:
        yield made


@OBJECTS
def test_two_accounts_of_a_person_write_one_record_over_both(company: Company, crm: str, object_: str) -> None:
    company.link("bo", "bo_too")
    company.say("bo", followers=1000)
    company.say("bo_too", followers=200)
    ((_, held),) = company.all(crm, object_)
    assert [float(held[name]) for name in COUNTED[crm]] == [2, 1200]
    assert held[LAST[crm][0]] == "https://lines.example/2"


def test_nobody_linked_and_nothing_is_written(company: Company) -> None:
    company.say("bo")
    assert company.hub.store.signals.recent(limit=9)
    assert [company.all(*place) for place in PLACES] == [[]] * 4


@OBJECTS
def test_nothing_that_people_typed_is_overwritten(company: Company, crm: str, object_: str) -> None:
    company.link("bo", "bo_too")
    company.say("bo")
    ((id_, _),) = company.all(crm, object_)
    company.edit(crm, object_, id_)
    company.say("bo_too", followers=7)
    ((_, held),) = company.all(crm, object_)
    assert {name: held[name] for name in TYPED[object_]} == TYPED[object_]
    assert held[LAST[crm][0]] == "https://lines.example/2"


@OBJECTS
def test_the_record_that_somebody_named_is_written_and_no_second_one_made(
    company: Company, crm: str, object_: str
) -> None:
    key = company.link("stranger", "bo")
    company.say("stranger")
    ((id_, _),) = company.all(crm, object_)
    person = company.hub.store.people.get(key)
    assert person is not None
    named = person.key if KINDS[object_] == "person" else person.account_key or ""
    company.hub.store.references.drop(Reference(KINDS[object_], named, crm, object_, RemoteRef("")))
    company.edit(crm, object_, id_)
    # As if the hub had never met it: only its id leads there now.
    own = {"Contact": "Social_Person_Key__c", "Account": "Social_Account_Key__c", "contacts": "hub_contact_key"}
    field = own.get(object_, "hub_account_key")
    (company.org if crm == "salesforce" else company.account).edit_by_hand(object_, id_, {field: ""})
    company.hub.store.references.put(Reference(KINDS[object_], named, crm, object_, RemoteRef(id_)))
    company.say("bo")
    ((found, held),) = company.all(crm, object_)
    assert (found, held[LAST[crm][0]]) == (id_, "https://lines.example/2")
    assert {name: held[name] for name in TYPED[object_]} == TYPED[object_]


@OBJECTS
def test_a_post_that_is_gone_leaves_no_link_and_no_time(company: Company, crm: str, object_: str) -> None:
    company.link("bo")
    company.say("bo", "my heirloom teapot")
    ((id_, held),) = company.all(crm, object_)
    assert "teapot" not in repr(held)
    company.edit(crm, object_, id_)
    company.count -= 1
    company.say("bo", gone=True)
    ((_, held),) = company.all(crm, object_)
    assert [held[name] or "" for name in LAST[crm]] == ["", ""]
    assert "https://lines.example/1" not in repr(held)
    assert {name: held[name] for name in TYPED[object_]} == TYPED[object_]


def test_a_contact_leads_to_the_records_of_all_its_authors(company: Company) -> None:
    company.link("bo", "bo_too")
    company.say("bo")
    company.say("bo_too")
    ((_, contact),) = company.all("salesforce", "Contact")
    authors = {one["Handle__c"]: id_ for id_, one in company.all("salesforce", "Social_Author__c")}
    assert contact["Social_Author__c"] == authors["bo_too"]
    contacts = [id_ for id_, _ in company.all("hubspot", "contacts")]
    links = [(link["from"], link["to"]) for _, link in company.account.store.all("_associations")]
    theirs = [["social_author", id_] for id_, _ in company.all("hubspot", "social_author")]
    assert sorted(links) == sorted((["contacts", contacts[0]], author) for author in theirs)
    assert len(theirs) == 2
