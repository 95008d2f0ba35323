"""Taking it back: after a tombstone no byte of the post is left in tickets, comments, audits and records."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub import Delivery, Outcome, Rejected, RemoteRef, Retryable
from hub.core.grammar.facts import merge, skeleton
from hub.core.mapping import Mapped
from hub.sdk.text import html_to_text
from plugins.zendesk import erasure
from plugins.zendesk.sandbox.account import PERSON
from plugins.zendesk.sandbox.tickets import bodies
from tests.plugins.zendesk.conftest import REQUESTER, MakeStand, Stand, delivery
from tests.plugins.zendesk.test_mappings import read as shipped

POST = "The kettle burst on Sunday morning\nand nobody <b>answers</b> the phone & I am tired"
LINES = POST.splitlines()
BODY = f"{POST}\n\nhttps://example.social/@ann/1\n\n—\nPriority high: negative\nRule: complaints of kettles"
FIELDS = {"subject": "Negative post on Mastodon", "comment": {"body": BODY}, "requester": REQUESTER}


def tombstone(made: Outcome, operation: str, **changes: Any) -> Delivery:
    fields = {"operation": operation}
    return delivery(1000 + made.delivery_id, "tombstone", object="ticket", ref=made.ref, fields=fields, **changes)


def everything(stand: Stand) -> str:
    """What an agent or an admin can read: tickets, comments, audits, deleted tickets, users."""
    names = ("ticket", "comment", "_audit", "_deleted", "user", "social_author", "social_signal")
    return json.dumps([stand.sandbox.store.all(name) for name in names], ensure_ascii=False)


def left(stand: Stand) -> list[str]:
    """The words of the post that stand anywhere, as text or as HTML."""
    text = everything(stand)
    return [word for word in ("kettle burst", "Sunday", "answers", "tired", "social/@ann/1") if word in text]


@pytest.fixture
def told(stand: Stand) -> tuple[Stand, Outcome]:
    """A stand with the post as ticket 1."""
    (made,) = stand.deliver(delivery(1, "create", fields=FIELDS))
    assert left(stand) == ["kettle burst", "Sunday", "answers", "tired", "social/@ann/1"]
    return stand, made


def erase(stand: Stand, made: Outcome, operation: str = "create") -> Outcome:
    (outcome,) = stand.deliver(tombstone(made, operation))
    return outcome


def test_a_tickets_description_is_made_black_and_its_subject_stays(told: tuple[Stand, Outcome]) -> None:
    stand, made = told
    outcome = erase(stand, made)
    assert (outcome.error, left(stand)) == (None, [])
    assert stand.sandbox.held("1")["subject"] == "Negative post on Mastodon"
    assert outcome.response == {"erased": [stand.sandbox.said_in("1")[0][0]]}


def test_a_comments_words_go_and_other_comments_stay(told: tuple[Stand, Outcome]) -> None:
    stand, _ = told
    first, second = stand.deliver(delivery(2, "comment"), delivery(3, "comment"))
    assert erase(stand, first, "comment").error is None
    assert "word 2" not in everything(stand)
    assert "word 3" in everything(stand)
    assert left(stand)
    assert second.ref


def test_an_agents_quotation_goes_too_and_the_rest_of_the_answer_stays(told: tuple[Stand, Outcome]) -> None:
    stand, made = told
    quote = f"You wrote: {LINES[0]}. We are sorry."
    stand.sandbox.change("1", {"comment": {"body": quote, "public": True}}, PERSON)
    assert (erase(stand, made).error, left(stand)) == (None, [])
    assert "You wrote: ▇" in everything(stand)
    assert "We are sorry." in everything(stand)


def test_what_the_hub_says_in_other_comments_is_not_the_authors(told: tuple[Stand, Outcome]) -> None:
    stand, made = told
    stand.deliver(delivery(2, "comment", fields={"comment": {"body": "hm\n\n—\nRule: complaints of kettles"}}))
    assert erase(stand, made).error is None
    assert "Rule: complaints of kettles" in everything(stand)


def test_what_a_merge_took_along_goes_too(told: tuple[Stand, Outcome]) -> None:
    stand, made = told
    stand.deliver(delivery(9, "create"))
    stand.sandbox.merge("1", "2", PERSON)
    assert (erase(stand, made).error, left(stand)) == (None, [])
    assert "Last comment in request #1" in everything(stand)


def test_a_closed_tickets_words_go_too(told: tuple[Stand, Outcome]) -> None:
    stand, made = told
    stand.close_ticket("1")
    assert (erase(stand, made).error, left(stand)) == (None, [])


def test_the_first_comment_of_a_follow_up_is_erased_where_it_stands(told: tuple[Stand, Outcome]) -> None:
    stand, _ = told
    stand.close_ticket("1")
    (made,) = stand.deliver(delivery(2, "comment", fields={"comment": {"body": "Still no answer from you"}}))
    parents = {"conversation": RemoteRef("1")}
    (outcome,) = stand.deliver(tombstone(made, "comment", parents=parents))
    assert outcome.error is None
    assert "Still no answer" not in everything(stand)


def test_without_agent_workspace_words_go_string_by_string(make_stand: MakeStand) -> None:
    stand = make_stand({"agent_workspace": False})
    (made,) = stand.deliver(delivery(1, "create", fields=FIELDS))
    outcome = erase(stand, made)
    assert (outcome.error, "kettle burst" in everything(stand)) == (None, False)


def test_a_subject_with_words_is_cleared_and_a_person_asked(stand: Stand) -> None:
    (made,) = stand.deliver(delivery(1, "create", fields={**FIELDS, "subject": f"Ann: {LINES[0]}"[:30]}))
    outcome, again = erase(stand, made), erase(stand, made)
    assert [one.error.code for one in (outcome, again)] == ["history", "history"]
    assert stand.sandbox.held("1")["subject"] == erasure.NEUTRAL
    assert "nobody" not in everything(stand)


def test_a_closed_ticket_with_words_in_its_subject_waits_for_a_person(stand: Stand) -> None:
    (made,) = stand.deliver(delivery(1, "create", fields={**FIELDS, "subject": POST[:60]}))
    stand.close_ticket("1")
    assert [erase(stand, made).error.code for _ in range(2)] == ["history", "history"]


def test_where_it_is_allowed_the_ticket_goes_with_its_subject(make_stand: MakeStand) -> None:
    stand = make_stand(delete_tickets_to_erase=True)
    (made,) = stand.deliver(delivery(1, "create", fields={**FIELDS, "subject": POST[:60]}))
    assert [erase(stand, made).error for _ in range(2)] == [None, None]
    assert left(stand) == []
    assert stand.sandbox.store.count("ticket") == 0


def test_a_ticket_that_somebody_deleted_is_done(told: tuple[Stand, Outcome]) -> None:
    stand, made = told
    stand.sandbox.bury("1")
    assert erase(stand, made).error is None


def test_words_that_stay_are_no_receipt(told: tuple[Stand, Outcome]) -> None:
    stand, made = told
    stand.sandbox.faults.set([{"match": {"path": "comment_redactions"}, "status": 200, "body": {"comment": {}}}])
    outcome = erase(stand, made)
    assert isinstance(outcome.error, Retryable)
    assert outcome.error.code == "not_redacted"


def test_a_failure_at_a_copy_leaves_the_words_that_tell_what_to_look_for(told: tuple[Stand, Outcome]) -> None:
    stand, made = told
    stand.sandbox.change("1", {"comment": {"body": f"> {LINES[0]}", "public": False}}, PERSON)
    stand.sandbox.faults.set([{"match": {"path": "comment_redactions"}, "times": 1, "reset_before": True}])
    assert erase(stand, made).error
    assert (erase(stand, made).error, left(stand)) == (None, [])


@pytest.mark.parametrize("changes", [{"ref": None}, {"fields": {"operation": "comment"}, "ref": RemoteRef("5")}])
def test_a_tombstone_of_nobody_knows_what_is_rejected(stand: Stand, changes: dict[str, Any]) -> None:
    fields = {"fields": {"operation": "create"}}
    (outcome,) = stand.deliver(delivery(7, "tombstone", object="ticket", **{**fields, **changes}))
    assert isinstance(outcome.error, Rejected)


def test_a_comment_that_is_not_in_its_ticket_is_rejected(told: tuple[Stand, Outcome]) -> None:
    stand, made = told
    strange = Outcome(5, ref=RemoteRef("424242", made.ref.url))
    assert erase(stand, strange, "comment").error.code == "comment"


def gone(number: int, **changes: Any) -> Delivery:
    """The tombstone of the record of `delivery(number)`."""
    facts = {"object": "social_signal", "record_key": f"mastodon:k{number}", "fields": {"operation": "upsert"}}
    return delivery(100 + number, "tombstone", **{**facts, **changes})


def test_records_go_by_one_job_and_absent_ones_are_done(stand: Stand) -> None:
    stand.deliver(*[delivery(number) for number in range(3)])
    outcomes = stand.deliver(*[gone(number) for number in (0, 1, 2, 77)])
    assert [one.error for one in outcomes] == [None] * 4
    assert stand.sandbox.store.count("social_signal") == 0
    assert stand.calls("POST", "/jobs") == 2


def test_a_record_that_cannot_be_deleted_says_why(stand: Stand) -> None:
    stand.deliver(delivery(1))
    stand.sandbox.faults.set([{"match": {"path": "/jobs$"}, "partial": [0]}])
    (outcome,) = stand.deliver(gone(1))
    assert isinstance(outcome.error, Rejected)


def test_an_erased_author_has_no_name_in_tickets_either(told: tuple[Stand, Outcome]) -> None:
    stand, _ = told
    author = {"object": "social_author", "record_key": REQUESTER["external_id"].lower()}
    stand.deliver(delivery(5, **author, fields={"name": "Ann", "handle": "ann"}))
    (outcome,) = stand.deliver(gone(5, **author))
    assert outcome.error is None
    assert '"Ann"' not in everything(stand)


# ----------------------------------------------------------------------------------------------------------------- words


@given(st.text(st.characters(codec="utf-8", exclude_characters="▇\0"), max_size=80))
def test_blackened_html_shows_nothing_but_blocks(text: str) -> None:
    marked = erasure.blacken(bodies({"body": text})["html_body"])
    black = re.sub(r"<redact>.*?</redact>", "▇", marked, flags=re.DOTALL)
    assert erasure.is_black(html_to_text(black))
    assert re.findall(r"<a(?![^>]* redact>)", marked) == []


@pytest.mark.parametrize(
    ("html", "passages", "marked"),
    [
        ("a long line here", ["long line"], "a <redact>long line</redact> here"),
        ("<p>1 &lt; 2 again</p>", ["1 < 2"], "<p><redact>1 &lt; 2</redact> again</p>"),
        ('<p title="x"><a href="long line">x</a>', ["long line"], '<p title="x"><a href="long line" redact>x</a>'),
        ("ab abc", ["ab", "abc"], "<redact>ab</redact> <redact>abc</redact>"),
        (
            '<p>see <a href="https://x.example/1">https://x.example/1</a> now</p>',
            ["see https://x.example/1 now"],
            (
                '<p><redact>see </redact><a href="https://x.example/1" redact><redact>https://x.example/1</redact></a>'
                "<redact> now</redact></p>"
            ),
        ),
    ],
)
def test_passages_are_marked_in_the_text_and_not_in_tags(html: str, passages: list[str], marked: str) -> None:
    assert erasure.blacken_passages(html, passages) == marked


@pytest.mark.parametrize(
    ("subject", "text", "shares"),
    [
        ("Negative post on Mastodon", POST, False),
        ("Ann on Mastodon: The kettle burst on Sun", POST, True),
        ("Ann: it broke", "it broke", True),
        ("A booking", "ok", False),
        ("Anything", "", False),
    ],
)
def test_a_subject_shares_words_with_a_post(subject: str, text: str, shares: bool) -> None:
    assert erasure.shares_words(subject, text) is shares


def test_passages_are_the_authors_long_lines() -> None:
    assert erasure.passages_of(BODY) == [*LINES, "https://example.social/@ann/1"]
    assert erasure.passages_of("ok\n\n—\nRule: complaints") == []
    assert erasure.passages_of("▇▇▇▇▇▇▇▇▇▇") == []


# ------------------------------------------------------------------------------------------------------------- people

AUTHORED = f"{POST}\n\n—\nPriority high: negative\nAuthor: Ann Lee (ann@example.social), 120 followers\nRule: x"


@pytest.mark.parametrize(
    "subject", ["Ann Lee on Mastodon: too late", "A post of ann@example.social", "Ann Lee: The kettle"]
)
def test_a_subject_that_names_the_author_is_cleared_and_a_person_asked(stand: Stand, subject: str) -> None:
    (made,) = stand.deliver(delivery(1, "create", fields={**FIELDS, "subject": subject, "comment": {"body": AUTHORED}}))
    assert erase(stand, made).error.code == "history"
    assert stand.sandbox.held("1")["subject"] == erasure.NEUTRAL


@pytest.mark.parametrize("subject", ["Negative post on Mastodon", "Annabel Leeward asks", "120 followers"])
def test_a_subject_that_names_others_stays(stand: Stand, subject: str) -> None:
    (made,) = stand.deliver(delivery(1, "create", fields={**FIELDS, "subject": subject, "comment": {"body": AUTHORED}}))
    assert (erase(stand, made).error, stand.sandbox.held("1")["subject"]) == (None, subject)


@pytest.mark.parametrize(
    ("author", "signals"),
    [
        ({"display_name": "Ann Lee", "handle": "ann@example.social", "followers": 120}, 2),
        ({"display_name": "Ann Lee", "handle": "ann@example.social", "followers": 1}, None),
        ({"display_name": "Lee, Ann", "followers": 25_000}, 6),
        ({"handle": "ann.example"}, 1),
        ({"display_name": "Ann " * 20 + "Lee", "followers": 1_200_000}, 1),
        ({"display_name": "Ann Lee https://lee.example #baking", "handle": "ann"}, 3),
    ],
)
def test_a_subject_of_the_mapping_that_ships_is_known_to_name_its_author(
    author: dict[str, Any], signals: int | None
) -> None:
    said = {"signal": {"text": "It broke", "network": "mastodon"}, "author": author, "stats": {"signals_30d": signals}}
    made = shipped("ticket").apply(merge(said, skeleton()))
    assert isinstance(made, Mapped)
    assert erasure.names(made.fields["subject"], made.fields["comment"]["body"])


def test_a_name_that_a_follow_up_took_along_is_cleared_there_too(stand: Stand) -> None:
    named = {**FIELDS, "subject": "Ann Lee on Mastodon", "comment": {"body": AUTHORED}}
    (made,) = stand.deliver(delivery(1, "create", fields=named))
    stand.close_ticket("1")
    stand.deliver(delivery(2, "comment", fields={"comment": {"body": "and what now"}}))
    assert stand.sandbox.held("2")["subject"] == "Re: Ann Lee on Mastodon"
    erase(stand, made)
    assert stand.sandbox.held("2")["subject"] == erasure.NEUTRAL


def forgotten(key: str) -> Delivery:
    fields = {"operation": "author"}
    return delivery(50, "tombstone", object="requester", record_key=key, fields=fields, parents={})


def test_the_user_behind_an_authors_tickets_becomes_nameless_and_has_a_name_again_if_the_author_returns(
    stand: Stand,
) -> None:
    stand.deliver(delivery(1, "create", fields=FIELDS))
    (outcome,) = stand.deliver(forgotten(REQUESTER["external_id"]))
    assert (outcome.error, REQUESTER["name"] in everything(stand)) == (None, False)
    stand.deliver(delivery(2, "create", fields=FIELDS, record_key="mastodon:other"))
    assert REQUESTER["name"] in json.dumps(stand.sandbox.store.all("user"))


def test_an_author_of_whom_no_user_was_made_is_done(stand: Stand) -> None:
    (outcome,) = stand.deliver(forgotten("mastodon:nobody"))
    assert outcome.error is None
