"""After a restore: nothing is sent before a person says so, and nothing that was sent since the backup is sent twice."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from hub.core.access import at_terminal
from hub.core.errors import Rejected
from hub.core.keys import signal_key
from hub.core.model import RemoteRef
from hub.flow.actions import backups, deliveries
from hub.flow.actions.deliveries import Letters
from hub.flow.decide.batch import process
from hub.flow.deliver.send import deliver
from hub.flow.erase.register import note
from hub.flow.monitor.schedule import observe
from hub.flow.monitor.snapshot import recent_beats
from hub.flow.sweep import ring_due
from hub.sdk.connectors import Idempotency, Lookup, NoIdempotency
from hub.store.hold import Holding
from tests.hubs import Made

NewHub = Callable[..., Made]
ANN = at_terminal("ann")
SEARCH = Lookup(timedelta(seconds=0))


def restored(made: Made) -> Made:
    """The hub is as a backup of this moment left it; in the hour since, all that waited was sent by the hub that is lost."""
    taken_at = made.clock()
    made.clock.pass_(hours=1)
    with made.hub.store.database.write() as conn:
        made.hub.store.hold.begin(conn, Holding(made.clock(), "restored", taken_at))
    return made


def waiting(new_hub: NewHub, idempotency: Idempotency) -> Made:
    """A delivery waited when the backup was made."""
    made = new_hub(idempotency=idempotency)
    made.say({"id": "1", "text": "acme"})
    process(made.hub)
    return restored(made)


def send(made: Made) -> int:
    """Deliver until nothing is due; returns how many records were sent."""
    made.run()
    return sum(map(len, made.memo.got))


def landed(made: Made) -> None:
    """The lost hub had sent it: a look-up finds it."""
    (row,) = made.hub.store.outbox.recent()
    whole = made.hub.store.outbox.get(row["id"])
    assert whole is not None
    made.memo.found[whole["key"]] = RemoteRef("r-old")


def test_a_held_hub_takes_in_and_decides_but_sends_nothing(new_hub: NewHub) -> None:
    made = waiting(new_hub, SEARCH)
    made.say({"id": "2", "text": "acme"})
    assert send(made) == 0
    assert made.states() == {"pending": 2}
    made.bell.rung.clear()
    ring_due(made.hub)
    assert made.bell.rung == []


def test_a_held_hub_is_an_alert(new_hub: NewHub) -> None:
    made = waiting(new_hub, SEARCH)
    observe(made.hub, arrivals_known=True)
    assert "sending" in {kept.key for kept in made.hub.store.alerts.all() if kept.is_open}


@pytest.mark.parametrize("is_resumed", [False, True], ids=["held", "sending"])
def test_a_sign_of_life_that_the_backup_brought_is_none(new_hub: NewHub, is_resumed: bool) -> None:
    made = new_hub()
    made.hub.store.connections.beat("process-old", "process", now=made.clock())
    taken_at = made.clock()
    made.clock.pass_(seconds=5)
    with made.hub.store.database.write() as conn:
        made.hub.store.hold.begin(conn, Holding(made.clock(), "restored", taken_at))
    if is_resumed:
        backups.resume(made.hub, ANN)
    made.hub.store.connections.beat("process-new", "process", now=made.clock())
    assert [one.name for one in recent_beats(made.hub)] == ["process-new"]


def test_what_was_sent_since_the_backup_is_found_and_not_sent_again(new_hub: NewHub) -> None:
    made = waiting(new_hub, SEARCH)
    landed(made)
    assert backups.resume(made.hub, ANN) == (0, 1)
    assert send(made) == 0
    assert made.states() == {"delivered": 1}


def test_what_was_not_sent_is_sent_once(new_hub: NewHub) -> None:
    made = waiting(new_hub, SEARCH)
    backups.resume(made.hub, ANN)
    assert (send(made), send(made)) == (1, 1)
    assert made.states() == {"delivered": 1}


def test_where_a_destination_cannot_tell_a_person_decides(new_hub: NewHub) -> None:
    made = waiting(new_hub, NoIdempotency())
    backups.resume(made.hub, ANN)
    assert send(made) == 0
    assert made.states() == {"review": 1}


@pytest.mark.parametrize(("ago", "state"), [(30, "review"), (-30, "delivered")])
def test_a_post_that_is_read_again_is_in_doubt_and_one_of_later_is_not(new_hub: NewHub, ago: float, state: str) -> None:
    made = restored(new_hub(idempotency=NoIdempotency()))
    backups.resume(made.hub, ANN)
    made.clock.pass_(minutes=-min(ago, 0))
    made.say({"id": "2", "text": "acme", "ago": max(ago, 0)})
    send(made)
    assert made.states() == {state: 1}


def test_a_post_of_then_that_comes_after_a_week_is_new(new_hub: NewHub) -> None:
    made = restored(new_hub(idempotency=NoIdempotency()))
    backups.resume(made.hub, ANN)
    made.clock.pass_(days=8)
    made.say({"id": "2", "text": "acme", "ago": 8 * 24 * 60 + 30})
    assert send(made) == 1


def test_a_dead_letter_of_then_is_looked_up_when_a_person_retries_it(new_hub: NewHub) -> None:
    made = new_hub(idempotency=SEARCH)
    made.memo.answer = staticmethod(lambda _: Rejected("no"))  # type: ignore[assignment]  # a function in a class
    made.say({"id": "1", "text": "acme"})
    made.run()
    made.memo.answer, made.memo.got[:] = None, []
    restored(made)
    landed(made)
    backups.resume(made.hub, ANN)
    assert made.states() == {"dead": 1}
    assert deliveries.retry(made.hub, ANN, Letters(state="dead")) == 1
    assert send(made) == 0
    assert made.states() == {"delivered": 1}


def test_an_erasure_that_is_newer_than_the_backup_is_done_before_anything_is_sent(new_hub: NewHub) -> None:
    made = waiting(new_hub, SEARCH)
    note(made.hub, signal_key("lines", "1"), made.clock())
    done = backups.resume(made.hub, ANN)
    assert done is not None
    assert (done.erased, send(made)) == (1, 0)
    row = made.hub.store.signals.get(signal_key("lines", "1"))
    assert row is not None
    assert row["state"] == "deleted"


def test_a_hub_that_is_not_held_is_not_resumed(new_hub: NewHub) -> None:
    made = new_hub()
    assert backups.resume(made.hub, ANN) is None
    assert made.hub.store.audit.recent() == []


def test_a_hub_that_was_never_restored_sends_as_ever(new_hub: NewHub) -> None:
    made = new_hub(idempotency=NoIdempotency())
    made.say({"id": "1", "text": "acme", "ago": 5})
    process(made.hub)
    assert deliver(made.hub, "memo") == 1
