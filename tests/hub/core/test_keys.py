"""Keys, against values computed with hashlib and base64 alone."""

from __future__ import annotations

import string
from base64 import b32encode
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.core.keys import author_key, digest, idempotency_key, signal_key


def written_out(*parts: str) -> str:
    """The definition, word for word: the first 32 characters of base32(sha256(parts joined by 0x1f)), in lower case."""
    return b32encode(sha256("\x1f".join(parts).encode()).digest()).decode().lower()[:32]


@pytest.mark.parametrize(
    ("parts", "key"),
    [
        (("",), "4oymiquy7qobjgx36tejs35zeqt24qpe"),
        (("", "https://mastodon.social/users/ada/statuses/1"), "lj77nzgkyfncprur75hvahnafpedawsg"),
        (("r/python", "t3_1abc"), "sdfkua7nnbyfrff6uj5svm7sw6ibw5vk"),
        (("", "at://did:plc:abc/app.bsky.feed.post/3kÄ"), "24af3q53pbqot455xd4dxhv2gv6dpue3"),
    ],
)
def test_a_digest_is_what_hashlib_and_base64_give(parts: tuple[str, ...], key: str) -> None:
    assert (digest(*parts), written_out(*parts)) == (key, key)


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1, max_size=5))
def test_every_digest_agrees_with_the_definition(parts: list[str]) -> None:
    assert digest(*parts) == written_out(*parts)


@given(st.text(), st.text())
def test_a_key_is_short_ascii_and_safe_where_case_is_ignored(native_id: str, realm: str) -> None:
    network, _, rest = signal_key("rss", native_id, realm).partition(":")
    assert network == "rss"
    assert len(rest) == 32
    assert set(rest) <= set(string.ascii_lowercase + "234567")


def test_a_signals_key_hashes_the_realm_before_the_native_id() -> None:
    assert signal_key("reddit", "t3_1abc", "r/python") == "reddit:" + written_out("r/python", "t3_1abc")


def test_an_authors_key_follows_the_same_rule() -> None:
    assert author_key("bluesky", "did:plc:abc") == signal_key("bluesky", "did:plc:abc")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (signal_key("a", "x", "y"), signal_key("a", "y", "x")),
        (signal_key("a", "xy"), signal_key("a", "y", "x")),
        (signal_key("a", "AbC"), signal_key("a", "abc")),
        (signal_key("a", "x"), signal_key("b", "x")),
        (signal_key("a", "x\x00"), signal_key("a", "x")),
    ],
)
def test_what_differs_has_different_keys(one: str, other: str) -> None:
    assert one != other


def test_an_idempotency_key_hashes_all_five_parts_in_order() -> None:
    wanted = written_out("crm", "Case", "mastodon:abc", "upsert", "3")
    assert idempotency_key("crm", "Case", "mastodon:abc", operation="upsert", seq=3) == wanted


@pytest.mark.parametrize("change", [{"operation": "create"}, {"seq": 1}])
def test_another_operation_or_sequence_is_another_delivery(change: dict[str, object]) -> None:
    given = {"operation": "upsert", "seq": 0}
    assert idempotency_key("crm", "Case", "k", **given) != idempotency_key("crm", "Case", "k", **{**given, **change})  # type: ignore[arg-type]  # two kinds of values


def test_half_a_surrogate_pair_makes_a_key_and_no_error() -> None:
    assert digest("a\ud800b") == written_out("a?b")
