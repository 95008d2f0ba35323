"""The README tells the truth."""

from __future__ import annotations

import json

import pytest

from plugins.salesforce.config import SalesforceOptions
from tests.material import ROOT

README = (ROOT / "plugins/salesforce/README.md").read_text("utf-8")
SCHEMA = json.loads((ROOT / "plugins/salesforce/schema.json").read_text("utf-8"))["objects"]


def test_every_option_is_in_the_table() -> None:
    assert [name for name in SalesforceOptions.model_fields if f"`{name}`" not in README] == []


@pytest.mark.parametrize(
    ("object_", "part"),
    [
        ("Social_Author__c", "fields"),
        ("Social_Signal__c", "fields"),
        ("Lead", "custom"),
        ("Contact", "custom"),
        ("Account", "custom"),
    ],
)
def test_every_field_that_the_admin_must_make_is_listed(object_: str, part: str) -> None:
    assert [one["name"] for one in SCHEMA[object_][part] if f"| `{one['name']}` |" not in README] == []
