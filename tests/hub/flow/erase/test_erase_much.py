"""Erasing while others work: much at once keeps nobody from the database, and what is just being sent is not overlooked."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import event

from hub.core.errors import Conflict
from hub.core.keys import author_key, signal_key
from hub.core.model import Tombstone
from hub.flow.decide.batch import process, process_batch
from hub.flow.erase.erase import SLICE, erase
from tests.hub.flow.erase.test_erase import SECRET, able, leftovers, taken_back
from tests.hubs import Made

NewHub = Callable[..., Made]


@pytest.mark.parametrize("by_network", [False, True])
def test_much_is_taken_back_in_parts_so_that_others_can_write_meanwhile(new_hub: NewHub, *, by_network: bool) -> None:
    made, many, sizes = able(new_hub()), SLICE * 2 + 50, list[int]()
    made.say(*({"id": str(n), "text": SECRET} for n in range(many)))
    made.run()

    @event.listens_for(made.hub.store.database.engine, "before_cursor_execute")
    def note(_conn: object, _cursor: object, statement: str, given: list[object], *_: object) -> None:
        if statement.startswith("UPDATE signals SET") and "trace" in statement:
            sizes.append(len(given))

    if by_network:
        made.say(*({"id": str(n), "gone": True} for n in range(many)))
        process_batch(made.hub, most=many)
    else:
        erase(made.hub, [Tombstone(author_key("lines", "ana"), "erasure", made.clock())])
    assert (sum(sizes), max(sizes) <= SLICE) == (many, True)
    made.run()
    assert (len(taken_back(made)), leftovers(made.hub.store, SECRET)) == (many, [])


def test_what_somebody_begins_to_send_meanwhile_is_not_overlooked(new_hub: NewHub) -> None:
    made = able(new_hub())
    made.say({"id": "1", "text": SECRET})
    process(made.hub)
    store, now = made.hub.store, made.clock()
    with store.database.read() as conn:
        rows = store.erasures.sent(conn, [signal_key("lines", "1")])
    assert store.deliveries.claim("memo", size=lambda *_: 10, now=now) is not None
    with store.database.write() as conn:
        with pytest.raises(Conflict):
            store.erasures.stop(conn, [row.id for row in rows], "superseded", now=now)
        with pytest.raises(Conflict):
            store.erasures.rewrite(conn, rows)
        with pytest.raises(Conflict):
            store.erasures.hand_over(conn, rows[0], "another", {})
