"""The contract of a verifier: what tells a genuine call from a forged one, whatever object or function does it.

class TestHubSignature(SignaturesContract):
    key, other_key = "s3cret-of-this-hook", "s3cret-of-that-hook"

    def verifier(self, key):                       # a callable, or an object with `verify`; may refuse a key
        return Hmac(key, header="x-hub-signature-256")

    def sign(self, body, at, key=None):            # as the sender signs, with `key` or its own
        return Request("POST", "https://hub.example/in/x", {"x-hub-signature-256": mac(body, key or self.key)}, body, at)

`SourceContract` (webhooks) and `ReturnsContract` hold it already: there the verifier is the connector's `verify`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, ClassVar

import pytest

from hub.sdk.connectors import Request
from hub.testkit.contracts.means.optional import asks
from hub.testkit.contracts.means.witness import calls_of, impurities
from hub.testkit.fakes import START

BODIES: tuple[bytes, ...] = (b"", b"{}", "café 😀 {}".encode(), b"\xff\xfe\x00 no text", b'{"a": 1}\n', b"x" * 100_000)
_BODY = b'{"a": 1}'
_PREFIX = "whsec_"  # of Standard Webhooks: alone it is an empty key
_BLANK = ("", " ", "\t", _PREFIX)
_HOSTILE = (
    "",
    " ",
    "\0",
    "\u00e9",
    "nan",
    "inf",
    "-1",
    "9" * 400,
    "9" * 5_000,
    "v1,",
    "sha256=",
    ",,,",
    "t=,v1=",
    "=" * 50,
)
_SLACK = 4  # characters at the end of base64 that may be written in several ways


class SignaturesContract:
    """Subclass it with `verifier` and `sign`.

    `tolerance`: how old or early a signed stamp may be, None if no time is signed; `signs_body`: False for a shared secret
    in a header; `is_constant_time`: False if the comparison is not Python's `compare_digest` (a public key's library).
    """

    key: ClassVar[str] = ""
    other_key: ClassVar[str] = ""
    tolerance: ClassVar[timedelta | None] = timedelta(minutes=5)
    signs_body: ClassVar[bool] = True
    is_constant_time: ClassVar[bool] = True

    def __init_subclass__(cls, **more: Any) -> None:
        """Leave out the tests of a stamp or a body if none is signed."""
        super().__init_subclass__(**more)
        if not cls.signs_body:
            cls.test_a_request_that_was_changed_is_not_genuine = None  # type: ignore[assignment,method-assign]  # the same
        if cls.tolerance is None:
            cls.test_a_request_out_of_its_time_is_not_genuine = None  # type: ignore[assignment,method-assign]  # none is signed

    # ------------------------------------------------------------------------------------------------- for the author

    def verifier(self, key: str | None) -> Any:
        """Return what verifies under this key (its own for None): a callable or one with `verify`; ValueError for no key."""
        raise TypeError("the contract of signatures needs a verifier")

    def sign(self, body: bytes, at: datetime, key: str | None = None) -> Request:
        """Return a request as the sender would sign it, sent and received at `at`; with another key if one is given."""
        raise TypeError(f"the contract of inbound calls needs `sign` ({len(body)} bytes, {at}, {key})")

    def event_id(self, request: Request) -> str:
        """Return the sender's own id of the event, "" if there is none."""
        return ""

    # ------------------------------------------------------------------------------------------------------- the tests

    def genuine(self, request: Request, key: str | None = None) -> bool:
        """Return the verdict, which is True or False and nothing else; a key that is refused opens nothing."""
        try:
            verifier = self.verifier(key)
        except ValueError:
            return False
        verdict = getattr(verifier, "verify", verifier)(request)
        assert isinstance(verdict, bool), f"the verdict is {verdict!r}: give True or False"
        return verdict

    @asks("inbound")
    def test_a_signed_request_is_genuine(self) -> None:
        """Whatever its body: empty, no text, no JSON. Nothing reads it before it is verified."""
        for body in BODIES:
            assert self.genuine(self.sign(body, START)), f"a signed body {body[:20]!r} is refused: sign its raw bytes"

    @asks("inbound")
    def test_a_request_that_was_changed_is_not_genuine(self) -> None:
        """One byte more, another byte, other blanks, no body, no headers at all."""
        request = self.sign(_BODY, START)
        for changed in (_BODY + b" ", b'{"a": 2}', b'{"a":1}', b"", _BODY + b"\n", b" " + _BODY):
            assert not self.genuine(replace(request, body=changed)), f"the body became {changed!r} and is taken"
        assert not self.genuine(replace(request, headers={})), "without its headers it is taken"

    @asks("inbound")
    def test_no_header_may_be_anything_but_what_was_sent(self) -> None:
        """Each header that makes a request genuine is needed, in each of its letters: its stamp and its id too."""
        request = self.sign(_BODY, START)
        for name, value in self.weighty(request).items():
            for other in ("", value[:-1], value + value, *_tampered(value)):
                if self.genuine(_with(request, name, other)):
                    raise AssertionError(
                        f"{name} became {other!r} and the request is taken: what is signed must cover it"
                    )

    @asks("inbound")
    def test_hostile_headers_are_refused_without_a_bug(self) -> None:
        """Stamps that are no numbers, signatures of no form, letters of no code."""
        request = self.sign(_BODY, START)
        weighty = self.weighty(request)
        for name in request.headers:
            for other in _HOSTILE:
                verdict = self.genuine(_with(request, name, other))
                assert not (verdict and name in weighty), f"{name} = {other[:40]!r} is taken"

    @asks("inbound")
    @pytest.mark.parametrize("sign", [-1, 1], ids=["old", "early"])
    def test_a_request_out_of_its_time_is_not_genuine(self, sign: int) -> None:
        """A replay, or a clock that is set ahead."""
        request = self.sign(b"{}", START)
        assert self.tolerance is not None
        for seconds, expected in ((-1, True), (1, False)):
            away = self.tolerance + timedelta(seconds=seconds)
            verdict = self.genuine(replace(request, received_at=START - sign * away))
            assert verdict is expected, f"received {away} away from its stamp: {verdict}. A replay must not be taken"

    @asks("inbound")
    def test_another_key_opens_nothing(self) -> None:
        """Nor one that differs in a letter; and what another key signed is forged."""
        request = self.sign(_BODY, START)
        assert not self.genuine(request, self.wrong_key()), "under another key the request is still taken"
        if (forged := self._signed_with(self.wrong_key())) is not None:
            assert not self.genuine(forged), "a request that another key signed is taken"

    @asks("inbound")
    @pytest.mark.parametrize("key", _BLANK, ids=repr)
    def test_an_empty_key_opens_nothing(self, key: str) -> None:
        """A secret that is set and empty: anyone could sign with it."""
        if key.startswith(_PREFIX) and not self.wrong_key().startswith(_PREFIX):
            return  # to this verifier it is a key like any other
        assert not self.genuine(self.sign(_BODY, START), key)
        if (forged := self._signed_with(key)) is not None:
            assert not self.genuine(forged, key), (
                f"with the key {key!r} a call signed by anyone is taken: refuse such a key"
            )
            assert not self.genuine(forged), f"what was signed with {key!r} is taken"

    @asks("inbound")
    def test_a_header_of_no_weight_names_no_event(self) -> None:
        """Else a replay passes for another event: each event is stored once by its id."""
        request = self.sign(_BODY, START)
        weighty = self.weighty(request)
        for name in set(request.headers) - set(weighty):
            other = self.event_id(_with(request, name, "another"))
            assert other == self.event_id(request), f"{name} is not signed, and yet it tells events apart"
        assert self.event_id(request) == self.event_id(replace(request)), "the id of an event changes by itself"

    @asks("inbound")
    def test_verifying_asks_nothing_of_the_world(self) -> None:
        """`request.received_at` is the time; a clock of its own would judge a stored request by the moment of its replay."""
        request, verifier = self.sign(_BODY, START), self.verifier(None)
        asked = impurities(lambda: getattr(verifier, "verify", verifier)(request))
        assert not asked, f"verifying asks {asked}"

    @asks("inbound")
    def test_signatures_are_compared_in_constant_time(self) -> None:
        """`==` ends at the first wrong letter, and tells so."""
        request = self.sign(_BODY, START)
        reached = calls_of(lambda: self.genuine(request))
        assert "compare_digest" in reached or not self.is_constant_time, "compare with hmac.compare_digest, not with =="

    # --------------------------------------------------------------------------------------------------------- details

    def wrong_key(self) -> str:
        """Return another key of the same form."""
        if self.other_key:
            return self.other_key
        middle = len(self.key) // 2
        return self.key[:middle] + _next(self.key[middle]) + self.key[middle + 1 :] if self.key else "another-key"

    def weighty(self, request: Request) -> Mapping[str, str]:
        """Return the headers without which a request is not genuine."""
        found = {}
        for name, value in request.headers.items():
            without = {key: kept for key, kept in request.headers.items() if key != name}
            if not self.genuine(replace(request, headers=without)):
                found[name] = value
        assert found, "without any of its headers the request is taken: nothing is verified"
        return found

    def _signed_with(self, key: str) -> Request | None:
        """Return a request that this key signs, None if the author's `sign` takes no key or no such key."""
        sign: Callable[..., Request] = self.sign
        if len(inspect.signature(sign).parameters) < 3:
            return None
        try:
            forged = sign(_BODY, START, key)
        except ValueError:
            return None
        return None if forged == sign(_BODY, START) else forged  # `key or OWN`: it has signed with its own


def _with(request: Request, name: str, value: str) -> Request:
    return replace(request, headers={**request.headers, name: value})


def _tampered(value: str) -> Iterator[str]:
    """Yield the value with one letter or digit changed, in each place but the last of base64."""
    for place, letter in enumerate(value[: max(1, len(value) - _SLACK)] if len(value) > 20 else value):
        if letter.isalnum() and letter.isascii():
            yield value[:place] + _next(letter) + value[place + 1 :]


def _next(letter: str) -> str:
    """Return another letter or digit, and not the same in another case."""
    if letter.isdigit():
        return str((int(letter) + 1) % 10)
    return "b" if letter in "aA" else "a"
