"""The package of metadata holds what the README asks for, what the look-alike has and what mappings write."""

from __future__ import annotations

import json
import tomllib
from collections import Counter
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from tests.material import ROOT
from tests.plugins.salesforce import metadata

SCHEMA = json.loads((ROOT / "plugins/salesforce/schema.json").read_text("utf-8"))
OBJECTS = (*metadata.OWN, *metadata.STANDARD)
TYPES = {"Text": "string", "Url": "url", "LongTextArea": "textarea", "Number": "double", "Checkbox": "boolean"}
TYPES |= {"DateTime": "datetime", "Picklist": "picklist", "Lookup": "reference"}
NAMES = {"FirstName", "LastName", "Name", "Company", "OwnerId"}
"""Fields of a name, required ones, and the owner, whom no permission set can hide."""


def read(name: str) -> ET.Element:
    """A file of the package, without the namespace."""
    root = ET.fromstring((metadata.FOLDER / name).read_text("utf-8"))  # our own file
    for node in root.iter():
        node.tag = node.tag.rpartition("}")[2]
    return root


def made(object_: str) -> dict[str, ET.Element]:
    """The fields that the package makes on an object."""
    return {one.findtext("fullName", ""): one for one in read(f"objects/{object_}.object").iter("fields")}


def known(object_: str) -> dict[str, Any]:
    """The same fields as the look-alike has them."""
    part = "fields" if object_ in metadata.OWN else "custom"
    return {one["name"]: one for one in SCHEMA["objects"][object_][part] if one["name"] != "Name"}


def test_the_files_are_those_that_the_readme_makes() -> None:
    files = {str(path.relative_to(metadata.FOLDER)) for path in metadata.FOLDER.rglob("*") if path.is_file()}
    assert files == set(metadata.metadata())
    wrong = [name for name, text in metadata.metadata().items() if (metadata.FOLDER / name).read_text("utf-8") != text]
    assert wrong == [], "run: python -m tests.plugins.salesforce.metadata"


@pytest.mark.parametrize("object_", OBJECTS)
def test_the_package_and_the_look_alike_have_the_same_fields(object_: str) -> None:
    def told(field: ET.Element) -> tuple[str, bool, bool, list[str]]:
        unique, cased = (field.findtext(name) == "true" for name in ("unique", "caseSensitive"))
        values = [one.findtext("fullName", "") for one in field.iter("value")]
        return TYPES[field.findtext("type", "")], unique, cased, values

    like = {
        name: (one["type"], one.get("unique", False), one.get("caseSensitive", False), one.get("picklist", []))
        for name, one in known(object_).items()
    }
    assert {name: told(field) for name, field in made(object_).items()} == like


@pytest.mark.parametrize("object_", OBJECTS)
def test_texts_are_as_long_as_the_look_alike_takes_them(object_: str) -> None:
    lengths = {
        name: int(field.findtext("length", "0"))
        for name, field in made(object_).items()
        if field.find("length") is not None
    }
    assert lengths == {name: known(object_)[name]["length"] for name in lengths}


def test_each_lookup_of_one_parent_has_a_child_relationship_of_its_own() -> None:
    lookups = [field for object_ in OBJECTS for field in made(object_).values() if field.findtext("type") == "Lookup"]
    names = Counter((field.findtext("referenceTo"), field.findtext("relationshipName")) for field in lookups)
    assert len(names) == 4
    assert set(names.values()) == {1}


def test_no_history_keeps_what_was_taken_back() -> None:
    assert [read(f"objects/{name}.object").findtext("enableHistory") for name in metadata.OWN] == ["false", "false"]


def test_the_permission_set_opens_what_mappings_write_and_deletes_nothing() -> None:
    permissions = read("permissionsets/Hubbub.permissionset")
    opened = {
        one.findtext("field") for one in permissions.iter("fieldPermissions") if one.findtext("editable") == "true"
    }
    always = {f"{name}.{field.name}" for name in OBJECTS for field in metadata.fields(name) if field.required}
    written = {one for one in map(field_of, all_fields()) if one.rpartition(".")[2] not in NAMES}
    assert written <= opened | always
    assert {one.text for one in permissions.iter("allowDelete")} == {"false"}


def test_the_package_names_every_object_and_field_that_it_holds() -> None:
    members = {node.text for node in read("package.xml").iter("members")}
    assert members == {
        "Hubbub",
        *metadata.OWN,
        *(f"{name}.{field}" for name in metadata.STANDARD for field in made(name)),
    }


def all_fields() -> list[tuple[str, str]]:
    """Object and field of everything that the shipped mappings write."""
    mappings = [
        tomllib.loads(path.read_text("utf-8")) for path in sorted((ROOT / "mappings/salesforce").glob("*.toml"))
    ]
    return [(one["object"], name) for one in mappings for name in (*one["fields"], one["key_field"])]


def field_of(written: tuple[str, str]) -> str:
    """The field's full name; a parent by its key is written by way of the lookup."""
    object_, name = written
    return f"{object_}.{name.partition('.')[0].replace('__r', '__c')}"
