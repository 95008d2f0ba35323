"""What must stand in no file: secrets, paths of one machine, hosts of package registries."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.house.measures import ROOT, name_of, tree_files

FORBIDDEN = {
    "a private key": r"-----BEGIN (?:RSA |EC |OPENSSH |ENCRYPTED )?PRIVATE" + r" KEY-----\n[A-Za-z0-9+/=]{32}",
    "an access key": r"\bAKIA[0-9A-Z]{16}\b",
    "a token of a code host": r"\bgh[pousr]_[A-Za-z0-9]{36}\b|\bglpat-[\w-]{20}\b",
    "a token of a chat": r"\bxox[abprs]-[0-9A-Za-z-]{10,}\b",
    "a token of HubSpot": r"\bpat-(?:na|eu)\d-[0-9a-f]{8}-[0-9a-f]{4}-",
    "a token of Salesforce": r"\b00D[A-Za-z0-9]{12,15}![\w.]{40,}",
    "an app password": r"app_password\s*=\s*\"[a-z0-9]{4}(?:-[a-z0-9]{4}){3}\"",
    "a password in a URL": r"\b(?:postgresql|redis)(?:\+\w+)?://\w+:(?!password|secret)[^\s@/:\"'`*{]{6,}@[\w-]+",
    "a path of one machine": r"(?<![\w.])/(?:work/(?:main|shared)|root/|home/[a-z]+/|Users/[A-Za-z]+/)",
    "a host of a package registry": r"\b(?:pypi|pythonhosted|download\.pytorch|registry\.npmjs|proxy\.golang)\.org\b",
}
OWN = "tests/house/test_texts.py"
DATA = (".jsonl", ".xml", ".json", ".pt", ".svg", ".lock")
"""What networks sent, models and pictures: looked through for secrets only."""


def texts() -> Iterator[tuple[str, str]]:
    """All files that hold text."""
    for path in tree_files():
        raw = path.read_bytes()
        if b"\0" not in raw[:8192] and name_of(path) != OWN:
            yield name_of(path), raw.decode("utf-8", "replace")


def found_in(text: str, what: str) -> list[str]:
    return [match[0][:60] for match in re.finditer(FORBIDDEN[what], text)]


TEXTS = list(texts())


def may_speak_of(what: str, name: str) -> bool:
    """Data may speak of any path and host, tests of passwords that open nothing."""
    if what.startswith("a password"):
        return name.startswith("tests/")
    return what.startswith(("a path", "a host")) and name.endswith(DATA)


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_holds(what: str) -> None:
    assert [(name, hit) for name, text in TEXTS if not may_speak_of(what, name) for hit in found_in(text, what)] == []


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ("a private key", "-----BEGIN PRIVATE KEY-----\n" + "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC"),
        ("an access key", "AKIA" + "ABCDEFGHIJKLMNOP"),
        ("a token of a code host", "ghp_" + "a" * 36),
        ("a token of a chat", "xoxb-" + "1234567890"),
        ("a token of HubSpot", "pat-eu1-" + "0123abcd-0123-"),
        ("a token of Salesforce", "00D" + "A" * 12 + "!" + "a" * 40),
        ("an app password", 'app_password = "abcd-efgh-ijkl-mnop"'),
        ("a password in a URL", "postgresql://hub:hunter22@db.internal/hub"),
        ("a path of one machine", "see /home/ana/project"),
        ("a host of a package registry", "https://pypi.org/simple"),
    ],
)
def test_it_would_be_seen(what: str, text: str) -> None:
    assert found_in(text, what)


def test_all_that_is_looked_for_is_proven() -> None:
    marks = test_it_would_be_seen.pytestmark[0].args[1]  # type: ignore[attr-defined]  # the table above
    assert {what for what, _ in marks} == set(FORBIDDEN)


def test_every_text_ends_with_a_line_and_has_no_stray_return() -> None:
    source = [(name, text) for name, text in TEXTS if name.endswith((".py", ".toml", ".md", ".css", ".js", ".html"))]
    assert [name for name, text in source if text and (not text.endswith("\n") or "\r" in text)] == []


def test_the_license_and_the_changelog_are_there() -> None:
    assert "Apache License" in (ROOT / "LICENSE").read_text("utf-8")
    assert (ROOT / "CHANGELOG.md").read_text("utf-8").startswith("# Changelog")
