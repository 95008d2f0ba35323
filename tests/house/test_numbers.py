"""The numbers, kinds and codes that the pages tell are the program's."""

from __future__ import annotations

import inspect
import re
import tomllib
from datetime import timedelta

import pytest

from hub.cli import status
from hub.cli.main import EXITS
from hub.cli.plugins.description import span
from hub.config.settings import Settings, SourceSection
from hub.core import retry
from hub.flow.lease import RENEW_S
from hub.flow.monitor import alerts, schedule, silence
from hub.flow.views import readiness
from hub.flow.views import status as screen
from hub.registry import AGAIN_S, Registry
from hub.runtime import REREAD_S
from hub.sdk.rates import Limit
from hub.store.connections import LEASE
from hub.store.residue import REWRITABLE
from hub.web import metrics
from hub.web.limits import MOST_FILES
from plugins.rss.config import RssOptions
from plugins.webhook.config import InboundOptions
from tests.house.measures import ROOT

MIB = 1024 * 1024
SET = Settings()
CALLERS, ALERTS, DELIVERY = SET.callers, SET.alerts, SET.delivery
FEED, BODY = RssOptions.model_fields, InboundOptions.model_fields["max_body"].default
WAITS = ", ".join(span(timedelta(seconds=pause)) for pause in retry.SCHEDULE[1:])
WORDS = {5: "five", 10: "ten", 30: "half a minute"}
NUMBERS = [
    ("limits", f"after {WORDS[retry.FAILURES]} batches in a row without an answer"),
    ("limits", f"counted as an attempt for {retry.OPEN_FOR.seconds} seconds"),
    ("limits", f"up to {retry.LONGEST_OPEN.seconds // 60} minutes"),
    ("limits", f"a webhook's body | {BODY // MIB} MiB: 413"),
    ("limits", f"{SET.web.max_waiting_mb} MiB: 503 with `Retry-After` | `web.max_waiting_mb`"),
    ("limits", f"{CALLERS.connections:,}; {CALLERS.connections_per_client}: the idlest goes"),
    ("limits", f"its size, its time | {CALLERS.header_kb} kB: 431; {CALLERS.header_within.seconds} s"),
    ("limits", f"an answer's | {CALLERS.body_within.seconds} s; {CALLERS.answer_within.seconds} s"),
    ("limits", f"not checked yet | {CALLERS.unverified_mb} MiB"),
    ("limits", f"takes at once | {SET.workers.batch} | `workers.batch`"),
    ("limits", f"{FEED['backfill_days'].default:g} days, {FEED['backfill_items'].default} entries"),
    ("limits", f"(at most {MOST_FILES:,})"),
    ("limits", f"`callers.idle_within` ({CALLERS.idle_within.seconds} s)"),
    ("limits", f"of up to {REWRITABLE // MIB} MB"),
    ("many-machines", f"leases last {LEASE.seconds} seconds"),
    ("secrets", f"again every {WORDS[REREAD_S]} seconds"),
    ("many-machines", f"renewed every {WORDS[RENEW_S]}"),
    ("upgrade", f"within {WORDS[AGAIN_S]}"),
    ("configuration", f"one exchange with it may take ({span(SourceSection.model_fields['timeout'].default)})"),
    ("configuration", f"did not follow within {status.WAIT_S:g} seconds"),
    ("monitor", f"waits for more than {screen.LATE.seconds // 60} minutes"),
    ("monitor", f"less than {screen.LEAST_FREE // MIB} MB are free"),
    ("monitor", f"under {readiness.LITTLE_ROOM // MIB} MB are left; under {readiness.NO_ROOM // 1024} kB"),
    ("monitor", f"looks every {schedule.EVERY_S:g} seconds"),
    ("monitor", f"`dead_letters` ({ALERTS.dead_letters}) or more"),
    ("monitor", f"`quota` ({ALERTS.quota:g})"),
    ("monitor", f"`silence` ({ALERTS.silence.seconds // 60} minutes)"),
    ("monitor", f"waited {alerts.HELD_FOR.seconds // 60} minutes for a dead letter"),
    ("monitor", f"fewer than {silence.FEWEST} such five minutes"),
    ("troubleshoot", f"again after {WAITS}, each"),
    ("troubleshoot", f"after {LEASE.seconds} s elsewhere"),
    ("troubleshoot", f"`hold_for` ({span(DELIVERY.hold_for)})"),
    ("troubleshoot", f"`hold_most` ({DELIVERY.hold_most:,})"),
]
RATES = {
    "hubspot": "HubSpot 100 calls in 10 seconds",
    "mastodon": "Mastodon 300 in 5 minutes",
    "bluesky": "Bluesky 3,000 in 5 minutes",
    "youtube": "YouTube 10,000 a day",
}
UNITS = {"seconds": 1, "minutes": 60, "day": 86_400}
TOLD = {
    "alert": (alerts, r'Alert\(\s*f?"([a-z]+)', set()),
    "metric": (metrics, r'(?:gauge|counter)\(\s*"(\w+)"', set()),
    "cause": (readiness, r'Cause\("(\w+)"', {"process", "deliver", "scheduler", "listen"}),
}
"""Tables of the page about monitoring: whose source names what stands in them, and what that source names by a variable."""


def page(name: str) -> str:
    """A page of docs/operate on one line."""
    return " ".join((ROOT / f"docs/operate/{name}.md").read_text("utf-8").split())


def listed(heading: str) -> set[str]:
    """What stands in code in the first column of a table about monitoring, as the program names it."""
    table = (ROOT / "docs/operate/monitor.md").read_text("utf-8").partition(f"| {heading} |")[2].partition("\n\n")[0]
    words = (word for row in table.splitlines()[2:] for word in re.findall(r"`([^`]+)`", row.split("|")[1]))
    return {re.sub("^hubbub_|_total$", "", word.partition(":")[0]) for word in words}


@pytest.mark.parametrize(("name", "said"), NUMBERS, ids=[said for _, said in NUMBERS])
def test_a_number_of_a_page_is_the_programs(name: str, said: str) -> None:
    assert said in page(name)


@pytest.mark.parametrize(("plugin", "said"), RATES.items(), ids=RATES)
def test_a_rate_of_the_page_is_what_the_plugin_declares(plugin: str, said: str) -> None:
    calls, *_, span_, unit = said.replace(",", "").replace(" a ", " 1 ").split()[1:]
    found = Registry().load(plugin)
    declared = {limit for cls in (*found.sources.values(), *found.destinations.values()) for limit in cls.limits}
    assert declared == {Limit(int(calls), int(span_) * UNITS[unit])}
    assert said in page("limits")


@pytest.mark.parametrize("heading", TOLD)
def test_a_table_about_monitoring_has_what_the_program_has_and_no_more(heading: str) -> None:
    module, pattern, others = TOLD[heading]
    assert listed(heading) == {*re.findall(pattern, inspect.getsource(module)), *others}


def test_the_page_has_the_exit_codes_of_the_help() -> None:
    helped = set(re.findall(r"^(\d) ", EXITS, re.MULTILINE))
    assert set(re.findall(r"\| (\d) \|", page("troubleshoot"))) == helped == set("01234")


def test_the_table_of_extras_has_all_of_them() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    rows = re.findall(r"\| ((?:`\w+`(?:, )?)+) \|", page("install"))
    assert {word for row in rows for word in re.findall(r"\w+", row)} == set(extras) - {"dev"}
