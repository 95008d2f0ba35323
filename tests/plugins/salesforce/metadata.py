"""The metadata of docs/deploy/salesforce, made of the README's tables; as a program it writes them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

from tests.material import ROOT

FOLDER = ROOT / "docs/deploy/salesforce"
README = ROOT / "plugins/salesforce/README.md"
VERSION = "67.0"
NAMESPACE = "http://soap.sforce.com/2006/04/metadata"
STANDARD = ("Lead", "Contact", "Account")
OWN = ("Social_Author__c", "Social_Signal__c")
WORDS = {
    "Lead": {"Description": True, "Email": True, "Website": True, "LeadSource": True},
    "Contact": {"Email": True, "LeadSource": True},
    "Account": {"Website": True, "AccountSource": True},
}
"""Standard fields that a permission set can open, and if they may be edited (names and what is required are always open)."""


@dataclass(frozen=True)
class Field:
    """A field as a row of the README tells it."""

    name: str
    kind: str
    relation: str = ""

    @property
    def label(self) -> str:
        """Its label: the name's words."""
        return self.name.removesuffix("__c").replace("_", " ")

    @property
    def required(self) -> bool:
        """True if a record cannot be without it."""
        return self.kind.endswith("required")

    def lines(self) -> Iterator[str]:
        """What the metadata says of it."""
        yield f"<fullName>{self.name}</fullName>"
        yield f"<label>{self.label}</label>"
        more = list(self._type())
        if "External ID" in self.kind:
            more += ["<externalId>true</externalId>", "<unique>true</unique>", "<caseSensitive>true</caseSensitive>"]
        if self.required:
            more.append("<required>true</required>")
        yield from sorted(more)  # as Salesforce itself writes them

    def _type(self) -> Iterator[str]:
        if found := re.match(r"(Text|URL)(?:\((\d+)\))?", self.kind):
            yield f"<type>{found[1].replace('URL', 'Url')}</type>"
            if found[1] == "Text":
                yield f"<length>{found[2]}</length>"
        elif found := re.match(r"Long text area\((\d+)\)", self.kind):
            yield from ("<type>LongTextArea</type>", f"<length>{found[1]}</length>", "<visibleLines>6</visibleLines>")
        elif found := re.match(r"Number\((\d+), (\d+)\)", self.kind):
            yield from (
                "<type>Number</type>",
                f"<precision>{int(found[1]) + int(found[2])}</precision>",
                f"<scale>{found[2]}</scale>",
            )
        elif self.kind == "Checkbox":
            yield from ("<type>Checkbox</type>", "<defaultValue>false</defaultValue>")
        elif self.kind == "Date/time":
            yield "<type>DateTime</type>"
        elif found := re.match(r"Picklist, restricted: (.+)", self.kind):
            yield from _picklist(found[1].split(", "))
        else:
            parent = re.match(r"Lookup\((\w+)\)", self.kind)
            assert parent, self
            yield from ("<type>Lookup</type>", f"<referenceTo>{parent[1]}</referenceTo>")
            yield from (f"<relationshipLabel>{self.relation.replace('_', ' ')}</relationshipLabel>",)
            yield from (
                f"<relationshipName>{self.relation}</relationshipName>",
                "<deleteConstraint>SetNull</deleteConstraint>",
            )


def _picklist(values: list[str]) -> Iterator[str]:
    inner = "".join(
        f"<value><fullName>{text}</fullName><default>false</default><label>{text}</label></value>"
        for text in map(escape, values)
    )
    yield "<type>Picklist</type>"
    definition = f"<valueSetDefinition><sorted>false</sorted>{inner}</valueSetDefinition>"
    yield f"<valueSet><restricted>true</restricted>{definition}</valueSet>"


def fields(object_: str) -> list[Field]:
    """The fields of an object that an admin makes, as the README lists them."""
    text = README.read_text("utf-8")
    if object_ in OWN:
        (table,) = re.findall(rf"^\*\*`{object_}`\*\*[^|]+((?:\|.*\n)+)", text, re.MULTILINE)
        rows = re.findall(r"^\| `(\w+)` \| (.+?) \|$", table, re.MULTILINE)
        return [_field(name, kind) for name, kind in rows]
    rows = re.findall(r"^\| `(Social_\w+)` \| (.+?) \| ([\w, ]+) \|$", text, re.MULTILINE)
    return [
        _field(name, kind, STANDARD.index(object_))
        for name, kind, on in rows
        if on == "all" or object_ in on.split(", ")
    ]


def _field(name: str, kind: str, place: int = 0) -> Field:
    relations = re.findall(r"`(\w+)`", kind) if kind.startswith("Lookup") else []
    return Field(name, kind.replace("**", ""), relations[place] if relations else "")


def metadata() -> dict[str, str]:
    """All files of the package by their path."""
    made = {f"objects/{name}.object": _object(name) for name in (*OWN, *STANDARD)}
    made["permissionsets/Hubbub.permissionset"] = _document("PermissionSet", _permissions())
    made["package.xml"] = _document("Package", _package())
    return made


def _object(name: str) -> str:
    settings = sorted(_settings(name)) if name in OWN else []
    lines = [line for line in settings if line < "<fields>"]
    for one in fields(name):
        if one.name != "Name":
            lines += ["<fields>", *(f"  {line}" for line in one.lines()), "</fields>"]
    return _document("CustomObject", [*lines, *(line for line in settings if line > "<fields>")])


def _settings(name: str) -> Iterator[str]:
    label = name.removesuffix("__c").replace("_", " ")
    yield from (f"<label>{label}</label>", f"<pluralLabel>{label}s</pluralLabel>")
    kind = next(one.kind for one in fields(name) if one.name == "Name")
    number = re.search(r"`(.+)`", kind)
    shown = f"<type>AutoNumber</type><displayFormat>{number[1]}</displayFormat>" if number else "<type>Text</type>"
    yield f"<nameField><label>{label} Name</label>{shown}</nameField>"
    yield from ("<deploymentStatus>Deployed</deploymentStatus>", "<sharingModel>ReadWrite</sharingModel>")
    # History would keep the text of a post that was taken back.
    yield from (
        "<enableHistory>false</enableHistory>",
        "<enableReports>true</enableReports>",
        "<enableSearch>true</enableSearch>",
    )


def _permissions() -> Iterator[str]:
    yield from (
        "<label>Hubbub</label>",
        "<description>What Hubbub's integration user may do: no deletion, no other object.</description>",
    )
    yield "<hasActivationRequired>false</hasActivationRequired>"
    for object_, field, editable in opened():
        inner = f"<editable>{str(editable).lower()}</editable><field>{object_}.{field}</field><readable>true</readable>"
        yield f"<fieldPermissions>{inner}</fieldPermissions>"
    for name in sorted((*OWN, *STANDARD)):
        yield from ("<objectPermissions>", "  <allowCreate>true</allowCreate>", "  <allowDelete>false</allowDelete>")
        yield from (
            "  <allowEdit>true</allowEdit>",
            "  <allowRead>true</allowRead>",
            "  <modifyAllRecords>false</modifyAllRecords>",
        )
        yield from (f"  <object>{name}</object>", "  <viewAllRecords>false</viewAllRecords>", "</objectPermissions>")
    yield "<userPermissions><enabled>true</enabled><name>ApiEnabled</name></userPermissions>"


def opened() -> list[tuple[str, str, bool]]:
    """Object, field and if it may be edited: all but those that are open to everybody who sees the object."""
    own = [
        (name, one.name, True)
        for name in (*OWN, *STANDARD)
        for one in fields(name)
        if one.name != "Name" and not one.required
    ]
    return sorted(
        [*own, *((name, field, editable) for name, more in WORDS.items() for field, editable in more.items())]
    )


def _package() -> Iterator[str]:
    members = {
        "CustomObject": OWN,
        "CustomField": [f"{name}.{one.name}" for name in STANDARD for one in fields(name)],
        "PermissionSet": ["Hubbub"],
    }
    for kind, names in members.items():
        yield from (
            "<types>",
            *(f"  <members>{name}</members>" for name in names),
            f"  <name>{kind}</name>",
            "</types>",
        )
    yield f"<version>{VERSION}</version>"


def _document(root: str, lines: Iterator[str] | list[str]) -> str:
    inner = "".join(f"  {line}\n" for line in lines)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<{root} xmlns="{NAMESPACE}">\n{inner}</{root}>\n'


def write(folder: Path = FOLDER) -> None:
    """Write all files."""
    for name, text in metadata().items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, "utf-8")


if __name__ == "__main__":
    write()
