"""What a webhook source owes: which calls it believes, and what it takes from a body."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, ClassVar

from hub.core.errors import TranslationError
from hub.core.model import RawItem
from hub.sdk.connectors import Connector, Request, Source, WebhookSource
from hub.testkit.contracts.hostile import PAYLOADS, mutations
from hub.testkit.contracts.manners import ConnectorContract
from hub.testkit.contracts.means.optional import asks
from hub.testkit.contracts.means.witness import impurities
from hub.testkit.contracts.signatures import SignaturesContract
from hub.testkit.fakes import START


class IsCalled(SignaturesContract, ConnectorContract):
    """The source, its payloads, and the calls of a sender."""

    source: ClassVar[type[Source[Any]]]
    options: ClassVar[Mapping[str, Any]] = {}
    realm: ClassVar[str] = ""
    mutated_samples: ClassVar[int] = 3
    seconds: ClassVar[float] = 5.0
    secrets: ClassVar[frozenset[str]] = frozenset({"secret"})
    most_items: ClassVar[int] = 10_000
    unsigned: ClassVar[bool] = False

    @classmethod
    def samples(cls) -> Sequence[bytes]:
        """Return payloads as the network sends them: at least one that gives a signal."""
        raise TypeError("a source's contract needs samples")

    @classmethod
    def bodies(cls) -> Sequence[bytes]:
        """Return whole bodies as a webhook's sender posts them; the samples, if each body holds one item."""
        return cls.samples()

    @classmethod
    def connector(cls) -> type[Connector[Any]]:
        """Return the source."""
        return cls.source

    @classmethod
    def given_options(cls) -> dict[str, Any]:
        """Return `options` as a dict."""
        return dict(cls.options)

    def make(self) -> Source[Any]:
        """Return a source with the given options."""
        return self.source(self.source.Options.model_validate(self.given_options()))

    def raw(self, payload: bytes) -> RawItem:
        """Return a raw item as the engine stores it."""
        return RawItem(
            source="contract",
            plugin=self.source.name,
            payload=payload,
            received_at=START,
            external_id="1",
            realm=self.realm,
        )

    # ---------------------------------------------------------------------------------------------------- what is called

    def verifier(self, key: str | None) -> Any:
        """Return the source's `verify`, with this key in place of its own."""
        given = self.given_options()
        if key is not None:
            given |= dict.fromkeys(self.secrets & set(self.source.Options.model_fields), key)
        made = self.source(self.source.Options.model_validate(given))
        assert isinstance(made, WebhookSource)
        return made.verify

    def wrong_key(self) -> str:
        """Return another key of the form of the one in `options`."""
        own = next((str(value) for name, value in self.given_options().items() if name in self.secrets), "")
        return _changed(own) or super().wrong_key()

    def event_id(self, request: Request) -> str:
        """Return the sender's own id of the event."""
        return self._called().event_id(request)

    def _called(self) -> WebhookSource[Any]:
        made = self.make()
        assert isinstance(made, WebhookSource)
        return made

    @asks("called")
    def test_a_call_without_a_signature_is_not_genuine(self) -> None:
        """Unless any call is meant to be taken, which the suite must be told."""
        shown = self.unsigned or type(self).sign is not SignaturesContract.sign
        assert shown, "override `sign` to show how the sender signs, or set `unsigned = True` where any call is taken"
        bare = Request("POST", "https://hub.example/in/contract", {}, b"{}", START)
        assert self._called().verify(bare) is self.unsigned, "a call without a signature is taken"

    @asks("called")
    def test_a_body_gives_items_that_can_be_read(self) -> None:
        """The same each time, as bytes; each with an id of its own, or told apart by its words."""
        source, seen = self._called(), dict[str, bytes]()
        for body in self.bodies():
            payloads = list(source.parse(body))
            assert payloads == list(source.parse(body)), "parse is no pure function of the body"
            assert payloads, "a body gives no item"
            assert all(isinstance(one, bytes) for one in payloads), "payloads are bytes"
            assert not impurities(lambda body=body: source.parse(body)), "parse asks something of the world"  # type: ignore[misc]  # bound at once
            for payload in payloads:
                id_, revision = source.identify(payload)
                named = f"{id_}@{revision}"
                assert not id_ or seen.setdefault(named, payload) == payload, f"two items are called {named}"
                source.translate(self.raw(payload))

    @asks("called")
    def test_hostile_bodies_end_in_a_translation_error_or_in_payloads(self) -> None:
        """Whatever is posted: no other exception, no endless work."""
        source, broken = self._called(), []
        for name, body in (*PAYLOADS, *(case for one in self.bodies()[:3] for case in mutations(one))):
            began = time.process_time()
            try:
                found = source.parse(body)
                if not all(isinstance(one, bytes) for one in found):
                    broken.append(f"{name}: payloads are bytes")
            except TranslationError:
                pass
            except Exception as error:  # noqa: BLE001 - any other exception is what this looks for
                broken.append(f"{name}: {type(error).__name__}: {str(error)[:200]}")
            if (seconds := time.process_time() - began) > self.seconds:
                broken.append(f"{name}: took {seconds:.1f} s")
        assert not broken, "parse lets out what is no TranslationError:\n" + "\n".join(broken[:20])

    @asks("called")
    def test_a_body_of_very_many_items_is_refused(self) -> None:
        """A body of 2 MB holds 300,000 empty objects: as many rows would be stored, translated and shown as failed."""
        source = self._called()
        for body in (b"[" + b"{}," * 200_000 + b"{}]", *(many for one in self.bodies() for many in _multiplied(one))):
            try:
                count = len(source.parse(body))
            except TranslationError:
                continue
            assert count <= self.most_items, (
                f"one body gives {count} items: raise TranslationError above a limit (`most_items` says {self.most_items})"
            )

    @asks("called")
    def test_one_broken_item_of_a_body_costs_no_other(self) -> None:
        """The sender was answered already: what could be read must be."""
        source = self._called()
        for body in self.bodies():
            good = len(source.parse(body))
            for name, broken in _with_broken(body):
                try:
                    found = len(source.parse(broken))
                except TranslationError as error:
                    raise AssertionError(
                        f"{name} refuses the whole body ({error}): what could be read is lost"
                    ) from None
                assert found >= good, (
                    f"{name} takes the good ones with it: give each as it is, and let `translate` refuse it"
                )

    @asks("called")
    def test_a_bodys_size_is_bounded(self) -> None:
        """`max_body` is what the door takes from anyone before it verifies."""
        assert isinstance(self.source, type)
        assert issubclass(self.source, WebhookSource)
        assert 0 < self.source.max_body <= 64 * 1024 * 1024, "max_body is a number of bytes, 64 MB at most"


def _changed(key: str) -> str:
    """Return the key with a letter in its middle changed, "" if there is none."""
    middle = len(key) // 2
    return key[:middle] + ("b" if key[middle] == "a" else "a") + key[middle + 1 :] if key else ""


_BROKEN: tuple[Any, ...] = (None, 7, {}, "", [])


def _with_broken(body: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield the body with broken items before, among and behind those of each of its lists of objects."""
    with suppress(ValueError):
        document = json.loads(body)
        named = document.items() if isinstance(document, dict) else [("", document)]
        for name, items in named:
            if isinstance(items, list) and items and all(isinstance(one, dict) for one in items):
                for broken in _BROKEN:
                    spoilt = [broken, items[0], broken, *items[1:], broken]
                    whole = {**document, name: spoilt} if isinstance(document, dict) else spoilt
                    yield f"{broken!r} in the list {name or 'of items'}", json.dumps(whole).encode()


def _multiplied(body: bytes) -> Iterator[bytes]:
    """Yield the body with each of its lists filled up by copies of what is in it."""
    with suppress(ValueError):
        document = json.loads(body)
        named = document.items() if isinstance(document, dict) else [("", document)]
        for name, value in named:
            if isinstance(value, list) and value:
                many = (value * (200_000 // len(value) + 1))[:200_000]
                yield json.dumps({**document, name: many} if isinstance(document, dict) else many).encode()
