"""`hub people` and `hub audit` in a terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.hub.cli.terminal import Said, run

GROUND = ("--basis", "order_reference", "--evidence", "order 4711")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "config.toml"
    assert run("-c", file, "init").code == 0
    assert run("-c", file, "db", "upgrade").code == 0
    return file


def people(config: Path, *arguments: Any) -> Said:
    return run("-c", config, "people", *arguments)


def test_a_person_is_made_linked_and_shown(config: Path) -> None:
    key = people(config, "add", "Ada", "--email", "ada@example.com").out.strip()
    assert people(config, "link", "mastodon:abc", key, *GROUND).code == 0
    shown = people(config, "show", key[:15], "--json").json
    assert (shown["display_name"], shown["emails"]) == ("Ada", ["ada@example.com"])
    assert [(link["author_key"], link["basis"]) for link in shown["links"]] == [("mastodon:abc", "order_reference")]
    assert "order 4711" in people(config, "show", key).out


def test_a_link_without_a_basis_is_refused(config: Path) -> None:
    key = people(config, "add", "Ada").out.strip()
    assert people(config, "link", "mastodon:abc", key, "--evidence", "x").code == 2
    said = people(config, "link", "mastodon:abc", key, "--basis", "hunch", "--evidence", "x")
    assert (said.code, "needs a basis" in said.err) == (1, True)


def test_what_was_done_can_be_undone_and_is_in_the_audit_log(config: Path) -> None:
    ada, twin = (people(config, "add", name).out.strip() for name in ("Ada", "Twin"))
    people(config, "link", "mastodon:abc", twin, *GROUND)
    assert people(config, "merge", twin, ada).code == 0
    assert [row["key"] for row in people(config, "list", "--json").json] == [ada]
    assert people(config, "unmerge", twin).code == people(config, "unlink", "mastodon:abc").code == 0
    actions = [row["action"] for row in run("-c", config, "audit", "--json").json]
    assert actions == ["unlink", "unmerge", "merge", "link", "person", "person"]


@pytest.mark.parametrize("arguments", [("show", "nobody"), ("unlink", "rss:x"), ("unmerge", "nobody")], ids=str)
def test_what_is_not_there_is_told(config: Path, arguments: tuple[str, ...]) -> None:
    said = people(config, *arguments)
    assert (said.code, "error" in said.err) == (1, True)


# ------------------------------------------------------------------------------------------- companies and records in a CRM

CRM = """
[destinations.crm]
plugin = "salesforce"

[destinations.crm.options]
instance_url = "https://acme.my.salesforce.com"
access_token = { env = "CRM_TOKEN" }
"""


@pytest.fixture
def crm(config: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration with a CRM."""
    monkeypatch.setenv("CRM_TOKEN", "t0")
    (config.parent / "rules.toml").write_text("")
    (config.parent / "topics.toml").touch()
    config.write_text(CRM)
    return config


def test_a_persons_company_is_set_changed_and_taken_out(config: Path) -> None:
    key = people(config, "add", "Ada", "--company", "Example", "--domain", "https://www.example.com").out.strip()
    assert (
        people(config, "set", key, "--company", "Example Ltd", "--email", "a@example.com", "--owner", "kim").code == 0
    )
    shown = people(config, "show", key, "--json").json
    assert [shown[name] for name in ("company", "company_domain", "owner")] == ["Example Ltd", "example.com", "kim"]
    assert shown["account"].startswith("account:")
    assert "Ada, of Example Ltd" in people(config, "show", key).out
    assert people(config, "set", key, "--domain", "", "--email", "").code == 0
    shown = people(config, "show", key, "--json").json
    assert (shown["account"], shown.get("company"), shown.get("emails", [])) == (None, None, [])


def test_a_company_without_a_domain_is_refused(config: Path) -> None:
    said = people(config, "add", "Ada", "--company", "Example")
    assert (said.code, "known by its domain" in said.err) == (1, True)


def test_records_are_named_listed_and_forgotten_and_it_is_in_the_audit_log(crm: Path) -> None:
    key = people(crm, "add", "Ada", "--domain", "example.com").out.strip()
    assert people(crm, "ref", key, "crm", "Contact", "003A", "--url", "https://crm.example/003A").code == 0
    assert people(crm, "ref", key, "crm", "Account", "001A").code == 0
    records = people(crm, "show", key, "--json").json["records"]
    assert [(one["of"], one["object"], one["remote_id"], one["url"]) for one in records] == [
        ("account", "Account", "001A", None),
        ("person", "Contact", "003A", "https://crm.example/003A"),
    ]
    assert "003A" in people(crm, "show", key).out
    assert [people(crm, "unref", key, "crm", "Contact").code for _ in range(2)] == [0, 1]
    audit = run("-c", crm, "audit", "--json").json
    assert [row["action"] for row in audit] == ["unref", "ref", "ref", "person"]
    assert audit[2]["detail"]["remote_id"] == "003A"
    assert all(row["actor"] for row in audit)


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        (("crm", "Lead"), "no mapping by person or account for Lead (there: Account, Contact)"),
        (("crm", "Account"), "has no company"),
        (("desk", "Contact"), "desk has no mapping"),
    ],
)
def test_a_record_that_no_mapping_would_write_is_refused(crm: Path, place: tuple[str, str], reason: str) -> None:
    key = people(crm, "add", "Ada").out.strip()
    said = people(crm, "ref", key, *place, "1")
    assert (said.code, reason in " ".join(said.err.split())) == (1, True)


def test_a_person_who_was_merged_has_no_records_of_its_own(crm: Path) -> None:
    ada, twin = (people(crm, "add", name).out.strip() for name in ("Ada", "Twin"))
    people(crm, "merge", twin, ada)
    said = people(crm, "ref", twin, "crm", "Contact", "003A")
    assert (said.code, "is merged into" in said.err) == (1, True)
