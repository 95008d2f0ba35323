"""The default mappings fit the account that they are written for."""

from __future__ import annotations

import tomllib
from typing import Any

import msgspec
import pytest

from hub.core.grammar.facts import merge, skeleton
from hub.core.mapping import Mapped, compile_mapping
from hub.core.spec import MappingSpec
from tests.material import ROOT
from tests.plugins.hubspot.conftest import Account, signal

PEOPLES = ("contact", "contact_linked", "company")
FILES = sorted((ROOT / "mappings" / "hubspot").glob("*.toml"))


def read(name: str) -> MappingSpec:
    """A mapping file."""
    return msgspec.convert(
        tomllib.loads((ROOT / "mappings" / "hubspot" / f"{name}.toml").read_text("utf-8")), MappingSpec
    )


@pytest.mark.parametrize("name", [file.stem for file in FILES])
def test_a_mappings_own_cases_hold(name: str) -> None:
    results = compile_mapping(read(name), name=name).run_tests()
    assert results
    assert [item for item in results if not item.passed] == []


@pytest.mark.parametrize("name", [file.stem for file in FILES])
def test_each_field_exists_and_may_be_written(account: Account, name: str) -> None:
    mapping = read(name)
    fields = account.destination.describe(account.ctx)[mapping.object].fields
    assert fields[mapping.key_field].unique
    for field, spec in mapping.fields.items():
        assert fields[field].writable
        values = {*(spec.table or {}).values(), *([spec.default] if spec.default else [])}
        assert values <= set(fields[field].values) or not fields[field].values


@pytest.mark.parametrize("name", [file.stem for file in FILES])
def test_what_a_case_expects_is_taken_by_hubspot(account: Account, name: str) -> None:
    mapping = read(name)
    cases = [case for case in mapping.test if case.expect]
    batch = [
        signal(index, object=mapping.object, key_field=mapping.key_field, fields=case.expect)
        for index, case in enumerate(cases)
    ]
    assert [item.error for item in account.destination.deliver(account.ctx, batch)] == [None] * len(cases)


@pytest.mark.parametrize("mapping", PEOPLES)
def test_what_a_person_may_type_is_written_once(mapping: str) -> None:
    once = {name for name, spec in read(mapping).fields.items() if spec.once}
    assert once == {name for name in read(mapping).fields if not name.startswith("hub_")}


def test_a_linked_contact_is_associated_with_its_author(account: Account) -> None:
    author = signal(0, object="social_author", key_field="hub_author_key", fields={"name": "Bo"})
    (made,) = account.destination.deliver(account.ctx, [author])
    assert made.ref is not None
    given = {"object": "contacts", "key_field": "hub_contact_key", "fields": {"firstname": "Bo"}}
    (contact,) = account.destination.deliver(account.ctx, [signal(1, parents={"author": made.ref}, **given)])
    assert contact.ref is not None
    assert account.links() == [(contact.ref.id, made.ref.id)]


def test_a_contact_of_several_accounts_is_associated_with_each(account: Account) -> None:
    given = {"object": "social_author", "key_field": "hub_author_key", "fields": {"name": "Bo"}}
    made = account.destination.deliver(account.ctx, [signal(index, **given) for index in range(2)])
    authors = [one.ref for one in made if one.ref]
    person = {"object": "contacts", "key_field": "hub_contact_key", "fields": {"firstname": "Bo"}}
    ref = None
    for author in authors:
        one = signal(2, parents={"author": author}, ref=ref, **person)
        ref = account.destination.deliver(account.ctx, [one])[0].ref
    assert ref is not None
    assert sorted(account.links()) == sorted((ref.id, author.id) for author in authors)


def facts(**values: Any) -> dict[str, Any]:
    """Facts in which author, person and account have these values."""
    named = {"person": {"display_name": "Bo"}, "account": {"name": "Example"}, "author": {"handle": "bo"}}
    known = {root: {**one, **values} for root, one in named.items()}
    return merge(known, skeleton())


def stable(mapping: str, followers: int | None, mean: float | None, signals: int = 4) -> str:
    """What decides whether the record of somebody like this is written again."""
    counted = {"sentiment_mean_30d": mean, "sentiment_trend_30d": mean, "signals_30d": signals}
    given = merge({"stats": counted}, facts(followers=followers, **counted))
    made = compile_mapping(read(mapping), name=mapping).apply(given)
    assert isinstance(made, Mapped)
    return made.stable


@pytest.mark.parametrize("mapping", PEOPLES)
def test_counts_alone_cause_no_write(mapping: str) -> None:
    assert stable(mapping, 1200, -0.2) == stable(mapping, 9800, 0.3, signals=99)


@pytest.mark.parametrize("mapping", PEOPLES)
@pytest.mark.parametrize(("followers", "mean"), [(10_000, -0.2), (999, -0.2), (1200, -0.4), (1200, 0.34), (None, -0.2)])
def test_a_threshold_that_is_crossed_causes_a_write(mapping: str, followers: int | None, mean: float) -> None:
    assert stable(mapping, 1200, -0.2) != stable(mapping, followers, mean)


@pytest.mark.parametrize("mapping", PEOPLES)
def test_no_word_of_a_post_goes_onto_a_persons_record_but_the_wish(mapping: str) -> None:
    given = merge({"signal": {"text": "unmistakable", "title": "unmistakable"}}, facts())
    made = compile_mapping(read(mapping), name=mapping).apply(given)
    assert isinstance(made, Mapped)
    told = {name: value for name, value in made.fields.items() if name != "hub_message"}
    assert "unmistakable" not in repr(told)
