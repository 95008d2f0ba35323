"""What could not be read is kept for a repair: not for ever, and not longer than the posts that it quotes."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta

import pytest

from hub.core.keys import author_key, signal_key
from hub.core.model import RawItem, Tombstone
from hub.flow.decide.batch import process
from hub.flow.erase.erase import erase
from hub.flow.sweep import sweep
from tests.hub.flow.desk import Stage
from tests.hub.flow.erase.test_erase import leftovers

NewStage = Callable[..., Stage]
SECRET = "acme lost my heirloom teapot"
POST = {"id": "1", "text": SECRET}
OTHER = b'{"text": "acme found another teapot"}'


def key(name: str = "1") -> str:
    return signal_key("lines", name)


def fail(stage: Stage, *bodies: bytes, form: str = "event", source: str = "desk") -> None:
    """Calls come in that nobody can read."""
    stage.count += 1
    raws = [RawItem(source, source, body, stage.clock(), f"call-{stage.count}-{at}") for at, body in enumerate(bodies)]
    stage.hub.store.inbox.add(raws, form=form)
    process(stage.hub)


def kept(stage: Stage) -> list[bytes]:
    rows = stage.hub.store.inbox.failed()
    return sorted(one.payload for one in stage.hub.store.inbox.get([row["id"] for row in rows]).values())


def gone(stage: Stage, name: str = "") -> None:
    erase(stage.hub, [Tombstone(name or key(), "erasure", stage.clock())])


@pytest.mark.parametrize(
    "body",
    [
        json.dumps({"comment": f"> {SECRET}\nwe look into it"}).encode(),
        f"<d>{SECRET}</d>".encode(),
        b'{"text": "' + SECRET[:20].encode(),
        b'{"post": "' + key().encode() + b'"}',
    ],
    ids=["json", "xml", "broken and cut", "by its key"],
)
def test_what_quotes_a_post_goes_with_it_and_the_rest_stays(new_stage: NewStage, body: bytes) -> None:
    stage = new_stage()
    stage.say(POST)
    fail(stage, body, OTHER)
    assert kept(stage) == sorted((body, OTHER))
    gone(stage)
    assert kept(stage) == [OTHER]
    assert leftovers(stage.hub.store, SECRET[:20]) == []


def test_a_reason_that_quotes_the_post_goes_too(new_stage: NewStage) -> None:
    stage = new_stage()
    stage.desk.parse = lambda _, body: json.loads(body)["no"][body.decode()]  # type: ignore[method-assign, assignment]  # a plugin's bug that quotes
    stage.say(POST)
    fail(stage, json.dumps({"no": {}, "text": SECRET}).encode())
    assert "inbox.note" in leftovers(stage.hub.store, SECRET)
    gone(stage)
    assert leftovers(stage.hub.store, SECRET) == []


def test_what_quotes_an_earlier_form_of_the_post_goes_with_it(new_stage: NewStage) -> None:
    stage = new_stage()
    stage.say(POST)
    stage.say({"id": "1", "text": "acme, all is well"})
    fail(stage, json.dumps({"comment": SECRET}).encode(), OTHER)
    gone(stage)
    assert kept(stage) == [OTHER]


def test_what_quotes_any_post_of_an_author_goes_with_the_author(new_stage: NewStage) -> None:
    stage = new_stage()
    stage.say(POST, {"id": "2", "text": "acme, I miss my teapot"})
    fail(stage, b'["acme, I miss my teapot"', OTHER)
    gone(stage, author_key("lines", "ana"))
    assert kept(stage) == [OTHER]


def test_an_item_of_a_source_that_could_not_be_read_goes_too(new_stage: NewStage) -> None:
    stage = new_stage()
    stage.say(POST)
    fail(stage, b"[" + json.dumps(POST).encode(), form="item", source="talk")
    assert len(kept(stage)) == 1
    gone(stage)
    assert (kept(stage), leftovers(stage.hub.store, SECRET)) == ([], [])


def test_what_nobody_repaired_is_kept_for_a_time_only(new_stage: NewStage) -> None:
    stage = new_stage()
    fail(stage, b"no json")
    fail(stage, b"no item", form="item", source="talk")
    stage.clock.pass_(days=29)
    sweep(stage.hub)
    assert kept(stage) == [b"no item", b"no json"]
    stage.clock.pass_(days=2)
    sweep(stage.hub)
    assert kept(stage) == [b"no item"]  # a source's: its post came here and nowhere else
    assert leftovers(stage.hub.store, "no json") == []


def test_the_time_is_the_operators_to_choose(new_stage: NewStage) -> None:
    stage = new_stage()
    section = stage.hub.settings.hub.model_copy(update={"keep_unread": timedelta(hours=2)})
    stage.hub.settings = stage.hub.settings.model_copy(update={"hub": section})
    fail(stage, b"no json")
    stage.clock.pass_(hours=3)
    sweep(stage.hub)
    assert kept(stage) == []
