"""The composition root: one Hub out of a file."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from pathlib import Path
from time import monotonic

import pytest
from pydantic import SecretStr

from hub.books import book_versions, read_book
from hub.config.settings import load_settings
from hub.core.errors import ConfigError, ConnectorError, Rejected, UnknownPlugin
from hub.core.route import compile_rules
from hub.core.spec import Rule
from hub.queue.embedded import socket_url
from hub.queue.inprocess import InProcessBell
from hub.queue.pace import LocalPaces, RedisPaces
from hub.registry import Plugin
from hub.runtime import Hub, find_config, open_hub, plain_source, redis_url, system_clock
from hub.sdk.connectors import Options
from hub.store import StoreUnavailable, WrongRevision, open_store
from tests.hubs import FakeRegistry, LineSource, Made

NewHub = Callable[..., Made]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "config.toml"
    file.write_text("")
    return file


def test_a_hub_is_opened_from_its_file_with_the_defaults_beside_it(config: Path) -> None:
    hub = open_hub(config, migrate=True)
    assert (config.parent / "data" / "hubbub.db").exists()
    assert redis_url(hub.settings) == socket_url(config.parent / "data")
    hub.close()


def test_a_bell_of_ones_own_is_used(config: Path) -> None:
    bell = InProcessBell()
    hub = open_hub(config, bell=bell, migrate=True)
    assert hub.bell is bell
    hub.close()


def test_a_configured_redis_is_used(config: Path) -> None:
    config.write_text('[redis]\nurl = "redis://elsewhere:6380/2"\n')
    assert redis_url(load_settings(config)) == "redis://elsewhere:6380/2"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[redis]\nurl = "nonsense"\n', "redis.url"),
        ('[database]\nurl = "nonsense"\n', "database.url"),
        ("[web]\nport = 99999\n", "web.port"),
        ("[web\n", "config.toml"),
    ],
)
def test_what_is_wrong_in_the_file_is_told_with_its_place(config: Path, text: str, told: str) -> None:
    config.write_text(text)
    with pytest.raises(ConfigError) as caught:
        open_hub(config)
    assert told in str(caught.value)


def test_without_a_file_the_way_out_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="hub init"):
        open_hub(tmp_path / "none.toml")


def test_a_database_that_was_not_migrated_is_refused_at_once(config: Path) -> None:
    begun = monotonic()
    with pytest.raises(WrongRevision, match="hub db upgrade"):
        open_hub(config)
    assert monotonic() - begun < 2


def test_a_part_waits_while_another_migrates(config: Path) -> None:
    store = open_store(load_settings(config).database_url)
    timer = threading.Timer(0.3, store.database.migrate)
    timer.start()
    open_hub(config, patience_s=20).close()
    timer.join()
    store.close()


def test_a_part_waits_for_a_database_that_is_away_only_so_long(config: Path) -> None:
    config.write_text(f'[database]\nurl = "postgresql://hub@/hub?host={config.parent}"\n')
    begun = monotonic()
    with pytest.raises(StoreUnavailable):
        open_hub(config, patience_s=0.3)
    assert 0.3 <= monotonic() - begun < 5


@pytest.mark.parametrize(("given", "named", "found"), [("a", "b", "a"), (None, "b", "b"), (None, None, "config.toml")])
def test_the_file_is_the_given_one_or_the_environments_or_the_usual(
    monkeypatch: pytest.MonkeyPatch, given: str | None, named: str | None, found: str
) -> None:
    monkeypatch.delenv("HUBBUB_CONFIG", raising=False)
    if named:
        monkeypatch.setenv("HUBBUB_CONFIG", named)
    assert find_config(Path(given) if given else None) == Path(found)


def test_the_clock_is_aware_and_in_utc() -> None:
    assert system_clock().utcoffset() == system_clock().utcoffset().__class__()  # type: ignore[union-attr]  # zero


# ---------------------------------------------------------------------------------------------------------- connectors


def test_a_connector_is_made_once(new_hub: NewHub) -> None:
    hub = new_hub().hub
    assert hub.source("lines") is hub.source("lines")
    assert hub.destination("memo") is hub.destination("memo")


@pytest.mark.parametrize("kind", ["source", "destination", "enricher"])
def test_a_connection_that_is_not_configured_is_told_with_what_there_is(new_hub: NewHub, kind: str) -> None:
    known = {"source": "lines", "destination": "memo", "enricher": "mood"}[kind]
    with pytest.raises(UnknownPlugin, match=rf"{kind}s\.nothing: is not configured \(known: {known}\)"):
        getattr(new_hub().hub, kind)("nothing")


def test_a_source_and_a_destination_of_one_name_share_neither_guard_nor_memory(new_hub: NewHub) -> None:
    hub = new_hub().hub
    heard = hub.context("twin", hub.source("lines"), hub.settings.sources["lines"])
    sent = hub.context("twin", hub.destination("memo"), hub.settings.destinations["memo"])
    heard.state.set("seen", [1])
    assert heard.http is not sent.http
    assert sent.state.get("seen") is None


def test_a_context_lends_a_connection_its_name_clock_memory_and_guard(new_hub: NewHub) -> None:
    made = new_hub()
    context = made.hub.source_context("lines")
    context.state.set("seen", [1])
    assert (context.connection, context.now(), context.public_url) == ("lines", made.clock(), "http://127.0.0.1:8600")
    assert made.hub.destination_context("memo").state.get("seen") is None
    assert made.hub.source_context("lines").http is context.http


def test_what_a_connector_logs_holds_no_token_that_was_got_on_the_way(
    new_hub: NewHub, caplog: pytest.LogCaptureFixture
) -> None:
    context = new_hub().hub.source_context("lines")
    context.http.learn_secret("minted-token")
    context.log.warning("asked with %s", "minted-token")
    assert [(one.getMessage(), one.__dict__["connection"]) for one in caplog.records] == [("asked with ***", "lines")]


def test_raw_items_of_a_source_that_is_gone_are_still_read(new_hub: NewHub) -> None:
    hub = new_hub().hub
    assert hub.reader("lines", "lines") is hub.source("lines")
    assert type(hub.reader("lines", "gone")) is type(hub.source("lines"))


class Keyed(Options):
    """Options that cannot be left out."""

    token: SecretStr
    limit: int = 7


def test_a_plain_source_needs_no_credentials() -> None:
    cls = type("KeyedSource", (LineSource,), {"Options": Keyed})
    registry = FakeRegistry([Plugin("lines", "tests", "1", sources={"lines": cls})])
    assert plain_source(registry, "lines").options.limit == 7


@pytest.mark.parametrize("lent", [True, False], ids=["with its HTTP", "before its HTTP is opened"])
def test_a_connections_secrets_are_taken_out_of_its_errors(new_hub: NewHub, lent: bool) -> None:
    made = new_hub()
    cls = type("KeyedSource", (LineSource,), {"Options": Keyed})
    made.hub._made["sources", "lines"] = cls(Keyed(token=SecretStr("hush-hush-1234")))
    if lent:
        made.hub.source_context("lines")
    error = Rejected("bad token hush-hush-1234", details={"sent": "hush-hush-1234"})
    made.hub.redact("lines", error)
    assert "hush-hush-1234" not in f"{error} {error.details}"


# ------------------------------------------------------------------------------------------------------------ the book


def test_all_problems_of_all_files_are_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('[destinations.crm]\nplugin = "nobody"\n')
    (tmp_path / "rules.toml").write_text('[[rule]]\nname = "r"\nwhen = ["signal.txt == 1"]\n')
    (tmp_path / "topics.toml").write_text('[[topic]]\nnme = "t"\n')
    with pytest.raises(ConfigError) as caught:
        read_book(load_settings(tmp_path / "config.toml"), FakeRegistry([]))
    assert len(caught.value.problems) == 3


def test_a_mapping_of_a_connections_name_outranks_its_plugins(new_hub: NewHub, tmp_path: Path) -> None:
    made = new_hub()
    made.hub.settings = made.hub.settings.model_copy(
        update={"destinations": {"crm": made.hub.settings.destinations["memo"]}}
    )
    (tmp_path / "mappings" / "crm").mkdir()
    (tmp_path / "mappings" / "crm" / "note.toml").write_text('object = "own"\n[fields.text]\nfrom = "signal.text"\n')
    (tmp_path / "rules.toml").write_text("")
    book = made.hub.book
    assert (book.mappings["crm", "note"].spec.object, book.mappings["crm", "said"].spec.object) == ("own", "said")


def test_the_versions_of_all_that_is_active_are_named(new_hub: NewHub) -> None:
    book = new_hub().hub.book
    entries = book_versions(book)
    assert [entry[1:3] for entry in entries[:2]] == [("rules", "rules"), ("topics", "topics")]
    assert ("mapping", "memo/note") in [entry[1:3] for entry in entries]
    assert entries[0][0] == compile_rules([*book.rules.rules]).version
    assert isinstance(book.rules.rules[0], Rule)


def opened_with(folder: Path, text: str) -> Hub:
    (folder / "config.toml").write_text(text)
    return open_hub(folder / "config.toml", bell=InProcessBell(), migrate=True)


CRM = '[destinations.crm]\nplugin = "webhook"\noptions = { url = "http://127.0.0.1:9/x" }\n'


@pytest.mark.parametrize(("rate", "early"), [("", 0.0), ('rate = "1/h"\n', 3600.0)])
def test_a_configured_rate_is_the_connections_pace(tmp_path: Path, rate: str, early: float) -> None:
    hub = opened_with(tmp_path, f"{CRM}{rate}allow_private = true\n")
    with pytest.raises(ConnectorError):
        hub.destination_context("crm").http.send("POST", "http://127.0.0.1:9/x")
    assert hub.too_early("crm") == pytest.approx(early, abs=5)
    hub.close()


def test_a_source_and_a_destination_of_one_name_have_their_own_pace(tmp_path: Path) -> None:
    source = '[sources.crm]\nplugin = "rss"\nrate = "1/h"\noptions = { feeds = ["https://example.com/feed.xml"] }\n'
    hub = opened_with(tmp_path, CRM + source)
    pace = hub.source_context("crm").http.pace  # type: ignore[attr-defined]  # a Guard
    pace.reserve(0)
    assert (pace.ahead() > 3500, hub.too_early("crm")) == (True, 0.0)
    hub.close()


def test_workers_share_their_paces_through_redis_and_a_lone_hub_keeps_its_own(config: Path) -> None:
    kinds = []
    for bell in (None, InProcessBell()):
        with contextlib.closing(open_hub(config, bell=bell, migrate=True)) as hub:
            kinds.append(type(hub.paces))
    assert kinds == [RedisPaces, LocalPaces]
