"""Users: the first admin, invitations, rights that change, the last admin, the own account."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest

from hub.core.access import Actor, NotAllowed
from hub.core.accounts import KEY_SCOPES, LIVES, BadAccount, check_password, fold_name
from hub.flow.accounts import codes
from hub.flow.accounts.entrance import WrongLogIn, enter, log_in, session_of
from hub.flow.accounts.onetime import DeadLink, first_link, link_of, use_link
from hub.flow.accounts.tokens import digest_of
from hub.flow.actions import keys, me, users
from hub.flow.actions.me import WrongPassword
from hub.flow.actions.users import LastAdmin, NewUser, Rights
from hub.flow.views.users import UnknownUser
from hub.runtime import Hub
from tests.hub.flow.accounts.people import HERE, PASSWORD, make_user
from tests.hubs import Made

NewHub = Callable[..., Made]
OTHER = "eight brown owls sleep"
ADMIN = Actor("ada", "console", "admin")


def token_of(address: str | None) -> str:
    found = re.fullmatch(r"http://127\.0\.0\.1:8600/welcome/([\w-]{43})", address or "")
    assert found
    return found[1]


def invited(hub: Hub, role: str = "agent") -> str:
    _, address = users.invite(hub, ADMIN, NewUser("bea", "Bea Berg"), Rights(role))
    return token_of(address)


# -------------------------------------------------------------------------------------------------------------- links


def test_the_first_admin_chooses_name_and_password_once(new_hub: NewHub) -> None:
    hub = new_hub().hub
    token = token_of(first_link(hub))
    admin = use_link(hub, token, PASSWORD, name="Ines", full_name="Ines Ito")
    assert (admin.name, admin.full_name, admin.role) == ("ines", "Ines Ito", "admin")
    assert log_in(hub, "ines", PASSWORD, HERE)
    with pytest.raises(DeadLink):
        use_link(hub, token, PASSWORD, name="eve")
    assert first_link(hub) is None


def test_a_first_link_dies_when_there_is_a_user_when_a_newer_one_is_made_and_in_half_an_hour(new_hub: NewHub) -> None:
    made = new_hub()
    old, new = token_of(first_link(made.hub)), token_of(first_link(made.hub))
    with pytest.raises(DeadLink):
        link_of(made.hub, old)
    assert link_of(made.hub, new)
    made.clock.pass_(seconds=LIVES["first"].total_seconds())
    with pytest.raises(DeadLink):
        link_of(made.hub, new)
    newest = token_of(first_link(made.hub))
    make_user(made.hub)
    with pytest.raises(DeadLink):
        use_link(made.hub, newest, PASSWORD, name="eve")


def test_to_look_at_a_link_uses_nothing_up(new_hub: NewHub) -> None:
    hub = new_hub().hub
    token = invited(hub)
    for _ in range(3):
        link, user = link_of(hub, token)
        assert (link.purpose, user and user.full_name) == ("invite", "Bea Berg")


@pytest.mark.parametrize("password", ["short", "a" * 40, "bea", "x" * 257, "beabeabeabea"])
def test_a_bad_password_uses_no_link_up(new_hub: NewHub, password: str) -> None:
    hub = new_hub().hub
    token = invited(hub)
    with pytest.raises(BadAccount):
        use_link(hub, token, password)
    assert use_link(hub, token, PASSWORD).name == "bea"


def test_an_invited_user_has_no_password_before_the_link(new_hub: NewHub) -> None:
    hub = new_hub().hub
    invited(hub)
    with pytest.raises(WrongLogIn):
        log_in(hub, "bea", "", HERE)


def test_a_reset_ends_sessions_when_it_is_used_and_not_before(new_hub: NewHub) -> None:
    hub = new_hub().hub
    session = enter(hub, make_user(hub), HERE, by="test").token
    token = token_of(users.reset(hub, ADMIN, "bea"))
    assert session_of(hub, session)
    use_link(hub, token, OTHER)
    assert session_of(hub, session) is None
    with pytest.raises(WrongLogIn):
        log_in(hub, "bea", PASSWORD, HERE)
    assert log_in(hub, "bea", OTHER, HERE)


def test_a_reset_of_the_second_factor_takes_it_away(new_hub: NewHub) -> None:
    hub = new_hub().hub
    bea = make_user(hub)
    with hub.store.database.write() as conn:
        hub.store.users.prove(conn, bea.id, totp=codes.new_secret(), recovery=["x"])
    users.reset(hub, ADMIN, "bea", second_factor=True)
    assert not log_in(hub, "bea", PASSWORD, HERE).waits_for_code


def test_a_closed_account_has_no_link(new_hub: NewHub) -> None:
    hub = new_hub().hub
    make_user(hub, "ada", "admin")
    token = invited(hub)
    users.disable(hub, ADMIN, "bea")
    users.enable(hub, ADMIN, "bea")
    with pytest.raises(DeadLink):
        use_link(hub, token, PASSWORD)


# -------------------------------------------------------------------------------------------------------------- rights


def test_rights_that_change_end_sessions_and_those_that_do_not_end_none(new_hub: NewHub) -> None:
    hub = new_hub().hub
    bea = make_user(hub)
    token = enter(hub, bea, HERE, by="test").token
    users.change(hub, ADMIN, "bea", Rights("agent"))
    assert session_of(hub, token)
    changed = users.change(hub, ADMIN, "bea", Rights("agent", sources=("lines",)))
    assert (changed.sources, session_of(hub, token)) == (frozenset({"lines"}), None)


@pytest.mark.parametrize(
    ("rights", "says"),
    [
        (Rights("king"), "viewer, rep, analyst, agent, manager, admin"),
        (Rights("agent", sources=("liens",)), "did you mean lines?"),
    ],
)
def test_a_right_that_there_is_none_of_is_refused_by_name(new_hub: NewHub, rights: Rights, says: str) -> None:
    hub = new_hub().hub
    make_user(hub)
    with pytest.raises(BadAccount, match=re.escape(says)):
        users.change(hub, ADMIN, "bea", rights)


@pytest.mark.parametrize("act", ["disable", "change"])
def test_the_last_admin_stays(new_hub: NewHub, act: str) -> None:
    hub = new_hub().hub
    make_user(hub, "ada", "admin")
    make_user(hub, "eva", "admin")
    users.disable(hub, ADMIN, "eva")
    with pytest.raises(LastAdmin):
        if act == "disable":
            users.disable(hub, ADMIN, "ada")
        else:
            users.change(hub, ADMIN, "ada", Rights("manager"))
    assert [one.disabled_at for one in hub.store.users.all() if one.name == "ada"] == [None]


def test_a_name_is_taken_once_and_an_unknown_one_is_told(new_hub: NewHub) -> None:
    hub = new_hub().hub
    invited(hub)
    with pytest.raises(BadAccount, match="there is a user bea already"):
        users.invite(hub, ADMIN, NewUser("BEA"), Rights("viewer"))
    with pytest.raises(UnknownUser, match="hub users list"):
        users.reset(hub, ADMIN, "bob")


@pytest.mark.parametrize("name", ["", " ", "-x", "a b", "a/b", "x" * 65, "<b>", "a\nb", "\u202ebea"])
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(BadAccount):
        fold_name(name)


@pytest.mark.parametrize(
    ("role", "private", "names"),
    [("viewer", 0, 0), ("rep", 0, 0), ("analyst", 0, 0), ("agent", 1, 1), ("manager", 1, 1), ("admin", 1, 1)],
)
def test_who_reads_direct_messages_and_names(new_hub: NewHub, role: str, private: int, names: int) -> None:
    hub = new_hub().hub
    sight = make_user(hub, role=role).sight  # type: ignore[arg-type]  # one of them
    assert (sight.private, sight.names) == (bool(private), bool(names))


# ------------------------------------------------------------------------------------------------------------ the own


def test_a_new_password_needs_the_old_one_and_ends_the_other_sessions(new_hub: NewHub) -> None:
    hub = new_hub().hub
    bea = make_user(hub)
    here, there = (enter(hub, bea, HERE, by="test").token for _ in range(2))
    session = session_of(hub, here)
    assert session is not None
    with pytest.raises(WrongPassword):
        me.choose_password(hub, bea.actor("console"), "wrong", OTHER)
    me.choose_password(hub, bea.actor("console"), PASSWORD, OTHER, session=session.id)
    assert session_of(hub, here)
    assert session_of(hub, there) is None
    assert log_in(hub, "bea", OTHER, HERE)


def test_a_role_that_must_have_a_second_factor_keeps_it(new_hub: NewHub) -> None:
    hub = new_hub().hub
    accounts = hub.settings.accounts.model_copy(update={"second_factor": ("agent",)})
    hub.settings = hub.settings.model_copy(update={"accounts": accounts})
    with pytest.raises(NotAllowed, match="second factor"):
        me.drop_code(hub, make_user(hub).actor("console"), PASSWORD)


def test_only_the_own_sessions_and_keys_are_ended(new_hub: NewHub) -> None:
    hub = new_hub().hub
    bea, bob = make_user(hub), make_user(hub, "bob")
    token, key = enter(hub, bea, HERE, by="test").token, keys.make(hub, bea.actor("console"), "x", ["export"])
    session, (kept,) = session_of(hub, token), hub.store.keys.all()
    assert session is not None
    assert not me.end_session(hub, bob.actor("console"), session.id)
    with pytest.raises(keys.UnknownKey):
        keys.revoke(hub, bob.actor("console"), kept.id)
    assert session_of(hub, token)
    assert key


def test_who_has_no_account_has_nothing_of_its_own(new_hub: NewHub) -> None:
    with pytest.raises(NotAllowed, match="log in first"):
        me.choose(new_hub().hub, ADMIN, {"language": "fr"})


@pytest.mark.parametrize("choices", [{"language": "xx"}, {"zone": "Mars/Base"}, {"zone": "../etc/passwd"}])
def test_a_choice_that_there_is_none_of_is_refused(new_hub: NewHub, choices: dict[str, object]) -> None:
    hub = new_hub().hub
    with pytest.raises(BadAccount):
        me.choose(hub, make_user(hub).actor("console"), choices)


def test_choices_are_kept_beside_each_other(new_hub: NewHub) -> None:
    hub = new_hub().hub
    bea = make_user(hub)
    me.choose(hub, bea.actor("console"), {"language": "fr"})
    changed = me.choose(hub, bea.actor("console"), {"zone": "Europe/Paris"}, full_name="Bea Berg")
    assert (changed.choices, changed.full_name) == ({"language": "fr", "zone": "Europe/Paris"}, "Bea Berg")


@pytest.mark.parametrize(("scopes", "says"), [([], "signals:read"), (["signal:read"], "signals:read")])
def test_a_key_has_scopes_that_there_are(new_hub: NewHub, scopes: list[str], says: str) -> None:
    hub = new_hub().hub
    with pytest.raises(BadAccount, match=re.escape(says)):
        keys.make(hub, make_user(hub).actor("console"), "x", scopes)


def test_a_key_of_scope_admin_is_an_admins(new_hub: NewHub) -> None:
    hub = new_hub().hub
    with pytest.raises(NotAllowed, match="only an admin"):
        keys.make(hub, make_user(hub).actor("console"), "x", ["admin"])
    assert keys.make(hub, make_user(hub, "ada", "admin").actor("console"), "x", list(KEY_SCOPES))


def test_a_password_may_be_a_sentence_in_any_script() -> None:
    check_password("\u4eca\u65e5\u306f\u3044\u3044\u5929\u6c17\u3067\u3059\u306d\u3001\u672c\u5f53\u306b", name="bea")


def test_a_link_lives_longer_the_less_it_opens() -> None:
    assert LIVES["first"] < LIVES["reset"] < LIVES["invite"] <= timedelta(days=7)


def test_an_invited_admin_is_none_who_can_come_in(new_hub: NewHub) -> None:
    hub = new_hub().hub
    make_user(hub, "ada", "admin")
    invited(hub, "admin")
    with pytest.raises(LastAdmin):
        users.disable(hub, ADMIN, "ada")


def test_a_choice_under_way_brings_no_lost_right_back(new_hub: NewHub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = new_hub().hub
    bea = make_user(hub)
    users.disable(hub, ADMIN, "bea")
    monkeypatch.setattr(me, "own", lambda *_: bea)  # as it was read before the account was closed
    me.choose(hub, bea.actor("console"), {"language": "fr"})
    found = hub.store.users.named("bea")
    assert found is not None
    assert (found.disabled_at is not None, found.choices["language"]) == (True, "fr")


def test_the_first_admins_link_dies_with_an_invitation(new_hub: NewHub) -> None:
    hub = new_hub().hub
    token = token_of(first_link(hub))
    invited(hub)
    with hub.store.database.write() as conn:
        assert hub.store.one_time_links.use(conn, digest_of(token), now=hub.now()) is None
