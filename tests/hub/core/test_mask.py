"""Masks: what names a person is hidden in texts, and what does not stays as it is."""

from __future__ import annotations

import time
from typing import Any

import pytest

from hub.core.access import Sight
from hub.core.reading.mask import as_seen, mask_address, mask_all, mask_author, mask_name, mask_text, names_of

ANA = {
    "display_name": "Ana Berg",
    "handle": "ana_b@example.social",
    "native_id": "109",
    "followers": 7,
    "key": "mastodon:x",
}
NAMES = names_of(ANA)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("Ana Berg says no", "A. B. says no"),
        ("ANA BERG says no", "A. B. says no"),
        ("thanks, Ana!", "thanks, A.!"),
        ("Mrs Berg called", "Mrs B. called"),
        ("@ana_b@example.social hello", "@a***@... hello"),
        ("@ana_b hello", "@a*** hello"),
        (".@ana_b: hello", ".@a***: hello"),
        ("cc @bob_2 @carl", "cc @b*** @c***"),
        ("ana_b wrote", "A. wrote"),
        ("write to ana.berg+shop@mail.example now", "write to a***@... now"),
        ("ANA.BERG@MAIL.EXAMPLE", "A***@..."),
        ("mailto:ana@mail.example", "mailto:a***@..."),
        ("call +49 170 1234567", "call ***"),
        ("call (030) 901820", "call ***"),
        ("call 030/901820", "call ***"),
        ("call 0171-2345678", "call ***"),
        ("06 12 34 56 78", "***"),
        ("06.12.34.56.78", "***"),
        ("+1 (555) 010-9999", "***"),
        ("order 4711223", "order ***"),
        ("order #4711-2233", "order ***"),
        ("order AB12345", "order ***"),
        ("ticket no. PW-20391-X", "ticket no. ***"),
        ("IBAN DE89 3704 0044 0532 0130 00", "IBAN ***"),
        ("card 4111 1111 1111 1111", "card ***"),
        ("see https://example.social/@ana_b/109", "see https://example.social/..."),
        ("see http://shop.example/?mail=ana@mail.example", "see http://shop.example/..."),
        ("Ana Berg <ana@mail.example>, 4711223", "A. B. <a***@...>, ***"),
    ],
)
def test_what_names_a_person_is_hidden(text: str, masked: str) -> None:
    assert mask_text(text, NAMES) == masked


@pytest.mark.parametrize(
    "text",
    [
        "",
        "It rains.",
        "Banana bergs are no persons",
        "in 2024 or 2025",
        "on 2026-11-30",
        "at 2026-11-30T12:34:56Z",
        "at 2026-11-30 12:34:56.123456+00:00",
        "on 30.11.2026 and 30/11/26",
        "at 20:15",
        "it cost 12.50 EUR, or 1,250",
        "24/7 support",
        "9 of 10, 4.5 stars",
        "iPhone 15, covid-19, 5G",
        "version 3.11.2",
        "100 % sure, 50 times",
        "C# and e@home are no addresses",
        "1 2 3",
        "\u2764\ufe0f\u2764\ufe0f",
        "\u5929\u6c17\u304c\u3044\u3044\u3067\u3059\u306d",
        "\u0645\u0631\u062d\u0628\u0627",
        "#pennywren is #great",
        "a-b-c",
        "(see above)",
    ],
)
def test_what_names_no_person_stays(text: str) -> None:
    assert mask_text(text, NAMES) == text


@pytest.mark.parametrize(
    "text", ["Ana Berg, @ana_b, ana@mail.example, +49 170 1234567", "see https://example.social/@ana_b"]
)
def test_a_mask_upon_a_mask_changes_nothing(text: str) -> None:
    once = mask_text(text, NAMES)
    assert mask_text(once, NAMES) == once


@pytest.mark.parametrize(
    ("name", "masked"),
    [
        ("Ana Berg", "A. B."),
        ("ana", "A."),
        ("Jean-Luc de la Tour du Pin", "J. L. D."),
        ("\u5c71\u7530\u592a\u90ce", "\u5c71."),
        ("\u00c9mile Zola", "\u00c9. Z."),
        ("\U0001f600", "***"),
        ("  ", "***"),
        ("Dr. O'Neill", "D. O. N."),
    ],
)
def test_a_name_becomes_its_initials(name: str, masked: str) -> None:
    assert mask_name(name) == masked


@pytest.mark.parametrize(
    ("address", "masked"),
    [
        ("ana", "a***"),
        ("@ana", "@a***"),
        ("ana@example.social", "a***@..."),
        ("@ana@example.social", "@a***@..."),
        ("", "***"),
    ],
)
def test_an_address_keeps_its_first_letter(address: str, masked: str) -> None:
    assert mask_address(address) == masked


def test_an_author_keeps_key_network_and_size() -> None:
    shown = mask_author(
        {**ANA, "network": "mastodon", "url": "https://x/@ana", "bio": "I am Ana", "handle_history": ["ana"]}
    )
    assert {name: value for name, value in shown.items() if value is not None} == {
        "display_name": "A. B.",
        "handle": "a***@...",
        "followers": 7,
        "key": "mastodon:x",
        "network": "mastodon",
    }


SIGNAL: dict[str, Any] = {
    "id": 12345678,
    "key": "mastodon:abc12345678",
    "author": ANA,
    "text": "Ana Berg: 4711223",
    "url": "https://example.social/@ana_b/1",
    "published_at": "2026-11-30T12:34:56Z",
    "topics": ["order 12345"],
    "matched": ["rule 20391"],
    "deliveries": [{"id": 55555, "destination": "crm12345", "error": {"message": "no ana@mail.example"}}],
    "fields": {"LastName": "Berg", "Phone": "+49 170 1234567"},
    "counts": {"likes": 12345},
}


def test_in_a_whole_signal_names_go_and_the_hubs_own_words_stay() -> None:
    shown = mask_all(SIGNAL, NAMES)
    assert (shown["text"], shown["url"]) == ("A. B.: ***", None)
    assert shown["fields"] == {"LastName": "B.", "Phone": "***"}
    assert shown["deliveries"] == [{"id": 55555, "destination": "crm12345", "error": {"message": "no a***@..."}}]
    for name in ("id", "key", "published_at", "topics", "matched", "counts"):
        assert shown[name] == SIGNAL[name]


def test_who_may_see_names_sees_the_same_value() -> None:
    assert as_seen(Sight(), SIGNAL, ANA) is SIGNAL
    assert as_seen(Sight(names=False), SIGNAL, ANA)["text"] == "A. B.: ***"


@pytest.mark.parametrize("piece", ["1 ", "a1-", "@", "a.", "@a.", "(", "a@a", "http://", "2026-", "+1", "ana "])
def test_a_hostile_text_costs_no_more_than_its_length(piece: str) -> None:
    def cost(size: int) -> float:
        began = time.process_time()
        mask_text(piece * (size // len(piece)), NAMES)
        return time.process_time() - began

    cost(1000)
    assert cost(80_000) < 40 * max(cost(20_000), 0.002)
