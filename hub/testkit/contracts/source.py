"""The contract of a source: what its `translate` owes the engine, on good payloads and on hostile ones.

class TestMastodonContract(SourceContract):
    source = MastodonSource
    options = {"instance": "https://mastodon.example", "public": True}

    @classmethod
    def samples(cls) -> list[bytes]:
        return [...]
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import msgspec

from hub.core.errors import TranslationError
from hub.core.model import Author, Ignored, RawItem, Signal, Tombstone, Translated
from hub.sdk.connectors import Compliance, Connector, Source
from hub.testkit.contracts.hostile import PAYLOADS, Case, mutations
from hub.testkit.contracts.manners import ConnectorContract
from hub.testkit.fakes import START

_KEY = re.compile(r"[a-z0-9][a-z0-9_.-]*:[a-z2-7]{32}")
_KEYED = Signal | Author | Tombstone


class SourceContract(ConnectorContract):
    """Subclass it with `source`, `options` and `samples`; `realm` is that of the raw items."""

    source: ClassVar[type[Source[Any]]]
    options: ClassVar[Mapping[str, Any]] = {}
    realm: ClassVar[str] = ""
    mutated_samples: ClassVar[int] = 3
    seconds: ClassVar[float] = 5.0

    @classmethod
    def samples(cls) -> Sequence[bytes]:
        """Payloads as the network sends them: at least one that gives a signal."""
        raise TypeError("a source's contract needs samples")

    @classmethod
    def connector(cls) -> type[Connector[Any]]:
        """The source."""
        return cls.source

    @classmethod
    def given_options(cls) -> dict[str, Any]:
        """`options` as a dict."""
        return dict(cls.options)

    def make(self) -> Source[Any]:
        """A source with the given options."""
        return self.source(self.source.Options.model_validate(self.given_options()))

    def raw(self, payload: bytes) -> RawItem:
        """A raw item as the engine stores it."""
        return RawItem(
            source="contract",
            plugin=self.source.name,
            payload=payload,
            received_at=START,
            external_id="1",
            realm=self.realm,
        )

    def translated(self) -> Iterator[Translated]:
        """What the samples say, without those that are ignored."""
        source = self.make()
        for payload in self.samples():
            found = source.translate(self.raw(payload))
            if isinstance(found, Translated):
                yield found

    def keyed(self) -> Iterator[_KEYED]:
        """All signals, authors and tombstones of the samples."""
        for found in self.translated():
            yield from found.signals
            yield from found.authors
            yield from found.tombstones

    # ------------------------------------------------------------------------------------------------- good payloads

    def test_a_sample_gives_a_signal(self) -> None:
        """Without one the other tests would prove nothing."""
        assert any(found.signals for found in self.translated())

    def test_translate_is_repeatable(self) -> None:
        """The same answer for ever, from any instance: replay rests on it."""
        one, other = self.make(), self.make()
        for payload in self.samples():
            raw = self.raw(payload)
            first = one.translate(raw)
            assert first == one.translate(raw) == other.translate(raw)
            if isinstance(first, Ignored):
                assert first.reason, "what is ignored says why"

    def test_keys_are_hashed_and_safe_where_case_is_ignored(self) -> None:
        """`network:` and 32 base32 characters; no two things share a key."""
        ids: dict[str, tuple[str, str]] = {}
        for found in self.keyed():
            assert _KEY.fullmatch(found.key), f"{found.key!r} is no key"
            if not isinstance(found, Tombstone):
                assert found.key.startswith(f"{found.network}:")
                named = (found.realm, found.native_id)
                assert ids.setdefault(f"{type(found).__name__} {found.key}", named) == named

    def test_references_are_keys(self) -> None:
        """What a signal points to is keyed in the same way."""
        for found in self.translated():
            for signal in found.signals:
                named = (signal.author_key, signal.in_reply_to, signal.conversation_key, signal.quotes)
                assert all(key is None or _KEY.fullmatch(key) for key in named), f"{named} are no keys"

    def test_times_are_aware_utc(self) -> None:
        """In every field that holds a time."""
        for found in self.keyed():
            times = [value for value in msgspec.structs.asdict(found).values() if isinstance(value, datetime)]
            assert all(value.utcoffset() == timedelta(0) for value in times), f"{times} are not all UTC"

    def test_values_survive_json(self) -> None:
        """Types hold (ids are strings, unknown is None) and nothing is lost."""
        for found in self.translated():
            self.assert_valid(found)

    def test_payloads_are_identified_by_strings(self) -> None:
        """`identify` gives an id and a revision, or ""; two different samples may share neither or both."""
        source = self.make()
        for payload in self.samples():
            assert all(isinstance(part, str) for part in source.identify(payload))

    def test_compliance_is_declared(self) -> None:
        """How soon a deletion must follow is not left to chance."""
        assert isinstance(self.source.compliance, Compliance)
        assert self.source.compliance.delete_within > timedelta(0)

    # ---------------------------------------------------------------------------------------------- hostile payloads

    def test_hostile_payloads_give_a_value_or_a_translation_error(self) -> None:
        """Whatever comes: no other exception, no endless work, no half-typed value."""
        source = self.make()
        broken = [complaint for case in PAYLOADS if (complaint := self.complaint(source, case))]
        assert not broken, "\n".join(broken[:20])

    def test_samples_broken_in_any_place_give_a_value_or_a_translation_error(self) -> None:
        """Each field of a sample missing, of a wrong type, too deep, too long."""
        source = self.make()
        good = [payload for payload in self.samples() if isinstance(source.translate(self.raw(payload)), Translated)]
        cases = (case for payload in good[: self.mutated_samples] for case in mutations(payload))
        broken = [complaint for case in cases if (complaint := self.complaint(source, case))]
        assert not broken, f"{len(broken)} cases:\n" + "\n".join(broken[:20])

    def complaint(self, source: Source[Any], case: Case) -> str | None:
        """What the source did wrong with a hostile payload, None where it behaved."""
        name, payload = case
        began = time.process_time()
        try:
            source.identify(payload)
            found = source.translate(self.raw(payload))
            if isinstance(found, Translated):
                self.assert_valid(found)
        except TranslationError:
            pass
        except Exception as error:  # noqa: BLE001 - any other exception is what this looks for
            return f"{name}: {type(error).__name__}: {str(error)[:200]}"
        seconds = time.process_time() - began
        return f"{name}: took {seconds:.1f} s" if seconds > self.seconds else None

    def assert_valid(self, found: Translated) -> None:
        """Types hold and JSON brings the value back; lone surrogates are left to the engine, which replaces them."""
        try:
            written = msgspec.json.encode(found)
        except UnicodeEncodeError:
            return
        assert msgspec.json.decode(written, type=Translated) == found
        times = [signal.published_at for signal in found.signals]
        assert all(at.tzinfo is not None and at.astimezone(UTC) == at for at in times)
