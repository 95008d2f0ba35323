"""The way in: passwords, second factors, sessions, keys; what is refused, for how long, and what is never told."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pyotp
import pytest
from sqlalchemy import text

from hub.core.accounts import CODE_WITHIN, IDLE, LONGEST, User
from hub.flow.accounts import codes
from hub.flow.accounts.entrance import (
    Browser,
    TooManyTries,
    WrongCode,
    WrongLogIn,
    enter,
    give_code,
    key_of,
    log_in,
    log_out,
    session_of,
    sweep,
)
from hub.flow.accounts.passwords import hash_password, verify_password
from hub.flow.accounts.tokens import recovery_digest
from hub.flow.actions import keys, me, users
from hub.runtime import Hub
from tests.hub.flow.accounts.people import HERE, PASSWORD, make_user
from tests.hubs import Made

NewHub = Callable[..., Made]
THERE = Browser("203.0.113.9", "curl")
NEXT = timedelta(seconds=codes.STEP_S)


def with_code(hub: Hub, user: User) -> str:
    """Set a second factor up, whose last code is long gone; returns its secret."""
    secret = codes.new_secret()
    with hub.store.database.write() as conn:
        recovery = [recovery_digest("ABCD-EFGH-JKMN-PQRS")]
        hub.store.users.prove(conn, user.id, totp=secret, totp_step=1, recovery=recovery)
    return secret


def fail(hub: Hub, times: int, *, name: str = "bea", browser: Browser = HERE) -> None:
    for _ in range(times):
        with pytest.raises(WrongLogIn):
            log_in(hub, name, "no", browser)


@pytest.mark.parametrize("typed", ["bea", "BEA", " Bea ", "\uff42ea"])
def test_a_name_is_known_however_it_is_spelled(new_hub: NewHub, typed: str) -> None:
    hub = new_hub().hub
    bea = make_user(hub)
    entered = log_in(hub, typed, PASSWORD, HERE)
    found = session_of(hub, entered.token)
    assert found is not None
    assert (found.user.id, found.waits_for_code, found.address, found.browser) == (bea.id, False, *HERE)


@pytest.mark.parametrize(
    ("name", "password"), [("bea", "wrong"), ("bea", ""), ("bob", PASSWORD), ("", ""), ("\x00", "x")]
)
def test_what_is_wrong_is_not_told(new_hub: NewHub, name: str, password: str) -> None:
    hub = new_hub().hub
    make_user(hub)
    with pytest.raises(WrongLogIn) as told:
        log_in(hub, name, password, HERE)
    assert str(told.value) == str(WrongLogIn())


def test_an_unknown_name_costs_a_hash_too(new_hub: NewHub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = new_hub().hub
    made: list[str | None] = []
    from hub.flow.accounts import entrance

    monkeypatch.setattr(entrance, "verify_password", lambda _, kept: bool(made.append(kept)))
    fail(hub, 1, name="bob")
    assert made == [None]


def test_a_closed_account_does_not_come_in_and_its_sessions_and_keys_end(new_hub: NewHub) -> None:
    hub = new_hub().hub
    ada, bea = make_user(hub, "ada", "admin"), make_user(hub)
    token, key = enter(hub, bea, HERE, by="test").token, keys.make(hub, bea.actor("console"), "x", ["export"])
    users.disable(hub, ada.actor("console"), "bea")
    assert (session_of(hub, token), key_of(hub, key)) == (None, None)
    fail(hub, 1)


def test_nothing_that_is_kept_opens_the_door(new_hub: NewHub) -> None:
    hub = new_hub().hub
    bea = make_user(hub)
    secrets = [enter(hub, bea, HERE, by="test").token, keys.make(hub, bea.actor("console"), "x", ["export"]), PASSWORD]
    with hub.store.database.read() as conn:
        kept = [
            str(tuple(row))
            for table in ("users", "sessions", "api_keys")
            for row in conn.execute(text(f"select * from {table}"))
        ]
    assert not [secret for secret in secrets for row in kept if secret in row]
    token = next(iter(hub.store.sessions.of_user(bea.id)))
    assert session_of(hub, token.form_token) is None


# ------------------------------------------------------------------------------------------------------------- limits


def test_the_sixth_wrong_password_in_a_row_waits_and_the_pauses_grow(new_hub: NewHub) -> None:
    made = new_hub()
    make_user(made.hub)
    fail(made.hub, 5)
    pauses = []
    for _ in range(4):
        with pytest.raises(TooManyTries) as told:
            log_in(made.hub, "bea", PASSWORD, HERE)
        pauses.append(told.value.seconds)
        made.clock.pass_(seconds=told.value.seconds)
        fail(made.hub, 1)
    assert pauses == sorted(set(pauses))
    assert pauses[0] >= 15


def test_the_pauses_never_exceed_a_quarter_of_an_hour(new_hub: NewHub) -> None:
    made = new_hub()
    make_user(made.hub)
    for _ in range(40):
        try:
            fail(made.hub, 1)
        except TooManyTries as told:
            assert told.seconds <= 901
            made.clock.pass_(seconds=told.seconds)


def test_failures_are_counted_by_address_over_many_names(new_hub: NewHub) -> None:
    hub = new_hub().hub
    for number in range(20):
        fail(hub, 1, name=f"user{number}")
    make_user(hub)
    with pytest.raises(TooManyTries):
        log_in(hub, "bea", PASSWORD, HERE)
    assert log_in(hub, "bea", PASSWORD, THERE)


def test_one_who_guesses_from_elsewhere_does_not_bar_the_owner(new_hub: NewHub) -> None:
    hub = new_hub().hub
    make_user(hub)
    log_in(hub, "bea", PASSWORD, HERE)
    fail(hub, 5, browser=THERE)
    with pytest.raises(TooManyTries):
        log_in(hub, "bea", PASSWORD, THERE)
    assert log_in(hub, "bea", PASSWORD, HERE)


def test_guessing_from_many_addresses_is_counted_by_account(new_hub: NewHub) -> None:
    hub = new_hub().hub
    make_user(hub)
    for number in range(5):
        fail(hub, 1, browser=Browser(f"198.51.100.{number}", ""))
    with pytest.raises(TooManyTries):
        log_in(hub, "bea", PASSWORD, Browser("198.51.100.99", ""))


def test_who_comes_in_begins_at_nothing(new_hub: NewHub) -> None:
    hub = new_hub().hub
    make_user(hub)
    for _ in range(3):
        fail(hub, 4)
        assert log_in(hub, "bea", PASSWORD, HERE)


def test_an_unknown_name_is_limited_as_a_known_one(new_hub: NewHub) -> None:
    hub = new_hub().hub
    fail(hub, 5, name="bob")
    with pytest.raises(TooManyTries):
        log_in(hub, "bob", "no", HERE)


def test_the_addresses_of_one_line_count_as_one(new_hub: NewHub) -> None:
    hub = new_hub().hub
    make_user(hub)
    for number in range(20):
        fail(hub, 1, name=f"user{number}", browser=Browser(f"2001:db8:0:1::{number:x}", ""))
    with pytest.raises(TooManyTries):
        log_in(hub, "bea", PASSWORD, Browser("2001:db8:0:1:ffff::1", ""))
    assert log_in(hub, "bea", PASSWORD, Browser("2001:db8:0:2::1", ""))


@pytest.mark.parametrize("password", ["wrong", PASSWORD])
def test_guesses_at_once_tell_no_more_than_one_by_one(
    new_hub: NewHub, monkeypatch: pytest.MonkeyPatch, password: str
) -> None:
    hub = new_hub().hub
    make_user(hub)
    from hub.flow.accounts import entrance

    def slow(given: str, kept: str | None) -> bool:
        monkeypatch.setattr(entrance, "verify_password", verify_password)
        fail(hub, 5, browser=THERE)  # while this one is under way
        return verify_password(given, kept)

    monkeypatch.setattr(entrance, "verify_password", slow)
    with pytest.raises(TooManyTries):
        log_in(hub, "bea", password, HERE)


@pytest.mark.parametrize("end", ["close", "password"])
def test_a_log_in_under_way_ends_with_the_sessions(new_hub: NewHub, monkeypatch: pytest.MonkeyPatch, end: str) -> None:
    hub = new_hub().hub
    ada, bea = make_user(hub, "ada", "admin"), make_user(hub)
    from hub.flow.accounts import entrance

    def slow(given: str, kept: str | None) -> bool:
        monkeypatch.setattr(entrance, "verify_password", verify_password)
        if end == "close":
            users.disable(hub, ada.actor("console"), "bea")
        else:
            me.choose_password(hub, bea.actor("console"), PASSWORD, "eight brown owls sleep")
        return verify_password(given, kept)

    monkeypatch.setattr(entrance, "verify_password", slow)
    with pytest.raises(WrongLogIn):
        log_in(hub, "bea", PASSWORD, HERE)
    assert not hub.store.sessions.of_user(bea.id)


def test_a_password_is_known_however_the_keyboard_sends_its_accents() -> None:
    assert verify_password("le caf\u00e9 est servi", hash_password("le cafe\u0301 est servi"))


# ----------------------------------------------------------------------------------------------------------- sessions


@pytest.mark.parametrize(
    ("step", "times", "open_"),
    [(IDLE, 1, False), (IDLE - timedelta(minutes=1), 3, True), (timedelta(hours=11), 31, False)],
)
def test_a_session_ends_idle_or_old(new_hub: NewHub, step: timedelta, times: int, open_: bool) -> None:
    made = new_hub()
    token = enter(made.hub, make_user(made.hub), HERE, by="test").token
    found = None
    for _ in range(times):
        made.clock.pass_(seconds=step.total_seconds())
        found = session_of(made.hub, token)
    assert (found is not None) is open_
    assert step * times < LONGEST or not open_


def test_a_log_out_ends_the_session_alone(new_hub: NewHub) -> None:
    hub = new_hub().hub
    bea = make_user(hub)
    first, second = (enter(hub, bea, HERE, by="test").token for _ in range(2))
    session = session_of(hub, first)
    assert session is not None
    log_out(hub, session)
    assert session_of(hub, first) is None
    assert session_of(hub, second) is not None


def test_what_is_over_is_swept_away(new_hub: NewHub) -> None:
    made = new_hub()
    bea = make_user(made.hub)
    enter(made.hub, bea, HERE, by="test")
    fail(made.hub, 1)
    made.clock.pass_(days=2)
    sweep(made.hub)
    with made.hub.store.database.read() as conn:
        left = [
            conn.execute(text(f"select count(*) from {table}")).scalar() for table in ("sessions", "log_in_failures")
        ]
    assert left == [0, 0]


def test_who_came_in_and_who_did_not_is_in_the_audit(new_hub: NewHub) -> None:
    hub = new_hub().hub
    make_user(hub)
    fail(hub, 1)
    log_in(hub, "bea", PASSWORD, HERE)
    assert [one["action"] for one in hub.store.audit.recent(limit=5)] == ["log in", "log in failed"]


# ----------------------------------------------------------------------------------------------------- second factor


def test_a_password_alone_opens_nothing_if_there_is_a_second_factor(new_hub: NewHub) -> None:
    made = new_hub()
    bea = make_user(made.hub)
    secret = with_code(made.hub, bea)
    entered = log_in(made.hub, "bea", PASSWORD, HERE)
    waiting = session_of(made.hub, entered.token)
    assert entered.waits_for_code
    assert waiting is not None
    assert waiting.waits_for_code
    done = give_code(made.hub, waiting, pyotp.TOTP(secret).at(made.clock()), HERE)
    found = session_of(made.hub, done.token)
    assert found is not None
    assert not found.waits_for_code
    assert (
        session_of(made.hub, entered.token) is None
    )  # a new token at each step: none that was known before opens more


def test_a_log_in_that_waits_for_its_code_ends_soon(new_hub: NewHub) -> None:
    made = new_hub()
    bea = make_user(made.hub)
    with_code(made.hub, bea)
    entered = log_in(made.hub, "bea", PASSWORD, HERE)
    made.clock.pass_(seconds=CODE_WITHIN.total_seconds())
    assert session_of(made.hub, entered.token) is None


def test_a_code_works_once_and_so_does_a_recovery_code(new_hub: NewHub) -> None:
    made = new_hub()
    bea = make_user(made.hub)
    secret = with_code(made.hub, bea)
    for code in (pyotp.TOTP(secret).at(made.clock()), "abcd efgh jkmn pqrs"):
        outcomes = []
        for _ in range(2):
            waiting = session_of(made.hub, log_in(made.hub, "bea", PASSWORD, HERE).token)
            assert waiting is not None
            try:
                give_code(made.hub, waiting, code, HERE)
                outcomes.append("in")
            except WrongCode:
                outcomes.append("refused")
        assert outcomes == ["in", "refused"]


@pytest.mark.parametrize("late", [-2, 2])
def test_a_code_of_another_time_is_refused(new_hub: NewHub, late: int) -> None:
    made = new_hub()
    bea = make_user(made.hub)
    secret = with_code(made.hub, bea)
    waiting = session_of(made.hub, log_in(made.hub, "bea", PASSWORD, HERE).token)
    assert waiting is not None
    with pytest.raises(WrongCode):
        give_code(made.hub, waiting, pyotp.TOTP(secret).at(made.clock() + late * NEXT), HERE)


def test_codes_cannot_be_guessed_by_trying_all(new_hub: NewHub) -> None:
    made = new_hub()
    with_code(made.hub, make_user(made.hub))
    waiting = session_of(made.hub, log_in(made.hub, "bea", PASSWORD, HERE).token)
    assert waiting is not None
    for _ in range(5):
        with pytest.raises(WrongCode):
            give_code(made.hub, waiting, "000000", HERE)
    with pytest.raises(TooManyTries):
        give_code(made.hub, waiting, "000000", HERE)


def test_a_code_cannot_be_set_up_that_the_authenticator_does_not_know(new_hub: NewHub) -> None:
    made = new_hub()
    bea = make_user(made.hub)
    with pytest.raises(WrongCode):
        me.set_up_code(made.hub, bea.actor("console"), codes.new_secret(), "123456")
    assert made.hub.store.users.proofs(bea.id).totp is None


def test_an_address_for_an_authenticator_names_user_and_hub_and_has_a_picture() -> None:
    address = codes.address_of("JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", name="bea", place="hub.example")
    assert address == "otpauth://totp/Hubbub:bea%40hub.example?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&issuer=Hubbub"
    assert codes.picture_of(address).startswith("<svg")


# --------------------------------------------------------------------------------------------------------------- keys


def test_a_key_is_its_owner_within_its_scopes_until_it_ends(new_hub: NewHub) -> None:
    made = new_hub()
    bea = make_user(made.hub, sources=frozenset({"lines"}))
    until = made.clock() + timedelta(days=1)
    text_ = keys.make(made.hub, bea.actor("console"), "reports", ["signals:read"], until=until)
    found = key_of(made.hub, text_)
    assert found is not None
    assert (found.user.name, found.scopes, found.prefix) == ("bea", ("signals:read",), text_[:8])
    assert (len(text_), text_[:4]) == (47, "hub_")
    made.clock.pass_(days=1)
    assert key_of(made.hub, text_) is None


@pytest.mark.parametrize("text_", ["", "hub_", "hub_" + "A" * 43, "Bearer", "\x00", "é" * 47])
def test_what_is_no_key_opens_nothing(new_hub: NewHub, text_: str) -> None:
    assert key_of(new_hub().hub, text_) is None
