"""The default mappings: their own cases, and what a hostile text becomes in the look-alike."""

from __future__ import annotations

import json
import tomllib
from datetime import datetime
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.core.grammar.facts import merge, skeleton
from hub.core.mapping import CompiledMapping, Mapped, compile_mapping
from hub.core.spec import MappingSpec
from hub.sdk.http import open_guard
from hub.testkit.fakes import context
from hub.testkit.sandbox import SandboxOptions, serve
from plugins.salesforce.sandbox import SalesforceSandbox, build
from plugins.salesforce.translate import object_info
from tests.material import ROOT, shared
from tests.plugins.salesforce.given import delivery, destination, running

NAMES = ("author", "signal", "lead", "contact", "account")
PEOPLES = pytest.mark.parametrize("name", ["lead", "contact", "account"])
FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"


def mapping(name: str) -> CompiledMapping:
    path = ROOT / f"mappings/salesforce/{name}.toml"
    spec = msgspec.convert(tomllib.loads(path.read_text("utf-8")), MappingSpec)
    return compile_mapping(spec, name=name, file=path.name)


def facts(text: str, name: str = "Anna") -> dict[str, Any]:
    signal = {
        "network": "mastodon",
        "native_id": text[:300],
        "kind": "post",
        "text": text,
        "title": text,
        "url": "https://m.example/" + "a" * 300,
        "lang": "de",
        "published_at": "2026-01-02T03:04:05Z",
        "updated_at": "2026-01-02T03:04:05.123456Z",
        "visibility": "public",
        "hashtags": [text[:200], "b" * 200],
        "state": "live",
        "origin": "source",
        "counts": {"likes": 3},
    }
    author = {
        "key": "mastodon:1",
        "network": "nowhere",
        "native_id": "1",
        "display_name": name,
        "bio": text,
        "verified": True,
    }
    labels = {"sentiment": {"value": "negative", "score": -0.8}}
    known = {"signal": signal, "author": author, "labels": labels, "stats": {"signals_30d": 4}}
    last = {"last_url": signal["url"], "last_network": "mastodon", "last_at": signal["published_at"]}
    known["person"] = {"key": "person:1", "display_name": name, "emails": [], **last}
    known["account"] = {"key": "account:1", "name": name, "domain": "example.com", **last}
    return merge(known, skeleton()) | {"topics": ["acme"]}


def fields(name: str, given_facts: dict[str, Any]) -> dict[str, Any]:
    made = mapping(name).apply(given_facts)
    assert isinstance(made, Mapped), made
    return made.fields


@pytest.mark.parametrize("name", NAMES)
def test_a_mapping_passes_its_own_cases(name: str) -> None:
    results = mapping(name).run_tests()
    assert len(results) >= 2
    assert [one for one in results if not one.passed] == []


@pytest.mark.parametrize("name", NAMES)
def test_a_mapping_writes_only_fields_that_the_admin_is_told_to_make(name: str) -> None:
    objects = SalesforceSandbox(SandboxOptions()).objects
    spec = mapping(name).spec
    known = object_info(spec.object, objects).fields
    assert set(spec.fields) - set(known) == set()
    assert known[spec.key_field].unique


@pytest.mark.parametrize("name", NAMES)
def test_every_text_is_limited_by_its_fields_length(name: str) -> None:
    """Lengths by the fields' metadata."""
    known = object_info(mapping(name).spec.object, SalesforceSandbox(SandboxOptions()).objects).fields
    for field, how in mapping(name).spec.fields.items():
        length = known[field].max_length
        if known[field].type in {"string", "text"} and length and (how.from_ or how.template) and length > 64:
            assert how.limit is not None, field
            assert how.limit <= length, field


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(min_size=1), st.text(min_size=1))
def test_no_text_is_ever_too_long_for_salesforce(text: str, name: str) -> None:
    """STRING_TOO_LONG never comes back, whatever was said."""
    long = text * (40000 // len(text))
    given_facts = json.loads(json.dumps(facts(long, name)).encode("utf-8", "replace"))
    with running() as (_, ctx, crm):
        author = delivery(1, fields=fields("author", given_facts))
        signal = {"object": "Social_Signal__c", "key_field": "Signal_Key__c"}
        errors = [crm.deliver(ctx, [author])[0].error]
        errors += [crm.deliver(ctx, [delivery(2, fields=fields("signal", given_facts), **signal)])[0].error]
        lead = {"object": "Lead", "key_field": "Social_Author_Key__c"}
        errors += [crm.deliver(ctx, [delivery(3, fields=fields("lead", given_facts), **lead)])[0].error]
    assert errors == [None, None, None]


def test_no_emoji_is_cut_in_half() -> None:
    """A family of three is one sign."""
    cut = fields("signal", facts(FAMILY * 8000))["Text__c"]
    assert len(cut) <= 32000
    assert cut.replace(FAMILY, "") == ""


def test_every_time_has_its_zone() -> None:
    """A date without a zone is the org's guess."""
    made = fields("signal", facts("hello"))
    assert all(datetime.fromisoformat(made[name]).tzinfo for name in ("Published__c", "Edited__c"))


def test_a_url_that_is_too_long_is_not_cut_into_a_wrong_one() -> None:
    assert not fields("signal", facts("hello")).get("Url__c")


def test_a_signal_hangs_on_its_author_without_a_look_up() -> None:
    with running() as (sandbox, ctx, crm):
        author = crm.deliver(ctx, [delivery(1, fields=fields("author", facts("hello")))])[0].ref
        signal = {"object": "Social_Signal__c", "key_field": "Signal_Key__c"}
        crm.deliver(ctx, [delivery(2, fields=fields("signal", facts("hello")), **signal)])
        [(_, record)] = sandbox.sandbox.store.all("Social_Signal__c")
    assert author is not None
    assert record["Author__c"] == author.id


@PEOPLES
def test_what_people_at_the_desk_correct_is_written_once(name: str) -> None:
    once = {field for field, how in mapping(name).spec.fields.items() if how.once}
    assert once == {field for field in mapping(name).spec.fields if not field.startswith("Social_")}


def stable(name: str, followers: int | None, mean: float | None, signals: int = 4) -> str:
    """What decides whether such an author is written again."""
    given_facts = facts("hello")
    counted = {"signals_30d": signals, "sentiment_mean_30d": mean, "sentiment_trend_30d": mean}
    for root in ("author", "person", "account"):
        given_facts[root]["followers"] = followers
    for root in ("stats", "person", "account"):
        given_facts[root] |= counted
    given_facts["signal"]["counts"] = {"likes": signals, "replies": signals, "shares": signals}
    made = mapping(name).apply(given_facts)
    assert isinstance(made, Mapped)
    return made.stable


@pytest.mark.parametrize("name", NAMES)
def test_counts_alone_cause_no_write(name: str) -> None:
    assert stable(name, 1200, -0.2) == stable(name, 9800, 0.3, signals=99)


@pytest.mark.parametrize("name", ["author", "lead", "contact", "account"])
@pytest.mark.parametrize(("followers", "mean"), [(10_000, -0.2), (999, -0.2), (1200, -0.4), (1200, 0.34), (None, -0.2)])
def test_a_threshold_that_is_crossed_causes_a_write(name: str, followers: int | None, mean: float) -> None:
    assert stable(name, 1200, -0.2) != stable(name, followers, mean)


@PEOPLES
def test_what_people_see_fits_the_describe_of_a_real_org(name: str) -> None:
    """Lengths, required fields and picklists as a real org describes them, with our fields added."""
    contracts = shared(f"contracts/salesforce/describe.{name.title()}.json").parent.parent
    spec = mapping(name).spec
    with serve(build(SandboxOptions(contracts=contracts))) as sandbox, open_guard(allow_private=True) as http:
        crm = destination(instance_url=sandbox.url, access_token="sandbox-token")
        author = delivery(1, record_key="mastodon:1", fields=fields("author", facts("hello")))
        person = delivery(
            2, object=spec.object, key_field=spec.key_field, fields=fields(name, facts("x" * 5000, "n" * 300))
        )
        outcomes = [*crm.deliver(context(http), [author]), *crm.deliver(context(http), [person])]
        [(_, held)] = sandbox.sandbox.store.all(spec.object)
    assert [one.error for one in outcomes] == [None, None]
    assert outcomes[0].ref is not None
    assert held["Social_Author__c"] == outcomes[0].ref.id


@PEOPLES
def test_no_word_of_a_post_goes_onto_a_persons_record_but_the_wish(name: str) -> None:
    """Field history keeps old values, but not those of a long text: elsewhere stand a link, the network and a time."""
    told = {
        field: value for field, value in fields(name, facts("unmistakable words")).items() if field != "Description"
    }
    assert "unmistakable" not in repr(told)
