"""Credentials that were mended: read again from their files, and what waited goes on without a restart."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest
from pydantic import PrivateAttr, SecretStr

from hub import runtime
from hub.config.references import SecretReference
from hub.core.access import HUB
from hub.core.errors import Unauthorised
from hub.core.model import Delivery
from hub.flow.actions.connections import check
from hub.flow.intake.poll import poll
from hub.flow.sweep import prepare, sweep
from hub.registry import Plugin
from hub.sdk.connectors import Context, Options, Outcome, Page
from tests.hubs import LineSource, Made, Memo

NewHub = Callable[..., Made]


class Locked(Options):
    """Options with a secret, and with something that is made new each time, as a compiled pattern is."""

    token: SecretStr
    _kept: object = PrivateAttr(default_factory=object)


class LockedMemo(Memo):
    """A destination that takes one token."""

    Options = Locked

    def deliver(self, ctx: Context, batch: Sequence[Delivery]) -> list[Outcome]:
        if self.options.token.get_secret_value() != "right":  # type: ignore[attr-defined]  # the options of a fake
            raise Unauthorised("HTTP 401")
        return super().deliver(ctx, batch)


class LockedLines(LineSource):
    """A source that takes one token."""

    Options = Locked

    def pull(self, ctx: Context, cursor: Any) -> Iterable[Page]:
        if self.options.token.get_secret_value() != "right":  # type: ignore[attr-defined]  # the options of a fake
            raise Unauthorised("HTTP 401")
        return ()


class Vault:
    """A hub whose source and destination have a secret in a file."""

    def __init__(self, made: Made, folder: Path) -> None:
        self.made, self.hub, self.file = made, made.hub, folder / "token"
        self.hub.registry._loaded["memo"] = Plugin("memo", "tests", "1", destinations={"memo": LockedMemo})
        self.hub.registry._loaded["lines"] = Plugin("lines", "tests", "1", sources={"lines": LockedLines})
        options = {"options": {"token": {"file": "token"}}}
        tables = {
            table: {name: one.model_copy(update=options) for name, one in getattr(self.hub.settings, table).items()}
            for table in ("sources", "destinations")
        }
        self.hub.settings = self.hub.settings.model_copy(update=tables)

    def write(self, token: str) -> None:
        self.file.write_text(token)

    def refused(self) -> None:
        """A delivery and a poll are refused; both wait."""
        self.write("wrong")
        prepare(self.hub)
        self.made.say({"id": "1", "text": "acme"})
        self.made.run()
        poll(self.hub, "lines", early=True)
        assert self.made.states() == {"blocked": 1}

    def time_passes(self) -> None:
        """As long as passes between two looks into the files."""
        self.hub._read_at = dict.fromkeys(self.hub._read_at, 0.0)

    def poll_is_due(self) -> bool:
        return "lines" in self.hub.store.cursors.due(now=self.made.clock())


@pytest.fixture
def vault(new_hub: NewHub, tmp_path: Path) -> Vault:
    return Vault(new_hub(), tmp_path)


def test_a_new_secret_in_its_file_frees_what_waited_at_once(vault: Vault) -> None:
    vault.refused()
    vault.write("right")
    vault.time_passes()
    sweep(vault.hub)
    vault.made.run()
    assert (vault.made.states(), vault.poll_is_due()) == ({"delivered": 1}, True)
    poll(vault.hub, "lines")
    assert vault.hub.store.cursors.list()[0]["error"] is None


def test_a_secret_that_stays_the_same_frees_nothing(vault: Vault) -> None:
    vault.refused()
    vault.time_passes()
    sweep(vault.hub)
    vault.made.run()
    assert (vault.made.states(), vault.poll_is_due()) == ({"blocked": 1}, False)


@pytest.mark.parametrize("broken", ["", None, b"\xff\xfe\xff"])
def test_a_file_that_is_being_written_changes_nothing(vault: Vault, broken: str | bytes | None) -> None:
    vault.write("right")
    before = vault.hub.destination("memo")
    vault.hub.doubt("destinations", "memo")
    if broken is None:
        vault.file.unlink()
    else:
        vault.file.write_bytes(broken if isinstance(broken, bytes) else broken.encode())
    assert vault.hub.destination("memo") is before


def test_a_files_secret_is_read_again_now_and_then_only(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    vault.write("right")
    vault.hub.destination("memo")
    reads: list[str] = []
    real = runtime.options_of
    monkeypatch.setattr(runtime, "options_of", lambda *given: reads.append("read") or real(*given))
    for _ in range(100):
        vault.hub.destination("memo")
    assert reads == []


def test_a_good_check_frees_what_waited_also_a_poll(vault: Vault) -> None:
    vault.refused()
    vault.write("right")
    assert all(one.fine for one in check(vault.hub, HUB))
    vault.made.run()
    assert (vault.made.states(), vault.poll_is_due()) == ({"delivered": 1}, True)


def test_a_restart_tries_once_what_was_blocked(vault: Vault) -> None:
    vault.refused()
    vault.write("right")
    vault.hub._made.clear()
    prepare(vault.hub)
    vault.made.run()
    assert (vault.made.states(), vault.poll_is_due()) == ({"delivered": 1}, True)


def test_the_old_secret_and_the_new_are_both_redacted_where_they_are_used(vault: Vault) -> None:
    vault.write("first-s3cret")
    vault.hub.destination_context("memo")
    vault.write("second-s3cret")
    vault.hub.doubt("destinations", "memo")
    vault.hub.destination_context("memo")
    error = Unauthorised("second-s3cret was refused")
    vault.hub.redact("memo", error)
    assert "s3cret" not in str(error)


def test_a_proxys_new_password_is_taken_up(vault: Vault, tmp_path: Path) -> None:
    vault.write("right")
    (tmp_path / "proxy").write_text("http://hub:old@127.0.0.1:9")
    section = vault.hub.settings.destinations["memo"].model_copy(update={"proxy": SecretReference(file="proxy")})
    vault.hub.settings = vault.hub.settings.model_copy(update={"destinations": {"memo": section}})
    before = vault.hub.destination_context("memo").http
    (tmp_path / "proxy").write_text("http://hub:new@127.0.0.1:9")
    vault.time_passes()
    assert vault.hub.destination_context("memo").http is not before
    assert vault.hub.renewed == {("destinations", "memo")}
