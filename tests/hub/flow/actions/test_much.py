"""What takes several transactions has its entry in the first, and has it once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta

import msgspec

from hub.core.access import HUB
from hub.core.keys import author_key
from hub.flow.actions import erasures, history, signals
from hub.flow.views.history import Question
from hub.runtime import Hub
from tests.hubs import Made

NewHub = Callable[..., Made]
ANA = author_key("lines", "ana")


def many(count: int) -> list[dict[str, str]]:
    return [{"id": str(number), "text": f"acme {number}"} for number in range(count)]


def words(hub: Hub) -> list[str]:
    return [entry["action"] for entry in hub.store.audit.recent()]


def spent(pages: Iterable[int]) -> list[int]:
    return list(pages)


def test_an_author_with_many_posts_is_erased_with_one_entry(new_hub: NewHub) -> None:
    made = new_hub()
    made.say(*many(230))
    made.run()
    assert erasures.erase(made.hub, HUB, ANA) == ANA
    assert words(made.hub) == ["erase"]
    assert {row["signal"].text for row in made.hub.store.signals.recent(limit=500)} == {""}


def test_a_long_file_is_taken_in_with_one_entry(new_hub: NewHub) -> None:
    hub = new_hub().hub
    file = hub.settings.folder / "posts.jsonl"
    file.write_bytes(b"\n".join(msgspec.json.encode(one) for one in many(600)))
    assert spent(signals.take_in(hub, HUB, file, "lines")) == [500, 100]
    (entry,) = hub.store.audit.recent()
    assert (entry["action"], entry["subject"], entry["detail"]) == ("import", "lines", {"file": "posts.jsonl"})


def test_a_replay_that_sends_nothing_leaves_no_entry(new_hub: NewHub) -> None:
    made = new_hub()
    made.say(*many(2))
    made.run()
    with history.replay(made.hub, HUB, Question()) as past:
        assert past.report.planned == 0
    assert words(made.hub) == []


def test_a_replay_says_what_of_and_under_which_versions(new_hub: NewHub) -> None:
    made = new_hub(rules="")
    made.say({"id": "1", "text": "hello"})
    made.run()
    rules = '[[rule]]\nname = "all"\ndeliver = [{ destination = "memo", mapping = "note" }]\n'
    (made.hub.settings.folder / "rules.toml").write_text(rules)
    (made.hub.settings.folder / "topics.toml").touch()
    made.hub.__dict__.pop("book", None)
    since = made.clock() - timedelta(days=1)
    with history.replay(made.hub, HUB, Question(since=since, rule="all")):
        pass
    (entry,) = made.hub.store.audit.recent()
    assert entry["detail"] == {
        "since": str(since),
        "rule": "all",
        "rules": made.hub.book.rules.version,
        "topics": made.hub.book.topics.version,
    }
