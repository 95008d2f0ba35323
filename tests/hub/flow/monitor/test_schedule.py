"""The watch over a real ledger: what is kept, told, and told but once; on both databases."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from hub.config.settings import AlertsSection, Settings
from hub.core.errors import ConfigError, Conflict, Rejected, Unauthorised, Unavailable
from hub.core.retry import FAILURES
from hub.flow.monitor.notify import NotTold, tell
from hub.flow.monitor.schedule import count_arrivals, make_round
from hub.flow.monitor.snapshot import look, shown_alerts
from hub.store.monitor.figures import Figures
from tests.hubs import Made

NewHub = Callable[..., Made]
SECRET = "s3cret-of-the-address"


class Ear(HTTPServer):
    """Somebody who is told."""

    heard: list[dict[str, Any]]
    status = 200

    @property
    def url(self) -> str:
        return f"json://hub:{SECRET}@127.0.0.1:{self.server_port}/"


class _Handler(BaseHTTPRequestHandler):
    server: Ear

    def do_POST(self) -> None:
        self.server.heard.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Tests are quiet."""


@pytest.fixture
def ear(monkeypatch: pytest.MonkeyPatch) -> Iterator[Ear]:
    pytest.importorskip("apprise")
    with Ear(("127.0.0.1", 0), _Handler) as server:
        server.heard = []
        monkeypatch.setenv("EAR", server.url)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def with_alerts(made: Made, **values: Any) -> Made:
    """The same hub with `[alerts]`."""
    made.hub.settings = made.hub.settings.model_copy(update={"alerts": AlertsSection.model_validate(values)})
    return made


def with_dead_letters(new_hub: NewHub, count: int = 5) -> Made:
    made = with_alerts(new_hub(), urls=[{"env": "EAR"}])
    made.memo.answer = staticmethod(lambda _: Rejected("no"))  # type: ignore[assignment]  # a function in a class
    made.say(*({"id": str(n), "text": f"acme {n}"} for n in range(count)))
    made.run()
    return made


def test_rising_dead_letters_are_told_once_with_a_link(new_hub: NewHub, ear: Ear) -> None:
    made = with_dead_letters(new_hub)
    make_round(made.hub)
    make_round(made.hub)
    (heard,) = ear.heard
    assert "dead letters rise at memo: 5 in the last hour" in heard["message"]
    assert made.hub.settings.public_url in heard["message"]


def test_a_second_scheduler_tells_nothing_again(new_hub: NewHub, ear: Ear) -> None:
    made = with_dead_letters(new_hub)
    make_round(made.hub)
    make_round(with_alerts(new_hub(), urls=[{"env": "EAR"}]).hub)
    assert len(ear.heard) == 1


def test_the_end_of_an_alert_is_told(new_hub: NewHub, ear: Ear) -> None:
    made = with_dead_letters(new_hub)
    make_round(made.hub)
    made.clock.pass_(hours=2)
    make_round(made.hub)
    assert ear.heard[-1]["message"].startswith("OVER: dead letters rise at memo")
    assert shown_alerts(made.hub.store.alerts.all()) == []


def test_what_a_server_refuses_is_sent_again_later(new_hub: NewHub, ear: Ear) -> None:
    made, ear.status = with_dead_letters(new_hub), 500
    make_round(made.hub)
    ear.status = 200
    make_round(made.hub)
    made.clock.pass_(minutes=1)
    make_round(made.hub)
    assert len(ear.heard) == 2


def test_the_address_is_seen_nowhere(new_hub: NewHub, ear: Ear, capfd: pytest.CaptureFixture[str]) -> None:
    made, ear.status = with_dead_letters(new_hub), 500
    make_round(made.hub)
    shown = "".join(capfd.readouterr()) + str(made.hub.store.alerts.all())
    assert (len(ear.heard), SECRET in shown) == (1, False)


def test_without_addresses_alerts_are_kept_all_the_same(new_hub: NewHub) -> None:
    made = with_alerts(with_dead_letters(new_hub))
    make_round(made.hub)
    assert [one["key"] for one in shown_alerts(made.hub.store.alerts.all())] == ["dead:memo"]


def test_a_blocked_connection_is_an_alert(new_hub: NewHub) -> None:
    made = new_hub()
    made.memo.raises = Unauthorised("the token is refused")
    made.say({"id": "1", "text": "acme"})
    made.run()
    make_round(made.hub)
    (shown,) = shown_alerts(made.hub.store.alerts.all())
    assert (shown["key"], shown["text"]) == ("blocked:memo", "memo is blocked, 1 delivery waits: the token is refused")


def test_a_breaker_that_opened_is_an_alert_until_somebody_answers(new_hub: NewHub) -> None:
    made = new_hub(batch=1)
    made.memo.raises = Unavailable("nobody there")
    made.say(*({"id": str(n), "text": f"acme {n}"} for n in range(FAILURES)))
    made.run()
    make_round(made.hub)
    (shown,) = shown_alerts(made.hub.store.alerts.all())
    assert (shown["key"], "nobody there" in shown["text"]) == ("breaker:memo", True)
    made.memo.raises = None
    made.clock.pass_(minutes=1)
    made.run()
    make_round(made.hub)
    assert shown_alerts(made.hub.store.alerts.all()) == []


@pytest.mark.parametrize(("used", "keys"), [(801, ["quota:memo"]), (800, [])])
def test_a_window_that_a_vendor_says_is_used_up_is_an_alert(new_hub: NewHub, used: int, keys: list[str]) -> None:
    made = new_hub()
    told = {"ratelimit-limit": "1000", "ratelimit-remaining": str(1000 - used), "ratelimit-reset": "3600"}
    made.hub.paces.open("memo").tell(200, told)
    make_round(made.hub)
    assert [one["key"] for one in shown_alerts(made.hub.store.alerts.all())] == keys


def test_a_silent_source_is_told_and_is_over_when_it_speaks(new_hub: NewHub) -> None:
    made = new_hub()
    for number in range(3 * 24 * 2):
        made.say({"id": str(number), "text": "nothing"})
        made.clock.pass_(minutes=30)
    made.clock.pass_(hours=3)
    make_round(made.hub)
    assert "silent:lines" in [one["key"] for one in shown_alerts(made.hub.store.alerts.all())]
    made.say({"id": "new", "text": "nothing"})
    made.run()
    make_round(made.hub)
    assert shown_alerts(made.hub.store.alerts.all()) == []


def test_arrivals_are_counted_once(new_hub: NewHub) -> None:
    made = new_hub()
    for number in range(3):
        made.say({"id": str(number), "text": "x"}, {"id": f"{number}b", "text": "x"})
        assert count_arrivals(made.hub)
    assert made.hub.store.figures.last_arrivals() == {"lines": made.clock()}
    assert len(made.hub.store.figures.slots("lines")) == 1


class LateFigures(Figures):
    """Figures that another scheduler counts too, between the look and the writing."""

    def _add(self, *given: Any) -> None:
        self.__class__ = Figures
        assert self.note_arrivals()
        self._add(*given)


def test_what_two_schedulers_count_at_once_is_counted_once(new_hub: NewHub) -> None:
    made = new_hub()
    made.say({"id": "1", "text": "x"})
    made.hub.store.figures = LateFigures(made.hub.store.database)
    with pytest.raises(Conflict):
        made.hub.store.figures.note_arrivals()
    made.say({"id": "2", "text": "x"})
    made.hub.store.figures = LateFigures(made.hub.store.database)
    assert count_arrivals(made.hub)
    assert len(made.hub.store.figures.slots("lines")) == 1


def test_old_arrivals_are_forgotten(new_hub: NewHub) -> None:
    made = new_hub()
    for number in range(3):
        made.say({"id": str(number), "text": "x"})
        count_arrivals(made.hub)
        made.clock.pass_(days=6)
    assert len(made.hub.store.figures.slots("lines")) == 2


def test_a_look_at_an_empty_hub_finds_nothing(new_hub: NewHub) -> None:
    made = new_hub()
    found = look(made.hub, arrivals_known=True)
    assert (found.blocked, found.dead, found.held, found.let, found.due) == ({}, {}, {}, {}, frozenset())


def test_a_missing_secret_is_a_configuration_error() -> None:
    settings = Settings.model_validate({"alerts": {"urls": [{"env": "NO_SUCH_VARIABLE"}]}})
    with pytest.raises(ConfigError, match=r"alerts\.urls\.0: the environment has no variable NO_SUCH_VARIABLE"):
        tell(settings, "title", "body")


def test_an_address_in_the_file_itself_is_refused() -> None:
    with pytest.raises(ValueError, match="a secret must not stand in this file"):
        Settings.model_validate({"alerts": {"urls": ["json://127.0.0.1"]}})


def test_an_address_that_apprise_does_not_know_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("apprise")
    monkeypatch.setenv("EAR", "nosuchkind://x")
    settings = Settings.model_validate({"alerts": {"urls": [{"env": "EAR"}]}})
    assert tell(settings, "title", "body") == [("nosuchkind", False)]


def test_a_broken_child_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EAR", "json://127.0.0.1:1")
    monkeypatch.setattr("hub.flow.monitor.notify.PATIENCE_S", 0.0)
    settings = Settings.model_validate({"alerts": {"urls": [{"env": "EAR"}]}})
    with pytest.raises(NotTold, match="within"):
        tell(settings, "title", "body")


def test_a_cooldown_is_a_duration() -> None:
    assert AlertsSection.model_validate({"cooldown": "10m"}).cooldown == timedelta(minutes=10)
