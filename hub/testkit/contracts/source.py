"""The contract of a source: what its `translate` owes the engine, on good payloads and on hostile ones; and what is called.

class TestMastodonContract(SourceContract):
    source = MastodonSource
    options = {"instance": "https://mastodon.example", "public": True}

    @classmethod
    def samples(cls) -> list[bytes]:
        return [...]

A webhook source also shows how its sender signs, and whole bodies where they hold several items:

class TestShopContract(SourceContract):
    source = ShopSource
    options = {"secret": "s3cret-of-the-shop"}

    def samples(cls): ...
    def bodies(cls): ...
    def sign(self, body, at, key=None):
        return Request("POST", "https://hub.example/in/shop", {"x-shop-mac": mac(body, key or "s3cret-of-the-shop")}, body, at)

What is asked (`pull`, `check`, `recheck`) has its own suite: `StreamsContract`.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from hub.core.errors import TranslationError
from hub.core.keys import author_key, signal_key
from hub.core.model import Author, Counts, Ignored, RawItem, Signal, Tombstone, Translated
from hub.sdk.connectors import Compliance, Source, WebhookSource
from hub.testkit.contracts.hostile import PAYLOADS, Case, counted_on, mutations, numbers_of, renamed, texts_of
from hub.testkit.contracts.means.optional import leave_out
from hub.testkit.contracts.means.witness import impurities, in_zone, secrets_of, spilt, watching
from hub.testkit.contracts.parts.called import IsCalled
from hub.testkit.contracts.signatures import SignaturesContract
from hub.testkit.fakes import START, FakeClock

_KEY = re.compile(r"[a-z0-9][a-z0-9_.-]*:[a-z2-7]{32}")
_KEYED = Signal | Author | Tombstone
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{1,8})*")
_SCRIPT = "javascript:alert(1)"
_FIELDS = tuple(name for name in Signal.__struct_fields__ if name not in ("observed_at", "published_at"))
_LATER = START + timedelta(days=3_000, seconds=17)


class SourceContract(IsCalled):
    """Subclass it with `source`, `options` and `samples`; `realm` is that of the raw items.

    A webhook source adds `sign`, and `bodies` if one holds several items; `secrets` names the options that hold its keys,
    `most_items` how many items it takes from one body. `unsigned` is True if it is meant to take any call.
    """

    def __init_subclass__(cls, **more: Any) -> None:
        """Leave out the tests of calls for a source that is not called."""
        super().__init_subclass__(**more)
        known = getattr(cls, "source", None)
        if known is not None:
            called = issubclass(known, WebhookSource)
            signs = called and not cls.unsigned and cls.sign is not SignaturesContract.sign
            kinds = {"called": called, "inbound": signs}
            leave_out(cls, SourceContract, frozenset(name for name, is_so in kinds.items() if is_so))

    def translated(self) -> Iterator[Translated]:
        """Yield what the samples say, without those that are ignored."""
        source = self.make()
        for payload in self.samples():
            found = source.translate(self.raw(payload))
            if isinstance(found, Translated):
                yield found

    def keyed(self) -> Iterator[_KEYED]:
        """Yield all signals, authors and tombstones of the samples."""
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
                named = (
                    signal.author_key,
                    signal.in_reply_to,
                    signal.conversation_key,
                    signal.quotes,
                    signal.parent_alias,
                )
                several = (*signal.mentions, *signal.aliases)
                assert all(key is None or _KEY.fullmatch(key) for key in (*named, *several)), (
                    f"{(*named, *several)} are not all keys: make them by `signal_key` and `author_key`"
                )

    def test_an_answer_begins_no_conversation(self) -> None:
        """What answers another post stands in that one's conversation, and is not its own parent."""
        for found in self.translated():
            for signal in found.signals:
                assert signal.in_reply_to != signal.key, "a post answers itself"
                assert signal.in_reply_to is None or signal.conversation_key != signal.key, (
                    "an answer has its own key for its conversation's: each would open a ticket. Give the root's key, or None"
                )

    def test_languages_are_codes(self) -> None:
        """As BCP 47 writes them; of any other word the hub makes "unknown"."""
        for found in self.translated():
            for signal in found.signals:
                assert signal.lang is None or _LANGUAGE.fullmatch(signal.lang), (
                    f"{signal.lang!r} is no code of a language (de, pt-BR): translate the network's word, or give None"
                )

    def test_only_addresses_of_the_web_are_links(self) -> None:
        """A profile with `javascript:` in it would be run on our pages."""
        source = self.make()
        for payload in self.samples():
            for text in texts_of(payload):
                said = _quietly(source, self.raw(renamed(payload, text, _SCRIPT)))
                told = [link for link in _links(said) if link.lower().startswith("javascript:")]
                assert not told, (
                    f"{text!r} became {_SCRIPT!r}, and is given as a link: take http and https only (`Doc.web`)"
                )

    def test_a_word_of_no_meaning_makes_nothing_public(self) -> None:
        """A network invents a word for who may see a post: until it is known it means the few."""
        source = self.make()
        for payload in self.samples():
            for text in texts_of(payload):
                *known, unknown = (
                    [signal.visibility for signal in _signals(_quietly(source, self.raw(renamed(payload, text, word))))]
                    for word in ("private", "direct", "followers", "no such word")
                )
                narrow = any(seen != ["public"] * len(seen) for seen in known)
                assert not (narrow and "public" in unknown), (
                    f"{text!r} says who may see a post, and an unknown word in its place makes it public: take the narrowest"
                )

    def test_a_parent_is_named_as_the_post_itself_would_be(self) -> None:
        """By the same network, realm and form of id: else no answer ever finds what it answers."""
        source = self.make()

        def read(payload: bytes) -> tuple[Signal, ...]:
            raw = msgspec.structs.replace(self.raw(payload), realm=self.realm or "realm.example")
            return _signals(_quietly(source, raw))

        for payload in self.samples():
            for own, parent in _own_and_parent(payload, read):
                for signal in read(renamed(payload, own, parent))[:1]:
                    assert signal.in_reply_to in (None, signal.key), (
                        f"the post {parent!r} has the key {signal.key}, and what answers it looks for {signal.in_reply_to}: make "
                        "both by signal_key(network, id, realm)"
                    )

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

    def test_translate_asks_nothing_of_the_world(self) -> None:
        """No clock, no dice, no network, no file, no zone of this machine, and nothing that came before."""
        source, payloads = self.make(), self.samples()
        for payload in payloads:
            asked = impurities(lambda payload=payload: _quietly(source, self.raw(payload)))  # type: ignore[misc]  # bound at once
            assert not asked, f"translate asks {asked}: all it may know is the raw item"
        here = [source.translate(self.raw(payload)) for payload in payloads]
        with in_zone("Pacific/Kiritimati"):
            there = [source.translate(self.raw(payload)) for payload in payloads]
        assert repr(here) == repr(there), "translate depends on this machine's zone"
        other = self.make()
        backwards = [other.translate(self.raw(payload)) for payload in payloads[::-1]]
        assert here[::-1] == backwards, "translate remembers what came before"

    def test_keys_are_made_of_the_native_ids(self) -> None:
        """By `signal_key` and `author_key`: the hub finds a parent, an author, a post that came back, by the same rule."""
        for found in self.keyed():
            if not isinstance(found, Tombstone):
                make = signal_key if isinstance(found, Signal) else author_key
                assert found.key == make(found.network, found.native_id, found.realm), (
                    f"the key of {found.native_id!r} is not {make.__name__}(network, native_id, realm)"
                )

    def test_ids_that_differ_by_case_only_are_two(self) -> None:
        """Many networks' ids do; a lower() makes two posts, or two people, one."""
        source = self.make()
        for payload in self.samples():
            before = _native_ids(source.translate(self.raw(payload)))
            for text in texts_of(payload):
                one, other = (
                    _native_ids(_quietly(source, self.raw(renamed(payload, text, text + tail))))
                    for tail in ("aB", "Ab")
                )
                if any(f"{text}ab".lower() in id_.lower() for id_ in one if id_ not in before):  # it is part of an id
                    assert one != other, f"the ids {text}aB and {text}Ab become one: keep an id as it is written"
                named = [source.identify(renamed(payload, text, text + tail))[0] for tail in ("aB", "Ab")]
                if f"{text}ab".lower() in named[0].lower():
                    assert named[0] != named[1], (
                        f"identify calls {text}aB and {text}Ab by one id: keep it as it is written"
                    )

    def test_an_authors_signals_name_an_author_that_is_told(self) -> None:
        """`author_key` points to one of the authors beside it."""
        for found in self.translated():
            told = {author.key for author in found.authors}
            for signal in found.signals:
                assert signal.author_key is None or signal.author_key in told, "author_key points to no author"
                assert signal.author_key or not told, "an author is told, and the signal names none: set `author_key`"
                networks = {author.network for author in found.authors}
                assert networks <= {signal.network}, (
                    f"authors of {networks}, signals of {signal.network}: they never meet"
                )

    def test_when_it_was_read_changes_nothing_but_that(self) -> None:
        """`observed_at` is `raw.received_at`; what was said, and when, does not follow the moment of the poll."""
        source, dated = self.make(), []
        for payload in self.samples():
            raw = self.raw(payload)
            later = msgspec.structs.replace(raw, received_at=_LATER)
            for first, second in zip(*(_signals(source.translate(one)) for one in (raw, later)), strict=True):
                assert (first.observed_at, second.observed_at) == (START, _LATER), "observed_at is raw.received_at"
                changed = [name for name in _FIELDS if getattr(first, name) != getattr(second, name)]
                assert not changed, (
                    f"{changed} follow the moment of the poll: the hub would see an edit with each replay"
                )
                dated.append(first.published_at == second.published_at)
        assert any(dated) or not dated, (
            "published_at follows the moment of the poll: read the time that the network gives"
        )

    def test_the_connections_name_changes_nothing(self) -> None:
        """Two connections of one network know a post by one key."""
        source = self.make()
        for payload in self.samples():
            raw = self.raw(payload)
            other = msgspec.structs.replace(raw, source="another", external_id="2")
            one, two = source.translate(raw), source.translate(other)
            assert [signal.key for signal in _signals(one)] == [signal.key for signal in _signals(two)], (
                "keys depend on the connection's name or on external_id: make them of the payload and raw.realm"
            )

    def test_two_samples_are_two_items(self) -> None:
        """What is said under two keys has two external ids, if `identify` names any."""
        source = self.make()
        ids: dict[tuple[str, str], tuple[str, ...]] = {}
        for payload in self.samples():
            named = source.identify(payload)
            said = tuple(signal.key for signal in _signals(source.translate(self.raw(payload))))
            if named[0] and said:
                assert ids.setdefault(named, said) == said, f"two items share the id and revision {named}"

    def test_a_count_makes_no_new_version(self) -> None:
        """A post that is liked is not edited: each like would be stored and read as another version."""
        source = self.make()
        for payload in self.samples():
            said = source.translate(self.raw(payload))
            for name, counted in counted_on(payload):
                if _differ_by_counts(said, _quietly(source, self.raw(counted))):
                    named = source.identify(payload), source.identify(counted)
                    assert named[0] == named[1], f"{name} only counts, and it makes another id or revision: {named}"

    def test_no_secret_is_told(self) -> None:
        """Not in what is said of an item, not in a log line."""
        source = self.make()
        secrets = secrets_of(source.options)
        with watching(FakeClock()) as seen:
            said = [_quietly(source, self.raw(payload)) for payload in (*self.samples(), b"{not json}", b"")]
        assert not spilt(secrets, *said, *(source.identify(payload) for payload in self.samples())), (
            "an item tells a secret"
        )
        assert not spilt(secrets, seen.told()), "a log line tells a secret"

    def test_a_file_of_items_is_unpacked(self) -> None:
        """One line, one payload, unless `whole_documents`."""
        source = self.make()
        lines = [payload for payload in self.samples() if b"\n" not in payload.strip()]
        if not self.source.whole_documents:
            assert [one.strip() for one in source.unpack(b"\n".join(lines) + b"\n")] == [one.strip() for one in lines]

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
        """Return what the source did wrong with a hostile payload, None if it behaved."""
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
        """Check that types hold and JSON brings the value back; lone surrogates are left to the engine, which replaces them."""
        try:
            written = msgspec.json.encode(found)
        except UnicodeEncodeError:
            return
        assert msgspec.json.decode(written, type=Translated) == found
        times = [signal.published_at for signal in found.signals]
        assert all(at.tzinfo is not None and at.astimezone(UTC) == at for at in times)


def _quietly(source: Source[Any], raw: RawItem) -> Any:
    with suppress(Exception):
        return source.translate(raw)
    return None


def _signals(said: Any) -> tuple[Signal, ...]:
    return said.signals if isinstance(said, Translated) else ()


def _differ_by_counts(one: Any, other: Any) -> bool:
    """Return True if two answers say the same but for the counts."""
    if not isinstance(one, Translated) or not isinstance(other, Translated) or one == other:
        return False
    plain = [[msgspec.structs.replace(signal, counts=Counts()) for signal in said.signals] for said in (one, other)]
    return plain[0] == plain[1] and one.authors == other.authors


def _links(said: Any) -> list[str]:
    """Return the addresses of the signals, their media and the authors."""
    if not isinstance(said, Translated):
        return []
    found = [signal.url for signal in said.signals]
    found += [media.url for signal in said.signals for media in signal.media]
    found += [link for author in said.authors for link in (author.url, author.avatar_url)]
    return [link for link in found if link]


def _own_and_parent(payload: bytes, read: Callable[[bytes], Sequence[Signal]]) -> Iterator[tuple[str | int, str | int]]:
    """Yield pairs of texts or numbers in a sample: one that is the signal's id, and one that is the id of what it answers."""
    first = read(payload)
    if not first or first[0].in_reply_to is None:
        return
    owns: list[str | int] = []
    parents: list[str | int] = []
    values: list[str | int] = [*texts_of(payload), *numbers_of(payload)]
    for value in values:
        changed = read(renamed(payload, value, f"{value}1" if isinstance(value, str) else value * 10 + 3))
        if changed and changed[0].native_id != first[0].native_id:
            owns.append(value)
        elif changed and changed[0].key == first[0].key and changed[0].in_reply_to not in (None, first[0].in_reply_to):
            parents.append(value)
    yield from ((own, parent) for own in owns for parent in parents)


def _native_ids(said: Any) -> list[str]:
    """Return the ids of the signals and authors."""
    found = [one.native_id for one in _signals(said)]
    found += [one.native_id for one in said.authors] if isinstance(said, Translated) else []
    return [one for one in found if isinstance(one, str)]
