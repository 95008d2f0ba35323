"""A secret is hidden by whichever program repeats it, in whatever spelling, whole or cut."""

from __future__ import annotations

import html
import json
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from time import process_time
from urllib.parse import quote, quote_plus

import pytest

from hub.sdk.http.redaction import HIDDEN, Redactor

HARD = ('pa/ss+w&rd="x"\'ü', "back\\slash\\é secret", "a<b>c&d/e 12345", "%41lready%2Fencoded", "tok-en.abc~1234567890")
SPELLINGS: dict[str, Callable[[str], str]] = {
    "small hex": lambda one: quote(one, safe="").lower(),
    "percent twice": lambda one: quote(quote(one, safe=""), safe=""),
    "a form": quote_plus,
    "JSON": lambda one: json.dumps(one, ensure_ascii=False)[1:-1],
    "JSON of PHP": lambda one: json.dumps(one).replace("/", "\\/")[1:-1],
    "JSON of Go": lambda one: (
        json.dumps(one)[1:-1].replace("&", "\\u0026").replace("<", "\\u003C").replace(">", "\\u003E")
    ),
    "JSON twice": lambda one: json.dumps(json.dumps(one))[3:-3],
    "HTML": html.escape,
    "HTML twice": lambda one: html.escape(html.escape(one)),
    "XML": lambda one: html.escape(one).replace("&#x27;", "&apos;").replace("ü", "&#252;"),
    "repr": lambda one: repr(one)[1:-1],
    "repr of bytes": lambda one: repr(one.encode())[2:-1],
    "Latin-1": lambda one: one.encode().decode("latin-1"),
    "base64": lambda one: b64encode(one.encode()).decode(),
    "base64 in a URL": lambda one: quote(urlsafe_b64encode(one.encode()).decode(), safe=""),
    "base64 of name and password": lambda one: b64encode(f"kim@x.example/token:{one}".encode()).decode(),
    "hex": lambda one: one.encode().hex(),
}


@pytest.mark.parametrize("name", SPELLINGS)
@pytest.mark.parametrize("secret", HARD)
def test_a_known_secret_is_hidden_by_whichever_program_repeats_it(secret: str, name: str) -> None:
    if name == "small hex" and "%" in secret:
        secret = secret.lower()
    redacted = Redactor([secret]).redact(f"no: {SPELLINGS[name](secret)} ;")
    assert HIDDEN in redacted
    assert len(redacted) <= len("no: *** ;") + 32  # of base64 the name stays


KEY = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkq\nC7VJTUt9Us8cKjMz\n-----END PRIVATE KEY-----\n"


@pytest.mark.parametrize(
    "told",
    [
        KEY,
        KEY.replace("\n", "\r\n"),
        KEY.replace("\n", " "),
        json.dumps(KEY),
        quote(KEY),
        "at C7VJTUt9Us8cKjMz",
        repr(KEY),
    ],
)
def test_a_key_of_many_lines_is_hidden_line_by_line_too(told: str) -> None:
    redacted = Redactor([KEY]).redact(told)
    assert HIDDEN in redacted
    assert not any(line in redacted for line in KEY.splitlines()[1:3])


@pytest.mark.parametrize(
    ("told", "left"), [("no: hunter-2222-xy", "no: ***"), ("no: hunter-222…", "no: ***…"), ("no: hunt", "no: hunt")]
)
def test_a_secret_that_is_cut_at_the_end_is_hidden(told: str, left: str) -> None:
    assert Redactor(["hunter-2222-xyz"]).redact(told) == left


@pytest.mark.parametrize("piece", ["\\", "%25", "&amp;", "\\\\a", " +", "/", "QUJD"])
def test_a_hostile_answer_is_looked_through_in_no_time(piece: str) -> None:
    redactor = Redactor(["\\" * 6 + "ab" + "\\" * 5 + "cd", "&" * 10, "/" * 10, "          x", "\n" * 7 + "zzz"])
    began = process_time()
    redactor.redact(piece * (200_000 // len(piece)))
    assert process_time() - began < 2
