"""The flows against hostile surroundings: poison in a batch, vendors that refuse, tokens that are echoed, closed doors."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from hub.core.errors import Uncertain
from hub.core.model import Ignored, RawItem, Translated
from hub.flow.check import try_connections
from hub.flow.decide.batch import process
from hub.flow.deliver.send import deliver
from hub.flow.intake.poll import poll, polling_sources
from hub.testkit.fakes import SentRequest, answer
from hub.testkit.sandbox import RunningSandbox
from hub.testkit.server import LocalServer, Scripted
from tests.databases import Databases
from tests.hubs import LineSource, Made
from tests.landing import NOON, SECRETS, VENDORS, Landing, landing, sandboxes
from tests.plugins.hostile_items import item

pytestmark = pytest.mark.long

TARGETS = tuple((vendor, "signal") for vendor in VENDORS)
REFUSALS: dict[str, dict[str, Any]] = {
    "salesforce": {
        "match": {"method": "PATCH", "path": "Social_Signal__c"},
        "status": 400,
        "body": [{"errorCode": "STRING_TOO_LONG", "message": "Text: data value too large", "fields": ["Text__c"]}],
    },
    "hubspot": {
        "match": {"method": "POST", "path": "social_signal/batch/upsert"},
        "status": 400,
        "body": {
            "status": "error",
            "category": "VALIDATION_ERROR",
            "correlationId": "c0ffee",
            "message": 'Property values were not valid: [{"name":"excerpt","message":"data value too large"}]',
        },
    },
    "zendesk": {
        "match": {"method": "POST", "path": "social_signal/jobs"},
        "status": 422,
        "headers": {"X-Request-Id": "c0ffee"},
        "body": {
            "error": "RecordInvalid",
            "description": "Record validation errors",
            "details": {"text": [{"description": "Text: data value too large", "error": "InvalidValue"}]},
        },
    },
}
FIELDS = {"salesforce": "Text__c", "hubspot": "excerpt", "zendesk": "text"}


NewDatabase = Callable[[Path], str]


@pytest.fixture(scope="module")
def running() -> Iterator[dict[str, RunningSandbox]]:
    with sandboxes() as vendors:
        yield vendors


@pytest.fixture
def vendors(running: dict[str, RunningSandbox]) -> dict[str, RunningSandbox]:
    """All look-alikes, empty and without faults."""
    for one in running.values():
        one.sandbox.reset()
    return running


@pytest.fixture
def database(databases: Databases) -> NewDatabase:
    """Makes a migrated SQLite file in a folder, or finds the one that it made there."""

    def make(folder: Path) -> str:
        path = folder / "hub.db"
        return f"sqlite:///{path}" if path.exists() else databases.sqlite(path)

    return make


def posts(*names: str) -> list[bytes]:
    """Posts of the webhook's form, each by an author of its own and a conversation of its own."""
    own = {("in_reply_to",): None}
    return [item("webhook", own | {("conversation_id",): one, ("author", "id"): one}, mark=one) for one in names]


# -------------------------------------------------------------------------------------------------------------- poison


def poison(source: LineSource, raw: RawItem) -> Translated | Ignored:
    """What a plugin's bug may make: a value that no database and no JSON can hold."""
    said = LineSource.translate(source, raw)
    if b"poison" not in raw.payload or isinstance(said, Ignored):
        return said
    return replace(said, signals=tuple(replace(one, mentions=(object(),)) for one in said.signals))  # type: ignore[arg-type]  # the poison


def test_a_signal_that_cannot_be_stored_is_marked_and_its_batch_goes_on(new_hub: Callable[..., Made]) -> None:
    made = new_hub()
    made.source.translate = poison  # type: ignore[method-assign,assignment]  # the fake's own class
    made.say({"id": "1", "text": "acme"}, {"id": "2", "text": "acme poison"}, {"id": "3", "text": "acme"})
    made.run()
    assert made.hub.store.inbox.counts() == {"done": 2, "failed": 1}
    assert made.hub.store.inbox.failed()[0]["note"].startswith("bug: TypeError")
    assert made.states() == {"delivered": 2}


def test_what_was_marked_is_taken_up_again_after_a_fix(new_hub: Callable[..., Made]) -> None:
    made = new_hub()
    made.source.translate = poison  # type: ignore[method-assign,assignment]  # the fake's own class
    made.say({"id": "2", "text": "acme poison"})
    made.run()
    made.source.translate = LineSource.translate  # type: ignore[method-assign]  # the fix
    made.hub.store.inbox.retry(None, now=made.clock())
    made.run()
    assert made.states() == {"delivered": 1}


def test_a_reason_that_quotes_the_item_is_safe_to_show(new_hub: Callable[..., Made]) -> None:
    made = new_hub()
    made.source.translate = lambda source, raw: Ignored("\x1b[31m\u202eno\0" + "x" * 9_000)  # type: ignore[method-assign,assignment]  # a fake
    made.say({"id": "1"})
    made.run()
    assert made.hub.store.inbox.counts() == {"ignored": 1}


# ---------------------------------------------------------------------------------------------------------- dead letters


def refused(hub: Landing, vendor: str) -> dict[str, Any]:
    """The dead letter of the signal that a vendor refused."""
    hub.vendors[vendor].sandbox.faults.set([REFUSALS[vendor]])
    hub.take("webhook", posts("one"))
    hub.run()
    (dead,) = hub.deliveries(state="dead")
    found = hub.hub.store.outbox.get(dead["id"])
    assert found is not None
    return found


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_rejection_tells_request_answer_field_and_reason(
    vendor: str, tmp_path: Path, database: NewDatabase, vendors: dict[str, RunningSandbox]
) -> None:
    with landing(tmp_path, database(tmp_path), vendors, targets=TARGETS) as hub:
        dead = refused(hub, vendor)
    error = dead["error"]
    assert dead["destination"] == vendor
    assert "The app crashes again" in json.dumps(dead["fields"])
    assert (error["class"], error["field"]) == ("Rejected", FIELDS[vendor])
    assert "data value too large" in error["message"]
    assert "data value too large" in error["details"]["body"]
    assert [attempt["error"] for attempt in dead["tries"]] == [error]


@pytest.mark.parametrize(("vendor", "name"), [("hubspot", "correlation_id"), ("zendesk", "request_id")])
def test_a_rejection_names_the_vendors_own_number_of_the_request(
    vendor: str, name: str, tmp_path: Path, database: NewDatabase, vendors: dict[str, RunningSandbox]
) -> None:
    with landing(tmp_path, database(tmp_path), vendors, targets=TARGETS) as hub:
        assert refused(hub, vendor)["error"]["details"][name] == "c0ffee"


def test_a_long_answer_is_kept_short(tmp_path: Path, database: NewDatabase, vendors: dict[str, RunningSandbox]) -> None:
    long = {**REFUSALS["zendesk"], "body": {"error": "RecordInvalid", "description": "x" * 50_000}}
    with landing(tmp_path, database(tmp_path), vendors, targets=[("zendesk", "signal")]) as hub:
        vendors["zendesk"].sandbox.faults.set([long])
        hub.take("webhook", posts("one"))
        hub.run()
        (dead,) = hub.deliveries(state="dead")
    assert len(json.dumps(dead["error"])) < 3_000


@pytest.mark.parametrize("vendor", VENDORS)
def test_the_terminal_shows_a_dead_letter_whole(
    vendor: str, tmp_path: Path, database: NewDatabase, vendors: dict[str, RunningSandbox]
) -> None:
    with landing(tmp_path, database(tmp_path), vendors, targets=TARGETS) as hub:
        dead = refused(hub, vendor)
    program = [sys.executable, "-m", "hub.cli", "-c", tmp_path / "config.toml", "deliveries", "show", str(dead["id"])]
    words = " ".join(subprocess.run(program, check=True, capture_output=True, text=True, timeout=60).stdout.split())
    for part in ("dead", FIELDS[vendor], "data value too large", "The app crashes again", "tries"):
        assert part in words


# -------------------------------------------------------------------------------------------------------------- secrets


def echoes(secret: str) -> list[list[dict[str, Any]]]:
    """Answers that repeat the caller's token in every place, and connections that end."""
    said = f"bad token {secret} in Authorization: Bearer {secret}"
    bodies = [{"message": said, "error": said, "access_token": secret, "details": {secret: [{"description": said}]}}]
    bodies += [[{"errorCode": said, "message": said, "fields": [secret]}], said]  # type: ignore[list-item]  # bodies of any form
    found = [[{"status": status, "body": body}] for status in (400, 401, 403, 404, 409, 422, 500) for body in bodies]
    location = {"status": 302, "headers": {"Location": f"http://127.0.0.1:9/?access_token={secret}"}}
    return [*found, [location], [{"reset_before": True}], [{"reset_after": True}], [{"status": 200, "body": said}]]


def kept(folder: Path) -> bytes:
    """Every byte that a hub left in its folder, but for its configuration."""
    files = [file for file in folder.rglob("*") if file.is_file() and file.suffix != ".toml"]
    assert any(file.name == "hub.db" for file in files)
    return b"".join(file.read_bytes() for file in files)


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_token_that_a_vendor_echoes_is_neither_stored_nor_logged(
    vendor: str,
    tmp_path: Path,
    database: NewDatabase,
    vendors: dict[str, RunningSandbox],
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    with landing(tmp_path, database(tmp_path), vendors, targets=[(vendor, "signal")], networks=False) as hub:
        for place, faults in enumerate(echoes(SECRETS[vendor])):
            vendors[vendor].sandbox.faults.set(faults)
            hub.take("webhook", posts(f"p{place}"))
            hub.hub.store.connections.resume(vendor, now=hub.hub.now())
            hub.run()
            if faults[0].get("status") in (400, 401):
                list(try_connections(hub.hub))
        assert len({json.dumps(row["error"]) for row in hub.deliveries()}) > 10
        hub.hub.store.database.engine.dispose()
        out = "".join(capfd.readouterr()) + caplog.text
        assert "not delivered" in out
        assert SECRETS[vendor] not in out
        assert SECRETS[vendor].encode() not in kept(tmp_path)


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_token_that_cannot_stand_in_a_header_is_neither_stored_nor_logged(
    vendor: str,
    tmp_path: Path,
    database: NewDatabase,
    vendors: dict[str, RunningSandbox],
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    for place, secret in enumerate(("5up3r5ecret\nline", "5up3r5ecret-\u20ac", " 5up3r5ecret ")):
        folder = tmp_path / str(place)
        folder.mkdir()
        with landing(
            folder, database(folder), vendors, targets=[(vendor, "signal")], secrets={**SECRETS, vendor: secret}
        ) as hub:
            hub.take("webhook", posts("one"))
            hub.run()
            assert set(hub.states()[vendor]) <= {
                "dead",
                "blocked",
                "retry",
                "pending",
                "delivered",
                "review",
                "uncertain",
            }
        assert b"5up3r5ecret" not in kept(folder), secret
        assert "5up3r5ecret" not in "".join(capfd.readouterr()) + caplog.text, secret


@pytest.mark.parametrize("status", [200, 302, 400, 401, 403, 404, 429, 500])
def test_a_token_that_a_network_echoes_is_neither_stored_nor_logged(
    status: int,
    tmp_path: Path,
    database: NewDatabase,
    vendors: dict[str, RunningSandbox],
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)

    def echo(request: SentRequest) -> Scripted:
        said = request.headers.get("authorization", "")
        location = {"location": f"{request.url}&access_token={SECRETS['masto']}"}
        return answer(status, {"error": said}, headers=location if status == 302 else {})

    with (
        LocalServer(echo) as server,
        landing(tmp_path, database(tmp_path), vendors, targets=(), instance=server.url) as hub,
    ):
        hub.hub.store.cursors.declare(polling_sources(hub.hub), now=NOON)
        poll(hub.hub, "masto", early=True)
        assert next(row for row in hub.hub.store.cursors.list() if row["source"] == "masto")["error"]
    assert SECRETS["masto"].encode() not in kept(tmp_path)
    assert SECRETS["masto"] not in "".join(capfd.readouterr()) + caplog.text


# --------------------------------------------------------------------------------------------------------- closed doors


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_door_that_our_own_rules_close_pauses_the_connection_and_burns_nothing(
    vendor: str, tmp_path: Path, database: NewDatabase, vendors: dict[str, RunningSandbox]
) -> None:
    with landing(tmp_path, database(tmp_path), vendors, targets=[(vendor, "signal")], private=False) as hub:
        hub.take("webhook", posts("one", "two"))
        hub.run()
        rows = hub.deliveries()
        assert {row["state"] for row in rows} <= {"blocked", "pending"}
        assert {row["attempts"] for row in rows} == {0}
        assert "allow_private" in hub.hub.store.connections.paused(now=hub.hub.now())[vendor]


@pytest.mark.parametrize("vendor", VENDORS)
def test_what_a_closed_door_held_back_lands_once_it_is_open(
    vendor: str, tmp_path: Path, database: NewDatabase, vendors: dict[str, RunningSandbox]
) -> None:
    with landing(tmp_path, database(tmp_path), vendors, targets=[(vendor, "signal")], private=False) as hub:
        hub.take("webhook", posts("one", "two"))
        hub.run()
    with landing(tmp_path, database(tmp_path), vendors, targets=[(vendor, "signal")]) as hub:
        hub.hub.store.connections.resume(vendor, now=hub.hub.now())
        hub.hub.store.outbox.retry(None, now=hub.hub.now(), state="blocked")
        hub.run()
        assert hub.states() == {vendor: {"delivered": 4}}  # each with its author


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_check_tells_of_a_closed_door(
    vendor: str, tmp_path: Path, database: NewDatabase, vendors: dict[str, RunningSandbox]
) -> None:
    with landing(tmp_path, database(tmp_path), vendors, targets=[(vendor, "signal")], private=False) as hub:
        (tried,) = [one for one in try_connections(hub.hub) if one.connection == vendor]
    assert not tried.fine
    assert "allow_private" in tried.message


# ------------------------------------------------------------------------------------------------------ one busy ticket


def test_one_busy_ticket_holds_up_no_other(tmp_path: Path, database: NewDatabase) -> None:
    with (
        sandboxes(zendesk={"updates_per_ticket": 1}) as vendors,
        landing(tmp_path, database(tmp_path), vendors, targets=[("zendesk", "ticket")]) as hub,
    ):
        hub.take("webhook", [item("webhook", {}, mark=f"busy-{number}") for number in range(4)])
        process(hub.hub)
        deliver(hub.hub, "zendesk")
        hub.take("webhook", posts("another"))
        hub.run()
        assert hub.hub.store.connections.paused(now=hub.hub.now()) == {}
        assert len(hub.made("zendesk", "ticket", "ticket")) == 2


def test_a_root_that_is_heard_after_its_replies_leaves_them_their_ticket(tmp_path: Path, database: NewDatabase) -> None:
    late = {("in_reply_to",): None, ("conversation_id",): None}
    answering = {("in_reply_to",): "0", ("conversation_id",): None}
    with (
        sandboxes() as vendors,
        landing(tmp_path, database(tmp_path), vendors, targets=[("zendesk", "ticket")]) as hub,
    ):
        for changes, mark in ((answering, "first"), ({("id",): "0", **late}, "root"), (answering, "third")):
            hub.take("webhook", [item("webhook", changes, mark=mark)])
            hub.run()
        assert hub.states() == {"zendesk": {"delivered": 3}}
        assert len(hub.made("zendesk", "comment", "comment")) == 2


# ------------------------------------------------------------------------------------------------------- endless doubts


def test_a_vendor_that_drops_every_connection_is_asked_ever_more_slowly(new_hub: Callable[..., Made]) -> None:
    made = new_hub()
    made.memo.raises = Uncertain("dropped")
    made.say({"id": "1", "text": "acme"})
    made.run()
    assert len(made.memo.got) == 2
    assert made.states() == {"uncertain": 1}
    made.clock.pass_(seconds=5)
    made.run()
    assert len(made.memo.got) == 3


def test_a_doubt_that_nothing_resolves_goes_to_a_person_in_the_end(new_hub: Callable[..., Made]) -> None:
    made = new_hub()
    made.memo.raises = Uncertain("dropped")
    made.say({"id": "1", "text": "acme"})
    for _ in range(20):
        made.run()
        made.clock.pass_(hours=11)
    assert made.states() == {"review": 1}
    assert len(made.memo.got) == 8
