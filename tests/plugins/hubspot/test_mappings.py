"""The default mappings fit the account that they are written for."""

from __future__ import annotations

import tomllib

import msgspec
import pytest

from hub.core.mapping import compile_mapping
from hub.core.spec import MappingSpec
from tests.material import ROOT
from tests.plugins.hubspot.conftest import Account, signal

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


def test_what_a_person_may_type_on_a_contact_is_written_once() -> None:
    once = {name for name, spec in read("contact").fields.items() if spec.once}
    assert once == {name for name in read("contact").fields if not name.startswith("hub_")}
