"""A thousand recorded posts through real processes into three systems: each record made once, in few calls."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hub.core.keys import signal_key
from hub.testkit.sandbox import Answer, Call
from plugins.zendesk.sandbox.desk import ZendeskSandbox
from tests.chaos.posts import Post, posts
from tests.chaos.stage import Stage, Wanted, doubled, listed, made, send_all, stage, wait
from tests.material import shared

QUARTER = 250
MOST_CALLS = {"salesforce": 5, "hubspot": 10, "zendesk": 12}
OBJECTS = {
    "salesforce": ("Social_Author__c", "Social_Signal__c"),
    "hubspot": ("social_author", "social_signal"),
    "zendesk": ("social_author", "social_signal"),
}
ENRICHER = '[enrichers.sentiment]\nplugin = "lexicon"\n'


def hooked() -> list[Post]:
    """The half that comes by webhook."""
    return [*posts("mastodon", QUARTER), *posts("bluesky", QUARTER)]


def filed() -> list[Post]:
    """The half that comes as raw items in files."""
    return [*posts("mastodon", QUARTER, first=QUARTER), *posts("bluesky", QUARTER, first=QUARTER)]


def file_sources(folder: Path) -> str:
    """The files and the sources that read them."""
    found = []
    for network in ("mastodon", "bluesky"):
        lines = [post.body for post in filed() if post.network == network]
        (folder / f"{network}.jsonl").write_bytes(b"\n".join(lines) + b"\n")
        inner = f'path = "{folder / network}.jsonl", as_plugin = "{network}"'
        found.append(f'[sources.{network}-file]\nplugin = "file"\noptions = {{ {inner} }}\n')
    return "".join(found)


@contextmanager
def thousand(folder: Path, *, deliver: int) -> Iterator[Stage]:
    """A hub that is up, with all posts accepted."""
    wanted = Wanted(deliver=deliver, extra=ENRICHER + file_sources(folder), contracts=shared("contracts"))
    with stage(folder, wanted) as made_stage, made_stage.up():
        senders = [
            threading.Thread(target=send_all, args=(made_stage.port, hooked()[part::4]), daemon=True)
            for part in range(4)
        ]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join(60)
        yield made_stage


def processed(here: Stage, count: int = 4 * QUARTER) -> bool:
    """Whether that many raw items were decided."""
    return here.store.inbox.counts().get("done", 0) == count


@pytest.mark.timeout(240)
def test_a_thousand_posts_make_each_record_once_in_three_systems(tmp_path: Path) -> None:
    watched = {post.key for post in hooked() if post.watched}
    watched |= {signal_key(post.network, post.native_id) for post in filed() if post.watched}
    assert len(watched) >= 900
    with thousand(tmp_path, deliver=1) as here:
        wait(lambda: processed(here) and here.settled(), why="all delivered", within=120)
        rows = listed(here)
    assert {row["state"] for row in rows} == {"delivered"}
    for destination, (author, signal) in OBJECTS.items():
        sent = Counter(row["record"] for row in rows if (row["destination"], row["object"]) == (destination, signal))
        assert sent == Counter(watched), destination
        counts = made(here.sandboxes[destination].sandbox)
        assert {key for object_, key in counts if object_ == signal} == watched, destination
        assert sum(object_ == author for object_, _ in counts) == len(watched), destination
        assert doubled(counts) == [], destination
        assert here.sandboxes[destination].sandbox.violations == [], destination
    links = Counter(entry.kind for entry in here.sandboxes["hubspot"].sandbox.journal.entries)["link"]
    assert links == len(watched)


@pytest.mark.timeout(240)
def test_a_thousand_records_of_one_kind_take_few_calls(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with thousand(tmp_path, deliver=0) as here:
        wait(lambda: processed(here), why="all processed", within=90)
        assert all(not made(one.sandbox) for one in here.sandboxes.values())
        with here.started("workers", "deliver", "-c", str(here.config)):
            wait(here.settled, why="all delivered", within=90)
        calls = {name: one.sandbox.journal.counts()["calls_by_object"] for name, one in here.sandboxes.items()}
    with capsys.disabled():
        print(f"\ncalls by object: {calls}")
    for destination, objects in OBJECTS.items():
        for object_ in objects:
            assert 0 < calls[destination][object_]["write"] <= MOST_CALLS[destination], (destination, object_)


class Forgetful(ZendeskSandbox):
    """Takes no notice of an Idempotency-Key, as a vendor without one."""

    def handle(self, call: Call) -> Answer:
        call.headers = {name: value for name, value in call.headers.items() if name != "idempotency-key"}
        return super().handle(call)


def tickets_after_lost_answers(folder: Path, sandbox: type[ZendeskSandbox]) -> Counter[tuple[str, str]]:
    """Twenty tickets of which three were made while the answer was lost: how often each was made."""
    lost = {"match": {"method": "POST", "path": "/tickets"}, "after": 2, "times": 3, "reset_after": True}
    wanted = Wanted(mappings={"zendesk": "ticket"}, builders={"zendesk": sandbox})
    with stage(folder, wanted) as here, here.up():
        here.sandboxes["zendesk"].sandbox.faults.set([lost])
        given = [post for post in posts("mastodon", 21) if post.watched]
        send_all(here.port, given)
        wait(lambda: processed(here, len(given)) and here.settled(), why="all delivered")
        return made(here.sandboxes["zendesk"].sandbox)


def test_a_lost_answer_makes_no_second_ticket(tmp_path: Path) -> None:
    counts = tickets_after_lost_answers(tmp_path, ZendeskSandbox)
    assert len(tickets(counts)) == 21
    assert doubled(tickets(counts)) == []


def test_the_journal_shows_the_doubles_that_a_missing_key_makes(tmp_path: Path) -> None:
    counts = tickets_after_lost_answers(tmp_path, Forgetful)
    assert len(doubled(tickets(counts))) == 3


def tickets(counts: Counter[tuple[str, str]]) -> Counter[tuple[str, str]]:
    """The tickets among what was made."""
    return Counter({record: count for record, count in counts.items() if record[0] == "ticket"})
