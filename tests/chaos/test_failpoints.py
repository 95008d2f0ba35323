"""A process is killed at each named place of the engine, another finishes: nothing lost, nothing twice, or a person is asked."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hub.config.failpoint import PLACES
from hub.store import Store, open_store
from tests.chaos.posts import posts
from tests.chaos.stage import Stage, Wanted, doubled, stage
from tests.chaos.test_moments import opened, reply_to, take
from tests.material import ROOT

PLAIN = ROOT / "tests/chaos/plain"
CONFIG = """
[database]
url = "{url}"
[sources.book]
plugin = "plain"
options = {{ file = "said" }}
[destinations.shelf]
plugin = "plain"
options = {{ file = "written" }}
"""
RULES = """
[[rule]]
name = "all"
when = ['signal.network == "plain"']
deliver = [{ destination = "shelf", mapping = "line" }]
"""
LINE = 'object = "line"\noperation = "create"\nkeyed_by = "signal"\n[fields.text]\nfrom = "signal.text"\n'
WAY_IN = [place for place in PLACES if place.startswith(("intake.", "process."))]
WAY_OUT = [place for place in PLACES if place.startswith("deliver.")]
LATER_S = 40  # past leases, and past the lag of Zendesk's comments
DROPS = {"times": 1, "reset_after": True}
CASES: dict[str, tuple[str, str, str]] = {
    "upsert": ("hubspot", "signal", "social_signal"),
    "native": ("zendesk", "ticket", "ticket"),
    "lookup": ("zendesk", "ticket", "comment"),
}
CALLS = {
    "upsert": {"method": "POST", "path": "/batch/upsert$"},
    "native": {"method": "POST", "path": "/tickets"},
    "lookup": {"method": "PUT", "path": "/tickets/"},
}


def run(config: Path, *jobs: str, ahead: int = 0, place: str = "", **env: str) -> int:
    """Do an errand in a process of its own; how it ended."""
    command = [sys.executable, "-m", "tests.chaos.errand", str(config), str(ahead), *jobs]
    path = os.pathsep.join([str(PLAIN), str(config.parent), str(ROOT)])
    given = {**os.environ, "PYTHONPATH": path, "HUBBUB_FAILPOINT": place, **env}
    return subprocess.run(command, cwd=ROOT, env=given, capture_output=True, check=False, timeout=120).returncode


@contextmanager
def shelf(folder: Path, url: str) -> Iterator[tuple[Path, Store]]:
    """A hub between two files, by a plugin that nobody knows."""
    folder.joinpath("plain-1.dist-info").mkdir()
    folder.joinpath("plain-1.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: plain\nVersion: 1\n")
    folder.joinpath("plain-1.dist-info/entry_points.txt").write_text("[hub.plugins]\nplain = plain\n")
    folder.joinpath("config.toml").write_text(CONFIG.format(url=url))
    folder.joinpath("rules.toml").write_text(RULES)
    folder.joinpath("topics.toml").write_text("")
    folder.joinpath("written").touch()
    folder.joinpath("mappings/shelf").mkdir(parents=True)
    folder.joinpath("mappings/shelf/line.toml").write_text(LINE)
    store = open_store(url)
    store.database.migrate()
    yield folder, store
    store.close()


def say(folder: Path, *lines: str) -> None:
    """Somebody says something."""
    with (folder / "said").open("a") as file:
        file.writelines(f"{line}\n" for line in lines)


def written(folder: Path) -> Counter[str]:
    """How often each line was written."""
    return Counter((folder / "written").read_text().split())


def states(store: Store) -> Counter[str]:
    """How many deliveries are in each state."""
    return Counter(row["state"] for row in store.outbox.recent(limit=1000))


def test_a_kill_at_each_place_of_the_way_in_loses_nothing_and_repeats_nothing(
    own_database: str, tmp_path: Path
) -> None:
    with shelf(tmp_path, own_database) as (folder, store):
        for number, place in enumerate(WAY_IN):
            say(folder, *(f"{number}-{line}" for line in range(4)))
            jobs = ("sweep", "poll:book", "process")
            assert run(folder / "config.toml", *jobs, ahead=number * 90, place=place) == -signal.SIGKILL, place
        assert run(folder / "config.toml", *jobs, "deliver:shelf", ahead=len(WAY_IN) * 90) == 0
        said = (folder / "said").read_text().split()
        assert written(folder) == Counter(said)
        assert store.inbox.counts() == {"done": len(said)}


@pytest.mark.parametrize("place", ["between two pages", "between two batches"])
def test_a_kill_on_the_second_passage_keeps_what_the_first_did(place: str, own_database: str, tmp_path: Path) -> None:
    failpoint = {"between two pages": "intake.cursor:2", "between two batches": "deliver.leased:2"}[place]
    with shelf(tmp_path, own_database) as (folder, store):
        say(folder, *map(str, range(5)))
        jobs = ("sweep", "poll:book", "process", "deliver:shelf")
        assert run(folder / "config.toml", *jobs, place=failpoint) == -signal.SIGKILL
        assert (store.inbox.counts(), written(folder).total()) in [({"new": 2}, 0), ({"done": 5}, 3)]
        run(folder / "config.toml", *jobs, ahead=LATER_S)
        asked = {"review": 2} if place == "between two batches" else {}
        assert states(store) == Counter({"delivered": 5} | ({"delivered": 3} if asked else {}) | asked)


def test_where_the_vendor_recognises_nothing_a_person_is_asked_and_nothing_is_written_twice(
    own_database: str, tmp_path: Path
) -> None:
    with shelf(tmp_path, own_database) as (folder, store):
        for place in WAY_OUT:
            say(folder, place)
            jobs = ("poll:book", "process", "deliver:shelf")
            assert run(folder / "config.toml", *jobs, place=place, ahead=100 * WAY_OUT.index(place)) < 0, place
        assert run(folder / "config.toml", "sweep", "deliver:shelf", ahead=1000) == 0
        assert states(store) == {"review": 4, "delivered": 1}
        assert set(written(folder).values()) == {1}
        assert set(WAY_OUT) - written(folder).keys() == {"deliver.leased", "deliver.sending"}


def test_a_kill_in_the_middle_of_a_batch_asks_a_person_about_all_of_it(own_database: str, tmp_path: Path) -> None:
    with shelf(tmp_path, own_database) as (folder, store):
        say(folder, "one", "two", "three", "four")
        jobs = ("sweep", "poll:book", "process", "deliver:shelf")
        assert run(folder / "config.toml", *jobs, PLAIN_DIES_AFTER="2") == -signal.SIGKILL
        assert run(folder / "config.toml", "sweep", "deliver:shelf") == 0
        assert (states(store), written(folder)) == ({"review": 3, "delivered": 1}, {"one": 1, "two": 1, "four": 1})


@pytest.mark.parametrize("kind", CASES)
def test_a_kill_at_each_place_of_a_delivery_makes_each_record_once(
    kind: str, own_database: str, tmp_path: Path
) -> None:
    destination, mapping, object_ = CASES[kind]
    with stage(tmp_path, Wanted({destination: mapping}, database_url=own_database)) as here:
        feed = feeder(here, destination, answers=kind == "lookup")
        for number, place in enumerate(WAY_OUT):
            feed(number)
            if place in (
                "deliver.sent",
                "deliver.recorded",
            ):  # the vendor commits, drops the connection, and then we die
                here.sandboxes[destination].sandbox.faults.set([{**DROPS, "match": CALLS[kind]}])
            assert run(here.config, f"deliver:{destination}", place=place) == -signal.SIGKILL, place
            assert not any(fault["times"] for fault in here.sandboxes[destination].sandbox.faults.show()), place
        for turn in range(1, 4):
            assert run(here.config, "sweep", f"deliver:{destination}", ahead=turn * LATER_S) == 0
        journal = here.journals()[destination]
        assert sum(made == object_ for made, _ in journal) == len(WAY_OUT)
        assert (doubled(journal), set(states(here.store))) == ([], {"delivered"})


def feeder(here: Stage, destination: str, *, answers: bool) -> Callable[[int], None]:
    """Lets a post come in; `answers`: to a post that has its ticket already."""
    first = next(post for post in posts("mastodon", 1, first=100) if post.watched)
    if answers:
        with opened(here) as hub:
            take(hub, [first])
        run(here.config, f"deliver:{destination}")

    def feed(number: int) -> None:
        post = reply_to(first, number=900 + number) if answers else posts("mastodon", 1, first=number)[0]
        assert post.watched
        with opened(here) as hub:
            take(hub, [post])

    return feed
