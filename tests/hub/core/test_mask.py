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
        ("#AnaBerg and #anaberg", "#A. and #A."),
        ("ana.berg, ana-berg, Ana_Berg", "A. B., A. B., A."),
        ("Anas Auto, Bergs Auto", "A. Auto, B. Auto"),
        ("\u5929Ana\u3055\u3093", "\u5929A.\u3055\u3093"),
        ('<b>Ana</b> <a href="https://x.example/@ana">Berg</a>', '<b>A.</b> <a href="https://x.example/...">B.</a>'),
        ("bob+tag@b\u00fccher.example", "b***@..."),
        ("\u7528\u6237@\u4f8b\u5b50.\u5e7f\u544a", "\u7528***@..."),
        ("bob%y@x.example, o'bob@x.example", "b***@..., o***@..."),
        ("bob (at) x.example, bob[at]x.example", "b***@..., b***@..."),
        ("\uff20bob", "@b***"),
        ("https://x.example?u=bob#bob", "https://x.example/..."),
        ("https://bob:pw@x.example/", "https://x.example/..."),
        ("https://bob.blog.example/1", "https://blog.example/..."),
        ("at://did:plc:abc/x, did:plc:abcdef", "at://did/... did:***"),
        ("www.x.example/bob, t.me/bob", "x.example/... t.me/..."),
        ("u/bobby wrote, /u/bobby", "u/*** wrote, /u/***"),
        ("06\u00a012\u00a034\u00a056\u00a078", "***"),
        ("06\t12\t34\t56\t78", "***"),
        ("030 \u2013 901820", "***"),
        ("+49\u2011170\u20111234567", "***"),
        ("030\u202f901820, 555\u200b01\u200b99", "***, ***"),
        ("\u0660\u0661\u0662\u0663\u0664\u0665", "***"),
        ("+49 (0) 170/123 45 67", "***"),
        ("555_0199_22", "***"),
        ("612 345 678 is mine", "*** is mine"),
        ("192.168.100.17", "***"),
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
        "2024-2025, 2019/2020, 1990\u20132000",
        "from 2026-11-30/2026-12-01, in 2026-W48",
        "20.5.2024 - 23.5.2024",
        "20:15-22:30, 12:34:56.789",
        "12345 EUR, EUR 12345.67, $12,345.67",
        "1.000.000 Euro, 10 000 \u20ac, 10\u202f000\u00a0\u20ac",
        "10000 steps, 12 500 views, 100.000 km, 5000 mAh",
        "1.000.000 in all",
        "v3.11.2.1, 3.11.2-rc1, version 10.15.7.2",
        "9/10 10/10, 4.5/5 (1234)",
        "3840x2160",
        "3.14159",
        "ISO 9001:2015, ISO-27001",
        "mastodon:abcdefghij2345672345672345672345",
        "marks and banks",
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
    ("name", "text", "masked"),
    [
        ("\u5c71\u7530\u592a\u90ce", "\u6614\u5c71\u7530\u592a\u90ce\u3055\u3093", "\u6614\u5c71.\u3055\u3093"),
        ("\u738b\u4f1f", "\u6614\u738b\u4f1f\u8bf4", "\u6614\u738b.\u8bf4"),
        (
            "\u0645\u062d\u0645\u062f",
            "\u0648\u0645\u062d\u0645\u062f \u0642\u0627\u0644",
            "\u0648\u0645. \u0642\u0627\u0644",
        ),
        ("Jos\u00e9", "Jose\u0301, JOS\u00c9, Jose", "J., J., J."),
        ("Jose\u0301", "Jos\u00e9", "J."),
        ("Stra\u00dfe", "STRASSE", "S."),
        ("\u0130pek", "i\u0307pek", "I."),
        ("\u03a3\u03af\u03c3\u03c5\u03c6\u03bf\u03c2", "\u03a3\u038a\u03a3\u03a5\u03a6\u039f\u03a3", "\u03a3."),
        ("\u0938\u0940\u0924\u093e \u0926\u0947\u0935\u0940", "\u0938\u0940\u0924\u093e x", "\u0938. x"),
        ("Li", "Li, not li or Lima", "L., not li or Lima"),
        ("Ana (she/her)", "Ana is her friend", "A. is her friend"),
        ("Ana of the Sea", "the Sea of Ana", "the S. of A."),
        ("\U0001f600 Ana \u2728", "Ana", "A."),
        ("O\u2019Neill", "O\u2019NEILL", "O. N."),
    ],
)
def test_a_name_is_found_however_it_is_written(name: str, text: str, masked: str) -> None:
    assert mask_text(text, names_of({"display_name": name})) == masked


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


def test_names_of_several_people_are_hidden() -> None:
    names = names_of(ANA, None, {"display_name": "Dr. Zo\u00eb Quill", "emails": ["zoeq@x.example"]})
    assert mask_text("Ana met Quill, zoeq", names) == "A. met Q., Z."


@pytest.mark.parametrize(
    ("payload", "masked"),
    [
        (
            {"source": "ana_b", "kind": "+49 170 1234567", "key": "4711223"},
            {"source": "A.", "kind": "***", "key": "***"},
        ),
        ({"Ana Berg": {"id": "ana_b"}}, {"A. B.": {"id": "A."}}),
        ({"Phone": 491701234567, "Score": 5, "Rate": 0.25}, {"Phone": "***", "Score": 5, "Rate": 0.25}),
        ({"custom_360012345678": "x"}, {"custom_360012345678": "x"}),
        ({"note": '{"mail": "ana@mail.example"}'}, {"note": '{"mail": "a***@..."}'}),
        (
            {"Id__c": "mastodon:abcdefghij2345672345672345672345"},
            {"Id__c": "mastodon:abcdefghij2345672345672345672345"},
        ),
    ],
)
def test_in_what_a_vendor_gets_no_field_is_the_hubs_own(payload: dict[str, Any], masked: dict[str, Any]) -> None:
    assert mask_all({"fields": payload, "source": "ana_b"}, NAMES) == {"fields": masked, "source": "ana_b"}


def test_what_a_rule_read_is_hidden_by_its_name() -> None:
    read = {
        "author.native_id": "77",
        "author.bio": "CEO",
        "person.display_name": "Zoe Quill",
        "author.followers": 12345,
    }
    shown = mask_all({"conditions": [{"source": "author.followers > 10000", "read": read}]}, NAMES)
    assert shown["conditions"][0]["read"] == {
        "author.native_id": None,
        "author.bio": None,
        "person.display_name": "Z. Q.",
        "author.followers": 12345,
    }
    assert shown["conditions"][0]["source"] == "author.followers > 10000"


def test_who_may_see_names_sees_the_same_value() -> None:
    assert as_seen(Sight(), SIGNAL, NAMES) is SIGNAL
    assert as_seen(Sight(names=False), SIGNAL, NAMES)["text"] == "A. B.: ***"


@pytest.mark.parametrize(
    "piece",
    [
        "1 ",
        "a1-",
        "@",
        "a.",
        "@a.",
        "(",
        "a@a",
        "http://",
        "2026-",
        "+1",
        "ana ",
        "a.bb/",
        "1 000",
        "a (at) ",
        "9/10 ",
        "1.1.1",
        "did:aa:",
    ],
)
def test_a_hostile_text_costs_no_more_than_its_length(piece: str) -> None:
    def cost(size: int) -> float:
        began = time.process_time()
        mask_text(piece * (size // len(piece)), NAMES)
        return time.process_time() - began

    cost(1000)
    assert cost(80_000) < 40 * max(cost(20_000), 0.002)
