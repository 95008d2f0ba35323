"""The contract of sources passes a well-made webhook and catches each kind of careless one."""

from __future__ import annotations

import hmac
import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import pytest
from pydantic import ConfigDict, SecretStr

from hub import (
    Author,
    Compliance,
    Counts,
    Ignored,
    Options,
    RawItem,
    Request,
    Signal,
    Tombstone,
    Translated,
    TranslationError,
    WebhookSource,
    author_key,
    signal_key,
)
from hub.sdk.text import parse_time
from hub.testkit.contracts import SourceContract
from tests.hub.testkit.trial import assert_caught

SECRET = "the-secret-of-the-shop"
MOST = 1_000
_SAMPLES = (
    {
        "id": "Ab1",
        "at": "2026-01-02T03:04:05Z",
        "by": "u1",
        "text": "It broke",
        "likes": 3,
        "re": "Zz9",
        "seen": "direct",
    },
    {"id": "Ab2", "at": "2026-01-02T04:04:05+02:00", "by": "u2", "text": "Thank you", "url": "https://shop.example/2"},
)


class Word(msgspec.Struct):
    """What a customer of the shop says."""

    id: str
    at: str
    by: str
    text: str = ""
    re: str | None = None
    url: str | None = None
    seen: str = "public"
    likes: int | None = None


class ShopOptions(Options):
    """The secret of the hook."""

    secret: SecretStr = SecretStr(SECRET)


class ShopSource(WebhookSource[ShopOptions]):
    """Words of customers, posted by a shop."""

    name = "shop"
    network = "shop"
    Options = ShopOptions
    compliance = Compliance(timedelta(days=1))

    def verify(self, request: Request) -> bool:
        secret = self.options.secret.get_secret_value()
        return bool(secret.strip()) and self.is_signed(secret, request)

    def is_signed(self, secret: str, request: Request) -> bool:
        wanted = hmac.new(secret.encode(), request.body, "sha256").hexdigest()
        return hmac.compare_digest(wanted.encode(), request.headers.get("x-mac", "").encode("utf-8", "replace"))

    def parse(self, body: bytes) -> Sequence[bytes]:
        try:
            words = msgspec.json.decode(body, type=dict[str, list[msgspec.Raw]])["words"]
        except (msgspec.DecodeError, UnicodeDecodeError, KeyError, RecursionError) as error:
            raise TranslationError(f"no words: {error}") from None
        if len(words) > MOST:
            raise TranslationError(f"more than {MOST} words at once")
        return [bytes(word) for word in words]

    def identify(self, payload: bytes) -> tuple[str, str]:
        try:
            return self.read(payload).id, ""
        except TranslationError:
            return "", ""

    def read(self, payload: bytes) -> Word:
        try:
            return msgspec.json.decode(payload, type=Word)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise TranslationError(str(error)) from None

    def translate(self, raw: RawItem) -> Translated | Ignored:
        word = self.read(raw.payload)
        at = parse_time(word.at)
        if not word.id or not word.by or at is None:
            raise TranslationError("no id, no author or no time")
        author = Author(author_key("shop", word.by), "shop", word.by)
        signal = Signal(
            key=signal_key("shop", word.id),
            network="shop",
            native_id=word.id,
            kind="message",
            text=word.text,
            author_key=author.key,
            published_at=at.astimezone(UTC),
            observed_at=raw.received_at,
            in_reply_to=signal_key("shop", word.re) if word.re else None,
            url=word.url if (word.url or "").startswith("https://") else None,
            counts=Counts(likes=word.likes),
            visibility="public" if word.seen == "public" else "direct",
        )
        return Translated((signal,), (author,))


class TestShop(SourceContract):
    """The whole suite over a good webhook."""

    source = ShopSource
    options: ClassVar[Mapping[str, Any]] = {"secret": SECRET}
    tolerance = None
    most_items = MOST

    @classmethod
    def samples(cls) -> Sequence[bytes]:
        return [json.dumps(sample).encode() for sample in _SAMPLES]

    @classmethod
    def bodies(cls) -> Sequence[bytes]:
        return [b'{"words":[' + b",".join(cls.samples()) + b"]}"]

    @classmethod
    def readme(cls) -> Path:
        return Path(__file__)  # it names `secret`

    def sign(self, body: bytes, at: datetime, key: str | None = None) -> Request:
        own = SECRET if key is None else key
        mac = hmac.new(own.encode(), body, "sha256").hexdigest()
        return Request("POST", "https://hub.example/in/shop", {"x-mac": mac}, body, at)


def saying(**change: Callable[[RawItem, Signal], Any]) -> type[ShopSource]:
    """A source whose signals are changed."""

    class Changed(ShopSource):
        def translate(self, raw: RawItem) -> Translated:
            found = super().translate(raw)
            assert isinstance(found, Translated)
            fields = {name: make(raw, found.signals[0]) for name, make in change.items()}
            return Translated((msgspec.structs.replace(found.signals[0], **fields),), found.authors)

    return Changed


def doing(**methods: Any) -> type[ShopSource]:
    """A source with other methods."""
    return type("Doing", (ShopSource,), methods)


class Lowering(ShopSource):
    """Takes ids for one that differ by case."""

    def read(self, payload: bytes) -> Word:
        word = super().read(payload)
        return msgspec.structs.replace(word, id=word.id.lower())


class LoweringAuthors(ShopSource):
    """The same with people."""

    def read(self, payload: bytes) -> Word:
        word = super().read(payload)
        return msgspec.structs.replace(word, by=word.by.lower())


class Trusting(ShopSource):
    """Takes payloads for what they should be."""

    def read(self, payload: bytes) -> Word:
        return Word(**json.loads(payload))


class Nameless(ShopSource):
    """Gives signals whose authors nothing tells of."""

    def translate(self, raw: RawItem) -> Translated:
        found = super().translate(raw)
        assert isinstance(found, Translated)
        return Translated(found.signals)


class Forgetful(ShopSource):
    """Says what it said before."""

    last: Translated | None = None

    def translate(self, raw: RawItem) -> Translated | Ignored:
        before, self.last = self.last, super().translate(raw)  # type: ignore[assignment]  # careless on purpose
        return before or self.last  # type: ignore[return-value]  # the same


class Talking(ShopSource):
    """Logs its secret where it cannot read."""

    def read(self, payload: bytes) -> Word:
        try:
            return super().read(payload)
        except TranslationError:
            logging.getLogger("shop").warning("not read with %s", self.options.secret.get_secret_value())
            raise


class Dicing(ShopSource):
    """Looks at the clock."""

    def translate(self, raw: RawItem) -> Translated | Ignored:
        return super().translate(raw) if time.monotonic() > 0 else Ignored("not yet")


class Loose(Options):
    """Takes anything."""

    model_config = ConfigDict(extra="allow", frozen=False)
    secret: str = SECRET


class PlainKey(Options):
    """A key that is no secret."""

    url: str = "https://api.example"
    key: str = "k"


def lenient(self: ShopSource, body: bytes) -> list[bytes]:
    return [bytes(word) for word in msgspec.json.decode(body, type=dict[str, list[msgspec.Raw]]).get("words", [])]


def unlimited(self: ShopSource, body: bytes) -> list[bytes]:
    try:
        return lenient(self, body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise TranslationError(str(error)) from None


def word_of(raw: RawItem) -> Word:
    """What a payload says."""
    return msgspec.json.decode(raw.payload, type=Word)


def known(raw: RawItem, said: Signal) -> str:
    """Who may see it, and anyone if the word is not known."""
    return "direct" if word_of(raw).seen in ("direct", "private") else "public"


def all_or_none(self: ShopSource, body: bytes) -> list[bytes]:
    """Refuses a body with one broken item."""
    words = ShopSource.parse(self, body)
    for word in words:
        self.read(word)
    return list(words)


def good_ones_before_a_bad_one(self: ShopSource, body: bytes) -> list[bytes]:
    """Ends at the first broken item."""
    return list(takewhile(lambda word: word.startswith(b"{"), ShopSource.parse(self, body)))


def small_names(self: ShopSource, payload: bytes) -> tuple[str, str]:
    return ShopSource.identify(self, payload)[0].lower(), ""


def versions_by_likes(self: ShopSource, payload: bytes) -> tuple[str, str]:
    return ShopSource.identify(self, payload)[0], str(word_of(TestShop().raw(payload)).likes)


LINKS, PARENT = "test_only_addresses_of_the_web_are_links", "test_a_parent_is_named_as_the_post_itself_would_be"
REFERENCES, LANGUAGES = "test_references_are_keys", "test_languages_are_codes"
BESIDE, FOLLOWS = "test_one_broken_item_of_a_body_costs_no_other", "test_an_answer_begins_no_conversation"
PURE, KEYS = "test_translate_asks_nothing_of_the_world", "test_keys_are_made_of_the_native_ids"
READ, FORMED = "test_when_it_was_read_changes_nothing_but_that", "test_a_body_gives_items_that_can_be_read"
CASE = "test_ids_that_differ_by_case_only_are_two"
CARELESS: list[tuple[type[ShopSource], str]] = [
    (Lowering, CASE),
    (LoweringAuthors, CASE),
    (Trusting, "test_hostile_payloads_give_a_value_or_a_translation_error"),
    (Nameless, "test_an_authors_signals_name_an_author_that_is_told"),
    (Forgetful, PURE),
    (Talking, "test_no_secret_is_told"),
    (Dicing, PURE),
    (doing(Options=Loose), "test_options_refuse_unknown_keys"),
    (doing(Options=Loose), "test_secrets_are_secret_strings"),
    (doing(Options=PlainKey), "test_secrets_are_secret_strings"),
    (saying(key=lambda raw, said: signal_key("shop", said.native_id.lower())), KEYS),
    (saying(key=lambda raw, said: signal_key("shop", said.native_id, raw.source)), KEYS),
    (
        saying(
            native_id=lambda raw, said: f"{raw.source}/{said.native_id}",
            key=lambda raw, said: signal_key("shop", f"{raw.source}/{said.native_id}"),
        ),
        "test_the_connections_name_changes_nothing",
    ),
    (
        saying(native_id=lambda raw, said: raw.external_id, key=lambda raw, said: signal_key("shop", raw.external_id)),
        "test_the_connections_name_changes_nothing",
    ),
    (saying(key=lambda raw, said: "shop:" + said.native_id), "test_keys_are_hashed_and_safe_where_case_is_ignored"),
    (
        saying(author_key=lambda raw, said: signal_key("shop", "another")),
        "test_an_authors_signals_name_an_author_that_is_told",
    ),
    (saying(in_reply_to=lambda raw, said: "Zz9"), "test_references_are_keys"),
    (saying(published_at=lambda raw, said: raw.received_at), READ),
    (saying(observed_at=lambda raw, said: said.published_at), READ),
    (saying(published_at=lambda raw, said: said.published_at.replace(tzinfo=None)), "test_times_are_aware_utc"),
    (saying(published_at=lambda raw, said: said.published_at.replace(tzinfo=None).astimezone(UTC)), PURE),
    (saying(published_at=lambda raw, said: said.published_at.astimezone()), PURE),
    (saying(native_id=lambda raw, said: 7), "test_values_survive_json"),
    (saying(kind=lambda raw, said: "complaint"), "test_values_survive_json"),
    (doing(translate=lambda self, raw: Ignored("deaf")), "test_a_sample_gives_a_signal"),
    (doing(identify=lambda self, payload: ("word", "")), "test_two_samples_are_two_items"),
    (doing(identify=lambda self, payload: (7, None)), "test_payloads_are_identified_by_strings"),
    (doing(unpack=lambda self, document, realm="": iter([document])), "test_a_file_of_items_is_unpacked"),
    (saying(updated_at=lambda raw, said: raw.received_at), READ),
    (saying(claimed_at=lambda raw, said: raw.received_at), READ),
    (saying(mentions=lambda raw, said: ("@shop",)), REFERENCES),
    (saying(aliases=lambda raw, said: (said.native_id,)), REFERENCES),
    (saying(parent_alias=lambda raw, said: "Zz9"), REFERENCES),
    (saying(lang=lambda raw, said: "English"), LANGUAGES),
    (saying(lang=lambda raw, said: "en, de"), LANGUAGES),
    (saying(url=lambda raw, said: word_of(raw).url), LINKS),
    (saying(visibility=known), "test_a_word_of_no_meaning_makes_nothing_public"),
    (saying(conversation_key=lambda raw, said: said.key), FOLLOWS),
    (saying(in_reply_to=lambda raw, said: said.key), FOLLOWS),
    (saying(in_reply_to=lambda raw, said: (re := word_of(raw).re) and signal_key("shop", re, raw.source)), PARENT),
    (saying(in_reply_to=lambda raw, said: (re := word_of(raw).re) and signal_key("shop", f"word/{re}")), PARENT),
    (saying(in_reply_to=lambda raw, said: (re := word_of(raw).re) and signal_key("shop", re, raw.realm)), PARENT),
    (saying(author_key=lambda raw, said: None), "test_an_authors_signals_name_an_author_that_is_told"),
    (doing(identify=small_names), CASE),
    (doing(identify=versions_by_likes), "test_a_count_makes_no_new_version"),
    (doing(parse=all_or_none), BESIDE),
    (doing(parse=good_ones_before_a_bad_one), BESIDE),
    (doing(parse=lenient), "test_hostile_bodies_end_in_a_translation_error_or_in_payloads"),
    (doing(parse=unlimited), "test_a_body_of_very_many_items_is_refused"),
    (doing(parse=lambda self, body: []), FORMED),
    (doing(parse=lambda self, body: [json.loads(one) for one in ShopSource.parse(self, body)]), FORMED),
    (doing(parse=lambda self, body: [b"%d" % time.time_ns(), *ShopSource.parse(self, body)]), FORMED),
    (doing(verify=lambda self, request: True), "test_a_call_without_a_signature_is_not_genuine"),
    (
        doing(verify=lambda self, request: self.is_signed(self.options.secret.get_secret_value(), request)),
        "test_an_empty_key_opens_nothing",
    ),
    (doing(max_body=10**12), "test_a_bodys_size_is_bounded"),
    (doing(compliance=Compliance(timedelta(0))), "test_compliance_is_declared"),
    (doing(name="Shop!"), "test_what_is_declared_makes_sense"),
    (doing(egress_hosts="shop.example"), "test_what_is_declared_makes_sense"),
]


@pytest.mark.long
@pytest.mark.parametrize(
    ("cls", "test"), CARELESS, ids=[f"{n} {cls.__name__} {test}" for n, (cls, test) in enumerate(CARELESS)]
)
def test_a_careless_source_is_caught(cls: type[ShopSource], test: str) -> None:
    suite = type("Careless", (TestShop,), {"source": cls})
    assert_caught(suite, test)


def test_a_webhook_that_does_not_show_how_it_is_signed_is_told_so() -> None:
    silent = type("Silent", (TestShop,), {"sign": SourceContract.sign})
    assert silent.test_a_signed_request_is_genuine is None
    with pytest.raises(AssertionError, match="override `sign`"):
        silent().test_a_call_without_a_signature_is_not_genuine()


def test_a_tombstone_is_no_signal() -> None:
    """The suite takes what is gone for what it is."""
    gone = Translated(
        tombstones=(Tombstone(signal_key("shop", "Ab1"), "user_deleted", datetime(2026, 1, 2, tzinfo=UTC)),)
    )
    suite = type("Gone", (TestShop,), {"source": doing(translate=lambda self, raw: gone)})()
    suite.test_values_survive_json()
    suite.test_keys_are_made_of_the_native_ids()
