"""`hub deliveries retry|discard` for many, and `hub alerts`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hub.core.access import HUB
from hub.core.errors import Rejected
from hub.core.model import Planned
from hub.flow.actions.deliveries import Letters, retry
from hub.flow.views.deliveries import retryable
from hub.store import open_store
from hub.store.monitor.alerts import Kept
from tests.databases import Databases
from tests.hub.cli.terminal import Said
from tests.hub.store.given import NOON, must_claim, record, settle
from tests.hubs import Made

Cli = Callable[..., Said]
NewHub = Callable[..., Made]
CONFIG = '[destinations.crm]\nplugin = "webhook"\noptions = { url = "https://crm.example", secret = { env = "CRM" } }\n'


@pytest.fixture
def dead(cli: Cli, databases: Databases, tmp_path: Path) -> Iterator[Path]:
    """A folder with three dead letters of crm: two with code 400, one with 422."""
    (tmp_path / "config.toml").write_text(CONFIG)
    store = databases.open(databases.sqlite(tmp_path / "data" / "hubbub.db"))
    for number, code in enumerate(("400", "400", "422")):
        with store.database.write() as conn:
            store.outbox.plan(conn, [Planned(record(f"rss:{number}"), f"rss:{number}", "rule")], now=NOON)
        settle(store, must_claim(store), "dead", error={"class": "Rejected", "code": code, "message": "no"})
    yield tmp_path
    store.close()


def states(cli: Cli) -> list[str]:
    return sorted(row["state"] for row in cli("deliveries", "list", "--json").json)


@pytest.mark.parametrize(
    ("filters", "count"),
    [
        (["--all"], 3),
        (["--state", "dead"], 3),
        (["--state", "review"], 0),
        (["--destination", "crm"], 3),
        (["--error", "422"], 1),
        (["--error", "Rejected"], 3),
        (["--object", "ticket"], 0),
        (["--rule", "rule", "--error", "400"], 2),
        (["--since", "2026-11-22T11:00:00"], 3),
        (["--since", "2026-11-22T13:00:00+00:00"], 0),
    ],
)
def test_many_are_retried_by_what_they_have_in_common(dead: Path, cli: Cli, filters: list[str], count: int) -> None:
    assert cli("deliveries", "retry", *filters).out.strip() == f"{count} due again"
    assert states(cli).count("pending") == count


def test_dry_says_what_it_would_be_and_does_nothing(dead: Path, cli: Cli) -> None:
    said = cli("deliveries", "retry", "--all", "--dry")
    assert [line.split() for line in said.out.splitlines()[1:]] == [
        ["2", "crm", "note", "dead", "400"],
        ["1", "crm", "note", "dead", "422"],
    ]
    assert states(cli) == ["dead"] * 3


def test_discard_keeps_the_note_and_the_audit_log_the_wish(dead: Path, cli: Cli) -> None:
    assert cli("deliveries", "discard", "--error", "400", "--note", "a test").out.strip() == "2 discarded"
    assert states(cli) == ["dead", "discarded", "discarded"]
    (entry,) = cli("audit", "--json").json
    detail = {"error": "400", "count": 2, "note": "a test"}
    assert (entry["action"], entry["subject"], entry["detail"]) == ("discard", "crm", detail)


@pytest.mark.parametrize(
    "arguments", [["--dry"], ["1", "--all"], ["1", "--error", "x"], ["--since", "soon"], ["--destination", "nobody"]]
)
@pytest.mark.parametrize("command", [["retry"], ["discard", "--note", "x"]])
def test_half_a_wish_is_refused(dead: Path, cli: Cli, command: list[str], arguments: list[str]) -> None:
    assert cli("deliveries", *command, *arguments).code == 2
    assert states(cli) == ["dead"] * 3


def test_no_alerts_are_good_news(dead: Path, cli: Cli) -> None:
    assert (cli("alerts", "list").out.strip(), cli("alerts", "list", "--json").json) == ("all is well", [])


def test_open_alerts_are_listed(dead: Path, cli: Cli) -> None:
    store = open_store(f"sqlite:///{dead / 'data' / 'hubbub.db'}")
    since = datetime(2026, 11, 23, tzinfo=UTC)
    store.alerts.change(
        lambda _: {"a": Kept("a", "critical", "it burns", since), "b": Kept("b", "x", "y", since, False)}
    )
    store.close()
    (alert,) = cli("alerts", "list", "--json").json
    assert (alert["key"], alert["text"], alert["since"]) == ("a", "it burns", "2026-11-23T00:00:00Z")


def test_a_test_without_addresses_says_so(dead: Path, cli: Cli) -> None:
    said = cli("alerts", "test")
    assert (said.code, "alerts.urls is empty" in said.err) == (1, True)


def test_a_test_names_what_did_not_take_it(dead: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("apprise")
    monkeypatch.setenv("EAR", "json://hub:s3cret@127.0.0.1:1/")
    (dead / "config.toml").write_text(f'{CONFIG}[alerts]\nurls = [{{ env = "EAR" }}]\n')
    said = cli("alerts", "test")
    assert (said.code, said.out.strip(), "s3cret" in said.err) == (1, "alerts.urls.0 (json): not taken", False)


def test_check_tells_of_a_missing_address(dead: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRM", "x")
    (dead / "config.toml").write_text(f'{CONFIG}[alerts]\nurls = [{{ env = "NO_EAR" }}]\n')
    said = cli("check")
    assert (said.code, "alerts.urls.0" in said.out + said.err) == (2, True)


def test_thousands_are_retried_under_the_same_keys(new_hub: NewHub) -> None:
    made = new_hub()
    made.memo.answer = staticmethod(lambda _: Rejected("no"))  # type: ignore[assignment]  # a function in a class
    made.say(*({"id": str(n), "text": f"acme {n}"} for n in range(1200)))
    made.run()
    keys = {one.key for batch in made.memo.got for one in batch}
    made.memo.answer = None
    made.memo.got.clear()
    assert retry(made.hub, HUB, Letters(state="dead")) == 1200
    made.run()
    assert {one.key for batch in made.memo.got for one in batch} == keys
    assert made.states() == {"delivered": 1200}


def test_a_span_ends_before_its_end(new_hub: NewHub) -> None:
    made = new_hub()
    made.say({"id": "1", "text": "acme"})
    made.memo.answer = staticmethod(lambda _: Rejected("no"))  # type: ignore[assignment]  # a function in a class
    made.run()
    now, hour = made.clock(), timedelta(hours=1)
    spans = [(None, now), (now, now + hour), (now + hour, None)]
    assert [len(retryable(made.hub, HUB, Letters(since=a, until=b))) for a, b in spans] == [0, 1, 0]


def test_nothing_done_is_nothing_noted(new_hub: NewHub) -> None:
    made = new_hub()
    assert retry(made.hub, HUB, Letters(state="dead")) == 0
    assert made.hub.store.audit.recent() == []
