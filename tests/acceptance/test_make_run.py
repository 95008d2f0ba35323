"""The demo as `make run` starts it: processes, Redis, flair and four look-alikes, in a folder of its own."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.demo import END_S, ITEMS, READ, Demo, make_demo, wait

LIKES_AND_FOLLOWS = 8


@dataclass
class Ran:
    """A first start, to its end by Ctrl-C, and a second one."""

    demo: Demo
    counts: dict[str, Any]
    again: dict[str, Any]
    written: tuple[Any, Any]
    codes: list[int] = field(default_factory=list)
    left: list[list[str]] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    demo = make_demo(tmp_path_factory.mktemp("run"), flair=True)
    made = Ran(demo, {}, {}, (None, None))
    with demo.up() as process:
        made.seconds["first start"] = wait(demo.is_settled, demo.story)
        made.counts, first = demo.counts(), demo.written()
        finish(made, process)
    demo.let_time_pass()
    before = demo.polled()
    with demo.up() as process:
        made.seconds["second start"] = wait(demo.answers, demo.story, 30)
        wait(lambda: all(due != before[name] for name, due in demo.polled().items()), demo.story)
        wait(demo.is_settled, demo.story)
        made.again, made.written = demo.counts(), (first, demo.written())
        finish(made, process)
    return made


def finish(made: Ran, process: subprocess.Popen[bytes]) -> None:
    """Ctrl-C, and who is left then."""
    made.demo.look(process)
    os.kill(process.pid, signal.SIGINT)
    made.codes.append(process.wait(END_S))
    made.left.append(made.demo.left())


def test_every_post_is_read_and_every_record_lands(ran: Ran) -> None:
    assert sum(ran.counts["raw"].values()) == ITEMS
    assert ran.counts["raw"]["ignored"] == LIKES_AND_FOLLOWS
    assert set(ran.counts["raw"]) <= READ
    assert set(ran.counts["sent"]) <= {"delivered", "superseded"}  # one is replaced before it left by a newer one


def test_every_destination_gets_what_the_rules_ask_for(ran: Ran) -> None:
    found = json.loads(ran.demo.run("deliveries", "list", "--limit", "0", "--json"))
    made = {(one["destination"], one["object"]) for one in found}
    assert made >= {
        ("salesforce", "Lead"),
        ("salesforce", "Social_Signal__c"),
        ("hubspot", "contacts"),
        ("zendesk", "ticket"),
    }
    rules = {one["rule"] for one in found}
    assert rules >= {
        "brand mention",
        "complaint",
        "outage",
        "purchase intent",
        "praise from a big account",
        "question put to us",
    }


def test_signals_are_labelled_in_every_language_of_the_sample(ran: Ran) -> None:
    found = json.loads(ran.demo.run("signals", "list", "--limit", "0", "--json"))
    judged = {one["lang"] for one in found if any(label["name"] == "sentiment" for label in one["labels"])}
    assert judged >= {"en", "de", "fr", "es", "it", "pt", "nl", "ar"}


def test_a_conversation_is_one_ticket_with_comments(ran: Ran) -> None:
    found = json.loads(ran.demo.run("deliveries", "list", "--limit", "0", "--json", "--object", "ticket"))
    homes = {
        one["key"]: one.get("conversation_key", one["key"])
        for one in json.loads(ran.demo.run("signals", "list", "--limit", "0", "--json"))
    }
    tickets = Counter(homes[one["signal"]] for one in found if one["operation"] == "create")
    comments = Counter(homes[one["signal"]] for one in found if one["operation"] == "comment")
    assert set(tickets.values()) == {1}
    assert comments
    assert set(comments) <= set(tickets)


def test_a_second_start_delivers_nothing_anew(ran: Ran) -> None:
    assert ran.again == ran.counts
    assert ran.written[0] == ran.written[1]
    assert sum(ran.written[0]["zendesk"].values()) > 0


def test_ctrl_c_ends_all_children(ran: Ran) -> None:
    assert ran.codes == [0, 0]
    assert ran.left == [[], []]
    assert len(ran.demo.seen) > 10


def test_the_log_of_a_good_run_holds_no_error(ran: Ran) -> None:
    log = (ran.demo.folder / "log").read_text("utf-8", "replace")
    assert not re.findall(r"Traceback|Fatal Python error|\berror\b.*exception", log), log[-3000:]


def test_kill_9_of_the_supervisor_ends_the_children_and_loses_and_repeats_nothing(tmp_path: Path) -> None:
    demo = make_demo(tmp_path, flair=False)
    with demo.up() as process:
        wait(lambda: "delivered" in demo.counts()["sent"], demo.story)
        demo.look(process)
        process.kill()
        process.wait()
        wait(lambda: not demo.left(), lambda: str(demo.left()), END_S)
    with demo.up():
        wait(lambda: demo.is_settled() or demo.hurry(), demo.story)
        made = demo.written()["zendesk"]
        wanted = json.loads(demo.run("deliveries", "list", "--limit", "0", "--json", "--object", "ticket"))
    asked = Counter(one["operation"] for one in wanted)
    assert (made["ticket", "ticket"], made["comment", "comment"]) == (asked["create"], asked["comment"])
