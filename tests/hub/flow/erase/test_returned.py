"""An erased author who speaks again: what was erased stays erased, and the new post is that of an author without a past."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hub.core.access import HUB
from hub.core.errors import Conflict, Unavailable
from hub.core.keys import author_key, signal_key
from hub.core.model import Tombstone
from hub.flow.decide.batch import decide_batch, process
from hub.flow.decide.translate import read_rows
from hub.flow.decide.write import write
from hub.flow.erase.erase import erase, finish
from hub.flow.views.erasures import receipts
from tests.hub.flow.erase.test_erase import able, leftovers, taken_back
from tests.hubs import Made

NewHub = Callable[..., Made]
EVE = author_key("lines", "eve")
OLD = {"id": "1", "text": "acme, I hate my heirloom teapot", "by": "eve"}
NEW = {"id": "9", "text": "acme, new words", "by": "eve"}


def forget(made: Made, **span: float) -> None:
    """Eve is erased, and time passes."""
    made.clock.pass_(minutes=1)
    erase(made.hub, [Tombstone(EVE, "erasure", made.clock())])
    made.clock.pass_(**span)


@pytest.fixture
def made(new_hub: NewHub) -> Made:
    """A hub that has delivered a post of Eve's, with her record, and has erased her."""
    made = able(new_hub(mapping="said"))
    made.say(OLD)
    made.run()
    forget(made, minutes=1)
    made.run()
    made.memo.got.clear()
    return made


def sent(made: Made) -> list[tuple[str, str, str]]:
    return [(one.operation, one.object, one.record_key) for batch in made.memo.got for one in batch]


def test_a_new_post_of_an_erased_author_is_heard_and_delivered_with_the_authors_record(made: Made) -> None:
    made.say(NEW)
    made.run()
    assert sent(made) == [("upsert", "person", EVE), ("upsert", "said", signal_key("lines", "9"))]
    assert made.hub.store.signals.count() == 2


def test_nothing_old_is_known_of_the_author(made: Made) -> None:
    made.say(NEW)
    made.run()
    row = made.hub.store.signals.get(signal_key("lines", "9"))
    assert row is not None
    assert row["trace"].stats == {"signals_30d": 1, "sentiment_mean_30d": 0.0, "sentiment_trend_30d": None}
    assert row["author"].handle == "eve"


def test_what_was_erased_stays_erased_after_a_new_post(made: Made) -> None:
    made.say(NEW, {**OLD, "again": True})
    made.run()
    assert leftovers(made.hub.store, "heirloom") == []
    assert signal_key("lines", "1") not in {key for _, _, key in sent(made)}


def test_what_had_come_in_before_the_erasure_and_was_not_read_yet_falls_too(new_hub: NewHub) -> None:
    made = able(new_hub(mapping="said"))
    made.say(OLD)
    made.run()
    made.say(NEW)
    forget(made, minutes=1)
    made.run()
    assert leftovers(made.hub.store, "new words") == []


def test_an_author_who_spoke_again_can_be_erased_again_with_receipts_of_both(made: Made) -> None:
    made.say(NEW)
    made.run()
    forget(made, minutes=1)
    made.run()
    assert {one.record_key for one in taken_back(made)} == {EVE, signal_key("lines", "9")}
    assert leftovers(made.hub.store, "new words") == leftovers(made.hub.store, "eve") == []
    assert len(receipts(made.hub, HUB, EVE)) == 4
    assert finish(made.hub) > 0


def test_the_same_tombstone_told_again_takes_nothing_new(made: Made) -> None:
    stone = Tombstone(EVE, "account_deleted", made.clock())
    made.clock.pass_(minutes=1)
    made.say(NEW)
    made.run()
    with made.hub.store.database.write() as conn:
        made.hub.store.signals.bury(conn, [stone])
    erase(made.hub, [stone])
    made.run()
    assert leftovers(made.hub.store, "new words") != []
    assert taken_back(made) == []


def test_a_new_record_waits_until_the_old_one_is_taken_back(new_hub: NewHub) -> None:
    made = able(new_hub(mapping="said"))
    made.say(OLD)
    made.run()
    forget(made, minutes=1)
    made.memo.answer = lambda one: Unavailable("later") if one.operation == "tombstone" else None
    made.say(NEW)
    made.run()
    assert ("upsert", "person", EVE) not in sent(made)[2:]
    made.memo.answer = None
    made.clock.pass_(hours=1)
    made.run()
    order = [one[0] for one in sent(made) if one[1:] == ("person", EVE)]
    assert order == ["upsert", "tombstone", "tombstone", "upsert"]


def test_what_an_author_says_while_receipts_are_awaited_is_not_blanked(made: Made) -> None:
    made.say(NEW)
    process(made.hub)
    finish(made.hub)
    made.run()
    finish(made.hub)
    (fields,) = [one.fields for batch in made.memo.got for one in batch if one.object == "person"]
    assert fields == {"handle": "eve"}
    assert leftovers(made.hub.store, "new words") != []


def test_an_erasure_between_reading_and_writing_is_seen(made: Made) -> None:
    made.say(NEW)
    token, rows = made.hub.store.inbox.claim(limit=10, now=made.clock())
    read = read_rows(made.hub, rows)
    decision = decide_batch(made.hub, read.signals, read.authors)
    forget(made)
    with pytest.raises(Conflict):
        write(made.hub, token, read, decision)
    again = decide_batch(made.hub, read.signals, read.authors)
    write(made.hub, token, read, again)
    assert (again.new, leftovers(made.hub.store, "new words")) == ([], [])
