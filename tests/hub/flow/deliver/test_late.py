"""What comes late, because its worker was lost or a crawler saw it late, undoes nothing; on both databases."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hub.core.errors import Rejected
from hub.core.keys import signal_key
from hub.flow.decide.batch import process
from hub.flow.sweep import sweep
from tests.hubs import Made, raw_of

NewHub = Callable[..., Made]
POST = {"id": "1", "text": "acme as it was"}


def said(made: Made) -> list[str]:
    """The texts that were delivered, in order."""
    return [str(one.fields["text"]) for batch in made.memo.got for one in batch]


def test_an_older_form_whose_worker_was_lost_does_not_undo_an_edit(new_hub: NewHub) -> None:
    made = new_hub()
    made.say(POST)
    made.hub.store.inbox.claim(limit=10, now=made.clock())  # and nothing more is heard of this worker
    made.clock.pass_(seconds=1)
    made.say({**POST, "text": "acme as edited"})
    made.run()
    made.clock.pass_(minutes=1)
    sweep(made.hub)
    made.run()
    assert said(made) == ["acme as edited"]
    assert made.hub.store.inbox.counts() == {"done": 1, "duplicate": 1}


@pytest.mark.parametrize("again", [POST, {**POST, "text": "acme, edited"}])
def test_a_late_crawl_of_what_is_gone_leaves_no_word_and_holds_nothing_up(
    new_hub: NewHub, again: dict[str, str]
) -> None:
    made = new_hub()
    made.say(POST)
    made.say({"id": "1", "gone": True})
    process(made.hub)
    made.clock.pass_(seconds=1)
    made.say({**again, "counts": 7}, {"id": "2", "text": "acme, another post"})
    process(made.hub)
    raws = made.hub.store.inbox.get(range(1, 9))
    assert not [raw for raw in raws.values() if b'"id":"1"' in raw.payload and b"acme" in raw.payload]
    assert made.hub.store.inbox.counts() == {"done": 2, "erased": 2}


def test_an_older_copy_does_not_take_the_place_of_a_newer_raw_row(new_hub: NewHub) -> None:
    made = new_hub()
    made.say({**POST, "counts": 1})
    made.hub.store.inbox.claim(limit=10, now=made.clock())
    made.clock.pass_(seconds=1)
    made.say({**POST, "counts": 2})
    made.run()
    made.clock.pass_(minutes=1)
    sweep(made.hub)
    made.run()
    key = signal_key("lines", "1")
    assert b'"counts":2' in raw_of(made.hub.store, key)


def test_a_dead_letter_that_is_let_go_does_not_undo_what_was_written_since(new_hub: NewHub) -> None:
    made = new_hub()
    made.memo.raises = Rejected("too long")
    made.say(POST)
    made.run()
    made.memo.raises = None
    made.clock.pass_(seconds=1)
    made.say({**POST, "text": "acme as edited"})
    made.run()
    made.hub.store.outbox.retry(None, now=made.clock())
    made.run()
    assert said(made)[-1] == "acme as edited"
    assert made.states() == {"delivered": 1, "superseded": 1}


def test_of_two_dead_letters_of_a_record_the_newer_is_written_last(new_hub: NewHub) -> None:
    made = new_hub()
    made.memo.raises = Rejected("too long")
    made.say(POST)
    made.run()
    made.clock.pass_(seconds=1)
    made.say({**POST, "text": "acme as edited"})
    made.run()
    made.memo.raises = None
    made.hub.store.outbox.retry(None, now=made.clock())
    made.run()
    assert (said(made)[-2:], made.states()) == (["acme as it was", "acme as edited"], {"delivered": 2})
