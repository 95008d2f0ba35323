"""What is gone leaves every destination that had it, each with a receipt, and the hub itself."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from msgspec.structs import replace
from sqlalchemy import LargeBinary, select, update

from hub.core.access import HUB
from hub.core.errors import Conflict, Overtaken, Rejected, Unavailable, Uncertain
from hub.core.keys import author_key, signal_key
from hub.core.model import Author, Delivery, Ignored, Kind, RawItem, RemoteRef, Tombstone, Translated
from hub.flow.decide.batch import decide_batch, process
from hub.flow.decide.translate import read_rows
from hub.flow.decide.write import write
from hub.flow.deliver.send import deliver, deliver_batch
from hub.flow.erase.erase import erase, finish
from hub.flow.sweep import sweep
from hub.flow.views.erasures import receipts
from hub.flow.views.explain import explain
from hub.sdk.connectors import Lookup
from hub.store import Store
from hub.store.schema import inbox, metadata
from tests.hub.flow.contended import EACH_TIME, contend
from tests.hubs import LineSource, Made

NewHub = Callable[..., Made]
SECRET = "acme lost my heirloom teapot"
POST = {"id": "1", "text": SECRET}
GONE = {"id": "1", "gone": True}
BEN = Author(author_key("lines", "ben"), "lines", "ben", handle="ben")


def key(name: str = "1") -> str:
    return signal_key("lines", name)


def able(made: Made) -> Made:
    made.memo.capabilities = frozenset({"tombstone"})
    return made


def taken_back(made: Made) -> list[Delivery]:
    return [one for batch in made.memo.got for one in batch if one.operation == "tombstone"]


def leftovers(store: Store, words: str) -> list[str]:
    """Tables and columns of the whole database that hold the words."""
    found = []
    with store.database.read() as conn:
        for table in metadata.sorted_tables:
            for row in conn.execute(select(table)).mappings():
                for name, value in row.items():
                    is_bytes = isinstance(table.c[name].type, LargeBinary)
                    text = bytes(value).decode("utf-8", "replace") if is_bytes and value else str(value)
                    found += [f"{table.name}.{name}"] if words in text else []
    return found


def states(made: Made) -> dict[str, str]:
    return {row["operation"]: row["state"] for row in reversed(made.hub.store.outbox.recent(limit=100))}


def test_the_destination_is_told_by_the_records_own_reference(new_hub: NewHub) -> None:
    made = able(new_hub())
    made.say(POST)
    made.run()
    made.say(GONE)
    made.run()
    (tombstone,) = taken_back(made)
    assert (tombstone.object, tombstone.record_key, tombstone.fields) == ("note", key(), {"operation": "upsert"})
    assert tombstone.ref is not None
    assert tombstone.ref.id == f"r-{key()[-6:]}"


@pytest.mark.parametrize("mapping", ["note", "said", "ticket"])
def test_no_byte_of_the_text_stays_in_the_database(new_hub: NewHub, mapping: str) -> None:
    made = able(new_hub(mapping=mapping))
    made.say(POST, {"id": "1", "text": SECRET, "lang": "de"})
    made.run()
    assert leftovers(made.hub.store, SECRET) != []
    made.say(GONE)
    made.run()
    assert leftovers(made.hub.store, SECRET) == []


def test_earlier_revisions_are_forgotten_too(new_hub: NewHub) -> None:
    made = able(new_hub())
    for text in (SECRET, "acme, all is well", "acme, all is very well"):
        made.say({"id": "1", "text": text})
        made.run()
    made.say(GONE)
    made.run()
    assert leftovers(made.hub.store, SECRET) == []
    assert leftovers(made.hub.store, "all is") == []


def test_what_vendors_quoted_in_their_errors_is_forgotten(new_hub: NewHub) -> None:
    made = able(new_hub())
    made.memo.answer = lambda one: Rejected(f"bad text: {SECRET}", details={"body": SECRET})
    made.say(POST)
    made.run()
    made.memo.answer = None
    made.say(GONE)
    made.run()
    assert leftovers(made.hub.store, SECRET) == []
    assert states(made) == {"upsert": "dead", "tombstone": "delivered"}


def test_a_row_that_was_not_sent_is_never_sent(new_hub: NewHub) -> None:
    made = able(new_hub())
    made.say(POST)
    process(made.hub)
    made.say(GONE)
    made.run()
    assert (made.memo.got, made.states()) == ([], {"superseded": 1})
    assert receipts(made.hub, HUB, key()) == []


def test_post_and_deletion_in_one_batch_send_nothing(new_hub: NewHub) -> None:
    made = able(new_hub())
    made.say(POST, GONE)
    made.run()
    assert made.memo.got == []
    assert leftovers(made.hub.store, SECRET) == []


def test_a_row_in_flight_ends_before_its_tombstone_is_sent(new_hub: NewHub) -> None:
    made = able(new_hub())
    made.say(POST)
    process(made.hub)
    claim = made.hub.store.deliveries.claim("memo", size=lambda *_: 1, now=made.clock())
    made.say(GONE)
    made.run()
    assert claim is not None
    assert taken_back(made) == []
    made.clock.pass_(minutes=1)
    made.hub.store.deliveries.expire(now=made.clock())
    made.run()
    assert [one.operation for batch in made.memo.got for one in batch] == ["tombstone"]
    assert states(made) == {"upsert": "superseded", "tombstone": "delivered"}


def test_a_retry_after_the_deletion_sends_no_text(new_hub: NewHub) -> None:
    made = able(new_hub())
    made.memo.answer = lambda one: Unavailable("try later")
    made.say(POST)
    process(made.hub)
    deliver(made.hub, "memo")
    made.memo.answer = None
    made.say(GONE)
    made.run()
    made.clock.pass_(hours=1)
    made.run()
    sent = [one.fields for batch in made.memo.got[1:] for one in batch]
    assert not any("text" in fields for fields in sent)


@pytest.mark.parametrize("was_there", [True, False])
def test_a_doubtful_ticket_is_looked_for_and_never_sent_again(new_hub: NewHub, was_there: bool) -> None:
    made = able(new_hub(mapping="ticket", idempotency=Lookup(timedelta())))
    made.memo.answer = lambda one: Uncertain("no answer")
    made.say(POST)
    process(made.hub)
    deliver_batch(made.hub, "memo")
    (sent,) = made.memo.got[0]
    made.memo.answer = None
    made.memo.found = {sent.key: RemoteRef("t-1")} if was_there else {}
    made.say(GONE)
    made.clock.pass_(hours=1)
    made.run()
    made.run()
    assert [one.operation for batch in made.memo.got for one in batch] == ["create", "tombstone"][: 1 + was_there]
    assert [one.ref for one in taken_back(made)] == ([RemoteRef("t-1")] if was_there else [])
    assert set(states(made).values()) == {"delivered" if was_there else "discarded"}


def test_a_destination_that_cannot_delete_gives_a_receipt_that_says_so(new_hub: NewHub) -> None:
    made = new_hub()
    made.say(POST)
    made.run()
    made.say(GONE)
    made.run()
    (receipt,) = receipts(made.hub, HUB, key())
    assert (receipt["state"], taken_back(made)) == ("dead", [])
    assert "cannot be taken back there" in receipt["error"]["message"]


def test_a_late_crawl_brings_nothing_back(new_hub: NewHub) -> None:
    made = able(new_hub())
    made.say(POST)
    made.run()
    made.say(GONE)
    made.run()
    made.clock.pass_(days=1)
    made.say({**POST, "again": True})
    made.run()
    assert leftovers(made.hub.store, SECRET) == []
    assert [one.operation for batch in made.memo.got for one in batch] == ["upsert", "tombstone"]


def test_an_erased_signal_can_still_be_explained(new_hub: NewHub) -> None:
    made = able(new_hub())
    made.say(POST)
    made.run()
    made.say(GONE)
    made.run()
    found = explain(made.hub, HUB, key())
    assert found is not None
    assert (found.matched, found.rules, found.signal["state"]) == (("brand",), (), "deleted")
    assert "erased" in found.notes[0]


def test_the_erasure_is_finished_when_the_last_receipt_is_in(new_hub: NewHub) -> None:
    made = able(new_hub())
    made.say(POST)
    made.run()
    made.say(GONE)
    process(made.hub)
    sweep(made.hub)
    assert (made.hub.store.erasures.status(key()) or {})["finished_at"] is None
    made.run()
    assert finish(made.hub) == 1
    assert (made.hub.store.erasures.status(key()) or {})["finished_at"] == made.clock()
    assert [one["state"] for one in receipts(made.hub, HUB, key())] == ["delivered"]


def test_an_author_goes_with_all_signals_and_the_authors_record(new_hub: NewHub) -> None:
    made = able(new_hub(mapping="said"))
    made.say(
        {**POST, "by": "eve"}, {"id": "2", "text": "acme again", "by": "eve"}, {"id": "3", "text": "acme", "by": "bob"}
    )
    made.run()
    eve = author_key("lines", "eve")
    erase(made.hub, [Tombstone(eve, "erasure", made.clock())])
    made.run()
    assert {one.record_key for one in taken_back(made)} == {eve, key("1"), key("2")}
    assert leftovers(made.hub.store, "eve") == []
    assert len(receipts(made.hub, HUB, eve)) == 3


def test_the_end_of_a_post_takes_nothing_of_an_author_whose_id_is_the_same(new_hub: NewHub) -> None:
    made = able(new_hub(mapping="said"))
    made.say({**POST, "by": "bob"}, {"id": "2", "text": "acme again", "by": "1"})
    made.run()
    assert author_key("lines", "1") == key("1")
    erase(made.hub, [Tombstone(key("1"), "user_deleted", made.clock())])
    made.run()
    assert [one.record_key for one in taken_back(made)] == [key("1")]


def test_asking_twice_asks_the_destination_once(new_hub: NewHub) -> None:
    made = able(new_hub())
    made.say(POST)
    made.run()
    for _ in range(2):
        erase(made.hub, [Tombstone(key(), "erasure", made.clock())])
        made.run()
    assert len(taken_back(made)) == 1


def test_an_author_record_that_quotes_the_post_loses_the_quote_only(new_hub: NewHub) -> None:
    made = able(new_hub(mapping="quoting"))
    made.say(POST)
    made.run()
    made.say(GONE)
    made.run()
    (last,) = made.memo.got[-1]
    assert (last.operation, last.fields, last.record_key) == ("upsert", {"last": ""}, author_key("lines", "ana"))
    assert leftovers(made.hub.store, SECRET) == []


def test_a_ticket_that_others_wait_for_opens_without_the_words(new_hub: NewHub) -> None:
    made = able(new_hub(mapping="ticket"))
    made.say(POST, {"id": "2", "text": "acme, same here", "re": "1"})
    process(made.hub)
    made.say(GONE)
    made.run()
    sent = {one.operation: one.fields for batch in made.memo.got for one in batch}
    assert (sent["create"]["text"], sent["comment"]["text"]) == ("(removed)", "acme, same here")


def test_a_ticket_that_others_wait_for_opens_without_the_words_of_before_an_edit(new_hub: NewHub) -> None:
    made = able(new_hub(mapping="ticket"))
    made.say(POST, {"id": "2", "text": "acme, same here", "re": "1"})
    process(made.hub)
    made.say({**POST, "text": "acme, never mind"})
    process(made.hub)
    made.say(GONE)
    made.run()
    sent = {one.operation: one.fields for batch in made.memo.got for one in batch}
    assert sent["create"]["text"] == "(removed)"
    assert leftovers(made.hub.store, SECRET) == []


def test_a_ticket_that_was_given_up_is_opened_by_the_next_post(new_hub: NewHub) -> None:
    made = able(new_hub(mapping="ticket"))
    made.say(POST)
    process(made.hub)
    made.say(GONE)
    made.run()
    made.say({"id": "2", "text": "acme, same here", "re": "1"})
    made.run()
    assert [(one.operation, one.signal_key) for batch in made.memo.got for one in batch] == [("create", key("2"))]


class Repeating(LineSource):
    """Items with `of` are reposts: their text is another's; with `quote` they only embed it."""

    def translate(self, raw: RawItem) -> Translated | Ignored:
        said, item = super().translate(raw), json.loads(raw.payload)
        if isinstance(said, Translated) and said.signals and ("of" in item or "quote" in item):
            kind: Kind = "repost" if "of" in item else "quote"
            quoted = signal_key("lines", item.get("of") or item["quote"])
            return Translated((replace(said.signals[0], kind=kind, quotes=quoted),), said.authors)
        return said


def test_reposts_go_with_what_they_repeat_and_never_come_after_it(new_hub: NewHub) -> None:
    made = able(new_hub())
    made.source.translate = Repeating.translate  # type: ignore[method-assign]  # a class made for this test
    made.source.__bases__ = (Repeating,)
    made.say(POST, {"id": "2", "text": SECRET, "of": "1"})
    made.run()
    made.say(GONE)
    made.run()
    made.say({"id": "3", "text": SECRET, "of": "1"})
    made.run()
    assert {one.record_key for one in taken_back(made)} == {key("1")}  # the repost made no record of its own
    assert leftovers(made.hub.store, SECRET) == []


def test_a_quote_that_comes_after_brings_no_word_back(new_hub: NewHub) -> None:
    made = able(new_hub())
    made.source.translate = Repeating.translate  # type: ignore[method-assign]  # a class made for this test
    made.source.__bases__ = (Repeating,)
    made.say(POST)
    made.run()
    made.say(GONE)
    made.run()
    made.say({"id": "2", "text": "acme, look", "quote": "1", "embedded": SECRET})
    made.run()
    assert leftovers(made.hub.store, SECRET) == []
    assert made.hub.store.signals.count() == 2


def test_a_quote_stays_without_the_raw_item_that_embeds_the_post(new_hub: NewHub) -> None:
    made = able(new_hub())
    made.source.translate = Repeating.translate  # type: ignore[method-assign]  # a class made for this test
    made.source.__bases__ = (Repeating,)
    made.say(POST, {"id": "2", "text": "acme, look", "quote": "1", "embedded": SECRET})
    made.run()
    made.say(GONE)
    made.run()
    live = [row["key"] for row in made.hub.store.signals.recent() if row["state"] == "live"]
    assert (live, leftovers(made.hub.store, SECRET)) == ([key("2")], [])


class Naming(LineSource):
    """Each item tells of Ben too, whoever wrote it: a post's page shows who is mentioned."""

    def translate(self, raw: RawItem) -> Translated | Ignored:
        said = super().translate(raw)
        return replace(said, authors=(*said.authors, BEN)) if isinstance(said, Translated) else said


def test_an_erased_author_whom_anothers_post_names_is_not_met_again(new_hub: NewHub) -> None:
    made = able(new_hub())
    made.source.translate = Naming.translate  # type: ignore[method-assign]  # a class made for this test
    made.source.__bases__ = (Naming,)
    made.say({**POST, "by": "ben"})
    made.run()
    erase(made.hub, [Tombstone(BEN.key, "erasure", made.clock())])
    made.say({"id": "2", "text": "acme, all is well"})
    made.run()
    with made.hub.store.database.read() as conn:
        assert BEN.key not in made.hub.store.signals.authors(conn, [BEN.key])
    assert made.hub.store.inbox.counts() == {"done": 1, "erased": 1}


def test_a_post_that_comes_with_its_deletion_may_have_been_embedded_before(new_hub: NewHub) -> None:
    made = able(new_hub())
    made.source.translate = Repeating.translate  # type: ignore[method-assign]  # a class made for this test
    made.source.__bases__ = (Repeating,)
    made.say({"id": "0", "broken": SECRET}, {"id": "2", "text": "acme, look", "quote": "1", "embedded": SECRET})
    made.run()
    made.say(POST, GONE)
    made.run()
    assert leftovers(made.hub.store, SECRET) == []
    assert made.hub.store.inbox.counts() == {"done": 1, "erased": 3}


def test_the_body_of_a_webhook_goes_with_its_parts(new_hub: NewHub) -> None:
    made = able(new_hub())
    made.say(POST)
    store = made.hub.store
    body = RawItem("lines", "lines", f"[{SECRET}]".encode(), made.clock(), "body")
    store.inbox.add([body], form="body")
    with store.database.write() as conn:
        conn.execute(update(inbox).where(inbox.c.form == "body").values(state="split"))
    made.run()
    made.say(GONE)
    made.run()
    assert leftovers(store, SECRET) == []


def test_an_erasure_that_is_overtaken_asks_each_destination_once(new_hub: NewHub) -> None:
    made = able(new_hub())
    made.say(POST)
    made.run()
    ledger = contend(made.hub.store, 4)
    erase(made.hub, [Tombstone(key(), "erasure", made.clock())])
    made.run()
    assert (ledger.conflicts, len(taken_back(made)), leftovers(made.hub.store, SECRET)) == (4, 1, [])


def test_an_erasure_that_is_overtaken_each_time_leaves_nothing_half_done(new_hub: NewHub) -> None:
    made = able(new_hub())
    made.say(POST)
    made.run()
    before = leftovers(made.hub.store, SECRET)
    contend(made.hub.store, EACH_TIME)
    with pytest.raises(Overtaken, match="try again in a moment"):
        erase(made.hub, [Tombstone(key(), "erasure", made.clock())])
    assert (leftovers(made.hub.store, SECRET), made.hub.store.erasures.status(key())) == (before, None)
    assert made.states() == {"delivered": 1}


def test_a_deletion_that_is_overtaken_each_time_is_kept_and_done_later(new_hub: NewHub) -> None:
    made = able(new_hub())
    made.say(POST)
    made.run()
    made.say(GONE)
    ledger = contend(made.hub.store, EACH_TIME)
    with pytest.raises(Overtaken):
        process(made.hub)
    ledger.left = 0
    made.run()
    assert (len(taken_back(made)), leftovers(made.hub.store, SECRET)) == (1, [])


def test_a_signal_that_is_buried_while_its_batch_is_decided_is_not_stored(new_hub: NewHub) -> None:
    made = able(new_hub())
    made.say(POST)
    token, rows = made.hub.store.inbox.claim(limit=10, now=made.clock())
    read = read_rows(made.hub, rows)
    decision = decide_batch(made.hub, read.signals, read.authors)
    erase(made.hub, [Tombstone(key(), "user_deleted", made.clock())])
    with pytest.raises(Conflict):
        write(made.hub, token, read, decision)
    again = decide_batch(made.hub, read.signals, read.authors)
    write(made.hub, token, read, again)
    assert (again.new, leftovers(made.hub.store, SECRET)) == ([], [])
