"""What each destination's own mappings write of a signal is gone after its tombstone: records, bins and histories."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec import UNSET
from msgspec.structs import replace

from hub import Author, Delivery, Media, Outcome, Rejected, RemoteRef, Signal
from hub.config.rulebook import default_mappings
from hub.core.erasure import without, words_of, written_of
from hub.core.grammar.facts import facts
from hub.core.mapping import Mapped, compile_mapping
from hub.sdk.connectors import Destination
from hub.sdk.http import open_guard
from hub.testkit.fakes import context
from hub.testkit.sandbox import Sandbox, SandboxOptions, serve
from plugins.hubspot.config import HubSpotOptions
from plugins.hubspot.destination import HubSpotDestination
from plugins.hubspot.erasure import CONTENT as HUBSPOT
from plugins.hubspot.sandbox import build as hubspot
from plugins.salesforce.config import SalesforceOptions
from plugins.salesforce.destination import SalesforceDestination
from plugins.salesforce.sandbox import build as salesforce
from plugins.salesforce.translate import CONTENT as SALESFORCE
from plugins.salesforce.translate import THEIRS
from plugins.webhook.config import OutboundOptions
from plugins.webhook.destination import WebhookDestination
from plugins.webhook.sandbox import build as webhook

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
TEXT, TITLE, NAME = "my heirloom teapot came broken", "broken heirloom", "Evelina Quist"
TOKEN = "sandbox-token"
AUTHOR = Author("mastodon:eve", "mastodon", "https://m.example/users/evq", handle="evq@m.example", display_name=NAME)
SIGNAL = Signal(
    "mastodon:1",
    "mastodon",
    "https://m.example/users/evq/1",
    "post",
    TEXT,
    AUTHOR.key,
    NOW,
    NOW,
    title=TITLE,
    url="https://m.example/@evq/1",
    media=(Media("image", "https://m.example/a.png", alt=TEXT),),
)
Opened = tuple[Destination[Any], Sandbox, Any]


@contextmanager
def opened(name: str) -> Iterator[Opened]:
    """A destination before its sandbox."""
    box = {"salesforce": salesforce, "hubspot": hubspot, "webhook": webhook}[name](SandboxOptions())
    with serve(box) as running, open_guard(("127.0.0.1",), allow_private=True) as http:
        made: Destination[Any]
        if name == "salesforce":
            options = {"instance_url": running.url, "access_token": TOKEN}
            made = SalesforceDestination(SalesforceOptions.model_validate(options))
        elif name == "hubspot":
            made = HubSpotDestination(HubSpotOptions.model_validate({"token": TOKEN, "base_url": running.url}))
        else:
            made = WebhookDestination(OutboundOptions.model_validate({"url": f"{running.url}/records"}))
        yield made, box, context(http)


def delivery(number: int, name: str, mapping: str, ref: Mapping[str, RemoteRef]) -> Delivery:
    """What the engine sends for the signal by one of the destination's own mappings."""
    spec = default_mappings(f"mappings:{name}")[mapping]
    known = facts(SIGNAL, AUTHOR, (), topics=("acme",), url="http://hub/signals/mastodon:1")
    mapped = compile_mapping(spec, name=mapping).apply(known)
    assert isinstance(mapped, Mapped)
    key = AUTHOR.key if spec.keyed_by == "author" else SIGNAL.key
    given = {"key_field": spec.key_field or "", "parents": ref, "signal_key": SIGNAL.key}
    return Delivery(number, name, spec.object, key, spec.operation, 0, f"k{number}", mapped.fields, **given)


def tombstone(one: Delivery, ref: RemoteRef | None) -> Delivery:
    """What the engine sends once it is gone."""
    changes = {
        "operation": "tombstone",
        "fields": {"operation": one.operation},
        "key": "gone",
        "ref": ref,
        "parents": {},
    }
    return replace(one, **changes)


def whole(box: Sandbox) -> str:
    """All that the vendor holds."""
    return json.dumps({name: box.store.all(name) for name in box.store.names()})


def write(made: Destination[Any], ctx: Any, one: Delivery) -> RemoteRef | None:
    (outcome,) = made.deliver(ctx, [one])
    assert outcome.error is None, outcome.error
    return outcome.ref


@pytest.mark.parametrize(("name", "mapping"), [("salesforce", "signal"), ("hubspot", "signal"), ("webhook", "record")])
def test_no_byte_of_the_text_is_left(name: str, mapping: str) -> None:
    with opened(name) as (made, box, ctx):
        assert "tombstone" in made.capabilities
        author = write(made, ctx, delivery(1, name, "author", {})) if name != "webhook" else None
        one = delivery(2, name, mapping, {"author": author} if author else {})
        ref = write(made, ctx, one)
        assert TEXT in whole(box)
        gone = Delivery(
            3, name, one.object, one.record_key, "tombstone", 0, "k3", {"operation": "upsert"}, one.key_field, ref=ref
        )
        write(made, ctx, gone)
        left = whole(box)
    assert [word for word in (TEXT, TITLE, "@evq/1") if word in left] == []


@pytest.mark.parametrize(("name", "mapping"), [("salesforce", "author"), ("salesforce", "lead"), ("hubspot", "author")])
def test_no_word_about_an_erased_author_is_left_in_the_hubs_own_fields(name: str, mapping: str) -> None:
    with opened(name) as (made, box, ctx):
        if mapping == "lead":
            write(made, ctx, delivery(9, name, "author", {}))
        one = delivery(1, name, mapping, {})
        ref = write(made, ctx, one)
        assert "evq" in whole(box)
        gone = Delivery(
            2, name, one.object, one.record_key, "tombstone", 0, "k2", {"operation": "upsert"}, one.key_field, ref=ref
        )
        write(made, ctx, gone)
        left = json.dumps(box.store.all(one.object))
    assert "evq" not in left


@pytest.mark.parametrize(
    ("name", "mapping"),
    [("salesforce", "author"), ("salesforce", "lead"), ("hubspot", "author"), ("hubspot", "contact")],
)
def test_what_was_said_is_found_in_what_is_written_about_a_person(name: str, mapping: str) -> None:
    fields = without(delivery(1, name, mapping, {}).fields, words_of(SIGNAL))
    assert [word for word in (TEXT, TITLE) if word in json.dumps(fields)] == []


def test_hubspot_archives_records_without_their_words() -> None:
    with opened("hubspot") as (made, box, ctx):
        author = write(made, ctx, delivery(1, "hubspot", "author", {}))
        one = delivery(2, "hubspot", "signal", {"author": author} if author else {})
        write(made, ctx, tombstone(one, write(made, ctx, one)))
        emptied, archived = box.journal.entries[-2:]
    assert (emptied.kind, archived.kind) == ("update", "delete")
    assert emptied.fields["excerpt"] == ""


MAPPINGS = [
    (name, mapping)
    for name in ("salesforce", "hubspot")
    for mapping in default_mappings(f"mappings:{name}")
    if default_mappings(f"mappings:{name}")[mapping].keyed_by != "account"
]


@pytest.mark.parametrize(("name", "mapping"), MAPPINGS)
def test_a_tombstone_empties_each_field_that_a_shipped_mapping_fills_about_a_person(name: str, mapping: str) -> None:
    spec = default_mappings(f"mappings:{name}")[mapping]
    known = {*SALESFORCE.get(spec.object, ()), *THEIRS.get(spec.object, ()), *HUBSPOT.get(spec.object, ())}
    wanted = {field for field, how in spec.fields.items() if how.value is UNSET and "." not in field}
    assert wanted - known - SAYS_NOTHING == set()


SAYS_NOTHING = {
    *("Name", "State__c", "Network__c", "Kind__c", "Published__c", "Edited__c", "Visibility__c", "Origin__c"),
    *("Conversation_Key__c", "In_Reply_To__c", "network", "kind", "published_at", "state", "conversation_key"),
    *("OwnerId", "hubspot_owner_id"),
}
"""Keys, kinds, times and owners of a record that stays as a row without words; its name is replaced."""


def changed_by_people(name: str, mapping: str, changes: Mapping[str, Any]) -> tuple[Outcome, dict[str, Any]]:
    """A record is written, people change it, and its author is erased, by all that the engine knows of what was written."""
    with opened(name) as (made, box, ctx):
        write(made, ctx, delivery(9, name, "author", {}))
        one = replace(delivery(1, name, mapping, {}), once=ONCE[mapping])
        ref = write(made, ctx, one)
        assert ref is not None
        held = box.store.get(one.object, ref.id)
        assert held is not None
        theirs = {"properties": {**held["properties"], **changes}} if name == "hubspot" else changes
        box.store.update(one.object, ref.id, theirs)
        written = written_of([(one.fields, one.once)])
        (outcome,) = made.deliver(ctx, [replace(tombstone(one, ref), written=written)])
        found = box.store.get(one.object, ref.id)
        assert found is not None
        return outcome, found.get("properties", found)


ONCE = {"lead": ("FirstName", "LastName", "Company", "LeadSource", "Description"), "contact": ("firstname", "lastname")}


def test_what_people_wrote_on_a_lead_stays_and_the_receipt_names_it() -> None:
    outcome, left = changed_by_people("salesforce", "lead", {"LastName": "Mrs Quist", "Title": "CEO"})
    assert (outcome.error, outcome.left) == (None, ("LastName",))
    assert (left["LastName"], left["Title"], left["Social_Handle__c"]) == ("Mrs Quist", "CEO", None)


def test_what_the_hub_wrote_on_a_lead_goes() -> None:
    outcome, left = changed_by_people("salesforce", "lead", {"Title": "CEO"})
    assert (outcome.left, left["LastName"], left["Title"], left["Company"]) == ((), "deleted", "CEO", "deleted")
    assert [name for name, one in left.items() if name.startswith("Social_") and one and "Key" not in name] == [
        "Social_Author__c"
    ]


def test_what_the_hub_wrote_on_a_contact_goes_and_a_person_is_told_of_the_rest() -> None:
    outcome, left = changed_by_people("hubspot", "contact", {"lastname": "Mrs Quist", "jobtitle": "CEO"})
    assert isinstance(outcome.error, Rejected)
    assert "lastname" in str(outcome.error)
    assert (left["lastname"], left["jobtitle"], left["hub_handle"]) == ("Mrs Quist", "CEO", "")
