"""The demo as an agent, a rep and the public would try it: a post in the town, its ticket, an answer, and all that follows."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from html import unescape
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.acceptance.demo import Demo, command_of, make_demo
from tests.servers import descendants_of

ANSWER = "Sorry Ann, we are on it."
COMPLAINT = "the app throws me out every time I open it. I hate it, it is terrible."


@dataclass
class Street:
    """A running demo without its sample of posts, as people see it: the town, the agent's desk, the CRM, the hub."""

    demo: Demo
    pid: int
    web: httpx.Client
    mark: str = field(default_factory=lambda: f"zz{uuid4().hex[:8]}")

    def until(self, what: str, look: Callable[[], Any], seconds: float = 30) -> Any:
        """Look again and again, to a deadline; what was seen."""
        end = time.monotonic() + seconds
        while not (seen := look()):
            assert time.monotonic() < end, f"{what} did not come: {self.demo.story()}"
            time.sleep(0.1)
        return seen

    # ------------------------------------------------------------------------------------------------------ the public

    def post(self, name: str, text: str, *, parent: str = "") -> str:
        """Somebody says something in the town; its id there."""
        form = {"as": name, "text": text} | ({"parent": parent} if parent else {})
        answer = self.web.post(self.town("/town/posts"), data=form, headers={"accept": "application/json"})
        return str(answer.raise_for_status().json()["id"])

    def ours(self) -> list[str]:
        """The ids of what the brand said with this street's mark."""
        page = self.web.get(self.town("/town")).text
        said = re.findall(r"<article id='(\d+)' class='ours'>(.*?)</article>", page, re.DOTALL)
        return [id_ for id_, text in said if self.mark in text]

    def town(self, path: str) -> str:
        return f"{self.demo.at('mastodon')}{path}"

    # ------------------------------------------------------------------------------------------------------ the agent

    def ticket_of(self, words: str) -> str:
        """The ticket that holds these words, "" where none does."""
        ids = re.findall(r"/agent/tickets/(\d+)", self.web.get(self.desk("/agent/tickets")).text)
        return next((id_ for id_ in ids if words in self.ticket(id_)), "")

    def ticket(self, id_: str) -> str:
        """What the agent sees of a ticket."""
        return unescape(self.web.get(self.desk(f"/agent/tickets/{id_}")).text)

    def say(self, ticket: str, text: str) -> None:
        """The agent answers in public."""
        form = {"text": text, "public": "yes"}
        self.web.post(self.desk(f"/agent/tickets/{ticket}/say"), data=form).raise_for_status()

    def desk(self, path: str) -> str:
        return f"{self.demo.at('zendesk')}{path}"

    # --------------------------------------------------------------------------------------------- the hub and the rep

    def replies(self) -> list[dict[str, Any]]:
        """The ledger's replies."""
        found = json.loads(self.demo.run("deliveries", "list", "--object", "reply", "--limit", "0", "--json"))
        return [json.loads(self.demo.run("deliveries", "show", str(one["id"]), "--json"))[0] for one in found]

    def signal_of(self, ticket: str) -> str:
        """The address of the hub's page that the ticket names."""
        found = re.search(r"In the hub: .*?(http://[^\s\"'<]+)", self.ticket(ticket))
        assert found, self.ticket(ticket)
        return found[1]

    def shows(self, address: str, words: str) -> bool:
        return words in self.web.get(address).text

    def records(self, vendor: str) -> str:
        """All that a look-alike shows of its records, every page that its front page leads to."""
        base = self.demo.at(vendor)
        front = self.web.get(base).text
        links = re.findall(r"<tr><td><a href='([^']+)'", front)
        return front + "".join(self.web.get(f"{base}{link}", headers={"accept": "text/html"}).text for link in links)

    def lead(self, name: str) -> dict[str, str]:
        """The fields of a lead in the Salesforce look-alike as its page shows them, {} where there is none."""
        base = self.demo.at("salesforce")
        found = re.search(rf"href='(/lightning/r/Lead/[^']+)'>[^<]*</a></td><td>{name}", self.web.get(base).text)
        page = self.web.get(f"{base}{found[1]}").text if found else ""
        return dict(re.findall(r"<input name='field\.(\w+)' value='([^']*)'", page))


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Street]:
    demo = make_demo(tmp_path_factory.mktemp("street"), flair=False)
    sample = r"(?ms)^\[sources\.(?:mastodon|bluesky|news)\].*?^$"
    demo.config.write_text(re.sub(sample, "", demo.config.read_text("utf-8")), "utf-8")
    with demo.up() as process, httpx.Client(trust_env=False, follow_redirects=True, timeout=20) as web:
        made = Street(demo, process.pid, web)
        made.until("the demo", demo.answers, 60)
        yield made


@dataclass
class Walked:
    """What was seen on the way: pages by what they show."""

    street: Street
    mark: str
    ticket: str
    post: str
    answers: list[str]
    page: str
    tickets: list[str]


@pytest.fixture(scope="module")
def walked(street: Street) -> Walked:
    """A walk that tests only look at."""
    return walk(street)


def walk(street: Street) -> Walked:
    """A complaint, its ticket, the answer, the solution, and what the author says then."""
    mark = street.mark = f"zz{uuid4().hex[:8]}"
    post = street.post("ann", f"@pennywren {COMPLAINT} {street.mark}")
    ticket = street.until("the ticket", lambda: street.ticket_of(street.mark))
    page = street.signal_of(ticket)
    street.say(ticket, f"{ANSWER} {street.mark}")
    (answer,) = street.until("the answer in the town", street.ours)
    street.until("the note", lambda: "Posted on Mastodon: " in street.ticket(ticket))
    street.web.post(street.desk(f"/agent/tickets/{ticket}/set"), data={"status": "solved"}).raise_for_status()
    street.until("the state in the hub", lambda: street.shows(page, ">closed</span>"))
    street.post("ann", f"@pennywren still nothing {street.mark}-again", parent=answer)
    street.until("the comment", lambda: f"{street.mark}-again" in street.ticket(ticket))
    ids = re.findall(r"/agent/tickets/(\d+)", street.web.get(street.desk("/agent/tickets")).text)
    tickets = [id_ for id_ in dict.fromkeys(ids) if mark in street.ticket(id_)]
    return Walked(street, mark, ticket, post, street.ours(), page, tickets)


def test_an_agents_answer_stands_once_in_the_thread_under_our_account(walked: Walked) -> None:
    (answer,) = walked.answers
    status = walked.street.web.get(
        walked.street.town(f"/api/v1/statuses/{answer}"), headers={"authorization": "Bearer sandbox"}
    ).json()
    assert (status["in_reply_to_id"], status["account"]["acct"]) == (walked.post, "pennywren")
    assert ANSWER in status["content"]


def test_the_ticket_tells_the_agent_where_the_answer_stands(walked: Walked) -> None:
    assert (
        f'Posted on Mastodon: <a href="{walked.street.town("/@pennywren/")}{walked.answers[0]}'
        in walked.street.ticket(walked.ticket).replace("'", '"')
    )


def test_the_authors_next_word_is_a_comment_of_the_same_ticket_and_reopens_it(walked: Walked) -> None:
    assert walked.tickets == [walked.ticket]
    assert "<th>status</th><td>open</td>" in walked.street.ticket(walked.ticket)
    walked.street.until("the state", lambda: walked.street.shows(walked.page, ">open</span>"))


def test_a_deleted_post_leaves_no_word_anywhere_and_receipts(street: Street) -> None:
    walked = walk(street)
    words = f"open it. I hate it, it is terrible. {walked.mark}"
    before = {vendor: words in unescape(street.records(vendor)) for vendor in ("salesforce", "hubspot")}
    street.web.post(street.town(f"/town/posts/{walked.post}/delete")).raise_for_status()
    street.until("the receipts", lambda: street.shows(walked.page, "finished"))
    after = [words in unescape(street.records(vendor)) for vendor in ("salesforce", "hubspot", "zendesk")]
    assert (before, after) == ({"salesforce": True, "hubspot": True}, [False] * 3)
    assert words not in street.ticket(walked.ticket)
    assert not street.shows(walked.page, words)
    assert street.web.get(walked.page).text.count("state-delivered") >= 3


def test_a_leads_page_shows_the_mood_of_now_and_the_conversation(street: Street) -> None:
    street.post("dario", "I love what pennywren does and want to open an account with them!")
    first = street.until("the lead", lambda: street.lead("Dario"))
    street.post("dario", "@pennywren I tried to open an account three times today. It failed, terrible.")
    street.until("the new mood", lambda: street.lead("Dario")["Social_Sentiment__c"] == "negative")
    now = street.lead("Dario")
    assert first["Social_Sentiment__c"] == "positive"
    assert float(now["Social_Sentiment_30d__c"]) < float(first["Social_Sentiment_30d__c"])
    assert street.web.get(now["Social_Conversation_Url__c"]).status_code == 200


def test_an_answer_is_posted_once_though_the_sender_is_killed_on_its_way(street: Street) -> None:
    mark = street.mark = f"zz{uuid4().hex[:8]}"
    street.post("ben", f"@pennywren where is my card? {mark}")
    ticket = street.until("the ticket", lambda: street.ticket_of(mark))
    slow = [{"match": {"method": "POST", "path": "/api/v1/statuses$"}, "times": 1, "latency_ms": 1500}]
    street.web.post(street.town("/_sandbox/faults"), json=slow).raise_for_status()
    street.say(ticket, f"It is on its way. {mark}")
    faults = street.town("/_sandbox/faults")
    street.until("the post on its way", lambda: street.web.get(faults).json()[0]["times"] == 0)
    (sender,) = [pid for pid in descendants_of(street.pid) if " deliver " in command_of(pid)]
    os.kill(sender, signal.SIGKILL)
    street.until("the note", lambda: "Posted on Mastodon: " in street.ticket(ticket), 80)
    assert len(street.ours()) == 1
    (tries,) = [one["attempts"] for one in street.replies() if mark in one["fields"]["text"]]
    assert tries == 2
